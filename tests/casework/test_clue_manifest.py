"""Verification of a clue's files: one changed byte, a missing, an added file, and another key are found."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from duanka.casework.clues.files.manifest import (
    MANIFEST,
    SIGNATURE,
    ClueKey,
    ManifestFault,
    faults_of,
    folder_files,
    public_key_in,
)
from duanka.domain.errors import DuankaError
from support.desk import duanka

KEY, OTHER = ClueKey(b"k" * 32), ClueKey(b"o" * 32)
AT = datetime(2026, 3, 2, 16)
CONTENTS = {
    "dossier.pdf": b"%PDF-1.7 dossier",
    "bundle.json": b"{}",
    "cards.csv": b"card\r\n8613000000001\r\n",
}
FILES = KEY.signed(CONTENTS, "L0123456789AB", "C0123456789AB", AT)


def _faults(files: Mapping[str, bytes], key: ClueKey = KEY) -> dict[str, ManifestFault]:
    return {one.name: one.fault for one in faults_of(files, key.public)}


def test_what_was_signed_holds() -> None:
    assert _faults(FILES) == {}


@pytest.mark.requirement("R8")
@given(some.data())
def test_a_changed_byte_of_any_file_at_any_place_is_found(data: some.DataObject) -> None:
    name = data.draw(some.sampled_from(sorted(FILES)))
    place = data.draw(some.integers(0, len(FILES[name]) - 1))
    changed = bytearray(FILES[name])
    changed[place] ^= data.draw(some.integers(1, 255))
    faults = _faults({**FILES, name: bytes(changed)})
    if name in (MANIFEST, SIGNATURE):
        assert faults == {MANIFEST: ManifestFault.BAD_SIGNATURE}
    else:
        assert faults == {name: ManifestFault.CHANGED}


@pytest.mark.requirement("R8")
@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_found(name: str) -> None:
    left = {other: content for other, content in FILES.items() if other != name}
    gone = {MANIFEST: ManifestFault.NO_MANIFEST}
    assert _faults(left) == (gone if name in (MANIFEST, SIGNATURE) else {name: ManifestFault.MISSING})


@given(some.binary(max_size=40), some.text(min_size=1, max_size=12))
def test_an_added_file_is_found(content: bytes, name: str) -> None:
    if name not in FILES:
        assert _faults({**FILES, name: content}) == {name: ManifestFault.ADDED}


@given(some.sampled_from(sorted(CONTENTS)), some.binary(max_size=30))
def test_a_longer_or_shorter_file_is_found(name: str, more: bytes) -> None:
    for content in (FILES[name] + more, FILES[name][: len(more)]):
        assert (_faults({**FILES, name: content}) == {}) == (content == FILES[name])


@pytest.mark.requirement("R8")
def test_another_key_is_found_however_well_it_signs() -> None:
    theirs = OTHER.signed(CONTENTS, "L0123456789AB", "C0123456789AB", AT)
    assert _faults(theirs) == {MANIFEST: ManifestFault.OTHER_KEY}
    assert _faults({**theirs, SIGNATURE: FILES[SIGNATURE]}) == {MANIFEST: ManifestFault.BAD_SIGNATURE}


def test_a_folder_is_verified_with_a_key_that_was_handed_over(tmp_path: Path) -> None:
    folder, pem = tmp_path / "clue", tmp_path / "clue.pub"
    folder.mkdir()
    pem.write_bytes(KEY.pem)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    assert folder_files(folder) == FILES
    good = duanka("clues", "verify", folder, "--public-key", pem)
    assert (good.code, good.out) == (0, "All holds: 3 files, and the signature is good.\n")
    (folder / "cards.csv").write_bytes(b"card\r\n8613000000002\r\n")
    (folder / "more.txt").write_bytes(b"")
    bad = duanka("clues", "verify", folder, "--public-key", pem)
    assert bad.code != 0
    assert "the file was changed" in bad.out
    assert "the file is not in the manifest" in bad.out


def test_a_link_in_a_folder_is_read_as_a_file_of_it(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "more").symlink_to(tmp_path)
    with pytest.raises(DuankaError, match="cannot be read"):
        folder_files(tmp_path / "inside")


def test_what_is_no_public_key_is_refused() -> None:
    with pytest.raises(DuankaError, match="no Ed25519 public key"):
        public_key_in(b"-----BEGIN NOTHING", "key.pem")


@pytest.mark.parametrize(
    "manifest",
    [
        b"[" * 200_000,
        b"{}",
        b"null",
        b'{"format": "duanka-clue/1", "publicKey": "' + b"0" * 64 + b'"}',
        b"\xff",
    ],
    ids=["brackets", "empty", "null", "no files", "no text"],
)
def test_a_manifest_that_is_none_is_told_and_breaks_nothing(manifest: bytes) -> None:
    assert _faults({**FILES, MANIFEST: manifest}) == {MANIFEST: ManifestFault.BAD_SIGNATURE}
