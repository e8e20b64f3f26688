"""A card that was used once and then not for months."""

from datetime import timedelta

from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource
from duanka.domain.rule_examples import Row, at, calls, case, data, messages, opened
from duanka.domain.text import BilingualText

_OTHER = calls(1, "2021-05-17 08:00", card="8613800000099")

_OPENED = opened("2020-01-01 09:00")
_WOKEN = calls(1, "2021-05-16 10:00")


def _last_used(when: str) -> Row:
    return {**_OPENED, "last_used_at": at(when)}


RULE = Rule(
    id="sleeping_card",
    title=BilingualText("睡眠卡", "Sleeping card"),
    source=RuleSource(
        "MIIT notice 133 of 2021, article 4 names it; 90 days: Henan fraud centre (S2-S3)",
        Grade.S2,
        zh="工信部2021年第133号通告第四条列明；90天见河南反诈中心的做法",
    ),
    asks_for=Action.VERIFY,
    why=BilingualText(
        "睡眠卡被收购后突然启用，是诈骗用卡的重要来源。",
        "Sleeping cards are bought up and woken all at once: a main source of fraudsters' cards.",
    ),
    look_alikes=BilingualText(
        "老人的备用卡、出国的人、留作收验证码的旧号。",
        "An elderly person's spare, somebody abroad, an old number kept for codes.",
    ),
    limits={"days": Limit(90, "days", "无语音、短信、流量的天数", "days without voice, message or data")},
    reads=("card_life", "card_days", "cards"),
    needs=("cards", "calls"),
    wants=("messages", "data_days"),
    look_back=timedelta(days=90),
    monotone=False,  # absence of use: the rule is judged when the days are over
    # due after the last recorded use and, as a register may be newer than the records, after its last use
    due="""
        SELECT c.card, coalesce(
                   greatest(l.last_call, l.last_message, l.last_data),
                   CASE WHEN c.last_used_at > c.opened_at THEN c.last_used_at END,
                   $records_until
               ) + $days * INTERVAL '1' DAY AS due_at
        FROM cards c LEFT JOIN card_life l ON l.card = c.card
        UNION ALL
        SELECT card, last_used_at + $days * INTERVAL '1' DAY FROM cards WHERE last_used_at > opened_at
    """,
    sql="""
        WITH lives AS (
            SELECT c.card, CASE WHEN c.last_used_at > c.opened_at THEN c.last_used_at END AS used_before,
                   least(l.first_call, l.first_message, l.first_data) AS first_use,
                   greatest(l.last_call, l.last_message, l.last_data) AS last_use
            FROM cards c LEFT JOIN card_life l ON l.card = c.card
            WHERE coalesce(c.kind, 'voice') = 'voice'
        ),
        suspects AS (
            SELECT * FROM lives
            WHERE coalesce(first_use, $records_until) >= used_before + $days * INTERVAL '1' DAY
               OR $records_until >= last_use + $days * INTERVAL '1' DAY
               OR last_use >= first_use + $days * INTERVAL '1' DAY
        ),
        begins AS (  -- where days are kept for a while only, what lies between a first use long ago and them is unknown
            SELECT d.card, min(d.day) AS first_day FROM card_days d JOIN suspects s ON s.card = d.card GROUP BY d.card
        ),
        uses AS (
            SELECT s.card, s.used_before AS used_at FROM suspects s LEFT JOIN begins b ON b.card = s.card
            WHERE s.used_before IS NOT NULL AND (s.first_use IS NULL OR CAST(s.first_use AS DATE) >= b.first_day)
            UNION ALL
            SELECT s.card, s.first_use FROM suspects s JOIN begins b ON b.card = s.card
            WHERE CAST(s.first_use AS DATE) >= b.first_day
            UNION ALL
            SELECT d.card, greatest(d.last_call, d.last_message, d.last_data) FROM card_days d
            JOIN suspects s ON s.card = d.card
            WHERE greatest(d.last_call, d.last_message, d.last_data) IS NOT NULL
        ),
        gaps AS (
            SELECT card, used_at, lead(used_at) OVER (PARTITION BY card ORDER BY used_at) AS next_use FROM uses
        )
        SELECT card, used_at + $days * INTERVAL '1' DAY AS seen_at, used_at AS last_used_at, next_use AS woken_at
        FROM gaps
        WHERE coalesce(next_use, $records_until) >= used_at + $days * INTERVAL '1' DAY
    """,
    unsure="""
        SELECT count(*) FROM cards c LEFT JOIN card_life l ON l.card = c.card
        WHERE coalesce(c.kind, 'voice') = 'voice' AND c.last_used_at IS NULL
          AND coalesce(c.opened_at, $records_from) < $records_from
          AND coalesce(l.first_call, l.first_message, l.first_data) IS NULL
          AND $records_until < $records_from + $days * INTERVAL '1' DAY
    """,
    evidence=(
        EvidenceColumn("last_used_at", "休眠前最后使用", "Last used before", "local time"),
        EvidenceColumn("woken_at", "再次启用", "Woken", "local time"),
    ),
    reason=BilingualText(
        "{days} 天以上未通话、未发短信、无流量，自 {last_used_at} 起",  # what comes first stands in a short message
        "no call, no message sent and no data for {days} days or more after {last_used_at}",
    ),
    further={"woken_at": BilingualText("，{woken_at} 再次启用", ", used again on {woken_at}")},
    rebuttal=BilingualText(
        "说明久未使用又启用的原因（如备用、出国、住院），带出入境、住院等证明；完成核验即可。",
        "say why it was unused and is used again (a spare, abroad, in hospital), with such papers; proving who you"
        " are is enough.",
    ),
    flags=(
        case("asleep for just 90 days", _last_used("2021-02-17 00:00"), _OTHER),
        case("woken after 91 days", _last_used("2021-02-14 09:00"), _WOKEN),
        case("slept inside the records", _OPENED, calls(1, "2021-01-02 09:00"), _WOKEN),
    ),
    spares=(
        case("asleep a minute short", _last_used("2021-02-17 00:01"), _OTHER),
        case(
            "data every month",
            _last_used("2021-01-01 09:00"),
            [data(f"2021-{month:02}-15", 1) for month in range(1, 6)],
        ),
        case(
            "a message sent on the way",
            _OPENED,
            calls(1, "2021-01-02 09:00"),
            messages(1, "2021-03-20 09:00", direction="out"),
            _WOKEN,
        ),
        case("last use unknown: nobody knows", _OPENED, _OTHER),
        case("never used is silent, not asleep", _last_used("2020-01-01 09:00"), _OTHER),
    ),
)
