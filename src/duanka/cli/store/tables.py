"""Pages and lists about the store, for people and programs."""

from __future__ import annotations

from datetime import date, datetime

from rich.console import Group, RenderableType

from duanka.cli.output.grid import facts, grid
from duanka.cli.output.list_columns import ListColumn, Listing
from duanka.cli.shell.language import shown, term
from duanka.domain.local_time import OperatorZone
from duanka.domain.record_lookups import CardRecord, Contact, KeptStatus, StoreStatus, TableStatus, Usage
from duanka.domain.text import BilingualText
from duanka.orders.queries.record_queries import ContactsFound, Period, RecordsFound

_WHAT = {
    (Usage.CALLS, "out"): BilingualText("呼出", "call out"),
    (Usage.CALLS, "in"): BilingualText("呼入", "call in"),
    (Usage.MESSAGES, "out"): BilingualText("发短信", "message out"),
    (Usage.MESSAGES, "in"): BilingualText("收短信", "message in"),
}
_WITHHELD = BilingualText("隐藏号码", "withheld")
_UNANSWERED = BilingualText("未接通", "not answered")
_SECONDS = BilingualText("{seconds} 秒", "{seconds} s")
_TABLES = (
    *(BilingualText("记录", "records"), BilingualText("条数", "number"), BilingualText("天数", "days")),
    *(BilingualText("首日", "first day"), BilingualText("末日", "last day")),
    *(BilingualText("重复", "repeated"), BilingualText("迟到", "late")),
)
_RIGHT = ("number", "days", "repeated", "late")
_KINDS = {
    "records": BilingualText("记录", "records"),
    "refusals": BilingualText("拦截", "refusals"),
    "registers": BilingualText("登记表", "registers"),
    "rollups": BilingualText("汇总", "rollups"),
    "life": BilingualText("历史汇总", "life"),
    "texts": BilingualText("文本", "texts"),
    "hits": BilingualText("命中", "hits"),
}
_NEVER, _FOR_GOOD = BilingualText("从未", "never"), BilingualText("未设期限", "no limit yet")
_KEPT = BilingualText("{days} 天", "{days} days")
_KEPT_SINCE = BilingualText("{days} 天：自 {since} 起", "{days} days: from {since} on")
_UNITS = ("B", "kB", "MB", "GB", "TB")


def card_title(found: RecordsFound) -> tuple[str, str]:
    """Sentence above the records of a card, in Chinese and English."""
    zh, en = _period(found.period)
    if not found.records:
        has_zh, has_en = _has(found.period)
        return f"{found.card}：{zh}没有记录；{has_zh}。", f"{found.card}: no records {en}; {has_en}."
    return (
        f"{found.card}：{zh}共 {len(found.records):,} 条记录",
        f"{found.card}: {len(found.records):,} records {en}",
    )


def contacts_title(found: ContactsFound) -> tuple[str, str]:
    """Sentence above the contacts of numbers, in Chinese and English."""
    zh, en = _period(found.period)
    numbers = len(found.numbers)
    if not found.contacts:
        has_zh, has_en = _has(found.period)
        return (
            f"{numbers:,} 个号码{zh}没有联系人；{has_zh}。",
            f"{numbers:,} number(s): no contacts {en}; {has_en}.",
        )
    return (
        f"{numbers:,} 个号码{zh}共 {len(found.contacts):,} 个联系人",
        f"{numbers:,} number(s): {len(found.contacts):,} contacts {en}",
    )


def _period(period: Period) -> tuple[str, str]:
    since, until, zone = f"{period.since:%Y-%m-%d %H:%M}", f"{period.until:%Y-%m-%d %H:%M}", period.zone.name
    return f"自 {since} 至 {until}（{zone}）", f"from {since} to {until} ({zone})"


def _has(period: Period) -> tuple[str, str]:
    if period.first is None or period.last is None:
        return "记录库中没有任何记录", "the store has no records"
    return (
        f"记录库有 {period.first} 至 {period.last} 的记录",
        f"the store has {period.first} to {period.last}",
    )


