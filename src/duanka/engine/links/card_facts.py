"""What is known of each card: register, use, circle of contacts, where it is. And who calls whom.

Rows of (card, peer) do not fit in memory at once for a province, so they are merged by ranges of cards, which the
sorted files of the store allow without reading anything twice. Of a night only the days that changed are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pyarrow as pa

from duanka.domain.ports import Progress
from duanka.domain.record_keys import short_code_sql
from duanka.engine.links.gathered_days import ROWS_PER_RANGE, GatheredDays, method_of, rows_of
from duanka.engine.links.period_sums import PeriodSums, days_seen, first_day, last_day_of_two
from duanka.engine.links.source import LinkSource
from duanka.engine.shared.duckdb_database import parquet

MOST_CALLERS = 40  # of a number of ours that is called by few: a call to it tells more than one to a hotline
MIN_LIST = 5  # different strangers called, from which on a card dials a list
LIST_SHARE = 0.5  # strangers among the numbers that it calls
LIST_DAYS = 10  # within which all cards call a callee that is on their list
MOST_ON_LISTS = 30  # lists on which a callee stands; one that stands on more is somebody whom everybody calls

# Who talks both ways on two days, or on three days, belongs to somebody's circle; one who calls back once does not, and
# a number called once is a stranger.
_REGULAR = "((out > 0 AND inward > 0 AND days >= 2) OR days >= 3)"
_STRANGER = "(out > 0 AND inward = 0 AND days <= 2)"

_CIRCLE = PeriodSums(
    "circle",
    "card_peers",
    ("card", "peer"),
    {"out": "calls_out + messages_out", "inward": "calls_in + messages_in", "called": "calls_out"},
    rows=f"NOT {short_code_sql('peer')}",
)
_PLACES = PeriodSums("places", "card_places", ("card", "city", "cell"), {"events": "events"}, nullable=True)
_USES = PeriodSums(
    "uses",
    "card_days",
    ("card",),
    {name: name for name in ("calls_out", "calls_in", "messages_out", "codes_in")},
)
METHOD = method_of(_CIRCLE, _PLACES, _USES)
"""Of the sums of the period: those that were made otherwise are made anew."""
_OF_CARD = f"""
SELECT card, count(*) FILTER (out > 0) AS callees, count(*) FILTER {_STRANGER.join(("(", ")"))} AS strangers,
       count(*) FILTER ({_REGULAR}) AS regular, count(*) AS peers
FROM circle GROUP BY card
"""
_OWN_PAIRS = f"""
SELECT c.card, c.peer, c.days, c.out, c.inward, {_REGULAR} AS regular
FROM circle AS c JOIN own AS o ON o.card = c.peer
"""
_DIALLED = f"""
SELECT c.* EXCLUDE (out, inward, called, days) FROM circle AS c JOIN circles AS k ON k.card = c.card
WHERE k.strangers >= {MIN_LIST} AND k.strangers >= {LIST_SHARE} * k.callees AND {_STRANGER} AND c.called > 0
"""
_CONTACTS = f"""
WITH callers AS (
    SELECT peer FROM own_pairs WHERE out > 0 GROUP BY peer HAVING count(*) <= {MOST_CALLERS}
)
SELECT p.card, p.peer, p.days, p.out, p.inward, p.regular FROM own_pairs AS p
LEFT JOIN callers AS c ON c.peer = p.peer
WHERE p.card <> p.peer AND (p.regular OR (p.out > 0 AND p.inward = 0 AND c.peer IS NOT NULL))
"""
_PLACE = """
SELECT card, arg_max(city, (events, cell, city)) AS city, arg_max(cell, (events, cell, city)) AS cell,
       count(*) AS places
