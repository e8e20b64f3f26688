"""Devices with consecutive numbers, such as the ports of a pool that one vendor shipped."""

from __future__ import annotations

import pyarrow as pa

from duanka.engine.links.source import LinkSource

MIN_RUN = 5  # devices: a phone with two slots has two consecutive numbers
MOST_STEP = 2  # from one number to the next: a port that is dead, or whose cards the records do not hold
AROUND = 1_000  # numbers on each side: how densely devices of this type stand here
_SERIALS = 1_000_000  # of a type of device: the last six of fourteen digits
_MOST_SEEN = 40  # cards of a run, chosen by hash, whose places are compared

_RUNS = f"""
CREATE OR REPLACE TEMP TABLE device_runs AS
WITH seen AS (
    SELECT DISTINCT d.imei FROM card_devices AS d LEFT JOIN cards AS c ON c.card = d.card
    WHERE d.imei >= 0 AND c.kind IS DISTINCT FROM 'iot'
),
stepped AS (
    SELECT imei, imei // {_SERIALS} AS type,
           imei - lag(imei) OVER (PARTITION BY imei // {_SERIALS} ORDER BY imei) AS step FROM seen
),
numbered AS (
    SELECT imei, type, count(*) OVER (PARTITION BY type) AS of_type, sum(
        CASE WHEN step <= {MOST_STEP} THEN 0 ELSE 1 END
    ) OVER (PARTITION BY type ORDER BY imei) AS run FROM stepped
),
runs AS (
    SELECT type, run, min(imei) AS first, max(imei) AS last, count(*) AS devices, any_value(of_type) AS of_type
    FROM numbered GROUP BY type, run HAVING count(*) >= {MIN_RUN}
)
SELECT r.*, (
    SELECT count(*) FROM seen AS s WHERE s.imei // {_SERIALS} = r.type
       AND s.imei BETWEEN r.first - {AROUND} AND r.last + {AROUND} AND s.imei NOT BETWEEN r.first AND r.last
) AS around FROM runs AS r
"""
_PLACES = f"""
sat AS (
    SELECT run, card, first_seen, last_seen FROM members
    QUALIFY row_number() OVER (PARTITION BY run ORDER BY hash(card)) <= {_MOST_SEEN}
),
there AS (
    SELECT s.run, s.card, p.day, list(DISTINCT p.cell) AS cells
    FROM sat AS s JOIN card_places AS p ON p.card = s.card AND p.cell IS NOT NULL
     AND p.day BETWEEN CAST(s.first_seen AS DATE) AND CAST(s.last_seen AS DATE)
    GROUP BY s.run, s.card, p.day
),
agreement AS (
    SELECT a.run, count(*) AS pairs, count(*) FILTER (list_has_any(a.cells, b.cells)) AS together
    FROM there AS a JOIN there AS b ON a.run = b.run AND a.day = b.day AND a.card < b.card
    GROUP BY a.run
)
"""


def device_runs(source: LinkSource) -> pa.Table:
    """card, run (its first device), last, type (its text), devices, of_type, around, events, pairs, together.

    One row for each card and run of MIN_RUN devices or more. `of_type`: devices of the type in all; `around`: devices
    within AROUND numbers of the run; `events`: of the card in the run; `pairs`, `together`: pairs of its cards seen on
    one day, and those of them that share a cell then. Devices that IoT cards sit in are left out.
    """
    source.run(_RUNS)
    return source.arrow(f"""
        WITH members AS (
            SELECT r.first AS run, d.card, min(d.first_seen) AS first_seen, max(d.last_seen) AS last_seen,
                   sum(d.events) AS events
            FROM card_devices AS d JOIN device_runs AS r ON d.imei BETWEEN r.first AND r.last
            GROUP BY r.first, d.card
        ),
        {_PLACES}
        SELECT m.card, m.run, r.last, left(device_text(m.run), 8) AS type, r.devices, r.of_type, r.around,
               CAST(m.events AS BIGINT) AS events, coalesce(a.pairs, 0) AS pairs, coalesce(a.together, 0) AS together
        FROM members AS m JOIN device_runs AS r ON r.first = m.run LEFT JOIN agreement AS a ON a.run = m.run
        ORDER BY m.run, m.card
    """)
