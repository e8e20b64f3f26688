"""Checks of folders and files: existence, permissions, free space, local disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from duanka.bootstrap.doctor.examination import Finding, Installation, fault, ok, warning
from duanka.bootstrap.home_folder import FILE
from duanka.bootstrap.order_resources import database_of
from duanka.domain.private_files import UMASK

_MB = 1 << 20
LEAST_ROOM, ENOUGH_ROOM = 100 * _MB, 2048 * _MB  # free bytes: fault below the first, warning below the second
NETWORK_FILE_SYSTEMS = (
    *("nfs", "cifs", "smb", "9p", "ceph", "gluster", "lustre", "afs", "fuse.sshfs", "beegfs"),
)
_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = (("\\040", " "), ("\\011", "\t"), ("\\134", "\\"))  # escapes in /proc/self/mountinfo


def orders(found: Installation) -> Iterator[Finding]:
    """Check the folder `orders`, with order database, secret and live records."""
    folder = found.settings.orders
    if not folder.exists():
        known = found.resolved.home or found.resolved.sources["orders"] != "default"
        text = f"{folder} is not there"
        hint = "`duanka init FOLDER` or `duanka serve` begins an order database; or put DUANKA_ORDERS right"
        yield fault(text, hint) if known and found.resolved.home else ok(f"not set up: {text}; {hint}")
        return
    troubles = list(folder_troubles(folder, "DUANKA_ORDERS", private=True))
    if database_of(found.settings).startswith("sqlite"):
        kind = network_file_system(folder, _MOUNTS.read_text(encoding="utf-8", errors="replace"))
        if kind:
            troubles.append(
                fault(
                    f"{folder} lies on a network file system ({kind}), where SQLite loses what it wrote",
                    "move it to a disk of this machine, or use PostgreSQL (DUANKA_DATABASE_URL)",
                )
            )
    yield from troubles or [ok(f"{folder}: {free_room(folder)} free")]


def others(found: Installation) -> Iterator[Finding]:
    """Check the configured folders for records, lists and temporary data."""
    own = found.settings
    named = {"DUANKA_INBOX": own.inbox, "DUANKA_OUT": own.out, "DUANKA_DECISIONS": own.decisions}
    named["DUANKA_WORK"] = own.work
    told = [(name, folder) for name, folder in named.items() if folder is not None]
    troubles = [one for name, folder in told for one in _other(name, folder)]
    yield from troubles
    if not told:
        yield ok("none set (DUANKA_INBOX, DUANKA_OUT, DUANKA_DECISIONS, DUANKA_WORK)")
    elif not troubles:
        listed = ", ".join(dict.fromkeys(f"{folder} {free_room(folder)}" for _, folder in told))
        yield ok(f"{listed} free")


def _other(name: str, folder: Path) -> Iterator[Finding]:
    if not folder.exists():
        made = name in ("DUANKA_OUT", "DUANKA_WORK")  # created by a scan
        text = f"{name}: {folder} is not there"
        hint = f"mkdir -m 700 {folder}, or put {name} right"
        yield warning(text, hint) if made else fault(text, hint)
    else:
        yield from folder_troubles(folder, name, private=name != "DUANKA_INBOX")


def folder_troubles(folder: Path, name: str, *, private: bool) -> Iterator[Finding]:
    """What is wrong with an existing folder: permissions, room. `name`: of the setting; `private`: nobody else's."""
    if not folder.is_dir():
        yield fault(f"{name}: {folder} is no folder", f"name a folder in {name}")
        return
    found = folder.stat()
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        yield fault(f"{folder} is on a file system that is mounted read-only", "mount it to be written")
    elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield fault(
            f"{folder} cannot be written by this user", f"chown it to the user of Duanka, or change {name}"
        )
    elif found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        yield fault(
            f"{folder} can be written by everybody: anybody puts records or orders there", _close(folder)
        )
    elif private and found.st_mode & UMASK:
        yield warning(f"{folder} is open to others (mode {stat.S_IMODE(found.st_mode):04o})", _close(folder))
    free = _free(folder)
    if free < LEAST_ROOM:
        yield fault(
            f"{folder} has {free_room(folder)} free", "make room: what cannot be written stops the work"
        )
    elif free < ENOUGH_ROOM:
        yield warning(
            f"{folder} has {free_room(folder)} free", "make room before a scan or a backup fills it"
        )


def _close(folder: Path) -> str:
    return f"chmod 700 {folder}"


def _free(folder: Path) -> int:
    """Free bytes for an unprivileged user; 0 where no inode is free."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize if found.f_favail or not found.f_files else 0


def free_room(folder: Path) -> str:
    """Free bytes in words."""
    free = _free(folder) / _MB
    return f"{free / 1024:.1f} GB" if free >= 1024 else f"{free:.0f} MB"


def private_files(found: Installation) -> Iterator[Finding]:
    """Check that only the owner can read secrets and the order database."""
    seen, troubles = 0, 0
    for path, secret in _kept_files(found).items():
        try:
            mode = path.stat().st_mode
        except OSError:
            continue  # reported by the check that needs the file
        seen += 1
        if mode & UMASK:
            troubles += 1
            text, hint = f"{path} is open to others (mode {stat.S_IMODE(mode):04o})", f"chmod 600 {path}"
            yield (
                fault(text, f"{hint}; if others have a login here, make a new one")
                if secret
                else warning(text, hint)
            )
    if not troubles:
        yield ok(f"{seen} file(s), for their owner alone" if seen else "none yet")


def _kept_files(found: Installation) -> dict[Path, bool]:
    """Files with phone numbers or secrets -> whether the file is a secret."""
    own, sources = found.settings, found.resolved.sources
    files = {(own.secret_file or own.orders / "secret"): True}
    for name, source in sources.items():
        if name != "secret_file" and "_FILE " in source:
            files[Path(source.partition("_FILE ")[2])] = True
        elif ", " in source and source.partition(", ")[0].endswith(FILE):
            files[Path(source.partition(", ")[2])] = True
    kept = [path for path in (own.orders.iterdir() if own.orders.is_dir() else ()) if path.is_file()]
    return {**dict.fromkeys(kept, False), **files}


def network_file_system(folder: Path, mounts: str) -> str | None:
    """Type of the network file system of `folder`, None: local. `mounts`: as in mountinfo(5)."""
    here = folder.resolve()
    best, kind = Path(), ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        name = fields[4]
        for written, meant in _ESCAPED:
            name = name.replace(written, meant)
        point = Path(name)
        if here.is_relative_to(point) and len(point.parts) >= len(best.parts):  # later mounts cover earlier
            best, kind = point, after.split(" ")[0]
    return kind if kind.startswith(NETWORK_FILE_SYSTEMS) else None
