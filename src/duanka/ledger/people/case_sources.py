"""Sources of police cases: trusted public keys; one person proposes, one approves.

One supervisor can remove a source.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping

from duanka.domain.authority import Permission, authorize
from duanka.domain.case_source import KEY_BYTES, CaseSource
from duanka.domain.order import OrderError, Person
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables_people import case_sources
from duanka.ledger.people.kept_people import KeptPeople
from duanka.ledger.people.sealed_proposals import ProposalKind, ProposalState, Rows, SealedProposals, state_of

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,31}")
_KIND = ProposalKind(
    case_sources,
    "S",
    facts=("public_key",),
    told=("public_key",),
    proposed="case_source.propose",
    approved="case_source.approve",
    removed="case_source.remove",
    noun="source",
    listed="duanka keys sources",
    may_propose=Permission.PROPOSE_CASE_SOURCE,
    may_approve=Permission.APPROVE_CASE_SOURCE,
    may_remove=Permission.REMOVE_CASE_SOURCE,
)


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
        return self.state is ProposalState.IN_FORCE

    @property
    def state(self) -> ProposalState:
        """State of the source."""
        return state_of(vars(self))


class CaseSources:
    """Manages the sources of an order database; audits every change.

    `key`: for the rows' seals. `kept`: state kept outside of the database; None: none.
    """

    def __init__(self, store: Store, trail: Trail, key: bytes, kept: KeptPeople | None = None) -> None:
        self._proposals, self._kept_people = SealedProposals(store, trail, key, _KIND), kept

    def propose(self, name: str, public_key: bytes, by: Person, now: datetime) -> str:
        """Propose a source; return its id. OrderError: bad name or key, or either exists."""
        authorize(by, Permission.PROPOSE_CASE_SOURCE)
        if not _NAME.fullmatch(name):
            raise OrderError(
                f"{name[:40]!r} is no name of a source: write 2 to 32 of a-z, 0-9, '.', '_' and '-'"
            )
        if len(public_key) != KEY_BYTES:
            raise OrderError(f"a public key of Ed25519 has {KEY_BYTES} bytes, not {len(public_key)}")

        def check(others: Rows) -> None:
            for other in others:
                if name == other["name"] or public_key.hex() == other["public_key"]:
                    raise OrderError(
                        f"{other['name']} has that name or key already ({other['id']}); remove it first"
                    )

        return self._proposals.propose(name, {"public_key": public_key.hex()}, by, now, check)

    def approve(self, number: str, by: Person, why: str, now: datetime) -> CaseSource:
        """Approve a source. `by`: a supervisor other than the proposer."""
        return _source(self._proposals.approve(number, by, why, now))

    def remove(self, number: str, by: Person, why: str, now: datetime) -> None:
        """Remove a source, or reject a proposal; by id or name."""
        self._proposals.remove(number, by, why, now)
        if self._kept_people:
            self._kept_people.keep_at_once(now)

    def listed(self, by: Person) -> Sequence[ListedSource]:
        """List all sources ever proposed, oldest first."""
        authorize(by, Permission.LIST_CASE_SOURCES)
        return [_listed(row) for row in self._proposals.all()]

    def in_force(self) -> tuple[CaseSource, ...]:
        """Return the sources whose signature counts."""
        listed = [_listed(row) for row in self._proposals.all()]
        # a row from before the removal, put back from a backup or by hand, has a valid seal, too
        removed = self._kept_people.removed() if self._kept_people else frozenset()
        return tuple(one.source for one in listed if one.in_force and one.id not in removed)

    def removed(self, connection: Connection) -> frozenset[str]:
        """Return the ids of the removed sources."""
        return frozenset(row["id"] for row in self._proposals.rows(connection) if row["removed_at"])


def _source(row: RowMapping) -> CaseSource:
    return CaseSource(row["name"], bytes.fromhex(row["public_key"]))


def _listed(row: RowMapping) -> ListedSource:
    facts = ("proposed_by", "proposed_at", "approved_by", "removed_at")
    return ListedSource(row["id"], _source(row), *(row[name] for name in facts))
