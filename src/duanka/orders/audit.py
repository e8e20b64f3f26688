"""The audit trail: rows are only ever appended, and each carries a keyed hash over itself and the one before.

Who has the database but not the key cannot change, remove or reorder a row without `verify` naming the place.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from duanka.domain.order import Person
from duanka.orders.store import GENESIS, Store
from duanka.orders.tables import audit, audit_head

_AT_ONCE = 5_000


@dataclass(frozen=True)
class Entry:
    """What is to be told: `subject` is an order, a card, an act or a key; `before` and `after` what changed of it."""

    at: datetime
    by: Person
    what: str
    subject: str
    why: str = ""
    before: Mapping[str, object] = field(default_factory=dict)
    after: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """Where the trail does not hold. `seq`: the row; `what` is wrong with it."""

    seq: int
    what: str


class Trail:
    """Appends to the audit trail, and verifies it, under one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def append(self, connection: Connection, entries: Sequence[Entry]) -> None:
        """Append `entries` in the transaction of what they tell: both are there, or neither is."""
        if not entries:
            return
        head = connection.execute(select(audit_head.c.seq, audit_head.c.hash).with_for_update()).one()
        seq, last = head.seq, head.hash
        rows = []
        for entry in entries:
            seq += 1
            row = {
                "seq": seq,
                "at": entry.at,
                "who": entry.by.name,
                "role": entry.by.role.value,
                "what": entry.what,
                "subject": entry.subject,
                "why": entry.why,
                "before": _canonical(entry.before),
                "after": _canonical(entry.after),
            }
            last = row["hash"] = self._hash(row, last)
            rows.append(row)
        connection.execute(insert(audit), rows)
        connection.execute(update(audit_head).values(seq=seq, hash=last))

    def verify(self, store: Store) -> Iterator[Fault | int]:
        """Read the whole trail: yields each Fault, and now and then how many rows were read."""
        with store.reading() as connection:
            head = connection.execute(select(audit_head.c.seq, audit_head.c.hash)).one()
            expected, last = 1, GENESIS
            while (
                rows := connection.execute(
                    select(audit).where(audit.c.seq >= expected).order_by(audit.c.seq).limit(_AT_ONCE)
                )
                .mappings()
                .all()
            ):
                for row in rows:
                    if row["seq"] != expected:
                        missing = (
                            f"{expected}" if row["seq"] == expected + 1 else f"{expected} to {row['seq'] - 1}"
                        )
                        yield Fault(expected, f"missing: {missing}")
                    elif not hmac.compare_digest(self._hash(dict(row), last), row["hash"]):
                        yield Fault(row["seq"], "changed, or moved from another place")
                    # go on from what the row claims, so that one wrong row is one fault and not all that follow
                    expected, last = row["seq"] + 1, row["hash"]
                yield expected - 1
            if (head.seq, head.hash) != (expected - 1, last):
                yield Fault(expected, f"the end is missing: the trail went to {head.seq}")

    def _hash(self, row: Mapping[str, object], last: str) -> str:
        told = [last, row["seq"], _utc(row["at"]), *(row[name] for name in _TOLD)]
        return hmac.new(self._key, _canonical(told).encode(), hashlib.sha256).hexdigest()


_TOLD = ("who", "role", "what", "subject", "why", "before", "after")


def _utc(at: object) -> str:
    assert isinstance(at, datetime)  # noqa: S101  # the column's type
    return at.isoformat()


def _canonical(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
