"""Cards by IMSI, from the register: exchanges abroad often give the IMSI only."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import polars as pl

from duanka.domain.private_files import private_database
from duanka.ingest.model.value_text import undecorated, without_exponent

_IMSI = "^[0-9]{6,15}$"


class CardsByImsi:
    """IMSI -> card, in an SQLite file `path` or in memory; thread-safe."""

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._path = path
        self._opened: sqlite3.Connection | None = None

    @property
    def _file(self) -> sqlite3.Connection:
        """The database, opened at first use: before, its folder may not exist."""
        if self._opened is None:
            where = ":memory:" if self._path is None else str(private_database(self._path))
            self._opened = sqlite3.connect(where, check_same_thread=False, isolation_level=None)
            self._opened.execute("PRAGMA journal_mode = WAL")
            self._opened.execute(
                "CREATE TABLE IF NOT EXISTS cards (imsi INTEGER PRIMARY KEY, card TEXT NOT NULL)"
            )
        return self._opened

    def learn(self, register: pl.DataFrame) -> None:
        """Store rows of the canonical table `cards` that have an IMSI."""
        known = register.select(_digits(register["imsi"]).alias("imsi"), "card")
        known = known.filter(pl.col("imsi").str.contains(_IMSI))
        if known.is_empty():
            return
        pairs = known.with_columns(pl.col("imsi").cast(pl.Int64)).rows()
        with self._lock:
            self._file.execute("BEGIN")
            self._file.executemany("INSERT OR REPLACE INTO cards VALUES (?, ?)", pairs)
            self._file.execute("COMMIT")

    def cards(self, imsis: pl.Series) -> pl.Series:
        """Return the cards of `imsis` (text); null for invalid or unknown IMSIs."""
        imsis = _digits(imsis)
        numbers = imsis.set(~imsis.str.contains(_IMSI).fill_null(False), None).cast(pl.Int64)
        asked = numbers.drop_nulls().unique().to_list()
        if not asked:
            return pl.repeat(None, len(imsis), dtype=pl.String, eager=True)
        found: dict[int, str] = {}
        with self._lock:
            for begin in range(0, len(asked), 30_000):  # SQLite allows 32,766 parameters in a statement
                some = asked[begin : begin + 30_000]
                marks = ",".join("?" * len(some))
                found.update(
                    self._file.execute(f"SELECT imsi, card FROM cards WHERE imsi IN ({marks})", some)
                )
        return numbers.replace_strict(
            pl.Series(list(found), dtype=pl.Int64),
            pl.Series(list(found.values()), dtype=pl.String),
            default=None,
            return_dtype=pl.String,
        )

    def close(self) -> None:
        """Close the file, if it was opened."""
        if self._opened is not None:
            self._opened.close()


def _digits(written: pl.Series) -> pl.Series:
    """Return the digits of IMSIs, without separators, `.0` or a filler F at the end."""
    odd = ~written.str.contains(_IMSI).fill_null(True)
    if not odd.any():
        return written
    plain = without_exponent(undecorated(written)).str.replace("[.]0+$", "").str.replace_all(r"[\s./-]", "")
    return plain.str.replace(r"(?i)^(?:imsi[:=]?)?([0-9]+)f*$", "${1}").zip_with(odd, written)
