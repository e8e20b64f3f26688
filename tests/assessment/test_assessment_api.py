"""The assessment over HTTP: the same services, the same permissions, the same refusals as by command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, insert

from duanka.domain.order import Role
from duanka.domain.person import Scope
from duanka.ledger.db.assessment.listings import assessment_candidates, assessment_figures
from duanka.ledger.db.database import Store
from support.api.desks import Caller, TestDesk, callers, desk_on
from support.orders.books import POLICE, card

DAY = timedelta(days=1)
World = tuple[TestDesk, Mapping[Role, Caller]]
FACTS = (
    '{"periods": ["2026-01"], "events": 9, "exposure": 800, "expected": 1.5, "ratio": 6.0, "lower": 2.5, "upper": 11.0,'
    ' "beyond": 6.0, "worse": [0.999], "chance": 0.0001, "false_discovery": 0.01, "runs": ["Y0"]}'
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = Store(f"sqlite:///{tmp_path}/orders.sqlite")
    desk = desk_on(store)
    with callers(desk.api()) as calling:
        yield desk, {role: calling(key) for role, key in desk.given.items()}
    store.close()


def test_a_period_is_counted_read_and_opened(world: World) -> None:
    desk, people = world
    for number in range(3):
        desk.orders.police_stop(card(number), "A1", POLICE, "notice", desk.clock())
    desk.clock.now = desk.clock() + 60 * DAY
    refused = people[Role.DESK].post("/assessment-runs", {"period": "2026-03"})
    assert (refused.status_code, refused.json()["code"]) == (403, "PERMISSION_DENIED")
    assert people[Role.REGULATOR].post("/assessment-runs", {"period": "2026-13"}).status_code == 400
    assert people[Role.REGULATOR].post("/assessment-runs", {"period": "2030-01"}).status_code == 409
    made = people[Role.REGULATOR].post("/assessment-runs", {"period": "2026-03"})
    assert made.status_code == 201, made.text
    run = made.json()
    assert (run["missing"], run["unjudged"]) == (["2026-02"], [])
    where = f"/assessment-runs/{run['id']}"
    assert people[Role.DESK].get(where).json() == run
    assert [one["id"] for one in people[Role.DESK].get("/assessment-runs").json()["items"]] == [run["id"]]
    page = people[Role.REGULATOR].get(f"{where}/figures", by="operator", measure="confirmed").json()
    (figure,) = page["items"]
    assert (figure["unit"], figure["count"], figure["exposure"], figure["value"]) == ("op", 3, 1_000, 30.0)
    assert figure["lower"] < 30 < figure["upper"]
    pages = [
        people[Role.REGULATOR].get(f"{where}/figures", limit=5, **more).json()
        for more in ({}, {"after": "5"})
    ]
    assert [len(one["items"]) for one in pages] == [5, 5]
    assert (pages[0]["next"], pages[0]["items"][0] != pages[1]["items"][0]) == ("5", True)
    behind = {"measure": "confirmed", "by": "operator", "unit": "op", "limit": 2}
    assert people[Role.REGULATOR].get(f"{where}/rows", **behind).status_code == 403
    first = people[Role.DESK].get(f"{where}/rows", **behind).json()
    rest = people[Role.DESK].get(f"{where}/rows", **behind, after=first["next"]).json()
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (2, 1, None)
    assert all("****" in row["about"] for row in first["items"] + rest["items"])
    formulas = people[Role.REGULATOR].get("/assessment-formulas").json()["items"]
    assert {one["measure"] for one in formulas} >= {"confirmed", "wrongful", "restore_p95"}


def test_a_run_says_which_kinds_of_units_were_not_judged(world: World) -> None:
    desk, people = world
    desk.orders.police_stop(card(0), "A1", POLICE, "notice", desk.clock())
    desk.clock.now = desk.clock() + 60 * DAY
    people[Role.REGULATOR].post("/assessment-runs", {"period": "2026-02"})
    run = people[Role.REGULATOR].post("/assessment-runs", {"period": "2026-03"}).json()
    assert run["missing"] == []
    (told,) = (one for one in run["unjudged"] if (one["measure"], one["kind"]) == ("confirmed", "operator"))
    assert (told["units"], told["left"]) == (1, 1)
    assert "Not judged: confirmed cards by operator, 1 of 1 units" in told["why"]["en"]
    assert "未判定" in told["why"]["zh"]
    assert people[Role.DESK].get(f"/assessment-runs/{run['id']}").json() == run


def test_a_unit_goes_on_the_list_and_off_it(world: World) -> None:
    desk, people = world
    desk.clock.now = desk.clock() + 60 * DAY
    run = people[Role.REGULATOR].post("/assessment-runs", {"period": "2026-03"}).json()["id"]
    asked = {"runId": run, "measure": "confirmed", "kind": "outlet", "unit": "S1", "why": "two months"}
    refused = people[Role.REGULATOR].post("/listings", asked)
    assert refused.status_code == 409
    assert "nothing is listed by its rank" in refused.json()["message"]
    with desk.store.writing() as connection:
        unit = {"run_id": run, "measure": "confirmed", "kind": "outlet", "unit": "S1", "facts": FACTS}
        connection.execute(insert(assessment_candidates).values(**unit, operator="op", city="130100"))
    meeting = people[Role.REGULATOR].get(f"/assessment-runs/{run}/candidates").json()
    (candidate,) = meeting["items"]
    assert "in each of 2 periods" in meeting["criterion"]["en"]
    assert (candidate["unit"], candidate["facts"]["falseDiscovery"]) == ("S1", 0.01)
    made = people[Role.REGULATOR].post("/listings", asked)
    assert made.status_code == 201, made.text
    where = f"/listings/{made.json()['id']}"

    def acts() -> dict[Role, list[str]]:
        return {
            role: people[role].get(where).json()["acts"]
            for role in (Role.DESK, Role.SUPERVISOR, Role.REGULATOR)
        }

    assert acts() == {  # the regulator proposed it
        Role.DESK: [],
        Role.SUPERVISOR: ["approve", "reject"],
        Role.REGULATOR: ["reject"],
    }
    assert people[Role.REGULATOR].post(f"{where}/approve", {"why": "w"}).status_code == 403
    listed = people[Role.SUPERVISOR].post(f"{where}/approve", {"why": "seen"}).json()
    assert (listed["state"], listed["termDays"], len(listed["noticeDigest"])) == ("listed", 30, 64)
    assert people[Role.SUPERVISOR].post(f"{where}/approve", {"why": "again"}).status_code == 409
    assert people[Role.REGULATOR].post(f"{where}/evidence", {"text": "t"}).status_code == 403
    assert people[Role.DESK].post(f"{where}/evidence", {"text": "closed"}).json()["state"] == "evidence_filed"
    assert (
        people[Role.REGULATOR].post(f"{where}/check", {"mended": True, "why": "w"}).json()["state"]
        == "mended"
    )
    assert acts() == {  # the regulator checked it
        Role.DESK: [],
        Role.SUPERVISOR: ["find_not_mended", "delist"],
        Role.REGULATOR: [],
    }
    assert people[Role.REGULATOR].post(f"{where}/delist", {"why": "w"}).status_code == 403
    assert people[Role.SUPERVISOR].post(f"{where}/delist", {"why": "w"}).json()["state"] == "delisted"
    told = people[Role.DESK].get(where).json()
    assert [step["event"] for step in told["steps"]] == [
        *("propose", "approve", "file_evidence", "find_mended", "delist")
    ]
    assert people[Role.DESK].get("/listings").json()["items"] == []
    assert len(people[Role.DESK].get("/listings", all=True).json()["items"]) == 1
    assert people[Role.DESK].get("/listings/Z000000000000").status_code == 404


def test_units_are_compared_with_limits_of_chance(world: World) -> None:
    desk, people = world
    desk.clock.now = desk.clock() + 60 * DAY
    run = people[Role.REGULATOR].post("/assessment-runs", {"period": "2026-03"}).json()["id"]
    asked = {"by": "city", "measure": "confirmed"}
    alone = people[Role.REGULATOR].get(f"/assessment-runs/{run}/comparison", **asked).json()
    assert "fewer than" in alone["whyNot"]["en"]
    assert alone["funnel"] is None
    with desk.store.writing() as connection:
        of_cities = (assessment_figures.c.run_id == run, assessment_figures.c.kind == "city")
        connection.execute(delete(assessment_figures).where(*of_cities))
        rows = [
            {"run_id": run, "measure": "confirmed", "kind": "city", "unit": f"1301{at:02}", "count": count}
            | {"exposure": 10_000 * (at + 1), "operator": "", "city": f"1301{at:02}"}
            for at, count in enumerate([9, 21, 28, 41, 52, 58, 400, 79, 92, 99, 110, 121])
        ]
        connection.execute(insert(assessment_figures), rows)
    found = people[Role.DESK].get(f"/assessment-runs/{run}/comparison", **asked, limit=5).json()
    assert (found["total"], len(found["units"]), found["whyNot"]) == (12, 5, None)
    worst = found["units"][0]
    assert (worst["unit"], worst["count"], worst["place"]) == ("130106", 400, 2)
    assert worst["lower"] < worst["compared"] < worst["upper"]
    assert worst["rankLow"] <= worst["rank"] <= worst["rankHigh"] == 12
    for limits in found["funnel"]["limits"]:
        assert len(limits["lower"]) == len(limits["upper"]) == len(found["funnel"]["at"])
        assert limits["lower"][60] < found["funnel"]["target"] < limits["upper"][60]
    key = desk.people.add("of.one", Role.DESK, Scope(frozenset({"op"})))
    with callers(desk.api()) as calling:
        assert calling(key).get(f"/assessment-runs/{run}/comparison", **asked).status_code == 409
