"""The canonical tables, on which every rule, rollup and report relies.

Times are local to the operator (default Asia/Shanghai), naive, with microseconds. A card is an E.164 number
as text without `+`, or opaque text where an operator delivers pseudonyms. Empty means unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from duanka.domain.fraud_kind import FraudKind


class ColumnKind(StrEnum):
    """Type of a column: how its text is parsed and checked."""

    NUMBER = "number"  # E.164 without +, a short code, or opaque text
    TEXT = "text"
    TIME = "time"  # local, naive, microseconds
    DAY = "day"
    COUNT = "count"  # integer, not negative
    FLAG = "flag"  # true or false
    CHOICE = "choice"
    HOLDER = "holder"  # keyed hash of a document number, never the number
    IMEI = "imei"  # the 14 digits of a device, or opaque text


@dataclass(frozen=True)
class Column:
    """A canonical column. `required`: of every source; `may_be_unknown`: values may be empty even so.

    `keyed`: in records on disk, a record key (see domain/record_keys.py) stands for its text.
    """

    name: str
    kind: ColumnKind
    meaning: str
    unit: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    may_be_unknown: bool = False
    keyed: bool = False

    @property
    def device(self) -> bool:
        """Whether it holds devices."""
        return self.kind is ColumnKind.IMEI


@dataclass(frozen=True)
class Table:
    """A canonical table. `time`: its event-time column; None for a register."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    time: str | None = None
    record: bool = False  # usage records, not a register

    def column(self, name: str) -> Column:
        """Return the column `name`; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that every source needs."""
        return tuple(c.name for c in self.columns if c.required)


def _number(name: str, meaning: str, *, required: bool = False) -> Column:
    return Column(name, ColumnKind.NUMBER, meaning, "E.164 without +", required, keyed=True)


_CARD = _number("card", "the subscriber's number", required=True)
_PEER = Column(
    "peer",
    ColumnKind.NUMBER,
    "the other party; short codes and service numbers as they stand, empty where it is withheld",
    "E.164 without +",
    required=True,
    may_be_unknown=True,
    keyed=True,
)
_DIRECTION = Column(
    "direction", ColumnKind.CHOICE, "seen from the card", required=True, choices=("out", "in")
)
_IMEI = Column("imei", ColumnKind.IMEI, "device the card sat in", "14 digits", keyed=True)
_CELL = Column("cell", ColumnKind.TEXT, "serving cell", keyed=True)
_CITY = Column("city", ColumnKind.TEXT, "where the card was seen", "six-digit administrative code")


def _time(name: str, meaning: str, *, required: bool = True) -> Column:
    return Column(name, ColumnKind.TIME, meaning, "local time", required)


CARDS = Table(
    "cards",
    "the register of cards: one row per card",
    (
        _CARD,
        Column("imsi", ColumnKind.TEXT, "subscriber identity on the card", "15 digits"),
        Column("iccid", ColumnKind.TEXT, "serial number of the card"),
        Column("holder", ColumnKind.HOLDER, "keyed hash of the document number"),
        Column("holder_kind", ColumnKind.CHOICE, "who holds it", choices=("person", "organisation")),
        Column("operator", ColumnKind.TEXT, "network operator"),
        Column("virtual_operator", ColumnKind.FLAG, "sold by a resale operator"),
        Column("kind", ColumnKind.CHOICE, "a card for people or for machines", choices=("voice", "iot")),
        _time("opened_at", "when the card was opened", required=False),
        Column("outlet", ColumnKind.TEXT, "shop that opened it"),
        Column("home_city", ColumnKind.TEXT, "where it was opened", "six-digit administrative code"),
        _time("last_used_at", "last use before the records begin; opened_at when never used", required=False),
        _time("verified_at", "last real-person verification", required=False),
        Column("bound_imei", ColumnKind.IMEI, "the device an IoT card is bound to", "14 digits", keyed=True),
        Column(
            "age_band",
            ColumnKind.TEXT,
            "age of the holder: 0-17, 18-29, 30-44, 45-59 or 60+; other text is kept and counts as unknown",
            "years",
        ),
    ),
)

CALLS = Table(
    "calls",
    "one row per call and own card; a call between two own cards gives two",
    (
        _CARD,
        _PEER,
        _DIRECTION,
        _time("started_at", "start of the call"),
        Column("seconds", ColumnKind.COUNT, "talking time, 0 when not answered", "s"),
        Column("answered", ColumnKind.FLAG, "the called party answered"),
        _IMEI,
        _CELL,
        _CITY,
        _number("forwarded_from", "number that forwarded the call here"),
    ),
    time="started_at",
    record=True,
)

