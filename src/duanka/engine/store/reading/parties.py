"""Parties of cards: who was in contact with them, and what records and register say of each, by a few SQL statements.

The contacts are gathered into a table in memory first; everything else is asked of the people in it, so the days'
files are read once for the contacts and once for what the people did right after.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

import duckdb

from duanka.domain.record_keys import key_of, short_code_sql
from duanka.domain.record_lookups import LookupRefused, Usage
from duanka.domain.victims import MOST_FOUND, Party, PartyContact, PartyTerms
from duanka.engine.shared.duckdb_database import parquet, plainly
from duanka.engine.store.columns import time_of, whole_register
from duanka.engine.store.manifest import FileKind, Manifest, damaged
from duanka.engine.store.reading.lookups import StoreLookups

_WITH_PEER = (Usage.CALLS, Usage.MESSAGES)
_NO_FILES = {  # what stands for files that a store has not
    "cards": "(SELECT NULL::BIGINT AS card, NULL AS holder, NULL AS holder_kind, NULL AS kind, NULL AS operator,"
    " NULL AS home_city WHERE FALSE)",
    "rings": "(SELECT NULL::BIGINT AS card, NULL AS ring, NULL::BIGINT AS certainty WHERE FALSE)",
    "card_devices": "(SELECT NULL::BIGINT AS card, NULL::BIGINT AS imei WHERE FALSE)",
    "hits": "(SELECT NULL::BIGINT AS card, NULL AS rule WHERE FALSE)",
}


class PartyStore(StoreLookups):
    """The lookups of a store, and those of the parties of cards; port `PartyLookups`."""

    def parties_of(self, cards: Collection[str], terms: PartyTerms) -> Sequence[Party]:
        """Everybody with whom `cards` talked or who wrote to them, by number."""
        return self._again(lambda manifest: self._parties(manifest, cards, terms))

    def fraud_kinds_of(self, cards: Collection[str]) -> Mapping[str, str]:
        """The kind of fraud that signed police cases name for cards, the latest first."""
        return self._again(lambda manifest: self._fraud_kinds(manifest, cards))

    def _fraud_kinds(self, manifest: Manifest, cards: Collection[str]) -> Mapping[str, str]:
        files, named = manifest.paths(FileKind.REGISTERS, "cases"), self._named(manifest, cards)
        if not files or not named:
            return {}
        rows = self._rows(
            "SELECT card, arg_max(fraud_kind, (confirmed_at, fraud_kind))"
            f" FROM {whole_register('cases', self._source(files))}"
            " WHERE card IN (SELECT unnest($keys)) AND coalesce(signed_by, '') <> '' AND fraud_kind <> ''"
            " GROUP BY card",
            {"keys": list(named)},
        )
        return {named[key]: kind for key, kind in rows if kind}

    def _parties(self, manifest: Manifest, cards: Collection[str], terms: PartyTerms) -> Sequence[Party]:
        named = self._named(manifest, cards)
        sources = dict(self._sources(manifest, _WITH_PEER, terms.since, terms.until))
        if not named or not sources:
            return []
        with self._session() as run:
            begins = [terms.begins.get(card, terms.since) for card in named.values()]
            run(
                "CREATE TEMP TABLE asked AS SELECT unnest($keys) AS number, unnest($begins) AS since",
                {"keys": list(named), "begins": begins},
            )
            run(_touches(sources), {"since": terms.since, "until": terms.until})
            run(_PAIRS, {"least": terms.least_seconds, "talk": terms.talk_seconds})
            (count,) = run("SELECT count(DISTINCT other) FROM pairs")[0]
            if count > MOST_FOUND:
                raise LookupRefused(
                    f"more than {MOST_FOUND:,} persons were in contact with these cards; ask for fewer cards, or fewer"
                    " hours with --hours (HTTP: hours)"
                )
            pairs = run(
                "SELECT other, number, calls_out, calls_in, answered, seconds, longest, messages_out, messages_in,"
                " first, last, talks FROM pairs ORDER BY other, seconds DESC, number"
            )
            facts = run(*self._facts(manifest, sources, terms))
        texts = self._texts(manifest, (row[0] for row in pairs))
        known = {row[0]: row[1:] for row in facts}
        return [
            Party(
                _text(other, texts),
                tuple(PartyContact(named[row[1]], *row[2:]) for row in rows),
                *known[other],
            )
            for other, rows in groupby(pairs, key=itemgetter(0))
        ]

    def _facts(
        self, manifest: Manifest, sources: Mapping[Usage, str], terms: PartyTerms
    ) -> tuple[str, Mapping[str, object]]:
        """The query about the people in `pairs`, and its parameters."""
        register = self._files(manifest, FileKind.REGISTERS, "cards")
        services = [
            f"SELECT card, {time_of(usage)} AS moment, {usage is Usage.CALLS} AS call, peer IN (SELECT unnest($banks))"
            f" AS bank FROM {source} WHERE direction = {direction!r} AND {short_code_sql('peer')}"
            f" AND {time_of(usage)} >= $since AND {time_of(usage)} < $until"
            for usage, source in sources.items()
            for direction in (("out",) if usage is Usage.CALLS else ("in",))
        ]
        begin = terms.since - timedelta(days=terms.look_back_days)
        earlier = [
            part
            for usage, source in self._sources(manifest, _WITH_PEER, begin, terms.since)
            for part in _earlier(usage, source)
        ] or [
            "SELECT NULL::BIGINT AS number, NULL::BIGINT AS other, NULL::DATE AS day, FALSE AS out WHERE FALSE"
        ]
        query = _FACTS.format(
            register=register,
            age="age_band" if self._has_column(register, "age_band") else "NULL",
            rings=self._files(manifest, FileKind.REGISTERS, "rings"),
            devices=self._devices(manifest),
            hits=self._files(manifest, FileKind.HITS, "hits"),
            services=" UNION ALL ".join(services),
            earlier=" UNION ALL ".join(earlier),
        )
        asked = {
            "since": terms.since,
            "until": terms.until,
            "begin": begin,
            "after": terms.after,
            "banks": [key_of(line) for line in terms.bank_lines],
            "percent": terms.ring_percent,
        }
        return query, asked

    def _files(self, manifest: Manifest, kind: FileKind, name: str) -> str:
        """SQL source of files of this kind; an empty one if there are none."""
        paths = manifest.paths(kind) if kind is FileKind.HITS else manifest.paths(kind, name)
        return self._source(paths) if paths else _NO_FILES[name]

    def _devices(self, manifest: Manifest) -> str:
        """SQL source of the devices of cards: all days that are merged, and the partials of those that are not."""
        paths = manifest.paths(FileKind.LIFE, "card_devices")
        partials = manifest.paths(FileKind.ROLLUPS, "card_devices")
        paths = [*paths, *(path for path in partials if not manifest.files[path].merged)]
        return (
            parquet((self.folder / path for path in paths), union=True)
            if paths
            else _NO_FILES["card_devices"]
        )

    def _has_column(self, source: str, name: str) -> bool:
        return any(row[0] == name for row in self._rows(f"DESCRIBE SELECT * FROM {source}"))

    def _named(self, manifest: Manifest, cards: Collection[str]) -> Mapping[int, str]:
        """Record keys of `cards`, without those whose text the store does not have."""
        named = {key_of(card): card for card in cards}
        known = self._texts(manifest, named)
        return {key: card for key, card in named.items() if key >= 0 or known.get(key) == card}

    @contextmanager
    def _session(self) -> Iterator[Any]:
        """A function that runs statements which see the same temporary tables."""
        with self._db.cursor() as cursor, plainly():

            def run(sql: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
                named = {name: value for name, value in (parameters or {}).items() if f"${name}" in sql}
                try:
                    return cursor.execute(sql, named or None).fetchall()
                except duckdb.IOException as error:
                    raise damaged(self.folder, str(error).splitlines()[0]) from error

            yield run


def _touches(sources: Mapping[Usage, str]) -> str:
    """Statement for the single contacts of the cards asked for: once for each record that tells one.

    A call that is told several times with more and more seconds, as partial records do, is one contact.
    """
    parts = []
    for usage, source in sources.items():
        call, moment = usage is Usage.CALLS, time_of(usage)
        seconds = "coalesce(seconds, 0)" if call else "0"
        answered = "coalesce(answered, seconds > 0, FALSE)" if call else "TRUE"
        for number, other, out in (("card", "peer", "out"), ("peer", "card", "in")):
            parts.append(
                f"SELECT r.{number} AS number, {other} AS other, {number == 'peer'} AS by_other, {moment} AS moment,"
                f" direction = {out!r} AS out, {call} AS call, {seconds} AS seconds, {answered} AS answered"
                f" FROM {source} AS r JOIN asked ON r.{number} = asked.number"
                f" WHERE {moment} >= $since AND {moment} < $until AND {moment} >= asked.since"
            )
    return (
        "CREATE TEMP TABLE touches AS SELECT number, other, by_other, moment, out, call, max(seconds) AS seconds,"
        f" bool_or(answered) AS answered FROM ({' UNION ALL '.join(parts)})"
        " WHERE other IS NOT NULL AND other <> number GROUP BY number, other, by_other, moment, out, call"
    )


def _earlier(usage: Usage, source: str) -> Iterator[str]:
    """Contacts of the cards with the people in `pairs` before; of foreign cards as others' records have them."""
    moment = time_of(usage)
    when = f"{moment} >= $begin AND {moment} < $since"
    yield (
        f"SELECT card AS number, peer AS other, CAST({moment} AS DATE) AS day, direction = 'out' AS out FROM {source}"
        f" WHERE card IN (SELECT number FROM asked) AND peer IN (SELECT other FROM people) AND {when}"
    )
    yield (
        f"SELECT peer, card, CAST({moment} AS DATE), direction = 'in' FROM {source}"
        f" WHERE peer IN (FROM foreign_numbers) AND card IN (SELECT other FROM people) AND {when}"
    )


