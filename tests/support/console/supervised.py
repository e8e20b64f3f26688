"""What supervisors and regulators look at: two months that were counted, units of all sizes, alarms, a drift."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import delete, insert

from duanka.assessment.candidates import facts_text
from duanka.domain.assessment import AssessmentPeriod, UnitKind
from duanka.domain.listing import ListingFacts
from duanka.domain.order import Person, Role
from duanka.ledger.db import tables
from duanka.ledger.db.assessment.listings import assessment_candidates, assessment_figures
from support.api.desks import TestDesk, card
from support.orders.books import POLICE

REGULATOR = Person("the.regulator", Role.REGULATOR)
WORST = "S017"
UNITS: Mapping[UnitKind, tuple[str, ...]] = {
    UnitKind.OPERATOR: ("移动", "联通", "电信", "广电", "阿里通信", "京东通信", "小米移动"),
    UnitKind.CITY: tuple(f"1301{at:02}" for at in range(11)),
    UnitKind.OUTLET: tuple(f"S{at:03}" for at in range(60)),
}
_RATE = 4e-4  # confirmed cards an active one
_FACTS = ListingFacts(
    periods=("2026-02", "2026-03"),
    events=64,
    exposure=24_000,
    expected=9.8,
    ratio=6.5,
    lower=5.0,
    upper=8.3,
    beyond=21.0,
    worse=(0.9999, 0.9998),
    chance=1e-9,
    false_discovery=0.001,
    runs=("Y0",),
    by_number=9.6,
    by_age=10.4,
)


def counted(desk: TestDesk) -> str:
    """Two months that were counted; the id of the later run, whose units are of all sizes and one is far off."""
    desk.orders.police_stop(card(900), "A1", POLICE, "notice", desk.clock())
    desk.clock.now += timedelta(days=60)
    runs = [
        desk.assessment.runs.run(AssessmentPeriod.read(period), REGULATOR, desk.clock())
        for period in ("2026-02", "2026-03")
    ]
    chance, run = random.Random(7), runs[-1].id
    rows = []
    for kind, units in UNITS.items():
        for at, unit in enumerate(units):
            exposure = int(4_000 * (1 + at % 9) ** 1.6) * (5 if kind is UnitKind.OPERATOR else 1)
            wanted = exposure * _RATE * (9 if unit == WORST else 1)
            count = max(0, round(chance.gauss(wanted, wanted**0.5)))
            rows.append(_row(run, kind, unit, count, exposure))
    facts = facts_text(_FACTS)
    meets = {"run_id": run, "measure": "confirmed", "kind": "outlet", "unit": WORST, "facts": facts}
    with desk.store.writing() as connection:
        column = assessment_figures.c
        kinds = [kind.value for kind in UNITS]
        connection.execute(
            delete(assessment_figures).where(
                column.run_id == run, column.measure == "confirmed", column.kind.in_(kinds)
            )
        )
        connection.execute(insert(assessment_figures), rows)
        connection.execute(insert(assessment_candidates).values(**meets, operator="移动", city="130100"))
    return run


def _row(run: str, kind: UnitKind, unit: str, count: int, exposure: int) -> dict[str, object]:
    place = {
        "operator": unit if kind is UnitKind.OPERATOR else "移动",
        "city": unit if kind is UnitKind.CITY else "130100",
    }
    return {
        "run_id": run,
        "measure": "confirmed",
        "kind": kind.value,
        "unit": unit,
        "count": count,
        "exposure": exposure,
        "standard": exposure * 1.04,
        "basis": 90.0,
        **place,
    }


def troubled(desk: TestDesk) -> None:
    """Two open alarms, one that is over, and an element that did otherwise."""
    now = desk.clock()
    alarms = [
        ("call_proxy", "no answer since 08:00; 14 changes wait", None),
        ("message_proxy", "its list is older than the outbox", None),
        ("home_register", "no answer", now),
    ]
    drift = {"element": "home_register", "card": card(900), "wanted": "suspended", "found": "active"}
    with desk.store.writing() as connection:
        for source, detail, cleared in alarms:
            row = {"source": source, "since": now, "raised_at": now, "detail": detail, "cleared_at": cleared}
            connection.execute(insert(tables.alarms).values(**row))
        connection.execute(insert(tables.drifts).values(**drift, found_at=now))
