"""Policy of orders: deadlines, stages, protected numbers, texts of notices."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property

from duanka.domain.identity_policy import IdentityPolicy
from duanka.domain.lifeline import LifelinePolicy, OpenLines
from duanka.domain.local_time import DEFAULT_ZONE, OperatorZone
from duanka.domain.network import NetworkState
from duanka.domain.phone_number import ProtectedNumbers
from duanka.domain.text import BilingualText


@dataclass(frozen=True)
class DeadlineStage:
    """`hours` after delivery of the notice, the card of a silent holder gets `state`."""

    hours: float
    state: NetworkState


@dataclass(frozen=True)
class TierWeights:
    """What hits of rules weigh under a policy that adds weights. `rules`: id and weight of each that counts."""

    rules: tuple[tuple[str, float], ...]
    medium: float
    high: float

    def tier_of(self, rules: Collection[str]) -> str:
        """Return the tier that hits of these rules alone would give; a rule without a weight adds nothing."""
        points = sum(weight for rule, weight in self.rules if rule in rules)
        return "high" if points >= self.high else "medium" if points >= self.medium else "low"


@dataclass(frozen=True)
class OrderPolicy:
    """How orders are carried out. Hours and minutes are real time, days working days.

    `reasons`: code -> text told to a holder where a person, not a rule, gave the reason; the first one if no code was
    given. `disowned_days`: calendar days until a card is cancelled whose registrant disowned it, and after which an
    answer that nobody confirmed lapses. `holders_a_day`: holders that one person may ask per day. `review_within`:
    hours after which an order without a deadline raises an alarm. `ask_again_days`: calendar days in which a holder who
    passed is not asked again, unless the tier is higher or one of `ask_again_rules`, which indicate another device, is
    new. `restore_undecided`: an objection that nobody decides within `objection_days` restores the card. `clue_days`:
    after which the police's encrypted files of a clue are deleted, if nobody acknowledged it. `weights`: tell how heavy
    new evidence is by itself; None: the policy adds none.
    """

    stages: tuple[DeadlineStage, ...] = (
        DeadlineStage(24, NetworkState.OUTGOING_BARRED),
        DeadlineStage(48, NetworkState.SUSPENDED),
    )
    hardships: tuple[str, ...] = ("roaming", "hospital", "disability")
    hardship_hours: float = 72
    two_people: bool = True
    link_hours: float = 72
    objection_days: int = 5
    restore_undecided: bool = False
    holidays: tuple[date, ...] = ()
    alarm_minutes: float = 5
    reconcile_minutes: float = 5
    reconcile_max: float = (
        1  # percent of restricted cards that one reconciliation may change by itself; at least 20 cards
    )
    protected: tuple[str, ...] = ()
    operator: BilingualText = BilingualText("本运营商", "your operator")
    short_code: str = "10086"
    hotline: str = "10086"
    site: str = "https://verify.operator.example"
    counter: BilingualText = BilingualText("任一自有营业厅", "any of our own counters")
    redress: BilingualText = BilingualText(
        "如有异议，可拨打10086或到任一自有营业厅申诉，五个工作日内答复，核验通过立即复通",
        "If this is wrong, object by calling 10086 or at any of our own counters; you have an answer within five"
        " working days, and the card works again as soon as you have proved who you are",
    )
    staff_redress: BilingualText = BilingualText(
        "如有异议，可拨打10086或到任一自有营业厅提出，五个工作日内答复；这是工作人员的决定，没有要求您核验，所以核验不能解除",
        "If this is wrong, object by calling 10086 or at any of our own counters; you have an answer within five"
        " working days. Members of staff decided this and did not ask you to prove who you are, so proving it does not"
        " lift it",
    )
    police_redress: BilingualText = BilingualText(
        "如有异议，可到任一自有营业厅提出，我们转交公安机关；仅公安机关可以解除",
        "To object, come to any of our own counters and we pass it on to the police; only the police lift it",
    )
    disowned_days: int = 7
    disowned_redress: BilingualText = BilingualText(
        "如有误，登记人本人可在销户前带有效身份证件及本手机卡到任一自有营业厅撤回，立即复通",
        "If this is wrong, the person in whose name it is registered takes it back before it is cancelled, at any of"
        " our own counters, with their identity document and this card; the card works again at once",
    )
    disowned_statement: BilingualText = BilingualText(
        "本人声明：本号码登记在本人名下，但不是本人办理，也不由本人使用。请停机并销户。我知道：销户前可以本人到营业厅撤回；"
        "否认开户不是处罚，不影响本人名下其他号码。",
        "I declare: this number is registered in my name, but I did not open it and do not use it. Please stop it and"
        " cancel it. I know that I can take this back in person at a counter until it is cancelled, that it is no"
        " penalty, and that my other numbers stay as they are.",
    )
    papers: BilingualText = BilingualText(
        "本人有效身份证件原件及本手机卡", "your own valid identity document and this card"
    )
    reasons: tuple[tuple[str, BilingualText], ...] = (
        ("to_verify", BilingualText("号码使用情况须核实", "its use has to be verified")),
        (
            "suspected_fraud",
            BilingualText("涉嫌被用于电信网络诈骗", "it is suspected of being used for fraud"),
        ),
        ("not_by_holder", BilingualText("疑似非本人使用", "it seems to be used by somebody else")),
        ("reported", BilingualText("被多次举报", "it was reported several times")),
    )
    holders_a_day: int = 200
    review_within: float = 24
    ask_again_days: int = 90
    ask_again_rules: tuple[str, ...] = ("device_changed", "device_hopping", "shared_device")
    clue_days: int = 30
    zone: str = DEFAULT_ZONE
    identity: IdentityPolicy = IdentityPolicy()
    weights: TierWeights | None = None
    lifeline: LifelinePolicy = field(default_factory=LifelinePolicy)

    @property
    def answer_within(self) -> timedelta:
        """Time the holder has from delivery of the notice."""
        return timedelta(hours=self.stages[0].hours)

    def after(self, state: NetworkState) -> DeadlineStage | None:
        """Return the first stage that is stricter than `state`; None: there is none."""
        return next((stage for stage in self.stages if state.is_milder_than(stage.state)), None)

    def hours_until_next(self, state: NetworkState) -> float:
        """Return the hours from the stage that set `state`, or a milder one, to the next; 0: none follows."""
        following = self.after(state)
        if following is None:
            return 0
        begun = [stage.hours for stage in self.stages if stage.hours < following.hours]
        return following.hours - max(begun, default=0)

    def stage_without_lifeline(self, state: NetworkState) -> NetworkState:
        """Return `state`, or what comes in its place for a card that never gets the lifeline."""
        if state is not NetworkState.LIFELINE:
            return state
        following = self.after(state)
        return following.state if following else NetworkState.SUSPENDED

    @property
    def lines(self) -> OpenLines:
        """OpenLines and accounts that stay open to cards in lifeline, the operator's own among them."""
        return self.lifeline.lines(self.short_code, self.hotline)

    @cached_property
    def local_time(self) -> OperatorZone:
        """Zone of notices, deadlines and working days."""
        return OperatorZone(self.zone)

    def reason_for(self, written: BilingualText) -> BilingualText:
        """Return the policy's text for a written reason: by code or text, else the first."""
        named = {written.zh.strip(), written.en.strip()}
        for code, words in self.reasons:
            if code in named or words.zh in named:
                return words
        return self.reasons[0][1]

    def protects(self, card: str) -> bool:
        """Whether no order may change `card`; 110, +86 110, 010-110, *31#110 are one line."""
        return card in self.protected_numbers

    @cached_property
    def protected_numbers(self) -> ProtectedNumbers:
        """Built-in protected lines and those of this policy."""
        return ProtectedNumbers(self.protected)

    def working_days_after(self, now: datetime, days: int) -> datetime:
        """Return `now` plus working days: Monday to Friday except `holidays`, in the operator's zone."""
        day = self.local_time.local(now)
        while days:
            day += timedelta(days=1)
            days -= day.weekday() < 5 and day.date() not in self.holidays
        return day.astimezone(now.tzinfo)


@dataclass(frozen=True)
class MessagePolicy:
    """What the message proxy refuses, besides messages of restricted cards.

    `per_minute`: messages per sender; 0: no limit. `trusted`: senders that are not checked on
    `trusted_accounts` (system_id): a client can claim any sender, but the SMSC authenticates its account.
    """

    keywords: tuple[tuple[str, ...], ...] = ()
    links: tuple[str, ...] = ()
    per_minute: int = 0
    trusted: tuple[str, ...] = field(default=())
    trusted_accounts: tuple[str, ...] = field(default=())

    @classmethod
    def of(
        cls,
        keywords: Iterable[str],
        links: Iterable[str],
        per_minute: int,
        trusted: Iterable[str],
        trusted_accounts: Iterable[str] = (),
    ) -> MessagePolicy:
        """Parse keywords: "安全账户+转账" means that both words must occur in the text."""
        words = tuple(tuple(one.split("+")) for one in keywords)
        return cls(words, tuple(links), per_minute, tuple(trusted), tuple(trusted_accounts))
