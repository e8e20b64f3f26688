"""Platforms that are asked about linked accounts: one person proposes, one approves."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import RowMapping

from duanka.domain.authority import Permission, authorize
from duanka.domain.case_source import KEY_BYTES
from duanka.domain.linked_accounts import AccountError, AccountPlatform, TransportKind
from duanka.domain.order import OrderError, Person
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.casework.accounts import platforms
from duanka.ledger.db.database import Store
from duanka.ledger.people.sealed_proposals import ProposalKind, ProposalState, Rows, SealedProposals, state_of

_MOST_NAME = 64  # letters
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_FACTS = ("transport", "address", "key_file", "public_key")
_KIND = ProposalKind(
    platforms,
    "B",
    facts=_FACTS,
    told=_FACTS,
    proposed="platform.propose",
    approved="platform.approve",
    removed="platform.remove",
    noun="platform",
    listed="duanka accounts platforms",
    may_propose=Permission.PROPOSE_PLATFORM,
    may_approve=Permission.APPROVE_PLATFORM,
    may_remove=Permission.REMOVE_PLATFORM,
)


@dataclass(frozen=True)
class ListedPlatform:
    """A platform with its proposer and end. `approved_by` None: pending, is sent nothing."""

    id: str
    platform: AccountPlatform
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None
    removed_at: datetime | None

    @property
    def state(self) -> ProposalState:
        """Whether it is sent anything."""
        return state_of(vars(self))


class AccountPlatforms:
    """The platforms of an order database; audits every change. `key`: for the rows' seals."""

    def __init__(self, store: Store, trail: Trail, key: bytes) -> None:
        self._proposals = SealedProposals(store, trail, key, _KIND)

    def propose(self, platform: AccountPlatform, by: Person, now: datetime) -> str:
        """Propose a platform; return its id. AccountError: a fault in it. OrderError: name or key exists."""
        authorize(by, Permission.PROPOSE_PLATFORM)
        name = platform.name.strip()
        if not 0 < len(name) <= _MOST_NAME or not name.isprintable():
            raise AccountError(
                f"the name of a platform, as the table accounts has it, has 1 to {_MOST_NAME} letters"
            )
        if len(platform.public_key) != KEY_BYTES:
            raise AccountError(
                f"a public key of Ed25519 has {KEY_BYTES} bytes, not {len(platform.public_key)}"
            )
        facts = {
            "transport": platform.transport.value,
            "address": _address(platform),
            "key_file": os.path.abspath(platform.key_file),
            "public_key": platform.public_key.hex(),
        }

        def check(others: Rows) -> None:
            for other in others:
                if name == other["name"] or facts["public_key"] == other["public_key"]:
                    raise OrderError(
                        f"{other['name']} has that name or key already ({other['id']}); remove it first"
                    )

        return self._proposals.propose(name, facts, by, now, check)

    def approve(self, number: str, by: Person, why: str, now: datetime) -> AccountPlatform:
        """Approve a platform. `by`: a supervisor other than the proposer."""
        return _platform(self._proposals.approve(number, by, why, now))

    def remove(self, number: str, by: Person, why: str, now: datetime) -> None:
        """Remove a platform, or reject a proposal: what waits for it waits on."""
        self._proposals.remove(number, by, why, now)

    def listed(self, by: Person) -> Sequence[ListedPlatform]:
        """List all platforms ever proposed, oldest first."""
        authorize(by, Permission.LIST_PLATFORMS)
        return [_listed(row) for row in self._proposals.all()]

    def in_force(self) -> dict[str, AccountPlatform]:
        """Return the platforms that are sent requests, by name."""
        rows = self._proposals.all()
        counting = [row for row in rows if state_of(dict(row)) is ProposalState.IN_FORCE]
        return {row["name"]: _platform(row) for row in counting}


def _address(platform: AccountPlatform) -> str:
    """The address as stored. AccountError: it is none of its transport."""
    text = platform.address.strip()
    if platform.transport is TransportKind.FILES:
        if not text or "://" in text:
            raise AccountError("the address of a platform that takes files is a folder")
        return os.path.abspath(Path(text).expanduser())
    try:
        found = urlsplit(text)
        plain = found.scheme == "http" and found.hostname in _LOOPBACK
        good = bool(found.hostname) and (found.scheme == "https" or plain) and found.port != 0
    except ValueError:
        good = False
    if not good or found.username or found.query or found.fragment or not text.isprintable() or " " in text:
        raise AccountError(
            "the address of a platform begins with https:// (http:// on this machine alone), and has neither user,"
            " query nor fragment"
        )
    return text.rstrip("/")


def _platform(row: RowMapping) -> AccountPlatform:
    transport, key = TransportKind(row["transport"]), bytes.fromhex(row["public_key"])
    return AccountPlatform(row["name"], transport, row["address"], Path(row["key_file"]), key)


def _listed(row: RowMapping) -> ListedPlatform:
    facts = ("proposed_by", "proposed_at", "approved_by", "removed_at")
    return ListedPlatform(row["id"], _platform(row), *(row[name] for name in facts))
