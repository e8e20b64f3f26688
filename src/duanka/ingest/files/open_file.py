"""Opens delivered files: regular files only, so that a pipe, a device or a link leads to nothing else."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from duanka.domain.display import display_name
from duanka.domain.errors import UnreadableInput

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe without a writer would else hold us for ever
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class NotRegular(UnreadableInput):
    """The path leads to no file of records: a pipe, a device, a link out of the inbox."""


def opened(path: Path, root: Path | None = None) -> BinaryIO:
    """Open `path` for reading bytes.

    `root`: a folder into which others deliver and below which no link is followed; None: links of the same owner as
    what they lead to, or as this process, are followed.

    Raises UnreadableInput when the system does not let us (see `open_regular`), NotRegular when it is no regular file.
    """
    try:
        return open_regular(path, root)
    except OSError as fault:
        why = fault.strerror or "it cannot be opened"
        raise UnreadableInput(
            f"{display_name(str(path))}: {why}; check that it exists and may be read"
        ) from None


def open_regular(path: Path, root: Path | None = None) -> BinaryIO:
    """Open as `opened` does, but let OSError through."""
    descriptor = _descriptor(path) if root is None else _below(path, root)
    try:
        _check(path, os.fstat(descriptor), root)
    except BaseException:
        os.close(descriptor)
        raise
    return open(descriptor, "rb")  # the caller closes it


def kind_of(mode: int) -> str:
    """What a file that is no regular one is, in words; "" for a regular one."""
    return "" if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "no regular file")


def is_file(path: Path) -> bool:
    """Tell whether `opened` without a root would find a regular file at `path`, by itself or behind a link."""
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
    """Open `path` folder by folder, none of which may be a link: a name may be exchanged at any moment."""
    *folders, name = path.relative_to(root).parts
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            below = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            os.close(at)
            at = below
        # Asked before it is opened too, for opening a device may do something.
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
        # Whoever may write into the inbox could give a secret of ours a second name there.
        raise NotRegular(
            f"{display_name(str(path))}: a private file that has another name elsewhere (a hard link); copy it instead"
        )
