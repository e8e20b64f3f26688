"""New link when one expired or is another browser's; sent only to the card."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from duanka.domain.authority import Permission, authorize
from duanka.domain.identity import CheckReason, CheckRefused
from duanka.domain.order import Kind
from duanka.domain.person import HOLDER
from duanka.ledger.db.tables import notices
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.dispatch.notice_texts import VERIFY
from duanka.orders.verification.links import Links

PAUSE = timedelta(minutes=2)  # between two messages to one number
MOST_A_DAY = 5


def request_link(unit: UnitOfWork, links: Links, token: str) -> str:
    """Send a new link to the card of link `token`; return the card's last four digits.

    UnknownOrder: not a link of this installation. AlreadyUsed: nothing is left to do. CheckRefused: TOO_SOON, with
    the seconds to wait; NOT_AVAILABLE: the holder is asked nothing online.
    """
    authorize(HOLDER, Permission.VERIFY_ONLINE)
    card = links.order_of(unit.connection, token).card
    order = unit.open_order(card, Kind.VERIFICATION)
    if order is None or order.asked != VERIFY:
        raise CheckRefused(CheckReason.NOT_AVAILABLE)
    asked = (notices.c.card == card, notices.c.template == VERIFY)
    day = select(func.count(), func.max(notices.c.created_at), func.min(notices.c.created_at)).where(
        *asked, notices.c.created_at > unit.now - timedelta(days=1)
    )
    count, last, first = unit.connection.execute(day).one()
    free_at = unit.now if last is None else last + PAUSE
    if count >= MOST_A_DAY:
        free_at = max(free_at, first + timedelta(days=1))
    if free_at > unit.now:
        raise CheckRefused(CheckReason.TOO_SOON, wait=int((free_at - unit.now).total_seconds()) + 1)
    again = select(func.count()).where(notices.c.order_id == order.id, notices.c.template == VERIFY)
    unit.notify(order, VERIFY, repeat=unit.connection.execute(again).scalar_one())
    unit.note(HOLDER, "link.request", order.id, "asked for on the page", {}, {})
    return card[-4:]
