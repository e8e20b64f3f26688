"""Lookups: what a card did and who was in contact with whom, equal to a filter over all records."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from duanka.domain.errors import DuankaError
from duanka.domain.record_lookups import CardRecord, Contact, LookupRefused, Usage
from duanka.engine.store.manifest import FileKind
from duanka.engine.store.reading import lookups
from duanka.engine.store.reading.lookups import StoreLookups
from support.engine.filled_store import Tables, fill

BEGIN, DAYS = datetime(2026, 3, 1), 5
OURS = ["8613800000001", "8613800000002", "8613800000003", "opaque-a", "opaque-b", "1064600000001"]
FOREIGN = ["8615900000001", "447700900001", "95588", "short:9", "opaque-z", None]
DEVICES = ["86012304000001", "01234567000002", "00000000000000", "opaque-device", None]
Row = Mapping[str, Any]


def _random_tables(chance: random.Random) -> Tables:
    def moment() -> datetime:
        return BEGIN + timedelta(seconds=chance.randrange(DAYS * 86_400))

    def record(**more: object) -> Row:
        place = {"imei": chance.choice(DEVICES), "cell": chance.choice(["46000123", "0460", None])}
        return {"card": chance.choice(OURS), "city": "130100", **place, **more}

    def between(time: str, **more: object) -> Row:
        peer = chance.choice([*OURS, *FOREIGN])
        return record(peer=peer, direction=chance.choice(["out", "in"]), **{time: moment()}, **more)

    return {
        "calls": [
            between(
                "started_at",
                seconds=chance.randrange(90),
                answered=True,
                forwarded_from=chance.choice(["opaque-f", None]),
            )
            for _ in range(150)
        ],
        "messages": [between("sent_at") for _ in range(60)],
        "sightings": [record(seen_at=moment()) for _ in range(40)],
        "data_days": [
            {"card": card, "day": moment().date(), "bytes": chance.randrange(10**10)} for card in OURS
        ],
    }


@pytest.fixture(scope="module", params=[1, 2])
def world(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tables, StoreLookups]]:
    tables = _random_tables(random.Random(request.param))
    folder = tmp_path_factory.mktemp("lookups") / "store"
    half = {name: rows[: len(rows) // 2] for name, rows in tables.items()}
    fill(folder, half)
    fill(folder, {name: rows[len(rows) // 2 :] for name, rows in tables.items()})
    found = StoreLookups(folder, threads=1)
    yield tables, found
    found.close()


def _periods(chance: random.Random) -> list[tuple[datetime, datetime]]:
    begins = [BEGIN + timedelta(hours=chance.randrange(-5, DAYS * 24)) for _ in range(4)]
    whole = [(BEGIN, BEGIN + timedelta(days=DAYS)), (BEGIN + timedelta(days=1), BEGIN + timedelta(days=2))]
    return [*whole, *((begin, begin + timedelta(hours=chance.randrange(1, 72))) for begin in begins)]


def _in(row: Row, since: datetime, until: datetime) -> bool:
    at = next(row[name] for name in ("started_at", "sent_at", "seen_at", "day") if name in row)
    if isinstance(at, datetime):
        return since <= at < until
    return bool(since.date() <= at <= (until - timedelta(microseconds=1)).date())


def _as_found(usage: str, row: Row) -> tuple[object, ...]:
    at = next(row[name] for name in ("started_at", "sent_at", "seen_at", "day") if name in row)
    at = at if isinstance(at, datetime) else datetime.combine(at, datetime.min.time())
    names = ("direction", "peer", "seconds", "answered", "bytes", "imei", "cell", "city", "forwarded_from")
    return (usage, at, *(row.get(name) for name in names))


def test_records_of_a_card_are_those_of_a_filter_over_all_records(world: tuple[Tables, StoreLookups]) -> None:
    tables, found = world
    for since, until in _periods(random.Random(7)):
        for card in [*OURS, "8613800000009", "opaque-nobody"]:
            expected = [
                _as_found(usage, row)
                for usage, rows in tables.items()
                for row in rows
                if row["card"] == card and _in(row, since, until)
            ]
            answer = found.records_of(card, since, until)
            assert sorted(map(astuple, answer), key=repr) == sorted(expected, key=repr)
            assert [one.at for one in answer] == sorted(one.at for one in answer)


def _contacts(tables: Tables, number: str, since: datetime, until: datetime) -> Iterator[Contact]:
    """One number's contacts by a loop: each side of a pair is counted, and the larger count stands."""
    sides: dict[tuple[str | None, str], list[tuple[str, bool, datetime]]] = {}
    for usage, time in (("calls", "started_at"), ("messages", "sent_at")):
        for row in tables[usage]:
            if not _in(row, since, until):
                continue
            if row["card"] == number:
                told = (usage, row["direction"] == "out", row[time])
                sides.setdefault((row["peer"], "ours"), []).append(told)
            if row["peer"] == number:
                told = (usage, row["direction"] == "in", row[time])
                sides.setdefault((row["card"], "theirs"), []).append(told)
    for other in dict.fromkeys(other for other, _ in sides):
        both = [sides.get((other, side), []) for side in ("ours", "theirs")]
        out, back, sent, received = (
            max(sum(one[:2] == (usage, way) for one in side) for side in both)
            for usage in ("calls", "messages")
            for way in (True, False)
        )
        times = [one[2] for side in both for one in side]
        yield Contact(number, other, out, back, sent, received, min(times), max(times))


