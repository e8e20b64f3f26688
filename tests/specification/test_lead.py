"""`duanka spec` as a project lead meets it: on a fresh clone, after a run, after a change, installed; as a page."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from duanka.bootstrap import questions as app_questions
from duanka.cli import main as cli
from duanka.cli.operations import specification as door
from duanka.cli.shell.process import OUT
from duanka.domain.errors import DuankaError, UnreadableInput
from duanka.specification import document, evidence, page
from duanka.specification.evidence import Age, age, code_of
from duanka.specification.figures import MEASURED, read_figures, write_figures
from ship_evidence import ship
from support import ROOT
from support.desk import ENGLISH
from support.requirement_run import evidence_of, write

SHOWN = {
    "R1.1": {"tests/rules/test_examples.py::test_a": True, "tests/rules/test_examples.py::test_b": True},
    "R2": {"tests/orders/test_kill.py::test_a": True, "tests/orders/test_kill.py::test_b": False},
}


def run_on(root: Path) -> evidence.EvidenceRun:
    about = {"date": "2026-03-02", "version": "0.1.0", "python": "3.11.2", "system": "Linux x86_64"}
    return evidence_of(SHOWN, **about, tests=4, files=code_of(root))


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small clone with evidence of its own code, as the program sees it."""
    root = tmp_path / "clone"
    for name in ("src/duanka/a.py", "tests/test_a.py", "policies/national.toml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    shutil.copy(ROOT / "SPECIFICATION.md", root)
    write(run_on(root), root / "evidence.json")
    monkeypatch.setattr(evidence, "EVIDENCE", root / "evidence.json")
    monkeypatch.setattr(door, "_sources", lambda: root)
    monkeypatch.chdir(root)
    return root


def typed(*words: str | Path, columns: int = 80) -> str:
    OUT.width = columns
    found = CliRunner().invoke(cli.cli, ["spec", *map(str, words)], env=ENGLISH, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output


def test_a_fresh_clone_says_what_works_and_which_run_showed_it(clone: Path) -> None:
    said = typed()
    assert re.search(r"^R1\.1 .* works +2 in 1", said, re.MULTILINE)
    assert re.search(r"^R2 .* partly +2 in 1, 1 not", said, re.MULTILINE)
    assert re.search(r"^R3\.1 .* not yet +-", said, re.MULTILINE), "what nothing shows does not work"
    assert "26 requirements: 1 work, 1 partly, 24 not yet; 0 confirmed." in said
    assert f"Evidence: a run of 4 tests on 2026-03-02, code {run_on(clone).key}" in said.replace("\n", " ")
    assert "The code is that of the run." in said
    assert max(map(len, said.splitlines())) <= 80
    shown = typed("show", "r2", columns=200)
    assert "tests/orders/test_kill.py: 1 passed, 1 not" in shown
    assert "did you mean R1.5" in _refused("show", "R1.6")
    assert "State: partly (SPECIFICATION.md: works)" in shown
    assert "State: not yet (SPECIFICATION.md: works)" in typed("show", "R3.1", columns=200)
    assert "Check it: .venv/bin/pytest --requirement R2" in shown
    shown = typed("show", "R1.4")
    assert max(map(len, shown.splitlines())) <= 80
    assert "\n  another answer would: with 30 find quieter callers" in shown
    assert re.search(r"\n    flagged with max_calls=30: \d+ cards, \d+ fraud, \d+ honest\n", shown)
    assert "\n  duanka spec confirm R1.4 --by NAME --choose 60-an-hour\n" in shown, "one line to copy"


def test_it_says_when_the_code_is_another_than_that_of_the_run(clone: Path) -> None:
    (clone / "src/duanka/a.py").write_text("changed")
    (clone / "tests/test_b.py").write_text("new")
    (clone / "policies/national.toml").unlink()
    (clone / "tests/__pycache__").mkdir()
    (clone / "tests/__pycache__/a.pyc").write_text("no code")
    (clone / "tests/.hidden").write_text("no code")
    (clone / "src/duanka/api/console").mkdir(parents=True)
    (clone / "src/duanka/api/console/index.html").write_text("built of console/")
    said = typed(columns=300)
    assert (
        "The code has changed since: 3 files (policies/national.toml, src/duanka/a.py, tests/test_b.py)."
        in said
    )
    found = json.loads(typed("--json"))["evidence"]
    assert found["changed"] == ["policies/national.toml", "src/duanka/a.py", "tests/test_b.py"]


def test_a_run_in_this_folder_goes_before_what_was_shipped(clone: Path) -> None:
    ran = evidence_of({}, date="2026-03-03", version="", python="", system="", tests=1, files={})
    write(ran, clone / evidence.RESULTS)
    assert "2026-03-03" in typed()
    assert "2026-03-02" in typed("--results", clone / "evidence.json")
    assert "no such file" in _refused("--results", str(clone / "none.json"))


def test_installed_it_compares_what_it_can(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "duanka"
    shutil.copytree(clone / "src" / "duanka", package)
    (package / "SPECIFICATION.md").write_text("comes with it")
    ran = run_on(clone)
    assert age(ran, None, package) == Age((), whole=False)
    (package / "a.py").write_text("another version")
    assert age(ran, None, package) == Age(("src/duanka/a.py",), whole=False)
    monkeypatch.setattr(door, "_sources", lambda: None)
    said = typed(columns=200)
    assert "The sources are not here: only the program was compared with the run, not its tests." in said


def test_without_any_run_nothing_is_claimed_to_be_shown(clone: Path) -> None:
    (clone / "evidence.json").unlink()
    assert "which nothing here shows" in typed(columns=200)
    assert json.loads(typed("--json"))["evidence"] is None


def test_evidence_is_shipped_from_a_run_of_this_code_and_of_no_other(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = clone / "shipped.json"
    assert ship(clone, out, check=False) == 3
    write(run_on(clone), clone / evidence.RESULTS)
    assert ship(clone, out, check=True) == 0
    assert not out.exists()
    assert ship(clone, out, check=False) == 0
    assert evidence.results(out) == run_on(clone)
    (clone / "tests/test_a.py").write_text("changed")
    out.unlink()
    assert ship(clone, out, check=False) == 3
    assert "1 files differ (tests/test_a.py)" in capsys.readouterr().err
    assert not out.exists()


MARKED = """
import pytest

@pytest.mark.requirement("R1")
@pytest.mark.parametrize("n", [1, 2])
def test_of_it(n):
    assert n == 1

@pytest.mark.requirement("R2")
def test_skipped():
    pytest.skip("no parts")

def test_of_nothing():
    pass
"""
CONFTEST = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT / "tests")!r})
from support import requirement_run
requirement_run.ROOT = Path(__file__).parents[1]

def pytest_addoption(parser):
    parser.addoption("--requirements", action="store_true")
    parser.addoption("--requirement")

def pytest_configure(config):
    config.addinivalue_line("markers", "requirement(number): of a test")
    config.pluginmanager.register(requirement_run.Requirements(), "requirements")
"""


@pytest.mark.parametrize(
    ("options", "tests"),
    [
        ((), 3),
        (("-p", "xdist", "--requirements", "-n", "1"), 2),
        (("-k", "of_it"), None),
        (("--requirement", "R2"), None),
    ],
)
def test_a_whole_run_leaves_its_results_and_a_part_of_one_none(
    tmp_path: Path, options: tuple[str, ...], tests: int | None
) -> None:
    for name, content in (
        ("tests/test_it.py", MARKED),
        ("tests/conftest.py", CONFTEST),
        ("pytest.ini", "[pytest]\ntestpaths = tests\n"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    own = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "PYTEST_"))}
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # all that is installed takes seconds to import
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options],
        cwd=tmp_path,
        env=own | alone,
        capture_output=True,
        check=False,
    )
    found = evidence.results(tmp_path / evidence.RESULTS)
    if tests is None:
        assert found is None
        return
    assert found
    assert (found.tests, found.tests_of("R1"), found.tests_of("R2")) == (tests, (1, 1), (0, 1))
    assert found.failed == ("tests/test_it.py::test_of_it[2]", "tests/test_it.py::test_skipped")
    assert age(found, tmp_path, tmp_path).changed == ()


def test_a_lead_confirms_and_reads_it_everywhere(clone: Path) -> None:
    said = typed(
        "confirm", "R1.5", "--by", "王主任", "--choose", "at-once", "--note", "as in Hebei", columns=200
    )
    assert "R1.5 confirmed by 王主任 on " in said
    assert str(clone / "CONFIRMED.toml") in said
    assert "at-once. What runs is changed by `[orders] stages`" in said
    assert "Ours stands: a-day. Answers: a-day, three-days, 15-days" in said
    assert re.search(r"^R1\.5 .*王主任, 20", typed(columns=120), re.MULTILINE)
    assert "10 questions are open" in typed(columns=120), "a confirmed requirement leaves none open"
    one = next(one for one in json.loads(typed("--json"))["requirements"] if one["number"] == "R1.5")
    assert (one["standing"], one["confirmation"]["note"]) == ("confirmed", "as in Hebei")
    assert [question["lead_chose"] for question in one["questions"]] == ["at-once", ""]
    assert "the lead chose: at-once" in typed("show", "R1.5")
    assert "To confirm it" not in typed("show", "R1.5")
    file = clone / "CONFIRMED.toml"
    other = re.sub(r'text = "\w+"', 'text = "0123456789abcdef"', file.read_text())
    file.write_text(other + '["R99"]\ntext = "a"\nby = "li"\non = 2026-03-02\n')
    said = typed(columns=120)
    assert re.search(r"^R1\.5 .*confirm again", said, re.MULTILINE)
    assert "0 confirmed, 1 to confirm again" in said
    assert "12 questions are open:\n  duanka spec page" in said
    assert "R99 is confirmed there and no requirement any more" in " ".join(said.split())
    file.write_text("[")
    assert "is not TOML" in _refused()


def test_a_lead_reads_and_confirms_in_chinese(clone: Path) -> None:
    said = in_chinese("confirm", "R1.5", "--by", "王主任", "--choose", "at-once")
    assert "R1.5 已由王主任于 20" in said
    assert "先单停还是直接双停？ 选定 at-once。运行方式不因此改变，须更改：策略中" in said
    assert "单停多久后双停？ 保持我们所选：a-day。可选：a-day, three-days, 15-days" in said
    shown = in_chinese("show", "R1.5")
    for text in (
        "R1.5 未通过则停机",
        "出处：",
        "验收：用测试设定的时钟",
        "确认：已确认 (王主任, 20",
        "  负责人所选：at-once",
    ):
        assert text in shown
    assert not re.search(r"Source|Shown by|\bours|another answer", shown)
    again = in_chinese("confirm", "R1.5", "--by", "王主任", "--choose", "three-days")
    assert "选定 at-once" in again, "an answer to one question leaves the other's as it was"
    assert "选定 three-days" in again


def in_chinese(*words: str) -> str:
    OUT.width = 300
    env = {**ENGLISH, "DUANKA_LANGUAGE": "zh"}
    found = CliRunner().invoke(cli.cli, ["spec", *words], env=env, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output


def test_confirmations_lie_where_a_person_expects_them(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clone / "tests")
    typed("confirm", "R1", "--by", "li")
    assert (clone / "CONFIRMED.toml").is_file(), "beside the specification, from any folder below"
    place = tmp_path / "place"
    (place / "below").mkdir(parents=True)
    (place / "duanka.toml").touch()
    monkeypatch.chdir(place / "below")
    typed("confirm", "R1", "--by", "li")
    assert (place / "CONFIRMED.toml").is_file()
    typed("confirm", "R1", "--by", "li", "--file", tmp_path / "mine.toml")
    assert (tmp_path / "mine.toml").is_file()


def _refused(*words: str) -> str:
    with pytest.raises(DuankaError) as caught:
        typed(*words)
    return str(caught.value)


class Text(HTMLParser):
    """The words of a page, and every address in it."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.addresses = "", list[str]()

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]


