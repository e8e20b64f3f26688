"""Read access for people; audits access to personal data in the same transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, func, select

from duanka.domain.authority import Permission, authorize, within
from duanka.domain.disavowal import DisownedCard
from duanka.domain.errors import DuankaError
from duanka.domain.network import Refusal, RefusalArchive
from duanka.domain.order import Kind, Order, OrderError, PermissionDenied, Person, Role, State, UnknownOrder
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.person import HOLDER
from duanka.domain.stop_text import StopTextWriter
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.rows import bulk_action_of, order_of
from duanka.ledger.db.tables import act_cards, acts, audit, cards, notices, orders, outbox, refusals
from duanka.ledger.people.places import NOWHERE, bulk_actions_within, orders_in, places_of
from duanka.orders.bulk_actions.review import cards_shown, visible_bulk_action
from duanka.orders.bulk_actions.undo import with_undoing
from duanka.orders.masking import NumberMasking
from duanka.orders.pagination import page, page_of
from duanka.orders.pagination import within as at_most
from duanka.orders.queries import statistics as figures
from duanka.orders.queries.disowned import disowned_in
from duanka.orders.queries.listing import Filter as Filter  # noqa: PLC0414  # re-exported for callers of OrderQueries
from duanka.orders.queries.listing import Sort, conditions, counts, cursor, sorted_page
from duanka.orders.stop_texts import StopTextShown, texts_made, texts_of
from duanka.orders.verification.attempts import verification_of
from duanka.orders.views import (
    AlarmShown,
    BulkActionCardShown,
    BulkActionShown,
    Dossier,
    DriftShown,
    FiguresShown,
    HandledShown,
    LegShown,
    NoticeShown,
    OrderCountsShown,
    OrderFile,
    Page,
    RefusedShown,
    in_force,
    notice,
    refused,
    told,
)

_LATEST = (
    orders.c.opened_at.desc(),
    orders.c.closed_at.is_not(None),
    orders.c.id,
)  # of one moment an open one
_DOSSIER_ROWS = 100  # notices, refusals and steps that a dossier shows

_log = logging.getLogger("duanka.orders.queries")


@dataclass(frozen=True)
class ViewerContext:
    """Who reads. `unmasked`: show full numbers (needs `why`); `case`: police case."""

    person: Person
    unmasked: bool = False
    why: str = ""
    case: str = ""


class OrderQueries:
    """Reads the order database for people; audits every access to personal data."""

    def __init__(
        self,
        store: Store,
        trail: Trail,
        archive: Callable[[], RefusalArchive | None] = lambda: None,
        stop_texts: StopTextWriter | None = None,
    ) -> None:
        """`archive`: returns the store of records that keeps older refusals; None: there is none.

        `stop_texts`: writes the texts of stops of an earlier version.
        """
        self._store, self._trail, self._archive = store, trail, archive
        self._stop_texts = stop_texts or StopTextWriter(OrderPolicy())

    def orders(
        self,
        which: Filter,
        reader: ViewerContext,
        now: datetime,
        after: str = "",
        limit: int = 50,
        *,
        sort: Sort = Sort.OPENED,
        skip: int = 0,
    ) -> Page[Order]:
        """Return a page of orders.

        `after`: `next` of the previous page; UnknownOrder: invalid cursor. `skip`: rows before the page.
        """
        _may_list(which, reader.person)
        where = [*conditions(which, now), *orders_in(reader.person)]
        query = sorted_page(where, sort, after, limit, skip)
        with self._read(reader, now, "read.orders", which.card or "orders") as (connection, sight):
            rows = connection.execute(query).mappings().all()
        here = rows[: at_most(limit)]
        following = cursor(sort, here[-1]) if len(rows) > len(here) else None
        return Page(tuple(sight.order(order_of(row)) for row in here), following)

    def order_counts(self, which: Filter, reader: ViewerContext, now: datetime) -> OrderCountsShown:
        """Count orders: all, and by tier, state, rule, city and operator."""
        _may_list(which, reader.person)
        with self._read(reader, now, "read.orders", which.card or "orders") as (connection, _):
            return counts(connection, [*conditions(which, now), *orders_in(reader.person)])

    def order(self, number: str, reader: ViewerContext, now: datetime) -> OrderFile:
        """Return an order with its history. UnknownOrder. PermissionDenied: out of scope."""
        authorize(reader.person, Permission.READ_ORDER)
        with self._read(reader, now, "read.order", number) as (connection, sight):
            row = _order_row(connection, number)
            within(reader.person, number, row["operator"], row["city"])
            steps = select(audit).where(audit.c.subject == number).order_by(audit.c.seq)
            order = order_of(row)
            texts = texts_made(connection, self._trail, self._stop_texts, order, now)
            return OrderFile(
                sight.order(order),
                tuple(told(r, sight) for r in connection.execute(steps).mappings()),
                _legs(connection, sight, outbox.c.order_id == number),
                _notices(connection, sight, notices.c.order_id == number),
                tuple(texts),
            )

    def state(self, number: str) -> Order:
        """Return an order to act on, not to show: the read is not audited. UnknownOrder."""
        with self._store.reading() as connection:
            return order_of(_order_row(connection, number))

    def last(self, card: str, kind: Kind) -> Order | None:
        """Return the card's latest order of a kind, open or closed; not audited."""
        latest = select(orders).where(orders.c.card == card, orders.c.kind == kind.value).order_by(*_LATEST)
        with self._store.reading() as connection:
            row = connection.execute(latest.limit(1)).mappings().first()
        return order_of(row) if row else None

    def to_come(self, card: str) -> tuple[int, int]:
        """Count the card's pending network changes and pending notices."""
        return self._to_come(outbox.c.card == card, notices.c.card == card)

    def to_come_of_bulk_action(self, act_id: str) -> tuple[int, int]:
        """As `to_come`, for all cards of a bulk action, of what came since it began to run."""
        began = select(acts.c.approved_at).where(acts.c.id == act_id).scalar_subquery()
        theirs = select(act_cards.c.card).where(act_cards.c.act_id == act_id)
        return self._to_come(
            and_(outbox.c.card.in_(theirs), outbox.c.created_at >= began),
            and_(notices.c.card.in_(theirs), notices.c.created_at >= began),
        )

    def _to_come(self, changes: ColumnElement[bool], letters: ColumnElement[bool]) -> tuple[int, int]:
        with self._store.reading() as connection:
            legs, told = (
                connection.execute(select(func.count()).where(which, table.c.done_at.is_(None))).scalar_one()
                for table, which in ((outbox, changes), (notices, letters))
            )
        return legs, told

    def verification_of(self, order: Order) -> Order | None:
        """Return this order if it is a verification, else the card's open or last one."""
        with self._store.reading() as connection:
            return verification_of(connection, order)

    def own(self, order: Order, now: datetime) -> tuple[Order | None, Order | None]:
        """Return, for the holder, the open restriction and last objection since `order`."""
        holder = ViewerContext(HOLDER)
        authorize(HOLDER, Permission.READ_OWN_ORDER)
        latest = select(orders).where(orders.c.card == order.card).order_by(*_LATEST)
        restriction = latest.where(orders.c.kind == Kind.RESTRICTION.value, orders.c.closed_at.is_(None))
        objection = latest.where(orders.c.kind == Kind.OBJECTION.value, orders.c.opened_at >= order.opened_at)
        with self._read(holder, now, "read.own", order.id) as (connection, sight):
            rows = [connection.execute(q.limit(1)).mappings().first() for q in (restriction, objection)]
        first, second = (sight.order(order_of(row)) if row else None for row in rows)
        return first, second

    def own_stop_text(self, restriction: Order, now: datetime) -> StopTextShown | None:
        """Return the text in force of a restriction, for its holder, whose reading `own` has audited."""
        authorize(HOLDER, Permission.READ_OWN_ORDER)
        with (
            self._store.reading() as connection
        ):  # holders do not wait for each other: few texts are still to be made
            if stored := texts_of(connection, [restriction.id]):
                return stored[-1]
        with self._store.writing() as connection:
            order = order_of(_order_row(connection, restriction.id))
            texts = texts_made(connection, self._trail, self._stop_texts, order, now)
        return texts[-1] if texts else None

    def dossier(self, card: str, reader: ViewerContext, now: datetime) -> Dossier:
        """Return everything about a card. The police must name a case, which is audited."""
        authorize(reader.person, Permission.READ_DOSSIER)
        if reader.person.role is Role.POLICE and not reader.case.strip():
            raise PermissionDenied(
                "the police ask for a card with the number of their case: --case (HTTP: caseNumber)"
            )
        older = self._older_refusals(card)  # nothing of it is shown before the trail has the access
        with self._read(reader, now, "read.dossier", card) as (connection, sight):
            if not reader.person.scope.everywhere:
                within(reader.person, "this card", *places_of(connection, [card]).get(card, NOWHERE))
            row = connection.execute(select(cards).where(cards.c.card == card)).mappings().first()
            all_orders = select(orders).where(orders.c.card == card).order_by(orders.c.opened_at.desc())
            found = [order_of(r) for r in connection.execute(all_orders.limit(_DOSSIER_ROWS)).mappings()]
            stops = [one for one in found if one.kind is Kind.RESTRICTION and one.closed_at is None]
            texts = [
                text
                for one in stops
                for text in texts_made(connection, self._trail, self._stop_texts, one, now)
            ]
            met = select(refusals).where(refusals.c.card == card).order_by(refusals.c.at.desc())
            return Dossier(
                sight.number(card),
                row["state"] if row else State.ACTIVE.value,
                row["wanted"] if row else State.ACTIVE.value,
                row["since"] if row else None,
                tuple(map(sight.order, found)),
                in_force(_legs(connection, sight, outbox.c.card == card)),
                _latest(connection.execute(met.limit(_DOSSIER_ROWS)).mappings(), older, sight),
                _notices(connection, sight, notices.c.card == card),
                tuple(texts),
            )

    def bulk_actions(
        self, by: Person, after: str = "", limit: int = 50, *, waiting: bool = False
    ) -> Page[BulkActionShown]:
        """Return a page of bulk actions, latest first. `waiting`: only those for approval."""
        authorize(by, Permission.LIST_BULK_ACTIONS)
        query = select(acts).where(*bulk_actions_within(by, acts.c.id))
        if waiting:
            query = query.where(acts.c.state == "proposed")
        query = page_of(query, acts.c.proposed_at, acts.c.id, after, limit)
        with self._store.reading() as connection:
            rows = connection.execute(query).mappings().all()
            found = with_undoing(connection, [bulk_action_of(row) for row in rows])
        return page(found, limit, BulkActionShown.of, lambda one: (one.proposed_at, one.id))

    def bulk_action(self, number: str, by: Person) -> BulkActionShown:
        """Return a bulk action. UnknownOrder. PermissionDenied: a card is out of scope."""
        authorize(by, Permission.LIST_BULK_ACTIONS)
        with self._store.reading() as connection:
            (act,) = with_undoing(connection, [bulk_action_of(visible_bulk_action(connection, number, by))])
            return BulkActionShown.of(act)

    def act_cards(
        self, number: str, reader: ViewerContext, now: datetime, after: int = 0, limit: int = 50
    ) -> Page[BulkActionCardShown]:
        """Return a page of a bulk action's cards, sorted by number, with their orders.

        `after`: number of cards to skip.
        """
        # No keyset cursor: it would reveal a full number to a reader who sees it masked.
        query = select(act_cards).where(act_cards.c.act_id == number).order_by(act_cards.c.card)
        self.bulk_action(number, reader.person)
        limit = at_most(limit)
        with self._read(reader, now, "read.act", number) as (connection, sight):
            rows = connection.execute(query.offset(after).limit(limit + 1)).mappings().all()
            found = cards_shown(connection, rows[:limit], after + 1, sight)
        return Page(found, str(after + limit) if len(rows) > limit else None)

    def figures(self, since: datetime, until: datetime, by: Person) -> FiguresShown:
        """Return counts of the period within `by`'s scope; `until` is exclusive."""
        authorize(by, Permission.READ_FIGURES)
        with self._store.reading() as connection:
            return figures.figures(connection, since, until, by)

    def handled(
        self,
        since: datetime,
        until: datetime,
        reader: ViewerContext,
        now: datetime,
        after: int = 0,
        limit: int = 50,
    ) -> Page[HandledShown]:
        """Return the cards that `figures` counts as handled.

        Each comes with the first event in the period that ended an order about it; `after`: seq.
        """
        authorize(reader.person, Permission.LIST_HANDLED)
        limit = at_most(limit)
        with self._read(reader, now, "read.handled", "handled") as (connection, sight):
            rows = figures.handled(connection, since, until, after, limit + 1, reader.person)
        found = tuple(
            HandledShown.of({**row, "card": sight.number(row["card"])}, sight) for row in rows[:limit]
        )
        return Page(found, str(rows[limit - 1]["seq"]) if len(rows) > limit else None)

    def disowned(
        self, since: datetime, until: datetime, reader: ViewerContext, now: datetime
    ) -> tuple[DisownedCard, ...]:
        """Return the cards that their registrants disowned in the period, the earliest first; audited."""
        authorize(reader.person, Permission.LIST_DISOWNED)
        with self._read(reader, now, "read.disowned", "disowned") as (connection, sight):
            found = disowned_in(connection, since, until, reader.person)
            return tuple(replace(one, card=sight.number(one.card)) for one in found)

    def alarms(self, by: Person, *, is_open: bool | None = None, limit: int = 100) -> Sequence[AlarmShown]:
        """Return alarms, latest first."""
        authorize(by, Permission.LIST_ALARMS)
        with self._store.reading() as connection:
            return figures.alarms(connection, is_open, at_most(limit))

    def drifts(
        self, reader: ViewerContext, now: datetime, limit: int = 100, *, is_open: bool = False
    ) -> Sequence[DriftShown]:
        """Return network differences, latest first. `is_open`: only those not repaired."""
        authorize(reader.person, Permission.LIST_DRIFTS)
        with self._read(reader, now, "read.drifts", "drifts") as (connection, sight):
            return figures.drifts(connection, sight, at_most(limit), reader.person, is_open=is_open)

    def _older_refusals(self, card: str) -> Sequence[Refusal]:
        archive = self._archive()
        try:
            return archive.of_card(card, _DOSSIER_ROWS) if archive else ()
        except DuankaError as error:  # a store that is damaged keeps nobody from reading the orders
            _log.warning("refusals of before are not shown: %s", error)
            return ()

    @contextmanager
    def _read(
        self, reader: ViewerContext, now: datetime, what: str, subject: str
    ) -> Iterator[tuple[Connection, NumberMasking]]:
        """Open a transaction that audits the access; if the audit fails, so does the read."""
        if reader.unmasked:
            authorize(reader.person, Permission.UNMASK)
        if reader.unmasked and not reader.why.strip():
            raise OrderError("say why you need the numbers in full: the reason stays in the audit trail")
        why = " · ".join(part for part in (reader.case.strip(), reader.why.strip()) if part)
        with self._store.writing() as connection:
            yield connection, NumberMasking(reader.unmasked)
            seen = {"unmasked": reader.unmasked}
            self._trail.append(
                connection, [AuditEntry(now, reader.person, what, subject[:40], why, after=seen)]
            )


