"""The records of an invented province as five operators deliver them, and the same records in our own format."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import xlsxwriter

from duanka.simulator import simulate
from support.ingest.asn1_samples import bcd, event, tap3

_STAMP = "%Y-%m-%d %H:%M:%S"
_REGISTER = ("card", "holder", "opened_at", "outlet", "imsi", "holder_kind", "home_city")


class Province(NamedTuple):
    """The records of a few cards over a few days: of gangs, and of honest people."""

    calls: pl.DataFrame
    messages: pl.DataFrame
    cards: pl.DataFrame


class Delivery(NamedTuple):
    """An operator's delivery. `write`: into a folder, giving the same records by table. `asked`: what guess is told."""

    write: Callable[[Path, Province], dict[str, pl.DataFrame]]
    asked: tuple[str, ...] = ()


def province(folder: Path) -> Province:
    """Invent 300 cards over three days; holders are known by document numbers, as operators know them."""
    simulate(folder, cards=300, days=3, seed=4)
    cards = pl.read_parquet(folder / "cards.parquet")
    numbers = {
        holder: f"13010119800101{at:03d}X" for at, holder in enumerate(cards["holder"].unique().sort())
    }
    cards = cards.with_columns(pl.col("holder").replace_strict(numbers))
    calls = pl.read_parquet(folder / "calls/*.parquet").filter(pl.col("forwarded_from").is_null())
    return Province(
        calls.select("card", "peer", "direction", "started_at", "seconds", "answered", "imei", "city"),
        pl.read_parquet(folder / "messages/*.parquet").select(
            "card", "peer", "direction", "sent_at", "imei", "city"
        ),
        cards.select(_REGISTER),
    )


def native(folder: Path, tables: dict[str, pl.DataFrame]) -> Path:
    """Write tables in our own format."""
    folder.mkdir(parents=True)
    for name, table in tables.items():
        table.write_parquet(folder / f"{name}.parquet")
    return folder


def _text(path: Path, rows: Iterable[Sequence[Any]], delimiter: str = ",", encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))


def chinese(folder: Path, known: Province) -> dict[str, pl.DataFrame]:
    """GB18030 with Chinese headers, a file of calls and one of messages for each day, and a register."""
    calls = ["计费号码", "呼叫类型", "对方号码", "通话日期", "起始时间", "通话时长(秒)", "IMEI", "通话地代码"]
    messages = ["计费号码", "短信类型", "对方号码", "发送时间", "IMEI", "通话地代码"]
    for (day,), some in known.calls.group_by(pl.col("started_at").dt.date(), maintain_order=True):
        rows = [
            [c["card"][2:], "主叫" if c["direction"] == "out" else "被叫", _home(c["peer"]),
             f"{c['started_at']:%Y%m%d}", f"{c['started_at']:%H%M%S}", c["seconds"], c["imei"], c["city"]]
            for c in some.iter_rows(named=True)
        ]  # fmt: skip
        _text(folder / f"话单/语音话单_{day:%Y%m%d}.txt", [calls, *rows], "|", "gb18030")
    for (day,), some in known.messages.group_by(pl.col("sent_at").dt.date(), maintain_order=True):
        rows = [
            [c["card"][2:], "发送" if c["direction"] == "out" else "接收", _home(c["peer"]), c["sent_at"],
             c["imei"], c["city"]]
            for c in some.iter_rows(named=True)
        ]  # fmt: skip
        _text(folder / f"短信/短信话单_{day:%Y%m%d}.txt", [messages, *rows], "|", "gb18030")
    _text(folder / "用户资料.csv", _register(known), encoding="gb18030")
    return {"calls": known.calls, "messages": known.messages, "cards": known.cards}


def _home(peer: str) -> str:
    return peer[2:] if len(peer) == 13 and peer.startswith("861") else peer


