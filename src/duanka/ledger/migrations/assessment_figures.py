"""Tables that version 14 adds for the headline figures; immutable, and independent of present tables."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, Connection, Integer, String, inspect, text

from duanka.domain.local_time import operator_zone

_HOUR = 3_600_000_000  # microseconds
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE = (("operator", String(40)), ("city", String(40)))


def figures(op: Operations) -> None:
    """Create the tables of the headline figures, and count the refusals that are there."""
    connection = op.get_bind()
    if inspect(connection).has_table("counted_events"):
        return
    _counted(op)
    for table, first in (("refusal_days", (("carried", String(8)), ("day", Integer()))),):
        _table(op, table, (*first, *_PLACE), Column("count", BigInteger, nullable=False))
    _table(
        op,
        "refusal_coverage",
        (("element", String(24)), ("since", BigInteger())),
        Column("carried", String(8), nullable=False),
        Column("until", BigInteger, nullable=False),
    )
    _table(
        op,
        "refusal_losses",
        (("element", String(24)), ("key", String(64))),
        Column("carried", String(8), nullable=False),
        Column("since", BigInteger, nullable=False),
        Column("until", BigInteger, nullable=False),
        Column("count", BigInteger),
        Column("why", String(24), nullable=False),
    )
    op.create_index("losses_by_time", "refusal_losses", ["carried", "until"])
    for name, _ in _PLACE:
        op.add_column("refusals", Column(name, String(40), nullable=False, server_default=""))
    _count(connection)


def _counted(op: Operations) -> None:
    figure = ("figure", String(20))
    _table(
        op,
        "counted_events",
        (figure, ("key", String(24)), ("seq", BigInteger()), *_PLACE),
        Column("at", BigInteger, nullable=False),
        Column("previous", BigInteger),
        Column("what", String(40), nullable=False),
        Column("source", String(24), nullable=False),
        Column("places", Integer, nullable=False),
    )
    op.create_index("counted_by_time", "counted_events", ["figure", "at"])
    for name, column, where in (
        ("counted_again", "previous", "previous IS NOT NULL"),
        ("counted_elsewhere", "at", "places > 1"),
    ):
        op.create_index(
            name,
            "counted_events",
            ["figure", column],
            sqlite_where=text(where),
            postgresql_where=text(where),
        )
    count = ("count", BigInteger)
    _table(op, "counted_days", (figure, ("day", Integer()), *_PLACE), Column(*count, nullable=False))
    for unit in ("day", "month"):
        keys = (figure, (unit, Integer()), ("previous", Integer()), *_PLACE)
        _table(op, f"counted_again_{unit}s", keys, Column(*count, nullable=False))
    op.create_index("counted_again_by_previous", "counted_again_days", ["figure", "previous"])


def _table(op: Operations, name: str, keys: tuple[tuple[str, Any], ...], *columns: Column[Any]) -> None:
    made = (Column(key, kind, primary_key=True, autoincrement=False) for key, kind in keys)
    op.create_table(name, *made, *columns)


def _count(connection: Connection) -> None:
    """Count refusals that were not moved yet by hour, and all of them by day; from now on each counts at once.

    What lies before the end of the last hour that was counted may have gone into the store of records.
    """
    moved = connection.execute(text("SELECT max(hour) FROM refusal_hours")).scalar()
    if moved is not None:
        connection.execute(
            text("INSERT INTO positions (source, position, digest) VALUES ('refusals moved', :until, '0')"),
            {"until": moved + _HOUR},
        )
    for name in ("operator", "city"):
        connection.execute(
            text(
                f"UPDATE refusals SET {name} = coalesce((SELECT o.{name} FROM orders o WHERE o.card = refusals.card"
                " AND (o.operator <> '' OR o.city <> '') ORDER BY o.opened_at DESC LIMIT 1), '')"
            )
        )
    connection.execute(
        text(
            "INSERT INTO refusal_hours (hour, carried, reason, operator, city, count)"
            f" SELECT at - at % {_HOUR}, carried, reason, operator, city, count(*) FROM refusals"
            f" WHERE true GROUP BY at - at % {_HOUR}, carried, reason, operator, city"
            " ON CONFLICT (hour, carried, reason, operator, city)"
            " DO UPDATE SET count = refusal_hours.count + excluded.count"
        )
    )
    days = Counter[tuple[str, int, str, str]]()
    hours = "SELECT carried, hour, operator, city, sum(count) FROM refusal_hours GROUP BY carried, hour, operator, city"
    for carried, hour, operator, city, count in connection.execute(text(hours)):
        days[carried, _day(hour), operator, city] += int(count)
    names = ("carried", "day", "operator", "city", "count")
    if rows := [dict(zip(names, (*key, count), strict=True)) for key, count in days.items()]:
        into = f"INSERT INTO refusal_days ({', '.join(names)}) VALUES ({', '.join(f':{n}' for n in names)})"
        connection.execute(text(into), rows)


def _day(hour: int) -> int:
    local = operator_zone().local(_EPOCH + timedelta(microseconds=hour))
    return (local.date() - _EPOCH.date()).days
