"""`duanka links` as people type it on a store that belongs to an order database: who may, on what basis, masked."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from duanka.bootstrap.order_resources import MARK
from duanka.bootstrap.settings import Settings
from duanka.domain.person import Role
from support.links.ring_office import RingOffice, build, ring_office
from support.links.ring_world import BOX, OUTLET, RING, SITE, STOCK
from support.people import people_of

BASIS = ("--why", "the police seized it", "--case", "7")
SEIZED = ("around", "links", "--imei", BOX)
IN_FULL = (BOX, *RING, *STOCK)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> RingOffice:
    return ring_office(tmp_path_factory.mktemp("ring"))


def told_in_full(text: str) -> list[str]:
    return [number for number in IN_FULL if number in text]


def test_the_ring_behind_a_device_is_masked_and_stands_in_the_trail(
    office: RingOffice, tmp_path: Path
) -> None:
    before = len(office.trail())
    shown = office.type(*SEIZED, *BASIS, "--out", tmp_path / "ring")
    assert shown.code == 0, shown.err
    assert "From 860****0001: 24 cards in the ring" in shown.out
    assert SITE in shown.out
    assert not told_in_full(shown.out)
    files = {file.name: file.read_text(encoding="utf-8-sig") for file in (tmp_path / "ring").iterdir()}
    assert not told_in_full("".join(files.values())), "nor in the files"
    rows = list(csv.DictReader(files["ring.csv"].splitlines()))
    assert len(rows) == len(RING) + len(STOCK)
    assert {row["card"].lstrip("'") for row in rows if row["role"] == "box_card"} == {
        f"+86 137****{card[-4:]}" for card in RING
    }
    assert office.trail()[before:] == [
        ("lookup.ring", "the.desk", BOX, "7 · the police seized it"),
        ("lookup.rows", "the.desk", BOX, "7"),
    ]
    first, rows_told = (json.loads(told) for told in office.told()[before:])
    assert first == {"basis": "case", "seed": "device", "unmasked": False}
    assert rows_told == {"rows": 24}


def test_in_full_where_it_is_asked_for_which_the_trail_says(office: RingOffice, tmp_path: Path) -> None:
    shown = office.type("around", "links", "--card", RING[3], *BASIS, "--full", "--out", tmp_path / "ring")
    assert shown.code == 0, shown.err
    assert BOX in shown.out
    assert set(told_in_full((tmp_path / "ring" / "ring.csv").read_text(encoding="utf-8"))) == {*IN_FULL}
    assert json.loads(office.told()[-2])["unmasked"] is True


@pytest.mark.parametrize(
    ("words", "who", "said"),
    [
        (("--why", "w"), "desk", "give one of --case, --order and --police-notice"),
        ((*BASIS, "--order", "V000000000000"), "desk", "give one of --case, --order and --police-notice"),
        (("--why", "w", "--order", "V000000000000"), "desk", "no order 'V000"),
        (("--case", "7"), "desk", "say why, in 1 to"),
        (BASIS, None, "who acts?"),
        (BASIS, "regulator", "regulator may not look up the contacts of numbers"),
        (BASIS, "local", "only who works for all of them may look one up"),
    ],
)
def test_nothing_is_grown_without_key_reason_basis_and_scope(
    office: RingOffice, words: tuple[str, ...], who: str | None, said: str
) -> None:
    before = office.trail()
    shown = office.type("around", "store", "--imei", BOX, *words, who=who)
    assert (shown.code, shown.out) == (2, ""), shown
    assert said in shown.err
    assert shown.err.count("\n") == 1, "and no step of a graph being built"
    assert office.trail() == before


def test_an_order_is_about_the_card_that_is_looked_up(office: RingOffice) -> None:
    shown = office.type(*SEIZED, "--card", RING[0], *BASIS)
    assert (shown.code, "a search begins at one thing" in shown.err) == (2, True)


def test_what_is_not_in_the_graph_is_in_the_trail_all_the_same(office: RingOffice) -> None:
    shown = office.type("around", "links", "--card", "13712345678", *BASIS)
    assert shown.code == 2
    assert "in none of these records" in shown.err
    assert office.trail()[-1][:3] == ("lookup.ring", "the.desk", "8613712345678")


def test_another_order_database_is_refused(office: RingOffice, tmp_path: Path) -> None:
    keys = people_of(Settings(orders=tmp_path / "orders"), {"the.other": Role.DESK})
    other = RingOffice(office.folder, {"desk": keys["the.other"]})
    for command in ((*SEIZED, *BASIS), ("rings", "links"), ("outlets", "store")):
        shown = other.type(*command, orders=tmp_path / "orders")
        assert (shown.code, shown.out) == (2, "")
        assert "belongs to another order database" in shown.err


def test_rings_and_outlets_are_listed_for_people_with_a_key_and_all_cities(office: RingOffice) -> None:
    shown = office.type("rings", "links", who="regulator")
    assert shown.code == 0, shown.err
    assert shown.out.splitlines()[1].split()[:3] == ["R00001", "24", "1"]
    assert not told_in_full(shown.out)
    shown = office.type("outlets", "links", who="regulator")
    assert (shown.code, "of 40 outlets stand out" in shown.out) == (0, True), shown
    for command in ("rings", "outlets"):
        assert "who acts?" in office.type(command, "links", who=None).err
        assert "takes all operators and cities" in office.type(command, "links", who="local").err
    ring = office.type("around", "links", "--ring", "R00001", *BASIS)
    assert "From R00001: 24 cards" in ring.out


def test_files_that_are_attached_to_nothing_are_their_owners(office: RingOffice, tmp_path: Path) -> None:
    shutil.copytree(office.folder / "store", tmp_path / "store")
    (tmp_path / "store" / MARK).unlink()
    build(office.settings, tmp_path / "store", tmp_path / "links")
    before = office.trail()
    shown = office.type("around", tmp_path / "links", "--outlet", OUTLET, who=None)
    assert (shown.code, BOX in shown.out) == (0, True), shown.err
    assert office.type("rings", tmp_path / "links", who=None).code == 0
    assert office.trail() == before
