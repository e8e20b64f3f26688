"""Cards that passed the second verification, kept up to date in the live state."""

from __future__ import annotations

import duckdb

from duanka.domain.passed_cards import Passes
from duanka.engine.live.state.rollup_store import Run
from duanka.engine.shared.duckdb_database import pass_rows


class Passed:
    """Copies `passes` to `state.passes`; with None the stored table stays unchanged."""

    def __init__(self, db: duckdb.DuckDBPyConnection, run: Run, passes: Passes | None) -> None:
        self._db, self._run, self._passes = db, run, passes
        self._version: object = None

    def take(self) -> None:
        """Apply new passes in the open transaction and mark their cards as touched."""
        if self._passes is None:
            return
        version = self._passes.version()  # read first: a concurrent change is then seen by the next call
        if version == self._version:
            return
        self._db.register("given", pass_rows(self._passes.read()))
        self._run(
            "INSERT INTO state.touched SELECT DISTINCT 'cards', card FROM ((FROM given EXCEPT FROM state.passes)"
            " UNION ALL (FROM state.passes EXCEPT FROM given)) SEMI JOIN state.cards USING (card)"
        )
        self._run("DELETE FROM state.passes")
        self._run("INSERT INTO state.passes SELECT card, passed_at FROM given")
        self._db.unregister("given")
        self._version = version
