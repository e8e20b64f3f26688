"""`duanka assess candidates`, `list-unit`, ...: the way on the list for rectification, and off it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from duanka.cli.output.list_options import ListOptions, lists
from duanka.cli.output.lists import every, line, print_list, say
from duanka.cli.people.acting import Why, at_desk, command
from duanka.cli.shell.language import shown
from duanka.cli.shell.lazy import lazily
from duanka.domain.assessment import Measure, UnitKind
from duanka.domain.authority import Permission
from duanka.domain.listing import ListingError, ListingEvent, ListingState
from duanka.domain.local_time import operator_zone

if TYPE_CHECKING:
    from duanka.assessment.listing.service import ListedUnit
    from duanka.cli.assessment import tables
else:
    tables = lazily("duanka.cli.assessment.tables")

ListingId = Annotated[
    str, typer.Argument(metavar="LISTING", help="Id of the listing, from `assess listings`.")
]
Run = Annotated[str, typer.Option("--run", help="A run's id, or its period; default: the latest.")]
_NEXT = {
    ListingState.PROPOSED: "approve {id} --why …",
    ListingState.LISTED: "evidence {id} --text …",
    ListingState.EVIDENCE_FILED: "check {id} --mended --why …",
    ListingState.OBJECTED: "decide {id} --uphold --why …",
    ListingState.MENDED: "delist {id} --why …",
}


def add_to(assess: typer.Typer) -> None:
    """Add the commands to the group."""
    command(assess, Permission.READ_ASSESSMENT)(lists()(candidates))
    command(assess, Permission.LIST_UNIT, "list-unit")(list_unit)
    command(assess, Permission.READ_ASSESSMENT)(lists()(listings))
    command(assess, Permission.READ_ASSESSMENT)(notice)
    command(assess, Permission.APPROVE_LISTING)(approve)
    command(assess, Permission.APPROVE_LISTING)(reject)
    command(assess, Permission.ANSWER_LISTING)(evidence)
    command(assess, Permission.ANSWER_LISTING, "object")(object_to)
    command(assess, Permission.CHECK_LISTING)(decide)
    command(assess, Permission.CHECK_LISTING)(check)
    command(assess, Permission.CHECK_LISTING)(delist)


def candidates(run: Run = "", *, asked: ListOptions) -> None:
    """List the units that meet the criterion of a run: these alone can be listed."""
    with at_desk() as (here, person):
        found = here.assessment.runs.get(run, person)
        units = here.assessment.listings.candidates(found, person)
        missing = here.assessment.runs.missing(found, person)
        left = here.assessment.listings.unjudged(found, person)
    if missing and not asked.for_programs:
        named = " ".join(f"`duanka assess run {one}`" for one in missing)
        say(
            f"条件须比较连续各期，缺少以下考核，尚不能判断：{named}，然后再次运行 {found.period}。",
            f"The criterion compares periods running, so nobody was judged: {named} first, then {found.period} again.",
        )
        return
    print_list(tables.CANDIDATES, units, asked.of(person))
    if not asked.for_programs and not asked.count:
        for one in left:
            line(shown(one.words))


def list_unit(
    unit: Annotated[str, typer.Argument(metavar="UNIT", help="The unit, as `assess candidates` names it.")],
    why: Why,
    kind: Annotated[UnitKind, typer.Option("--by", help="What kind of unit it is.")] = UnitKind.OUTLET,
    measure: Annotated[Measure, typer.Option("--measure", help="For which measure.")] = Measure.CONFIRMED,
    run: Annotated[
        str, typer.Option("--run", help="Whose criterion it meets: id or period; default: the latest run.")
    ] = "",
    term: Annotated[
        int | None, typer.Option("--days", help="Term for putting it right; default: of the policy.")
    ] = None,
) -> None:
    """Propose that a unit is listed for rectification 挂牌整治; another person approves."""
    with at_desk() as (here, person):
        found = here.assessment.runs.get(run, person)
        made = here.assessment.listings.propose(found, (measure, kind, unit), person, why, here.now(), term)
    line(shown(made.notice))
    _say_state(made)


def listings(
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    *,
    asked: ListOptions,
) -> None:
    """List units that are proposed or on the list, the latest first."""
    with at_desk() as (here, person):

        def fetch(after: str, limit: int) -> tables.FetchedPage:
            found = here.assessment.listings.listed(person, is_open=not everything, after=after, limit=limit)
            return tables.FetchedPage(*found)

        print_list(tables.LISTINGS, every(fetch), asked.of(person))


@lists(whole=True)
def notice(listing: ListingId, *, asked: ListOptions) -> None:
    """Show the notice of a listing with its SHA-256, and everything that happened since."""
    with at_desk() as (here, person):
        found, steps = here.assessment.listings.get(listing, person)
    if not asked.for_programs:
        line(shown(found.notice))
        line(f"SHA-256 {found.notice_digest}")
        _say_state(found)
    print_list(tables.STEPS, steps, asked)


def approve(listing: ListingId, why: Why) -> None:
    """Approve a listing that somebody else proposed: its term begins."""
    _moved(listing, ListingEvent.APPROVE, why)


def reject(listing: ListingId, why: Why) -> None:
    """Reject a proposed listing, or take it back."""
    _moved(listing, ListingEvent.REJECT, why)


def evidence(
    listing: ListingId,
    text: Annotated[
        str, typer.Option("--text", prompt="Evidence", help="What was put right, and how it shows.")
    ],
) -> None:
    """File evidence of mending for a listed unit."""
    _moved(listing, ListingEvent.FILE_EVIDENCE, text)


def object_to(
    listing: ListingId,
    text: Annotated[str, typer.Option("--text", prompt="Objection", help="What is wrong with the listing.")],
) -> None:
    """Object to a listing, for the unit."""
    _moved(listing, ListingEvent.OBJECT, text)


def decide(
    listing: ListingId,
    why: Why,
    uphold: Annotated[
        bool | None, typer.Option("--uphold/--dismiss", help="Upheld, the unit is off the list at once.")
    ] = None,
) -> None:
    """Decide on a unit's objection, as somebody else than who proposed the listing or objected."""
    events = {True: ListingEvent.UPHOLD, False: ListingEvent.DISMISS, None: None}
    _moved(listing, events[uphold], why)


