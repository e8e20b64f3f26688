"""Old cards of resale operators that were never verified again."""

from datetime import date, timedelta
from typing import Any

from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource
from duanka.domain.rule_examples import Row, at, calls, case, opened
from duanka.domain.text import BilingualText

_RESOLD = "8617000000001"
_USED = calls(1, "2021-05-10 08:00", card="8613800000099")
_LISTS: dict[str, tuple[Row, ...]] = {"resale_prefixes": ({"prefix": "86170"}, {"prefix": "86162"})}
_VERIFIED = opened("2018-03-01 10:00", card="8613800000098", verified_at=at("2021-01-01 09:00"))


def _stock(verified: str = "2018-03-01 10:00", **columns: Any) -> Row:
    return opened("2018-03-01 10:00", verified_at=at(verified), **columns)


RULE = Rule(
    id="virtual_operator_stock",
    title=BilingualText("转售企业存量卡", "Stock of resale operators"),
    source=RuleSource(
        "the news page on 断卡行动: stock of resale operators; the date (start of the action) is ours",
        Grade.S2,
        zh="断卡行动报道：虚拟运营商存量卡；日期（行动开始日）由本系统拟定",
    ),
    asks_for=Action.VERIFY,
    why=BilingualText(
        "转售号段早期实名不严，存量卡常被冒用。",
        "Resale ranges were opened with loose checks in their first years; the stock is often misused.",
    ),
    look_alikes=BilingualText(
        "多年正常使用的老用户。", "Customers who have used their number honestly for years."
    ),
    limits={
        "opened_before": Limit(
            date(2020, 10, 10), "date", "此日前开卡且此后未复核", "opened, and last verified, before"
        )
    },
    reads=("cards", "resale_prefixes"),
    needs=("cards.opened_at", "cards.verified_at"),
    look_back=timedelta(days=3650),
    monotone=True,
    due="SELECT card, CAST($opened_before AS TIMESTAMP) AS due_at FROM cards WHERE opened_at < $opened_before",
    sql="""
        SELECT c.card, CAST($opened_before AS TIMESTAMP) AS seen_at, c.opened_at, c.verified_at, c.operator
        FROM cards c
        WHERE coalesce(c.kind, 'voice') = 'voice'
          AND c.opened_at < $opened_before AND $opened_before <= $as_of
          AND (c.verified_at IS NULL OR c.verified_at < $opened_before)
          AND coalesce(c.virtual_operator,
                       EXISTS (SELECT 1 FROM resale_prefixes p WHERE starts_with(CAST(c.card AS VARCHAR), p.prefix)))
    """,
    evidence=(
        EvidenceColumn("opened_at", "开卡时间", "Opened", "local time"),
        EvidenceColumn("verified_at", "最近实人核验", "Last verified", "local time"),
        EvidenceColumn("operator", "运营商", "Operator", ""),
    ),
    reason=BilingualText(
        "转售企业存量卡，{opened_before} 后未再核验",
        "resale operator's stock, not verified since {opened_before}",
    ),
    rebuttal=BilingualText(
        "出示开户后的实人核验或实名登记凭证；没有的，本人到场或完成核验即可。",
        "show proof of a verification after it was opened; without one, coming in person or proving who you are is"
        " enough.",
    ),
    flags=(
        case(
            "opened the day before and never verified",
            _USED,
            opened("2020-10-09 23:59", virtual_operator=True),
            opened("2020-10-09 23:59", card="8613800000098", verified_at=at("2021-01-01 09:00")),
        ),
        case("last verified before the date", _USED, _stock("2020-10-09 23:59", virtual_operator=True)),
        case("known by its range", _USED, _stock(card=_RESOLD), cards=(_RESOLD,), lists=_LISTS),
    ),
    spares=(
        case("opened on the date", _USED, opened("2020-10-10 00:00", virtual_operator=True), _VERIFIED),
        case(
            "the date is still to come",
            calls(1, "2020-10-01 08:00", card="8613800000099"),
            _stock(virtual_operator=True),
            as_of=at("2020-10-09 23:59"),
        ),
        case("verified on the date", _USED, _stock("2020-10-10 00:00", virtual_operator=True)),
        case("network operator's card", _USED, _stock(virtual_operator=False)),
        case("other range", _USED, _stock(), lists=_LISTS),
    ),
)
