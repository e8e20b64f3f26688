"""Guesses the table that a shape feeds, and the mapping of its columns."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from duanka.domain.schema import TABLES
from duanka.domain.text import BilingualText
from duanka.ingest.guessing import codes, moments_and_lengths, parties
from duanka.ingest.guessing.parties import Side
from duanka.ingest.guessing.picking import (
    AMOUNTS,
    CHECKED_DEVICES,
    DEVICES,
    KNOWN_VALUES,
    NUMBERS,
    TEXT,
    Columns,
)
from duanka.ingest.guessing.proposal import ColumnGuess, SourceGuess, sure_if
from duanka.ingest.guessing.shapes import Shape
from duanka.ingest.model.header_names import Meaning

_MESSAGES = re.compile(r"sms|短信|短消息|message|(?:^|[/_-])msg", re.IGNORECASE)
_CALLS = re.compile(r"话单|通话|语音|calls?(?:[/_.*-]|$)|cdr|voice", re.IGNORECASE)
_NAMED = BilingualText("名称说明", "its name says so")
_IMSIS, _ICCIDS = (
    BilingualText("IMSI", "IMSIs"),
    BilingualText("卡序列号（ICCID）", "serial numbers of cards"),
)
_TEXTS: dict[str, tuple[Meaning, ...]] = {
    "cards": (Meaning.OPERATOR, Meaning.OUTLET, Meaning.AGE_BAND),
    "complaints": (Meaning.CHANNEL, Meaning.CATEGORY, Meaning.INDICATOR),
    "cases": (Meaning.CASE, Meaning.CASE_SOURCE, Meaning.FRAUD_KIND),
    "accounts": (Meaning.PLATFORM, Meaning.ACCOUNT),
    "outlets": (Meaning.OUTLET, Meaning.OUTLET_NAME, Meaning.OPERATOR),
    "rings": (Meaning.RING,),
    "outlet_batches": (Meaning.OUTLET,),
}
_TIMES: dict[str, dict[str, Meaning]] = {
    "cards": {
        "opened_at": Meaning.OPENED,
        "last_used_at": Meaning.LAST_USED,
        "verified_at": Meaning.VERIFIED,
    },
    "complaints": {"reported_at": Meaning.REPORTED},
    "cases": {"confirmed_at": Meaning.CONFIRMED},
    "accounts": {"bound_at": Meaning.BOUND_AT},
    "rings": {"since": Meaning.SINCE},
    "outlet_batches": {"since": Meaning.SINCE},
}
_HEX = r"^[0-9a-fA-F]{32,128}$"


def sources_of(shape: Shape, columns: Columns) -> list[SourceGuess]:
    """Sources for the files of `shape`; [] if the table is unclear: the caller asks."""
    if not _has_own_alone(columns):
        seen = parties.sides(columns)
        if seen:
            return [one for side in seen for one in _records(shape, columns, side)]
        if any(columns.has(one) for one in (Meaning.PEER, Meaning.CALLED)):
            return []
    table = _single(columns)
    if not table:
        return []
    source = SourceGuess(shape, table, {}, BilingualText("按所含的列推断", "by the columns that it has"))
    _fill(columns, source)
    return [source] if source.columns else []


def is_register(columns: Columns) -> bool:
    """Whether the files hold the register of cards."""
    return _has_own_alone(columns) and _single(columns) == "cards"


def _has_own_alone(columns: Columns) -> bool:
    parts = (Meaning.PEER, Meaning.CALLER, Meaning.CALLED)
    numbers = [
        name
        for one in parts
        for name, exact in columns.called(one)
        if max(columns.values[name].peers, columns.values[name].pseudonyms) >= 0.9
    ]
    if numbers:
        return False
    return columns.has(Meaning.OWN, Meaning.OUTLET, Meaning.IMSI, Meaning.ICCID) and columns.header


def _single(columns: Columns) -> str:
    """Table of a register, or of records with one party."""
    has = columns.has
    own = any(columns.values[name].cards >= 0.9 or columns.values[name].pseudonyms >= 0.9
              for name, _ in columns.called(Meaning.OWN))  # fmt: skip
    if not own:
        outlet = has(Meaning.OUTLET) and has(Meaning.OUTLET_NAME, Meaning.CITY, Meaning.OPERATOR)
        return "outlets" if outlet else ""
    moment = any(columns.values[name].moments.share >= 0.9 for name, _ in columns.called(Meaning.WHEN))
    of_register = (Meaning.OPENED, Meaning.ICCID, Meaning.HOLDER, Meaning.OUTLET, Meaning.HOLDER_KIND)
    rules = (
        ("rings", has(Meaning.RING) and has(Meaning.CERTAINTY)),
        ("outlet_batches", has(Meaning.LIFT) and has(Meaning.TOGETHER)),
        ("cases", has(Meaning.CASE) and has(Meaning.CONFIRMED)),
        ("complaints", has(Meaning.REPORTED)),
        ("accounts", has(Meaning.PLATFORM) and has(Meaning.ACCOUNT)),
        ("data_days", has(Meaning.BYTES, Meaning.BYTES_UP) and moment),
        ("cards", has(*of_register, Meaning.LAST_USED, Meaning.BOUND_IMEI)),
        ("cards", has(Meaning.IMSI, Meaning.KIND, Meaning.OPERATOR) and not moment),
        ("sightings", moment and has(Meaning.CELL, Meaning.IMEI, Meaning.CITY, Meaning.AREA)),
    )
    return next((table for table, there in rules if there), "")


def _records(shape: Shape, columns: Columns, side: Side) -> list[SourceGuess]:
    """Sources for one party's view: calls, messages, or both, split by a service column."""
    by_service = _services(columns)
    seconds = moments_and_lengths.length(columns)
    kinds: list[tuple[str, dict[str, list[str]], BilingualText]]
    if side.table:
        kinds = [(side.table, {}, BilingualText("方向代码说明", "the codes of the direction say so"))]
    elif by_service:
        name, found = by_service
        says = BilingualText(f"列 {name!r} 说明", f"column {name!r} says so")
        kinds = [
            (table, {name: [value for value, of in found.items() if of == table]}, says)
            for table in dict.fromkeys(of for of in found.values() if of)
        ]
    else:
        table, why = _calls_or_messages(shape, columns, seconds)
        kinds = [(table, {}, why)] if table else []
    sources = []
    for table, where, why in kinds:
        source = SourceGuess(shape, table, {}, why, {**side.where, **where}, side.swap_when)
        source.columns |= {"card": side.card, "peer": side.peer}
        if side.direction is not None:
            source.columns["direction"] = side.direction
        _fill(columns, source, seconds if table == "calls" else None, own_devices=side.own_devices, side=side)
        sources.append(source)
    return sources


