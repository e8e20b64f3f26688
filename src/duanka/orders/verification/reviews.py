"""Review queue: online checks that were unsure, or that the policy sends there.

The reviewer decides by an event on the order: pass, fail, or to the counter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import Field
from sqlalchemy import RowMapping, and_, func, select

from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import reason_for
from duanka.domain.identity import CheckReason, Outcome
from duanka.domain.order import NoSuchTransition, Order, Person, State
from duanka.ledger.db.tables import orders
from duanka.ledger.db.tables_identity import checks
from duanka.ledger.people.places import orders_in
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.masking import MASKED, ShownNumber, View
from duanka.orders.pagination import page, page_of
from duanka.orders.service import OrderService
from duanka.orders.verification.attempts import reasons_of
from duanka.orders.verification.pictures import CAPTURED, REFERENCE, Pictures
from duanka.orders.views import Page

_JUDGED = tuple(outcome.value for outcome in Outcome)


class ReviewShown(View):
    """An online check that waits for a person (待人工审核)."""

    order_id: str = Field(examples=["V0123456789AB"])
    card: ShownNumber
    tier: str = Field(examples=["high"])
    since: datetime = Field(description="When the check left it to a person.")
    similarity: float | None = Field(description="Cosine of the two faces, -1 to 1.", examples=[0.41])
    reasons: tuple[CheckReason, ...] = Field(examples=[["unsure"]])
    failures: int = Field(description="Number of earlier failures that count.", examples=[0])
    disowns: bool = Field(
        description="The holder says in it that the number is not theirs (声明非本人号码).", examples=[False]
    )


class VerdictShown(View):
    """The result of an earlier check of the same verification."""

    at: datetime
    outcome: Outcome
    reasons: tuple[CheckReason, ...]
    similarity: float | None
    counted: bool = Field(description="Whether it is one of the failures that lead to the counter.")


@dataclass(frozen=True)
class ReviewFile:
    """What a reviewer needs. `order`: number masked; pictures: JPEG or PNG, or None.

    `disowns`: the holder says that the number is not theirs, and only who they are is to be judged. `review_from`,
    `passes_from`: similarities from which the policy leaves it to a person, and passes it.
    """

    order: Order
    reference: bytes | None
    captured: bytes | None
    similarity: float | None
    signals: Mapping[str, float]
    reasons: tuple[CheckReason, ...]
    earlier: tuple[VerdictShown, ...]
    review_from: float
    passes_from: float
    disowns: bool = False

    def __repr__(self) -> str:
        return f"ReviewFile({self.order.id})"  # no pictures in logs


class Reviews:
    """Lists pending reviews, and shows pictures to those who may see them."""

    def __init__(self, order_service: OrderService, pictures: Pictures) -> None:
        self._orders, self._pictures = order_service, pictures

    def waiting(self, by: Person, after: str = "", limit: int = 50) -> Page[ReviewShown]:
        """Return a page of pending reviews, oldest first.

        `after`: `next` of the previous page; UnknownOrder: invalid cursor.
        """
        authorize(by, Permission.LIST_REVIEWS)
        counted = checks.alias()
        failures = (
            select(func.coalesce(func.sum(counted.c.counted), 0))
            .where(counted.c.order_id == orders.c.id)
            .scalar_subquery()
        )
        undecided = and_(
            checks.c.order_id == orders.c.id,
            checks.c.outcome == Outcome.REVIEW.value,
            checks.c.reviewed_at.is_(None),
        )
        # Staff can submit without a check: the response time is then paused, so the order must be listed.
        since = func.coalesce(checks.c.decided_at, orders.c.updated_at)
        query = (
            select(
                *(orders.c[name] for name in ("id", "card", "tier")),
                *(since.label("since"), checks.c.similarity, failures.label("failures")),
                func.coalesce(checks.c.reasons, "").label("reasons"),
                func.coalesce(checks.c.disowns, 0).label("disowns"),
            )
            .outerjoin(checks, undecided)
            .where(orders.c.state == State.UNDER_REVIEW.value, orders.c.closed_at.is_(None))
            .where(*orders_in(by))
        )
        query = page_of(query, since, orders.c.id, after, limit, oldest_first=True)
        with self._orders.store.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return page(rows, limit, _item, lambda one: (one.since, one.order_id))

    def open(self, order_id: str, by: Person, why: str, now: datetime) -> ReviewFile:
        """Return pictures and measurements of a verification under review; it is audited.

        PermissionDenied: needs desk or supervisor. NoSuchTransition: not under review. PictureSealed: a picture does
        not open.
        """
        authorize(by, Permission.OPEN_REVIEW)
        why = reason_for(why, "you need to see the pictures")

        def work(unit: UnitOfWork) -> ReviewFile:
            order = unit.order(order_id)
            authorize(by, Permission.OPEN_REVIEW, order)
            if order.closed_at or order.state is not State.UNDER_REVIEW:
                raise NoSuchTransition(
                    f"{order_id} is {order.state}: pictures are shown while it is under_review"
                )
            judged = select(checks).where(checks.c.order_id == order_id, checks.c.outcome.in_(_JUDGED))
            rows = unit.connection.execute(judged.order_by(checks.c.seq)).mappings().all()
            last = next(
                (row for row in rows if row["outcome"] == Outcome.REVIEW and not row["reviewed_at"]), None
            )
            shown = {
                what: self._pictures.opened(unit.connection, order_id, what) for what in (REFERENCE, CAPTURED)
            }
            seen: dict[str, object] = {"seen": [what for what, picture in shown.items() if picture]}
            unit.note(by, "pictures.seen", order_id, why, {}, seen)
            return ReviewFile(
                order=MASKED.order(order),
                reference=shown[REFERENCE],
                captured=shown[CAPTURED],
                similarity=last["similarity"] if last else None,
                signals=json.loads(last["signals"]) if last else {},
                reasons=reasons_of(last) if last else (),
                earlier=tuple(_verdict(row) for row in rows if row is not last),
                review_from=unit.policy.identity.review,
                passes_from=unit.policy.identity.similarity,
                disowns=bool(last and last["disowns"]),
            )

        return self._orders.transaction(work, now)


def _item(row: RowMapping) -> ReviewShown:
    facts = {"order_id": row["id"], "card": MASKED.number(row["card"]), "reasons": reasons_of(row)}
    facts["disowns"] = bool(row["disowns"])
    return ReviewShown.of({**row, **facts})


def _verdict(row: RowMapping) -> VerdictShown:
    return VerdictShown.of({**row, "at": row["decided_at"], "reasons": reasons_of(row)})
