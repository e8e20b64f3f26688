"""A unit that is listed beyond its term is told by `duanka doctor`, until it is off the list."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from support.examined import doctor, order_database

_DUE = 1_770_000_000_000_000  # in February 2026


def test_a_term_that_is_over_is_told_until_the_unit_is_off_the_list(tmp_path: Path) -> None:
    said = order_database(tmp_path / "orders")
    assert "no unit is listed beyond its term" in doctor(**said).line("listings", "OK")
    row = {
        "id": "Z0123456789AB",
        **dict.fromkeys(("run_id", "operator", "city", "notice_digest"), "x"),
        "measure": "confirmed",
        "kind": "outlet",
        "unit": "S17",
        "state": "listed",
        "step": 1,
        "facts": '{"periods": [], "events": 1, "exposure": 1, "expected": 1, "ratio": 1, "lower": 1, "upper": 1,'
        ' "beyond": 1, "worse": [], "chance": 1, "false_discovery": 1, "runs": []}',
        "notice_zh": "通知",
        "notice_en": "notice",
        "term_days": 30,
        "proposed_by": "li",
        "proposed_at": 1,
        "approved_by": "chen",
        "approved_at": 1,
        "due_at": _DUE,
        "updated_at": 1,
    }
    with closing(sqlite3.connect(tmp_path / "orders" / "orders.sqlite")) as database:
        names = ", ".join(row)
        database.execute(
            f"INSERT INTO listings ({names}) VALUES ({', '.join('?' for _ in row)})",  # our own names
            list(row.values()),
        )
        database.commit()
        told = doctor(**said).line("listings", "WARNING")
        assert "the term of outlet S17 to put things right ended 2026-02-02" in told
        assert "duanka assess notice Z0123456789AB" in told
        database.execute("UPDATE listings SET state = 'delisted', closed_at = 2")
        database.commit()
    assert doctor(**said).lines("listings", "OK")
