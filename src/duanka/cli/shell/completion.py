"""Option values in either language, and shell completion.

Completion must be fast, so it imports neither pydantic nor the order database. Values from the order database are
those that its lists displayed last; they are kept in a small file beside it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import typer

from duanka.bootstrap import home_folder
from duanka.cli.shell import language as cli_language
from duanka.cli.shell.language import shown
from duanka.domain.decision import Tier
from duanka.domain.errors import DuankaError
from duanka.domain.police_reasons import CLAIMED, CONFIRMED
from duanka.domain.private_files import write_private
from duanka.domain.text import BilingualText, WordedEnum

_SEEN = "completion.json"  # in the folder of the order database: values last displayed by lists
_VALUES_KEPT = 500
_NO_SUCH = BilingualText("{what}没有“{typed}”：可写 {zh}", "no {what} {typed!r}; write {values}")


@dataclass(frozen=True)
class Choices:
    """Permitted values of one option.

    `words`: value -> display text in both languages; `what`: name of the option in errors.
    """

    what: BilingualText
    words: Mapping[str, BilingualText]

    def read(self, typed: str) -> str:
        """Parse a value or its display text in either language.

        DuankaError: neither; the message lists the permitted values.
        """
        wanted = _plain(typed)
        for value, words in self.words.items():
            if wanted in (_plain(value), *map(_plain, words)):
                return value
        said = {"zh": "、".join(words.zh for words in self.words.values()), "values": ", ".join(self.words)}
        raise DuankaError(shown(_NO_SUCH, what=shown(self.what), typed=typed, **said))

    def like(self, ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
        """Completions of `incomplete`: in a Chinese session display texts; values if none match."""
        language = _language(ctx)
        told = [(words.zh, str(value)) for value, words in self.words.items()] if language == "zh" else []
        values = [(str(value), "" if language == "zh" else words.zh) for value, words in self.words.items()]
        return [one for one in told if one[0].startswith(incomplete)] or [
            one for one in values if one[0].startswith(incomplete)
        ]

    def option(self, *names: str, help: str, **options: Any) -> Any:  # noqa: A002  # parameter name of typer
        """A typer option that accepts these values."""
        return typer.Option(*names, help=help, parser=self.read, autocompletion=self.like, **options)

    def argument(self, *, help: str) -> Any:  # noqa: A002  # parameter name of typer
        """A typer argument that accepts these values."""
        return typer.Argument(help=help, parser=self.read, autocompletion=self.like)


def choices(what: BilingualText, members: Iterable[WordedEnum]) -> Choices:
    """Choices of these enum members with their display texts."""
    return Choices(what, {member: member.words for member in members})


TIERS = Choices(BilingualText("等级", "tier"), {tier.word: tier.words for tier in Tier})


def policies_like(incomplete: str) -> list[str]:
    """Shipped policies with this prefix; the shell completes a FILE.toml."""
    return _like(incomplete, _names("policies", "*.toml"))


def rules_like(incomplete: str) -> list[str]:
    """Rule ids with this prefix, without importing the rules, which is slow."""
    return _like(incomplete, _names("rules", "*.py"))


def reasons_like(incomplete: str) -> list[str]:
    """Reasons of an order with this prefix: rules, and police cases."""
    return _like(incomplete, [*_names("rules", "*.py"), CLAIMED, CONFIRMED])


def _ids_like(letters: str) -> Callable[[typer.Context, str], list[str]]:
    """Completion by the ids that lists displayed last and that begin with one of these letters."""

    def like(ctx: typer.Context, incomplete: str) -> list[str]:
        return _seen_like(ctx, "id", incomplete, letters)

    return like


orders_like, bulk_actions_like, takes_like = _ids_like("VRO"), _ids_like("A"), _ids_like("T")
undoable_like, ids_like = _ids_like("AT"), _ids_like("VROAT")  # ids that `orders undo`, `orders show` take


def cities_like(ctx: typer.Context, incomplete: str) -> list[str]:
    """Recently displayed cities with this prefix."""
    return _seen_like(ctx, "city", incomplete)


def operators_like(ctx: typer.Context, incomplete: str) -> list[str]:
    """Recently displayed operators with this prefix."""
    return _seen_like(ctx, "operator", incomplete)


def remember_shown(rows: Sequence[Mapping[str, str]]) -> None:
    """Store id, city and operator of displayed rows for completion.

    A failure to store them is ignored.
    """
    folder = _order_folder()
    if not rows or not folder.is_dir():
        return
    before = _seen(folder)
    seen = {}
    for name in ("id", "city", "operator"):
        new = [row[name] for row in rows[:_VALUES_KEPT] if row.get(name)]
        seen[name] = list(dict.fromkeys([*new, *before.get(name, ())]))[:_VALUES_KEPT]
    if seen != before:
        try:
            write_private(folder / _SEEN, json.dumps(seen, ensure_ascii=False).encode())
        except OSError:
            return


def _seen_like(ctx: typer.Context, name: str, incomplete: str, letters: str = "") -> list[str]:
    home_folder.choose(ctx.find_root().params.get("home"))
    found = _seen(_order_folder()).get(name, [])
    return _like(incomplete, [one for one in found if not letters or one[:1] in letters])


def _seen(folder: Path) -> dict[str, list[str]]:
    try:
        found = json.loads((folder / _SEEN).read_bytes())
        return {name: [str(one) for one in values] for name, values in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _language(ctx: typer.Context) -> str:
    """The display language as in `cli.shell.language`, without loading settings."""
    params = ctx.find_root().params
    home_folder.choose(params.get("home"))
    if said := params.get("language") or _setting("language"):
        return str(said)
    return cli_language.unset_language(
        os.environ, cli_language.zone_of(str((_home() or Path()) / _setting("policy")))
    )[0]


def _order_folder() -> Path:
    """The folder of the order database, as the settings name it."""
    named = os.environ.get("DUANKA_ORDERS", "")
    if named:
        return Path(named)
    home = _home()
    return (home or Path()) / (_setting("orders") or "duanka-orders")


def _setting(name: str) -> str:
    """A setting from the environment, else from duanka.toml, unparsed.

    "" if in neither.
    """
    if said := os.environ.get(f"DUANKA_{name.upper()}"):
        return said
    home = _home()
    try:
        return str(home_folder.read_settings_file(home).get(name, "")) if home else ""
    except DuankaError:
        return ""


def _home() -> Path | None:
    try:
        return home_folder.find_home_folder()
    except DuankaError:
        return None


def _names(folder: str, pattern: str) -> list[str]:
    inside = Path(str(resources.files("duanka"))) / folder
    found = inside if inside.exists() else Path(__file__).parents[4] / folder
    return sorted(path.stem for path in found.glob(pattern) if not path.stem.startswith("_"))


def _like(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _plain(text: str) -> str:
    """Normalise spacing and case.

    `Under review`, `under_review` and `under-review` are equal.
    """
    return "_".join(text.casefold().replace("-", " ").replace("_", " ").split())
