"""Output of `duanka mapping` and `duanka quarantine`.

Numbers are masked: only their form matters here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import polars as pl
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

from duanka.cli.output.grid import grid
from duanka.cli.shell.language import shown
from duanka.cli.shell.process import CAUTION, Indented, Prose
from duanka.domain.display import display_text
from duanka.domain.phone_masking import masked_card, masked_device, masked_text
from duanka.domain.schema import TABLES, ColumnKind
from duanka.domain.streaming import LiveReason
from duanka.domain.text import BilingualText
from duanka.ingest.guessing import Guessed
from duanka.ingest.guessing.checking import Tried
from duanka.ingest.guessing.proposal import Sureness
from duanka.ingest.model.mapping import Mapping as RecordsMapping
from duanka.ingest.model.reasons import QuarantineReason
from duanka.ingest.validation.quarantine_advice import ReasonCount

_MAX_SHOWN = 12  # reasons, examples or names listed
_CELL_LENGTH = 24  # characters of a cell
_RAW_LENGTH = 160  # characters of a raw record

_GUESSED_TITLE = BilingualText("\n推断", "\nGuessed")
_GUESSED = (
    *(BilingualText("字段", "column"), BilingualText("来源列", "from")),
    *(BilingualText("确定性", "how sure"), BilingualText("依据", "why")),
)
_NOT_KNOWN, _SEE_BELOW = BilingualText("未知", "not known"), BilingualText("见下", "see below")
_UNTOLD = BilingualText(
    "没有推断出用途：{names}（{files} 个文件）", "No table was recognised for {names} ({files} files)"
)
_UNREAD = BilingualText("读不了：", "Not read: ")
_QUESTIONS = BilingualText("\n需要您回答", "\nFor you to decide")
_FITS = BilingualText(
    "\n样本 {files} 个文件，{records} 条记录中 {used} 条可用（{share}）",
    "\n{used} of {records} records fit ({share}); sample of {files} files",
)
_AS_READ = BilingualText("读出的前 {rows} 行", "first {rows} rows as they would be read")
_FEWER = BilingualText("（更宽的终端显示全部 {rows} 行）", " ({rows} in a wider terminal)")
_COLUMN_GAP = 2  # terminal cells between the columns of a table
_ASIDE_TITLE = BilingualText("\n会被搁置", "\nWould be set aside")
_REASON, _RECORDS = BilingualText("原因", "reason"), BilingualText("记录数", "records")
_ASIDE = (_REASON, BilingualText("列", "column"), BilingualText("文件", "file"), _RECORDS)
_COUNTED = (_REASON, _RECORDS, BilingualText("文件数", "files"), BilingualText("列", "columns"))
_UNTAKEN, _COLUMNS = (
    BilingualText("没有来源读取：", "No source takes: "),
    BilingualText("未读的列：", "Columns not read: "),
)
_NOTHING_ASIDE = BilingualText("没有搁置的记录。", "No record was set aside.")
_ADVICE = BilingualText("怎么办：", "What to do: ")
_TRUE, _FALSE = BilingualText("是", "true"), BilingualText("否", "false")
_MORE = BilingualText(" 等，另有 {more} 个", " and {more} more")


def guessed(found: Guessed) -> Iterator[RenderableType]:
    """Columns with their certainty, a sample of rows, and open questions."""
    yield Prose(shown(_GUESSED_TITLE), style="bold")
    for source in found.guess.sources:
        files = display_text(", ".join(source.shape.patterns[:3]))
        yield Prose(f"\n{files} -> {source.table}")
        table = grid(_GUESSED)
        if source.raw:
            table.add_row("-", "-", shown(Sureness.SURE.words), shown(source.why))
        for column, one in source.columns.items():
            read = " + ".join(one.sources) or "-"
            sure, why = shown(one.sure.words), display_text(shown(one.why))
            table.add_row(column, display_text(read), sure, why)
        if source.missing:
            missing = ", ".join(source.missing)
            table.add_row(missing, "?", shown(_NOT_KNOWN), shown(_SEE_BELOW), style=CAUTION)
        yield table
    if found.tried is not None:
        yield from tried(found.tried, None)
    for shape in found.guess.unknown:
        names = ", ".join(shape.patterns[:3])
        told = shown(_UNTOLD, names=display_text(names), files=len(shape.files))
        yield Prose(told, style=CAUTION)
    for file in found.guess.unread:
        problem = display_text(file.form.problem)
        yield Prose(f"{shown(_UNREAD)}{display_text(file.name)}: {problem}", style=CAUTION)
    if found.guess.questions:
        yield Prose(shown(_QUESTIONS), style="bold")
    for number, question in enumerate(found.guess.questions, start=1):
        yield Prose(f"{number}. {display_text(question.about)}")
        yield Indented(f"   {masked_text(display_text(shown(question.text)))}")


def tried(found: Tried, mapping: RecordsMapping | None) -> Iterator[RenderableType]:
    """First rows, rejected records, unmatched files; `mapping` None: a guess so far."""
    for name, rows in found.rows.items():
        yield _Rows(name, rows)
    fits = shown(_FITS, used=found.used, records=found.records, share=f"{found.fits:.2%}", files=found.files)
    yield Prose(fits, style="" if found.fits >= 0.99 else CAUTION)
    if found.reasons:
        yield grid(
            _ASIDE,
            (
                (_reason(reason), display_text(column) or "-", display_text(file), f"{records:,}")
                for (reason, column, file), records in found.reasons.most_common(_MAX_SHOWN)
            ),
            title=_ASIDE_TITLE,
            right=("records",),
        )
        for file, line, _, reason, raw in found.examples[:_MAX_SHOWN]:
            yield _example(file, line, _reason(reason), raw)
    for name, fault in found.errors.items():
        told = display_text(fault) if name in fault else display_text(f"{name}: {fault}")
        yield Prose(f"{shown(_UNREAD)}{told}", style="red")
    for one in found.idle if mapping is not None else ():
        yield Prose(shown(one), style=CAUTION)
    if found.unmatched and mapping is not None:
        yield Prose(f"{shown(_UNTAKEN)}{_listed(found.unmatched)}", style=CAUTION)
    if found.ignored:
        yield Prose(f"{shown(_COLUMNS)}{_listed(list(found.ignored))}")


def quarantined(
    found: Mapping[str, ReasonCount], advice: Mapping[str, BilingualText]
) -> Iterator[RenderableType]:
    """Counts by reason, the first records of each, and advice."""
    if not found:
        yield Prose(shown(_NOTHING_ASIDE))
        return
    table = grid(_COUNTED, right=("records", "files"))
    for reason, one in found.items():
        columns = _listed([name for name, _ in one.columns.most_common(3) if name]) or "-"
        table.add_row(_reason(reason), f"{one.records:,}", f"{len(one.files):,}", columns)
    yield table
    for reason, one in found.items():
        yield Prose(f"\n{_reason(reason)}: {one.records:,}", style="bold")
        if words := advice.get(reason):
            yield Prose(f"{shown(_ADVICE)}{shown(words)}")
        for file, line, column, raw in one.first:
            yield _example(file, line, display_text(column), raw)


def _reason(value: str) -> str:
    """Display text of a reason from intake or the live engine."""
    return next(
        (shown(one.words) for one in (*QuarantineReason, *LiveReason) if one == value), display_text(value)
    )


def _example(file: str, line: int | None, what: str, raw: str) -> Indented:
    place = f"{display_text(file)}:{line}" if line is not None else display_text(file)
    shown = masked_text(display_text(raw))
    shown = shown if len(shown) <= _RAW_LENGTH else shown[:_RAW_LENGTH] + "…"
    return Indented(f"  {place}  {what}  {shown}", style="dim")


class _Rows:
    """Sample rows: one line per row, or one column per row on a narrow terminal."""

    def __init__(self, name: str, rows: pl.DataFrame) -> None:
        columns = [column for column in TABLES[name].columns if rows[column.name].null_count() < rows.height]
        self._name, self._fields = name, [column.name for column in columns]
        self._rows = [
            [_cell(column.kind, column.name, value) for column, value in zip(columns, row, strict=True)]
            for row in rows.select(self._fields).iter_rows()
        ]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render in the form that fits the width."""
        columns = list(zip(self._fields, *self._rows, strict=True))
        if sum(_width(column) + _COLUMN_GAP for column in columns) <= options.max_width + _COLUMN_GAP:
            yield self._table(self._fields, self._rows, len(self._rows))
            return
        left, fit = options.max_width - _width(self._fields), 0
        for row in self._rows:
            left -= _width(row) + _COLUMN_GAP
            if left < 0 and fit:
                break
            fit += 1
        turned = [[field, *values[:fit]] for field, *values in columns]
        yield self._table(["", *(str(number + 1) for number in range(fit))], turned, fit)

    def _table(self, headings: Sequence[str], rows: Iterable[Sequence[str]], height: int) -> RenderableType:
        fewer = shown(_FEWER, rows=len(self._rows)) if height < len(self._rows) else ""
        return grid(headings, rows, title=f"\n{self._name}: {shown(_AS_READ, rows=height)}{fewer}")


def _width(cells: Iterable[str]) -> int:
    return max(map(cell_len, cells), default=0)


def _cell(kind: ColumnKind, name: str, value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return shown(_TRUE if value else _FALSE)
    text = f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else display_text(str(value))
    if kind is ColumnKind.NUMBER:
        return masked_card(text)
    if kind is ColumnKind.IMEI or name in ("imsi", "iccid"):
        return masked_device(text)
    if kind is ColumnKind.HOLDER:
        return f"{text[:8]}…"
    return text if len(text) <= _CELL_LENGTH else f"{text[:_CELL_LENGTH]}…"


def _listed(names: list[str]) -> str:
    more = shown(_MORE, more=len(names) - _MAX_SHOWN) if len(names) > _MAX_SHOWN else ""
    return ", ".join(display_text(name[:80]) for name in names[:_MAX_SHOWN]) + more
