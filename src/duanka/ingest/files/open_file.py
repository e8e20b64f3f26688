"""Opens delivered files: regular files only, no pipes, devices or foreign links."""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path

from duanka.domain.display import display_name
from duanka.domain.errors import UnreadableInput

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # non-blocking: a pipe without a writer would block
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class NotRegular(UnreadableInput):
    """The path is a pipe, a device, or a link out of the inbox."""


def opened(path: Path, root: Path | None = None) -> BufferedReader:
    """Open `path` for reading bytes.

    `root`: a folder writable by others, below which no link is followed. None: a link is followed if its owner is
    that of its target or of this process. Raises UnreadableInput for errors of the system, NotRegular when the path
    is no regular file.
    """
    try:
        return open_regular(path, root)
    except OSError as fault:
        why = fault.strerror or "it cannot be opened"
        raise UnreadableInput(
            f"{display_name(str(path))}: {why}; check that it exists and may be read"
        ) from None


def open_regular(path: Path, root: Path | None = None) -> BufferedReader:
    """Open like `opened`, but raise OSError unchanged."""
    descriptor = _descriptor(path) if root is None else _below(path, root)
    try:
        _check(path, os.fstat(descriptor), root)
    except BaseException:
        os.close(descriptor)
        raise
    return open(descriptor, "rb")  # the caller closes it


def kind_of(mode: int) -> str:
    """Type of a non-regular file in words; "" for a regular one."""
    return "" if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "no regular file")


def is_file(path: Path) -> bool:
    """Tell whether `opened` without a root finds a regular file, maybe by a link."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode) and _may_follow(path, os.lstat(path))
    except OSError:
        return False


def _may_follow(path: Path, itself: os.stat_result) -> bool:
    return not stat.S_ISLNK(itself.st_mode) or itself.st_uid in (os.geteuid(), os.stat(path).st_uid)


def _descriptor(path: Path) -> int:
    _regular(path, os.stat(path))
    if not _may_follow(path, os.lstat(path)):
        raise NotRegular(f"{display_name(str(path))}: a link of somebody else's; put the file itself there")
    return os.open(path, _READ)


def _below(path: Path, root: Path) -> int:
    """Open `path` folder by folder without following links, safe against replacement."""
    *folders, name = path.relative_to(root).parts
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            below = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            os.close(at)
            at = below
        # checked before opening as well, because opening a device may have side effects
        _regular(path, os.stat(name, dir_fd=at, follow_symlinks=False))
        return os.open(name, _READ | os.O_NOFOLLOW, dir_fd=at)
    finally:
        os.close(at)


def _regular(path: Path, found: os.stat_result) -> None:
    if kind := kind_of(found.st_mode):
        raise NotRegular(f"{display_name(str(path))}: {kind}, not a file; put the file itself there")


def _check(path: Path, found: os.stat_result, root: Path | None) -> None:
    _regular(path, found)
    private = not found.st_mode & stat.S_IROTH and found.st_uid in (0, os.geteuid())
    if root is not None and found.st_nlink > 1 and private:
        # anyone who can write to the inbox could hard-link a secret of this process into it
        raise NotRegular(
            f"{display_name(str(path))}: a private file that has another name elsewhere (a hard link); copy it instead"
        )
