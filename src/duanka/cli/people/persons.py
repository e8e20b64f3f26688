"""`duanka persons`, `keys` and `whoami`: persons, their roles and keys."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from duanka.bootstrap.policies import policy_named
from duanka.cli.output.list_options import ListOptions, lists
from duanka.cli.output.lists import line, print_list, say
from duanka.cli.people import case_sources, sign_in
from duanka.cli.people.acting import Why, at_desk, command
from duanka.cli.shell.completion import choices
from duanka.cli.shell.lazy import lazily, new_group
from duanka.cli.shell.process import OUT
from duanka.domain.authority import Permission
from duanka.domain.person import WITH_KEYS, Person, Role, scope_of
from duanka.domain.text import BilingualText

if TYPE_CHECKING:
    from duanka.bootstrap import orders as app_orders
    from duanka.bootstrap import settings
    from duanka.cli.people import persons_tables as tables
    from duanka.ledger.people import persons as people
    from duanka.ledger.people import requests
else:
    app_orders = lazily("duanka.bootstrap.orders")
    settings = lazily("duanka.bootstrap.settings")
    tables = lazily("duanka.cli.people.persons_tables")
    people = lazily("duanka.ledger.people.persons")
    requests = lazily("duanka.ledger.people.requests")

RoleName = Literal["desk", "supervisor", "regulator", "police"]
_ROLES = choices(BilingualText("角色", "role"), WITH_KEYS)
PersonId = Annotated[str, typer.Argument(metavar="ID", help="Id of the person, like wang.wei.")]
Name = Annotated[str, typer.Option("--name", help="Their name, as it is shown; by default the id.")]
RequestId = Annotated[str, typer.Argument(metavar="REQUEST", help="Id of what was proposed, P....")]
Operators = Annotated[
    list[str] | None, typer.Option("--operator", help="Only orders of this operator; several times.")
]
Cities = Annotated[
    list[str] | None, typer.Option("--city", help="Only of this city, its code like 130100; several times.")
]


commands = typer.Typer()
persons, keys = new_group(commands, "persons"), new_group(commands, "keys")


@command(commands, Permission.WHO_AM_I)
def whoami() -> None:
    """Say whose key DUANKA_API_KEY is: id, name, role and scope."""
    with at_desk() as (_, person):
        OUT.print(tables.person_page(person))


@persons.command()
def init(person: PersonId, name: Name = "") -> None:
    """Make the first supervisor of a new order database. Needs no key: it is how an order database begins."""
    chosen = settings.load_settings()
    with app_orders.desk(chosen, policy_named(chosen.policy), create=True) as here:
        machine = f"{getpass.getuser()} on this machine"
        key, invitation = here.persons.begin(person, name or person, machine, here.now())
    _show_key(person, key)
    _show_invitation(invitation)


@persons.command()
def join(
    invitation: Annotated[str, typer.Argument(help="What `persons init` printed: di_....")],
    person: PersonId,
    name: Name = "",
) -> None:
    """Become the second supervisor, by the invitation. Needs no key: it is how an order database begins."""
    chosen = settings.load_settings()
    with app_orders.desk(chosen, policy_named(chosen.policy)) as here:
        key = here.persons.join(invitation, person, name or person, here.now())
    _show_key(person, key)


@command(persons, Permission.APPROVE_PERSON)
def invite() -> None:
    """Make a new invitation for the second supervisor, where the one of `persons init` is over."""
    with at_desk() as (here, person):
        _show_invitation(here.persons.invite(person, here.now()))


@command(persons, Permission.LIST_PERSONS, "list")
@lists(whole=True)
def list_persons(
    role: Annotated[
        RoleName | None, _ROLES.option(help="Only of this role: 值班员, 主管, 监管 or 公安.")
    ] = None,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Only what was proposed and waits for a supervisor.")
    ] = False,
    *,
    asked: ListOptions,
) -> None:
    """List people, and the proposals about them that wait for a supervisor."""
    with at_desk() as (here, person):
        if not waiting:
            found = [one for one in here.persons.list(person) if role in (None, one.person.role)]
            print_list(tables.PERSONS, found, asked)
        proposed = [one for one in here.persons.waiting(person) if role in (None, one.person.role)]
        if waiting:
            print_list(tables.REQUESTS, proposed, asked)
        elif proposed and not (asked.count or asked.for_programs):
            OUT.print(f"\n{tables.waiting_title()}")
            print_list(tables.REQUESTS, proposed, asked)


@command(persons, Permission.PROPOSE_PERSON)
def add(
    person: PersonId,
    role: Annotated[RoleName, _ROLES.option(help="What they may do: 值班员, 主管, 监管 or 公安.")],
    name: Name = "",
    operators: Operators = None,
    cities: Cities = None,
) -> None:
    """Propose a person; prints the first half of their key, and `approve` prints the second."""
    wanted = Person(person, Role(role), name or person, scope_of(operators or [], cities or []))
    _propose(requests.PersonProposal.PERSON, wanted)


@command(persons, Permission.PROPOSE_PERSON)
def change(
    person: PersonId,
    role: Annotated[RoleName, _ROLES.option(help="What they may do from then on.")],
    name: Name = "",
    operators: Operators = None,
    cities: Cities = None,
) -> None:
    """Propose a new role, name and scope for a person; all three replace the present ones."""
    wanted = Person(person, Role(role), name or person, scope_of(operators or [], cities or []))
    _propose(requests.PersonProposal.CHANGE, wanted)


@command(persons, Permission.APPROVE_PERSON)
def approve(request: RequestId, why: Why) -> None:
    """Approve, as another supervisor, a person, a change, a key or a password that somebody proposed."""
    with at_desk() as (here, by):
        asked, half = here.persons.approve(request, by, why, here.now())
    OUT.print(tables.request_page(asked))
    if half:
        tables.show_second_half(asked, half)


@command(persons, Permission.APPROVE_PERSON)
def reject(request: RequestId, why: Why) -> None:
    """Discard what was proposed."""
    with at_desk() as (here, by):
        asked = here.persons.reject(request, by, why, here.now())
    OUT.print(tables.request_page(asked))


@command(persons, Permission.DISABLE_PERSON)
def disable(person: PersonId, why: Why) -> None:
    """Take every key of a person and their password out of force, for good, and end their sessions."""
    with at_desk() as (here, by):
        here.persons.disable(person, by, why, here.now())
    say(f"{person} 已停用，其密钥全部失效。", f"{person} is disabled: none of their keys opens anything.")


@command(keys, Permission.PROPOSE_PERSON, "add")
def add_key(person: PersonId) -> None:
    """Propose another key for a person; prints its first half, and `approve` prints the second."""
    _propose(requests.PersonProposal.KEY, Person(person, Role.DESK))


@command(keys, Permission.LIST_PERSONS, "list")
@lists(whole=True)
def list_keys(
    person: Annotated[str, typer.Option(help="Only of this person.")] = "",
    in_force: Annotated[bool, typer.Option("--in-force", help="Only keys that are not revoked.")] = False,
    *,
    asked: ListOptions,
) -> None:
    """List keys: whose, since when, by whom, whether still in force."""
    with at_desk() as (here, by):
        found = here.keys.list(by)
        of_person = (one for one in found if person in ("", one.person.id))
        print_list(tables.KEYS, (one for one in of_person if not (in_force and one.revoked_at)), asked)


@command(keys, Permission.REVOKE_KEY)
def revoke(
    number: Annotated[str, typer.Argument(metavar="KEY", help="Id of the key, from `keys list`.")], why: Why
) -> None:
    """Revoke a key at once: a supervisor any key, everybody else their own."""
    with at_desk() as (here, by):
        here.keys.revoke(number, by, why, here.now())
    say(f"密钥 {number} 已作废。", f"Key {number} revoked.")


keys.add_typer(case_sources.of_keys)
persons.add_typer(sign_in.of_persons)


def _show_key(person: str, key: str) -> None:
    say(f"{person} 的密钥，只显示这一次：", f"The key of {person}, shown this once:")
    line(key)
    say(
        "使用方法：export DUANKA_API_KEY=密钥；API 中写作 `Authorization: Bearer 密钥`",
        "Use it: export DUANKA_API_KEY=KEY; the API takes it as `Authorization: Bearer KEY`",
    )


def _show_invitation(invitation: str) -> None:
    days, join = people.INVITATION_DAYS, "duanka persons join INVITATION ID --name NAME"
    say(
        f"第二名主管的邀请码，{days} 天内有效，只能用一次：",
        f"Invitation for the second supervisor, good for {days} days and once:",
    )
    line(invitation)
    say(f"下一步由第二名主管：{join}", f"Next, by the second supervisor: {join}")


def _propose(what: requests.PersonProposal, wanted: Person) -> None:
    with at_desk() as (here, by):
        asked, half = here.persons.propose(what, wanted, by, here.now())
    OUT.print(tables.request_page(asked))
    tables.show_first_half(asked, half)
