"""Sections of a statement for a holder: orders and texts, notices, verifications, network, looks, data kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from duanka.domain.billing import BillingEvent
from duanka.domain.counter_check import Document
from duanka.domain.display import display_text
from duanka.domain.hit_summary import decoded_summaries
from duanka.domain.holder_grounds import grounds_for_holder
from duanka.domain.identity import CheckReason, Outcome
from duanka.domain.linked_accounts import AccountGround, RequestKind, RequestState
from duanka.domain.network import Carried, NetworkState, RefusalReason
from duanka.domain.order import Kind, Order
from duanka.domain.order_decision import RequestedAction
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.person import Role
from duanka.domain.text import BilingualText, Language, WordedEnum
from duanka.ledger.audit.trail_texts import row_words
from duanka.orders.masking import MASKED
from duanka.orders.papers.statements import words
from duanka.orders.papers.statements.actors import who_did
from duanka.orders.papers.statements.reading import CardRows

MOST_ROWS = 400  # of a table: the latest
Section = dict[str, Any]


@dataclass(frozen=True)
class Telling:
    """How things are told: language, and times in the operator's zone. `titles`: of rules."""

    language: Language
    policy: OrderPolicy
    titles: Callable[[str], BilingualText]

    def said(self, text: BilingualText, **values: object) -> str:
        """The text in the language, with `values` in its fields."""
        return (text.filled(**values) if values else text).in_(self.language)

    def at(self, moment: datetime | None) -> str:
        """A moment in the operator's zone."""
        return self.policy.local_time.written(moment)[:19] if moment else "—"

    def word(self, kind: type[WordedEnum], value: str | None) -> str:
        """The word of a stored value; the value itself if it is none of `kind`."""
        try:
            return self.said(kind(value or "").words)
        except ValueError:
            return value or "—"

    def masked(self, text: str) -> str:
        """Free text with numbers of others masked."""
        return MASKED.text(display_text(text))

    def section(self, name: str, columns: Sequence[str] = (), rows: Sequence[Sequence[str]] = ()) -> Section:
        """A section with one table, the latest rows of it."""
        more = len(rows) - MOST_ROWS
        return {
            "title": self.said(words.SECTIONS[name]),
            "columns": [self.said(words.COLUMNS[one]) for one in columns],
            "rows": [list(row) for row in rows[-MOST_ROWS:]],
            "more": self.said(words.MORE, n=more) if more > 0 else "",
            "nothing": "" if rows else self.said(words.NOTHING),
            "notes": [],
            "orders": [],
            "texts": [],
        }


def sections_of(rows: CardRows, tell: Telling) -> Iterator[Section]:
    """Yield all sections that the order database fills, in order."""
    yield _orders(rows, tell)
    texts = tell.section("texts")
    texts["texts"] = [{"text": one.text, "sha256": one.sha256} for one in rows.texts]
    yield texts | ({"nothing": ""} if rows.texts else {})
    sent = [
        (one["order_id"], tell.at(one["sent_at"]), tell.at(one["receipt_at"]), _notice(one, tell))
        for one in rows.notices
    ]
    yield tell.section("notices", ("order", "sent", "arrived", "text"), sent)
    checks = tell.section("checks", ("order", "at", "how", "result", "pictures"), list(_checks(rows, tell)))
    yield checks | {"notes": [tell.said(words.CHECK_NOTE)]}
    network = [_leg(one, tell) for one in rows.network]
    told = tell.section("network", ("order", "part", "asked", "at", "done", "result"), network)
    yield told | _unless_known(rows, network, tell)
    met = [
        (tell.at(one["at"]), tell.word(Carried, one["carried"]), MASKED.number(one["peer"]), _why(one, tell))
        for one in rows.refusals
    ]
    yield tell.section("refusals", ("at", "kind", "other", "result"), met) | _unless_known(rows, met, tell)
    billed = [
        (str(one["id"]), tell.at(one["at"]), one["order_id"], tell.word(BillingEvent, one["event"]))
        for one in rows.billing
    ]
    yield tell.section("billing", ("number", "at", "order", "event"), billed)
    asked = [_account(one, tell) for one in rows.accounts]
    yield tell.section("accounts", ("platform", "asked", "ground", "at", "state"), asked)
    looks = [
        (
            tell.at(one["at"]),
            tell.word(Role, one["role"]),
            tell.said(row_words(one["what"])),
            tell.masked(one["why"]) or "—",
        )
        for one in rows.looks
    ]
    yield tell.section("looks", ("at", "by", "what", "why"), looks) | {"notes": [tell.said(words.LOOKS_NOTE)]}


def _unless_known(rows: CardRows, found: Sequence[object], tell: Telling) -> Section:
    """What a section says where nothing could be known of the network, which is not that nothing happened."""
    return {} if rows.elements or found else {"nothing": tell.said(words.NOT_KNOWN)}


def _orders(rows: CardRows, tell: Telling) -> Section:
    section = tell.section("orders")
    section["orders"] = [_order(rows, one, tell) for one in rows.orders]
    return section | ({"nothing": ""} if rows.orders else {})


