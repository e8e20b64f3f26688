"""What SQL compiles to is kept between runs, and made anew when anything that it depends on changed."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import pytest

from duanka.domain.errors import RuleError
from duanka.domain.rule import Rule
from duanka.engine.sql import render as rendering
from duanka.engine.sql.compiled import CompiledSql
from duanka.engine.sql.render import render
from duanka.rules import RULES

_NEVER = "compiled again"
_NOW = {name: datetime(2021, 5, 18, 6) for name in rendering.MOMENTS}


def _refuse() -> NoReturn:
    raise AssertionError(_NEVER)


def _kept(tmp_path: Path) -> Path:
    """A file that knows one text and one list of names."""
    first = CompiledSql()
    assert first.text(("a", 1), lambda: "SELECT 1") == "SELECT 1"
    assert first.names(("names", "a"), lambda: ["card"]) == ["card"]
    first.write(tmp_path / "compiled.json")
    return tmp_path / "compiled.json"


def test_the_next_run_compiles_nothing_that_it_asked_for_before(tmp_path: Path) -> None:
    again = CompiledSql()
    again.read(_kept(tmp_path))
    assert again.text(("a", 1), _refuse) == "SELECT 1"
    assert again.names(("names", "a"), _refuse) == ["card"]
    with pytest.raises(AssertionError, match=_NEVER):
        again.text(("a", 2), _refuse)


@pytest.mark.parametrize(
    "spoilt", [b"", b"{", b"[]", b"\xff", b'{"compiler": "of tomorrow", "compiled": {}}'], ids=repr
)
def test_a_file_that_is_no_use_is_as_good_as_none(tmp_path: Path, spoilt: bytes) -> None:
    path = _kept(tmp_path)
    path.write_bytes(spoilt)
    again = CompiledSql()
    again.read(path)
    assert again.text(("a", 1), lambda: "SELECT 2") == "SELECT 2"


def test_a_value_of_the_wrong_kind_is_made_anew(tmp_path: Path) -> None:
    path = _kept(tmp_path)
    told = json.loads(path.read_text())
    told["compiled"] = {
        key: ["x"] if isinstance(value, str) else "x" for key, value in told["compiled"].items()
    }
    path.write_text(json.dumps(told))
    again = CompiledSql()
    again.read(path)
    assert again.text(("a", 1), lambda: "SELECT 2") == "SELECT 2"
    assert again.names(("names", "a"), lambda: ["peer"]) == ["peer"]
    again.write(path)
    assert list(json.loads(path.read_text())["compiled"].values()) == ["SELECT 2", ["peer"]]


@pytest.mark.parametrize("compiled", [None, [], "x"], ids=repr)
def test_a_file_of_this_compiler_with_something_else_in_it_is_as_good_as_none(
    tmp_path: Path, compiled: object
) -> None:
    path = _kept(tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "compiled": compiled}))
    again = CompiledSql()
    again.read(path)
    assert again.text(("a", 1), lambda: "SELECT 2") == "SELECT 2"
    again.write(path)
    assert list(json.loads(path.read_text())["compiled"].values()) == ["SELECT 2"]


def test_what_no_run_asks_for_any_more_is_dropped(tmp_path: Path) -> None:
    path = _kept(tmp_path)
    second = CompiledSql()
    second.read(path)
    second.text(("b", 1), lambda: "SELECT 3")
    second.write(path)
    assert list(json.loads(path.read_text())["compiled"].values()) == ["SELECT 3"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_night_later_a_rule_is_not_compiled_again(
    rule: Rule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {name: limit.value for name, limit in rule.limits.items()}
    first, again = CompiledSql(), CompiledSql()
    monkeypatch.setattr(rendering, "COMPILED", first)
    before = render(rule.sql, {**limits, **_NOW})
    first.write(tmp_path / "compiled.json")
    again.read(tmp_path / "compiled.json")
    monkeypatch.setattr(rendering, "COMPILED", again)
    monkeypatch.setattr("duanka.engine.sql.syntax.render", _refuse)
    night_later = {name: moment.replace(day=19) for name, moment in _NOW.items()}
    assert render(rule.sql, {**limits, **night_later}) == before.replace("2021-05-18 06", "2021-05-19 06")


def test_a_moment_within_a_text_is_refused_for_it_would_be_put_in() -> None:
    with pytest.raises(RuleError, match="within the text"):
        render("SELECT card FROM cards WHERE outlet = 'at $as_of'", _NOW)
