"""The text of a stop: rule, figures, window, who decided, and how to rebut it; made once, at the moment of the stop.

It has two parts. The head is about one order and its step; the body says the same to all cards with the same rules and
grounds, and is stored once for them. Both are in Chinese and English, and hold no number of anybody else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from typing import TypeVar

from duanka.domain.evidence import Evidence
from duanka.domain.hit_summary import summary_texts
from duanka.domain.holder_grounds import grounds_for_holder
from duanka.domain.network import NetworkState
from duanka.domain.order import Kind, Order, State
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.phone_masking import masked_text
from duanka.domain.restriction_states import in_the_network
from duanka.domain.stop_text_words import (
    ALONE,
    ANSWERED_BY_ANOTHER,
    BODY_HEADINGS,
    DECIDED,
    EFFECTS,
    GENERAL_REBUTTALS,
    LAW,
    LAW_OF_STATE,
    NO_FIGURES,
)
from duanka.domain.text import BilingualText

_CACHED_TEXTS = 8_192  # masked words of rules, and bodies: a policy has few, a sweep asks for thousands
Key = TypeVar("Key")
Value = TypeVar("Value")
_NOTHING = BilingualText("", "")
_NO_RULES = (Evidence.POLICE_NOTICE, Evidence.OWN_REQUEST)  # such a stop rests on no rule


@dataclass(frozen=True)
class RuleTold:
    """What a holder is told of a rule: `limits` in force, `records` it read, `source`, and what rebuts it."""

    title: BilingualText
    limits: BilingualText
    records: BilingualText
    source: BilingualText
    rebuttal: BilingualText


@dataclass(frozen=True)
class RulesTold:
    """Rules of a policy by id, and the policy's title."""

    policy: BilingualText = BilingualText("", "")
    rules: Mapping[str, RuleTold] = field(default_factory=dict)


@dataclass(frozen=True)
class StopTextBody:
    """The part that cards with the same rules and grounds share. `digest`: SHA-256 of both languages, in hex."""

    zh: str
    en: str
    digest: str

    @classmethod
    def of(cls, zh: str, en: str) -> StopTextBody:
        """Return the body with its digest."""
        return cls(zh, en, hashlib.sha256(f"{zh}\0{en}".encode()).hexdigest())

    @cached_property
    def encoded(self) -> tuple[bytes, bytes]:
        """What follows each head in a text, in UTF-8."""
        return f"{self.zh}\n".encode(), self.en.encode()


@dataclass(slots=True)  # not frozen: a sweep makes thousands
class StopText:
    """The text of one step of a restriction. `belated`: made after the stop, from what was stored."""

    order_id: str
    step: int
    head: BilingualText
    body: StopTextBody
    made_at: datetime
    belated: bool = False

    @property
    def text(self) -> str:
        """The whole text, Chinese and then English."""
        return joined_text(self.head, self.body)

    @property
    def digest(self) -> str:
        """SHA-256 of the UTF-8 bytes of `text`, in hexadecimal; those of the body are made once for all its cards."""
        zh, en = self.body.encoded
        found = hashlib.sha256(self.head.zh.encode() + zh)
        found.update(self.head.en.encode() + en)
        return found.hexdigest()


def joined_text(head: BilingualText, body: BilingualText | StopTextBody) -> str:
    """Join the stored parts; nothing is worded anew."""
    return f"{head.zh}{body.zh}\n{head.en}{body.en}"