def test_contacts_are_those_of_a_loop_over_all_records(world: tuple[Tables, StoreLookups]) -> None:
    tables, found = world
    numbers = [*OURS, *(number for number in FOREIGN if number), "8613800000009", "opaque-nobody"]
    for since, until in _periods(random.Random(8)):
        expected = [one for number in numbers for one in _contacts(tables, number, since, until)]
        answer = found.contacts_of(numbers, since, until)
        assert sorted(map(astuple, answer), key=repr) == sorted(map(astuple, expected), key=repr)
        for number in numbers:
            totals = [one.total for one in answer if one.number == number]
            assert totals == sorted(totals, reverse=True)


CALL = {"card": "8613800000001", "peer": "8613800000002", "direction": "out"}
TEN = BEGIN + timedelta(hours=10)
DAY = timedelta(days=1)


def _calls(*calls: Row) -> Tables:
    return {"calls": calls}


def test_a_call_between_two_own_cards_is_one_contact_of_each(tmp_path: Path) -> None:
    other_side = {"card": "8613800000002", "peer": "8613800000001", "direction": "in"}
    fill(tmp_path / "s", _calls({**CALL, "started_at": TEN}, {**other_side, "started_at": TEN}))
    first, second = StoreLookups(tmp_path / "s").contacts_of(
        ["8613800000001", "8613800000002"], BEGIN, BEGIN + DAY
    )
    assert (first.other, first.calls_out, first.calls_in) == ("8613800000002", 1, 0)
    assert (second.other, second.calls_out, second.calls_in) == ("8613800000001", 0, 1)


def test_an_open_store_sees_the_next_commit_and_the_one_that_deletes_its_files(tmp_path: Path) -> None:
    store = fill(tmp_path / "s", _calls({**CALL, "started_at": TEN}))
    found = StoreLookups(store.folder)
    assert len(found.records_of("8613800000001", BEGIN, BEGIN + DAY)) == 1
    fill(store.folder, _calls({**CALL, "started_at": TEN + timedelta(hours=1)}))
    assert len(found.records_of("8613800000001", BEGIN, BEGIN + DAY)) == 2


