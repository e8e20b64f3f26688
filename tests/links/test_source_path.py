"""What is named as a graph, a store or records, and is none of them, is called so, and what is near is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from duanka.bootstrap.links import building
from duanka.bootstrap.links.ownership import answering_people
from duanka.bootstrap.links.source_path import must_be_there, must_hold_graph, must_hold_records
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import Settings
from duanka.domain.errors import DuankaError
from duanka.domain.ports import Silent
from duanka.ledger.db.database import NoOrderDatabase
from duanka.links.graph.stored import MANIFEST


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a graph `links-night`, records `inbox`, and something else."""
    for name in ("links-night/3", "inbox/calls", "notes"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "links-night" / MANIFEST).write_text("{}")
    (tmp_path / "inbox" / "calls.csv").write_text("card\n")
    return tmp_path


def test_what_is_there_passes(place: Path) -> None:
    for name in ("links-night", "inbox", "notes", "inbox/calls.csv"):
        must_be_there(place / name)
    must_hold_graph(place / "links-night")
    must_hold_records(place / "inbox")


def test_a_mistyped_folder_is_told_with_what_is_near(place: Path) -> None:
    for look in (must_be_there, must_hold_graph, must_hold_records):
        with pytest.raises(DuankaError, match=r"links-nigth is not there \(did you mean \S+/links-night\?\)"):
            look(place / "links-nigth")
    with pytest.raises(
        DuankaError, match=r"xyz is not there; name a graph, a store or a directory of records"
    ):
        must_be_there(place / "xyz")


def test_a_part_of_a_graph_and_a_graph_in_place_of_records_are_called_so(place: Path) -> None:
    for part in ("3", MANIFEST, "4"):
        with pytest.raises(DuankaError, match=r"is a part of the graph \S+links-night: name that folder"):
            must_be_there(place / "links-night" / part)
    with pytest.raises(DuankaError, match="is a graph; a graph is built of a store"):
        must_hold_records(place / "links-night")
    with pytest.raises(DuankaError, match=r"inbox is no graph; `duanka links build \S+inbox --out LINKS`"):
        must_hold_graph(place / "inbox")


def test_why_a_graph_needs_an_order_database_is_said_where_that_is_missing() -> None:
    with (
        pytest.raises(
            NoOrderDatabase, match=r"links belongs to an order database, .* there: no order database"
        ),
        answering_people(Path("links")),
    ):
        raise NoOrderDatabase("no order database at x")


def test_a_folder_that_is_none_of_the_three_is_called_so_by_both_doors(place: Path) -> None:
    policy, settings = policy_named("national"), Settings(threads=1)
    said = r"notes is neither a graph nor a store, and holds no records \(calls, messages"
    with pytest.raises(DuankaError, match=said):
        building.opened(settings, place / "notes", place, policy, None, Silent())
    with pytest.raises(DuankaError, match=said):
        building.build(settings, place / "notes", place / "out", policy, None, Silent())
    with pytest.raises(DuankaError, match="note is not there"):
        building.opened(settings, place / "note", place, policy, None, Silent())
    assert {one.name for one in place.iterdir()} == {"links-night", "inbox", "notes"}, (
        "nothing is left behind"
    )
