from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import replace

import pytest

from duanka.domain.assessment import Measure, UnitKind
from duanka.domain.listing import ListingEvent, ListingState
from duanka.domain.network import NetworkState
from duanka.domain.order import SYSTEM, Event, Kind, Role, State
from duanka.domain.phone_number import is_emergency
from duanka.ledger.audit.trail import Fault
from support.api.asking import on_sqlite_alone, own_calling, own_desk, own_people
from support.api.desks import HOUR, NOW, Caller, TestDesk, card, demand, phone
from support.orders.books import receive
from support.phone_number_forms import FORMS, LAB_FORMS, REFUSED

desk = pytest.fixture(own_desk)
calling = pytest.fixture(own_calling)
people = pytest.fixture(own_people)

People = Mapping[Role, Caller]
DESK, SUPERVISOR, REGULATOR, POLICE = Role.DESK, Role.SUPERVISOR, Role.REGULATOR, Role.POLICE


def test_a_case_from_the_question_to_the_release(desk: TestDesk, people: People) -> None:
    order, _ = desk.asked()
    path, works = f"/orders/{order.id}", people[DESK]
    assert works.post(f"{path}/begin").json()["state"] == "in_progress"
    assert works.post(f"{path}/fail").json()["state"] == "failed"
    dossier = works.post("/cards/retrieve-dossier", {"phoneNumber": phone()}).json()
    assert (dossier["state"], dossier["wanted"]) == ("active", "active"), "one person's word stops nobody"
    (proposed,) = people[SUPERVISOR].get("/acts?waiting=true").json()["items"]
    assert people[SUPERVISOR].post(f"/acts/{proposed['id']}/approve").status_code == 200
    desk.bulk_actions.carry_out(NOW)
    dossier = works.post("/cards/retrieve-dossier", {"phoneNumber": phone()}).json()
    assert (dossier["state"], dossier["wanted"]) == ("suspended", "suspended")
    assert {leg["waiting"] for leg in dossier["network"]} == {"suspended"}
    desk.woken.clear()
    passed = works.post(f"{path}/pass", {"why": "came with their document"})
    assert (passed.status_code, passed.json()["state"]) == (200, "passed")
    assert desk.woken, "the network is told at once"
    after = works.post("/cards/retrieve-dossier", {"phoneNumber": phone()}).json()
    assert (after["state"], after["wanted"]) == ("restored", "active")
    trail = works.get(path).json()["trail"]
    assert [(told["who"], told["why"]) for told in trail if told["what"] == "verification.pass"] == [
        ("the.desk", "came with their document")
    ]
    assert not [found for found in desk.trail.verify(desk.store) if isinstance(found, Fault)]


def test_doing_again_what_is_done_gives_the_state(desk: TestDesk, people: People) -> None:
    order, _ = desk.asked()
    path, works = f"/orders/{order.id}", people[DESK]
    for action, state in (
        ("to-counter", "sent_to_counter"),
        ("begin", "in_progress"),
        ("withdraw", "withdrawn"),
    ):
        first, again = works.post(f"{path}/{action}"), works.post(f"{path}/{action}")
        assert (first.status_code, first.json()["state"]) == (200, state)
        assert again.json() == first.json()
    late = works.post(f"{path}/pass")
    assert (late.status_code, late.json()["code"]) == (409, "CONFLICT")
    assert "closed" in late.json()["message"]


def test_a_hardship_gives_time_once(desk: TestDesk, people: People) -> None:
    order, _ = desk.asked()
    desk.orders.apply(order.id, Event.DELIVERED, SYSTEM, "receipt", NOW, delivered_at=NOW)
    path = f"/orders/{order.id}/extend"
    body = {"hardship": "hospital", "why": "a paper of the hospital"}
    first, again = people[DESK].post(path, body), people[DESK].post(path, body)
    assert first.json()["dueAt"] == "2026-03-06T08:00:00Z"
    assert again.json() == first.json()
    other = people[DESK].post(path, body | {"hardship": "roaming"})
    assert (other.status_code, other.json()["code"]) == (409, "CONFLICT")
    unknown = people[DESK].post(path, body | {"hardship": "lazy"})
    assert "roaming, hospital, disability" in unknown.json()["message"]