def test_a_file_that_a_writer_deleted_meanwhile_is_looked_for_in_the_next_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = fill(tmp_path / "s", _calls({**CALL, "started_at": TEN}))
    found = StoreLookups(store.folder)
    old, new = found._manifest(), found._manifest().model_copy(deep=True)
    (path,) = new.paths(FileKind.RECORDS, "calls")
    new.files["records/calls/2026-03-01/9-1.parquet"] = new.files.pop(path)
    (store.folder / path).rename(store.folder / "records/calls/2026-03-01/9-1.parquet")
    read = iter([old, new, new])
    monkeypatch.setattr(found, "_manifest", lambda: next(read))
    assert len(found.records_of("8613800000001", BEGIN, BEGIN + DAY)) == 1


def test_a_lost_file_is_damage_and_says_the_way_out(tmp_path: Path) -> None:
    store = fill(tmp_path / "s", _calls({**CALL, "started_at": TEN}))
    (path,) = store.manifest().paths(FileKind.RECORDS, "calls")
    (store.folder / path).unlink()
    with pytest.raises(DuankaError, match=r"damaged .*calls/2026-03-01.*restore the folder from a backup"):
        StoreLookups(store.folder).records_of("8613800000001", BEGIN, BEGIN + DAY)
    (store.folder / path).write_bytes(b"no parquet")
    with pytest.raises(DuankaError, match="restore the folder from a backup"):
        StoreLookups(store.folder).records_of("8613800000001", BEGIN, BEGIN + DAY)


def test_a_lost_text_is_damage_not_an_invented_number(tmp_path: Path) -> None:
    store = fill(tmp_path / "s", _calls({**CALL, "peer": "opaque-p", "started_at": TEN}))
    with store.writing(BEGIN) as writer:
        writer.draft.drop(*(path for path in writer.manifest.files if path.startswith("texts/")))
        writer.commit()
    with pytest.raises(LookupRefused, match="pseudonym"):
        StoreLookups(store.folder).records_of("8613800000001", BEGIN, BEGIN + DAY)


def test_more_rows_than_an_answer_holds_are_refused_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "MOST_ROWS", 2)
    fill(tmp_path / "s", _calls(*({**CALL, "started_at": TEN + timedelta(hours=hour)} for hour in range(3))))
    found = StoreLookups(tmp_path / "s")
    with pytest.raises(LookupRefused, match="more than 2 records"):
        found.records_of("8613800000001", BEGIN, BEGIN + DAY)
    assert len(found.records_of("8613800000001", BEGIN, TEN + timedelta(hours=2))) == 2


def test_places_are_those_of_the_register(tmp_path: Path) -> None:
    cards: Sequence[Row] = [
        {"card": "8613800000001", "operator": "甲", "home_city": "130100"},
        {"card": "opaque-a", "operator": "乙"},
    ]
    fill(tmp_path / "s", {"cards": cards})
    found = StoreLookups(tmp_path / "s").places_of(["8613800000001", "opaque-a", "95588"])
    assert found == {"8613800000001": ("甲", "130100"), "opaque-a": ("乙", "")}


def test_a_device_with_a_zero_in_front_keeps_it(tmp_path: Path) -> None:
    fill(tmp_path / "s", _calls({**CALL, "started_at": TEN, "imei": "01234567000002"}))
    (record,) = StoreLookups(tmp_path / "s").records_of("8613800000001", BEGIN, BEGIN + DAY)
    assert record == CardRecord(Usage.CALLS, TEN, "out", "8613800000002", imei="01234567000002")


def test_status_counts_days_and_records(tmp_path: Path) -> None:
    store = fill(tmp_path / "s", _calls({**CALL, "started_at": TEN}, {**CALL, "started_at": TEN + 2 * DAY}))
    status = StoreLookups(store.folder).status()
    calls = {one.table: one for one in status.tables}["calls"]
    assert (calls.records, calls.days, calls.first, calls.last) == (
        2,
        2,
        TEN.date(),
        (TEN + 2 * DAY).date(),
    )
    assert status.last_day(TEN + DAY) == TEN.date()
    assert status.last_day(BEGIN - DAY) is None
