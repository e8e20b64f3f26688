"""`duanka persons password`, `sessions` and the like: how people sign in with a browser."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from duanka.cli.output.list_options import ListOptions, lists
from duanka.cli.output.lists import line, print_list, say
from duanka.cli.people.acting import Why, at_desk, command
from duanka.cli.shell.language import text_shown
from duanka.cli.shell.lazy import lazily
from duanka.cli.shell.process import OUT
from duanka.domain.authority import Permission, authorize
from duanka.domain.errors import DuankaError
from duanka.domain.person import Person, Role, same_person
from duanka.domain.sign_in import GENERATED_DAYS, CredentialKind

if TYPE_CHECKING:
    from duanka.bootstrap import settings
    from duanka.cli.people import persons_tables as tables
    from duanka.ledger.people import credentials, requests
else:
    settings = lazily("duanka.bootstrap.settings")
    tables = lazily("duanka.cli.people.persons_tables")
    credentials = lazily("duanka.ledger.people.credentials")
    requests = lazily("duanka.ledger.people.requests")

PersonId = Annotated[str, typer.Argument(metavar="ID", help="Id of the person, like wang.wei.")]

of_persons = typer.Typer()


@command(of_persons, Permission.SET_PASSWORD)
def password(
    person: PersonId,
    login: Annotated[
        str, typer.Option(help="Name to sign in with; by default the present one, or the id.")
    ] = "",
    *,
    generate: Annotated[
        bool,
        typer.Option("--generate", help="Print a random one, which must be changed at the first sign-in."),
    ] = False,
) -> None:
    """Give yourself a password to sign in with a browser; to give one to somebody else, propose it: --generate.

    Who proposes it sees its first half, and who approves it (`persons approve`) the second. All sessions of the person
    end.
    """
    with at_desk() as (here, by):
        if generate and not same_person(by.id, person):
            kind = requests.PersonProposal.PASSWORD
            asked, half = here.persons.propose(kind, Person(person, Role.DESK), by, here.now(), login)
            OUT.print(tables.request_page(asked))
            tables.show_first_half(asked, half or "")
            return
        credentials.only_ones_own(person, by)
        typed = None if generate else _typed_twice()
        name, made = here.sign_in.credentials.set_password(person, typed, login, by, here.now())
    if made:
        say(f"{person} 的口令，只显示这一次：", f"The password of {person}, shown this once:")
        line(made)
        say(
            f"{GENERATED_DAYS} 天内首次登录时须修改。",
            f"It must be changed at the first sign-in, within {GENERATED_DAYS} days.",
        )
    say(f"登录名：{name}", f"Login name: {name}")


@command(of_persons, Permission.REMOVE_CREDENTIAL, "remove-password")
def remove_password(person: PersonId, why: Why) -> None:
    """Take a person's password out of force, and end their sessions: a supervisor, or the person."""
    with at_desk() as (here, by):
        here.sign_in.credentials.remove(person, CredentialKind.PASSWORD, by, why, here.now())
    say(
        f"{person} 的口令已撤销，会话已终止。",
        f"The password of {person} is removed, and their sessions are over.",
    )


@command(of_persons, Permission.PROPOSE_PERSON, "bind-oidc")
def bind_oidc(
    person: PersonId,
    subject: Annotated[
        str, typer.Argument(help="Whom the provider names: the claim of DUANKA_OIDC_CLAIM, by default sub.")
    ],
) -> None:
    """Propose that a person signs in as a subject of the OpenID Connect provider; a supervisor approves."""
    with at_desk() as (here, by):
        authorize(by, Permission.PROPOSE_PERSON)
        issuer = settings.load_settings().oidc_issuer
        if not issuer:
            raise DuankaError("no provider is set up: set DUANKA_OIDC_ISSUER (docs/PEOPLE.md)")
        account = credentials.bound_account(issuer, subject)
        kind = requests.PersonProposal.SUBJECT
        asked, _ = here.persons.propose(kind, Person(person, Role.DESK), by, here.now(), account)
    OUT.print(tables.request_page(asked))
    tables.show_first_half(asked, None)


@command(of_persons, Permission.REMOVE_CREDENTIAL, "unbind-oidc")
def unbind_oidc(person: PersonId, why: Why) -> None:
    """Let a person sign in by the provider no more, and end their sessions: a supervisor, or the person."""
    with at_desk() as (here, by):
        here.sign_in.credentials.remove(person, CredentialKind.SUBJECT, by, why, here.now())
    say(f"{person} 的统一身份绑定已解除。", f"{person} is bound to no subject any more.")


@command(of_persons, Permission.LIST_SESSIONS)
@lists(whole=True)
def sessions(
    person: PersonId,
    is_open: Annotated[bool, typer.Option("--open", help="Only those that are not over.")] = False,
    *,
    asked: ListOptions,
) -> None:
    """List a person's latest sessions: since when, from where, until when. Others' take a supervisor."""
    with at_desk() as (here, by):
        found = here.sign_in.sessions.list(person, by, here.now())
        print_list(tables.SESSIONS, (one for one in found if not (is_open and one[1])), asked)


@command(of_persons, Permission.END_SESSIONS, "end-sessions")
def end_sessions(person: PersonId, why: Why) -> None:
    """End all sessions of a person at once: a supervisor, or the person. Keys and password stay."""
    with at_desk() as (here, by):
        count = here.sign_in.sessions.end(person, by, why, here.now())
    say(f"{person} 的 {count} 个会话已终止。", f"Sessions of {person} that are over now: {count}.")


def _typed_twice() -> str:
    """A password, asked for twice without echo. DuankaError: there is no terminal."""
    if not sys.stdin.isatty():
        raise DuankaError("a password is asked for on a terminal; --generate prints one instead")
    said: str = typer.prompt(
        text_shown("Password"), hide_input=True, confirmation_prompt=text_shown("The same again")
    )
    return said
