"""`duanka victims`: who is in danger through confirmed cards; warnings, calls, outcomes."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duanka.cli.output.list_options import ListOptions, lists
from duanka.cli.output.lists import every, print_list, print_page, say
from duanka.cli.people.acting import Full, Why, at_desk, cards_in_file, command
from duanka.cli.shell.lazy import lazily, new_group
from duanka.cli.shell.process import OUT
from duanka.domain.authority import Permission
from duanka.domain.case_file import is_case_id
from duanka.domain.errors import DuankaError
from duanka.domain.local_time import operator_zone
from duanka.domain.record_lookups import Basis, BasisKind, basis_of
from duanka.domain.victims import CallOutcome, CallState

if TYPE_CHECKING:
    from duanka.casework.victims import finding, queries
    from duanka.cli.casework import victims_tables as tables
    from duanka.ledger import lookups
else:
    finding = lazily("duanka.casework.victims.finding")
    lookups = lazily("duanka.ledger.lookups")
    queries = lazily("duanka.casework.victims.queries")
    tables = lazily("duanka.cli.casework.victims_tables")

Named = Annotated[
    str, typer.Option("--cards", help="A file of cards, a line each or a table; or a case of ours (C…).")
]
VictimId = Annotated[str, typer.Argument(metavar="VICTIM", help="Id of the victim, from `victims list`.")]
ListId = Annotated[str, typer.Argument(metavar="WORKLIST", help="Id from `victims proposals`.")]
Case = Annotated[str | None, typer.Option("--case", help="Number of the case that it is about.")]
OfOrder = Annotated[str | None, typer.Option("--order", help="Or id of the order.")]
Notice = Annotated[str | None, typer.Option("--police-notice", help="Or number of the police's notice.")]
Hours = Annotated[
    int | None, typer.Option("--hours", min=1, help="How many hours; by default what the policy says (72).")
]
Until = Annotated[
    str | None,
    typer.Option("--until", help="Up to this time; by default the end of the last day that the store has."),
]
States = Annotated[list[CallState] | None, typer.Option("--state", help="Only victims whose call stands so.")]

commands = typer.Typer()
victims = new_group(commands, "victims")


@command(victims, Permission.FIND_VICTIMS)
@lists()
def find(
    cards: Named,
    why: Why,
    case: Case = None,
    order: OfOrder = None,
    police_notice: Notice = None,
    hours: Hours = None,
    until: Until = None,
    full: Annotated[bool, typer.Option("--full", help="Show numbers in full.")] = False,
    *,
    asked: ListOptions,
) -> None:
    """Find whom confirmed cards have in danger: ranked, with each reason; nothing is sent.

    It is a lookup: the audit trail has who and why. Cards that the police did not confirm are refused.
    """
    with at_desk() as (here, person):
        named, basis = _meant(cards, case, order, police_notice)
        reader = lookups.LookupContext(person, why, basis, full)
        found = here.casework.victims.finder.find(named, reader, here.now(), _period(hours, until))
        options = asked.of(person)
    if not options.for_programs and not options.count:
        say(*tables.found_title(found))
    print_list(tables.FOUND, found.victims, options)
    if not options.for_programs and found.excluded:
        say(*tables.excluded_words(found))


@command(victims, Permission.WARN_VICTIMS)
def warn(
    cards: Named,
    why: Why,
    case: Case = None,
    order: OfOrder = None,
    police_notice: Notice = None,
    hours: Hours = None,
    until: Until = None,
) -> None:
    """Have the victims of confirmed cards warned by short message: once a person and day.

    `duanka serve` does so by itself for each new confirmation; this is for older ones.
    """
    with at_desk() as (here, person):
        named, basis = _meant(cards, case, order, police_notice)
        reader = lookups.LookupContext(person, why, basis)
        found = here.casework.victims.finder.warn(named, reader, here.now(), _period(hours, until))
    say(*tables.found_title(found))
    say(
        f"新增预警 {found.warned:,} 条，由 duanka serve 发送。",
        f"{found.warned:,} new warnings; duanka serve sends them.",
    )


@command(victims, Permission.READ_VICTIMS, "list")
@lists()
def list_victims(
    why: Why,
    state: States = None,
    outcome: Annotated[
        list[CallOutcome] | None, typer.Option("--outcome", help="Only those with this outcome of a call.")
    ] = None,
    full: Full = False,
    *,
    asked: ListOptions,
) -> None:
    """List victims, the most endangered first; numbers masked. The audit trail has who and why."""
    _print_victims(why, tuple(state or ()), tuple(outcome or ()), full, asked)


@command(victims, Permission.READ_VICTIMS)
@lists()
def worklist(why: Why, full: Full = False, *, asked: ListOptions) -> None:
    """List who waits for a call, is being called, or was not reached; `victims claim` takes one."""
    _print_victims(why, queries.TO_CALL, (), full, asked)


@command(victims, Permission.READ_VICTIMS)
def show(victim: VictimId, why: Why, full: Full = False) -> None:
    """Show a victim: why in danger, through which cards, what was sent, what came of calls."""
    with at_desk() as (here, person):
        reader = lookups.Reader(person, why, full)
        file = here.casework.victims.queries.victim(victim, reader, here.now())
    OUT.print(tables.victim_page(file))


@command(victims, Permission.CALL_VICTIMS)
def claim(
    why: Why,
    victim: Annotated[
        str | None, typer.Argument(metavar="[VICTIM]", help="Whom; else the most endangered who waits.")
    ] = None,
) -> None:
    """Take a victim to call, so that nobody else does: the number in full, the reasons, the text to read out."""
    with at_desk() as (here, person):
        file = here.casework.victims.calls.claim(victim, person, why, here.now())
    OUT.print(tables.victim_page(file))
    following = f"duanka victims outcome {file.victim.id} --outcome … --note …"
    say(f"通话后：{following}", f"After the call: {following}")


@command(victims, Permission.CALL_VICTIMS)
def release(victim: VictimId, why: Why) -> None:
    """Give a victim back whom you claimed and do not call."""
    with at_desk() as (here, person):
        found = here.casework.victims.calls.release(victim, person, why, here.now())
    say(f"{victim}：{found.call_state.words.zh}", f"{victim}: {found.call_state.words.en}")


@command(victims, Permission.CALL_VICTIMS)
def outcome(
    victim: VictimId,
    outcome: Annotated[CallOutcome, typer.Option("--outcome", help="What came of the call.")],
    note: Annotated[
        str, typer.Option("--note", prompt="Note", help="In a few words; it stays in the audit trail.")
    ],
) -> None:
    """Record what came of a call. Who was not reached waits again, and is escalated after several times."""
    with at_desk() as (here, person):
        found = here.casework.victims.calls.record(victim, outcome, note, person, here.now())
    state, said = found.call_state.words, outcome.words
    say(f"{victim}：{said.zh}；{state.zh}", f"{victim}: {said.en}; {state.en}")
    if outcome is CallOutcome.ALREADY_PAID:
        say(
            "已转账：请告知其立即报警并联系银行止付。",
            "Already paid: have them call the police at once, and their bank to stop the payment.",
        )


@command(victims, Permission.PROPOSE_CALLS)
def propose(
    cards: Named,
    why: Why,
    case: Case = None,
    order: OfOrder = None,
    police_notice: Notice = None,
    hours: Hours = None,
) -> None:
    """Propose a worklist of calls for cards that the police did not confirm; a second person approves it.

    Nothing is looked up before the approval, and nothing is sent after it.
    """
    with at_desk() as (here, person):
        named, basis = _meant(cards, case, order, police_notice)
        reader = lookups.LookupContext(person, why, basis)
        made = here.casework.victims.proposals.propose(named, reader, here.now(), hours)
    following = f"duanka victims approve {made.id} --why …"
    say(
        f"回访名单 {made.id}：{made.cards:,} 个号码。下一步，由另一名主管：{following}",
        f"Worklist {made.id}: {made.cards:,} cards. Next, by a supervisor who is somebody else: {following}",
    )


@command(victims, Permission.READ_VICTIMS)
@lists(whole=True)
def proposals(*, asked: ListOptions) -> None:
    """List proposed worklists, the latest first: counts, and no card."""
    with at_desk() as (here, person):
        found = here.casework.victims.proposals.listed(person)
        print_page(tables.PROPOSALS, found, asked.of(person), more=False)


@command(victims, Permission.APPROVE_CALLS)
def approve(worklist: ListId, why: Why) -> None:
    """Approve a worklist that somebody else proposed: its persons are looked for and wait for calls."""
    with at_desk() as (here, person):
        made = here.casework.victims.proposals.approve(worklist, person, why, here.now())
    say(
        f"回访名单 {made.id} 已批准：{made.found:,} 人待回访。",
        f"Worklist {made.id} is approved: {made.found:,} persons wait for a call.",
    )


@command(victims, Permission.APPROVE_CALLS)
def reject(worklist: ListId, why: Why) -> None:
    """Reject a proposed worklist; nothing is looked up."""
    with at_desk() as (here, person):
        here.casework.victims.proposals.reject(worklist, person, why, here.now())
    say(f"回访名单 {worklist} 已否决。", f"Worklist {worklist} is rejected.")


@command(victims, Permission.READ_FIGURES)
@lists(whole=True)
def figures(
    since: Annotated[str, typer.Option("--from", help="From this time.")],
    until: Annotated[str, typer.Option("--to", help="Until before this time.")],
    *,
    asked: ListOptions,
) -> None:
    """Count warnings, corrections and outcomes of calls in a period, by operator and city of the victims."""
    zone = operator_zone()
    with at_desk() as (here, person):
        begin, end = zone.read(since, "--from"), zone.read(until, "--to")
        rows = here.casework.victims.queries.figures(person, begin, end)
        print_page(tables.FIGURES, rows, asked.of(person), more=False)


def _print_victims(
    why: str,
    states: tuple[CallState, ...],
    outcomes: tuple[CallOutcome, ...],
    full: bool,
    asked: ListOptions,
) -> None:
    with at_desk() as (here, person):
        which = queries.VictimFilter(states, outcomes)
        reader = lookups.Reader(person, why, full)
        now = here.now()

        def fetch(after: str, limit: int) -> tables.FetchedVictims:
            page = here.casework.victims.queries.page(which, reader, now, after or None, limit)
            return tables.FetchedVictims(page.victims, page.following)

        rows = every(fetch)
        found = list(itertools.islice(rows, 1))
        print_list(tables.VICTIMS, itertools.chain(found, rows), asked.of(person))
    if states == queries.TO_CALL and not found and not asked.for_programs:
        say(
            "低于策略 call_points 的受害人只预警、不回访；`duanka victims list` 列出全部。",
            "Victims below the policy's call_points are warned and not called; `duanka victims list` shows them all.",
        )


def _meant(
    cards: str, case: str | None, order: str | None, police_notice: str | None
) -> tuple[list[str], Basis]:
    """The cards that are named, and the basis; none are named where the case itself is meant."""
    if is_case_id(cards):
        if case or order or police_notice:
            raise DuankaError(f"--cards {cards} names the case already; leave --case and the others out")
        return [], Basis(BasisKind.CASE, cards)
    return cards_in_file(Path(cards)), basis_of(case, order, police_notice)


def _period(hours: int | None, until: str | None) -> finding.AskedPeriod:
    return finding.AskedPeriod(hours, operator_zone().read(until, "--until") if until else None)
