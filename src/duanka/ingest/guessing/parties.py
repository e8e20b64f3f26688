"""Guesses the parties of a record: owner of the record, peer, direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from duanka.domain.text import BilingualText
from duanka.ingest.guessing import codes
from duanka.ingest.guessing.codes import Way
from duanka.ingest.guessing.picking import KNOWN_VALUES, NUMBERS, Columns, Pick
from duanka.ingest.guessing.proposal import ColumnGuess, Sureness, sure_if
from duanka.ingest.guessing.values import Values
from duanka.ingest.model.header_names import Meaning, plain
from duanka.ingest.model.value_text import trimmed
from duanka.ingest.normalise.columns import without_withheld

_MIN_RATIO = 3.0  # a side with so many times fewer distinct numbers holds the network's own cards
_MIN_RECORDS = 20  # minimum records of a code to tell which side is the network's own
_SAYS_CALLER = ("主叫", "src", "caller", "calling", "发送方", "sender")


@dataclass(frozen=True)
class Side:
    """One view of the records for a source: card, peer, direction, rows it takes."""

    card: ColumnGuess
    peer: ColumnGuess
    direction: ColumnGuess | None
    table: str = ""
    where: Mapping[str, list[str]] = field(default_factory=dict)
    swap_when: Mapping[str, list[str]] = field(default_factory=dict)
    own_devices: bool = True  # whether device and place in the record are those of the card


def number_of(columns: Columns, meaning: Meaning, *, card: bool) -> Pick | None:
    """The column named `meaning` that holds phone numbers (or pseudonyms)."""

    def fits(values: Values) -> float:
        return max(values.cards if card else values.peers, values.pseudonyms)

    return columns.pick(meaning, fits, NUMBERS, 0.9)


def as_number(columns: Columns, pick: Pick) -> ColumnGuess:
    """`pick` as a mapped column; pseudonyms are marked opaque."""
    return pick.guess({"opaque": True} if columns.values[pick.name].pseudonyms >= 0.9 else None)


def sides(columns: Columns) -> list[Side]:
    """Views of the records; [] if they have one party, or a person must decide."""
    own = number_of(columns, Meaning.OWN, card=True)
    caller = number_of(columns, Meaning.CALLER, card=False)
    called = number_of(columns, Meaning.CALLED, card=False)
    peer = number_of(columns, Meaning.PEER, card=False)
    if caller is None and called is None and (own is None or peer is None):
        own, peer = _without_names(columns, own, peer)
    if own and peer:
        return _own_and_peer(columns, own, peer)
    if own and caller and called:
        return _own_among(columns, own, caller, called)
    if caller and called:
        return _caller_and_called(columns, caller, called)
    if own and (caller or called):
        other, way = (caller, "in") if caller else (called, "out")
        assert other is not None  # noqa: S101  # one of the two
        return _own_and_peer(columns, own, other, way)
    if peer and (imsi := _imsi(columns)):
        why = BilingualText(
            "只有 IMSI：号码从用户资料中查", "no number, but an IMSI: the register says whose it is"
        )
        return _own_and_peer(columns, imsi, peer, card=ColumnGuess({"imsi": imsi.name}, imsi.sure, why))
    return []


def _imsi(columns: Columns) -> Pick | None:
    return columns.pick(Meaning.IMSI, lambda values: values.imsis, BilingualText("IMSI", "IMSIs"))


def _by_number_or_imsi(columns: Columns, own: Pick) -> ColumnGuess:
    """The column of the card's number, with the IMSI as fallback for empty values."""
    values, card = columns.values[own.name], as_number(columns, own)
    imsi = _imsi(columns) if len(values.filled) < values.rows and isinstance(card.keys, str) else None
    return own.guess({"imsi": imsi.name}) if imsi else card


