"""Tables as the commands print them: for a terminal, or in Markdown."""

from __future__ import annotations

from collections.abc import Collection

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
)  # columns of ids, by their English names

Titled = tuple[str, tuple[str, ...], list[tuple[str, ...]]]
"""A title, the columns, the rows; the first column and `words` are text, the others numbers."""


def grid(
    *columns: str | BilingualText, title: str | BilingualText = "", right: Collection[str] = ()
) -> Table:
    """An empty table with headings in the language of tables; the columns `right`, in English, are set to the right."""
    table = Table(
        title=_text(title) or None, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    for heading in columns:
        column = heading if isinstance(heading, str) else heading.en
        # folded where it is narrow; ids and numbers are not: half of one would be another one
        table.add_column(
            _text(heading),
            justify="right" if column in right else "left",
            header_style="bold",
            overflow="fold",
            no_wrap=column in _WHOLE,
        )
    return table


def _text(heading: str | BilingualText) -> str:
    return heading if isinstance(heading, str) else shown(heading)


def as_table(titled: Titled, *, words: Collection[str] = ()) -> RenderableType:
    """For a terminal."""
    title, columns, rows = titled
    table = grid(*columns, title=f"\n{title}", right=set(columns[1:]) - set(words))
    for row in rows:
        table.add_row(*row)
    return table


def as_markdown(titled: Titled, *, words: Collection[str] = ()) -> str:
    """For a page."""
    title, columns, rows = titled
    rules = ["---", *("---" if column in words else "---:" for column in columns[1:])]
    lines = [f"| {' | '.join(columns)} |", f"|{'|'.join(rules)}|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return f"**{title}**\n\n" + "\n".join(lines)


def share(value: float | None) -> str:
    """Three digits; a dash where there is none."""
    return "-" if value is None else f"{value:.3f}"
