"""A card that behaves as if in a SIM box (GOIP); the rule does not find the boxes."""

from datetime import timedelta

from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource, Window
from duanka.domain.rule_examples import Row, calls, case
from duanka.domain.text import BilingualText

_BOX = "356938035643809"
_SLOTS = tuple(f"86138000002{i:02}" for i in range(4))


def _others_in_the_box(n: int) -> list[Row]:
    return [c for card in _SLOTS[:n] for c in calls(2, "2021-05-15 09:00", card=card, imei=_BOX)]


# Days with at least $min_signs - 2 of the three cheap signs, as many calls a day standing for an hour's. On other days
# the two expensive signs (strangers, cells) could not reach $min_signs.
_HALF_MET = """
    SELECT d.card, d.day FROM card_days d
    LEFT JOIN (
        SELECT DISTINCT card FROM card_devices WHERE imei IN (
            SELECT imei FROM card_devices GROUP BY imei HAVING count(*) >= $min_cards
        )
    ) b ON b.card = d.card
    WHERE d.calls_out >= $min_calls
      AND CASE WHEN d.calls_in <= $max_in_share * (d.calls_in + d.calls_out) THEN 1 ELSE 0 END
          + CASE WHEN b.card IS NOT NULL THEN 1 ELSE 0 END
          + CASE WHEN d.calls_out >= $min_per_hour THEN 1 ELSE 0 END >= $min_signs - 2
"""


def _ten_from(cell: int) -> list[Row]:
    peers = [f"86136{cell}{i:07}" for i in range(10)]
    return calls(10, f"2021-05-17 09:{cell}0", peers=peers, cell=f"c{cell}")


_ONE_IN = calls(1, "2021-05-17 17:00", direction="in", cell="c1")


def _at_the_site(n: int, *, peers: int) -> list[Row]:
    return calls(n, "2021-05-17 09:00", every=600, peers=peers, imei=_BOX, cell="c1", city="990100")


def _from(cell: str) -> list[Row]:
    """Nine calls from a cell, to other numbers than all before."""
    return calls(9, "2021-05-17 13:00", every=100, peers=[f"86137{i:08}" for i in range(9)], cell=cell)


