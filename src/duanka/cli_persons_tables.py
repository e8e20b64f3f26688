"""People and keys as the commands print them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from duanka.cli_grid import grid
from duanka.cli_orders_tables import local
from duanka.domain.person import Person, Scope
from duanka.orders.keys import Key
from duanka.orders.persons import ListedPerson, PersonRequest

_ROLES = {"desk": "值班员", "supervisor": "主管", "regulator": "监管", "police": "公安"}


def person_page(person: Person) -> RenderableType:
    """Who somebody is."""
    return Text(
        f"{person.id} ({person.display_name or person.id}): {role(person)}; scope 范围: {scope(person.scope)}"
    )


def persons_table(people: Sequence[ListedPerson]) -> RenderableType:
    """Everybody, also who is disabled."""
    table = grid("person", "name", "role", "scope", "since", "disabled")
    for one in people:
        who = one.person
        table.add_row(
            who.id,
            who.display_name,
            role(who),
            scope(who.scope),
            local(one.created_at),
            local(one.disabled_at),
        )
    return table


def requests_table(requests: Sequence[PersonRequest]) -> RenderableType:
    """What waits for a supervisor."""
    table = _titled("Waiting for a supervisor 待复核")
    for one in requests:
        table.add_row(
            one.id,
            one.what.value,
            one.person.id,
            one.person.display_name,
            role(one.person),
            scope(one.person.scope),
            one.proposed_by,
            local(one.proposed_at),
        )
    return table


def request_page(one: PersonRequest) -> RenderableType:
    """One request: what it would make of whom, and how it stands."""
    stands = f"{one.outcome} by {one.decided_by}" if one.outcome else "waits for a supervisor"
    who = one.person
    return Text(
        f"{one.id}: {one.what.value} {who.id} ({who.display_name}), {role(who)}, scope 范围: {scope(who.scope)};"
        f" proposed by {one.proposed_by}; {stands}"
    )


def keys_table(keys: Sequence[Key]) -> RenderableType:
    """Keys, without what opens anything."""
    table = grid("key", "person", "role", "given", "by", "revoked")
    for key in keys:
        table.add_row(
            key.id,
            key.person.id,
            role(key.person),
            local(key.created_at),
            f"{key.proposed_by} + {key.approved_by}",
            local(key.revoked_at),
        )
    return table


def role(person: Person) -> str:
    """A role in both languages."""
    return f"{_ROLES.get(person.role.value, '')} {person.role.value}".strip()


def scope(given: Scope) -> str:
    """A scope in words."""
    return "all 全部" if given.everywhere else str(given)


def _titled(title: str) -> Table:
    table = grid("request", "what", "person", "name", "role", "scope", "proposed by", "at")
    table.title = title
    return table
