"""Requests about people: proposed by one person, decided by a supervisor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, func, select, update

from duanka.domain.order import NoSuchTransition, OrderError, Person, UnknownOrder
from duanka.domain.text import WordedEnum
from duanka.ledger.db.rows import person_of
from duanka.ledger.db.tables_people import person_requests

REQUEST_DAYS = 14
MOST_WAITING = 50  # pending per proposer


class PersonProposal(WordedEnum):
    """Kind of a request about a person."""

    PERSON = "person", "新增人员"
    CHANGE = "change", "变更人员"
    KEY = "key", "新增密钥"
    PASSWORD = "password", "生成口令"
    SUBJECT = "subject", "绑定统一身份"


class RequestOutcome(WordedEnum):
    """Outcome of a request about a person."""

    APPROVED = "approved", "已通过"
    REJECTED = "rejected", "已否决"
    TOO_OLD = "too_old", "已过期"


@dataclass(frozen=True)
class PersonRequest:
    """A request. `person`: the proposed state; `outcome`: None while pending; `account`: login name of a password, or
    issuer and subject."""

    id: str
    what: PersonProposal
    person: Person
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    outcome: str | None
    account: str = ""


def nothing_waits(connection: Connection, person: str, now: datetime) -> None:
    """OrderError if a request about the person is pending; closes expired ones."""
    mine = (person_requests.c.person == person, person_requests.c.decided_at.is_(None))
    row = connection.execute(select(person_requests).where(*mine)).mappings().first()
    if row is None:
        return
    if not _too_old(row, now):
        raise OrderError(f"{row['id']} about {person} waits already: let it be approved or rejected first")
    over = {"decided_at": now, "outcome": RequestOutcome.TOO_OLD.value}
    connection.execute(update(person_requests).where(person_requests.c.id == row["id"]).values(over))


def not_too_many(connection: Connection, by: Person) -> None:
    """OrderError if too many requests of `by` are pending."""
    mine = (person_requests.c.proposed_by == by.id, person_requests.c.decided_at.is_(None))
    count = connection.execute(select(func.count()).select_from(person_requests).where(*mine)).scalar_one()
    if count >= MOST_WAITING:
        raise OrderError(
            f"{count} proposals of {by.id} about people wait already: let some be approved or rejected first"
        )


def waiting_request(connection: Connection, number: str, now: datetime | None) -> RowMapping:
    """Return the row of a pending request. NoSuchTransition: decided or expired."""
    row = request_row(connection, number)
    if row["decided_at"]:
        raise NoSuchTransition(f"{number} was {row['outcome']} by {row['decided_by']}")
    if now and _too_old(row, now):
        raise NoSuchTransition(f"{number} is older than {REQUEST_DAYS} days; propose it anew")
    return row


def _too_old(row: RowMapping, now: datetime) -> bool:
    return bool(row["proposed_at"] + timedelta(days=REQUEST_DAYS) <= now)


def request_row(connection: Connection, number: str) -> RowMapping:
    """Return the row of a request. UnknownOrder if there is none."""
    query = select(person_requests).where(person_requests.c.id == number)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise UnknownOrder(f"nothing was proposed as {number[:16]!r}; `duanka persons list` names what waits")
    return row


def request_of(row: RowMapping) -> PersonRequest:
    """Parse a request from a row."""
    person = person_of({**row, "id": row["person"]})
    names = ("proposed_by", "proposed_at", "decided_by", "decided_at", "outcome", "account")
    return PersonRequest(row["id"], PersonProposal(row["what"]), person, *(row[name] for name in names))
