"""The folder of a graph: arrays that are mapped into memory, so that a question waits for what it touches.

links.json is written last and names version, period and the checksum of each file; without it there is no graph.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from zlib import crc32

import numpy as np
import polars as pl

from duanka.domain.checksums import checksum
from duanka.domain.errors import MAKE_ROOM, DuankaError
from duanka.domain.private_files import copied, private_file, private_folder, put_in_place
from duanka.links.graph.graph import LinkGraph
from duanka.links.graph.neighbours import Neighbours
from duanka.links.graph.strength import Ints

Divisions = Mapping[tuple[bytes, float], Ints]
"""(mark of a component, resolution) -> the part of each of its cards, in order of their keys."""

VERSION = 5
MANIFEST = "links.json"
_LOCK = "lock"
_SIDES = ("groups_of", "cards_of", "contacts", "contacted_by")
_PARTS = ("start", "other", "strength")
_OF_RINGS = ("communities.parquet", "rings.parquet", "divisions.parquet")
_OF_GRAPH = (
    *("cards.parquet", "groups.parquet", "devices.parquet"),
    *(f"{side}.{part}.npy" for side in _SIDES for part in _PARTS),
)


@dataclass(frozen=True)
class GraphPeriod:
    """What a graph was built of: first and last day, generation and time zone of the store."""

    first: date
    last: date
    generation: int
    zone: str


@dataclass(frozen=True)
class KeptRings:
    """`members`: card (record key), ring, since, of all communities. `table`: card, ring, certainty, since, as scans
    read it, of those worth a look. `divisions`: how components were divided, for the next night.
    """

    members: pl.DataFrame
    table: pl.DataFrame
    divisions: Divisions = field(default_factory=dict)


def holds_graph(folder: Path) -> bool:
    """Whether `folder` holds a graph."""
    return (folder / MANIFEST).is_file()


@contextmanager
def writing_alone(folder: Path) -> Iterator[None]:
    """Write to `folder` as the only one; it is made if it is missing, and removed if nothing was written.

    DuankaError: it holds something else, or another process writes there; OSError.
    """
    may_hold_graph(folder)
    private_folder(folder)
    path = private_file(folder / _LOCK)
    # the operating system releases the lock when the process ends, however it ends
    with path.open("r+b") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = path.exists() and os.path.samestat(path.stat(), os.fstat(lock.fileno()))
        except BlockingIOError:
            alone = False
        if not alone:
            raise DuankaError(
                f"another build is writing to {folder}; let it end, or choose another folder with --out"
            )
        try:
            yield
        finally:
            if [one.name for one in folder.iterdir()] == [_LOCK]:
                path.unlink()
                folder.rmdir()


@contextmanager
def begun(folder: Path) -> Iterator[Path]:
    """A new folder inside `folder` for what `save` puts in place of an earlier graph; removed if that is not reached.

    DuankaError: the folder holds something else; OSError.
    """
    may_hold_graph(folder)
    private_folder(folder)
    new = folder / f"{max(_numbered(folder), default=0) + 1}"  # also after those of runs that were killed
    private_folder(new)
    try:
        yield new
    except BaseException:
        if not _in_place(new):
            shutil.rmtree(new, ignore_errors=True)
            with suppress(OSError):  # not empty
                folder.rmdir()
        raise


def _in_place(new: Path) -> bool:
    try:
        return inside(new.parent) == new
    except DuankaError:  # no graph yet, or one of another version
        return False


def inside(folder: Path) -> Path:
    """The folder inside `folder` of the graph that it holds. DuankaError: as `load`."""
    return folder / str(_manifest(folder)["number"])


def save(
    graph: LinkGraph, rings: KeptRings, period: GraphPeriod, new: Path, seal: Path | None = None
) -> None:
    """Write the graph and its `rings` to `new`, a folder of `begun`, and put it in place of an earlier one.

    `seal`: a file that says whose the graph is; a copy of it comes with the graph, so that there is none without it.
    OSError; DuankaError: a file of the graph cannot be written.
    """
    folder = new.parent
    _write(graph, rings, new)
    if seal:
        copied(seal, new / seal.name)
    told = {
        "version": VERSION,
        "number": int(new.name),
        **{name: str(value) for name, value in asdict(period).items()},
        "cards": graph.cards.height,
        "groups": len(graph.kind),
        "edges": graph.edges,
        "checksums": {name: checksum(new / name) for name in (*_OF_GRAPH, *_OF_RINGS)},
    }
    with put_in_place(folder / MANIFEST) as aside:
        aside.write_text(json.dumps({**told, "checksum": _checksum(told)}, indent=1))
    for old in _numbered(folder):
        if old != int(new.name):
            shutil.rmtree(folder / str(old), ignore_errors=True)


def _write(graph: LinkGraph, rings: KeptRings, new: Path) -> None:
    """Write the files of a graph. DuankaError: one cannot be written; Polars and NumPy name neither it nor a number."""
    try:
        graph.cards.write_parquet(new / "cards.parquet")
        pl.DataFrame({"kind": graph.kind, "label": graph.label}).write_parquet(new / "groups.parquet")
        graph.devices.write_parquet(new / "devices.parquet")
        rings.members.write_parquet(new / "communities.parquet")
        rings.table.write_parquet(new / "rings.parquet")
        _write_divisions(rings.divisions, new / "divisions.parquet")
        for side in _SIDES:
            for part in _PARTS:
                np.save(new / f"{side}.{part}.npy", getattr(getattr(graph, side), part))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DuankaError(f"the graph cannot be written to {new} ({error}){MAKE_ROOM}") from error


def _checksum(told: Mapping[str, object]) -> int:
    """Of what the manifest says besides."""
    return crc32(json.dumps({**told, "checksum": None}, sort_keys=True).encode())


def _numbered(folder: Path) -> list[int]:
    return [int(one.name) for one in folder.iterdir() if one.is_dir() and one.name.isdecimal()]


def _write_divisions(divisions: Divisions, path: Path) -> None:
    marks, resolutions = [mark for mark, _ in divisions], [resolution for _, resolution in divisions]
    parts = pl.Series([pl.Series(part) for part in divisions.values()], dtype=pl.List(pl.Int64))
    frame = pl.DataFrame(
        {"mark": pl.Series(marks, dtype=pl.Binary), "resolution": pl.Series(resolutions, dtype=pl.Float64)}
    )
    frame.with_columns(part=parts).write_parquet(path)


def _read_divisions(path: Path) -> Divisions:
    rows = pl.read_parquet(path)
    return {
        (mark, resolution): part.to_numpy()
        for mark, resolution, part in zip(rows["mark"], rows["resolution"], rows["part"], strict=True)
    }


def may_hold_graph(folder: Path) -> None:
    """DuankaError where a graph cannot be written to `folder`: it holds something else."""
    if not folder.exists() or holds_graph(folder):
        return
    if not folder.is_dir() or not _of_builds(folder):
        raise DuankaError(f"{folder} is there and holds no graph; choose another folder with --out")


def is_unfinished(folder: Path) -> bool:
    """Whether a first build was begun in `folder`, and did not end or has not ended yet."""
    return (folder / _LOCK).is_file() and not holds_graph(folder) and _of_builds(folder)


def _of_builds(folder: Path) -> bool:
    """Whether nothing else is in `folder` than what a first build leaves that is killed."""
    return all(one.name == _LOCK or (one.is_dir() and one.name.isdecimal()) for one in folder.iterdir())


def load_rings(folder: Path) -> KeptRings:
    """The rings in the graph's folder. DuankaError: none, damaged, or of another version."""
    told = _manifest(folder)
    try:
        communities, table, divisions = _whole(folder, told, _OF_RINGS)
        return KeptRings(pl.read_parquet(communities), pl.read_parquet(table), _read_divisions(divisions))
    except (OSError, ValueError, KeyError, pl.exceptions.PolarsError) as error:
        raise _damaged(folder) from error


