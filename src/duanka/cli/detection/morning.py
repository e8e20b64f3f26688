"""`duanka morning`: one command for cron; its exit code reports the result."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Group, RenderableType

from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import load_settings
from duanka.cli.detection.live import Ticker, last_words
from duanka.cli.detection.record_options import (
    AreaLists,
    EngineName,
    Memory,
    PolicyName,
    Remote,
    TableLanguage,
    share_of,
    steps,
)
from duanka.cli.shell.language import asked_for, shown
from duanka.cli.shell.lazy import lazily
from duanka.cli.shell.log_lines import log_as
from duanka.cli.shell.process import ERR, OUT, ExitCode, Prose
from duanka.domain.errors import DuankaError
from duanka.domain.findings import Findings
from duanka.domain.local_time import operator_zone
from duanka.domain.streaming import Lateness
from duanka.domain.text import BilingualText

if TYPE_CHECKING:
    from duanka.application import scan as app_scan
    from duanka.bootstrap import live as app_live
    from duanka.bootstrap import morning as app_morning
    from duanka.bootstrap import scan as bootstrap_scan
    from duanka.cli.detection import scan_tables
else:
    app_live = lazily("duanka.bootstrap.live")
    app_scan = lazily("duanka.application.scan")
    app_morning = lazily("duanka.bootstrap.morning")
    bootstrap_scan = lazily("duanka.bootstrap.scan")
    scan_tables = lazily("duanka.cli.detection.scan_tables")

_AND = BilingualText("，", ", ")
_FIRST = BilingualText(
    "第一次运行，没有可对比的清单。", "This is the first morning: nothing to compare with."
)
_CHANGED = BilingualText("与上一份清单相比：{counts}", "Since the list before: {counts}")
_MISSING = BilingualText(
    "缺数据：{source} 缺 {day} 的记录；最后一条是 {last} 的，早 {gap} 天",
    "MISSING: {source} of {day}; its last record is of {last}, {gap} day(s) before",
)
_CAME = BilingualText(
    "迟到，现已研判：{source} {day} 的记录", "Came late, and is judged now: {source} of {day}"
)
_BAD = BilingualText(
    "搁置或来得太晚：占记录的 {share}，原因见 `duanka quarantine {out}`",
    "Set aside or too late: {share} of the records; `duanka quarantine {out}` says why",
)
_BAD_STORED = BilingualText(
    "不能采用：占记录的 {share}；搁置 {aside} 条（原因见 `duanka quarantine {out}`），过旧 {late} 条（只计数，不搁置）",
    "Not to be used: {share} of the records; {aside} set aside (`duanka quarantine {out}` says why), {late} too old"
    " for the store (counted only)",
)
_FILES = BilingualText(
    "变化：{changes}；工作清单：{work_list}", "What changed: {changes}; work list: {work_list}"
)


commands = typer.Typer()


@commands.command()
def morning(
    inbox: Annotated[Path, typer.Argument(help="Folder in which each night's files land (docs/LIVE.md).")],
    to: Annotated[
        Path, typer.Option("--out", help="Folder of the lists, of what changed, and of the state.")
    ] = Path("duanka-morning"),
    policy: PolicyName = "national",
    mapping: Annotated[
        Path | None, typer.Option(help="Mapping of a foreign format (docs/MAPPING.md).")
    ] = None,
    lists: AreaLists = None,
    day: Annotated[
        str | None,
        typer.Option(
            help="Day whose records should have arrived, YYYY-MM-DD;"
            " default: yesterday in the operator's zone."
        ),
    ] = None,
    max_bad: Annotated[
        str,
        typer.Option(
            "--max-bad", help="Share of records set aside or too late above which the exit code is 3."
        ),
    ] = "1%",
    after: Annotated[
        Literal["keep", "move", "delete"], typer.Option(help="What to do with a file once it is read.")
    ] = "keep",
    memory: Memory = None,
    language: TableLanguage = None,
    store: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the store that takes the records in (docs/STORE.md); default: that of DUANKA_STORE."
        ),
    ] = None,
    engine: EngineName = "embedded",
    remote: Remote = None,
) -> None:
    """Take in what came since yesterday; write today's lists and what changed.

    Exit codes: 0 done, 2 wrong use, 3 too many records set aside or too late, 4 a source's day is missing.
    """
    allowed = share_of(max_bad)
    asked = app_live.LiveRun(
        source=app_live.InboxInput(inbox, mapping, after, None),
        policy=policy_named(policy),
        out=to,
        lists=lists,
        lateness=Lateness(default=app_morning.LATENESS),
        memory=memory,
        language=asked_for(language),
    )
    own = load_settings()
    log_as(own.log)
    zone = operator_zone()
    wanted = _day(day) if day else app_morning.yesterday(zone, datetime.now(UTC))
    if kept := store or own.store:
        with steps() as going:
            say = Ticker(ERR).say
            server = bootstrap_scan.remote_for(own, engine, remote)
            done = app_morning.morning_into_store(own, asked, kept, wanted, going, say, server)
    elif engine == "spark" or remote:
        raise DuankaError("--engine spark is for mornings into a store: give --store, or set DUANKA_STORE")
    else:
        with Ticker(ERR) as ticker:
            done = app_morning.morning(own, asked, wanted, ticker, ticker.say)
    too_bad = done.bad_share > allowed or done.cut_off
    OUT.print(_summary(done, too_bad=too_bad, allowed=allowed))
    if done.missing:
        raise typer.Exit(ExitCode.LOOK)
    if too_bad:
        raise typer.Exit(ExitCode.SET_ASIDE)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise DuankaError(f"--day {text!r} is no day; write it like 2026-11-27") from None


def _bad(done: app_morning.Morning) -> str:
    share = f"{done.bad_share:.2%}"
    if not isinstance(done.outcome, Findings):
        return shown(_BAD, share=share, out=done.out)
    aside = sum(file.quarantined for file in done.outcome.intake.news)
    late = done.outcome.stored.late if done.outcome.stored else 0
    return shown(_BAD_STORED, share=share, aside=aside, late=late, out=done.out)


def _summary(done: app_morning.Morning, *, too_bad: bool, allowed: float) -> RenderableType:
    counts = shown(_AND).join(f"{shown(kind.words)} {n:,}" for kind, n in done.changes.counts.items())
    lines = [shown(_FIRST) if done.changes.first else shown(_CHANGED, counts=counts)]
    for source, last in done.missing.items():
        gap = (done.day - last) // timedelta(days=1)
        lines.append(shown(_MISSING, source=source, day=done.day, last=last, gap=gap))
    lines += [shown(_CAME, source=source, day=day) for source, day in done.came.items()]
    if done.bad_share:
        lines.append(_bad(done))
    files = {"changes": done.out / app_morning.CHANGES, "work_list": done.out / app_scan.SPREADSHEET}
    lines.append(shown(_FILES, **files))
    if isinstance(done.outcome, Findings):
        told = scan_tables.summary(done.outcome, done.out, too_bad=too_bad, allowed=allowed)
    else:
        told = last_words(done.outcome)
    return Group(told, Prose("\n".join(lines)))