FROM {seen} GROUP BY card
"""


def gather(source: LinkSource, kept: GatheredDays, progress: Progress) -> None:
    """Write what `cards`, `contacts` and `lists` read; a step of progress for each range of cards."""
    source.run(
        "CREATE TEMP TABLE own AS SELECT card FROM cards UNION SELECT card FROM card_life UNION SELECT card"
        " FROM card_devices"
    )
    kept.bounds = kept.bounds or list(_ranges(source))
    words = kept.words
    for number, bounds in enumerate(kept.bounds):
        progress.step("reading who calls whom", number, len(kept.bounds))
        for sums in (_CIRCLE, _PLACES, _USES):
            kept.merge(sums, number, bounds)
        circle = kept.summed(_CIRCLE, number)
        source.run(
            f"CREATE OR REPLACE TEMP VIEW circle AS SELECT *, {days_seen(words)} AS days FROM {circle}"
        )
        source.add("circles", _OF_CARD)
        source.add("own_pairs", _OWN_PAIRS)
        source.add("dialled", _DIALLED)
        source.add("places", _PLACE.format(seen=kept.summed(_PLACES, number)))
    source.run(f"CREATE TEMP VIEW uses AS SELECT *, {days_seen(words)} AS days FROM {kept.summed(_USES)}")


def _ranges(source: LinkSource) -> Iterator[tuple[int, int]]:
    """Ranges of cards (first, end) with about ROWS_PER_RANGE rows of card_peers each."""
    many = max(1, -(-rows_of(source) // ROWS_PER_RANGE))
    shares = ", ".join(f"{k / many}" for k in range(1, many))
    inner = (
        [int(one) for one in source.run(f"SELECT quantile_disc(card, [{shares}]) FROM own")[0][0]]
        if many > 1
        else []
    )
    edges = [-(1 << 63), *inner, (1 << 63) - 1]
    yield from pairwise(edges)


def cards(source: LinkSource) -> pa.Table:
    """One row a card, in order of its key: what register, use, circle and places tell; see links/evidence.py."""
    firsts = ", ".join(f"l.first_{kind}" for kind in ("call", "message", "data"))
    lasts = ", ".join(f"l.last_{kind}" for kind in ("call", "message", "data"))
    return source.arrow(f"""
        SELECT o.card, number_text(o.card) AS name, c.holder, c.holder_kind = 'organisation' AS organisation,
               c.kind = 'iot' AS iot, c.iccid, c.outlet, s.name AS outlet_name, s.city AS outlet_city,
               c.opened_at, c.home_city, p.city, p.cell, coalesce(p.places, 0) AS places,
               coalesce(u.days, 0) AS days, coalesce(u.calls_out, 0) AS calls_out, coalesce(u.calls_in, 0) AS calls_in,
               coalesce(u.messages_out, 0) AS messages_out, coalesce(u.codes_in, 0) AS codes_in,
               coalesce(k.callees, 0) AS callees, coalesce(k.strangers, 0) AS strangers,
               coalesce(k.regular, 0) AS regular, coalesce(k.peers, 0) AS peers, least({firsts}) AS first_used,
               coalesce(greatest({lasts}), CASE WHEN c.last_used_at > c.opened_at THEN c.last_used_at END) AS last_used,
               o.card IN (SELECT card FROM cases WHERE signed_by IS NOT NULL) AS confirmed
        FROM own AS o
        LEFT JOIN cards AS c ON c.card = o.card
        LEFT JOIN card_life AS l ON l.card = o.card
        LEFT JOIN uses AS u ON u.card = o.card
        LEFT JOIN circles AS k ON k.card = o.card
        LEFT JOIN places AS p ON p.card = o.card
        LEFT JOIN outlets AS s ON s.outlet = c.outlet
        ORDER BY o.card
    """)


def tripped(source: LinkSource) -> pa.Table:
    """card, rules: ids of the rules that hit it, in order and joined by commas."""
    return source.arrow(
        "SELECT card, string_agg(DISTINCT rule, ',' ORDER BY rule) AS rules FROM hits GROUP BY card"
    )


def contacts(source: LinkSource, kept: GatheredDays) -> pa.Table:
    """card, peer (both ours), days, out, inward, regular: contacts that tell of the card.

    They are of its circle, or calls to a number that few call and that did not call before.
    Where the days of before are used, the contacts that changed alone; those that are no more have 0 in all columns.
    """
    now = kept.folder / "contacts.parquet"
    kept.write(_CONTACTS, now)
    if kept.before is None:
        return source.arrow(f"FROM {parquet([now])} ORDER BY card, peer")
    return source.arrow(f"""
        SELECT coalesce(n.card, o.card) AS card, coalesce(n.peer, o.peer) AS peer, coalesce(n.days, 0) AS days,
               coalesce(n.out, 0) AS out, coalesce(n.inward, 0) AS inward, coalesce(n.regular, TRUE) AS regular
        FROM {parquet([now])} AS n FULL JOIN {parquet([kept.before / "contacts.parquet"])} AS o
          ON n.card = o.card AND n.peer = o.peer
        WHERE (n.out, n.inward, n.regular) IS DISTINCT FROM (o.out, o.inward, o.regular) ORDER BY ALL
    """)


def lists(source: LinkSource, kept: GatheredDays) -> pa.Table:
    """card, callee: strangers that two or more cards dialled which dial lists, all within LIST_DAYS.

    A list is worked off in days; a restaurant is called all the time.
    """
    first, last = first_day(kept.words), last_day_of_two(kept.words)
    return source.arrow(f"""
        WITH shared AS (
            SELECT card, peer, {first} AS first_day, {last} AS last_day FROM dialled WHERE peer IN (
                SELECT peer FROM dialled GROUP BY peer HAVING count(*) BETWEEN 2 AND {MOST_ON_LISTS}
            )
        )
        SELECT card, peer AS callee FROM shared WHERE peer IN (
            SELECT peer FROM shared GROUP BY peer HAVING max(last_day) - min(first_day) < {LIST_DAYS}
        ) ORDER BY callee, card
    """)
