"""Bounds of intake: what is packed, repeated or wrong beyond them is given up, and said so. Sizes in bytes."""

from __future__ import annotations

MB = 1 << 20

# Unpacking. Records of calls shrink to a tenth or a twentieth; what shrinks to a thousandth is made to.
FREELY_UNPACKED = 256 * MB  # so much may come out of any file
MOST_UNPACKED_RATIO = 250  # unpacked bytes for each byte of a file that unpacks to more
FREELY_UNPACKED_XML = 64 * MB  # of a workbook, whose XML takes far longer to read than text
MOST_XML_RATIO = 100
MOST_PADDING = 64 * MB  # zeros behind packed data, or between binary records
EMPTY_MEMBERS = 100_000  # members of a packed file one after the other that hold nothing

MOST_WINDOW = 128 * MB  # memory that unpacking itself may take: what xz and zstd look back upon
MOST_DIRECTORY = 4 * MB  # the list of what is in a zip file

# Text.
LINE_LIMIT = 1 << 16  # a longer line, or text in a column, is no record
LONGEST_LINE = 256 * MB  # a file in which no line ends for so long is none of text
TEXT_AT_ONCE = 64 * MB  # of columns of text that are unpacked together
BATCH_BYTES = 128 * MB  # of a micro-batch of any number of records
BLOCK_LINES = 1 << 18  # lines that are read at once
MESSAGE_LINES = 200_000  # lines of one message

RECORD_LIMIT = MB  # of a binary record

# Records that are set aside.
REJECTED_ROWS = 100_000  # rows of one file in quarantine; more of the same are counted in one row
REJECTED_MOST = 1_000_000  # a file with so many, most of its records, is given up


def unpacks_too_much(
    packed: int, unpacked: int, *, freely: int = FREELY_UNPACKED, ratio: int = MOST_UNPACKED_RATIO
) -> str:
    """Why nobody goes on unpacking what came to `unpacked` bytes out of `packed`; "" while it may go on."""
    if unpacked <= freely or unpacked <= ratio * packed:
        return ""
    return f"unpacks to more than {ratio} times its size"


def is_too_much_xml(packed: int, unpacked: int) -> str:
    """The same of a workbook."""
    return unpacks_too_much(packed, unpacked, freely=FREELY_UNPACKED_XML, ratio=MOST_XML_RATIO)


def rejects_too_much(records: int, rejected: int) -> str:
    """Why the rest of a file is not read of whose `records` so far `rejected` were set aside; "" while it is."""
    if rejected <= REJECTED_MOST or 2 * rejected <= records:
        return ""
    return f"given up: {rejected:,} of its first {records:,} records were set aside"
