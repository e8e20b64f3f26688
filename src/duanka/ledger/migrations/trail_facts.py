"""Facts from the audit trail before an upgrade, from rows with a valid hash only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, column, inspect, table

from duanka.domain.person import SYSTEM, Role
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import BROKEN, Trail, audit_rows
from duanka.ledger.db.columns import UtcMicroseconds
from duanka.ledger.db.installation import GENESIS

_MAX_FAULTS_NAMED = 5
_NAMES = ("seq", "who", "role", "what", "subject", "why", "before", "after", "hash")
# events by which staff take part in the outcome of an order
_HELPS = ("verification.begin", "verification.submit", "objection.accept", "link.make")
_STAFF = (Role.DESK.value, Role.SUPERVISOR.value)


@dataclass
class TrailFacts:
    """Facts from the audit trail of a database to upgrade.

    `told`: label of a row -> last digest. `keys`: id of an issued, unrevoked key -> owner and role;
    `revoked`: ids of revoked keys. `openers`: order id -> who opened it, and role; `helpers`: order id ->
    staff who took part. `ids`: name of a key owner in release 0.1.0 -> person id, filled by the step that
    creates persons. `said`: messages for people. `at`: time of the upgrade.
    """

    at: datetime
    rows: int = 0
    first_hash: str = ""
    faults: list[str] = field(default_factory=list)
    told: dict[str, str] = field(default_factory=dict)
    keys: dict[str, tuple[str, str]] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    openers: dict[str, tuple[str, str]] = field(default_factory=dict)
    helpers: dict[str, list[str]] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    said: list[BilingualText] = field(default_factory=list)
    has_rows_of_ours: bool = False

    def id_of(self, who: str, role: str) -> str:
        """Return the present id of somebody named in the trail."""
        return SYSTEM.id if role == Role.SYSTEM.value else self.ids.get(who, who)


def read_trail(connection: Connection, trail: Trail, now: datetime) -> TrailFacts:
    """Read and verify the trail of any version; other tables are not compared with it."""
    facts, end = TrailFacts(now), (0, GENESIS)
    for row, expected, ours in trail.walk(_rows(connection)):
        if row["seq"] != expected:
            _fault(facts, f"row {expected} is missing")
        if ours:
            facts.has_rows_of_ours = True
            _take(facts, row)
        else:
            _fault(facts, f"row {row['seq']} was changed, or is under another secret")
        if row["what"] == BROKEN:
            _fault(facts, f"before row {row['seq']} the end was changed")
        facts.first_hash = facts.first_hash or row["hash"]
        end = row["seq"], row["hash"]
    facts.rows = end[0]
    head = trail.head(connection)
    if (head.seq, head.hash) != end or not trail.is_sealed(head):
        _fault(facts, "its end was changed")
    return facts


def _fault(facts: TrailFacts, what: str) -> None:
    if len(facts.faults) < _MAX_FAULTS_NAMED:
        facts.faults.append(what)


def _rows(connection: Connection) -> Iterator[dict[str, Any]]:
    there = {one["name"] for one in inspect(connection).get_columns("audit")}
    names = [*_NAMES, *({"digests"} & there)]
    audit = table("audit", *map(column, names), column("at", UtcMicroseconds))
    return ({"digests": "", **row} for row in audit_rows(connection, audit, after=0))


def _take(facts: TrailFacts, row: Mapping[str, Any]) -> None:
    what, subject = row["what"], row["subject"]
    if row["digests"]:
        facts.told |= json.loads(row["digests"])
    kind, _, event = what.partition(".")
    if event == "open":
        facts.openers[subject] = row["who"], row["role"]
    elif what in _HELPS and row["role"] in _STAFF:
        helpers = facts.helpers.setdefault(subject, [])
        helpers += [] if row["who"] in helpers else [row["who"]]
    elif what == "key.add":
        told = json.loads(row["after"])
        facts.keys[subject] = told["person"], told["role"]
    elif what in ("key.revoke", "key.kept"):
        facts.keys.pop(subject, None)
        facts.revoked.add(subject)
    elif kind in ("person", "key"):
        told = json.loads(row["after"])
        if isinstance(number := told.get("key"), str):
            facts.keys[number] = subject, ""
