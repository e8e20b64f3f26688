"""Packed text, for tests: the same bytes in every form that is read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable

import pyarrow as pa


def zstd(octets: bytes) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as packer:
        packer.write(octets)
    return bytes(out.getvalue())


def zipped(octets: bytes, *more: str, name: str = "calls.csv", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file of a file `name`, and of others with the same content."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method, compresslevel=6) as archive:
        for one in (name, *more):
            archive.writestr(one, b"" if one.endswith("/") else octets)
    return out.getvalue()


PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": lambda octets: bz2.compress(octets, 1),
    ".xz": lambda octets: lzma.compress(octets, preset=0),
    ".zst": zstd,
    ".zip": zipped,
}
NAMES = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd", ".zip": "zip"}
MEMBERS = [".gz", ".bz2", ".xz", ".zst"]  # of which several may follow one another
