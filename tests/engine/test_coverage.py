"""Which time the records cover: the last hour, strays of a wrong clock, and what is hidden behind `as_of`."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from duanka.domain.errors import UnreadableInput
from duanka.domain.ports import RecordCoverage
from duanka.domain.rule_examples import Row, at, calls, data, messages, opened
from duanka.engine import DuckDBEngine


def span_of(tmp_path: Path, rows: list[Row], as_of: datetime | None = None) -> RecordCoverage:
    tables: dict[str, list[Row]] = {}
    for row in rows:
        tables.setdefault(str(row["table"]), []).append({k: v for k, v in row.items() if k != "table"})
    with DuckDBEngine(tmp_path) as engine:
        return engine.load_rows(tables, {}, as_of)


def test_now_is_the_end_of_the_last_day_but_absences_are_certain_to_the_last_hour(tmp_path: Path) -> None:
    found = span_of(tmp_path, calls(3, "2021-05-16 09:10") + calls(1, "2021-05-17 14:20"))
    first = at("2021-05-16 00:00")
    last = at("2021-05-17 15:00")
    assert found == RecordCoverage(first, first, at("2021-05-18 00:00"), certain=last, reach=last)


def test_a_last_record_before_midnight_ends_the_day(tmp_path: Path) -> None:
    found = span_of(tmp_path, calls(1, "2021-05-17 23:59"))
    assert found.until == found.certain == at("2021-05-18 00:00")


def test_whoever_says_what_now_is_says_that_the_records_reach_it(tmp_path: Path) -> None:
    found = span_of(tmp_path, calls(1, "2021-05-17 09:00"), at("2021-05-20 12:30"))
    assert found.until == found.certain == at("2021-05-20 12:30")


def test_data_volumes_speak_for_their_whole_day(tmp_path: Path) -> None:
    found = span_of(tmp_path, [*calls(1, "2021-05-17 09:00"), data("2021-05-17", 1)])
    assert found.certain == at("2021-05-18 00:00")


def test_an_absence_is_certain_only_where_every_kind_of_use_is_recorded(tmp_path: Path) -> None:
    found = span_of(tmp_path, calls(1, "2021-05-01 09:00") + messages(1, "2021-05-10 09:00"))
    assert (found.first, found.since) == (at("2021-05-01 00:00"), at("2021-05-10 00:00"))


def test_a_wrong_clock_moves_nothing(tmp_path: Path) -> None:
    honest = [c for day in range(1, 11) for c in calls(200, f"2021-05-{day:02} 09:00")]
    strays = calls(1, "1970-01-01 00:00") + calls(1, "2099-01-01 00:00")
    found = span_of(tmp_path, honest + strays)
    first, last = at("2021-05-01 00:00"), at("2021-05-10 11:00")
    assert found == RecordCoverage(first, first, at("2021-05-11 00:00"), certain=last, outside=2, reach=last)


def test_one_switch_of_many_that_is_a_year_ahead_makes_nobody_look_asleep(tmp_path: Path) -> None:
    honest = [c for day in range(1, 11) for c in calls(200, f"2021-05-{day:02} 09:00")]
    ahead = [c for day in range(1, 11) for c in calls(60, f"2022-05-{day:02} 09:00")]
    found = span_of(tmp_path, honest + ahead)
    assert (found.until, found.outside) == (at("2021-05-11 00:00"), 600)


def test_a_whole_day_after_an_outage_of_weeks_is_no_stray(tmp_path: Path) -> None:
    honest = [c for day in range(1, 11) for c in calls(200, f"2021-05-{day:02} 09:00")]
    found = span_of(tmp_path, honest + calls(150, "2021-06-10 09:00"))
    assert (found.until, found.outside) == (at("2021-06-11 00:00"), 0)


def test_a_quiet_day_beside_busy_ones_is_no_stray(tmp_path: Path) -> None:
    rows = calls(1, "2021-04-28 09:00") + [
        c for d in range(1, 11) for c in calls(200, f"2021-05-{d:02} 09:00")
    ]
    assert span_of(tmp_path, rows).first == at("2021-04-28 00:00")


def test_as_of_counts_what_it_hides(tmp_path: Path) -> None:
    found = span_of(
        tmp_path, calls(2, "2021-05-16 09:00") + calls(3, "2021-05-17 09:00"), at("2021-05-17 00:00")
    )
    assert (found.until, found.outside) == (at("2021-05-17 00:00"), 3)


def test_nothing_to_judge_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="no usable record"):
        span_of(tmp_path, [opened("2021-05-01 09:00")])


def test_nothing_after_as_of_is_seen(tmp_path: Path) -> None:
    now = at("2021-05-17 12:00")
    with DuckDBEngine(tmp_path) as engine:
        engine.load_rows(
            {
                "calls": calls(2, "2021-05-17 11:59", every=120),
                "cards": [
                    {
                        "card": "1",
                        "opened_at": now - timedelta(days=1),
                        "verified_at": now + timedelta(hours=1),
                    },
                    {"card": "2", "opened_at": now + timedelta(minutes=1)},
                    {"card": "3"},
                ],
                "data_days": [data("2021-05-16", 1), data("2021-05-17", 1)],
                "cases": [{"card": "1", "case_id": "a", "confirmed_at": now + timedelta(hours=1)}],
                "accounts": [{"card": "1", "platform": "p", "account": "a"}],
            },
            {},
            now,
        )
        seen = {
            t: engine._run(f"SELECT * FROM {t}") for t in ("calls", "cards", "data_days", "cases", "accounts")
        }
    assert {t: len(rows) for t, rows in seen.items()} == {
        "calls": 1,
        "cards": 2,
        "data_days": 1,
        "cases": 0,
        "accounts": 1,
    }
    assert all(row[12] is None for row in seen["cards"]), "a verification to come is not known"
