"""Takes over HTTP: what was taken, what is held and released, a take undone, many withdrawn."""

from __future__ import annotations

from pathlib import Path

from duanka.decision_log.reader import DecisionFile, KeptLines
from duanka.domain.order import Person, Role
from duanka.domain.take import Choice
from duanka.ledger.db.database import Store
from duanka.orders.bulk_actions.execution import AT_ONCE
from duanka.orders.intake.taking import DecisionTaker
from support.api.desks import KEY, NOW, callers, demand, desk_on, phone
from support.decided import decide, high, medium
from support.orders.books import receive


def test_a_take_is_seen_released_undone_and_withdrawn_by_http(store: Store, tmp_path: Path) -> None:
    desk = desk_on(store)
    out = decide(tmp_path / "out", KEY, [*medium(1, 2, 3), *high(11)])
    choice = Choice(hold=frozenset({phone(2).removeprefix("+")}))
    taking = DecisionTaker(
        desk.orders, DecisionFile(out, KEY), KeptLines(KEY), frozenset, choice, f"of {phone(9)}"
    )
    clerk_of_desk = Person("the.desk", Role.DESK)
    tried = taking.preview(NOW, clerk_of_desk)
    assert tried.opened_by == {
        "tier": {"medium": 2, "high": 1},
        "rule": {"fan_out": 3},
        "city": {"130100": 3},
    }
    taking.take(NOW, clerk_of_desk)
    with callers(desk.api()) as calling:
        clerk, second = (calling(desk.given[role]) for role in (Role.DESK, Role.SUPERVISOR))
        (take,) = clerk.get("/takes").json()["items"]
        assert take["counts"]["opened"] == 3
        assert take["kept"] == {"held": 1}
        assert take["coversWords"]["en"] == take["covers"] != ""
        (held,) = clerk.get("/held-decisions").json()["items"]
        assert (held["phoneNumber"], held["why"]) == ("+86 130****0002", "of +86 130****0009")
        asked = {"phoneNumber": phone(2)}
        (kept,) = clerk.post("/cards/retrieve-dossier", asked).json()["kept"]
        facts = {"why": "held", "tier": "medium", "by": "the.desk", "takeId": take["id"]}
        assert {name: kept[name] for name in facts} == facts
        assert kept["reason"] == "of +86 130****0009", "as it was written, with its number masked"
        police = calling(desk.given[Role.POLICE]).post(
            "/cards/retrieve-dossier", {**asked, "caseNumber": "A1"}
        )
        assert police.json()["kept"] == [], "for whoever takes decisions alone"
        other = {"why": "of another rule", "rules": ["shared_device"]}
        assert clerk.post("/held-decisions/take", other).json()["opened"] == 0
        mine = {"why": "it is none", "rules": ["night_calls"], "cities": ["130100"], "tiers": ["medium"]}
        assert clerk.post("/held-decisions/take", mine).json()["opened"] == 1
        assert clerk.post("/cards/retrieve-dossier", asked).json()["kept"] == []
        undone = clerk.post(f"/takes/{take['id']}/undo", {"why": "wrong"}).json()
        assert (undone["act"]["done"], undone["proposed"]["total"]) == (2, 1)
        assert clerk.post(f"/takes/{take['id']}/undo", {"why": "wrong"}).json() == undone
        assert clerk.post("/withdrawals", {"why": "w"}).status_code in (409, 422)
        act = clerk.post("/withdrawals", {"tiers": ["medium"], "rules": ["night_calls"], "why": "w"})
        assert (act.status_code, act.json()["done"]) == (201, 1)
        second.post(f"/acts/{undone['proposed']['id']}/approve", {"why": "right"})
        desk.bulk_actions.carry_out(NOW)
        assert second.get("/orders", open=True).json()["items"] == []


def test_one_request_withdraws_a_part_and_the_worker_the_rest(store: Store) -> None:
    desk = desk_on(store)
    receive(desk.orders, [demand(number) for number in range(AT_ONCE + 1)], NOW)
    with callers(desk.api()) as calling:
        act = calling(desk.given[Role.DESK]).post("/withdrawals", {"tiers": ["medium"], "why": "w"}).json()
    assert (act["state"], act["done"]) == ("running", AT_ONCE)
    desk.bulk_actions.carry_out(NOW)
    assert desk.bulk_actions.get(act["id"]).done == AT_ONCE + 1