def test_the_police_stop_and_only_they_release(desk: TestDesk, people: People) -> None:
    body = {"phoneNumber": phone(), "caseNumber": "案件1", "why": "confirmed"}
    stopped = people[POLICE].post("/cards/police-stop", body)
    assert stopped.json()["state"] == "forced_stop"
    assert desk.woken
    again = people[POLICE].post("/cards/police-stop", body)
    assert (again.json()["state"], again.json()["id"]) == ("forced_stop", stopped.json()["id"])
    release = {"phoneNumber": phone(), "why": "it was an error"}
    for role in (DESK, SUPERVISOR, REGULATOR):
        assert people[role].post("/cards/police-stop", body).status_code == 403
        assert people[role].post("/cards/police-release", release).status_code == 403
        assert people[role].post(f"/orders/{stopped.json()['id']}/restore").status_code in (403, 409)
    freed = people[POLICE].post("/cards/police-release", release)
    assert freed.json()["state"] == "restored"
    assert people[POLICE].post("/cards/police-release", release).json() == freed.json()
    nothing = people[POLICE].post("/cards/police-release", release | {"phoneNumber": phone(9)})
    assert nothing.status_code == 409


def test_a_protected_number_is_never_stopped(people: People) -> None:
    body = {"phoneNumber": "+8696110", "caseNumber": "1", "why": "a mistake"}
    refused = people[POLICE].post("/cards/police-stop", body)
    assert (refused.status_code, refused.json()["code"]) == (422, "SERVICE_NOT_APPLICABLE")


def test_an_objection_is_filed_accepted_and_upheld(desk: TestDesk, people: People) -> None:
    order, _ = desk.asked()
    desk.orders.apply(order.id, Event.DELIVERED, SYSTEM, "receipt", NOW)
    desk.orders.sweep(NOW + 24 * HOUR)
    filed = people[DESK].post("/objections", {"phoneNumber": phone(), "text": "I sell cars"}).json()
    assert (filed["kind"], filed["state"]) == ("objection", "filed")
    path = f"/objections/{filed['id']}"
    accepted = people[DESK].post(f"{path}/accept").json()
    assert (accepted["state"], accepted["dueAt"]) == ("accepted", "2026-03-09T08:00:00Z")
    assert people[SUPERVISOR].post(f"{path}/uphold").json()["state"] == "upheld"
    assert people[SUPERVISOR].post(f"{path}/uphold").json()["state"] == "upheld"
    last = desk.reading.last(card(), Kind.RESTRICTION)
    assert last is not None
    assert last.state is State.RESTORED
    assert people[DESK].post(f"{path}/reject").status_code == 409
    none = people[DESK].post("/objections", {"phoneNumber": phone(7), "text": "why me"})
    assert none.status_code == 409


def test_orders_are_listed_and_searched_page_by_page(desk: TestDesk, people: People) -> None:
    receive(desk.orders, [demand(n) for n in range(5)], NOW)
    seen, after = list[str](), None
    while True:
        page = people[REGULATOR].get("/orders", limit=2, **({"after": after} if after else {})).json()
        seen += [order["id"] for order in page["items"]]
        if not (after := page["next"]):
            break
    assert len(seen) == len(set(seen)) == 5
    one = people[DESK].post("/order-searches", {"phoneNumber": phone(3), "open": True}).json()["items"]
    assert [order["phoneNumber"] for order in one] == ["+86 130****0003"]
    assert people[DESK].get("/orders", kind="restriction").json()["items"] == []
    assert len(people[DESK].get("/orders", since="2026-03-02T16:00:00+08:00").json()["items"]) == 5
    assert people[DESK].get("/orders", since="2026-03-02T16:00:00.001+08:00").json()["items"] == []
    assert people[DESK].get("/orders", after="nonsense").status_code == 404


