"""People are kept outside of the database: a restored backup puts nobody and no key back in force."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from duanka.domain.order import OrderError, Person, Role
from duanka.domain.person import Scope
from duanka.ledger.audit.kept_end import ACCEPTED, KeptEnds, TrailGuard
from duanka.ledger.audit.trail import Fault, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit
from duanka.ledger.db.tables_people import persons
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.people.case_sources import CaseSources
from duanka.ledger.people.kept_people import PEOPLE_FILE, KeptPeople
from duanka.ledger.people.keys import Keys
from duanka.ledger.people.persons import Persons
from duanka.ledger.people.requests import PersonProposal
from support.orders.books import KEY, NOW, backup_of, restore
from support.people import FIRST, SECOND, People

TRAIL, MINUTE = Trail(KEY), timedelta(minutes=1)
CITY = Scope(cities=frozenset({"石家庄"}))


@dataclass
class Office:
    """An order database whose people are kept in folders, as one process sees it that has just started."""

    store: Store
    folders: tuple[Path, ...]

    def __post_init__(self) -> None:
        self.kept = KeptPeople(self.store, TRAIL, lambda: self.folders)
        self.ends = KeptEnds(self.store, TRAIL, lambda: self.folders, self.kept)
        self.keys = Keys(self.store, TRAIL, self.kept)
        self.persons = Persons(self.store, TRAIL, self.kept)
        self.sources = CaseSources(self.store, TRAIL, KEY, self.kept)
        self.kept.removed_sources = self.sources.removed
        self.guard = TrailGuard(self.ends, AlarmService(self.store, lambda _: None, MINUTE))

    def change(self, person: Person) -> None:
        asked, _ = self.persons.propose(PersonProposal.CHANGE, person, FIRST, NOW)
        self.persons.approve(asked.id, SECOND, "a test", NOW)

    def key_of(self, person: str) -> str:
        """The id of their key."""
        return next(key.id for key in self.keys.list(FIRST) if key.person.id == person)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, ...]:
    found = (tmp_path / "orders", tmp_path / "call-proxy")
    for folder in found:
        folder.mkdir()
    return found


def test_a_restored_backup_puts_no_key_and_nobody_back_in_force(
    store: Store, folders: tuple[Path, ...]
) -> None:
    people, office = People(store, TRAIL), Office(store, folders)
    lost, left, stays = (people.add(name, Role.DESK) for name in ("lost", "left", "stays"))
    backup = backup_of(store)
    office.keys.revoke(office.key_of("lost"), FIRST, "lost", NOW)
    office.persons.disable("left", FIRST, "left", NOW)
    restore(store, backup)
    assert people.keys.who(lost), "so says the database alone"
    again = Office(store, folders)
    assert [again.keys.who(key) for key in (lost, left)] == [None, None]
    assert again.keys.who(stays) == Person("stays", Role.DESK)
    assert again.guard.check(NOW + MINUTE), "and it holds"
    again.ends.accept(FIRST, "the backup of 02:00", NOW + 2 * MINUTE)
    assert not again.guard.check(NOW + 3 * MINUTE)
    for folder in folders:
        (folder / PEOPLE_FILE).unlink()
    assert [people.keys.who(key) for key in (lost, left)] == [None, None], "from now on the database says it"
    assert people.keys.who(stays) == Person("stays", Role.DESK)
    assert not [found for found in TRAIL.verify(store) if isinstance(found, Fault)]


def test_whoever_got_less_to_do_since_has_no_more_by_a_restored_backup(
    store: Store, folders: tuple[Path, ...]
) -> None:
    people, office = People(store, TRAIL), Office(store, folders)
    boss, clerk = people.add("boss", Role.SUPERVISOR), people.add("clerk", Role.DESK)
    backup = backup_of(store)
    less, near = Person("boss", Role.DESK, "boss"), Person("clerk", Role.DESK, "clerk", CITY)
    for one in (less, near):
        office.change(one)
    restore(store, backup)
    again = Office(store, folders)
    assert [again.keys.who(key) for key in (boss, clerk)] == [less, near]
    again.guard.check(NOW)
    again.ends.accept(SECOND, "the backup of 02:00", NOW + MINUTE)
    assert [people.keys.who(key) for key in (boss, clerk)] == [less, near]
    again.change(Person("clerk", Role.DESK, "clerk"))
    assert again.keys.who(clerk) == Person("clerk", Role.DESK), "and can be given more again"


def test_a_role_that_was_changed_a_moment_ago_counts_before_it_is_kept(
    store: Store, folders: tuple[Path, ...]
) -> None:
    people, office = People(store, TRAIL), Office(store, folders)
    mine = people.add("wang", Role.DESK)
    office.kept.keep(NOW)
    asked, _ = people.persons.propose(
        PersonProposal.CHANGE, Person("wang", Role.SUPERVISOR, "wang"), FIRST, NOW
    )
    people.persons.approve(asked.id, SECOND, "by a process that keeps nothing", NOW)
    assert office.keys.who(mine) == Person("wang", Role.SUPERVISOR)


def test_a_source_of_cases_that_was_removed_stays_removed(store: Store, folders: tuple[Path, ...]) -> None:
    office = Office(store, folders)
    People(store, TRAIL)
    number = office.sources.propose("bureau", b"k" * 32, FIRST, NOW)
    office.sources.approve(number, SECOND, "by telephone", NOW)
    backup = backup_of(store)
    office.sources.remove(number, FIRST, "its key leaked", NOW)
    restore(store, backup)
    assert Office(store, folders).sources.in_force() == ()


def test_an_id_that_was_disabled_is_given_to_nobody_by_a_restored_backup(
    store: Store, folders: tuple[Path, ...]
) -> None:
    people, office = People(store, TRAIL), Office(store, folders)
    backup = backup_of(store)
    people.add("wang", Role.DESK)
    office.persons.disable("wang", FIRST, "left", NOW)
    restore(store, backup)
    with pytest.raises(OrderError, match="never given twice"):
        Office(store, folders).persons.propose(
            PersonProposal.PERSON, Person("wang", Role.DESK, "wang"), FIRST, NOW
        )


def test_an_old_invitation_makes_nobody_a_supervisor_of_a_restored_backup(
    store: Store, folders: tuple[Path, ...]
) -> None:
    office = Office(store, folders)
    empty = backup_of(store)
    _, invitation = office.persons.begin(FIRST.id, "甲", "a test", NOW)
    alone = backup_of(store)
    office.persons.join(invitation, SECOND.id, "乙", NOW)
    office.kept.keep(NOW)
    restore(store, alone)
    with pytest.raises(OrderError, match="a backup was restored"):
        office.persons.join(invitation, "mallory", "丙", NOW + MINUTE)
    restore(store, empty)
    with pytest.raises(OrderError, match="a backup was restored"):
        office.persons.begin("mallory", "丙", "a test", NOW + MINUTE)


def test_what_was_spoilt_in_the_database_is_not_kept_for_ever(
    store: Store, folders: tuple[Path, ...]
) -> None:
    people, office = People(store, TRAIL), Office(store, folders)
    mine = people.add("wang", Role.DESK)
    whole = backup_of(store)
    with store.writing() as connection:
        connection.execute(persons.update().values(disabled_at=NOW))
    office.kept.keep(NOW)
    restore(store, whole)
    assert office.keys.who(mine) == Person("wang", Role.DESK)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"seal": 1}', "null", '{"people": {"wang": []}}'])
def test_a_list_that_is_not_ours_takes_nothing_from_anybody(
    store: Store, folders: tuple[Path, ...], text: str
) -> None:
    people, office = People(store, TRAIL), Office(store, folders)
    mine = people.add("wang", Role.DESK)
    (folders[0] / PEOPLE_FILE).write_text(text, encoding="utf-8")
    assert office.keys.who(mine) == Person("wang", Role.DESK)
    office.kept.keep(NOW)
    assert office.kept.ends()[0].seq > 0


def test_a_list_of_another_installation_is_neither_believed_nor_replaced(
    store: Store, folders: tuple[Path, ...], tmp_path: Path
) -> None:
    other = Store(f"sqlite:///{tmp_path}/other.sqlite")
    theirs = People(other, TRAIL)
    theirs.add("wang", Role.DESK)
    foreign = Office(other, folders)
    foreign.persons.disable("wang", FIRST, "left", NOW)
    text = (folders[0] / PEOPLE_FILE).read_text(encoding="utf-8")
    other.close()
    people, office = People(store, TRAIL), Office(store, folders)
    mine = people.add("wang", Role.DESK)
    office.kept.keep(NOW)
    assert office.keys.who(mine) == Person("wang", Role.DESK)
    assert (folders[0] / PEOPLE_FILE).read_text(encoding="utf-8") == text
    office.guard.check(NOW)  # nobody else's end lies there: the folder is ours
    office.guard.check(NOW)
    assert len(office.kept.ends()) == len(folders)


def test_a_role_is_not_given_back_by_taking_entries_out_of_the_trail(
    store: Store, folders: tuple[Path, ...]
) -> None:
    people, office = People(store, TRAIL), Office(store, folders)
    boss = people.add("boss", Role.SUPERVISOR)
    was = backup_of(store)
    office.change(Person("boss", Role.DESK, "boss"))
    people.add("later", Role.DESK)
    office.kept.keep(NOW)
    (row,) = [one for one in was[persons] if one["id"] == "boss"]
    last = max(one["seq"] for one in was[audit])
    with store.writing() as connection:
        connection.execute(persons.update().where(persons.c.id == "boss").values(dict(row)))
        connection.execute(audit.delete().where(audit.c.subject == "boss", audit.c.seq > last))
    assert people.keys.who(boss) == Person("boss", Role.SUPERVISOR), "so says the database alone"
    for _ in range(2):
        assert Office(store, folders).keys.who(boss) == Person("boss", Role.DESK)
        office.kept.keep(NOW + MINUTE)


def test_a_backup_that_a_row_of_sql_accepts_is_not_accepted(store: Store, folders: tuple[Path, ...]) -> None:
    people, office = People(store, TRAIL), Office(store, folders)
    mine = people.add("wang", Role.DESK)
    backup = backup_of(store)
    office.persons.disable("wang", FIRST, "left", NOW)
    office.guard.check(NOW)
    restore(store, backup)
    forged = dict(backup[audit][-1])
    with store.writing() as connection:
        for number, end in enumerate(office.ends.ends()):
            row = {**forged, "seq": 1000 + number, "what": ACCEPTED, "subject": end.subject}
            connection.execute(audit.insert().values(row))
    again = Office(store, folders)
    assert again.guard.check(NOW + MINUTE)
    assert again.keys.who(mine) is None
