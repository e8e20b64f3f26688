"""Rollups: aggregates that rules read instead of raw records.

Each is declared once. Every aggregate is a sum, a minimum or a maximum, so partial rollups of any slices of the
records merge into the rollup of all: batch, stream and cluster use the same declaration.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from duanka.domain.record_keys import short_code_sql


class MergeOperation(StrEnum):
    """How partial values of an aggregate are merged."""

    SUM = "sum"
    MIN = "min"
    MAX = "max"


@dataclass(frozen=True)
class Aggregate:
    """A column of a rollup, with meaning and unit."""

    name: str
    how: MergeOperation
    meaning: str
    unit: str


@dataclass(frozen=True)
class Value:
    """What a source row adds: `expression` ("1" counts rows) if `condition` holds."""

    expression: str
    condition: str = ""


@dataclass(frozen=True)
class RollupSource:
    """A raw table or finer rollup. `keys`: key -> expression over it; `rows`: condition on its rows."""

    source: str
    keys: Mapping[str, str]
    values: Mapping[str, Value]
    rows: str = ""


@dataclass(frozen=True)
class Rollup:
    """A mergeable summary with one row per combination of `keys`."""

    name: str
    meaning: str
    keys: tuple[str, ...]
    aggregates: tuple[Aggregate, ...]
    parts: tuple[RollupSource, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Keys, then aggregates."""
        return self.keys + tuple(a.name for a in self.aggregates)

    def only(self, wanted: Collection[str]) -> Rollup:
        """Return the rollup reduced to the aggregates `wanted` and the sources they need."""
        aggregates = tuple(a for a in self.aggregates if a.name in wanted)
        kept = {a.name for a in aggregates}
        parts = tuple(p for p in self.parts if not kept or kept & set(p.values))
        return replace(self, aggregates=aggregates, parts=parts)


_OUT, _IN = "direction = 'out'", "direction = 'in'"

SHORT_CODE = short_code_sql("peer")  # a verification code comes from there


def _sum(name: str, meaning: str, unit: str) -> Aggregate:
    return Aggregate(name, MergeOperation.SUM, meaning, unit)


_CALL_SUMS = {
    "calls_out": Value("1", _OUT),
    "calls_in": Value("1", _IN),
    "answered_out": Value("1", f"{_OUT} AND answered"),
    "unanswered_out": Value("1", f"{_OUT} AND NOT answered"),
    "seconds_out": Value("seconds", _OUT),
    "seconds_in": Value("seconds", _IN),
    "forwarded": Value("1", "forwarded_from IS NOT NULL"),
}
_MESSAGE_SUMS = {
    "messages_out": Value("1", _OUT),
    "messages_in": Value("1", _IN),
    "codes_in": Value("1", f"{_IN} AND {SHORT_CODE}"),
}
_TRAFFIC = (
    _sum("calls_out", "outgoing calls", "calls"),
    _sum("calls_in", "incoming calls", "calls"),
    _sum("answered_out", "outgoing calls known to be answered", "calls"),
    _sum("unanswered_out", "outgoing calls known not to be answered", "calls"),
    _sum("seconds_out", "talking time of outgoing calls", "s"),
    _sum("seconds_in", "talking time of incoming calls", "s"),
    _sum("forwarded", "calls that another number forwarded here", "calls"),
    _sum("messages_out", "messages sent", "messages"),
    _sum("messages_in", "messages received", "messages"),
    _sum("codes_in", "messages received from short codes", "messages"),
)

CARD_HOURS = Rollup(
    "card_hours",
    "traffic of a card by hour",
    ("card", "hour"),
    _TRAFFIC,
    (
        RollupSource("calls", {"card": "card", "hour": "date_trunc('hour', started_at)"}, _CALL_SUMS),
        RollupSource("messages", {"card": "card", "hour": "date_trunc('hour', sent_at)"}, _MESSAGE_SUMS),
    ),
)


# Activity of the holder counts as use; an unanswered incoming call or a welcome message does not.
_USED_CALL = f"{_OUT} OR coalesce(seconds, 1) > 0"


def _first_last(kind: str, moment: str, condition: str = "") -> dict[str, Value]:
    return {f"first_{kind}": Value(moment, condition), f"last_{kind}": Value(moment, condition)}


def _first_last_columns(kind: str, word: str) -> tuple[Aggregate, Aggregate]:
    return (
        Aggregate(f"first_{kind}", MergeOperation.MIN, f"first {word}", "local time"),
        Aggregate(f"last_{kind}", MergeOperation.MAX, f"last {word}", "local time"),
    )


