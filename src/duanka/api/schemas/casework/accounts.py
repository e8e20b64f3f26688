"""Linked accounts and items for take-down, as the API takes and shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from duanka.api.schemas.lookup_requests import LookupBasis
from duanka.api.schemas.requests import AskedModel, PhoneNumber, Why, casework_path
from duanka.casework.accounts.queries import AccountFile, AccountPage, AccountRequest
from duanka.casework.accounts.service import AskedFor
from duanka.casework.accounts.takedown import ItemPage
from duanka.domain.linked_accounts import AccountGround, PlatformState, RequestKind, RequestState
from duanka.domain.takedown import IndicatorKind, ItemState
from duanka.orders.masking import IN_FULL, View

_ANY = r"^[^\x00-\x1f\x7f]+$"
TheRequest = Annotated[str, casework_path("requestId", "G", "The request (账号处置请求).")]
TheItem = Annotated[str, casework_path("itemId", "I", "The item for take-down (待清理线索).")]


class AccountsAsked(LookupBasis):
    """What platforms are asked to do about the accounts of a card (关联账号处置)."""

    phone_number: PhoneNumber
    kind: RequestKind = Field(
        description="re_verify 重新核验, restrict 限制功能, close 关停账号 (takes two people)."
    )
    platform: Annotated[str, Field(pattern=_ANY, max_length=64)] | None = Field(
        default=None, description="Only of this platform."
    )

    def asks(self) -> AskedFor:
        """Return what is asked for."""
        return AskedFor(self.phone_number, self.kind, self.platform)


class AnswerEntered(AskedModel):
    """What a platform answered by another way, such as a letter."""

    state: PlatformState = Field(description="handled 已处置, refused 不予处置, released 已解除.")
    note: Annotated[str, Field(max_length=500)] = ""
    why: Why


class ItemMoved(AskedModel):
    """How an item for take-down goes on."""

    state: ItemState = Field(
        description="agreed 已认定, passed_on 已移交, taken_down 已清理, rejected 不予认定."
    )
    passed_to: Annotated[str, Field(max_length=200)] = Field(
        default="", description="To whom it is passed on."
    )
    why: Why


class AccountsAskedShown(View):
    """Ids of the requests that are new; what was asked already is not asked again."""

    items: list[str]


class AccountRequestShown(View):
    """A request to a platform (账号处置请求)."""

    OURS: ClassVar[frozenset[str]] = frozenset({"id", "account", "card", "ground_number", "platform"})

    id: str
    card: str = Field(description="Masked unless asked for in full (号码).")
    platform: str = Field(description="互联网平台.")
    account: str = Field(description="Masked unless asked for in full (账号).")
    kind: RequestKind
    ground: AccountGround
    ground_number: str = Field(description="The police's case, or the verification.")
    state: RequestState
    operator: str
    city: str
    requested_by: str
    requested_at: datetime
    why: str
    approved_by: str | None
    due_at: datetime | None = Field(description="An answer is expected until then; null: none is waited for.")
    overdue: bool
    sent_at: datetime | None
    answered_at: datetime | None
    answered_by: str | None = Field(description="`platform`, or the person who entered it.")
    release_at: datetime | None
    released_at: datetime | None
    updated_at: datetime

    @classmethod
    def told(cls, one: AccountRequest) -> AccountRequestShown:
        """Convert to a response; it is masked as the reader may see it already."""
        return cls.of(vars(one), IN_FULL)


class AccountRequestsShown(View):
    """A page of requests, the latest first."""

    items: list[AccountRequestShown]
    next: str | None = Field(description="Give it as `after` for the next page; null: this was the last.")

    @classmethod
    def told(cls, page: AccountPage) -> AccountRequestsShown:
        """Convert to a response."""
        return cls(items=[AccountRequestShown.told(one) for one in page.requests], next=page.following)


class AccountAnswerShown(View):
    """One answer (平台答复)."""

    at: datetime
    state: PlatformState
    who: str
    note: str


class AccountFileShown(View):
    """A request with its answers, in order."""

    request: AccountRequestShown
    answers: list[AccountAnswerShown]
    tries: int = Field(description="Failed tries to send it.")
    error: str = Field(description="Of the last one.")

    @classmethod
    def told(cls, file: AccountFile) -> AccountFileShown:
        """Convert to a response."""
        answers = [AccountAnswerShown.of(vars(one), IN_FULL) for one in file.answers]
        shown = AccountRequestShown.told(file.request)
        return cls(request=shown, answers=answers, tries=file.tries, error=file.error)


class AccountStateShown(View):
    """The state of a request after what was done."""

    id: str
    state: RequestState


class AccountFigureShown(View):
    """Requests of a period by operator, city, platform and kind (关联账号处置统计)."""

    operator: str
    city: str
    platform: str
    kind: RequestKind
    requested: int
    handled: int
    refused: int
    released: int
    overdue: int


class AccountFiguresShown(View):
    """Linked accounts asked about in a period; each number opens to its rows in `listAccountRequests`."""

    items: list[AccountFigureShown]


class TakedownItemShown(View):
    """A host, number or account that is to be taken down (待清理线索)."""

    OURS: ClassVar[frozenset[str]] = frozenset({"id", "value"})

    id: str
    kind: IndicatorKind
    value: str
    state: ItemState
    refused: int = Field(description="Refused messages that named it.")
    complaints: int = Field(description="Complaints that name it.")
    first_seen: datetime
    last_seen: datetime
    agreed_by: str | None
    agreed_at: datetime | None
    blocked_by: str | None = Field(description="The second person, by whom the message filter refuses it.")
    blocked_at: datetime | None
    passed_to: str
    updated_at: datetime


class TakedownItemsShown(View):
    """A page of items, the last seen first."""

    items: list[TakedownItemShown]
    next: str | None = Field(description="Give it as `after` for the next page; null: this was the last.")

    @classmethod
    def told(cls, page: ItemPage) -> TakedownItemsShown:
        """Convert to a response."""
        items = [TakedownItemShown.of(vars(one), IN_FULL) for one in page.items]
        return cls(items=items, next=page.following)
