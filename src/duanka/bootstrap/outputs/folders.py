"""The folder of a scan's results: what it must not be, and that a run that fails leaves no empty one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from duanka.bootstrap.store.folders import must_be_text, must_lie_outside
from duanka.decision_log.writer import DECIDED
from duanka.decision_log.writer import HITS as LIVE_HITS
from duanka.domain.display import display_name
from duanka.domain.errors import DuankaError
from duanka.domain.schema import TABLES

DEFAULT = "duanka-out"


def may_hold_results(
    out: Path, names: Iterable[str], data: Path, mapping: Path | None, store: Path | None, *, goes_on: bool
) -> None:
    """DuankaError where the files `names` of a scan of `data` cannot be written to `out`; nothing is made.

    `goes_on`: of mornings, which go on with what is there.
    """
    must_be_text(out, "--out")
    must_lie_outside(out, "--out", store)
    if _would_be_read(data, out, mapping):
        raise DuankaError(
            f"--out {out} lies among the records of {display_name(str(data))}, where the next scan would read it;"
            " leave --out away (the default is not read), or choose another folder"
        )
    for name in names:
        if (out / name).is_dir():
            raise DuankaError(f"{out / name} is a folder; choose another folder with --out")
    if not goes_on and ((out / LIVE_HITS).exists() or (out / DECIDED).exists()):
        kind = "a live run" if (out / LIVE_HITS).exists() else "mornings"
        raise DuankaError(f"{out} is the folder of {kind}; choose another folder with --out")


def may_hold_ring(out: Path, where: Path) -> None:
    """DuankaError where the files of a ring cannot be written to `out`: in a store, a graph, or among the records."""
    must_be_text(out, "--out")
    must_lie_outside(out, "--out")
    if out.resolve().is_relative_to(where.resolve()):
        raise DuankaError(f"--out {out} lies inside {display_name(str(where))}; choose another folder")


def _would_be_read(data: Path, out: Path, mapping: Path | None) -> bool:
    """Whether a later scan of `data` would read the files in `out` as records."""
    if not data.is_dir() or not out.resolve().is_relative_to(data.resolve()):
        return False
    inside = out.resolve().relative_to(data.resolve()).parts
    if any(part.startswith((".", "_")) or part == DEFAULT for part in inside):
        return False
    # a mapping's patterns may match any file; in Duanka's format a folder may be named like a table
    return mapping is not None or any(part.lower() in TABLES for part in inside)


@contextmanager
def made_folder(out: Path) -> Iterator[None]:
    """Make `out` and see that it can be written to; on an error, remove what was made and is empty. DuankaError."""
    new = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        _make(out)
        yield
    except BaseException:
        for folder in new:
            with suppress(OSError):  # it holds something
                folder.rmdir()
        raise


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".writable"
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise DuankaError(
            f"cannot write to {out} ({error.strerror}); choose another folder with --out"
        ) from error
