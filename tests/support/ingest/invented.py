"""Five invented operators, each with its own form of delivery, and the calls that are in it."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from support.ingest.asn1_samples import bcd, event, tap3


class Call(NamedTuple):
    """A call as the canonical table has it."""

    card: str
    peer: str
    direction: str
    started_at: datetime
    seconds: int
    imei: str | None = None
    city: str | None = None


COLUMNS = Call._fields
_STAMP = "%Y-%m-%d %H:%M:%S"
CITIES = ("130100", "130200")


def card(number: int) -> str:
    """A card of the invented operator."""
    return f"86138{number:08d}"


def luhn(body: str) -> str:
    """An IMEI of 15 digits."""
    total = sum(
        d - 9 if d > 9 else d for d in (int(c) * (1 if at % 2 else 2) for at, c in enumerate(reversed(body)))
    )
    return body + str(-total % 10)


def calls(count: int = 600, cards: int = 40, days: int = 3) -> list[Call]:
    """Calls of the operator's own cards with people elsewhere, by day and seldom at night."""
    chance = random.Random(5)
    found = []
    for number in range(count):
        own = chance.randrange(cards)
        day = datetime(2021, 5, 17) + timedelta(days=number * days // count)
        hour = chance.choices(range(24), [1] * 7 + [30] * 16 + [8])[0]
        at = day + timedelta(hours=hour, minutes=chance.randrange(60), seconds=chance.randrange(60))
        seconds = 0 if chance.random() < 0.2 else chance.randrange(1, 4000)
        found.append(
            Call(
                card(own),
                f"86139{chance.randrange(10**8):08d}",
                chance.choice(("out", "in")),
                at,
                seconds,
                f"3549{own:010d}",
                CITIES[own % 2],
            )
        )
    return list(dict.fromkeys(found))


def _text(rows: Iterable[Sequence[Any]], delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def chinese(folder: Path, truth: Sequence[Call]) -> None:
    """GB18030 with Chinese headers, a file a day, a register, personal data."""
    header = [
        "计费号码",
        "呼叫类型",
        "对方号码",
        "通话日期",
        "起始时间",
        "通话时长(秒)",
        "IMEI",
        "基站小区",
        "通话地代码",
    ]
    for day in sorted({call.started_at.date() for call in truth}):
        rows = [
            [c.card[2:], "主叫" if c.direction == "out" else "被叫", c.peer[2:], f"{c.started_at:%Y%m%d}",
             f"{c.started_at:%H%M%S}", c.seconds, luhn(c.imei or ""), f"9520-{c.card[-2:]}", c.city]
            for c in truth if c.started_at.date() == day
        ]  # fmt: skip
        _write(folder / "话单" / f"语音话单_{day:%Y%m%d}.txt", _text([header, *rows], "|").encode("gb18030"))
    register = [["手机号码", "证件号码", "开户时间", "营业网点", "IMSI", "客户类型"]]
    for number, one in enumerate(sorted({c.card for c in truth})):
        register.append(
            [
                one[2:],
                f"13010119800101{number:03d}X",
                "2020-03-01 10:00:00",
                f"HB{number % 3:04d}",
                f"4600012345{number:05d}",
                "个人",
            ]
        )
    _write(folder / "用户资料.csv", _text(register).encode("gb18030"))


def asterisk(folder: Path, truth: Sequence[Call]) -> None:
    """Master.csv of Asterisk: no header, one row for both parties."""
    rows = []
    for number, c in enumerate(truth):
        src, dst = (c.card, c.peer) if c.direction == "out" else (c.peer, c.card)
        begin, answer = c.started_at, c.started_at + timedelta(seconds=5)
        stamps = [
            f"{begin:{_STAMP}}",
            f"{answer:{_STAMP}}" if c.seconds else "",
            f"{answer + timedelta(seconds=c.seconds):{_STAMP}}",
        ]
        how = "ANSWERED" if c.seconds else "NO ANSWER"
        way = ["default", f'"" <{src[2:]}>', f"SIP/{number}", "SIP/trunk", "Dial", "SIP/trunk,60"]
        counted = [c.seconds + 5, c.seconds, how, "DOCUMENTATION", f"1621215000.{number}", ""]
        rows.append(["", src[2:], dst[2:], *way, *stamps, *counted])
    _write(folder / "Master.csv", _text(rows).encode())


def hive(folder: Path, truth: Sequence[Call]) -> None:
    """Parquet in folders of Hive, times in UTC without a zone, codes of a dictionary for the direction."""
    for day in sorted({call.started_at.date() for call in truth}):
        for city in CITIES:
            mine = [c for c in truth if c.started_at.date() == day and c.city == city]
            frame = pl.DataFrame(
                {
                    "msisdn": [c.card for c in mine],
                    "opp_number": [c.peer for c in mine],
                    "call_type": ["MOC" if c.direction == "out" else "MTC" for c in mine],
                    "start_time": [c.started_at - timedelta(hours=8) for c in mine],
                    "duration_ms": [c.seconds * 1000 for c in mine],
                    "imei": [c.imei for c in mine],
                }
            )
            path = (
                folder
                / f"dt={day}"
                / f"city={city}"
                / "part-00000-3f2a9c51-1b2c-4d5e-8f90-0123456789ab-c000.snappy.parquet"
            )
            path.parent.mkdir(parents=True)
            frame.write_parquet(path)


def roaming(folder: Path, truth: Sequence[Call]) -> list[Call]:
    """TAP 3 from a partner who names cards by IMSI, and a register of our own; return what is to be read."""
    imsis = {one: f"46000123456{number:04d}" for number, one in enumerate(sorted({c.card for c in truth}))}
    events, right = [], []
    for c in truth[:60]:
        at = c.started_at.replace(second=0)
        abroad = at - timedelta(hours=1, minutes=30)
        kind = "mobileOriginatedCall" if c.direction == "out" else "mobileTerminatedCall"
        stamp = {"localTimeStamp": f"{abroad:%Y%m%d%H%M%S}".encode(), "utcTimeOffsetCode": 0}
        other = (
            {"destination": {"calledNumber": bcd(c.peer)}}
            if c.direction == "out"
            else {"callOriginator": {"callingNumber": bcd(c.peer)}}
        )
        subscriber = ("simChargeableSubscriber", {"imsi": bcd(imsis[c.card])})
        events.append(
            event(kind, "11", chargeableSubscriber=subscriber, callEventStartTimeStamp=stamp,
                  totalCallEventDuration=c.seconds, **other)
        )  # fmt: skip
        right.append(c._replace(started_at=at, imei="35349006987331", city="MMRMT"))
    _write(folder / "TDMMRMTCHNCT00001", tap3(*events))
    rows = [["MSISDN", "IMSI", "ICCID", "open_date"]]
    rows += [
        [one, imsi, f"8986001234567890{n:04d}", "2020-03-01"] for n, (one, imsi) in enumerate(imsis.items())
    ]
    _write(folder / "subscribers.csv", _text(rows).encode())
    return right


def spreadsheet(folder: Path, truth: Sequence[Call]) -> list[Call]:
    """What a spreadsheet saves as CSV: times to the minute, durations as h:mm:ss; return what is to be read."""
    rows: list[list[Any]] = [["主叫号码", "被叫号码", "呼叫方向", "开始时间", "通话时长", "设备IMEI"]]
    right = []
    for c in truth:
        at = c.started_at.replace(second=0)
        src, dst = (c.card, c.peer) if c.direction == "out" else (c.peer, c.card)
        length = f"{c.seconds // 3600}:{c.seconds // 60 % 60:02d}:{c.seconds % 60:02d}"
        rows.append(
            [f"'{src[2:]}", f"'{dst[2:]}", "呼出" if c.direction == "out" else "呼入",
             f"{at.year}/{at.month}/{at.day} {at.hour}:{at.minute:02d}", length, c.imei]
        )  # fmt: skip
        right.append(c._replace(started_at=at, city=None))
    _write(folder / "五月通话.csv", b"\xef\xbb\xbf" + _text(rows).encode())
    return right
