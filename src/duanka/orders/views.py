"""Views of the order database for people: returned by services, sent by the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import Field
from sqlalchemy import RowMapping

from duanka.domain.order import Kind, Order, State
from duanka.domain.text import BilingualText
from duanka.orders.masking import MASKED, NumberMasking, ShownNumber, View
from duanka.orders.stop_texts import StopTextShown

Item = TypeVar("Item")

_DONE = "done"


@dataclass(frozen=True)
class Page(Generic[Item]):
    """Some items; `next`: cursor of the following page, None: none follows."""

    items: tuple[Item, ...]
    next: str | None


class WordsShown(View):
    """A text in Chinese and English."""

    zh: str
    en: str

    @property
    def words(self) -> BilingualText:
        """The text, for the terminal."""
        return BilingualText(self.zh, self.en)


class GroundsShown(View):
    """What the holder is told (law, art. 32).

    Reason (理由), way of redress (救济途径), papers to bring (所需材料).
    """

    reason: WordsShown
    redress: WordsShown
    papers: WordsShown


class OrderCountsShown(View):
    """Number of orders: in all and by group (工单计数)."""

    total: int
    by: dict[str, dict[str, int]] = Field(
        description="By tier, state, rule, city and operator; an order counts for each of its rules."
    )


class AuditEntryShown(View):
    """A row of the audit trail (审计记录)."""

    seq: int
    at: datetime
    who: str
    role: str
    what: str
    why: str
    before: dict[str, Any]
    after: dict[str, Any]


class LegShown(View):
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


class ConfirmedShown(View):
    """The state an element (网元) confirmed for the card, and what is still to be sent."""

    element: str
    confirmed: str | None
    confirmed_at: datetime | None
    waiting: str | None
    error: str | None


class NoticeShown(View):
    """A notice to the holder (短信通知), without its link."""

    template: str
    created_at: datetime
    sent_at: datetime | None
    receipt_at: datetime | None
    outcome: str | None
    text: str | None
    error: str | None


class RefusedShown(View):
    """A refused call or message (拦截记录); the other side stays masked."""

    at: datetime
    element: str
    carried: str
    peer: str
    reason: str
    detail: str


@dataclass(frozen=True)
class OrderFile:
    """An order with its audit trail, network changes and notices, and the texts of its stops."""

    order: Order
    trail: tuple[AuditEntryShown, ...]
    legs: tuple[LegShown, ...]
    notices: tuple[NoticeShown, ...]
    stop_texts: tuple[StopTextShown, ...] = ()


@dataclass(frozen=True)
class Dossier:
    """A card: orders, wanted and confirmed state, refusals, notices; latest first; texts of the stop in force."""

    card: str
    state: str
    wanted: str
    since: datetime | None
    orders: tuple[Order, ...]
    network: tuple[ConfirmedShown, ...]
    refusals: tuple[RefusedShown, ...]
    notices: tuple[NoticeShown, ...]
    stop_texts: tuple[StopTextShown, ...] = ()

    @property
    def known(self) -> bool:
        """Whether the order database has anything about the card."""
        return bool(self.since or self.orders or self.refusals or self.notices)


class BulkActionShown(View):
    """A bulk action, and its progress (批量处置)."""

    OURS = View.OURS | {"undone_by"}

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
    undone_by: tuple[str, ...] = Field(
        description="The bulk actions that undo this one; one may be a proposal, for what needs two people."
    )
    total: int
    done: int
    skipped: int


class OpenOrderShown(View):
    """An open order about a card."""

    id: str = Field(examples=["V0123456789AB"])
    kind: Kind
    state: State


class BulkActionCardShown(View):
    """A card of a bulk action: its result, and what the second person must know of it."""

    line: int = Field(
        description="Its place in the bulk action; `approve` takes it in `without`.", examples=[1]
    )
    card: ShownNumber
    order_id: str | None
    before: str | None
    after: str | None
    outcome: str | None
    why: str | None = Field(description="Why it was skipped.")
    state: str = Field(description="How the card is treated now.", examples=["active"])
    tier: str = Field(description="Of its latest order that has one; empty: none has.", examples=["high"])
    reason: WordsShown | None = Field(description="Of that order; if none has a tier, of the latest.")
    open_orders: tuple[OpenOrderShown, ...]
    passes: int = Field(description="How often its holder proved who they are.", examples=[0])
    passed_at: datetime | None = Field(description="When they did so last.")
    objection: str | None = Field(description="The state of its latest objection.", examples=["filed"])


class CountedShown(View):
    """Refused calls or messages, by reason."""

    carried: str
    reason: str
    count: int


class FiguresShown(View):
    """What was done in a period (统计)."""

    since: datetime
    until: datetime
    handled: int = Field(
        description="Distinct numbers with an order that ended (处置涉诈号码); each counts once."
    )
    handled_by: dict[str, int]
    opened: dict[str, int]
    disowned: dict[str, int] = Field(
        description="Numbers that their registrants said are not theirs (否认开户): confirmed, withdrawn, cancelled, "
        "discarded; none of them counts as handled for it.",
        examples=[{"confirmed": 3, "withdrawn": 1}],
    )
    refused: tuple[CountedShown, ...]
    alarms: int
    drifts: int
    drifts_repaired: int


class HandledShown(View):
    """A handled number, and its order that ended first."""

    card: ShownNumber
    order_id: str
    what: str
    at: datetime


class AlarmShown(View):
    """An alarm (告警)."""

    source: str
    since: datetime
    raised_at: datetime
    cleared_at: datetime | None
    detail: str


class DriftShown(View):
    """A difference between the network and the orders (状态不一致)."""

    element: str
    card: ShownNumber
    wanted: str
    found: str
    found_at: datetime
    repaired_at: datetime | None


def told(row: RowMapping, sight: NumberMasking) -> AuditEntryShown:
    """Show a row of the audit trail."""
    facts = {name: sight.facts(row[name]) for name in ("before", "after")}
    return AuditEntryShown.of({**row, **facts}, sight)


def notice(row: RowMapping, sight: NumberMasking) -> NoticeShown:
    """Show a row of `notices`."""
    return NoticeShown.of({**row, "text": row["body"] or None}, sight)


def refused(row: Mapping[str, Any], sight: NumberMasking) -> RefusedShown:
    """Show a refusal; the called number belongs to somebody else and is always masked."""
    others = {"peer": MASKED.number(row["peer"]), "detail": MASKED.text(row["detail"])}
    return RefusedShown.of({**row, **others}, sight)


def in_force(legs: Sequence[LegShown]) -> tuple[ConfirmedShown, ...]:
    """Return confirmed and pending states per element; `legs`: oldest first."""
    found: dict[str, ConfirmedShown] = {}
    for one in legs:
        unknown = {**dict.fromkeys(ConfirmedShown.model_fields), "element": one.element}
        so_far = found.get(one.element) or ConfirmedShown.of(unknown)
        if one.outcome == _DONE:
            so_far = ConfirmedShown.of({**unknown, "confirmed": one.wanted, "confirmed_at": one.done_at})
        elif one.done_at is None:
            so_far = so_far.model_copy(update={"waiting": one.wanted, "error": one.error})
        elif one.error:
            so_far = so_far.model_copy(update={"error": one.error})
        found[one.element] = so_far
    return tuple(found[name] for name in sorted(found))