def _order(rows: CardRows, order: Order, tell: Telling) -> dict[str, Any]:
    facts: list[tuple[str, str]] = []
    if order.asked:
        facts.append(("asked", tell.word(RequestedAction, order.asked)))
    told = (
        order.grounds.reason
        if order.kind is Kind.OBJECTION
        else grounds_for_holder(order, tell.policy).reason
    )
    facts.append(("own_words" if order.kind is Kind.OBJECTION else "reason", tell.masked(tell.said(told))))
    saw = "\n".join(_saw(order, tell))
    facts += [("saw", saw)] if saw else []
    facts += [("parent", order.parent)] if order.parent else []
    facts += [("due", tell.at(order.due_at))] if order.due_at and not order.closed_at else []
    return {
        "title": f"{order.id}　{tell.said(order.kind.words)}：{tell.said(order.state.words)}"
        if tell.language == "zh"
        else f"{order.id}  {order.kind.words.en}: {order.state.words.en}",
        "facts": [[tell.said(words.ORDER_FACTS[name]), value] for name, value in facts],
        "columns": [tell.said(words.COLUMNS[one]) for one in ("at", "step", "state", "by")],
        "steps": [_step(one, order, tell) for one in rows.steps.get(order.id, ())[-MOST_ROWS:]],
    }


def _step(row: Any, order: Order, tell: Telling) -> list[str]:
    state = str(json.loads(row["after"])["state"])
    return [
        tell.at(row["at"]),
        tell.said(row_words(row["what"])),
        tell.word(type(order.state), state),
        tell.said(who_did(row, order)),
    ]


def _saw(order: Order, tell: Telling) -> Iterable[str]:
    for one in decoded_summaries(order.hit_summaries):
        what = tell.masked(tell.said(one.words))
        span = tell.said(words.SPAN, first=one.first_day, last=one.last_day)
        title = tell.said(tell.titles(one.rule))
        yield f"{title}：{what}（{span}）" if tell.language == "zh" else f"{title}: {what} ({span})"


def _notice(row: Any, tell: Telling) -> str:
    outcome = tell.said(words.OUTCOMES.get(row["outcome"] or "", BilingualText(str(row["outcome"]), "")))
    return f"{tell.masked(row['body'])}\n{outcome}" if row["body"] else outcome


def _checks(rows: CardRows, tell: Telling) -> Iterator[tuple[str, ...]]:
    """Online checks and those at counters, by time."""
    found: list[tuple[datetime, tuple[str, ...]]] = []
    for one in rows.checks:
        at = one["decided_at"] or one["submitted_at"]
        if at is None:  # a challenge was drawn, and no picture came
            continue
        result = tell.word(Outcome, one["outcome"]) if one["outcome"] else tell.said(words.REFUSED_CHECK)
        if one["similarity"] is not None:
            result += f"\n{tell.said(words.SIMILARITY, share=format(one['similarity'], '.0%'))}"
        reasons = "\n".join(tell.word(CheckReason, reason) for reason in one["reasons"].split())
        result += f"\n{reasons}" if reasons else ""
        order, pictures = one["order_id"], _pictures(rows, one["order_id"], tell)
        found.append((at, (order, tell.at(at), tell.said(words.ONLINE), result, pictures)))
    for one in rows.counter_checks:
        ended = {"rejected": words.REJECTED, None: words.WAITS}.get(one["outcome"])
        result = tell.said(ended) if ended else tell.word(Outcome, one["outcome"])
        seen = tell.word(Document, one["document"])
        how = tell.said(words.COUNTER, document=seen, counter=tell.masked(one["counter"]))
        found.append((one["first_at"], (one["order_id"], tell.at(one["first_at"]), how, result, "—")))
    yield from (row for _, row in sorted(found, key=lambda one: one[0]))


def _pictures(rows: CardRows, order_id: str, tell: Telling) -> str:
    if order_id in rows.pictured:
        return tell.said(words.PICTURED, hours=format(tell.policy.identity.keep_hours, "g"))
    purged = rows.purged_at.get(order_id)
    return tell.said(words.PURGED, at=tell.at(purged)) if purged else tell.said(words.NO_PICTURES)


def _leg(row: Any, tell: Telling) -> tuple[str, ...]:
    part = words.ELEMENTS.get(row["element"], BilingualText(row["element"], row["element"]))
    outcome = words.OUTCOMES.get(
        row["outcome"] or "", BilingualText(str(row["outcome"]), str(row["outcome"]))
    )
    wanted = tell.word(NetworkState, row["wanted"])
    times = tell.at(row["created_at"]), tell.at(row["done_at"])
    return row["order_id"], tell.said(part), wanted, *times, tell.said(outcome)


def _why(row: Any, tell: Telling) -> str:
    return tell.word(RefusalReason, row["reason"])


def _account(row: Any, tell: Telling) -> tuple[str, ...]:
    kind, ground = tell.word(RequestKind, row["kind"]), tell.word(AccountGround, row["ground"])
    state = tell.word(RequestState, row["state"])
    if row["released_at"]:
        state += f"\n{tell.at(row['released_at'])}"
    return row["platform"], kind, ground, tell.at(row["requested_at"]), state
