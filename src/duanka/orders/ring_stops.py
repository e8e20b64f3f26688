"""Propose to stop the cards of a ring: from what links them to a bulk action that a second person decides.

The cards go from the graph into the proposal, and are shown to nobody on the way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from duanka.domain.bulk_action import BulkAction
from duanka.domain.order import Event, NoSuchTransition, OrderError, Person
from duanka.domain.ring_lookups import RingAnswer, RingTable, SeedName
from duanka.domain.text import BilingualText
from duanka.orders.bulk_actions.conditions import may_ask
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.bulk_actions.standing import standing_stops
from duanka.orders.masking import MASKED
from duanka.orders.queries.record_queries import LookupContext
from duanka.orders.queries.ring_queries import RingQueries

LIKELY = 0.5  # who is not more likely than not of the ring is in no proposal
_RING = 2  # cards, at least


@dataclass(frozen=True)
class RingStop:
    """What is proposed for the cards of a ring whose certainty is above `above`; `until`: end of a punishment."""

    event: Event
    reason: BilingualText
    above: float = LIKELY
    until: datetime | None = None


@dataclass(frozen=True)
class ProposedRingStop:
    """The proposal, and what of the ring it is: `left_out`: cards of too little certainty.

    `standing`: likely cards that a stop holds already, by the id of its bulk action: left out too.
    `at_risk`, `confirmed`: cards of the ring against which rules and the police speak.
    """

    act: BulkAction
    left_out: int
    at_risk: int
    confirmed: int
    standing: Mapping[str, int]


def look_up_and_propose(
    rings: RingQueries[RingAnswer, RingTable],
    acts: BulkActionService,
    named: SeedName,
    reader: LookupContext,
    stop: RingStop,
    now: datetime,
) -> ProposedRingStop:
    """Look the ring up, as `RingQueries.around` with all its conditions, and propose `stop` for its cards.

    Raises what both do. Nothing is looked up for who may not propose.
    """
    may_ask(stop.event, reader.person)
    return propose_ring_stop(acts, rings.in_full(named, reader, now), stop, reader.person, now)


def propose_ring_stop(
    acts: BulkActionService, ring: RingAnswer, stop: RingStop, by: Person, now: datetime
) -> ProposedRingStop:
    """Propose `stop` for the likely cards of `ring`, which has its numbers in full.

    Likely cards that a stop holds already are left out. OrderError: no card is likely enough, or none is
    left; nothing speaks against the ring but that its cards belong together, or it is a firm's; and what
    `BulkActionService.propose` raises, without numbers in full.
    """
    may_ask(stop.event, by)
    listed = [(str(row["card"]), row["certainty"]) for row in ring.cards.page(0, ring.cards.rows)]
    likely = [card for card, certainty in listed if float(str(certainty)) > stop.above]
    if not likely:
        raise OrderError(
            f"none of the {len(listed)} cards is the ring's with a certainty above {stop.above:g}: nothing is proposed"
        )
    if why := _innocent(ring):
        raise NoSuchTransition(
            f"{why}: nothing is proposed. Who knows better names the cards: `duanka links around LINKS ... --out DIR"
            " --full`, then `duanka orders stop --file DIR/ring.csv`"
        )
    with acts.orders.store.reading() as connection:
        held = standing_stops(connection, stop.event, likely)
    standing = dict(Counter(held.values()))
    if not (proposed := [card for card in likely if card not in held]):
        raise NoSuchTransition(
            f"{len(held)} of them are already in {', '.join(standing)}, and none is left: nothing is proposed"
        )
    try:
        act = acts.propose(stop.event, proposed, stop.reason, by, now, stop.until)
    except OrderError as error:
        raise type(error)(MASKED.text(str(error))) from None  # may name a card, which `by` did not name
    return ProposedRingStop(act, len(listed) - len(likely), ring.at_risk, ring.confirmed, standing)


def may_be_stopped(ring: RingAnswer) -> bool:
    """Whether something speaks against the cards of a ring, so that a stop can be proposed."""
    return not _innocent(ring)


def _innocent(ring: RingAnswer) -> str:
    """Why the cards of a ring are not to be stopped together; empty: something speaks against them."""
    if ring.joined < _RING:
        return "no link holds: these records show no ring"
    if ring.firm:
        return "these cards are an organisation's, and are called back: its gateway or its desks"
    if not ring.at_risk and not ring.confirmed:
        return "no rule speaks against any of these cards and the police confirmed none: they belong together, no more"
    return ""
