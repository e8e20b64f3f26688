"""CONFIRMED.toml: confirmed requirements, their wording, and chosen answers."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from duanka.domain.errors import DuankaError, UnreadableInput
from duanka.domain.private_files import put_in_place
from duanka.domain.text import BilingualText
from duanka.specification.document import OpenQuestion, Requirement, named

FILE = "CONFIRMED.toml"
Standing = Literal["not confirmed", "confirmed", "confirm again"]
AGAIN = BilingualText("须重新确认", "confirm again")
_HEAD = """\
# What the project lead confirmed of SPECIFICATION.md. Written by `duanka spec confirm`; keep it with the sources.
# `text` stands for the words that were confirmed: when they change, the requirement reads "confirm again".
"""
_KEYS = ("text", "by", "on", "choose", "note")


@dataclass(frozen=True)
class Confirmation:
    """One confirmation. `text`: digest of the words confirmed; `choose`: codes, one per question."""

    number: str
    text: str
    by: str
    on: date
    choose: tuple[str, ...] = ()
    note: str = ""

    def chose(self, question: OpenQuestion) -> str:
        """Code of the answer chosen for a question; "": the default answer applies."""
        return next((answer.code for answer in question.answers if answer.code in self.choose), "")


def read_confirmations(path: Path) -> dict[str, Confirmation]:
    """Read confirmations by requirement number; empty without a file. UnreadableInput: invalid."""
    if not path.exists():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise UnreadableInput(
            f"{path}: is not TOML ({error}); mend that line, or name another with --file"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UnreadableInput(f"{path}: cannot be read ({why}); name another with --file") from error
    return {number: _confirmation(path, number, row) for number, row in content.items()}


def _confirmation(path: Path, requirement: str, row: object) -> Confirmation:
    like = f'like ["R1.5"] with {", ".join(_KEYS[:3])}'
    if not isinstance(row, dict):
        raise UnreadableInput(
            f"{path}: {requirement} must be a section {like}; `duanka spec confirm` writes it"
        )
    for key in row:
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_KEYS)}"
            raise UnreadableInput(f"{path}: {requirement}: unknown key {key}; {hint}")
    chosen, note = row.get("choose", []), row.get("note", "")
    texts = (row.get("text"), row.get("by"), note)
    fine = all(isinstance(text, str) for text in texts) and type(row.get("on")) is date
    if not (fine and isinstance(chosen, list) and all(isinstance(one, str) for one in chosen)):
        raise UnreadableInput(
            f"{path}: {requirement} must be a section {like}: texts in quotes, on a day, choose a list of texts;"
            f" `duanka spec confirm {requirement} --by NAME` writes it again"
        )
    return Confirmation(requirement, row["text"], row["by"], row["on"], tuple(chosen), note)


def confirm(
    path: Path,
    requirements: Sequence[Requirement],
    number: str,
    by: str,
    on: date,
    choose: Iterable[str] = (),
    note: str = "",
) -> Confirmation:
    """Record that `by` confirmed a requirement in its present wording.

    Replaces an earlier confirmation, but keeps its answers to questions that are not in `choose`.
    DuankaError: no such requirement or answer, or `by` is empty.
    """
    requirement = named(requirements, number)
    by, note = (" ".join(text.split()) for text in (by, note))
    if not by:
        raise DuankaError("who confirms? --by NAME")
    confirmations = read_confirmations(path)
    before = confirmations.get(requirement.number)
    chosen = _chosen(requirement, tuple(choose), before.choose if before else ())
    made = Confirmation(requirement.number, requirement.digest, by, on, chosen, note)
    order = {one.number: at for at, one in enumerate(requirements)}
    every = {**confirmations, made.number: made}
    rows = sorted(every.values(), key=lambda one: (order.get(one.number, len(order)), one.number))
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else None
    with put_in_place(path) as aside:
        aside.write_text(_HEAD + "".join(map(_toml, rows)), encoding="utf-8")
        if mode is not None:
            aside.chmod(mode)
    return made


def _chosen(requirement: Requirement, choose: tuple[str, ...], before: tuple[str, ...]) -> tuple[str, ...]:
    """The chosen answers, in the order of the questions."""
    answers = {answer.code: question for question in requirement.questions for answer in question.answers}
    asked = dict[int, str]()
    for code in choose:
        if code not in answers:
            there_are = ", ".join(answers) if answers else "none: it leaves no question open"
            near = difflib.get_close_matches(code, answers, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise DuankaError(
                f"{requirement.number} has no answer {code!r:.40}{hint or '.'} Answers: {there_are}"
            )
        at = requirement.questions.index(answers[code])
        if asked.setdefault(at, code) != code:
            raise DuankaError(
                f"{asked[at]} and {code} answer the same question of {requirement.number}: choose one"
            )
    for code in before:  # an answer no longer in the document is dropped
        if code in answers:
            asked.setdefault(requirement.questions.index(answers[code]), code)
    return tuple(asked[at] for at in sorted(asked))


def _toml(one: Confirmation) -> str:
    lines = [
        f"\n[{_text(one.number)}]",
        f"text = {_text(one.text)}",
        f"by = {_text(one.by)}",
        f"on = {one.on}",
    ]
    if one.choose:
        lines.append(f"choose = [{', '.join(map(_text, one.choose))}]")
    if one.note:
        lines.append(f"note = {_text(one.note)}")
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    """Encode a TOML string as JSON, which has the same escapes, except that DEL is escaped too."""
    return json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False).replace("\x7f", "\\u007f")


def standing_of(requirement: Requirement, confirmations: Mapping[str, Confirmation]) -> Standing:
    """Whether a requirement is confirmed in its present wording."""
    found = confirmations.get(requirement.number)
    if found is None:
        return "not confirmed"
    return "confirmed" if found.text == requirement.digest else "confirm again"


def unknown_numbers(requirements: Sequence[Requirement], confirmations: Mapping[str, Any]) -> list[str]:
    """Confirmed numbers that are no longer requirements."""
    known = {one.number for one in requirements}
    return [number for number in confirmations if number not in known]