def test_orders_are_filtered_sorted_and_counted(desk: TestDesk, people: People) -> None:
    receive(
        desk.orders, [replace(demand(n), rules=("fan_out", "sim_box")[: 1 + n % 2]) for n in range(4)], NOW
    )
    receive(desk.orders, [replace(demand(9), tier="high")], NOW + HOUR)
    heavy = people[REGULATOR].get("/orders", sort="weight", counts=True, limit=1).json()
    assert [order["tier"] for order in heavy["items"]] == ["high"]
    assert (heavy["counts"]["total"], heavy["counts"]["by"]["tier"]) == (5, {"high": 1, "medium": 4})
    second = people[REGULATOR].get("/orders", sort="weight", after=heavy["next"], limit=1).json()
    assert (second["items"][0]["rules"], second["counts"]) == (["fan_out", "sim_box"], None)
    assert people[REGULATOR].get("/orders", sort="due", after=heavy["next"]).status_code == 404
    assert len(people[DESK].get("/orders", rule="sim_box").json()["items"]) == 2
    assert len(people[DESK].get("/orders", city="-", operator="-", tier="high").json()["items"]) == 1
    assert people[DESK].get("/orders", due="2026-03-02T16:00:00Z").json()["items"] == []
    assert people[DESK].get("/orders", sort="loudest").status_code == 400
    searched = people[DESK].post("/order-searches", {"rule": "sim_box", "sort": "due", "counts": True}).json()
    assert (len(searched["items"]), searched["counts"]["total"]) == (2, 2)
    assert (
        people[REGULATOR].post("/order-searches", {"phoneNumber": phone(3), "counts": True}).status_code
        == 403
    )


def test_numbers_are_masked_unless_asked_for_with_a_reason(desk: TestDesk, people: People) -> None:
    order, _ = desk.asked()
    for role in (DESK, SUPERVISOR, REGULATOR):
        for answer in (people[role].get("/orders"), people[role].get(f"/orders/{order.id}")):
            assert answer.status_code == 200
            assert card() not in answer.text
            assert "+86 130****0000" in answer.text
    full = people[DESK].post(f"/orders/{order.id}/unmask", {"why": "the holder is on the telephone"})
    assert full.json()["order"]["phoneNumber"] == phone()
    assert people[REGULATOR].post(f"/orders/{order.id}/unmask").status_code == 403
    search = {"phoneNumber": phone(), "unmask": {"why": "curious"}}
    assert people[REGULATOR].post("/order-searches", search).status_code == 403
    assert people[DESK].post("/order-searches", search).json()["items"][0]["phoneNumber"] == phone()
    read = people[DESK].get(f"/orders/{order.id}").json()["trail"]
    unmasked = [told for told in read if told["after"].get("unmasked")]
    assert [(told["who"], told["why"]) for told in unmasked] == [
        ("the.desk", "the holder is on the telephone")
    ]


def test_the_police_open_a_dossier_with_their_case(people: People) -> None:
    body = {"phoneNumber": phone()}
    assert people[POLICE].post("/cards/retrieve-dossier", body).status_code == 403
    assert people[POLICE].post("/cards/retrieve-dossier", body | {"caseNumber": "案件1"}).status_code == 200
    assert people[REGULATOR].post("/cards/retrieve-dossier", body).status_code == 403


def test_a_dossier_is_found_by_one_of_its_orders(desk: TestDesk, people: People) -> None:
    order, _ = desk.asked()
    by_order = people[DESK].post(f"/orders/{order.id}/retrieve-dossier", {}).json()
    assert by_order == people[DESK].post("/cards/retrieve-dossier", {"phoneNumber": phone()}).json()
    assert by_order["phoneNumber"] == "+86 130****0000"
    full = people[DESK].post(f"/orders/{order.id}/retrieve-dossier", {"unmask": {"why": "they call"}}).json()
    assert full["phoneNumber"] == phone()
    assert people[POLICE].post(f"/orders/{order.id}/retrieve-dossier", {}).status_code == 403, (
        "without a case"
    )
    named = {"caseNumber": "案件1"}
    assert people[POLICE].post(f"/orders/{order.id}/retrieve-dossier", named).status_code == 200
    assert people[REGULATOR].post(f"/orders/{order.id}/retrieve-dossier", {}).status_code == 403
    assert people[DESK].post("/orders/V0123456789AB/retrieve-dossier", {}).status_code == 404


