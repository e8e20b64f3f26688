"""Facts counted by unit, by SQL: one query for a measure and a kind of unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Subquery, and_, case, cast, func, or_, select

from duanka.assessment.facts.events import CountedTime, confirmation_stands, facts
from duanka.domain.assessment import Measure, UnitFigure, UnitKind
from duanka.ledger.db.assessment.listings import card_units
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.db.casework.victims import forgotten_warnings
from duanka.ledger.db.tables import audit
from duanka.ledger.figures.events import VICTIMS_LOOKED_FOR, warned

HOUR = timedelta(hours=1)
LARGEST = 10  # outlets whose share of the confirmed cards is the concentration
_PERSONS = (Measure.WARNED, Measure.DISSUADED)  # of persons, who have a place and no outlet
_LOOKED = (*VICTIMS_LOOKED_FOR, "victims.warn")
_PERCENTILE = {Measure.RESTORE_P50: 50, Measure.RESTORE_P95: 95}


@dataclass(frozen=True)
class PlacedFigure:
    """A figure, and the one operator and city of all that it counts; "": several, or unknown."""

    figure: UnitFigure
    operator: str = ""
    city: str = ""


def measures_of(kind: UnitKind | None) -> tuple[Measure, ...]:
    """The measures that units of this kind have; None: of everything together."""
    if kind is UnitKind.PLATFORM:
        return (Measure.ACCOUNTS,)
    if kind in (UnitKind.OUTLET, UnitKind.OPENING_MONTH):
        return tuple(one for one in Measure if one not in (*_PERSONS, Measure.OUTLETS))
    return tuple(Measure)


def counted(
    connection: Connection, measure: Measure, kind: UnitKind | None, time: CountedTime
) -> Sequence[PlacedFigure]:
    """Count a measure by unit, in order of the units; `exposure` of CONFIRMED is unknown here.

    Units without a fact are absent; everything together is one row, always there.
    """
    if measure is Measure.OUTLETS:
        return _concentration(connection, kind, time)
    if measure in _PERSONS and not _victims_are_looked_for(connection, time):
        return [PlacedFigure(UnitFigure("", None))] if kind is None else []
    if measure is Measure.CONFIRMED and not _the_police_confirm(connection, time):
        return [PlacedFigure(UnitFigure("", None))] if kind is None else []
    source = placed(measure, kind, time)
    if measure in _PERCENTILE:
        return _quantiles(connection, source, kind, _PERCENTILE[measure])
    unit = source.c.unit
    total, hits = func.count(), cast(func.coalesce(func.sum(source.c.counted), 0), BigInteger)
    query = (
        select(unit, total.label("of"), hits.label("hits"), *_places(source)).group_by(unit).order_by(unit)
    )
    alone = measure is Measure.CONFIRMED or measure in _PERSONS
    found = [
        _placed(kind, UnitFigure(row.unit, row.hits, None if alone else row.of), row)
        for row in connection.execute(query)
    ]
    if measure is Measure.WARNED:
        found = _with_forgotten(connection, kind, time, found)
    if kind is None and not found:
        found = [PlacedFigure(UnitFigure("", 0, None if alone else 0))]
    return found


def placed(measure: Measure, kind: UnitKind | None, time: CountedTime) -> Subquery:
    """The facts with the columns `unit`, `operator` and `city`, as the register has them, else the order.

    And with `outlet` ("": unknown) and `month`, in which the card was opened ("": unknown, NULL: in no register).
    """
    source = facts(measure, time).subquery()
    units = card_units.c
    known = and_(
        units.card == source.c.card,
        units.since <= time.as_of,
        or_(units.until.is_(None), units.until > time.as_of),
    )
    operator = func.coalesce(func.nullif(units.operator, ""), source.c.operator)
    city = func.coalesce(func.nullif(units.city, ""), source.c.city)
    by: Mapping[UnitKind, ColumnElement[Any]] = {
        UnitKind.OPERATOR: operator,
        UnitKind.CITY: city,
        UnitKind.OUTLET: func.coalesce(units.outlet, ""),
        UnitKind.OPENING_MONTH: func.coalesce(units.month, ""),
        UnitKind.PLATFORM: source.c.platform,
    }
    unit = func.coalesce(by[kind] if kind else "", "")
    columns = (unit.label("unit"), operator.label("operator"), city.label("city"))
    kept = (source.c[name] for name in ("ref", "card", "at", "counted", "took", "platform"))
    outlet = func.coalesce(units.outlet, "").label("outlet")
    return (
        select(*columns, outlet, units.month, *kept)
        .select_from(source.outerjoin(card_units, known))
        .subquery()
    )


def _victims_are_looked_for(connection: Connection, time: CountedTime) -> bool:
    """Whether anybody looked for victims before the end of the period: else their number is unknown, not 0."""
    known = (audit.c.what.in_(_LOOKED), audit.c.at < time.until, audit.c.at <= time.as_of)
    return connection.execute(select(audit.c.seq).where(*known).limit(1)).first() is not None


def _the_police_confirm(connection: Connection, time: CountedTime) -> bool:
    """Whether any card was confirmed before the end of the period: else nobody said how many there are."""
    confirmed = confirmations.c.confirmed_at
    query = select(confirmations.c.card).where(confirmation_stands(time), confirmed < time.until)
    return connection.execute(query.limit(1)).first() is not None


def _places(source: Subquery) -> tuple[ColumnElement[str], ...]:
    """The one operator and city of a group, or ""."""
    return tuple(
        case((func.min(column) == func.max(column), func.min(column)), else_="").label(column.name)
        for column in (source.c.operator, source.c.city)
    )


def _placed(kind: UnitKind | None, figure: UnitFigure, row: Any) -> PlacedFigure:
    if kind is UnitKind.OPERATOR:
        return PlacedFigure(figure, operator=figure.unit)
    if kind is UnitKind.CITY:
        return PlacedFigure(figure, city=figure.unit)
    return PlacedFigure(figure, row.operator, row.city) if kind is UnitKind.OUTLET else PlacedFigure(figure)


def _quantiles(
    connection: Connection, source: Subquery, kind: UnitKind | None, percent: int
) -> Sequence[PlacedFigure]:
    """The nearest rank: of n cases in order of their time the ceil(percent x n)-th."""
    unit = source.c.unit
    ranked = select(
        unit,
        source.c.took,
        func.row_number().over(partition_by=unit, order_by=source.c.took).label("rank"),
        func.count().over(partition_by=unit).label("of"),
    ).subquery()
    places = select(unit, *_places(source)).group_by(unit).subquery()
    query = (
        select(ranked.c.unit, ranked.c.took, ranked.c.of, places.c.operator, places.c.city)
        .join(places, places.c.unit == ranked.c.unit)
        .where(ranked.c.rank == (ranked.c.of * percent + 99) // 100)
        .order_by(ranked.c.unit)
    )
    found = [
        _placed(kind, UnitFigure(row.unit, row.of, None, timedelta(microseconds=row.took) / HOUR), row)
        for row in connection.execute(query)
    ]
    return found or ([PlacedFigure(UnitFigure("", 0))] if kind is None else [])


def _concentration(
    connection: Connection, kind: UnitKind | None, time: CountedTime
) -> Sequence[PlacedFigure]:
    """Of the confirmed cards whose outlet is known: those of the outlets of the unit that have the most."""
    source = placed(Measure.CONFIRMED, kind, time)
    cards = func.count().label("cards")
    by_outlet = (
        select(source.c.unit, source.c.outlet, cards)
        .where(source.c.outlet != "")
        .group_by(source.c.unit, source.c.outlet)
        .subquery()
    )
    order = (by_outlet.c.cards.desc(), by_outlet.c.outlet)
    ranked = select(
        *by_outlet.c, func.row_number().over(partition_by=by_outlet.c.unit, order_by=order).label("rank")
    ).subquery()
    largest = func.sum(case((ranked.c.rank <= LARGEST, ranked.c.cards), else_=0))
    query = (
        select(ranked.c.unit, cast(largest, BigInteger).label("hits"))
        .add_columns(cast(func.sum(ranked.c.cards), BigInteger).label("of"))
        .group_by(ranked.c.unit)
        .order_by(ranked.c.unit)
    )
    found = [_placed(kind, UnitFigure(row.unit, row.hits, row.of), row) for row in connection.execute(query)]
    return found or ([PlacedFigure(UnitFigure("", 0, 0))] if kind is None else [])


def _with_forgotten(
    connection: Connection, kind: UnitKind | None, time: CountedTime, found: Sequence[PlacedFigure]
) -> list[PlacedFigure]:
    """Add warnings of persons who were forgotten since: counts alone, of the hours that begin in the period."""
    gone = forgotten_warnings.c
    column = {UnitKind.OPERATOR: gone.operator, UnitKind.CITY: gone.city}.get(kind) if kind else None
    total = cast(func.sum(gone.count), BigInteger).label("warnings")
    query = select(total).where(*warned(gone.kind, gone.outcome), time.has(gone.hour))
    if column is None:
        counts = {"": connection.execute(query).scalar() or 0}
    else:
        rows = connection.execute(query.add_columns(column.label("unit")).group_by(column))
        counts = {row.unit: row.warnings for row in rows}
    there = {one.figure.unit: one.figure.count or 0 for one in found}
    units = sorted(there.keys() | {unit for unit, count in counts.items() if count})
    return [_placed(kind, UnitFigure(unit, there.get(unit, 0) + counts.get(unit, 0)), None) for unit in units]
