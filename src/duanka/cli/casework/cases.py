"""`duanka cases`: case files, from opening to closing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from duanka.cli.casework.figures import add_figures
from duanka.cli.output.list_options import ListOptions, lists
from duanka.cli.output.lists import every, line, print_list, print_page, say
from duanka.cli.people import case_sources
from duanka.cli.people.acting import Full, Why, at_desk, command
from duanka.cli.shell.lazy import lazily, new_group
from duanka.cli.shell.process import OUT
from duanka.domain import case_file
from duanka.domain.authority import Permission
from duanka.domain.case_file import CaseOutcome, CaseState
from duanka.domain.ring_lookups import SeedName, seed_named

if TYPE_CHECKING:
    from duanka.casework.cases import queries, seeds
    from duanka.cli.casework import cases_tables as tables
    from duanka.ledger import lookups
else:
    lookups = lazily("duanka.ledger.lookups")
    queries = lazily("duanka.casework.cases.queries")
    seeds = lazily("duanka.casework.cases.seeds")
    tables = lazily("duanka.cli.casework.cases_tables")

CaseId = Annotated[str, typer.Argument(metavar="CASE", help="Id of the case, from `cases list`.")]
Title = Annotated[str, typer.Option("--title", help="A few words; no number in full.")]
Cards = Annotated[list[str] | None, typer.Option("--card", help="A card; several times for more.")]
Devices = Annotated[list[str] | None, typer.Option("--imei", help="A device.")]
Outlets = Annotated[list[str] | None, typer.Option("--outlet", help="An outlet.")]
Places = Annotated[list[str] | None, typer.Option("--place", help="A place: CITY or CITY/CELL.")]

commands = typer.Typer()
cases = new_group(commands, "cases")
cases.command("sign")(case_sources.sign)
add_figures(cases)


@command(cases, Permission.OPEN_CASE, "open")
def open_case(
    why: Why,
    ground: Annotated[
        str,
        typer.Option(
            "--ground", help="hit[:NUMBER], order:V…, complaint:NUMBER, police-letter:NUMBER, or none."
        ),
    ],
    ring: Annotated[str | None, typer.Option("--from", help="A ring of `duanka links rings`.")] = None,
    card: Annotated[str | None, typer.Option("--card", help="Or a card.")] = None,
    imei: Annotated[str | None, typer.Option("--imei", help="Or a device.")] = None,
    outlet: Annotated[str | None, typer.Option("--outlet", help="Or an outlet.")] = None,
    title: Title = "",
) -> None:
    """Open a case at a ring, a card, a device or an outlet; all but a card bring the ring behind them along.

    Without a ground a supervisor approves it first, and nothing is looked up before.
    """
    with at_desk() as (here, person):
        named, held = _seed(ring, card, imei, outlet), case_file.ground_of(ground)
        opened = here.casework.files.open(named, held, title, person, why, here.now())
    number = opened.case.id
    say(f"案件 {number}：{opened.case.state.words.zh}", f"Case {number}: {opened.case.state.words.en}")
    line(tables.what_it_is_about(opened.case))
    if opened.case.state is CaseState.PROPOSED:
        following = f"duanka cases approve {number} --why …"
        say(f"下一步，由另一名主管：{following}", f"Next, by a supervisor who is somebody else: {following}")
    else:
        following = f"duanka cases show {number} --why …"
        say(f"下一步：{following}", f"Next: {following}")


@command(cases, Permission.LIST_CASES, "list")
@lists()
def list_cases(
    state: Annotated[
        list[CaseState] | None, typer.Option("--state", help="Only cases in this state.")
    ] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only cases that are assigned to you.")] = False,
    about: Annotated[
        str | None, typer.Option("--about", help="Only cases about this card, device, outlet or ring.")
    ] = None,
    *,
    asked: ListOptions,
) -> None:
    """List cases, the latest change first: counts, and no card."""
    with at_desk() as (here, person):
        which = queries.CaseFilter(
            tuple(state or ()),
            person.id if mine else None,
            case_file.searched_value(about) if about else None,
        )

        def fetch(after: str, limit: int) -> tables.Fetched:
            page = here.casework.cases.page(which, person, int(after) if after else None, limit)
            return tables.Fetched(page.cases, str(page.following) if page.following else None)

        print_list(tables.CASES, every(fetch), asked.of(person))


@command(cases, Permission.READ_CASE)
def show(
    case: CaseId,
    why: Why,
    full: Full = False,
    items: Annotated[
        int, typer.Option("--items", min=1, help="Things that it is about, the surest first.")
    ] = 50,
    entries: Annotated[int, typer.Option("--entries", min=1, help="Entries of the timeline.")] = 30,
) -> None:
    """Show a case: what it is about, its notes, and one timeline with orders and the network's answers.

    It is a lookup of its cards: the audit trail has who and why.
    """
    with at_desk() as (here, person):
        reader = lookups.Reader(person, why, full)
        view = here.casework.cases.case(case, reader, here.now(), entries)
    OUT.print(tables.case_page(view, items))


@command(cases, Permission.WORK_ON_CASE)
def assign(
    case: CaseId, to: Annotated[str, typer.Argument(metavar="PERSON", help="Who works on it.")], why: Why
) -> None:
    """Let a person work on a case."""
    with at_desk() as (here, person):
        here.casework.files.assign(case, to, person, why, here.now())
    say(f"案件 {case} 由 {to} 办理。", f"{to} works on case {case}.")


@command(cases, Permission.WORK_ON_CASE)
def note(case: CaseId, text: Annotated[str, typer.Argument(help="What is to be kept.")]) -> None:
    """Write something down in a case; nobody can change it later."""
    with at_desk() as (here, person):
        here.casework.files.note(case, text, person, here.now())
    say(f"已记入案件 {case}。", f"Kept in case {case}.")


@command(cases, Permission.WORK_ON_CASE)
def add(
    case: CaseId,
    why: Why,
    card: Cards = None,
    imei: Devices = None,
    outlet: Outlets = None,
    place: Places = None,
) -> None:
    """Add cards, devices, outlets or places to a case."""
    with at_desk() as (here, person):
        items = seeds.added_items(card or (), imei or (), outlet or (), place or ())
        _, new = here.casework.files.add(case, items, person, why, here.now())
    say(f"案件 {case} 新增 {new:,} 项。", f"{new:,} new in case {case}.")


@command(cases, Permission.WORK_ON_CASE)
def grow(
    case: CaseId,
    why: Why,
    ring: Annotated[str | None, typer.Option("--from", help="A ring of `duanka links rings`.")] = None,
    card: Annotated[str | None, typer.Option("--card", help="Or the ring behind a card of the case.")] = None,
    imei: Annotated[str | None, typer.Option("--imei", help="Or behind a device.")] = None,
    outlet: Annotated[str | None, typer.Option("--outlet", help="Or behind an outlet.")] = None,
) -> None:
    """Add the ring behind a card, a device or an outlet to a case; it is a lookup on the basis of the case."""
    with at_desk() as (here, person):
        named = _seed(ring, card, imei, outlet)
        _, new = here.casework.files.grow(case, named, person, why, here.now())
    say(f"案件 {case} 新增 {new:,} 项。", f"{new:,} new in case {case}.")


@command(cases, Permission.MERGE_CASES)
def merge(
    case: CaseId,
    into: Annotated[str, typer.Argument(metavar="INTO", help="The case that goes on.")],
    why: Why,
) -> None:
    """Merge a case into another one, with all that it is about and its notes."""
    with at_desk() as (here, person):
        merged = here.casework.files.merge(case, into, person, why, here.now())
    say(f"案件 {case} 已并入 {into}。", f"Case {case} is merged into {into}.")
    line(tables.what_it_is_about(merged.case))


@command(cases, Permission.MERGE_CASES)
def split(
    case: CaseId,
    why: Why,
    card: Cards = None,
    imei: Devices = None,
    outlet: Outlets = None,
    place: Places = None,
    title: Title = "",
) -> None:
    """Split a case: what is named goes to a new case on the same ground."""
    with at_desk() as (here, person):
        named = seeds.added_items(card or (), imei or (), outlet or (), place or ())
        values = [item.value for item in named]
        new = here.casework.files.split(case, values, title, person, why, here.now())
    number = new.case.id
    say(f"从案件 {case} 拆出案件 {number}。", f"Case {number} is split from case {case}.")
    line(tables.what_it_is_about(new.case))


@command(cases, Permission.WORK_ON_CASE)
def close(
    case: CaseId,
    why: Why,
    outcome: Annotated[CaseOutcome, typer.Option("--outcome", help="How it ended.")],
) -> None:
    """Close a case: nothing is looked up on its basis any more."""
    with at_desk() as (here, person):
        here.casework.files.close(case, outcome, person, why, here.now())
    say(f"案件 {case} 已结案：{outcome.words.zh}。", f"Case {case} is closed: {outcome.words.en}.")


@command(cases, Permission.APPROVE_CASE)
def reopen(case: CaseId, why: Why) -> None:
    """Open a closed case again."""
    with at_desk() as (here, person):
        here.casework.files.reopen(case, person, why, here.now())
    say(f"案件 {case} 已重新立案。", f"Case {case} is open again.")


@command(cases, Permission.APPROVE_CASE)
def approve(case: CaseId, why: Why) -> None:
    """Approve a case that has no ground, as somebody else than who opened it."""
    with at_desk() as (here, person):
        here.casework.files.approve(case, person, why, here.now())
    say(f"案件 {case} 已批准。", f"Case {case} is approved.")
    grow = f"duanka cases grow {case} --from R… --why …"
    say(f"下一步，如要纳入其背后的团伙：{grow}", f"Next, to bring the ring behind it along: {grow}")


@command(cases, Permission.APPROVE_CASE)
def reject(case: CaseId, why: Why) -> None:
    """Reject a case that has no ground."""
    with at_desk() as (here, person):
        here.casework.files.reject(case, person, why, here.now())
    say(f"案件 {case} 不予立案。", f"Case {case} is rejected.")


@command(cases, Permission.EXPORT_CASES)
def export(
    after: Annotated[int, typer.Option("--after", min=0, help="Only what changed after this number.")] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Cases at most.")] = 200,
) -> None:
    """Print cases that changed, an object a line, the earliest change first; go on with the last `change`.

    A counter and no time: what is committed later has the greater number, so nothing is missed or told twice.
    """
    with at_desk() as (here, person):
        page = here.casework.cases.changes(person, after, limit)
    asked = ListOptions("cases export", json=True)
    print_page(tables.CASES, page.cases, asked, more=False)


def _seed(ring: str | None, card: str | None, imei: str | None, outlet: str | None) -> SeedName:
    """The one thing that a case begins at, or grows from. CaseError: none, or several."""
    if sum(map(bool, (ring, card, imei, outlet))) != 1:
        raise case_file.CaseError("give one of --from, --card, --imei and --outlet")
    return seed_named(imei, card, outlet, ring)
