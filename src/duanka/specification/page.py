"""Report for the project lead: each requirement with source, state and evidence."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from duanka.domain.errors import DuankaError
from duanka.domain.private_files import put_in_place
from duanka.domain.text import BilingualText, Language
from duanka.specification.confirmations import Confirmation, Standing, standing_of
from duanka.specification.document import (
    STATE_WORDS,
    AnswerOption,
    OpenQuestion,
    Preface,
    Requirement,
    in_two,
)
from duanka.specification.evidence import Age, EvidenceRun, state_of
from duanka.specification.figures import MeasuredFigures

_HERE = Path(__file__).parent
_INLINE = re.compile(r"`([^`]+)`|\*\*(.+?)\*\*|\[([^\]]+)\]\([^)]*\)")
STANDING_WORDS: Mapping[Standing, BilingualText] = {
    "not confirmed": BilingualText("未确认", "not confirmed"),
    "confirmed": BilingualText("已确认", "confirmed"),
    "confirm again": BilingualText("文字已变，须重新确认", "its text has changed, confirm again"),
}
GRADES = {
    "S1": ("primary text: a law, a notice, a standard", "原文：法律、通知、标准"),
    "S2": ("press or official statement", "新闻或官方表述"),
    "S3": ("a weak page", "较弱的网页"),
    "K": ("our own choice from common knowledge", "行业常识，即我们所定"),
}
Confirmed = Mapping[str, Confirmation]
Runs = list[dict[str, str]]


def as_data(
    stated: Sequence[Requirement],
    ran: EvidenceRun | None,
    since: Age | None,
    confirmed: Confirmed,
    figures: MeasuredFigures | None = None,
) -> dict[str, Any]:
    """All data of the report, in JSON form, for programs and for the page."""
    requirements = [_requirement(one, ran, confirmed.get(one.number), figures) for one in stated]
    states, standings = (Counter(one[key] for one in requirements) for key in ("state", "standing"))
    return {
        "totals": {
            "requirements": len(requirements),
            **{name.replace(" ", "_"): states[name] for name in STATE_WORDS},
            **{name.replace(" ", "_"): standings[name] for name in STANDING_WORDS},
            "questions": sum(len(one["questions"]) for one in requirements),
            "open_questions": sum(
                len(one["questions"]) for one in requirements if one["standing"] != "confirmed"
            ),
        },
        "evidence": _evidence(ran, since),
        "figures": {
            "date": figures.date,
            "version": figures.version,
            "data": figures.data,
            "cards": figures.cards,
        }
        if figures
        else None,
        "requirements": requirements,
    }


def _evidence(ran: EvidenceRun | None, since: Age | None) -> dict[str, Any] | None:
    if ran is None or since is None:
        return None
    about = {name: getattr(ran, name) for name in ("date", "version", "python", "system", "tests", "key")}
    return {
        **about,
        "changed": list(since.changed),
        "tests_compared": since.whole,
        "failed": list(ran.failed),
    }


def _requirement(
    one: Requirement,
    ran: EvidenceRun | None,
    confirmation: Confirmation | None,
    figures: MeasuredFigures | None,
) -> dict[str, Any]:
    state, _ = state_of(one, ran)
    passed, failed = ran.tests_of(one.number) if ran else (0, 0)
    files = ran.shown.get(one.number, {}) if ran else {}
    made = (
        {"by": confirmation.by, "on": f"{confirmation.on}", "note": confirmation.note}
        if confirmation
        else None
    )
    return {
        "number": one.number,
        "title": one.title,
        "state": state,
        "stated": one.state,
        "still": one.still,
        "source": one.items.get("Source", ""),
        "source_zh": one.items.get("出处", ""),
        "grades": list(one.grades),
        "means": one.items.get("Means", ""),
        "means_zh": one.items.get("含义", ""),
        "shown_by": one.items.get("Shown by", ""),
        "shown_by_zh": one.items.get("验收", ""),
        "room": one.items.get("Room", ""),
        "text": one.digest,
        "tests": {
            "passed": passed,
            "failed": failed,
            "files": {file: {"passed": n.passed, "failed": n.failed} for file, n in files.items()},
        },
        "check": f".venv/bin/pytest --requirement {one.number}" if one.state != "not yet" else "",
        "standing": standing_of(one, {one.number: confirmation} if confirmation else {}),
        "confirmation": made,
        "questions": [_question(question, confirmation, figures) for question in one.questions],
    }


def _question(
    question: OpenQuestion, confirmation: Confirmation | None, figures: MeasuredFigures | None
) -> dict[str, Any]:
    measured = figures.measured.get(question.measured_by) if figures else None
    return {
        "title": question.title,
        "chosen": _answer(question.chosen),
        "others": [_answer(one) for one in question.others],
        "lead_chose": confirmation.chose(question) if confirmation else "",
        "changed_by": question.changed_by.en,
        "changed_by_zh": question.changed_by.zh,
        "would": question.would.en,
        "would_zh": question.would.zh,
        "measured_by": question.measured_by,
        "measured": {"command": measured.command, "rows": [dict(vars(row)) for row in measured.rows]}
        if measured
        else None,
    }


def _answer(answer: AnswerOption) -> dict[str, str]:
    return {"code": answer.code, "text": answer.text}


def as_text(
    one: Requirement,
    ran: EvidenceRun | None,
    confirmation: Confirmation | None,
    figures: MeasuredFigures | None,
    language: Language,
) -> str:
    """One requirement with all its data, for a terminal; details are indented below their line."""
    data = _requirement(one, ran, confirmation, figures)
    say = partial(_said, language)
    lines = [f"{one.number} {in_two(one.title).in_(language)}", ""]
    for zh, en in (("出处", "Source"), ("含义", "Means"), ("验收", "Shown by")):
        lines.append(say(zh, en, one.items.get(zh if language == "zh" else en) or one.items.get(en, "")))
    lines.append(say("模块", "Room", one.items.get("Room", "")))
    still = f" ({_plain(in_two(one.still).in_(language))})" if one.still else ""
    if data["state"] != one.state:
        still += f" (SPECIFICATION.md: {STATE_WORDS[one.state].in_(language)})"
    lines.append(say("状态", "State", STATE_WORDS[data["state"]].in_(language) + still))
    lines += _tests(data, language)
    made = data["confirmation"]
    by = ", ".join(filter(None, (made["by"], made["on"], made["note"]))) if made else ""
    standing = STANDING_WORDS[data["standing"]].in_(language)
    lines.append(say("确认", "Confirmed", standing + (f" ({by})" if by else "")))
    for question, known in zip(one.questions, data["questions"], strict=True):
        lines += ["", *_question_lines(question, known, language)]
    if data["standing"] != "confirmed":
        lines += ["", say("确认命令", "To confirm it", ""), f"  {_command(data)}"]
    return "\n".join([*lines, ""])


def _said(language: Language, zh: str, en: str, text: str) -> str:
    return f"{zh}：{_plain(text)}" if language == "zh" else f"{en}: {_plain(text)}".rstrip()


def _tests(data: Mapping[str, Any], language: Language) -> list[str]:
    """Test files of a requirement, and the command to run them."""
    passed, failed = (BilingualText("{n} 项通过", "{n} passed"), BilingualText("，{n} 项未通过", ", {n} not"))
    lines = list[str]()
    for file, n in data["tests"]["files"].items():
        not_passed = failed.in_(language).format(n=n["failed"]) if n["failed"] else ""
        lines.append(f"  {file}: {passed.in_(language).format(n=n['passed'])}{not_passed}")
    if data["check"]:
        lines.append(_said(language, "自行检验", "Check it", data["check"]))
    return lines


def _question_lines(question: OpenQuestion, known: Mapping[str, Any], language: Language) -> list[str]:
    say = partial(_said, language)
    lines = [_plain(in_two(question.title).in_(language))]
    for at, answer in enumerate(question.answers):
        name = ("  我们所选", "  ours") if at == 0 else ("  或", "  or")
        lines.append(say(*name, f"{answer.code}: {answer.words.in_(language)}"))
    if known["lead_chose"]:
        lines.append(say("  负责人所选", "  the lead chose", known["lead_chose"]))
    lines.append(say("  更改方法", "  changed by", question.changed_by.in_(language)))
    lines.append(say("  另选的后果", "  another answer would", question.would.in_(language)))
    if measured := known["measured"]:
        lines.append(say("  实测", "  measured", measured["command"]))
        counts = BilingualText(
            "{what_zh}：{cards:,} 个号码，涉诈 {fraud:,}，正常 {honest:,}",
            "{what}: {cards:,} cards, {fraud:,} fraud, {honest:,} honest",
        )
        lines += [f"    {counts.in_(language).format(**row)}" for row in measured["rows"]]
    elif question.measured_by:
        lines.append(say("  测量", "  measured by", question.measured_by))
    return lines


def _plain(text: str) -> str:
    """Remove Markdown formatting and join all lines; `; ` separates table cells."""
    lines = [re.sub(r"\s*\|\s*", "; ", line.strip().strip("|").strip()) for line in text.splitlines()]
    kept = (line for line in lines if not re.fullmatch(r"[-; :]*", line))
    return _INLINE.sub(lambda found: found[1] or found[2] or found[3], " ".join(kept))


def write_page(
    path: Path,
    preface: Preface,
    stated: Sequence[Requirement],
    ran: EvidenceRun | None,
    since: Age | None,
    confirmed: Confirmed,
    figures: MeasuredFigures | None,
    language: Language | None = None,
) -> None:
    """Write FILE.html or .pdf, atomically; `language` None: both. DuankaError: wrong extension or folder."""
    kind = path.suffix.lower()
    if kind not in (".html", ".pdf"):
        raise DuankaError(f"{path}: the page is a FILE.html or a FILE.pdf")
    if not path.absolute().parent.is_dir():
        raise DuankaError(f"{path}: the folder {path.parent} does not exist; make it, or name another")
    content = _for_page(as_data(stated, ran, since, confirmed, figures))
    content |= {
        "languages": [language] if language else ["zh", "en"],
        "sources": [{**_both("text", text), "grade": grade} for text, grade in preface.sources],
        "words": [{"word": word, **_both("text", text)} for word, text in preface.words],
        "limits": [_both("text", text) for text in preface.limits],
    }
    made = _html(content).encode() if kind == ".html" else _pdf(content)
    with put_in_place(path) as aside:
        aside.write_bytes(made)


def _for_page(data: dict[str, Any]) -> dict[str, Any]:
    """Parse the Markdown in `data`, in place, so that templates need no parser."""
    for one in data["requirements"]:
        one["title_zh"], one["title_en"] = in_two(one["title"])
        one["state_zh"] = STATE_WORDS[one["state"]].zh
        one["standing_zh"], one["standing_en"] = STANDING_WORDS[one["standing"]]
        one["level"] = 2 if "." in one["number"] else 1
        one.update(_both("still", in_two(one["still"])))
        for name in ("source", "means", "shown_by"):
            one[f"{name}_en"], one[f"{name}_zh"] = blocks(one[name]), blocks(one[f"{name}_zh"])
        one["confirm"] = _command(one)
        for question in one["questions"]:
            question["title_zh"], question["title_en"] = in_two(question["title"])
            question.update(
                _both("changed_by", BilingualText(question["changed_by_zh"], question["changed_by"]))
            )
            question.update(_both("would", BilingualText(question["would_zh"], question["would"])))
            for row in (question["measured"] or {"rows": []})["rows"]:
                row.update({name: f"{row[name]:,}" for name in ("cards", "fraud", "honest")})
            for answer in (question["chosen"], *question["others"]):
                answer.update(_both("text", in_two(answer["text"])))
    if data["figures"]:
        data["figures"]["count"] = f"{data['figures']['cards']:,}"
    data["open"] = [
        (one["number"], question)
        for one in data["requirements"]
        if one["standing"] != "confirmed"
        for question in one["questions"]
    ]
    data["grades"] = [{"grade": grade, "en": en, "zh": zh} for grade, (en, zh) in GRADES.items()]
    return data


def _command(one: Mapping[str, Any]) -> str:
    """Command that confirms a requirement with its present answers; the lead may replace a code."""
    chosen = (question["lead_chose"] or question["chosen"]["code"] for question in one["questions"])
    return " ".join(
        (f"duanka spec confirm {one['number']} --by NAME", *(f"--choose {code}" for code in chosen))
    )


def _both(name: str, text: BilingualText) -> dict[str, Runs]:
    """Both languages as runs; English is empty if it is equal, as for a setting or command."""
    zh, en = (" ".join(one.split()) for one in text)
    return {f"{name}_zh": runs(zh), f"{name}_en": runs(en) if en != zh else []}


def blocks(text: str) -> list[dict[str, Any]]:
    """Parse an item's Markdown to blocks: paragraphs of runs, and tables of cells."""
    found = list[dict[str, Any]]()
    for part in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in part.splitlines()]
        if lines and lines[0].startswith("|"):
            cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
            found.append(
                {"rows": [row for row in cells if not all(re.fullmatch("[-:]+", one) for one in row)]}
            )
        elif part:
            found.append({"runs": runs(" ".join(lines))})
    return found


def runs(text: str) -> Runs:
    """Parse a line of Markdown to runs: text, code, strong. A link becomes its text."""
    found, at = Runs(), 0
    for mark in _INLINE.finditer(text):
        found += [{"kind": "text", "text": text[at : mark.start()]}] if mark.start() > at else []
        kind = "code" if mark[1] else "strong" if mark[2] else "text"
        found.append({"kind": kind, "text": mark[1] or mark[2] or mark[3]})
        at = mark.end()
    return [*found, {"kind": "text", "text": text[at:]}] if at < len(text) else found


def _html(content: dict[str, Any]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415  # takes a quarter of the command's time

    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(**content)


def _pdf(content: dict[str, Any]) -> bytes:
    try:
        typst, fonts = import_module("typst"), import_module("pylopdf_fonts_zh_cn")
    except ImportError as error:
        raise DuankaError(
            f"a PDF needs the Python package {error.name}, which is not installed: `make setup`, or name a FILE.html"
        ) from error
    made: bytes = typst.compile(
        str(_HERE / "page.typ"),
        format="pdf",
        sys_inputs={"content": json.dumps(content)},
        font_paths=[str(fonts.sans_path().parent)],
        ignore_system_fonts=True,  # same result on every machine
    )
    return made