def test_the_page_leaves_no_question_open(clone: Path) -> None:
    typed("confirm", "R1.4", "--by", "<b>li</b>", "--choose", "30-an-hour")
    read, words = page_in("both", clone / "spec.html")
    stated = document.read(ROOT / "SPECIFICATION.md")
    for one in stated:
        for name in ("Source", "出处", "Means", "含义", "Shown by", "验收"):
            for block in page.blocks(one.items[name]):
                for run in block.get("runs", ()):
                    assert " ".join(run["text"].split()) in words, (one.number, name)
        for question in one.questions:
            assert all(answer.code in words for answer in question.answers)
            for text in (*question.changed_by, *question.would):
                assert all(" ".join(run["text"].split()) in words for run in page.runs(text)), question.title
    preface = document.read_preface(ROOT / "SPECIFICATION.md")
    assert (len(preface.sources) > 6, len(preface.words) > 25, len(preface.limits)) == (True, True, 7)
    for texts in (
        *(text for text, _ in preface.sources),
        *(text for _, text in preface.words),
        *preface.limits,
    ):
        for text in texts:
            assert all(" ".join(run["text"].split()) in words for run in page.runs(text)), text
    assert (
        "涉案公安机关在案件中确认的号码。是事实，有案件编号，只来自公安机关。 The police confirmed" in words
    ), "words that a lead may not know are explained"
    assert "It decides nobody's guilt" in words
    assert "<b>li</b>" in words, "a name is a text"
    assert "the lead's choice" in words
    assert "The lead chose 30-an-hour; until this is changed, what runs is as before." in words
    assert "Open questions11 （共 of 12）" in words, "a confirmed requirement leaves no question open"
    assert "To check it：.venv/bin/pytest --requirement R1.5" in words
    assert "duanka spec confirm R1.5 --by NAME --choose by-policy --choose a-day" in words, "one line to copy"
    assert all(address.startswith("#") for address in read.addresses), "nothing is fetched from anywhere"
    assert "`" not in words
    assert "**" not in words


