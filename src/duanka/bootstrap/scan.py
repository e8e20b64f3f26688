"""Wires scan and backtest: builds engine, intake and writers from the settings."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from duanka.application.backtest import HITS_AFTER, HITS_BEFORE, Backtest, backtest_rule
from duanka.application.scan import CARDS_AT_RISK, HITS, SPREADSHEET, Scan, scan_records
from duanka.bootstrap.outputs.folders import DEFAULT, made_folder, may_hold_results
from duanka.bootstrap.policies import mapping_named, policy_named, rule_named, shipped
from duanka.bootstrap.settings import Settings
from duanka.bootstrap.store.folders import is_text, may_store
from duanka.decision_log.writer import DECISIONS, DecisionList
from duanka.domain.errors import DuankaError, UnreadableInput
from duanka.domain.findings import Findings
from duanka.domain.intake_report import Intake
from duanka.domain.local_time import OperatorZone
from duanka.domain.policy import Policy
from duanka.domain.ports import Engine, Progress
from duanka.domain.rule import Literal, Rule
from duanka.domain.schema import TABLES
from duanka.domain.text import BilingualText, Language
from duanka.engine import Cluster, DuckDBEngine, trials
from duanka.evaluation.changes import RuleChangeEffect, compare
from duanka.ingest import NATIVE, FinishedFiles, read_mapping, take_in
from duanka.ingest import Mapping as RecordsMapping
from duanka.ingest.validation.quarantine_advice import commonest_reason
from duanka.policy_files.loader import read_lists
from duanka.reports.cards_at_risk import CardsAtRisk
from duanka.rules import RULES

if TYPE_CHECKING:
    from duanka.bootstrap.store.scanning import StoreInUse
    from duanka.decision_log.decision_changes import DecisionChanges
    from duanka.reports.list_changes import ListChanges

__all__ = ["mapping_named", "policy_named", "rule_named", "shipped", "trials"]  # re-exported

REPORT, QUARANTINE = "report.html", "quarantine.parquet"
_WRITTEN = (HITS, CARDS_AT_RISK, SPREADSHEET, DECISIONS, QUARANTINE, REPORT)
_OWN_LISTS = "world.toml"  # area lists that a folder of records may contain
_TRUTH = "truth.parquet"  # labels of its cards, if known
# memory outside the engine: interpreter, libraries, what intake has not freed, blocks in transit; measured: 430 MB
_OVERHEAD_BYTES = 460 << 20
_MIN_MEMORY_BYTES, _MAX_MEMORY_BYTES = 400 << 20, 1000 << 40
_WORK, _LOCK = ".duanka-work-", "in-use"

NO_SEAL = BilingualText(
    "研判结果没有密封，因为这里没有主密钥（DUANKA_ORDERS 或 DUANKA_SECRET_FILE）：据此生成的工单请用户核验，"
    "其后的处置须由第二人同意。",
    "The decisions bear no seal, for there is no secret here (DUANKA_ORDERS or DUANKA_SECRET_FILE): orders made of them"
    " ask the holder, and whatever follows takes a second person.",
)


def scan(
    settings: Settings,
    data: Path,
    out: Path,
    *,
    policy: Policy,
    progress: Progress,
    mapping: Path | None = None,
    lists: Path | None = None,
    as_of: datetime | None = None,
    memory: str | None = None,
    language: Language | None = None,
    remote: str | None = None,
    store: Path | None = None,
    changes: DecisionChanges | None = None,
    compared: Callable[[Path], ListChanges] | None = None,
    finished: FinishedFiles | None = None,
) -> Findings:
    """Scan `data`, write the files of _WRITTEN to `out`. `remote`: Spark Connect server; None: embedded.

    `store`: what is new in `data` goes into it, and all that it holds is judged; None: nothing is kept. A morning adds
    to the decisions of earlier ones (`changes`) instead of writing a list of them anew, and its report tells how the
    new list, which `compared` receives, differs from the last one. `finished`: selects the files of an inbox.
    """
    may_hold_results(out, _WRITTEN, data, mapping, store, goes_on=changes is not None)
    if store:
        may_store(store, as_of, data)
        policy.check_retention(RULES)  # --shadow may have added a rule
    policy, lists_from = _with_lists(policy, data, lists)
    # Written to a temporary folder and moved together: a scan that fails leaves earlier results intact,
    # and two scans into one folder do not mix their files.
    passes = _passes(settings, mapping, policy)
    with made_folder(out), working_folder(out) as new:
        with (
            working_folder(settings.work or out) as work,
            _judging(
                settings, work, passes, memory, remote, store, records_mapping(mapping, policy), progress
            ) as (
                engine,
                kept,
            ),
        ):
            work_list = CardsAtRisk(new / CARDS_AT_RISK, language or settings.language)
            decisions = changes or DecisionList(new / DECISIONS, settings.decision_key)
            findings = scan_records(
                Scan(data, policy, RULES, new, as_of, lists_from),
                partial(
                    _take_in,
                    settings,
                    data,
                    work / "records",
                    records_mapping(mapping, policy),
                    kept,
                    finished,
                ),
                engine,
                (work_list, decisions),
                progress,
                decisions.covers,
            )
            if kept:
                progress.step("writing the store", 0)
                kept.keep(findings.span.until.date(), policy.store)
                findings = replace(findings, stored=kept.stored())
            shutil.move(findings.intake.quarantine, new / QUARANTINE)
            from duanka.reports.page import write_page  # noqa: PLC0415  # not needed before

            progress.step("writing the report", 0)
            differs = compared(new / CARDS_AT_RISK) if compared else None
            write_page(findings, new / REPORT, changes=differs)
            if kept:  # only now: what the store has is not read again, so its lists must be complete
                kept.commit()
        for name in _WRITTEN:
            if not (changes and name == DECISIONS):
                (new / name).replace(out / name)
    return findings


def backtest(
    settings: Settings,
    data: Path,
    rule: Rule,
    changed: Mapping[str, Literal],
    *,
    policy: Policy,
    examples: int,
    progress: Progress,
    mapping: Path | None = None,
    lists: Path | None = None,
    as_of: datetime | None = None,
    truth: Path | None = None,
) -> tuple[Backtest, RuleChangeEffect]:
    """Compare `rule` as set in `policy` with `changed` limits over `data`.

    Where `changed` is empty, compare runs without and with the rule. `truth`: default truth.parquet beside
    the records, if present. `examples`: number of gained and of lost cards to return with their evidence.
    """
    unknown = set(changed) - set(rule.limits)
    if unknown:
        raise DuankaError(
            f"rule {rule.id} has no limit {sorted(unknown)[0]}; it has {', '.join(rule.limits)}"
        )
    beside = data / _TRUTH
    truth = truth or (beside if beside.is_file() else None)
    if truth and not truth.is_file():  # checked before the long run
        raise UnreadableInput(
            f"{truth}: no such file; a truth is a Parquet file: card, fraud, role, strategy"
        )
    policy, lists_from = _with_lists(policy, data, lists)
    passes = _passes(settings, mapping, policy)
    with working_folder(settings.work or Path.cwd()) as work:
        with _engine(settings, work, passes) as engine:
            scanned = Scan(data, policy, RULES, work, as_of, lists_from)
            records = partial(
                _take_in, settings, data, work / "records", records_mapping(mapping, policy), None, None
            )
            outcome = backtest_rule(scanned, rule, changed, records, engine, progress)
        hits = work / HITS_BEFORE, work / HITS_AFTER
        return outcome, compare(*hits, rule.id, outcome.moved, truth, examples)


def records_mapping(mapping: Path | None, policy: Policy) -> RecordsMapping:
    """The mapping named, or that of Duanka's own format with times in the policy's zone."""
    return read_mapping(mapping_named(mapping)) if mapping else replace(NATIVE, zone=policy.orders.zone)


@contextmanager
def _judging(
    settings: Settings,
    work: Path,
    passes: Mapping[str, datetime],
    memory: str | None,
    remote: str | None,
    store: Path | None,
    mapping: RecordsMapping,
    progress: Progress,
) -> Iterator[tuple[Engine, StoreInUse | None]]:
    """The engine of a scan, and the store that it judges, if any."""
    if store is None:
        with _engine(settings, work, passes, memory, remote) as engine:
            yield engine, None
        return
    from duanka.bootstrap.store.scanning import store_in_use  # noqa: PLC0415  # a scan without a store does not need it

    with store_in_use(
        store,
        work / "engine",
        zone=mapping.zone,
        memory=engine_memory(memory or settings.memory),
        threads=settings.threads,
        passes=passes,
        progress=progress,
        remote=remote,
    ) as kept:
        yield kept.engine, kept


def _take_in(
    settings: Settings,
    data: Path,
    work: Path,
    mapping: RecordsMapping,
    kept: StoreInUse | None,
    finished: FinishedFiles | None,
    progress: Progress,
) -> Intake:
    intake = take_in(
        data,
        work,
        mapping=mapping,
        holder_key=settings.key,
        case_sources=settings.trusted_sources,
        progress=progress,
        known=kept.known if kept else None,
        selection=finished,
    )
    if finished:
        intake = replace(intake, waiting=tuple(finished.waiting))
    if kept:
        kept.take(intake)
    elif intake.quarantined and not any(TABLES[table].record for table in intake.tables):
        raise UnreadableInput(f"no record can be used, all were set aside: {commonest_reason(intake)}")
    pa.default_memory_pool().release_unused()  # the engine's memory limit includes what intake used
    return intake


def _with_lists(policy: Policy, data: Path, lists: Path | None) -> tuple[Policy, Path | None]:
    """The policy with the lists in `lists`, otherwise with those beside the records."""
    beside = data / _OWN_LISTS
    found = lists or (beside if beside.is_file() else None)
    if not found:
        return policy, None
    return with_lists(policy, read_lists(found)), found


def with_lists(policy: Policy, lists: Mapping[str, tuple[Mapping[str, object], ...]]) -> Policy:
    """The policy with `lists` overriding its own."""
    return replace(policy, lists={**policy.lists, **lists})


def _passes(settings: Settings, mapping: Path | None, policy: Policy) -> Mapping[str, datetime]:
    """Card -> time of its last passed verification, in the zone of the records."""
    return settings.passes_in(OperatorZone(records_mapping(mapping, policy).zone)).read()


def _engine(
    settings: Settings,
    work: Path,
    passes: Mapping[str, datetime],
    memory: str | None = None,
    remote: str | None = None,
) -> DuckDBEngine | Cluster:
    allowed, threads = engine_memory(memory or settings.memory), settings.threads
    if remote:
        return Cluster(work / "engine", remote, memory=allowed, threads=threads, passes=passes)
    return DuckDBEngine(work / "engine", memory=allowed, threads=threads, passes=passes)


def remote_for(settings: Settings, engine: str, remote: str | None) -> str | None:
    """The server for `--engine` and `--remote`; None: the embedded engine."""
    if engine != "spark":
        if remote:
            raise DuankaError("--remote is for --engine spark; give both, or neither")
        return None
    if address := remote or settings.remote:
        return address
    raise DuankaError(
        "--engine spark needs a Spark Connect server: --remote sc://host:15002, or DUANKA_REMOTE"
    )


def engine_memory(allowed: str) -> str:
    """The engine's share of the memory `allowed` to a scan, for example "1GB"."""
    size = in_bytes(allowed)
    if not _MIN_MEMORY_BYTES <= size <= _MAX_MEMORY_BYTES:
        raise DuankaError(f"memory {allowed!r} is out of range; give from 400MB to 1000TB")
    return f"{max(size - _OVERHEAD_BYTES, size // 3) >> 20}MiB"


