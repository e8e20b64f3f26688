"""Platform by files in a folder: requests are written there, answers are read there; each beside its signature.

    out/G….request.json, out/G….release.json      ours, each with .sig; the platform moves what it took to out/taken/
    in/NAME.json                                  an answer {id, state, note}, with NAME.json.sig written before it
    in/taken/, in/refused/                        answers that we kept, and those that no key signed

A file is written aside and then renamed, so that nobody reads a part. A name that the platform took is not written
again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from duanka.domain.case_source import SIGNATURE_ENDING
from duanka.domain.linked_accounts import OutgoingMessage, PlatformDown, SignedAnswer, Signer, read_answer
from duanka.domain.private_files import private_folder

_MOST_ANSWER = 64 << 10  # bytes
_AT_ONCE = 200  # answers


class FilePlatform:
    """The platform whose files are in `folder`; used by one thread. Every failure is a PlatformDown."""

    def __init__(self, folder: Path, signer: Signer) -> None:
        self._signer = signer
        self._out, self._in = folder / "out", folder / "in"
        self._kept: dict[str, Path] = {}
        try:
            for one in (self._out, self._out / "taken", self._in, self._in / "taken", self._in / "refused"):
                private_folder(one)
        except OSError as error:
            raise PlatformDown(f"{folder} cannot be used ({error.strerror})") from None

    def send(self, message: OutgoingMessage) -> SignedAnswer | None:
        """Write a message, unless it is there or was taken; None: the answer comes later."""
        name = f"{message.request_id}.{message.kind.value}.json"
        try:
            if (self._out / name).exists() or (self._out / "taken" / name).exists():
                return None
            _write(self._out / f"{name}{SIGNATURE_ENDING}", self._signer.sign(message.body).encode() + b"\n")
            _write(self._out / name, message.body)
        except OSError as error:
            raise PlatformDown(f"{self._out} cannot be written ({error.strerror})") from None
        return None

    def answers(self, requests: Sequence[str]) -> Iterator[SignedAnswer]:
        """All answers that lie there, whichever request they are about; one that nobody signed is set aside."""
        del requests
        try:
            names = sorted(entry.name for entry in os.scandir(self._in) if entry.name.endswith(".json"))
        except OSError as error:
            raise PlatformDown(f"{self._in} cannot be read ({error.strerror})") from None
        for name in names[:_AT_ONCE]:
            if answer := self._read(self._in / name):
                yield answer

    def taken(self, answers: Sequence[SignedAnswer]) -> None:
        """Move the files of these answers aside."""
        for answer in answers:
            if path := self._kept.pop(answer.signature, None):
                self._move(path, "taken")

    def close(self) -> None:
        """Nothing is open."""

    # --- internal ---

    def _read(self, path: Path) -> SignedAnswer | None:
        try:
            with open(path, "rb") as file:
                body = file.read(_MOST_ANSWER + 1)
            with open(f"{path}{SIGNATURE_ENDING}", "rb") as file:
                signature = file.read(1024).decode("ascii", "replace").strip()
        except FileNotFoundError:  # its signature is not there yet
            return None
        except OSError as error:
            raise PlatformDown(f"{path} cannot be read ({error.strerror})") from None
        try:
            if len(body) > _MOST_ANSWER:
                raise PlatformDown("its answer is too large")
            self._signer.check(body, signature)
            answer = read_answer(body, signature)
        except PlatformDown:
            self._move(path, "refused")
            return None
        self._kept[signature] = path
        return answer

    def _move(self, path: Path, to: str) -> None:
        with suppress(FileNotFoundError):
            path.replace(self._in / to / path.name)
            beside = path.with_name(path.name + SIGNATURE_ENDING)
            beside.replace(self._in / to / beside.name)


def _write(path: Path, content: bytes) -> None:
    """Write a file that is whole or not there, also after a power cut. OSError."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
