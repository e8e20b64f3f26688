"""Rows that one person proposes, another approves, and one can remove: trusted keys, recipients of clues.

Rows are sealed, so a row that is written into the database from outside does not count.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, RowMapping, Table, insert, select, update

from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import reason_for
from duanka.domain.order import NeedsSecondPerson, NoSuchTransition, Person, UnknownOrder
from duanka.domain.person import same_person
from duanka.domain.text import WordedEnum
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.rows import new_id
from duanka.ledger.people.keys import require_still_permitted

Rows = list[RowMapping]


class ProposalState(WordedEnum):
    """Whether a row counts."""

    WAITS = "waits", "待复核"
    IN_FORCE = "in_force", "有效"
    REMOVED = "removed", "已撤销"


@dataclass(frozen=True)
class ProposalKind:
    """A table of such rows: id, name, proposed_by, proposed_at, approved_by, removed_at, seal, and `facts`.

    `facts`: its own columns; `told`: those that the trail tells. `proposed`, `approved`, `removed`: entries of the
    trail. `noun`: what it is, `listed`: the command that lists them, both for errors.
    """

    table: Table
    prefix: str
    facts: tuple[str, ...]
    told: tuple[str, ...]
    proposed: str
    approved: str
    removed: str
    noun: str
    listed: str
    may_propose: Permission
    may_approve: Permission
    may_remove: Permission


class SealedProposals:
    """Manages the rows of one kind; audits every change. `key`: for the seals."""

    def __init__(self, store: Store, trail: Trail, key: bytes, kind: ProposalKind) -> None:
        self._store, self._trail, self._key, self._kind = store, trail, key, kind

    def propose(
        self, name: str, facts: Mapping[str, str], by: Person, now: datetime, check: Callable[[Rows], None]
    ) -> str:
        """Propose a row; return its id. `check`: raises if another row that was not removed stands against it."""
        authorize(by, self._kind.may_propose)
        number = new_id(self._kind.prefix)
        row: dict[str, object] = {"id": number, "name": name, **facts}
        row |= {"proposed_by": by.id, "proposed_at": now, "approved_by": None, "removed_at": None}
        with self._store.writing() as connection:
            check([other for other in self.rows(connection) if other["removed_at"] is None])
            connection.execute(insert(self._kind.table).values(**row, seal=self._seal(row)))
            self._note(connection, by, self._kind.proposed, row, "", now)
        return number

    def approve(self, number: str, by: Person, why: str, now: datetime) -> RowMapping:
        """Approve a row. `by`: somebody else than the proposer. UnknownOrder; NoSuchTransition; NeedsSecondPerson."""
        authorize(by, self._kind.may_approve)
        with self._store.writing() as connection:
            row = self._row(connection, number)
            if row["approved_by"] or row["removed_at"]:
                raise NoSuchTransition(f"{number} waits for nobody; `{self._kind.listed}` lists them")
            if same_person(by.id, row["proposed_by"]):
                raise NeedsSecondPerson(f"{by.id} proposed {number}: somebody else must approve it")
            require_still_permitted(connection, row["proposed_by"], self._kind.may_propose)
            self._change(connection, row, by, self._kind.approved, why, now, approved_by=by.id)
            return row

    def remove(self, number: str, by: Person, why: str, now: datetime) -> None:
        """Remove a row, or reject a proposal; by id or name."""
        authorize(by, self._kind.may_remove)
        with self._store.writing() as connection:
            row = self._row(connection, number)
            if row["removed_at"] is None:
                self._change(connection, row, by, self._kind.removed, why, now, removed_at=now)

    def all(self) -> Rows:
        """The sealed rows ever proposed, oldest first."""
        with self._store.reading() as connection:
            return self.rows(connection)

    def rows(self, connection: Connection) -> Rows:
        """As `all`, in a transaction."""
        table = self._kind.table
        rows = connection.execute(select(table).order_by(table.c.proposed_at, table.c.id)).mappings().all()
        return [row for row in rows if hmac.compare_digest(row["seal"], self._seal(dict(row)))]

    def _row(self, connection: Connection, number: str) -> RowMapping:
        found = [row for row in self.rows(connection) if number in (row["id"], row["name"])]
        if not found:
            raise UnknownOrder(f"no {self._kind.noun} {number!r}; `{self._kind.listed}` names them")
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
        table = self._kind.table
        connection.execute(update(table).where(table.c.id == row["id"]).values(**to, seal=self._seal(after)))
        self._note(connection, by, what, after, why, now)

    def _note(
        self,
        connection: Connection,
        by: Person,
        what: str,
        row: Mapping[str, object],
        why: str,
        now: datetime,
    ) -> None:
        told = {name: row[name] for name in ("name", *self._kind.told)}
        entry = AuditEntry(now, by, what, str(row["id"]), why, after=told)
        self._trail.append(connection, [entry])

    def _seal(self, row: Mapping[str, object]) -> str:
        """Seal facts, proposer, approver and state of a row."""
        names = ("id", "name", *self._kind.facts, "proposed_by", "approved_by", "removed_at")
        said = "\n".join(_plain(row[name]) for name in names)
        return hmac.new(self._key, said.encode(), hashlib.sha256).hexdigest()


def state_of(row: Mapping[str, object]) -> ProposalState:
    """State of a row."""
    if row["removed_at"] is not None:
        return ProposalState.REMOVED
    return ProposalState.WAITS if row["approved_by"] is None else ProposalState.IN_FORCE


def _plain(value: object) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
