"""What a person names as the source of a graph: where it is none, an error says what lies there, and what is near."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from duanka.domain.display import display_name
from duanka.domain.errors import DuankaError, NoRecords
from duanka.domain.schema import RECORD_TABLES

_MOST_NAMED = 3


def is_graph(where: Path) -> bool:
    """Whether a graph lies at `where`."""
    from duanka.links.graph.stored import holds_graph  # noqa: PLC0415  # polars and scipy take a second

    return holds_graph(where)


def _is_unfinished(where: Path) -> bool:
    from duanka.links.graph.stored import is_unfinished  # noqa: PLC0415  # as above

    return is_unfinished(where)


def must_be_there(where: Path) -> None:
    """DuankaError: nothing lies at `where`, or a part of a graph, or one that was not built to its end."""
    if is_graph(where.parent) and not is_graph(where):
        raise DuankaError(f"{_named(where)} is a part of the graph {_named(where.parent)}: name that folder")
    if not where.exists():
        raise DuankaError(
            f"{_named(where)} is not there{_near(where)}; name a graph, a store or a directory of records"
        )
    if where.is_dir() and _is_unfinished(where):
        raise DuankaError(
            f"a build of the graph in {_named(where)} did not finish, or is still running; build it again:"
            f" duanka links build STORE --out {_named(where)}"
        )


def must_hold_graph(where: Path) -> None:
    """DuankaError: no graph lies at `where`."""
    must_be_there(where)
    if not is_graph(where):
        raise DuankaError(
            f"{_named(where)} is no graph{_near(where)}; `duanka links build {_named(where)} --out LINKS` makes one"
        )


def must_hold_records(where: Path) -> None:
    """DuankaError: nothing lies at `where`, or a graph, which a graph is not built of."""
    must_be_there(where)
    if is_graph(where):
        raise DuankaError(
            f"{_named(where)} is a graph; a graph is built of a store, or of a directory of records"
        )


def neither(where: Path) -> NoRecords:
    """The error of a folder that is no graph and no store, and holds no records either."""
    tables = ", ".join(RECORD_TABLES)
    return NoRecords(
        f"{_named(where)} is neither a graph nor a store{_near(where)}, and holds no records ({tables});"
        " describe files of your own with --mapping FILE.toml, which `duanka mapping guess` proposes"
    )


def _near(where: Path) -> str:
    """What else lies beside it, and is named almost so."""
    try:
        beside = [
            one.name for one in where.resolve().parent.iterdir() if one.is_dir() and one.name != where.name
        ]
    except OSError:
        return ""
    near = get_close_matches(where.name, sorted(beside), _MOST_NAMED)
    return f" (did you mean {', '.join(_named(where.with_name(name)) for name in near)}?)" if near else ""


def _named(path: Path) -> str:
    return display_name(str(path))
