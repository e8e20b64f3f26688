"""People and keys as the commands print them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from duanka.cli_grid import grid
from duanka.cli_language import shown, term
from duanka.cli_orders_tables import local
from duanka.domain.person import Person, Scope
from duanka.domain.words import Words
from duanka.orders.keys import Key
from duanka.orders.persons import ListedPerson, PersonRequest, RequestOutcome

_PERSON, _NAME, _ROLE = Words("人员", "person"), Words("姓名", "name"), Words("角色", "role")
_SCOPE, _PROPOSED_BY = Words("范围", "scope"), Words("提出人", "proposed by")
_PERSONS = (_PERSON, _NAME, _ROLE, _SCOPE, Words("起始", "since"), Words("停用", "disabled"))
_REQUESTS = (
    *(Words("申请", "request"), Words("内容", "what"), _PERSON, _NAME, _ROLE, _SCOPE),
    *(_PROPOSED_BY, Words("时间", "at")),
)
_REQUESTS_TITLE = Words("待主管复核", "Waiting for a supervisor")
_KEYS = (
    *(Words("密钥", "key"), _PERSON, _ROLE, Words("发放", "given"), Words("经手", "by")),
    Words("吊销", "revoked"),
)
_WHO = Words("{id}（{name}）：{role}；范围：{scope}", "{id} ({name}): {role}; scope: {scope}")
_REQUEST = Words(
    "{id}：{what} {who}，由 {by} 提出；{stands}",
    "{id}: {what} {who}; proposed by {by}; {stands}",
)
_WAITS = Words("待主管复核", "waits for a supervisor")
_DECIDED = Words("{by} {outcome}", "{outcome} by {by}")
_EVERYWHERE = Words("全部", "all")


def person_page(person: Person) -> RenderableType:
    """Who somebody is."""
    return Text(_who(person))


def _who(person: Person) -> str:
    name = person.display_name or person.id
    return shown(_WHO).format(id=person.id, name=name, role=role(person), scope=scope(person.scope))


def persons_table(people: Sequence[ListedPerson]) -> RenderableType:
    """Everybody, also who is disabled."""
    table = grid(*_PERSONS)
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
    table = grid(*_REQUESTS, title=_REQUESTS_TITLE)
    for one in requests:
        table.add_row(
            one.id,
            shown(one.what.words),
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
    decided = shown(_DECIDED).format(outcome=term(RequestOutcome, one.outcome), by=one.decided_by or "-")
    stands = decided if one.outcome else shown(_WAITS)
    return Text(
        shown(_REQUEST).format(
            id=one.id, what=shown(one.what.words), who=_who(one.person), by=one.proposed_by, stands=stands
        )
    )


def keys_table(keys: Sequence[Key]) -> RenderableType:
    """Keys, without what opens anything."""
    table = grid(*_KEYS)
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
    """The role of a person in the language of tables."""
    return shown(person.role.words)


def scope(given: Scope) -> str:
    """A scope in words."""
    return shown(_EVERYWHERE) if given.everywhere else shown(given.words)
