"""A card that calls many numbers in a week, seldom answered and never called back."""

from datetime import timedelta

from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource, Window
from duanka.domain.rule_examples import Row, calls, case
from duanka.domain.text import BilingualText

_PEOPLE = [f"86135{i:08}" for i in range(40)]


def _weeks_of(cards: str) -> str:
    """SELECT of the traffic of `cards` (a SELECT) over the seven days that end with each of their days."""
    return f"""
    SELECT card, day, CAST(day - INTERVAL 6 DAYS AS DATE) AS first_day,
           sum(calls_out) OVER week AS calls_out,
           sum(answered_out) OVER week AS answered,
           sum(answered_out + unanswered_out) OVER week AS known
    FROM card_days WHERE card IN ({cards})
    WINDOW week AS (PARTITION BY card ORDER BY day RANGE BETWEEN INTERVAL 6 DAYS PRECEDING AND CURRENT ROW)
"""


_BUSY = """
    SELECT card FROM card_days GROUP BY card
    HAVING sum(calls_out) >= $min_calls
       -- what a week has of calls without an answer, all days have
       AND sum(calls_out - answered_out) >= (1 - $max_answer_rate) * $min_calls
"""
_WITH_PEERS = "SELECT card FROM card_peers WHERE calls_out > 0"  # few: card_peers is narrowed
_SELDOM_ANSWERED = "calls_out >= $min_calls AND known > 0 AND answered <= $max_answer_rate * known"


def _week(numbers: int, answered: int, *, out: int = 20) -> list[Row]:
    """Return `out` calls to `numbers` numbers on five days; the first `answered` are answered."""
    return calls(out, "2021-05-12 09:00", every=86400 / 4, peers=_PEOPLE[:numbers], answered=answered)


def _calls_back(people: int) -> list[Row]:
    return calls(people, "2021-05-16 20:00", every=600, peers=_PEOPLE[:people], direction="in")


RULE = Rule(
    id="one_way_calls",
    title=BilingualText("单向外呼", "One-way calls"),
    source=RuleSource(
        "contacts per call and outgoing share of 6,106 measured users; the limits are ours",
        Grade.K,
        zh="6,106名实测用户的联系人与通话次数之比、呼出占比；限值由本系统拟定",
    ),
    asks_for=Action.VERIFY,
    why=BilingualText(
        "低频轮换的诈骗卡每天打得不多，但一周内打给许多生人、少有人接、无人回拨。",
        "Cards of a careful gang call little each day; over a week they still call strangers who seldom answer and"
        " never call back.",
    ),
    look_alikes=BilingualText(
        "快递员和司机有人接、有人回拨；推销员可能触发，须人工看证据。",
        "Couriers and drivers are answered and called back. A salesman may trip it: read the evidence.",
    ),
    limits={
        "min_calls": Limit(20, "calls", "七天内主叫次数达到", "outgoing calls in seven days, from"),
        "min_peers": Limit(10, "numbers", "七天内主叫不同号码达到", "distinct numbers called, from"),
        "max_answer_rate": Limit(0.5, "share", "接通率不高于", "share answered, at most", step=0.05),
        "max_back_share": Limit(
            0.1, "share", "回拨号码占比不高于", "share of numbers that call back, at most", step=0.02
        ),
    },
    reads=("card_days", "card_peers", "cards"),
    needs=("calls.answered", "calls.peer"),
    look_back=timedelta(days=7),
    monotone=False,  # an answered call, or one called back, clears it
    window=Window.DAY,
    first_only=True,
    narrow={"card_peers": f"card IN (SELECT card FROM ({_weeks_of(_BUSY)}) WHERE {_SELDOM_ANSWERED})"},
    sql=f"""
        WITH weeks AS ({_weeks_of(_WITH_PEERS)}),
        suspects AS (
            SELECT w.* FROM weeks w LEFT JOIN cards c ON c.card = w.card
            WHERE {_SELDOM_ANSWERED} AND w.day < CAST($as_of AS DATE) AND coalesce(c.kind, 'voice') = 'voice'
        ),
        contacts AS (
            -- a card and a number from a day with traffic between them on, until the next such day: pairing each week
            -- with all its days would make several rows of a number
            SELECT card, peer, day AS since, lead(day) OVER days AS until,
                   max(CASE WHEN calls_out > 0 THEN day END) OVER days AS called_on,
                   max(CASE WHEN calls_in > 0 THEN day END) OVER days AS called_back_on
            FROM card_peers WHERE card IN (SELECT card FROM suspects)
            WINDOW days AS (PARTITION BY card, peer ORDER BY day)
        ),
        circles AS (
            SELECT s.card, s.day, count(*) AS peers,
                   sum(CASE WHEN p.called_back_on >= s.first_day THEN 1 ELSE 0 END) AS peers_back
            FROM suspects s
            JOIN contacts p ON p.card = s.card AND p.since <= s.day AND (p.until IS NULL OR s.day < p.until)
            WHERE p.called_on >= s.first_day
            GROUP BY s.card, s.day
        ),
        found AS (
            SELECT s.card, s.day, s.calls_out, c.peers, c.peers_back, s.answered / s.known AS answer_rate
            FROM suspects s JOIN circles c ON c.card = s.card AND c.day = s.day
            WHERE c.peers >= $min_peers AND c.peers_back <= $max_back_share * c.peers
        )
        SELECT card, CAST(day AS TIMESTAMP) AS seen_at, CAST(calls_out AS BIGINT) AS calls_out, peers,
               CAST(peers_back AS BIGINT) AS peers_back, round(answer_rate, 3) AS answer_rate
        FROM found
    """,
    evidence=(
        EvidenceColumn("calls_out", "七天内主叫", "Outgoing calls in seven days", "calls"),
        EvidenceColumn("peers", "主叫不同号码", "Numbers called", "numbers"),
        EvidenceColumn("peers_back", "其中有来电", "Of them calling back", "numbers"),
        EvidenceColumn("answer_rate", "接通率", "Share answered", "share"),
    ),
    reason=BilingualText(
        "七天内主叫 {calls_out} 次、{peers} 个号码，接通率 {answer_rate:.0%}，其中 {peers_back} 个号码有来电",
        "{calls_out} calls to {peers} numbers in seven days, {answer_rate:.0%} answered, {peers_back} call back",
    ),
    rebuttal=BilingualText(
        "说明这些电话的用途并带证明：如客户名单、销售或回访任务、单位证明；有人回拨的，提供通话详单。",
        "say what the calls were for and bring proof: a customer list, the task, a letter of your employer; where"
        " people called back, your list of calls.",
    ),
    flags=(
        case("half is answered, one in ten calls back", _week(10, 10), _calls_back(1)),
        case("nobody answers, nobody calls back", _week(20, 0)),
    ),
    spares=(
        case("nineteen calls", _week(15, 5, out=19)),
        case("nine numbers", _week(9, 5)),
        case("eleven of twenty are answered", _week(20, 11)),
        case("one in nine calls back", _week(18, 5, out=22), _calls_back(2)),
        case(
            "over two weeks", calls(20, "2021-05-03 09:00", every=86400 / 2, peers=_PEOPLE[:20], answered=0)
        ),
        case(
            "the week's last day is not over",
            calls(20, "2021-05-18 00:00", every=0, peers=_PEOPLE[:20], answered=0),
        ),
        case("whether they answer is unknown", [{**c, "answered": None} for c in _week(20, 0)]),
    ),
)
