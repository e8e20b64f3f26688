"""A live record table: recent records in the state file, and all others in files of the store."""

from __future__ import annotations

from datetime import date, datetime

from duanka.domain.schema import TABLES
from duanka.engine.live.state.store_files import StoreFiles


class RecordShelf:
    """One record table, for the few rules that read records themselves."""

    def __init__(self, table: str, files: StoreFiles) -> None:
        self.table, self._files = table, files

    @property
    def begin(self) -> date | None:
        """The first day that is kept; None: nothing was purged."""
        return self._files.manifest.kept.records_from

    def raw(self, columns: str, since: datetime | None) -> str:
        """SELECT of `columns` of the records from `since`, with those of settled batches."""
        moment = TABLES[self.table].time
        later = f" WHERE {moment} >= TIMESTAMP '{since}'" if since else ""
        files = self._files.records(self.table, since.date() if since else None)
        sources = [f"state.recent_{self.table}", *([files] if files else [])]
        return " UNION ALL ".join(f"SELECT {columns} FROM {source}{later}" for source in sources)