def _text(key: int, texts: Mapping[int, str]) -> str:
    if key >= 0:
        return str(key)
    try:
        return texts[key]
    except KeyError:
        raise LookupRefused(
            "the store lacks the text of a pseudonym (texts/): it is damaged; restore the folder from a backup, or scan"
            " the delivered files into a new one"
        ) from None


# Each side counts what it saw, and the larger counts: a call between two own cards stands in the records of both.
_PAIRS = """
CREATE TEMP TABLE pairs AS
WITH sides AS (
  SELECT number, other, by_other,
    count(*) FILTER (call AND out) AS calls_out, count(*) FILTER (call AND NOT out) AS calls_in,
    count(*) FILTER (call AND answered) AS answered,
    count(*) FILTER (call AND answered AND seconds >= $talk) AS talks,
    coalesce(sum(seconds) FILTER (call AND answered), 0) AS seconds,
    coalesce(max(seconds) FILTER (call AND answered), 0) AS longest,
    count(*) FILTER (NOT call AND out) AS messages_out, count(*) FILTER (NOT call AND NOT out) AS messages_in,
    min(moment) AS first, max(moment) AS last
  FROM touches GROUP BY number, other, by_other
)
SELECT number, other, max(calls_out) AS calls_out, max(calls_in) AS calls_in, max(answered) AS answered,
  max(talks) AS talks,
  CAST(max(seconds) AS BIGINT) AS seconds, CAST(max(longest) AS BIGINT) AS longest,
  max(messages_out) AS messages_out, max(messages_in) AS messages_in,
  min(first) AS first, max(last) AS last
FROM sides GROUP BY number, other
HAVING max(longest) >= $least OR max(messages_in) > 0
"""

