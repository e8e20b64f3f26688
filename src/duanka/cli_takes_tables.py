"""Takes, what they would come to, and what is held, as the commands print them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from duanka.cli_grid import grid
from duanka.cli_orders_tables import local
from duanka.domain.masking import masked_text
from duanka.domain.take import Take
from duanka.orders.kept_decisions import Why
from duanka.orders.take_record import Narrower, folder_of
from duanka.orders.takes import HeldDecision, Undone, summary
from duanka.orders.taking import Preview, Taken
from duanka.orders.withdrawing import Found

_CITIES_SHOWN, _LEFT_SHOWN = 12, 10


def taken(folder: Path | None, done: Taken) -> RenderableType:
    """What a take came to, what it did not take, and the commands that follow."""
    source = folder or "what was held"
    lines = [Text(f"Taken from {source}: {_counted(vars(done.received)) or 'nothing new'}.")]
    lines += _kept(folder, done)
    if done.received.unsealed:
        lines.append(
            Text(
                f"{done.received.unsealed:,} decision(s) bear no seal of this installation: their holders are asked,"
                " and whatever follows takes a second person. Scan with DUANKA_SECRET or DUANKA_ORDERS as here.",
                style="red",
            )
        )
    if done.take_id:
        lines.append(
            Text(f"This is take {done.take_id}; `duanka orders undo {done.take_id} --why …` takes it back.")
        )
    lines.append(Text("Next: duanka orders list"))
    return Group(*lines)


def preview(folder: Path | None, found: Preview) -> RenderableType:
    """What a take would come to."""
    source = folder or "what is held"
    lines: list[RenderableType] = [
        Text("Dry run: nothing is written."),
        Text(f"From {source}: {_counted(vars(found.received)) or 'nothing new'}."),
        *_kept(folder, found, would=True),
    ]
    for name, counts in found.opened_by.items():
        if counts:
            table = grid(name, "would be opened", right=("would be opened",))
            for value, count in list(counts.items())[:_CITIES_SHOWN]:
                table.add_row(value, f"{count:,}")
            if len(counts) > _CITIES_SHOWN:
                table.add_row("…", f"{sum(list(counts.values())[_CITIES_SHOWN:]):,}")
            lines += [Text(""), table]
    return Group(*lines)


def _kept(folder: Path | None, done: Taken, *, would: bool = False) -> list[Text]:
    """What is not taken, why, and what takes it."""
    kept, lines = done.kept, list[Text]()
    if left := kept.get(Why.LEFT, 0):
        lines.append(Text(f"Left for the next take: {left:,} (`duanka orders take {folder}`)."))
    if held := kept.get(Why.HELD, 0):
        lines.append(
            Text(f"Held back, whatever comes: {held:,} (`duanka orders held`; `duanka orders take --held`).")
        )
    if done.police:
        lines.append(
            Text(
                f"{done.police:,} of them the police ask to stop: they are not stopped meanwhile.",
                style="red",
            )
        )
    if narrower := kept.get(Why.NARROWER, 0):
        lines.append(Text(_narrower(folder, narrower, done.narrower), style="yellow"))
    if done.replaced:
        lines.append(
            Text(
                f"{done.replaced:,} that an earlier list in this folder had left are dropped: this one decides."
            )
        )
    if done.not_found:
        count = f"{done.not_found:,} card(s) of the list to hold"
        lines.append(Text(f"{count} have no decision here{'' if would else ': nothing of them is held'}."))
    return lines


def _narrower(folder: Path | None, count: int, why: Narrower | None) -> str:
    told = ""
    if why:
        covers = f"cover {why.covers}" if why.covers else "are not said"
        told = f" Its records {covers}. The take before: {why.before}. Less: {'; '.join(why.lacks)}."
    return (
        f"{count:,} withdrawal(s) wait, for this list covers less than the one before.{told} If that is meant:"
        f" `duanka orders take {folder} --yes`"
    )


def takes_table(takes: Sequence[Take]) -> RenderableType:
    """Takes, the newest first."""
    if not takes:
        return Text("Nothing was taken yet.")
    table = grid("take", "at", "by", "what became of it")
    for one in takes:
        table.add_row(one.id, local(one.at), one.by, _story(one))
    return table


def take_page(take: Take) -> RenderableType:
    """One take."""
    lines = [
        f"{take.id}: taken {local(take.at)} by {take.by} from {folder_of(take.source)}",
        f"  {_story(take)}",
        f"  its records cover {take.covers}" if take.covers else "  it does not say what its records cover",
        f"  chosen: {_listed(take.chosen)}" if take.chosen else "  all of it was chosen",
    ]
    if not take.undone_at:
        lines.append(f"  `duanka orders undo {take.id} --why …` takes it back")
    return Text("\n".join(lines))


def _story(take: Take) -> str:
    told = [_counted({name: count for name, count in take.counts.items() if name != "kept"}) or "nothing"]
    told += [f"{count:,} {Why(why).value} still" for why, count in sorted(take.kept.items())]
    if take.undone_at:
        told.append(f"undone {local(take.undone_at)} by {take.undone_by}: {', '.join(take.undone_in)}")
    return "; ".join(told)


def held_table(held: Sequence[HeldDecision]) -> RenderableType:
    """What is held."""
    if not held:
        return Text("Nothing is held.")
    table = grid("card", "tier", "held since", "by", "why it is held", "reason")
    for one in held:
        table.add_row(
            one.card,
            one.tier,
            local(one.since),
            one.by,
            masked_text(one.why) or "-",
            masked_text(one.reason.zh),
        )
    return Group(table, Text("Release: `duanka orders take --held`, with --tier, --rule, --card or --limit."))


def to_withdraw(found: Found) -> RenderableType:
    """What a withdrawal would be about."""
    lines = [f"Dry run: nothing is written. {len(found.orders):,} verification(s) would be withdrawn"]
    lines[0] += f": {_counted(found.tiers)}."
    if found.for_two:
        lines.append(
            f"{found.for_two:,} of them are of a tier that takes two people: all of it is proposed then."
        )
    if found.left_out:
        lines.append(
            f"{len(found.left_out):,} that are named are left out: they are over, or not of the filter."
        )
    return Text("\n".join(lines))


def undone_page(done: Undone) -> RenderableType:
    """What undoing a take did, what it did not, and why."""
    withdrawn = done.act.done if done.act else 0
    proposed = done.proposed.total if done.proposed else 0
    lines = [
        f"Take {done.take_id}: {withdrawn:,} withdrawn, {proposed:,} proposed to a second person,"
        f" {len(done.left):,} left alone."
    ]
    if done.proposed:
        lines.append(
            f"{proposed:,} are of a tier that takes two people. Next, by a supervisor who is not"
            f" {done.proposed.proposed_by}: `duanka orders approve {done.proposed.id} --why …`"
        )
    if done.left:
        lines.append(f"Left alone: {summary(done.left)}.")
        lines += [f"  {one.order_id}  {one.why}" for one in done.left[:_LEFT_SHOWN]]
        if len(done.left) > _LEFT_SHOWN:
            lines.append(f"  and {len(done.left) - _LEFT_SHOWN:,} more")
    if skipped := done.act.skipped if done.act else 0:
        lines.append(f"{skipped:,} changed meanwhile: `duanka orders show {done.act.id}`" if done.act else "")
    elif done.act:
        lines.append(f"Card by card: `duanka orders show {done.act.id}`")
    return Text("\n".join(lines))


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(
        f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count and name != "kept"
    )


def _listed(facts: Mapping[str, object]) -> str:
    return "; ".join(
        f"{name} {', '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in facts.items()
    )
