"""`duanka orders copy`: the text of a stop, as a file or for a court; `duanka orders billing`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duanka.cli.output.lists import line, say
from duanka.cli.people.acting import Number, Why, at_desk, command, order_meant
from duanka.cli.shell.lazy import lazily
from duanka.domain.authority import Permission
from duanka.domain.bounds import bounded
from duanka.domain.display import spreadsheet_cell
from duanka.domain.errors import DuankaError
from duanka.domain.local_time import operator_zone
from duanka.domain.order import Kind
from duanka.domain.private_files import write_private

if TYPE_CHECKING:
    from duanka.bootstrap import settings
    from duanka.bootstrap.orders import OrderDesk
    from duanka.bootstrap.outputs import files
    from duanka.domain.person import Person
    from duanka.orders.papers.billing import BilledCard
else:
    files = lazily("duanka.bootstrap.outputs.files")
    settings = lazily("duanka.bootstrap.settings")

commands = typer.Typer()


@command(commands, Permission.COPY_STOP_TEXT)
def copy(
    order: Number,
    why: Why,
    out: Annotated[
        Path | None,
        typer.Option(help="New file: .pdf for a holder or a court, .txt for the very bytes of the SHA-256."),
    ] = None,
    step: Annotated[int | None, typer.Option(min=1, help="The text of this step alone.")] = None,
) -> None:
    """Copy the text of a stop as it was made then, with its SHA-256: to the terminal, or to a file."""
    if out and out.suffix not in (".pdf", ".txt"):
        raise DuankaError(f"--out {out} is neither .pdf nor .txt: name the file by what it is to be")
    with at_desk() as (here, person):
        number = order_meant(here, person, order, Kind.RESTRICTION).id
        if out:
            files.may_export(out, "--out", settings.load_settings())
        found = here.papers.copies.copy(number, person, why, here.now(), step)
        if out is None:
            for one in found.texts:
                line(one.text.rstrip("\n"))
                line(f"SHA-256 {one.sha256}")
            return
        write_private(out, here.papers.copies.pdf(found) if out.suffix == ".pdf" else found.plain)
    digest = found.texts[-1].sha256
    say(f"{out}：工单 {number}，SHA-256 {digest}", f"{out}: order {number}, SHA-256 {digest}")


@command(commands, Permission.EXPORT_BILLING)
def billing(
    after: Annotated[
        str,
        typer.Option(
            help="Cursor of the last event that was taken, like 17-0123456789abcdef; 0: from the beginning."
        ),
    ] = "0",
    since: Annotated[
        str | None,
        typer.Option(
            help="Instead of --after: read again from this time on, like 2026-12-31T18:00, after a restored backup."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="New file, .csv or .jsonl; else JSON lines to the terminal.")
    ] = None,
) -> None:
    """List which cards are not charged from when on (paused), charged again (resumed) or cancelled (ended).

    Numbers stand in full. Ids count up without a gap: go on with --after and the last cursor. A cursor from before a
    restored backup is refused: read again from the time of that backup by --since.
    """
    if out and out.suffix not in (".csv", ".jsonl"):
        raise DuankaError(f"--out {out} is neither .csv nor .jsonl: name the file by what it is to be")
    with at_desk() as (here, person):
        if out:
            files.may_export(out, "--out", settings.load_settings())
        again = bounded(operator_zone().read(since, "--since")) if since else None
        found, following = _all_events(here, person, after, again)
    rows = [_row(one) for one in found]
    if out is None:
        for row in rows:
            line(json.dumps(row, ensure_ascii=False))
        return
    write_private(out, (_csv(rows) if out.suffix == ".csv" else _json_lines(rows)).encode())
    say(
        f"{len(rows):,} 个计费事件写入 {out}；下次：--after {following}",
        f"{len(rows):,} events are in {out}; next time: --after {following}",
    )


_COLUMNS = ("id", "event", "card", "order", "step", "at", "operator", "city", "cursor")


def _all_events(
    here: OrderDesk, person: Person, after: str, since: datetime | None
) -> tuple[list[BilledCard], str]:
    """All events, and the cursor behind them."""
    found: list[BilledCard] = []
    page = here.papers.billing.events(person, here.now(), after, since=since)
    while page.events:
        found += page.events
        page = here.papers.billing.events(person, here.now(), page.following)
    return found, page.following


def _row(one: BilledCard) -> dict[str, object]:
    at = operator_zone().local(one.at).isoformat(timespec="microseconds")
    values = (
        one.id,
        one.event.value,
        one.card,
        one.order_id,
        one.step,
        at,
        one.operator,
        one.city,
        one.cursor,
    )
    return dict(zip(_COLUMNS, values, strict=True))


def _csv(rows: Sequence[dict[str, object]]) -> str:
    text = io.StringIO()
    written = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    written.writeheader()
    written.writerows({name: spreadsheet_cell(str(value)) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _json_lines(rows: Sequence[dict[str, object]]) -> str:
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
