"""Many cards in one device."""

from datetime import timedelta

from duanka.domain.preconditions import Linked
from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource
from duanka.domain.rule_examples import Row, calls, case
from duanka.domain.text import BilingualText

_BOX = "356938035643809"
_NUMBERS = tuple(f"86138000001{i:02}" for i in range(6))


def _in_the_box(cards: int, events: int) -> list[Row]:
    return [c for n in _NUMBERS[:cards] for c in calls(events, "2021-05-16 09:00", card=n, imei=_BOX)]


RULE = Rule(
    id="shared_device",
    title=BilingualText("一机多卡", "Many cards in one device"),
    source=RuleSource(
        "press reports on number farming (养机): four or more numbers in one IMEI",
        Grade.S3,
        zh="关于养机的新闻报道：同一IMEI使用四张及以上的卡",
    ),
    asks_for=Action.VERIFY,
    why=BilingualText(
        "猫池和养卡设备让许多卡轮流使用同一终端。",
        "SIM boxes and card farms take many cards in turns through the same device.",
    ),
    look_alikes=BilingualText(
        "维修店试卡、二手手机、家人共用；仿制手机会重复同一 IMEI。",
        "Repair shops trying cards, second-hand phones, families; counterfeit phones repeat one IMEI.",
    ),
    limits={
        "min_cards": Limit(4, "cards", "同一终端的卡数达到", "cards in one device from"),
        "min_events": Limit(
            3,
            "events",
            "每张卡在该终端上的活动数达到",
            "events in the device for a card to count, from",
        ),
    },
    reads=("card_devices",),
    look_back=timedelta(days=30),
    monotone=True,
    together="imei",
    stirs=Linked("card_devices", "imei", "min_cards"),
    sql="""
        WITH users AS (SELECT card, imei, first_seen, events FROM card_devices WHERE events >= $min_events),
        shared AS (SELECT imei FROM users GROUP BY imei HAVING count(*) >= $min_cards),
        numbered AS (
            SELECT u.*, count(*) OVER (PARTITION BY u.imei) AS cards_in_device,
                   row_number() OVER (PARTITION BY u.imei ORDER BY u.first_seen, u.card) AS place
            FROM users u JOIN shared s ON s.imei = u.imei
        ),
        reached AS (
            SELECT *, min(CASE WHEN place = $min_cards THEN first_seen END) OVER (PARTITION BY imei) AS reached_at,
                   row_number() OVER (PARTITION BY card ORDER BY cards_in_device DESC, imei) AS size_place
            FROM numbered
        )
        SELECT card, min(greatest(reached_at, first_seen)) AS seen_at,
               max(cards_in_device) AS cards_in_device, count(*) AS shared_devices,
               min(CASE WHEN size_place = 1 THEN imei END) AS imei
        FROM reached GROUP BY card
    """,
    evidence=(
        EvidenceColumn("cards_in_device", "同机卡数", "Cards in the device", "cards"),
        EvidenceColumn("shared_devices", "共用终端数", "Shared devices the card sat in", "devices"),
        EvidenceColumn("imei", "终端", "Device", "IMEI"),
    ),
    reason=BilingualText(
        "与另外的卡共用终端，同机共 {cards_in_device} 张卡",
        "shares a device that took {cards_in_device} cards",
    ),
    rebuttal=BilingualText(
        "说明同一终端为何用过多张卡：如家人合用、多卡槽或测试设备、二手手机，带购机凭证或家人证件。",
        "say why one device took several cards: family, a device with several slots, tests, second hand; with the"
        " receipt of the phone or your relatives' documents.",
    ),
    flags=(case("four cards in one device", _in_the_box(4, 3), cards=_NUMBERS[:4]),),
    spares=(
        case("three cards in one device", _in_the_box(3, 9), cards=_NUMBERS[:3]),
        case("four cards tried twice at a repair shop", _in_the_box(4, 2), cards=_NUMBERS[:4]),
        case(
            "four cards, each in a device of its own",
            [
                c
                for i, n in enumerate(_NUMBERS[:4])
                for c in calls(9, "2021-05-16 09:00", card=n, imei=f"35693803564380{i}")
            ],
            cards=_NUMBERS[:4],
        ),
        case(
            "devices unknown",
            [c for n in _NUMBERS for c in calls(9, "2021-05-16 09:00", card=n)],
            cards=_NUMBERS,
        ),
    ),
)
