"""`duanka victims` as people type it, and the same by HTTP."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import Settings
from duanka.domain.order import Role
from support.api.asking import one_store, own_calling, own_desk, own_people
from support.api.desks import Caller, TestDesk, card, phone
from support.casework.victim_scene import FELLOW, FRAUD, LOCAL, WORKED_ON, world
from support.desk import Typed, duanka
from support.engine.filled_store import fill
from support.people import people_of

store = pytest.fixture(one_store)
desk = pytest.fixture(own_desk)
calling = pytest.fixture(own_calling)
people = pytest.fixture(own_people)
pytestmark = pytest.mark.requirement("R9")
BASIS = ("--why", "the bank asked", "--police-notice", "7")


@dataclass(frozen=True)
class Office:
    """An order database with a confirmed card, a key of each of its people, and a store beside it."""

    folder: Path
    keys: Mapping[str, str]

    def type(self, *words: str, who: str = "desk", language: str = "en", group: str = "victims") -> Typed:
        return duanka(
            *("--language", language, group, *words),
            DUANKA_ORDERS=str(self.folder / "orders"),
            DUANKA_STORE=str(self.folder / "store"),
            DUANKA_API_KEY=self.keys[who],
        )


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    folder = tmp_path_factory.mktemp("office")
    roles = {"desk": Role.DESK, "boss": Role.SUPERVISOR, "police": Role.POLICE}
    settings = Settings(orders=folder / "orders", store=folder / "store")
    keys = people_of(settings, {f"the.{name}": role for name, role in roles.items()})
    fill(folder / "store", world(), at=LOCAL)
    (folder / "cards.csv").write_text(f"{FRAUD}\n")
    (folder / "others.csv").write_text(f"{FELLOW}\n")
    with app_orders.desk(settings, policy_named("national")) as here:
        boss, police = (here.keys.who(keys[f"the.{one}"]) for one in ("boss", "police"))
        assert boss
        assert police
        app_orders.attach_store(here, None, boss, "a test")
        here.orders.police_stop(FRAUD, "A2026-1", police, "confirmed", here.now())
    return Office(folder, {name: keys[f"the.{name}"] for name in roles})


def test_from_a_list_of_cards_to_the_outcome_of_a_call(office: Office) -> None:
    cards = str(office.folder / "cards.csv")
    until = ("--until", f"{LOCAL:%Y-%m-%dT%H:%M}")
    found = office.type("find", "--cards", cards, *BASIS, *until)
    assert found.code == 0, found.err
    assert "1 confirmed card(s)" in found.out
    assert "+86 139****0001" in found.out
    assert "longest call 25 minutes; 1 contacts with a bank right after" in found.out
    assert "Left out: " in found.out
    assert WORKED_ON not in found.out
    warned = office.type("warn", "--cards", cards, *BASIS, *until, language="zh")
    assert "新增预警 2 条" in warned.out
    waiting = office.type("worklist", "--why", "today's calls", "--json")
    victim = re.search(r"W[0-9A-Z]{12}", waiting.out)
    assert victim
    claimed = office.type("claim", victim[0], "--why", "it is my turn")
    assert f"+{WORKED_ON}" in claimed.out
    assert "请问您是否已经转账" in re.sub(r"\s", "", claimed.out)
    done = office.type("outcome", victim[0], "--outcome", "dissuaded", "--note", "hung up", language="zh")
    assert "已劝阻；已回访" in done.out


def test_cards_that_nobody_confirmed_take_two_people(office: Office) -> None:
    others = str(office.folder / "others.csv")
    refused = office.type("find", "--cards", others, *BASIS, language="zh")
    assert refused.code != 0
    assert "1 个号码未经公安机关确认涉案" in refused.err
    made = office.type("propose", "--cards", others, *BASIS)
    number = re.search(r"H[0-9A-Z]{12}", made.out)
    assert number
    assert "is approved" in office.type("approve", number[0], "--why", "seen", who="boss").out


def test_the_same_by_http(desk: TestDesk, people: Mapping[Role, Caller]) -> None:
    asked = {"phoneNumbers": [phone()], "policeNotice": "7", "why": "the bank asked"}
    asked |= {"until": "2026-03-01T10:00:00+08:00"}
    assert people[Role.DESK].post("/victims/find", asked).status_code == 409, "nobody confirmed it"
    stop = {"phoneNumber": phone(), "caseNumber": "A2026-1", "why": "confirmed"}
    assert people[Role.POLICE].post("/cards/police-stop", stop).is_success
    found = people[Role.DESK].post("/victims/find", asked).json()
    (only,) = found["items"]
    assert (only["number"], only["longest"]) == ("+86 139****9000", 1_500)
    assert "最长通话25分钟" in only["reasons"]["zh"]
    assert people[Role.POLICE].post("/victims/warn", asked).status_code == 403
    assert people[Role.DESK].post("/victims/warn", asked).json()["warned"] == 1
    assert people[Role.DESK].post("/victims/warn", asked).json()["warned"] == 0
    listed = people[Role.DESK].post("/victims/search", {"why": "today's"}).json()
    victim = listed["items"][0]["id"]
    file = people[Role.POLICE].post(f"/victims/{victim}/retrieve", {"why": "our case"}).json()
    assert file["messages"][0]["kind"] == "warning"
    assert "尾号" in file["messages"][0]["body"]
    claimed = people[Role.DESK].post("/victims/claim", {"why": "my turn", "victimId": victim}).json()
    assert claimed["victim"]["number"].startswith("+86139")
    said = {"outcome": "already_paid", "note": "told the police"}
    done = people[Role.DESK].post(f"/victims/{victim}/outcome", said).json()
    assert (done["callState"], done["outcome"]) == ("done", "already_paid")
    period = {"since": "2020-01-01T00:00:00Z", "until": "2030-01-01T00:00:00Z"}
    figures = people[Role.REGULATOR].get("/victims/figures", **period).json()
    assert [one["outcomes"]["already_paid"] for one in figures["items"]] == [1]
    assert card(0) not in str(listed)
