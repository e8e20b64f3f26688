"""A card's operator and city, from the register to whoever works for them: by a scan and by live records."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from duanka.decision_log.reader import DecisionFile
from duanka.domain.order import Kind, Person, Role
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.person import Scope
from duanka.domain.sealing import derived
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.unit_of_work.unit_of_work import Terms
from duanka.orders.intake.decisions import DecisionIntake
from duanka.orders.queries.service import Filter, OrderQueries, ViewerContext
from duanka.orders.service import OrderService
from support.desk import duanka
from support.signed_cases import SECRET, signed, trusting

HERE, THERE, NOWHERE, ASKED = (f"861380000000{number}" for number in range(4))
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
KEY = b"a key of a test, thirty-two bytes"
CONFIRMED_AT = "2021-05-03 10:00:00"
CLERK = Person("li", Role.DESK)


def _records(folder: Path) -> None:
    """Cases of three cards, one in no register, that the police signed, and one that nobody signed."""
    tables = {
        "calls": "card,peer,direction,started_at,seconds\n"
        f"{HERE},8613900000000,out,2021-05-03 09:00:00,60\n{THERE},8613900000000,out,2021-05-03 09:00:00,60\n",
        "cards": "card,operator,home_city\n"
        f"{HERE},河北移动,130100\n{THERE},河北联通,130200\n{ASKED},河北移动,130200\n",
        "cases": f"card,case_id,confirmed_at\n{HERE},A1,{CONFIRMED_AT}\n{THERE},A2,{CONFIRMED_AT}\n"
        f"{NOWHERE},A3,{CONFIRMED_AT}\n",
    }
    for table, text in tables.items():
        (folder / table).mkdir(parents=True)
        (folder / table / f"{table}.csv").write_text(text, encoding="utf-8")
    (folder / "cases" / "claimed.csv").write_text(
        f"card,case_id,confirmed_at\n{ASKED},B1,{CONFIRMED_AT}\n", encoding="utf-8"
    )
    signed(folder / "cases" / "cases.csv")


@pytest.mark.parametrize("way", ["scan", "live"])
def test_whoever_works_for_one_operator_sees_its_orders_and_no_others(
    way: str, store: Store, tmp_path: Path
) -> None:
    _records(tmp_path / "in")
    words = ("scan", tmp_path / "in") if way == "scan" else ("live", "--once", "--inbox", tmp_path / "in")
    typed = duanka(*words, "--out", tmp_path / "out", cwd=tmp_path, **trusting(tmp_path / "installation"))
    assert typed.code == 0, typed.err
    book = OrderService(store, Terms(OrderPolicy(), Trail(KEY)))
    DecisionIntake(book, DecisionFile(tmp_path / "out", derived(SECRET.encode(), "decisions"))).take_all(NOW)

    def seen(*operators: str, cities: tuple[str, ...] = ()) -> set[str]:
        clerk = replace(CLERK, scope=Scope(frozenset(operators), frozenset(cities)))
        page = OrderQueries(store, Trail(KEY)).orders(Filter(), ViewerContext(clerk), NOW)
        return {order.id for order in page.items}

    def order(card: str, kind: Kind = Kind.RESTRICTION) -> str:
        found = book.transaction(lambda unit: unit.open_order(card, kind), NOW)
        assert found
        return found.id

    asked = order(ASKED, Kind.VERIFICATION)
    assert seen("河北移动") == {order(HERE), asked}
    assert seen("河北联通") == {order(THERE)}
    assert seen(cities=("130200",)) == {order(THERE), asked}
    assert seen() == {order(HERE), order(THERE), order(NOWHERE), asked}


@pytest.mark.parametrize("secret", [True, False])
def test_live_says_once_what_stops_nothing(secret: bool, tmp_path: Path) -> None:
    """That its decisions bear no seal, where there is no secret; that a case came without a signature."""
    _records(tmp_path / "in")
    here = trusting(tmp_path / "installation") if secret else {}
    typed = duanka(
        "live", "--once", "--inbox", tmp_path / "in", "--out", tmp_path / "out", cwd=tmp_path, **here
    )
    assert typed.code == 0, typed.err
    assert typed.err.count("bear no seal") == (not secret)
    assert typed.err.count("no registered source signed") == 1
