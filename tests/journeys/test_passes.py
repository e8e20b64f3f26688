"""Who passed the second verification counts as verified: for a scan, for a live run, and on another machine."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap import serve as app_serve
from duanka.bootstrap.orders import OrderDesk
from duanka.bootstrap.scan import policy_named
from duanka.bootstrap.settings import Settings
from duanka.domain.order import SYSTEM, Event, Kind, PermissionDenied, Person, Role
from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.person import Scope
from duanka.domain.text import BilingualText
from support.desk import duanka, flagged
from support.orders.books import receive
from support.waiting import until

SECRET = "a secret of a test, of thirty-two characters"  # noqa: S105  # opens nothing
SECOND = Person("li", Role.SUPERVISOR)
PASSED, FAILED, WITHDRAWN, OTHER = (f"861700000000{n}" for n in range(1, 5))


@contextmanager
def working(orders: Path) -> Iterator[OrderDesk]:
    settings = Settings(orders=orders, secret=SecretStr(SECRET))
    policy = policy_named("national")
    with (
        app_orders.desk(settings, policy, create=True) as here,
        app_serve.working(here, policy.orders, app_serve.Network(settings), print),
    ):
        yield here


def ended(here: OrderDesk, card: str, event: Event) -> None:
    """A verification of this card that ends so."""
    now = app_orders.now()
    reason = BilingualText("转售企业存量卡", "old stock of a resale operator")
    receive(
        here.orders,
        [OrderDecision(card, RequestedAction.VERIFY, "medium", reason, ("virtual_operator_stock",))],
        now,
    )
    order = here.orders.transaction(lambda unit: unit.open_order(card, Kind.VERIFICATION), now)
    assert order is not None
    if event is not Event.WITHDRAW:
        here.orders.apply(order.id, Event.TO_COUNTER, SYSTEM, "why", now)
    here.orders.apply(order.id, event, SYSTEM if event is Event.FAIL else SECOND, "why", now)


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an order database: one card passed, one failed, of one the verification was withdrawn."""
    folder = tmp_path_factory.mktemp("orders") / "book"
    with working(folder) as here:
        until((folder / "passes.jsonl").exists)  # also when nobody has passed yet
        for card, event in ((FAILED, Event.FAIL), (WITHDRAWN, Event.WITHDRAW), (PASSED, Event.PASS)):
            ended(here, card, event)
        until(lambda: PASSED in (folder / "passes.jsonl").read_text())
    return folder


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Old stock of a resale operator that nobody verified since, and its calls of years ago."""
    folder = tmp_path_factory.mktemp("records") / "data"
    folder.mkdir()
    cards = [
        f"{card},true,2018-03-01 10:00:00,2018-03-01 10:00:00" for card in (PASSED, FAILED, WITHDRAWN, OTHER)
    ]
    (folder / "cards.csv").write_text(
        "\n".join(["card,virtual_operator,opened_at,verified_at", *cards]) + "\n"
    )
    calls = [f"{card},8613900000000,out,2021-05-17 09:00:00,60" for card in (PASSED, FAILED)]
    (folder / "calls.csv").write_text("\n".join(["card,peer,direction,started_at,seconds", *calls]) + "\n")
    return folder


def scan(data: Path, out: Path, *words: str, **env: str) -> set[str]:
    typed = duanka("scan", data, "--out", out, *words, cwd=out.parent, **env)
    assert typed.code == 0, typed.err
    return flagged(out, "virtual_operator_stock")


def live(data: Path, out: Path, **env: str) -> set[str]:
    typed = duanka("live", "--inbox", data, "--once", "--out", out, cwd=out.parent, **env)
    assert typed.code == 0, typed.err
    return flagged(out, "virtual_operator_stock")


BOTH = pytest.mark.parametrize("judged", [scan, live])
Judged = Callable[..., set[str]]


@BOTH
def test_who_passed_is_spared_and_nobody_else(
    judged: Judged, orders: Path, records: Path, tmp_path: Path
) -> None:
    everybody = {PASSED, FAILED, WITHDRAWN, OTHER}
    assert judged(records, tmp_path / "before") == everybody
    env = {"DUANKA_ORDERS": str(orders), "DUANKA_SECRET": SECRET}
    assert judged(records, tmp_path / "after", **env) == everybody - {PASSED}


def test_a_scan_as_of_before_the_pass_does_not_know_it(orders: Path, records: Path, tmp_path: Path) -> None:
    env = {"DUANKA_ORDERS": str(orders), "DUANKA_SECRET": SECRET}
    assert PASSED in scan(records, tmp_path / "out", "--as-of", "2021-05-18", **env)


@BOTH
def test_a_changed_byte_is_refused_in_one_line(
    judged: Judged, orders: Path, records: Path, tmp_path: Path
) -> None:
    file = tmp_path / "passes.jsonl"
    file.write_bytes((orders / "passes.jsonl").read_bytes().replace(PASSED.encode(), OTHER.encode()))
    env = {"DUANKA_PASSES": str(file), "DUANKA_SECRET": SECRET}
    how = ("scan", records) if judged is scan else ("live", "--once", "--inbox", records)
    for refused, more in (
        ("does not bear the seal", env),
        ("no such file", {**env, "DUANKA_PASSES": "gone"}),
    ):
        typed = duanka(*how, "--out", tmp_path / "out", cwd=tmp_path, **more)
        assert typed.code == 2, typed.out
        assert refused in " ".join(typed.err.split())
        assert "Traceback" not in typed.err
        assert OTHER not in typed.err


def test_a_supervisor_exports_it_for_another_machine(orders: Path, records: Path, tmp_path: Path) -> None:
    exported = tmp_path / "exported.jsonl"
    settings = Settings(orders=orders, secret=SecretStr(SECRET))
    with app_orders.desk(settings, policy_named("national")) as here:
        assert here.pass_list.export(exported, SECOND, app_orders.now()) == 1
        narrow = Person("zhao", Role.SUPERVISOR, scope=Scope(cities=frozenset({"110000"})))
        for by in (narrow, Person("wang", Role.DESK)):
            with pytest.raises(PermissionDenied):
                here.pass_list.export(tmp_path / "not", by, app_orders.now())
        assert here.trail.verdict(here.store, SYSTEM).faults == ()
    assert not (tmp_path / "not").exists()
    assert stat.S_IMODE(exported.stat().st_mode) == stat.S_IMODE((orders / "passes.jsonl").stat().st_mode)
    assert stat.S_IMODE(exported.stat().st_mode) == 0o600
    env = {"DUANKA_PASSES": str(exported), "DUANKA_SECRET": SECRET}
    assert scan(records, tmp_path / "out", **env) == {FAILED, WITHDRAWN, OTHER}
