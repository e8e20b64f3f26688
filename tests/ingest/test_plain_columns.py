"""A column read at once has the values and the faults of one read the careful way."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product

import numpy as np
import polars as pl
import pytest

from duanka.domain.schema import TABLES, Column, ColumnKind
from duanka.ingest.model.holders import Holders
from duanka.ingest.model.mapping import NATIVE, ColumnMapping
from duanka.ingest.normalise import columns, plain_columns
from duanka.ingest.normalise.digit_ranges import DigitRanges, integers
from duanka.ingest.normalise.phone_numbers import Numbers

CN = columns.Tools.of(NATIVE, Holders(b"k" * 32))
TOOLS = [
    CN,
    replace(CN, empty=frozenset({"0", "8613800138000", "out", "2021-05-17"})),
    replace(CN, numbers=Numbers("CN", bare="national")),
    replace(CN, numbers=Numbers("MM")),
    replace(CN, numbers=Numbers("MM", bare="national")),
    replace(CN, numbers=Numbers(opaque=True)),
    replace(CN, stands_in="Asia/Yangon"),
]
MOBILES = [f"86{first}00138000" for first in range(130, 200)] + [
    f"{first}00138000" for first in range(130, 200)
]
ODD = [
    *(
        "",
        " ",
        "0",
        "00",
        "-1",
        "+1",
        "1",
        "12",
        "123",
        "1.0",
        "1e3",
        "007",
        "110",
        "95599",
        "12345678",
        "123456789",
    ),
    *(
        "266696687",
        "86282452253",
        "2562533",
        "anonymous",
        "NULL",
        "-",
        "未知",
        "　8613800138000",
        "8613800138000 ",
    ),
    *(
        "+8613800138000",
        "008613800138000",
        '="8613800138000"',
        "861064612345678",
        "1064612345678",
        "1065712345678",
    ),
    *(
        "8614812345678901",
        "14812345678901",
        "85225777441",
        "8610 12345678",
        "861012345678",
        "864001234567",
        "9" * 18,
    ),
    *(
        "9" * 19,
        "1" * 40,
        "9007199254740993",
        "861380013800",
        "8613800138000\0",
        "8613800138000\u2028",
        "000126",
    ),
    *(
        "35490069873310",
        "354900698733101",
        "3549006987331012",
        "35490069873310123",
        "1" * 14,
        "0" * 15,
        "22222222222222",
    ),
    *(
        "012345678901234",
        "123456789012345",
        "01490069873310",
        "+5490069873310",
        "-549006987331012",
        "4900698733101",
    ),
    *("true", "false", "True", "FALSE", "yes", "out", "in", "OUT", "person", "voice", "iot", "x"),
    *(
        "2021-05-17 09:30:00",
        "2021-05-17T09:30:00",
        "2021-05-17",
        "2021-05-17 09:30:00.5",
        "2021-05-17 24:00:00",
    ),
    *(
        "2021/5/17 9:30",
        "1900-01-01 00:00:00",
        "9999-12-31",
        "0001-01-01",
        "2021-05-17 09:30:00+08:00",
        "20210517",
    ),
    *(
        "2021-02-30 09:30:00",
        " 2021-05-17 09:30:0",
        "2011-11-06 01:30:00",
        "1969-12-31 23:59:59",
        "city",
        "东莞",
        "a b",
    ),
]
CASES = [
    *(
        ("cards", name)
        for name in ("card", "holder", "holder_kind", "opened_at", "virtual_operator", "bound_imei")
    ),
    *(
        ("calls", name)
        for name in ("peer", "direction", "started_at", "seconds", "answered", "forwarded_from")
    ),
    *(
        ("calls", "imei"),
        ("calls", "cell"),
        ("accounts", "platform"),
        ("data_days", "day"),
        ("data_days", "bytes"),
    ),
]


def same(column: Column, how: ColumnMapping, values: list[str | None], tools: columns.Tools) -> None:
    frame = pl.DataFrame({"given": pl.Series(values, dtype=pl.String)})
    expected = columns.read(column, how, frame, tools, "")
    found = plain_columns.read(column, how, frame, tools, "")
    assert found.values.to_list() == expected.values.to_list(), values
    assert found.values.dtype == expected.values.dtype
    assert found.values.name == expected.values.name
    none = np.zeros(len(values), np.uint8)
    wrong = none if found.faults is None else found.faults
    assert wrong.tolist() == (none if expected.faults is None else expected.faults).tolist(), values
    assert found.unknown == expected.unknown
    assert (found.twice is None) == (expected.twice is None)
    assert frame["given"].to_list() == values


def usual(column: Column) -> list[str]:
    """Values of the column that are read at once."""
    by_kind = {
        "number": MOBILES,
        "text": ["990101", "C12", "S000134"],
        "time": ["2021-05-17 09:30:00", "2021-05-17 23:59:59"],
        "day": ["2021-05-17", "2020-02-29"],
        "count": ["0", "1", "61", "86400"],
        "flag": ["true", "false", "1", "0"],
        "choice": list(column.choices),
        "holder": ["a" * 32],
        "imei": ["35490069873310", "354900698733101", "3549006987331012"],
    }
    return by_kind[column.kind.value]


@pytest.mark.parametrize(("table", "name"), CASES, ids=".".join)
def test_a_column_is_read_as_the_careful_way_reads_it(table: str, name: str) -> None:
    column = TABLES[table].column(name)
    luck = np.random.default_rng(5)
    for tools, opaque in product(TOOLS, (False, True)):
        if opaque and column.kind not in (ColumnKind.NUMBER, ColumnKind.IMEI):
            continue
        how = ColumnMapping(sources=("given",), opaque=opaque)
        odd = luck.choice(np.array(ODD, object), 8, replace=False).tolist()
        same(column, how, [*(usual(column) * 3)[:40], *odd, None], tools)
    how = ColumnMapping(sources=("given",))
    several: list[list[str | None]] = [
        [],
        [None],
        ["8613800138000"],
        [*usual(column)],
        [*usual(column), None],
    ]
    for values in several:
        same(column, how, values, CN)
    for first in range(0, len(ODD), 8):
        same(column, how, [*(usual(column) * 9)[:9], *ODD[first : first + 8]], CN)


@pytest.mark.parametrize(
    "how",
    [
        ColumnMapping(sources=("given",), factor=60.0),
        ColumnMapping(sources=("given",), clock="hhmmss"),
        ColumnMapping(sources=("given",), codes={"1": "out", "0": "in"}),
        ColumnMapping(sources=("given",), formats=("%Y%m%d",)),
        ColumnMapping(sources=("given",), epoch="s"),
        ColumnMapping(sources=("given",), strip="0"),
        ColumnMapping(sources=("given",), over=0.0),
        ColumnMapping(sources=("given", "given"), join=""),
        ColumnMapping(value="0"),
        ColumnMapping(sources=("absent",)),
    ],
)
def test_what_a_mapping_says_of_a_column_is_obeyed(how: ColumnMapping) -> None:
    for table, name in CASES:
        same(TABLES[table].column(name), how, ["1", "0", "20210517", "8613800138000", None], CN)


def test_the_integer_of_a_text_is_that_of_its_digits_alone() -> None:
    """Whatever else an integer may be written like: signs, blanks, zeros, separators, exponents, other scripts."""
    signs = "0179+- .,_eExX\t\n\0ab①１"
    texts = ["".join(one) for length in (1, 2, 3) for one in product(signs, repeat=length)]
    texts += ["9" * 18, "9" * 19, "1" + "0" * 17, "9223372036854775807", "18446744073709551615"]
    itself = re.compile("[1-9][0-9]{0,17}")
    expected = [int(text) if itself.fullmatch(text) else 0 for text in texts]
    assert integers(pl.Series([*texts, None])).tolist() == [*expected, 0]


def test_ranges_hold_what_matches_their_patterns() -> None:
    classes = [["1[3-57][0-9]{2}", "17[0-8]"], ["[1-9][0-9]{1,2}", "106[0-9]{0,2}"]]
    ranges = DigitRanges(*classes)
    numbers = np.arange(12_000)
    expected = [
        next((at for at, some in enumerate(classes, 1) if any(re.fullmatch(one, str(n)) for one in some)), 0)
        for n in numbers.tolist()
    ]
    assert ranges.of(numbers).tolist() == expected
    with pytest.raises(ValueError, match=r"1\(2"):
        DigitRanges(["1(2|3)"])
    assert DigitRanges().of(numbers).tolist() == [0] * len(numbers)