def check(
    listing: ListingId,
    why: Why,
    mended: Annotated[
        bool | None,
        typer.Option("--mended/--not-mended", help="What the check found; not mended: it stays listed."),
    ] = None,
) -> None:
    """Check the evidence of a unit, as somebody else than who filed it."""
    events = {True: ListingEvent.FIND_MENDED, False: ListingEvent.FIND_NOT_MENDED, None: None}
    _moved(listing, events[mended], why)


def delist(listing: ListingId, why: Why) -> None:
    """Take a unit that has mended off the list, as somebody else than who filed or checked the evidence."""
    _moved(listing, ListingEvent.DELIST, why)


def _moved(listing: str, event: ListingEvent | None, text: str) -> None:
    """Move a listing on. `event` None: it was not typed, which is said after the permission was checked."""
    with at_desk() as (here, person):
        if event is None:
            raise ListingError(
                "say which: --mended or --not-mended of a check, --uphold or --dismiss of an objection"
            )
        found = here.assessment.listings.move(listing, event, person, text, here.now())
    _say_state(found)


def _say_state(found: ListedUnit) -> None:
    state, unit = found.state.words, f"{shown(found.kind.words)} {found.unit}"
    say(f"{found.id}：{unit}，{state.zh}", f"{found.id}: {unit} is {state.en}")
    if found.due_at and found.closed_at is None:
        term = operator_zone().written(found.due_at)
        say(f"整改期限：{term}", f"Term until {term}")
    if following := _NEXT.get(found.state):
        typed = f"duanka assess {following.format(id=found.id)}"
        say(f"下一步：{typed}", f"Next: {typed}")
