"""The log: the operator's time, level and text; as JSON on request, one object a line."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from duanka.cli.detection.live import Ticker
from duanka.cli.shell.log_lines import FORMATTER, log_as
from support.desk import duanka


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = FORMATTER.form
    yield
    log_as(before)


def _record(text: str, error: Exception | None = None) -> logging.LogRecord:
    trace = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("duanka.api", logging.WARNING, __file__, 1, text, None, trace)


def _said(text: str) -> str:
    out = io.StringIO()
    Ticker(Console(file=out, width=40)).say(text)
    return out.getvalue()


def test_a_line_has_time_level_module_and_text() -> None:
    when, clock, level, name, text = FORMATTER.format(_record("disk is full")).split(" ", 4)
    assert (level, name, text) == ("WARNING", "duanka.api:", "disk is full")
    assert _is_now(f"{when} {clock}")


def test_as_json_each_line_is_an_object() -> None:
    log_as("json")
    told = json.loads(FORMATTER.format(_record('a "quoted"\nname')))
    assert (told["level"], told["logger"], told["message"]) == ("WARNING", "duanka.api", 'a "quoted"\nname')
    assert _is_now(told["time"])
    assert "trace" not in told


def test_as_json_a_defect_has_its_trace_in_the_same_line() -> None:
    log_as("json")
    try:
        raise ValueError("spoilt")
    except ValueError as error:
        line = FORMATTER.format(_record("taken later", error))
    assert "\n" not in line
    assert json.loads(line)["trace"].endswith("ValueError: spoilt")


def test_what_a_command_says_has_the_same_form() -> None:
    assert _said("告警 / alarm: call_proxy").rstrip().endswith(" WARNING 告警 / alarm: call_proxy")
    log_as("json")
    line = _said("API: http://127.0.0.1:8080/card-restrictions/v1 " + "and more " * 20)
    assert line.count("\n") == 1
    assert json.loads(line)["level"] == "INFO"


def test_the_setting_is_checked(tmp_path: Path) -> None:
    typed = duanka("live", "--inbox", tmp_path, "--once", cwd=tmp_path, DUANKA_LOG="xml")
    assert typed.code == 2
    assert "DUANKA_LOG" in typed.err


def _is_now(text: str) -> bool:
    return abs(datetime.fromisoformat(text) - datetime.now(UTC)) < timedelta(minutes=5)
