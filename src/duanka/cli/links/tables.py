"""Pages about the graph and a ring, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from duanka.bootstrap.links.statements import Statements
from duanka.cli.output.grid import grid
from duanka.cli.shell.language import language, shown
from duanka.cli.shell.process import CAUTION, Prose
from duanka.domain.display import display_name
from duanka.domain.record_keys import key_of
from duanka.domain.rings import DeviceRole, LinkKind, RingRole
from duanka.domain.text import BilingualText, Many
from duanka.links.graph.graph import LinkGraph
from duanka.links.graph.stored import GraphPeriod
from duanka.links.ring.ring import BOX, Ring
from duanka.orders.ring_stops import ProposedRingStop

_MOST_ROWS = 15
_GRAPH = BilingualText(
    "{first} 至 {last}：{cards} 张卡，{groups} 组关联，{edges} 条边",
    "{first} to {last}: {cards:card|cards}, {groups:group|groups} of what they share, {edges:edge|edges}",
)
_READ_NEW = BilingualText(
    "记录：{days} 天中读取了 {read} 天，其余沿用上次的结果",
    "Records: {read} of {days} days were read, the others are kept from the last build",
)
_READ_ALL = BilingualText("记录：{days} 天全部读取（{why}）", "Records: all {days} days were read ({why})")
DISOWNED = BilingualText("本人否认开户", "that their registrants disowned")
UPHELD = BilingualText("异议成立", "with upheld objections")
_TAKEN = BilingualText(
    "{file}：{which} {cards} 张卡，其中 {found} 张在这些记录中",
    "{file}: {cards:card|cards} {which}, of which {found:is|are} in these records",
)
_NONE_CONFIRMED = BilingualText(
    "没有一张卡是公安确认涉案的：涉案名单须由登记的签名方签名（`duanka keys add-source`；虚构的世界用"
    " `duanka demo --trust W/police.pub`）",
    "No card is confirmed by the police: cases count with the signature of a registered source (`duanka keys"
    " add-source`; of an invented world `duanka demo --trust W/police.pub`)",
)
_KINDS = (BilingualText("关联", "link"), BilingualText("组数", "groups"), BilingualText("号码数", "cards"))
_RING = BilingualText(
    "由 {seed} 出发：{joined} 张卡在团伙内，另有 {looked} 张待核实（{first} 至 {last}）",
    "From {seed}: {joined:card|cards} in the ring, {looked} more to look at ({first} to {last})",
)
_AGAINST = BilingualText(
    "其中按规则有风险 {at_risk} 张，涉案 {confirmed} 张",
    "Of them {at_risk:is|are} at risk by the rules, {confirmed} confirmed by the police",
)
_OF_THE_RING = BilingualText(
    "团伙中按规则有风险 {at_risk} 张，涉案 {confirmed} 张",
    "Of the ring, at risk by the rules: {at_risk}; confirmed by the police: {confirmed}",
)
_NOTHING_AGAINST = BilingualText(
    "没有规则命中，也没有涉案：这些号码属于一处，仅此而已，不必处置",
    "No rule speaks against any of them, and none is confirmed: they belong together, no more; there is nothing to do",
)
_STOP = BilingualText(
    "团伙中提出处置 {cards} 张；未列入 {left_out} 张：确定度不高于 {certainty}（--certainty）",
    "{cards:card of the ring is|cards of the ring are} proposed; {left_out} left out: certainty of {certainty}"
    " or less (--certainty)",
)
_STANDING = BilingualText(
    "另有 {cards} 张已在 {acts} 中，未列入", "{cards} of them are already in {acts}, and left out"
)
_FIRM = BilingualText("单位号码，有回拨", "an organisation's, called back")
_ALONE = BilingualText(
    "由 {seed} 出发，没有足以成立的关联：记录中看不出团伙",
    "From {seed} no link holds: these records show no ring",
)
_ROLES = (
    BilingualText("角色", "role"),
    BilingualText("号码数", "cards"),
    BilingualText("最低确定度", "least certainty"),
)
_SITES = (BilingualText("地点", "site"), BilingualText("号码数", "cards"), BilingualText("设备数", "boxes"))
_DEVICES = (BilingualText("终端", "device"), BilingualText("号码数", "cards"), BilingualText("地点", "site"))
_BOUND = BilingualText("至少为同行的倍数", "times its peers, at least")
_NAME = (BilingualText("网点", "outlet"), BilingualText("名称", "name"))
_BESIDE = BilingualText("{outlet}：{beside}", "{outlet}: {beside}")
_OUTLETS = (
    *_NAME,
    *(BilingualText("同期开户", "opened then"), BilingualText("其中团伙", "of the ring")),
    *(BilingualText("按同行应为", "expected"), _BOUND),
)
_PEOPLE = (
    BilingualText("号码", "card"),
    BilingualText("角色", "role"),
    BilingualText("确定度", "certainty"),
    BilingualText("理由", "reasons"),
)
_NO_RINGS = BilingualText("没有值得关注的团伙", "No community is worth a look.")
_RINGS = (
    *(BilingualText("团伙", "ring"), BilingualText("号码数", "cards"), BilingualText("涉案", "confirmed")),
    *(
        BilingualText("有风险", "at risk"),
        BilingualText("按全省应为", "expected"),
        BilingualText("意外度", "surprise (bits)"),
    ),
    *(BilingualText("城市", "city"), BilingualText("首次发现", "since"), BilingualText("备注", "note")),
)
_RINGS_RIGHT = ("cards", "confirmed", "at risk", "expected", "surprise (bits)")
_NAMED = BilingualText(
    "自 {since} 起开过卡的 {all} 个网点中 {named} 个突出，其余与同行无异或数量太少",
    "{named} of the {all} outlets that opened cards since {since} stand out; the others are like their peers, or too"
    " small to tell",
)
_NO_SHOPS = BilingualText(
    "自 {since} 起没有网点开过卡；先前开的卡见 duanka links around",
    "No outlet opened a card since {since}; of cards opened before, see duanka links around",
)
_SHOPS = (
    *_NAME,
    *(BilingualText("新开户", "new cards"), BilingualText("有风险号码数", "at risk")),
    *(BilingualText("按同行应为", "expected"), _BOUND),
)
_SAME_PLACE = BilingualText("等 {n} 部", "and {more} more there")
_DEVICE_COUNTS = BilingualText(
    "{cards} 张卡，有风险 {at_risk}，涉案 {confirmed}",
    "{cards:card|cards}, {at_risk} at risk, {confirmed} confirmed",
)
_NO_DEVICES = BilingualText(
    "没有一部终端像猫池、网关或搭桥手机", "No device looks like a box, a gateway or a bridged phone."
)
_MORE = BilingualText("另有 {more} 行", "{more:more row|more rows}")


def days_read(days: int, read: int, why: BilingualText | None) -> str:
    """How many of the days of a store were read; `why`: all of them, and for which reason."""
    return (shown(_READ_ALL) if why else shown(_READ_NEW)).format(
        days=days, read=read, why=why and shown(why)
    )


def stated_line(said: Statements) -> tuple[str, str]:
    """How many cards were disowned, found right, or confirmed, and who told it; in both languages."""
    orders, files = said.from_orders, said.from_files
    counts = [len(orders.disowned), len(files.disowned), len(orders.upheld), len(files.upheld)]
    zh = "否认开户：工单库 {} 张，文件 {} 张；异议成立：工单库 {} 张，文件 {} 张"
    en = (
        "Disowned cards: {} of the order database, {} of a file; objections upheld: {} of the order database, {} of a"
        " file"
    )
    if orders.confirmed:
        counts.append(len(orders.confirmed))
        zh, en = (
            f"{zh}；公安机关确认涉案：工单库 {{}} 张",
            f"{en}; confirmed by the police: {{}} of the order database",
        )
    return zh.format(*counts), en.format(*counts)


def taken(file: Path, words: BilingualText, cards: Sequence[str], graph: LinkGraph) -> RenderableType:
    """How many cards a file names, `words` says of which kind, and how many of them the graph knows; none is odd."""
    found = len(graph.rows_of([key_of(card) for card in dict.fromkeys(cards)]))
    facts = {"file": display_name(str(file)), "cards": Many(len(cards)), "which": shown(words)}
    return Prose(shown(_TAKEN, **facts, found=Many(found)), style="" if found else CAUTION)


def graph_page(graph: LinkGraph, period: GraphPeriod) -> RenderableType:
    """What a graph holds."""
    members = pl.DataFrame({"group": pl.Series(graph.cards_of.start).diff().drop_nulls(), "kind": graph.kind})
    counts = (
        members.group_by("kind")
        .agg(pl.len().alias("groups"), pl.col("group").sum())
        .sort("group", "kind", descending=[True, False])
    )
    said = shown(_GRAPH).format(
        first=period.first,
        last=period.last,
        cards=Many(graph.cards.height),
        groups=Many(len(graph.kind)),
        edges=Many(graph.edges),
    )
    rows = [
        (shown(LinkKind(kind).words), f"{groups:,}", f"{cards:,}")
        for kind, groups, cards in counts.iter_rows()
    ]
    rows.append((shown(LinkKind.CONTACT.words), "", f"{len(graph.contacts.other):,}"))
    confirmed = [] if graph.cards["confirmed"].any() else [Prose(shown(_NONE_CONFIRMED))]
    return Group(said, grid(_KINDS, rows, right=("groups", "cards")), *confirmed)


def ring_page(ring: Ring, period: GraphPeriod) -> RenderableType:
    """A ring that a person can act on: roles, sites, devices, outlets, its people."""
    joined = ring.joined
    values = {"seed": ring.seed.name, "first": period.first, "last": period.last}
    if not ring.links_hold:
        return shown(_ALONE).format_map(values)
    said = shown(_RING).format(
        joined=Many(joined.height), looked=Many(ring.cards.height - joined.height), **values
    )
    counts = joined.select(pl.col("at_risk").sum(), pl.col("confirmed").sum()).row(0)
    speaks = shown(_AGAINST if any(counts) else _NOTHING_AGAINST).format(
        at_risk=Many(counts[0]), confirmed=Many(counts[1])
    )
    return Group(said, speaks, "", *_tables(ring, joined))


def ring_stop_page(proposed: ProposedRingStop, certainty: float) -> str:
    """How many cards of a ring are proposed, how many are not and why, and what speaks against the ring."""
    said = shown(_STOP).format(
        cards=Many(proposed.act.total), left_out=Many(proposed.left_out), certainty=f"{certainty:g}"
    )
    against = shown(_OF_THE_RING).format(at_risk=f"{proposed.at_risk:,}", confirmed=f"{proposed.confirmed:,}")
    held = sum(proposed.standing.values())
    standing = [shown(_STANDING).format(cards=f"{held:,}", acts=", ".join(proposed.standing))] if held else []
    return "\n".join([said, *standing, against])


def rings_page(found: pl.DataFrame, rows: int) -> RenderableType:
    """The rings worth a look."""
    if not found.height:
        return shown(_NO_RINGS)
    cells = [
        (
            ring,
            f"{cards:,}",
            f"{confirmed:,}",
            f"{at_risk:,}",
            f"{expected:,.1f}",
            f"{bits:.0f}",
            city,
            str(since),
            shown(_FIRM) if firm else "",
        )
        for ring, cards, confirmed, at_risk, expected, bits, city, since, firm in found.head(rows).iter_rows()
    ]
    return Group(
        grid(_RINGS, cells, right=_RINGS_RIGHT, whole=("ring", "city", "since")), *_more(found.height, rows)
    )


def outlets_page(found: pl.DataFrame, rows: int, since: date) -> RenderableType:
    """Shops by the lower bound on their lift; only those that stand out have reasons. `since`: of the cards counted."""
    if not found.height:
        return shown(_NO_SHOPS).format(since=since)
    named = int(found["named"].sum())
    said = shown(_NAMED).format(named=f"{named:,}", all=f"{found.height:,}", since=since)
    cells = [
        (*named_outlet, f"{new:,}", f"{n:,}", f"{expected:.2g}", f"{bound:.1f}", beside)
        for *named_outlet, new, n, expected, bound, beside in found.select(
            *("outlet", "name", "new", "cards", "expected", "lower_bound", f"beside_{language()}")
        )
        .head(max(named, 1) if named < rows else rows)
        .iter_rows()
    ]
    return Group(said, "", _shops(_SHOPS, cells, ("new cards", "at risk", "expected", _BOUND.en)))


def _shops(
    headings: Sequence[BilingualText], rows: Sequence[Sequence[str]], right: Sequence[str]
) -> RenderableType:
    """A table of outlets. The last value of a row is no column: it is printed in a line below the row.

    Columns that are empty in each row, as names may be, are left out.
    """
    filled = [place for place in range(len(headings)) if any(row[place] for row in rows)]
    kept = [[row[place] for place in filled] for row in rows]
    table = grid([headings[place] for place in filled], kept, right=right, whole=("outlet",))
    # names from records may hold what rich takes for markup
    beside = [Text(shown(_BESIDE, outlet=row[0], beside=row[-1])) for row in rows if row[-1]]
    return Group(table, *([""] if beside else []), *beside)


def devices_page(found: pl.DataFrame, rows: int) -> RenderableType:
    """Devices that are no ordinary phones: how many of each kind, and the worst, with those of its ring and site."""
    if not found.height:
        return shown(_NO_DEVICES)
    counts = found.group_by("role", maintain_order=True).len().iter_rows()
    said = " · ".join(f"{shown(DeviceRole(role).words)} {n:,}" for role, n in counts)
    apart = pl.when((pl.col("ring") == "") & (pl.col("site") == "")).then("imei").otherwise(pl.lit(""))
    groups = found.group_by("role", "ring", "site", apart.alias("apart"), maintain_order=True).agg(
        pl.len().alias("n"), pl.exclude("role", "ring", "site").first()
    )
    lines = [line for row in groups.head(rows).iter_rows(named=True) for line in _of_device(row)]
    return Group(said, "", *lines, *_more(groups.height, rows))


def _of_device(row: Mapping[str, Any]) -> Sequence[RenderableType]:
    name = f"{shown(DeviceRole(row['role']).words)} {row['imei']}"
    counts = {name: Many(row[name]) for name in ("cards", "at_risk", "confirmed")}
    others = shown(_SAME_PLACE).format(n=row["n"], more=row["n"] - 1) if row["n"] > 1 else ""
    parts = (others, shown(_DEVICE_COUNTS).format_map(counts), row["site"], row["ring"])
    # names from records may hold what rich takes for markup
    why = Padding(Text(row[f"reason_{language()}"]), (0, 0, 0, 4))
    return Text(" · ".join([name, *filter(None, parts)])), why


def _tables(ring: Ring, joined: pl.DataFrame) -> Iterator[RenderableType]:
    roles = (
        joined.group_by("role")
        .agg(pl.len(), pl.col("certainty").min())
        .sort("len", "role", descending=[True, False])
    )
    yield grid(
        _ROLES,
        [(shown(RingRole(role).words), f"{n:,}", f"{least:.2f}") for role, n, least in roles.iter_rows()],
        right=("cards", "least certainty"),
    )
    boxes = ring.devices.filter(pl.col("role") == BOX)
    sites = (
        joined.filter(pl.col("site") != "")
        .group_by("site")
        .len()
        .join(boxes.group_by("site").len("boxes"), on="site", how="left")
        .sort("len", "site", descending=[True, False])
    )
    if sites.height:
        yield from (
            "",
            grid(
                _SITES,
                [(site, f"{n:,}", f"{devices or 0:,}") for site, n, devices in sites.iter_rows()],
                right=("cards", "boxes"),
                whole=("site",),
            ),
        )
    if boxes.height:
        yield from (
            "",
            grid(
                _DEVICES,
                [
                    (imei, f"{n:,}", site)
                    for imei, n, site in boxes.select("imei", "cards", "site").head(_MOST_ROWS).iter_rows()
                ],
                right=("cards",),
                whole=("device", "site"),
            ),
        )
        yield from _more(boxes.height)
    if ring.outlets.height:
        columns = ("outlet", "name", "new", "cards", "expected", "lower_bound", f"beside_{language()}")
        outlets = [
            (*named, f"{new:,}", f"{n:,}", f"{expected:.2g}", f"{bound:.1f}", beside)
            for *named, new, n, expected, bound, beside in ring.outlets.select(columns)
            .head(_MOST_ROWS)
            .iter_rows()
        ]
        yield from ("", _shops(_OUTLETS, outlets, ("opened then", "of the ring", "expected", _BOUND.en)))
        yield from _more(ring.outlets.height)
    people = joined.filter(
        pl.col("role").is_in([RingRole.OPERATOR.value, RingRole.MINDER.value, RingRole.SUPPLIER.value])
    )
    if people.height:
        rows = people.select("card", "role", "certainty", f"reason_{language()}").head(_MOST_ROWS).iter_rows()
        yield from (
            "",
            grid(
                _PEOPLE,
                [(card, shown(RingRole(role).words), f"{c:.2f}", why) for card, role, c, why in rows],
                right=("certainty",),
            ),
        )
        yield from _more(people.height)


def _more(rows: int, most: int = _MOST_ROWS) -> Iterator[str]:
    if rows > most:
        yield shown(_MORE).format(more=Many(rows - most))
