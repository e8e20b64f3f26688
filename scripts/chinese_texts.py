"""Compare help texts and errors of the code with their Chinese in src/duanka/cli/chinese/*.po.

    python scripts/chinese_texts.py [--check | --write]

`--check` (part of `make lint`) prints what has no Chinese, what the code no longer says, and what has other
placeholders; the exit code is then 1. `--write` adds the missing texts with an empty translation and removes the
others. Errors are read from the syntax tree: what is raised, returned or kept as an exception of Duanka;
steps of progress too: the first argument of `step`.
"""

from __future__ import annotations

import ast
import functools
import gc
import itertools
import json
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from duanka.cli.main import cli
from duanka.cli.shell import chinese

SRC = Path(__file__).parent.parent / "src" / "duanka"
# Errors of others that Duanka raises, and whose text a person may read.
_OTHERS = {"ValueError", "BadParameter", "TimeoutError"}
# Functions that are given a text, or a part of one, for an error that they make; and where.
_READERS_OF_FILES = ("duanka.policy_files.", "duanka.ingest.mapping_files.")
_MAKERS = {
    "reason_for": ("duanka.",),
    "fault": _READERS_OF_FILES,
    "must_be": _READERS_OF_FILES,
    "wrong": _READERS_OF_FILES,
}
# Methods that are given what a command shows of its progress: the name of a step, however short.
_STEPS = ("step",)
# Programs read the errors of the API; its answers are English by contract (api/schemas/errors.py).
_FOR_PROGRAMS = ("api",)
_MOST_WORDINGS = 4  # of one error: its alternatives multiply; beyond, they are read as texts of their own
# A wording: texts, and None for each value between them.
Wording = tuple[str | None, ...]


class Code:
    """Every module of src: its constants, imports, functions and exceptions."""

    def __init__(self, src: Path) -> None:
        self.src = src
        self.trees = {
            _module(file, src): ast.parse(file.read_text(encoding="utf-8"))
            for file in sorted(src.rglob("*.py"))
        }
        self.constants = dict[tuple[str, str], ast.expr]()
        self.imports = dict[tuple[str, str], tuple[str, str]]()
        self.functions = dict[tuple[str, str], ast.FunctionDef]()
        bases = dict[str, set[str]]()
        for module, tree in self.trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.module:
                    for name in node.names:
                        self.imports[module, name.asname or name.name] = (node.module, name.name)
                elif isinstance(node, ast.ClassDef):
                    bases[node.name] = {_last(base) for base in node.bases}
                elif isinstance(node, ast.FunctionDef):
                    self.functions[module, node.name] = node
            for node in tree.body:
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    self.constants[module, node.targets[0].id] = node.value
        self.errors = set(_OTHERS)
        while (
            more := {name for name, own in bases.items() if own & {*self.errors, "Exception"}} - self.errors
        ):
            self.errors |= more

    def constant(self, module: str, name: str) -> tuple[str, ast.expr] | None:
        """The module that assigns this name, and its value."""
        module, name = self.imports.get((module, name), (module, name))
        value = self.constants.get((module, name))
        return (module, value) if value is not None else None

    def function(self, module: str, name: str) -> tuple[str, ast.FunctionDef] | None:
        """The module that defines this function, and the function."""
        module, name = self.imports.get((module, name), (module, name))
        found = self.functions.get((module, name))
        return (module, found) if found else None


