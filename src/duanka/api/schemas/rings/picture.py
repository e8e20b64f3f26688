"""The picture of a ring, as the API shows it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from duanka.api.schemas.rings.responses import FIRM_SAYS, DaysShown
from duanka.domain.ring_lookups import RingAnswer
from duanka.domain.rings import RingRole
from duanka.orders.masking import IN_FULL, View
from duanka.orders.queries.ring_queries import PicturedRing
from duanka.orders.views import WordsShown

_COLUMNS = frozenset(
    (
        *("roles", "sites", "outlets", "certainties", "joined", "at_risk", "confirmed", "seeds", "opened"),
        *(
            "first_used",
            "last_used",
            "supply",
            "supply_x",
            "supply_y",
            "place",
            "place_x",
            "place_y",
            "reason",
            "by",
        ),
    )
)
_KIND = "A link kind (`linkKinds` of the vocabulary), or a role of people."


class FrameShown(View):
    """A rectangle of the picture."""

    x: float
    y: float
    width: float
    height: float


class CardBlockShown(View):
    """Cards of one node of an opened cluster."""

    node: str = Field(description="Empty: those of none.")
    y: float = Field(description="Where its name stands, from the top of the frame.")
    cards: int


class RingClusterShown(FrameShown):
    """An outlet, a site, the drawer, or all others together."""

    id: str
    column: Literal["supply", "places"]
    kind: Literal["outlet", "other_outlets", "site", "other_sites", "drawer", "elsewhere"]
    label: str
    cards: int
    many: int = Field(description="Outlets, sites or cities that it stands for.")
    city: str
    lower_bound: float | None = Field(description="Of an outlet: how many times its peers, at least.")
    open_height: float = Field(description="Its height when it is opened to its cards.")
    blocks: list[CardBlockShown]


class RingNodeShown(View):
    """A mark: a batch, a device, a person, a document or what else ties cards."""

    OURS = View.OURS | {"members"}

    id: str = Field(description="`marks` of a lookup takes those of c and g.", examples=["g12"])
    cluster: str = Field(description="Empty: it stands in none.")
    kind: str = Field(description=_KIND)
    label: str
    cards: int
    merged: int = Field(description="How many groups or people it stands for; 0: it is one.")
    certainty: float = Field(ge=0, le=1)
    seed: bool = Field(description="The search began here.")
    x: float
    y: float
    size: float = Field(description="Half of its width.")
    named: bool = Field(description="There is room for its name.")
    members: list[int] = Field(description="Its cards, by their place in `cards`.")


class RingTiesShown(FrameShown):
    """A block of what else ties cards."""

    kind: str = Field(description=_KIND)
    groups: int
    cards: int


class RoleHeadingShown(View):
    """Where the people of a role begin."""

    role: RingRole
    y: float


class RingBandShown(View):
    """Cards on their way from an outlet to where they are used."""

    one: str
    other: str
    cards: int
    y: float
    other_y: float
    height: float


class RingLineShown(View):
    """Contact of a person with a place or another person."""

    one: str
    other: str
    cards: int = Field(description="Cards of the place; of two people, calls and messages.")


class RingCardsShown(View):
    """Every card, as columns of equal length, the most certain first. Days: since the first one, null: not known."""

    # Masked before, as what `retrieveRing` shows; looking for numbers in 13,000 rows once more takes a second.
    OURS = View.OURS | {"phone_numbers", "order_ids", *_COLUMNS}

    phone_numbers: list[str] = Field(description="Masked unless asked for in full.")
    order_ids: list[str] = Field(
        description="The latest order (工单), by which a card is opened; empty: none, or you may read none."
    )
    roles: list[RingRole]
    sites: list[str]
    outlets: list[str]
    certainties: list[float]
    joined: list[bool]
    at_risk: list[bool]
    confirmed: list[bool]
    seeds: list[bool]
    opened: list[int | None]
    first_used: list[int | None]
    last_used: list[int | None]
    supply: list[str] = Field(description="The cluster that it comes from; empty: of people.")
    supply_x: list[float | None] = Field(description="Its place within the opened cluster.")
    supply_y: list[float | None]
    place: list[str] = Field(description="The cluster where it is; empty: of people.")
    place_x: list[float | None]
    place_y: list[float | None]
    reasons: list[WordsShown] = Field(description="`{card}` stands for the card of `by`.")
    reason: list[int] = Field(description="By its place in `reasons`.")
    by: list[str] = Field(description="The card that brought it in; empty: none.")


class RingPictureShown(View):
    """The picture: supply left, places in the middle, people right, other ties below."""

    seed: str = Field(description="What the search began at.", examples=["R00001"])
    days: DaysShown
    joined: int = Field(description="Cards that the evidence carries.")
    at_risk: int = Field(description="Of these, cards against which rules speak.")
    confirmed: int = Field(description="Of these, cards that the police confirmed (涉案).")
    firm: bool = Field(description=FIRM_SAYS)
    width: float
    height: float
    upper: float = Field(description="Where the columns end, and other ties begin.")
    marks: int = Field(description="Clusters and nodes; 300 at most.")
    clusters: list[RingClusterShown]
    nodes: list[RingNodeShown]
    ties: list[RingTiesShown]
    headings: list[RoleHeadingShown]
    bands: list[RingBandShown]
    minding: list[RingLineShown]
    among_people: list[RingLineShown]
    cards: RingCardsShown

    @classmethod
    def told(cls, pictured: PicturedRing[RingAnswer], unmasked: bool) -> RingPictureShown:
        """Return it; masked already, unless `unmasked`."""
        ring = pictured.ring
        facts = dict(ring.drawn())
        cards = {**dict(facts["cards"]), "order_ids": pictured.orders}  # type: ignore[call-overload]
        if unmasked:
            cards["phone_numbers"] = [IN_FULL.number(number) for number in cards["phone_numbers"]]
        days = {"first_day": ring.cards.first, "last_day": ring.cards.last, "zone": ring.cards.zone}
        counts = {name: getattr(ring, name) for name in ("seed", "joined", "at_risk", "confirmed", "firm")}
        return cls.of({**facts, **counts, "days": days, "cards": cards}, IN_FULL)