def _register(known: Province) -> list[list[Any]]:
    rows: list[list[Any]] = [
        ["手机号码", "证件号码", "开户时间", "营业网点", "IMSI", "客户类型", "归属地代码"]
    ]
    kinds = {"person": "个人", "organisation": "单位"}
    for c in known.cards.iter_rows(named=True):
        opened = f"{c['opened_at']:{_STAMP}}"
        rows.append(
            [
                c["card"][2:],
                c["holder"],
                opened,
                c["outlet"],
                c["imsi"],
                kinds[c["holder_kind"]],
                c["home_city"],
            ]
        )
    return rows


def asterisk(folder: Path, known: Province) -> dict[str, pl.DataFrame]:
    """The call records of Asterisk with its own columns: one row of both parties, no register, no devices."""
    mobile = known.calls.filter(pl.col("peer").str.contains("^861[0-9]{10}$"))
    out = pl.col("direction") == "out"
    records = mobile.select(
        src=pl.when(out).then("card").otherwise("peer"),
        dst=pl.when(out).then("peer").otherwise("card"),
        started_at="started_at",
        seconds="seconds",
        answered="answered",
    ).unique(["src", "dst", "started_at"], maintain_order=True)
    header = ["calldate", "clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata"]
    header += ["duration", "billsec", "disposition", "amaflags", "accountcode", "uniqueid", "userfield"]
    rows = []
    for number, c in enumerate(records.iter_rows(named=True)):
        src, dst, how = c["src"][2:], c["dst"][2:], "ANSWERED" if c["answered"] else "NO ANSWER"
        way = ["from-trunk", f"SIP/{number}", "SIP/trunk", "Dial", "SIP/trunk,60"]
        counted = [c["seconds"] + 5, c["seconds"], how, 3, "", f"1621215000.{number}", ""]
        rows.append([f"{c['started_at']:{_STAMP}}", f'"{src}" <{src}>', src, dst, *way, *counted])
    _text(folder / "Master.csv", [header, *rows])
    sides = [
        records.select(pl.col(one).alias("card"), pl.col(other).alias("peer"), pl.lit(way).alias("direction"),
                       "started_at", "seconds", "answered")
        for one, other, way in (("src", "dst", "out"), ("dst", "src", "in"))
    ]  # fmt: skip
    return {"calls": pl.concat(sides)}


def hive(folder: Path, known: Province) -> dict[str, pl.DataFrame]:
    """Parquet in folders of Hive, times in UTC that do not say so, durations in milliseconds."""
    first, second = pl.lit("130100"), pl.lit("__HIVE_DEFAULT_PARTITION__")  # two cities: fewer files
    calls = known.calls.with_columns(city=pl.when(pl.col("city") < "9905").then(first).otherwise(second))
    frame = calls.with_columns(day=pl.col("started_at").dt.date())
    for (day, city), some in frame.group_by("day", "city", maintain_order=True):
        path = (
            folder
            / f"cdr/dt={day}/city={city}/part-00000-3f2a9c51-1b2c-4d5e-8f90-0123456789ab-c000.snappy.parquet"
        )
        path.parent.mkdir(parents=True)
        some.select(
            msisdn="card",
            opp_number="peer",
            call_type=pl.col("direction").replace_strict({"out": "MOC", "in": "MTC"}),
            start_time=pl.col("started_at") - timedelta(hours=8),
            duration_ms=pl.col("seconds") * 1000,
            imei="imei",
        ).write_parquet(path)
    (folder / "subscriber").mkdir()
    known.cards.select(
        msisdn="card",
        imsi="imsi",
        id_number="holder",
        open_date=pl.col("opened_at").dt.date(),
        home_city="home_city",
    ).write_parquet(folder / "subscriber/part-0.parquet")
    cards = known.cards.drop("outlet", "holder_kind").with_columns(pl.col("opened_at").dt.truncate("1d"))
    known_city = pl.when(pl.col("city") == first).then(first)
    return {"calls": calls.with_columns(city=known_city), "cards": cards}


