"""Lookups in the store of records: what a card did, and who was in contact with whom.

Times are local to the operator and naive, as in `domain.schema`; `until` is exclusive.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from duanka.domain.errors import DuankaError
from duanka.domain.text import WordedEnum

MOST_DAYS = 180  # of a card's records at once: as long as raw records are kept by default
MOST_HOURS = 720  # of contacts at once
MOST_NUMBERS = 1_000  # whose contacts are looked up at once
MOST_LETTERS = 64  # of the number of a case, order or police notice, or of a telephone number
MOST_ROWS = 200_000  # of one answer, so that it fits in memory; more is an error, never a silent cut


class LookupRefused(DuankaError):
    """The store answers no lookups, or not this one."""


class NoStore(LookupRefused):
    """The folder is not there, or holds no store."""


class Usage(WordedEnum):
    """What a record tells; also the name of its table."""

    CALLS = "calls", "通话", "call"
    MESSAGES = "messages", "短信", "message"
    SIGHTINGS = "sightings", "位置", "sighting"
    DATA_DAYS = "data_days", "流量", "data"


class AttachedTo(StrEnum):
    """Which order database's people may look records up in a store; words of the audit trail."""

    THIS = "this order database"
    ANOTHER = "another order database"
    NONE = "no order database"


class BasisKind(WordedEnum):
    """On what a person looks somebody up."""

    CASE = "case", "案件", "case"
    ORDER = "order", "工单", "order"
    POLICE_NOTICE = "police_notice", "公安机关通知", "police notice"


@dataclass(frozen=True)
class Basis:
    """The case, order or police notice of a lookup; `number` stays in the audit trail."""

    kind: BasisKind
    number: str


def basis_of(case: str | None, order: str | None, police_notice: str | None) -> Basis:
    """Return the one basis that is named. LookupRefused: none, several, or not a number of one."""
    named = dict(zip(BasisKind, (case, order, police_notice), strict=True))
    given = [Basis(kind, number.strip()) for kind, number in named.items() if number and number.strip()]
    if len(given) != 1:
        raise LookupRefused(
            "a lookup is about one case, order or police notice: give one of --case, --order and --police-notice"
            " (HTTP: caseNumber, orderId, policeNotice); its number stays in the audit trail"
        )
    if len(given[0].number) > MOST_LETTERS or not given[0].number.isprintable():
        raise LookupRefused(f"the number of a {given[0].kind.words.en} has 1 to {MOST_LETTERS} letters")
    return given[0]


def bounded_count(value: int, most: int, option: str) -> int:
    """Return `value`. LookupRefused: it is not 1 to `most`."""
    if not 1 <= value <= most:
        raise LookupRefused(f"{option} is 1 to {most:,}, not {value:,}; ask several times for more")
    return value


@dataclass(frozen=True)
class CardRecord:
    """One record of a card; None: unknown, or the table has no such column.

    `at`: start of a call, midnight of a data day. `direction`: out or in, seen from the card. `seconds`: talking
    time; `bytes`: up and down. `imei`, `cell`, `city`: as in `domain.schema`.
    """

    usage: Usage
    at: datetime
    direction: str | None = None
    peer: str | None = None
    seconds: int | None = None
    answered: bool | None = None
    bytes: int | None = None
    imei: str | None = None
    cell: str | None = None
    city: str | None = None
    forwarded_from: str | None = None


@dataclass(frozen=True)
class Contact:
    """Calls and messages between `number`, which was asked for, and `other` (None: withheld).

    `calls_out`: from `number` to `other`. What stands in the records of both is counted once.
    """

    number: str
    other: str | None
    calls_out: int
    calls_in: int
    messages_out: int
    messages_in: int
    first: datetime
    last: datetime

    @property
    def total(self) -> int:
        """Calls and messages, both ways."""
        return self.calls_out + self.calls_in + self.messages_out + self.messages_in


@dataclass(frozen=True)
class TableStatus:
    """Records of one table. `first`, `last`: days; None: no records. `repeated`, `late`: were not added."""

    table: str
    records: int = 0
    days: int = 0
    first: date | None = None
    last: date | None = None
    last_event: datetime | None = None
    repeated: int = 0
    late: int = 0


@dataclass(frozen=True)
class KeptStatus:
    """How long something is kept. `days`: None: for good so far; `since`: nothing before it is kept."""

    days: int | None = None
    since: date | None = None


@dataclass(frozen=True)
class StoreStatus:
    """What a store holds, without any card.

    `days`: with records of any table, in order. `bytes`: kind of file -> bytes. `kept`: records, rollups, refusals.
    `committed_at`: local time of the last commit; None: nothing was committed yet.
    """

    version: int
    zone: str
    generation: int
    committed_at: datetime | None
    tables: tuple[TableStatus, ...]
    days: tuple[date, ...]
    bytes: Mapping[str, int]
    delivered: int
    last_delivered_at: datetime | None = None
    kept: Mapping[str, KeptStatus] = field(default_factory=dict)

    def last_day(self, moment: datetime) -> date | None:
        """The last day with records that is not after `moment`, as days of a wrong clock may be; None: none."""
        return max((day for day in self.days if day <= moment.date()), default=None)


class RecordLookups(Protocol):
    """Finds records in a store; `engine.store.reading.lookups` implements it."""

    def records_of(self, card: str, since: datetime, until: datetime) -> Sequence[CardRecord]:
        """All records of a card, in order of time. LookupRefused: more than MOST_ROWS."""

    def contacts_of(self, numbers: Collection[str], since: datetime, until: datetime) -> Sequence[Contact]:
        """Contacts of `numbers`, ours or foreign: by number, the most frequent first. LookupRefused."""

    def places_of(self, cards: Collection[str]) -> Mapping[str, tuple[str, str]]:
        """Operator and home city of cards in the register; "" if unknown. Others are absent."""

    def status(self) -> StoreStatus:
        """What the store holds."""
