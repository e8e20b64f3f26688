"""From one card to the gang: the ring behind a seed, the communities worth a look, outlets against their peers."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import Query, Response
from pydantic import Field

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.http.language import AskedLanguage
from duanka.api.schemas.lookup_requests import BasisAsked, LookupBasis
from duanka.api.schemas.requests import AskedModel, Moment, PhoneNumber, WordsAsked
from duanka.api.schemas.rings import picture as drawn
from duanka.api.schemas.rings import responses as shown
from duanka.domain.authority import Permission
from duanka.domain.order import Event
from duanka.domain.ring_lookups import GraphReplaced, RingFile, RingTable, SeedName, seed_named
from duanka.ledger.lookups import LookupContext
from duanka.orders.masking import IN_FULL
from duanka.orders.ring_stops import LIKELY, RingStop, look_up_and_propose
from duanka.orders.views import BulkActionShown

router = Endpoints("rings")

_PAGE, _MOST_PAGE = 1_000, 10_000
_MOST_LISTED = 1_000  # devices and outlets of one ring
_ANY = r"^[^\x00-\x1f\x7f]+$"
_CURSOR = r"^[0-9a-f]{12}-[0-9]{1,9}$"
_AFTER = "`next` of the page before, of the same graph; without it the first page."
_MARK, _MOST_MARKS = r"^[cg][0-9]{1,9}$", 5
_Listed = Annotated[int, Query(ge=1, le=_MOST_PAGE, description="Rows of a page.")]
_After = Annotated[str | None, Query(pattern=_CURSOR, description=_AFTER)]


class SeedAsked(AskedModel):
    """What a search begins at: exactly one of a device, a card, an outlet and a ring."""

    imei: Annotated[str, Field(pattern=_ANY, max_length=64)] | None = Field(
        default=None, description="A device (终端), such as one that was seized.", examples=["86012304000001"]
    )
    phone_number: PhoneNumber | None = None
    outlet: Annotated[str, Field(pattern=_ANY, max_length=64)] | None = Field(
        default=None, description="A shop (网点), as records name it."
    )
    ring: Annotated[str, Field(pattern=r"^[Rr][0-9]{1,9}$")] | None = Field(
        default=None, description="A ring of `listRings`.", examples=["R00001"]
    )

    marks: Annotated[list[Annotated[str, Field(pattern=_MARK)]], Field(max_length=_MOST_MARKS)] = Field(
        default_factory=list,
        description="From there on to a mark of that ring's picture (`retrieveRingPicture`): a card, device or batch,"
        " whose number need not be known; and so on. Each ring on the way is a lookup.",
    )

    def seed(self) -> SeedName:
        """Return the one thing that is named. LookupRefused: none, or several."""
        named = seed_named(self.imei, self.phone_number, self.outlet, self.ring)
        return replace(named, marks=tuple(self.marks))


class RingAsked(SeedAsked, LookupBasis):
    """A ring, page by page."""

    limit: Annotated[int, Field(ge=1, le=_MOST_PAGE, description="Cards of a page.")] = _PAGE
    after: str | None = Field(default=None, pattern=_CURSOR, description=_AFTER)


class RingPictureAsked(SeedAsked, LookupBasis):
    """The picture of a ring, with all of its cards."""


class RingFileAsked(SeedAsked, LookupBasis):
    """A file of a ring, whole."""

    file: RingFile = Field(
        description="ring.html: the picture; ring.csv its cards, devices.csv, outlets.csv.",
        examples=["ring.html"],
    )


class RingStopAsked(SeedAsked, BasisAsked):
    """A stop of the cards of a ring; a second person approves it (双人复核)."""

    event: Literal[Event.BAR_OUTGOING, Event.SUSPEND, Event.PUNISH, Event.CANCEL] = Field(
        default=Event.SUSPEND, description="bar_outgoing 单停, suspend 双停, punish 惩戒, cancel 销户."
    )
    reason: WordsAsked = Field(
        description="It stays in the audit trail, of the lookup too; the holders read the policy's text for it."
    )
    certainty: float = Field(
        default=LIKELY,
        ge=LIKELY,
        le=0.99,
        description="Cards whose certainty is above this one alone (确定度).",
    )
    until: Moment | None = Field(default=None, description="Until when; for punish.")

    def stop(self) -> RingStop:
        """Return it for the order service."""
        return RingStop(Event(self.event), self.reason.words(), self.certainty, self.until)


class _Page:
    """One page of a table: its rows, and what leads to the next."""

    def __init__(self, table: RingTable, after: str | None, limit: int) -> None:
        edition, _, begun = (after or f"{table.edition}-0").partition("-")
        if edition != table.edition:
            raise GraphReplaced(
                "the graph was built anew since that page; begin again at the first page, without `after`"
            )
        end = int(begun) + limit
        self.rows = table.page(int(begun), limit)
        self.told: dict[str, object] = {
            "days": {"first_day": table.first, "last_day": table.last, "zone": table.zone},
            "total": table.rows,
            "next": f"{edition}-{end}" if end < table.rows else None,
        }


@router.endpoint(
    "POST /rings/retrieve",
    "The ring behind a device, a card or an outlet · 查询团伙",
    Permission.LOOK_UP_CONTACTS,
    fails=(404, 409),
)
def retrieve_ring(here: Here, by: access.Caller, asks: RingAsked) -> shown.FoundRingShown:
    """Who is in it, in which role, where, and why; it is a list for a person, and stops nothing.

    The audit trail has who and why before it is grown, for each page. A ring crosses operators and cities: who works
    for some of them alone may not ask. 503: too many are grown at the same time.
    """
    found = here.desk.rings.around(asks.seed(), asks.context(by), here.now)
    page = _Page(found.cards, asks.after, asks.limit)
    cards = [shown.with_reasons(row) for row in page.rows]
    if asks.unmask:
        cards = [{**card, "card": IN_FULL.number(str(card["card"]))} for card in cards]
    return shown.FoundRingShown.of(
        {
            **page.told,
            "seed": found.seed,
            "joined": found.joined,
            "at_risk": found.at_risk,
            "confirmed": found.confirmed,
            "firm": found.firm,
            "items": cards,
            "devices": [shown.with_reasons(row) for row in found.devices.page(0, _MOST_LISTED)],
            "device_total": found.devices.rows,
            "outlets": [shown.with_reasons(row) for row in found.outlets.page(0, _MOST_LISTED)],
            "outlet_total": found.outlets.rows,
        },
        IN_FULL,
    )


@router.endpoint(
    "POST /rings/retrieve-picture",
    "The picture of a ring, as data · 查询团伙全图",
    Permission.LOOK_UP_CONTACTS,
    fails=(404, 409),
    response_model=drawn.RingPictureShown,
)
def retrieve_ring_picture(here: Here, by: access.Caller, asks: RingPictureAsked) -> Response:
    """What stands where, for who draws it: at most 300 marks, and each card's place in a cluster that is opened.

    A lookup as `retrieveRing`, with the same rule, trail and masking. The same ring gives the same picture.
    """
    pictured = here.desk.rings.pictured(asks.seed(), asks.context(by), here.now)
    shown = drawn.RingPictureShown.told(pictured, asks.unmask)
    # written here: of 13,000 cards FastAPI would make Python objects again, which takes longer than the rest
    return Response(shown.model_dump_json(by_alias=True), media_type="application/json")


_TEXT = {"schema": {"type": "string"}}


@router.endpoint(
    "POST /rings/retrieve-file",
    "The page of a ring, or a table of it · 下载团伙全图或清单",
    Permission.LOOK_UP_CONTACTS,
    fails=(404, 409),
    answers={
        200: {
            "description": "The file, in UTF-8.",
            "content": dict.fromkeys(dict.fromkeys(one.media_type for one in RingFile), _TEXT),
        }
    },
    response_class=Response,
)
def retrieve_ring_file(
    here: Here, by: access.Caller, asks: RingFileAsked, language: AskedLanguage
) -> Response:
    """As `duanka links around --out` writes it: one page that loads nothing, or a table for spreadsheets.

    A lookup as `retrieveRing`, with the same rule, trail and masking. In the language of `Accept-Language`.
    """
    found = here.desk.rings.around(asks.seed(), asks.context(by), here.now)
    text = found.file(asks.file, language)
    headers = {
        "Content-Disposition": f'attachment; filename="{asks.file}"',
        "Content-Language": language,
        "Vary": "Accept-Language",
    }
    # names from records may contain lone surrogates, which must not fail the answer
    return Response(text.encode("utf-8", errors="replace"), headers=headers, media_type=asks.file.media_type)


@router.endpoint(
    "POST /rings/propose-stop",
    "Propose to stop the cards of a ring · 提出团伙停机",
    Permission.LOOK_UP_CONTACTS,
    Permission.PROPOSE_BULK_ACTION,
    fails=(404, 409, 422),
    status_code=201,
)
def propose_ring_stop(here: Here, by: access.Caller, asks: RingStopAsked) -> shown.RingStopShown:
    """It stops nothing: a second person approves the bulk action (`approveAct`), after looking at its cards.

    A lookup as `retrieveRing`, with the same rule and trail; the cards are not in the answer. 409: no card is likely
    enough, all are in a stop already, or nothing speaks against them.
    """
    reader = LookupContext(by, asks.reason.zh.strip(), asks.basis())
    desk = here.desk
    proposed = look_up_and_propose(desk.rings, desk.bulk_actions, asks.seed(), reader, asks.stop(), here.now)
    return shown.RingStopShown.of({**vars(proposed), "act": BulkActionShown.of(proposed.act)})


@router.endpoint("GET /rings", "The communities worth a look · 团伙列表", Permission.READ_RINGS, fails=(409,))
def list_rings(
    here: Here, by: access.Caller, after: _After = None, limit: _Listed = _PAGE
) -> shown.RingsShown:
    """Those with a confirmed card, or with more cards at risk than chance has; counts, and no card."""
    page = _Page(here.desk.rings.rings(by), after, limit)
    return shown.RingsShown.of({**page.told, "items": page.rows}, IN_FULL)


@router.endpoint(
    "GET /outlets", "Outlets against their peers · 网点排名", Permission.READ_RINGS, fails=(409,)
)
def list_outlets(
    here: Here, by: access.Caller, after: _After = None, limit: _Listed = _PAGE
) -> shown.OutletsShown:
    """By how far, at least, their share of cards at risk exceeds that of peers of the city and size."""
    page = _Page(here.desk.rings.outlets(by), after, limit)
    return shown.OutletsShown.of(
        {**page.told, "items": [shown.with_reasons(row) for row in page.rows]}, IN_FULL
    )


@router.endpoint(
    "GET /devices",
    "SIM boxes and other devices of many cards · 设备排名",
    Permission.READ_RINGS,
    fails=(409,),
)
def list_devices(
    here: Here, by: access.Caller, after: _After = None, limit: _Listed = _PAGE
) -> shown.DevicesShown:
    """Boxes first, then bridged phones, firms' gateways and others as what they are; numbers masked, and no card."""
    page = _Page(here.desk.rings.devices(by), after, limit)
    return shown.DevicesShown.of(
        {**page.told, "items": [shown.with_reasons(row) for row in page.rows]}, IN_FULL
    )
