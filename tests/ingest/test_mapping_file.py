"""A mapping is read strictly: what is wrong is said with file, key and the nearest right one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duanka.domain.errors import MappingError
from duanka.domain.schema import TABLES
from duanka.ingest import read_mapping
from duanka.ingest.model.mapping import NATIVE
from support import ROOT
from support.ingest.deliveries import mapping, shipped

GOOD = """
[[source]]
files = "*.csv"
table = "calls"
[source.columns]
card = "a"
peer = "b"
direction = "d"
started_at = "t"
"""


def test_the_shipped_native_mapping_says_what_the_code_does() -> None:
    assert replace(shipped("native"), strict=True) == NATIVE


@pytest.mark.parametrize("name", [path.stem for path in sorted((ROOT / "mappings").glob("*.toml"))])
def test_every_shipped_mapping_is_right(name: str) -> None:
    assert shipped(name).name == name
    assert shipped(name).about


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("files =", "fiels ="), r"mapping.toml: source 1.fiels is unknown; did you mean 'files'\?"),
        (('"calls"', '"call"'), r"source 1.table cannot be 'call'; did you mean 'calls'\?"),
        (('table = "calls"\n', ""), r"source 1.table is missing; write one of cards, calls"),
        (("peer = ", "pier = "), r"source 1 \(calls\).columns.pier is unknown; did you mean 'peer'\?"),
        (('peer = "b"\n', ""), r"source 1 \(calls\).columns.peer is missing: calls means nothing without it"),
        (('files = "*.csv"\n', ""), r"source 1 \(calls\).files is missing"),
        (('"*.csv"', "5.5\nnames = 7"), None),
        (('"*.csv"', "{ a = 1 }"), "files must be text"),
        (('"b"', "{}"), r"columns.peer.from or 'value' must say where"),
        (('"b"', '{ from = "x", value = "y" }'), r"columns.peer.from or 'value' must say where"),
        (('"b"', '{ from = "x", hash = true }'), r"columns.peer.hash is unknown; it knows from"),
        (('"b"', '{ from = "x", opaque = 1 }'), r"columns.peer.opaque must be true or false, not 1"),
        (('"b"', "5"), r"columns.peer must be a table of keys"),
        (('"b"', '{ from = "x", short_when = "x" }'), r"columns.peer.short_when must be a table such as"),
        (
            ('"d"', '{ from = "x", codes = { a = "up" } }'),
            r"columns.direction.codes 'a' must mean out or in, not 'up'",
        ),
        (('"d"', '{ from = "x", codes = "up" }'), r"columns.direction.codes must be a table such as"),
        (('"t"', '{ from = "x", formats = "%Q" }'), r"columns.started_at.formats '%Q' says no time"),
        (
            ('"t"', '{ from = "x", epoch = "weeks" }'),
            r"columns.started_at.epoch cannot be 'weeks'; write one of s, ms",
        ),
        (('"t"', '{ from = "x", epoch = "s", formats = "%Y-%m-%d" }'), "'formats' exclude each other"),
        (
            ('"t"', '"t"\nseconds = { from = "s", unit = "m" }'),
            r"columns.seconds.unit cannot be 'm'; did you mean 'ms'",
        ),
        (
            ('"t"', '"t"\nanswered = { from = "s", over = "0" }'),
            r"columns.answered.over must be a number, not '0'",
        ),
        (('"*.csv"', '"*.csv"\ndelimiter = "||"'), r"delimiter must be one character, for example ';'"),
        (('"*.csv"', '"*.csv"\nencoding = "utf-99"'), r"encoding is unknown: 'utf-99'"),
        (('"*.csv"', '"*.csv"\nencoding = "utf-16"'), r"encoding is not needed for UTF-16"),
        (('"*.csv"', '"*.csv"\nnames = ["a", "a"]'), r"names must name each column of the file once"),
        (('"*.csv"', '"*.csv"\nformat = "xlsx"'), r"format cannot be 'xlsx'; write one of auto, csv"),
        (('"*.csv"', '"*.csv"\nwhere = 5'), r"where must be a table such as"),
        (("[[source]]", 'zone = "Beijing"\n[[source]]'), r"zone is no time zone: 'Beijing'"),
        (("[[source]]", '[numbers]\nregion = "CHN"\n[[source]]'), r"numbers.region is no country: 'CHN'"),
        (
            ("[[source]]", '[numbers]\nstyle = "raw"\n[[source]]'),
            r"numbers.style cannot be 'raw'; write one of e164",
        ),
        (("[[source]]", "[source]"), r"source must be written \[\[source\]\]"),
        (("[[source]]", "[[sources]]"), r"sources is unknown; did you mean 'source'\?"),
        (("[[source]]", "[[source"), "not valid TOML"),
        ((GOOD, ""), r"source is missing: a mapping needs at least one \[\[source\]\]"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, change: tuple[str, str], message: str | None) -> None:
    text = GOOD.replace(*change, 1)
    assert text != GOOD
    if message is None:
        assert mapping(tmp_path, text).sources[0].files == ("5.5",)
        return
    with pytest.raises(MappingError, match=message) as caught:
        mapping(tmp_path, text)
    assert str(tmp_path / "mapping.toml") in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_table_without_a_peer_cannot_be_swapped(tmp_path: Path) -> None:
    text = '[[source]]\nfiles="*"\ntable="sightings"\nswap_when={a="1"}\n[source.columns]\ncard="a"\nseen_at="b"\n'
    with pytest.raises(MappingError, match=r"swap_when exchanges card and peer, and sightings has no peer"):
        mapping(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"no.toml: No such file or directory; check the path"):
        read_mapping(tmp_path / "no.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(MappingError, match="not valid TOML"):
        read_mapping(tmp_path / "latin.toml")


VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=5,
)
KEYS = [
    "files",
    "table",
    "format",
    "delimiter",
    "encoding",
    "names",
    "empty",
    "where",
    "swap_when",
    "record_id",
]


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.sampled_from([*KEYS, "columns"]), VALUES, max_size=4), st.sampled_from(list(TABLES))
)
def test_no_mapping_crashes(values: dict[str, object], table: str) -> None:
    from duanka.ingest.mapping_files.loader import _SOURCE, _source
    from duanka.ingest.mapping_files.toml_section import Section

    columns = dict.fromkeys(TABLES[table].required, "x")
    with_table = {"table": table, "columns": columns, "files": "*", **values}
    try:
        source = _source(Section(Path("x.toml"), "source 1", with_table, _SOURCE))
    except MappingError as error:
        assert "x.toml" in str(error)  # noqa: PT017
    else:
        assert source.table == TABLES[str(with_table["table"])].name


def test_every_key_is_in_the_manual() -> None:
    from duanka.ingest.formats.asn1.tap3 import COLUMNS as TAP3
    from duanka.ingest.formats.asn1.ts32298 import COLUMNS as TS32298
    from duanka.ingest.mapping_files.loader import _BYTES, _KEYS, _SECONDS, _SOURCE, _TOP, FORMATS

    manual = (ROOT / "docs" / "MAPPING.md").read_text("utf-8")
    keys = {*_TOP, *_SOURCE, "style", "region", "bare", *FORMATS, *_SECONDS, *_BYTES, *TAP3, *TS32298}
    for key in keys.union(*_KEYS.values()):
        assert f"`{key}`" in manual, key
