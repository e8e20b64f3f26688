"""Assembles a dossier: the case file, the order database, the store of records, and the graph of links."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Protocol

from sqlalchemy import RowMapping

from duanka.casework.cases.seeds import BY_HAND, SEED
from duanka.casework.clues.dossier.ledger_facts import LedgerFacts, since, state_words
from duanka.casework.clues.dossier.model import (
    CaseDossier,
    CaseFacts,
    CityFlow,
    DossierCard,
    DossierDevice,
    DossierGap,
    DossierHolder,
    DossierOutlet,
    DossierPlace,
    NetworkReceipt,
    PoliceWord,
    RingFacts,
    RingPlace,
    RuleMethod,
)
from duanka.casework.clues.dossier.timeline import timeline_of
from duanka.domain.card_facts import CardFacts, CardUse, RegisteredCard, UseKind
from duanka.domain.case_file import CaseItem, ItemKind
from duanka.domain.clue import Standing
from duanka.domain.errors import DuankaError
from duanka.domain.hit_summary import HitSummary, decoded_summaries
from duanka.domain.local_time import OperatorZone
from duanka.domain.network import NetworkState
from duanka.domain.order import Kind, Person, State
from duanka.domain.phone_masking import masked_text
from duanka.domain.ring_lookups import NotLinked, SeedName, TooManyRings
from duanka.domain.rings import RingRole
from duanka.domain.rule import Rule
from duanka.domain.text import BilingualText

DAYS = 90  # of records before the last day of the store
_NOT_SAID = BilingualText("", "")
_UNKNOWN_RULE = BilingualText("（已不在规则目录中）", "(no longer in the catalogue)")


@dataclass(frozen=True)
class RingView:
    """A ring as the graph of links has it. `cards`: by number; `devices`: imei -> role and reason."""

    facts: RingFacts
    cards: Mapping[str, RingPlace]
    devices: Mapping[str, tuple[BilingualText, BilingualText]]
    outlets: Mapping[str, BilingualText]


class RingViews(Protocol):
    """Looks up the ring of a case in full, for the program's own use; `bootstrap.casework` implements it."""

    def of(self, seed: SeedName, case_id: str, by: Person, why: str, now: datetime) -> RingView:
        """The ring behind `seed`; the trail has the lookup. DuankaError: no graph, no ring, or no permission."""


@dataclass(frozen=True)
class DossierPorts:
    """Where facts come from, beside the order database. `records`: opens the store; DuankaError: there is none."""

    records: Callable[[], CardFacts]
    last_record: Callable[[datetime], date | None]
    rings: RingViews
    rules: Callable[[], Mapping[str, Rule]]
    operator: BilingualText


