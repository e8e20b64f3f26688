"""Limits of intake, sizes in bytes; beyond them reading stops with a reason."""

from __future__ import annotations

MB = 1 << 20

# Decompression. Call records compress 10 to 20 times; 1,000 times indicates a decompression bomb.
FREELY_UNPACKED = 256 * MB  # allowed for any file, whatever its ratio
MOST_UNPACKED_RATIO = 250  # unpacked bytes per packed byte, beyond FREELY_UNPACKED
FREELY_UNPACKED_XML = 64 * MB  # the same for a workbook: XML takes much longer to read than text
MOST_XML_RATIO = 100
MOST_PADDING = 64 * MB  # padding after packed data or between binary records
EMPTY_MEMBERS = 100_000  # consecutive empty members of a packed file

MOST_WINDOW = 128 * MB  # dictionary size (memory) of xz and zstd
MOST_DIRECTORY = 4 * MB  # central directory of a zip file

# Text.
LINE_LIMIT = 1 << 16  # maximum length of a line, or of a text value, of a record
LONGEST_LINE = 256 * MB  # more bytes without a line end are not text
TEXT_AT_ONCE = 64 * MB  # text of all columns decoded at once
BATCH_BYTES = 128 * MB  # maximum size of a micro-batch
BLOCK_LINES = 1 << 18  # maximum lines read at once
MESSAGE_LINES = 200_000  # maximum lines of one message

RECORD_LIMIT = MB  # maximum size of a binary record

# Rejected records.
# Rows of one file in quarantine; further ones are only counted, in one row per reason.
REJECTED_ROWS = 100_000
REJECTED_MOST = 1_000_000  # reading a file stops above it, if over half of the records are rejected


def unpacks_too_much(
    packed: int, unpacked: int, *, freely: int = FREELY_UNPACKED, ratio: int = MOST_UNPACKED_RATIO
) -> str:
    """Why `unpacked` bytes out of `packed` exceed the limits; "" if they do not."""
    if unpacked <= freely or unpacked <= ratio * packed:
        return ""
    return f"unpacks to more than {ratio} times its size"


def rejects_too_much(records: int, rejected: int) -> str:
    """Why to give up a file with `rejected` of `records` rejected; "" to go on."""
    if rejected <= REJECTED_MOST or 2 * rejected <= records:
        return ""
    return f"given up: {rejected:,} of its first {records:,} records were set aside"
