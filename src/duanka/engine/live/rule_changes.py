"""Adapts a state to changed rules, lists and shadows when a run starts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from duanka.domain.errors import DuankaError
from duanka.domain.policy import LISTS
from duanka.domain.rollups import Rollup
from duanka.domain.streaming import Change
from duanka.engine.live.announcements import log_changes
from duanka.engine.live.state.compiled_rule import CompiledRule
from duanka.engine.live.state.state_file import LiveState

Lists = Mapping[str, Sequence[Mapping[str, object]]]


def reconcile(
    state: LiveState,
    rules: Sequence[CompiledRule],
    rollups: Sequence[Rollup],
    lists: Lists,
    shadows: frozenset[str],
) -> None:
    """Schedule changed rules for a full run; revoke hits of rules that cannot run.

    Raises DuankaError when the rollups of the state have another shape than those of `rules`.
    """
    progress = state.progress
    shape = _fingerprint(*(f"{r.name} {r.columns}" for r in rollups))
    if progress.shape and progress.shape != shape:
        raise DuankaError(
            "the state was made by another version of the rules' rollups; begin a new one with --store FOLDER"
            " (what lies in the inbox is read again)"
        )
    progress.shape = shape
    running = sorted(rule.id for rule in rules)
    today = {rule.id: _identity(rule, lists, [*running, "in shadow:", *sorted(shadows)]) for rule in rules}
    able = {rule.id for rule in rules if all(lists.get(need) for need in rule.rule.needs if need in LISTS)}
    for rule, known in progress.rules.items():
        if today.get(rule) == known:
            continue
        progress.able.discard(rule)
        progress.closed.pop(rule, None)
        state.run(f"DELETE FROM state.due WHERE rule = '{rule}'")
        if rule not in able:
            hits = f"FROM state.hits WHERE rule = '{rule}'"
            log_changes(
                state, f"(SELECT '{Change.REVOKED.value}' AS kind, * {hits})", "card, seen_at, evidence"
            )
            state.run(f"DELETE {hits}")
    progress.rules = today


def _identity(rule: CompiledRule, lists: Lists, others: Sequence[str]) -> str:
    """Fingerprint of a rule's inputs other than records: SQL, lists, rules it reads."""
    read = [json.dumps(lists.get(name, ()), default=str) for name in rule.rule.reads if name in LISTS]
    return _fingerprint(rule.sql, rule.due, *read, *(others if "hits" in rule.rule.reads else ()))


def _fingerprint(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
