"""Holders: replaces document numbers by keyed hashes before anything is stored."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re

import polars as pl

from duanka.domain.errors import MissingKey
from duanka.ingest.model.value_text import trimmed, undecorated

_log = logging.getLogger(__name__)

WITHHELD = "<withheld>"
WITHHELD_LINE = "<withheld: the file carries document numbers; see the line in the source>"

_SHAPE = r"^[0-9]{15}$|^[0-9]{17}[0-9Xx]$"
# Province, rest of the administrative code, date of birth, serial number; 15 digits until 1999, 18 since.
_PROVINCE = r"(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[123]|91)"
_DATE = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_NEW = re.compile(rf"{_PROVINCE}[0-9]{{4}}(?:18|19|20)[0-9]{{2}}{_DATE}[0-9]{{3}}[0-9Xx]")
_OLD = re.compile(rf"{_PROVINCE}[0-9]{{4}}[0-9]{{2}}{_DATE}[0-9]{{3}}")
_EXPONENT = r"^[0-9][.][0-9]+[eE][+]?[0-9]{1,2}$"
_LAST_ZEROS = "^[1-9][0-9]{13}[0-9]000$"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643
_NEW_WITHIN = re.compile(rf"(?<![0-9]){_NEW.pattern}(?![0-9Xx])")


class Holders:
    """Hashes document numbers with HMAC-SHA256 under `key`.

    `needs_key`: without a key, True raises MissingKey; False replaces document numbers by null, so that their rows are
    rejected.
    """

    def __init__(self, key: bytes | None, *, needs_key: bool = True) -> None:
        self._key = key
        self._needs_key = needs_key
        self._warned = False

    def hashed(self, text: pl.Series, *, everything: bool, where: str) -> pl.Series:
        """Return trimmed `text` with document numbers hashed.

        Null where a key is missing or a spreadsheet has rounded the number. `everything`: treat all values as document
        numbers, else only those that look like one. `where`: name of the column, for MissingKey.
        """
        text = _plain_documents(text, everything=everything)
        lost = lost_digits(text)
        text = text.set(lost, None) if lost.any() else text
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
        plain = (value.strip().upper().encode() for value in documents)
        hashes = [hmac.new(self._key, one, hashlib.sha256).hexdigest() for one in plain]
        return text.replace(pl.Series(documents), pl.Series(hashes))

    def _warn(self, where: str) -> None:
        if not self._warned:
            self._warned = True
            _log.error(
                "%s carries document numbers, which are only kept as keyed hashes: their rows are set aside; set "
                "DUANKA_HOLDER_KEY, start again and deliver them again",
                where,
            )


def looks_like_document(text: str) -> bool:
    """Tell whether `text` looks like a resident identity number.

    The check digit is ignored: a mistyped document number must be hashed too, and hashing too much does no harm.
    """
    return bool(_NEW.fullmatch(text) or _OLD.fullmatch(text))


def lost_digits(written: pl.Series) -> pl.Series:
    """Mask of the document numbers rounded by a spreadsheet.

    A spreadsheet keeps 15 digits, so the last three of 18 become zeros and the check digit is wrong. Without
    this mask, many persons would count as one holder.
    """
    text = _plain_documents(trimmed(written), everything=False)
    lost = text.str.contains(_EXPONENT).fill_null(False)
    zeros = text.str.contains(_LAST_ZEROS).fill_null(False)
    if zeros.any():
        wrong = [value for value in text.filter(zeros).unique().to_list() if not _is_checked(value)]
        lost |= text.is_in(wrong).fill_null(False)
    return lost


def _plain_documents(text: pl.Series, *, everything: bool) -> pl.Series:
    """Return `text` with document numbers stripped of separators and decoration."""
    odd = text.str.contains("[^0-9A-Za-z]").fill_null(False)
    if not odd.any():
        return text
    plain = undecorated(text.set(~odd, None))
    digits = plain.str.replace("[.]0+$", "").str.replace_all(r"[\s./_-]", "")
    documents = digits.set(~digits.str.contains(_SHAPE).fill_null(False), None)
    plain = documents.zip_with(documents.is_not_null(), plain if everything else text)
    return plain.zip_with(odd, text)


def _is_checked(document: str) -> bool:
    """Whether the check digit of an 18-digit identity number is correct (GB 11643)."""
    total = sum(int(digit) * weight for digit, weight in zip(document, _WEIGHTS, strict=False))
    return "10X98765432"[total % 11] == document[17].upper()


def without_documents(raw: str) -> str:
    """Return `raw` with all 18-digit resident identity numbers masked."""
    return _NEW_WITHIN.sub(WITHHELD, raw)
