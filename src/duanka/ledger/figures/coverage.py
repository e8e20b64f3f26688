"""What of the network was read, and what is known to be lost.

Everything that an element refused before `until` was read, from the moment on when it became known here: its file
keeps what comes while nobody reads. A figure is measured where an element of its kind was read; elsewhere it is
unknown. An element that does not run refuses nothing, which is no gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select, update

from duanka.domain.network import Carried, Loss
from duanka.ledger.db.assessment.figures import refusal_coverage, refusal_losses
from duanka.ledger.db.bulk import upsert

_STEP = timedelta(seconds=30)  # at most so often is it written that an idle element was read
READ_LAG = timedelta(seconds=90)  # a period that ends now is measured up to its end if it was read so lately

Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class KnownLosses:
    """Losses that touch a period: how many, and how many events as far as that is known."""

    losses: int
    events: int


def extend_coverage(
    connection: Connection,
    element: str,
    carried: Carried,
    losses: Sequence[Loss],
    now: datetime,
    *,
    whole: bool,
) -> None:
    """Record `losses`, and, if `whole`, that everything of `element` before `now` was read."""
    table = refusal_coverage
    mine = table.c.element == element[:24]
    last = connection.execute(
        select(table.c.since, table.c.until).where(mine).order_by(table.c.since.desc()).limit(1)
    ).first()
    add_losses(connection, losses, last.until if last else now, now)
    if not whole:
        return
    if last is None:
        begin_coverage(connection, element, carried, now)
    elif now - last.until >= _STEP or losses:
        later = (table.c.since == last.since, table.c.until < now)
        connection.execute(update(table).where(mine, *later).values(until=now))


def begin_coverage(connection: Connection, element: str, carried: Carried, at: datetime) -> None:
    """Say that `element` is read since `at`, when the first that it delivered was; unless that was said before."""
    mine = refusal_coverage.c.element == element[:24]
    if connection.execute(select(refusal_coverage.c.element).where(mine).limit(1)).first() is None:
        row = {"element": element[:24], "carried": carried.value, "since": at, "until": at}
        connection.execute(upsert(connection, refusal_coverage).on_conflict_do_nothing(), [row])


def add_losses(
    connection: Connection,
    losses: Sequence[Loss],
    last_read: datetime | None = None,
    now: datetime | None = None,
) -> None:
    """Record losses, each once. `last_read`, `now`: when those begin and end that do not say so themselves."""
    rows = []
    for one in losses:
        until = one.until or now
        assert until is not None  # noqa: S101  # who gives none gives `now`
        rows.append(
            {
                "element": one.element[:24],
                "key": one.key[:64],
                "carried": one.carried.value,
                "since": min(one.since or last_read or until, until),
                "until": until,
                "count": one.count,
                "why": one.why.value,
            }
        )
    if rows:
        connection.execute(upsert(connection, refusal_losses).on_conflict_do_nothing(), rows)


def covered(connection: Connection, carried: Carried) -> list[Span]:
    """When refusals of this kind were read, in order; the spans do not overlap."""
    table = refusal_coverage.c
    query = select(table.since, table.until).where(table.carried == carried.value).order_by(table.since)
    found = list[Span]()
    for since, until in connection.execute(query):
        if found and since <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], until)
        else:
            found.append((since, until))
    return found


def share(spans: Sequence[Span], since: datetime, until: datetime, now: datetime) -> float:
    """The measured share of a period, 0 to 1; what lies after `now` is not yet, and counts for nothing."""
    end = min(until, now)
    if end <= since:
        return 1.0 if any(a <= since <= b for a, b in spans) else 0.0
    measured = timedelta(0)
    for begin, last in spans:
        reached = end if last >= now - READ_LAG else last
        measured += max(min(reached, end) - max(begin, since), timedelta(0))
    return measured / (end - since)


def losses(connection: Connection, carried: Carried, since: datetime, until: datetime) -> KnownLosses:
    """The losses that touch a period; of those of which nobody knows how many, none is in the sum."""
    table = refusal_losses.c
    query = select(func.count(), func.coalesce(func.sum(table.count), 0)).where(
        table.carried == carried.value, table.until >= since, table.since < until
    )
    number, events = connection.execute(query).one()
    return KnownLosses(int(number), int(events))
