"""Files with one row for both parties of a call: the row is seen from each side, and every record is accounted for."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from support.ingest.deliveries import mapping, quarantined, table, taken

_SIDE = """
[[source]]
files = "Master.csv"
table = "calls"
names = ["id", "src", "dst", "start", "billsec", "disposition"]
{more}
[source.columns]
card = "{card}"
peer = "{peer}"
direction = {{ value = "{way}" }}
started_at = "start"
seconds = "billsec"
answered = {{ from = "disposition", codes = {{ "ANSWERED" = "true", "NO ANSWER" = "false" }} }}
"""


def _rules(more: str = "") -> str:
    sides = (("src", "dst", "out"), ("dst", "src", "in"))
    return "".join(_SIDE.format(card=card, peer=peer, way=way, more=more) for card, peer, way in sides)


_ROWS = (
    '1,8613800138000,8613800138001,"2021-05-17 09:30:00",60,ANSWERED\n'
    "2,anonymous,8613800138001,2021-05-17 09:35:00,0,NO ANSWER\n"
    "3,8613800138001,10086,2021-05-17 09:40:00,5,ANSWERED\n"
    "4,,95588,2021-05-17 09:45:00,5,ANSWERED\n"
    "5,8613800138000,8613800138001,yesterday,5,ANSWERED\n"
)
_RIGHT = [
    ("8613800138000", "8613800138001", "out", datetime(2021, 5, 17, 9, 30), 60),
    ("8613800138001", "8613800138000", "in", datetime(2021, 5, 17, 9, 30), 60),
    ("8613800138001", None, "in", datetime(2021, 5, 17, 9, 35), 0),
    ("8613800138001", "10086", "out", datetime(2021, 5, 17, 9, 40), 5),
]


@pytest.mark.parametrize("more", ["", 'record_id = "id"'])
def test_a_call_between_two_cards_is_seen_from_both(tmp_path: Path, more: str) -> None:
    intake = taken(tmp_path, {"Master.csv": _ROWS}, mapping=mapping(tmp_path, _rules(more)))
    calls = table(intake, "calls").sort("started_at", "card")
    assert calls.select("card", "peer", "direction", "started_at", "seconds").rows() == _RIGHT
    assert quarantined(intake) == [(4, "src", "required value missing"), (5, "start", "bad time")]
    assert (intake.records, intake.used, intake.quarantined) == (6, 4, 2), (
        "the first row counts as two records"
    )


def test_a_file_delivered_twice_gives_no_side_twice(tmp_path: Path) -> None:
    again = _ROWS.replace("\n5,", "\n6,")
    files = {"a/Master.csv": _ROWS, "b/Master.csv": again}
    rules = _rules('record_id = "id"').replace('"Master.csv"', '"*/Master.csv"')
    intake = taken(tmp_path, files, mapping=mapping(tmp_path, rules))
    assert table(intake, "calls").height == len(_RIGHT)
    assert intake.records == intake.used + intake.quarantined
