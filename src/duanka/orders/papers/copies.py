"""Copies of the texts of stops, for a holder, a counter or a court: the stored text itself, or set as PDF."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import given_reason
from duanka.domain.order import Kind, Order, OrderError, Person, UnknownOrder
from duanka.ledger.audit.trail import AuditEntry
from duanka.ledger.db.rows import find_order
from duanka.orders.papers.documents import paper_pdf
from duanka.orders.service import OrderService
from duanka.orders.stop_texts import StopTextShown, texts_made

COPIED = "paper.copy"  # entry of the trail
_CHECK = (
    "以上文字是停机当时生成并保存的原文，营业厅、客服、网页、接口所示相同，此后没有改写。SHA-256 按原文的 UTF-8"
    " 字节计算；"
    "原文文件由 duanka orders copy --out FILE.txt 给出，用任何工具都可核对，审计链也保存同一数值。\n"
    "This is the text as it was made and stored at the time of the stop, the same at desk, counter, page and API, and"
    " never"
    " worded anew. The SHA-256 is of its UTF-8 bytes: duanka orders copy --out FILE.txt writes them, any tool checks"
    " them, and"
    " the audit trail keeps the same value."
)


@dataclass(frozen=True)
class StopTextCopy:
    """The texts of one order, and when the copy was made."""

    order_id: str
    texts: tuple[StopTextShown, ...]
    made_at: datetime

    @property
    def plain(self) -> bytes:
        """The bytes that the SHA-256 of the last text is of."""
        return self.texts[-1].text.encode()


class StopTextCopies:
    """Gives copies; each stands in the audit trail."""

    def __init__(self, orders: OrderService) -> None:
        self._orders = orders

    def copy(self, number: str, by: Person, why: str, now: datetime, step: int | None = None) -> StopTextCopy:
        """Return the texts of restriction `number`, or that of one step. OrderError: it has none."""
        authorize(by, Permission.COPY_STOP_TEXT)
        why = given_reason(why)
        terms = self._orders.terms
        with self._orders.store.writing() as connection:
            order = find_order(connection, number)
            if order is None:
                raise UnknownOrder(f"no order {number!r}; `duanka orders list` names them")
            authorize(by, Permission.COPY_STOP_TEXT, order)
            texts = texts_made(connection, terms.trail, terms.stop_texts, order, now)
            chosen = tuple(one for one in texts if step in (None, one.step))
            if not chosen:
                raise OrderError(_none(order, [one.step for one in texts]))
            digests: dict[str, object] = {f"step {one.step}": one.sha256 for one in chosen}
            terms.trail.append(connection, [AuditEntry(now, by, COPIED, number, why, after=digests)])
        return StopTextCopy(number, chosen, now)

    def pdf(self, copy: StopTextCopy) -> bytes:
        """Set a copy as PDF; the same copy gives the same bytes. DuankaError: typst or a font is missing."""
        policy = self._orders.terms.policy
        day = policy.local_time.local(copy.made_at)
        content = {
            "language": "zh",
            "title": "停机告知书副本",
            "subtitle": "Copy of the text of a stop",
            "date": [day.year, day.month, day.day],
            "running": f"停机告知书副本　{copy.order_id}",
            "footer": policy.operator.zh,
            "head": [
                ["工单 order", copy.order_id],
                ["运营商 operator", f"{policy.operator.zh}\n{policy.operator.en}"],
                ["副本出具时间 copied", policy.local_time.written(copy.made_at)],
            ],
            "texts": [{"text": one.text, "sha256": one.sha256} for one in copy.texts],
            "check": _CHECK,
        }
        return paper_pdf("copy", content)


def _none(order: Order, steps: list[int]) -> str:
    if steps:
        return f"{order.id} has no text of that step; it has those of {', '.join(map(str, steps))}"
    if order.kind is Kind.RESTRICTION and order.step:
        return f"the text of {order.id} is missing; `duanka audit verify` says whether it was removed past the trail"
    return f"{order.id} has no text of a stop: only an order that restricts a card has one (R...)"
