"""Unit of work: orders, audit entries, outbox rows and notices of one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, func, select

from duanka.domain.authority import Permission, authorize, within
from duanka.domain.card_facts import CardPlaces, no_places
from duanka.domain.local_time import operator_zone
from duanka.domain.network import NetworkState
from duanka.domain.order import (
    CLOSED,
    FIRST,
    Event,
    Grounds,
    Kind,
    NoSuchTransition,
    Order,
    Person,
    State,
    UnknownOrder,
    next_state,
)
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.restriction_states import in_the_network
from duanka.domain.stop_text import RulesTold, StopText, StopTextWriter, restricts_anew
from duanka.ledger.audit.row_digests import ORDERS, AuditedTable
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.bulk import among, dictionaries, put_rows
from duanka.ledger.db.casework.accounts import account_looks
from duanka.ledger.db.rows import audited_fields, changes, order_id, order_of
from duanka.ledger.db.tables import cards, notices, orders, outbox
from duanka.ledger.people.places import NOWHERE, Place, places_of
from duanka.ledger.unit_of_work.account_looks import look_of, may_concern_accounts
from duanka.ledger.unit_of_work.batch_facts import BatchFacts, TableFact
from duanka.ledger.unit_of_work.billing import write_billing_events
from duanka.ledger.unit_of_work.changed_rows import add_digests, supersede, write_cards, write_orders
from duanka.ledger.unit_of_work.lifeline import check_lifeline
from duanka.ledger.unit_of_work.locks import lock_cards
from duanka.ledger.unit_of_work.network_elements import element_names
from duanka.ledger.unit_of_work.restrictions import checked
from duanka.ledger.unit_of_work.stop_texts import write_stop_texts
from duanka.ledger.unit_of_work.undo_log import UndoLog

Value = TypeVar("Value")


@dataclass(frozen=True)
class Terms:
    """What every transaction of an order database needs.

    `elements`: names of the network elements; None: read from the database when needed. `rules`: returns what holders
    are told of the rules. `registered`: places by the register, asked for the cards that no order places.
    """

    policy: OrderPolicy
    trail: Trail
    elements: tuple[str, ...] | None = None
    rules: Callable[[], RulesTold] = RulesTold
    registered: CardPlaces = no_places

    @cached_property
    def stop_texts(self) -> StopTextWriter:
        """Writes the texts of stops."""
        return StopTextWriter(self.policy, self.rules)


class UnitOfWork:
    """Changes of one transaction at one moment; nothing is written before `write`."""

    def __init__(self, connection: Connection, terms: Terms, now: datetime) -> None:
        self.connection = connection
        self.facts = BatchFacts(connection)
        self.now = now
        self.policy = terms.policy
        self._terms = terms
        self._orders: dict[str, Order] = {}  # present state
        self._stored: dict[str, Order] = {}  # stored state
        self._rows: dict[str, Mapping[str, Any]] = {}  # stored rows
        self._found: dict[str, str] = {}  # digests of stored rows, as far as computed
        self._restricted: dict[str, Order] = {}  # card -> the restriction that changed
        self._charged: dict[str, State] = {}  # card -> state before it was first changed here
        self._open: dict[str, dict[Kind, str]] = {}
        self._log = UndoLog()  # of `_orders`, `_restricted`, `_charged`, `_open`
        self._entries: list[AuditEntry] = []
        self._outbox: list[dict[str, object]] = []
        self._notices: list[dict[str, object]] = []
        self._texts: list[StopText] = []  # of steps that restrict
        self._prepared: list[tuple[Table, Mapping[str, object]]] = []  # rows to insert into other tables
        self._places: dict[str, Place] = {}
        self._elements = terms.elements
        self.bulk_action_began = False
        # (order, what a decision did to it): opened, attached or stopped
        self.of_decisions: list[tuple[Order, str]] = []
        self.new_bulk_actions: set[str] = set()
        self.stated_about: set[str] = set()  # cards whose confirmations changed
        self.proposed_about: set[str] = set()  # verifications with a bulk action prepared and not written yet

    # --- reading, with locks ---

    def order(self, number: str) -> Order:
        """Return an order, and lock all open orders of its card. UnknownOrder."""
        if number not in self._orders:
            card = self.connection.execute(select(orders.c.card).where(orders.c.id == number)).scalar()
            if card is None:
                raise UnknownOrder(f"no order {number!r}; `duanka orders list` names them")
            self.lock([card])
        if number not in self._orders:
            found = self.connection.execute(select(orders).where(orders.c.id == number))
            for row in dictionaries(found):
                self._keep(row)
        return self._orders[number]

    def lock(self, of: Collection[str]) -> None:
        """Load and lock the open orders of these cards, in a fixed order: no deadlocks."""
        new = sorted({card for card in of if card not in self._open})
        if not new:
            return
        self._open |= {card: {} for card in new}
        lock_cards(self.connection, new)
        found = (
            select(orders)
            .where(among(self.connection, orders.c.card, new), orders.c.closed_at.is_(None))
            .order_by(orders.c.card, orders.c.kind)
            .with_for_update()
        )
        for row in dictionaries(self.connection.execute(found)):
            order = self._keep(row)
            self._open[order.card][order.kind] = order.id

    def open_order(self, card: str, kind: Kind) -> Order | None:
        """Return the open order of this kind for the card."""
        if card not in self._open:
            self.lock([card])
        number = self._open[card].get(kind)
        return self._orders[number] if number else None

    def about_orders(self, fact: TableFact[Value], order: Order) -> Value:
        """Return a fact about this order; read for all loaded orders together."""
        return self.facts.of(fact, order.id, self._stored)

    def about_cards(self, fact: TableFact[Value], card: str) -> Value:
        """Return a fact about this card; read for all locked cards together."""
        self.lock([card])
        return self.facts.of(fact, card, self._open)

    def place(self, card: str) -> Place:
        """Return operator and city of the card: of its open or latest order that has them, else of the register."""
        for number in self._open.get(card, {}).values():
            order = self._orders[number]
            if order.operator or order.city:
                return order.operator, order.city
        return self.places({card, *self._open})[card]

    def places(self, cards: Collection[str]) -> Mapping[str, Place]:
        """Return operator and city of these cards: of the latest order that has them, else of the register."""
        if unknown := set(cards) - self._places.keys():
            found = places_of(self.connection, unknown)
            if unplaced := unknown - found.keys():
                found |= self._terms.registered(unplaced)
            self._places |= dict.fromkeys(unknown, NOWHERE) | found
        return self._places

    def authorize(self, by: Person, permission: Permission, card: str) -> None:
        """PermissionDenied if `by` may not do this about the card, by role or scope."""
        authorize(by, permission)
        if not by.scope.everywhere:
            within(by, "this card", *self.place(card))

    def matches_trail(self, table: AuditedTable, key: str) -> bool:
        """Whether the row is as the trail left it; `key`: also the subject of its entries."""
        return self._terms.trail.row_matches(self.connection, table, key, (key,))

    def changed_past_trail(self, numbers: Collection[str]) -> set[str]:
        """Return orders changed past the trail; the caller must not change these."""
        found = {number: self._digest_found(number) for number in numbers if number in self._rows}
        unread = [number for number in numbers if number not in found]
        found |= {key: digest for key, digest, _ in ORDERS.rows(self.connection, unread)}
        return self._terms.trail.rows_that_differ(self.connection, ORDERS, found)

    # --- changing ---

    def open(self, kind: Kind, card: str, grounds: Grounds, by: Person, why: str, **facts: Any) -> Order:
        """Open an order in its first state; a restriction takes effect by the next event."""
        self.lock([card])
        if not (facts.get("operator") or facts.get("city")):
            facts["operator"], facts["city"] = self.place(card)
        begun = {"state": FIRST[kind], "step": 0, "opened_at": self.now, "updated_at": self.now}
        order = Order.of(id=order_id(kind), kind=kind, card=card, grounds=grounds, **begun, **facts)
        self._log.put(self._orders, order.id, order)
        self._log.put(self._open[card], kind, order.id)
        self.note(by, f"{kind}.{Event.OPEN}", order.id, why, {}, audited_fields(order))
        return order

    def move(self, order: Order, event: Event, by: Person, why: str, **facts: Any) -> Order:
        """Move the order by `event`; `facts`: fields of Order that change with it.

        Raises NoSuchTransition, PermissionDenied; for restrictions ProtectedCard, NeedsSecondPerson, GroundsMissing,
        NoLifeline.
        """
        within(by, order.id, order.operator, order.city)
        _must_be_open(order)
        state = next_state(order.kind, order.state, event, by.role, order.id)
        after = order.changed(state=state, step=order.step + 1, updated_at=self.now, **facts)
        if state in CLOSED:
            after = after.changed(closed_at=self.now, due_at=None)
        if after.kind is Kind.RESTRICTION:
            after = checked(self.policy, order, after, event, by, self.order)
            check_lifeline(self, after)
            if after.card not in self._charged:
                self._log.put(self._charged, after.card, order.state)
            self._log.put(self._restricted, after.card, after)
            before, wanted = in_the_network(order.state), in_the_network(state)
            if before is not wanted:
                self._tell(after, wanted)
        self.note(by, f"{order.kind}.{event}", order.id, why, *changes(order, after))
        self._tell_why(order, after)
        return self._put(after)

    def change(self, order: Order, by: Person, what: str, why: str, **facts: Any) -> Order:
        """Change fields of an order without changing its state."""
        _must_be_open(order)
        after = order.changed(step=order.step + 1, updated_at=self.now, **facts)
        self.note(by, f"{order.kind}.{what}", order.id, why, *changes(order, after))
        self._tell_why(order, after)
        return self._put(after)

    def close(self, order: Order, by: Person, why: str) -> Order:
        """Close an order in its present state: for example, once its card is free again."""
        return self.change(order, by, "close", why, closed_at=self.now, due_at=None)

    @contextmanager
    def attempt(self, card: str) -> Iterator[None]:
        """Changes of one card, all or none: an error undoes them and is raised."""
        self.lock([card])
        grow: tuple[list[Any], ...] = (
            self._entries,
            self._outbox,
            self._notices,
            self._texts,
            self._prepared,
        )
        lengths, mark = [len(rows) for rows in grow], self._log.mark
        try:
            yield
        except Exception:
            self._log.undo(mark)
            for rows, length in zip(grow, lengths, strict=True):
                del rows[length:]
            raise

    def notify(self, order: Order, template: str, repeat: int = 0) -> None:
        """Queue the notice `template` to the holder about this step.

        `repeat`: how often the holder has asked again.
        """
        self._notices.append(
            {
                "order_id": order.id,
                "step": order.step,
                "template": template,
                "card": order.card,
                "created_at": self.now,
                "next_try_at": self.now,
                "repeat": repeat,
            }
        )

    def notices_within_a_day(self, card: str, template: str) -> int:
        """Count this notice to the card within a day, including this transaction."""
        mine = (notices.c.card == card, notices.c.template == template)
        since = notices.c.created_at > self.now - timedelta(days=1)
        before = self.connection.execute(select(func.count()).where(*mine, since)).scalar_one()
        new = sum((row["card"], row["template"]) == (card, template) for row in self._notices)
        return before + new

    def note(
        self,
        by: Person,
        what: str,
        subject: str,
        why: str,
        before: dict[str, object],
        after: dict[str, object],
        found: Mapping[str, str] | None = None,
    ) -> None:
        """Add an audit entry. `found`: digests of rows in other tables before the change."""
        self._entries.append(AuditEntry(self.now, by, what, subject, why, before, after, found=found or {}))

    @property
    def leaves_work(self) -> bool:
        """Whether the unit leaves work: outbox rows, notices, or a started bulk action."""
        return bool(self._outbox or self._notices or self.bulk_action_began)

    # --- writing ---

    def write(self) -> None:
        """Write everything; durable when the surrounding transaction commits."""
        changed = [order for number, order in self._orders.items() if self._stored.get(number) is not order]
        rows = write_orders(self.connection, changed, self._rows)
        restricted, found = write_cards(self.connection, self._restricted, self.now)
        before = {number: self._digest_found(number) for number in rows if number in self._rows}
        texts = write_stop_texts(self.connection, self._texts)
        add_digests(self._entries, rows, before, restricted, found, texts)
        supersede(self.connection, {str(row["card"]) for row in self._outbox}, self.now)
        put_rows(self.connection, outbox, self._outbox)
        put_rows(self.connection, notices, self._notices)
        self.write_prepared()
        self._terms.trail.append(self.connection, self._entries)  # late: all transactions share this lock
        write_billing_events(self.connection, self._charged, self._restricted, self.now)

    def prepare(self, table: Table, row: Mapping[str, object]) -> None:
        """Queue a row for insertion with others, at the end or by `write_prepared`."""
        self._prepared.append((table, row))

    def write_prepared(self) -> None:
        """Insert queued rows now, for statements that use them."""
        prepared, self._prepared[:] = list(self._prepared), []
        for table in dict.fromkeys(table for table, _ in prepared):
            put_rows(self.connection, table, [row for one, row in prepared if one is table])
            self.facts.forget(table)

    # --- internal ---

    def _tell(self, order: Order, wanted: NetworkState) -> None:
        if self._elements is None:
            self._elements = element_names(self.connection)
        row: dict[str, object] = {
            "order_id": order.id,
            "step": order.step,
            "card": order.card,
            "wanted": wanted.value,
            "created_at": self.now,
            "next_try_at": self.now,
        }
        self._outbox += [{**row, "element": element} for element in self._elements]

    def _tell_why(self, before: Order, after: Order) -> None:
        """Make the text of a step that restricts the card, or gives another ground for it."""
        if restricts_anew(before, after):
            rests_on = self.order(after.parent) if after.parent else None
            self._texts.append(self._terms.stop_texts.text(after, rests_on, self.now))

    def _keep(self, row: Mapping[str, Any]) -> Order:
        order = order_of(row)
        self._orders[order.id] = self._stored[order.id] = order
        self._rows[order.id] = row  # the stored form, not ours: its digest goes into the trail
        return order

    def _digest_found(self, number: str) -> str:
        """Return the digest of the row as read under the lock."""
        if number not in self._found:
            self._found[number] = ORDERS.digest(self._rows[number])
        return self._found[number]

    def _put(self, order: Order) -> Order:
        self._log.put(self._orders, order.id, order)
        if may_concern_accounts(order):
            self.prepare(account_looks, look_of(order.card, self.now))
        if order.closed_at and self._open.get(order.card, {}).get(order.kind) == order.id:
            self._log.put(self._open[order.card], order.kind, None)
        return order


def _must_be_open(order: Order) -> None:
    if order.closed_at:
        raise NoSuchTransition(
            f"{order.id} is closed since {operator_zone().written(order.closed_at)} as {order.state}"
        )


def cancelled(connection: Connection, of: Iterable[str]) -> frozenset[str]:
    """Return which of these cards are cancelled for good."""
    gone = (among(connection, cards.c.card, of), cards.c.state == State.CANCELLED.value)
    return frozenset(connection.execute(select(cards.c.card).where(*gone)).scalars())
