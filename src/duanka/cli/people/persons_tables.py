"""Output of persons and keys."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from duanka.cli.output.list_columns import ListColumn, Listing
from duanka.cli.output.lists import line, say
from duanka.cli.shell.language import shown, term
from duanka.domain.person import Person, Role, Scope
from duanka.domain.sign_in import GENERATED_DAYS, SessionEnd, StaffSession
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


def show_first_half(asked: PersonRequest, half: str | None) -> None:
    """Print the first half of a proposed key or password, and who goes on."""
    whose, approve = asked.person.id, f"duanka persons approve {asked.id}"
    if half:
        zh, en = _half_of(asked)
        say(f"{whose} 的{zh}前半段，只显示这一次：", f"First half of the {en} of {whose}, shown this once:")
        line(half)
        say(
            f"只告诉 {whose} 本人；复核人会看到后半段。",
            f"Tell it {whose} alone. Who approves is shown the second half.",
        )
    say(f"下一步由另一名主管：{approve}", f"Next, by a supervisor who is somebody else: {approve}")


def show_second_half(asked: PersonRequest, half: str) -> None:
    """Print the second half of an approved key or password."""
    whose, (zh, en) = asked.person.id, _half_of(asked)
    say(f"{whose} 的{zh}后半段，只显示这一次：", f"Second half of the {en} of {whose}, shown this once:")
    line(half)
    if asked.what is PersonProposal.PASSWORD:
        say(
            f"只告诉 {whose} 本人；前后两段以“-”相连即为口令，登录名 {asked.account}，"
            f"{GENERATED_DAYS} 天内首次登录时须修改。",
            f"Tell it {whose} alone; the password is both halves with - between them, for the login name"
            f" {asked.account}, and must be changed at the first sign-in, within {GENERATED_DAYS} days.",
        )
        return
    say(
        f"只告诉 {whose} 本人；前后两段相连即为密钥。",
        f"Tell it {whose} alone; the key is both halves, one behind the other.",
    )


def _half_of(asked: PersonRequest) -> tuple[str, str]:
    return ("口令", "password") if asked.what is PersonProposal.PASSWORD else ("密钥", "key")


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
        ListColumn("login", ("登录名", "login"), lambda one: one.login or None, least=6, spare=4),
        ListColumn("subject", None, lambda one: one.subject or None),
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

SESSIONS: Listing[tuple[StaffSession, SessionEnd | None]] = Listing(
    BilingualText("登录会话", "sessions"),
    (
        ListColumn("id", ("会话", "session"), lambda one: one[0].id),
        ListColumn("from", ("来自", "from"), lambda one: one[0].address, least=9),
        ListColumn("begun_at", ("登录", "signed in"), lambda one: one[0].begun_at),
        ListColumn("seen_at", ("最近使用", "last used"), lambda one: one[0].seen_at, spare=1),
        ListColumn("ends_at", ("最迟结束", "ends at the latest"), lambda one: one[0].ends_at, spare=3),
        ListColumn("over", ("结束", "over"), lambda one: one[1] and one[1].value, word=SessionEnd),
        ListColumn("ended_at", None, lambda one: one[0].ended_at),
    ),
    ("over",),
)
