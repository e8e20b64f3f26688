"""A card that moved to another device within a year of opening."""

from datetime import timedelta

from duanka.domain.preconditions import Linked
from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource
from duanka.domain.rule_examples import calls, case, opened, sighting
from duanka.domain.text import BilingualText

_A, _B, _C = "356938035643809", "490154203237518", "352099001761481"

_OPENED = opened("2021-01-01 12:00")
_FIRST = calls(1, "2021-05-01 09:00", imei=_A)
_SECOND = calls(1, "2021-05-17 12:00", imei=_B)

RULE = Rule(
    id="device_changed",
    title=BilingualText("一年内更换终端", "Device changed within a year"),
    source=RuleSource(
        "Hebei notice in force 2020-12-01, trigger 2: a change of device within a year",
        Grade.S1,
        zh="河北2020年12月1日起施行的通告，触发条件二：一年内更换终端",
    ),
    asks_for=Action.VERIFY,
    why=BilingualText(
        "收来的卡会从开卡人的手机换到诈骗设备。",
        "A bought card moves from the phone of the person who opened it to the fraudsters' device.",
    ),
    look_alikes=BilingualText(
        "换新手机、双卡手机、维修：一年中很常见，单凭此项不足以定性。",
        "New phones, dual-SIM phones, repairs: common within a year, so it says little by itself.",
    ),
    limits={
        "days": Limit(365, "days", "开卡后的天数", "days after opening"),
        "devices": Limit(2, "devices", "终端数达到", "distinct devices from"),
    },
    reads=("card_devices", "cards"),
    needs=("cards.opened_at",),
    look_back=timedelta(days=365),
    monotone=True,
    stirs=Linked("card_devices", "imei", "devices"),
    sql="""
        WITH movers AS (SELECT card FROM card_devices GROUP BY card HAVING count(*) >= $devices),
        in_order AS (
            SELECT d.card, d.imei, d.first_seen, c.opened_at,
                   lag(d.imei) OVER (PARTITION BY d.card ORDER BY d.first_seen, d.imei) AS imei_before,
                   row_number() OVER (PARTITION BY d.card ORDER BY d.first_seen, d.imei) AS place,
                   count(*) OVER (PARTITION BY d.card) AS devices
            FROM card_devices d
            JOIN movers m ON m.card = d.card
            JOIN cards c ON c.card = d.card
            WHERE coalesce(c.kind, 'voice') = 'voice'
        )
        SELECT card, first_seen AS seen_at, devices, imei_before, imei
        FROM in_order
        WHERE place = $devices AND first_seen <= opened_at + $days * INTERVAL '1' DAY
    """,
    evidence=(
        EvidenceColumn("devices", "用过的终端数", "Devices used", "devices"),
        EvidenceColumn("imei_before", "原终端", "Device before", "IMEI"),
        EvidenceColumn("imei", "新终端", "New device", "IMEI"),
    ),
    reason=BilingualText(
        "开卡 {days} 天内更换终端，共用过 {devices} 部",
        "moved to another device within {days} days; {devices} used",
    ),
    rebuttal=BilingualText(
        "带新购或维修手机的发票、保修单，或说明双卡手机的两个串号：换手机本身不违规。",
        "bring the receipt of the new phone or its repair, or show the two IMEIs of a dual-SIM phone: changing phones"
        " is no offence.",
    ),
    flags=(
        case("second device at the end of the year", opened("2020-05-17 12:00"), _FIRST, _SECOND),
        case("seen in another device without a call", _OPENED, _FIRST, sighting("2021-05-03 09:00", imei=_B)),
        case(
            "three devices",
            _OPENED,
            [
                c
                for i, imei in enumerate((_A, _B, _C))
                for c in calls(2, f"2021-05-0{i + 1} 09:00", imei=imei)
            ],
        ),
    ),
    spares=(
        case("always the same device", _OPENED, calls(9, "2021-05-17 09:00", imei=_A)),
        case("second device a minute after the year", opened("2020-05-17 11:59"), _FIRST, _SECOND),
        case("the device is not known", _OPENED, _FIRST, calls(1, "2021-05-03 09:00")),
        case(
            "an IoT card has its own rule",
            opened("2021-01-01 12:00", kind="iot"),
            _FIRST,
            calls(1, "2021-05-03 09:00", imei=_B),
        ),
    ),
)
