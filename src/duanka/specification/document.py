"""Parser of SPECIFICATION.md: requirements with sources, and open questions."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Literal, cast

from duanka.domain.errors import DuankaError, UnreadableInput
from duanka.domain.text import BilingualText

State = Literal["works", "partly", "not yet"]
STATE_WORDS: Mapping[State, BilingualText] = {
    "works": BilingualText("已实现", "works"),
    "partly": BilingualText("部分实现", "partly"),
    "not yet": BilingualText("未实现", "not yet"),
}
_HEADING = re.compile(r"^#{2,4} (R\d+(?:\.\d+)?) (.+)$")
_QUESTION = re.compile(r"^#{2,4} Question (R\d+(?:\.\d+)?): (.+)$")
_OTHER_HEADING = re.compile(r"^#{1,6} ")
_ITEM = re.compile(r"^- \*\*(.+?)\*\*:(?: (.*))?$")
_STATE = re.compile(r"(works|partly|not yet)\b(.*)", re.DOTALL)
_ANSWER = re.compile(r"^`([a-z0-9]+(?:-[a-z0-9]+)*)`: (.+)$", re.DOTALL)
_GRADE = re.compile(r"\((S[123]|K)\)")
# items that a project lead confirms; State and Room may change without a new confirmation
_CONFIRMED = ("Source", "出处", "Means", "含义", "Shown by", "验收")


@dataclass(frozen=True)
class AnswerOption:
    """A possible answer to a question: its code, and its text as English · Chinese."""

    code: str
    text: str

    @property
    def words(self) -> BilingualText:
        """The text in two languages."""
        return in_two(self.text)


@dataclass(frozen=True)
class OpenQuestion:
    """A question that the sources leave open.

    `chosen`: the default answer; `others`: the alternatives. `changed_by`: the setting, or other change, that
    selects another answer; `would`: its effect in words. `measured_by`: the command that measures this effect
    on records; "": none.
    """

    number: str
    title: str
    chosen: AnswerOption
    others: tuple[AnswerOption, ...]
    changed_by: BilingualText
    would: BilingualText
    measured_by: str

    @property
    def answers(self) -> tuple[AnswerOption, ...]:
        """All answers, the default first."""
        return (self.chosen, *self.others)


@dataclass(frozen=True)
class Requirement:
    """A numbered requirement.

    `state`: as stated in the document; `still`: the remark after it. `items`: name -> text of each item in
    Markdown.
    """

    number: str
    title: str
    state: State
    still: str = ""
    items: dict[str, str] = field(default_factory=dict, hash=False)
    questions: tuple[OpenQuestion, ...] = ()

    @property
    def grades(self) -> tuple[str, ...]:
        """Grades of its sources, as named in the document."""
        return tuple(dict.fromkeys(_GRADE.findall(self.items.get("Source", ""))))

    @property
    def digest(self) -> str:
        """SHA-256 of the confirmed text, white space collapsed; 16 hex digits."""
        texts = [self.number, self.title, *(f"{name}: {self.items.get(name, '')}" for name in _CONFIRMED)]
        for one in self.questions:
            answers = [f"{answer.code}: {answer.text}" for answer in one.answers]
            texts += [one.title, *answers, *one.changed_by, *one.would]
        plain = "\n".join(" ".join(text.split()) for text in texts)
        return sha256(plain.encode()).hexdigest()[:16]


@dataclass
class _Section:
    """A heading of the document with its items."""

    number: str
    title: str
    question: bool
    items: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Preface:
    """Introduction. `sources`: with grade; `words`: with meaning; `limits`: what the system does not do."""

    sources: tuple[tuple[BilingualText, str], ...]
    words: tuple[tuple[str, BilingualText], ...]
    limits: tuple[BilingualText, ...]


def read_preface(path: Path) -> Preface:
    """Read the introduction; parts missing in the document are empty."""
    text = path.read_text(encoding="utf-8")
    sources = tuple((BilingualText(zh, en), grade) for en, zh, grade in _rows(_part(text, "Sources")))
    words = tuple((word, BilingualText(zh, en)) for word, zh, en in _rows(_part(text, "Words")))
    limits = re.split(r"^- ", _part(text, "What the system does not do"), flags=re.MULTILINE)[1:]
    return Preface(sources, words, tuple(in_two(" ".join(one.split())) for one in limits))


def in_two(text: str) -> BilingualText:
    """Split `English · Chinese`; a text without the separator is the same in both."""
    en, _, zh = text.rpartition(" · ")
    return BilingualText(zh, en or zh)


def _rows(table: str) -> list[list[str]]:
    """Rows of a table with three columns, without its header."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return [row for row in rows if len(row) == 3 and not set(row[1]) <= set("-: ")][1:]


