"""Whatever comes, nothing is lost and nothing crashes; order, split and repetition of a delivery change nothing."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duanka.domain.errors import DuankaError
from duanka.domain.intake_report import Intake
from support.ingest.deliveries import CARDS, KEY, table, taken

HEADER = "card,peer,direction,started_at,seconds,answered,imei,cell\n"


@st.composite
def good_rows(draw: st.DrawFn) -> str:
    """A line that fits."""
    card = draw(st.sampled_from(["8613800138000", "13800138001", "+86 139 0013 9000"]))
    peer = draw(st.sampled_from(["10086", "8613900139001", "02885551234", "+4915112345678", "106575123456"]))
    direction = draw(st.sampled_from(["out", "in"]))
    second = draw(st.integers(0, 59))
    rest = draw(
        st.sampled_from([",,,", "5,true,353490069873310,a", "5.5,FALSE,,", '0,,35349006987331,"a,b"'])
    )
    return f"{card},{peer},{direction},2021-05-17 09:30:{second:02},{rest}\n"


BAD_ROWS = st.sampled_from(
    [
        b"x,10086,out,2021-05-17 09:30:00,,,,\n",
        b"8613800138000,10086,out,yesterday,,,,\n",
        b"8613800138000,10086,out\n",
        b'8613800138000,"10086,out,2021-05-17 09:30:00,,,,\n',
        b"8613800138000,\xff,out,2021-05-17 09:30:00,,,,\n",
        b"8613800138000,10086,out,2021-05-17 09:30:00,-7,,,\n",
        b"\0\0\0\n",
        b"\r\r\n",
        b",\n",
    ]
)
NAMES = st.sampled_from(
    ["calls.csv", "calls/a.csv", "calls/b.csv.gz", "calls.parquet", "messages.csv", "cards/x.csv"]
)
TEXTS = st.text(alphabet=st.characters(codec="utf-8"), max_size=200).map(str.encode)
JUNK = st.one_of(
    st.binary(max_size=200),
    TEXTS,
    st.lists(BAD_ROWS, max_size=5).map(b"".join),
    TEXTS.map(lambda octets: gzip.compress(HEADER.encode() + octets)),
    st.tuples(TEXTS, st.integers(1, 30)).map(lambda x: gzip.compress(HEADER.encode() + x[0])[: -x[1]]),
)


def adds_up(intake: Intake) -> None:
    """Every record is used or in quarantine, on disk as in the account."""
    for account in intake.files:
        assert account.records == account.used + account.quarantined
    frame = pl.read_parquet(intake.quarantine)
    assert dict(frame.schema) == {
        "file": pl.String,
        "line": pl.Int64,
        "column": pl.String,
        "reason": pl.String,
        "raw": pl.String,
    }
    assert len(frame) == intake.quarantined
    assert sum(len(table(intake, name)) for name in intake.tables) == intake.used
    assert dict(frame["file"].value_counts().iter_rows()) == {
        f.file: f.quarantined for f in intake.files if f.quarantined
    }


def rows_of(intake: Intake) -> set[tuple[object, ...]]:
    """The calls, as a set that has each once."""
    if "calls" not in intake.tables:
        return set()
    rows = table(intake, "calls").rows()
    assert len(set(rows)) == len(rows)
    return set(rows)


def fresh(folder: Path, files: Mapping[str, str | bytes | pl.DataFrame]) -> Intake:
    """Take `files` in, in a new folder below `folder`."""
    return taken(Path(tempfile.mkdtemp(dir=folder)), files, holder_key=KEY)


def some(examples: int) -> settings:
    """So many examples; an intake takes 20 ms of CPU, so that `make test` tries fewer than `make test-long`."""
    return settings(
        max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )


DELIVERIES = st.dictionaries(NAMES, st.tuples(st.booleans(), JUNK), min_size=1, max_size=4)


@some(60)
@given(DELIVERIES)
def test_no_delivery_crashes_or_loses_a_record(tmp_path: Path, files: dict[str, tuple[bool, bytes]]) -> None:
    nothing_is_lost(tmp_path, files)


@pytest.mark.long
@some(150)
@given(DELIVERIES)
def test_no_delivery_crashes_at_length(tmp_path: Path, files: dict[str, tuple[bool, bytes]]) -> None:
    nothing_is_lost(tmp_path, files)


def nothing_is_lost(tmp_path: Path, files: dict[str, tuple[bool, bytes]]) -> None:
    given_ = {name: HEADER.encode() + junk if headed else junk for name, (headed, junk) in files.items()}
    try:
        intake = fresh(tmp_path, {"cards.csv": CARDS, **given_})
    except DuankaError as error:
        return one_line(error)
    return adds_up(intake)


def one_line(error: DuankaError) -> None:
    """What is said to a person is one line."""
    assert len(str(error).splitlines()) == 1


GOOD_AND_BAD = st.lists(st.one_of(good_rows(), BAD_ROWS), max_size=30)


@some(30)
@given(GOOD_AND_BAD)
def test_good_rows_among_bad_ones_are_all_used(tmp_path: Path, lines: list[str | bytes]) -> None:
    good_ones_are_used(tmp_path, lines)


@pytest.mark.long
@some(80)
@given(GOOD_AND_BAD)
def test_good_rows_are_used_at_length(tmp_path: Path, lines: list[str | bytes]) -> None:
    good_ones_are_used(tmp_path, lines)


def good_ones_are_used(tmp_path: Path, lines: list[str | bytes]) -> None:
    good = "".join(line for line in lines if isinstance(line, str))
    octets = b"".join(line.encode() if isinstance(line, str) else line for line in lines)
    intake = fresh(tmp_path, {"calls.csv": HEADER.encode() + octets})
    adds_up(intake)
    assert rows_of(intake) == rows_of(fresh(tmp_path, {"calls.csv": HEADER + good}))
    bad = [line for line in octets.rstrip(b"\r\n").split(b"\n") if line.strip()]
    assert intake.records >= len(bad)


GOOD = st.lists(good_rows(), min_size=1, max_size=25)


@some(25)
@given(GOOD, st.data())
def test_split_and_order_of_a_delivery_change_nothing(
    tmp_path: Path, lines: list[str], data: st.DataObject
) -> None:
    split_and_order_change_nothing(tmp_path, lines, data)


@pytest.mark.long
@some(60)
@given(GOOD, st.data())
def test_split_and_order_at_length(tmp_path: Path, lines: list[str], data: st.DataObject) -> None:
    split_and_order_change_nothing(tmp_path, lines, data)


def split_and_order_change_nothing(tmp_path: Path, lines: list[str], data: st.DataObject) -> None:
    whole = fresh(tmp_path, {"calls.csv": HEADER + "".join(lines)})
    adds_up(whole)
    shuffled = data.draw(st.permutations(lines))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(lines)), max_size=3)))
    edges = [0, *cuts, len(lines)]
    endings = ["a.csv", "b.csv.gz", "c.csv", "d.csv.gz", "e.csv"]
    pieces = [shuffled[begin:end] for begin, end in pairwise(edges)]
    split = fresh(
        tmp_path, {f"calls/{endings[at]}": HEADER + "".join(piece) for at, piece in enumerate(pieces)}
    )
    adds_up(split)
    assert rows_of(split) == rows_of(whole)
    # Delivered again, as a file of the same bytes and as one of other bytes.
    again = {"calls.csv": HEADER + "".join(lines), "calls/copy.csv": HEADER + "".join(lines)}
    twice = fresh(tmp_path, {**again, "calls/turned.csv": HEADER + "".join(reversed(lines))})
    adds_up(twice)
    assert rows_of(twice) == rows_of(whole)
    assert sum(bool(f.duplicate_of) for f in twice.files) >= 1
