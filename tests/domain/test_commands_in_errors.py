"""A command that an error or a page suggests can be typed as it stands: it names no card, whose number is masked."""

from __future__ import annotations

import ast
from pathlib import Path

import duanka


def _suggested(tree: ast.AST) -> list[str]:
    """What stands between back quotes in the texts of a module, with the expressions in it."""
    found = list[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"
                for part in node.values
                if isinstance(part, ast.Constant | ast.FormattedValue)
            )
            found += [one for one in text.split("`")[1::2] if one.startswith("duanka ")]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "`duanka" in node.value:
            found += [one for one in node.value.split("`")[1::2] if one.startswith("duanka ")]
    return found


def test_no_suggested_command_names_a_card() -> None:
    source = Path(duanka.__file__).parent
    suggested = {
        (path.name, command)
        for path in source.rglob("*.py")
        for command in _suggested(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert len(suggested) > 50
    of_cards = [
        one
        for one in suggested
        if any(word in one[1] for word in ("card}", "number}", "phone", "****", "card["))
    ]
    assert not of_cards, "name the order by its id: what an error says is masked"
