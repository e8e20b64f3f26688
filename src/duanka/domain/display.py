"""Names from outside (files, folders, subjects) made safe to store, send and show."""

from __future__ import annotations

import re
import unicodedata

# Control, format (bidirectional, zero width), surrogate, unassigned; line and paragraph separators.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}
_LONG = {short: letter for letter, short in _SHORT.items()}
_ESCAPE = re.compile(r"\\(?:[nrt\\]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
SPREADSHEET_MARK = (
    "\ufeff"  # at the head of a table in UTF-8: without it spreadsheets take it for something else
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_BYTES = range(0xDC80, 0xDD00)  # surrogates that `os.fsdecode` makes of bytes that are not UTF-8


def display_name(name: str) -> str:
    r"""Escape what cannot be shown: non-UTF-8 bytes as `\xff`, characters as `\u202e`.

    The result is one line of valid UTF-8, and `original_name` reverses it.
    """
    if name.isprintable() and "\\" not in name:
        return name
    return "".join(_shown(letter) for letter in name)


def display_text(text: str) -> str:
    r"""Return `text`, such as an error naming a file, as one line that can be shown.

    Unlike `display_name` it keeps `\`, so it may be used on text with names already escaped.
    """
    return text if text.isprintable() else "".join("\\" if c == "\\" else _shown(c) for c in text)


def first_line(fault: BaseException) -> str:
    """Return the first line of an error's message, or its class, as `display_text`."""
    return display_text((str(fault).strip().splitlines() or [type(fault).__name__])[0])


def spreadsheet_cell(text: str) -> str:
    """Prefix ' to a cell that a spreadsheet would read as a formula or an amount."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def original_name(shown: str) -> str:
    """Return the name that `display_name` turned into `shown`."""
    return _ESCAPE.sub(_hidden, shown) if "\\" in shown else shown


def _shown(letter: str) -> str:
    if letter in _SHORT:
        return _SHORT[letter]
    code = ord(letter)
    if code in _BYTES:
        return f"\\x{code - 0xDC00:02x}"
    if unicodedata.category(letter) not in _HIDDEN:
        return letter
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _hidden(found: re.Match[str]) -> str:
    escape = found.group()
    if escape in _LONG:
        return _LONG[escape]
    code = int(escape[2:], 16)
    return chr(code + 0xDC00 if escape[1] == "x" else code)
