"""A card with many verified complaints."""

from datetime import timedelta

from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource
from duanka.domain.rule_examples import CARD as _CARD
from duanka.domain.rule_examples import Row, at, calls, case
from duanka.domain.text import BilingualText

_USED = calls(1, "2021-05-01 08:00") + calls(1, "2021-05-17 08:00")


def _complaints(n: int, days_apart: float) -> list[Row]:
    return [
        {
            "table": "complaints",
            "card": _CARD,
            "reported_at": at("2021-05-02 09:00") + i * timedelta(days=days_apart),
            "channel": "12321",
        }
        for i in range(n)
    ]


def _naming(complaint: Row, *hosts: str) -> list[Row]:
    return [complaint, *({**complaint, "indicator_kind": "host", "indicator": host} for host in hosts)]


RULE = Rule(
    id="complained",
    title=BilingualText("投诉集中", "Complaints pile up"),
    source=RuleSource(
        "TRAI (India): five verified complaints in ten days",
        Grade.S2,
        zh="印度电信监管局（TRAI）：十天内五次经核实的投诉",
    ),
    asks_for=Action.VERIFY,
    why=BilingualText(
        "被骗的人会举报；多人短期内举报同一号码。",
        "Victims report; many reports of one number in days mean it.",
    ),
    look_alikes=BilingualText(
        "号码被冒用显示（改号）、恶意举报。", "A number that others spoof, or a grudge."
    ),
    limits={
        "min_complaints": Limit(5, "complaints", "投诉次数达到", "complaints from"),
        "days": Limit(10, "days", "期间", "within"),
    },
    reads=("complaints",),
    needs=("complaints",),
    look_back=timedelta(days=10),
    monotone=True,
    sql="""
        WITH once AS (
            SELECT DISTINCT card, reported_at, channel, category FROM complaints -- one may name several indicators
        ),
        in_order AS (
            SELECT card, reported_at,
                   lag(reported_at, $min_complaints - 1) OVER (PARTITION BY card ORDER BY reported_at) AS start_at,
                   count(*) OVER (PARTITION BY card) AS complaints
            FROM once
        )
        SELECT card, min(reported_at) AS seen_at, max(complaints) AS complaints
        FROM in_order WHERE start_at >= reported_at - $days * INTERVAL '1' DAY
        GROUP BY card
    """,
    evidence=(EvidenceColumn("complaints", "投诉总数", "Complaints in all", "complaints"),),
    reason=BilingualText(
        "{days} 天内被投诉 {min_complaints} 次以上，共 {complaints} 次",
        "{min_complaints} or more verified complaints within {days} days, {complaints} in all",
    ),
    rebuttal=BilingualText(
        "指出投诉不实：号码被冒用显示（改号）时，提供您当时的通话详单；确有业务往来的，提供合同或客户同意。",
        "show that the complaints are wrong: where others displayed your number, your own list of calls of that time;"
        " where it was business, the contract or the consent of the people called.",
    ),
    flags=(
        case("five in ten days", _USED, _complaints(5, 2.5)),
        case("seven over a longer time", _USED, _complaints(7, 2)),
    ),
    spares=(
        case("four in ten days", _USED, _complaints(4, 1)),
        case(
            "four in ten days, one of which names two hosts, and came before without",
            _USED,
            _complaints(3, 1) + _naming(_complaints(4, 1)[3], "a.example", "b.example"),
        ),
        case("five in eleven days", _USED, _complaints(5, 2.75)),
        case("five over a month", _USED, _complaints(5, 3)),
    ),
)
