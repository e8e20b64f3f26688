"""A card that was opened and never used."""

from datetime import timedelta

from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource
from duanka.domain.rule_examples import at, calls, case, data, opened
from duanka.domain.text import BilingualText

_OTHER = "8613800000099"
_BEGIN = calls(1, "2021-04-01 08:00", card=_OTHER) + calls(1, "2021-05-17 08:00", card=_OTHER)

RULE = Rule(
    id="silent_card",
    title=BilingualText("静默卡", "Silent card"),
    source=RuleSource(
        "the news page on 断卡行动 names silent cards; the limit of 30 days is ours",
        Grade.K,
        zh="断卡行动报道列明静默卡；30天的限值由本系统拟定",
    ),
    asks_for=Action.VERIFY,
    why=BilingualText(
        "批量开出的卡在出手前一直静默。", "Cards opened in bulk stay silent until they are sold on."
    ),
    look_alikes=BilingualText("备用卡、套餐赠送的副卡。", "Spares, and second cards that come with a plan."),
    limits={"days": Limit(30, "days", "开卡后从未使用的天数", "days since opening without any use")},
    reads=("cards", "card_life"),
    needs=("cards.opened_at", "calls"),
    wants=("messages", "data_days"),
    look_back=timedelta(days=30),
    monotone=False,  # absence of use: the rule is judged when the days are over
    restates=("new_card_unused",),  # who never used a card did not use it on its first day either
    due="""
        SELECT card, opened_at + $days * INTERVAL '1' DAY AS due_at FROM cards
        WHERE opened_at >= $records_from OR last_used_at <= opened_at
    """,
    sql="""
        WITH first_uses AS (
            SELECT card, least(first_call, first_message, first_data) AS first_used_at FROM card_life
        )
        SELECT c.card, c.opened_at + $days * INTERVAL '1' DAY AS seen_at, c.opened_at, u.first_used_at
        FROM cards c LEFT JOIN first_uses u ON u.card = c.card
        WHERE coalesce(c.kind, 'voice') = 'voice'
          AND (c.opened_at >= $records_from OR c.last_used_at <= c.opened_at)
          AND c.opened_at + $days * INTERVAL '1' DAY <= $records_until
          AND (u.first_used_at IS NULL OR u.first_used_at >= c.opened_at + $days * INTERVAL '1' DAY)
    """,
    unsure="""
        SELECT count(*) FROM cards c LEFT JOIN card_life l ON l.card = c.card
        WHERE coalesce(c.kind, 'voice') = 'voice' AND c.last_used_at IS NULL
          AND c.opened_at < $records_from AND c.opened_at + $days * INTERVAL '1' DAY <= $records_until
          AND coalesce(l.first_call, l.first_message, l.first_data) IS NULL
    """,
    evidence=(
        EvidenceColumn("opened_at", "开卡时间", "Opened", "local time"),
        EvidenceColumn("first_used_at", "首次使用", "First used", "local time"),
    ),
    reason=BilingualText("开卡 {days} 天从未使用", "never used in {days} days since opening"),
    further={"first_used_at": BilingualText("，{first_used_at} 首次使用", "; first used on {first_used_at}")},
    rebuttal=BilingualText(
        "说明这张卡的用途（如备用、门禁、给老人孩子），本人到场或完成核验即可。",
        "say what the card is for (a spare, a door, an old or young relative); coming in person or proving who you"
        " are is enough.",
    ),
    flags=(
        case("never used for just 30 days", _BEGIN, opened("2021-04-18 00:00")),
        case(
            "first used on the thirtieth day",
            _BEGIN,
            opened("2021-04-10 09:00"),
            calls(1, "2021-05-10 09:00"),
        ),
        case(
            "known never used before the records",
            _BEGIN,
            opened("2020-06-01 09:00", last_used_at=at("2020-06-01 09:00")),
        ),
    ),
    spares=(
        case("29 days and 23 hours", _BEGIN, opened("2021-04-18 01:00")),
        case("used in time", _BEGIN, opened("2021-04-10 09:00"), calls(1, "2021-05-10 08:59")),
        case("data only", _BEGIN, opened("2021-04-10 09:00"), data("2021-04-11", 1)),
        case("opened before the records begin: nobody knows", _BEGIN, opened("2020-06-01 09:00")),
        case(
            "used before, then asleep",
            _BEGIN,
            opened("2020-06-01 09:00", last_used_at=at("2020-09-01 09:00")),
        ),
    ),
)