def test_the_page_begins_with_what_is_open(clone: Path) -> None:
    typed("confirm", "R1.4", "--by", "li")
    _, words = page_in("en", clone / "spec.html")
    front, _, rest = words.partition("All requirements")
    assert "Requirements26 Work1 Work in part1 Do not work yet24 Confirmed1 Open questions11 (of 12)" in front
    questions, _, lacking = front.partition("What does not work, or only in part")
    assert re.findall(r"\bR\d[\d.]*\b", questions.partition("Our choice")[2]) == [
        *("R1", "R1.1", "R1.1", "R1.2", "R1.3", "R1.5", "R1.5", "R3.2", "R3.4", "R5", "R12"),
    ], "what is confirmed waits for nobody"
    assert "R3.2 When is a card silent? 30 days after opening without any use" in questions
    assert "R1.1 " not in lacking
    assert "R2 Fast, joint suspend and resume: 1 test did not pass." in lacking
    assert "R3.1 Sleeping cards: no test passed." in lacking
    assert "R6 Tiers and joint work: the tiers are there, the joint work is not" in lacking
    assert "R12 The five headline figures: no test passed." in lacking
    assert "duanka spec confirm R5 --by NAME --choose ours" in rest


def test_what_changed_since_it_was_confirmed_waits_again_on_the_page(clone: Path) -> None:
    typed("confirm", "R1.4", "--by", "li", "--choose", "30-an-hour")
    file = clone / "CONFIRMED.toml"
    file.write_text(re.sub(r'text = "\w+"', 'text = "0123456789abcdef"', file.read_text()))
    _, words = page_in("en", clone / "spec.html")
    assert "Confirmed0 (1 again) Open questions12" in words
    assert "its text has changed, confirm again: li, 20" in words
    assert "duanka spec confirm R1.4 --by NAME --choose 30-an-hour" in words, "with the answer of the lead"


