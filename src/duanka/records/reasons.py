"""Why a record is set aside: every reason there is, in one place."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """A stable short phrase; it is what `quarantine.parquet` says in its column `reason`."""

    WRONG_COLUMN_COUNT = "wrong column count"
    """The line has more or fewer fields than the header."""
    BROKEN_ENCODING = "broken encoding"
    """The bytes are no text in the declared encoding."""
    NUL_BYTE = "NUL byte"
    """The line contains a zero byte, the usual mark of a half-written block."""
    OPEN_QUOTE = "unterminated quote"
    """A quoted field does not end on its line: one record is one physical line."""
    STRAY_RETURN = "stray carriage return"
    """A carriage return stands inside the line."""
    TOO_LONG = "line too long"
    """The line is longer than any record of a call can be."""
    EMPTY_LINE = "empty line"
    """Nothing stands on the line, and it is not the end of the file."""
    CUT_OFF = "file cut off"
    """A compressed file breaks off here: the rest of it is not known."""
    UNREADABLE_FILE = "unreadable file"
    """The file cannot be opened as what it claims to be."""
    OVERSIZED = "beyond the limits of intake"
    """What is packed in it, or what is wrong with it, is out of all proportion: the rest is not read."""
    UNREADABLE_ROWS = "unreadable row group"
    """A row group of a Parquet file is damaged; one quarantined row for each of its rows."""
    UNDECODABLE = "undecodable record"
    """A binary record does not decode; `raw` is hexadecimal."""
    UNPROCESSABLE = "record cannot be processed"
    """Reading it fails in a way that nobody foresaw: a defect of the program, which is worth a report."""
    BROKEN_JSON = "no JSON object"
    """The line of a message is not one JSON object."""
    BROKEN_ARROW = "unreadable Arrow stream"
    """The message is no whole Arrow stream, or has a column of a type that cannot be read; it is set aside whole."""
    NO_TABLE = "no table for this row"
    """No source of the mapping takes the row, or the subject of a message names no table."""
    MISSING = "required value missing"
    """A column without which the record means nothing is empty."""
    BAD_TIME = "bad time"
    """No such time, another format than declared, or a year outside 1970 to 2199."""
    BAD_DAY = "bad day"
    """No such day, or another format than declared."""
    NEGATIVE_DURATION = "negative duration"
    """Seconds below zero."""
    NEGATIVE_COUNT = "negative count"
    """A count, for example of bytes, below zero."""
    NOT_A_NUMBER = "not a number"
    """Text where a count is due, or a count beyond 2^53."""
    IMPOSSIBLE_NUMBER = "impossible number"
    """No telephone number of any numbering plan, nor a short code where one may stand."""
    UNKNOWN_IMSI = "IMSI not in the register"
    """The record names its card by IMSI alone, and no row of `cards` that came before says which card that is."""
    ROUNDED_NUMBER = "rounded number"
    """A telephone number in scientific notation (8.6138E+12): a spreadsheet lost digits; export the column as text."""
    UNKNOWN_DIRECTION = "unknown direction"
    """Neither `out` nor `in`, nor a code of the mapping."""
    UNKNOWN_CHOICE = "unknown choice"
    """None of the values that the column knows."""
    NOT_A_FLAG = "neither true nor false"
    """Text where true or false is due."""
    BAD_IMEI = "bad IMEI"
    """Not 14 to 16 digits."""
    NO_HOLDER_KEY = "no key for document numbers"
    """A document number, which is kept only as a keyed hash, and no DUANKA_HOLDER_KEY is set."""
    DELIVERED_TWICE = "delivered twice"
    """An equal record came before, in this file or another."""
    CARD_TWICE = "card described twice"
    """The register described this card before, differently; the first description is used."""
    OUTLET_TWICE = "outlet described twice"
    """The register described this outlet before, differently; the first description is used."""


REASONS: tuple[Reason, ...] = tuple(Reason)
FINE = 0  # the code of a value without a fault; code n stands for REASONS[n - 1]
CODES: dict[Reason, int] = {reason: code for code, reason in enumerate(REASONS, start=1)}


def reason_of(code: int) -> Reason:
    """Return the reason that `code` (1 and up) stands for."""
    return REASONS[code - 1]