def in_bytes(text: str) -> int:
    """Parse `1GB` or `700 MiB` to bytes. DuankaError: neither form."""
    units = {"K": 10, "M": 20, "G": 30, "T": 40}
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT])i?B?\s*", text, re.IGNORECASE)
    if not found:
        raise DuankaError(f"memory {text!r} is not a size; write it like 1GB or 700MB")
    return int(float(found[1]) * (1 << units[found[2].upper()]))


def output_folder(data: Path, out: Path | None) -> Path:
    """`out`, else duanka-out in the data, or in the current folder where the data cannot hold it."""
    if out:
        return out
    inside = data if data.is_dir() else data.parent
    writable = os.access(inside, os.W_OK) and inside.exists() and inside.stat().st_mode & 0o222
    return (inside if writable and is_text(inside) else Path.cwd()) / DEFAULT


@contextmanager
def working_folder(parent: Path) -> Iterator[Path]:
    """A temporary folder in `parent`, removed afterwards. Folders left by killed runs are removed too."""
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{_WORK}*"):
        _discard(left)
    work = Path(tempfile.mkdtemp(prefix=_WORK, dir=parent))
    try:
        with (work / _LOCK).open("w") as lock:
            fcntl.flock(
                lock, fcntl.LOCK_EX
            )  # the operating system releases the lock when the process ends, however it ends
            yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _discard(left: Path) -> None:
    """Remove a working folder whose run has ended."""
    try:
        with (left / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
    except OSError:  # in use, or just being created
        return
