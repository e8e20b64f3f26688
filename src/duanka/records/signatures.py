"""Signatures of files of police cases: a detached Ed25519 signature beside the file, by a source that is registered."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from duanka.domain.case_source import SIGNATURE_BYTES, SIGNATURE_ENDING, CaseSource
from duanka.domain.errors import UnreadableInput
from duanka.records.mapping import Source

_MOST_BYTES = 64 << 20  # of a file that is signed: it is read whole
_MOST_OF_SIGNATURE = 1024


class SignedFile:
    """One file as its records are read. `by`: the source that signed it; "" where none did, or it holds no cases."""

    def __init__(self, path: Path, name: str, feeds: Sequence[Source], sources: Sequence[CaseSource]) -> None:
        self._path, self._name, self._sources = path, name, sources
        self._has_cases = any(source.table == "cases" for source in feeds)
        self.by = self._look()

    def check(self) -> None:
        """UnreadableInput where the file that was read is not the one that was signed."""
        if self.by and self._look() != self.by:
            raise UnreadableInput(
                f"{self._name} changed while it was read; deliver it whole, the signature first"
            )

    def _look(self) -> str:
        return signed_by(self._path, self._sources) if self._has_cases and self._sources else ""


def signed_by(path: Path, sources: Sequence[CaseSource]) -> str:
    """The name of the source that signed the file; "" where there is no signature, or of nobody whom we know."""
    try:
        beside = path.with_name(path.name + SIGNATURE_ENDING)
        if beside.stat().st_size > _MOST_OF_SIGNATURE or path.stat().st_size > _MOST_BYTES:
            return ""
        signature, content = _signature(beside.read_bytes()), path.read_bytes()
    except OSError:
        return ""
    for source in sources:
        try:
            Ed25519PublicKey.from_public_bytes(source.public_key).verify(signature, content)
        except (InvalidSignature, ValueError):
            continue
        return source.name
    return ""


def _signature(written: bytes) -> bytes:
    """The signature as it was written: 64 bytes, or the same in Base64."""
    if len(written) == SIGNATURE_BYTES:
        return written
    try:
        return base64.b64decode(b"".join(written.split()), validate=True)
    except binascii.Error:
        return b""


def sign(content: bytes, private_key: bytes) -> bytes:
    """The detached signature of `content`, as it is written beside a file. `private_key`: PEM. UnreadableInput."""
    try:
        key = serialization.load_pem_private_key(private_key, None)
    except (ValueError, TypeError) as error:
        raise UnreadableInput(f"this is no private key in PEM without a password ({error})") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UnreadableInput("this is no key of Ed25519; `openssl genpkey -algorithm ed25519` makes one")
    return base64.b64encode(key.sign(content)) + b"\n"


def public_key_of(written: bytes) -> bytes:
    """The 32 bytes of a public key of Ed25519 in PEM, as `openssl pkey -pubout` writes it. UnreadableInput."""
    try:
        key = serialization.load_pem_public_key(written)
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise UnreadableInput(
            "this is no public key of Ed25519 in PEM; `openssl pkey -in KEY.pem -pubout -out KEY.pub` writes one"
        )
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
