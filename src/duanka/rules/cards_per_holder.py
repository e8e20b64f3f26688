"""Too many cards on one document."""

from datetime import timedelta

from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource
from duanka.domain.rule_examples import Row, calls, case, opened
from duanka.domain.text import BilingualText

_NUMBERS = tuple(f"86138000001{i:02}" for i in range(10))
_USED = calls(1, "2021-05-10 08:00", card=_NUMBERS[0])


def _cards(n: int, operators: tuple[str, ...] = ("A",), **columns: object) -> list[Row]:
    return [
        opened(
            f"2021-05-12 {8 + i:02}:00",
            card=_NUMBERS[i],
            holder="h1",
            operator=operators[i % len(operators)],
            **columns,
        )
        for i in range(n)
    ]


RULE = Rule(
    id="cards_per_holder",
    title=BilingualText("一证多卡", "Many cards on one document"),
    source=RuleSource(
        "MIIT notice of 2016: five per operator; ten across operators (S3)",
        Grade.S2,
        zh="工信部2016年通知：每家运营商五张；全部运营商十张",
    ),
    asks_for=Action.VERIFY,
    why=BilingualText(
        "开卡人受雇用本人证件批量开卡。", "Straw men open cards in bulk on their own document."
    ),
    look_alikes=BilingualText(
        "给全家办卡的家长；单位用卡另有登记，不在此列。",
        "A parent who holds the family's cards. Organisations register otherwise and are left out.",
    ),
    limits={
        "min_cards": Limit(5, "cards", "同一运营商的卡数达到", "cards with one operator from"),
        "min_all": Limit(10, "cards", "全部运营商的卡数达到", "cards across operators from"),
    },
    reads=("cards",),
    needs=("cards.holder",),
    look_back=timedelta(days=3650),
    monotone=True,
    together="holder",
    sql="""
        WITH many AS (
            SELECT holder FROM cards WHERE holder IS NOT NULL AND coalesce(holder_kind, 'person') = 'person'
            GROUP BY holder HAVING count(*) >= least($min_cards, $min_all)
        ),
        numbered AS (
            SELECT c.card, c.holder, coalesce(c.operator, '') AS operator,
                   coalesce(c.opened_at, $records_from) AS opened_at,
                   count(*) OVER (PARTITION BY c.holder, c.operator) AS cards_here,
                   count(*) OVER (PARTITION BY c.holder) AS cards_in_all,
                   row_number() OVER (PARTITION BY c.holder, c.operator ORDER BY c.opened_at, c.card) AS place_here,
                   row_number() OVER (PARTITION BY c.holder ORDER BY c.opened_at, c.card) AS place
            FROM cards c JOIN many m ON m.holder = c.holder
            WHERE coalesce(c.holder_kind, 'person') = 'person'
        ),
        reached AS (
            SELECT card, holder, opened_at, cards_here, cards_in_all,
                   least(
                       min(CASE WHEN place_here = $min_cards THEN opened_at END)
                           OVER (PARTITION BY holder, operator),
                       min(CASE WHEN place = $min_all THEN opened_at END) OVER (PARTITION BY holder)
                   ) AS reached_at
            FROM numbered
        )
        SELECT card, greatest(reached_at, opened_at) AS seen_at, cards_here, cards_in_all
        FROM reached WHERE cards_here >= $min_cards OR cards_in_all >= $min_all
    """,
    evidence=(
        EvidenceColumn("cards_here", "同证同运营商卡数", "Cards on the document with this operator", "cards"),
        EvidenceColumn("cards_in_all", "同证全部卡数", "Cards on the document in all", "cards"),
    ),
    reason=BilingualText(
        "同一证件名下本网 {cards_here} 张、全网 {cards_in_all} 张卡",
        "{cards_here} cards of this operator and {cards_in_all} in all on one document",
    ),
    rebuttal=BilingualText(
        "在“一证通查”核对名下号码；说明各卡用途和使用人，带家人证件；不是本人办理的，声明“不是我办的”，"
        "不影响其他号码。",
        "check the numbers in your name; say who uses each card, with your relatives' documents; declare the ones"
        " that you did not open: that touches no other number.",
    ),
    flags=(
        case("five with one operator", _USED, _cards(5), cards=_NUMBERS[:5]),
        case("ten across three operators", _USED, _cards(10, ("A", "B", "C")), cards=_NUMBERS),
    ),
    spares=(
        case("four with one operator", _USED, _cards(4), cards=_NUMBERS[:4]),
        case("nine across three operators", _USED, _cards(9, ("A", "B", "C")), cards=_NUMBERS[:9]),
        case("five of an organisation", _USED, _cards(5, holder_kind="organisation"), cards=_NUMBERS[:5]),
        case(
            "five strangers without a document on file",
            _USED,
            [opened("2021-05-12 08:00", card=n) for n in _NUMBERS[:5]],
            opened("2021-05-12 08:00", card="8613800000099", holder="h9"),
            cards=_NUMBERS[:5],
        ),
    ),
)