def digest_of(text: str) -> str:
    """SHA-256 of the UTF-8 bytes of `text`, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def restricts_anew(before: Order, after: Order) -> bool:
    """Whether this change of a restriction restricts the card, or gives another ground for it."""
    if after.kind is not Kind.RESTRICTION or in_the_network(after.state) is NetworkState.ACTIVE:
        return False
    return (
        before.state is not after.state
        or before.carried_by != after.carried_by
        or before.until != after.until
        or before.grounds != after.grounds
    )


class StopTextWriter:
    """Writes the texts of stops under one policy. `rules`: asked for when first needed."""

    def __init__(self, policy: OrderPolicy, rules: Callable[[], RulesTold] = RulesTold) -> None:
        self._policy, self._read_rules = policy, rules
        self._rules: RulesTold | None = None
        self._bodies: dict[tuple[object, ...], StopTextBody] = {}
        self._lines: dict[tuple[tuple[str, ...], str], BilingualText] = {}
        self._measures: dict[tuple[object, ...], BilingualText] = {}
        self._times: dict[datetime, str] = {}

    def text(
        self, stop: Order, verification: Order | None, made_at: datetime, *, belated: bool = False
    ) -> StopText:
        """Word the text of `stop`, which restricts its card since `updated_at`.

        `verification`: that it follows from, with what the rules saw.
        """
        told = grounds_for_holder(stop, self._policy)
        evidence = stop.carried_by.partition(":")[0]
        rules = () if evidence in _NO_RULES else _rules_of(stop, verification)
        key = (evidence, stop.state, rules, told.redress, told.papers)
        body = self._bodies.get(key) or _kept(self._bodies, key, self._body(*key))
        head = self._head(stop, verification, told.reason, rules)
        head = self._belated(head, made_at) if belated else head
        return StopText(stop.id, stop.step, head, body, made_at, belated)

    def _head(
        self, stop: Order, verification: Order | None, told: BilingualText, rules: tuple[str, ...]
    ) -> BilingualText:
        reason, tail = _without_numbers(told), stop.card[-4:]
        key = (stop.state, stop.updated_at, stop.until, stop.closed_at and stop.opened_at)
        measure = self._measures.get(key) or _kept(self._measures, key, self._measure(stop))
        decided = self._decided(stop, verification)
        encoded = stop.hit_summaries or (verification.hit_summaries if verification else "")
        seen = self._seen(rules, encoded) if rules else _NOTHING
        return BilingualText(
            f"停机告知书\n工单：{stop.id}，第 {stop.step} 步\n号码：尾号 {tail}\n处置：{measure.zh}\n"
            f"由谁决定：{decided.zh}\n原因：{reason.zh}\n{seen.zh}",
            f"Notice of a stop\nOrder: {stop.id}, step {stop.step}\nNumber: ending {tail}\nMeasure: {measure.en}\n"
            f"Decided by: {decided.en}\nReason: {reason.en}\n{seen.en}",
        )

    def _measure(self, stop: Order) -> BilingualText:
        """State and since when; cards of one sweep share it."""
        since, state = self._time(stop.updated_at), stop.state.words
        zone = self._policy.local_time.place(stop.updated_at)
        if stop.closed_at:  # told belatedly
            begun = self._time(stop.opened_at)
            return BilingualText(
                f"{begun} 至 {since} 停机（{zone[0]}），现为：{state.zh}",
                f"stopped from {begun} to {since} ({zone[1]}), now: {state.en}",
            )
        until = self._time(stop.until) if stop.until else ""
        return BilingualText(
            f"{state.zh}，自 {since} 起（{zone[0]}）{until and f'，至 {until} 止'}",
            f"{state.en}, since {since} ({zone[1]}){until and f', until {until}'}",
        )

    def _belated(self, head: BilingualText, made_at: datetime) -> BilingualText:
        made = self._time(made_at)
        return BilingualText(
            f"{head.zh}本告知书不是停机当时所作，由 {made} 根据工单库保存的资料补作。\n",
            f"{head.en}This text was not made at the time of the stop, but on {made} from what was stored.\n",
        )

    def _decided(self, stop: Order, verification: Order | None) -> BilingualText:
        evidence, _, reference = stop.carried_by.partition(":")
        if evidence == Evidence.ONE_PERSON:
            reference = ""  # may be a name: it stays in the trail
        elif evidence == Evidence.POLICE_NOTICE:
            reference = masked_text(reference)  # typed by a person; the others are ids of ours
        zh, en = DECIDED.get(evidence) or DECIDED[""]
        if reference:
            zh, en = f"{zh}（{reference}）", f"{en} ({reference})"
        if verification and verification.delivered_at:
            delivered = self._time(verification.delivered_at)
            zh, en = f"{zh}；通知于 {delivered} 送达", f"{en}; the notice was delivered on {delivered}"
        return BilingualText(zh, en)

    def _seen(self, rules: tuple[str, ...], encoded: str) -> BilingualText:
        """What each rule measured, and in which window; the figures are in the words of its first hit."""
        if found := self._lines.get((rules, encoded)):
            return found
        seen = summary_texts(encoded)
        zh, en = "", ""
        for rule in rules:
            title = self.title(rule)
            if rule not in seen:
                zh += f"· {title.zh}：{NO_FIGURES.zh}\n"
                en += f"· {title.en}: {NO_FIGURES.en}\n"
                continue
            first, last, days, in_chinese, in_english = seen[rule]
            zh += f"· {title.zh}：{masked_text(in_chinese)}（{first} 至 {last}，{days} 天）\n"
            en += f"· {title.en}: {masked_text(in_english)} ({first} to {last}, on {days} day(s))\n"
        return _kept(self._lines, (rules, encoded), BilingualText(zh, en))

    def _body(
        self,
        evidence: str,
        state: State,
        rules: tuple[str, ...],
        redress: BilingualText,
        papers: BilingualText,
    ) -> StopTextBody:
        catalogue = self._catalogue()
        known = [(rule, catalogue.rules[rule]) for rule in rules if rule in catalogue.rules]
        zh, en = list[str](), list[str]()

        def say(name: str, words: BilingualText) -> None:
            heading = BODY_HEADINGS[name]
            zh.append(f"{heading.zh}：{words.zh}")
            en.append(f"{heading.en}: {words.en}")

        say("effect", EFFECTS.get(state, EFFECTS[None]))
        say("alone", ALONE.get(evidence, ALONE[""]))
        if known:
            say("policy", catalogue.policy)
        for rule, one in known:
            say("rule", BilingualText(f"{one.title.zh}（{rule}）", f"{one.title.en} ({rule})"))
            for name, words in (("limits", one.limits), ("records", one.records), ("source", one.source)):
                say(name, words)
            say("rebut", one.rebuttal)
        say("rebut_all", self._rebuttal(evidence))
        say("law", LAW_OF_STATE.get(state) or LAW.get(evidence, LAW[""]))
        say("redress", redress)
        say("papers", papers)
        say("hotline", BilingualText(self._policy.hotline, self._policy.hotline))
        return StopTextBody.of("\n".join(zh) + "\n", "\n".join(en) + "\n")

    def _rebuttal(self, evidence: str) -> BilingualText:
        """How the stop is rebutted; who answers an objection is promised only as far as the policy keeps it."""
        if rebuttal := GENERAL_REBUTTALS.get(evidence):
            return rebuttal
        words = GENERAL_REBUTTALS[""]
        if not self._policy.two_people:
            return words
        return BilingualText(f"{words.zh}{ANSWERED_BY_ANOTHER.zh}", f"{words.en}{ANSWERED_BY_ANOTHER.en}")

    def title(self, rule: str) -> BilingualText:
        """Return the title of a rule; its id if the rule is unknown."""
        told = self._catalogue().rules.get(rule)
        return told.title if told else BilingualText(rule, rule)

    def _catalogue(self) -> RulesTold:
        if self._rules is None:
            self._rules = self._read_rules()
        return self._rules

    def _time(self, at: datetime) -> str:
        return self._times.get(at) or _kept(self._times, at, self._policy.local_time.written(at)[:19])


@lru_cache(_CACHED_TEXTS)
def _without_numbers(words: BilingualText) -> BilingualText:
    """Mask the numbers in words that a decision brought, as everywhere for holders."""
    return BilingualText(masked_text(words.zh), masked_text(words.en))


def _kept(cache: dict[Key, Value], key: Key, value: Value) -> Value:
    if len(cache) >= _CACHED_TEXTS:
        cache.clear()
    cache[key] = value
    return value


def _rules_of(stop: Order, verification: Order | None) -> tuple[str, ...]:
    return stop.rules or (verification.rules if verification else ())
