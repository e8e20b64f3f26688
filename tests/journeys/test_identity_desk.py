"""The counter, the review queue and a new link, typed by the staff as they would."""

from __future__ import annotations

import base64
import copy
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.scan import policy_named
from duanka.bootstrap.settings import Settings
from duanka.domain.identity import CheckReason, Consent, Frame, Gesture, Outcome, Step, Verdict
from duanka.domain.order import SYSTEM, Event, Kind, Order
from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.person import HOLDER, Role
from duanka.domain.text import BilingualText
from support.desk import Typed, duanka, started
from support.orders.books import receive
from support.people import people_of
from support.prepared import Running
from support.waiting import HANG

STEPS = (Step(Gesture.OPEN_MOUTH, 1.0, 3.0), Step(Gesture.TURN_LEFT, 3.0, 5.0))
MEDIUM, HIGH = "8613800000001", "8613800000002"
PHOTO, CAPTURED = b"\xff\xd8\xff registered", b"\xff\xd8\xff captured"


class Office:
    """An order database in a folder, and the keys of its people."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = people_of(
            Settings(orders=folder / "duanka-orders"),
            {"wang": Role.DESK, "li": Role.SUPERVISOR, "liaison": Role.POLICE, "bureau": Role.REGULATOR},
        )

    def typed(self, who: str, *words: str) -> Typed:
        return duanka(*words, cwd=self.folder, DUANKA_API_KEY=self.keys[who])

    def out(self, who: str, *words: str) -> str:
        typed = self.typed(who, *words)
        assert typed.code == 0, typed.err
        return typed.out

    def refused(self, who: str, *words: str) -> str:
        typed = self.typed(who, *words)
        assert typed.code == 2
        return typed.err

    @contextmanager
    def looking(self, who: str, card: str) -> Iterator[tuple[list[str], str, Running]]:
        """A review that is open: what the command printed so far, the address of the pictures, and the process."""
        words = ("reviews", "open", card, "--why", "its turn")
        here = {"DUANKA_API_KEY": self.keys[who], "TMPDIR": str(self.folder)}
        read, write = os.pipe()
        with os.fdopen(read) as printed:
            with os.fdopen(write, "w") as out:
                process = started(*words, cwd=self.folder, out=out, err=out, **here)
            told = list[str]()
            for line in printed:
                told.append(line)
                if line.startswith("http://"):
                    break
            yield told, told[-1].strip(), process
            process.wait(HANG)

    def pictures_on_disk(self) -> list[Path]:
        """The files in which a picture lies open."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return [path for path in files if any(one in path.read_bytes() for one in (PHOTO, CAPTURED))]

    def inside(self, work: Callable[[app_orders.OrderDesk], object]) -> None:
        settings = Settings(orders=self.folder / "duanka-orders")
        with app_orders.desk(settings, policy_named("national"), create=True) as here:
            work(here)


@pytest.fixture(scope="module")
def begun_office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    office = Office(tmp_path_factory.mktemp("office"))
    now = app_orders.now()

    def ask(here: app_orders.OrderDesk) -> None:
        reason = BilingualText("一天外呼80个陌生号码", "80 strangers called in a day")
        tiers = (
            (MEDIUM, RequestedAction.VERIFY, "medium"),
            (HIGH, RequestedAction.VERIFY_AT_COUNTER, "high"),
        )
        receive(here.orders, [OrderDecision(card, asked, tier, reason) for card, asked, tier in tiers], now)
        for card, *_ in tiers:
            order = _open(here, card)
            here.orders.apply(order.id, Event.DELIVERED, SYSTEM, "receipt", now, delivered_at=now)

    office.inside(ask)
    return office


@pytest.fixture
def office(begun_office: Office, tmp_path: Path) -> Office:
    """The begun one, copied: nobody finds an order that another test has decided."""
    office = copy.copy(begun_office)
    office.folder = Path(shutil.copytree(begun_office.folder, tmp_path / "office"))
    return office


def _open(here: app_orders.OrderDesk, card: str) -> Order:
    order = here.orders.transaction(lambda unit: unit.open_order(card, Kind.VERIFICATION), app_orders.now())
    assert order
    return order


def _unsure(here: app_orders.OrderDesk) -> None:
    """A check online of MEDIUM that a person must look at."""
    now = app_orders.now()
    order = _open(here, MEDIUM)
    link = here.orders.transaction(lambda unit: here.links.make(unit.connection, order.id, now), now)
    session = here.checks.agree(link, Consent(True, True, "digest"), now, browser="browser")
    assert session
    here.checks.photos.keep(order.id, PHOTO, now)
    challenge = here.checks.draw(session, STEPS, now)
    frames = [Frame(at, at / 4, f"frame {at}".encode()) for at in range(21)]
    later = now + timedelta(seconds=6)
    here.checks.take(session, challenge.id, frames, later)
    verdict = Verdict(Outcome.REVIEW, (CheckReason.UNSURE,), 0.41, {"mouth": 0.4}, best=0)
    here.checks.settle(challenge.id, verdict, CAPTURED, later)


