"""Texts of the report page: tiers, actions and units in Chinese and English."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from duanka.domain.decision import Tier
from duanka.domain.rule import Action
from duanka.domain.text import BilingualText


@dataclass(frozen=True)
class TierLook:
    """Appearance of a tier; text and mark identify it without the colour."""

    words: BilingualText
    mark: str
    colour: str


# Darker for heavier tiers, so that they differ in greyscale and for the colour-blind.
TIERS = {
    Tier.EXTREME: TierLook(Tier.EXTREME.words, "◆", "#5c0f1f"),
    Tier.HIGH: TierLook(Tier.HIGH.words, "▲", "#b8432f"),
    Tier.MEDIUM: TierLook(Tier.MEDIUM.words, "●", "#e0a13a"),
    Tier.LOW: TierLook(Tier.LOW.words, "○", "#c3ced8"),
}

ACTIONS = {
    Action.STOP: BilingualText("立即停机，经反诈中心核验", "stop now; verify through the fraud centre"),
    Action.VERIFY_AT_COUNTER: BilingualText(
        "到自有营业厅现场核验", "verify in person at the operator's counter"
    ),
    Action.VERIFY: BilingualText("线上实人核验", "verify online"),
    Action.WATCH: BilingualText("只关注，不打扰用户", "watch; leave the holder in peace"),
}

_UNITS = {
    "h": "小时",
    "days": "天",
    "devices": "部",
    "calls": "次",
    "calls/h": "次/小时",
    "cards": "张",
    "events": "次",
    "MB/month": "MB/月",
    "numbers": "个号码",
    "cells": "个小区",
    "signs of 5": "项（共 5 项）",
    "of 5": "项（共 5 项）",
    "senders": "个平台",
    "messages": "条",
    "complaints": "次",
    "percent": "%",
    "times": "倍",
}
# Units that the value shows by itself.
_SILENT_UNITS = {"", "share", "local time", "date", "IMEI"}


def unit(name: str) -> BilingualText | None:
    """Return the unit in words; None if the value shows it."""
    return None if name in _SILENT_UNITS else BilingualText(_UNITS.get(name, name), name)


def value(raw: object, of_unit: str = "") -> str:
    """Format a value: grouped numbers, percentages, times to the minute."""
    if raw is None or raw == "":
        return "—"
    if isinstance(raw, bool):
        return "是 yes" if raw else "否 no"
    if isinstance(raw, datetime):
        return when(raw)
    if isinstance(raw, date):
        return raw.isoformat()
    if isinstance(raw, int | float):
        return f"{raw:.1%}" if of_unit == "share" else number(raw)
    return str(raw)


def number(raw: float) -> str:
    """Format as `12,345` or `0.25`: thousands grouped, at most two decimals."""
    return f"{raw:,}" if isinstance(raw, int) else f"{raw:,.2f}".rstrip("0").rstrip(".")


def when(moment: datetime) -> str:
    """Format a local time, to the minute."""
    return moment.strftime("%Y-%m-%d %H:%M")


def share(part: int, whole: int, digits: int = 1) -> str:
    """Format a part as a percentage; a dash if the whole is zero."""
    return f"{part / whole:.{digits}%}" if whole else "—"


def per_100_000(part: int, whole: int) -> str:
    """Format a rate per 100,000 cards; with a decimal below 10."""
    if not whole:
        return "—"
    rate = part / whole * 100_000
    return f"{rate:,.1f}" if 0 < rate < 10 else f"{rate:,.0f}"
