"""The only wiring: builds the real rooms from the settings and hands them to the pipeline."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from importlib import resources
from pathlib import Path

import pyarrow as pa

from duanka.domain.errors import DuankaError, PolicyError
from duanka.domain.intake import Intake
from duanka.domain.policy import Policy
from duanka.domain.policy_file import read_lists, read_policy
from duanka.domain.ports import Progress
from duanka.domain.rule import Literal, Rule
from duanka.domain.scan import Findings
from duanka.domain.words import Language
from duanka.engine import Embedded, Trial, trials
from duanka.pipeline import CARDS_AT_RISK, Backtest, Scan, backtest_rule, scan_records
from duanka.records import read_mapping, take_in
from duanka.report import CardsAtRisk
from duanka.rules import RULES
from duanka.settings import Settings

REPORT, QUARANTINE = "report.html", "quarantine.parquet"
_OWN_LISTS = "world.toml"  # a directory of records may bring its own area lists
_PYTHON_KEEPS = (
    300 << 20
)  # bytes of a scan's memory that are not the engine's: the interpreter and its libraries


def shipped(folder: str, name: str) -> Path:
    """A file that comes with Duanka: policies/national.toml, mappings/simbox_sample.toml."""
    inside = Path(str(resources.files("duanka"))) / folder / name
    return inside if inside.exists() else Path(__file__).parents[2] / folder / name


def policy_named(name: str) -> Policy:
    """Read a shipped policy by its name, or any by its path."""
    path = Path(name) if name.endswith(".toml") else shipped("policies", f"{name}.toml")
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in shipped("policies", "national.toml").parent.glob("*.toml")))
        raise PolicyError(f"no policy {name!r}: name one of {known}, or a FILE.toml")
    return read_policy(path, RULES)


def rule_named(rule_id: str) -> Rule:
    """The rule called `rule_id`."""
    for rule in RULES:
        if rule.id == rule_id:
            return rule
    raise DuankaError(f"no rule {rule_id!r}; `duanka rules list` names them")


def scan(
    settings: Settings,
    data: Path,
    out: Path,
    *,
    policy: Policy,
    mapping: Path | None,
    lists: Path | None,
    as_of: datetime | None,
    memory: str | None,
    language: Language | None,
    progress: Progress,
) -> Findings:
    """Scan `data` and write hits.parquet, cards_at_risk.csv, quarantine.parquet and report.html to `out`."""
    _make(out)
    policy, lists_from = _with_lists(policy, data, lists)
    with _working_folder(settings, out) as work, _engine(settings, work, memory) as engine:
        findings = scan_records(
            Scan(data, policy, RULES, out, as_of, lists_from),
            partial(_take_in, settings, data, work / "records", mapping),
            engine,
            CardsAtRisk(out / CARDS_AT_RISK, language or settings.language),
            progress,
        )
        shutil.move(findings.intake.quarantine, out / QUARANTINE)
    from duanka.report.page import write_page  # noqa: PLC0415  # plots weigh 50 MB, which the engine had until here

    write_page(findings, out / REPORT)
    return findings


def backtest(
    settings: Settings,
    data: Path,
    rule: Rule,
    changed: Mapping[str, Literal],
    *,
    policy: Policy,
    mapping: Path | None,
    progress: Progress,
) -> Backtest:
    """Run `rule` over `data` with its limits under `policy`, and with `changed` ones."""
    unknown = set(changed) - set(rule.limits)
    if unknown:
        raise DuankaError(
            f"rule {rule.id} has no limit {sorted(unknown)[0]}; it has {', '.join(rule.limits)}"
        )
    policy, lists_from = _with_lists(policy, data, None)
    with _working_folder(settings, Path.cwd()) as work, _engine(settings, work, None) as engine:
        scanned = Scan(data, policy, RULES, work, None, lists_from)
        records = partial(_take_in, settings, data, work / "records", mapping)
        return backtest_rule(scanned, rule, changed, records, engine, progress)


def try_examples(rule: Rule) -> list[Trial]:
    """Run the rule over its own examples."""
    return trials(rule)


def _take_in(settings: Settings, data: Path, work: Path, mapping: Path | None, progress: Progress) -> Intake:
    key = settings.holder_key.get_secret_value().encode() if settings.holder_key else None
    known = read_mapping(mapping) if mapping else None
    intake = take_in(data, work, mapping=known, holder_key=key, progress=progress)
    pa.default_memory_pool().release_unused()  # the engine counts on the memory that intake held
    return intake


def _with_lists(policy: Policy, data: Path, lists: Path | None) -> tuple[Policy, Path | None]:
    """Add the lists of `lists`, or those that the records bring along."""
    beside = data / _OWN_LISTS
    found = lists or (beside if beside.is_file() else None)
    if not found:
        return policy, None
    return replace(policy, lists={**policy.lists, **read_lists(found)}), found


def _engine(settings: Settings, work: Path, memory: str | None) -> Embedded:
    limit = max(in_bytes(memory or settings.memory) - _PYTHON_KEEPS, 100 << 20)
    return Embedded(work / "engine", memory=f"{limit >> 20}MiB", threads=settings.threads)


def in_bytes(text: str) -> int:
    """Read `1GB`, `700 MiB`; DuankaError when it is neither."""
    units = {"K": 10, "M": 20, "G": 30, "T": 40}
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT])i?B?\s*", text, re.IGNORECASE)
    if not found:
        raise DuankaError(f"memory {text!r} is not a size; write it like 1GB or 700MB")
    return int(float(found[1]) * (1 << units[found[2].upper()]))


def output_folder(data: Path, out: Path | None) -> Path:
    """Where a scan writes: `out`, else duanka-out inside the data, else (read-only data) inside this folder."""
    if out:
        return out
    inside = data if data.is_dir() else data.parent
    writable = os.access(inside, os.W_OK) and inside.exists() and inside.stat().st_mode & 0o222
    return (inside if writable else Path.cwd()) / "duanka-out"


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise DuankaError(
            f"cannot write to {out} ({error.strerror}); choose another folder with --out"
        ) from error


@contextmanager
def _working_folder(settings: Settings, out: Path) -> Iterator[Path]:
    work = (settings.work or out) / f".duanka-work-{os.getpid()}"
    try:
        work.mkdir(parents=True, exist_ok=True)
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
