"""An invented quarter of an order database: cards asked, stopped, given back, confirmed, over three months.

Everything happens through the services, at moments that a seed chooses; a register says whose each card is.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, update

from duanka.domain.assessment import AssessmentPeriod, UnitKind, month_of
from duanka.domain.assessment_lookups import ActiveCards
from duanka.domain.card_age import age_of
from duanka.domain.card_facts import RegisteredCard
from duanka.domain.order import SYSTEM, Event, Kind, Order, Person, Role
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import AuditEntry
from duanka.ledger.db.casework.accounts import account_answers, account_requests
from duanka.ledger.db.casework.victims import forgotten_warnings, victim_messages, victim_outcomes
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import notices
from duanka.ledger.unit_of_work.confirmations import withdraw
from duanka.orders.bulk_actions.service import BulkActionService
from support.order_policies import AT_ONCE
from support.orders.books import DESK, HOUR, POLICE, SECOND, book_on, card, demand, receive

BEGIN = datetime(2026, 1, 1, tzinfo=UTC) - 8 * HOUR  # of the year in Beijing
END = datetime(2026, 5, 20, 4, tzinfo=UTC)  # after all that follows: when it is counted
HOLDER = Person("holder", Role.HOLDER)
OPERATORS, CITIES = ("甲", "乙"), ("130100", "130200", "130300")
OUTLETS = tuple(f"S{number}" for number in range(6))
PLATFORMS = ("weiliao", "pinpin")
_WHY = BilingualText("出租号码", "rented out")


@dataclass
class Register:
    """What a store says of cards, and how many are in use; `unknown`: cards that are not in it."""

    cards: dict[str, RegisteredCard] = field(default_factory=dict)

    def registered(self, cards: Collection[str]) -> Sequence[RegisteredCard]:
        return [self.cards[one] for one in sorted(cards) if one in self.cards]

    def active_cards(
        self, since: datetime, until: datetime, also: Collection[str]
    ) -> Sequence[ActiveCards] | None:
        if since.year != 2026:
            return None
        found = []
        for kind in (UnitKind.OPERATOR, UnitKind.CITY, UnitKind.OUTLET, UnitKind.OPENING_MONTH):
            by_unit = dict[str, list[RegisteredCard]]()
            for one in self.cards.values():
                by_unit.setdefault(unit_of(one, kind), []).append(one)
            for unit, cards in sorted(by_unit.items()):
                places = {one.operator for one in cards}, {one.home_city for one in cards}
                operator, city = (one.pop() if len(one) == 1 else "" for one in places)
                if kind is not UnitKind.OUTLET:
                    operator = unit if kind is UnitKind.OPERATOR else ""
                    city = unit if kind is UnitKind.CITY else ""
                period = AssessmentPeriod.read(month_of(since))
                months = (until.year - since.year) * 12 + until.month - since.month
                by_age = Counter(age_of(opened_in(one), replace(period, months=months)) for one in cards)
                times = {age: count * 100 for age, count in by_age.items()}
                found.append(ActiveCards(kind, unit, times, operator, city))
        return found


def opened_in(one: RegisteredCard) -> str:
    """The month in which a card of the register was opened; "": unknown."""
    return month_of(one.opened_at) if one.opened_at else ""


def unit_of(one: RegisteredCard, kind: UnitKind) -> str:
    """The unit of a card of the register."""
    return {
        UnitKind.OPERATOR: one.operator,
        UnitKind.CITY: one.home_city,
        UnitKind.OUTLET: one.outlet,
        UnitKind.OPENING_MONTH: opened_in(one),
    }[kind]


class Quarter:
    """Lives of `cards` in a store, and the register."""

    def __init__(self, store: Store, cards: int = 90, seed: int = 5) -> None:
        self.store, self.random = store, random.Random(seed)
        self.book = book_on(store, replace(AT_ONCE, restore_undecided=True))
        self.acts = BulkActionService(self.book)
        self.register = Register()
        for number in range(cards):
            self._live(number)
        self._notices_and_accounts()
        self._victims()

    def _at(self) -> datetime:
        return BEGIN + timedelta(minutes=self.random.randrange(95 * 24 * 60))

    def _live(self, number: int) -> None:
        operator, city = self.random.choice(OPERATORS), self.random.choice(CITIES)
        outlet, at = self.random.choice(OUTLETS), self._at()
        if number % 11:  # others are not in the register
            opened = datetime(2025, 9, 1) + timedelta(days=self.random.randrange(100))
            known = opened if number % 17 != 5 else None
            self.register.cards[card(number)] = RegisteredCard(
                card(number), "h", "person", operator, city, outlet if number % 7 else "", known
            )
        place = (operator, city) if number % 13 else ("", "")
        if number % 4 == 3:
            self._by_people(number, at)
            return
        receive(self.book, [replace(demand(number), operator=place[0], city=place[1])], at)
        asked = self._open(number, Kind.VERIFICATION)
        self.book.apply(asked.id, Event.DELIVERED, SYSTEM, "receipt", at + HOUR, delivered_at=at + HOUR)
        for story in (self.random.choice((self._passes, self._expires, self._expires, self._fails)),):
            story(number, asked, at + HOUR)

    def _by_people(self, number: int, at: datetime) -> None:
        if self.random.random() < 0.5:
            self.book.police_stop(card(number), f"A{number}", POLICE, "notice", at)
            if self.random.random() < 0.4:
                self.book.police_release(card(number), POLICE, "an error", at + 30 * HOUR)
                self.book.transaction(
                    lambda unit: withdraw(unit, card(number), POLICE, "an error"), at + 31 * HOUR
                )
            return
        act = self.acts.propose(Event.SUSPEND, [card(number)], _WHY, DESK, at)
        self.acts.approve(act.id, SECOND, "seen", at + HOUR)
        self.acts.carry_out(at + HOUR)
        if self.random.random() < 0.5:
            self.acts.undo(act.id, DESK, "the wrong list", at + 9 * HOUR)
            self.acts.carry_out(at + 9 * HOUR)

    def _passes(self, number: int, asked: Order, at: datetime) -> None:
        self.book.apply(asked.id, Event.BEGIN, HOLDER, "begun", at + HOUR)
        self.book.apply(asked.id, Event.PASS, SYSTEM, "seen", at + 2 * HOUR)

    def _fails(self, number: int, asked: Order, at: datetime) -> None:
        self.book.apply(asked.id, Event.BEGIN, HOLDER, "begun", at + HOUR)
        self.book.apply(asked.id, Event.FAIL, DESK, "another face", at + 2 * HOUR)

    def _expires(self, number: int, asked: Order, at: datetime) -> None:
        self.book.sweep(at + 24 * HOUR)
        late = at + self.random.randrange(25, 400) * HOUR
        choice = self.random.randrange(5)
        if choice == 0:
            self.book.apply(asked.id, Event.PASS, DESK, "at the counter", late)
        elif choice in (1, 2):
            objection = self.book.object(card(number), "这是我本人", HOLDER, late)
            self.book.apply(objection.id, Event.ACCEPT, DESK, "read", late)
            decided = Event.UPHOLD if choice == 1 else Event.REJECT
            self.book.apply(objection.id, decided, SECOND, "looked at", late + HOUR)
        elif choice == 3:
            self.book.police_stop(card(number), f"B{number}", POLICE, "notice", late)
        elif choice == 4:
            self.book.object(card(number), "这是我本人", HOLDER, late)
            self.book.sweep(late + 30 * 24 * HOUR)  # nobody decides it

    def _open(self, number: int, kind: Kind) -> Order:
        found = self.book.transaction(lambda unit: unit.open_order(card(number), kind), END)
        assert found is not None
        return found

    def _notices_and_accounts(self) -> None:
        with self.store.writing() as connection:
            for (number,) in connection.execute(notices.select().with_only_columns(notices.c.id)).all():
                outcome = self.random.choice(("sent", "delivered", "undelivered", "given_up", None))
                at = self._at()
                facts = {"outcome": outcome, "done_at": at if outcome else None}
                facts["receipt_at"] = at if outcome in ("delivered", "undelivered") else None
                connection.execute(update(notices).where(notices.c.id == number).values(**facts))
            for number in range(24):
                at, answer = self._at(), self.random.choice(("handled", "refused", "received", None))
                row = {
                    "id": f"Q{number:03}",
                    "card": card(self.random.randrange(90)),
                    "platform": self.random.choice(PLATFORMS),
                    "account": str(number),
                    "kind": "restrict",
                    "ground": "confirmed",
                    "ground_number": str(number),
                    "state": "sent",
                    "operator": self.random.choice(OPERATORS),
                    "city": self.random.choice(CITIES),
                    "requested_by": "wang",
                    "requested_at": at,
                    "sent_at": at,
                    "updated_at": at,
                }
                connection.execute(insert(account_requests).values(**row))
                if answer:
                    told = {"request_id": row["id"], "at": at + HOUR, "state": answer, "who": "platform"}
                    connection.execute(insert(account_answers).values(**told))

    def _victims(self) -> None:
        with self.store.writing() as connection:
            looked = AuditEntry(BEGIN, SYSTEM, "victims.search", "A1")
            self.book.terms.trail.append(connection, [looked])
            for number in range(30):
                victim, at = f"W{number % 20}", self._at()
                places = {"operator": OPERATORS[number % 2], "city": CITIES[number % 20 % 3]}
                row = {"victim_id": victim, "number": "8613900000001", "kind": "warning", "card": card(0)}
                row |= {"occasion": str(number), "body": "x", **places}
                row["outcome"] = ("sent", "delivered", "undelivered")[number % 3]
                moments = dict.fromkeys(("created_at", "next_try_at", "sent_at"), at)
                connection.execute(insert(victim_messages).values(**row, **moments))
                outcome = self.random.choice(("dissuaded", "not_reached", "already_paid"))
                told = {"victim_id": victim, "at": at, "who": "wang", "outcome": outcome, **places}
                connection.execute(insert(victim_outcomes).values(**told))
            gone = {"hour": BEGIN + 24 * HOUR, "kind": "warning", "outcome": "sent", "count": 5}
            connection.execute(insert(forgotten_warnings).values(**gone, operator="乙", city="130200"))
