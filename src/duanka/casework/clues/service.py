"""Clues: built of a case, reviewed by a second person, sent, acknowledged; every act is in the trail.

What is in full exists in memory alone, and is kept encrypted to the police's certificate until they acknowledge it.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, select

from duanka.casework.clues.delivery.address import Delivery, address_of
from duanka.casework.clues.dossier.assembly import DossierAssembly, DossierPorts
from duanka.casework.clues.dossier.document import pdf_of
from duanka.casework.clues.dossier.ledger_facts import facts_of
from duanka.casework.clues.dossier.model import CaseDossier
from duanka.casework.clues.files.manifest import ClueKey, ManifestFinding, faults_of
from duanka.casework.clues.files.package import BUNDLE, CARDS, DOSSIER, PACKAGE, cards_csv, encrypted, zipped
from duanka.casework.clues.files.stix import bundle_of
from duanka.casework.clues.recipients import Recipients
from duanka.casework.clues.rows import (
    cards_of,
    change_clue,
    clue_of,
    files_of,
    package_of,
    page_of,
    put_clue,
)
from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import given_reason
from duanka.domain.clue import (
    MAY,
    Clue,
    ClueError,
    ClueEvent,
    ClueState,
    Standing,
    UnknownClue,
    next_clue_state,
)
from duanka.domain.local_time import OperatorZone
from duanka.domain.order import SYSTEM, NeedsSecondPerson, Person
from duanka.domain.person import same_person
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.casework.clues import clues
from duanka.ledger.db.database import Store
from duanka.ledger.db.rows import new_id

MOST = 200  # clues of a page
_ENTRIES = {  # of the trail, by the state that a clue comes to
    ClueState.REVIEWED: "clue.review",
    ClueState.SENT: "clue.send",
    ClueState.ACKNOWLEDGED: "clue.acknowledge",
}


@dataclass(frozen=True)
class ClueTerms:
    """What clues need beside the order database.

    `mask_key`: for the ids of masked numbers; `seal_key`: for rows, so that one written past us is not sent; `days`:
    see the policy.
    """

    ports: DossierPorts
    zone: OperatorZone
    key: ClueKey
    mask_key: bytes
    seal_key: bytes
    days: int
    delivery: Callable[[str], Delivery]


@dataclass(frozen=True)
class CluePage:
    """Some clues and how many there are in all; `following`: give it for the next page, None: that was the last."""

    clues: Sequence[Clue]
    total: int
    following: str | None


@dataclass(frozen=True)
class BuiltClue:
    """A clue, and what could not be looked up for it: each a sentence with the next step."""

    clue: Clue
    gaps: tuple[str, ...]


@dataclass(frozen=True)
class ClueCard:
    """A card of a clue, in full. `answer`: of the police; "": none yet."""

    number: str
    standing: Standing
    answer: str
    case_number: str


class ClueService:
    """The clues of an order database. Each method raises PermissionDenied, UnknownClue and ClueError."""

    def __init__(self, store: Store, trail: Trail, recipients: Recipients, terms: ClueTerms) -> None:
        self._store, self._trail, self._recipients, self._terms = store, trail, recipients, terms

    @property
    def public_key(self) -> bytes:
        """The public key of this installation's clues, PEM."""
        return self._terms.key.pem

    def build(self, case_id: str, by: Person, why: str, now: datetime, to: str = "") -> BuiltClue:
        """Build the clue of an open case for the recipient `to` ("": the only one).

        The trail has the lookup before anything is read. UnknownCase; CaseError: the case is not open.
        """
        authorize(by, Permission.BUILD_CLUE)
        why, recipient = given_reason(why), self._recipients.chosen(to, now)
        number = new_id("L")
        with self._store.writing() as connection:
            facts = facts_of(connection, case_id, by)
            told = {"case": case_id, "cards": len(facts.numbers), "recipient": recipient.id}
            self._note(connection, now, by, "clue.build", number, why, told)
        making = DossierAssembly(self._terms.ports, self._terms.zone, by, why, now)
        dossier = making.dossier(number, recipient.name, facts)
        full = self._files(dossier, None)
        digest = sha256(zipped(full, dossier.built_at)).hexdigest()
        package = encrypted(full, recipient.certificate, dossier.built_at)
        ours = self._files(dossier, self._terms.mask_key)
        row = {"recipient": recipient.id, "digest": digest, "package": package}
        row["seal"] = self._seal(package, number, case_id, recipient.id, digest, by.id, "")
        with self._store.writing() as connection:
            facts_of(connection, case_id, by)  # still open
            put_clue(connection, dossier, row, ours, now)
            self._note(connection, now, by, "clue.built", number, why, {"digest": digest})
            return BuiltClue(clue_of(connection, number, by), tuple(gap.why for gap in dossier.gaps))

    def review(self, number: str, by: Person, why: str, now: datetime) -> Clue:
        """Say that a clue is right, as somebody else than who built it."""
        authorize(by, MAY[ClueEvent.REVIEW])
        why = given_reason(why)
        with self._store.writing() as connection:
            clue = clue_of(connection, number, by, lock=True)
            if same_person(by.id, clue.built_by):
                raise NeedsSecondPerson(f"{by.id} built {number}: somebody else reviews it")
            to = next_clue_state(clue.state, ClueEvent.REVIEW, number)
            package = self._package(connection, clue)
            seal = self._seal_of(replace(clue, reviewed_by=by.id), package)
            facts = {"reviewed_by": by.id, "reviewed_at": now, "seal": seal}
            return self._moved(connection, clue, to, by, why, now, **facts)

    def send(self, number: str, by: Person, why: str, now: datetime) -> Clue:
        """Deliver a reviewed clue; one that was sent stays as it is. DeliveryFailed: sending again is safe.

        A send that is killed leaves nothing at the recipient's, or the whole; the next one finds out.
        """
        authorize(by, MAY[ClueEvent.SEND])
        why = given_reason(why)
        with self._store.reading() as connection:
            clue = clue_of(connection, number, by)
            if clue.sent_at:
                return clue
            next_clue_state(clue.state, ClueEvent.SEND, number)
            package = self._package(connection, clue)
        recipient = self._recipients.chosen(clue.recipient, now)
        at = self._terms.zone.local(clue.built_at).replace(tzinfo=None)
        files = self._terms.key.signed({PACKAGE: package}, number, clue.case_id, at)
        where = self._terms.delivery(recipient.address).put(number, files)
        with self._store.writing() as connection:
            clue = clue_of(connection, number, by, lock=True)
            if clue.sent_at:
                return clue
            to = next_clue_state(clue.state, ClueEvent.SEND, number)
            facts = {
                "sent_by": by.id,
                "sent_at": now,
                "sent_to": f"{recipient.name} {address_of(recipient.address).kind}",
            }
            return self._moved(connection, clue, to, by, f"{why} · {where}", now, **facts)

    def acknowledge(self, number: str, by: Person, why: str, now: datetime) -> Clue:
        """Keep that the police have the clue: their files are deleted here."""
        authorize(by, MAY[ClueEvent.ACKNOWLEDGE])
        why = given_reason(why)
        with self._store.writing() as connection:
            clue = clue_of(connection, number, by, lock=True)
            to = next_clue_state(clue.state, ClueEvent.ACKNOWLEDGE, number)
            facts = {"acknowledged_by": by.id, "acknowledged_at": now, **without_package(clue, now)}
            return self._moved(connection, clue, to, by, why, now, **facts)

    def page(
        self, by: Person, states: Collection[ClueState] = (), before: str | None = None, limit: int = 50
    ) -> CluePage:
        """Return clues, the latest first: counts, and no card. `before`: `following` of the page before."""
        authorize(by, Permission.LIST_CLUES)
        limit = max(1, min(limit, MOST))
        with self._store.reading() as connection:
            found, total = page_of(connection, by, states, before, limit + 1)
        return CluePage(found[:limit], total, found[limit - 1].id if len(found) > limit else None)

    def show(self, number: str, by: Person, why: str, now: datetime) -> tuple[Clue, list[ClueCard]]:
        """Return a clue and its cards in full, for a reader who sees them masked; the trail has who and why."""
        with self._store.writing() as connection:
            clue = self._read(connection, number, by, why, now)
            rows = cards_of(connection, number)
        cards = [
            ClueCard(row.card, Standing(row.standing), row.answer or "", row.case_number) for row in rows
        ]
        return clue, cards

    def files(self, number: str, by: Person, why: str, now: datetime) -> dict[str, bytes]:
        """Return our own files of a clue, masked, with their manifest; the trail has who and why."""
        with self._store.writing() as connection:
            self._read(connection, number, by, why, now)
            return files_of(connection, number)

    def verify(self, number: str, by: Person) -> list[ManifestFinding]:
        """Compare our own files of a clue with their manifest; [] if all holds."""
        authorize(by, Permission.LIST_CLUES)
        with self._store.reading() as connection:
            clue_of(connection, number, by)
            return faults_of(files_of(connection, number), self._terms.key.public)

    def purge(self, now: datetime) -> int:
        """Delete the police's files that nobody acknowledged within the days of the policy; return how many."""
        old = clues.c.built_at <= now - timedelta(days=self._terms.days)
        query = select(clues.c.id).where(clues.c.package.is_not(None), old)
        with self._store.reading() as connection:  # asked often, and mostly of nothing
            if connection.execute(query.limit(1)).first() is None:
                return 0
        with self._store.writing() as connection:
            late = connection.execute(query).scalars().all()
            for number in late:
                change_clue(connection, number, now, package=None, package_deleted_at=now)
                why = f"after {self._terms.days} days"
                self._note(connection, now, SYSTEM, "clue.purge", number, why, {"has_full": False})
        return len(late)

    # --- internal ---

    def _files(self, dossier: CaseDossier, mask_key: bytes | None) -> dict[str, bytes]:
        """The files of a clue and their signed manifest: in full, or masked with a key."""
        shown = dossier.masked() if mask_key else dossier
        others = {BUNDLE: bundle_of(dossier, mask_key), CARDS: cards_csv(shown)}
        digests = [(name, sha256(content).hexdigest()) for name, content in sorted(others.items())]
        digests.append(("公钥 public key", self._terms.key.public.hex()))
        files = {DOSSIER: pdf_of(shown, digests), **others}
        return self._terms.key.signed(files, dossier.clue, dossier.case.id, dossier.built_at)

    def _package(self, connection: Connection, clue: Clue) -> bytes:
        """The police's files, as they were built and reviewed. ClueError: deleted, or changed past us."""
        package, seal = package_of(connection, clue.id)
        if package is None:
            raise ClueError(
                f"the files of {clue.id} were deleted after {self._terms.days} days: build the clue anew"
            )
        if not hmac.compare_digest(seal, self._seal_of(clue, package)):
            raise ClueError(
                f"the row of {clue.id} is not as it was built and reviewed: somebody changed the database; `duanka"
                " audit verify`, and build the clue anew"
            )
        return package

    def _seal_of(self, clue: Clue, package: bytes) -> str:
        told = (clue.id, clue.case_id, clue.recipient, clue.digest, clue.built_by, clue.reviewed_by or "")
        return self._seal(package, *told)

    def _seal(self, package: bytes, *told: str) -> str:
        """Seal what goes to the police, where to, and whose names stand for it."""
        said = "\n".join((sha256(package).hexdigest(), *told))
        return hmac.new(self._terms.seal_key, said.encode(), sha256).hexdigest()

    def _read(self, connection: Connection, number: str, by: Person, why: str, now: datetime) -> Clue:
        authorize(by, Permission.READ_CLUE)
        clue = clue_of(connection, number, by)
        self._note(connection, now, by, "read.clue", number, given_reason(why), {})
        return clue

    def _moved(
        self,
        connection: Connection,
        clue: Clue,
        to: ClueState,
        by: Person,
        why: str,
        now: datetime,
        **facts: Any,
    ) -> Clue:
        change_clue(connection, clue.id, now, state=to.value, **facts)
        self._note(
            connection,
            now,
            by,
            _ENTRIES[to],
            clue.id,
            why,
            {"state": to.value},
            {"state": clue.state.value},
        )
        return clue_of(connection, clue.id, by)

    def _note(
        self,
        connection: Connection,
        now: datetime,
        by: Person,
        what: str,
        number: str,
        why: str,
        after: Mapping[str, object],
        before: Mapping[str, object] | None = None,
    ) -> None:
        self._trail.append(connection, [AuditEntry(now, by, what, number, why, before or {}, after)])


def without_package(clue: Clue, now: datetime) -> dict[str, object]:
    """Columns of a clue whose files for the police are deleted here."""
    return {"package": None, "package_deleted_at": now} if clue.has_full else {}


def file_named(files: Mapping[str, bytes], name: str) -> bytes:
    """One of the files of a clue. UnknownClue: it has no such file."""
    if name not in files:
        raise UnknownClue(f"no file {name[:40]!r}; a clue has {', '.join(sorted(files))}")
    return files[name]
