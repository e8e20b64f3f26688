"""All reasons for which a record is quarantined."""

from __future__ import annotations

from duanka.domain.text import WordedEnum


class QuarantineReason(WordedEnum):
    """A stable short phrase, the content of column `reason` in quarantine.parquet."""

    WRONG_COLUMN_COUNT = "wrong column count", "列数不符"
    """The line has more or fewer fields than the header."""
    BROKEN_ENCODING = "broken encoding", "编码错误"
    """The bytes are no text in the declared encoding."""
    NUL_BYTE = "NUL byte", "含空字节"
    """The line contains a zero byte, the usual mark of a half-written block."""
    OPEN_QUOTE = "unterminated quote", "引号未闭合"
    """A quoted field does not end on its line: one record is one physical line."""
    STRAY_RETURN = "stray carriage return", "多余的回车符"
    """A carriage return stands inside the line."""
    TOO_LONG = "line too long", "行过长"
    """The line is longer than any record of a call can be."""
    EMPTY_LINE = "empty line", "空行"
    """Nothing stands on the line, and it is not the end of the file."""
    CUT_OFF = "file cut off", "文件不完整"
    """A compressed file breaks off here: the rest of it is not known."""
    UNREADABLE_FILE = "unreadable file", "文件无法读取"
    """The file cannot be opened as what it claims to be."""
    OVERSIZED = "beyond the limits of intake", "超出读取上限"
    """What is packed in it, or what is wrong with it, is out of all proportion: the rest is not read."""
    UNREADABLE_ROWS = "unreadable row group", "行组损坏"
    """A row group of a Parquet file is damaged; one quarantined row for each of its rows."""
    UNDECODABLE = "undecodable record", "记录无法解码"
    """A binary record does not decode; `raw` is hexadecimal."""
    UNPROCESSABLE = "record cannot be processed", "记录无法处理"
    """Reading it fails in a way that nobody foresaw: a defect of the program, which is worth a report."""
    BROKEN_JSON = "no JSON object", "不是 JSON 对象"
    """The line of a message is not one JSON object."""
    BROKEN_ARROW = "unreadable Arrow stream", "Arrow 数据流损坏"
    """The message is no whole Arrow stream, or has a column of a type that cannot be read; it is set aside whole."""
    NO_TABLE = "no table for this row", "没有对应的表"
    """No source of the mapping takes the row, or the subject of a message names no table."""
    MISSING = "required value missing", "缺少必填值"
    """A column without which the record means nothing is empty."""
    BAD_TIME = "bad time", "时间有误"
    """No such time, another format than declared, or a year outside 1970 to 2199."""
    BAD_DAY = "bad day", "日期有误"
    """No such day, or another format than declared."""
    NEGATIVE_DURATION = "negative duration", "时长为负"
    """Seconds below zero."""
    NEGATIVE_COUNT = "negative count", "计数为负"
    """A count, for example of bytes, below zero."""
    NOT_A_NUMBER = "not a number", "不是数字"
    """Text where a count is due, or a count beyond 2^53."""
    IMPOSSIBLE_NUMBER = "impossible number", "不是电话号码"
    """No telephone number of any numbering plan, nor a short code where one may stand."""
    UNKNOWN_IMSI = "IMSI not in the register", "IMSI 不在用户资料中"
    """The record names its card by IMSI alone, and no row of `cards` that came before says which card that is."""
    ROUNDED_NUMBER = "rounded number", "号码位数丢失"
    """A telephone number, IMEI or document number in scientific notation (8.6138E+12), or a document number whose last
    digits became zeros: a spreadsheet lost digits; export the column as text."""
    UNKNOWN_DIRECTION = "unknown direction", "未知的呼叫方向"
    """Neither `out` nor `in`, nor a code of the mapping."""
    UNKNOWN_CHOICE = "unknown choice", "未知的取值"
    """None of the values that the column knows."""
    NOT_A_FLAG = "neither true nor false", "不是是或否"
    """Text where true or false is due."""
    BAD_IMEI = "bad IMEI", "IMEI 有误"
    """Not 14 to 16 digits."""
    NO_HOLDER_KEY = "no key for document numbers", "缺少证件号密钥"
    """A document number, which is kept only as a keyed hash, and no DUANKA_HOLDER_KEY is set."""
    DELIVERED_TWICE = "delivered twice", "重复交付"
    """An equal record came before, in this file or another."""
    CARD_TWICE = "card described twice", "号码资料重复"
    """The register described this card before, differently; the first description is used."""
    OUTLET_TWICE = "outlet described twice", "网点资料重复"
    """The register described this outlet before, differently; the first description is used."""


REASONS: tuple[QuarantineReason, ...] = tuple(QuarantineReason)
FINE = 0  # code of a value without a fault; code n means REASONS[n - 1]
CODES: dict[QuarantineReason, int] = {reason: code for code, reason in enumerate(REASONS, start=1)}


def reason_of(code: int) -> QuarantineReason:
    """Return the reason of `code`, from 1 on."""
    return REASONS[code - 1]
