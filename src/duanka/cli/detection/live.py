"""`duanka live`: options, progress, and summary at the end."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console, Group, RenderableType
from rich.status import Status
from rich.table import Table

from duanka.bootstrap.policies import policy_named, rule_named
from duanka.bootstrap.settings import load_settings
from duanka.cli.detection.record_options import AreaLists, Memory, PolicyName, TableLanguage
from duanka.cli.shell.language import asked_for, shown
from duanka.cli.shell.lazy import lazily
from duanka.cli.shell.log_lines import log_as, log_line
from duanka.cli.shell.process import ERR, OUT, with_home
from duanka.domain.errors import DuankaError
from duanka.domain.streaming import BatchResult, Change, IntakeBacklog, SourceReach
from duanka.domain.text import BilingualText

if TYPE_CHECKING:
    from duanka.bootstrap import live as app_live
else:
    app_live = lazily("duanka.bootstrap.live")

_PIPE_SECONDS = 60.0  # seconds between progress lines in a pipe
_WAITING = BilingualText("等待记录……", "waiting for records ...")
_READ_SO_FAR = BilingualText(
    "已读 {records} 条记录，每秒 {rate} 条，{waiting} 批待处理；命中：{hits}",
    "{records} records, {rate}/s, {waiting} waiting; hits {hits}",
)
_COMPLETE_TO = BilingualText("；完整至 {until}", "; complete to {until}")
_NOW_SILENT = BilingualText("；静默：{sources}", "; silent: {sources}")
_AND = BilingualText("，", ", ")


class Ticker:
    """Progress of a live run: one line on a terminal, one per minute in a pipe."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = Status(shown(_WAITING), console=console) if console.is_terminal else None
        self._records = 0
        self._changes: Counter[Change] = Counter()
        self._recent: list[tuple[float, int]] = []
        self._said = time.monotonic()

    def __enter__(self) -> Ticker:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    def say(self, text: str | BilingualText) -> None:
        """Print a permanent log line: time in the operator's zone, level, text."""
        told = text if isinstance(text, str) else shown(text)
        line = log_line(_level(told), with_home(told))
        self._console.print(line, soft_wrap=True)  # one line per log entry

    def note(self, taken: BatchResult, waiting: IntakeBacklog) -> None:
        """Report a micro-batch."""
        now = time.monotonic()
        self._records += taken.records
        for (_, kind), count in taken.changes.items():
            self._changes[kind] += count
        self._recent = [(at, n) for at, n in self._recent if now - at < 30] + [(now, taken.records)]
        span = max(now - self._recent[0][0], 5.0)
        rate = sum(n for _, n in self._recent) / span
        line = shown(
            _READ_SO_FAR,
            records=self._records,
            rate=round(rate),
            waiting=waiting.pieces,
            hits=_kinds(self._changes),
        )
        complete = [source.complete for source in taken.sources if source.high and not source.silent]
        if complete:
            line += shown(_COMPLETE_TO, until=f"{min(complete):%Y-%m-%d %H:%M}")
        silent = [source.name for source in taken.sources if source.silent]
        if silent:
            line += shown(_NOW_SILENT, sources=", ".join(silent))
        if self._status:
            self._status.update(line)
        elif now - self._said >= _PIPE_SECONDS:
            self._said = now
            self.say(line)


def _level(text: str) -> str:
    """WARNING for texts that need attention, otherwise INFO."""
    begins, ends = ("告警 / alarm", "Not set up: "), ("it is tried again", "it is started again")
    troubled = text.startswith(begins) or text.endswith(ends)
    return "WARNING" if troubled else "INFO"


def _kinds(changes: Counter[Change]) -> str:
    each = (
        BilingualText(f"{kind.words.zh} {changes[kind]:,}", f"{changes[kind]:,} {kind.value}")
        for kind in Change
    )
    return shown(_AND).join(map(shown, each))