def _latest(
    here: Iterable[RowMapping], older: Sequence[Refusal], sight: NumberMasking
) -> tuple[RefusedShown, ...]:
    """The latest refusals, from the order database and the store of records; what is in both stands once."""
    rows = {(row["element"], row["key"]): dict(row) for row in here}
    for one in older:
        rows.setdefault((one.element, one.key), vars(one))
    latest = sorted(rows.values(), key=lambda row: row["at"], reverse=True)
    return tuple(refused(row, sight) for row in latest[:_DOSSIER_ROWS])


def _may_list(which: Filter, by: Person) -> None:
    authorize(by, Permission.LIST_ORDERS)
    if which.card is not None:
        authorize(by, Permission.SEARCH_BY_NUMBER)


def _order_row(connection: Connection, number: str) -> RowMapping:
    row = connection.execute(select(orders).where(orders.c.id == number)).mappings().first()
    if row is None:
        raise UnknownOrder(f"no order {number!r}; `duanka orders list` names them")
    return row


def _legs(connection: Connection, sight: NumberMasking, which: ColumnElement[bool]) -> tuple[LegShown, ...]:
    query: Select[Any] = select(outbox).where(which).order_by(outbox.c.id)
    return tuple(LegShown.of(dict(row), sight) for row in connection.execute(query).mappings())


def _notices(
    connection: Connection, sight: NumberMasking, which: ColumnElement[bool]
) -> tuple[NoticeShown, ...]:
    query = select(notices).where(which).order_by(notices.c.id.desc()).limit(_DOSSIER_ROWS)
    return tuple(notice(row, sight) for row in connection.execute(query).mappings())
