"""Requests about linked accounts for people: lists, one in full, and figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, func, or_, select

from duanka.domain.authority import Permission, authorize, within
from duanka.domain.linked_accounts import (
    AccountGround,
    PlatformState,
    RequestKind,
    RequestState,
    UnknownAccountRequest,
)
from duanka.domain.person import Person
from duanka.domain.phone_masking import masked_card
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.casework.accounts import account_answers, account_deliveries, account_requests
from duanka.ledger.db.database import Store
from duanka.ledger.lookups import LookupContext, Sight, authorize_lookup, check_basis
from duanka.ledger.people.places import places_in

_SHOWN_LETTERS = 2  # of an account that is masked
# states of which an account counts as handled, for the figures of R12 and R4
_DONE = (RequestState.HANDLED.value, RequestState.RELEASED.value, RequestState.RELEASING.value)


@dataclass(frozen=True)
class AccountRequest:
    """A request; `card` and `account` as they may be shown. `answered_by`: `platform`, or a person."""

    id: str
    card: str
    platform: str
    account: str
    kind: RequestKind
    ground: AccountGround
    ground_number: str
    state: RequestState
    operator: str
    city: str
    requested_by: str
    requested_at: datetime
    why: str
    approved_by: str | None
    due_at: datetime | None
    sent_at: datetime | None
    answered_at: datetime | None
    answered_by: str | None
    release_at: datetime | None
    released_at: datetime | None
    overdue: bool
    updated_at: datetime


@dataclass(frozen=True)
class AccountAnswer:
    """One answer, in order. `who`: `platform`, or the person who entered it."""

    at: datetime
    state: PlatformState
    who: str
    note: str


@dataclass(frozen=True)
class AccountFile:
    """A request with its answers, and what could not be sent: `error` of the last try."""

    request: AccountRequest
    answers: Sequence[AccountAnswer]
    tries: int
    error: str


@dataclass(frozen=True)
class AccountFilter:
    """Which requests; empty: all."""

    states: Sequence[RequestState] = ()
    platform: str | None = None
    overdue: bool = False


@dataclass(frozen=True)
class AccountPage:
    """A page of requests, the latest first; `following`: cursor of the next page."""

    requests: Sequence[AccountRequest]
    following: str | None


@dataclass(frozen=True)
class AccountFigure:
    """Requests of a period by operator, city, platform and kind; each number opens to its rows by `page`."""

    operator: str
    city: str
    platform: str
    kind: RequestKind
    requested: int
    handled: int
    refused: int
    released: int
    overdue: int


class AccountQueries:
    """Reads requests; accounts and cards are masked, unless a named request is looked at with a reason."""

    def __init__(self, store: Store, trail: Trail) -> None:
        self._store, self._trail = store, trail

    def page(
        self, which: AccountFilter, by: Person, now: datetime, after: str | None = None, limit: int = 200
    ) -> AccountPage:
        """Requests in the person's scope, the latest first, masked."""
        authorize(by, Permission.LIST_ACCOUNTS)
        table = account_requests.c
        conditions = [*_in_scope(by)]
        if which.states:
            conditions.append(table.state.in_([state.value for state in which.states]))
        if which.platform:
            conditions.append(table.platform == which.platform)
        if which.overdue:
            conditions += [table.due_at.is_not(None), table.due_at <= now]
        with self._store.reading() as connection:
            if after is not None:
                at = connection.execute(select(table.requested_at).where(table.id == after)).scalar()
                if at is None:
                    raise UnknownAccountRequest(
                        "no page begins there: give `next` of the page before as it came"
                    )
                conditions.append(
                    or_(table.requested_at < at, and_(table.requested_at == at, table.id < after))
                )
            query = (
                select(account_requests)
                .where(*conditions)
                .order_by(table.requested_at.desc(), table.id.desc())
                .limit(limit + 1)
            )
            rows = connection.execute(query).mappings().all()
        shown = [_request(row, now, Sight(unmasked=False)) for row in rows[:limit]]
        return AccountPage(shown, rows[limit - 1]["id"] if len(rows) > limit else None)

    def file(self, number: str, reader: LookupContext, now: datetime) -> AccountFile:
        """One request with its answers. It is a lookup: the trail has who and why before anything is shown."""
        authorize_lookup(reader, Permission.READ_ACCOUNT)
        with self._store.reading() as connection:
            row = (
                connection.execute(select(account_requests).where(account_requests.c.id == number))
                .mappings()
                .first()
            )
            if row is None:
                raise UnknownAccountRequest(f"no request {number!r}; `duanka accounts list` names them")
            within(reader.person, number, row["operator"], row["city"])
            check_basis(connection, reader, row["card"])
        told = {"basis": reader.basis.number, "unmasked": reader.unmasked}
        entry = AuditEntry(now, reader.person, "lookup.account", number, reader.why, after=told)
        with self._store.writing() as connection:
            self._trail.append(connection, [entry])
        with self._store.reading() as connection:
            answers = select(account_answers).where(account_answers.c.request_id == number)
            given = connection.execute(answers.order_by(account_answers.c.id)).mappings().all()
            sent = select(account_deliveries).where(account_deliveries.c.request_id == number)
            deliveries = connection.execute(sent.order_by(account_deliveries.c.id)).mappings().all()
        return AccountFile(
            _request(row, now, Sight(reader.unmasked), unmasked=reader.unmasked),
            [AccountAnswer(one["at"], PlatformState(one["state"]), one["who"], one["note"]) for one in given],
            sum(one["tries"] for one in deliveries),
            next((one["error"] for one in reversed(deliveries) if one["error"]), ""),
        )

    def figures(self, since: datetime, until: datetime, by: Person, now: datetime) -> Sequence[AccountFigure]:
        """Linked accounts asked about from `since` until before `until`, by operator, city, platform and kind."""
        authorize(by, Permission.READ_FIGURES)
        table = account_requests.c

        def counted(*which: ColumnElement[bool]) -> Any:
            return func.count().filter(*which)

        keys = (table.operator, table.city, table.platform, table.kind)
        query = (
            select(
                *keys,
                func.count(),
                counted(table.state.in_(_DONE)),
                counted(table.state == RequestState.REFUSED.value),
                counted(table.released_at.is_not(None)),
                counted(table.due_at.is_not(None), table.due_at <= now),
            )
            .where(table.requested_at >= since, table.requested_at < until, *_in_scope(by))
            .group_by(*keys)
            .order_by(*keys)
        )
        with self._store.reading() as connection:
            rows = connection.execute(query).all()
        return [AccountFigure(row[0], row[1], row[2], RequestKind(row[3]), *row[4:]) for row in rows]


def _in_scope(by: Person) -> list[ColumnElement[bool]]:
    return places_in(by, account_requests.c.operator, account_requests.c.city)


def _request(row: RowMapping, now: datetime, sight: Sight, *, unmasked: bool = False) -> AccountRequest:
    facts: dict[str, Any] = {
        name: row[name]
        for name in AccountRequest.__dataclass_fields__
        if name in row and name not in ("card", "account")
    }
    facts["kind"], facts["ground"] = RequestKind(row["kind"]), AccountGround(row["ground"])
    facts["state"] = RequestState(row["state"])
    account = row["account"] if unmasked else masked_account(row["account"])
    overdue = row["due_at"] is not None and row["due_at"] <= now
    card = sight.number(row["card"]) if unmasked else masked_card(row["card"])
    return AccountRequest(**facts, card=card, account=account, overdue=overdue)


def masked_account(account: str) -> str:
    """The first letters of an account, and stars for the rest."""
    return account[:_SHOWN_LETTERS] + "*" * min(8, max(0, len(account) - _SHOWN_LETTERS))
