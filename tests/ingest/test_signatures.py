"""Police cases count as confirmed where a registered source signed the file, byte by byte, and nowhere else."""

from __future__ import annotations

import base64
import gzip
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from duanka.domain.case_source import CaseSource, listed, read_list
from duanka.domain.errors import DuankaError, UnreadableInput
from duanka.domain.intake_report import Intake
from duanka.ingest import NATIVE, intake, take_in
from duanka.ingest.delivery.discovery import sources_of
from duanka.ingest.delivery.signatures import SignedFile, public_key_of, sign
from duanka.ingest.formats.open_reader import open_reading
from duanka.ingest.live.inbox import file_reader
from duanka.ingest.model.blocks import OpenReader
from support.ingest.landings import drained

CASES = "card,case_id,confirmed_at,signed_by\n8613800000001,A1,2021-05-03 10:00:00,bureau\n"
CALLS = "card,peer,direction,started_at,seconds\n8613800000001,8613900000001,out,2021-05-03 09:00:00,10\n"
_KEY = ("openssl", "genpkey", "-algorithm", "ed25519", "-out")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A key as the police make it."""
    path = tmp_path / "key.pem"
    subprocess.run([*_KEY, path], check=True, capture_output=True)
    return path


def _source(key: Path, name: str = "bureau") -> CaseSource:
    public = subprocess.run(
        ["openssl", "pkey", "-in", key, "-pubout"], check=True, capture_output=True
    ).stdout
    return CaseSource(name, public_key_of(public))


def _data(folder: Path, name: str = "cases.csv") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "cards.csv").write_text("card\n8613800000001\n")
    (folder / "calls.csv").write_text(CALLS)
    content = CASES.encode()
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return folder / name


def _signers(intake: Intake) -> list[str | None]:
    return pl.concat([pl.read_parquet(path) for path in intake.tables["cases"]])["signed_by"].to_list()


@pytest.mark.parametrize("name", ["cases.csv", "cases.csv.gz"])
@pytest.mark.parametrize("by", ["us", "openssl"])
def test_a_signed_file_says_who_signed_and_never_by_itself(
    tmp_path: Path, key: Path, name: str, by: str
) -> None:
    file = _data(tmp_path / "data", name)
    sources = (_source(key),)

    def taken() -> list[str | None]:
        return _signers(take_in(tmp_path / "data", tmp_path / "work", case_sources=sources))

    assert taken() == [None], "a column of the file is no signature"
    beside = file.with_name(f"{name}.sig")
    if by == "us":
        beside.write_bytes(sign(file.read_bytes(), key.read_bytes()))
    else:
        words = ("openssl", "pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", file, "-out", beside)
        subprocess.run(words, check=True, capture_output=True)
    assert taken() == ["bureau"]
    assert _signers(take_in(tmp_path / "data", tmp_path / "work")) == [None], "nobody is registered"
    file.write_bytes(file.read_bytes() + (b"" if name.endswith("gz") else b"8613800000002,A2,,\n") + b"\n")
    assert set(taken()) == {None}, "a byte more, and nobody signed it"


def _signer(file: Path, sources: Sequence[CaseSource], root: Path | None = None) -> str:
    """Who signed a file of cases."""
    with SignedFile(file, file.name, sources_of("cases.csv", NATIVE), sources, root) as signed:
        return signed.by


def test_another_key_a_spoilt_or_a_borrowed_signature_is_none(tmp_path: Path, key: Path) -> None:
    file = _data(tmp_path / "data")
    sources = (CaseSource("else", bytes(range(32))), _source(key))
    good = sign(file.read_bytes(), key.read_bytes())
    beside = file.with_name("cases.csv.sig")
    for written in (b"", b"\n", b"x" * 63, b"x" * 64, b"x" * 5000, good[:-9], base64.b64encode(b"x" * 64)):
        beside.write_bytes(written)
        assert _signer(file, sources) == ""
    beside.write_bytes(good)
    assert _signer(file, sources) == "bureau"
    other = tmp_path / "other.csv"
    other.write_text(CASES.replace("A1", "A9"))
    shutil.copy(beside, tmp_path / "other.csv.sig")
    assert _signer(other, sources) == ""


@pytest.mark.parametrize("door", ["scan", "live"])
def test_what_was_signed_is_what_is_read_whoever_exchanges_the_file_meanwhile(
    tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    file = _data(tmp_path / "data")
    file.with_name("cases.csv.sig").write_bytes(sign(file.read_bytes(), key.read_bytes()))
    forged = tmp_path / "forged.csv"
    forged.write_text(CASES.replace("8613800000001", "8613800000009"))
    for one in (file, forged):
        os.utime(one, (1_600_000_000, 1_600_000_000))

    def exchanged(path: Path, *rest: Any) -> OpenReader:  # the signature was looked at, the records were not
        if path.name not in ("calls.csv", "cards.csv") and forged.exists():
            forged.replace(file)
        return open_reading(path, *rest)

    monkeypatch.setattr(intake if door == "scan" else file_reader, "open_reading", exchanged)
    sources = (_source(key),)
    if door == "scan":
        found = take_in(tmp_path / "data", tmp_path / "work", case_sources=sources)
        cases = pl.concat([pl.read_parquet(path) for path in found.tables["cases"]])
    else:
        batches = drained(tmp_path / "data", case_sources=sources)
        cases = pl.concat(
            [pl.DataFrame(one.rows) for batch in batches for one in batch.pieces if one.table == "cases"]
        )
    assert cases.select("card", "signed_by").rows() == [(8613800000001, "bureau")]


@pytest.mark.parametrize("what", ["a pipe", "a link to a device", "a link to a signature elsewhere"])
def test_a_signature_that_is_no_file_is_none_and_stops_nothing(tmp_path: Path, key: Path, what: str) -> None:
    file = _data(tmp_path / "data")
    beside = file.with_name("cases.csv.sig")
    if what == "a pipe":
        os.mkfifo(beside)  # who opens it waits for ever
    else:
        elsewhere = tmp_path / "good.sig"
        elsewhere.write_bytes(sign(file.read_bytes(), key.read_bytes()))
        beside.symlink_to("/dev/zero" if "device" in what else elsewhere)
    assert _signer(file, (_source(key),), tmp_path / "data") == ""
    batches = drained(tmp_path / "data", case_sources=(_source(key),))
    rows = [pl.DataFrame(one.rows) for batch in batches for one in batch.pieces if one.table == "cases"]
    assert pl.concat(rows).select("card", "signed_by").rows() == [(8613800000001, None)]


def test_the_same_cases_unsigned_beside_do_not_take_the_signature_away(tmp_path: Path, key: Path) -> None:
    (tmp_path / "data" / "cases").mkdir(parents=True)
    _data(tmp_path / "data").rename(tmp_path / "data" / "cases" / "b.csv")
    signed = tmp_path / "data" / "cases" / "b.csv"
    signed.with_name("b.csv.sig").write_bytes(sign(signed.read_bytes(), key.read_bytes()))
    shutil.copy(signed, signed.with_name("a.csv"))
    intake = take_in(tmp_path / "data", tmp_path / "work", case_sources=(_source(key),))
    assert "bureau" in _signers(intake)


def test_the_list_of_sources_is_known_by_our_seal_alone(key: Path) -> None:
    sources = (_source(key),)
    file = listed(sources, b"k" * 32)
    assert read_list(file, b"k" * 32, "here") == sources
    for spoilt in (file.replace(b"bureau", b"bureaf"), file[:-3], b"", b"{}\n"):
        with pytest.raises(DuankaError, match="seal"):
            read_list(spoilt, b"k" * 32, "here")
    with pytest.raises(DuankaError, match="seal"):
        read_list(file, b"l" * 32, "here")


def test_what_is_no_key_says_how_to_make_one(key: Path) -> None:
    for wrong in (b"", b"x", key.read_bytes()):
        with pytest.raises(UnreadableInput, match="openssl"):
            public_key_of(wrong)
    with pytest.raises(UnreadableInput, match="private key"):
        sign(b"x", b"no key")
