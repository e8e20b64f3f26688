"""The Protocols through which `app` hands the rooms to `pipeline`."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told how far a long piece of work is. `total` None: not known. Units are the caller's words."""

    def step(self, what: str, done: float, total: float | None = None) -> None:
        """`what` has come to `done` of `total`."""


class Silent:
    """A Progress that says nothing: for tests and pipes."""

    def step(self, what: str, done: float, total: float | None = None) -> None:
        """Say nothing."""