def _without_names(columns: Columns, own: Pick | None, peer: Pick | None) -> tuple[Pick | None, Pick | None]:
    """Find the parties by values: few distinct cards on one side, many peers opposite."""
    found = [
        name
        for name, values in columns.values.items()
        if not columns.named[name] and values.peers >= 0.98 and values.cards >= 0.5 and len(values.filled) >= 3
        and values.imsis < 0.5 and values.moments.share < 0.5
    ]  # fmt: skip
    if own is not None and peer is None and len(found) == 1:
        share = columns.values[found[0]].peers
        only = BilingualText(
            "按取值推断：唯一的另一列号码", "by its values: the only other column of numbers"
        )
        return own, Pick(found[0], share, Sureness.LIKELY, only)
    if own is None and peer is None and len(found) == 2:
        owner = _fewer(columns.frame, found[0], found[1], columns)
        if owner is not None:
            other = next(name for name in found if name != owner)
            why = BilingualText(
                "按取值推断：一侧卡少，另一侧号码多",
                "by its values: one side is few cards, the other many numbers",
            )
            return Pick(owner, 1.0, Sureness.LIKELY, why), Pick(other, 1.0, Sureness.LIKELY, why)
        columns.ask(
            f"列 {found[0]!r} 与 {found[1]!r} 都是号码：哪一列是本机号码（card），哪一列是对方（peer）？",
            f"columns {found[0]!r} and {found[1]!r} both hold numbers: which is the card's, which the other party's?",
        )
    return own, peer


def _own_and_peer(
    columns: Columns, own: Pick, peer: Pick, way: str = "", card: ColumnGuess | None = None
) -> list[Side]:
    card, other = card or _by_number_or_imsi(columns, own), as_number(columns, peer)
    found = _direction_column(columns)
    if found is None:
        if way:
            zh, en = f"对方号码列是 {peer.name!r}", f"the other party's column is {peer.name!r}"
            return [Side(card, other, _always(way, zh, en))]
        return [Side(card, other, None)]
    name, ways, sure = found
    if not ways:
        ways = dict.fromkeys(columns.values[name].codes, Way("?"))
    if any(one.way == "?" for one in ways.values()):
        _ask_codes(columns, name, ways)
        return [Side(card, other, None)]
    return _by_table(columns, name, ways, sure, card, other)


def _by_table(
    columns: Columns,
    name: str,
    ways: Mapping[str, Way],
    sure: Sureness,
    card: ColumnGuess,
    other: ColumnGuess,
) -> list[Side]:
    """One view for each table implied by the direction codes."""
    tables = list(dict.fromkeys(one.table.removesuffix("?") for one in ways.values()))
    named = [table for table in tables if table]
    sides = []
    for table in named or [""]:
        mine = {
            code: one.way
            for code, one in ways.items()
            if not named or one.table.removesuffix("?") in (table, *([""] if table == "calls" else []))
        }
        where = {name: list(mine)} if len(mine) < len(ways) else {}
        direction = ColumnGuess({"from": name, "codes": mine}, sure, KNOWN_VALUES)
        sides.append(Side(card, other, direction, table, where))
    if "messages" in named and "calls" not in named and "" in tables:
        mine = {code: one.way for code, one in ways.items() if not one.table}
        direction = ColumnGuess({"from": name, "codes": mine}, sure, KNOWN_VALUES)
        sides.append(Side(card, other, direction, "calls", {name: list(mine)}))
    return sides


def _own_among(columns: Columns, own: Pick, caller: Pick, called: Pick) -> list[Side]:
    """Views for card, caller and called: outgoing where the card is the caller."""
    numbers = {pick.name: _normal(columns, pick.name) for pick in (own, caller, called)}
    is_caller, is_called = (numbers[own.name] == numbers[pick.name] for pick in (caller, called))
    card, from_, to = (as_number(columns, pick) for pick in (own, caller, called))
    for way, side, pick, other in (("out", is_caller, caller, to), ("in", is_called, called, from_)):
        if _share(side) >= 0.99:
            zh, en = f"{own.name!r} 总是 {pick.name!r}", f"{own.name!r} is always {pick.name!r}"
            return [Side(card, other, _always(way, zh, en))]
    found = _direction_column(columns)
    if found is None:
        columns.ask(
            f"{own.name!r} 有时是主叫、有时是被叫，却没有一列说明方向；这样的文件读不了",
            f"{own.name!r} is now {caller.name!r}, now {called.name!r}, "
            "and no column says which: such files cannot be read",
        )
        return []
    name = found[0]
    text = trimmed(columns.frame[name])
    sides = []
    for way, side, other in (("out", is_caller, to), ("in", is_called, from_)):
        mine = [code for code in columns.values[name].codes if _share(side.filter(text == code)) >= 0.95]
        if mine:
            zh, en = f"看 {own.name!r} 是主叫还是被叫", f"by whether {own.name!r} is caller or called"
            sides.append(Side(card, other, _always(way, zh, en), "", {name: mine}))
    return sides


