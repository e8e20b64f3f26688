"""Values that a person may type in either language, and what a shell completes.

A TAB must cost little: neither pydantic nor the order book is imported for it. What of the order book is completed is
what its lists showed last, from a small file beside it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import typer

from duanka.bootstrap import work_folder as place
from duanka.cli.shell import language as cli_language
from duanka.cli.shell.language import shown
from duanka.domain.decision import Tier
from duanka.domain.errors import DuankaError
from duanka.domain.police_reasons import CLAIMED, CONFIRMED
from duanka.domain.private_files import write_private
from duanka.domain.text import BilingualText, WordedEnum

_SEEN = "completion.json"  # in the folder of the order book: what its lists showed last
_MOST_SEEN = 500
_NO_SUCH = BilingualText("{what}没有“{typed}”：可写 {zh}", "no {what} {typed!r}; write {values}")


@dataclass(frozen=True)
class Choices:
    """What may be typed for one option: `words`, value -> how people read it. `what`: the option, for an error."""

    what: BilingualText
    words: Mapping[str, BilingualText]

    def read(self, typed: str) -> str:
        """The value that is meant, by itself or by its word in either language. DuankaError names those there are."""
        wanted = _plain(typed)
        for value, words in self.words.items():
            if wanted in (_plain(value), *map(_plain, words)):
                return value
        said = {
            "zh": "、".join(words.zh for words in self.words.values()),
            "values": ", ".join(self.words),
        }
        raise DuankaError(shown(_NO_SUCH).format(what=shown(self.what), typed=typed, **said))

    def like(self, ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
        """What begins so: in the language of the desk, or the value itself where that was begun."""
        language = _language(ctx)
        told = [(words.zh, str(value)) for value, words in self.words.items()] if language == "zh" else []
        values = [(str(value), "" if language == "zh" else words.zh) for value, words in self.words.items()]
        return [one for one in told if one[0].startswith(incomplete)] or [
            one for one in values if one[0].startswith(incomplete)
        ]

    def option(self, *names: str, help: str, **options: Any) -> Any:  # noqa: A002  # as typer calls it
        """An option that takes one of these."""
        return typer.Option(*names, help=help, parser=self.read, autocompletion=self.like, **options)

    def argument(self, *, help: str) -> Any:  # noqa: A002  # as typer calls it
        """An argument that is one of these."""
        return typer.Argument(help=help, parser=self.read, autocompletion=self.like)


def choices(what: BilingualText, members: Iterable[WordedEnum]) -> Choices:
    """These members of an enum, by their words."""
    return Choices(what, {member: member.words for member in members})


TIERS = Choices(BilingualText("等级", "tier"), {tier.word: tier.words for tier in Tier})


def policies_like(incomplete: str) -> list[str]:
    """The shipped policies that begin so; a FILE.toml is for the shell."""
    return _like(incomplete, _names("policies", "*.toml"))


def rules_like(incomplete: str) -> list[str]:
    """The rules that begin so. The rules themselves are not imported: that takes longer than the rest."""
    return _like(incomplete, _names("rules", "*.py"))


def reasons_like(incomplete: str) -> list[str]:
    """The reasons of an order that begin so: rules, and what the police say."""
    return _like(incomplete, [*_names("rules", "*.py"), CLAIMED, CONFIRMED])


def orders_like(ctx: typer.Context, incomplete: str) -> list[str]:
    """The orders that begin so, of those that a list showed last."""
    return _seen_like(ctx, "id", incomplete, "VRO")


def acts_like(ctx: typer.Context, incomplete: str) -> list[str]:
    """The acts that begin so, of those that a list showed last."""
    return _seen_like(ctx, "id", incomplete, "A")


def undoable_like(ctx: typer.Context, incomplete: str) -> list[str]:
    """The acts and takes that begin so, of those that a list showed last."""
    return _seen_like(ctx, "id", incomplete, "AT")


def takes_like(ctx: typer.Context, incomplete: str) -> list[str]:
    """The takes that begin so, of those that a list showed last."""
    return _seen_like(ctx, "id", incomplete, "T")


def ids_like(ctx: typer.Context, incomplete: str) -> list[str]:
    """Whatever `orders show` shows and begins so, of what a list showed last."""
    return _seen_like(ctx, "id", incomplete, "VROAT")


def cities_like(ctx: typer.Context, incomplete: str) -> list[str]:
    """The cities that begin so, of those that a list showed last."""
    return _seen_like(ctx, "city", incomplete)


def operators_like(ctx: typer.Context, incomplete: str) -> list[str]:
    """The operators that begin so, of those that a list showed last."""
    return _seen_like(ctx, "operator", incomplete)


def remember_shown(rows: Sequence[Mapping[str, str]]) -> None:
    """Keep id, city and operator of the rows of a list for completion. That it cannot be kept stops no command."""
    folder = _order_folder()
    if not rows or not folder.is_dir():
        return
    before = _seen(folder)
    seen = {}
    for name in ("id", "city", "operator"):
        new = [row[name] for row in rows[:_MOST_SEEN] if row.get(name)]
        seen[name] = list(dict.fromkeys([*new, *before.get(name, ())]))[:_MOST_SEEN]
    if seen != before:
        try:
            write_private(folder / _SEEN, json.dumps(seen, ensure_ascii=False).encode())
        except OSError:
            return


def _seen_like(ctx: typer.Context, name: str, incomplete: str, letters: str = "") -> list[str]:
    place.choose(ctx.find_root().params.get("home"))
    found = _seen(_order_folder()).get(name, [])
    return _like(incomplete, [one for one in found if not letters or one[:1] in letters])


def _seen(folder: Path) -> dict[str, list[str]]:
    try:
        found = json.loads((folder / _SEEN).read_bytes())
        return {name: [str(one) for one in values] for name, values in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _language(ctx: typer.Context) -> str:
    """The language of the desk, as `cli.shell.language` finds it, without the other settings."""
    params = ctx.find_root().params
    place.choose(params.get("home"))
    if said := params.get("language") or _setting("language"):
        return str(said)
    return cli_language.unset_language(
        os.environ, cli_language.zone_of(str((_place() or Path()) / _setting("policy")))
    )[0]


def _order_folder() -> Path:
    """The folder of the order book, as the settings name it."""
    named = os.environ.get("DUANKA_ORDERS", "")
    if named:
        return Path(named)
    home = _place()
    return (home or Path()) / (_setting("orders") or "duanka-orders")


def _setting(name: str) -> str:
    """A setting by the environment, else by duanka.toml, as it is written there; "" where neither has it."""
    if said := os.environ.get(f"DUANKA_{name.upper()}"):
        return said
    home = _place()
    try:
        return str(place.read_place(home).get(name, "")) if home else ""
    except DuankaError:
        return ""


def _place() -> Path | None:
    try:
        return place.find_place()
    except DuankaError:
        return None


def _names(folder: str, pattern: str) -> list[str]:
    inside = Path(str(resources.files("duanka"))) / folder
    found = inside if inside.exists() else Path(__file__).parents[4] / folder
    return sorted(path.stem for path in found.glob(pattern) if not path.stem.startswith("_"))


def _like(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _plain(text: str) -> str:
    """A word however it is spaced and spelled: `Under review`, `under_review` and `under-review` are one."""
    return "_".join(text.casefold().replace("-", " ").replace("_", " ").split())
