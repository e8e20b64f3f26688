"""A limit of a rule as people read it."""

from __future__ import annotations

from datetime import date

from duanka.domain.rule import Literal
from duanka.domain.text import BilingualText

_UNITS = {
    "h": BilingualText("小时", "hours"),
    "s": BilingualText("秒", "seconds"),
    "days": BilingualText("天", "days"),
    "numbers": BilingualText("个", "numbers"),
    "calls": BilingualText("次", "calls"),
    "calls/h": BilingualText("次", "calls"),  # its name says the hour
    "messages": BilingualText("条", "messages"),
    "events": BilingualText("次", ""),
    "cards": BilingualText("张", "cards"),
    "devices": BilingualText("部", "devices"),
    "cells": BilingualText("个", "cells"),
    "senders": BilingualText("个", "senders"),
    "complaints": BilingualText("次", "complaints"),
    "signs of 5": BilingualText("个（共 5 个）", "of 5"),
    "times": BilingualText("倍", "times"),
    "MB": BilingualText("MB", "MB"),
    "MB/month": BilingualText("MB", "MB"),  # its name says the month
}


def limit_in_words(value: Literal, unit: str) -> BilingualText:
    """A limit as people read it: a share in percent, and what is counted, which the Chinese name leaves out."""
    if isinstance(value, date):
        return BilingualText(value.isoformat(), value.isoformat())
    if unit in ("share", "percent"):
        percent = f"{100 * value if unit == 'share' else value:.6g}%"
        return BilingualText(percent, percent)
    words = _UNITS.get(unit, BilingualText("", unit))
    return BilingualText(f"{value:g} {words.zh}".strip(), f"{value:g} {words.en}".strip())
