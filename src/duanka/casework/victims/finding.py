"""Victims of named cards, for people: found, and warned where the police confirmed the card.

A search is a lookup: it takes a reason and a case, an order or a police notice, and is in the trail before the first
row. Cards that the police did not confirm are refused here; see `proposals`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Protocol

from sqlalchemy import Connection, select

from duanka.casework.victims.confirmed import Standing, standing
from duanka.casework.victims.ranking import Danger, Ranked
from duanka.casework.victims.recording import in_turns, record_and_queue
from duanka.casework.victims.searching import VictimSearch
from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import bounded
from duanka.domain.case_file import ItemKind, is_case_id
from duanka.domain.local_time import OperatorZone
from duanka.domain.record_lookups import MOST_HOURS, BasisKind, RecordLookups, StoreStatus, bounded_count
from duanka.domain.text import BilingualText
from duanka.domain.victims import (
    MOST_CARDS,
    CardNotConfirmed,
    Exclusion,
    PartyLookups,
    VictimsRefused,
)
from duanka.ledger.audit.trail import AuditEntry
from duanka.ledger.db.casework.cases import case_items
from duanka.ledger.lookups import (
    LookupContext,
    Sight,
    authorize_lookup,
    check_basis,
    check_scope,
    number_of,
    tell_rows,
)


class VictimRecords(PartyLookups, RecordLookups, Protocol):
    """A store that finds the parties of cards, and knows where cards belong."""


@dataclass(frozen=True)
class FoundVictim:
    """A victim as the reader may see it."""

    number: str
    points: int
    reasons: BilingualText
    answered: int
    seconds: int
    longest: int
    cards: int
    operator: str
    city: str
    age_band: str
    last: datetime


@dataclass(frozen=True)
class FoundVictims:
    """Victims, the most endangered first. `until`, `since`: local times of `zone`; `warned`: newly queued warnings."""

    cards: Sequence[str]
    since: datetime
    until: datetime
    zone: OperatorZone
    victims: Sequence[FoundVictim]
    excluded: Mapping[Exclusion, int]
    warned: int = 0


@dataclass(frozen=True)
class AskedPeriod:
    """What a person asked for. `hours` None: as the policy says; `until` None: the end of the last day there is."""

    hours: int | None = None
    until: datetime | None = None

    def of(self, status: StoreStatus, now: datetime, hours: int) -> tuple[datetime, datetime]:
        """From when until when, local to the store. LookupRefused: too many hours."""
        length = timedelta(hours=bounded_count(self.hours or hours, MOST_HOURS, "--hours (HTTP: hours)"))
        zone = OperatorZone(status.zone)
        if self.until is not None:
            end = zone.local(bounded(self.until)).replace(tzinfo=None)
        else:
            here = zone.local(now).replace(tzinfo=None)
            end = datetime.combine(status.last_day(here) or here.date(), time.min) + timedelta(days=1)
        return end - length, end


class VictimFinder:
    """Finds and warns the victims of cards. `source` opens the store; LookupRefused: there is none."""

    def __init__(self, search: VictimSearch, source: Callable[[], VictimRecords]) -> None:
        self._search, self._source = search, source
        self._store, self._trail = search.store, search.trail

    def find(
        self, cards: Sequence[str], reader: LookupContext, now: datetime, asked: AskedPeriod
    ) -> FoundVictims:
        """Find the victims of confirmed cards.

        `cards` empty: those of the case that the reader names. CardNotConfirmed; LookupRefused; PermissionDenied.
        """
        authorize_lookup(reader, Permission.FIND_VICTIMS)
        return self._find(cards, reader, now, asked, warn=False)

    def warn(
        self, cards: Sequence[str], reader: LookupContext, now: datetime, asked: AskedPeriod
    ) -> FoundVictims:
        """Find as `find`, and queue a warning to each victim who was not warned already; errors as there."""
        authorize(reader.person, Permission.WARN_VICTIMS)
        authorize_lookup(reader, Permission.FIND_VICTIMS)
        return self._find(cards, reader, now, asked, warn=True)

    def _find(
        self, cards: Sequence[str], reader: LookupContext, now: datetime, asked: AskedPeriod, *, warn: bool
    ) -> FoundVictims:
        named = self._named(cards, reader)
        source = self._source()
        zone = OperatorZone(source.status().zone)
        since, until = asked.of(source.status(), now, self._search.terms.policy.hours)
        facts = {"since": str(since), "until": str(until), "warn": warn}
        confirmed = self._search.with_kinds(source, self._tell(named, reader, now, source, facts))
        found = self._search.find(source, confirmed, since, until)
        tell_rows(self._store, self._trail, reader, now, "victims", len(found.victims))
        warned = self._queue(found, confirmed, reader, now) if warn else 0
        sight = Sight(reader.unmasked)
        shown = [shown_victim(one, sight) for one in found.victims]
        named = [sight.number(card) for card in sorted(confirmed)]
        return FoundVictims(named, since, until, zone, shown, found.excluded, warned)

    def _named(self, cards: Sequence[str], reader: LookupContext) -> list[str]:
        named = list(dict.fromkeys(map(number_of, cards))) if cards else self._of_case(reader)
        bounded_count(len(named), MOST_CARDS, "the number of cards")
        return named

    def _of_case(self, reader: LookupContext) -> list[str]:
        """The confirmed cards of the reader's case."""
        number = reader.basis.number
        if reader.basis.kind is not BasisKind.CASE or not is_case_id(number):
            raise VictimsRefused("no card is named: give cards, or a case of ours (`duanka cases list`)")
        with self._store.reading() as connection:
            check_basis(connection, reader, None)
            cards = cards_of_case(connection, number)
            confirmed = standing(connection, cards)
        if not confirmed:
            raise CardNotConfirmed(
                f"none of the {len(cards)} cards of case {number} is confirmed by the police, so nobody is warned on"
                " their account; a worklist of calls takes two people: `duanka victims propose`"
            )
        return sorted(confirmed)

    def _tell(
        self,
        cards: Sequence[str],
        reader: LookupContext,
        now: datetime,
        source: RecordLookups,
        facts: Mapping[str, object],
    ) -> Standing:
        """Check basis, scope and confirmations, and append the entry; committed before anything is looked up."""
        why = f"{reader.basis.number} · {reader.why.strip()}"
        told = {"basis": reader.basis.kind.value, "cards": list(cards), "unmasked": reader.unmasked, **facts}
        with self._store.writing() as connection:
            check_basis(connection, reader, cards[0] if reader.basis.kind is BasisKind.ORDER else None)
            check_scope(connection, reader.person, source, cards)
            confirmed = standing(connection, cards)
            if missing := len(set(cards) - confirmed.keys()):
                raise CardNotConfirmed(
                    f"{missing} of these cards are not confirmed by the police, so nobody is warned on their account; a"
                    " worklist of calls takes two people: `duanka victims propose`"
                )
            entry = AuditEntry(now, reader.person, "victims.look", "victims", why, after=told)
            self._trail.append(connection, [entry])
        return confirmed

    def _queue(self, found: Ranked, confirmed: Standing, reader: LookupContext, now: datetime) -> int:
        def put(connection: Connection, some: Sequence[Danger]) -> int:
            return record_and_queue(connection, some, confirmed, self._search.terms, now)

        warned = in_turns(self._store, found.victims, put)
        after = {"cards": sorted(confirmed), "found": len(found.victims), "warned": warned}
        why = f"{reader.basis.number} · {reader.why.strip()}"
        entry = AuditEntry(now, reader.person, "victims.warn", "victims", why, after=after)
        self._store.transact(lambda connection: self._trail.append(connection, [entry]))
        return warned


def cards_of_case(connection: Connection, number: str) -> list[str]:
    """The cards of a case."""
    mine = (case_items.c.case_id == number, case_items.c.kind == ItemKind.CARD.value)
    return list(connection.execute(select(case_items.c.value).where(*mine)).scalars())


def shown_victim(danger: Danger, sight: Sight) -> FoundVictim:
    """A victim as a reader may see it."""
    party = danger.party
    return FoundVictim(
        number=sight.number(party.number),
        points=danger.points,
        reasons=danger.words,
        answered=party.answered,
        seconds=party.seconds,
        longest=party.longest,
        cards=len(party.contacts),
        operator=party.operator,
        city=party.city,
        age_band=party.age_band,
        last=party.last,
    )
