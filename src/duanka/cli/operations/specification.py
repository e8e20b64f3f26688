"""`duanka spec`: requirements, their states and tests, a report, confirmations."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from duanka.bootstrap.home_folder import find_home_folder
from duanka.bootstrap.policies import shipped
from duanka.cli.output.grid import grid
from duanka.cli.shell.language import asked_for, language, said_language, shown
from duanka.cli.shell.lazy import lazily
from duanka.cli.shell.process import OUT, Indented
from duanka.domain.errors import DuankaError
from duanka.domain.local_time import operator_zone
from duanka.domain.text import BilingualText
from duanka.specification import confirmations, document, evidence
from duanka.specification.confirmations import AGAIN, Confirmation
from duanka.specification.document import STATE_WORDS, Requirement, in_two
from duanka.specification.evidence import Age, EvidenceRun
from duanka.specification.figures import MEASURED, read_figures, write_figures

if TYPE_CHECKING:
    from duanka.bootstrap import questions as app_questions
    from duanka.bootstrap import settings
    from duanka.bootstrap.outputs import files
    from duanka.specification import page as pages
else:
    app_questions = lazily("duanka.bootstrap.questions")
    files = lazily("duanka.bootstrap.outputs.files")
    settings = lazily("duanka.bootstrap.settings")
    pages = lazily("duanka.specification.page")

_PACKAGE = Path(__file__).parents[2]
_FILES_SHOWN = 3  # number of changed files listed by name
_TABLE = (
    *(BilingualText("编号", "number"), BilingualText("需求", "requirement"), BilingualText("状态", "state")),
    *(BilingualText("测试", "tests"), BilingualText("确认", "confirmed")),
)
_TESTS = BilingualText("{tests}（{files} 个文件）", "{tests} in {files}")
_TESTS_FAILED = BilingualText("{tests}（{files} 个文件，{failed} 未过）", "{tests} in {files}, {failed} not")
_TOTALS = BilingualText(
    "{all} 项需求：{works} 项已实现，{partly} 项部分实现，{not_yet} 项未实现；已确认 {confirmed} 项",
    "{all} requirements: {works} work, {partly} partly, {not_yet} not yet; {confirmed} confirmed",
)
_TO_CONFIRM, _STOP = (
    BilingualText("，{again} 项须重新确认。", ", {again} to confirm again."),
    BilingualText("。", "."),
)
_OPEN = BilingualText(
    "{open} 个问题待确认：\n  duanka spec page --out spec.pdf   写成文件，供阅读\n"
    "  duanka spec show R1               显示一项及其问题\n  duanka spec confirm R1 --by NAME  确认，或另选答案",
    "{open} questions are open:\n  duanka spec page --out spec.pdf   all of it, to read\n"
    "  duanka spec show R1               one requirement and its questions\n"
    "  duanka spec confirm R1 --by NAME  confirm it, or choose otherwise",
)
_LEGEND = BilingualText(
    "测试：`12（3 个文件）` 是 3 个文件中的 12 个测试；`duanka spec show NUMBER` 列出文件。",
    "tests: `12 in 3` are 12 tests in 3 files; `duanka spec show NUMBER` names the files.",
)
_NO_RUN = BilingualText(
    "没有测试运行记录：状态取自 SPECIFICATION.md，此处无从证明；`make test` 可证明。",
    "No test run is here or shipped: the states are those of SPECIFICATION.md, which nothing here shows; "
    "`make test` does.",
)
_EVIDENCE = BilingualText(
    "证据：{date} 运行的 {tests} 个测试，代码 {code}，Python {python}，{system}。",
    "Evidence: a run of {tests} tests on {date}, code {code}, Python {python}, {system}.",
)
_CODE_CHANGED = BilingualText(
    "此后代码有变：{files} 个文件{named}。", "The code has changed since: {files} files{named}."
)
_ANEW = BilingualText(
    "`make test` 之后 `make evidence` 可重新证明。", " `make test`, then `make evidence`, shows it anew."
)
_SAME_CODE = BilingualText("代码与该次运行相同。", "The code is that of the run.")
_NO_SOURCES = BilingualText(
    "此处没有源码：只比对了程序，没有比对测试。",
    "The sources are not here: only the program was compared with the run, not its tests.",
)
_GONE = BilingualText(
    "{path}：其中确认的 {numbers} 已不是需求。",
    "{path}: {numbers} is confirmed there and no requirement any more.",
)
_WRITTEN = BilingualText("已写入：{path}", "Written: {path}")
_IN_BOTH = BilingualText(
    "中英文对照；`--language zh` 或 `en` 只写一种，短三分之一。",
    "In Chinese and English; `--language zh` or `en` writes one of them, a third shorter.",
)
_WRITTEN_NEXT = BilingualText(
    "已写入：{path}。下一步：duanka spec page --measured {path} --out spec.html",
    "Written: {path}. Next: duanka spec page --measured {path} --out spec.html",
)
_CONFIRMED = BilingualText(
    "{number} 已由{by}于 {on} 确认：{path}", "{number} confirmed by {by} on {on}: {path}"
)
_OURS = BilingualText(
    "{title} 保持我们所选：{code}。可选：{codes}", "{title} Ours stands: {code}. Answers: {codes}"
)
_CHOSE_OURS = BilingualText("{title} 选定我们所选：{code}", "{title} {code}, as ours")
_CHOSE_OTHER = BilingualText(
    "{title} 选定 {code}。运行方式不因此改变，须更改：{change}",
    "{title} {code}. What runs is changed by {change}",
)
spec_cli = typer.Typer(
    help="What is required of Duanka, what of it works, and by which tests; a page to read; confirming it.",
    invoke_without_command=True,
)
ResultsFile = Annotated[
    Path | None,
    typer.Option(
        "--results",
        help="Results of a test run; default: the last one in this folder, else the shipped evidence.",
    ),
]
ConfirmedFile = Annotated[
    Path | None,
    typer.Option(
        "--file",
        help="Confirmations; default: CONFIRMED.toml of the home folder, else beside SPECIFICATION.md, else here.",
    ),
]


commands = typer.Typer()
commands.add_typer(spec_cli, name="spec")


def _sources() -> Path | None:
    """Root of the source tree that this program runs from; None: installed without it."""
    root = _PACKAGE.parents[1]
    return root if (root / "SPECIFICATION.md").is_file() and (root / "tests").is_dir() else None


def _stated() -> tuple[Requirement, ...]:
    return document.read(shipped("", "SPECIFICATION.md"))


def _evidence(named: Path | None) -> EvidenceRun | None:
    if named is not None:
        if (found := evidence.results(named)) is None:
            raise DuankaError(f"{named}: no such file; `make test` writes {evidence.RESULTS}")
        return found
    return evidence.results(Path(evidence.RESULTS)) or evidence.results(evidence.EVIDENCE)


def _confirmed_file(named: Path | None) -> Path:
    """Path of the confirmations.

    --file, else the installation's folder, else the nearest parent with the file or a specification, else the
    current folder.
    """
    if named is not None:
        return named
    if home := find_home_folder():
        return home / confirmations.FILE
    here, names = Path.cwd(), (confirmations.FILE, "SPECIFICATION.md")
    for folder in (here, *here.parents, *filter(None, [_sources()])):
        if any((folder / name).is_file() for name in names):
            return folder / confirmations.FILE
    return here / confirmations.FILE


@spec_cli.callback()
def spec(
    context: typer.Context,
    results: ResultsFile = None,
    file: ConfirmedFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything, for programs.")] = False,
) -> None:
    """What is required of Duanka, what of it works, and by which tests; a page to read; confirming it."""
    if context.invoked_subcommand:
        return
    stated, ran = _stated(), _evidence(results)
    path = _confirmed_file(file)
    confirmed = confirmations.read_confirmations(path)
    if as_json:
        # ASCII, which every terminal can show
        typer.echo(json.dumps(pages.as_data(stated, ran, _age(ran), confirmed), indent=1))
        return
    OUT.print(grid(_TABLE, (_row(one, ran, confirmed) for one in stated), right=("tests",)))
    for line in (
        *_totals(stated, ran, confirmed),
        *_age_lines(ran, _age(ran)),
        *_unknown(stated, confirmed, path),
    ):
        OUT.print(line)


def _row(one: Requirement, ran: EvidenceRun | None, confirmed: dict[str, Confirmation]) -> tuple[str, ...]:
    """A row of _TABLE."""
    state, tests = evidence.state_of(one, ran)
    files = len(ran.shown.get(one.number, {})) if ran else 0
    failed = ran.tests_of(one.number)[1] if ran else 0
    by = shown(_TESTS_FAILED if failed else _TESTS, tests=tests, files=files, failed=failed) if tests else "-"
    return one.number, shown(in_two(one.title)), shown(STATE_WORDS[state]), by, _standing(one, confirmed)


def _age(ran: EvidenceRun | None) -> Age | None:
    return evidence.age(ran, _sources(), _PACKAGE) if ran else None


def _standing(one: Requirement, confirmed: dict[str, Confirmation]) -> str:
    standing = confirmations.standing_of(one, confirmed)
    if standing == "confirmed":
        return f"{confirmed[one.number].by}, {confirmed[one.number].on}"
    return "-" if standing == "not confirmed" else shown(AGAIN)


def _totals(
    stated: tuple[Requirement, ...], ran: EvidenceRun | None, confirmed: dict[str, Confirmation]
) -> list[str]:
    states = Counter(evidence.state_of(one, ran)[0] for one in stated)
    standings = Counter(confirmations.standing_of(one, confirmed) for one in stated)
    again = standings["confirm again"]
    unanswered = sum(
        len(one.questions) for one in stated if confirmations.standing_of(one, confirmed) != "confirmed"
    )
    return [
        "",
        shown(
            _TOTALS,
            all=len(stated),
            works=states["works"],
            partly=states["partly"],
            not_yet=states["not yet"],
            confirmed=standings["confirmed"],
        )
        + (shown(_TO_CONFIRM, again=again) if again else shown(_STOP)),
        *([shown(_OPEN, open=unanswered)] if unanswered else []),
        *([shown(_LEGEND)] if ran else []),
    ]


def _age_lines(ran: EvidenceRun | None, since: Age | None) -> list[str]:
    """Lines about the run behind the states, and whether the code has changed since."""
    if ran is None or since is None:
        return [shown(_NO_RUN)]
    run = {"date": ran.date, "code": ran.key, "python": ran.python, "system": ran.system}
    lines = [shown(_EVIDENCE, tests=ran.tests, **run)]
    if since.changed:
        named = f" ({', '.join(since.changed)})" if len(since.changed) <= _FILES_SHOWN else ""
        changed = shown(_CODE_CHANGED, files=len(since.changed), named=named)
        lines.append(changed + (shown(_ANEW) if since.whole else ""))
    elif since.whole:
        lines.append(shown(_SAME_CODE))
    if not since.whole:
        lines.append(shown(_NO_SOURCES))
    return lines


def _unknown(stated: tuple[Requirement, ...], confirmed: dict[str, Confirmation], path: Path) -> list[str]:
    gone = confirmations.unknown_numbers(stated, confirmed)
    return [shown(_GONE, path=path, numbers=", ".join(gone))] if gone else []


@spec_cli.command("show")
def spec_show(
    number: Annotated[str, typer.Argument(help="Number of a requirement, as R1.5.")],
    results: ResultsFile = None,
    file: ConfirmedFile = None,
) -> None:
    """Show one requirement: source, meaning, acceptance test, state, the tests that show it, open questions."""
    one, ran = document.named(_stated(), number), _evidence(results)
    confirmed = confirmations.read_confirmations(_confirmed_file(file))
    figures = read_figures(MEASURED, named=False)
    OUT.print(Indented(pages.as_text(one, ran, confirmed.get(one.number), figures, language())))
    for line in _age_lines(ran, _age(ran)):
        OUT.print(line)


@spec_cli.command("page")
def spec_page(
    out: Annotated[Path, typer.Option(help="FILE.html or FILE.pdf.")],
    results: ResultsFile = None,
    file: ConfirmedFile = None,
    measured: Annotated[
        Path | None, typer.Option(help="Figures written by `duanka spec measure`; default: the shipped ones.")
    ] = None,
    only: Annotated[
        Literal["zh", "en", "both"] | None,
        typer.Option(
            "--language",
            help="zh, en or both; default: the language of the settings or the locale, else both.",
        ),
    ] = None,
) -> None:
    """Write all requirements as a page to read: what each is, where it comes from, whether it works, what is open."""
    files.may_export(out, "--out", settings.load_settings(), earlier=files.SPECIFICATION)
    ran, path = _evidence(results), _confirmed_file(file)
    since, confirmed = _age(ran), confirmations.read_confirmations(path)
    figures = read_figures(measured or MEASURED, named=measured is not None)
    preface = document.read_preface(shipped("", "SPECIFICATION.md"))
    of_page = None if only == "both" else asked_for(only) or said_language()
    pages.write_page(out, preface, _stated(), ran, since, confirmed, figures, of_page)
    OUT.print(shown(_WRITTEN, path=out))
    if not (of_page or only):
        OUT.print(shown(_IN_BOTH))
    for line in _age_lines(ran, since):
        OUT.print(line)


@spec_cli.command("measure")
def spec_measure(
    data: Annotated[
        Path, typer.Argument(help="Records with truth.parquet beside them: `duanka simulate DIR`.")
    ],
    out: Annotated[Path, typer.Option(help="File of figures for `duanka spec page --measured`.")] = Path(
        "measured.json"
    ),
) -> None:
    """Measure what other answers to the open questions would do on an invented province."""
    files.may_export(out, "--out", settings.load_settings(), earlier=files.FIGURES)
    figures = app_questions.measure(data, _stated(), OUT.print)
    write_figures(figures, out)
    OUT.print(shown(_WRITTEN_NEXT, path=out))


@spec_cli.command("confirm")
def spec_confirm(
    number: Annotated[str, typer.Argument(help="Number of a requirement, as R1.5.")],
    by: Annotated[str, typer.Option(help="Who confirms it.")],
    choose: Annotated[
        list[str] | None,
        typer.Option(
            help="An answer to its open question, by its code; once for each question. Earlier answers to others stay."
        ),
    ] = None,
    note: Annotated[str, typer.Option(help="What is to be remembered with it.")] = "",
    file: ConfirmedFile = None,
) -> None:
    """Confirm a requirement as it reads now, and choose answers to its open questions."""
    stated, path = _stated(), _confirmed_file(file)
    today = operator_zone().now().date()
    made = confirmations.confirm(path, stated, number, by, today, choose or (), note)
    OUT.print(shown(_CONFIRMED, number=made.number, by=made.by, on=made.on, path=path))
    for question in document.named(stated, made.number).questions:
        code = made.chose(question)
        said = {
            "title": shown(in_two(question.title)),
            "code": code or question.chosen.code,
            "codes": ", ".join(answer.code for answer in question.answers),
            "change": shown(question.changed_by),
        }
        words = _CHOSE_OTHER if code and code != question.chosen.code else _CHOSE_OURS if code else _OURS
        OUT.print(shown(words, **said))