def _always(way: str, zh: str, en: str) -> ColumnGuess:
    """The direction that all records of a view have, and why."""
    return ColumnGuess({"value": way}, Sureness.LIKELY, BilingualText(zh, en))


def _caller_and_called(columns: Columns, caller: Pick, called: Pick) -> list[Side]:
    from_, to = as_number(columns, caller), as_number(columns, called)
    found = _direction_column(columns)
    if found is None:
        return _both(columns, caller, called)
    name, ways, sure = found
    if not ways or any(one.way == "?" for one in ways.values()):
        told = _told_by_sides(columns, name, caller.name, called.name)
        if not told:
            _ask_codes(columns, name, ways or dict.fromkeys(columns.values[name].codes, Way("?")))
            return []
        ways, sure = {code: Way(way) for code, way in told.items()}, Sureness.LIKELY
        columns.ask(
            f"列 {name!r} 的代码按哪一侧是本网卡推断：{told}；请确认",
            f"the codes of {name!r} are told by which side is the network's own: {told}; please confirm",
        )
    seen = {code: one for code, one in ways.items() if code in columns.values[name].codes}
    into = [code for code, one in ways.items() if one.way == "in"]
    if not any(one.way == "in" for one in seen.values()):
        ways = seen  # the owner of incoming records is unknown without samples, so they will be rejected
        return _by_table(columns, name, ways, sure, from_, to)
    owner = _owner_of(columns, name, ways, caller.name, called.name)
    if owner is None:
        columns.ask(
            f"{name!r} 为 {into} 的记录是谁的：主叫 {caller.name!r} 还是被叫 {called.name!r}？样本看不出",
            f"whose are the records of which {name!r} is {', '.join(into)}: {caller.name!r}'s or {called.name!r}'s?"
            " The sample does not tell",
        )
        return []
    sides = _by_table(columns, name, ways, sure, from_, to)
    if owner == caller.name:
        return sides
    swapped = {name: into}
    return [replace(side, swap_when=swapped) for side in sides]


def _both(columns: Columns, caller: Pick, called: Pick) -> list[Side]:
    """Views of both parties, or of one if the register knows only its numbers."""
    from_, to = as_number(columns, caller), as_number(columns, called)
    zh, en = "没有一列说明方向：一行记录双方", "no column says which way: one row for both parties"
    out, into = _always("out", zh, en), _always("in", zh, en)
    register = columns.knowledge.register
    if register:
        callers, calleds = (_among(_normal(columns, pick.name), register) for pick in (caller, called))
        if callers >= 0.5 and calleds < 0.01:
            zh, en = "被叫都不在用户资料中", "no called number is in the register"
            return [Side(from_, to, _always("out", zh, en))]
        if calleds >= 0.5 and callers < 0.01:
            return [Side(to, from_, _always("in", "主叫都不在用户资料中", "no caller is in the register"))]
    return [Side(from_, to, out, own_devices=False), Side(to, from_, into, own_devices=False)]


def _direction_column(columns: Columns) -> tuple[str, Mapping[str, Way], Sureness] | None:
    """The direction column, the meaning of its codes ({}: unknown), and sureness."""
    unknown: list[str] = []
    said = columns.knowledge.answers.directions
    for name, exact in columns.called(Meaning.DIRECTION):
        values = columns.values[name].codes
        if not values:
            continue
        if said and set(values) <= set(said):
            return name, {code: Way(said[code]) for code in values}, Sureness.SURE
        if ways := codes.ways(values, name):
            return name, codes.with_others(ways), sure_if(exact)
        if not codes.services(values) and exact and len(values) <= 6:
            unknown.append(name)
    for name, values_of in columns.values.items():
        if not columns.named[name] and (ways := codes.ways(values_of.codes, name)):
            return name, codes.with_others(ways), Sureness.LIKELY
    return (unknown[0], {}, Sureness.GUESS) if unknown else None


