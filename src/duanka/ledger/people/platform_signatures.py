"""Detached Ed25519 signatures of what we send to platforms and of what they answer; base64 of 64 bytes."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from duanka.domain.case_source import SIGNATURE_BYTES
from duanka.domain.linked_accounts import AccountPlatform, PlatformDown

_MOST_KEY = 4096  # bytes of a file with a key


class PlatformSigner:
    """Signs for one platform with our key, and checks what that platform signs. PlatformDown: no usable key."""

    def __init__(self, platform: AccountPlatform) -> None:
        self._key = _private_key(platform.key_file)
        self._theirs = platform.public_key

    def sign(self, body: bytes) -> str:
        """Return the signature of `body`."""
        return base64.b64encode(self._key.sign(body)).decode("ascii")

    def check(self, body: bytes, signature: str) -> None:
        """PlatformDown unless the platform signed `body`."""
        if not is_signed_by(self._theirs, body, signature):
            raise PlatformDown("its answer does not bear its signature")


def is_signed_by(public_key: bytes, body: bytes, signature: str) -> bool:
    """Whether the holder of `public_key` (32 bytes) signed `body`."""
    try:
        raw = base64.b64decode(signature.strip(), validate=True)
        if len(raw) != SIGNATURE_BYTES:
            return False
        Ed25519PublicKey.from_public_bytes(public_key).verify(raw, body)
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


def _private_key(path: Path) -> Ed25519PrivateKey:
    """Our key in `path`. PlatformDown: it is not there, others may read it, or it is no key of Ed25519."""
    try:
        with open(path, "rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise PlatformDown(f"our key {path} may be read by others: chmod 600")
            written = file.read(_MOST_KEY)
        found = serialization.load_pem_private_key(written, password=None)
    except OSError as error:
        raise PlatformDown(f"our key {path} cannot be read ({error.strerror})") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, Ed25519PrivateKey):
        raise PlatformDown(
            f"{path} is no private key of Ed25519; `openssl genpkey -algorithm ed25519` makes one"
        )
    return found
