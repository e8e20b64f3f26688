"""What the cards of a device did while they sat in it: what tells a SIM box from a gateway, a counter or a phone."""

from __future__ import annotations

import pyarrow as pa

from duanka.engine.links.source import LinkSource

MIN_CARDS = 3  # of a device that is looked at; fewer are one person's, unless their calls are passed on
MOST_SEEN = 40  # cards of a device, chosen by hash, whose days are read
BUSY_DAY = 5  # outgoing calls of a card's day, from which on a counter that stops it can show
BRIDGED = "bridged_calls"
_FRIDAY = 5

_HELD = f"""
bridged AS (SELECT DISTINCT card FROM hits WHERE rule = '{BRIDGED}'),
held AS (
    SELECT imei, card, CAST(first_seen AS DATE) AS first_day, CAST(last_seen AS DATE) AS last_day,
           events / sum(events) OVER (PARTITION BY card) AS stay, count(*) OVER (PARTITION BY imei) AS cards,
           card IN (FROM bridged) AS passes_on
    FROM card_devices WHERE imei IS NOT NULL
    QUALIFY cards >= {MIN_CARDS} OR bool_or(passes_on) OVER (PARTITION BY imei)
)
"""
_DEVICE_USE = f"""
WITH {_HELD},
devices AS (
    SELECT imei, max(cards) AS cards, max(cards) / least(max(cards), {MOST_SEEN}) AS whole, median(stay) AS stay,
           count(*) FILTER (passes_on) AS bridged
    FROM held GROUP BY imei
),
sat AS (
    SELECT imei, card, first_day, last_day FROM held
    QUALIFY row_number() OVER (PARTITION BY imei ORDER BY hash(card)) <= {MOST_SEEN}
),
used AS (
    SELECT s.imei, s.card, d.day, sum(d.calls_out) AS calls_out, sum(d.calls_in) AS calls_in, sum(d.codes_in) AS codes,
           min(least(d.first_call, d.first_message, d.first_sighting)) AS begun,
           max(greatest(d.last_call, d.last_message, d.last_sighting)) AS ended
    FROM sat AS s JOIN card_days AS d ON d.card = s.card AND d.day BETWEEN s.first_day AND s.last_day
    GROUP BY s.imei, s.card, d.day
),
by_day AS (
    SELECT imei, count(*) AS cards, sum(calls_out) AS calls_out,
           greatest(date_diff('second', min(begun), max(ended)), 3600) AS seconds
    FROM used WHERE begun IS NOT NULL GROUP BY imei, day
),
together AS (
    SELECT imei, avg(cards) AS a_day, 3600.0 * sum(cards) / sum(seconds) AS an_hour,
           3600.0 * sum(calls_out) / sum(seconds) AS dialled
    FROM by_day GROUP BY imei
),
counted AS (SELECT imei, calls_out, count(*) AS days FROM used WHERE calls_out >= {BUSY_DAY} GROUP BY imei, calls_out),
spikes AS (SELECT imei, max(days) / sum(days) AS spike, sum(days) AS busy_days FROM counted GROUP BY imei),
called AS (
    SELECT imei, sum(calls_out) AS calls_out, sum(calls_in) AS calls_in, sum(codes) AS codes,
           coalesce(sum(calls_out + calls_in) FILTER (isodow(day) > {_FRIDAY}), 0) AS weekend,
           coalesce(sum(calls_out + calls_in) FILTER (isodow(day) <= {_FRIDAY}), 0) AS working
    FROM used GROUP BY imei
)
SELECT d.imei, device_text(d.imei) AS device, d.cards, d.stay, d.bridged,
       coalesce(t.a_day, 0) * d.whole AS a_day, coalesce(t.an_hour, 0) * d.whole AS an_hour,
       coalesce(t.dialled, 0) * d.whole AS dialled,
       CAST(coalesce(c.calls_out, 0) AS BIGINT) AS calls_out, CAST(coalesce(c.calls_in, 0) AS BIGINT) AS calls_in,
       CAST(coalesce(c.codes, 0) AS BIGINT) AS codes,
       (c.weekend / nullif({{weekends}}, 0)) / nullif(c.working / nullif({{workdays}}, 0), 0) AS weekend,
       coalesce(s.spike, 0) AS spike, CAST(coalesce(s.busy_days, 0) AS BIGINT) AS busy_days
FROM devices AS d LEFT JOIN called AS c ON c.imei = d.imei LEFT JOIN together AS t ON t.imei = d.imei
LEFT JOIN spikes AS s ON s.imei = d.imei
ORDER BY d.imei
"""


def device_use(source: LinkSource) -> pa.Table:
    """One row a device that took MIN_CARDS cards, or one whose calls are passed on.

    imei, device (its text), cards, stay (share of a card's life, in events, that it spent here; the median card),
    bridged (cards with a hit of BRIDGED), a_day (cards on a day), an_hour and dialled (cards and outgoing calls per
    hour between the first and the last sign of life of a day), calls_out, calls_in, codes (received), weekend (calls on
    a day of the weekend over those on a working day; NULL: unknown), spike (share of the busy days of its cards with
    one and the same number of calls), busy_days.
    """
    weekends = sum(day.isoweekday() > _FRIDAY for day in source.days)
    return source.arrow(_DEVICE_USE.format(weekends=weekends, workdays=len(source.days) - weekends))


def device_cards(source: LinkSource) -> pa.Table:
    """imei, card: the cards of the devices of `device_use`."""
    return source.arrow(f"WITH {_HELD} SELECT imei, card FROM held ORDER BY imei, card")
