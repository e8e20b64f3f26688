"""Breakdown of the cards at risk by place and time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from duanka.domain.ports import HitsOfDay, Profile, Share
from duanka.engine.shared.coverage import Run

_LARGEST = 30
_TABLES = ("cards", "outlets", "card_devices", "hits")

_BY_OUTLET = """
    SELECT c.outlet, coalesce(min(o.name), ''), count(r.card) AS at_risk, count(*) AS cards
    FROM {cards} c LEFT JOIN at_risk r ON r.card = c.card LEFT JOIN {outlets} o ON o.outlet = c.outlet
    WHERE c.outlet IS NOT NULL
"""
_BY_CITY = """
    SELECT c.home_city, '', count(r.card) AS at_risk, count(*) AS cards
    FROM {cards} c LEFT JOIN at_risk r ON r.card = c.card
    WHERE c.home_city IS NOT NULL
"""
_BY_DEVICE = """
    SELECT d.imei, '', count(r.card) AS at_risk, count(*) AS cards
    FROM {card_devices} d LEFT JOIN at_risk r ON r.card = d.card
    WHERE d.imei IN (SELECT imei FROM {card_devices} JOIN at_risk USING (card))
"""


def profile(
    run: Run,
    built: Collection[str],
    run_on_hits: Run,
    tables: Mapping[str, str] | None = None,
) -> Profile:
    """Count the cards in table `at_risk` by outlet, city and device, and hits by day.

    `built`: rollups that exist; without card_devices, no devices are counted. `run_on_hits`: runs SQL on the hits and
    knows the macros of key_texts.py. `tables`: actual names of cards, outlets, card_devices and hits, if they differ.
    """
    called = {**{name: name for name in _TABLES}, **(tables or {})}

    def largest(sql: str) -> tuple[Share, ...]:
        rows = run(
            f"{sql.format(**called)} GROUP BY 1 HAVING at_risk > 0 ORDER BY at_risk DESC, cards, 1 LIMIT {_LARGEST}"
        )
        return tuple(Share(*row) for row in rows)

    def named(share: Share) -> Share:
        return replace(share, name=run_on_hits(f"SELECT device_text({share.name})")[0][0])

    # hits on register data may be years old; the plot shows the last 60 days
    days = run_on_hits(
        f"SELECT CAST(seen_at AS DATE) AS day, rule, count(*) FROM {called['hits']} WHERE seen_at >="
        f" (SELECT max(seen_at) - INTERVAL 60 DAYS FROM {called['hits']}) GROUP BY ALL ORDER BY 1, 2"
    )
    return Profile(
        outlets=largest(_BY_OUTLET),
        cities=largest(_BY_CITY),
        devices=tuple(map(named, largest(_BY_DEVICE))) if "card_devices" in built else (),
        days=tuple(HitsOfDay(*row) for row in days),
    )
