"""Wires a live run: feed, live engine, decision log, observers, orderly end."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from duanka.application.scan import CARDS_AT_RISK, HITS, SPREADSHEET, Tally, without_rules
from duanka.application.stream import QUARANTINE, Followed, Following, follow_records, write_lists
from duanka.bootstrap import scan as app
from duanka.bootstrap.settings import Settings
from duanka.bootstrap.signals import stopped_by_signals
from duanka.bootstrap.store.folders import must_be_text, must_lie_elsewhere, must_lie_outside
from duanka.decision_log.writer import DecisionLogWriter
from duanka.domain.errors import DuankaError, UnreadableInput
from duanka.domain.findings import CardAtRisk, Findings, LiveAccount, ShadowRule
from duanka.domain.judgement import Judgement, Shadows
from duanka.domain.local_time import OperatorZone
from duanka.domain.police_reasons import CLAIMED
from duanka.domain.policy import Policy
from duanka.domain.rule import Hit, Literal
from duanka.domain.streaming import BatchResult, Feed, HitChange, IntakeBacklog, Lateness, LiveObserver
from duanka.domain.take import Coverage
from duanka.domain.text import BilingualText, Language
from duanka.engine.live import Live
from duanka.engine.store.record_store import LIVE
from duanka.ingest import After, Inbox, check_holds_records
from duanka.observability.watch import Telemetry
from duanka.policy_files.loader import read_lists
from duanka.reports.cards_at_risk import CardsAtRisk
from duanka.reports.list_changes import ListChanges
from duanka.rules import RULES

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_STATE = "state"
IMSIS = "imsi.sqlite"  # card of each IMSI, as last seen in table `cards`
_UNSIGNED = BilingualText(
    "有卡在涉案名单中，但未经登记的签名方签名：列为高，不停机（`duanka keys add-source`，docs/FORMAT.md）",
    "Cards are in police cases that no registered source signed: high, and not stopped (`duanka keys add-source`,"
    " docs/FORMAT.md)",
)
_ENDING = BilingualText(
    "正在结束：已读入的记录研判后写入……", "Ending: what is read is judged and committed ..."
)


@dataclass(frozen=True)
class InboxInput:
    """A folder. `after`: keep, move or delete read files; `marker`: await FILE.done; None: if any."""

    folder: Path
    mapping: Path | None = None
    after: After = "keep"
    marker: bool | None = None


@dataclass(frozen=True)
class NatsInput:
    """Input messages from a JetStream stream."""

    url: str
    stream: str = "duanka"
    subject: str = "duanka.records.>"
    credentials: Path | None = None


@dataclass(frozen=True)
class LiveRun:
    """Options. `batch_records`, `batch_seconds`: micro-batch limits; `pace`: seconds between judgements."""

    source: InboxInput | NatsInput
    policy: Policy
    out: Path
    store: Path | None = None
    lists: Path | None = None
    once: bool = False
    batch_records: int = 100_000
    batch_seconds: float = 5.0
    pace: float = 30.0
    lateness: Lateness = field(default_factory=Lateness)
    keep: timedelta = timedelta(days=100)
    metrics: int | None = None
    memory: str | None = None
    language: Language | None = None


@dataclass(frozen=True)
class LiveOutcome:
    """Result of a live run. `findings`: content of its report; None without records."""

    followed: Followed
    shadows: tuple[ShadowRule, ...]
    out: Path
    state: Path
    lacks: dict[str, tuple[str, ...]]
    findings: Findings | None = None


class Several:
    """Forwards to several observers."""

    def __init__(self, watches: Sequence[LiveObserver]) -> None:
        self._watches = watches

    def note(self, taken: BatchResult, waiting: IntakeBacklog) -> None:
        """Forward to each observer."""
        for watch in self._watches:
            watch.note(taken, waiting)


class SaysUnsigned:
    """Decision log that warns once of unsigned police cases, which raise the tier and stop no card."""

    def __init__(self, ledger: DecisionLogWriter, said: Callable[[BilingualText], None]) -> None:
        self._ledger, self._said, self._done = ledger, said, False

    def last_seq(self) -> int:
        """Sequence number of the last change written."""
        return self._ledger.last_seq()

    def decided(self) -> Mapping[str, tuple[str, str]]:
        """Card -> (tier, action) as last written."""
        return self._ledger.decided()

    def write(
        self,
        changes: Sequence[HitChange],
        words: Callable[[Hit], BilingualText],
        cards: Iterable[CardAtRisk],
        covers: Coverage | None,
    ) -> None:
        """Write to the log; warn at the first unsigned police case."""
        self._ledger.write(changes, words, cards, covers)
        if not self._done and any(change.hit.rule == CLAIMED for change in changes):
            self._said(_UNSIGNED)
            self._done = True


Ending = Callable[[Callable[[], object], Callable[[], None]], contextlib.AbstractContextManager[None]]


def live(
    settings: Settings,
    asked: LiveRun,
    watch: LiveObserver,
    said: Callable[[BilingualText], None],
    ending: Ending | None = None,
) -> LiveOutcome:
    """Process the source until told to stop, then write lists and report.

    With `once`, it ends when all present records are processed. `ending`: context manager that receives the
    function that stops the feed and the one that announces the end; by default, Ctrl-C and SIGTERM trigger
    both.
    """
    outcome = follow(settings, asked, watch, said, ending)
    write_report(outcome)
    return outcome


def write_report(outcome: LiveOutcome, changes: ListChanges | None = None) -> None:
    """Write report.html, once the state has freed its memory for plots. `changes`: since the last list."""
    if outcome.findings is None:
        return
    from duanka.reports.page import write_page  # noqa: PLC0415  # not needed before

    write_page(outcome.findings, outcome.out / app.REPORT, changes=changes)


def follow(
    settings: Settings,
    asked: LiveRun,
    watch: LiveObserver,
    said: Callable[[BilingualText], None],
    ending: Ending | None = None,
) -> LiveOutcome:
    """As `live`, without the report."""
    policy = _with_lists(asked)
    running = policy.running(RULES)
    limits = {rule.id: policy.limits(rule) for rule in running}
    state = asked.store or asked.out / _STATE
    must_be_text(asked.out, "--out")
    must_be_text(state, "--store")
    must_lie_outside(asked.out, "--out", state)
    if isinstance(asked.source, InboxInput):
        must_lie_elsewhere(state, asked.source.folder)
    if asked.once and not (state.is_dir() and any(state.iterdir())):
        _check_something_is_there(asked)
    feed, zone = _feed(settings, asked, state)
    with contextlib.ExitStack() as parts:
        engine = parts.enter_context(
            Live(
                state,
                RULES,
                limits,
                policy.lists,
                lateness=asked.lateness,
                memory=app.engine_memory(asked.memory or settings.memory),
                threads=settings.threads,
                keep=asked.keep,
                shadows=policy.shadows,
                passes=settings.passes_in(zone),
                retention=policy.store,
                zone=zone.name,
                origin_of=Inbox.origin_of if isinstance(asked.source, InboxInput) else None,
            )
        )
        ledger = parts.enter_context(DecisionLogWriter(asked.out, settings.decision_key))
        engine.number_after(ledger.highest_seq())
        if settings.decision_key is None:
            said(app.NO_SEAL)
        judgement = Judgement(policy, running, limits)
        telemetry = _telemetry(asked, parts, said, zone)
        parts.enter_context((ending or stopped_by_signals)(feed.stop, lambda: said(_ENDING)))
        run = Following(
            feed=feed,
            engine=engine,
            judgement=judgement,
            ledger=SaysUnsigned(ledger, said),
            watch=Several([watch, *([telemetry] if telemetry else [])]),
            clock=zone.now,
            ticks=time.monotonic,
            pace=asked.pace,
            once=asked.once,
        )
        try:
            followed = follow_records(run)
            engine.put_away(zone.now())
        except DuankaError as error:
            if telemetry:
                telemetry.failed(str(error))
            raise
        with app.working_folder(asked.out) as new:
            card_list = CardsAtRisk(new / CARDS_AT_RISK, asked.language or settings.language)
            shadows = Shadows(policy)
            tally = write_lists(engine.answers, judgement, shadows, card_list, new)
            for name in (HITS, CARDS_AT_RISK, SPREADSHEET, QUARANTINE):
                (new / name).replace(asked.out / name)
        findings = _findings(asked, policy, limits, engine.account(asked.out, zone.now()), tally, shadows)
        lacks = engine.lacks()
        return LiveOutcome(followed, shadows.counted(lacks), asked.out, state, lacks, findings)


def _findings(
    asked: LiveRun,
    policy: Policy,
    limits: Mapping[str, Mapping[str, Literal]],
    account: LiveAccount | None,
    tally: Tally,
    shadows: Shadows,
) -> Findings | None:
    """Content of the report, from the state and the current lists."""
    if account is None:
        return None
    return Findings(
        data=_called(asked.source),
        policy=policy,
        rules=tuple(rule for rule in RULES if rule.id in limits),
        limits=limits,
        span=account.span,
        intake=account.intake,
        runs=account.runs,
        tiers=tally.tiers,
        counts=tally.counts,
        profile=without_rules(policy.shadows, account.profile),
        top=tally.top,
        cards=account.cards,
        lists_from=asked.lists,
        shadows=shadows.counted([run.rule for run in account.runs if not run.ran]),
        claimed=tally.claimed,
        live=account.sources,
    )


def _called(source: InboxInput | NatsInput) -> Path:
    """Name of the source in the report; never a URL, which may hold a password."""
    return source.folder if isinstance(source, InboxInput) else Path(source.stream)


def _with_lists(asked: LiveRun) -> Policy:
    if asked.lists is None:
        return asked.policy
    return app.with_lists(asked.policy, read_lists(asked.lists))


def _check_something_is_there(asked: LiveRun) -> None:
    """UnreadableInput where the first run of a new state finds no records: probably the wrong folder."""
    if isinstance(asked.source, InboxInput):
        check_holds_records(asked.source.folder, app.records_mapping(asked.source.mapping, asked.policy))


def check_source(asked: LiveRun) -> None:
    """DuankaError where the source is misconfigured. Called at the start, when a person can correct it."""
    if isinstance(asked.source, InboxInput):
        if not asked.source.folder.is_dir():
            raise UnreadableInput(f"{asked.source.folder}: no such directory; make it, or check the path")
        app.records_mapping(asked.source.mapping, asked.policy)


def _feed(settings: Settings, asked: LiveRun, state: Path) -> tuple[Feed, OperatorZone]:
    """The feed, and the time zone of its records."""
    key = settings.key
    source = asked.source
    if isinstance(source, InboxInput):
        if source.after not in ("keep", "move", "delete"):
            raise DuankaError(f"--after {source.after!r}: it is keep, move or delete")
        mapping = app.records_mapping(source.mapping, asked.policy)
        inbox = Inbox(
            source.folder,
            mapping,
            key,
            settings.trusted_sources,
            batch_records=asked.batch_records,
            batch_seconds=asked.batch_seconds,
            wait=not asked.once,
            after=source.after,
            marker=source.marker,
            imsis=state / LIVE / IMSIS,
        )
        return inbox, OperatorZone(mapping.zone)
    from duanka.ingest import Bus  # noqa: PLC0415  # the NATS client is not needed for files

    zone = OperatorZone(asked.policy.orders.zone)
    bus = Bus(
        source.url,
        source.stream,
        source.subject,
        holder_key=key,
        batch_records=asked.batch_records,
        batch_seconds=asked.batch_seconds,
        wait=not asked.once,
        credentials=source.credentials,
        zone=zone.name,
    )
    return bus, zone


def _telemetry(
    asked: LiveRun, parts: contextlib.ExitStack, said: Callable[[BilingualText], None], zone: OperatorZone
) -> Telemetry | None:
    if asked.metrics is None:
        return None
    telemetry = parts.enter_context(
        Telemetry(asked.metrics, rules=[rule.id for rule in RULES], clock=zone.now)
    )
    url = telemetry.url
    said(
        BilingualText(
            f"指标：{url}/metrics，健康：{url}/healthz", f"Metrics: {url}/metrics, health: {url}/healthz"
        )
    )
    return telemetry


def lateness(texts: Sequence[str], silent: str) -> Lateness:
    """Parse `2h` for all sources, and `calls=30m` for one."""
    default, by_source = Lateness().default, {}
    for text in texts:
        source, _, value = text.rpartition("=")
        if source:
            by_source[source] = duration(value, "--lateness")
        else:
            default = duration(value, "--lateness")
    return Lateness(default=default, by_source=by_source, silent=duration(silent, "--silent"))


def duration(text: str, option: str) -> timedelta:
    """Parse `90s`, `30m`, `2h`, `3d`. DuankaError: no duration, or more than ten years."""
    found = re.fullmatch(r"\s*(\d{1,9})\s*([smhd])\s*", text)
    if not found or (seconds := int(found[1]) * _UNITS[found[2]]) > 3650 * 86400:
        raise DuankaError(f"{option} {text!r} is no time; write it like 90s, 30m, 2h or 3d")
    return timedelta(seconds=seconds)
