"""People and keys as the commands print them."""

from __future__ import annotations

from functools import partial

from rich.console import RenderableType
from rich.text import Text

from duanka.cli.output.list_columns import Column, Listing
from duanka.cli.shell.language import shown, term
from duanka.domain.person import Person, Role, Scope
from duanka.domain.text import Words
from duanka.ledger.people.keys import Key
from duanka.ledger.people.persons import Asked, ListedPerson, PersonRequest, RequestOutcome

_PERSON, _NAME, _ROLE = Words("人员", "person"), Words("姓名", "name"), Words("角色", "role")
_SCOPE, _PROPOSED_BY = Words("范围", "scope"), Words("提出人", "proposed by")
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


def request_page(one: PersonRequest) -> RenderableType:
    """One request: what it would make of whom, and how it stands."""
    decided = shown(_DECIDED).format(outcome=term(RequestOutcome, one.outcome), by=one.decided_by or "-")
    stands = decided if one.outcome else shown(_WAITS)
    return Text(
        shown(_REQUEST).format(
            id=one.id, what=shown(one.what.words), who=_who(one.person), by=one.proposed_by, stands=stands
        )
    )


def waiting_title() -> str:
    """What stands above the requests that wait."""
    return shown(Words("待主管复核", "Waiting for a supervisor"))


def role(person: Person) -> str:
    """The role of a person in the language of tables."""
    return shown(person.role.words)


def scope(given: Scope) -> str:
    """A scope in words."""
    return shown(_EVERYWHERE) if given.everywhere else shown(given.words)


def _scope(one: ListedPerson | PersonRequest) -> str:
    return scope(one.person.scope)


PERSONS: Listing[ListedPerson] = Listing(
    Words("人员", "people"),
    (
        Column("id", _PERSON, lambda one: one.person.id),
        Column("name", _NAME, lambda one: one.person.display_name, least=10, spare=2),
        Column("role", _ROLE, lambda one: one.person.role.value, word=partial(term, Role)),
        Column("operators", None, lambda one: sorted(one.person.scope.operators)),
        Column("cities", None, lambda one: sorted(one.person.scope.cities)),
        Column(
            "scope",
            _SCOPE,
            lambda one: str(one.person.scope),
            _scope,
            12,
        ),
        Column("since", Words("自", "since"), lambda one: one.created_at, spare=3),
        Column("disabled_at", Words("停用", "disabled"), lambda one: one.disabled_at, spare=1),
    ),
    ("role",),
)

REQUESTS: Listing[PersonRequest] = Listing(
    Words("待主管复核的申请", "requests that wait for a supervisor"),
    (
        Column("id", Words("申请", "request"), lambda one: one.id),
        Column("what", Words("内容", "what"), lambda one: one.what.value, word=partial(term, Asked)),
        Column("person", _PERSON, lambda one: one.person.id),
        Column("name", _NAME, lambda one: one.person.display_name, least=10, spare=3),
        Column("role", _ROLE, lambda one: one.person.role.value, word=partial(term, Role)),
        Column(
            "scope",
            _SCOPE,
            lambda one: str(one.person.scope),
            _scope,
            12,
        ),
        Column("proposed_by", _PROPOSED_BY, lambda one: one.proposed_by, spare=1),
        Column("proposed_at", Words("时间", "at"), lambda one: one.proposed_at, spare=2),
    ),
    ("what", "role"),
)

KEYS: Listing[Key] = Listing(
    Words("密钥", "keys"),
    (
        Column("id", Words("密钥", "key"), lambda one: one.id),
        Column("person", _PERSON, lambda one: one.person.id),
        Column("role", _ROLE, lambda one: one.person.role.value, word=partial(term, Role)),
        Column("given_at", Words("发放", "given"), lambda one: one.created_at, spare=2),
        Column(
            "by", Words("经办", "by"), lambda one: f"{one.proposed_by} + {one.approved_by}", least=12, spare=3
        ),
        Column("revoked_at", Words("吊销", "revoked"), lambda one: one.revoked_at, spare=1),
    ),
    ("person", "role"),
)
