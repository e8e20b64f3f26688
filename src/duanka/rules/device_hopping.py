"""A card that moves through many devices."""

from datetime import timedelta

from duanka.domain.preconditions import Linked
from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource
from duanka.domain.rule_examples import Row, calls, case, opened
from duanka.domain.text import BilingualText

_DEVICES = ("356938035643809", "490154203237518", "352099001761481", "358240051111110")
_PUT_AWAY = ("861234567890124", "861234567890132")


def _in(device: str, day: str) -> list[Row]:
    return calls(1, f"{day} 09:00", imei=device)


def _in_turn(devices: int, first: str, last: str) -> list[Row]:
    """Return three calls per device: the last device at `last`, others on day `first`."""
    early = [c for i in range(devices - 1) for c in calls(3, f"{first} 0{8 + i}:00", imei=_DEVICES[i])]
    return early + calls(3, last, imei=_DEVICES[devices - 1])


_THREE_IN_A_DAY = _in_turn(3, "2021-05-16", "2021-05-16 15:00")

RULE = Rule(
    id="device_hopping",
    title=BilingualText("频繁换机", "Hopping through devices"),
    source=RuleSource(
        "practice against number farming (养卡): frequent swaps; the limits are ours",
        Grade.K,
        zh="治理养卡的通行做法：频繁换机；限值由本系统拟定",
    ),
    asks_for=Action.VERIFY,
    why=BilingualText(
        "团伙让卡在多台设备间轮换，以躲避“一机一卡多呼”的识别。",
        "Gangs rotate cards through devices, so that no single device stands out.",
    ),
    look_alikes=BilingualText(
        "卖二手机和修手机的人；普通人一个月很少用到三部终端。",
        "People who trade or repair phones; hardly anybody else uses three devices in a month.",
    ),
    limits={
        "min_devices": Limit(3, "devices", "期间用过的终端数达到", "distinct devices within the time, from"),
        "days": Limit(30, "days", "期间", "within"),
    },
    reads=("card_devices", "cards"),
    look_back=timedelta(days=30),
    monotone=True,
    stirs=Linked("card_devices", "imei", "min_devices"),
    sql="""
        WITH hoppers AS (SELECT card FROM card_devices GROUP BY card HAVING count(*) >= $min_devices),
        used AS (
            SELECT d.card, d.imei, d.first_seen, d.last_seen, count(*) OVER (PARTITION BY d.card) AS devices
            FROM card_devices d JOIN hoppers h ON h.card = d.card
            LEFT JOIN cards c ON c.card = d.card
            WHERE coalesce(c.kind, 'voice') = 'voice'
        ),
        arrivals AS (
            SELECT a.card, a.imei, a.first_seen, a.devices
            FROM used a
            -- a device counts to its last use, so an old phone put away long ago does not
            JOIN used b ON b.card = a.card AND b.first_seen <= a.first_seen
                       AND a.first_seen <= b.last_seen + $days * INTERVAL '1' DAY
            GROUP BY a.card, a.imei, a.first_seen, a.devices HAVING count(*) >= $min_devices
        )
        SELECT card, min(first_seen) AS seen_at, max(devices) AS devices FROM arrivals GROUP BY card
    """,
    evidence=(EvidenceColumn("devices", "用过的终端数", "Devices used", "devices"),),
    reason=BilingualText(
        "{days} 天内在 {min_devices} 部以上终端间换用，共 {devices} 部",
        "{min_devices} or more devices within {days} days, {devices} in all",
    ),
    rebuttal=BilingualText(
        "带手机买卖、维修的凭证或营业执照，说明为何换用多部终端。",
        "bring proof of your trade in or repair of phones, or say why several devices were used.",
    ),
    flags=(
        case("three devices in a day", _THREE_IN_A_DAY),
        case(
            "the third thirty days after the first was put away",
            _in_turn(3, "2021-04-16", "2021-05-16 08:01"),
        ),
        case(
            "two new ones beside the old, however many were put away before",
            _in(_DEVICES[0], "2021-01-01"),
            _in(_PUT_AWAY[0], "2021-01-02"),
            _in(_PUT_AWAY[1], "2021-01-03"),
            _in(_DEVICES[0], "2021-05-14"),
            _in(_DEVICES[1], "2021-05-15"),
            _in(_DEVICES[2], "2021-05-16"),
        ),
    ),
    spares=(
        case("two devices", _in_turn(2, "2021-05-16", "2021-05-16 15:00")),
        case(
            "the third thirty-one days after the first was put away",
            _in_turn(3, "2021-04-16", "2021-05-17 08:00"),
        ),
        case(
            "one of the three was put away long ago, the first stays in use",
            _in(_DEVICES[0], "2021-01-01"),
            _in(_PUT_AWAY[0], "2021-01-02"),
            _in(_DEVICES[0], "2021-05-14"),
            _in(_DEVICES[1], "2021-05-15"),
        ),
        case(
            "a tracker that is repaired has its own rule",
            opened("2020-01-01 09:00", kind="iot"),
            _THREE_IN_A_DAY,
        ),
    ),
)
