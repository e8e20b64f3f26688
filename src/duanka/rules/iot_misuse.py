"""An IoT card used like a personal one: voice, another device, much data."""

from datetime import timedelta

from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource
from duanka.domain.rule_examples import calls, case, data, messages, opened, sighting
from duanka.domain.text import BilingualText

_METER, _PHONE = "356938035643809", "490154203237518"
_IOT = opened("2020-01-01 09:00", kind="iot", bound_imei=_METER)

RULE = Rule(
    id="iot_misuse",
    title=BilingualText("物联网卡异常使用", "IoT card misused"),
    source=RuleSource(
        "Anti-fraud law, article 12; MIIT notices of 2020 on IoT cards",
        Grade.S1,
        zh="《反电信网络诈骗法》第十二条；工信部2020年关于物联网卡的通知",
    ),
    asks_for=Action.VERIFY_AT_COUNTER,
    why=BilingualText(
        "物联网卡须限定功能、设备和场景；脱离设备使用即违规。",
        "An IoT card is bound to a function, a device and a place; apart from its device it is out of bounds.",
    ),
    look_alikes=BilingualText(
        "更换模组的维修、带呼叫按钮的电梯和手表（应登记为语音业务）。",
        "A repair that swaps the module; lifts and watches with a call button (to be registered for voice).",
    ),
    limits={
        "max_voice": Limit(0, "events", "允许的通话和发出短信数", "calls and sent messages allowed"),
        "max_mb": Limit(100, "MB/month", "每月流量上限", "data allowed in a calendar month"),
        "max_other_device": Limit(
            0, "events", "非绑定终端上的活动上限", "events allowed in another than the bound device"
        ),
    },
    reads=("card_days", "card_devices", "cards"),
    needs=("cards.kind",),
    wants=("calls", "messages", "data_days"),
    look_back=timedelta(days=31),
    monotone=True,
    narrow=dict.fromkeys(
        ("card_days", "card_devices"), "card IN (SELECT card FROM cards WHERE kind = 'iot')"
    ),
    sql="""
        WITH machines AS (SELECT card, bound_imei FROM cards WHERE kind = 'iot'),
        days AS (
            SELECT d.card, d.day, d.calls_out + d.calls_in + d.messages_out AS voice, d.bytes,
                   sum(d.calls_out + d.calls_in + d.messages_out) OVER w AS voice_so_far,
                   sum(d.bytes) OVER (PARTITION BY d.card, date_trunc('month', d.day) ORDER BY d.day)
                       AS bytes_of_month
            FROM card_days d JOIN machines m ON m.card = d.card
            WINDOW w AS (PARTITION BY d.card ORDER BY d.day)
        ),
        elsewhere AS (
            SELECT d.card, min(d.first_seen) AS first_seen, sum(d.events) AS events
            FROM card_devices d JOIN machines m ON m.card = d.card
            WHERE m.bound_imei IS NOT NULL AND d.imei <> m.bound_imei
            GROUP BY d.card
        ),
        signs AS (
            SELECT card, min(CASE WHEN voice_so_far > $max_voice THEN CAST(day AS TIMESTAMP) END) AS voice_at,
                   min(CASE WHEN bytes_of_month / 1000000 > $max_mb THEN CAST(day AS TIMESTAMP) END) AS data_at,
                   sum(voice) AS voice, max(bytes_of_month) / 1000000 AS mb
            FROM days GROUP BY card
        )
        SELECT m.card,
               least(s.voice_at, s.data_at, CASE WHEN e.events > $max_other_device THEN e.first_seen END) AS seen_at,
               coalesce(s.voice, 0) AS voice, CAST(round(coalesce(s.mb, 0)) AS BIGINT) AS mb,
               coalesce(e.events, 0) AS other_device
        FROM machines m LEFT JOIN signs s ON s.card = m.card LEFT JOIN elsewhere e ON e.card = m.card
        WHERE s.voice_at IS NOT NULL OR s.data_at IS NOT NULL OR coalesce(e.events, 0) > $max_other_device
    """,
    evidence=(
        EvidenceColumn("voice", "通话和发出短信", "Calls and sent messages", "events"),
        EvidenceColumn("mb", "单月最大流量", "Largest month of data", "MB"),
        EvidenceColumn("other_device", "非绑定终端上的活动", "Events in another device", "events"),
    ),
    reason=BilingualText(
        "物联网卡：通话和短信 {voice} 次，单月流量 {mb} MB，非绑定终端活动 {other_device} 次",
        "IoT card: {voice} calls and messages, {mb} MB in a month, {other_device} events in another device",
    ),
    rebuttal=BilingualText(
        "带设备清单、换模组或维修的单据，说明卡在哪台设备、用于什么场景；需要通话的，改登记为语音业务。",
        "bring the list of devices and the papers of a repair or changed module: in which device the card is and for"
        " what; if it has to make calls, have it registered for voice.",
    ),
    flags=(
        case("one call", _IOT, calls(1, "2021-05-16 09:00")),
        case("one message sent", _IOT, messages(1, "2021-05-16 09:00", direction="out")),
        case("101 MB in a month", _IOT, data("2021-05-02", 60), data("2021-05-09", 41)),
        case("sits in a phone", _IOT, sighting("2021-05-16 09:00", imei=_PHONE)),
    ),
    spares=(
        case("a meter that reports", _IOT, data("2021-05-02", 1), sighting("2021-05-16 09:00", imei=_METER)),
        case("100 MB in a month", _IOT, data("2021-05-02", 60), data("2021-05-09", 40)),
        case(
            "60 MB at the end of one month and of the next",
            _IOT,
            data("2021-04-30", 60),
            data("2021-05-01", 60),
        ),
        case("settings sent by the platform", _IOT, messages(3, "2021-05-16 09:00", peers=["10648001"])),
        case(
            "a person's card",
            opened("2020-01-01 09:00"),
            opened("2020-01-01 09:00", card="8614800000001", kind="iot"),
            calls(9, "2021-05-16 09:00", imei=_PHONE),
            data("2021-05-10", 5000),
        ),
    ),
)
