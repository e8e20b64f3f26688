"""Detached Ed25519 signatures of police case files, by registered sources."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from duanka.domain.case_source import SIGNATURE_BYTES, SIGNATURE_ENDING, CaseSource
from duanka.domain.errors import UnreadableInput
from duanka.ingest.files.open_file import open_regular
from duanka.ingest.model.mapping import MappingSource

_MAX_SIGNED_BYTES = 64 << 20  # maximum size of a signed file, which is read into memory
_MAX_SIGNATURE_BYTES = 1024


class SignedFile:
    """Context manager of a file while it is read; verifies the signature of police cases.

    `by`: the source that signed it; "" when unsigned or without cases. Signed content is read from a copy in memory,
    at `path` below `root`, because a file in a folder writable by others may be replaced after the check.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        feeds: Sequence[MappingSource],
        sources: Sequence[CaseSource],
        root: Path | None = None,
    ) -> None:
        self.path, self.root, self.by = path, root, ""
        self._name = name
        self._copy: BinaryIO | None = None
        if sources and any(source.table == "cases" for source in feeds):
            self.by, content = _signed(path, sources, root)
        if self.by:
            self._copy = open(os.memfd_create("cases"), "w+b")  # noqa: SIM115  # closed in __exit__
            self._copy.write(content)
            self._copy.flush()
            self.path, self.root = Path(f"/proc/self/fd/{self._copy.fileno()}"), None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, fault: BaseException | None, *__: object) -> None:
        if self._copy:
            self._copy.close()
            if isinstance(fault, UnreadableInput) and str(self.path) in str(fault):
                raise UnreadableInput(str(fault).replace(str(self.path), self._name)) from None


def _signed(path: Path, sources: Sequence[CaseSource], root: Path | None) -> tuple[str, bytes]:
    """Name of the signing source, and the signed bytes."""
    try:
        signature = _signature(
            _bounded(path.with_name(path.name + SIGNATURE_ENDING), root, _MAX_SIGNATURE_BYTES)
        )
        content = _bounded(path, root, _MAX_SIGNED_BYTES)
    except (OSError, UnreadableInput):
        return "", b""
    for source in sources:
        try:
            Ed25519PublicKey.from_public_bytes(source.public_key).verify(signature, content)
        except (InvalidSignature, ValueError):
            continue
        return source.name, content
    return "", b""


def _bounded(path: Path, root: Path | None, most: int) -> bytes:
    """Bytes of a regular file; UnreadableInput if larger than `most` or not regular."""
    with open_regular(path, root) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise UnreadableInput(f"{path.name}: more than {most} bytes")
    return content


def _signature(written: bytes) -> bytes:
    """Decode a signature: 64 bytes, raw or in Base64."""
    if len(written) == SIGNATURE_BYTES:
        return written
    try:
        return base64.b64decode(b"".join(written.split()), validate=True)
    except binascii.Error:
        return b""


def sign(content: bytes, private_key: bytes) -> bytes:
    """Detached signature of `content`, as written to a file.

    `private_key`: PEM. Raises UnreadableInput for an invalid key.
    """
    try:
        key = serialization.load_pem_private_key(private_key, None)
    except (ValueError, TypeError) as error:
        raise UnreadableInput(f"this is no private key in PEM without a password ({error})") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UnreadableInput("this is no key of Ed25519; `openssl genpkey -algorithm ed25519` makes one")
    return base64.b64encode(key.sign(content)) + b"\n"


def public_key_of(written: bytes) -> bytes:
    """The 32 bytes of an Ed25519 public key in PEM (`openssl pkey -pubout`).

    Raises UnreadableInput for anything else.
    """
    try:
        key = serialization.load_pem_public_key(written)
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise UnreadableInput(
            "this is no public key of Ed25519 in PEM; `openssl pkey -in KEY.pem -pubout -out KEY.pub` writes one"
        )
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
