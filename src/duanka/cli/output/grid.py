"""Tables for a terminal, or in Markdown."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from rich.console import RenderableType
from rich.table import Table

from duanka.cli.shell.language import shown
from duanka.domain.text import BilingualText

_WHOLE = (
    "act",
    "card",
    "evidence",
    "id",
    "key",
    "limit",
    "open",
    "order",
    "person",
    "request",
    "rule",
    "take",
)  # columns of ids, by their English headings

Titled = tuple[str, tuple[str, ...], list[tuple[str, ...]]]
"""Title, column headings and rows.

The first column and those in `words` (see `as_table`) are text, the others numbers.
"""


def grid(
    headings: Iterable[str | BilingualText],
    rows: Iterable[Sequence[str]] = (),
    title: str | BilingualText = "",
    right: Collection[str] = (),
    whole: Collection[str] = (),
) -> Table:
    """A table with headings in the display language.

    `right`: columns aligned to the right, by their English headings; `whole`: those of ids and dates beside the usual.
    """
    table = Table(
        title=_text(title) or None, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    for heading in headings:
        column = heading if isinstance(heading, str) else heading.en
        # narrow columns wrap, but ids and card numbers do not: half of one could be taken for a whole one
        table.add_column(
            _text(heading),
            justify="right" if column in right else "left",
            header_style="bold",
            overflow="fold",
            no_wrap=column in _WHOLE or column in whole,
        )
    for row in rows:
        table.add_row(*row)
    return table


def facts(rows: Iterable[tuple[str, str]]) -> Table:
    """Names and values, without headings."""
    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _text(heading: str | BilingualText) -> str:
    return heading if isinstance(heading, str) else shown(heading)


def as_table(titled: Titled, *, words: Collection[str] = ()) -> RenderableType:
    """The table for a terminal."""
    title, columns, rows = titled
    return grid(columns, rows, title=f"\n{title}", right=set(columns[1:]) - set(words))


def as_markdown(titled: Titled, *, words: Collection[str] = ()) -> str:
    """The table in Markdown."""
    title, columns, rows = titled
    rules = ["---", *("---" if column in words else "---:" for column in columns[1:])]
    lines = [f"| {' | '.join(columns)} |", f"|{'|'.join(rules)}|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return f"**{title}**\n\n" + "\n".join(lines)


def share(value: float | None) -> str:
    """Format a share to three decimal places; a dash for None."""
    return "-" if value is None else f"{value:.3f}"
