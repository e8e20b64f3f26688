"""The table of transitions is the whole truth: what it does not name raises, and writes nothing."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import func, select, update

from duanka.domain.counter_check import CounterCheck, Document
from duanka.domain.disavowal import DisavowalSeen
from duanka.domain.evidence import Evidence
from duanka.domain.network import NetworkState
from duanka.domain.order import (
    CLOSED,
    FIRST,
    SYSTEM,
    TRANSITIONS,
    Event,
    Kind,
    NoSuchTransition,
    Order,
    OrderError,
    PermissionDenied,
    Person,
    Role,
    State,
    next_state,
)
from duanka.domain.order_decision import RequestedAction
from duanka.domain.order_policy import DeadlineStage, OrderPolicy
from duanka.domain.person import HOLDER
from duanka.domain.restriction_states import in_the_network
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import Fault, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit, cards, notices, orders, outbox
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.disavowals.service import Disavowals
from duanka.orders.service import OrderService
from duanka.orders.verification.counter import Counter as CounterDesk
from support.order_policies import AT_ONCE
from support.orders.books import ELEMENTS, KEY, NOW, book_on, card, decided_by_second, demand, receive

STATES = {
    kind: sorted({s for row in TRANSITIONS if row.kind is kind for s in (row.before, row.after)})
    for kind in Kind
}
TABLE = {(row.kind, row.before, row.event): row for row in TRANSITIONS}


def test_no_two_rows_lead_from_one_state_by_one_event() -> None:
    assert len(TABLE) == len(TRANSITIONS)
    assert all(row.who for row in TRANSITIONS)


def test_every_state_can_be_reached_and_only_closed_ones_are_left_by_nothing() -> None:
    for kind in Kind:
        reached = {FIRST[kind]} | {row.after for row in TRANSITIONS if row.kind is kind}
        assert reached == set(STATES[kind])
        left = {row.before for row in TRANSITIONS if row.kind is kind}
        assert set(STATES[kind]) - left == set(STATES[kind]) & CLOSED
    assert {state for kind in Kind for state in STATES[kind]} == set(State)


@pytest.mark.parametrize("kind", Kind)
def test_what_is_not_in_the_table_raises(kind: Kind) -> None:
    for state in State:
        for event in Event:
            for role in Role:
                row = TABLE.get((kind, state, event))
                if row and role in row.who:
                    assert next_state(kind, state, event, role) is row.after
                else:
                    with pytest.raises(PermissionDenied if row else NoSuchTransition):
                        next_state(kind, state, event, role)


def _everything(store: Store) -> list[object]:
    with store.reading() as connection:
        rows: list[object] = [*connection.execute(select(orders).order_by(orders.c.id)).all()]
        rows += [
            connection.execute(select(func.count()).select_from(t)).scalar_one()
            for t in (audit, outbox, notices, cards)
        ]
        return rows


@pytest.mark.parametrize("kind", Kind)
def test_what_is_not_in_the_table_writes_nothing(store: Store, kind: Kind) -> None:
    book = book_on(store)
    receive(book, [demand(n) for n in range(len(STATES[kind]))], NOW)
    if kind is not Kind.VERIFICATION:
        for number in range(len(STATES[kind])):
            book.police_stop(card(number), "case", Person("p", Role.POLICE), "why", NOW)
    said = Disavowals(book)
    for number in range(len(STATES[kind])):
        if kind is Kind.OBJECTION:
            book.object(card(number), "异议 objection", HOLDER, NOW)
        if kind is Kind.DISAVOWAL:
            said.record(card(number), NOT_MINE, Person("w", Role.DESK), "not theirs", NOW)
    with store.writing() as connection:
        found = select(orders.c.id).where(orders.c.kind == kind.value).order_by(orders.c.card)
        numbers = connection.execute(found).scalars().all()
        for number, state in zip(numbers, STATES[kind], strict=True):
            connection.execute(update(orders).where(orders.c.id == number).values(state=state.value))
    before = _everything(store)
    for number, state in zip(numbers, STATES[kind], strict=True):
        for event in Event:
            row = TABLE.get((kind, state, event))
            for role in (set(Role) - row.who) if row else (Role.SUPERVISOR,):
                with pytest.raises(OrderError):
                    book.apply(number, event, Person("x", role), "try", NOW)
    assert _everything(store) == before


@pytest.mark.parametrize("state", [State.EXPIRED, State.FAILED])
def test_an_order_that_is_closed_never_changes(store: Store, state: State) -> None:
    """A verification that ran out stays as it is when its card is free: nobody passes it a second time."""
    book = book_on(store)
    receive(book, [demand()], NOW)
    number = _open(book)[0].id
    desk = Person("wang", Role.DESK)
    book.apply(number, Event.BEGIN, desk, "came", NOW)
    if state is State.FAILED:
        book.apply(number, Event.FAIL, desk, "another face", NOW)
        decided_by_second(book)
    else:
        book.apply(number, Event.DELIVERED, SYSTEM, "receipt", NOW)
        book.sweep(NOW + timedelta(hours=24))
    later = NOW + timedelta(hours=25)
    BulkActionService(book).propose(Event.RESTORE, [card(0)], BilingualText("误停", "an error"), desk, later)
    before = _everything(store)
    for event in Event:
        for role in Role:
            with pytest.raises(OrderError):
                book.apply(number, event, Person("x", role), "try", later)
    assert _everything(store) == before
    assert _open(book) == []


def _open(book: OrderService) -> list[Order]:
    def work(unit: Any) -> list[Order]:
        with_id = select(orders.c.id).where(orders.c.closed_at.is_(None)).order_by(orders.c.id)
        return [unit.order(number) for number in unit.connection.execute(with_id).scalars().all()]

    return book.transaction(work, NOW)


# --- a book that anybody does anything to ---

_PEOPLE = [Person(f"{role}-{n}", role) for role in Role for n in (1, 2)]
_CARDS = 4
_fresh = count(10_000, _CARDS)  # cards of one run; all runs share a database
_WHY = BilingualText("窝点", "a farm")
NOT_MINE = DisavowalSeen(
    Document.ID_CARD, "here", person_present=True, in_register=True, statement_signed=True
)
MINE = CounterCheck(Document.ID_CARD, "here", person_present=True, card_in_hand=True, notice_signed=True)
_COUNTS = select(
    *(select(func.count()).select_from(t).scalar_subquery() for t in (audit, outbox, notices, orders, cards))
)


class Anybody(RuleBasedStateMachine):
    """Events in any order by anybody; the invariants hold after each."""

    def __init__(self, store: Store, policy: OrderPolicy) -> None:
        super().__init__()
        self.store, self.orders = store, book_on(store, policy)
        self.bulk_actions = BulkActionService(self.orders)
        self.disavowals = Disavowals(self.orders)
        self.first = next(_fresh)
        self.now = NOW
        self.closed: dict[str, object] = {}
        self.ids: list[str] = []

    def _mine(self) -> list[str]:
        return [card(self.first + n) for n in range(_CARDS)]

    def _tried(self, work: Any) -> None:
        before = self._counts()
        try:
            work()
        except OrderError:
            assert self._counts() == before, "what is refused writes nothing"

    def _counts(self) -> list[int]:
        with self.store.reading() as connection:
            return list(connection.execute(_COUNTS).one())

    @rule(
        which=st.lists(st.integers(0, _CARDS - 1), min_size=1, max_size=5),
        asked=st.sampled_from(RequestedAction),
        tier=st.sampled_from(["medium", "high", "extreme"]),
    )
    def receive(self, which: list[int], asked: RequestedAction, tier: str) -> None:
        received = receive(
            self.orders, [demand(self.first + n, asked, tier=tier, cases=("case",)) for n in which], self.now
        )
        assert sum(vars(received).values()) == len(which)

    @rule(pick=st.integers(0, 999), event=st.sampled_from(Event), by=st.sampled_from(_PEOPLE))
    def act(self, pick: int, event: Event, by: Person) -> None:
        if self.ids:
            number = self.ids[pick % len(self.ids)]
            self._tried(lambda: self.orders.apply(number, event, by, "because", self.now))

    @rule(pick=st.integers(0, 999), way=st.integers(0, 99), by=st.sampled_from(_PEOPLE))
    def one_that_the_table_allows(self, pick: int, way: int, by: Person) -> None:
        if self.ids:
            number = self.ids[pick % len(self.ids)]
            with self.store.reading() as connection:
                at = connection.execute(
                    select(orders.c.kind, orders.c.state).where(orders.c.id == number)
                ).one()
            events = [r.event for r in TRANSITIONS if (r.kind, r.before) == tuple(at) and by.role in r.who]
            if events:
                event = events[way % len(events)]
                until = {"until": self.now + timedelta(hours=5)} if event is Event.PUNISH else {}
                self._tried(lambda: self.orders.apply(number, event, by, "because", self.now, **until))

    @rule(n=st.integers(0, _CARDS - 1), by=st.sampled_from(_PEOPLE))
    def stop(self, n: int, by: Person) -> None:
        self._tried(lambda: self.orders.police_stop(self._mine()[n], "case", by, "why", self.now))

    @rule(n=st.integers(0, _CARDS - 1), by=st.sampled_from(_PEOPLE))
    def release(self, n: int, by: Person) -> None:
        self._tried(lambda: self.orders.police_release(self._mine()[n], by, "an error", self.now))

    @rule(n=st.integers(0, _CARDS - 1))
    def police_stop_and_release(self, n: int) -> None:
        one, another = Person("police-1", Role.POLICE), Person("police-2", Role.POLICE)
        self._tried(lambda: self.orders.police_stop(self._mine()[n], "case", one, "why", self.now))
        self._tried(lambda: self.orders.police_release(self._mine()[n], another, "an error", self.now))

    @rule(n=st.integers(0, _CARDS - 1))
    def holder_objects(self, n: int) -> None:
        self._tried(
            lambda: self.orders.object(self._mine()[n], "不是我", Person("holder", Role.HOLDER), self.now)
        )

    @rule(n=st.integers(0, _CARDS - 1), by=st.sampled_from(_PEOPLE), second=st.sampled_from(_PEOPLE))
    def registrant_disowns(self, n: int, by: Person, second: Person) -> None:
        """At a counter; also who may not record or confirm it tries."""
        counter, mine = CounterDesk(self.orders), self._mine()[n]
        self._tried(lambda: self.disavowals.record(mine, NOT_MINE, by, "not theirs", self.now))
        if order := self.orders.transaction(lambda unit: unit.open_order(mine, Kind.DISAVOWAL), self.now):
            self._tried(lambda: counter.confirm(order.id, second, "seen too", self.now))

    @rule(n=st.integers(0, _CARDS - 1))
    def two_of_the_staff_stop_a_disowned_card(self, n: int) -> None:
        self.registrant_disowns(n, Person("desk-1", Role.DESK), Person("supervisor-1", Role.SUPERVISOR))

    @rule(n=st.integers(0, _CARDS - 1), by=st.sampled_from(_PEOPLE), says=st.booleans())
    def holder_says_or_takes_back(self, n: int, by: Person, says: bool) -> None:
        mine = self._mine()[n]
        orders = self.orders.transaction(
            lambda unit: [unit.open_order(mine, kind) for kind in (Kind.VERIFICATION, Kind.DISAVOWAL)],
            self.now,
        )
        if orders[0] and says:
            self._tried(lambda: self.disavowals.say(orders[0], HOLDER, self.now))
        if orders[1]:
            self._tried(lambda: self.disavowals.take_back(orders[1].id, MINE, by, "theirs", self.now))

    @rule(
        pick=st.integers(0, 999),
        hardship=st.sampled_from(["hospital", "laziness"]),
        by=st.sampled_from(_PEOPLE),
    )
    def extend(self, pick: int, hardship: str, by: Person) -> None:
        if self.ids:
            number = self.ids[pick % len(self.ids)]
            self._tried(lambda: self.orders.extend(number, hardship, by, "papers", self.now))

    @rule(
        event=st.sampled_from(
            [
                *(Event.SUSPEND, Event.BAR_OUTGOING, Event.LIFELINE, Event.PUNISH, Event.CANCEL),
                *(Event.RESTORE, Event.EASE, Event.EASE_TO_LIFELINE),
            ]
        ),
        which=st.sets(st.integers(0, _CARDS - 1), min_size=1),
        undone=st.booleans(),
    )
    def many_at_once(self, event: Event, which: set[int], undone: bool) -> None:
        until = self.now + timedelta(hours=30) if event is Event.PUNISH else None
        desk, second = Person("desk-1", Role.DESK), Person("supervisor-1", Role.SUPERVISOR)

        def work() -> None:
            act = self.bulk_actions.propose(
                event, [self._mine()[n] for n in which], _WHY, desk, self.now, until
            )
            if act.approved_at is None:
                self.bulk_actions.approve(act.id, second, "fine", self.now)
            while self.bulk_actions.carry_out(self.now, limit=2):
                pass
            assert self.bulk_actions.get(act.id).left == 0
            if undone and event in (Event.SUSPEND, Event.BAR_OUTGOING, Event.LIFELINE):
                self.bulk_actions.undo(act.id, second, "wrong list", self.now)

        with suppress(NoSuchTransition):  # every card is cancelled: nothing is left to do
            work()

    @rule(hours=st.sampled_from([-30, -1, 0, 1, 24, 72, 200]))
    def time_passes(self, hours: int) -> None:
        """Also backwards: a clock that was set."""
        self.now += timedelta(hours=hours)
        sweeps = 0
        while self.orders.sweep(self.now, limit=3):
            sweeps += 1
            assert sweeps < 50, "a deadline that comes again and again"

    @invariant()
    def holds(self) -> None:
        mine = self._mine()
        with self.store.reading() as connection:
            rows = connection.execute(select(orders).where(orders.c.card.in_(mine))).mappings().all()
            told = connection.execute(
                select(outbox).where(outbox.c.card.in_(mine)).order_by(outbox.c.id)
            ).all()
            known = connection.execute(select(cards).where(cards.c.card.in_(mine))).all()
        # the same in every run as far as it can be: ids are drawn by lot
        self.ids = [
            r["id"] for r in sorted(rows, key=lambda r: (r["card"], r["kind"], r["opened_at"], r["state"]))
        ]
        is_open = Counter((row["card"], row["kind"]) for row in rows if row["closed_at"] is None)
        assert all(number == 1 for number in is_open.values())
        for row in rows:
            if row["closed_at"]:
                assert self.closed.setdefault(row["id"], row) == row, "a closed order never changes"
                assert row["due_at"] is None
            elif row["kind"] == Kind.RESTRICTION:
                _carried_and_grounded(row)
            assert row["state"] not in CLOSED or row["closed_at"]
            assert row["delivered_at"] is None or row["delivered_at"] >= row["opened_at"]
        by_id = {row["id"]: row for row in rows}
        _registrants_have_their_way(rows)
        last = {(leg.card, leg.element): leg for leg in told}
        assert len({(leg.order_id, leg.step, leg.element) for leg in told}) == len(told)
        stops = {row["card"] for row in rows if row["kind"] == Kind.RESTRICTION}
        assert {row.card for row in known} == stops == {leg.card for leg in told}
        for now_is in known:
            assert now_is.state == by_id[now_is.order_id]["state"]
            assert now_is.wanted == in_the_network(State(now_is.state))
            assert [last[now_is.card, element].wanted for element in ELEMENTS] == [now_is.wanted] * 3
            stopped = [
                row["id"]
                for row in rows
                if (row["card"], row["kind"], row["closed_at"]) == (now_is.card, Kind.RESTRICTION, None)
            ]
            assert stopped in ([], [now_is.order_id])
            assert stopped or now_is.state in (State.RESTORED, State.CANCELLED)


def _registrants_have_their_way(rows: Any) -> None:
    """A card is stopped at its registrant's request exactly while that stands; nothing is asked, or told twice."""
    is_open = {(row["card"], row["kind"]): row for row in rows if row["closed_at"] is None}
    stopped = {card for (card, _), row in is_open.items() if row["state"] == State.STOPPED_AT_REQUEST}
    stands = {card: row for (card, _), row in is_open.items() if row["state"] == State.CONFIRMED}
    assert stopped <= stands.keys()
    for mine, row in stands.items():
        stop, asked = is_open[mine, Kind.RESTRICTION], is_open.get((mine, Kind.VERIFICATION))
        assert stop["state"] in (State.STOPPED_AT_REQUEST, State.FORCED_STOP, State.PUNISHED)
        assert (row["until"] is None) == (stop["state"] == State.FORCED_STOP)
        assert row["due_at"] is None or row["until"] is not None
        assert asked is None or asked["state"] == State.SENT_TO_FRAUD_CENTRE
    for row in rows:
        if row["state"] == State.STOPPED_AT_REQUEST:
            assert row["carried_by"] == f"{Evidence.OWN_REQUEST}:{stands[row['card']]['id']}"