Inbox = Annotated[
    Path | None,
    typer.Option(help="Folder in which files land; sub-folders name their source (docs/LIVE.md)."),
]
Nats = Annotated[
    str | None, typer.Option(help="JetStream server, for example nats://host:4222 (docs/LIVE.md).")
]
Lateness = Annotated[
    list[str] | None,
    typer.Option(help="How late a record may come after later ones: 2h, or calls=30m for one source."),
]
Shadow = Annotated[
    list[str] | None,
    typer.Option(help="Rule that is recorded and compared, and asks nothing of anybody; several times."),
]
Silent = Annotated[
    str, typer.Option(help="After so long without a record a source is silent and holds nobody up.")
]
BatchRecords = Annotated[int, typer.Option(min=1, max=10_000_000, help="Records of a batch.")]
BatchSeconds = Annotated[
    float, typer.Option(min=0.1, max=600, help="Seconds after which a smaller batch goes in.")
]
Pace = Annotated[float, typer.Option(min=0, max=600, help="Seconds between judgements while records wait.")]
Keep = Annotated[
    str, typer.Option(help="How long what rules look back to is kept; older hits stay as they are.")
]
Metrics = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Port for /metrics and /healthz; 0: a free one.")
]
DoneFiles = Annotated[
    bool | None,
    typer.Option(
        "--done/--no-done", help="Take a file only with FILE.done beside it; default: where any is."
    ),
]


_NOTHING = BilingualText("", "")
# (printed even if zero, label, field of the counts, remark)
_COUNTS = (
    (True, BilingualText("读入记录", "records in"), "records", _NOTHING),
    (True, BilingualText("采用", "used"), "used", _NOTHING),
    (
        False,
        BilingualText("无法读取而搁置", "set aside unreadable"),
        "aside",
        BilingualText("原因见 `duanka quarantine`", "see `duanka quarantine`"),
    ),
    (
        False,
        BilingualText("来得太晚", "too late"),
        "late",
        BilingualText("晚于其来源允许的时延", "behind the lateness of their source"),
    ),
    (False, BilingualText("重复交付", "delivered before"), "repeated", _NOTHING),
    (False, BilingualText("时间超前", "ahead of the clock"), "ahead", _NOTHING),
    (
        True,
        BilingualText("写出的命中变化", "changes of hits told"),
        "told",
        BilingualText("hits.jsonl、decisions.jsonl", "hits.jsonl, decisions.jsonl"),
    ),
)
_SOURCE = BilingualText("来源 {name}：{records} 条记录", "Source {name}: {records} records")
_COMPLETE = BilingualText(
    "，最后一条 {last}；{to} 以前的不再等待", ", the last of {last}; nothing before {to} is waited for"
)
_NONE_IN_TIME = BilingualText("，没有一条及时", ", none of them in time")
_LATE, _SILENT = BilingualText("，{late} 条来得太晚", ", {late} late"), BilingualText("（静默）", " (silent)")
_NOT_RUN = BilingualText("未运行：{rule} 缺少 {lacks}", "Not run: {rule} lacks {lacks}")
_IN_SHADOW = BilingualText(
    "影子规则：{rule} 命中 {cards} 张卡，若生效将多核验 {more} 张",
    "In shadow: {rule} hit {cards} cards, {more} would be asked more",
)
_WITH_REPORT = BilingualText(
    "清单和 report.html 在 {out}；下次从 {state} 继续",
    "Lists and report.html in {out}; the state goes on from {state}",
)
_LISTS = BilingualText("清单在 {out}；下次从 {state} 继续", "Lists in {out}; the state goes on from {state}")


commands = typer.Typer()


