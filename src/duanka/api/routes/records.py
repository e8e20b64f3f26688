"""The store of records: what it holds, the records of a card, the contacts of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, tzinfo
from typing import Annotated, ClassVar, TypeVar

from pydantic import Field

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.schemas.lookup_requests import LookupBasis
from duanka.api.schemas.requests import Moment, PhoneNumber
from duanka.domain.authority import Permission
from duanka.domain.local_time import OperatorZone
from duanka.domain.record_lookups import MOST_DAYS, MOST_HOURS, MOST_NUMBERS, Usage
from duanka.orders.masking import IN_FULL, ShownNumber, View
from duanka.orders.queries.record_queries import DAYS, HOURS, Period

router = Endpoints("records")

_PAGE, _MOST_PAGE = 1_000, 10_000
_Item = TypeVar("_Item")
_Limit = Annotated[int, Field(ge=1, le=_MOST_PAGE, description="Rows of a page.")]
_After = Annotated[
    str | None,
    Field(pattern=r"^[0-9]{1,9}$", description="`next` of the page before; without it the first page."),
]


class LookupAsked(LookupBasis):
    """A lookup in the store, page by page."""

    until: Moment | None = Field(
        default=None, description="Up to this time; by default the end of the last day that the store has."
    )
    limit: _Limit = _PAGE
    after: _After = None


class RecordsAsked(LookupAsked):
    """The card whose records are looked up."""

    phone_number: PhoneNumber
    days: int = Field(default=DAYS, ge=1, le=MOST_DAYS, description="How many days.")


class ContactsAsked(LookupAsked):
    """The numbers, ours or foreign, whose contacts are looked up."""

    phone_numbers: list[PhoneNumber] = Field(min_length=1, max_length=MOST_NUMBERS)
    hours: int = Field(default=HOURS, ge=1, le=MOST_HOURS, description="How many hours.")


class RecordShown(View):
    """One record of a card; null: unknown, or there is no such thing in its table."""

    OURS: ClassVar[frozenset[str]] = frozenset({"cell", "city"})

    usage: Usage = Field(description="calls 通话, messages 短信, sightings 位置, data_days 流量.")
    at: datetime = Field(description="Start of a call, midnight of a data day.")
    direction: str | None = Field(description="out or in, seen from the card.")
    peer: str | None = Field(description="The other party; null of a call: withheld (隐藏号码).")
    seconds: int | None = Field(description="Talking time.")
    answered: bool | None
    bytes: int | None = Field(description="Up and down.")
    imei: str | None = Field(description="The device (终端), 14 digits.")
    cell: str | None
    city: str | None = Field(description="Where the card was seen, its code (城市代码).")
    forwarded_from: str | None


class ContactShown(View):
    """Calls and messages between a number and another; what stands in the records of both counts once."""

    number: str
    other: str | None = Field(description="null: withheld (隐藏号码).")
    calls_out: int = Field(description="From `number` to `other`.")
    calls_in: int
    messages_out: int
    messages_in: int
    first: datetime
    last: datetime


class PeriodShown(View):
    """What was looked up; `first_day` and `last_day`: what the store has at all."""

    since: datetime
    until: datetime = Field(description="Exclusive.")
    zone: str
    first_day: date | None
    last_day: date | None


class RecordsShown(View):
    """Records of a card (号码记录), in order of time."""

    card: ShownNumber
    period: PeriodShown
    total: int = Field(description="Of the whole answer.")
    items: list[RecordShown]
    next: str | None = Field(description="Give it as `after` for the next page; null: this was the last.")


class ContactsShown(View):
    """Contacts (联系人): by number, the most frequent first."""

    period: PeriodShown
    total: int = Field(description="Of the whole answer.")
    items: list[ContactShown]
    next: str | None = Field(description="Give it as `after` for the next page; null: this was the last.")


class TableShown(View):
    """Records of one table in the store."""

    table: str
    records: int
    days: int
    first: date | None
    last: date | None
    last_event: datetime | None
    repeated: int = Field(description="Were delivered again, and not added.")
    late: int = Field(description="Came after their day was purged.")


class KeptDaysShown(View):
    """How long something is kept; `days` null: no limit yet."""

    days: int | None
    since: date | None = Field(description="Nothing before it is kept.")


class StoreShown(View):
    """What the store holds (记录库); nothing about a single card."""

    version: int
    zone: str
    generation: int = Field(description="Counts what was written.")
    committed_at: datetime | None
    tables: list[TableShown]
    bytes: dict[str, int] = Field(description="By kind of file.")
    delivered: int = Field(description="Delivered files that were taken in.")
    last_delivered_at: datetime | None
    kept: dict[str, KeptDaysShown]


@router.endpoint(
    "GET /record-store", "What the store of records holds · 记录库概况", Permission.READ_STORE, fails=(409,)
)
def get_record_store(here: Here, by: access.Caller) -> StoreShown:
    """Days, records by table, bytes, what was late, what is kept; times are local to `zone`."""
    status = here.desk.records.status(by)
    zone = OperatorZone(status.zone).info
    tables = [{**vars(one), "last_event": _aware(one.last_event, zone)} for one in status.tables]
    facts = {
        **vars(status),
        "tables": tables,
        "committed_at": _aware(status.committed_at, zone),
        "last_delivered_at": _aware(status.last_delivered_at, zone),
    }
    return StoreShown.of(facts, IN_FULL)


@router.endpoint(
    "POST /cards/retrieve-records",
    "Every record of a card · 查询号码记录",
    Permission.LOOK_UP_RECORDS,
    fails=(404, 409),
)
def retrieve_records(here: Here, by: access.Caller, asks: RecordsAsked) -> RecordsShown:
    """Calls, messages, where it was seen, data.

    The audit trail has who and why before the first row. A POST, because a URL must not contain a number.
    """
    found = here.desk.records.card(asks.phone_number, asks.context(by), here.now, asks.days, asks.until)
    zone = found.period.zone.info
    items = [{**vars(one), "at": _aware(one.at, zone)} for one in _page(found.records, asks)]
    return RecordsShown.of(
        {**_answer(found.period, found.records, asks), "card": found.card, "items": items}, IN_FULL
    )


@router.endpoint(
    "POST /contacts/retrieve",
    "Who was in contact with whom · 查询联系人",
    Permission.LOOK_UP_CONTACTS,
    fails=(404, 409),
)
def retrieve_contacts(here: Here, by: access.Caller, asks: ContactsAsked) -> ContactsShown:
    """By call or message; a foreign number is found in the records of our cards.

    Who works for some operators or cities may ask for cards of these alone.
    """
    records = here.desk.records
    found = records.contacts(asks.phone_numbers, asks.context(by), here.now, asks.hours, asks.until)
    zone = found.period.zone.info
    items = [
        {**vars(one), "first": _aware(one.first, zone), "last": _aware(one.last, zone)}
        for one in _page(found.contacts, asks)
    ]
    return ContactsShown.of({**_answer(found.period, found.contacts, asks), "items": items}, IN_FULL)


def _page(rows: Sequence[_Item], asks: LookupAsked) -> Sequence[_Item]:
    begin = int(asks.after or 0)
    return rows[begin : begin + asks.limit]


def _answer(period: Period, rows: Sequence[object], asks: LookupAsked) -> dict[str, object]:
    """What an answer says beside its rows."""
    end, zone = int(asks.after or 0) + asks.limit, period.zone
    told = PeriodShown(
        since=period.since.replace(tzinfo=zone.info),
        until=period.until.replace(tzinfo=zone.info),
        zone=zone.name,
        first_day=period.first,
        last_day=period.last,
    )
    return {"period": told, "total": len(rows), "next": str(end) if end < len(rows) else None}


def _aware(at: datetime | None, zone: tzinfo) -> datetime | None:
    """A local time with its offset."""
    return at and at.replace(tzinfo=zone)