def load(folder: Path) -> tuple[LinkGraph, GraphPeriod]:
    """The graph in `folder`. DuankaError: none, damaged, or of another version."""
    told = _manifest(folder)
    within = folder / str(told["number"])
    try:
        _whole(folder, told, _OF_GRAPH)
        groups = pl.read_parquet(within / "groups.parquet")
        groups_of, cards_of, contacts, contacted_by = (
            Neighbours(*(np.load(within / f"{side}.{part}.npy", mmap_mode="r") for part in _PARTS))
            for side in _SIDES
        )
        graph = LinkGraph(
            pl.read_parquet(within / "cards.parquet"),
            groups["kind"],
            groups["label"],
            groups_of,
            cards_of,
            contacts,
            contacted_by,
            pl.read_parquet(within / "devices.parquet"),
        )
        return graph, _period(told)
    except (OSError, ValueError, KeyError, pl.exceptions.PolarsError) as error:
        raise _damaged(folder) from error


def _whole(folder: Path, told: Mapping[str, object], names: Iterable[str]) -> list[Path]:
    """Paths of the graph's files of these `names`. ValueError: one is not what was written; OSError.

    Every byte is read: a position of a mapped array that is wrong by a bit would name others than a ring's cards.
    """
    paths, sums = [folder / str(told["number"]) / name for name in names], told["checksums"]
    if not isinstance(sums, dict) or any(sums.get(path.name) != checksum(path) for path in paths):
        raise ValueError
    return paths


def period_of(folder: Path) -> GraphPeriod:
    """What the graph in `folder` was built of. DuankaError: as `load`."""
    try:
        return _period(_manifest(folder))
    except (ValueError, KeyError) as error:
        raise _damaged(folder) from error


def _period(told: Mapping[str, object]) -> GraphPeriod:
    first, last = (date.fromisoformat(str(told[name])) for name in ("first", "last"))
    return GraphPeriod(first, last, int(str(told["generation"])), str(told["zone"]))


def _manifest(folder: Path) -> Mapping[str, object]:
    try:
        told = json.loads((folder / MANIFEST).read_text())
        if told["version"] != VERSION:
            raise DuankaError(
                f"the graph in {folder} is of version {told['version']}, and this Duanka needs version {VERSION}:"
                " build it anew with duanka links build"
            )
        if told["checksum"] != _checksum(told):
            raise ValueError
    except FileNotFoundError as error:
        raise DuankaError(
            f"{folder} holds no graph ({MANIFEST} is missing): duanka links build STORE --out {folder} makes one"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder) from error
    return dict(told)


def _damaged(folder: Path) -> DuankaError:
    return DuankaError(f"the graph in {folder} is damaged: build it anew with duanka links build")