@commands.command()
def live(
    inbox: Inbox = None,
    nats: Nats = None,
    policy: PolicyName = "national",
    mapping: Annotated[
        Path | None, typer.Option(help="Mapping of a foreign format (docs/MAPPING.md), for --inbox.")
    ] = None,
    lists: AreaLists = None,
    to: Annotated[
        Path, typer.Option("--out", help="Folder for hits.jsonl, decisions.jsonl, lists and report.")
    ] = Path("duanka-live"),
    store: Annotated[
        Path | None,
        typer.Option(
            "--store",
            "--state",
            help="The store to keep records and state in (docs/STORE.md); default: state inside --out.",
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="End when all that is there is in, and judge it as a scan does.")
    ] = False,
    lateness: Lateness = None,
    silent: Silent = "6h",
    batch_records: BatchRecords = 100_000,
    batch_seconds: BatchSeconds = 5.0,
    pace: Pace = 30.0,
    keep: Keep = "100d",
    metrics: Metrics = None,
    shadow: Shadow = None,
    after: Annotated[
        Literal["keep", "move", "delete"],
        typer.Option(help="What to do with a file once it is read, for --inbox."),
    ] = "keep",
    done_files: DoneFiles = None,
    stream: Annotated[str, typer.Option(help="JetStream stream, for --nats.")] = "duanka",
    subject: Annotated[str, typer.Option(help="Its subjects, for --nats.")] = "duanka.records.>",
    credentials: Annotated[Path | None, typer.Option(help="NATS credentials file, for --nats.")] = None,
    memory: Memory = None,
    language: TableLanguage = None,
) -> None:
    """Follow records as they come, and judge them minute by minute by the same rules as scan."""
    if inbox is None and nats is None:
        inbox = load_settings().inbox
    if (inbox is None) == (nats is None):
        raise DuankaError("live follows one source: give --inbox DIR or --nats URL")
    source = (
        app_live.InboxInput(inbox, mapping, after, done_files)
        if inbox
        else app_live.NatsInput(str(nats), stream, subject, credentials)
    )
    asked = app_live.LiveRun(
        source=source,
        policy=policy_named(policy).with_shadow(shadow or []),
        out=to,
        store=store,
        lists=lists,
        once=once,
        batch_records=batch_records,
        batch_seconds=batch_seconds,
        pace=pace,
        lateness=app_live.lateness(lateness or [], silent),
        keep=app_live.duration(keep, "--keep"),
        metrics=metrics,
        memory=memory,
        language=asked_for(language),
    )
    for rule in shadow or []:
        rule_named(rule)
    settings = load_settings()
    log_as(settings.log)
    with Ticker(ERR) as ticker:
        outcome = app_live.live(settings, asked, ticker, ticker.say)
    OUT.print(last_words(outcome))


def last_words(outcome: app_live.LiveOutcome) -> RenderableType:
    """Summary of a live run as a table."""
    done = outcome.followed
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column()
    for always, name, count, why in _COUNTS:
        if (records := getattr(done, count)) or always:
            table.add_row(shown(name), f"{records:,}", shown(why))
    lines = [source_line(one) for one in done.last.sources]
    lines += [shown(_NOT_RUN, rule=rule, lacks=", ".join(lacks)) for rule, lacks in outcome.lacks.items()]
    lines += [
        shown(_IN_SHADOW, rule=one.rule, cards=one.cards, more=sum(one.rises.values()))
        for one in outcome.shadows
    ]
    written = shown(_WITH_REPORT if outcome.findings else _LISTS)
    lines.append(written.format(out=outcome.out, state=outcome.state))
    return Group(table, *lines)


def source_line(one: SourceReach) -> str:
    """Progress of a source: its last record, and the time up to which it is complete."""
    line = shown(_SOURCE, name=one.name, records=one.records)
    if one.high:
        times = {"last": f"{one.high:%Y-%m-%d %H:%M}", "to": f"{one.complete:%Y-%m-%d %H:%M}"}
        line += shown(_COMPLETE, **times)
    else:
        line += shown(_NONE_IN_TIME)
    line += shown(_LATE, late=one.late) if one.late else ""
    return line + (shown(_SILENT) if one.silent else "")