def _calls_or_messages(
    shape: Shape, columns: Columns, seconds: ColumnGuess | None
) -> tuple[str, BilingualText]:
    names = " ".join(shape.patterns)
    headers = " ".join(columns.frame.columns)
    if seconds is not None or columns.has(Meaning.ANSWERED):
        has = BilingualText("有时长", "it has durations")
        return "calls", has if seconds else BilingualText(
            "说明是否接通", "it says whether calls were answered"
        )
    if _MESSAGES.search(names) or _MESSAGES.search(headers):
        return "messages", _NAMED
    if _CALLS.search(names):
        return "calls", _NAMED
    columns.ask(
        "是通话还是短信？没有时长，名称也看不出；请在映射中写 table",
        "calls or messages? It has no durations, and no name tells; say it with `table`",
    )
    return "", BilingualText("", "")


def _services(columns: Columns) -> tuple[str, dict[str, str]] | None:
    for name, _ in columns.called(Meaning.SERVICE):
        values = columns.values[name].codes
        # a single value proves nothing; two known services do
        if len(values) > 1 and (found := codes.services(values)) and not codes.ways(values, name):
            return name, found
    return None


def _fill(
    columns: Columns,
    source: SourceGuess,
    seconds: ColumnGuess | None = None,
    *,
    own_devices: bool = True,
    side: Side | None = None,
) -> None:
    """Add to `source` the columns of its table that its files have."""
    table = TABLES[source.table]
    found: dict[str, ColumnGuess | None] = {}
    if side is None and "card" in table.required:
        own = parties.number_of(columns, Meaning.OWN, card=True)
        found["card"] = parties.as_number(columns, own) if own else None
    found |= _times(columns, source.table)
    found |= {meaning.value: _text(columns, meaning) for meaning in _TEXTS.get(source.table, ())}
    if source.table == "calls":
        found |= {"seconds": seconds, "answered": moments_and_lengths.answered(columns, seconds)}
        found["forwarded_from"] = columns.guess(Meaning.FORWARDED_FROM, lambda v: v.peers, NUMBERS)
    if any(column.name == "imei" for column in table.columns):
        found |= _device_and_place(columns, source, own_devices=own_devices)
    if source.table in _MORE:
        found |= _MORE[source.table](columns)
    source.columns |= {name: guess for name, guess in found.items() if guess is not None}
    when = source.columns.get(table.time or "")
    if when is not None:
        if not columns.values[when.sources[0]].moments.zoned:
            source.zone = columns.knowledge.answers.times_in
        moments_and_lengths.ask_zone(columns, when, typed=source.shape.form.format == "parquet")
    _ask_missing(columns, source)


