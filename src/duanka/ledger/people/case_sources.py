"""Sources of police cases: trusted public keys; one person proposes, one approves.

One supervisor can remove a source. Rows are sealed, so a row that is written into the database from outside does not
count.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, RowMapping, insert, select, update

from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import reason_for
from duanka.domain.case_source import KEY_BYTES, CaseSource
from duanka.domain.order import NeedsSecondPerson, NoSuchTransition, OrderError, Person, UnknownOrder
from duanka.domain.person import same_person
from duanka.domain.text import WordedEnum
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.rows import new_id
from duanka.ledger.db.tables_people import case_sources
from duanka.ledger.people.kept_people import KeptPeople
from duanka.ledger.people.keys import require_still_permitted

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,31}")


class SourceState(WordedEnum):
    """Whether the signature of a source counts."""

    WAITS = "waits", "待复核"
    IN_FORCE = "in_force", "有效"
    REMOVED = "removed", "已撤销"


@dataclass(frozen=True)
class ListedSource:
    """A source with its proposer and end. `approved_by` None: pending, does not count."""

    id: str
    source: CaseSource
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None
    removed_at: datetime | None

    @property
    def in_force(self) -> bool:
        """Whether its signature counts."""
        return self.state is SourceState.IN_FORCE

    @property
    def state(self) -> SourceState:
        """State of the source."""
        if self.removed_at is not None:
            return SourceState.REMOVED
        return SourceState.WAITS if self.approved_by is None else SourceState.IN_FORCE


class CaseSources:
    """Manages the sources of an order database; audits every change.

    `key`: for the rows' seals. `kept`: state kept outside of the database; None: none.
    """

    def __init__(self, store: Store, trail: Trail, key: bytes, kept: KeptPeople | None = None) -> None:
        self._store, self._trail, self._key, self._kept_people = store, trail, key, kept

    def propose(self, name: str, public_key: bytes, by: Person, now: datetime) -> str:
        """Propose a source; return its id. OrderError: bad name or key, or either exists."""
        authorize(by, Permission.PROPOSE_CASE_SOURCE)
        if not _NAME.fullmatch(name):
            raise OrderError(
                f"{name[:40]!r} is no name of a source: write 2 to 32 of a-z, 0-9, '.', '_' and '-'"
            )
        if len(public_key) != KEY_BYTES:
            raise OrderError(f"a public key of Ed25519 has {KEY_BYTES} bytes, not {len(public_key)}")
        number = new_id("S")
        row: dict[str, object] = {"id": number, "name": name, "public_key": public_key.hex()}
        row |= {"proposed_by": by.id, "proposed_at": now, "approved_by": None, "removed_at": None}
        with self._store.writing() as connection:
            for other in self._rows(connection):
                if other["removed_at"] is None and (name, public_key.hex()) in (
                    (other["name"], public_key.hex()),
                    (name, other["public_key"]),
                ):
                    raise OrderError(
                        f"{other['name']} has that name or key already ({other['id']}); remove it first"
                    )
            connection.execute(insert(case_sources).values(**row, seal=self._seal(row)))
            self._note(connection, by, "case_source.propose", row, "", now)
        return number

    def approve(self, number: str, by: Person, why: str, now: datetime) -> CaseSource:
        """Approve a source. `by`: a supervisor other than the proposer."""
        authorize(by, Permission.APPROVE_CASE_SOURCE)
        with self._store.writing() as connection:
            row = self._row(connection, number)
            if row["approved_by"] or row["removed_at"]:
                raise NoSuchTransition(f"{number} waits for nobody; `duanka keys sources` lists them")
            if same_person(by.id, row["proposed_by"]):
                raise NeedsSecondPerson(f"{by.id} proposed {number}: somebody else must approve it")
            require_still_permitted(connection, row["proposed_by"], Permission.PROPOSE_CASE_SOURCE)
            self._change(connection, row, by, "case_source.approve", why, now, approved_by=by.id)
            return _source(row)

    def remove(self, number: str, by: Person, why: str, now: datetime) -> None:
        """Remove a source, or reject a proposal; by id or name."""
        authorize(by, Permission.REMOVE_CASE_SOURCE)
        with self._store.writing() as connection:
            row = self._row(connection, number)
            if row["removed_at"] is None:
                self._change(connection, row, by, "case_source.remove", why, now, removed_at=now)
        if self._kept_people:
            self._kept_people.keep_at_once(now)

    def listed(self, by: Person) -> Sequence[ListedSource]:
        """List all sources ever proposed, oldest first."""
        authorize(by, Permission.LIST_CASE_SOURCES)
        with self._store.reading() as connection:
            return [_listed(row) for row in self._rows(connection)]

    def in_force(self) -> tuple[CaseSource, ...]:
        """Return the sources whose signature counts."""
        with self._store.reading() as connection:
            listed = [_listed(row) for row in self._rows(connection)]
        # a row from before the removal, put back from a backup or by hand, has a valid seal, too
        removed = self._kept_people.removed() if self._kept_people else frozenset()
        return tuple(one.source for one in listed if one.in_force and one.id not in removed)

    def removed(self, connection: Connection) -> frozenset[str]:
        """Return the ids of the removed sources."""
        return frozenset(row["id"] for row in self._rows(connection) if row["removed_at"])

    def _rows(self, connection: Connection) -> list[RowMapping]:
        """Return the sealed rows."""
        query = select(case_sources).order_by(case_sources.c.proposed_at, case_sources.c.id)
        rows = connection.execute(query).mappings().all()
        return [row for row in rows if hmac.compare_digest(row["seal"], self._seal(dict(row)))]

    def _row(self, connection: Connection, number: str) -> RowMapping:
        found = [row for row in self._rows(connection) if number in (row["id"], row["name"])]
        if not found:
            raise UnknownOrder(f"no source {number!r}; `duanka keys sources` names them")
        return next((row for row in found if row["removed_at"] is None), found[-1])

    def _change(
        self,
        connection: Connection,
        row: RowMapping,
        by: Person,
        what: str,
        why: str,
        now: datetime,
        **to: object,
    ) -> None:
        why = reason_for(why)
        after: dict[str, object] = {**row, **to}
        mine = update(case_sources).where(case_sources.c.id == row["id"])
        connection.execute(mine.values(**to, seal=self._seal(after)))
        self._note(connection, by, what, after, why, now)

    def _note(
        self, connection: Connection, by: Person, what: str, row: dict[str, object], why: str, now: datetime
    ) -> None:
        told = {"name": row["name"], "public_key": row["public_key"]}
        self._trail.append(connection, [AuditEntry(now, by, what, str(row["id"]), why, after=told)])

    def _seal(self, row: dict[str, object]) -> str:
        """Seal proposer, approver and state of a row."""
        names = ("id", "name", "public_key", "proposed_by", "approved_by", "removed_at")
        said = "\n".join(_plain(row[name]) for name in names)
        return hmac.new(self._key, said.encode(), hashlib.sha256).hexdigest()


def _plain(value: object) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def _source(row: RowMapping) -> CaseSource:
    return CaseSource(row["name"], bytes.fromhex(row["public_key"]))


def _listed(row: RowMapping) -> ListedSource:
    facts = ("proposed_by", "proposed_at", "approved_by", "removed_at")
    return ListedSource(row["id"], _source(row), *(row[name] for name in facts))