def _part(text: str, title: str) -> str:
    found = re.search(rf"^#+ {title}\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def read(path: Path) -> tuple[Requirement, ...]:
    """Read the requirements. UnreadableInput: one has no state, or a question is incomplete."""
    sections = _sections(path.read_text(encoding="utf-8"))
    questions = [_question(path, one) for one in sections if one.question]
    found = [_requirement(path, one, questions) for one in sections if not one.question]
    known = {one.number for one in found}
    for question in questions:
        if question.number not in known:
            raise UnreadableInput(f"{path}: a question is about {question.number}, which is no requirement")
    return tuple(found)


def named(requirements: Sequence[Requirement], number: str) -> Requirement:
    """The requirement with this number. DuankaError: unknown; hints at a similar one."""
    by_number = {one.number: one for one in requirements}
    if found := by_number.get(number.upper()):
        return found
    near = difflib.get_close_matches(number.upper(), by_number, 1)
    hint = f"did you mean {near[0]}?" if near else "`duanka spec` lists them"
    raise DuankaError(f"there is no requirement {number!r:.40}; {hint}")


def _sections(text: str) -> list[_Section]:
    found, name = list[_Section](), ""
    here: _Section | None = None
    for line in text.splitlines():
        if heading := _QUESTION.match(line) or _HEADING.match(line):
            here, name = _Section(heading[1], heading[2], heading.re is _QUESTION), ""
            found.append(here)
        elif _OTHER_HEADING.match(line):
            here = None
        elif here and (item := _ITEM.match(line)):
            name = item[1]
            here.items[name] = item[2] or ""
        elif here and name:
            here.items[name] += f"\n{line.removeprefix('  ')}"
    for one in found:
        one.items = {name: text.strip() for name, text in one.items.items()}
    return found


def _requirement(path: Path, section: _Section, questions: Sequence[OpenQuestion]) -> Requirement:
    state = _STATE.match(section.items.get("State", ""))
    if not state:
        raise UnreadableInput(f"{path}: {section.number} has no line `- **State**: works|partly|not yet`")
    own = tuple(one for one in questions if one.number == section.number)
    still = state[2].strip().removeprefix(":").strip().rstrip(".")
    return Requirement(section.number, section.title, cast("State", state[1]), still, section.items, own)


def _question(path: Path, section: _Section) -> OpenQuestion:
    def said(name: str) -> str:
        if text := section.items.get(name, ""):
            return text
        raise UnreadableInput(
            f"{path}: the question {section.number} {section.title!r} has no line `- **{name}**: …`"
        )

    chosen, *more = (_answer(path, section, text) for text in (said("Chosen"), *_listed(said("Or"))))
    return OpenQuestion(
        section.number,
        section.title,
        chosen,
        tuple(more),
        BilingualText(section.items.get("更改", said("Changed by")), said("Changed by")),
        BilingualText(section.items.get("后果", said("Would")), said("Would")),
        section.items.get("Measured by", "").strip("`"),
    )


def _listed(text: str) -> list[str]:
    """Entries of a list; a line that begins with a code starts a new one."""
    entries = list[str]()
    for line in text.splitlines():
        if line.startswith("`") or not entries:
            entries.append(line)
        else:
            entries[-1] += f" {line.strip()}"
    return entries


def _answer(path: Path, section: _Section, text: str) -> AnswerOption:
    found = _ANSWER.match(" ".join(text.split()))
    if not found:
        raise UnreadableInput(
            f"{path}: an answer of the question {section.number} must be a code and what it says,"
            f" like `at-once`: …, not {text!r:.60}"
        )
    return AnswerOption(found[1], found[2])
