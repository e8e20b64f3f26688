"""Active cards by unit and age: what an assessment divides by; one SQL statement over register and last use."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from duanka.domain.assessment import UnitKind
from duanka.domain.assessment_lookups import ActiveCards
from duanka.domain.card_age import CardAge
from duanka.domain.record_keys import key_of
from duanka.domain.rollups import CARD_LIFE, MergeOperation
from duanka.engine.store.manifest import FileKind, Manifest
from duanka.engine.store.reading.parties import PartyStore

_LASTS = tuple(a.name for a in CARD_LIFE.aggregates if a.how is MergeOperation.MAX)
# In order of `grouping(operator, city, outlet, month)`: which of the four a row is grouped by.
_KINDS = {7: UnitKind.OPERATOR, 11: UnitKind.CITY, 13: UnitKind.OUTLET, 14: UnitKind.OPENING_MONTH}
_ACTIVE = """
WITH used AS (SELECT DISTINCT card FROM ({uses}) WHERE card IS NOT NULL),
active AS (
  SELECT coalesce(operator, '') AS operator, coalesce(home_city, '') AS city, coalesce(outlet, '') AS outlet,
    coalesce(strftime(opened_at, '%Y-%m'), '') AS month, {age} AS age
  FROM {register} AS r
  WHERE card IN (SELECT unnest($also)) OR ((opened_at IS NULL OR opened_at < $until)
    AND (card IN (FROM used) OR last_used_at >= $since AND (opened_at IS NULL OR last_used_at > opened_at)))
)
SELECT grouping(operator, city, outlet, month) AS kind, coalesce(operator, city, outlet, month) AS unit,
  {by_age},
  CASE WHEN min(active.operator) = max(active.operator) THEN min(active.operator) ELSE '' END AS operator_of_all,
  CASE WHEN min(active.city) = max(active.city) THEN min(active.city) ELSE '' END AS city_of_all
FROM active GROUP BY GROUPING SETS ((operator), (city), (outlet), (month)) ORDER BY kind, unit
"""
_AGE = " ".join(
    (
        "CASE WHEN opened_at IS NULL OR opened_at >= $until THEN 'unknown'",
        *(
            f"WHEN date_diff('month', opened_at, $since) >= {age.least} THEN '{age.value}'"
            for age in reversed(CardAge)
            if age.least
        ),
        "ELSE 'in_period' END",
    )
)
_BY_AGE = ", ".join(f"count(*) FILTER (WHERE age = '{age.value}')" for age in CardAge)


class AssessedStore(PartyStore):
    """The lookups of a store, and how many cards each unit has in use; port `ExposureLookups`."""

    def active_cards(
        self, since: datetime, until: datetime, also: Collection[str]
    ) -> Sequence[ActiveCards] | None:
        """Cards opened before `until` and used from `since` on, and `also`, by unit. None: no records of then."""
        return self._again(lambda manifest: self._active(manifest, since, until, also))

    def _active(
        self, manifest: Manifest, since: datetime, until: datetime, also: Collection[str]
    ) -> Sequence[ActiveCards] | None:
        files = manifest.paths(FileKind.REGISTERS, "cards")
        if not files or not _has_days(manifest, since, until):
            return None
        sql = _ACTIVE.format(
            uses=self._uses(manifest), register=self._source(files), age=_AGE, by_age=_BY_AGE
        )
        parameters: dict[str, object] = {"since": since, "until": until, "also": list({*map(key_of, also)})}
        return [_found(row) for row in self._rows(sql, parameters)]

    def _uses(self, manifest: Manifest) -> str:
        """Cards with a use from $since on: of the days that are merged, and of those that are not yet."""
        parts = [
            f"SELECT card FROM {self._source([path])} WHERE greatest({', '.join(_LASTS)}) >= $since"
            for path in (
                *manifest.paths(FileKind.LIFE, CARD_LIFE.name),
                *(
                    path
                    for path in manifest.paths(FileKind.ROLLUPS, "card_days")
                    if not manifest.files[path].merged
                ),
            )
        ]
        return " UNION ALL ".join(parts) or "SELECT NULL::BIGINT AS card WHERE FALSE"


def _has_days(manifest: Manifest, since: datetime, until: datetime) -> bool:
    """Whether the store has records of any day of the period."""
    first, end = since.date(), until.date()
    return any(first <= day < end for of_table in manifest.days.values() for day in of_table)


def _found(row: tuple[Any, ...]) -> ActiveCards:
    kind, unit, *counts, operator, city = row
    found, cards = _KINDS[kind], dict(zip(CardAge, counts, strict=True))
    if found is UnitKind.OPERATOR:
        return ActiveCards(found, unit, cards, operator=unit)
    if found is UnitKind.CITY:
        return ActiveCards(found, unit, cards, city=unit)
    return ActiveCards(found, unit, cards, *((operator, city) if found is UnitKind.OUTLET else ()))
