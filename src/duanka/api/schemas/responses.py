"""Response bodies: camelCase names, RFC 3339 times, numbers masked by default."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel

from duanka.domain.hit_summary import decoded_summaries
from duanka.domain.order import Kind, State
from duanka.orders.views import NumberMasking

ShownNumber = Annotated[
    str,
    Field(
        validation_alias="card",
        serialization_alias="phoneNumber",
        description="The card (号码), masked (掩码) unless it was asked for in full.",
        examples=["+86 138****0000"],
    ),
]


_MASKED = NumberMasking(unmasked=False)


class ShownModel(BaseModel):
    """Base of responses: masks numbers in every text unless `of` is told otherwise."""

    # Fields with generated values: masking could damage an id, a cursor, a token or a picture.
    OURS: ClassVar[frozenset[str]] = frozenset({"id", "order_id", "parent", "undoes", "next"})

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        from_attributes=True,
        frozen=True,
        json_schema_serialization_defaults_required=True,
    )

    @classmethod
    def of(cls, view: object, *, unmasked: bool = False) -> Self:
        """Convert a service's view. `unmasked`: for people who may see full numbers."""
        return cls.model_validate(view, context={"unmasked": unmasked})

    @field_validator("*", mode="after")
    @classmethod
    def _masked(cls, value: Any, info: ValidationInfo) -> Any:
        if info.field_name in cls.OURS or (info.context or {}).get("unmasked"):
            return value
        return _MASKED.seen(value) if isinstance(value, str | list | dict) else value


class WordsShown(ShownModel):
    """A text in Chinese and English."""

    zh: str
    en: str


class GroundsShown(ShownModel):
    """What the holder is told (law, art. 32).

    Reason (理由), way of redress (救济途径), papers to bring (所需材料).
    """

    reason: WordsShown
    redress: WordsShown
    papers: WordsShown


class HitSummaryShown(ShownModel):
    """Hits of one rule on the card (规则命中)."""

    rule: str
    first_day: date
    last_day: date
    days: int = Field(description="On how many days it hit.")
    words: WordsShown


class OrderShown(ShownModel):
    """An order (工单)."""

    id: str = Field(examples=["V0123456789AB"])
    kind: Kind
    phone_number: ShownNumber
    state: State
    step: int = Field(description="Counts its changes.")
    grounds: GroundsShown
    opened_at: datetime
    updated_at: datetime
    tier: str
    asked: str
    rules: list[str]
    carried_by: str = Field(
        description="What entitles a restriction: a police notice, a verification, two people."
    )
    parent: str | None = Field(description="The order that this one follows from, or is about.")
    delivered_at: datetime | None = Field(
        description="When the notice reached the holder; the hours run from then."
    )
    due_at: datetime | None = Field(description="The next deadline; null while no clock runs.")
    until: datetime | None
    closed_at: datetime | None
    hits: int
    extended: str
    operator: str = Field(description="Of the card (运营商); empty where unknown.")
    city: str = Field(description="Of the card, its code (城市代码); empty where unknown.")
    hit_summaries: list[HitSummaryShown] = Field(
        description="What each rule saw, and on which days; empty for what people asked for."
    )

    @field_validator("hit_summaries", mode="before")
    @classmethod
    def _decoded(cls, value: object) -> object:
        return decoded_summaries(value) if isinstance(value, str) else value


class OrderCountsShown(ShownModel):
    """Number of orders of each kind (工单计数)."""

    total: int
    by: dict[str, dict[str, int]] = Field(
        description="By tier, state, rule, city and operator; an order counts for each of its rules."
    )


class Orders(ShownModel):
    """A page of orders, sorted as requested."""

    items: list[OrderShown]
    next: str | None = Field(description="Give it as `after` for the next page; null: this was the last.")
    counts: OrderCountsShown | None = Field(
        default=None, description="Of all that the filter finds; null unless asked for."
    )


class ToldShown(ShownModel):
    """A row of the audit trail (审计记录)."""

    seq: int
    at: datetime
    who: str
    role: str
    what: str
    why: str
    before: dict[str, Any]
    after: dict[str, Any]


