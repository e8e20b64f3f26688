"""Supervision: runs each part of a process in a thread, restarts it with back-off.

A part is a function that runs until told to stop. An exception or an early return is a failure of this part
alone: start and end of the failure are reported, and `states` shows it meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

FIRST_REST_SECONDS, LONGEST_REST_SECONDS = 0.5, 60.0
WELL_AFTER_SECONDS = 30.0  # a part that ran for so long without a failure is healthy
_WATCH_SECONDS = 1.0


class Listener(Protocol):
    """Receives failures and recoveries; exceptions it raises are dropped."""

    def failed(self, part: str, error: BaseException) -> None:
        """The part failed and will be restarted."""

    def works(self, part: str) -> None:
        """The part has recovered."""


@dataclass(frozen=True)
class PartState:
    """State of a part. `failing`: it has not recovered since its last failure."""

    name: str
    alive: bool
    failing: bool
    restarts: int


@dataclass
class Running:
    """Handle of a running part: the request to stop, and `works` to report health."""

    stopping: threading.Event = field(default_factory=threading.Event)
    _callbacks: list[Callable[[], object]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    works: Callable[[], None] = lambda: None

    def on_stop(self, callback: Callable[[], object]) -> None:
        """Call `callback` when the part must end: from another thread, or at once if it already must."""
        with self._lock:
            self._callbacks.append(callback)
        if self.stopping.is_set():
            callback()

    def stop(self) -> None:
        """Request the end of the part."""
        self.stopping.set()
        with self._lock:
            callbacks = list(self._callbacks)
        for callback in callbacks:
            with suppress(Exception):
                callback()

    def begin(self) -> None:
        """Start a new run of the part: discard the callbacks of the previous one."""
        with self._lock:
            self._callbacks.clear()


@dataclass
class _Part:
    name: str
    work: Callable[[Running], object]
    running: Running
    thread: threading.Thread | None = None
    failures: int = 0  # in a row
    restarts: int = 0
    begun: float = 0.0
    failing: bool = False


class Supervisor:
    """Starts parts and restarts them. Thread-safe. `ticks`: monotonic seconds."""

    def __init__(self, listener: Listener, ticks: Callable[[], float]) -> None:
        self._listener, self._ticks = listener, ticks
        self._parts: dict[str, _Part] = {}
        self._stopped, self._lock = threading.Event(), threading.Lock()
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self, name: str, work: Callable[[Running], object]) -> None:
        """Run the part from now on."""
        part = _Part(name, work, Running())
        part.running.works = lambda: self._works(part)
        self._parts[name] = part
        self._begin(part)
        if not self._watcher.is_alive() and not self._stopped.is_set():
            with suppress(RuntimeError):  # another thread may have started it meanwhile
                self._watcher.start()

    def states(self) -> tuple[PartState, ...]:
        """States of all parts, in order of their start."""
        return tuple(
            PartState(part.name, bool(part.thread and part.thread.is_alive()), part.failing, part.restarts)
            for part in tuple(self._parts.values())
        )

    def stop(self) -> None:
        """Stop all parts in reverse order of their start, and wait for each."""
        self._stopped.set()
        for name in reversed(tuple(self._parts)):
            self.end(name)

    def end(self, name: str) -> None:
        """Stop one part and wait for it."""
        part = self._parts[name]
        part.running.stop()
        if part.thread:
            part.thread.join()

    # --- inside ---

    def _begin(self, part: _Part) -> None:
        thread = threading.Thread(target=self._run, args=(part,), name=part.name)
        thread.start()
        part.thread = thread  # set after its start, or the watcher would restart it as dead

    def _run(self, part: _Part) -> None:
        while not part.running.stopping.is_set():
            part.running.begin()
            part.begun = self._ticks()
            try:
                part.work(part.running)
                error: BaseException = RuntimeError("it ended by itself")
            except BaseException as raised:  # of any kind: the other parts continue
                error = raised
            if part.running.stopping.is_set():
                return
            self._failed(part, error)
            rest = FIRST_REST_SECONDS * 2 ** min(part.failures - 1, 10)
            part.running.stopping.wait(min(LONGEST_REST_SECONDS, rest))

    def _failed(self, part: _Part, error: BaseException) -> None:
        if self._ticks() - part.begun >= WELL_AFTER_SECONDS:
            part.failures = 0
        part.failures += 1
        part.restarts += 1
        part.failing = True
        with suppress(Exception):
            self._listener.failed(part.name, error)

    def _works(self, part: _Part) -> None:
        with self._lock:  # the part and the watcher may report it at the same time
            if not part.failing:
                return
            part.failing, part.failures = False, 0
        with suppress(Exception):
            self._listener.works(part.name)

    def _watch(self) -> None:
        """Restart threads that died, and clear the failure of parts that ran long enough."""
        while not self._stopped.wait(_WATCH_SECONDS):
            for part in tuple(self._parts.values()):
                if part.running.stopping.is_set():
                    continue
                if part.thread and not part.thread.is_alive():
                    self._failed(part, RuntimeError("its thread died"))
                    self._begin(part)
                elif part.failing and self._ticks() - part.begun >= WELL_AFTER_SECONDS:
                    self._works(part)
