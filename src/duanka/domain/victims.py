"""Victims (受害人): persons with whom confirmed cards were in contact, why one is in danger, what became of the call.

Times of records are local to the operator and naive, as in `domain.schema`; `until` is exclusive. Directions are seen
from the card: a call out is from the card to the person.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from duanka.domain.errors import DuankaError
from duanka.domain.record_lookups import StoreStatus
from duanka.domain.text import BilingualText, WordedEnum

MOST_CARDS = 1_000  # whose victims are found at once
MOST_FOUND = 200_000  # parties of one search, so that it fits in memory; more is an error, never a silent cut


class VictimsRefused(DuankaError):
    """What was asked of victims cannot be done; the message names the next step."""


class UnknownVictim(VictimsRefused):
    """There is no victim with this id."""


class CardNotConfirmed(VictimsRefused):
    """No standing confirmation of the police: nothing may be sent on account of this card."""


class WorklistState(WordedEnum):
    """Where a proposed worklist stands."""

    PROPOSED = "proposed", "待复核"
    APPROVED = "approved", "已批准"
    REJECTED = "rejected", "已否决"


class Exclusion(WordedEnum):
    """Why a party of a confirmed card is no victim."""

    CONFIRMED = "confirmed", "本身涉案", "confirmed itself"
    SAME_HOLDER = "same_holder", "同一机主", "of the same holder"
    RING = "ring", "同一团伙", "of the same ring"
    SHARED_DEVICE = "shared_device", "共用终端", "shared a device with it"
    SIM_BOX = "sim_box", "插在卡池", "in a SIM box"
    FAMILY = "family", "早有往来", "in touch both ways before"
    SERVICE = "service", "服务号码", "a service number"
    ORGANISATION = "organisation", "单位号码", "of an organisation"
    MACHINE = "machine", "物联网卡", "a machine's card"
    LITTLE = "little", "危险不足", "in too little danger"


class DangerSign(WordedEnum):
    """What speaks for danger; the texts have `{n}`, in the unit that they name."""

    LONG_CALL = "long_call", "最长通话{n}分钟", "longest call {n} minutes"
    LONG_TALK = "long_talk", "通话共{n}分钟", "{n} minutes of calls in all"
    REPEATED = "repeated", "多次通话{n}次", "{n} calls of some length"
    RECENT = "recent", "最近{n}小时内有联系", "in contact within {n} hours"
    MESSAGED = "messaged", "收到涉案卡短信{n}条", "{n} messages from a confirmed card"
    CALLED_BACK = "called_back", "回拨或回复{n}次", "called or wrote back {n} times"
    BANK_AFTER = "bank_after", "通话后联系银行{n}次", "{n} contacts with a bank right after"
    CODES_AFTER = "codes_after", "通话后收到{n}条服务短信", "{n} messages of service codes right after"
    SEVERAL_CARDS = "several_cards", "被{n}张涉案卡联系", "contacted by {n} confirmed cards"
    AGE = "age", "易受骗年龄段", "an age at risk"
    LARGE_FRAUD = "large_fraud", "大额诈骗类型", "a kind of fraud with large losses"


class CallOutcome(WordedEnum):
    """What became of a call to a victim."""

    REACHED = "reached", "已联系上", "reached"
    DISSUADED = "dissuaded", "已劝阻", "dissuaded"
    ALREADY_PAID = "already_paid", "已转账", "already paid"
    REFUSED = "refused", "拒绝劝阻", "refused to listen"
    NOT_REACHED = "not_reached", "未联系上", "not reached"


class CallState(WordedEnum):
    """Where the call to a victim stands."""

    NONE = "none", "无需回访", "no call"
    WAITING = "waiting", "待回访", "waiting"
    CLAIMED = "claimed", "回访中", "claimed"
    ESCALATED = "escalated", "已升级", "escalated"
    DONE = "done", "已回访", "done"


class VictimOrigin(WordedEnum):
    """On what a victim was found."""

    CONFIRMED = "confirmed", "公安确认", "confirmed by the police"
    APPROVED = "approved", "复核批准的名单", "a worklist that two people approved"


class MessageKind(WordedEnum):
    """What is sent to a victim."""

    WARNING = "warning", "预警", "warning"
    CORRECTION = "correction", "更正", "correction"


class MessageOutcome(WordedEnum):
    """What became of a message to a victim."""

    WAITING = "waiting", "待发送", "waiting"
    SENT = "sent", "已发送"
    DELIVERED = "delivered", "已送达"
    UNDELIVERED = "undelivered", "未送达"
    GIVEN_UP = "given_up", "放弃发送"
    WITHDRAWN = "withdrawn", "发送前撤回", "withdrawn before it was sent"


@dataclass(frozen=True, slots=True)
class PartyContact:
    """What passed between `card` and a person.

    `seconds`, `longest`: of answered calls; `talks`: how many of these lasted as long as the terms say.
    """

    card: str
    calls_out: int
    calls_in: int
    answered: int
    seconds: int
    longest: int
    messages_out: int
    messages_in: int
    first: datetime
    last: datetime
    talks: int = 0


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody with whom cards were in contact, as records and register have them; "": unknown.

    `registered`: the register has the number. `bank_after`: calls to a bank's line and messages of one while a call
    lasted or right after; `services_after`, `codes_after`: the same of other short codes, calls and messages.
    `mutual_days`: earlier days with contact, where both sides called or wrote. `same_holder`, `shared_device`: with one
    of the cards; `in_ring`: in a ring with one of them; `in_box`: a rule saw it in a SIM box.
    """

    number: str
    contacts: tuple[PartyContact, ...]
    registered: bool = False
    operator: str = ""
    city: str = ""
    holder_kind: str = ""
    kind: str = ""
    age_band: str = ""
    bank_after: int = 0
    services_after: int = 0
    codes_after: int = 0
    mutual_days: int = 0
    same_holder: bool = False
    shared_device: bool = False
    in_ring: bool = False
    in_box: bool = False

    @property
    def longest(self) -> int:
        """Seconds of the longest call with any of the cards."""
        return max(one.longest for one in self.contacts)

    @property
    def seconds(self) -> int:
        """Talking time with all of the cards."""
        return sum(one.seconds for one in self.contacts)

    @property
    def answered(self) -> int:
        """Answered calls with all of the cards."""
        return sum(one.answered for one in self.contacts)

    @property
    def talks(self) -> int:
        """Answered calls with all of the cards that lasted as long as the terms say."""
        return sum(one.talks for one in self.contacts)

    @property
    def last(self) -> datetime:
        """The last contact."""
        return max(one.last for one in self.contacts)


