"""Lists of orders, objections, bulk actions and alarms: filters, sorting, counts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from duanka.cli.output.list_options import ListOptions, lists
from duanka.cli.output.lists import every, fetched, print_counts, print_list, print_page
from duanka.cli.people.acting import BecauseFull, Full, at_desk, command
from duanka.cli.shell.completion import TIERS, Choices, choices, cities_like, operators_like, reasons_like
from duanka.cli.shell.lazy import lazily
from duanka.domain.authority import Permission
from duanka.domain.bounds import bounded
from duanka.domain.bulk_action import BulkActionState, card_of
from duanka.domain.errors import DuankaError
from duanka.domain.local_time import operator_zone
from duanka.domain.order import Kind, State
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.police_reasons import CLAIMED, CONFIRMED
from duanka.domain.take import TierName
from duanka.domain.text import BilingualText

if TYPE_CHECKING:
    from duanka.bootstrap import policies
    from duanka.bootstrap.orders import OrderDesk
    from duanka.cli.orders import listings
    from duanka.domain import disavowal
    from duanka.orders.queries import listing
    from duanka.orders.queries import service as reading
else:
    policies = lazily("duanka.bootstrap.policies")
    disavowal = lazily("duanka.domain.disavowal")
    listings = lazily("duanka.cli.orders.listings")
    listing = lazily("duanka.orders.queries.listing")
    reading = lazily("duanka.orders.queries.service")

_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
_ALARMS = 200  # the most recent ones
_AHEAD = re.compile(r"([0-9]{1,4})\s*(m|h|d|wd)")
_WORKING_DAYS, _MOST_WORKING_DAYS = "wd", 366
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


SortName = Literal["due", "weight", "opened", "updated"]
_STATES = choices(BilingualText("状态", "state"), State)
_KINDS = choices(BilingualText("工单类型", "kind"), Kind)
_ACT_STATES = choices(BilingualText("处置状态", "state"), BulkActionState)
_SORTS = Choices(
    BilingualText("排序", "order"),
    {
        "due": BilingualText("期限", "due"),
        "weight": BilingualText("轻重", "weight"),
        "opened": BilingualText("建单", "opened"),
        "updated": BilingualText("更新", "updated"),
    },
)
States = Annotated[
    list[State] | None, _STATES.option("--state", help="Only in this state, like 待复核; several times.")
]
Tiers = Annotated[
    list[TierName] | None,
    TIERS.option("--tier", help="Only of this tier, 低, 中, 高 or 极高; several times."),
]
RuleNames = Annotated[
    list[str] | None,
    typer.Option("--rule", help="Only by this rule; several times.", autocompletion=reasons_like),
]
Operators = Annotated[
    list[str] | None,
    typer.Option(
        "--operator", help="Only of this operator, - for none; several times.", autocompletion=operators_like
    ),
]
Cities = Annotated[
    list[str] | None,
    typer.Option(
        "--city",
        help="Only of this city, like 130100, - for none; several times.",
        autocompletion=cities_like,
    ),
]
Due = Annotated[
    str,
    typer.Option(
        help="Only due by then, or past it: 4h, 30m, 2d, 2wd (working days), or like 2026-12-31T18:00."
    ),
]
SortBy = Annotated[
    SortName | None,
    _SORTS.option(
        help="due 期限: next deadline, then tier; weight 轻重; opened 建单, updated 更新: latest first."
        " With --closed: updated."
    ),
]
CardNumber = Annotated[str | None, typer.Option(help="Only about this card, for example 8613800000000.")]
Closed = Annotated[bool, typer.Option("--closed", help="Those that are over, too.")]
Overdue = Annotated[bool, typer.Option("--overdue", help="Only those whose deadline is past.")]
Waiting = Annotated[
    bool, typer.Option("--waiting", help="Only those that wait for a person, and for no clock.")
]


def add_orders_list(group: typer.Typer, only: Kind | None) -> None:
    """Add `list` to `group`. `only`: the one kind listed, None for all."""

    def listed(
        state: States = None,
        tier: Tiers = None,
        rule: RuleNames = None,
        city: Cities = None,
        operator: Operators = None,
        due: Due = "",
        card: CardNumber = None,
        closed: Closed = False,
        overdue: Overdue = False,
        waiting: Waiting = False,
        sort: SortBy = None,
        *,
        asked: ListOptions,
        full: Full = False,
        why: BecauseFull = "",
        kind: Kind | None = None,
    ) -> None:
        with at_desk() as (here, person):
            now = here.now()
            which = reading.Filter(
                only or kind,
                tuple(state or ()),
                card_of(card) if card else None,
                tuple(tier or ()),
                is_open=None if closed else True,
                overdue=overdue,
                waiting=waiting,
                due=due_by(due, now, here.orders.terms.policy) if due else None,
                rules=tuple(rule or ()),
                operators=tuple(map(listing.place_named, operator or ())),
                cities=tuple(map(listing.place_named, city or ())),
            )
            by = listing.Sort(sort or ("updated" if closed else "due"))
            reader = reading.ViewerContext(person, full, why)
            _print_orders(here, which, reader, now, by, asked.of(person))

    # objections are a single kind
    chosen = _KINDS.option(
        "--kind", help="Only of this kind: 实人核验, 停机 or 异议.", hidden=only is not None
    )
    listed.__annotations__["kind"] = Annotated[Kind | None, chosen]
    listed.__doc__ = (
        "List orders: the next deadline first, then the heavier tier; those without a deadline last."
        if only is None
        else "List objections, with the options of `duanka orders list`."
    )
    command(group, Permission.LIST_ORDERS, "list")(lists()(listed))


def _print_orders(
    here: OrderDesk,
    which: listing.Filter,
    reader: reading.ViewerContext,
    now: datetime,
    by: listing.Sort,
    asked: ListOptions,
) -> None:
    rows = listings.orders_listing(now, only_open=which.is_open is True, kind=which.kind)
    if asked.count:
        counts = here.reading.order_counts(which, reader, now)
        found = counts.total
        _check_rules(which, found)
        print_counts(rows, found, counts.by, asked)
        return
    items, more = fetched(
        lambda after, limit: here.reading.orders(
            which, reader, now, after, limit, sort=by, skip=0 if after else asked.skipped
        ),
        asked.rows,
    )
    _check_rules(which, len(items))
    print_page(rows, items, asked, more=more)


def _check_rules(which: listing.Filter, found: int) -> None:
    """Raise DuankaError where nothing was found because a rule does not exist."""
    for rule in which.rules if not found else ():
        if rule not in (CONFIRMED, CLAIMED):
            policies.rule_named(rule)


def due_by(text: str, now: datetime, policy: OrderPolicy) -> datetime:
    """The moment named by `4h`, `30m`, `2d`, `2wd` (working days of the policy) or a time in the operator's zone."""
    if ahead := _AHEAD.fullmatch(text.strip()):
        if ahead[2] == _WORKING_DAYS:
            return policy.working_days_after(now, min(int(ahead[1]), _MOST_WORKING_DAYS))
        return now + timedelta(**{_UNITS[ahead[2]]: int(ahead[1])})
    try:
        return bounded(operator_zone().read(text, "--due"))
    except DuankaError as error:
        raise DuankaError(f"{error}; or, from now on, like 30m, 4h, 2d or 2wd (working days)") from None


