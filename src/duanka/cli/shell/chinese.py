"""Help and errors in Chinese: the texts of cli/chinese/*.po, found by the English text.

An error contains values: the first template that matches it gives the Chinese text. A value that is itself a
known text (a cause, a next step) is translated too. Unknown texts stay English.
"""

from __future__ import annotations

import functools
import inspect
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.text import Text

from duanka.cli.shell.process import UNBROKEN, Prose, with_home
from duanka.domain.order import State
from duanka.domain.text import WordedEnum

CATALOGUE = Path(__file__).parent.parent / "chinese"
_ENTRY = re.compile(r'^msgid ((?:".*"\n)+)msgstr ((?:".*"\n?)+)', re.MULTILINE)
_VALUE = re.compile(
    r"\{(\d+)(:word)?\}"
)  # a Chinese text may have {0:word}: an enum value, which `_word` translates
_STRONG = 13  # fewest characters around the values of a template that is tried early
_LONGEST_KEY = 8  # words; keys of settings have fewer: `an entry of [rules.fan_out] limits 3`
Template = tuple[list[str], str]  # the pieces between its values, and the whole English text
_GAP = re.compile("(?<=[\u4e00-\u9fff，；：]) (?=[\u4e00-\u9fff])")  # blank beside a Chinese value
# Marks that join two texts, in English and Chinese, and the end of the second: each text is translated.
_JOINS = (("\n", "\n", ""), (": ", "：", ""), ("; ", "；", ""), (" (", "（", ")"))
_LIST = ((", ", "、", ""),)


def entries(file: Path) -> dict[str, str]:
    """The texts of one .po file: English, Chinese."""
    found = _ENTRY.finditer(file.read_text(encoding="utf-8"))
    return {_unquoted(entry[1]): _unquoted(entry[2]) for entry in found}


def _unquoted(lines: str) -> str:
    return "".join(map(json.loads, lines.splitlines()))


@functools.cache
def catalogue() -> dict[str, str]:
    """Every text that has a translation."""
    found = dict[str, str]()
    for file in sorted(CATALOGUE.glob("*.po")):
        found |= {english: chinese for english, chinese in entries(file).items() if chinese}
    return found


@functools.cache
def _templates() -> list[Template]:
    """The templates, those with most letters first."""
    return [one for one in _all_templates() if sum(map(len, one[0])) >= _STRONG]


@functools.cache
def _weak_templates() -> list[Template]:
    """Templates of few letters: tried late, as they would match parts of other texts."""
    return [one for one in _all_templates() if sum(map(len, one[0])) < _STRONG]


def _all_templates() -> list[Template]:
    with_values = [english for english in catalogue() if _VALUE.search(english)]
    pieces = [(re.split(r"\{\d+\}", english), english) for english in with_values]
    return sorted(pieces, key=lambda one: -sum(map(len, one[0])))


def in_chinese(text: str) -> str:
    """The text in Chinese, as far as it is known."""
    return known_text(text) or text


@functools.cache
def known_text(text: str) -> str | None:
    """The text in Chinese; None: it is not known."""
    bare = text.strip()
    if not bare:
        return None
    if exact := catalogue().get(text) or catalogue().get(bare):
        return exact
    return (
        _of_template(text, _templates())
        or _after_key(text)
        or _of_parts(text, _JOINS)
        or _of_template(text, _weak_templates())
        or _of_parts(text, _LIST)
    )


def _of_template(text: str, templates: Sequence[Template]) -> str | None:
    for template, found in _matches(text, templates):
        values = dict(zip(re.findall(r"\{(\d+)\}", template), found.groups(), strict=True))
        translated = catalogue()[template]
        shown = {
            one[0]: _word(values[one[1]]) if one[2] else _value(values[one[1]])
            for one in _VALUE.finditer(translated)
        }
        if None not in shown.values():
            filled = _VALUE.sub(lambda one: shown[one[0]] or "", translated)  # noqa: B023  # called at once
            return _GAP.sub("", filled)
    return None