@dataclass(frozen=True)
class PartyTerms:
    """What is looked up of the parties of cards.

    `after`: how long after a contact something counts as right after it. `look_back_days`: days before `since` with
    earlier contact. `least_seconds`: of the longest call, below which a party without a message to a card is left out.
    `bank_lines`: numbers as dialled. `ring_percent`: certainty from which a card is a ring's.
    `talk_seconds`: from how long on a call is one of `talks`. `begins`: of cards whose contacts count only
    from later on.
    """

    since: datetime
    until: datetime
    after: timedelta = timedelta(minutes=30)
    look_back_days: int = 30
    least_seconds: int = 1
    bank_lines: Collection[str] = ()
    ring_percent: int = 50
    talk_seconds: int = 60
    begins: Mapping[str, datetime] = field(default_factory=dict)


class PartyLookups(Protocol):
    """Finds the parties of cards in a store; `engine.store.reading.parties` implements it."""

    def parties_of(self, cards: Collection[str], terms: PartyTerms) -> Sequence[Party]:
        """Everybody with whom `cards` talked or who wrote to them. LookupRefused: more than MOST_FOUND."""

    def fraud_kinds_of(self, cards: Collection[str]) -> Mapping[str, str]:
        """The kind of fraud that signed police cases name for cards, as far as they name one."""

    def status(self) -> StoreStatus:
        """What the store holds."""


@dataclass(frozen=True)
class Reason:
    """One sign of danger with its figure and its points."""

    sign: DangerSign
    figure: int
    points: int

    @property
    def words(self) -> BilingualText:
        """It in words."""
        return self.sign.words.filled(n=self.figure)
