"""Who of the parties of confirmed cards is a victim, and in how much danger: points with a reason each.

Nothing here is learned: whoever reads the reasons can add the points up, and the policy has every limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from duanka.domain.age_band import age_band_of
from duanka.domain.fraud_kind import fraud_kind_of
from duanka.domain.phone_number import is_emergency, parse
from duanka.domain.record_keys import is_short_code
from duanka.domain.text import BilingualText
from duanka.domain.victim_policy import VictimPolicy
from duanka.domain.victims import DangerSign, Exclusion, Party, Reason

_SERVICE_DIGITS = 8  # a number of so few digits is a short code or a service, nobody's telephone
_MOBILE_DIGITS, _FREEPHONE_DIGITS = 11, 12  # as dialled; with the country code


@dataclass(frozen=True)
class Danger:
    """A victim with the reasons for danger, the heaviest first. `fraud_kind`: of the case, "" if unknown."""

    party: Party
    reasons: tuple[Reason, ...]
    fraud_kind: str = ""

    @property
    def points(self) -> int:
        """Of all reasons."""
        return sum(one.points for one in self.reasons)

    @property
    def words(self) -> BilingualText:
        """The reasons in words."""
        return in_words(self.reasons)


@dataclass(frozen=True)
class Ranked:
    """Victims, the most endangered first, and how many parties were none, by reason."""

    victims: tuple[Danger, ...]
    excluded: Mapping[Exclusion, int]


def in_words(reasons: Iterable[Reason]) -> BilingualText:
    """Reasons as one sentence."""
    words = [one.words for one in reasons]
    return BilingualText("；".join(one.zh for one in words), "; ".join(one.en for one in words))


def ranked(
    parties: Iterable[Party],
    kinds: Mapping[str, str],
    confirmed: Collection[str],
    policy: VictimPolicy,
    at: datetime | None = None,
) -> Ranked:
    """Rank `parties`. `kinds`: card -> kind of fraud; `confirmed`: all cards that the police confirmed.

    `at`: the time of the search, local as records are; None: the last contact of any of them.
    """
    parties = list(parties)
    at = at or max((party.last for party in parties), default=None)
    excluded = Counter[Exclusion]()
    found = list[Danger]()
    for party in parties:
        if why := exclusion_of(party, confirmed, policy):
            excluded[why] += 1
            continue
        danger = danger_of(party, kinds, policy, at)
        if danger.points < policy.warn_points:
            excluded[Exclusion.LITTLE] += 1
        else:
            found.append(danger)
    found.sort(key=lambda one: (-one.points, -one.party.seconds, one.party.number))
    return Ranked(tuple(found), excluded)


def exclusion_of(party: Party, confirmed: Collection[str], policy: VictimPolicy) -> Exclusion | None:
    """Why the party is no victim, whatever was talked; None: it may be one."""
    number = party.number
    if is_service(number):
        return Exclusion.SERVICE
    if number in confirmed:
        return Exclusion.CONFIRMED
    tests = (
        (party.same_holder, Exclusion.SAME_HOLDER),
        (party.in_ring, Exclusion.RING),
        (party.in_box, Exclusion.SIM_BOX),
        (party.shared_device, Exclusion.SHARED_DEVICE),
        (party.kind == "iot", Exclusion.MACHINE),
        (party.holder_kind == "organisation", Exclusion.ORGANISATION),
        (party.mutual_days >= policy.family_days, Exclusion.FAMILY),
    )
    return next((why for holds, why in tests if holds), None)


def is_service(number: str) -> bool:
    """Whether a number is an emergency line, a short code or a service: nobody's telephone."""
    digits = number.isdigit()
    whole = (parse(number) or "") if digits else ""
    freephone = whole.startswith(("86400", "86800")) and len(whole) == _FREEPHONE_DIGITS
    few = digits and (len(number) <= _SERVICE_DIGITS or (not whole and len(number) < _MOBILE_DIGITS))
    return few or freephone or is_short_code(number) or is_emergency(number)


def danger_of(
    party: Party, kinds: Mapping[str, str], policy: VictimPolicy, at: datetime | None = None
) -> Danger:
    """The danger of one party. `at`: as in `ranked`; None: its own last contact."""
    kind = _kind_of(party, kinds)
    reasons = [
        Reason(sign, figure, points)
        for sign, figure in _signs(party, kind, policy)
        if (points := policy.points.get(sign, 0))
    ]
    reasons += _stepped(party, policy, at or party.last)
    reasons.sort(key=lambda one: -one.points)
    return Danger(party, tuple(reasons), kind)


def _stepped(party: Party, policy: VictimPolicy, at: datetime) -> Iterator[Reason]:
    """The signs whose points grow by steps: how long the longest call was, how long ago the last contact is."""
    if points := sum(step.points for step in policy.call_minutes if party.longest >= step.figure * 60):
        yield Reason(DangerSign.LONG_CALL, party.longest // 60, points)
    kept = [step for step in policy.recent_hours if at - party.last <= timedelta(hours=step.figure)]
    if points := sum(step.points for step in kept):
        yield Reason(DangerSign.RECENT, min(step.figure for step in kept), points)


def _signs(party: Party, kind: str, policy: VictimPolicy) -> Iterator[tuple[DangerSign, int]]:
    """The signs that hold, each with its figure."""
    messages = sum(one.messages_out for one in party.contacts)
    answers = sum(one.calls_in + one.messages_in for one in party.contacts)
    if party.seconds >= policy.talk_minutes * 60:
        yield DangerSign.LONG_TALK, party.seconds // 60
    if party.talks >= policy.repeated:
        yield DangerSign.REPEATED, party.talks
    if messages:
        yield DangerSign.MESSAGED, messages
    if answers:
        yield DangerSign.CALLED_BACK, answers
    if party.bank_after:
        yield DangerSign.BANK_AFTER, party.bank_after
    if party.codes_after + party.services_after:
        yield DangerSign.CODES_AFTER, party.codes_after + party.services_after
    if len(party.contacts) >= policy.several_cards:
        yield DangerSign.SEVERAL_CARDS, len(party.contacts)
    if age_band_of(party.age_band) in policy.ages:
        yield DangerSign.AGE, 1
    if fraud_kind_of(kind) in policy.large_frauds:
        yield DangerSign.LARGE_FRAUD, 1


def _kind_of(party: Party, kinds: Mapping[str, str]) -> str:
    """The kind of fraud of the card that talked longest with the party, as far as one is known."""
    by_talk = sorted(party.contacts, key=lambda one: -one.seconds)
    return next((kind for one in by_talk if (kind := kinds.get(one.card, ""))), "")
