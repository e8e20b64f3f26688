"""`duanka doctor` on the graph of links: whose it is, how old, and what to do."""

from __future__ import annotations

import json
import shutil
from datetime import date, datetime
from pathlib import Path

import pytest

from duanka.links.graph.stored import MANIFEST
from support.engine.filled_store import fill
from support.examined import doctor
from support.links.ring_office import RingOffice, ring_office, sealed


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> RingOffice:
    return ring_office(tmp_path_factory.mktemp("ring"))


def line(office: RingOffice, **settings: str) -> tuple[str, str]:
    """Level and words of the one thing that is said of the graph."""
    there = {"DUANKA_ORDERS": str(office.folder / "orders"), "DUANKA_STORE": str(office.folder / "store")}
    found = json.loads(doctor(**{**there, **settings}).text)["checks"]
    ((level, text),) = [
        (row["level"], f"{row['text']} {row['next'] or ''}")
        for row in found
        if row["check"] == "graph of links"
    ]
    return level, text


def test_a_graph_that_is_well(office: RingOffice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert line(office) == ("OK", "not set up (DUANKA_LINKS) ")
    level, text = line(office, DUANKA_LINKS=str(office.folder / "links"))
    assert (level, "2026-03-01 to 2026-03-05" in text) == ("OK", True), text
    level, text = line(office, DUANKA_LINKS=str(tmp_path / "none"))
    assert (level, "duanka links build" in text) == ("WARNING", True), text


@pytest.mark.parametrize(
    ("wrong", "level", "says"),
    [
        ("open", "FAULT", "chmod"),
        ("version", "FAULT", "is of version 99"),
        ("none", "FAULT", "holds no graph"),
        ("unattached", "WARNING", "attached to no order database"),
        ("another", "WARNING", "belongs to another order database"),
        ("old", "WARNING", "the graph ends on 2026-03-05, and the store has records to 2026-03-06"),
    ],
)
def test_what_is_wrong_with_it(office: RingOffice, tmp_path: Path, wrong: str, level: str, says: str) -> None:
    links, more = tmp_path / "links", dict[str, str]()
    shutil.copytree(office.folder / "links", links)
    if wrong == "open":
        links.chmod(0o755)
    elif wrong == "version":
        told = json.loads((links / MANIFEST).read_text())
        (links / MANIFEST).write_text(json.dumps({**told, "version": 99}))
    elif wrong == "none":
        (links / MANIFEST).unlink()
    elif wrong == "unattached":
        sealed(links).unlink()
    elif wrong == "another":
        sealed(links).write_text("{}")
    else:
        more["DUANKA_STORE"] = str(tmp_path / "store")
        call = {"card": "8613900000001", "direction": "out", "started_at": datetime(2026, 3, 6, 9)}
        days = [{"card": "8613900000001", "day": date(2026, 3, day), "bytes": 1} for day in range(1, 7)]
        fill(tmp_path / "store", {"calls": [call], "data_days": days})
    found = line(office, DUANKA_LINKS=str(links), **more)
    assert (found[0], says in found[1]) == (level, True), found