def roaming(folder: Path, known: Province) -> dict[str, pl.DataFrame]:
    """TAP 3 from a partner who names cards by IMSI, and our register."""
    imsis = dict(known.cards.select("card", "imsi").iter_rows())
    busy = known.calls["card"].value_counts().sort("count", descending=True)["card"].head(8)
    mobile = pl.col("peer").str.contains("^861[0-9]{10}$")
    calls = known.calls.filter(mobile & pl.col("card").is_in(busy.to_list()))
    for (day,), some in calls.group_by(pl.col("started_at").dt.date(), maintain_order=True):
        events = [_event(imsis[c["card"]], c) for c in some.iter_rows(named=True)]
        path = folder / f"TDMMRMTCHNCT{day:%m%d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tap3(*events))
    rows = [["MSISDN", "IMSI", "open_date"]]
    rows += [[c["card"], c["imsi"], f"{c['opened_at']:%Y-%m-%d}"] for c in known.cards.iter_rows(named=True)]
    _text(folder / "subscribers.csv", rows)
    cards = known.cards.select("card", "imsi", pl.col("opened_at").dt.truncate("1d"))
    abroad = calls.with_columns(cell=pl.lit("9520-17301"), city=pl.lit("MMRMT"))
    return {"calls": abroad, "cards": cards}


def _event(imsi: str, c: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    at: datetime = c["started_at"] - timedelta(hours=1, minutes=30)
    out = c["direction"] == "out"
    kind = "mobileOriginatedCall" if out else "mobileTerminatedCall"
    other = {"calledNumber": bcd(c["peer"])} if out else {"callingNumber": bcd(c["peer"])}
    basic = event(
        kind,
        "11",
        chargeableSubscriber=("simChargeableSubscriber", {"imsi": bcd(imsi)}),
        callEventStartTimeStamp={"localTimeStamp": f"{at:%Y%m%d%H%M%S}".encode(), "utcTimeOffsetCode": 0},
        totalCallEventDuration=c["seconds"],
        **{"destination" if out else "callOriginator": other},
    )
    return kind, {**basic[1], "equipmentIdentifier": ("imei", bcd(c["imei"]))}


def workbooks(folder: Path, known: Province) -> dict[str, pl.DataFrame]:
    """Workbooks: titles above the header, numbers as amounts, day numbers, durations of the clock, a sheet of notes."""
    folder.mkdir(parents=True)
    with xlsxwriter.Workbook(folder / "五月通话.xlsx") as book:
        book.add_worksheet("说明").write_row(0, 0, ["导出人", "张三"])
        stamp = book.add_format({"num_format": "yyyy/m/d h:mm:ss"})
        clock = book.add_format({"num_format": "[h]:mm:ss"})
        header = ["主叫号码", "被叫号码", "呼叫方向", "开始时间", "通话时长", "设备IMEI", "通话地代码"]
        for number, (_, some) in enumerate(known.calls.group_by("direction", maintain_order=True), start=1):
            sheet = book.add_worksheet(f"第{number}页")
            sheet.merge_range(0, 0, 0, 6, "通话清单（五月）")
            sheet.write_row(2, 0, header)
            for row, c in enumerate(some.iter_rows(named=True), start=3):
                sides = [c["card"], c["peer"]] if c["direction"] == "out" else [c["peer"], c["card"]]
                sheet.write_row(row, 0, [int(_home(one)) for one in sides])
                sheet.write(row, 2, "呼出" if c["direction"] == "out" else "呼入")
                sheet.write_datetime(row, 3, c["started_at"], stamp)
                sheet.write_number(row, 4, c["seconds"] / 86_400, clock)
                sheet.write_row(row, 5, [int(c["imei"]), c["city"] and int(c["city"])])
    with xlsxwriter.Workbook(folder / "用户资料.xlsx", {"strings_to_numbers": False}) as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate(_register(known)):
            sheet.write_row(row, 0, cells)
    return {"calls": known.calls, "cards": known.cards}


DELIVERIES = {
    "chinese": Delivery(chinese),
    "asterisk": Delivery(asterisk),
    "hive": Delivery(hive, ("--times-in", "UTC")),
    "roaming": Delivery(roaming),
    "workbooks": Delivery(workbooks),
}
