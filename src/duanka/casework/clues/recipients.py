"""Who gets clues: a certificate to encrypt to, and an address; one person proposes, another approves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import RowMapping

from duanka.casework.clues.delivery.address import address_of
from duanka.casework.clues.files.package import certificate_in
from duanka.domain.authority import Permission, authorize
from duanka.domain.clue import ClueError, UnknownClue
from duanka.domain.order import Person
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.casework.clues import clue_recipients
from duanka.ledger.db.database import Store
from duanka.ledger.people.sealed_proposals import ProposalKind, ProposalState, Rows, SealedProposals, state_of

_MOST_NAME = 60  # letters
_KIND = ProposalKind(
    clue_recipients,
    "E",
    facts=("certificate", "address"),
    told=("address",),
    proposed="clue_recipient.propose",
    approved="clue_recipient.approve",
    removed="clue_recipient.remove",
    noun="recipient",
    listed="duanka clues recipients",
    may_propose=Permission.PROPOSE_CLUE_RECIPIENT,
    may_approve=Permission.APPROVE_CLUE_RECIPIENT,
    may_remove=Permission.REMOVE_CLUE_RECIPIENT,
)


@dataclass(frozen=True)
class Recipient:
    """Who gets clues. `approved_by` None: pending, gets none. `fingerprint`: SHA-256 of the certificate."""

    id: str
    name: str
    certificate: x509.Certificate
    address: str
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None
    removed_at: datetime | None
    state: ProposalState

    @property
    def fingerprint(self) -> str:
        """To compare with what the police read out."""
        return self.certificate.fingerprint(SHA256()).hex()


class Recipients:
    """Manages the recipients of an order database; audits every change. `key`: for the rows' seals."""

    def __init__(self, store: Store, trail: Trail, key: bytes) -> None:
        self._proposals = SealedProposals(store, trail, key, _KIND)

    def propose(self, name: str, certificate: bytes, address: str, by: Person, now: datetime) -> Recipient:
        """Propose a recipient. ClueError: bad name, certificate or address, or one in use has that name."""
        authorize(by, Permission.PROPOSE_CLUE_RECIPIENT)
        name = " ".join(name.split())
        if not 1 <= len(name) <= _MOST_NAME or not name.isprintable():
            raise ClueError(f"the name of a recipient has 1 to {_MOST_NAME} letters")
        address_of(address)
        pem = certificate_in(certificate, now).public_bytes(Encoding.PEM).decode()

        def check(others: Rows) -> None:
            if any(other["name"] == name for other in others):
                raise ClueError(
                    f"there is a recipient {name} already; remove it first: `duanka clues recipients`"
                )

        number = self._proposals.propose(name, {"certificate": pem, "address": address}, by, now, check)
        return self._one(number)

    def approve(self, number: str, by: Person, why: str, now: datetime) -> Recipient:
        """Approve a recipient, as somebody else than who proposed it."""
        return self._one(self._proposals.approve(number, by, why, now)["id"])

    def remove(self, number: str, by: Person, why: str, now: datetime) -> None:
        """Remove a recipient, or reject a proposal; by id or name."""
        self._proposals.remove(number, by, why, now)

    def listed(self, by: Person) -> Sequence[Recipient]:
        """All recipients ever proposed, oldest first."""
        authorize(by, Permission.LIST_CLUE_RECIPIENTS)
        return [_recipient(row) for row in self._proposals.all()]

    def chosen(self, named: str, now: datetime) -> Recipient:
        """The recipient that is named by id or name; "": the only one. ClueError: none, several, or not in force."""
        listed = [_recipient(row) for row in self._proposals.all()]
        found = [
            one for one in listed if one.state is ProposalState.IN_FORCE and named in ("", one.id, one.name)
        ]
        if not found:
            raise ClueError(
                f"no recipient{f' {named!r}' if named else ''} is in force: `duanka clues add-recipient` proposes"
                " one, and another supervisor approves"
            )
        if len(found) > 1:
            names = ", ".join(one.name for one in found)
            names = ", ".join(one.name for one in found)
            raise ClueError(f"several recipients are in force: give --to with one of {names}")
        certificate_in(found[0].certificate.public_bytes(Encoding.PEM), now)  # still valid
        return found[0]

    def _one(self, number: str) -> Recipient:
        found = [_recipient(row) for row in self._proposals.all() if row["id"] == number]
        if not found:
            raise UnknownClue(f"no recipient {number!r}; `duanka clues recipients` names them")
        return found[0]


def _recipient(row: RowMapping) -> Recipient:
    return Recipient(
        id=row["id"],
        name=row["name"],
        certificate=x509.load_pem_x509_certificate(row["certificate"].encode()),
        address=row["address"],
        proposed_by=row["proposed_by"],
        proposed_at=row["proposed_at"],
        approved_by=row["approved_by"],
        removed_at=row["removed_at"],
        state=state_of(dict(row)),
    )
