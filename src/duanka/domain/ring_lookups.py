"""Lookups of rings: what a search begins at, and what answers it. Command line and API ask alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Protocol, Self, TypeVar

from duanka.domain.device_id import identity_of
from duanka.domain.errors import DuankaError
from duanka.domain.phone_number import identity
from duanka.domain.record_lookups import LookupRefused
from duanka.domain.text import Language


class NotLinked(DuankaError):
    """What was named is not in the graph, or nothing is linked to it."""


class TooManyRings(DuankaError):
    """As many rings are grown at the same time as may be; a moment later there is room."""


class GraphReplaced(LookupRefused):
    """A page of an answer was asked for whose graph is gone: a newer one took its place."""


class RingFile(StrEnum):
    """The files of a ring; docs/LINKS.md has their columns."""

    PAGE = "ring.html"
    CARDS = "ring.csv"
    DEVICES = "devices.csv"
    OUTLETS = "outlets.csv"

    @property
    def media_type(self) -> str:
        """What it is: a page, or a table."""
        return "text/html" if self is RingFile.PAGE else "text/csv"


@dataclass(frozen=True)
class SeedName:
    """What a person named to begin at. `kind`: device, card, outlet or ring; `text`: as records have it.

    `marks`: from its ring on to a mark of that ring's picture, whose number need not be known, and so on.
    """

    kind: str
    text: str
    marks: tuple[str, ...] = ()


def seed_named(
    imei: str | None = None, card: str | None = None, outlet: str | None = None, ring: str | None = None
) -> SeedName:
    """The one thing that is given. LookupRefused: none, or several. MalformedDevice: an IMEI with a wrong digit."""
    texts = {
        "device": identity_of(imei or ""),
        "card": identity(card or ""),
        "outlet": (outlet or "").strip(),
    }
    texts["ring"] = _ring_id((ring or "").strip())
    given = [SeedName(kind, text) for kind, text in texts.items() if text]
    if len(given) != 1:
        raise LookupRefused(
            "a search begins at one thing: give one of --imei, --card, --outlet and --ring (HTTP: imei, phoneNumber,"
            " outlet, ring)"
        )
    return given[0]


def _ring_id(text: str) -> str:
    """A ring as the list names it: r3 is R00003; any other text stays."""
    digits = text[1:]
    return f"R{digits:0>5}" if text[:1] in ("r", "R") and digits.isascii() and digits.isdigit() else text


class RingTable(Protocol):
    """Rows for people who ask page by page; of two pages with one `edition` the graph is the same."""

    @property
    def edition(self) -> str:
        """Of the graph."""

    @property
    def first(self) -> date:
        """First day of the records."""

    @property
    def last(self) -> date:
        """Last day of the records."""

    @property
    def zone(self) -> str:
        """Time zone of the records."""

    @property
    def rows(self) -> int:
        """Of the whole table."""

    def page(self, begin: int, limit: int) -> Sequence[Mapping[str, object]]:
        """Rows from `begin` on, `limit` at most, by column."""

    def masked(self) -> Self:
        """The same with devices masked, of a table that names them."""


class RingAnswer(Protocol):
    """A ring that was looked up."""

    @property
    def seed(self) -> str:
        """What the search began at."""

    @property
    def joined(self) -> int:
        """Cards that the evidence carries."""

    @property
    def at_risk(self) -> int:
        """Of these, cards against which rules speak."""

    @property
    def confirmed(self) -> int:
        """Of these, cards that the police confirmed."""

    @property
    def firm(self) -> bool:
        """Whether these are an organisation's and are called back: its gateway or its desks, and no gang's box."""

    @property
    def cards(self) -> RingTable:
        """card, role, site, certainty, joined, reason_zh, reason_en."""

    @property
    def devices(self) -> RingTable:
        """imei, cards (of the ring), site, role, reason_zh, reason_en."""

    @property
    def outlets(self) -> RingTable:
        """outlet, cards (of the ring), expected, lift, lower_bound, reason_zh, reason_en."""

    def masked(self) -> Self:
        """The same with numbers and devices masked, as people see them who do not call them."""

    def file(self, which: RingFile, language: Language) -> str:
        """The text of one of its files. TooManyRings."""

    def drawn(self) -> Mapping[str, object]:
        """Its picture as data, as `links.page.drawn` has it. TooManyRings."""

    def seed_at(self, mark: str) -> SeedName:
        """What a mark of its picture stands for, to begin at; of a ring in full. NotLinked: it leads nowhere."""

    def picture(self, language: Language) -> str:
        """Its picture as an SVG file of its own, for documents. TooManyRings."""


Answer_co = TypeVar("Answer_co", bound=RingAnswer, covariant=True)
Table_co = TypeVar("Table_co", bound=RingTable, covariant=True)


class RingSource(Protocol[Answer_co, Table_co]):
    """A graph that answers; `bootstrap.links` implements it. Each raises DuankaError: the graph is damaged."""

    def around(self, named: SeedName) -> Answer_co:
        """The ring behind what was named. NotLinked; TooManyRings."""

    def rings(self) -> Table_co:
        """The communities worth a look, the worst first."""

    def outlets(self) -> Table_co:
        """All outlets, by the lower bound on their lift over their peers."""

    def devices(self) -> Table_co:
        """Devices that are no ordinary phones, boxes first; numbers in full."""