@dataclass(frozen=True)
class DossierAssembly:
    """One dossier in the making. `now`: of the act; `zone`: of the operator."""

    ports: DossierPorts
    zone: OperatorZone
    by: Person
    why: str
    now: datetime

    def dossier(self, clue: str, recipient: str, facts: LedgerFacts) -> CaseDossier:
        """Assemble all that is known; what cannot be looked up is told as a gap."""
        gaps = list[DossierGap]()
        registered, used, records = self._records(facts.numbers, gaps)
        ring = self._ring(facts, gaps)
        main = _main_cities(used)
        cards = tuple(
            self._card(number, facts, registered.get(number), main, ring) for number in facts.numbers
        )
        return CaseDossier(
            clue=clue,
            case=self._case(facts),
            built_at=self._local(self.now),
            built_by=self.by.id,
            zone=self.zone.name,
            recipient=recipient,
            operator=self.ports.operator,
            cards=cards,
            devices=tuple(_devices(used, facts, ring)),
            places=tuple(_places(used)),
            flows=tuple(_flows(cards)),
            outlets=tuple(_outlets(cards, ring)),
            holders=tuple(_holders(cards)),
            rules=tuple(self._rules(cards)),
            ring=ring.facts if ring else None,
            timeline=tuple(timeline_of(facts, cards, self._local)),
            records=records,
            gaps=tuple(gaps),
        )

    def _records(
        self, numbers: Sequence[str], gaps: list[DossierGap]
    ) -> tuple[dict[str, RegisteredCard], Sequence[CardUse], tuple[date, date] | None]:
        try:
            source, last = self.ports.records(), self.ports.last_record(self._local(self.now))
            registered = {one.card: one for one in source.registered(numbers)}
            if last is None:
                return registered, (), None
            first = last - timedelta(days=DAYS - 1)
            until = datetime.combine(last + timedelta(days=1), datetime.min.time())
            used = source.use_of(numbers, datetime.combine(first, datetime.min.time()), until)
        except DuankaError as error:
            words = BilingualText(
                "未查询话单和用户登记：没有可用的记录库",
                "records and register were not read: there is no store to ask",
            )
            gaps.append(DossierGap(words, str(error)))
            return {}, (), None
        days = [one.first.date() for one in used]
        return registered, used, (max(first, min(days, default=first)), last)

    def _ring(self, facts: LedgerFacts, gaps: list[DossierGap]) -> RingView | None:
        seed = _seed(facts)
        try:
            return self.ports.rings.of(seed, facts.case["id"], self.by, self.why, self.now)
        except TooManyRings:
            raise  # a moment later there is room
        except NotLinked as error:
            words = BilingualText(
                f"未附团伙关系图：{seed.text} 在关联图中没有可靠的关联",
                f"no picture of a ring: nothing reliable is linked to {seed.text}",
            )
            gaps.append(DossierGap(BilingualText(*map(masked_text, words)), str(error)))
        except DuankaError as error:
            words = BilingualText(
                "未附团伙关系图：没有可用的关联图，或编制人无权查询",
                "no picture of a ring: there is no graph to ask",
            )
            gaps.append(DossierGap(words, str(error)))
        return None

    def _case(self, facts: LedgerFacts) -> CaseFacts:
        row = facts.case
        return CaseFacts(
            row["id"],
            row["title"],
            row["ground"],
            row["ground_number"],
            self._local(row["opened_at"]),
            row["opened_by"],
            row["approved_by"] or "",
            tuple((one.kind.value, one.value) for one in facts.items if one.kind is not ItemKind.CARD),
        )

    def _card(
        self,
        number: str,
        facts: LedgerFacts,
        registered: RegisteredCard | None,
        main: Mapping[str, str],
        ring: RingView | None,
    ) -> DossierCard:
        rows = facts.orders.get(number, ())
        said = facts.confirmations.get(number, ())
        confirmed = tuple(
            PoliceWord(one["case_number"], one["source"], self._local(one["confirmed_at"]), one["fraud_kind"])
            for one in said
            if one["withdrawn_at"] is None
        )
        suspicion = _summaries(rows)
        item = facts.cards[number]
        wanted = facts.wanted.get(number)
        place = (ring.cards.get(number) if ring else None) or _of_item(item)
        known = registered or RegisteredCard(number)
        return DossierCard(
            number=number,
            standing=_standing(confirmed, suspicion, place),
            source=_source(item),
            confirmed=confirmed,
            suspicion=suspicion,
            orders=tuple(row["id"] for row in rows if row["hit_summaries"]),
            tier=next(
                (row["tier"] for row in reversed(rows) if row["tier"] and row["tier"] != "extreme"), ""
            ),
            ring=place,
            operator=known.operator or item.operator,
            home_city=known.home_city or item.city,
            main_city=main.get(number, ""),
            outlet=known.outlet,
            holder=known.holder,
            holder_kind=known.holder_kind,
            opened_at=known.opened_at,
            state=state_words(wanted),
            state_since=self._local(wanted["since"]) if wanted else None,
            receipts=tuple(map(self._receipt, facts.receipts.get(number, ()))),
            in_favour=tuple(self._in_favour(rows, said)),
        )

    def _receipt(self, row: RowMapping) -> NetworkReceipt:
        done = row["done_at"]
        words = NetworkState(row["wanted"]).words
        at = self._local(row["created_at"])
        return NetworkReceipt(row["element"], words, at, done and self._local(done), row["outcome"] or "")

    def _in_favour(self, rows: Sequence[RowMapping], said: Sequence[RowMapping]) -> Iterator[BilingualText]:
        """What speaks for the holder; who reads of suspicion alone would judge without it."""
        told = (
            (Kind.VERIFICATION, State.PASSED, "通过实人核验", "passed the verification of the holder"),
            (Kind.OBJECTION, State.UPHELD, "异议成立", "an objection was upheld"),
            (Kind.VERIFICATION, State.DISOWNED, "登记人否认开户", "its registrant disowned the number"),
        )
        for kind, state, zh, en in told:
            for number, at in since(rows, kind, state):
                day = f"{self._local(at):%Y-%m-%d}"
                yield BilingualText(f"{day} {zh}（{number}）", f"{day} {en} ({number})")
        for one in said:
            if one["withdrawn_at"]:
                day = f"{self._local(one['withdrawn_at']):%Y-%m-%d}"
                case = one["case_number"]
                yield BilingualText(
                    f"{day} 公安机关撤销涉案确认（{case}）",
                    f"{day} the police withdrew their confirmation ({case})",
                )

    def _rules(self, cards: Iterable[DossierCard]) -> Iterator[RuleMethod]:
        spoke = Counter(hit.rule for card in cards for hit in card.suspicion)
        rules = self.ports.rules() if spoke else {}
        for rule_id, many in sorted(spoke.items(), key=lambda one: (-one[1], one[0])):
            rule = rules.get(rule_id)
            if rule is None:
                yield RuleMethod(rule_id, _UNKNOWN_RULE, _NOT_SAID, _NOT_SAID, "", _NOT_SAID, (), many)
                continue
            limits = tuple((one.meaning, f"{one.value} {one.unit}") for one in rule.limits.values())
            grade = BilingualText(
                f"{rule.source.grade.meaning.zh}（{rule.source.grade}）", f"{rule.source.grade.meaning.en}"
            )
            yield RuleMethod(
                rule_id, rule.title, rule.why, rule.look_alikes, rule.source.text, grade, limits, many
            )

    def _local(self, at: datetime) -> datetime:
        return self.zone.local(at).replace(tzinfo=None)


