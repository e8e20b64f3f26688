"""Printing of lists: a line per row, JSON, CSV, or counts.

A list is declared once, as a `Listing`. Widths, headings, escaping, paging and the sentence for an empty list
follow from it.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import RenderableType
from rich.text import Text

from duanka.cli.output.list_columns import (
    Item,
    ListColumn,
    Listing,
    as_text,
    csv_lines,
    csv_rows,
    json_line,
    json_rows,
)
from duanka.cli.output.list_options import ListOptions
from duanka.cli.shell.completion import remember_shown
from duanka.cli.shell.language import shown
from duanka.cli.shell.process import OUT, indented_lines
from duanka.domain.display import SPREADSHEET_MARK
from duanka.domain.text import BilingualText

_REMEMBERED = ("id", "operator", "city")  # columns kept for shell completion
_ROWS_PER_QUERY = 200  # rows per query
_COUNTS: Listing[tuple[str, str, int]] = Listing(
    BilingualText("数量", "counts"),
    (
        ListColumn("by", ("分类", "by"), lambda row: row[0]),
        ListColumn("value", ("值", "value"), lambda row: row[1]),
        ListColumn("count", ("数量", "count"), lambda row: f"{row[2]:,}", right=True),
    ),
)


def every(fetch: Callable[[str, int], Any]) -> Iterator[Any]:
    """Yield the items of all pages.

    `fetch`: takes (`next` of the previous page, maximum rows) and returns a page.
    """
    after = ""
    while True:
        page = fetch(after, _ROWS_PER_QUERY)
        yield from page.items
        if not (after := page.next or ""):
            return


def fetched(fetch: Callable[[str, int], Any], rows: int | None) -> tuple[list[Any], bool]:
    """Up to `rows` items, and whether more follow; None: all items.

    `fetch`: as in `every`.
    """
    items, after = list[Any](), ""
    while True:
        page = fetch(after, _ROWS_PER_QUERY if rows is None else min(rows - len(items), _ROWS_PER_QUERY))
        items += page.items
        after = page.next or ""
        if not after or len(items) == rows:
            return items, bool(after)


def print_list(listing: Listing[Item], items: Iterable[Item], asked: ListOptions) -> None:
    """Print a page of a complete list, or its counts."""
    if asked.count:
        found = list(items)
        print_counts(listing, len(found), _counts(listing, found), asked)
        return
    rest = iter(items)
    here = list(itertools.islice(itertools.islice(rest, asked.skipped, None), asked.rows))
    print_page(listing, here, asked, more=bool(here) and next(rest, None) is not None)


def print_page(listing: Listing[Item], items: Sequence[Item], asked: ListOptions, *, more: bool) -> None:
    """Print one page. `more`: whether another page follows."""
    _remember(listing, items)
    if asked.json:
        _write(json_rows(listing, items))
    elif asked.csv:
        _write(csv_rows(listing, items), mark=True)
    elif not items:
        line(_nothing(listing.what, asked))
    else:
        _print_table(listing, items)
        if more:
            limit = f"--limit {asked.limit}" if asked.limit else ""
            typed = " ".join(filter(None, (asked.command, asked.filters, limit, f"--page {asked.page + 1}")))
            say(f"下一页：duanka {typed}", f"More: duanka {typed}")


def print_counts(
    listing: Listing[Any], total: int, by: Mapping[str, Mapping[str, int]], asked: ListOptions
) -> None:
    """Print the number of rows by value."""
    remember_shown([{name: value} for name in _REMEMBERED for value in by.get(name, ())])
    if asked.json:
        _write([json_line({"total": total, **by})])
    elif asked.csv:
        rows = [("by", "value", "count"), ("total", "", total)]
        rows += [(name, value, count) for name, values in by.items() for value, count in values.items()]
        _write(csv_lines(rows), mark=True)
    elif not total:
        line(_nothing(listing.what, asked))
    else:
        say(f"{listing.what.zh}：{total:,}", f"{total:,} {listing.what.en}")
        if not any(by.values()):  # a heading without a row is no table
            return
        # `by` may count the values of a column `rules` under the name `rule`
        columns = {one.name.removesuffix("s"): one for one in listing.columns}
        columns |= {one.name: one for one in listing.columns}
        _print_table(
            _COUNTS,
            [
                _counted(name, columns.get(name), value, count)
                for name, values in by.items()
                for value, count in values.items()
            ],
        )


def _counted(name: str, column: ListColumn[Any] | None, value: str, count: int) -> tuple[str, str, int]:
    """A row of _COUNTS: a column goes by its heading in Chinese, by its field name in English."""
    if column is None or column.heading is None:
        return name, value, count
    return shown(BilingualText(column.heading[0], name)), column.text_of(value), count


def _print_table(listing: Listing[Item], items: Sequence[Item]) -> None:
    for text in table_lines(listing, items, OUT.width):
        line(text)


def table_lines(listing: Listing[Item], items: Sequence[Item], width: int) -> Iterator[Text]:
    """Heading and rows, one line each.

    Columns that must not be cut are printed in full, even if the line exceeds `width`.
    """
    columns = [one for one in listing.columns if one.heading and not one.below]
    below = [one for one in listing.columns if one.below]
    cells = {one.name: [one.shown(item) for item in items] for one in columns}
    heads = {one.name: one.title for one in columns}
    natural = {
        name: max(map(cell_len, (heads[name], *column)), default=cell_len(heads[name]))
        for name, column in cells.items()
    }
    widths = _widths(columns, natural, heads, width)
    kept = [one for one in columns if one.name in widths]
    yield Text(_line(kept, [heads[one.name] for one in kept], widths), style="bold")
    for row in range(len(items)):
        yield Text(_line(kept, [cells[one.name][row] for one in kept], widths))
        for one in below:
            yield Text("\n".join(indented_lines(f"  {one.shown(items[row])}", width)))


def line(text: RenderableType) -> None:
    """Print text without line breaks, since it may contain a command."""
    OUT.print(text, soft_wrap=True)


def say(zh: str, en: str) -> None:
    """Print a sentence in the display language without line breaks."""
    line(shown(BilingualText(zh, en)))


def _widths(
    columns: Sequence[ListColumn[Any]], natural: Mapping[str, int], heads: Mapping[str, str], width: int
) -> dict[str, int]:
    """Width of each column; omitted columns are absent."""
    kept = list(columns)

    def least(one: ListColumn[Any]) -> int:
        whole = natural[one.name]
        return min(whole, max(one.least, cell_len(heads[one.name]))) if one.least else whole

    def asked(one: ListColumn[Any]) -> int:  # optional columns are dropped before others are cut
        return least(one) if one.spare else natural[one.name]

    while sum(map(asked, kept)) + len(kept) - 1 > width and any(one.spare for one in kept):
        kept.remove(max(kept, key=lambda one: one.spare))
    left = width - sum(map(least, kept)) - (len(kept) - 1)
    found = dict[str, int]()
    for one in kept:
        more = min(max(left, 0), natural[one.name] - least(one))
        found[one.name] = least(one) + more
        left -= more
    return found


def _line(columns: Sequence[ListColumn[Any]], cells: Sequence[str], widths: Mapping[str, int]) -> str:
    parts = []
    for one, cell in zip(columns, cells, strict=True):
        size, length = widths[one.name], cell_len(cell)
        if length > size:
            cell = set_cell_size(cell, size - 1).rstrip() + "…"  # noqa: PLW2901  # the cell, cut to fit
            length = cell_len(cell)
        parts.append(" " * (size - length) + cell if one.right else cell + " " * (size - length))
    return " ".join(parts).rstrip()


def _nothing(what: BilingualText, asked: ListOptions) -> str:
    """Sentence for an empty list, with its filters."""
    if asked.page > 1:
        return shown(BilingualText(f"第{asked.page}页没有{what.zh}。", f"No {what.en} on page {asked.page}."))
    zh = f"没有{what.zh}{f'（{asked.filters}）' if asked.filters else ''}"
    en = f"No {what.en}{f' with {asked.filters}' if asked.filters else ''}"
    if asked.scope:
        zh, en = f"{zh}，范围：{asked.scope}", f"{en} in your scope: {asked.scope}"
    return shown(BilingualText(f"{zh}。", f"{en}."))


def _remember(listing: Listing[Item], items: Sequence[Item]) -> None:
    """Store the values of these rows for shell completion."""
    columns = [one for one in listing.columns if one.name in _REMEMBERED]
    remember_shown([{one.name: as_text(one.of(item)) for one in columns} for item in items[:_ROWS_PER_QUERY]])


def _counts(listing: Listing[Item], items: Sequence[Item]) -> dict[str, dict[str, int]]:
    columns = {one.name: one for one in listing.columns}
    by = dict[str, dict[str, int]]()
    for name in listing.counted:
        found = Counter[str]()
        for item in items:
            value = columns[name].of(item)
            many = isinstance(value, Sequence) and not isinstance(value, str | BilingualText)
            found.update(map(str, value) if many and isinstance(value, Sequence) else [as_text(value)])
        by[name] = dict(found.most_common())
    return by


def _write(lines: Iterable[str], *, mark: bool = False) -> None:
    """Write to standard output as UTF-8, whatever the terminal's encoding."""
    stream = getattr(OUT.file, "buffer", None)
    texts = ((SPREADSHEET_MARK if mark and at == 0 else "") + text for at, text in enumerate(lines))
    if stream is None:
        OUT.file.writelines(texts)
        return
    OUT.file.flush()
    for text in texts:
        stream.write(text.encode("utf-8", "replace"))
    stream.flush()
