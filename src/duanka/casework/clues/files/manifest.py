"""Signed manifest of a folder: bytes, SHA-256 and Ed25519 signature of every file; and its verification.

`manifest.json` lists the files; `manifest.json.sig` is the raw signature (64 bytes) of its bytes. OpenSSL verifies
both without this program (docs/CASEWORK.md).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from duanka.domain.errors import DuankaError
from duanka.domain.text import WordedEnum

MANIFEST, SIGNATURE = "manifest.json", "manifest.json.sig"
FORMAT = "duanka-clue/1"
_PEM, _RAW = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), (Encoding.Raw, PublicFormat.Raw)


class ManifestFault(WordedEnum):
    """What does not hold of a folder."""

    NO_MANIFEST = "no_manifest", "没有清单 manifest.json 或其签名", "no manifest.json, or no signature of it"
    OTHER_KEY = "other_key", "清单由另一密钥签名", "the manifest is signed by another key"
    BAD_SIGNATURE = "bad_signature", "清单或其签名被改动", "the manifest or its signature was changed"
    CHANGED = "changed", "文件被改动", "the file was changed"
    MISSING = "missing", "文件缺失", "the file is missing"
    ADDED = "added", "清单之外的文件", "the file is not in the manifest"


@dataclass(frozen=True)
class ManifestFinding:
    """A fault of one file; `name`: relative to the folder."""

    name: str
    fault: ManifestFault


class ClueKey:
    """The key that signs the clues of this installation. `seed`: 32 bytes, kept outside of the database."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return self._private.public_key().public_bytes(*_RAW)

    @property
    def pem(self) -> bytes:
        """The public key as PEM, for who verifies."""
        return self._private.public_key().public_bytes(*_PEM)

    def signed(self, files: Mapping[str, bytes], clue: str, case: str, at: datetime) -> dict[str, bytes]:
        """Return the files with their manifest and its signature; the same files give the same bytes."""
        listed = [
            {
                "name": name,
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "signature": base64.b64encode(self._private.sign(content)).decode(),
            }
            for name, content in sorted(files.items())
        ]
        told = {
            "format": FORMAT,
            "clue": clue,
            "case": case,
            "at": at.isoformat(),
            "publicKey": self.public.hex(),
        }
        manifest = json.dumps({**told, "files": listed}, ensure_ascii=False, indent=1).encode()
        return {**files, MANIFEST: manifest, SIGNATURE: self._private.sign(manifest)}


def public_key_in(pem: bytes, where: str) -> bytes:
    """The Ed25519 public key in a PEM file, 32 bytes. DuankaError: it holds none."""
    try:
        key = load_pem_public_key(pem)
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise DuankaError(f"{where} is no Ed25519 public key in PEM; `duanka clues key` writes one")
    return key.public_bytes(*_RAW)


def folder_files(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`. DuankaError: there is no such folder, or a file cannot be read."""
    if not folder.is_dir():
        raise DuankaError(
            f"{folder} is no folder: give the folder of a clue, or that of its unpacked package"
        )
    found = dict[str, bytes]()
    for path in sorted(folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        try:
            found[path.relative_to(folder).as_posix()] = path.read_bytes()
        except OSError as error:
            raise DuankaError(f"{path} cannot be read ({error.strerror})") from error
    return found


def faults_of(files: Mapping[str, bytes], key: bytes) -> list[ManifestFinding]:
    """Compare files with their manifest, which must be signed by `key`; [] if all holds.

    Nothing that a manifest says counts before its signature holds.
    """
    if MANIFEST not in files or SIGNATURE not in files:
        return [ManifestFinding(MANIFEST, ManifestFault.NO_MANIFEST)]
    manifest = files[MANIFEST]
    if not _signs(key, files[SIGNATURE], manifest):
        told = _told(manifest)
        named = bytes.fromhex(told["publicKey"]) if told else key
        other = named != key and _signs(named, files[SIGNATURE], manifest)
        return [ManifestFinding(MANIFEST, ManifestFault.OTHER_KEY if other else ManifestFault.BAD_SIGNATURE)]
    told = _told(manifest)
    return (
        list(_compared(files, told["files"], key))
        if told
        else [ManifestFinding(MANIFEST, ManifestFault.NO_MANIFEST)]
    )


def _compared(files: Mapping[str, bytes], listed: Any, key: bytes) -> Iterator[ManifestFinding]:
    named = {one["name"]: one for one in listed}
    for name in sorted(named.keys() | files.keys() - {MANIFEST, SIGNATURE}):
        if name not in named:
            yield ManifestFinding(name, ManifestFault.ADDED)
        elif name not in files:
            yield ManifestFinding(name, ManifestFault.MISSING)
        elif not _holds(files[name], named[name], key):
            yield ManifestFinding(name, ManifestFault.CHANGED)


def _holds(content: bytes, one: Mapping[str, Any], key: bytes) -> bool:
    same = (len(content), hashlib.sha256(content).hexdigest()) == (one["bytes"], one["sha256"])
    return same and _signs(key, base64.b64decode(one["signature"]), content)


def _signs(key: bytes, signature: bytes, content: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, content)
    except (InvalidSignature, ValueError):  # 32 bytes need not be a key
        return False
    return True


def _told(manifest: bytes) -> dict[str, Any] | None:
    """The content of a manifest; None: it is none."""
    try:
        told = json.loads(manifest)
        good = told["format"] == FORMAT and len(bytes.fromhex(told["publicKey"])) == 32
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return told if good and isinstance(told.get("files"), list) else None