def _of_item(item: CaseItem) -> RingPlace | None:
    """What the case file kept of the ring, where the graph does not tell; None: nothing."""
    if item.certainty is None:
        return None
    roles = {role.value: role.words for role in RingRole}
    reason = BilingualText(f"立案时属于 {item.source}", f"of the {item.source} when the case was opened")
    return RingPlace(roles.get(item.role, RingRole.UNKNOWN.words), "", item.certainty / 100, reason)


def _source(item: CaseItem) -> str:
    if item.source == BY_HAND:
        return f"人工列入（{item.added_by}）"
    return "立案起点" if item.source == SEED else item.source


def _standing(
    confirmed: Sequence[PoliceWord], suspicion: Sequence[HitSummary], ring: RingPlace | None
) -> Standing:
    if confirmed:
        return Standing.CONFIRMED
    return Standing.SUSPECTED if suspicion or ring else Standing.NAMED


def _summaries(rows: Sequence[RowMapping]) -> tuple[HitSummary, ...]:
    """What rules saw, by rule, the latest order's words; the days of all orders."""
    found = dict[str, HitSummary]()
    for row in rows:
        for one in decoded_summaries(row["hit_summaries"]):
            before = found.get(one.rule)
            if before is not None:
                first, last = min(before.first_day, one.first_day), max(before.last_day, one.last_day)
                one = replace(one, first_day=first, last_day=last, days=max(before.days, one.days))  # noqa: PLW2901
            found[one.rule] = one
    return tuple(found.values())


