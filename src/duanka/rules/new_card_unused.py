"""A new card with no normal use in the hours after it was opened."""

from datetime import timedelta

from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource
from duanka.domain.rule_examples import AS_OF, at, calls, case, data, messages, opened
from duanka.domain.text import BilingualText

_OTHER = "8613800000099"  # its calls make the records begin before the example's card was opened
_BEGIN = calls(1, "2021-05-10 08:00", card=_OTHER)
_OPENED = opened("2021-05-16 10:00")

RULE = Rule(
    id="new_card_unused",
    title=BilingualText("新开卡未正常使用", "New card not in normal use"),
    source=RuleSource(
        "Hebei notice in force 2020-12-01, trigger 1: not in normal use within 12 hours",
        Grade.S1,
        zh="河北2020年12月1日起施行的通告，触发条件一：开卡后12小时内未正常使用",
    ),
    asks_for=Action.VERIFY,
    why=BilingualText(
        "为自己办卡的人当天就会用；收卡团伙批量开卡后先存放。",
        "People who buy a card for themselves use it the same day; collectors open cards in bulk and store them.",
    ),
    look_alikes=BilingualText(
        "赠送家人的卡、备用卡、次日才换机的人。",
        "A card bought for a relative, a spare, somebody who changes phones tomorrow.",
    ),
    limits={"hours": Limit(12, "h", "开卡后允许未使用的时长", "hours a new card may stay unused")},
    reads=("cards", "card_life"),
    needs=("cards.opened_at", "calls"),
    wants=("messages", "data_days"),
    look_back=timedelta(hours=12),
    monotone=False,  # absence of use: the rule is judged when the hours are over
    due="SELECT card, opened_at + $hours * INTERVAL '1' HOUR AS due_at FROM cards WHERE opened_at >= $records_from",
    sql="""
        WITH first_uses AS (
            SELECT card, least(first_call, first_message, first_data) AS first_used_at FROM card_life
        )
        SELECT c.card, c.opened_at + $hours * INTERVAL '1' HOUR AS seen_at, c.opened_at, u.first_used_at
        FROM cards c LEFT JOIN first_uses u ON u.card = c.card
        WHERE coalesce(c.kind, 'voice') = 'voice'
          AND c.opened_at >= $records_from
          AND c.opened_at + $hours * INTERVAL '1' HOUR <= $records_until
          AND (u.first_used_at IS NULL OR u.first_used_at > c.opened_at + $hours * INTERVAL '1' HOUR)
    """,
    evidence=(
        EvidenceColumn("opened_at", "开卡时间", "Opened", "local time"),
        EvidenceColumn("first_used_at", "首次使用", "First used", "local time"),
    ),
    reason=BilingualText(
        "开卡后 {hours} 小时内未正常使用", "not in normal use within {hours} hours of opening"
    ),
    further={"first_used_at": BilingualText("，{first_used_at} 首次使用", "; first used on {first_used_at}")},
    rebuttal=BilingualText(
        "说明这张卡为谁、为何备用（如送家人、尚未换机），本人到场或完成核验即可。",
        "say for whom and why it was kept (for a relative, before changing phones); coming in person or proving who"
        " you are is enough.",
    ),
    flags=(
        case("never used", _BEGIN, _OPENED),
        case("first call a minute late", _BEGIN, _OPENED, calls(1, "2021-05-16 22:01")),
        case("opened just long enough ago", _BEGIN, _OPENED, as_of=at("2021-05-16 22:00")),
        case(
            "a welcome message does not count as use",
            _BEGIN,
            _OPENED,
            messages(1, "2021-05-16 10:01", peers=["10086"]),
        ),
        case("rung in vain", _BEGIN, _OPENED, calls(3, "2021-05-16 11:00", direction="in", answered=0)),
    ),
    spares=(
        case("first call in time", _BEGIN, _OPENED, calls(1, "2021-05-16 22:00")),
        case("the hours are not over", _BEGIN, _OPENED, as_of=at("2021-05-16 21:59")),
        case("data the same day", _BEGIN, _OPENED, data("2021-05-16", 3)),
        case("took a call", _BEGIN, _OPENED, calls(1, "2021-05-16 11:00", direction="in")),
        case("sent a message", _BEGIN, _OPENED, messages(1, "2021-05-16 12:00", direction="out")),
        case(
            "opened before the records begin: nobody knows",
            opened("2021-05-10 00:00"),
            calls(1, "2021-05-12 08:00", card=_OTHER),
        ),
        case("an IoT card waits in a warehouse", _BEGIN, opened("2021-05-16 10:00", kind="iot"), as_of=AS_OF),
    ),
)
