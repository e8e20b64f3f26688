"""Measures alternative answers to the questions in SPECIFICATION.md."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from duanka import __version__
from duanka.bootstrap import scan as app
from duanka.bootstrap.policies import limit_of, policy_named, rule_named
from duanka.bootstrap.settings import Settings, load_settings
from duanka.domain.errors import DuankaError, UnreadableInput
from duanka.domain.ports import Silent
from duanka.evaluation.changes import Flagged, Move, RuleChangeEffect
from duanka.evaluation.measure import evaluate, read_truth
from duanka.specification.document import Requirement
from duanka.specification.figures import Measured, MeasuredFigures, MeasuredRow

_DATA = "DATA"  # placeholder for the records in the commands of the document
_BACKTEST, _SCAN = ["duanka", "rules", "backtest"], ["duanka", "scan"]
_DEFAULT = "national"


def measure(data: Path, stated: Sequence[Requirement], say: Callable[[str], None]) -> MeasuredFigures:
    """Run each command that the questions name, once, on `data`.

    UnreadableInput: truth.parquet is missing beside `data`; without it, no figure can tell fraudulent cards
    from honest ones. DuankaError: a command in the document cannot be measured.
    """
    truth = data / "truth.parquet"
    if not truth.is_file():
        raise UnreadableInput(
            f"{data}: has no truth.parquet; `duanka simulate {data} --cards 20000` invents a province with one"
        )
    settings, measured = load_settings(), dict[str, Measured]()
    commands = dict.fromkeys(one.measured_by for of in stated for one in of.questions if one.measured_by)
    for command in commands:
        shown = command.replace(_DATA, str(data.name))
        say(shown)
        measured[command] = Measured(shown, _rows(settings, data, truth, command))
    cards = read_truth(truth).height
    return MeasuredFigures(f"{datetime.now(UTC):%Y-%m-%d}", __version__, data.name, cards, measured)


def _rows(settings: Settings, data: Path, truth: Path, command: str) -> tuple[MeasuredRow, ...]:
    words = shlex.split(command)
    options = dict(pairwise(words))
    policy = options.get("--policy", _DEFAULT)
    if words[:3] == _BACKTEST and len(words) > 3:
        return _backtested(settings, data, words[3], options.get("--set", ""), policy)
    if words[:2] == _SCAN:
        return tuple(_scanned(settings, data, truth, name) for name in (_DEFAULT, policy))
    raise DuankaError(
        f"SPECIFICATION.md: {command!r} is neither a backtest of a rule nor a scan; nothing measures it"
    )


def _backtested(
    settings: Settings, data: Path, rule: str, change: str, policy: str
) -> tuple[MeasuredRow, ...]:
    one = rule_named(rule)
    _, changes = app.backtest(
        settings,
        data,
        one,
        dict([limit_of(one, change)]),
        policy=policy_named(policy),
        examples=0,
        progress=Silent(),
    )
    return _changed(changes, change)


def _changed(changes: RuleChangeEffect, change: str) -> tuple[MeasuredRow, ...]:
    more, less = (tuple(one for one in changes.moves if sign * one.more > 0) for sign in (1, -1))
    return (
        _flagged("flagged by the rule now", "规则现在命中", changes.before),
        _flagged(f"flagged with {change}", f"改为 {change} 后命中", changes.after),
        _moved("handled more strictly than now", "处置比现在加重", more),
        _moved("handled less strictly than now", "处置比现在减轻", less),
    )


def _flagged(what: str, zh: str, one: Flagged) -> MeasuredRow:
    fraud = one.known.fraud if one.known else 0
    return MeasuredRow(what, zh, one.cards, fraud, one.cards - fraud)


def _moved(what: str, zh: str, moves: Sequence[Move]) -> MeasuredRow:
    fraud, honest = (sum(getattr(one, name) or 0 for one in moves) for name in ("fraud", "honest"))
    return MeasuredRow(what, zh, sum(one.cards for one in moves), fraud, honest)


def _scanned(settings: Settings, data: Path, truth: Path, policy: str) -> MeasuredRow:
    with app.working_folder(settings.work or Path.cwd()) as out:
        app.scan(settings, data, out, policy=policy_named(policy), progress=Silent())
        asked = evaluate(out, truth).asked
    return MeasuredRow(
        f"asked under {policy}", f"{policy} 策略下要求核验", asked.cards, asked.fraud, asked.honest
    )
