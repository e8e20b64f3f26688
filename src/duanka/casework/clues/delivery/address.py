"""Where a recipient's clues go: `folder:/path`, `sftp://user@host:port/path`, or `https://host/path`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol
from urllib.parse import urlsplit

from duanka.domain.clue import ClueError

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_HOW = (
    "write it like folder:/srv/clues, sftp://duanka@police.example:22/inbox or https://police.example/clues"
)
_SFTP_PORT = 22


class DeliveryFailed(ClueError):
    """The clue did not get there, or nobody can tell; sending it again is safe."""


class Delivery(Protocol):
    """One way to one recipient."""

    def put(self, clue: str, files: Mapping[str, bytes]) -> str:
        """Put the files there, whole, and say where; nothing if that very clue is there already. DeliveryFailed."""


@dataclass(frozen=True)
class Address:
    """A parsed address. `kind`: folder, sftp, or http; `url`: of http, as written."""

    kind: str
    path: str
    host: str = ""
    port: int = 0
    user: str = ""
    url: str = ""


def address_of(text: str) -> Address:
    """Parse an address. ClueError: it is none."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ClueError(f"{text[:60]!r} is no address; {_HOW}") from None
    path = PurePosixPath(parts.path)
    simple = (
        text.isprintable()
        and not any(letter in text for letter in "\"'\\*?[]; \t")
        and ".." not in path.parts
    )
    if parts.password or not simple:
        raise ClueError(f"an address has no password, no blanks, quotes, '*' or '..'; {_HOW}")
    if parts.scheme == "folder" and path.is_absolute() and not parts.netloc:
        return Address("folder", parts.path)
    if parts.scheme == "sftp" and parts.hostname and parts.username and path.is_absolute():
        if parts.hostname.startswith("-") or parts.username.startswith("-"):
            raise ClueError(f"{text[:60]!r} is no address; {_HOW}")
        return Address("sftp", parts.path, parts.hostname, port or _SFTP_PORT, parts.username)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if safe and parts.hostname and not parts.query and not parts.fragment:
        return Address("http", parts.path, parts.hostname, port or 0, url=text.rstrip("/"))
    raise ClueError(f"{text[:60]!r} is no address; {_HOW}")
