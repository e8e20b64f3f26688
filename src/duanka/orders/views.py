"""What is shown of the order book, and how much of a number."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any, Generic, TypeVar

from sqlalchemy import RowMapping

from duanka.domain.bulk_action import Act
from duanka.domain.hit_summary import decoded_summaries, encoded_summaries
from duanka.domain.order import Grounds, Order
from duanka.domain.phone_masking import masked_card, masked_text
from duanka.domain.text import BilingualText

Item = TypeVar("Item")

_LINK = re.compile(r"(?<=#)[A-Za-z0-9_-]{44}")
# Fields whose text we made ourselves: ids and cursors; and numbers, which `NumberMasking.number` has shown already.
_OURS = frozenset({"id", "order_id", "parent", "undoes", "next", "card", "hit_summaries"})
DONE = "done"
View = TypeVar("View")


@dataclass(frozen=True)
class Page(Generic[Item]):
    """Some items; `next`: what to ask for the following ones, None: these were the last."""

    items: tuple[Item, ...]
    next: str | None


@dataclass(frozen=True)
class NumberMasking:
    """How much a reader sees of numbers."""

    unmasked: bool

    def number(self, card: str) -> str:
        """A card's number: as +86 138****0001, or in full as +8613800000001."""
        if self.unmasked:
            return f"+{card}" if card.isdigit() else card
        return masked_card(card)

    def text(self, text: str) -> str:
        """A text that can quote a number. Nobody sees the link of a holder."""
        text = _LINK.sub("…", text)
        return text if self.unmasked else masked_text(text)

    def order(self, order: Order) -> Order:
        """The order as it may be seen: its `card` is what `number` shows."""
        summaries = order.hit_summaries
        if (
            summaries and not self.unmasked
        ):  # within its quotes: a number would take the marks of JSON with it
            summaries = encoded_summaries(self.seen(decoded_summaries(summaries)))
        return self.seen(replace(order, card=self.number(order.card), hit_summaries=summaries))

    def facts(self, told: str) -> Mapping[str, Any]:
        """What the audit trail tells, as JSON."""
        facts: dict[str, Any] = json.loads(told)
        return {
            name: self.number(value) if name == "card" and isinstance(value, str) else self.seen(value)
            for name, value in facts.items()
        }

    def seen(self, view: View) -> View:
        """A view, a list, or a mapping with every text in it as `text` shows it, whatever it is called."""
        shown: Any = view
        if isinstance(view, Enum):
            return view
        if isinstance(view, str):
            shown = self.text(view)
        elif is_dataclass(view) and not isinstance(view, type):
            inner = {one.name: getattr(view, one.name) for one in fields(view) if one.init}
            shown = replace(view, **{n: v if n in _OURS else self.seen(v) for n, v in inner.items()})
        elif isinstance(view, Mapping):
            shown = {n: v if n in _OURS else self.seen(v) for n, v in view.items()}
        elif isinstance(view, tuple | list):
            inside = [self.seen(one) for one in view]
            shown = type(view)(*inside) if hasattr(view, "_fields") else type(view)(inside)
        return shown  # type: ignore[no-any-return]  # of the type that it had


@dataclass(frozen=True)
class AuditEntryView:
    """A row of the audit trail."""

    seq: int
    at: datetime
    who: str
    role: str
    what: str
    why: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True)
class DispatchView:
    """What one element of the network was to be told. `outcome`: None while it is still to be done."""

    element: str
    step: int
    wanted: str
    created_at: datetime
    tries: int
    done_at: datetime | None
    outcome: str | None
    error: str | None


@dataclass(frozen=True)
class Confirmed:
    """What one element has in force for a card, by its own word, and what it is still to be told, if anything."""

    element: str
    confirmed: str | None
    confirmed_at: datetime | None
    waiting: str | None
    error: str | None


@dataclass(frozen=True)
class Notice:
    """A notice to the holder. `outcome`: None while it is on its way to the message centre."""

    template: str
    created_at: datetime
    sent_at: datetime | None
    receipt_at: datetime | None
    outcome: str | None
    text: str | None
    error: str | None


@dataclass(frozen=True)
class RefusedView:
    """A refused call or message of the card."""

    at: datetime
    element: str
    carried: str
    peer: str
    reason: str
    detail: str


@dataclass(frozen=True)
class OrderFile:
    """One order with its trail, what the network was told and what the holder was told."""

    order: Order
    trail: tuple[AuditEntryView, ...]
    legs: tuple[DispatchView, ...]
    notices: tuple[Notice, ...]


@dataclass(frozen=True)
class Dossier:
    """A card: its orders, how the network is to treat it and does, what it was refused and told; the latest first."""

    card: str
    state: str
    wanted: str
    since: datetime | None
    orders: tuple[Order, ...]
    network: tuple[Confirmed, ...]
    refusals: tuple[RefusedView, ...]
    notices: tuple[Notice, ...]

    @property
    def known(self) -> bool:
        """Whether the order book ever heard of it."""
        return bool(self.since or self.orders or self.refusals or self.notices)