def _times(columns: Columns, table: str) -> dict[str, ColumnGuess | None]:
    """Time columns of a register by name, or the event time of a record."""
    if table in _TIMES:
        return {name: moments_and_lengths.moment(columns, meaning) for name, meaning in _TIMES[table].items()}
    time = TABLES[table].time
    return {time: moments_and_lengths.moment(columns, Meaning.WHEN, day=table == "data_days")} if time else {}


def _ask_missing(columns: Columns, source: SourceGuess) -> None:
    for name in source.missing:
        if name == "direction" and columns.questions:
            continue  # asked together with its codes
        if name == TABLES[source.table].time and any("`formats`" in one.text.en for one in columns.questions):
            continue  # asked together with its format
        meaning = TABLES[source.table].column(name).meaning
        there = "、".join(columns.frame.columns)
        columns.ask(
            f"{source.table}.{name}（{meaning}）是哪一列？有：{there}",
            f"which column is {source.table}.{name} ({meaning})? There are {there}",
        )


def _text(columns: Columns, meaning: Meaning) -> ColumnGuess | None:
    return columns.guess(meaning, lambda values: 1.0 if len(values.filled) else 0.0, TEXT)


def _device_and_place(
    columns: Columns, source: SourceGuess, *, own_devices: bool
) -> dict[str, ColumnGuess | None]:
    """IMEI, cell and city; in rows about both parties only columns of this one."""
    meaning = Meaning.IMEI
    direction = source.columns.get("direction")
    if isinstance(direction, ColumnGuess) and isinstance(direction.keys, dict) and "value" in direction.keys:
        of_side = Meaning.CALLER_IMEI if direction.keys["value"] == "out" else Meaning.CALLED_IMEI
        meaning = of_side if columns.has(of_side) or not own_devices else meaning
    found = {"imei": _imei(columns, meaning)}
    if not own_devices:
        if columns.has(Meaning.IMEI, Meaning.CELL, Meaning.CITY):
            columns.ask(
                "IMEI、小区、城市是主叫还是被叫的？未采用",
                "do IMEI, cell and city belong to the caller or to the called party? They are left out",
            )
        return found
    return {**found, "cell": _cell(columns), "city": _city(columns, Meaning.CITY)}


def _imei(columns: Columns, meaning: Meaning) -> ColumnGuess | None:
    found = columns.guess(meaning, lambda v: max(v.imeis, v.pseudonyms), DEVICES)
    if found is not None:
        values = columns.values[found.sources[0]]
        if values.imeis < 0.5:
            return replace(found, keys={"from": found.sources[0], "opaque": True})
        return found
    if meaning is not Meaning.IMEI:
        return None
    return columns.guess_by_values(lambda v: v.checked_imeis, CHECKED_DEVICES, set())


def _cell(columns: Columns) -> ColumnGuess | None:
    cell = _text(columns, Meaning.CELL)
    area = _text(columns, Meaning.AREA)
    if cell and area and columns.values[cell.sources[0]].filled.str.contains("^[0-9A-Fa-f]{1,9}$").all():
        keys = {"from": [area.sources[0], cell.sources[0]], "join": "-"}
        return ColumnGuess(
            keys, min(cell.sure, area.sure), BilingualText("位置区和小区", "location area and cell")
        )
    return cell