class Reader:
    """Reads the wordings of the errors in one module; `parts` gathers texts that they embed."""

    def __init__(self, code: Code, module: str) -> None:
        self.code, self.module = code, module
        self.parts = set[Wording]()
        self._inside = set[int]()

    def wordings(self) -> Iterator[Wording]:
        """Every wording of every error in the module."""
        tree = self.code.trees[self.module]
        for around in ast.walk(tree):
            if not isinstance(around, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module | ast.ClassDef):
                continue
            for node in _own_nodes(around):
                if isinstance(node, ast.Call) and self._is_error(node, around):
                    for argument in [*node.args, *(one.value for one in node.keywords)]:
                        yield from self.read(argument, around)

    def steps(self) -> Iterator[Wording]:
        """Every name of a step of progress in the module."""
        for around in ast.walk(self.code.trees[self.module]):
            if not isinstance(around, ast.FunctionDef | ast.Module | ast.ClassDef):
                continue
            for node in _own_nodes(around):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in _STEPS
                ):
                    yield from self.read(node.args[0], around) if node.args else ()

    def _is_error(self, call: ast.Call, around: ast.AST) -> bool:
        name = _last(call.func)
        if name in self.code.errors or self.module.startswith(_MAKERS.get(name, "none")):
            return True
        own_words = isinstance(call.func, ast.Attribute) and ast.unparse(call.func) == "super().__init__"
        return own_words and isinstance(around, ast.FunctionDef) and around.name == "__init__"

    def read(self, node: ast.expr, around: ast.AST) -> list[Wording]:
        """The wordings that an expression can have; a value where its text is not known."""
        if id(node) in self._inside:
            return [(None,)]
        self._inside.add(id(node))
        try:
            return self._read(node, around)
        finally:
            self._inside.discard(id(node))

    def _read(self, node: ast.expr, around: ast.AST) -> list[Wording]:  # noqa: PLR0911  # one for each kind of node
        match node:
            case ast.Constant(value=str(text)):
                return [(text,)]
            case ast.JoinedStr(values=values):
                return self._joined([self.read(value, around) for value in values])
            case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
                return self.read(value, around)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._joined([self.read(left, around), self.read(right, around)])
            case ast.IfExp(body=body, orelse=orelse):
                return [*self.read(body, around), *self.read(orelse, around)]
            case ast.BoolOp(values=values):
                return [one for value in values for one in self.read(value, around)]
            case ast.Name(id=name):
                return self._named(name, around)
            case ast.Call(func=function):
                self._returned(_last(function))
        return [(None,)]

    def _joined(self, pieces: list[list[Wording]]) -> list[Wording]:
        if math.prod(map(len, pieces)) > _MOST_WORDINGS:
            self.parts |= {one for piece in pieces if len(piece) > 1 for one in piece}
            pieces = [piece if len(piece) == 1 else [(None,)] for piece in pieces]
        return [tuple(itertools.chain(*parts)) for parts in itertools.product(*pieces)]

    def _named(self, name: str, around: ast.AST) -> list[Wording]:
        local = [
            node.value
            for node in _own_nodes(around)
            if isinstance(node, ast.Assign | ast.NamedExpr | ast.AnnAssign | ast.AugAssign)
            and node.value is not None
            and name
            in {_last(one) for one in (node.targets if isinstance(node, ast.Assign) else [node.target])}
        ]
        if local:
            return [one for value in local for one in self.read(value, around)]
        if found := self.code.constant(self.module, name):
            other = Reader(self.code, found[0])
            other._inside = self._inside
            return other.read(found[1], self.code.trees[found[0]])
        return [(None,)]

    def _returned(self, name: str) -> None:
        """Gather the texts that a function returns: a value of an error may be one of them."""
        found = self.code.function(self.module, name)
        if (
            found is None
            or id(found[1]) in self._inside
            or "str" not in ast.unparse(found[1].returns or ast.Name(""))
        ):
            return
        self._inside.add(id(found[1]))
        other = Reader(self.code, found[0])
        other._inside, other.parts = self._inside, self.parts
        for node in _own_nodes(found[1]):
            if isinstance(node, ast.Return) and node.value is not None:
                self.parts |= {*other.read(node.value, found[1])}
        self._inside.discard(id(found[1]))