def _carried_and_grounded(row: Any) -> None:
    assert row["state"] != State.ACTIVE, "a restriction that restricts nothing is not stored"
    assert row["carried_by"].startswith(tuple(one.of("") for one in Evidence))
    for name in ("reason", "redress", "papers"):
        assert row[f"{name}_zh"].strip()
        assert row[f"{name}_en"].strip()


STAGED = (DeadlineStage(24, NetworkState.OUTGOING_BARRED), DeadlineStage(72, NetworkState.SUSPENDED))


POLICIES = {
    "one stage": AT_ONCE,
    "stages": OrderPolicy(stages=STAGED),
    "one person": OrderPolicy(stages=STAGED, two_people=False),
}


@pytest.mark.parametrize(
    ("order_database_url", "policy", "examples"),
    [
        *(pytest.param("sqlite", policy, 8, id=f"sqlite-{policy}") for policy in POLICIES),
        pytest.param("postgresql", "stages", 3, id="postgresql-stages"),
        *(
            pytest.param("postgresql", policy, 8, id=f"postgresql-{policy}-at-length", marks=pytest.mark.long)
            for policy in POLICIES
        ),
    ],
    indirect=["order_database_url"],
)
def test_whoever_does_whatever_the_book_stays_whole(store: Store, policy: str, examples: int) -> None:
    run_state_machine_as_test(
        lambda: Anybody(store, POLICIES[policy]),  # type: ignore[arg-type]  # it is only called
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate,),  # what is found stands in one database: smaller runs would not say more
        ),
    )
    assert not [found for found in Trail(KEY).verify(store) if isinstance(found, Fault)]
