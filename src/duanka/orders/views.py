"""Views of the order database for people, with numbers masked."""

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
# Fields with text that the program made (ids, cursors) or that `NumberMasking.number` has masked already.
_OURS = frozenset({"id", "order_id", "parent", "undoes", "next", "card", "hit_summaries"})
DONE = "done"
View = TypeVar("View")


@dataclass(frozen=True)
class Page(Generic[Item]):
    """Some items; `next`: cursor of the following page, None: none follows."""

    items: tuple[Item, ...]
    next: str | None


@dataclass(frozen=True)
class NumberMasking:
    """How much of numbers a reader sees."""

    unmasked: bool

    def number(self, card: str) -> str:
        """Show a card's number: +86 138****0001, or in full +8613800000001."""
        if self.unmasked:
            return f"+{card}" if card.isdigit() else card
        return masked_card(card)

    def text(self, text: str) -> str:
        """Mask numbers in a text, and remove links of holders."""
        text = _LINK.sub("…", text)
        return text if self.unmasked else masked_text(text)

    def order(self, order: Order) -> Order:
        """Mask an order; its `card` is what `number` shows."""
        summaries = order.hit_summaries
        # Within the quotes: a masked number would otherwise swallow JSON syntax.
        if summaries and not self.unmasked:
            summaries = encoded_summaries(self.seen(decoded_summaries(summaries)))
        return self.seen(replace(order, card=self.number(order.card), hit_summaries=summaries))

    def facts(self, told: str) -> Mapping[str, Any]:
        """Parse and mask the JSON of an audit trail entry."""
        facts: dict[str, Any] = json.loads(told)
        return {
            name: self.number(value) if name == "card" and isinstance(value, str) else self.seen(value)
            for name, value in facts.items()
        }

    def seen(self, view: View) -> View:
        """Apply `text` to every text in a view, list or mapping, whatever its field."""
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
        return shown  # type: ignore[no-any-return]  # has the type of its argument


@dataclass(frozen=True)
class AuditEntryView:
    """An entry of the audit trail."""

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
    """A change that an element was to carry out. `outcome`: None while pending."""

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
    """State that an element itself confirmed for a card, and what is still pending."""

    element: str
    confirmed: str | None
    confirmed_at: datetime | None
    waiting: str | None
    error: str | None


@dataclass(frozen=True)
class Notice:
    """A notice to the holder. `outcome`: None until the message centre has it."""

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
    """An order with its audit trail, network changes and notices."""

    order: Order
    trail: tuple[AuditEntryView, ...]
    legs: tuple[DispatchView, ...]
    notices: tuple[Notice, ...]


@dataclass(frozen=True)
class Dossier:
    """A card: orders, wanted and confirmed state, refusals, notices; latest first."""

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
        """Whether the order database has anything about it."""
        return bool(self.since or self.orders or self.refusals or self.notices)


@dataclass(frozen=True)
class ActView:
    """A bulk action and its progress."""

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
    """An open order of a card."""

    id: str
    kind: str
    state: str


@dataclass(frozen=True)
class ActCard:
    """One card of a bulk action, its outcome, and what an approver must know.

    `line`: its place, from 1. `why`: reason it was skipped. `state` of the card now; `tier` and `reason` of its
    latest order; `passes`: how often its holder passed; `objection`: state of the latest.
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
    """Number of calls or messages refused for one reason."""

    carried: str
    reason: str
    count: int


@dataclass(frozen=True)
class Figures:
    """Counts of a period. `handled`: distinct numbers with an order that ended in it."""

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
    """A handled number: its order, and how that ended first."""

    card: str
    order_id: str
    what: str
    at: datetime


@dataclass(frozen=True)
class Alarm:
    """A failure, with its beginning and end."""

    source: str
    since: datetime
    raised_at: datetime
    cleared_at: datetime | None
    detail: str


@dataclass(frozen=True)
class Drift:
    """A card that an element treats otherwise than wanted."""

    element: str
    card: str
    wanted: str
    found: str
    found_at: datetime
    repaired_at: datetime | None


def audit_entry(row: RowMapping, sight: NumberMasking) -> AuditEntryView:
    """Mask a row of the audit trail."""
    plain: dict[str, Any] = {name: row[name] for name in ("seq", "at", "who", "role", "what")}
    before, after = sight.facts(row["before"]), sight.facts(row["after"])
    return AuditEntryView(**sight.seen(plain), why=sight.text(row["why"]), before=before, after=after)


def dispatch_entry(row: RowMapping, sight: NumberMasking) -> DispatchView:
    """Mask a row of the outbox: errors of elements name the card."""
    columns = ("element", "step", "wanted", "created_at", "tries", "done_at", "outcome", "error")
    return sight.seen(DispatchView(*(row[name] for name in columns)))


def notice(row: RowMapping, sight: NumberMasking) -> Notice:
    """Mask a notice."""
    columns = ("template", "created_at", "sent_at", "receipt_at", "outcome")
    plain: dict[str, Any] = {name: row[name] for name in columns}
    return sight.seen(Notice(**plain, text=row["body"] or None, error=row["error"]))


def refused(row: RowMapping, sight: NumberMasking) -> RefusedView:
    """Mask a refusal; the called number belongs to somebody else and is always masked."""
    peer = NumberMasking(unmasked=False).number(row["peer"])
    detail = NumberMasking(unmasked=False).text(row["detail"])
    return sight.seen(RefusedView(row["at"], row["element"], row["carried"], peer, row["reason"], detail))


def act_view(act: Act, sight: NumberMasking) -> ActView:
    """Mask a bulk action."""
    names = ("until", "proposed_by", "proposed_at", "approved_by", "approved_at", "finished_at", "undoes")
    facts: dict[str, Any] = {name: getattr(act, name) for name in (*names, "total", "done", "skipped")}
    view = ActView(act.id, act.event.value, act.state.value, act.grounds, **facts)
    return replace(sight.seen(view), undone_by=act.undone_by)


def in_force(legs: Sequence[DispatchView]) -> tuple[Confirmed, ...]:
    """Return confirmed and pending states per element; `legs`: oldest first."""
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
