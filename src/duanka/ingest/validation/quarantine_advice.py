"""Advice for each reason of rejection, and counts of a quarantine's content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from duanka.domain.display import display_name
from duanka.domain.errors import UnreadableInput
from duanka.domain.intake_report import Intake
from duanka.domain.text import BilingualText
from duanka.ingest.delivery.discovery import OUTPUT_FOLDER
from duanka.ingest.model.reasons import QuarantineReason
from duanka.ingest.validation.quarantine import QUARANTINE, SCHEMA, records_of

_BATCH = 50_000

_BROKEN = BilingualText(
    "文件本身损坏：请对方重新导出并交付", "the file itself is broken: have it exported and delivered again"
)
_LINES = BilingualText(
    "分隔符、引号或换行与文件不符：用 `duanka mapping guess` 再看一遍，或请对方修正导出",
    "delimiter, quotes or line ends differ from the mapping's: look again with `duanka mapping guess`, or"
    " have the export corrected",
)
ADVICE: dict[str, BilingualText] = {
    QuarantineReason.WRONG_COLUMN_COUNT: _LINES,
    QuarantineReason.BROKEN_ENCODING: BilingualText(
        "编码写错了：在映射中写 encoding，例如 gb18030",
        "another encoding: say it with `encoding`, for example gb18030",
    ),
    QuarantineReason.NUL_BYTE: _BROKEN,
    QuarantineReason.OPEN_QUOTE: _LINES,
    QuarantineReason.STRAY_RETURN: _LINES,
    QuarantineReason.TOO_LONG: _LINES,
    QuarantineReason.EMPTY_LINE: BilingualText(
        "空行，不含记录：不必处理", "no record stands there: nothing to do"
    ),
    QuarantineReason.CUT_OFF: BilingualText(
        "文件没有传完：请重新交付", "the file did not arrive whole: have it delivered again"
    ),
    QuarantineReason.UNREADABLE_FILE: _BROKEN,
    QuarantineReason.OVERSIZED: BilingualText(
        "超出读取上限（docs/FORMAT.md）：请分成较小的文件交付",
        "beyond the limits (docs/FORMAT.md): deliver smaller files",
    ),
    QuarantineReason.UNREADABLE_ROWS: _BROKEN,
    QuarantineReason.UNDECODABLE: _BROKEN,
    QuarantineReason.UNPROCESSABLE: BilingualText(
        "程序缺陷：请连同这一行报告", "a defect of the program: please report it with this line"
    ),
    QuarantineReason.BROKEN_JSON: BilingualText(
        "每行应是一个 JSON 对象：请修正发送方", "a line is one JSON object: mend the sender"
    ),
    QuarantineReason.BROKEN_ARROW: BilingualText(
        "消息不完整：请修正发送方", "the message is not whole: mend the sender"
    ),
    QuarantineReason.NO_TABLE: BilingualText(
        "映射中没有哪个来源的 where 取这一行：若需要，加一个 [[source]]",
        "no `where` of the mapping takes the row: add a [[source]] if you want such rows",
    ),
    QuarantineReason.MISSING: BilingualText(
        "必需的列为空：看是否映射到了别的列",
        "a column is empty that must not be: see whether the mapping names the right one",
    ),
    QuarantineReason.BAD_TIME: BilingualText(
        "时间格式不同：在映射中写 formats 或 epoch（docs/MAPPING.md）",
        "another form of time: say it with `formats` or `epoch` (docs/MAPPING.md)",
    ),
    QuarantineReason.BAD_DAY: BilingualText(
        "日期格式不同：在映射中写 formats 或 epoch", "another form of day: say it with `formats` or `epoch`"
    ),
    QuarantineReason.NEGATIVE_DURATION: BilingualText(
        "请对方更正：时长不能为负", "have it corrected at the source: no duration is below zero"
    ),
    QuarantineReason.NEGATIVE_COUNT: BilingualText(
        "请对方更正：计数不能为负", "have it corrected at the source: no count is below zero"
    ),
    QuarantineReason.NOT_A_NUMBER: BilingualText(
        "不是数字：看是否映射到了别的列，或时长需写 unit",
        "no number: see whether it is the right column, or say the `unit`",
    ),
    QuarantineReason.IMPOSSIBLE_NUMBER: BilingualText(
        "不是电话号码：若是化名，写 opaque = true；若列错了，改映射",
        "no telephone number: `opaque = true` for pseudonyms; else see whether it is the right column",
    ),
    QuarantineReason.UNKNOWN_IMSI: BilingualText(
        "用户资料里没有这个 IMSI：请一并交付含 IMSI 的用户资料",
        "deliver the register with its IMSIs along with these files",
    ),
    QuarantineReason.ROUNDED_NUMBER: BilingualText(
        "表格软件丢失了位数：请将该列按文本导出",
        "a spreadsheet lost digits: have the column exported as text",
    ),
    QuarantineReason.UNKNOWN_DIRECTION: BilingualText(
        "未列出的方向代码：补到 direction 的 codes 中",
        "a code that is not listed: add it to `codes` of `direction`",
    ),
    QuarantineReason.UNKNOWN_CHOICE: BilingualText(
        "未列出的取值：补到 codes 中", "a value that is not listed: add it to `codes`"
    ),
    QuarantineReason.NOT_A_FLAG: BilingualText(
        "未列出的取值：补到 codes 中，或写 over",
        "a value that is not listed: add it to `codes`, or say `over`",
    ),
    QuarantineReason.BAD_IMEI: BilingualText(
        "不是 IMEI：看是否映射到了别的列；化名则写 opaque = true",
        "no IMEI: see whether it is the right column; `opaque = true` for pseudonyms",
    ),
    QuarantineReason.NO_HOLDER_KEY: BilingualText(
        "请设置 DUANKA_HOLDER_KEY 后重新交付", "set DUANKA_HOLDER_KEY and deliver them again"
    ),
    QuarantineReason.DELIVERED_TWICE: BilingualText(
        "同一记录已读过：不必处理", "an equal record was read: nothing to do"
    ),
    QuarantineReason.CARD_TWICE: BilingualText(
        "同一张卡有两种描述，用的是后一种：请对方更正资料",
        "two descriptions of a card, the last counts: have the register corrected",
    ),
    QuarantineReason.OUTLET_TWICE: BilingualText(
        "同一网点有两种描述，用的是后一种：请对方更正",
        "two descriptions of an outlet, the last counts: have it corrected",
    ),
    QuarantineReason.LINKED_TWICE: BilingualText(
        "同一张卡有两条关联，用的是后一条：收件处只留最近一次 links build 写的文件",
        "two rows of one card, the last counts: keep the files of the latest links build alone",
    ),
    "too late": BilingualText(
        "晚于允许的时延：见 docs/LIVE.md 的 lateness",
        "later than the `lateness` of its source allows (docs/LIVE.md)",
    ),
    "ahead of the clock": BilingualText(
        "记录时间在本机时钟之后：检查两边的时钟和时区", "check the clocks and zones of both sides"
    ),
}


@dataclass
class ReasonCount:
    """Records with one reason.

    `columns`: source columns. `first`: file, line, column and raw record of the first ones.
    """

    records: int = 0
    files: Counter[str] = field(default_factory=Counter)
    columns: Counter[str] = field(default_factory=Counter)
    first: list[tuple[str, int | None, str, str]] = field(default_factory=list)


def counted(out: Path, limit: int) -> dict[str, ReasonCount]:
    """Count the rejected records in `out` by reason; keep the first `limit` of each.

    `out`: an output folder, the folder of records, or a quarantine file. Raises UnreadableInput without a quarantine.
    """
    found: dict[str, ReasonCount] = {}
    for path in _quarantines(out):
        for file, line, column, reason, raw in _rows(path):
            one = found.setdefault(reason, ReasonCount())
            more = records_of(raw) if line is None else 0
            one.records += more or 1
            one.files[file] += more or 1
            one.columns[column] += more or 1
            if len(one.first) < limit and not more:
                one.first.append((file, line, column, raw))
    return dict(sorted(found.items(), key=lambda item: -item[1].records))


def _quarantines(out: Path) -> list[Path]:
    if out.is_file():
        return [out]
    if (out / QUARANTINE).is_file():
        return [out / QUARANTINE]
    below = out / OUTPUT_FOLDER / QUARANTINE
    if not below.is_file():
        raise UnreadableInput(
            f"{display_name(str(out))}: no {QUARANTINE} here; name the output folder of a scan"
            f" (default: DATA/{OUTPUT_FOLDER})"
        )
    return [below]


def _rows(path: Path) -> Iterator[tuple[str, int | None, str, str, str]]:
    try:
        with pq.ParquetFile(path) as file:
            if not set(SCHEMA.names) <= set(file.schema_arrow.names):
                raise UnreadableInput(f"{display_name(str(path))}: it is no quarantine of Duanka")
            for batch in file.iter_batches(_BATCH, columns=SCHEMA.names):
                yield from zip(*(batch.column(name).to_pylist() for name in SCHEMA.names), strict=True)
    except (pa.ArrowException, OSError) as fault:
        raise UnreadableInput(
            f"{display_name(str(path))}: it cannot be read ({type(fault).__name__})"
        ) from None


def commonest_reason(intake: Intake) -> str:
    """The most frequent reason for rejected records, and where to look first."""
    aside = pq.read_table(intake.quarantine, columns=["file", "line", "column", "reason"])
    reasons = aside.group_by(["reason", "column", "file"]).aggregate([("line", "min"), ("line", "count")])
    most = max(reasons.to_pylist(), key=lambda row: (row["line_count"], row["file"]))
    where = f" in column {most['column']}" if most["column"] else ""
    line = f", first on line {most['line_min']}" if most["line_min"] else ""
    why = next((file.unreadable for file in intake.files if file.file == most["file"]), "")
    told = f": {why}" if why else ""
    guess = "`duanka mapping guess` proposes a mapping"
    advice = ADVICE[most["reason"]].en if most["reason"] in ADVICE else guess
    do = advice if "duanka mapping guess" in advice else f"{advice}; {guess}"
    return f"{most['reason']}{where} of {most['file']}{line}{told} ({do})"
