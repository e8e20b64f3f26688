"""`duanka live`: its options, how it says that it goes well, and its last words."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console, Group, RenderableType
from rich.status import Status
from rich.table import Table

from duanka.app_policies import policy_named, rule_named
from duanka.cli_language import asked_for
from duanka.cli_lazy import lazily
from duanka.domain.errors import DuankaError
from duanka.domain.live import Change, Taken, Waiting
from duanka.domain.local_time import operator_zone
from duanka.settings import Settings

if TYPE_CHECKING:
    from duanka import app_live
else:
    app_live = lazily("duanka.app_live")

_PIPE_EVERY = 60.0  # seconds between two lines where nobody looks on


class Ticker:
    """Says how a live run goes: one line that changes on a terminal, a line a minute into a pipe."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = Status("waiting for records ...", console=console) if console.is_terminal else None
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

    def say(self, text: str) -> None:
        """Print a line that stays, with the operator's time and a level."""
        line = f"{operator_zone().written(datetime.now(UTC))} {_level(text)} {text}"
        self._console.print(line, highlight=False, soft_wrap=True)  # a line of a log is one line

    def note(self, taken: Taken, waiting: Waiting) -> None:
        """A micro-batch is in."""
        now = time.monotonic()
        self._records += taken.records
        for (_, kind), count in taken.changes.items():
            self._changes[kind] += count
        self._recent = [(at, n) for at, n in self._recent if now - at < 30] + [(now, taken.records)]
        span = max(now - self._recent[0][0], 5.0)
        rate = sum(n for _, n in self._recent) / span
        line = f"{self._records:,} records, {rate:,.0f}/s, {waiting.pieces:,} waiting; hits {_kinds(self._changes)}"
        complete = [source.complete for source in taken.sources if source.high and not source.silent]
        if complete:
            line += f"; complete to {min(complete):%Y-%m-%d %H:%M}"
        silent = [source.name for source in taken.sources if source.silent]
        if silent:
            line += f"; silent: {', '.join(silent)}"
        if self._status:
            self._status.update(line)
        elif now - self._said >= _PIPE_EVERY:
            self._said = now
            self.say(line)


def _level(text: str) -> str:
    """WARNING for what somebody should look at, INFO for the rest."""
    begins, ends = ("告警 / alarm", "Not set up: "), ("it is tried again", "it is started again")
    troubled = text.startswith(begins) or text.endswith(ends)
    return "WARNING" if troubled else "INFO"


def _kinds(changes: Counter[Change]) -> str:
    return ", ".join(f"{changes[kind]:,} {kind.value}" for kind in Change)


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


def add_live(cli: typer.Typer, out: Console, err: Console, settings: Callable[[], Settings]) -> None:
    """Add `live` to the commands."""

    @cli.command()
    def live(
        inbox: Inbox = None,
        nats: Nats = None,
        policy: Annotated[str, typer.Option(help="national, hebei, or a FILE.toml.")] = "national",
        mapping: Annotated[
            Path | None, typer.Option(help="Mapping of a foreign format (docs/MAPPING.md), for --inbox.")
        ] = None,
        lists: Annotated[Path | None, typer.Option(help="Area lists, FILE.toml.")] = None,
        to: Annotated[
            Path, typer.Option("--out", help="Folder for hits.jsonl, decisions.jsonl, lists and report.")
        ] = Path("duanka-live"),
        state: Annotated[
            Path | None, typer.Option(help="Folder of the state; default: state inside --out.")
        ] = None,
        once: Annotated[
            bool,
            typer.Option("--once", help="End when all that is there is in, and judge it as a scan does."),
        ] = False,
        lateness: Lateness = None,
        silent: Annotated[
            str, typer.Option(help="After so long without a record a source is silent and holds nobody up.")
        ] = "6h",
        batch_records: Annotated[
            int, typer.Option(min=1, max=10_000_000, help="Records of a batch.")
        ] = 100_000,
        batch_seconds: Annotated[
            float, typer.Option(min=0.1, max=600, help="Seconds after which a smaller batch goes in.")
        ] = 5.0,
        pace: Annotated[
            float, typer.Option(min=0, max=600, help="Seconds between judgements while records wait.")
        ] = 30.0,
        keep: Annotated[
            str, typer.Option(help="How long what rules look back to is kept; older hits stay as they are.")
        ] = "100d",
        metrics: Annotated[
            int | None, typer.Option(min=0, max=65535, help="Port for /metrics and /healthz; 0: a free one.")
        ] = None,
        shadow: Shadow = None,
        after: Annotated[
            Literal["keep", "move", "delete"],
            typer.Option(help="What becomes of a file that is in, for --inbox."),
        ] = "keep",
        done_files: Annotated[
            bool | None,
            typer.Option(
                "--done/--no-done", help="Take a file only with FILE.done beside it; default: where any is."
            ),
        ] = None,
        stream: Annotated[str, typer.Option(help="JetStream stream, for --nats.")] = "duanka",
        subject: Annotated[str, typer.Option(help="Its subjects, for --nats.")] = "duanka.records.>",
        credentials: Annotated[Path | None, typer.Option(help="NATS credentials file, for --nats.")] = None,
        memory: Annotated[str | None, typer.Option(help="Memory to stay within. Default 1GB.")] = None,
        language: Annotated[
            Literal["zh", "en"] | None, typer.Option(help="Language of tables and of the work list.")
        ] = None,
    ) -> None:
        """Follow records as they come, and judge them minute by minute by the same rules as scan."""
        if inbox is None and nats is None:
            inbox = settings().inbox
        if (inbox is None) == (nats is None):
            raise DuankaError("live follows one source: give --inbox DIR or --nats URL")
        source = (
            app_live.FromInbox(inbox, mapping, after, done_files)
            if inbox
            else app_live.FromBus(str(nats), stream, subject, credentials)
        )
        asked = app_live.LiveRun(
            source=source,
            policy=policy_named(policy).with_shadow(shadow or []),
            out=to,
            state=state,
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
        with Ticker(err) as ticker:
            outcome = app_live.live(settings(), asked, ticker, ticker.say)
        out.print(last_words(outcome), highlight=False)


def last_words(outcome: app_live.LiveOutcome) -> RenderableType:
    """What a live run came to, as a table."""
    done = outcome.followed
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column()
    rows: list[tuple[str, int, str]] = [
        ("records in", done.records, ""),
        ("used", done.used, ""),
        ("set aside unreadable", done.aside, "see quarantine.parquet"),
        ("too late", done.late, "behind the lateness of their source"),
        ("delivered before", done.repeated, ""),
        ("ahead of the clock", done.ahead, ""),
        ("changes of hits told", done.told, "hits.jsonl, decisions.jsonl"),
    ]
    for name, count, why in rows:
        if count or name in ("records in", "used", "changes of hits told"):
            table.add_row(name, f"{count:,}", why)
    lines = [
        f"Source {s.name}: {s.records:,} records"
        + (f", complete to {s.complete:%Y-%m-%d %H:%M}" if s.high else ", none of them in time")
        + (f", {s.late:,} late" if s.late else "")
        + (" (silent)" if s.silent else "")
        for s in done.last.sources
    ]
    lines += [f"Not run: {rule} lacks {', '.join(lacks)}" for rule, lacks in outcome.lacks.items()]
    lines += [
        f"In shadow: {one.rule} hit {one.cards:,} cards, {sum(one.rises.values()):,} would be asked more"
        for one in outcome.shadows
    ]
    written = "Lists and report.html" if outcome.findings else "Lists"
    lines.append(f"{written} in {outcome.out}; the state goes on from {outcome.state}")
    return Group(table, *lines)
