"""Which files of an inbox are complete, for one look at it, as the watcher tells in the course of time."""

from __future__ import annotations

from pathlib import Path

from duanka.domain.display import display_name
from duanka.ingest.live.inbox import file_names as naming


class FinishedFiles:
    """Selects the complete files of `folder`, see `discovery.FileSelection`; a file whose marker is missing waits.

    `waiting`: the names of those. No link in the inbox is followed.
    """

    def __init__(self, folder: Path) -> None:
        self.root: Path | None = folder
        self._markers = naming.Markers(folder, None)
        self.waiting: list[str] = []

    def passes_over(self, below: str, name: str) -> bool:
        """Whether to ignore `name` in the folder `below`: hidden, unfinished, a marker, or our own."""
        if name.endswith(naming.MARKER):
            self._markers.note(below, name)
            return True
        return naming.passed_over(below, name)

    def waits(self, name: str) -> bool:
        """Whether the file lacks a marker, while others in its folder have one.

        Called when all were passed, and only of files of records: a signature or a key has no marker.
        """
        if not self._markers.needed_for(name) or self._markers.written_at(name) is not None:
            return False
        self.waiting.append(display_name(name))
        return True
