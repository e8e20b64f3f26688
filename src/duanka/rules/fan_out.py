"""A card that dials many different numbers, few of which answer."""

from datetime import timedelta

from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource, Window
from duanka.domain.rule_examples import calls, case
from duanka.domain.text import BilingualText

RULE = Rule(
    id="fan_out",
    title=BilingualText("广撒网外呼", "Fan-out of calls"),
    source=RuleSource(
        "operators' practice against harassment calls; the limits are ours",
        Grade.K,
        zh="运营商治理骚扰电话的通行做法；限值由本系统拟定",
    ),
    asks_for=Action.VERIFY,
    why=BilingualText(
        "诈骗窝点照名单拨号，接听的少；普通人多打给会接的人。",
        "Scam rooms dial from lists and few answer; honest cards mostly call people who do.",
    ),
    look_alikes=BilingualText(
        "快递员、司机也打给许多生人，但对方多会接听。",
        "Couriers and drivers call many strangers too, but they are answered.",
    ),
    limits={
        "min_peers": Limit(50, "numbers", "一天主叫的不同号码达到", "distinct numbers called in a day, from"),
        "max_answer_rate": Limit(0.4, "share", "接通率不高于", "share answered, at most", step=0.02),
    },
    reads=("card_peers", "cards"),
    needs=("calls.answered", "calls.peer"),
    look_back=timedelta(days=1),
    monotone=False,  # the answer rate can still rise: the rule is judged when the day is over
    window=Window.DAY,
    narrow={"card_peers": "(card, day) IN (SELECT card, day FROM card_days WHERE calls_out >= $min_peers)"},
    sql="""
        WITH days AS (
            SELECT card, day, count(*) AS peers, CAST(sum(calls_out) AS BIGINT) AS calls,
                   sum(answered_out) / sum(answered_out + unanswered_out) AS answer_rate
            FROM card_peers WHERE calls_out > 0 AND day < CAST($as_of AS DATE)
            GROUP BY card, day HAVING count(*) >= $min_peers AND sum(answered_out + unanswered_out) > 0
        )
        SELECT d.card, CAST(d.day AS TIMESTAMP) AS seen_at, d.peers, d.calls, round(d.answer_rate, 3) AS answer_rate
        FROM days d LEFT JOIN cards c ON c.card = d.card
        WHERE d.answer_rate <= $max_answer_rate AND coalesce(c.kind, 'voice') = 'voice'
    """,
    evidence=(
        EvidenceColumn("peers", "当天主叫不同号码", "Numbers called that day", "numbers"),
        EvidenceColumn("calls", "当天主叫次数", "Calls that day", "calls"),
        EvidenceColumn("answer_rate", "接通率", "Share answered", "share"),
    ),
    reason=BilingualText(
        "一天主叫 {peers} 个不同号码，接通率 {answer_rate:.0%}",
        "called {peers} different numbers in a day, {answer_rate:.0%} of calls answered",
    ),
    rebuttal=BilingualText(
        "说明这些电话的用途并带证明：如送货单、班级或客户名单、订单、求职或回访任务；只要真实，不论接通与否。",
        "say what the calls were for and bring proof: delivery notes, a class or customer list, orders, a task of"
        " calling back. If it is true, it does not matter how many answered.",
    ),
    flags=(
        case("50 numbers, 20 answer", calls(50, "2021-05-17 09:00", every=300, peers=50, answered=20)),
        case(
            "200 numbers, hardly any answers",
            calls(200, "2021-05-17 09:00", every=120, peers=200, answered=9),
        ),
    ),
    spares=(
        case("49 numbers", calls(80, "2021-05-17 09:00", every=300, peers=49, answered=9)),
        case("50 numbers, 21 answer", calls(50, "2021-05-17 09:00", every=300, peers=50, answered=21)),
        case("a courier", calls(150, "2021-05-17 08:00", every=200, peers=120, answered=110)),
        case("50 numbers over two days", calls(50, "2021-05-16 09:00", every=1800, peers=50, answered=5)),
        case("the day is not over", calls(60, "2021-05-18 00:00", every=1, peers=60, answered=0)),
    ),
)