@pytest.mark.parametrize(
    ("language", "others"), [("zh", r"Source|Means|Question|To check"), ("en", r"出处|含义|问题|自行")]
)
def test_a_page_in_one_language_has_no_word_of_the_other(clone: Path, language: str, others: str) -> None:
    _, words = page_in(language, clone / "spec.html")
    assert not re.search(others, words)
    name = "Means" if language == "en" else "含义"
    for one in document.read(ROOT / "SPECIFICATION.md"):
        for block in page.blocks(one.items[name]):
            assert all(" ".join(run["text"].split()) in words for run in block.get("runs", ())), one.number


@pytest.mark.parametrize(
    ("environment", "languages"),
    [
        ({"LC_ALL": "C"}, ("zh", "en")),
        ({"LC_ALL": "zh_CN.UTF-8"}, ("zh",)),
        ({"LC_ALL": "en_GB.UTF-8"}, ("en",)),
        ({"LC_ALL": "C", "DUANKA_LANGUAGE": "en"}, ("en",)),
    ],
)
def test_the_page_is_in_the_language_that_somebody_said_else_in_both(
    clone: Path, environment: dict[str, str], languages: tuple[str, ...]
) -> None:
    out = clone / "spec.html"
    found = CliRunner().invoke(
        cli.cli, ["spec", "page", "--out", str(out)], env=environment, catch_exceptions=False
    )
    assert found.exit_code == 0, found.output
    words = out.read_text(encoding="utf-8")
    assert tuple(one for one, word in (("zh", "出处"), ("en", "Source")) if word in words) == languages
    assert ("--language zh" in found.output) == (len(languages) == 2)


