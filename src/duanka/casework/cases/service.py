"""Case files: opened on a ground, worked on, merged, split and closed; each act is in the trail."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from duanka.casework.cases.grounds import CheckedGround, checked_ground, must_concern
from duanka.casework.cases.rows import (
    cases_of,
    change_case,
    items_of,
    notes_of,
    open_row,
    put_case,
    put_items,
    row_of,
)
from duanka.casework.cases.seeds import CasePorts, items_of_ring, placed, seed_item
from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import given_reason
from duanka.domain.case_file import (
    NO_GROUND,
    CaseError,
    CaseFile,
    CaseGround,
    CaseItem,
    CaseOutcome,
    CaseState,
    CaseSummary,
    GroundKind,
    ItemKind,
    note_of,
    title_of,
)
from duanka.domain.order import NeedsSecondPerson, Person
from duanka.domain.person import same_person
from duanka.domain.record_lookups import Basis, BasisKind
from duanka.domain.ring_lookups import SeedName
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.casework.cases import case_items, case_notes, cases
from duanka.ledger.db.database import Store
from duanka.ledger.db.rows import new_id
from duanka.ledger.db.tables_people import persons
from duanka.ledger.lookups import LookupContext


class CaseFiles:
    """The cases of an order database. Each method raises PermissionDenied, UnknownCase and CaseError."""

    def __init__(self, store: Store, trail: Trail, ports: CasePorts) -> None:
        self._store, self._trail, self._ports = store, trail, ports

    # --- opening ---

    def open(
        self, named: SeedName, ground: CaseGround, title: str, by: Person, why: str, now: datetime
    ) -> CaseFile:
        """Open a case at `named`; of a ring, device or outlet it is about all that the graph links to it.

        Without a ground it is proposed, about what it begins at alone, and looks nothing up before a supervisor
        approves it. Raises what a lookup of the ring does.
        """
        authorize(by, Permission.OPEN_CASE)
        why, title = given_reason(why), title_of(title)
        number = new_id("C")
        checked = self._checked(ground, named, by)
        items = [seed_item(named)]
        if checked and named.kind != "card":
            items = items_of_ring(named, self._ports.ring(named, LookupContext(by, why, checked.basis), now))
        records = self._ports.records_or_none()
        if checked:
            must_concern(checked, {item.value for item in items if item.kind is ItemKind.CARD}, records)
        held = checked.ground if checked else NO_GROUND
        facts: dict[str, object] = {
            "id": number,
            "title": title,
            "state": CaseState.OPEN.value if checked else CaseState.PROPOSED.value,
            "ground": held.kind.value,
            "ground_number": held.number,
            "seed_kind": named.kind,
            "seed": named.text,
            "opened_by": by.id,
            "opened_at": now,
            "assigned_to": by.id if checked else None,
        }
        with self._store.writing() as connection:
            put_case(connection, facts, now)
            put_items(connection, number, placed(connection, items, records, by), by, now)
            told = {"ground": held.kind.value, "ground_number": held.number, "seed": named.kind}
            counts = {"cards": sum(item.kind is ItemKind.CARD for item in items), "state": facts["state"]}
            self._note(connection, now, by, "case.open", number, why, {**told, **counts})
            return self._file(connection, number, by)

    def approve(self, number: str, by: Person, why: str, now: datetime) -> CaseFile:
        """Approve a case that has no ground, as somebody else than who opened it."""
        return self._decide(number, by, why, now, CaseState.OPEN)

    def reject(self, number: str, by: Person, why: str, now: datetime) -> CaseFile:
        """Reject a case that waits for approval."""
        return self._decide(number, by, why, now, CaseState.REJECTED)

    def _decide(self, number: str, by: Person, why: str, now: datetime, to: CaseState) -> CaseFile:
        authorize(by, Permission.APPROVE_CASE)
        why = given_reason(why)
        with self._store.writing() as connection:
            row = row_of(connection, number, by, lock=True)
            if row["state"] != CaseState.PROPOSED:
                raise CaseError(f"case {number} is {CaseState(row['state']).words.en}: it waits for nobody")
            if same_person(by.id, row["opened_by"]):
                raise NeedsSecondPerson(f"{by.id} opened {number}: another supervisor decides on it")
            facts: dict[str, object] = {"state": to.value, "approved_by": by.id, "approved_at": now}
            facts |= {"assigned_to": row["opened_by"]} if to is CaseState.OPEN else {"closed_at": now}
            change_case(connection, number, now, **facts)
            what = "case.approve" if to is CaseState.OPEN else "case.reject"
            self._note(connection, now, by, what, number, why, {"state": to.value})
            return self._file(connection, number, by)

    # --- working on it ---

    def assign(self, number: str, to: str, by: Person, why: str, now: datetime) -> CaseFile:
        """Let `to` work on the case. CaseError: there is no such person, or they may not work on cases."""
        authorize(by, Permission.WORK_ON_CASE)
        why = given_reason(why)
        with self._store.writing() as connection:
            row = open_row(connection, number, by)
            person = connection.execute(select(persons).where(persons.c.id == to)).mappings().first()
            if person is None or person["disabled_at"] or person["role"] not in Permission.WORK_ON_CASE.roles:
                raise CaseError(
                    f"{to[:32]!r} is nobody who works on cases; `duanka persons list` names the people"
                )
            change_case(connection, number, now, assigned_to=to)
            told = {"assigned_to": to}
            self._note(
                connection, now, by, "case.assign", number, why, told, {"assigned_to": row["assigned_to"]}
            )
            return self._file(connection, number, by)

    def note(self, number: str, text: str, by: Person, now: datetime) -> CaseFile:
        """Write something down in an open case; nobody can change it later."""
        authorize(by, Permission.WORK_ON_CASE)
        text = note_of(text)
        with self._store.writing() as connection:
            open_row(connection, number, by)
            connection.execute(insert(case_notes).values(case_id=number, at=now, who=by.id, text=text))
            change_case(connection, number, now)
            self._note(connection, now, by, "case.note", number, "", {"letters": len(text)})
            return self._file(connection, number, by)

    def add(
        self, number: str, items: Sequence[CaseItem], by: Person, why: str, now: datetime
    ) -> tuple[CaseFile, int]:
        """Add what the case is about too; return how many were new."""
        authorize(by, Permission.WORK_ON_CASE)
        why = given_reason(why)
        records = self._ports.records_or_none()
        with self._store.writing() as connection:
            open_row(connection, number, by)
            new = put_items(connection, number, placed(connection, items, records, by), by, now)
            if new:
                change_case(connection, number, now)
                self._note(connection, now, by, "case.add", number, why, _told(new))
            return self._file(connection, number, by), len(new)

    def grow(self, number: str, named: SeedName, by: Person, why: str, now: datetime) -> tuple[CaseFile, int]:
        """Add the ring behind `named`, on the basis of this case; return how many things were new."""
        authorize(by, Permission.WORK_ON_CASE)
        reader = LookupContext(by, given_reason(why), Basis(BasisKind.CASE, number))
        ring = self._ports.ring(named, reader, now)
        return self.add(number, items_of_ring(named, ring), by, why, now)

    def close(self, number: str, outcome: CaseOutcome, by: Person, why: str, now: datetime) -> CaseFile:
        """Close a case: nothing is looked up on its basis any more."""
        authorize(by, Permission.WORK_ON_CASE)
        why = given_reason(why)
        with self._store.writing() as connection:
            open_row(connection, number, by)
            facts = {"state": CaseState.CLOSED.value, "outcome": outcome.value}
            change_case(connection, number, now, closed_at=now, **facts)
            self._note(connection, now, by, "case.close", number, why, facts)
            return self._file(connection, number, by)

    def reopen(self, number: str, by: Person, why: str, now: datetime) -> CaseFile:
        """Open a closed case again."""
        authorize(by, Permission.APPROVE_CASE)
        why = given_reason(why)
        with self._store.writing() as connection:
            row = row_of(connection, number, by, lock=True)
            if row["state"] != CaseState.CLOSED:
                raise CaseError(
                    f"case {number} is {CaseState(row['state']).words.en}: only a closed one is reopened"
                )
            change_case(connection, number, now, state=CaseState.OPEN.value, outcome="", closed_at=None)
            self._note(connection, now, by, "case.reopen", number, why, {"state": CaseState.OPEN.value})
            return self._file(connection, number, by)

    # --- merging and splitting ---

    def merge(self, number: str, into: str, by: Person, why: str, now: datetime) -> CaseFile:
        """Merge a case into another: what it is about, and its notes, go over; its number leads there."""
        authorize(by, Permission.MERGE_CASES)
        why = given_reason(why)
        if number == into:
            raise CaseError("a case cannot be merged into itself; give two cases")
        with self._store.writing() as connection:
            for one in sorted((number, into)):  # in one order, so that two merges cannot wait for each other
                open_row(connection, one, by)
            items = items_of(connection, number)
            new = put_items(connection, into, items, by, now)
            connection.execute(delete(case_items).where(case_items.c.case_id == number))
            connection.execute(update(case_notes).where(case_notes.c.case_id == number).values(case_id=into))
            connection.execute(update(cases).where(cases.c.merged_into == number).values(merged_into=into))
            change_case(
                connection, number, now, state=CaseState.MERGED.value, merged_into=into, closed_at=now
            )
            change_case(connection, into, now)
            self._note(connection, now, by, "case.merge", number, why, {"into": into, **_told(items)})
            self._note(connection, now, by, "case.merged", into, why, {"from": number, **_told(new)})
            return self._file(connection, into, by)

    def split(
        self, number: str, values: Collection[str], title: str, by: Person, why: str, now: datetime
    ) -> CaseFile:
        """Move what is named to a new case with the same ground; something must stay. Returns the new case."""
        authorize(by, Permission.MERGE_CASES)
        why, title = given_reason(why), title_of(title)
        new = new_id("C")
        with self._store.writing() as connection:
            row = open_row(connection, number, by)
            items = items_of(connection, number)
            moved = [item for item in items if item.value in set(values)]
            if missing := set(values) - {item.value for item in moved}:
                raise CaseError(f"{len(missing)} of what is named is not of case {number}: nothing was split")
            if not moved or len(moved) == len(items):
                raise CaseError(
                    "a split takes something away and leaves something: name some of what it is about"
                )
            kept = ("ground", "ground_number", "seed_kind", "seed", "approved_by", "approved_at")
            facts: dict[str, object] = {name: row[name] for name in kept}
            facts |= {
                "id": new,
                "title": title or row["title"],
                "state": CaseState.OPEN.value,
                "opened_by": by.id,
            }
            facts |= {"opened_at": now, "assigned_to": by.id, "split_from": number}
            put_case(connection, facts, now)
            put_items(connection, new, moved, by, now)
            _remove(connection, number, moved)
            change_case(connection, number, now)
            self._note(connection, now, by, "case.split", number, why, {"to": new, **_told(moved)})
            self._note(connection, now, by, "case.open", new, why, {"split_from": number, **_told(moved)})
            return self._file(connection, new, by)

    # --- internal ---

    def _checked(self, ground: CaseGround, named: SeedName, by: Person) -> CheckedGround | None:
        if ground.kind is GroundKind.NONE:
            return None
        with self._store.reading() as connection:
            return checked_ground(connection, ground, named.text if named.kind == "card" else None, by)

    def _file(self, connection: Connection, number: str, by: Person) -> CaseFile:
        (case,) = cases_of(connection, [row_of(connection, number, by)])
        return CaseFile(case, items_of(connection, number), notes_of(connection, number))

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


def case_of(connection: Connection, number: str, by: Person) -> CaseSummary:
    """Return a case for what goes on with it. UnknownCase; CaseError: it is not open."""
    (case,) = cases_of(connection, [open_row(connection, number, by)])
    return case


def _told(items: Iterable[CaseItem]) -> dict[str, object]:
    """Counts by kind, for the trail: what a case is about is in its own table."""
    counts: dict[str, object] = {}
    for item in items:
        key = f"{item.kind.value}s"
        counts[key] = int(str(counts.get(key, 0))) + 1
    return counts


def _remove(connection: Connection, number: str, items: Iterable[CaseItem]) -> None:
    for item in items:
        mine = (case_items.c.case_id == number, case_items.c.kind == item.kind.value)
        connection.execute(delete(case_items).where(*mine, case_items.c.value == item.value))
