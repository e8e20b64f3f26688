"""Propose to stop the cards of a ring: from what links them to a bulk action that a second person decides.

The cards go from the graph into the proposal, and are shown to nobody on the way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from duanka.domain.bulk_action import BulkAction
from duanka.domain.holder_grounds import OF_RING
from duanka.domain.order import Event, NoSuchTransition, OrderError, Person
from duanka.domain.record_lookups import Basis
from duanka.domain.ring_lookups import RingAnswer, RingTable, SeedName
from duanka.domain.rings import RingRole
from duanka.domain.text import BilingualText, Language
from duanka.ledger.lookups import LookupContext
from duanka.orders.bulk_actions.conditions import may_ask
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.bulk_actions.standing import HeldMeanwhile, standing_stops
from duanka.orders.masking import MASKED
from duanka.orders.queries.ring_queries import RingQueries

LIKELY = 0.5  # who is not more likely than not of the ring is in no proposal
_LANGUAGES: tuple[Language, Language] = ("zh", "en")
_RING = 2  # cards, at least
_SEEN = BilingualText(
    "{mark} {seed}：{roles}；最低确定度 {least}；团伙中按规则有风险 {at_risk}，涉案 {confirmed}{basis}〕",
    "{mark} {seed}: {roles}; certainty {least} at least; of the ring at risk {at_risk}, confirmed {confirmed}{basis}]",
)


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
    ring = rings.in_full(named, reader, now)
    return propose_ring_stop(acts, ring, stop, reader.person, now, reader.basis)


def propose_ring_stop(
    acts: BulkActionService,
    ring: RingAnswer,
    stop: RingStop,
    by: Person,
    now: datetime,
    basis: Basis | None = None,
) -> ProposedRingStop:
    """Propose `stop` for the likely cards of `ring`, which has its numbers in full.

    Its reason keeps for the second person what `by` saw: counts, and the `basis` of the lookup. Likely cards that a
    stop holds already are left out. OrderError: no card is likely enough, or none is
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
    try:
        return _propose(acts, ring, likely, stop, by, now, basis)
    except HeldMeanwhile:  # by somebody else in the same moment: what is left now
        return _propose(acts, ring, likely, stop, by, now, basis)


def _propose(
    acts: BulkActionService,
    ring: RingAnswer,
    likely: Sequence[str],
    stop: RingStop,
    by: Person,
    now: datetime,
    basis: Basis | None,
) -> ProposedRingStop:
    """Propose `stop` for those of `likely` that no stop holds."""
    with acts.orders.store.reading() as connection:
        held = standing_stops(connection, stop.event, likely)
    standing = dict(Counter(held.values()))
    if not (proposed := [card for card in likely if card not in held]):
        raise NoSuchTransition(
            f"{len(held)} of them are already in {', '.join(standing)}, and none is left: nothing is proposed"
        )
    reason = _with_what_was_seen(stop.reason, ring, frozenset(proposed), basis)
    try:
        act = acts.propose(stop.event, proposed, reason, by, now, stop.until, unheld=True)
    except HeldMeanwhile:
        raise
    except OrderError as error:
        raise type(error)(MASKED.text(str(error))) from None  # may name a card, which `by` did not name
    return ProposedRingStop(act, ring.cards.rows - len(likely), ring.at_risk, ring.confirmed, standing)


def _with_what_was_seen(
    reason: BilingualText, ring: RingAnswer, proposed: Set[str], basis: Basis | None
) -> BilingualText:
    """The reason, and behind it the seed (masked), the proposed cards by role, and what speaks against the ring."""
    rows = [row for row in ring.cards.page(0, ring.cards.rows) if str(row["card"]) in proposed]
    least = min(float(str(row["certainty"])) for row in rows)
    roles = Counter(str(row["role"]) for row in rows).most_common()
    counts = {"least": f"{least:g}", "at_risk": ring.at_risk, "confirmed": ring.confirmed}
    seed = ring.masked().seed

    def told(language: Language) -> str:
        words = [f"{RingRole(role).words.in_(language)} {cards}" for role, cards in roles]
        why = f"{basis.kind.words.in_(language)} {basis.number}" if basis else ""
        stop = {"zh": "；", "en": "; "}[language]
        values = {"mark": OF_RING.in_(language), "seed": seed, "roles": ", ".join(words), **counts}
        return _SEEN.in_(language).format_map({**values, "basis": stop + why if why else ""})

    return BilingualText(*(part + told(language) for part, language in zip(reason, _LANGUAGES, strict=True)))


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