def _of_parts(text: str, joins: Sequence[tuple[str, str, str]]) -> str | None:
    for mark, chinese_mark, end in joins:
        for joint in re.finditer(re.escape(mark), text if text.endswith(end) else ""):
            left, right = text[: joint.start()], text[joint.end() : len(text) - len(end)]
            chinese = known_text(left), known_text(right)
            if any(chinese):
                return f"{chinese[0] or left}{chinese_mark}{chinese[1] or right}{'）' if end else ''}"
    return None


def _after_key(text: str) -> str | None:
    """Translate a text that begins with the key of a setting: "[orders] stages must be ..."."""
    words = text.split(" ")
    for end in range(1, min(_LONGEST_KEY, len(words))):
        if words[end - 1].endswith((":", ";")):
            break
        key, rest = " ".join(words[:end]), " ".join(words[end:])
        if chinese := catalogue().get(rest) or _of_template(rest, _templates()):
            return _GAP.sub("", f"{in_chinese(key)} {chinese}")
    return None


def _matches(text: str, templates: Sequence[Template]) -> Iterator[tuple[str, re.Match[str]]]:
    for pieces, template in templates:
        if text.startswith(pieces[0]) and text.endswith(pieces[-1]) and all(one in text for one in pieces):
            found = _pattern(template).fullmatch(text)
            if found:
                yield template, found


def matching_template(text: str) -> str | None:
    """The English template of a text with values."""
    return next((template for template, _ in _matches(text, _templates() + _weak_templates())), None)


@functools.cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile("(.*?)".join(map(re.escape, re.split(r"\{\d+\}", template))), re.DOTALL)


def _value(text: str) -> str:
    return in_chinese(text) if " " in text else text


def _word(text: str) -> str | None:
    """The Chinese of a word, or of several: "desk, supervisor", "pass a verification"."""
    words = _words()
    parts = (
        [words.get(text)]
        if text in words
        else [words.get(one) for one in re.split(r", | and | or | a ", text)]
    )
    known = [one for one in parts if one]
    return ("" if " a " in text else "、").join(known) if len(known) == len(parts) else None


@functools.cache
def _words() -> dict[str, str]:
    """Chinese of enum values and permissions, by value and by English word; the enums of orders win."""
    from duanka.domain.authority import Permission  # noqa: PLC0415  # not needed for help

    enums = sorted(WordedEnum.__subclasses__(), key=lambda enum: enum.__module__ == State.__module__)
    words = [(one.value, one.words) for enum in enums for one in enum]
    texts = [permission.words for permission in Permission] + [one for _, one in words]
    return {one.en: one.zh for one in texts} | {value: one.zh for value, one in words}


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a help text, each on one line."""
    return [" ".join(one.split()) for one in inspect.cleandoc(text).split("\n\n") if one.strip()]


class _Paragraph(Prose):
    """Prose in a column, which may be as narrow as its longest unbroken part."""

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        narrowest = max((cell_len(part[0].rstrip()) for part in UNBROKEN.finditer(self.plain)), default=0)
        return Measurement(narrowest, max(narrowest, *map(cell_len, self.plain.split("\n"))))


@contextmanager
def library_in_chinese() -> Iterator[None]:
    """Show help and errors of the command library in Chinese within the context."""
    from typer import rich_utils  # noqa: PLC0415  # loaded by the first help or error

    library: Any = rich_utils
    english = dict(vars(library))

    def paragraph(text: Text) -> Text:
        return _Paragraph(text.plain, text.style, spans=text.spans, overflow="fold")

    def help_text(*, text: str, **options: Any) -> Text:
        chinese = "\n\n".join(map(in_chinese, paragraphs(text)))
        return paragraph(english["_make_rich_text"](text=with_home(chinese), **options))

    def highlighter(text: str | Text) -> Text:
        return paragraph(
            english["highlighter"](with_home(in_chinese(text)) if isinstance(text, str) else text)
        )

    def types_highlighter(text: Text) -> Text:
        chinese = Text(in_chinese(text.plain), text.style)
        return paragraph(english["types_highlighter"](chinese))

    constants = {
        name: catalogue()[value] for name, value in english.items() if name.isupper() and value in catalogue()
    }
    texts = {"_make_rich_text": help_text, "highlighter": highlighter, "types_highlighter": types_highlighter}
    try:
        vars(library).update(constants | texts)
        yield
    finally:
        vars(library).update(english)
