"""Request bodies and parameters; unknown fields are refused."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, WithJsonSchema
from pydantic.alias_generators import to_camel

from duanka.domain.bulk_action import card_of
from duanka.domain.counter_check import MOST_LETTERS, CounterCheck, Document
from duanka.domain.fraud_kind import FraudKind
from duanka.domain.order import Kind, State
from duanka.domain.order_decision import OrderDecision
from duanka.domain.order_decision import RequestedAction as AskedFor
from duanka.domain.text import BilingualText
from duanka.orders.queries.listing import Filter, Sort, place_named

_RFC3339 = re.compile(
    r"20[0-9]{2}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)

_LOST_PLUS = re.compile(r"(?<=[0-9]) (?=[0-9]{2}:[0-9]{2}$)")  # an unescaped + in a query


def _moment(value: Any) -> Any:
    """Parse RFC 3339 with an offset; a leap second becomes the second before it.

    A blank before the offset counts as `+`: query strings decode an unescaped plus to a blank.
    """
    if isinstance(value, datetime):
        return value
    if isinstance(value, str) and len(value) > len("2026-03-02T16:00"):
        value = _LOST_PLUS.sub("+", value)
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError(
            "a time is written as RFC 3339 with an offset, like 2026-03-02T16:00:00+08:00 (in a query %2B08:00), in the"
            " years 2000 to 2099"
        )
    at, whole = value.upper(), value[:17]
    seconds = "59" if value[17:19] == "60" else value[17:19]
    fraction, offset = re.fullmatch(r"(\.[0-9]+)?(.+)", at[19:]).groups()  # type: ignore[union-attr]
    return datetime.fromisoformat(
        f"{whole.upper()}{seconds}{(fraction or '')[:7].ljust(7, '0') if fraction else ''}{offset}"
    )


Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": "^20[0-9]{2}-",
            "examples": ["2026-03-02T16:00:00+08:00"],
        }
    ),
]


def whole(value: Any) -> Any:
    """Accept 50.0 as 50: JSON has one kind of number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# A line of text from a person: not blank, and without control characters.
_PLAIN = r"[^\x00-\x08\x0b-\x1f\x7f]"
SAID = rf"^{_PLAIN}*[^\x00-\x20\x7f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]{_PLAIN}*$"
Why = Annotated[
    str,
    Field(
        pattern=SAID,
        max_length=500,
        description="Why (理由). It stays in the audit trail.",
        examples=["the holder came to the counter with their document"],
    ),
]
Said = Annotated[str, Field(pattern=SAID, max_length=500)]
PhoneNumber = Annotated[
    str,
    Field(
        pattern=r"^[^\x00-\x08\x0a-\x1f\x7f]+$",
        max_length=64,
        description="The card (号码): E.164 with +, or as it is written and dialled in China.",
        examples=["+8613800000000"],
    ),
]
CaseNumber = Annotated[
    str,
    Field(
        pattern=SAID,
        max_length=64,
        description="The number of the police's notice or case (案件编号).",
        examples=["京公（刑）字〔2026〕0001号"],
    ),
]
ORDER_ID = "[0-9A-HJKMNP-TV-Z]{12}$"  # after the letter of the kind


def _path(alias: str, pattern: str, description: str, letter: str) -> Any:
    return Path(alias=alias, pattern=pattern, description=description, examples=[f"{letter}0123456789AB"])


def order_path(letters: str, description: str) -> Any:
    """Path parameter of an order whose id begins with one of `letters`."""
    return _path("orderId", rf"^{letters}{ORDER_ID}", description, letters.strip("[]")[0])


def case_path(alias: str, description: str) -> Any:
    """A path parameter that is the id of a case."""
    return _path(alias, f"^C{ORDER_ID}", description, "C")


def clue_path(alias: str, description: str) -> Any:
    """A path parameter that is the id of a clue."""
    return _path(alias, f"^L{ORDER_ID}", description, "L")


def recipient_path(alias: str, description: str) -> Any:
    """A path parameter that is the id of a recipient of clues."""
    return _path(alias, f"^E{ORDER_ID}", description, "E")