def _own_nodes(around: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function, class or module without those of the functions in it."""
    waiting = [*ast.iter_child_nodes(around)][::-1]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node
            waiting += [*ast.iter_child_nodes(node)][::-1]


def _last(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _module(file: Path, src: Path) -> str:
    parts = file.relative_to(src.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _key(wording: Wording) -> str:
    """The text with {0}, {1}... for its values; values in a row are one."""
    numbers = itertools.count()
    pieces = [key for key, _ in itertools.groupby(wording, key=lambda one: one)]
    return "".join(f"{{{next(numbers)}}}" if one is None else one for one in pieces)


def _says_something(key: str) -> bool:
    """Whether it is more than a word alone, or a few letters between values."""
    words = re.findall(r"[A-Za-z]{2,}", re.sub(r"\{\d+\}|`[^`]*`", " ", key))
    return " " in key.strip() and sum(map(len, words)) > 4


def errors(src: Path = SRC) -> dict[str, str]:
    """Every wording of every error and step of progress, and its department."""
    code = _code(src)
    found = dict[str, str]()
    for module in code.trees:
        department = module.split(".")[1] if "." in module else "main"
        if department in _FOR_PROGRAMS:
            continue
        reader = Reader(code, module)
        for wording in [*reader.wordings(), *sorted(reader.parts, key=str)]:
            key = _key(wording)
            if _says_something(key):
                found.setdefault(key, f"errors_{department}")
        for wording in reader.steps():
            if re.search("[a-z]", key := _key(wording)):
                found.setdefault(key, f"steps_{department}")
    return found


def helps() -> dict[str, str]:
    """Every paragraph of help in the tree of commands, and its department."""
    found = dict[str, str]()

    def gather(text: str | None, department: str) -> None:
        for paragraph in chinese.paragraphs(text or ""):
            found.setdefault(paragraph, f"help_{department}")

    def walk(command: Any, department: str) -> None:
        if hasattr(command, "load_all"):
            command.load_all()
        callback = getattr(command.callback, "__wrapped__", command.callback)
        if callback and callback.__module__.startswith("duanka.cli."):
            department = callback.__module__.split(".")[2]
        gather(command.help, department)
        gather(command.epilog, department)
        for parameter in command.params:
            gather(getattr(parameter, "help", None), department)
            gather(getattr(parameter, "rich_help_panel", None), department)
        for one in getattr(command, "commands", {}).values():
            walk(one, department)

    walk(get_command(cli), "main")
    return found


# Files written by hand: `library` translates the command library, pydantic and the operating system; `parts` what
# errors embed in a way that the syntax tree does not show, given to a function or kept in a table.


def faults() -> Iterator[str]:
    """What is not translated, not said any more, or has other placeholders."""
    said = helps() | errors()
    for english, department in said.items():
        if chinese.catalogue().get(english) is None and not _is_help_template(english, department):
            yield f"no Chinese in {department}.po: {english}"
    for file in sorted(chinese.CATALOGUE.glob("*.po")):
        for english, translated in chinese.entries(file).items():
            if not _is_said(english, file.stem, said):
                yield f"{file.name} translates what is not said any more: {english}"
            if translated and _placeholders(english) != _placeholders(translated):
                yield f"{file.name} has other placeholders than the English: {translated}"


@functools.cache
def _code(src: Path) -> Code:
    gc.disable()  # half of the time would go into looking at trees that all stay
    try:
        return Code(src)
    finally:
        gc.freeze()
        gc.enable()


@functools.cache
def _constants() -> list[str]:
    nodes = (node for tree in _code(SRC).trees.values() for node in ast.walk(tree))
    return [one.value for one in nodes if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def _is_said(english: str, department: str, said: dict[str, str]) -> bool:
    match department:
        case "library":
            return True
        case "parts":
            pieces = [piece.strip(" ;") for piece in re.split(r"\{\d+\}", english)]
            return all(any(piece in one for one in _constants()) for piece in pieces)
        case _:
            return said.get(english) == department or (
                department.startswith("help_") and _matched(english, said)
            )


def _is_help_template(english: str, department: str) -> bool:
    return department.startswith("help_") and chinese.matching_template(english) is not None


def _matched(template: str, said: dict[str, str]) -> bool:
    return any(chinese.matching_template(one) == template for one in said)


def _placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\d+)", text))


def write() -> None:
    """Add what has no Chinese with an empty translation, and remove what is not said any more."""
    said = helps() | errors()
    known = chinese.catalogue()
    for file in chinese.CATALOGUE.glob("*_*.po"):
        if file.stem not in said.values():
            file.unlink()
    for department in sorted({*said.values()}):
        file = chinese.CATALOGUE / f"{department}.po"
        own = {one: known.get(one, "") for one, where in said.items() if where == department}
        own = {one: zh for one, zh in own.items() if zh or not _is_help_template(one, department)}
        if file.exists():
            kept = chinese.entries(file).items()
            own |= {one: zh for one, zh in kept if one not in own and _is_said(one, department, said)}
        head = f"# Chinese texts of {department.replace('_', ' of ')}; scripts/chinese_texts.py keeps the list.\n"
        blocks = (
            f"msgid {json.dumps(one, ensure_ascii=False)}\nmsgstr {json.dumps(zh, ensure_ascii=False)}\n"
            for one, zh in own.items()
        )
        file.write_text("\n".join([head, *blocks]), encoding="utf-8")


if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    found = list(faults())
    sys.stdout.write("".join(f"{one}\n" for one in found))
    sys.exit(1 if found else 0)
