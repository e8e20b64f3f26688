"""The words of the API's values, as people read them."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from duanka.domain import police_reasons
from duanka.domain.assessment import Measure, UnitKind
from duanka.domain.bulk_action import BulkActionState
from duanka.domain.counter_check import Document
from duanka.domain.decision import Tier
from duanka.domain.fraud_kind import FraudKind
from duanka.domain.headline import HeadlineFigure
from duanka.domain.identity import CheckReason, Outcome
from duanka.domain.listing import ListingEvent, ListingState
from duanka.domain.local_time import operator_zone
from duanka.domain.network import NetworkState
from duanka.domain.objection import Channel
from duanka.domain.order import Event, Kind, State
from duanka.domain.person import Role
from duanka.domain.rings import DeviceRole, LinkKind, RingRole
from duanka.domain.text import WordedEnum
from duanka.ledger.audit.trail_texts import change_texts, entry_texts
from duanka.orders.masking import View
from duanka.orders.proposing.chosen_orders import LeftOutReason
from duanka.orders.views import WordsShown
from duanka.rules import RULES

Words = dict[str, WordsShown]


class RuleWordsShown(View):
    """What people read of a rule (规则)."""

    title: WordsShown
    why: WordsShown = Field(description="Why it points to fraud.")
    look_alikes: WordsShown = Field(description="Whose honest use looks like it.")
    rebuttal: WordsShown = Field(description="Which paper or fact shows a use to be honest.")


class VocabularyShown(View):
    """The words of each value, by value, in Chinese and English (取值用语)."""

    kinds: Words = Field(description="Of orders.")
    states: Words = Field(description="Of orders of all kinds.")
    events: Words = Field(description="What changes a state.")
    tiers: Words
    roles: Words
    figures: Words = Field(description="The headline figures.")
    act_states: Words = Field(description="Of bulk actions.")
    left_out: Words = Field(description="Why a bulk action leaves a card alone.")
    documents: Words = Field(description="That are shown at a counter (证件).")
    check_reasons: Words = Field(description="Why a check online did not pass, or is looked at again.")
    outcomes: Words = Field(description="Results of checks online.")
    channels: Words = Field(description="How objections are filed.")
    fraud_kinds: Words = Field(description="Kinds of fraud, as the police name them (诈骗类型).")
    ring_roles: Words = Field(description="What a card does in a ring (团伙).")
    device_roles: Words = Field(description="What a device (终端) is.")
    link_kinds: Words = Field(description="What links cards.")
    measures: Words = Field(description="Of the assessment.")
    unit_kinds: Words = Field(description="By what the assessment compares.")
    listing_states: Words
    listing_events: Words
    network_states: Words = Field(description="How an element treats a card.")
    entries: Words = Field(
        description="Of entries of the audit trail, by `what`; those of an order are `kind.event` or `kind.change`."
    )
    changes: Words = Field(description="Of changes of an order that do not change its state.")
    rules: dict[str, RuleWordsShown]
    reasons: Words = Field(description="Of codes that stand among the rules of an order, and are none.")
    time_zone: str = Field(
        description="The operator's, in which people are shown times.", examples=["Asia/Shanghai"]
    )

    @classmethod
    def told(cls) -> VocabularyShown:
        """Return the words of this version."""
        return cls(
            kinds=_words(Kind),
            states=_words(State),
            events=_words(Event),
            tiers={tier.word: WordsShown.of(tier.words) for tier in Tier},
            roles=_words(Role),
            figures=_words(HeadlineFigure),
            act_states=_words(BulkActionState),
            left_out=_words(LeftOutReason),
            documents=_words(Document),
            check_reasons=_words(CheckReason),
            outcomes=_words(Outcome),
            channels=_words(Channel),
            fraud_kinds=_words(FraudKind),
            ring_roles=_words(RingRole),
            device_roles=_words(DeviceRole),
            link_kinds=_words(LinkKind),
            measures=_words(Measure),
            unit_kinds=_words(UnitKind),
            listing_states=_words(ListingState),
            listing_events=_words(ListingEvent),
            network_states=_words(NetworkState),
            entries={what: WordsShown.of(words) for what, words in entry_texts().items()},
            changes={what: WordsShown.of(words) for what, words in change_texts().items()},
            rules={rule.id: RuleWordsShown.of(rule) for rule in RULES},
            reasons={code: WordsShown.of(words) for code, words in police_reasons.WORDS.items()},
            time_zone=operator_zone().name,
        )


def _words(values: Iterable[WordedEnum]) -> Words:
    return {one.value: WordsShown.of(one.words) for one in values}