def test_a_high_tier_takes_two_of_the_staff(office: Office) -> None:
    seen = ("counter", "verify", HIGH, "--document", "id_card", "--counter", "人民路营业厅", "--why", "came")
    assert "sign the notice" in office.refused("wang", *seen, "--person", "--card")
    assert "duanka counter confirm" in office.out("wang", *seen, "--person", "--card", "--notice")
    assert "人民路营业厅" in office.out("li", "counter", "list")
    assert "somebody else" in office.refused("wang", "counter", "confirm", HIGH, "--why", "seen by me too")
    assert "passed" in office.out("li", "counter", "confirm", HIGH, "--why", "seen by me too")
    assert "No checks at a counter" in office.out("li", "counter", "list")


def test_a_reviewer_sees_both_pictures_and_decides(office: Office) -> None:
    office.inside(_unsure)
    listed = office.out("wang", "reviews", "list")
    assert "0.410" in listed
    assert MEDIUM not in listed, "numbers are masked"
    assert "police may not see pictures" in office.refused(
        "liaison", "reviews", "open", MEDIUM, "--why", "a case"
    )
    with office.looking("wang", MEDIUM) as (told, address, _):
        assert any("similarity 0.410" in line for line in told)
        assert httpx.get(address.rsplit("/", 1)[0] + "/favicon.ico", timeout=HANG).status_code == 404
        page = httpx.get(address, timeout=HANG)
        assert "no-store" in page.headers["cache-control"]
        for picture in (PHOTO, CAPTURED):
            assert base64.b64encode(picture).decode() in page.text
    with pytest.raises(httpx.TransportError):
        httpx.get(address, timeout=HANG)
    assert not office.pictures_on_disk()
    with office.looking("wang", MEDIUM) as (_, address, process):
        process.kill()
    assert not office.pictures_on_disk(), "whoever is killed leaves nothing either"
    assert "Nobody opened it" in office.out(
        "wang", "reviews", "open", MEDIUM, "--why", "again", "--wait", "1"
    )
    assert "passed" in office.out("wang", "reviews", "decide", MEDIUM, "pass", "--why", "the same person")
    assert "No checks that wait" in office.out("wang", "reviews", "list")


def test_a_holder_who_lost_the_notice_gets_a_new_link(office: Office) -> None:
    now, card = app_orders.now(), "8613800000003"
    reason = BilingualText("一天外呼80个陌生号码", "80 strangers called in a day")
    office.inside(
        lambda here: receive(
            here.orders, [OrderDecision(card, RequestedAction.VERIFY, "medium", reason)], now
        )
    )
    address = office.out("wang", "orders", "link", card, "--why", "lost the message").strip()
    assert re.fullmatch(r"https://verify\.operator\.example/v#[A-Za-z0-9_-]{44}", address)
    shown = office.out("wang", "orders", "show", card)
    assert "lost the message" in shown
    assert address.rpartition("#")[2] not in shown
    assert "may not make a link" in office.refused("liaison", "orders", "link", card, "--why", "curious")


def test_a_link_is_made_for_a_verification_alone(office: Office) -> None:
    """By the link of another order of the card one would answer in the holder's place, and no hand would show."""
    now, card, others = app_orders.now(), "8613800000004", list[Order]()
    reason = BilingualText("一天外呼80个陌生号码", "80 strangers called in a day")

    def objected(here: app_orders.OrderDesk) -> None:
        receive(here.orders, [OrderDecision(card, RequestedAction.VERIFY, "medium", reason)], now)
        others.append(here.orders.object(card, "not me", HOLDER, now))

    office.inside(objected)
    said = office.refused("wang", "orders", "link", others[0].id, "--why", "lost the message")
    assert "a link answers one" in said


def test_who_may_not_search_by_number_does_not_learn_whether_there_is_such_a_card(office: Office) -> None:
    known, unknown = "8613800000005", "8613800000006"
    reason = BilingualText("一天外呼80个陌生号码", "80 strangers called in a day")
    demand = OrderDecision(known, RequestedAction.VERIFY, "medium", reason)
    office.inside(lambda here: receive(here.orders, [demand], app_orders.now()))
    for who, *words in (("bureau", "show"), ("liaison", "pass")):
        why = ("--why", "curious")
        told = {office.refused(who, "orders", *words, card, *why) for card in (known, unknown)}
        assert len(told) == 1
        assert "may not search orders by number" in told.pop()
    assert "opened" in office.out("wang", "orders", "show", known)
