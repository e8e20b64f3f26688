"""Police cases as the tests sign them, and an installation that lets that signature count."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from duanka.domain.case_source import CaseSource, listed
from duanka.domain.sealing import derived
from duanka.ingest.delivery.signatures import public_key_of, sign

SECRET = "a secret of a test, of thirty-two characters"  # noqa: S105  # opens nothing
_KEY = Ed25519PrivateKey.from_private_bytes(b"a key of a test, 32 bytes long..")
_NONE = serialization.NoEncryption()
_PEM = _KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, _NONE)


def signed(path: Path) -> Path:
    """Sign the file; its path."""
    path.with_name(f"{path.name}.sig").write_bytes(sign(path.read_bytes(), _PEM))
    return path


def trusting(folder: Path, public_key: Path | None = None) -> dict[str, str]:
    """The environment of an installation in `folder`, for which our signature counts, or that of `public_key`."""
    folder.mkdir(parents=True, exist_ok=True)
    form = serialization.PublicFormat.Raw
    raw = _KEY.public_key().public_bytes(serialization.Encoding.Raw, form)
    source = CaseSource("bureau", public_key_of(public_key.read_bytes()) if public_key else raw)
    file = folder / "sources.json"
    file.write_bytes(listed([source], derived(SECRET.encode(), "case sources")))
    return {"DUANKA_SECRET": SECRET, "DUANKA_CASE_SOURCES": str(file)}