_FIRSTS_AND_LASTS = (
    *_first_last_columns("call", "call made, or taken"),
    *_first_last_columns("message", "message sent"),
    *_first_last_columns("data", "day with data, from midnight"),
    *_first_last_columns("sighting", "attach or location update"),
)

CARD_DAYS = Rollup(
    "card_days",
    "traffic of a card by day",
    ("card", "day"),
    (
        *_TRAFFIC,
        _sum("bytes", "mobile data", "bytes"),
        _sum("sightings", "attaches and location updates", "sightings"),
        *_FIRSTS_AND_LASTS,
    ),
    (
        RollupSource(
            "calls",
            {"card": "card", "day": "CAST(started_at AS DATE)"},
            {**_CALL_SUMS, **_first_last("call", "started_at", _USED_CALL)},
        ),
        RollupSource(
            "messages",
            {"card": "card", "day": "CAST(sent_at AS DATE)"},
            {**_MESSAGE_SUMS, **_first_last("message", "sent_at", _OUT)},
        ),
        RollupSource(
            "data_days",
            {"card": "card", "day": "day"},
            {"bytes": Value("bytes"), **_first_last("data", "CAST(day AS TIMESTAMP)", "bytes > 0")},
        ),
        RollupSource(
            "sightings",
            {"card": "card", "day": "CAST(seen_at AS DATE)"},
            {"sightings": Value("1"), **_first_last("sighting", "seen_at")},
        ),
    ),
)

CARD_LIFE = Rollup(
    "card_life",
    "first and last use of a card, by kind of use",
    ("card",),
    _FIRSTS_AND_LASTS,
    (RollupSource("card_days", {"card": "card"}, {a.name: Value(a.name) for a in _FIRSTS_AND_LASTS}),),
)

CARD_PEERS = Rollup(
    "card_peers",
    "traffic between a card and one other number by day; distinct peers are its rows",
    ("card", "peer", "day"),
    (
        _sum("calls_out", "outgoing calls", "calls"),
        _sum("calls_in", "incoming calls", "calls"),
        _sum("answered_out", "outgoing calls known to be answered", "calls"),
        _sum("unanswered_out", "outgoing calls known not to be answered", "calls"),
        _sum("messages_out", "messages sent", "messages"),
        _sum("messages_in", "messages received", "messages"),
    ),
    (
        RollupSource(
            "calls",
            {"card": "card", "peer": "peer", "day": "CAST(started_at AS DATE)"},
            {k: _CALL_SUMS[k] for k in ("calls_out", "calls_in", "answered_out", "unanswered_out")},
            rows="peer IS NOT NULL",  # withheld numbers may be one person or many
        ),
        RollupSource(
            "messages",
            {"card": "card", "peer": "peer", "day": "CAST(sent_at AS DATE)"},
            {k: _MESSAGE_SUMS[k] for k in ("messages_out", "messages_in")},
            rows="peer IS NOT NULL",
        ),
    ),
)


def _events(source: str, moment: str, keys: tuple[str, ...]) -> RollupSource:
    by_key = {key: key if key != "day" else f"CAST({moment} AS DATE)" for key in keys}
    # a row without device and place adds nothing here
    known = " OR ".join(f"{key} IS NOT NULL" for key in keys if key not in ("card", "day"))
    return RollupSource(
        source,
        by_key,
        {"first_seen": Value(moment), "last_seen": Value(moment), "events": Value("1")},
        rows=known,
    )


def _seen(name: str, meaning: str, keys: tuple[str, ...]) -> Rollup:
    return Rollup(
        name,
        meaning,
        keys,
        (
            Aggregate("first_seen", MergeOperation.MIN, "first seen there", "local time"),
            Aggregate("last_seen", MergeOperation.MAX, "last seen there", "local time"),
            _sum("events", "calls, messages and sightings", "events"),
        ),
        (
            _events("calls", "started_at", keys),
            _events("messages", "sent_at", keys),
            _events("sightings", "seen_at", keys),
        ),
    )


CARD_DEVICES = _seen("card_devices", "the devices a card sat in", ("card", "imei"))
CARD_PLACES = _seen("card_places", "where a card was seen, by day", ("card", "city", "cell", "day"))

# In build order: a rollup may read earlier ones.
ROLLUPS: dict[str, Rollup] = {
    r.name: r for r in (CARD_DAYS, CARD_LIFE, CARD_DEVICES, CARD_HOURS, CARD_PEERS, CARD_PLACES)
}
