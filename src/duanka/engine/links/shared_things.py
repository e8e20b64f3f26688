"""Things and moments that cards share: devices, minutes of switching on and off, accounts."""

from __future__ import annotations

import pyarrow as pa

from duanka.domain.ports import Progress
from duanka.engine.links.gathered_days import GatheredDays, method_of
from duanka.engine.links.source import LinkSource
from duanka.engine.shared.duckdb_database import parquet

MIN_TOGETHER = 3  # cards switched in the same minute, from which on it can mean something
AROUND_MINUTES = 30  # on each side: how often cards are switched here at this time of this day
MOST_SEEN = 40  # cards of a device, chosen by hash, whose places are compared
MOST_ACCOUNT_CARDS = 50

_ENDS = """
CREATE OR REPLACE TEMP TABLE ends AS
WITH seen AS (
    SELECT card, coalesce(cell, TRY_CAST(city AS BIGINT), 0) AS place, min(first_seen) AS begun, max(last_seen) AS ended
    FROM {places} GROUP BY ALL
)
SELECT card, arg_min(place, (begun, place)) AS place_on, min(begun) AS begun,
       arg_max(place, (ended, place)) AS place_off, max(ended) AS ended
FROM seen GROUP BY card
"""
_PRESENT = """
CREATE OR REPLACE TEMP TABLE present AS
SELECT coalesce(cell, TRY_CAST(city AS BIGINT), 0) AS place, count(DISTINCT card) AS present FROM {places} GROUP BY ALL
"""
_SWITCHED_ON = """
SELECT card, place_on AS place, {minute} AS minute FROM (SELECT card, place_on, begun AS moment FROM ends)
UNION SELECT card, place, {minute} FROM (
    SELECT card, coalesce(cell, TRY_CAST(city AS BIGINT), 0) AS place, seen_at AS moment FROM {sightings}
)
"""
_SWITCHED_OFF = """
SELECT card, place_off AS place, {minute} AS minute FROM (SELECT card, place_off, ended AS moment FROM ends)
"""
_MINUTE = "CAST(floor(epoch(moment) / 60) AS BIGINT)"
# `usual`: cards of that place in the half hours before and after, by minute, those of the minute itself left out
_TOGETHER = """
WITH moments AS ({moments}),
many AS (SELECT card, count(*) AS moments FROM moments GROUP BY card),
minutes AS (SELECT place, minute, count(*) AS cards FROM moments GROUP BY place, minute),
around AS (
    SELECT place, minute, cards, sum(cards) OVER (
        PARTITION BY place ORDER BY minute RANGE BETWEEN {around} PRECEDING AND {around} FOLLOWING
    ) - cards AS others FROM minutes
)
SELECT m.card, {on} AS switched_on, m.place, number_text(m.place) AS cell, m.minute, a.cards,
       a.others / (2.0 * {around}) AS usual, p.present, n.moments
FROM moments AS m JOIN around AS a ON a.place = m.place AND a.minute = m.minute
JOIN present AS p ON p.place = m.place JOIN many AS n ON n.card = m.card
WHERE a.cards >= {least} AND a.cards >= 3 * a.others / (2.0 * {around})
"""
METHOD = method_of(
    _ENDS, _PRESENT, _SWITCHED_ON, _SWITCHED_OFF, _MINUTE, _TOGETHER, MIN_TOGETHER, AROUND_MINUTES
)
"""Of the minutes of a day: those that were found otherwise are found anew."""


def devices(source: LinkSource) -> pa.Table:
    """card, imei, device (its text), first_seen, last_seen, events: of devices that took two cards or more."""
    return source.arrow("""
        SELECT card, imei, device_text(imei) AS device, first_seen, last_seen, events FROM card_devices
        WHERE imei IS NOT NULL AND imei IN (SELECT imei FROM card_devices GROUP BY imei HAVING count(*) >= 2)
        ORDER BY imei, card
    """)


def device_agreement(source: LinkSource) -> pa.Table:
    """imei, pairs, together: pairs of its cards seen on the same day, and those of them that share a cell then.

    A device is in one place at a time; an IMEI that many counterfeit phones bear is in many. Only devices of three
    cards or more, and of each at most MOST_SEEN cards.
    """
    return source.arrow(f"""
        WITH sat AS (
            SELECT imei, card, first_seen, last_seen FROM card_devices
            WHERE imei IN (SELECT imei FROM card_devices GROUP BY imei HAVING count(*) >= 3)
            QUALIFY row_number() OVER (PARTITION BY imei ORDER BY hash(card)) <= {MOST_SEEN}
        ),
        there AS (
            SELECT s.imei, s.card, p.day, list(DISTINCT p.cell) AS cells
            FROM sat AS s JOIN card_places AS p ON p.card = s.card AND p.cell IS NOT NULL
             AND p.day BETWEEN CAST(s.first_seen AS DATE) AND CAST(s.last_seen AS DATE)
            GROUP BY s.imei, s.card, p.day
        )
        SELECT a.imei, count(*) AS pairs, count(*) FILTER (list_has_any(a.cells, b.cells)) AS together
        FROM there AS a JOIN there AS b ON a.imei = b.imei AND a.day = b.day AND a.card < b.card
        GROUP BY a.imei
    """)


def switched(source: LinkSource, kept: GatheredDays, progress: Progress) -> pa.Table:
    """card, switched_on, place, minute, cards, usual, present, moments: cards switched on, or off, in the same minute.

    Switched on: the first sign of life of a day, and each time that a card shows itself to the network.
    Off: the last sign of life of a day. `minute`: since 1970; `place`: cell, or city where the cell is unknown, or 0;
    `cards`: that share the minute; `usual`: how many a minute has there at that time of that day; `present`: cards that
    were at the place on that day; `moments`: at which the card was switched so on that day, as far as anybody knows.
    """
    new = [day for day in source.days if day not in kept.compared]
    for done, day in enumerate(new):
        progress.step("comparing when cards are switched on", done, len(new))
        places = source.places_of(day)
        source.run(_ENDS.format(places=places))
        source.run(_PRESENT.format(places=places))
        moments = _SWITCHED_ON.format(minute=_MINUTE, sightings=source.sightings_of(day))
        together = (
            _TOGETHER.format(moments=sql, on=on, around=AROUND_MINUTES, least=MIN_TOGETHER)
            for on, sql in ((True, moments), (False, _SWITCHED_OFF.format(minute=_MINUTE)))
        )
        kept.write(" UNION ALL ".join(f"({sql})" for sql in together), kept.minutes(day))
    return source.arrow(
        f"FROM {parquet(map(kept.minutes, source.days))} ORDER BY minute, switched_on, place, card"
    )


def accounts(source: LinkSource) -> pa.Table:
    """card, account (platform and name): accounts that two or more cards are bound to."""
    return source.arrow(f"""
        WITH bound AS (SELECT DISTINCT card, platform || chr(31) || account AS account FROM accounts)
        SELECT card, account FROM bound WHERE account IN (
            SELECT account FROM bound GROUP BY account HAVING count(*) BETWEEN 2 AND {MOST_ACCOUNT_CARDS}
        ) ORDER BY account, card
    """)
