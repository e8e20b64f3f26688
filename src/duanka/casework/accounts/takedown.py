"""Items for take-down: collected from refused messages and complaints, decided by people, fed to the message filter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, insert, or_, select, update

from duanka.domain.account_policy import AccountPolicy
from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import given_reason
from duanka.domain.filter_safety import never_refused
from duanka.domain.local_time import OperatorZone
from duanka.domain.order import NeedsSecondPerson
from duanka.domain.person import Person, same_person
from duanka.domain.takedown import (
    ITEM_MOVES,
    ComplaintLookups,
    Indicator,
    IndicatorKind,
    ItemState,
    TakedownError,
    under,
)
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.casework.accounts import refused_indicators, takedown_items
from duanka.ledger.db.database import Store
from duanka.ledger.db.rows import new_id

_AT_ONCE = 2_000  # indicators that are counted in one transaction
Normalise = Callable[[str | None, str], Indicator | None]


@dataclass(frozen=True)
class TakedownItem:
    """An item. `refused`, `complaints`: how often each source named it. `blocked_at`: the filter refuses it since."""

    id: str
    kind: IndicatorKind
    value: str
    state: ItemState
    refused: int
    complaints: int
    first_seen: datetime
    last_seen: datetime
    agreed_by: str | None
    agreed_at: datetime | None
    blocked_by: str | None
    blocked_at: datetime | None
    passed_to: str
    updated_at: datetime


@dataclass(frozen=True)
class ItemFilter:
    """Which items; empty: all."""

    states: Sequence[ItemState] = ()
    kind: IndicatorKind | None = None
    blocked: bool = False


@dataclass(frozen=True)
class ItemPage:
    """A page of items, the last seen first; `following`: cursor of the next page."""

    items: Sequence[TakedownItem]
    following: str | None


@dataclass(frozen=True)
class _Seen:
    count: int
    first: datetime
    last: datetime

    def with_one(self, at: datetime) -> _Seen:
        return _Seen(self.count + 1, min(self.first, at), max(self.last, at))


class TakedownItems:
    """The items of an order database. Raises PermissionDenied, TakedownError.

    `normalise`: what somebody reports as an indicator. `lookups`: opens the store; LookupRefused: there is none.
    `protects`: whether a number may never be stopped.
    """

    def __init__(
        self,
        store: Store,
        trail: Trail,
        policy: AccountPolicy,
        normalise: Normalise,
        lookups: Callable[[], ComplaintLookups],
        protects: Callable[[str], bool],
        zone: OperatorZone,
    ) -> None:
        self._store, self._trail, self._policy = store, trail, policy
        self._normalise, self._lookups, self._protects, self._zone = normalise, lookups, protects, zone

    # --- collecting ---

    def count_refused(self, now: datetime) -> bool:
        """Count indicators of refused messages, each once; return whether more wait."""

        def work(connection: Connection) -> int:
            rows = connection.execute(select(refused_indicators).limit(_AT_ONCE).with_for_update()).all()
            seen: dict[Indicator, _Seen] = {}
            for row in rows:
                indicator = Indicator(IndicatorKind(row.kind), row.value)
                before = seen.get(indicator)
                seen[indicator] = before.with_one(row.at) if before else _Seen(1, row.at, row.at)
                mine = [getattr(refused_indicators.c, name) == getattr(row, name) for name in _KEY]
                connection.execute(delete(refused_indicators).where(*mine))
            self._add(connection, seen, now, "refused")
            return len(rows)

        with self._store.reading() as connection:
            if connection.execute(select(refused_indicators.c.key).limit(1)).first() is None:
                return False
        return self._store.transact(work) >= _AT_ONCE

    def count_complaints(self, now: datetime) -> int:
        """Take what the store's complaints name, with their counts; how many items. LookupRefused: no store."""
        seen: dict[Indicator, _Seen] = {}
        for one in self._lookups().named_in_complaints():
            indicator = self._normalise(one.kind, one.value)
            if indicator is None:
                continue
            first, last = (at.replace(tzinfo=self._zone.info).astimezone(UTC) for at in (one.first, one.last))
            before = seen.get(indicator, _Seen(0, first, last))
            count = before.count + one.count
            seen[indicator] = _Seen(count, min(before.first, first), max(before.last, last))
        self._store.transact(lambda connection: self._add(connection, seen, now, "complaints"))
        return len(seen)

    def purge(self, now: datetime) -> int:
        """Delete items that were not seen for as long as the policy says; those that are refused stay. How many."""
        before = now - timedelta(days=self._policy.keep_indicator_days)
        old = (takedown_items.c.last_seen < before, takedown_items.c.blocked_at.is_(None))
        return self._store.transact(
            lambda connection: connection.execute(delete(takedown_items).where(*old)).rowcount
        )

    # --- people ---

    def page(self, which: ItemFilter, by: Person, after: str | None = None, limit: int = 200) -> ItemPage:
        """Items, the last seen first."""
        authorize(by, Permission.LIST_TAKEDOWN)
        table = takedown_items.c
        conditions: list[ColumnElement[bool]] = []
        if which.states:
            conditions.append(table.state.in_([state.value for state in which.states]))
        if which.kind:
            conditions.append(table.kind == which.kind.value)
        if which.blocked:
            conditions.append(table.blocked_at.is_not(None))
        with self._store.reading() as connection:
            if after is not None:
                at = connection.execute(select(table.last_seen).where(table.id == after)).scalar()
                if at is None:
                    raise TakedownError("no page begins there: give `next` of the page before as it came")
                conditions.append(or_(table.last_seen < at, and_(table.last_seen == at, table.id < after)))
            query = (
                select(takedown_items).where(*conditions).order_by(table.last_seen.desc(), table.id.desc())
            )
            rows = connection.execute(query.limit(limit + 1)).mappings().all()
        return ItemPage(
            [_item(row) for row in rows[:limit]], rows[limit - 1]["id"] if len(rows) > limit else None
        )

    def move(
        self, number: str, to: ItemState, by: Person, why: str, now: datetime, passed_to: str = ""
    ) -> TakedownItem:
        """Move an item on: agreed, passed on (`passed_to`: to whom), taken down, rejected.

        A rejected one is refused by the filter no more.
        """
        authorize(by, Permission.AGREE_TAKEDOWN)
        why = given_reason(why)
        if to is ItemState.PASSED_ON and not passed_to.strip():
            raise TakedownError("say to whom it is passed on: --to (HTTP: passedTo)")
        with self._store.writing() as connection:
            row = _row(connection, number)
            if row["state"] not in ITEM_MOVES.get(to, ()):
                words = ItemState(row["state"]).words.en
                raise TakedownError(f"{number} is {words}: it cannot become {to.words.en} now")
            facts: dict[str, Any] = {"state": to.value}
            if to is ItemState.AGREED:
                facts |= {"agreed_by": by.id, "agreed_at": now}
            if to is ItemState.PASSED_ON:
                facts |= {"passed_to": given_reason(passed_to)[:200]}
            if to is ItemState.REJECTED:
                facts |= {"agreed_by": None, "agreed_at": None, "blocked_by": None, "blocked_at": None}
            what = "takedown.agree" if to is ItemState.AGREED else "takedown.move"
            return self._change(connection, row, by, what, why, now, facts)

    def block(self, number: str, by: Person, why: str, now: datetime) -> TakedownItem:
        """Let the message filter refuse an item, as somebody else than who agreed that it is fraud's."""
        authorize(by, Permission.BLOCK_TAKEDOWN)
        why = given_reason(why)
        with self._store.writing() as connection:
            row = _row(connection, number)
            if row["agreed_by"] is None:
                raise TakedownError(
                    f"nobody agreed yet that {number} is fraud's: `duanka accounts agree {row['id']}`"
                )
            if same_person(by.id, row["agreed_by"]):
                raise NeedsSecondPerson(
                    f"{by.id} agreed on {number}: somebody else lets the filter refuse it"
                )
            if reason := self._never(Indicator(IndicatorKind(row["kind"]), row["value"])):
                raise TakedownError(f"{number} is never refused: {reason}")
            facts = {"blocked_by": by.id, "blocked_at": now}
            return self._change(connection, row, by, "takedown.block", why, now, facts)

    def unblock(self, number: str, by: Person, why: str, now: datetime) -> TakedownItem:
        """Let messages with an item pass again."""
        authorize(by, Permission.BLOCK_TAKEDOWN)
        why = given_reason(why)
        with self._store.writing() as connection:
            facts = {"blocked_by": None, "blocked_at": None}
            return self._change(connection, _row(connection, number), by, "takedown.unblock", why, now, facts)

    def refused_texts(self) -> tuple[list[str], list[str]]:
        """Hosts and words that the filter refuses now; none that a policy since protects."""
        table = takedown_items.c
        query = (
            select(table.kind, table.value)
            .where(table.blocked_at.is_not(None))
            .order_by(table.kind, table.value)
        )
        with self._store.reading() as connection:
            rows = connection.execute(query).all()
        found: Mapping[bool, list[str]] = {True: [], False: []}
        for kind, value in rows:
            indicator = Indicator(IndicatorKind(kind), value)
            if not self._never(indicator):
                found[indicator.kind is IndicatorKind.HOST].append(_as_written(indicator))
        return found[True], found[False]

    # --- internal ---

    def _never(self, one: Indicator) -> str:
        """Why the filter never refuses this; "" if it may."""
        return never_refused(one, self._policy.safe_hosts, self._protects)

    def _add(
        self, connection: Connection, seen: Mapping[Indicator, _Seen], now: datetime, source: str
    ) -> None:
        """Add what was seen. `source`: refused counts on, complaints says how many there are in all."""
        by_kind: dict[str, list[str]] = defaultdict(list)
        for one in seen:
            by_kind[one.kind.value].append(one.value)
        table, known = takedown_items.c, dict[Indicator, RowMapping]()
        for kind, values in by_kind.items():
            for at in range(0, len(values), 400):
                mine = (table.kind == kind, table.value.in_(values[at : at + 400]))
                rows = connection.execute(select(takedown_items).where(*mine).with_for_update()).mappings()
                known |= {Indicator(IndicatorKind(kind), row["value"]): row for row in rows}
        for one, what in seen.items():
            if one.kind is IndicatorKind.HOST and under(one.value, self._policy.safe_hosts):
                continue
            row = known.get(one)
            if row is None:
                facts: dict[str, Any] = {"id": new_id("I"), "kind": one.kind.value, "value": one.value}
                facts |= {"state": ItemState.REPORTED.value, "first_seen": what.first, "last_seen": what.last}
                connection.execute(
                    insert(takedown_items).values(**facts, updated_at=now, **{source: what.count})
                )
                continue
            count = what.count + (row["refused"] if source == "refused" else 0)
            first, last = min(row["first_seen"], what.first), max(row["last_seen"], what.last)
            if (count, first, last) != (row[source], row["first_seen"], row["last_seen"]):
                to: dict[str, Any] = {
                    source: count,
                    "first_seen": first,
                    "last_seen": last,
                    "updated_at": now,
                }
                connection.execute(update(takedown_items).where(table.id == row["id"]).values(to))

    def _change(
        self,
        connection: Connection,
        row: RowMapping,
        by: Person,
        what: str,
        why: str,
        now: datetime,
        facts: Mapping[str, Any],
    ) -> TakedownItem:
        mine = takedown_items.c.id == row["id"]
        connection.execute(update(takedown_items).where(mine).values(**facts, updated_at=now))
        after = connection.execute(select(takedown_items).where(mine)).mappings().one()
        told = {name: after[name] for name in ("kind", "value", "state")} | {
            "blocked": after["blocked_at"] is not None
        }
        entry = AuditEntry(now, by, what, row["id"], why, before={"state": row["state"]}, after=told)
        self._trail.append(connection, [entry])
        return _item(after)


_KEY = ("element", "key", "kind", "value")


def _row(connection: Connection, number: str) -> RowMapping:
    mine = select(takedown_items).where(takedown_items.c.id == number).with_for_update()
    row = connection.execute(mine).mappings().first()
    if row is None:
        raise TakedownError(f"no item {number!r}; `duanka accounts items` names them")
    return row


def _item(row: RowMapping) -> TakedownItem:
    facts = {name: row[name] for name in TakedownItem.__dataclass_fields__}
    facts |= {"kind": IndicatorKind(row["kind"]), "state": ItemState(row["state"])}
    return TakedownItem(**facts)


def _as_written(one: Indicator) -> str:
    """As it stands in a text: a number of this country without its code."""
    if one.kind is IndicatorKind.NUMBER and one.value.startswith("86") and len(one.value) > 10:
        return one.value[2:]
    return one.value
