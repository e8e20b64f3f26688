"""Response bodies: camelCase names, RFC 3339 times, numbers masked by default."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import Field, computed_field, field_validator

from duanka.domain.hit_summary import decoded_summaries
from duanka.domain.objection import unanswered
from duanka.domain.order import Event, Kind, State
from duanka.orders.intake.takes import KeptShown
from duanka.orders.masking import ShownNumber, View
from duanka.orders.stop_texts import StopTextShown
from duanka.orders.verification.standing import CounterStandingShown
from duanka.orders.views import (
    AlarmShown,
    AuditEntryShown,
    BulkActionCardShown,
    BulkActionShown,
    ConfirmedShown,
    DriftShown,
    GroundsShown,
    HandledShown,
    LegShown,
    NoticeShown,
    OrderCountsShown,
    RefusedShown,
    WordsShown,
)


class HitSummaryShown(View):
    """Hits of one rule on the card (规则命中)."""

    rule: str
    first_day: date
    last_day: date
    days: int = Field(description="On how many days it hit.")
    words: WordsShown


class OrderShown(View):
    """An order (工单)."""

    id: str = Field(examples=["V0123456789AB"])
    kind: Kind
    card: ShownNumber
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
    channel: str = Field(
        description="How an objection was filed: link (by the holder), counter, desk (recorded for a caller).",
        examples=[""],
    )
    operator: str = Field(description="Of the card (运营商); empty where unknown.")
    city: str = Field(description="Of the card, its code (城市代码); empty where unknown.")
    hit_summaries: list[HitSummaryShown] = Field(
        description="What each rule saw, and on which days; empty for what people asked for."
    )

    @field_validator("hit_summaries", mode="before")
    @classmethod
    def _decoded(cls, value: object) -> object:
        return decoded_summaries(value) if isinstance(value, str) else value

    @computed_field(  # type: ignore[prop-decorator]  # as pydantic documents it
        description="An objection (异议) whose term is over without an answer: `dueAt` is then null. Of others false."
    )
    @property
    def overdue(self) -> bool:
        """Whether its term is over without an answer."""
        return unanswered(self)


class Orders(View):
    """A page of orders, sorted as requested."""

    items: list[OrderShown]
    next: str | None = Field(description="Give it as `after` for the next page; null: this was the last.")
    counts: OrderCountsShown | None = Field(
        default=None, description="Of all that the filter finds; null unless asked for."
    )


class OrderFileShown(View):
    """An order with its audit trail, and its messages to network and holder."""

    order: OrderShown
    acts: list[Event] = Field(
        description="What the person who asks may do with it as it is now, each a path of its own (`to-counter`)."
    )
    counter: CounterStandingShown | None = Field(
        default=None, description="How it stands at a counter (营业厅核验); null: of an objection."
    )
    trail: list[AuditEntryShown]
    legs: list[LegShown]
    notices: list[NoticeShown]
    stop_texts: list[StopTextShown] = Field(
        description="Of a restriction: what its holder is told, a text for each step that restricts."
    )


class DossierShown(View):
    """All that is known of a card (号码档案)."""

    card: ShownNumber
    state: str
    wanted: str = Field(
        description="How the network is to treat the card: active, outgoing_barred, lifeline, suspended."
    )
    since: datetime | None
    orders: list[OrderShown]
    acts: list[Event] = Field(
        default=[],
        description="What the police who ask may do with the card as it is now: stop it, or release it.",
    )
    network: list[ConfirmedShown]
    refusals: list[RefusedShown]
    notices: list[NoticeShown]
    stop_texts: list[StopTextShown] = Field(description="What the holder is told of the stop in force.")
    answer: WordsShown | None = Field(
        default=None, description="One sentence to read to a caller: state, why, what lifts it, by when."
    )
    kept: list[KeptShown] = Field(
        default=[],
        description="Decisions of which no order was made: for the desk, and not for the caller. Empty for the police.",
    )


class BulkActionsShown(View):
    """A page of bulk actions, the latest first."""

    items: list[BulkActionShown]
    next: str | None


class BulkActionCardsShown(View):
    """A page of the cards of a bulk action."""

    items: list[BulkActionCardShown]
    next: str | None


class ReceivedShown(View):
    """What became of received decisions; those kept or set aside are in no count."""

    opened: int
    attached: int
    stopped: int
    protected: int
    withdrawn: int
    left: int


class HandledNumbers(View):
    """A page of handled numbers."""

    items: list[HandledShown]
    next: str | None


class Alarms(View):
    """Alarms, the latest first."""

    items: list[AlarmShown]


class Drifts(View):
    """Drifts, the latest first."""

    items: list[DriftShown]


class FaultShown(View):
    """Where the audit trail is broken."""

    seq: int
    what: str


class Verification(View):
    """Whether the audit trail is intact (审计链校验)."""

    holds: bool
    rows: int
    faults: list[FaultShown] = Field(description="The first hundred.")
    verified_at: datetime


class Health(View):
    """State of the installation."""

    status: str = Field(
        description="`up`; `degraded`: something is not set up, and its work waits; `failing`.",
        examples=["up"],
    )
    database: str = Field(
        description="`up`: it can be written, and its tables fit; else `down`.", examples=["up"]
    )
    reasons: list[str] = Field(
        description="What does not work or is not set up; no number and no secret is among it.", examples=[[]]
    )