def test_an_order_says_what_the_person_who_asks_may_do_with_it(desk: TestDesk, people: People) -> None:
    """Each act that it names is allowed, and each that it does not name is refused."""
    paths = {"to_counter": "to-counter", "to_fraud_centre": "to-fraud-centre"}
    every = ("begin", "submit", "pass", "fail", "to_counter", "to_fraud_centre", "withdraw", "restore")
    number = 0
    for role in (DESK, SUPERVISOR):
        for before in ((), ("begin",), ("begin", "submit"), ("to_counter",)):
            for act in every:
                number += 1
                order, _ = desk.asked(number)
                for step in before:
                    people[DESK].post(f"/orders/{order.id}/{paths.get(step, step)}")
                said = people[role].get(f"/orders/{order.id}").json()
                state = said["order"]["state"]
                done = people[role].post(f"/orders/{order.id}/{paths.get(act, act)}")
                again = done.status_code == 200 and done.json()["state"] == state  # done before: no error
                assert (done.status_code == 200 and not again) is (act in said["acts"]), (role, state, act)
    order, _ = desk.asked()
    assert people[REGULATOR].get(f"/orders/{order.id}").json()["acts"] == []


def test_every_value_of_an_order_has_a_word_in_both_languages(people: People) -> None:
    said = people[REGULATOR].get("/vocabulary").json()
    for table, values in (
        *(("states", State), ("kinds", Kind), ("events", Event), ("roles", Role)),
        *(("measures", Measure), ("unitKinds", UnitKind), ("networkStates", NetworkState)),
        *(("listingStates", ListingState), ("listingEvents", ListingEvent)),
    ):
        assert set(said[table]) == {one.value for one in values}
    assert said["states"]["suspended"] == {"zh": "双停", "en": "suspended"}
    assert said["tiers"]["high"] == {"zh": "高", "en": "high"}
    assert said["reasons"]["police_confirmed"]["zh"] == "公安认定涉案"
    assert said["timeZone"] == "Asia/Shanghai"
    for rule in said["rules"].values():
        assert all(words["zh"] and words["en"] for words in rule.values())


def test_decisions_from_elsewhere_become_orders(desk: TestDesk, people: People) -> None:
    one = {"asked": "verify", "tier": "medium", "reason": {"zh": "外呼", "en": "calls"}, "rules": ["fan_out"]}
    body = {"demands": [{"phoneNumber": phone(n), **one} for n in (1, 2)], "why": "the province's list"}
    assert people[DESK].post("/demands", body).json() == {
        "opened": 2,
        "attached": 0,
        "stopped": 0,
        "protected": 0,
        "withdrawn": 0,
        "left": 0,
    }
    assert people[DESK].post("/demands", body).json()["attached"] == 2
    assert desk.woken
    body["demands"][0]["asked"] = "stop"  # type: ignore[index]
    assert people[DESK].post("/demands", body).status_code == 400, "one person alone stops nobody by a list"
    assert people[REGULATOR].post("/demands", body).status_code == 403


BULK = {
    "event": "suspend",
    "phoneNumbers": [phone(1), phone(2), phone(1)],
    "reason": {"zh": "批量外呼", "en": "calls in bulk"},
}


def test_a_stop_by_hand_takes_two(desk: TestDesk, people: People) -> None:
    proposed = people[DESK].post("/acts", BULK)
    assert (proposed.status_code, proposed.json()["total"], proposed.json()["state"]) == (201, 2, "proposed")
    number = proposed.json()["id"]
    path = f"/acts/{number}"
    waiting = people[SUPERVISOR].get("/acts", waiting=True).json()["items"]
    assert [act["id"] for act in waiting] == [number]
    assert people[DESK].post(f"{path}/approve").status_code == 403
    for caller in (people[SUPERVISOR], people[SUPERVISOR]):
        approved = caller.post(f"{path}/approve")
        assert (approved.status_code, approved.json()["approvedBy"]) == (200, "the.supervisor")
    while desk.bulk_actions.carry_out(NOW):
        pass
    done = people[DESK].get(path).json()
    assert (done["state"], done["done"], done["skipped"]) == ("done", 2, 0)
    cards = people[DESK].get(f"{path}/cards", limit=1).json()
    rest = people[DESK].get(f"{path}/cards", after=cards["next"]).json()
    both = [*cards["items"], *rest["items"]]
    assert [(one["phoneNumber"], one["after"]) for one in both] == [
        ("+86 130****0001", "suspended"),
        ("+86 130****0002", "suspended"),
    ]
    for _ in range(2):
        undone = people[DESK].post(f"{path}/undo")
        assert (undone.status_code, undone.json()["state"]) == (200, "undone")
    last = desk.reading.last(card(1), Kind.RESTRICTION)
    assert last is not None
    assert last.state is State.RESTORED
    assert people[DESK].get("/acts/A000").status_code == 404