class LegShown(ShownModel):
    """A state change to send to one element of the network (网元)."""

    element: str
    step: int
    wanted: str
    created_at: datetime
    tries: int
    done_at: datetime | None
    outcome: str | None = Field(
        description="done, superseded, unknown_card, refused; null: still to be done."
    )
    error: str | None


class NoticeShown(ShownModel):
    """A notice to the holder (短信通知), without its link."""

    template: str
    created_at: datetime
    sent_at: datetime | None
    receipt_at: datetime | None
    outcome: str | None
    text: str | None
    error: str | None


class OrderFileShown(ShownModel):
    """An order with its audit trail, and its messages to network and holder."""

    order: OrderShown
    trail: list[ToldShown]
    legs: list[LegShown]
    notices: list[NoticeShown]


class ConfirmedShown(ShownModel):
    """The state an element (网元) confirmed for the card, and what is still to be sent."""

    element: str
    confirmed: str | None
    confirmed_at: datetime | None
    waiting: str | None
    error: str | None


class RefusedShown(ShownModel):
    """A refused call or message (拦截记录); the other side stays masked."""

    at: datetime
    element: str
    carried: str
    peer: str
    reason: str
    detail: str


class KeptShown(ShownModel):
    """A decision about the card that led to no order (未建单的研判结果)."""

    why: str = Field(
        description="held: somebody holds it back; left: for the next take of its folder; narrower: a withdrawal of a"
        " list that covers less."
    )
    tier: str
    since: datetime
    by: str = Field(description="Who holds it, or took the rest of its folder.")
    reason: str = Field(description="Why it is held, in their words.")
    take_id: str


class DossierShown(ShownModel):
    """All that is known of a card (号码档案)."""

    phone_number: ShownNumber
    state: str
    wanted: str = Field(
        description="How the network is to treat the card: active, outgoing_barred, suspended."
    )
    since: datetime | None
    orders: list[OrderShown]
    network: list[ConfirmedShown]
    refusals: list[RefusedShown]
    notices: list[NoticeShown]
    answer: WordsShown | None = Field(
        default=None, description="One sentence to read to a caller: state, why, what lifts it, by when."
    )
    kept: list[KeptShown] = Field(
        default=[],
        description="Decisions of which no order was made: for the desk, and not for the caller. Empty for the police.",
    )


class ActShown(ShownModel):
    """A bulk action, and its progress (批量处置)."""

    id: str
    event: str
    state: str = Field(
        description="proposed, running, done, rejected, partly_undone (it still stops a card), undone."
    )
    grounds: GroundsShown
    until: datetime | None
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    finished_at: datetime | None
    undoes: str | None
    undone_by: list[str] = Field(
        description="The acts that put this one back; what takes two people is proposed in one of them."
    )
    total: int
    done: int
    skipped: int


class Acts(ShownModel):
    """A page of acts, the latest first."""

    items: list[ActShown]
    next: str | None


class OpenOrderShown(ShownModel):
    """An open order about a card."""

    id: str = Field(examples=["V0123456789AB"])
    kind: Kind
    state: State


class ActCardShown(ShownModel):
    """A card of an act: its result, and what the second person must know of it."""

    line: int = Field(description="Its place in the act; `approve` takes it in `without`.", examples=[1])
    phone_number: ShownNumber
    order_id: str | None
    before: str | None
    after: str | None
    outcome: str | None
    why: str | None = Field(description="Why it was skipped.")
    state: str = Field(description="How the card is treated now.", examples=["active"])
    tier: str = Field(description="Of its latest order; empty: it has none.", examples=["high"])
    reason: WordsShown | None = Field(description="Of its latest order.")
    open_orders: list[OpenOrderShown]
    passes: int = Field(description="How often its holder proved who they are.", examples=[0])
    passed_at: datetime | None = Field(description="When they did so last.")
    objection: str | None = Field(description="The state of its latest objection.", examples=["filed"])


class ActCards(ShownModel):
    """A page of the cards of an act."""

    items: list[ActCardShown]
    next: str | None


class ReceivedShown(ShownModel):
    """The result of received decisions; the counts add up to their number."""

    opened: int
    attached: int
    stopped: int
    protected: int
    withdrawn: int
    left: int