def casework_path(alias: str, letter: str, description: str) -> Any:
    """A path parameter that is an id of casework, which begins with `letter`."""
    return _path(alias, f"^{letter}{ORDER_ID}", description, letter)


AnyOrder = Annotated[str, order_path("[VROD]", "The order (工单).")]
MovedOrder = Annotated[str, order_path("[VR]", "The verification or restriction.")]
AtCounter = Annotated[str, order_path("[VRD]", "The verification, stop or disavowal.")]
TheVerification = Annotated[str, order_path("V", "The verification (实人核验).")]
TheObjection = Annotated[str, order_path("O", "The objection (异议).")]
BulkActionId = Annotated[str, _path("actId", r"^[A-Z0-9]{1,16}$", "The bulk action (批量处置).", "A")]
TakeId = Annotated[str, _path("takeId", r"^T[A-Z0-9]{1,15}$", "The take (批次).", "T")]
_CURSOR = r"^[A-Za-z0-9_-]{1,120}$"
After = Annotated[
    str | None,
    Query(pattern=_CURSOR, description="`next` of the page before; without it the first page."),
]
Skip = Annotated[
    str | None,
    Query(pattern=r"^[0-9]{1,18}$", description="`next` of the page before; without it the first page."),
]
Tier = Literal["low", "medium", "high", "extreme"]
RuleId = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9_]{1,64}$", description="Among the rules of the order (规则).", examples=["fan_out"]
    ),
]
PlaceName = Annotated[
    str,
    Field(
        pattern=r"^[^\x00-\x1f\x7f|]{1,40}$",
        description="Operator or city of the card; `-`: unknown.",
        examples=["130100"],
    ),
]
Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]


