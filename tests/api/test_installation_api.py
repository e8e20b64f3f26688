"""What supervisors and regulators read of the installation: its rules, and alarms that a supervisor clears."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from duanka.domain.limit_words import limit_in_words
from duanka.domain.order import Role
from duanka.ledger.db import tables
from duanka.rules import RULES
from support.api.asking import own_calling, own_desk, own_people
from support.api.desks import NOW, Caller, TestDesk

desk = pytest.fixture(own_desk)
calling = pytest.fixture(own_calling)
people = pytest.fixture(own_people)

People = Mapping[Role, Caller]


def test_every_rule_is_told_with_its_limits_in_force(desk: TestDesk, people: People) -> None:
    said = people[Role.REGULATOR].get("/rules").json()
    assert said["policy"]["id"] == desk.policy.id
    by_id = {one["id"]: one for one in said["items"]}
    assert list(by_id) == [rule.id for rule in RULES]
    for rule in RULES:
        told, values = by_id[rule.id], desk.policy.limits(rule)
        assert told["why"] == {"zh": rule.why.zh, "en": rule.why.en}
        assert told["lookAlikes"]["zh"] == rule.look_alikes.zh
        assert told["rebuttal"]["zh"] == rule.rebuttal.zh
        assert (told["source"]["grade"], told["source"]["words"]["en"]) == (
            rule.source.grade,
            rule.source.text,
        )
        assert told["runs"] is (rule.id in desk.policy.rules)
        assert {one["name"]: one["inForce"]["zh"] for one in told["limits"]} == {
            name: limit_in_words(value, rule.limits[name].unit).zh for name, value in values.items()
        }
    assert people[Role.POLICE].get("/rules").status_code == 403


def test_a_supervisor_clears_an_alarm_and_the_trail_says_why(desk: TestDesk, people: People) -> None:
    with desk.store.writing() as connection:
        connection.execute(
            tables.alarms.insert().values(source="call_proxy", since=NOW, raised_at=NOW, detail="no answer")
        )
    asked = {"source": "call_proxy", "why": "its cable was out"}
    assert people[Role.DESK].post("/alarms/clear", asked).status_code == 403
    assert people[Role.SUPERVISOR].post("/alarms/clear", asked | {"why": " "}).status_code == 400
    assert people[Role.SUPERVISOR].get("/alarms", open="true").json()["items"] != []
    assert people[Role.SUPERVISOR].post("/alarms/clear", asked).status_code == 204
    assert people[Role.SUPERVISOR].get("/alarms", open="true").json()["items"] == []
    assert people[Role.SUPERVISOR].post("/alarms/clear", asked).status_code == 409
    with desk.store.reading() as connection:
        (row,) = connection.execute(
            tables.audit.select().where(tables.audit.c.what == "alarm.clear")
        ).mappings()
    assert (row["who"], row["why"]) == ("the.supervisor", "its cable was out")
