"""The specification reads as it is written, and says of itself what the tests show."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from duanka.domain.errors import UnreadableInput
from duanka.specification.document import Requirement, State, read
from duanka.specification.evidence import EvidenceRun, results, state_of
from support import ROOT
from support.requirement_run import Requirements, evidence_of, write

SPECIFICATION = ROOT / "SPECIFICATION.md"
COLLECTED = ROOT / "tests" / "specification" / "collected_markers.py"

NUMBERS = [
    *("R1", "R1.1", "R1.2", "R1.3", "R1.4", "R1.5", "R2", "R3", "R3.1", "R3.2", "R3.3", "R3.4", "R3.5", "R4"),
    *("R5", "R6", "R7", "R7.1", "R7.2", "R7.3", "R8", "R9", "R10", "R11", "R12", "R13"),
]


# read


def test_requirements_come_in_order_with_number_title_and_state(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A page\n\n## Words\n\n- **State**: works, but of nothing\n\n"
        "## R1 All of it · 全部\n\n- **Means**: much\n- **State**: partly: a beginning\n\n"
        "### R1.1 A part · 部分\n\n- **State**: works\n\n"
        "#### R10.12 Deep · 深\n\n- **State**: not yet\n",
        encoding="utf-8",
    )
    assert [(one.number, one.title, one.state, one.still) for one in read(page)] == [
        ("R1", "All of it · 全部", "partly", "a beginning"),
        ("R1.1", "A part · 部分", "works", ""),
        ("R10.12", "Deep · 深", "not yet", ""),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "### R1 First\n\n### R2 Second\n\n- **State**: works\n",
        "### R1 First\n\n- **Means**: something\n",
        "### R1 First\n\n- **State**: nearly\n",
        "### R1 First\n\n- **State**: workshop\n",
        "### R1 First\n\n  - **State**: works\n",
    ],
    ids=["before the next", "at the end", "another word", "a longer word", "indented"],
)
def test_a_requirement_without_a_state_is_refused(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableInput, match=r"R1 has no line"):
        read(page)


def test_a_page_without_requirements_has_none(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Only words\n\n##### R1 Too deep\n\n## R Without a number\n", encoding="utf-8")
    assert read(page) == ()


# results


def test_no_run_no_results(tmp_path: Path) -> None:
    assert results(tmp_path / "requirements.json") is None


def run_of(outcomes: Mapping[str, Mapping[str, bool]]) -> EvidenceRun:
    files = {"src/a.py": "0123456789ab"}
    about = {"date": "2026-03-02", "version": "0.1.0", "python": "3.11.2", "system": "Linux x86_64"}
    return evidence_of(outcomes, **about, tests=3, files=files)


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "requirements.json"
    ran = run_of({"R1.1": {"tests/test_a.py::test_a": True, "tests/test_a.py::test_b[1]": False}})
    write(ran, path)
    assert results(path) == ran
    assert ran.tests_of("R1.1") == (1, 1)
    assert ran.failed == ("tests/test_a.py::test_b[1]",)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"R1.1": {"test_a": true}}', '{"shown": {"R1": {"a": 1}}}']
)
def test_what_holds_no_results_is_refused_with_what_to_do(tmp_path: Path, content: str) -> None:
    path = tmp_path / "requirements.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UnreadableInput, match=r"holds no results of a test run .*make evidence"):
        results(path)


# state_of

GOOD, BAD = {"test_a": True, "test_b": True}, {"test_a": False, "test_b": False}
MIXED = {"test_a": True, "test_b": False}


@pytest.mark.parametrize(
    ("stated", "outcomes", "state", "tests"),
    [
        ("works", {}, "not yet", 0),
        ("partly", {}, "not yet", 0),
        ("works", BAD, "not yet", 2),
        ("works", MIXED, "partly", 2),
        ("not yet", MIXED, "partly", 2),
        ("works", GOOD, "works", 2),
        ("partly", GOOD, "partly", 2),
        ("not yet", GOOD, "works", 2),  # the page lags behind; the agreement below says so
    ],
)
def test_the_tests_show_the_state(
    stated: State, outcomes: Mapping[str, bool], state: State, tests: int
) -> None:
    requirement = Requirement("R1", "All of it", stated)
    assert state_of(requirement, run_of({"R1": outcomes, "R2": GOOD})) == (state, tests)


@pytest.mark.parametrize("stated", ["works", "partly", "not yet"])
def test_without_a_run_the_page_is_believed(stated: State) -> None:
    assert state_of(Requirement("R1", "All of it", stated), None) == (stated, 0)


# SPECIFICATION.md itself


def test_every_requirement_is_there_once_and_in_order() -> None:
    assert [requirement.number for requirement in read(SPECIFICATION)] == NUMBERS


def test_every_requirement_says_its_things_in_two_languages() -> None:
    sections = re.split(r"^(?=#+ )", SPECIFICATION.read_text(encoding="utf-8"), flags=re.MULTILINE)
    stated = [section for section in sections if re.match(r"#+ R\d", section)]
    assert len(stated) == len(NUMBERS)
    for section in stated:
        heading = section.splitlines()[0]
        assert re.fullmatch(r"#{2,3} R[\d.]+ [^·]+ · .*[\u4e00-\u9fff].*", heading), heading
        items = re.findall(r"^- \*\*(.+?)\*\*: (?=\S)", section, flags=re.MULTILINE)
        assert items == ["Source", "出处", "Means", "含义", "Shown by", "验收", "Room", "State"], heading


def test_every_requirement_has_a_source_with_a_grade_and_a_meaning_in_chinese() -> None:
    for one in read(SPECIFICATION):
        assert one.grades, one.number
        for name in ("出处", "含义", "验收"):
            assert re.search(r"[\u4e00-\u9fff]", one.items[name]), (one.number, name)
        assert not one.still or re.search(r" · .*[\u4e00-\u9fff]", one.still), one.number
        for question in one.questions:
            said = (question.would, question.changed_by, *(answer.words for answer in question.answers))
            assert all(zh != en for zh, en in said), (one.number, question.title)


def disagreements(stated: Sequence[Requirement], marked: Mapping[str, Sequence[str]]) -> list[str]:
    """What the page and the markers of the tests (number -> test ids) say against each other."""
    known = {requirement.number for requirement in stated}
    found = [
        f"{number} is marked by {marked[number][0]}, but not specified" for number in marked.keys() - known
    ]
    for requirement in stated:
        tests = marked.get(requirement.number, ())
        if requirement.state == "not yet" and tests:
            found.append(f"{requirement.number} is said to be `not yet`, but {tests[0]} shows it")
        if requirement.state != "not yet" and not tests:
            found.append(f"{requirement.number} is said to be `{requirement.state}`, but no test shows it")
    return sorted(found)


@pytest.mark.parametrize(
    ("state", "marked", "wrong"),
    [
        ("works", {"R1": ["test_a"]}, []),
        ("partly", {"R1": ["test_a"]}, []),
        ("not yet", {}, []),
        ("works", {}, ["R1 is said to be `works`, but no test shows it"]),
        ("partly", {}, ["R1 is said to be `partly`, but no test shows it"]),
        ("not yet", {"R1": ["test_a"]}, ["R1 is said to be `not yet`, but test_a shows it"]),
        ("not yet", {"R9": ["test_a"]}, ["R9 is marked by test_a, but not specified"]),
    ],
)
def test_disagreements_are_seen(state: State, marked: Mapping[str, Sequence[str]], wrong: list[str]) -> None:
    assert disagreements([Requirement("R1", "All of it", state)], marked) == wrong


def collected_apart(out: Path) -> dict[str, list[str]]:
    """What a process of its own collects; `make coverage` does not measure it."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "PYTEST_"))}
    run = subprocess.run(
        [sys.executable, COLLECTED, out], cwd=ROOT, env=own, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, f"the tests do not collect:\n{run.stdout[-3000:]}{run.stderr[-3000:]}"
    found: dict[str, list[str]] = json.loads(out.read_text(encoding="utf-8"))
    return found


def test_the_page_and_the_tests_agree(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    ours = request.config.pluginmanager.get_plugin("requirements")
    assert isinstance(ours, Requirements)
    shown = ours.collected or collected_apart(tmp_path / "markers.json")
    found = disagreements(read(SPECIFICATION), shown)
    assert not found, "\n".join(found)