def page_in(language: str, out: Path) -> tuple[Text, str]:
    """The page as HTML, and its words."""
    typed("page", "--out", out, "--language", language)
    read = Text()
    read.feed(out.read_text(encoding="utf-8"))
    return read, " ".join(read.words.split())


def test_the_page_is_a_pdf_with_chinese_in_it(clone: Path) -> None:
    typed("page", "--out", clone / "spec.pdf", "--language", "both")
    made = (clone / "spec.pdf").read_bytes()
    assert made.startswith(b"%PDF-")
    assert b"NotoSansSC" in made
    assert (clone / "spec.pdf").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("out", "says"), [("spec.txt", "FILE.html or a FILE.pdf"), ("none/spec.html", "does not exist")]
)
def test_a_page_of_another_kind_or_nowhere_is_refused(clone: Path, out: str, says: str) -> None:
    assert says in _refused("page", "--out", out)


def test_a_pdf_without_its_parts_says_what_to_do(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    assert "make setup" in _refused("page", "--out", "spec.pdf")
    assert not (clone / "spec.pdf").exists()


# figures


def test_the_shipped_figures_are_of_the_commands_that_the_document_names() -> None:
    figures = read_figures(MEASURED, named=True)
    assert figures
    stated = document.read(ROOT / "SPECIFICATION.md")
    commands = {one.measured_by for of in stated for one in of.questions if one.measured_by}
    assert set(figures.measured) == commands, "`duanka spec measure PROVINCE --out measured.json`"
    for one in figures.measured.values():
        assert all(row.cards == row.fraud + row.honest for row in one.rows)


def test_a_question_is_measured_by_its_command(
    province: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = "duanka rules backtest over_frequency DATA --set max_calls=30"
    stated = [one for one in document.read(ROOT / "SPECIFICATION.md") if one.number == "R1.4"]
    said = list[str]()
    figures = app_questions.measure(province, stated, said.append)
    (measured,) = figures.measured.values()
    assert said == [measured.command] == [command.replace("DATA", province.name)]
    before, after, more, _ = measured.rows
    assert after.cards > before.cards
    assert more.cards <= after.cards - before.cards
    assert figures.cards == 6_000
    path = tmp_path / "measured.json"
    write_figures(figures, path)
    assert read_figures(path, named=True) == figures


def test_figures_that_are_none_and_records_without_a_truth_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="duanka simulate"):
        app_questions.measure(tmp_path, [], print)
    (tmp_path / "measured.json").write_text('{"measured": 1}')
    for path in (tmp_path / "measured.json", tmp_path / "none.json"):
        with pytest.raises(UnreadableInput, match="duanka spec measure"):
            read_figures(path, named=True)
    assert read_figures(tmp_path / "none.json", named=False) is None
