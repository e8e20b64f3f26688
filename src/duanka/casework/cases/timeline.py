"""The one timeline of a case: what people did in it, its cards' orders, and what the network acknowledged."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from heapq import nlargest

from sqlalchemy import Connection, RowMapping, Table, func, or_, select
from sqlalchemy.sql import ColumnElement

from duanka.domain.case_file import TimelineEntry
from duanka.domain.network import NetworkState
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail_texts import row_words
from duanka.ledger.db.bulk import among
from duanka.ledger.db.casework.cases import case_notes, cases, confirmations
from duanka.ledger.db.casework.clues import clues
from duanka.ledger.db.tables import audit, notices, orders, outbox

_NOTE = BilingualText("记事", "note")
_CONFIRMED = BilingualText("公安机关确认涉案", "confirmed by the police")
_WITHDRAWN = BilingualText("涉案确认已撤回", "confirmation withdrawn")
_ACKNOWLEDGED = BilingualText("网元确认：{state}", "acknowledged: {state}")
_NOT_DONE = BilingualText("网元未执行：{state}", "not done: {state}")
_DELIVERED = BilingualText("通知送达用户", "notice delivered to the holder")


def timeline_of(
    connection: Connection, number: str, cards: Collection[str], limit: int
) -> tuple[list[TimelineEntry], int]:
    """Return the latest `limit` entries, the latest first, and how many there are in all."""
    found: list[TimelineEntry] = []
    in_all = 0
    for part, count in (
        _acts(connection, number, cards, limit),
        _notes(connection, number, limit),
        _confirmations(connection, cards),
        _network(connection, cards, limit),
        _notices(connection, cards, limit),
    ):
        found += part
        in_all += count
    return nlargest(limit, found, key=lambda entry: entry.at), in_all


def _acts(
    connection: Connection, number: str, cards: Collection[str], limit: int
) -> tuple[list[TimelineEntry], int]:
    """Acts in the case and in those merged into it, on its clues, and on the orders of its cards."""
    merged = select(cases.c.id).where(cases.c.merged_into == number)
    theirs = select(orders.c.id).where(among(connection, orders.c.card, cards))
    told = select(clues.c.id).where(or_(clues.c.case_id == number, clues.c.case_id.in_(merged)))
    subjects = (audit.c.subject.in_(one) for one in (merged, theirs, told))
    which = (
        or_(audit.c.subject == number, *subjects),
        audit.c.what.not_like("read.%"),
        audit.c.what != "case.note",  # the note itself is there
    )
    query = select(audit.c.at, audit.c.who, audit.c.what, audit.c.subject, audit.c.why, orders.c.card)
    query = query.join(orders, orders.c.id == audit.c.subject, isouter=True).where(*which)
    rows = connection.execute(query.order_by(audit.c.seq.desc()).limit(limit))
    entries = [
        TimelineEntry(row.at, row_words(row.what), row.who, row.card or row.subject, row.why) for row in rows
    ]
    return entries, _count(connection, audit, *which)


def _notes(connection: Connection, number: str, limit: int) -> tuple[list[TimelineEntry], int]:
    which = case_notes.c.case_id == number
    query = select(case_notes).where(which).order_by(case_notes.c.at.desc(), case_notes.c.id.desc())
    rows = connection.execute(query.limit(limit)).mappings()
    entries = [TimelineEntry(row["at"], _NOTE, row["who"], "", row["text"]) for row in rows]
    return entries, _count(connection, case_notes, which)


def _confirmations(connection: Connection, cards: Collection[str]) -> tuple[list[TimelineEntry], int]:
    found = select(confirmations).where(among(connection, confirmations.c.card, cards))
    entries = list(_said(connection.execute(found).mappings().all()))
    return entries, len(entries)


def _said(rows: Collection[RowMapping]) -> Iterator[TimelineEntry]:
    for row in rows:
        yield TimelineEntry(row["confirmed_at"], _CONFIRMED, "", row["card"], row["case_number"])
        if row["withdrawn_at"]:
            yield TimelineEntry(row["withdrawn_at"], _WITHDRAWN, "", row["card"], row["withdrawn_why"])


def _network(connection: Connection, cards: Collection[str], limit: int) -> tuple[list[TimelineEntry], int]:
    done = (
        among(connection, outbox.c.card, cards),
        outbox.c.done_at.is_not(None),
        outbox.c.outcome != "superseded",
    )
    query = select(outbox).where(*done).order_by(outbox.c.done_at.desc(), outbox.c.id.desc()).limit(limit)
    entries = []
    for row in connection.execute(query).mappings():
        state = NetworkState(row["wanted"]).words
        words = _ACKNOWLEDGED if row["outcome"] == "done" else _NOT_DONE
        what = BilingualText(words.zh.format(state=state.zh), words.en.format(state=state.en))
        entries.append(TimelineEntry(row["done_at"], what, row["element"], row["card"], row["error"] or ""))
    return entries, _count(connection, outbox, *done)


def _notices(connection: Connection, cards: Collection[str], limit: int) -> tuple[list[TimelineEntry], int]:
    there = (among(connection, notices.c.card, cards), notices.c.outcome == "delivered")
    query = select(notices).where(*there).order_by(notices.c.receipt_at.desc(), notices.c.id.desc())
    entries = [
        TimelineEntry(row["receipt_at"] or row["done_at"], _DELIVERED, "", row["card"], row["template"])
        for row in connection.execute(query.limit(limit)).mappings()
    ]
    return entries, _count(connection, notices, *there)


def _count(connection: Connection, table: Table, *which: ColumnElement[bool]) -> int:
    return int(connection.execute(select(func.count()).select_from(table).where(*which)).scalar_one())