@dataclass(frozen=True)
class ActView:
    """What somebody proposed, and how far it is."""

    id: str
    event: str
    state: str
    grounds: Grounds
    until: datetime | None
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    finished_at: datetime | None
    undoes: str | None
    total: int
    done: int
    skipped: int
    undone_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class OpenOrder:
    """An order that is open about a card."""

    id: str
    kind: str
    state: str


@dataclass(frozen=True)
class ActCard:
    """One card of an act: what became of it, and what the second person must know of it.

    `line`: its place in the act, from 1. `why` it was skipped. `state` of the card now; `tier` and `reason` of its
    latest order; `passes`: how often its holder proved who they are; `objection`: the state of the latest.
    """

    line: int
    card: str
    order_id: str | None
    before: str | None
    after: str | None
    outcome: str | None
    why: str | None
    state: str
    tier: str
    reason: BilingualText | None
    open_orders: tuple[OpenOrder, ...]
    passes: int
    passed_at: datetime | None
    objection: str | None


@dataclass(frozen=True)
class RefusalCount:
    """How many calls or messages were refused for one reason."""

    carried: str
    reason: str
    count: int


@dataclass(frozen=True)
class Figures:
    """What was done in a period. `handled`: distinct numbers with an order that ended in it."""

    since: datetime
    until: datetime
    handled: int
    handled_by: Mapping[str, int]
    opened: Mapping[str, int]
    refused: tuple[RefusalCount, ...]
    alarms: int
    drifts: int
    drifts_repaired: int


@dataclass(frozen=True)
class Handled:
    """A number that was handled: by which order, and how it ended first."""

    card: str
    order_id: str
    what: str
    at: datetime


@dataclass(frozen=True)
class Alarm:
    """Something that does not do its work, since when, and until when."""

    source: str
    since: datetime
    raised_at: datetime
    cleared_at: datetime | None
    detail: str


@dataclass(frozen=True)
class Drift:
    """An element did otherwise than it was told."""

    element: str
    card: str
    wanted: str
    found: str
    found_at: datetime
    repaired_at: datetime | None


def told(row: RowMapping, sight: NumberMasking) -> AuditEntryView:
    """A row of the audit trail as it may be seen."""
    plain: dict[str, Any] = {name: row[name] for name in ("seq", "at", "who", "role", "what")}
    before, after = sight.facts(row["before"]), sight.facts(row["after"])
    return AuditEntryView(**sight.seen(plain), why=sight.text(row["why"]), before=before, after=after)


def leg(row: RowMapping, sight: NumberMasking) -> DispatchView:
    """A row of the outbox as it may be seen: an element names the card in its errors."""
    columns = ("element", "step", "wanted", "created_at", "tries", "done_at", "outcome", "error")
    return sight.seen(DispatchView(*(row[name] for name in columns)))


def notice(row: RowMapping, sight: NumberMasking) -> Notice:
    """A notice as it may be seen."""
    columns = ("template", "created_at", "sent_at", "receipt_at", "outcome")
    plain: dict[str, Any] = {name: row[name] for name in columns}
    return sight.seen(Notice(**plain, text=row["body"] or None, error=row["error"]))


def refused(row: RowMapping, sight: NumberMasking) -> RefusedView:
    """A refusal as it may be seen; whom the card called is somebody else, and stays masked for everybody."""
    peer = NumberMasking(unmasked=False).number(row["peer"])
    detail = NumberMasking(unmasked=False).text(row["detail"])
    return sight.seen(RefusedView(row["at"], row["element"], row["carried"], peer, row["reason"], detail))


def act_view(act: Act, sight: NumberMasking) -> ActView:
    """An act as it may be seen."""
    names = ("until", "proposed_by", "proposed_at", "approved_by", "approved_at", "finished_at", "undoes")
    facts: dict[str, Any] = {name: getattr(act, name) for name in (*names, "total", "done", "skipped")}
    view = ActView(act.id, act.event.value, act.state.value, act.grounds, **facts)
    return replace(sight.seen(view), undone_by=act.undone_by)


def in_force(legs: Sequence[DispatchView]) -> tuple[Confirmed, ...]:
    """Per element what it last confirmed, and what it was told since; `legs`: the oldest first."""
    found: dict[str, Confirmed] = {}
    for one in legs:
        so_far = found.get(one.element, Confirmed(one.element, None, None, None, None))
        if one.outcome == DONE:
            so_far = Confirmed(one.element, one.wanted, one.done_at, None, None)
        elif one.done_at is None:
            so_far = replace(so_far, waiting=one.wanted, error=one.error)
        elif one.error:
            so_far = replace(so_far, error=one.error)
        found[one.element] = so_far
    return tuple(found[name] for name in sorted(found))
