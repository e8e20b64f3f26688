"""People with keys for tests: made as people are, by two supervisors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.scan import policy_named
from duanka.bootstrap.settings import Settings
from duanka.domain.person import Person, Role, Scope
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.people.keys import Keys
from duanka.ledger.people.passwords import PasswordHashing
from duanka.ledger.people.persons import Persons
from duanka.ledger.people.requests import PersonProposal
from duanka.ledger.people.sign_in import SignInServices, sign_in_services
from support.desk import duanka

PASSWORD = "Correct-horse-9-battery"  # noqa: S105  # of a test
CHEAP = PasswordHashing(time_cost=1, memory_kib=8)  # as the real one, in no time
AT = datetime(2026, 3, 1, tzinfo=UTC)
FIRST, SECOND = Person("first.supervisor", Role.SUPERVISOR), Person("second.supervisor", Role.SUPERVISOR)


@dataclass
class People:
    """The people of an order database that begins: two supervisors, and whoever is added."""

    store: Store
    trail: Trail
    keys: Keys = field(init=False)
    persons: Persons = field(init=False)
    sign_in: SignInServices = field(init=False)
    given: dict[str, str] = field(default_factory=dict)  # keys by the id of the person

    def __post_init__(self) -> None:
        store, trail = self.store, self.trail
        self.keys, self.persons = Keys(store, trail), Persons(store, trail, hashing=CHEAP)
        self.sign_in = sign_in_services(store, trail, b"login names", hashing=CHEAP)
        if self.given:
            return
        self.given[FIRST.id], invitation = self.persons.begin(FIRST.id, "甲", "a test", AT)
        self.given[SECOND.id] = self.persons.join(invitation, SECOND.id, "乙", AT)

    def add(self, person: str, role: Role, scope: Scope | None = None, name: str = "") -> str:
        """A person, and their key."""
        wanted = Person(person, role, name or person, scope or Scope())
        asked, half = self.persons.propose(PersonProposal.PERSON, wanted, FIRST, AT)
        _, other = self.persons.approve(asked.id, SECOND, "a test", AT)
        self.given[person] = f"{half}{other}"
        return self.given[person]

    def password(self, person: str, login: str = "", password: str = PASSWORD, now: datetime = AT) -> str:
        """Give a person a password, as they do with their key."""
        self.sign_in.credentials.set_password(person, password, login, self.who(person), now)
        return password

    def who(self, person: str) -> Person:
        """The person, as their key says."""
        found = self.keys.who(self.given[person])
        assert found is not None
        return found


def people_of(settings: Settings, people: Mapping[str, Role], policy: str = "national") -> dict[str, str]:
    """A key of each of `people`, in a new order database of these settings: as `typed_people`, not typed."""
    with app_orders.desk(settings, policy_named(policy), create=True) as here:
        made = People(here.store, here.trail)
        return {**made.given, **{person: made.add(person, role) for person, role in people.items()}}


def typed_people(people: Mapping[str, str], cwd: Path, **environment: str) -> dict[str, str]:
    """A key of each of `people` (id and role), as it is given by typed commands in a new order database."""

    def out(*words: str, **more: str) -> str:
        found = duanka(*words, cwd=cwd, **environment, **more)
        assert found.code == 0, found
        return found.out

    first = out("persons", "init", FIRST.id)
    keys = {FIRST.id: _first(r"dk_\S+", first)}
    keys[SECOND.id] = _first(r"dk_\S+", out("persons", "join", _first(r"di_\S+", first), SECOND.id))
    for person, role in people.items():
        asked = out("persons", "add", person, "--role", role, DUANKA_API_KEY=keys[FIRST.id])
        request = _first(r"P[0-9A-Z]{12}", asked)
        why = ("--why", "works here")
        approved = out("persons", "approve", request, *why, DUANKA_API_KEY=keys[SECOND.id])
        keys[person] = _first(r"dk_\S+", asked) + _first(r"^[A-Za-z0-9_-]{22}$", approved)
    return keys


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    assert found, text
    return found[0]
