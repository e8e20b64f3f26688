"""Takes of decisions, decisions on hold, and withdrawal of many verifications."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import Field

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.schemas import responses as shown
from duanka.api.schemas.requests import ORDER_ID, Because, PhoneNumber, TakeId
from duanka.domain.authority import Permission
from duanka.domain.bulk_action import card_of
from duanka.domain.take import Choice, Take, TierName
from duanka.orders import views
from duanka.orders.bulk_actions.execution import AT_ONCE
from duanka.orders.bulk_actions.withdrawal import Which
from duanka.orders.intake.takes import HeldShown, LeftShown
from duanka.orders.masking import View

router = Endpoints("takes")

_Name = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f|]+$")]


class TakeShown(View):
    """The result of taking one folder's decisions (接收批次)."""

    id: str = Field(examples=["T0123456789AB"])
    at: datetime
    by: str
    counts: dict[str, int] = Field(
        description="What became of its decisions: opened, attached, stopped, withdrawn, …"
    )
    kept: dict[str, int] = Field(description="How many still wait: left, held, narrower.")
    covers: str = Field(description="What its records cover; empty where nobody said so.")
    covers_words: views.WordsShown | None = Field(description="`covers` in both languages.")
    undone_at: datetime | None
    undone_by: str | None
    undone_in: list[str] = Field(description="The bulk actions that undo it, each with its state.")

    @classmethod
    def of_take(cls, take: Take) -> TakeShown:
        """Convert, without the file's path, which means nothing on other machines."""
        words = views.WordsShown.of(take.covers.words) if take.covers else None
        return cls.of({**vars(take), "covers": str(take.covers or ""), "covers_words": words})


class Takes(View):
    """The latest takes, the newest first."""

    items: list[TakeShown]


class UndoneShown(View):
    """The result of undoing a take."""

    take_id: str
    act: views.BulkActionShown | None = Field(description="Withdrew at once.")
    proposed: views.BulkActionShown | None = Field(
        description="Waits for a second person: its tier takes two."
    )
    left: list[LeftShown]


class HeldList(View):
    """Decisions on hold, the oldest first."""

    items: list[HeldShown]


class Release(Because):
    """Which decisions on hold to take: by default all, at most 10,000 per request."""

    phone_numbers: list[PhoneNumber] = Field(default=[], max_length=10_000)
    tiers: list[TierName] = Field(default=[], max_length=4)
    rules: list[_Name] = Field(default=[], max_length=64)
    cities: list[_Name] = Field(default=[], max_length=64)
    operators: list[_Name] = Field(default=[], max_length=64)
    limit: int = Field(default=10_000, ge=1, le=10_000, description="At most so many, the heaviest.")


class Withdrawal(Because):
    """Open verifications to withdraw in one bulk action: named ones, or all that match."""

    order_ids: list[Annotated[str, Field(pattern=rf"^V{ORDER_ID}")]] = Field(default=[], max_length=10_000)
    phone_numbers: list[PhoneNumber] = Field(default=[], max_length=10_000)
    tiers: list[TierName] = Field(default=[], max_length=4)
    rules: list[_Name] = Field(default=[], max_length=64)
    cities: list[_Name] = Field(default=[], max_length=64)
    operators: list[_Name] = Field(default=[], max_length=64)
    take_id: str | None = Field(default=None, pattern=r"^T[A-Z0-9]{1,15}$")

    def which(self) -> Which:
        """Return the selection."""
        numbers = (card_of(number) for number in self.phone_numbers)
        return Which(
            (*self.order_ids, *numbers),
            frozenset(self.tiers),
            frozenset(self.rules),
            frozenset(self.cities),
            frozenset(self.operators),
            self.take_id or "",
        )


@router.endpoint("GET /takes", "What was taken · 接收批次", Permission.LIST_TAKES)
def list_takes(
    here: Here, by: access.Caller, limit: Annotated[int, Query(ge=1, le=200, description="How many.")] = 50
) -> Takes:
    """The newest first, with the result of each and what still waits."""
    return Takes(items=[TakeShown.of_take(one) for one in here.desk.takes.list(by, limit)])


@router.endpoint("GET /takes/{takeId}", "One take · 批次详情", Permission.LIST_TAKES)
def get_take(here: Here, by: access.Caller, number: TakeId) -> TakeShown:
    """The result of the take."""
    return TakeShown.of_take(here.desk.takes.take(number, by))


@router.endpoint(
    "POST /takes/{takeId}/undo",
    "Take back a take · 撤销批次",
    Permission.UNDO_BULK_ACTION,
    Permission.VERIFICATION_WITHDRAW,
    fails=(409,),
)
def undo_take(here: Here, by: access.Caller, number: TakeId, because: Because) -> UndoneShown:
    """Orders from it that nobody has changed since are withdrawn.

    Those whose tier needs two people are proposed in one bulk action.
    """
    return UndoneShown.of(here.desk.takes.undo(number, by, because.why, here.now, AT_ONCE))


@router.endpoint("GET /held-decisions", "What is held back · 暂缓列表", Permission.LIST_TAKES)
def list_held_decisions(here: Here, by: access.Caller) -> HeldList:
    """No holder is asked to verify because of these until they are taken."""
    return HeldList(items=list(here.desk.takes.held(by)))


@router.endpoint(
    "POST /held-decisions/take", "Take what is held · 解除暂缓", Permission.TAKE_DECISIONS, fails=(409,)
)
def take_held_decisions(here: Here, by: access.Caller, asks: Release) -> shown.ReceivedShown:
    """Each becomes an order, or joins the open one of its card."""
    cards = frozenset(card_of(number) for number in asks.phone_numbers)
    choice = Choice(
        frozenset(asks.tiers),
        frozenset(asks.rules),
        frozenset(asks.cities),
        frozenset(asks.operators),
        cards,
        asks.limit,
    )
    taken = here.desk.takes.take_held(choice, by, here.now, asks.why)
    return shown.ReceivedShown.of(taken.received)


@router.endpoint(
    "POST /withdrawals",
    "Withdraw many verifications · 批量撤销核验",
    Permission.VERIFICATION_WITHDRAW,
    Permission.PROPOSE_BULK_ACTION,
    fails=(404, 409, 422),
    status_code=201,
)
def withdraw_many(here: Here, by: access.Caller, asks: Withdrawal) -> views.BulkActionShown:
    """In one bulk action: at once, or once a second person has approved where a tier needs it.

    Beyond 500 cards the worker continues it; `getAct` shows the progress.
    """
    return views.BulkActionShown.of(
        here.desk.withdrawals.propose(asks.which(), by, asks.why, here.now, AT_ONCE)
    )