def _seed(facts: LedgerFacts) -> SeedName:
    """Where the ring begins: a ring of the case, else what it was opened for, else its first card."""
    rings = [one.value for one in facts.items if one.kind is ItemKind.RING]
    if rings:
        return SeedName("ring", rings[0])
    kind, seed = facts.case["seed_kind"], facts.case["seed"]
    return (
        SeedName(kind, seed)
        if kind in ("card", "device", "outlet", "ring")
        else SeedName("card", facts.numbers[0])
    )


def _main_cities(used: Sequence[CardUse]) -> dict[str, str]:
    counts = defaultdict[str, Counter[str]](Counter)
    for one in used:
        if one.kind is UseKind.PLACE and one.city:
            counts[one.card][one.city] += one.records
    return {card: min(found, key=lambda city: (-found[city], city)) for card, found in counts.items()}


def _devices(used: Sequence[CardUse], facts: LedgerFacts, ring: RingView | None) -> Iterator[DossierDevice]:
    of = defaultdict[str, list[CardUse]](list)
    for one in used:
        if one.kind is UseKind.DEVICE:
            of[one.value].append(one)
    named = {one.value for one in facts.items if one.kind is ItemKind.DEVICE}
    judged = ring.devices if ring else {}
    for imei in sorted(named | of.keys(), key=lambda imei: (-len(of.get(imei, ())), imei)):
        uses = of.get(imei, [])
        role, reason = judged.get(imei, (_NOT_SAID, _NOT_SAID))
        yield DossierDevice(
            imei,
            tuple(sorted({one.card for one in uses})),
            sum(one.records for one in uses),
            min((one.first for one in uses), default=None),
            max((one.last for one in uses), default=None),
            role,
            reason,
        )


def _places(used: Sequence[CardUse]) -> Iterator[DossierPlace]:
    of = defaultdict[tuple[str, str], list[CardUse]](list)
    city_of = {
        one.value: one.city for one in used if one.kind is UseKind.PLACE and one.city
    }  # records may lack it
    for one in used:
        if one.kind is UseKind.PLACE:
            of[one.city or city_of.get(one.value, ""), one.value].append(one)
    order = sorted(
        of, key=lambda at: (-len({one.card for one in of[at]}), -sum(one.records for one in of[at]), at)
    )
    for city, cell in order:
        uses = of[city, cell]
        cards = tuple(sorted({one.card for one in uses}))
        first, last = min(one.first for one in uses), max(one.last for one in uses)
        yield DossierPlace(city, cell, cards, sum(one.records for one in uses), first, last)


def _flows(cards: Sequence[DossierCard]) -> Iterator[CityFlow]:
    counted = Counter((card.home_city, card.main_city) for card in cards)
    for (home, used), many in sorted(counted.items(), key=lambda one: (-one[1], one[0])):
        yield CityFlow(home, used, many)


def _outlets(cards: Sequence[DossierCard], ring: RingView | None) -> Iterator[DossierOutlet]:
    counted = Counter(card.outlet for card in cards if card.outlet)
    reasons = ring.outlets if ring else {}
    for outlet, many in sorted(counted.items(), key=lambda one: (-one[1], one[0])):
        yield DossierOutlet(outlet, many, reasons.get(outlet, _NOT_SAID))


def _holders(cards: Sequence[DossierCard]) -> Iterator[DossierHolder]:
    of = defaultdict[tuple[str, str], list[str]](list)
    for card in cards:
        if card.holder:
            of[card.holder, card.holder_kind].append(card.number)
    for (holder, kind), numbers in sorted(of.items(), key=lambda one: (-len(one[1]), one[0])):
        yield DossierHolder(holder, kind, tuple(numbers))
