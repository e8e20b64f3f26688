"""A card that repeatedly triggers other rules."""

from datetime import timedelta

from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource
from duanka.domain.rule_examples import alert, calls, case
from duanka.domain.text import BilingualText

_USED = calls(1, "2021-04-01 08:00") + calls(1, "2021-05-17 08:00")

RULE = Rule(
    id="repeat_alerts",
    title=BilingualText("多次预警", "Repeated alerts"),
    source=RuleSource(
        "MIIT notice 133 of 2021, article 4 names it; three days in thirty are ours",
        Grade.K,
        zh="工信部2021年第133号通告第四条列明；三十天内三天由本系统拟定",
    ),
    asks_for=Action.VERIFY,
    why=BilingualText(
        "偶然触发一次很常见，反复触发则少见。",
        "To trip a rule once is common; to trip rules again and again is not.",
    ),
    look_alikes=BilingualText(
        "每天忙碌的快递员、客服；按天计数。",
        "Couriers and service desks, busy every day; days with alerts are counted, not alerts.",
    ),
    limits={
        "min_alerts": Limit(3, "days", "有预警的天数达到", "days with an alert, from"),
        "days": Limit(30, "days", "期间", "within"),
    },
    reads=("hits",),
    look_back=timedelta(days=30),
    monotone=False,  # a hit can be revoked
    sql="""
        WITH alert_days AS (
            SELECT card, CAST(seen_at AS DATE) AS day, count(DISTINCT rule) AS rules FROM hits
            WHERE rule <> 'repeat_alerts' GROUP BY card, CAST(seen_at AS DATE)
        ),
        in_order AS (
            SELECT card, day, lag(day, $min_alerts - 1) OVER (PARTITION BY card ORDER BY day) AS start_day,
                   count(*) OVER (PARTITION BY card) AS alert_days
            FROM alert_days
        )
        SELECT card, CAST(min(day) AS TIMESTAMP) AS seen_at, max(alert_days) AS alert_days
        FROM in_order WHERE start_day >= day - $days * INTERVAL '1' DAY
        GROUP BY card
    """,
    evidence=(EvidenceColumn("alert_days", "有预警的天数", "Days with an alert", "days"),),
    reason=BilingualText(
        "{days} 天内有 {min_alerts} 天以上触发预警，共 {alert_days} 天",
        "alerts on {min_alerts} or more days within {days}, {alert_days} days in all",
    ),
    rebuttal=BilingualText(
        "逐项反驳上列各规则：其中任一项被推翻，这一项也随之不成立。",
        "rebut the other rules above one by one: if one of them falls, this one falls with it.",
    ),
    flags=(
        case(
            "three days, the third one thirty days after the first",
            _USED,
            alert("fan_out", "2021-04-17 00:00"),
            alert("over_frequency", "2021-05-02 10:00"),
            alert("fan_out", "2021-05-17 00:00"),
        ),
        case("three days in a row", _USED, [alert("fan_out", f"2021-05-1{d} 00:00") for d in (4, 5, 6)]),
    ),
    spares=(
        case("two days", _USED, [alert("fan_out", f"2021-05-1{d} 00:00") for d in (4, 5)]),
        case(
            "three days, the third one thirty-one days after the first",
            _USED,
            alert("fan_out", "2021-04-16 00:00"),
            alert("over_frequency", "2021-05-02 10:00"),
            alert("fan_out", "2021-05-17 00:00"),
        ),
        case(
            "three rules on one day",
            _USED,
            [alert(rule, "2021-05-16 09:00") for rule in ("fan_out", "over_frequency", "sim_box")],
        ),
    ),
)
