"""What a device is, by what its cards do: a SIM box, a bridged phone, a firm's gateway, a counter's phone, a phone.

docs/LINKS.md has the signs with where each limit is from; those that a device shows are its reasons, with the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from duanka.domain.rings import DeviceRole, LinkKind
from duanka.domain.text import BilingualText, Many
from duanka.links.graph.graph import LinkGraph

REASONS = ("reason_zh", "reason_en")
BOX_SIGNS = 4  # of nine, from which on a device is a box
MANY_CARDS = 4  # numbers of one IMEI (S3, as the rule shared_device)
CARDS_A_DAY = 2.0
CALLS_AN_HOUR = 10.0
CARDS_AN_HOUR = 0.25  # a person's phone has one card in ten hours, a port three turns a day
ONE_PLACE = (
    0.8  # of pairs of its cards, those seen at one cell on one day; or of its cards, those of one cell
)
OUTGOING = 0.95  # of its calls (as the rule sim_box)
CODES_A_CARD, CALLS_A_CODE = 10, 0.1  # of cards that only receive codes (as the role code_receiver)
FEWEST_CALLS = 20
STRANGERS = 0.8  # of the numbers that its cards call (as the rule sim_box)
ONE_RHYTHM = 0.25  # of the days of its cards, those that begin or end in one minute with others'
SAME_COUNT, BUSY_DAYS = 0.5, 10  # of the busy days of its cards, those that end at one number of calls
PASSED_ON = 1 / 3  # of its cards, those with a hit of bridged_calls
FIRM_CARDS = 0.8  # that an organisation holds
CALLED_BACK = 0.05  # incoming among its calls
WEEKEND = 0.5  # calls on a day of the weekend over those on a working day, at most, of business hours
BRIEF_STAY = 0.05  # of a card's life: it was tried, not used
OWN_LIFE = 0.2  # incoming among the calls of cards that have owners
COPIED_PAIRS, COPIED_PLACE = 20, 0.2  # pairs compared; of them together at most

_SIGNS: Mapping[str, tuple[pl.Expr, BilingualText]] = {
    "many": (
        pl.col("cards") >= MANY_CARDS,
        BilingualText("先后或同时使用 {cards} 张卡", "{cards} cards sat in it"),
    ),
    "a_day": (
        pl.col("a_day") >= CARDS_A_DAY,
        BilingualText("每天 {a_day:.1f} 张卡", "{a_day:.1f} cards a day"),
    ),
    "an_hour": (
        pl.col("an_hour") >= CARDS_AN_HOUR,
        BilingualText("每小时 {an_hour:.2f} 张卡", "{an_hour:.2f} cards an hour"),
    ),
    "dialled": (
        pl.col("dialled") >= CALLS_AN_HOUR,
        BilingualText("每小时拨出 {dialled:.0f} 次", "{dialled:.0f} outgoing calls an hour"),
    ),
    "one_place": (
        pl.max_horizontal(pl.when(pl.col("pairs") > 0).then("one_place"), "at_site") >= ONE_PLACE,
        BilingualText("各卡同在一个小区", "its cards are at one cell"),
    ),
    "outgoing": (
        (pl.col("out") >= OUTGOING) & (pl.col("calls") >= FEWEST_CALLS),
        BilingualText("{out:.0%} 为呼出", "{out:.0%} of its calls go out"),
    ),
    "codes": (
        (pl.col("codes") >= CODES_A_CARD * pl.col("cards"))
        & (pl.col("calls") <= CALLS_A_CODE * pl.col("codes")),
        BilingualText("只收验证码（{codes} 条）", "it receives codes alone ({codes})"),
    ),
    "strangers": (
        (pl.col("strangers") >= STRANGERS) & (pl.col("calls") >= FEWEST_CALLS),
        BilingualText(
            "所拨号码 {strangers:.0%} 为陌生号码", "{strangers:.0%} of the numbers called are strangers"
        ),
    ),
    "steady": (
        pl.col("steady") >= ONE_RHYTHM,
        BilingualText(
            "开关机 {steady:.0%} 与他卡同一分钟", "switched in one minute with others, {steady:.0%}"
        ),
    ),
    "spike": (
        (pl.col("spike") >= SAME_COUNT) & (pl.col("busy_days") >= BUSY_DAYS),
        BilingualText(
            "{spike:.0%} 的日子在同一主叫次数停下",
            "on {spike:.0%} of the days it stops at one number of calls",
        ),
    ),
}
_OTHERS: Mapping[DeviceRole, tuple[pl.Expr, BilingualText]] = {
    DeviceRole.BRIDGED_PHONE: (
        (pl.col("bridged") > 0) & (pl.col("bridged") >= PASSED_ON * pl.col("cards")),
        BilingualText(
            "{cards} 张卡中 {bridged} 张的通话与旁边另一部手机首尾相接",
            "cards whose calls lie over those of a phone beside it: {bridged} of {cards}",
        ),
    ),
    DeviceRole.COPIED_NUMBER: (
        (pl.col("pairs") >= COPIED_PAIRS)
        & (pl.col("one_place") < COPIED_PLACE)
        & (pl.col("a_day") >= MANY_CARDS),
        BilingualText(
            "每天 {a_day:.0f} 张卡，同日各卡只有 {one_place:.0%} 在同一小区：不是一部终端",
            "{a_day:.0f} cards a day, of which {one_place:.0%} are at one cell: it is not one device",
        ),
    ),
    DeviceRole.GATEWAY: (
        (pl.col("organisation") >= FIRM_CARDS)
        & (pl.col("back") >= CALLED_BACK)
        & (pl.col("calls") >= FEWEST_CALLS)
        & (pl.col("confirmed") == 0),
        BilingualText(
            "{organisation:.0%} 的卡为单位所有，{back:.0%} 的通话为来电",
            "{organisation:.0%} of its cards are an organisation's, and {back:.0%} of their calls come in",
        ),
    ),
    DeviceRole.REPAIR_SHOP: (
        (pl.col("cards") >= MANY_CARDS) & (pl.col("stay") <= BRIEF_STAY) & (pl.col("back") >= OWN_LIFE),
        BilingualText(
            "{cards} 张卡各只试用片刻（占其使用的 {stay:.1%}），平时各有往来",
            "{cards} cards were tried in it for a moment ({stay:.1%} of their use), and have lives of their own",
        ),
    ),
    DeviceRole.SHARED_PHONE: (
        (pl.col("cards") >= MANY_CARDS) & (pl.col("a_day") >= CARDS_A_DAY) & (pl.col("back") >= OWN_LIFE),
        BilingualText(
            "{cards} 张卡，每天 {a_day:.1f} 张，{back:.0%} 的通话为来电：各有往来的人共用",
            "{cards} cards, {a_day:.1f} a day, and {back:.0%} of their calls come in: people share it who have lives of"
            " their own",
        ),
    ),
}
_OFFICE_HOURS = BilingualText(
    "周末通话少（工作日的 {weekend:.0%}）", "few calls at weekends ({weekend:.0%} of a working day's)"
)
_PHONE = BilingualText("{cards} 张卡，猫池特征不足", "{cards:card|cards}, too few signs of a box")
_RANK = list(DeviceRole)


def judged_devices(facts: pl.DataFrame, *, phones: bool = True) -> pl.DataFrame:
    """device, role, cards, site, at_risk, confirmed, reason_zh, reason_en, of `device_facts`; boxes first, worst first.

    A box has no other explanation, and nobody calls its cards. `phones`: those of no other role too.
    """
    known = facts.with_columns(back=pl.when(pl.col("calls") > 0).then(1 - pl.col("out")).otherwise(0.0))
    signs = known.select(shown.fill_null(value=False).alias(name) for name, (shown, _) in _SIGNS.items())
    count = signs.sum_horizontal().alias("signs")
    box = (pl.col("signs") >= BOX_SIGNS) & (pl.col("back") < OWN_LIFE)
    held = [(role, holds) for role, (holds, _) in _OTHERS.items()] + [(DeviceRole.BOX, box)]
    role = pl.coalesce(
        *(pl.when(holds).then(pl.lit(one.value)) for one, holds in held), pl.lit(DeviceRole.PHONE.value)
    )
    judged = known.with_columns(count).with_columns(role=role)
    if not phones:  # most of a province, and reasons are made one by one
        others = judged["role"] != DeviceRole.PHONE.value
        judged, signs = judged.filter(others), signs.filter(others)
    words = [
        _reason(row, shown)
        for row, shown in zip(judged.iter_rows(named=True), signs.iter_rows(named=True), strict=True)
    ]
    rank = pl.col("role").replace_strict(
        {one.value: place for place, one in enumerate(_RANK)}, return_dtype=pl.Int64
    )
    return (
        judged.with_columns(
            reason_zh=pl.Series([word.zh for word in words], dtype=pl.String),
            reason_en=pl.Series([word.en for word in words], dtype=pl.String),
        )
        .sort(rank, "confirmed", "signs", "cards", "device", descending=[False, True, True, True, False])
        .select("device", "role", "cards", "site", "at_risk", "confirmed", *REASONS)
    )


def _reason(row: Mapping[str, object], shown: Mapping[str, bool]) -> BilingualText:
    """What speaks for the role of a device: of a box its signs, of another what explains it."""
    role = DeviceRole(str(row["role"]))
    said = [_OTHERS[role][1]] if role in _OTHERS else []
    if role is DeviceRole.GATEWAY and row["weekend"] is not None and float(str(row["weekend"])) <= WEEKEND:
        said.append(_OFFICE_HOURS)
    signs = [words for name, (_, words) in _SIGNS.items() if shown[name]]
    if role is DeviceRole.BOX:
        said = signs
    if role is DeviceRole.PHONE:
        said = [_PHONE, *(words for words in signs if words is not _SIGNS["many"][1])]
    counted = {name: Many(value) if type(value) is int else value for name, value in row.items()}
    return BilingualText(
        "；".join(words.zh.format_map(counted) for words in said),
        "; ".join(words.en.format_map(counted) for words in said),
    )


def listed_devices(graph: LinkGraph, members: pl.DataFrame) -> pl.DataFrame:
    """imei, role, cards, site, at_risk, confirmed, ring, reason_zh, reason_en, of devices that are no ordinary phones.

    `members`: card, ring of the communities; `ring`: the one that most cards of a device are in, "" none.
    """
    found = judged_devices(graph.devices, phones=False)
    rings = graph.cards.select("card").join(
        members.select("card", "ring"), on="card", how="left", maintain_order="left"
    )
    groups = (graph.kind == LinkKind.DEVICE.value).arg_true().cast(pl.Int64).to_numpy()
    entry, owner = graph.cards_of.entries(groups)
    sat = pl.DataFrame(
        {
            "device": graph.label.gather(groups[owner]),
            "ring": rings["ring"].gather(graph.cards_of.other[entry].astype(np.int64)),
        }
    )
    of_device = sat.drop_nulls().group_by("device").agg(pl.col("ring").mode().sort().first())
    return (
        found.join(of_device, on="device", how="left", maintain_order="left")
        .with_columns(pl.col("ring").fill_null(""))
        .select(
            pl.col("device").alias("imei"),
            *("role", "cards", "site", "at_risk", "confirmed", "ring"),
            *REASONS,
        )
    )
