"""Lines of the log: the operator's time, level, module and text, or a JSON object for each line."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Literal

from duanka.domain.local_time import operator_zone

LogForm = Literal["text", "json"]


class LogFormatter(logging.Formatter):
    """Formats records of `logging`. `form`: text by default."""

    form: LogForm = "text"

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802  # name given by the base class
        """The record's time in the operator's zone, with offset."""
        del datefmt
        return operator_zone().written(datetime.fromtimestamp(record.created, UTC))

    def format(self, record: logging.LogRecord) -> str:
        """The record with its traceback: text, or a JSON object on one line."""
        if self.form == "text":
            return super().format(record)
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        return _object(self.formatTime(record), record.levelname, record.name, record.getMessage(), trace)


FORMATTER = LogFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s")


def log_as(form: LogForm) -> None:
    """Write all later log lines in this form."""
    FORMATTER.form = form


def log_line(level: str, text: str) -> str:
    """A log line that a command prints itself, without `logging`."""
    now = operator_zone().written(datetime.now(UTC))
    return f"{now} {level} {text}" if FORMATTER.form == "text" else _object(now, level, "duanka", text)


def _object(at: str, level: str, logger: str, message: str, trace: str = "") -> str:
    fields = {"time": at.replace(" ", "T", 1), "level": level, "logger": logger, "message": message}
    return json.dumps(fields | ({"trace": trace} if trace else {}), ensure_ascii=False)
