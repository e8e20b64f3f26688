"""The graph that the API answers from: the folder of DUANKA_LINKS, loaded when it is asked first.

A nightly build replaces what lies in the folder while it is being read. What was loaded goes on to answer, since its
files stay as long as they are mapped; the next question loads the new graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING

from duanka.bootstrap.links.ownership import must_belong_here
from duanka.bootstrap.order_resources import AttachedStore
from duanka.bootstrap.settings import Settings
from duanka.domain.errors import DuankaError
from duanka.domain.record_lookups import LookupRefused
from duanka.domain.ring_lookups import SeedName, TooManyRings

if TYPE_CHECKING:
    from duanka.bootstrap.links.answers import GraphAnswers
    from duanka.links.answers import FoundRing, FoundTable

AT_ONCE = 2  # questions that are answered at the same time; each keeps a core busy for up to a second
WAITING = 6  # that wait for their turn; each has a thread of the API meanwhile, and others need some
_EDITION_LETTERS = 12


@dataclass(frozen=True)
class _Loaded:
    edition: str
    answers: GraphAnswers


class ServedGraph:
    """The graph of `settings.links`, for several threads. `here`: a store of this order database, for its seal."""

    def __init__(self, settings: Settings, here: AttachedStore) -> None:
        self._settings, self._here = settings, here
        self._loaded: _Loaded | None = None
        self._lock = Lock()
        self._admitted, self._turn = BoundedSemaphore(AT_ONCE + WAITING), BoundedSemaphore(AT_ONCE)

    def checked(self) -> ServedGraph:
        """This graph. LookupRefused: none is named or there, or it is not of this order database's store."""
        _edition(self._folder)
        must_belong_here(self._folder, self._here)
        return self

    @property
    def _folder(self) -> Path:
        if self._settings.links is None:
            raise LookupRefused(
                "no graph is named: `duanka links build STORE --out LINKS` makes one, and DUANKA_LINKS names its folder"
                " (docs/LINKS.md)"
            )
        return self._settings.links

    def around(self, named: SeedName) -> FoundRing:
        """The ring behind what was named. NotLinked; TooManyRings; DuankaError: the graph is damaged."""
        with self._in_turn():
            return replace(self._current().around(named), turn=self._in_turn)

    def rings(self) -> FoundTable:
        """The communities worth a look, the worst first. TooManyRings; DuankaError."""
        with self._in_turn():
            return self._current().rings()

    def outlets(self) -> FoundTable:
        """All outlets, by the lower bound on their lift over their peers. TooManyRings; DuankaError."""
        with self._in_turn():
            return self._current().outlets()

    def devices(self) -> FoundTable:
        """Devices that are no ordinary phones, boxes first. TooManyRings; DuankaError."""
        with self._in_turn():
            return self._current().devices()

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        if not self._admitted.acquire(blocking=False):
            raise TooManyRings("too many rings are looked up just now; ask again in a second")
        try:
            with self._turn:
                yield
        finally:
            self._admitted.release()

    def _current(self) -> GraphAnswers:
        """The graph as it lies in the folder now."""
        folder = self._folder
        with self._lock:
            if self._loaded is None or self._loaded.edition != _edition(folder):
                self._loaded = None  # its memory, before another takes as much
                self._loaded = self._load(folder)
            return self._loaded.answers

    def _load(self, folder: Path) -> _Loaded:
        """Load it; once more if it is replaced meanwhile, so that what is missing was only on its way out."""
        before = _edition(folder)
        try:
            found = self._read(folder, before)
        except DuankaError:
            if _edition(folder) == before:
                raise
        else:
            if _edition(folder) == before:
                return found
        return self._read(folder, _edition(folder))

    def _read(self, folder: Path, edition: str) -> _Loaded:
        from duanka.bootstrap.links.answers import GraphAnswers  # noqa: PLC0415  # as above
        from duanka.bootstrap.links.building import load_built  # noqa: PLC0415

        built = load_built(folder)
        return _Loaded(edition, GraphAnswers(self._settings, lambda: built, edition))


def _edition(folder: Path) -> str:
    """What changes whenever a graph is written to `folder`. LookupRefused: there is none."""
    from duanka.links.graph.stored import MANIFEST  # noqa: PLC0415  # polars and scipy take a second

    try:
        found = (folder / MANIFEST).stat()
    except OSError as error:
        raise LookupRefused(
            f"{folder} holds no graph ({MANIFEST} cannot be read: {error.strerror}): `duanka links build STORE --out"
            f" {folder}` makes one"
        ) from None
    told = f"{found.st_ino} {found.st_mtime_ns} {found.st_size}"
    return sha256(told.encode()).hexdigest()[:_EDITION_LETTERS]
