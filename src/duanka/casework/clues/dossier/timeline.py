"""One timeline of a case: what was seen, decided, done in the network and said by the police, in order of time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from duanka.casework.clues.dossier.ledger_facts import LedgerFacts, move_words
from duanka.casework.clues.dossier.model import DossierCard, DossierEvent, FactSource
from duanka.domain.text import BilingualText

_ELEMENTS = {  # names of network elements in words
    "home_register": BilingualText("归属寄存器", "home register"),
    "call_proxy": BilingualText("呼叫代理", "call proxy"),
    "message_proxy": BilingualText("短信代理", "message proxy"),
}
OUTCOMES = {
    "done": BilingualText("已执行", "done"),
    "superseded": BilingualText("被后续指令取代", "superseded"),
    "unknown_card": BilingualText("网元无此号码", "card unknown there"),
    "refused": BilingualText("网元拒绝", "refused"),
    "": BilingualText("待回执", "no answer yet"),
}


class _Happened(NamedTuple):
    at: datetime
    words: BilingualText
    source: FactSource
    card: str
    rule: str = ""


def element_words(name: str) -> BilingualText:
    """A network element in words."""
    return _ELEMENTS.get(name, BilingualText(name, name))


def timeline_of(
    facts: LedgerFacts, cards: Sequence[DossierCard], local: Callable[[datetime], datetime]
) -> Iterator[DossierEvent]:
    """Entries in order of time; what happened to several cards in one minute is one entry with their count.

    `local`: an aware time -> naive local time.
    """
    together = defaultdict[tuple[datetime, BilingualText, FactSource, str], set[str]](set)
    for one in (*_of_case(facts, local), *_of_cards(cards), *_of_orders(facts, local)):
        together[one.at.replace(second=0, microsecond=0), one.words, one.source, one.rule].add(one.card)
    for (at, words, source, rule), of in sorted(
        together.items(), key=lambda one: (one[0][0], one[0][2], one[0][1])
    ):
        named = sorted(of - {""})
        yield DossierEvent(at, words, source, len(named), named[0] if len(named) == 1 else "", rule)


def _of_case(facts: LedgerFacts, local: Callable[[datetime], datetime]) -> Iterator[_Happened]:
    case = facts.case
    yield _Happened(local(case["opened_at"]), BilingualText("立案", "case opened"), FactSource.CASE, "")
    if case["approved_at"]:
        words = BilingualText("案件经主管复核", "case approved by a supervisor")
        yield _Happened(local(case["approved_at"]), words, FactSource.CASE, "")


def _of_cards(cards: Sequence[DossierCard]) -> Iterator[_Happened]:
    for card in cards:
        if card.opened_at:
            words = BilingualText("开户", "card opened")
            yield _Happened(card.opened_at.replace(hour=0, minute=0), words, FactSource.REGISTER, card.number)
        for hit in card.suspicion:
            at = datetime.combine(hit.first_day, datetime.min.time())
            words = BilingualText(f"首次命中规则 {hit.rule}", f"rule {hit.rule} first speaks")
            yield _Happened(at, words, FactSource.RULE, card.number, hit.rule)
        for said in card.confirmed:
            words = BilingualText(
                f"公安机关确认涉案，案件编号 {said.case_number}",
                f"confirmed by the police, case {said.case_number}",
            )
            yield _Happened(said.at, words, FactSource.POLICE, card.number)
        for one in card.receipts:
            if one.done_at and one.outcome == "done":
                element = element_words(one.element)
                words = BilingualText(
                    f"{element.zh}回执：{one.wanted.zh}", f"{element.en} answers: {one.wanted.en}"
                )
                yield _Happened(one.done_at, words, FactSource.NETWORK, card.number)


def _of_orders(facts: LedgerFacts, local: Callable[[datetime], datetime]) -> Iterator[_Happened]:
    for card, row in facts.moves:
        yield _Happened(local(row["at"]), move_words(row["what"]), FactSource.ORDER, card)
