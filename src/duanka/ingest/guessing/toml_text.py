"""Writes a guess as a TOML mapping, with sureness and reason as comments."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from duanka.domain.display import display_text
from duanka.ingest.guessing.proposal import Guess, SourceGuess

_BARE = re.compile(r"^[A-Za-z0-9_-]+$")
_COMMENT_COLUMN = 60  # column (characters) at which comments begin


def toml_text(guess: Guess, name: str, zone: str, region: str) -> str:
    """Text of the mapping, with questions as comments above their sources."""
    lines = [
        "# 由 `duanka mapping guess` 推断；请核对每一列后面的注释，再用 `duanka mapping try` 检查。",
        "# Guessed by `duanka mapping guess`: read the comment behind "
        "each column, then check it with `duanka mapping try`.",
        f"name = {_value(name)}",
        f"zone = {_value(zone)}",
        "",
        "[numbers]",
        f"region = {_value(region)}",
    ]
    asked: set[tuple[str, str]] = set()
    for source in guess.sources:
        about = ", ".join(source.shape.patterns[:3])
        lines.append("")
        for question in guess.questions:
            if question.about == about and (about, question.text.en) not in asked:
                asked.add((about, question.text.en))
                lines += [f"# ? {display_text(question.text.zh)}", f"# ? {display_text(question.text.en)}"]
        lines += _source(source)
    for shape in guess.unknown:
        lines += ["", f"# Not read, its table is unknown: {display_text(', '.join(shape.patterns[:3]))}"]
    for file in guess.unread:
        lines += ["", f"# Not read: {display_text(file.name)}: {display_text(file.form.problem)}"]
    return "\n".join(lines) + "\n"


def _source(source: SourceGuess) -> list[str]:
    """Lines of one source; commented out if a required column is missing."""
    layout = source.shape.form
    lines = [f"[[source]]  # {display_text(source.why.en)}" if source.why.en else "[[source]]"]
    patterns = list(source.shape.patterns)
    lines.append(f"files = {_value(patterns[0] if len(patterns) == 1 else patterns)}")
    lines.append(f"table = {_value(source.table)}")
    raw = {key: value for key, value in source.raw.items() if key not in ("files", "table", "columns")}
    if not source.raw:
        named = layout.layout.names
        encoding = "" if layout.encoding in ("ascii", "utf-8") else layout.encoding
        raw = {
            "delimiter": layout.delimiter if layout.delimiter != "," else "",
            "encoding": encoding,
            "names": list(named) if named is not None else None,
            "skip": layout.layout.skip,
            "zone": source.zone,
            "where": dict(source.where),
            "swap_when": dict(source.swap_when),
        }
    lines += [f"{key} = {_value(value)}" for key, value in raw.items() if value]
    lines += ["", "[source.columns]"]
    for column, value in source.raw.get("columns", {}).items():
        lines.append(f"{column} = {_value(value)}")
    for column, one in source.columns.items():
        text = f"{column} = {_value(one.keys)}"
        lines.append(f"{text:<{_COMMENT_COLUMN}}  # {one.sure.words.en}: {display_text(one.why.en)}")
    if source.missing:
        lines += [f"{column} = ?" for column in source.missing]
        lines = [f"# {line}".rstrip() for line in lines]
        head = f"# Not in force before it has {', '.join(source.missing)}; then take the `# ` off:"
        return [head, *lines]
    return lines


def _value(value: Any) -> str:
    """`value` as TOML on one line."""
    if isinstance(value, Mapping):
        keys = (key if _BARE.match(key) else _value(key) for key in value)
        pairs = zip(keys, map(_value, value.values()), strict=True)
        return "{ " + ", ".join(f"{key} = {one}" for key, one in pairs) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    # a TOML basic string equals a JSON string, except for DEL, which JSON does not escape
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007F")