lists_of_orders = typer.Typer()
add_orders_list(lists_of_orders, None)


@command(lists_of_orders, Permission.LIST_BULK_ACTIONS)
@lists()
def acts(
    state: Annotated[
        list[BulkActionState] | None, _ACT_STATES.option(help="Only in this state; several times.")
    ] = None,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Only those that wait for a second person.")
    ] = False,
    *,
    asked: ListOptions,
) -> None:
    """List what was proposed, the newest first, and how far it is."""
    with at_desk() as (here, person):
        found = every(lambda after, rows: here.reading.bulk_actions(person, after, rows, waiting=waiting))
        print_list(listings.ACTS, (one for one in found if not state or one.state in state), asked.of(person))


@command(lists_of_orders, Permission.LIST_DISOWNED)
@lists()
def disowned(
    since: Annotated[
        str | None,
        typer.Option(help="Confirmed from this day or moment on, like 2026-12-31, operator's time."),
    ] = None,
    until: Annotated[str | None, typer.Option(help="Before this one, written alike. Default: now.")] = None,
    each: Annotated[
        bool, typer.Option("--each", help="Every number, the earliest first, instead of the outlets.")
    ] = False,
    full: Full = False,
    why: BecauseFull = "",
    *,
    asked: ListOptions,
) -> None:
    """List where numbers were opened that their registrants disowned (本人否认开户), most numbers first."""
    with at_desk() as (here, person):
        end = bounded(operator_zone().read(until, "--until")) if until else here.now()
        begin = bounded(operator_zone().read(since, "--since")) if since else _BEGINNING
        found = here.reading.disowned(begin, end, reading.ViewerContext(person, full, why), here.now())
        if each:
            print_list(listings.DISOWNED, found, asked.of(person))
        else:
            print_list(listings.DISOWNED_AT, disavowal.by_outlet(found), asked.of(person))


@command(lists_of_orders, Permission.LIST_ALARMS)
@lists()
def alarms(
    is_open: Annotated[bool, typer.Option("--open", help="Only those that are not over.")] = False,
    *,
    asked: ListOptions,
) -> None:
    """List alarms, the newest first: what failed, or was set aside, and since when."""
    with at_desk() as (here, person):
        found = here.reading.alarms(person, is_open=is_open or None, limit=_ALARMS)
        print_list(listings.ALARMS, found, asked)
