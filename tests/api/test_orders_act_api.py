"""Bulk actions over HTTP for orders, whose numbers are masked, and how far network and notices are with one."""

from __future__ import annotations

from duanka.domain.order import Role
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import notices, outbox
from support.api.desks import NOW, callers, card, demand, desk_on
from support.orders.books import receive

REASON = {"zh": "群众举报", "en": "reported"}


def test_a_stop_of_masked_numbers_is_previewed_proposed_approved_and_followed(store: Store) -> None:
    desk = desk_on(store)
    receive(desk.orders, [demand(number) for number in range(3)], NOW)
    with callers(desk.api()) as calling:
        clerk, second = (calling(desk.given[role]) for role in (Role.DESK, Role.SUPERVISOR))
        asked = {"event": "suspend", "matching": {"open": True, "tier": "medium"}}
        answer = clerk.post("/orders/preview-act", asked)
        told = answer.json()
        assert (told["orders"], told["changes"], told["secondPerson"], told["leftOut"]) == (3, 3, True, {})
        assert not [number for number in range(3) if card(number)[2:] in answer.text]
        ids = [one["orderId"] for one in told["items"][:2]]
        made = clerk.post("/orders/propose-act", {"event": "suspend", "orderIds": ids, "reason": REASON})
        assert (made.status_code, made.json()["total"], made.json()["state"]) == (201, 2, "proposed")
        act = made.json()["id"]
        assert clerk.get(f"/acts/{act}/progress").json() == {"elements": [], "notices": {}}
        second.post(f"/acts/{act}/approve", {"why": "seen"})
        desk.bulk_actions.carry_out(NOW)
        _let_the_home_register_answer(store)
        progress = second.get(f"/acts/{act}/progress").json()
        assert {one["element"]: one["counts"] for one in progress["elements"]} == {
            "home_register": {"done": 1, "waiting": 1},
            "call_proxy": {"waiting": 2},
            "message_proxy": {"waiting": 2},
        }
        assert progress["notices"] == {"waiting": 2}
        assert second.get("/acts/A0/progress").status_code == 404


def _let_the_home_register_answer(store: Store) -> None:
    with store.writing() as connection:
        of_first = outbox.c.id.in_(
            connection.execute(
                outbox.select()
                .with_only_columns(outbox.c.id)
                .where(outbox.c.element == "home_register")
                .limit(1)
            ).scalars()
        )
        connection.execute(outbox.update().where(of_first).values(done_at=NOW, outcome="done"))
        # what an earlier step of the verification sent is not the bulk action's
        assert connection.execute(notices.select()).all()


def test_orders_are_named_in_one_way_and_never_too_many(store: Store) -> None:
    desk = desk_on(store)
    with callers(desk.api()) as calling:
        clerk = calling(desk.given[Role.DESK])
        for asked in (
            {"event": "suspend"},
            {"event": "suspend", "orderIds": ["V0123456789AB"], "matching": {}},
            {"event": "pass", "matching": {}},
            {"event": "suspend", "matching": {"phoneNumber": "+8613000000000"}},
            {"event": "suspend", "orderIds": ["V0123456789AB"] * 10_001},
        ):
            assert clerk.post("/orders/preview-act", asked).status_code in (400, 422), asked
        unknown = {"event": "suspend", "orderIds": ["V0123456789AB"]}
        assert clerk.post("/orders/preview-act", unknown).status_code == 404
        assert clerk.post("/orders/propose-act", {**unknown, "reason": REASON}).status_code == 404
        police = calling(desk.given[Role.POLICE])
        assert police.post("/orders/preview-act", {"event": "suspend", "matching": {}}).status_code == 403
