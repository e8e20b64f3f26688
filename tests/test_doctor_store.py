"""`duanka doctor` on the store of records: what is wrong with it, and what to do."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.order_resources import MARK
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import Settings
from duanka.domain.local_time import DEFAULT_ZONE, OperatorZone
from duanka.domain.order import SYSTEM
from duanka.domain.store_policy import StorePolicy
from duanka.engine.store.manifest import MANIFEST, read_manifest
from duanka.engine.store.record_store import RecordStore
from support.engine.filled_store import fill
from support.examined import doctor, order_database

TABLES = {"data_days": [{"card": "8613800000001", "day": date(2026, 3, 2), "bytes": 1_500_000}]}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store that was written just now."""
    fill(tmp_path / "store", TABLES)
    write(tmp_path / "store", StorePolicy())
    return tmp_path / "store"


def write(store: Path, policy: StorePolicy, ago: timedelta = timedelta(0)) -> None:
    at = OperatorZone(DEFAULT_ZONE).now() - ago
    with RecordStore(store).writing(at) as writer:
        writer.purge(date(2026, 3, 3), policy)
        writer.commit()


def lines(store: Path, **settings: str) -> list[tuple[str, str]]:
    """Level and words of what is said of the store."""
    found = doctor(DUANKA_STORE=str(store), **settings)
    rows = [row for row in json.loads(found.text)["checks"] if row["check"] == "store"]
    return [(row["level"], f"{row['text']} {row['next'] or ''}") for row in rows]


def test_a_store_that_is_well(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert doctor().line("store", "OK") == "not set up (DUANKA_STORE) "
    ((level, text),) = lines(store)
    assert (level, "version 1, 1 days" in text) == ("OK", True), text
    ((level, text),) = lines(tmp_path / "none")
    assert (level, "duanka morning" in text) == ("WARNING", True), text


def test_whose_lookups_it_answers(store: Path, tmp_path: Path) -> None:
    here, there = order_database(tmp_path / "here"), order_database(tmp_path / "there")
    assert "until a supervisor attaches it" in lines(store, **here)[0][1]
    own = Settings.model_validate({name.removeprefix("DUANKA_").lower(): said for name, said in here.items()})
    with app_orders.desk(own, policy_named("national"), check_network=False) as desk:
        desk.attached_store.at(store).write_mark(SYSTEM, app_orders.now())
    assert [level for level, _ in lines(store, **here)] == ["OK"]
    there["DUANKA_SECRET"] = here["DUANKA_SECRET"]
    (store / MARK).write_text("{}")
    assert [level for level, _ in lines(store, **here)] == ["WARNING", "OK"]


@pytest.mark.parametrize(
    ("wrong", "level", "says"),
    [
        ("open", "FAULT", "everybody's calls"),
        ("lost", "FAULT", "which its manifest lists"),
        ("version", "FAULT", "is of version 99"),
        ("old", "WARNING", "was last written on"),
        ("short", "WARNING", "keeps rollups for 200 days, and the rule device_changed looks back 365 days"),
        ("file", "FAULT", "no folder"),
    ],
)
def test_what_is_wrong_with_it(store: Path, wrong: str, level: str, says: str) -> None:
    if wrong == "open":
        store.chmod(0o750)
    elif wrong == "lost":
        (store / next(iter(read_manifest(store).files))).unlink()
    elif wrong == "version":
        said = json.loads((store / MANIFEST).read_text())
        (store / MANIFEST).write_text(json.dumps({**said, "version": 99}))
    elif wrong == "old":
        write(store, StorePolicy(), ago=timedelta(days=2, hours=1))
    elif wrong == "short":
        write(store, StorePolicy(30, 200, 30))
    else:
        store = store / MANIFEST
    ((found, text),) = lines(store)
    assert (found, says in text) == (level, True), text
