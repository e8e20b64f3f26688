"""Markers of complete files: which files need one, and when it was written."""

from __future__ import annotations

import os
from pathlib import Path

from duanka.ingest.live.inbox.file_names import MARKER


class Markers:
    """Markers in one inbox.

    `required`: True for every file, False for none, None for files in a folder that has a marked file.
    """

    def __init__(self, folder: Path, required: bool | None) -> None:
        self._folder, self._required = folder, required
        self._marked: set[str] = set()  # folders in which a file has a marker

    def note(self, below: str, name: str) -> None:
        """Note the marker `name` in the folder `below`."""
        # a marker without its file must not make other files wait for markers
        of = name.removesuffix(MARKER)
        if of and os.path.lexists(self._folder / (below + of)):
            self._marked.add(below)

    def needed_for(self, name: str) -> bool:
        """Tell whether the file must wait for a marker."""
        if self._required is None:
            return name[: name.rfind("/") + 1] in self._marked
        return self._required

    def written_at(self, name: str) -> int | None:
        """Modification time (ns) of the file's marker; None without one."""
        if self._required is False:
            return None
        try:
            return os.stat(self._folder / (name + MARKER)).st_mtime_ns
        except OSError:
            return None
