"""Holders: a document number becomes a keyed hash before anything is written."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re

import polars as pl

from duanka.domain.errors import MissingKey

_log = logging.getLogger(__name__)

WITHHELD = "<withheld>"
WITHHELD_LINE = "<withheld: the file carries document numbers; see the line in the source>"

_SHAPE = r"^[0-9]{15}$|^[0-9]{17}[0-9Xx]$"
# Province, then the rest of the place, date of birth, serial number; 15 digits until 1999, 18 since.
_PROVINCE = r"(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[123]|91)"
_DATE = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_NEW = re.compile(rf"{_PROVINCE}[0-9]{{4}}(?:18|19|20)[0-9]{{2}}{_DATE}[0-9]{{3}}[0-9Xx]")
_OLD = re.compile(rf"{_PROVINCE}[0-9]{{4}}[0-9]{{2}}{_DATE}[0-9]{{3}}")
_NEW_WITHIN = re.compile(rf"(?<![0-9]){_NEW.pattern}(?![0-9Xx])")


class Holders:
    """Hashes document numbers with HMAC-SHA256 under `key`.

    `needs_key`: what happens where there is none: True raises MissingKey, False leaves out the document numbers, so
    that their rows can be set aside.
    """

    def __init__(self, key: bytes | None, *, needs_key: bool = True) -> None:
        self._key = key
        self._needs_key = needs_key
        self._warned = False

    def hashed(self, text: pl.Series, *, everything: bool, where: str) -> pl.Series:
        """Return trimmed `text` with document numbers hashed, each distinct one once; null where that needs a key.

        `everything`: all values are document numbers; else only those that look like one are. `where` names the
        column for MissingKey.
        """
        distinct = text.drop_nulls().unique()
        if everything:
            documents = distinct.to_list()
        else:
            shaped = distinct.filter(distinct.str.contains(_SHAPE))
            documents = [value for value in shaped.to_list() if looks_like_document(value)]
        if not documents:
            return text
        if self._key is None:
            if not self._needs_key:
                self._warn(where)
                return text.set(text.is_in(documents), None)
            raise MissingKey(
                f"{where} carries document numbers, which are only kept as keyed hashes: set DUANKA_HOLDER_KEY to a"
                " text of 16 characters or more that stays the same, or DUANKA_HOLDER_KEY_FILE to a file with one"
                " (`openssl rand -hex 32`; `duanka init` makes one)"
            )
        hashes = [self._hash(value) for value in documents]
        return text.replace(pl.Series(documents), pl.Series(hashes))

    def _warn(self, where: str) -> None:
        if not self._warned:
            self._warned = True
            _log.error(
                "%s carries document numbers, which are only kept as keyed hashes: their rows are set aside; set "
                "DUANKA_HOLDER_KEY, start again and deliver them again",
                where,
            )

    def _hash(self, document: str) -> str:
        key = self._key or b""
        return hmac.new(key, document.strip().upper().encode(), hashlib.sha256).hexdigest()


def looks_like_document(text: str) -> bool:
    """Tell whether `text` looks like a resident identity number.

    The check digit is not asked: a mistyped document number is one too, and hashing too much does no harm.
    """
    return bool(_NEW.fullmatch(text) or _OLD.fullmatch(text))


def without_documents(raw: str) -> str:
    """Return `raw` with everything that looks like an identity number of today withheld."""
    return _NEW_WITHIN.sub(WITHHELD, raw)
