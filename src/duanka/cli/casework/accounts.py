"""`duanka accounts`: linked internet accounts, what their platforms are asked and answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from duanka.cli.casework import account_items, account_platforms
from duanka.cli.output.list_options import ListOptions, lists
from duanka.cli.output.lists import every, print_list, print_page, say
from duanka.cli.people.acting import Why, at_desk, command
from duanka.cli.shell.lazy import lazily, new_group
from duanka.cli.shell.process import OUT
from duanka.domain.authority import Permission
from duanka.domain.linked_accounts import PlatformState, RequestKind, RequestState
from duanka.domain.local_time import operator_zone
from duanka.domain.record_lookups import basis_of

if TYPE_CHECKING:
    from duanka.casework.accounts import queries, service
    from duanka.cli.casework import accounts_tables as tables
    from duanka.ledger import lookups
else:
    lookups = lazily("duanka.ledger.lookups")
    queries = lazily("duanka.casework.accounts.queries")
    service = lazily("duanka.casework.accounts.service")
    tables = lazily("duanka.cli.casework.accounts_tables")

RequestId = Annotated[str, typer.Argument(metavar="REQUEST", help="Id of the request, from `accounts list`.")]
Case = Annotated[str | None, typer.Option("--case", help="Number of the case that the lookup is about.")]
OfOrder = Annotated[str | None, typer.Option("--order", help="Or id of the order.")]
Notice = Annotated[str | None, typer.Option("--police-notice", help="Or number of the police's notice.")]

commands = typer.Typer()
accounts = new_group(commands, "accounts")


@command(accounts, Permission.REQUEST_ACCOUNTS)
def request(
    card: Annotated[str, typer.Argument(help="The card whose accounts it is about.")],
    why: Why,
    kind: Annotated[RequestKind, typer.Option("--kind", help="What the platforms are asked to do.")],
    platform: Annotated[str | None, typer.Option("--platform", help="Only of this platform.")] = None,
    case: Case = None,
    order: OfOrder = None,
    police_notice: Notice = None,
) -> None:
    """Ask platforms about the accounts of a card that is 涉案, or whose verification failed before two.

    What the policy asks for by itself is asked by `duanka serve`. Closing waits for a second person. It is a lookup:
    the audit trail has who and why.
    """
    with at_desk() as (here, person):
        reader = lookups.LookupContext(person, why, basis_of(case, order, police_notice))
        asks = service.AskedFor(card, kind, platform)
        made = here.casework.accounts.linked.request(asks, reader, here.now())
    if kind is RequestKind.CLOSE and made:
        following = f"duanka accounts approve {made[0]} --why …"
        say(f"提出 {len(made)} 项，待复核。", f"{len(made)} proposed.")
        say(f"下一步，由另一名主管：{following}", f"Next, by a supervisor who is somebody else: {following}")
    else:
        say(f"提出 {len(made)} 项；其余已提出。", f"{len(made)} asked; others were asked already.")


@command(accounts, Permission.LIST_ACCOUNTS, "list")
@lists()
def list_requests(
    state: Annotated[
        list[RequestState] | None, typer.Option("--state", help="Only requests in this state.")
    ] = None,
    platform: Annotated[str | None, typer.Option("--platform", help="Only of this platform.")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those without an answer in time.")] = False,
    *,
    asked: ListOptions,
) -> None:
    """List requests to platforms, the latest first; cards and accounts are masked."""
    with at_desk() as (here, person):
        which = queries.AccountFilter(tuple(state or ()), platform, overdue)
        now = here.now()

        def fetch(after: str, limit: int) -> tables.FetchedRequests:
            page = here.casework.accounts.queries.page(which, person, now, after or None, limit)
            return tables.FetchedRequests(page.requests, page.following)

        print_list(tables.REQUESTS, every(fetch), asked.of(person))


@command(accounts, Permission.READ_ACCOUNT)
def show(
    number: RequestId,
    why: Why,
    case: Case = None,
    order: OfOrder = None,
    police_notice: Notice = None,
    full: Annotated[bool, typer.Option("--full", help="Show card and account in full.")] = False,
) -> None:
    """Show a request with its answers. It is a lookup: the audit trail has who and why."""
    with at_desk() as (here, person):
        reader = lookups.LookupContext(person, why, basis_of(case, order, police_notice), full)
        found = here.casework.accounts.queries.file(number, reader, here.now())
    OUT.print(tables.request_page(found))


@command(accounts, Permission.ANSWER_ACCOUNT)
def answer(
    number: RequestId,
    state: Annotated[PlatformState, typer.Argument(metavar="ANSWER", help="What the platform says.")],
    why: Why,
    note: Annotated[str, typer.Option("--note", help="The platform's words.")] = "",
) -> None:
    """Enter what a platform answered by another way, such as a letter: handled, refused or released."""
    with at_desk() as (here, person):
        after = here.casework.accounts.linked.answer(number, state, note, person, why, here.now())
    say(f"{number}：{after.words.zh}。", f"{number} is {after.words.en}.")


@command(accounts, Permission.RELEASE_ACCOUNT)
def release(number: RequestId, why: Why) -> None:
    """Have one account released although the ground of its card stands; cards that are free release by themselves."""
    with at_desk() as (here, person):
        after = here.casework.accounts.linked.release(number, person, why, here.now())
    say(f"{number}：{after.words.zh}。", f"{number} is {after.words.en}.")


@command(accounts, Permission.APPROVE_ACCOUNT)
def approve(number: RequestId, why: Why) -> None:
    """Approve that an account is closed, as somebody else than who asked for it."""
    with at_desk() as (here, person):
        here.casework.accounts.linked.approve(number, person, why, here.now())
    say(f"{number} 已复核通过，待发送。", f"{number} is approved and will be sent.")


@command(accounts, Permission.APPROVE_ACCOUNT)
def reject(number: RequestId, why: Why) -> None:
    """Reject that an account is closed."""
    with at_desk() as (here, person):
        here.casework.accounts.linked.reject(number, person, why, here.now())
    say(f"{number} 复核未通过。", f"{number} is rejected.")


@command(accounts, Permission.REQUEST_ACCOUNTS)
def again(card: Annotated[str, typer.Argument(help="The card.")], why: Why) -> None:
    """Let the worker look at a card once more now, for accounts that were bound since; it does so daily by itself."""
    with at_desk() as (here, person):
        here.casework.accounts.linked.look(card, person, why, here.now())
    say("将由 duanka serve 重新核对。", "`duanka serve` looks at it again.")


@command(accounts, Permission.READ_FIGURES)
@lists(whole=True)
def figures(
    since: Annotated[str, typer.Option("--since", help="From this time on.")],
    until: Annotated[
        str | None, typer.Option("--until", help="Until before this time; default: now.")
    ] = None,
    *,
    asked: ListOptions,
) -> None:
    """Linked accounts handled in a period, by operator, city, platform and kind."""
    with at_desk() as (here, person):
        zone, now = operator_zone(), here.now()
        end = zone.read(until, "--until") if until else now
        found = here.casework.accounts.queries.figures(zone.read(since, "--since"), end, person, now)
    print_page(tables.FIGURES, found, asked.of(person), more=False)


account_platforms.add_to(accounts)
account_items.add_to(accounts)