def _ask_codes(columns: Columns, name: str, ways: Mapping[str, Way]) -> None:
    values = [code for code, one in ways.items() if one.way == "?"]
    example = ",".join(f"{code}={way}" for code, way in zip(values, ("out", "in", "in", "in"), strict=False))
    columns.ask(
        f"列 {name!r} 的代码 {'、'.join(values)} 哪个是主叫（out），"
        f"哪个是被叫（in）？样本看不出；回答如 --direction {example}",
        f"which codes of {name!r} ({', '.join(values)}) mean out, which in? The sample does not tell; answer such as"
        f" --direction {example}",
    )


def _told_by_sides(columns: Columns, name: str, caller: str, called: str) -> dict[str, str]:
    """Direction of each code, by the side of the network's own cards; {} if unclear."""
    told: dict[str, str] = {}
    text = trimmed(columns.frame[name])
    for code in columns.values[name].codes:
        mine = columns.frame.filter(text == code)
        owner = _fewer(mine, caller, called, columns) if mine.height >= _MIN_RECORDS else None
        if owner is None:
            return {}
        told[code] = "out" if owner == caller else "in"
    return told if set(told.values()) == {"out", "in"} else {}


def _owner_of(columns: Columns, name: str, ways: Mapping[str, Way], caller: str, called: str) -> str | None:
    """Column of the owner of incoming records: `caller` (served party) or `called`."""
    text = trimmed(columns.frame[name])
    outs = text.is_in([code for code, one in ways.items() if one.way == "out"])
    numbers = {column: _normal(columns, column) for column in (caller, called)}
    known = columns.knowledge.register or frozenset(numbers[caller].filter(outs).drop_nulls().to_list())
    first, second = (_among(numbers[column].filter(~outs), known) for column in (caller, called))
    if max(first, second) >= 0.3 and max(first, second) >= 2 * min(first, second) + 0.1:
        return caller if first > second else called
    owner = _fewer(columns.frame.filter(~outs), caller, called, columns)
    if owner is not None:
        return owner
    if any(plain(caller).startswith(word) for word in _SAYS_CALLER) and second >= first:
        return called  # `caller` is named as the other party; the values do not contradict
    return None


def _fewer(frame: pl.DataFrame, one: str, other: str, columns: Columns) -> str | None:
    """The column of the network's own numbers, by the register or far fewer values."""
    register = columns.knowledge.register
    texts = {name: _normal_of(columns, frame[name]) for name in (one, other)}
    if register:
        first, second = (_among(texts[name], register) for name in (one, other))
        if max(first, second) >= 0.9 and min(first, second) < 0.5:
            return one if first > second else other
    if frame.height < _MIN_RECORDS:
        return None
    few = {name: text.n_unique() for name, text in texts.items()}
    if few[one] * _MIN_RATIO <= few[other]:
        return one
    return other if few[other] * _MIN_RATIO <= few[one] else None


def _normal(columns: Columns, name: str) -> pl.Series:
    return _normal_of(columns, columns.frame[name])


def _normal_of(columns: Columns, series: pl.Series) -> pl.Series:
    text = without_withheld(trimmed(series))
    return columns.knowledge.numbers.normalise(text, peer=True)


def _among(numbers: pl.Series, known: frozenset[str]) -> float:
    shown = numbers.drop_nulls()
    return float(shown.is_in(list(known)).sum()) / len(shown) if len(shown) else 0.0


def _share(right: pl.Series | Sequence[bool]) -> float:
    series = pl.Series(right, dtype=pl.Boolean).fill_null(False)
    return float(series.sum()) / len(series) if len(series) else 0.0