_FACTS = """
WITH people AS MATERIALIZED (SELECT DISTINCT other FROM pairs),
registered AS MATERIALIZED (
  SELECT card, min(holder) AS holder, min(holder_kind) AS holder_kind, min(kind) AS kind,
    min(operator) AS operator, min(home_city) AS home_city, min({age}) AS age_band
  FROM {register} WHERE card IN (SELECT other FROM people UNION ALL SELECT number FROM asked) GROUP BY card
),
foreign_numbers AS MATERIALIZED (SELECT number FROM asked WHERE number NOT IN (SELECT card FROM registered)),
holders AS (SELECT DISTINCT holder FROM registered WHERE card IN (SELECT number FROM asked) AND holder IS NOT NULL),
devices AS MATERIALIZED (SELECT card, imei FROM {devices} WHERE imei IS NOT NULL),
sharing AS (
  SELECT DISTINCT card FROM devices
  WHERE card IN (SELECT other FROM people) AND imei IN
    (SELECT imei FROM devices WHERE card IN (SELECT number FROM asked))
),
ringed AS MATERIALIZED (SELECT card, ring FROM {rings} WHERE certainty >= $percent),
in_ring AS (
  SELECT DISTINCT card FROM ringed
  WHERE card IN (SELECT other FROM people) AND ring IN
    (SELECT ring FROM ringed WHERE card IN (SELECT number FROM asked))
),
boxed AS (SELECT DISTINCT card FROM {hits} WHERE rule = 'sim_box' AND card IN (SELECT other FROM people)),
met AS (
  SELECT other AS card, moment, max(seconds) AS seconds FROM touches
  WHERE answered AND other IN (SELECT other FROM people) GROUP BY other, moment
),
services AS (FROM ({services}) WHERE card IN (SELECT other FROM people)),
afterwards AS (
  SELECT s.card, count(*) FILTER (bank) AS banks, count(*) FILTER (call AND NOT bank) AS calls,
    count(*) FILTER (NOT call AND NOT bank) AS codes
  FROM services s ASOF JOIN met m ON s.card = m.card AND s.moment >= m.moment
  WHERE s.moment <= m.moment + to_seconds(m.seconds) + $after GROUP BY s.card
),
mutual AS (
  SELECT other, max(days) AS days FROM (
    SELECT number, other, count(DISTINCT day) AS days FROM ({earlier})
    GROUP BY number, other HAVING bool_or(out) AND bool_or(NOT out)
  ) GROUP BY other
)
SELECT p.other, r.card IS NOT NULL, coalesce(r.operator, ''), coalesce(r.home_city, ''), coalesce(r.holder_kind, ''),
  coalesce(r.kind, ''), coalesce(r.age_band, ''), coalesce(a.banks, 0), coalesce(a.calls, 0), coalesce(a.codes, 0),
  coalesce(m.days, 0), r.holder IS NOT NULL AND r.holder IN (FROM holders), p.other IN (FROM sharing),
  p.other IN (FROM in_ring), p.other IN (FROM boxed)
FROM people p LEFT JOIN registered r ON r.card = p.other LEFT JOIN afterwards a ON a.card = p.other
  LEFT JOIN mutual m ON m.other = p.other
"""
