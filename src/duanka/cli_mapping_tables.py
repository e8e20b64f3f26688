"""What `duanka mapping` and `duanka quarantine` print. Numbers are masked: the shape of each is what is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import polars as pl
from rich.console import RenderableType
from rich.text import Text

from duanka.cli_grid import grid
from duanka.domain.display import display_text
from duanka.domain.masking import masked_card, masked_device, masked_text
from duanka.domain.tables import TABLES, Kind
from duanka.domain.words import Words
from duanka.records.guessing import Guessed, Tried
from duanka.records.mapping import Mapping as RecordsMapping
from duanka.records.quarantine_advice import Counted

_SHOWN = 12  # names in a list
_LONGEST = 24  # letters of a cell
_RAW = 160  # letters of a raw record


def guessed(found: Guessed) -> Iterator[RenderableType]:
    """The columns with how sure they are, the sample as it would be read, and what a person must say."""
    table = grid("files", "table", "column", "from", "确定性 how sure", "why", title="\n推断 Guessed")
    for source in found.guess.sources:
        files = ", ".join(source.shape.patterns[:3])
        if source.raw:
            table.add_row(display_text(files), source.table, "-", "-", "确定 sure", source.why)
        for column, one in source.columns.items():
            read = " + ".join(one.sources) or "-"
            sure = f"{one.sure.words.zh} {one.sure.words.en}"
            table.add_row(
                display_text(files), source.table, column, display_text(read), sure, display_text(one.why)
            )
            files = ""
        if source.missing:
            table.add_row(
                files,
                source.table,
                ", ".join(source.missing),
                "?",
                "未知 not known",
                "see below",
                style="yellow",
            )
    yield table
    if found.tried is not None:
        yield from tried(found.tried, None)
    for shape in found.guess.unknown:
        names = ", ".join(shape.patterns[:3])
        yield Text(
            f"没有推断出用途 No table is told for {display_text(names)} ({len(shape.files):,} files)",
            style="yellow",
        )
    for file in found.guess.unread:
        yield Text(
            f"读不了 Not read: {display_text(file.name)}: {display_text(file.form.problem)}", style="yellow"
        )
    if found.guess.questions:
        yield Text("\n需要您回答 For you to decide", style="bold")
    for number, question in enumerate(found.guess.questions, start=1):
        yield Text(f"{number}. {display_text(question.about)}")
        yield Text(
            f"   {masked_text(display_text(question.text.zh))}\n   {masked_text(display_text(question.text.en))}"
        )


def tried(found: Tried, mapping: RecordsMapping | None) -> Iterator[RenderableType]:
    """The first rows, what would be set aside, and what matches nothing. `mapping` None: it is being guessed."""
    for name, rows in found.rows.items():
        yield _rows(name, rows)
    yield Text(
        f"\n{found.used:,} of {found.records:,} records of the sample fit ({found.fits:.2%}), of {found.files:,} files"
        f" 样本中 {found.used:,}/{found.records:,} 条可用",
        style="" if found.fits >= 0.99 else "yellow",
    )
    if found.reasons:
        table = grid(
            "reason", "column", "file", "records", title="\n会被搁置 Would be set aside", right=("records",)
        )
        for (reason, column, file), records in found.reasons.most_common(_SHOWN):
            table.add_row(reason, display_text(column) or "-", display_text(file), f"{records:,}")
        yield table
        for file, line, _, reason, raw in found.examples[:_SHOWN]:
            yield _example(file, line, reason, raw)
    for name, fault in found.errors.items():
        yield Text(
            f"读不了 Not read: {display_text(fault) if name in fault else display_text(f'{name}: {fault}')}",
            style="red",
        )
    for one in found.idle if mapping is not None else ():
        yield Text(one, style="yellow")
    if found.unmatched and mapping is not None:
        yield Text(f"没有来源读取 No source takes: {_listed(found.unmatched)}", style="yellow")
    if found.ignored:
        yield Text(f"未读的列 Columns not read: {_listed(list(found.ignored))}")


def quarantined(found: Mapping[str, Counted], advice: Mapping[str, Words]) -> Iterator[RenderableType]:
    """Counts by reason, the first records of each, and what to do."""
    if not found:
        yield Text("没有搁置的记录 No record was set aside.")
        return
    table = grid("reason", "records", "files", "columns", right=("records", "files"))
    for reason, one in found.items():
        columns = _listed([name for name, _ in one.columns.most_common(3) if name]) or "-"
        table.add_row(reason, f"{one.records:,}", f"{len(one.files):,}", columns)
    yield table
    for reason, one in found.items():
        yield Text(f"\n{reason}: {one.records:,}", style="bold")
        if words := advice.get(reason):
            yield Text(f"怎么办 {words.zh}\nWhat to do: {words.en}")
        for file, line, column, raw in one.first:
            yield _example(file, line, display_text(column), raw)


def _example(file: str, line: int | None, what: str, raw: str) -> Text:
    place = f"{display_text(file)}:{line}" if line is not None else display_text(file)
    shown = masked_text(display_text(raw))
    shown = shown if len(shown) <= _RAW else shown[:_RAW] + "…"
    return Text(f"  {place}  {what}  {shown}", style="dim")


def _rows(name: str, rows: pl.DataFrame) -> RenderableType:
    columns = [column for column in TABLES[name].columns if rows[column.name].null_count() < rows.height]
    table = grid(
        *(column.name for column in columns),
        title=f"\n{name} 读出的前 {rows.height} 行 as they would be read",
    )
    for row in rows.select(column.name for column in columns).iter_rows():
        table.add_row(
            *(_cell(column.kind, column.name, value) for column, value in zip(columns, row, strict=True))
        )
    return table


def _cell(kind: Kind, name: str, value: object) -> str:
    if value is None:
        return "-"
    text = f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else display_text(str(value))
    if kind is Kind.NUMBER:
        return masked_card(text)
    if kind is Kind.IMEI or name in ("imsi", "iccid"):
        return masked_device(text)
    if kind is Kind.HOLDER:
        return f"{text[:8]}…"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(display_text(name[:80]) for name in names[:_SHOWN]) + more