def _city(columns: Columns, meaning: Meaning) -> ColumnGuess | None:
    what = BilingualText("六位行政区划代码", "six-digit codes of places")
    return columns.guess(meaning, lambda values: values.cities, what, 0.95)


def _bytes(columns: Columns) -> ColumnGuess | None:
    found = columns.guess(Meaning.BYTES, lambda v: v.counts, AMOUNTS)
    if found is None and columns.has(Meaning.BYTES_UP, Meaning.BYTES_DOWN):
        columns.ask(
            "上行与下行流量分为两列；请合计为一列后再交付",
            "bytes up and down are in two columns; deliver their sum in one",
        )
    if found is None:
        return None
    name = found.sources[0].upper()
    unit = next((one for one in ("KB", "MB", "GB") if name.rstrip(")）").endswith(one)), "")
    return replace(found, keys={"from": found.sources[0], "unit": unit}) if unit else found


def _register(columns: Columns) -> dict[str, ColumnGuess | None]:
    own = {name for name, _ in columns.called(Meaning.OWN)}
    imsi = columns.guess(Meaning.IMSI, lambda v: v.imsis, _IMSIS) or columns.guess_by_values(
        lambda v: v.imsis if v.checked_imeis < 0.5 else 0.0, _IMSIS, own
    )
    iccid = columns.guess(Meaning.ICCID, lambda v: v.iccids, _ICCIDS) or columns.guess_by_values(
        lambda v: v.iccids, _ICCIDS, own
    )
    return {
        "imsi": imsi,
        "iccid": iccid,
        "holder": _holder(columns),
        "holder_kind": _choice(columns, Meaning.HOLDER_KIND),
        "kind": _choice(columns, Meaning.KIND),
        "virtual_operator": moments_and_lengths.flag(columns, Meaning.VIRTUAL),
        "home_city": _city(columns, Meaning.HOME_CITY),
        "bound_imei": columns.guess(Meaning.BOUND_IMEI, lambda v: v.imeis, DEVICES),
    }


def _holder(columns: Columns) -> ColumnGuess | None:
    """The column of holders: document numbers are hashed, the operator's hashes stay."""
    text = _text(columns, Meaning.HOLDER)
    if text is None:
        what = BilingualText("证件号码", "document numbers")
        text = columns.guess_by_values(lambda v: v.documents, what, set(), 0.5)
        return text and replace(text, keys={"from": text.sources[0], "hash": True})
    values = columns.values[text.sources[0]]
    hashed = float(values.filled.str.contains(_HEX).sum()) >= 0.99 * len(values.filled)
    return text if hashed else replace(text, keys={"from": text.sources[0], "hash": True})


def _choice(columns: Columns, meaning: Meaning) -> ColumnGuess | None:
    for name, exact in columns.called(meaning):
        values = columns.values[name].codes
        if found := codes.choices(values, meaning.value):
            known = all(value == choice for value, choice in found.items())
            keys = name if known else {"from": name, "codes": found}
            return ColumnGuess(keys, sure_if(exact), KNOWN_VALUES)
        if values:
            shown = ", ".join(list(values)[:6])
            choices = TABLES["cards"].column(meaning.value).choices
            columns.ask(
                f"列 {name!r} 的值（{shown}）各是 {' / '.join(choices)} 中的哪个？请用 codes 写明；未采用",
                f"what do the values of {name!r} ({shown}) mean, "
                f"{' or '.join(choices)}? Say it with `codes`; it is left out",
            )
    return None


_MORE: dict[str, Callable[[Columns], dict[str, ColumnGuess | None]]] = {
    "cards": _register,
    "outlets": lambda columns: {"city": _city(columns, Meaning.CITY)},
    "data_days": lambda columns: {"bytes": _bytes(columns)},
    "rings": lambda columns: {"certainty": columns.guess(Meaning.CERTAINTY, lambda v: v.counts, AMOUNTS)},
    "outlet_batches": lambda columns: {
        name: columns.guess(meaning, lambda v: v.counts, AMOUNTS)
        for name, meaning in (("lift", Meaning.LIFT), ("together", Meaning.TOGETHER))
    },
}
