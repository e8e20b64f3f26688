"""Output of persons and keys."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from duanka.cli.output.list_columns import ListColumn, Listing
from duanka.cli.shell.language import shown, term
from duanka.domain.person import Person, Role, Scope
from duanka.domain.text import BilingualText
from duanka.ledger.people.keys import Key
from duanka.ledger.people.persons import ListedPerson
from duanka.ledger.people.requests import PersonProposal, PersonRequest, RequestOutcome

_PERSON, _NAME, _ROLE = (
    BilingualText("人员", "person"),
    BilingualText("姓名", "name"),
    BilingualText("角色", "role"),
)
_SCOPE, _PROPOSED_BY = BilingualText("范围", "scope"), BilingualText("提出人", "proposed by")
_WHO = BilingualText("{id}（{name}）：{role}；范围：{scope}", "{id} ({name}): {role}; scope: {scope}")
_REQUEST = BilingualText(
    "{id}：{what} {who}，由 {by} 提出；{stands}", "{id}: {what} {who}; proposed by {by}; {stands}"
)
_WAITS = BilingualText("待主管复核", "waits for a supervisor")
_DECIDED = BilingualText("{by} {outcome}", "{outcome} by {by}")
_EVERYWHERE = BilingualText("全部", "all")


def person_page(person: Person) -> RenderableType:
    """Id, name, role and scope of a person."""
    return Text(_who(person))


def _who(person: Person) -> str:
    name = person.display_name or person.id
    return shown(_WHO, id=person.id, name=name, role=role(person), scope=scope(person.scope))


def request_page(one: PersonRequest) -> RenderableType:
    """A request: its effect and its state."""
    decided = shown(_DECIDED, outcome=term(RequestOutcome, one.outcome), by=one.decided_by or "-")
    stands = decided if one.outcome else shown(_WAITS)
    return Text(
        shown(
            _REQUEST,
            id=one.id,
            what=shown(one.what.words),
            who=_who(one.person),
            by=one.proposed_by,
            stands=stands,
        )
    )


def waiting_title() -> str:
    """Title of the pending requests."""
    return shown(BilingualText("待主管复核", "Waiting for a supervisor"))


def role(person: Person) -> str:
    """Display text of a person's role."""
    return shown(person.role.words)


def scope(given: Scope) -> str:
    """Display text of a scope."""
    return shown(_EVERYWHERE) if given.everywhere else shown(given.words)


def _scope(one: ListedPerson | PersonRequest) -> str:
    return scope(one.person.scope)


PERSONS: Listing[ListedPerson] = Listing(
    BilingualText("人员", "people"),
    (
        ListColumn("id", _PERSON, lambda one: one.person.id),
        ListColumn("name", _NAME, lambda one: one.person.display_name, least=10, spare=2),
        ListColumn("role", _ROLE, lambda one: one.person.role.value, word=Role),
        ListColumn("operators", None, lambda one: sorted(one.person.scope.operators)),
        ListColumn("cities", None, lambda one: sorted(one.person.scope.cities)),
        ListColumn("scope", _SCOPE, lambda one: str(one.person.scope), _scope, 12),
        ListColumn("since", ("自", "since"), lambda one: one.created_at, spare=3),
        ListColumn("disabled_at", ("停用", "disabled"), lambda one: one.disabled_at, spare=1),
    ),
    ("role",),
)

REQUESTS: Listing[PersonRequest] = Listing(
    BilingualText("待主管复核的申请", "requests that wait for a supervisor"),
    (
        ListColumn("id", ("申请", "request"), lambda one: one.id),
        ListColumn("what", ("内容", "what"), lambda one: one.what.value, word=PersonProposal),
        ListColumn("person", _PERSON, lambda one: one.person.id),
        ListColumn("name", _NAME, lambda one: one.person.display_name, least=10, spare=3),
        ListColumn("role", _ROLE, lambda one: one.person.role.value, word=Role),
        ListColumn("scope", _SCOPE, lambda one: str(one.person.scope), _scope, 12),
        ListColumn("proposed_by", _PROPOSED_BY, lambda one: one.proposed_by, spare=1),
        ListColumn("proposed_at", ("时间", "at"), lambda one: one.proposed_at, spare=2),
    ),
    ("what", "role"),
)

KEYS: Listing[Key] = Listing(
    BilingualText("密钥", "keys"),
    (
        ListColumn("id", ("密钥", "key"), lambda one: one.id),
        ListColumn("person", _PERSON, lambda one: one.person.id),
        ListColumn("role", _ROLE, lambda one: one.person.role.value, word=Role),
        ListColumn("given_at", ("发放", "given"), lambda one: one.created_at, spare=2),
        ListColumn(
            "by", ("经办", "by"), lambda one: f"{one.proposed_by} + {one.approved_by}", least=12, spare=3
        ),
        ListColumn("revoked_at", ("吊销", "revoked"), lambda one: one.revoked_at, spare=1),
    ),
    ("person", "role"),
)
