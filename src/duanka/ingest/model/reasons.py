"""All reasons for which a record is quarantined."""

from __future__ import annotations

from duanka.domain.text import WordedEnum


class QuarantineReason(WordedEnum):
    """A stable short phrase, the content of column `reason` in quarantine.parquet."""

    WRONG_COLUMN_COUNT = "wrong column count", "列数不符"
    """The line has more or fewer fields than the header."""
    BROKEN_ENCODING = "broken encoding", "编码错误"
    """The bytes are not text in the declared encoding."""
    NUL_BYTE = "NUL byte", "含空字节"
    """The line contains a zero byte, the usual mark of a half-written block."""
    OPEN_QUOTE = "unterminated quote", "引号未闭合"
    """A quoted field does not end on its line: one record is one physical line."""
    STRAY_RETURN = "stray carriage return", "多余的回车符"
    """The line contains a carriage return."""
    TOO_LONG = "line too long", "行过长"
    """The line is longer than the limit for a record."""
    EMPTY_LINE = "empty line", "空行"
    """The line is empty and not at the end of the file."""
    CUT_OFF = "file cut off", "文件不完整"
    """A compressed file is truncated here; the rest is lost."""
    UNREADABLE_FILE = "unreadable file", "文件无法读取"
    """The file cannot be opened in the format that its name or content claims."""
    OVERSIZED = "beyond the limits of intake", "超出读取上限"
    """Decompressed size or number of faults exceeds the limits; the rest of the file is not read."""
    UNREADABLE_ROWS = "unreadable row group", "行组损坏"
    """A row group of a Parquet file is damaged; one quarantined row for each of its rows."""
    UNDECODABLE = "undecodable record", "记录无法解码"
    """A binary record cannot be decoded; `raw` is hexadecimal."""
    UNPROCESSABLE = "record cannot be processed", "记录无法处理"
    """Reading it raises an unexpected error: a defect of the program; please report it."""
    BROKEN_JSON = "no JSON object", "不是 JSON 对象"
    """The line of a message is not one JSON object."""
    BROKEN_ARROW = "unreadable Arrow stream", "Arrow 数据流损坏"
    """The message is not a complete Arrow stream, or has an unsupported column type; all of it is rejected."""
    NO_TABLE = "no table for this row", "没有对应的表"
    """No source of the mapping takes the row, or the subject of a message names no table."""
    MISSING = "required value missing", "缺少必填值"
    """A required column is empty."""
    BAD_TIME = "bad time", "时间有误"
    """No such time, another format than declared, or a year outside 1970 to 2199."""
    BAD_DAY = "bad day", "日期有误"
    """No such day, or another format than declared."""
    NEGATIVE_DURATION = "negative duration", "时长为负"
    """Seconds below zero."""
    NEGATIVE_COUNT = "negative count", "计数为负"
    """A count, for example of bytes, below zero."""
    NOT_A_NUMBER = "not a number", "不是数字"
    """Not a count, or one beyond 2^53."""
    IMPOSSIBLE_NUMBER = "impossible number", "不是电话号码"
    """Not a phone number of any numbering plan, nor, for a peer, a short code."""
    UNKNOWN_IMSI = "IMSI not in the register", "IMSI 不在用户资料中"
    """The record identifies its card by IMSI only, and no earlier row of `cards` has this IMSI."""
    ROUNDED_NUMBER = "rounded number", "号码位数丢失"
    """A telephone number, IMEI or document number in scientific notation (8.6138E+12), or a document number whose last
    digits became zeros: a spreadsheet lost digits; export the column as text."""
    UNKNOWN_DIRECTION = "unknown direction", "未知的呼叫方向"
    """Neither `out` nor `in`, nor a code of the mapping."""
    UNKNOWN_CHOICE = "unknown choice", "未知的取值"
    """Not one of the column's values."""
    NOT_A_FLAG = "neither true nor false", "不是是或否"
    """Neither true nor false."""
    BAD_IMEI = "bad IMEI", "IMEI 有误"
    """Not 14 to 16 digits."""
    NO_HOLDER_KEY = "no key for document numbers", "缺少证件号密钥"
    """A document number, which is stored only as a keyed hash, but no DUANKA_HOLDER_KEY is set."""
    DELIVERED_TWICE = "delivered twice", "重复交付"
    """An equal record came earlier, in this file or another."""
    CARD_TWICE = "card described twice", "号码资料重复"
    """The register describes this card again later, differently; the last description is used."""
    OUTLET_TWICE = "outlet described twice", "网点资料重复"
    """The register describes this outlet again later, differently; the last description is used."""


REASONS: tuple[QuarantineReason, ...] = tuple(QuarantineReason)
FINE = 0  # code of a value without a fault; code n means REASONS[n - 1]
CODES: dict[QuarantineReason, int] = {reason: code for code, reason in enumerate(REASONS, start=1)}


def reason_of(code: int) -> QuarantineReason:
    """Return the reason of `code`, from 1 on."""
    return REASONS[code - 1]
