"""The headline figures by HTTP: counts for all who read figures, rows for the staff alone."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from duanka.domain.order import Role
from duanka.domain.person import WITH_KEYS
from support.api.asking import one_store, own_calling, own_desk, own_people
from support.api.desks import Caller, TestDesk
from support.assessment.histories import Ended, ended
from support.orders.books import HOUR, NOW

store = pytest.fixture(one_store)
desk = pytest.fixture(own_desk)
calling = pytest.fixture(own_calling)
people = pytest.fixture(own_people)
People = Mapping[Role, Caller]
PERIOD = {"since": NOW.isoformat(), "until": (NOW + HOUR).isoformat()}


@pytest.mark.requirement("R12")
def test_counts_for_all_and_rows_for_the_staff(desk: TestDesk, people: People) -> None:
    ended(desk.store, [Ended(number, NOW, ("甲", "石家庄")) for number in range(3)])
    for role in (Role.DESK, Role.SUPERVISOR, Role.REGULATOR):
        answer = people[role].get("/figures/headline", by="operator", **PERIOD)
        assert answer.status_code == 200, answer.text
        found = {(one["figure"], one["group"]): one["count"] for one in answer.json()["items"]}
        assert found["numbers_handled", None] == found["numbers_handled", "甲"] == 3
        assert found["calls_intercepted", None] is None
    answers = {
        role: people[role].get("/figures/headline/numbers_handled", limit=2, **PERIOD) for role in WITH_KEYS
    }
    assert {role: one.status_code for role, one in answers.items()} == {
        Role.DESK: 200,
        Role.SUPERVISOR: 200,
        Role.REGULATOR: 403,
        Role.POLICE: 403,
    }
    page = answers[Role.DESK].json()
    rest = people[Role.DESK].get("/figures/headline/numbers_handled", after=page["next"], **PERIOD).json()
    assert [row["about"][-4:] for row in page["items"] + rest["items"]] == ["0000", "0001", "0002"]
    assert rest["next"] is None
    none = people[Role.DESK].get("/figures/headline/numbers_handled", operator="-", **PERIOD).json()
    assert none["items"] == []