def records_listing(zone: OperatorZone) -> Listing[CardRecord]:
    """Records of a card; `zone`: of their times."""

    def at(record: CardRecord) -> datetime | date:
        return record.at.date() if record.usage is Usage.DATA_DAYS else record.at.replace(tzinfo=zone.info)

    columns: tuple[ListColumn[CardRecord], ...] = (
        ListColumn("at", ("时间", "time"), at, _time),
        ListColumn("usage", ("类型", "what"), lambda one: one.usage.value, _what),
        ListColumn("direction", None, lambda one: one.direction),
        ListColumn("peer", ("对方", "peer"), lambda one: one.peer, _peer),
        ListColumn("", ("用量", "amount"), lambda one: None, _amount, right=True),
        ListColumn("seconds", None, lambda one: one.seconds),
        ListColumn("answered", None, lambda one: one.answered),
        ListColumn("bytes", None, lambda one: one.bytes),
        ListColumn("imei", ("终端", "device"), lambda one: one.imei, spare=1),
        ListColumn("cell", ("小区", "cell"), lambda one: one.cell, spare=3),
        ListColumn("city", ("城市", "city"), lambda one: one.city, spare=2),
        ListColumn("forwarded_from", ("转自", "forwarded from"), lambda one: one.forwarded_from, spare=4),
    )
    return Listing(BilingualText("记录", "records"), columns)


def contacts_listing(zone: OperatorZone) -> Listing[Contact]:
    """Contacts of numbers; `zone`: of their times."""
    columns: tuple[ListColumn[Contact], ...] = (
        ListColumn("number", ("号码", "number"), lambda one: one.number),
        ListColumn(
            "other", ("联系人", "other"), lambda one: one.other, lambda one: one.other or shown(_WITHHELD)
        ),
        ListColumn("calls_out", ("呼出", "calls out"), lambda one: one.calls_out, right=True),
        ListColumn("calls_in", ("呼入", "calls in"), lambda one: one.calls_in, right=True),
        ListColumn("messages_out", ("发短信", "msgs out"), lambda one: one.messages_out, right=True),
        ListColumn("messages_in", ("收短信", "msgs in"), lambda one: one.messages_in, right=True),
        ListColumn("first", ("首次", "first"), lambda one: one.first.replace(tzinfo=zone.info), spare=2),
        ListColumn("last", ("最近", "last"), lambda one: one.last.replace(tzinfo=zone.info), spare=1),
    )
    return Listing(BilingualText("联系人", "contacts"), columns)


def _time(record: CardRecord) -> str:
    return f"{record.at:%Y-%m-%d}" if record.usage is Usage.DATA_DAYS else f"{record.at:%Y-%m-%d %H:%M:%S}"


def _what(record: CardRecord) -> str:
    return shown(_WHAT.get((record.usage, record.direction or ""), record.usage.words))


def _peer(record: CardRecord) -> str:
    if record.peer is None and record.usage in (Usage.CALLS, Usage.MESSAGES):
        return shown(_WITHHELD)
    return record.peer or ""


def _amount(record: CardRecord) -> str:
    if record.bytes is not None:
        return size(record.bytes)
    if record.answered is False:
        return shown(_UNANSWERED)
    return "" if record.seconds is None else shown(_SECONDS, seconds=record.seconds)


def size(count: int) -> str:
    """Bytes in the largest fitting decimal unit: `1.5 GB`."""
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 or value >= 100 else f"{value:.1f} {_UNITS[unit]}"


def status_page(status: StoreStatus) -> RenderableType:
    """What a store holds."""
    written = f"{status.committed_at:%Y-%m-%d %H:%M:%S}" if status.committed_at else shown(_NEVER)
    rows = [
        (shown(BilingualText("版本", "version")), str(status.version)),
        (shown(BilingualText("时区", "time zone")), status.zone),
        (shown(BilingualText("最近写入", "last written")), f"{written} (#{status.generation})"),
        (shown(BilingualText("已接收文件", "delivered files")), f"{status.delivered:,}"),
        *((_kind(kind), size(count)) for kind, count in status.bytes.items()),
        *(
            (f"{_kind(kind)} {shown(BilingualText('保留', 'kept'))}", _kept(one))
            for kind, one in status.kept.items()
        ),
    ]
    right = grid(_TABLES, map(_table, status.tables), right=_RIGHT)
    return Group(right, "", facts(rows))


def _table(one: TableStatus) -> tuple[str, ...]:
    days = (str(one.first or "-"), str(one.last or "-"))
    return (
        term(Usage, one.table),
        f"{one.records:,}",
        f"{one.days:,}",
        *days,
        f"{one.repeated:,}",
        f"{one.late:,}",
    )


def _kind(kind: str) -> str:
    return shown(_KINDS.get(kind, BilingualText(kind, kind)))


def _kept(one: KeptStatus) -> str:
    if one.days is None:
        return shown(_FOR_GOOD)
    return (
        shown(_KEPT_SINCE, days=one.days, since=str(one.since)) if one.since else shown(_KEPT, days=one.days)
    )
