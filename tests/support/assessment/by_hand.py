"""The measures counted another way: plain loops over all rows, one life after another; no SQL but SELECT *."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Table, select

from duanka.domain.assessment import AssessmentPeriod, Measure, UnitKind
from duanka.ledger.db.casework.accounts import account_answers, account_requests
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.db.casework.victims import forgotten_warnings, victim_messages, victim_outcomes
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import act_cards, acts, audit, notices, orders
from support.assessment.province import Register, unit_of

Row = Mapping[Any, Any]
ENDED_WELL = ("objection.uphold", "objection.lapse")


@dataclass
class Thing:
    """One thing that a measure is about, with what is known of its place."""

    card: str
    counted: bool
    operator: str
    city: str
    platform: str = ""
    hours: float = 0.0


class ByHand:
    """All rows of an order database, and whose cards they are."""

    def __init__(self, store: Store, register: Register | None, period: str) -> None:
        with store.reading() as connection:

            def all_of(table: Table) -> list[Row]:
                return [dict(row) for row in connection.execute(select(table)).mappings()]

            self.orders = {row["id"]: row for row in all_of(orders)}
            self.trail = defaultdict[str, list[Row]](list)
            for row in sorted(all_of(audit), key=lambda row: row["seq"]):
                self.trail[row["subject"]].append(row)
            self.acts, self.act_cards = {row["id"]: row for row in all_of(acts)}, all_of(act_cards)
            self.confirmations, self.notices = all_of(confirmations), all_of(notices)
            self.requests, self.answers = all_of(account_requests), all_of(account_answers)
            self.warnings, self.outcomes = all_of(victim_messages), all_of(victim_outcomes)
            self.forgotten = all_of(forgotten_warnings)
        chosen = AssessmentPeriod.read(period)
        self.since, self.until = chosen.since, chosen.until
        self.register = register.cards if register else {}

    def within(self, at: datetime | None) -> bool:
        return at is not None and self.since <= at < self.until

    def things(self, measure: Measure) -> list[Thing]:
        how: Mapping[Measure, Callable[[], Iterable[Thing]]] = {
            Measure.CONFIRMED: self._confirmed,
            Measure.IN_TIME: self._in_time,
            Measure.PASSED: self._passed,
            Measure.WRONGFUL: self._wrongful,
            Measure.RESTORE_P50: self._restored,
            Measure.RESTORE_P95: self._restored,
            Measure.UPHELD: self._upheld,
            Measure.UNDELIVERED: self._undelivered,
            Measure.ACCOUNTS: self._accounts,
            Measure.WARNED: self._warned,
            Measure.DISSUADED: self._dissuaded,
        }
        return list(how[measure]())

    def expected(self, measure: Measure, kind: UnitKind | None) -> dict[str, tuple[int, int, float | None]]:
        """Unit -> counted, of how many, hours."""
        if measure is Measure.OUTLETS:
            return self._outlets(kind)
        by_unit = defaultdict[str, list[Thing]](list)
        for thing in self.things(measure):
            by_unit[self.unit(thing, kind)].append(thing)
        found = dict[str, tuple[int, int, float | None]]()
        percent = {Measure.RESTORE_P50: 50, Measure.RESTORE_P95: 95}.get(measure)
        for unit, things in by_unit.items():
            hours = None
            if percent:
                ordered = sorted(thing.hours for thing in things)
                hours = ordered[math.ceil(len(ordered) * percent / 100) - 1]
            found[unit] = sum(thing.counted for thing in things), len(things), hours
        return found

    def unit(self, thing: Thing, kind: UnitKind | None) -> str:
        if kind is None:
            return ""
        if kind is UnitKind.PLATFORM:
            return thing.platform
        known = self.register.get(thing.card)
        told = unit_of(known, kind) if known else ""
        own = {UnitKind.OPERATOR: thing.operator, UnitKind.CITY: thing.city}
        return told or own.get(kind, "")

    def _of_order(self, number: str, counted: bool, hours: float = 0.0) -> Thing:
        row = self.orders[number]
        return Thing(row["card"], counted, row["operator"], row["city"], hours=hours)

    def _events(self, number: str) -> list[tuple[str, datetime]]:
        return [(row["what"].partition(".")[2], row["at"]) for row in self.trail[number]]

    def _of_kind(self, kind: str) -> list[tuple[str, list[tuple[str, datetime]]]]:
        return [(number, self._events(number)) for number, row in self.orders.items() if row["kind"] == kind]

    def _confirmed(self) -> Iterable[Thing]:
        standing = defaultdict[str, list[datetime]](list)
        for row in self.confirmations:
            if row["withdrawn_at"] is None:
                standing[row["card"]].append(row["confirmed_at"])
        for card, moments in standing.items():
            if self.within(min(moments)):
                placed = [row for row in self.orders.values() if row["card"] == card and row["operator"]]
                last = max(placed, key=lambda row: row["opened_at"], default={"operator": "", "city": ""})
                yield Thing(card, True, last["operator"], last["city"])

    def _in_time(self) -> Iterable[Thing]:
        for number, events in self._of_kind("verification"):
            ends = [(event, at) for event, at in events if event in ("pass", "fail", "expire")]
            if ends and self.within(ends[0][1]):
                yield self._of_order(number, ends[0][0] == "pass")

    def _passed(self) -> Iterable[Thing]:
        for number, events in self._of_kind("verification"):
            told = [at for event, at in events if event == "delivered"]
            if told and self.within(told[0]):
                yield self._of_order(number, "pass" in [event for event, _ in events])

    def _wrongful(self) -> Iterable[Thing]:
        for number, row in self.orders.items():
            if row["kind"] != "restriction":
                continue
            mine = self.trail[number]
            stops = [one for one in mine if one["what"].endswith((".suspend", ".punish", ".police_stop"))]
            if not stops or not self.within(stops[0]["at"]):
                continue
            begin = stops[0]["seq"]
            ends = [
                one["at"]
                for one in mine
                if one["seq"] > begin and one["what"].endswith((".restore", ".police_release", ".cancel"))
            ]
            end = min(ends, default=datetime.max.replace(tzinfo=self.since.tzinfo))
            passed = upheld = False
            for other, its in self.orders.items():
                for one in self.trail[other]:
                    if its["card"] == row["card"] and one["what"] == "verification.pass":
                        passed |= one["seq"] > begin and one["at"] <= end
                    if its["parent"] == number and one["what"] in ENDED_WELL:
                        upheld = True
            undone = any(
                one["order_id"] == number and one["outcome"] == "done" and self.acts[one["act_id"]]["undoes"]
                for one in self.act_cards
            )
            yield self._of_order(number, passed or upheld or undone)

    def _restored(self) -> Iterable[Thing]:
        for number, events in self._of_kind("restriction"):
            ends = [at for event, at in events if event in ("restore", "police_release")]
            begins = [
                at for event, at in events if event in ("bar_outgoing", "suspend", "punish", "police_stop")
            ]
            if ends and begins and self.within(ends[0]):
                yield self._of_order(number, True, (ends[0] - begins[0]).total_seconds() / 3600)

    def _upheld(self) -> Iterable[Thing]:
        for number, events in self._of_kind("objection"):
            decided = [(event, at) for event, at in events if event in ("uphold", "reject", "lapse")]
            if decided and self.within(decided[0][1]):
                yield self._of_order(number, decided[0][0] != "reject")

    def _undelivered(self) -> Iterable[Thing]:
        for row in self.notices:
            if self.within(row["done_at"]):
                yield self._of_order(row["order_id"], row["outcome"] in ("undelivered", "given_up"))

    def _accounts(self) -> Iterable[Thing]:
        for row in self.requests:
            if self.within(row["sent_at"]):
                told = [one["state"] for one in self.answers if one["request_id"] == row["id"]]
                place = row["operator"], row["city"], row["platform"]
                yield Thing(row["card"], "handled" in told, *place)

    def _warned(self) -> Iterable[Thing]:
        sent = {
            row["victim_id"]: row
            for row in self.warnings
            if self.within(row["sent_at"]) and row["outcome"] != "undelivered"
        }
        yield from (Thing("", True, row["operator"], row["city"]) for row in sent.values())
        for row in self.forgotten:
            if self.within(row["hour"]):
                yield from [Thing("", True, row["operator"], row["city"])] * row["count"]

    def _dissuaded(self) -> Iterable[Thing]:
        which = {
            row["victim_id"]: row
            for row in self.outcomes
            if self.within(row["at"]) and row["outcome"] == "dissuaded"
        }
        yield from (Thing("", True, row["operator"], row["city"]) for row in which.values())

    def _outlets(self, kind: UnitKind | None) -> dict[str, tuple[int, int, float | None]]:
        counts = defaultdict[str, defaultdict[str, int]](lambda: defaultdict(int))
        for thing in self._confirmed():
            known = self.register.get(thing.card)
            if known and known.outlet:
                counts[self.unit(thing, kind)][known.outlet] += 1
        return {unit: (sum(sorted(by.values())[-10:]), sum(by.values()), None) for unit, by in counts.items()}
