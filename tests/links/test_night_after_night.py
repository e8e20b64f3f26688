"""What is gathered night by night is what is gathered of all days at once."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from duanka.domain.errors import DuankaError
from duanka.domain.ports import Silent
from duanka.domain.store_policy import StorePolicy
from duanka.engine.links import card_facts, gathered_days, shared_things
from duanka.engine.links.gathered_days import FIRST, LARGER, OTHER, UNUSABLE, GatheredDays
from duanka.engine.links.source import LinkSource
from duanka.engine.store.record_store import RecordStore
from support.engine.store_deliveries import NOW
from support.links.ring_nights import BEGIN, STRANGERS, deliver, records

Frames = dict[str, pl.DataFrame]


@contextmanager
def opened(store: Path, work: Path) -> Iterator[LinkSource]:
    source = LinkSource(store, work, memory="512MB", threads=1)
    try:
        yield source
    finally:
        source.close()
        shutil.rmtree(work, ignore_errors=True)


def gathered(store: Path, folder: Path, before: Path | None = None) -> tuple[Frames, GatheredDays]:
    """What links are made of, as `bootstrap.links` reads it, kept in `folder`."""
    with opened(store, folder.with_name(f"{folder.name}-work")) as source:
        days = GatheredDays(source, folder, before)
        card_facts.gather(source, days, Silent())
        frames = {
            "cards": card_facts.cards(source),
            "contacts": card_facts.contacts(source, days),
            "lists": card_facts.lists(source, days),
            "switched": shared_things.switched(source, days, Silent()),
        }
        days.finish()
        return {name: pl.DataFrame(table) for name, table in frames.items()}, days


def changed(contacts: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """`contacts` with the changes of a night."""
    left = contacts.join(changes, on=["card", "peer"], how="anti")
    there = changes.filter((pl.col("out") + pl.col("inward")) > 0)
    return pl.concat([left, there]).sort("card", "peer")


def told(contacts: pl.DataFrame) -> pl.DataFrame:
    return contacts.drop("days")  # a day on which nothing was added to is no change of a contact


def night(chance: random.Random, store: Path, number: int) -> None:
    """Let a day come; with it late records of an earlier one, days that leave, files that are merged."""
    day = BEGIN + timedelta(days=number + (60 if number > 3 else 0))
    deliver(store, records(chance, day))
    if chance.random() < 0.5:
        deliver(store, records(chance, BEGIN + timedelta(days=chance.randrange(number + 1)), 10))
    if chance.random() < 0.3:
        stranger = str(STRANGERS + 20 * (BEGIN.toordinal() // 2) + chance.randrange(20))
        card = {"card": stranger, "holder_kind": "person"}  # one of ours, as turns out now
        deliver(store, {"cards": [card]})
    with RecordStore(store).writing(NOW) as writer:
        if number == 6:  # records go before rollups do
            writer.purge(day, StorePolicy(2, 65, 400))
        if chance.random() < 0.3:
            writer.compact()
        writer.commit()


@pytest.mark.parametrize("seed", range(2))
def test_night_after_night_gathers_what_one_reading_of_all_days_does(tmp_path: Path, seed: int) -> None:
    chance, store, before = random.Random(seed), tmp_path / "store", None
    for number in range(3):
        deliver(store, records(chance, BEGIN + timedelta(days=number)))
    contacts, some = pl.DataFrame(), set[str]()
    for number in range(3, 7):
        if before:
            night(chance, store, number)
        whole, _ = gathered(store, tmp_path / f"whole-{number}")
        added, days = gathered(store, tmp_path / f"added-{number}", before)
        contacts = added["contacts"] if days.why else changed(contacts, added["contacts"])
        assert days.why is (None if before else FIRST)
        assert number < 6 or BEGIN in days.went
        assert told(contacts).equals(told(whole.pop("contacts")))
        for name, frame in whole.items():
            assert added[name].equals(frame), (number, name)
        some |= {name for name, frame in whole.items() if frame.height}
        before = days.folder
    assert some == {"cards", "lists", "switched"}


def days_of(store: Path, folder: Path, before: Path | None) -> GatheredDays:
    return gathered(store, folder, before)[1]


def test_what_is_kept_is_used_only_for_the_same_store_whole_and_not_outgrown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, chance = tmp_path / "store", random.Random(5)
    for number in range(4):
        deliver(store, records(chance, BEGIN + timedelta(days=number), 20))
    first = days_of(store, tmp_path / "1", None)
    assert first.why is FIRST
    again = days_of(store, tmp_path / "2", first.folder)
    assert (again.why, again.came, again.went) == (None, [], [])

    with opened(store, tmp_path / "work") as source:
        assert GatheredDays(source, tmp_path / "otherwise", first.folder, "found otherwise").why is UNUSABLE
    damaged = tmp_path / "damaged"
    shutil.copytree(first.folder, damaged)
    (damaged / "circle-0.parquet").write_bytes(b"half")
    assert days_of(store, tmp_path / "3", damaged).why is UNUSABLE
    assert days_of(store, tmp_path / "4", tmp_path / "nowhere").why is UNUSABLE

    other = tmp_path / "other"
    shutil.copytree(store, other)
    for path in other.rglob("*.parquet"):
        os.utime(path)  # files of the same names, written at another time
    assert days_of(other, tmp_path / "5", first.folder).why is OTHER

    monkeypatch.setattr(gathered_days, "ROWS_PER_RANGE", 1)
    assert days_of(store, tmp_path / "6", first.folder).why is LARGER


def test_a_disk_without_room_for_working_files_is_told_and_not_called_lack_of_memory(tmp_path: Path) -> None:
    deliver(tmp_path / "store", records(random.Random(1), BEGIN))
    with opened(tmp_path / "store", tmp_path / "work") as source:
        source.run("SET memory_limit = '16MB'")
        source.run("SET max_temp_directory_size = '1KB'")
        with pytest.raises(DuankaError, match=f"no room for working files in {tmp_path / 'work'}; make room"):
            source.run("SELECT count(*) FROM (SELECT DISTINCT range FROM range(3000000))")