RULE = Rule(
    id="sim_box",
    title=BilingualText("疑似 GOIP/猫池用卡", "As if in a SIM box"),
    source=RuleSource(
        "GOIP features in police and press reports; Anti-fraud law, article 14; the limits are ours",
        Grade.S2,
        zh="警方和新闻报道中GOIP（猫池）的特征；《反电信网络诈骗法》第十四条；限值由本系统拟定",
    ),
    asks_for=Action.VERIFY_AT_COUNTER,
    why=BilingualText(
        "猫池里的卡只呼出、不移动、只打生人、间隔短、与许多卡轮用同一批终端。",
        "A card in a box only calls out, never moves, calls strangers in quick succession, and shares its devices.",
    ),
    look_alikes=BilingualText(
        "固定工位的外呼坐席（单位卡）、只打不接的推销员：特征须同时具备多项。",
        "Agents at a desk, salesmen whom nobody calls back: several signs must come together.",
    ),
    limits={
        "min_calls": Limit(10, "calls", "一天主叫次数达到", "outgoing calls in a day, from"),
        "max_in_share": Limit(0.05, "share", "被叫占比不高于", "share of incoming calls, at most", step=0.01),
        "max_cells": Limit(2, "cells", "一天所在小区数不高于", "cells in a day, at most"),
        "min_stranger_share": Limit(
            0.8, "share", "不同号码与主叫次数之比达到", "distinct numbers per outgoing call, from", step=0.05
        ),
        "min_cards": Limit(4, "cards", "同机卡数达到", "cards that the device took, from"),
        "min_per_hour": Limit(
            20, "calls/h", "最忙一小时主叫达到", "outgoing calls in the busiest hour, from"
        ),
        "min_signs": Limit(4, "signs of 5", "特征数达到", "signs, from"),
    },
    reads=("card_days", "card_hours", "card_peers", "card_places", "card_devices"),
    needs=("calls", "calls.peer"),
    look_back=timedelta(days=1),
    monotone=False,  # an incoming call can clear it: it fires when the day is over
    window=Window.DAY,
    together="imei",
    narrow={
        "card_hours": f"(card, CAST(hour AS DATE)) IN ({_HALF_MET})",
        "card_peers": f"(card, day) IN ({_HALF_MET})",
        "card_places": f"(card, day) IN ({_HALF_MET})",
    },
    sql="""
        WITH days AS (
            SELECT card, day, calls_out, calls_in / (calls_in + calls_out) AS in_share FROM card_days
            WHERE calls_out >= $min_calls AND day < CAST($as_of AS DATE)
        ),
        strangers AS (
            SELECT card, day, count(*) AS peers FROM card_peers WHERE calls_out > 0 GROUP BY card, day
        ),
        cells AS (
            SELECT card, day, count(DISTINCT cell) AS cells FROM card_places
            WHERE cell IS NOT NULL GROUP BY card, day
        ),
        hours AS (
            SELECT card, CAST(hour AS DATE) AS day, max(calls_out) AS busiest_hour FROM card_hours
            GROUP BY card, CAST(hour AS DATE)
        ),
        boxes AS (SELECT imei, count(*) AS cards FROM card_devices GROUP BY imei HAVING count(*) >= $min_cards),
        in_boxes AS (
            SELECT d.card, max(b.cards) AS cards_in_device FROM card_devices d JOIN boxes b ON b.imei = d.imei
            GROUP BY d.card
        ),
        signs AS (
            SELECT d.card, d.day, d.calls_out, d.in_share, s.peers, c.cells, h.busiest_hour, b.cards_in_device,
                   CASE WHEN d.in_share <= $max_in_share THEN 1 ELSE 0 END
                   + CASE WHEN c.cells <= $max_cells THEN 1 ELSE 0 END
                   + CASE WHEN s.peers >= $min_stranger_share * d.calls_out THEN 1 ELSE 0 END
                   + CASE WHEN b.cards_in_device IS NOT NULL THEN 1 ELSE 0 END
                   + CASE WHEN h.busiest_hour >= $min_per_hour THEN 1 ELSE 0 END AS signs
            FROM days d
            LEFT JOIN strangers s ON s.card = d.card AND s.day = d.day
            LEFT JOIN cells c ON c.card = d.card AND c.day = d.day
            LEFT JOIN hours h ON h.card = d.card AND h.day = d.day
            LEFT JOIN in_boxes b ON b.card = d.card
        )
        SELECT card, CAST(day AS TIMESTAMP) AS seen_at, signs, calls_out, round(in_share, 3) AS in_share,
               peers, cells, busiest_hour, cards_in_device
        FROM signs WHERE signs >= $min_signs
    """,
    evidence=(
        EvidenceColumn("signs", "符合的特征数", "Signs met", "of 5"),
        EvidenceColumn("calls_out", "当天主叫", "Outgoing calls that day", "calls"),
        EvidenceColumn("in_share", "被叫占比", "Share of incoming calls", "share"),
        EvidenceColumn("peers", "当天主叫不同号码", "Numbers called that day", "numbers"),
        EvidenceColumn("cells", "当天小区数", "Cells that day", "cells"),
        EvidenceColumn("busiest_hour", "最忙一小时主叫", "Outgoing calls in the busiest hour", "calls/h"),
        EvidenceColumn("cards_in_device", "同机卡数", "Cards in its device", "cards"),
    ),
    reason=BilingualText(
        "符合 {signs} 项猫池特征：一天主叫 {calls_out} 次、{peers} 个号码，被叫占 {in_share:.0%}",
        "{signs} of 5 signs of a SIM box: {calls_out} calls to {peers} numbers in a day, {in_share:.0%} incoming",
    ),
    rebuttal=BilingualText(
        "说明设备和用途：单位的语音网关、集团电话或呼叫中心，带设备清单和单位证明；个人用户请带手机到场，"
        "证明卡在手机中使用。",
        "say what the device is: a firm's voice gateway or call centre, with the list of devices and a letter of the"
        " firm; otherwise come with the phone that holds the card.",
    ),
    flags=(
        case("ten calls to strangers from a shared box", _at_the_site(10, peers=8), _others_in_the_box(3)),
        case("no box known, but quick", calls(20, "2021-05-17 09:00", every=60, peers=16, cell="c1")),
        case(
            "one call in twenty comes in, two cells",
            calls(10, "2021-05-17 09:00", every=100, peers=10, imei=_BOX, cell="c1"),
            _from("c2"),
            _ONE_IN,
            _others_in_the_box(3),
        ),
    ),
    spares=(
        case("nine calls", _at_the_site(9, peers=9), _others_in_the_box(3)),
        case("three cards in the device", _at_the_site(10, peers=10), _others_in_the_box(2)),
        case("nineteen calls an hour", calls(20, "2021-05-17 09:00", every=190, peers=20, cell="c1")),
        case("calls the same people again", calls(20, "2021-05-17 09:00", every=60, peers=15, cell="c1")),
        case("a driver on the move", _ten_from(0), _ten_from(1), _ten_from(2)),
        case(
            "one call in nineteen comes in",
            calls(9, "2021-05-17 09:00", every=100, peers=9, imei=_BOX, cell="c1"),
            _from("c1"),
            _ONE_IN,
            _others_in_the_box(3),
        ),
        case(
            "a hotline that is called back",
            calls(20, "2021-05-17 09:00", every=60, peers=20, cell="c1"),
            calls(2, "2021-05-17 13:00", direction="in", cell="c1"),
        ),
    ),
)
