"""Signature of the invented police under their cases, with a key from the seed."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from duanka.domain.case_source import SIGNATURE_ENDING

PUBLIC_KEY = "police.pub"


def sign_cases(out: Path, seed: int) -> None:
    """Sign cases.parquet in `out` and write the public key.

    The private key is not secret: it is derived from the seed.
    """
    key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"invented police {seed}".encode()).digest())
    signature = base64.b64encode(key.sign((out / "cases.parquet").read_bytes())) + b"\n"
    (out / f"cases.parquet{SIGNATURE_ENDING}").write_bytes(signature)
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    (out / PUBLIC_KEY).write_bytes(key.public_key().public_bytes(encoding, form))