MESSAGES = Table(
    "messages",
    "one row per short message and own card",
    (_CARD, _PEER, _DIRECTION, _time("sent_at", "when it was sent"), _IMEI, _CELL, _CITY),
    time="sent_at",
    record=True,
)

SIGHTINGS = Table(
    "sightings",
    "attach and location update: the card showed itself to the network",
    (_CARD, _time("seen_at", "when it was seen"), _IMEI, _CELL, _CITY),
    time="seen_at",
    record=True,
)

DATA_DAYS = Table(
    "data_days",
    "mobile data by card and day",
    (
        _CARD,
        Column("day", ColumnKind.DAY, "local day", required=True),
        Column("bytes", ColumnKind.COUNT, "up and down", "bytes", required=True),
    ),
    time="day",
    record=True,
)

INDICATOR_KINDS = ("host", "number", "account")

ACCOUNTS = Table(
    "accounts",
    "internet accounts bound to a card",
    (
        _CARD,
        Column("platform", ColumnKind.TEXT, "platform", required=True),
        Column("account", ColumnKind.TEXT, "account on the platform", required=True),
        _time("bound_at", "when it was bound", required=False),
    ),
    time="bound_at",
)

COMPLAINTS = Table(
    "complaints",
    "verified complaints about a card",
    (
        _CARD,
        _time("reported_at", "when it was reported"),
        Column("channel", ColumnKind.TEXT, "where it was reported, for example 12321"),
        Column("category", ColumnKind.TEXT, "what it was about"),
        Column(
            "indicator_kind",
            ColumnKind.CHOICE,
            "what the fraud asked its victim to use; a complaint that names several stands in several rows",
            choices=INDICATOR_KINDS,
        ),
        Column(
            "indicator",
            ColumnKind.TEXT,
            "the host, the number or the account that the complaint names, as it was reported",
        ),
    ),
    time="reported_at",
)

CASES = Table(
    "cases",
    "cards that the police confirmed in a case (涉案); never what a model says (高风险)",
    (
        _CARD,
        Column("case_id", ColumnKind.TEXT, "the police's number of the case", required=True),
        _time("confirmed_at", "when the police confirmed it"),
        Column("source", ColumnKind.TEXT, "who confirmed it"),
        Column(
            "signed_by",
            ColumnKind.TEXT,
            "whose signature the file bears; written by intake, whatever the file says",
        ),
        Column(
            "fraud_kind",
            ColumnKind.TEXT,
            f"the police's kind of fraud: {', '.join(FraudKind)}, or its Chinese name; other text is kept and counts as"
            " unknown",
        ),
    ),
    time="confirmed_at",
)

OUTLETS = Table(
    "outlets",
    "shops that open cards",
    (
        Column("outlet", ColumnKind.TEXT, "the shop", required=True),
        Column("name", ColumnKind.TEXT, "its name"),
        Column("city", ColumnKind.TEXT, "where it is", "six-digit administrative code"),
        Column("operator", ColumnKind.TEXT, "whose cards it opens"),
    ),
)

RINGS = Table(
    "rings",
    "what `duanka links` found of a card: the ring that it is linked to; one row per card",
    (
        _CARD,
        Column("ring", ColumnKind.TEXT, "the ring; its id stays from night to night", required=True),
        Column(
            "certainty",
            ColumnKind.COUNT,
            "how sure it is that the card is the ring's; 0: no longer",
            "percent",
            required=True,
        ),
        _time("since", "when the card was first found there"),
    ),
    time="since",
)

OUTLET_BATCHES = Table(
    "outlet_batches",
    "what `duanka links` found of outlets: cards opened together at one that stands out, hardly used since; one row per"
    " card",
    (
        _CARD,
        Column("outlet", ColumnKind.TEXT, "the outlet that opened it", required=True),
        Column(
            "lift",
            ColumnKind.COUNT,
            "how many times its peers, at least, the outlet's new cards end up at risk; 0: no longer",
            "times",
            required=True,
        ),
        Column(
            "together",
            ColumnKind.COUNT,
            "cards opened one after another, this one too",
            "cards",
            required=True,
        ),
        _time("since", "when the card was first found there"),
    ),
    time="since",
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        *(CARDS, CALLS, MESSAGES, SIGHTINGS, DATA_DAYS, ACCOUNTS, COMPLAINTS, CASES, OUTLETS),
        *(RINGS, OUTLET_BATCHES),
    )
}

# Registers with one row a card or outlet -> its column. A later row replaces the earlier one.
REGISTER_KEYS = {"cards": "card", "outlets": "outlet", "rings": "card", "outlet_batches": "card"}

RECORD_TABLES = tuple(name for name, table in TABLES.items() if table.record)

# Names of columns that hold record keys, in any table.
KEYED = frozenset(column.name for table in TABLES.values() for column in table.columns if column.keyed)
