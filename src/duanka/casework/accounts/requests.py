"""Rows of requests to platforms: made, released and answered, each with its entry in the trail.

All functions work in the caller's transaction. A request is made once for an account, a kind and a ground: a unique
index says so, whoever asks and however often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from duanka.casework.accounts.grounds import StandingGround
from duanka.domain.linked_accounts import (
    OVER,
    LinkedAccount,
    RequestKind,
    RequestState,
    SentKind,
    SignedAnswer,
    canonical,
    moved_by,
)
from duanka.domain.person import Person
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.bulk import upsert
from duanka.ledger.db.casework.accounts import account_answers, account_deliveries, account_requests
from duanka.ledger.db.rows import new_id
from duanka.ledger.lease_queue import closed

SEALED = "account delivery"  # purpose of the seal of what is sent
PLATFORM = "platform"  # who answered, where it was no person
_WITHDRAWN, SUPERSEDED = "withdrawn", "superseded"
_MOST_ACCOUNT = 120  # letters


@dataclass(frozen=True)
class RequestTerms:
    """What a new request says beside its account. `place`: operator and city of the card."""

    ground: StandingGround
    kind: RequestKind
    place: tuple[str, str]
    due_at: datetime
    state: RequestState = RequestState.WAITING


def make_request(
    connection: Connection,
    trail: Trail,
    account: LinkedAccount,
    terms: RequestTerms,
    by: Person,
    why: str,
    now: datetime,
) -> AuditEntry | None:
    """Insert a request, and what is to be sent unless it waits for approval; None: it is there already.

    An account whose name is longer than 120 letters is none: it is left out.
    """
    if len(account.account) > _MOST_ACCOUNT or len(account.platform) > 64:
        return None
    number, waits = new_id("G"), terms.state is RequestState.PROPOSED
    row: dict[str, object] = {
        "id": number,
        "card": account.card,
        "platform": account.platform,
        "account": account.account,
        "kind": terms.kind.value,
        "ground": terms.ground.ground.value,
        "ground_number": terms.ground.number,
        "state": terms.state.value,
        "operator": terms.place[0],
        "city": terms.place[1],
        "requested_by": by.id,
        "requested_at": now,
        "why": why,
        "due_at": None if waits else terms.due_at,
        "updated_at": now,
    }
    new = upsert(connection, account_requests).on_conflict_do_nothing().returning(account_requests.c.id)
    if connection.execute(new, row).first() is None:  # a count of rows is not told by every driver
        return None
    if not waits:
        queue(connection, trail, row, SentKind.REQUEST, now)
    told = {name: row[name] for name in ("platform", "kind", "ground", "ground_number", "state")}
    return AuditEntry(now, by, "account.request", number, why, after=told)


def queue(
    connection: Connection,
    trail: Trail,
    row: Mapping[str, Any] | RowMapping,
    what: SentKind,
    now: datetime,
) -> None:
    """Queue what is sent to the platform, sealed; nothing if it is queued already."""
    body = body_of(row, what, now).decode()
    sent = {
        "request_id": row["id"],
        "what": what.value,
        "platform": row["platform"],
        "body": body,
        "seal": trail.signed(SEALED, row["id"], what.value, row["platform"], body),
        "created_at": now,
        "next_try_at": now,
    }
    connection.execute(upsert(connection, account_deliveries).on_conflict_do_nothing(), sent)


def body_of(row: Mapping[str, Any] | RowMapping, what: SentKind, now: datetime) -> bytes:
    """The JSON that the platform gets; it is stored, so that a second try is the same to the byte."""
    if what is SentKind.RELEASE:
        return canonical({"id": row["id"], "release": True, "requestedAt": _written(now)})
    return canonical(
        {
            "id": row["id"],
            "account": row["account"],
            "phoneNumber": f"+{row['card']}" if row["card"].isdigit() else row["card"],
            "kind": row["kind"],
            "ground": row["ground"],
            "groundNumber": row["ground_number"],
            "requestedAt": _written(now),
            "dueAt": _written(row["due_at"]),
        }
    )


def release(
    connection: Connection, trail: Trail, row: RowMapping, by: Person, why: str, now: datetime
) -> AuditEntry | None:
    """Take a request back: unsent, it is withdrawn; sent, or perhaps sent, the platform is asked to release.

    `row`: locked. None: it is over or released already.
    """
    state = RequestState(row["state"])
    if state in (*OVER, RequestState.RELEASING):
        return None
    mine = (account_deliveries.c.request_id == row["id"], account_deliveries.c.what == SentKind.REQUEST.value)
    sent = connection.execute(select(account_deliveries).where(*mine).with_for_update()).mappings().first()
    never_sent = sent is None or (sent["done_at"] is None and not sent["tries"] and sent["leased_by"] is None)
    if sent is not None and sent["done_at"] is None:
        # the release goes even before a request that may be on its way: the platform then refuses the request
        over = closed(now, _WITHDRAWN if never_sent else SUPERSEDED)
        connection.execute(update(account_deliveries).where(*mine).values(over))
    if never_sent:
        after: dict[str, object] = {"state": RequestState.WITHDRAWN.value, "over_at": now, "due_at": None}
    else:
        queue(connection, trail, row, SentKind.RELEASE, now)
        after = {"state": RequestState.RELEASING.value, "release_at": now, "due_at": None}
    change(connection, row["id"], now, **after, released_by=by.id)
    told = {"state": after["state"], "platform": row["platform"], "kind": row["kind"]}
    return AuditEntry(now, by, "account.release", row["id"], why, before={"state": state.value}, after=told)


def take_answer(
    connection: Connection,
    row: RowMapping,
    answer: SignedAnswer,
    who: str,
    by: Person,
    why: str,
    now: datetime,
) -> AuditEntry | None:
    """Keep an answer and move the request by it. `row`: locked. None: it said the same before.

    `who`: `PLATFORM`, or the person who entered it.
    """
    last = (
        select(account_answers.c.state, account_answers.c.note)
        .where(account_answers.c.request_id == row["id"])
        .order_by(account_answers.c.id.desc())
        .limit(1)
    )
    if connection.execute(last).first() == (answer.state.value, answer.note):
        return None
    state = RequestState(row["state"])
    after = moved_by(state, answer.state)
    kept = {"request_id": row["id"], "at": now, "state": answer.state.value, "who": who}
    kept |= {"note": answer.note, "signature": answer.signature}
    connection.execute(insert(account_answers).values(kept))
    facts: dict[str, object] = {"answered_at": now, "answered_by": who}
    if after is not state:
        facts |= {"state": after.value, "due_at": None}
        facts |= {"over_at": now, "released_at": now} if after is RequestState.RELEASED else {}
    change(connection, row["id"], now, **facts)
    told: dict[str, object] = {"answer": answer.state.value, "state": after.value, "who": who}
    return AuditEntry(now, by, "account.answer", row["id"], why, before={"state": state.value}, after=told)


def change(connection: Connection, number: str, now: datetime, **to: object) -> None:
    """Change a request."""
    mine = update(account_requests).where(account_requests.c.id == number)
    connection.execute(mine.values(**to, updated_at=now))


def locked(connection: Connection, numbers: Sequence[str]) -> dict[str, RowMapping]:
    """Requests by id, locked in a fixed order."""
    these = select(account_requests).where(account_requests.c.id.in_(numbers)).order_by(account_requests.c.id)
    rows = connection.execute(these.with_for_update()).mappings()
    return {row["id"]: row for row in rows}


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
