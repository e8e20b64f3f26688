"""The page for a project lead: every requirement, its source, state and evidence, and what is to be confirmed."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from duanka.domain.errors import DuankaError
from duanka.domain.private_files import put_in_place
from duanka.specification.confirmations import Confirmation, Standing, standing_of
from duanka.specification.document import Answer, Preface, Question, Requirement, State
from duanka.specification.evidence import Age, Evidence
from duanka.specification.figures import Figures
from duanka.specification.states import state_of

_HERE = Path(__file__).parent
_INLINE = re.compile(r"`([^`]+)`|\*\*(.+?)\*\*|\[([^\]]+)\]\([^)]*\)")
STATE_WORDS: Mapping[State, str] = {"works": "已实现", "partly": "部分实现", "not yet": "尚未实现"}
STANDING_WORDS: Mapping[Standing, str] = {
    "not confirmed": "未确认",
    "confirmed": "已确认",
    "confirm again": "文字已变，请重新确认",
}
GRADES = {
    "S1": ("primary text: a law, a notice, a standard", "原文：法律、通知、标准"),
    "S2": ("press or official statement", "新闻或官方表述"),
    "S3": ("a weak page", "较弱的网页"),
    "K": ("common knowledge, which means ours", "行业常识，即我们所定"),
}
Confirmed = Mapping[str, Confirmation]
Runs = list[dict[str, str]]


def as_data(
    stated: Sequence[Requirement],
    ran: Evidence | None,
    since: Age | None,
    confirmed: Confirmed,
    figures: Figures | None = None,
) -> dict[str, Any]:
    """Everything that is known, for programs and for the page."""
    requirements = [_requirement(one, ran, confirmed.get(one.number), figures) for one in stated]
    states, standings = (Counter(one[key] for one in requirements) for key in ("state", "standing"))
    return {
        "totals": {
            "requirements": len(requirements),
            **{name.replace(" ", "_"): states[name] for name in STATE_WORDS},
            **{name.replace(" ", "_"): standings[name] for name in STANDING_WORDS},
            "questions": sum(len(one["questions"]) for one in requirements),
        },
        "evidence": _evidence(ran, since),
        "figures": {"date": figures.date, "version": figures.version, "data": figures.data}
        if figures
        else None,
        "requirements": requirements,
    }


def _evidence(ran: Evidence | None, since: Age | None) -> dict[str, Any] | None:
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
    one: Requirement, ran: Evidence | None, confirmation: Confirmation | None, figures: Figures | None
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
        "grades": list(one.grades),
        "means": one.items.get("Means", ""),
        "means_zh": one.items.get("含义", ""),
        "shown_by": one.items.get("Shown by", ""),
        "room": one.items.get("Room", ""),
        "text": one.digest,
        "tests": {
            "passed": passed,
            "failed": failed,
            "files": {file: {"passed": n.passed, "failed": n.failed} for file, n in files.items()},
        },
        "standing": standing_of(one, {one.number: confirmation} if confirmation else {}),
        "confirmation": made,
        "questions": [_question(question, confirmation, figures) for question in one.questions],
    }


def _question(
    question: Question, confirmation: Confirmation | None, figures: Figures | None
) -> dict[str, Any]:
    measured = figures.measured.get(question.measured_by) if figures else None
    return {
        "title": question.title,
        "chosen": _answer(question.chosen),
        "others": [_answer(one) for one in question.others],
        "lead_chose": confirmation.chose(question) if confirmation else "",
        "changed_by": question.changed_by,
        "would": question.would,
        "measured_by": question.measured_by,
        "measured": {"command": measured.command, "rows": [vars(row) for row in measured.rows]}
        if measured
        else None,
    }


def _answer(answer: Answer) -> dict[str, str]:
    return {"code": answer.code, "text": answer.text}


def as_text(one: Requirement, ran: Evidence | None, confirmation: Confirmation | None) -> str:
    """One requirement with all that is known of it, for a terminal."""
    data = _requirement(one, ran, confirmation, None)
    lines = [f"{one.number} {one.title}", ""]
    names = ("Source", "Means", "含义", "Shown by", "Room")
    lines += [f"{name}: {_plain(one.items.get(name, ''))}" for name in names]
    lines.append(f"State: {data['state']}" + (f" ({_plain(one.still)})" if one.still else ""))
    lines += [f"  {file}: {n['passed']} passed" + (f", {n['failed']} not" if n["failed"] else "")
              for file, n in data["tests"]["files"].items()]  # fmt: skip
    made = data["confirmation"]
    lines.append(f"Confirmed: {data['standing']}" + (f" ({made['by']}, {made['on']})" if made else ""))
    for question in data["questions"]:
        lines += [
            "",
            _plain(question["title"]),
            f"  ours: {question['chosen']['code']}: {_plain(question['chosen']['text'])}",
        ]
        lines += [f"  or: {other['code']}: {_plain(other['text'])}" for other in question["others"]]
        if question["lead_chose"]:
            lines.append(f"  the lead chose: {question['lead_chose']}")
        lines.append(f"  changed by {_plain(question['changed_by'])}")
        lines.append(f"  another answer would {_plain(question['would'])}")
        if question["measured_by"]:
            lines.append(f"  measured by {question['measured_by']}")
    return "\n".join([*lines, ""])


def _plain(text: str) -> str:
    """Markdown without its marks, on one line; a table row by row."""
    lines = [re.sub(r"\s*\|\s*", "; ", line.strip().strip("|").strip()) for line in text.splitlines()]
    kept = (line for line in lines if not re.fullmatch(r"[-; :]*", line))
    return _INLINE.sub(lambda found: found[1] or found[2] or found[3], " ".join(kept))


def write_page(
    path: Path,
    preface: Preface,
    stated: Sequence[Requirement],
    ran: Evidence | None,
    since: Age | None,
    confirmed: Confirmed,
    figures: Figures | None,
) -> None:
    """Write the page to FILE.html or FILE.pdf, whole or not at all. DuankaError where it can be neither."""
    kind = path.suffix.lower()
    if kind not in (".html", ".pdf"):
        raise DuankaError(f"{path}: the page is a FILE.html or a FILE.pdf")
    if not path.absolute().parent.is_dir():
        raise DuankaError(f"{path}: the folder {path.parent} does not exist; make it, or name another")
    content = _for_page(as_data(stated, ran, since, confirmed, figures))
    content |= {
        "words": [list(one) for one in preface.words],
        "limits": [runs(one) for one in preface.limits],
    }
    made = _html(content).encode() if kind == ".html" else _pdf(content)
    with put_in_place(path) as aside:
        aside.write_bytes(made)


def _for_page(data: dict[str, Any]) -> dict[str, Any]:
    """The same with Markdown taken apart, so that a page needs to know nothing of it."""
    for one in data["requirements"]:
        one["title_en"], _, one["title_zh"] = one["title"].partition(" · ")
        one["state_zh"], one["standing_zh"] = STATE_WORDS[one["state"]], STANDING_WORDS[one["standing"]]
        one["level"] = 2 if "." in one["number"] else 1
        for name in ("source", "means", "means_zh", "shown_by", "still"):
            one[name] = blocks(one[name])
        for question in one["questions"]:
            question["title_en"], _, question["title_zh"] = question["title"].partition(" · ")
            for answer in (question["chosen"], *question["others"]):
                answer["text_en"], _, answer["text_zh"] = answer["text"].partition(" · ")
                answer["text_en"] = runs(answer["text_en"])
            question["changed_by"], question["would"] = runs(question["changed_by"]), runs(question["would"])
    data["grades"] = [{"grade": grade, "en": en, "zh": zh} for grade, (en, zh) in GRADES.items()]
    return data


def blocks(text: str) -> list[dict[str, Any]]:
    """Markdown of an item as blocks: paragraphs of runs, and tables of cells."""
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
    """Markdown of one line as runs: text, code, strong. A link is its words: the page stands alone."""
    found, at = Runs(), 0
    for mark in _INLINE.finditer(text):
        found += [{"kind": "text", "text": text[at : mark.start()]}] if mark.start() > at else []
        kind = "code" if mark[1] else "strong" if mark[2] else "text"
        found.append({"kind": kind, "text": mark[1] or mark[2] or mark[3]})
        at = mark.end()
    return [*found, {"kind": "text", "text": text[at:]}] if at < len(text) else found


def _html(content: dict[str, Any]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415  # a quarter of the command

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
        ignore_system_fonts=True,  # the same page on every machine
    )
    return made