def test_who_proposed_does_not_approve_and_a_rejected_act_stays_so(people: People) -> None:
    path = f"/acts/{people[SUPERVISOR].post('/acts', BULK).json()['id']}"
    assert people[SUPERVISOR].post(f"{path}/approve").status_code == 403
    for _ in range(2):
        assert people[SUPERVISOR].post(f"{path}/reject").json()["state"] == "rejected"
    assert people[SUPERVISOR].post(f"{path}/approve").status_code == 409
    assert people[DESK].get("/acts", waiting=True).json()["items"] == []


@pytest.mark.requirement("R7.3")
def test_figures_open_to_the_numbers_behind_them(desk: TestDesk, people: People) -> None:
    for number in (1, 2):
        desk.orders.police_stop(card(number), "c", desk.keys.who(desk.given[POLICE]) or SYSTEM, "why", NOW)
    period = {"since": "2026-03-02T00:00:00+08:00", "until": "2026-03-03T00:00:00+08:00"}
    figures = people[REGULATOR].get("/figures", **period).json()
    assert (figures["handled"], figures["handledBy"]) == (2, {"restriction.police_stop": 2})
    page = people[REGULATOR].get("/figures/handled-numbers", limit=1, **period).json()
    rest = people[REGULATOR].get("/figures/handled-numbers", after=page["next"], **period).json()
    both = [*page["items"], *rest["items"]]
    assert [one["phoneNumber"] for one in both] == ["+86 130****0001", "+86 130****0002"]
    for one in both:
        assert people[REGULATOR].get(f"/orders/{one['orderId']}").json()["trail"]
    assert people[REGULATOR].get("/alarms", open=True).json() == {"items": []}
    assert people[REGULATOR].get("/drifts").json() == {"items": []}
    assert people[POLICE].get("/figures", **period).status_code == 403


def test_the_regulator_sees_whether_the_trail_holds(desk: TestDesk, people: People) -> None:
    desk.asked()
    held = people[REGULATOR].get("/audit/verification").json()
    assert (held["holds"], held["faults"]) == (True, [])
    assert held["rows"] >= 5
    with desk.store.writing() as connection:
        connection.exec_driver_sql("UPDATE audit SET who = 'nobody' WHERE seq = 2")
    broken = people[SUPERVISOR].get("/audit/verification").json()
    assert (broken["holds"], [fault["seq"] for fault in broken["faults"]]) == (False, [2])
    assert people[DESK].get("/audit/verification").status_code == 403


@on_sqlite_alone
def test_a_card_is_named_in_any_form_and_what_is_none_is_refused(people: People) -> None:
    works = people[DESK]
    for text in FORMS:
        found = works.post("/cards/retrieve-dossier", {"phoneNumber": text})
        if any(unicodedata.category(letter) == "Cc" and letter != "\t" for letter in text):
            assert found.status_code == 400, f"{text!r}: no person writes that"
            continue
        assert (found.status_code, found.json().get("phoneNumber")) == (200, "+86 138****8000"), text
    for text in LAB_FORMS:
        found = works.post("/cards/retrieve-dossier", {"phoneNumber": text})
        assert (found.status_code, found.json().get("phoneNumber")) == (200, "+86 138****3800"), text
    for text in REFUSED:
        if not is_emergency(text):
            assert works.post("/cards/retrieve-dossier", {"phoneNumber": text}).status_code in (400, 422), (
                text
            )
