"""SQL of what is told of cards together: their rows of the register, and what they were used with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from duanka.domain.record_lookups import MOST_ROWS, Usage
from duanka.domain.schema import TABLES
from duanka.engine.store.columns import time_of

REGISTER = """
SELECT card, coalesce(holder, ''), coalesce(holder_kind, ''), coalesce(operator, ''), coalesce(home_city, ''),
  coalesce(outlet, ''), opened_at
FROM {} WHERE card IN (SELECT unnest($keys)) ORDER BY card
"""
_USE = f"""
WITH seen AS ({{}})
SELECT card, kind, value, city, count(*) AS records, min(moment), max(moment)
FROM seen GROUP BY card, kind, value, city
ORDER BY card, kind, records DESC, city, value NULLS LAST LIMIT {MOST_ROWS + 1}
"""


def use_query(sources: Iterable[tuple[Usage, str]]) -> str:
    """SQL of the devices and places of cards ($keys, $since, $until); "": no table tells them."""
    parts = [part for usage, source in sources for part in _parts(usage, source)]
    return _USE.format(" UNION ALL ".join(parts)) if parts else ""


def _parts(usage: Usage, source: str) -> Iterator[str]:
    there = {column.name for column in TABLES[usage].columns}
    moment = f"CAST({time_of(usage)} AS TIMESTAMP)"
    where = f"FROM {source} WHERE card IN (SELECT unnest($keys)) AND {moment} >= $since AND {moment} < $until"
    if "imei" in there:
        columns = f"card, 'device' AS kind, imei AS value, '' AS city, {moment} AS moment"
        yield f"SELECT {columns} {where} AND imei IS NOT NULL"
    if "city" in there:
        cell = "cell" if "cell" in there else "NULL"
        yield (
            f"SELECT card, 'place' AS kind, {cell} AS value, coalesce(city, '') AS city, {moment} AS moment {where}"
            f" AND (city IS NOT NULL OR {cell} IS NOT NULL)"
        )