class AskedModel(BaseModel):
    """Base of requests: unknown fields are refused."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class WordsAsked(AskedModel):
    """A text in Chinese and English."""

    zh: Said = Field(description="In Chinese.", examples=["一天外呼80个陌生号码"])
    en: Said = Field(description="In English.", examples=["80 strangers called in a day"])

    def words(self) -> BilingualText:
        """Convert for the order service."""
        return BilingualText(self.zh.strip(), self.en.strip())


class Because(AskedModel):
    """The reason for an action."""

    why: Why


class AlarmCleared(Because):
    """An alarm that a person handled."""

    source: str = Field(min_length=1, max_length=200, examples=["enforce:home_register"])


class Approval(Because):
    """Why a bulk action is approved, and which of its cards are excluded."""

    without: list[
        Annotated[str, Field(pattern=r"^(#[1-9][0-9]{0,5}|[^#\x00-\x08\x0a-\x1f\x7f]+)$", max_length=64)]
    ] = Field(
        default=[],
        max_length=10_000,
        description="Cards that are struck: by number, or by their line in the bulk action.",
        examples=[["#2"]],
    )


class CounterCheckAsked(AskedModel):
    """What the staff saw at a counter; a pass needs all three booleans to be true."""

    document: Document = Field(description="Which document was seen; its number is not taken.")
    counter: Annotated[str, Field(pattern=SAID, max_length=MOST_LETTERS)] = Field(
        description="At which of our counters (营业厅).", examples=["长安路营业厅"]
    )
    person_present: StrictBool = Field(description="The person on the document is here (本人到场).")
    card_in_hand: StrictBool = Field(description="They have the card in hand (持有本卡).")
    notice_signed: StrictBool = Field(
        description="They signed the notice of legal risk (已签署法律责任告知)."
    )
    why: Why

    def seen(self) -> CounterCheck:
        """Convert for the counter service."""
        return CounterCheck(
            self.document, self.counter, self.person_present, self.card_in_hand, self.notice_signed
        )


class Extension(AskedModel):
    """More time for a holder in hardship, once."""

    hardship: str = Field(
        pattern=r"^[a-z_]{1,24}$",
        description="One that the policy knows, by default roaming (出境), hospital (住院), disability (残障).",
        examples=["hospital"],
    )
    why: Why


class Unmask(Because):
    """A request to see full numbers."""


class OrderConditions(AskedModel):
    """Conditions on orders; omitted ones do not restrict."""

    kind: Kind | None = None
    state: State | None = None
    tier: Tier | None = None
    open: bool | None = Field(default=None, description="true: open, false: closed.")
    since: Moment | None = Field(default=None, description="Opened at this moment or later.")
    until: Moment | None = Field(default=None, description="Opened before this moment.")
    overdue: bool = Field(default=False, description="Only those whose deadline has come.")
    waiting: bool = Field(default=False, description="Only those that wait for a person.")
    due: Moment | None = Field(default=None, description="Due at this moment or earlier.")
    rule: RuleId | None = None
    operator: PlaceName | None = None
    city: PlaceName | None = None

    def filter(self, card: str | None = None) -> Filter:
        """Return the filter; operator or city `-` means unknown."""
        same = {name: getattr(self, name) for name in ("kind", "since", "until", "overdue", "waiting", "due")}
        return Filter(
            **same,
            card=card,
            is_open=self.open,
            states=(self.state,) if self.state else (),
            tiers=(self.tier,) if self.tier else (),
            rules=(self.rule,) if self.rule else (),
            operators=(place_named(self.operator),) if self.operator else (),
            cities=(place_named(self.city),) if self.city else (),
        )


class OrderQuery(OrderConditions):
    """Which orders to list; omitted parameters do not restrict."""

    sort: Sort = Sort.OPENED
    counts: bool = Field(default=False, description="Count all of them, too.")
    after: After = None
    limit: Limit = 50


class Search(OrderQuery):
    """Which orders to find; omitted fields do not restrict."""

    phone_number: PhoneNumber | None = None
    kind: Kind | None = Field(
        default=None, description="verification 实人核验, restriction 停机, objection 异议."
    )
    open: StrictBool | None = Field(
        default=None, description="true: only open ones, false: only closed ones."
    )
    overdue: StrictBool = Field(default=False, description="Only those whose deadline has come.")
    waiting: StrictBool = Field(default=False, description="Only those that wait for a person.")
    counts: StrictBool = Field(default=False, description="Count all of them, too.")
    after: str | None = Field(default=None, pattern=_CURSOR, description="`next` of the page before.")
    limit: Annotated[int, Field(strict=True, ge=1, le=200), BeforeValidator(whole)] = 50
    unmask: Unmask | None = None


class DossierAsked(AskedModel):
    """How a dossier is read."""

    case_number: CaseNumber | None = Field(default=None, description="Required of the police (案件编号).")
    unmask: Unmask | None = None


class CardAsked(DossierAsked):
    """The card whose dossier is requested."""

    phone_number: PhoneNumber


class PoliceStop(AskedModel):
    """Stops a card at once on a police notice (公安机关通知停机)."""

    phone_number: PhoneNumber
    case_number: CaseNumber
    why: Why
    fraud_kind: FraudKind | None = Field(
        default=None,
        description="The kind of fraud (诈骗类型), as far as it is known; warnings have it in words.",
    )


class PoliceRelease(AskedModel):
    """The police consent to the release of a card (公安机关同意解除)."""

    phone_number: PhoneNumber
    case_number: CaseNumber | None = Field(
        default=None, description="It stays in the audit trail (案件编号)."
    )
    why: Why

    def because(self) -> str:
        """Return case and reason for the audit trail."""
        return ": ".join(part.strip() for part in (self.case_number, self.why) if part)


class DemandAsked(AskedModel):
    """A decision about a card that was made elsewhere."""

    phone_number: PhoneNumber
    asked: Literal[AskedFor.NOTHING, AskedFor.VERIFY, AskedFor.VERIFY_AT_COUNTER] = Field(
        description="What is asked of the holder. A stop takes a police notice or two people, and has its own place."
    )
    tier: Tier
    reason: WordsAsked
    rules: list[Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")]] = Field(default=[], max_length=40)

    def decision(self) -> OrderDecision:
        """Convert for the order service."""
        card = card_of(self.phone_number)
        return OrderDecision(card, AskedFor(self.asked), self.tier, self.reason.words(), tuple(self.rules))


class Demands(AskedModel):
    """Decisions made elsewhere, each about one card."""

    demands: list[DemandAsked] = Field(min_length=1, max_length=1_000)
    why: Why
