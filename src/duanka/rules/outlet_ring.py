"""A card opened in a batch at an outlet whose new cards end up at risk, and hardly used since."""

from datetime import timedelta

from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource
from duanka.domain.rule_examples import CARD as _CARD
from duanka.domain.rule_examples import Row, at, calls, case, data
from duanka.domain.text import BilingualText

_OTHER = "8613800000002"
_BEGIN = calls(1, "2021-05-01 08:00", card=_OTHER) + calls(1, "2021-05-17 08:00", card=_OTHER)


def _opened_at(lift: int = 5, since: str = "2021-05-16 00:00", card: str = _CARD) -> Row:
    row = {"table": "outlet_batches", "card": card, "outlet": "S000372", "lift": lift}
    return {**row, "together": 20, "since": at(since)}


RULE = Rule(
    id="outlet_ring",
    title=BilingualText("涉险网点成批开户", "Opened in a batch at an outlet that stands out"),
    source=RuleSource(
        "the case of 15 devices and 13,000 cards (news page, S2): a phone shop opened them in batches; the limits are"
        " ours",
        Grade.K,
        zh="15台设备、13,000张卡的案例（新闻）：一家手机店批量开卡；限值由本系统拟定",
    ),
    asks_for=Action.VERIFY_AT_COUNTER,
    why=BilingualText(
        "涉险网点成批开出的卡，多数先存放后出手；开户网点的新卡是否屡屡涉险，与同城同规模网点相比才看得出。",
        "What such an outlet opens in batches mostly lies in a drawer until it is sold on. Whether its new cards end up"
        " at risk is told by comparing it with outlets of its city and size.",
    ),
    look_alikes=BilingualText(
        "该网点的普通顾客、成批开户的班组：开始正常使用的卡不再要求核验。证件被人冒用开卡的登记人没有过错。",
        "Ordinary customers of the outlet, and crews opened in one afternoon: whose card is in use is asked nothing."
        " Those in whose name others opened a card did nothing wrong.",
    ),
    limits={
        "min_lift": Limit(
            2, "times", "网点新卡涉险至少为同行的", "outlet's new cards at risk, times its peers from"
        ),
        "days": Limit(
            3,
            "days",
            "首次到最近一次使用不足",
            "days from first to last use, below which it has hardly begun",
        ),
    },
    reads=("outlet_batches", "card_life"),
    needs=("outlet_batches", "calls"),
    wants=("messages", "data_days"),
    look_back=timedelta(days=3),
    monotone=False,  # absence of use: whoever goes on to use the card is asked nothing
    due="SELECT card, since AS due_at FROM outlet_batches",
    sql="""
        WITH uses AS (
            SELECT card, least(first_call, first_message, first_data) AS first_used_at,
                   greatest(last_call, last_message, last_data) AS last_used_at
            FROM card_life
        )
        SELECT b.card, b.since AS seen_at, b.outlet, b.lift, b.together, u.first_used_at
        FROM outlet_batches b LEFT JOIN uses u ON u.card = b.card
        WHERE b.lift >= $min_lift AND b.since <= $records_until
          AND (u.first_used_at IS NULL OR u.last_used_at < u.first_used_at + $days * INTERVAL '1' DAY)
    """,
    evidence=(
        EvidenceColumn("outlet", "网点", "Outlet", ""),
        EvidenceColumn("lift", "新卡涉险至少为同行的", "Outlet's cards at risk, at least", "times"),
        EvidenceColumn("together", "同批开户", "Opened together", "cards"),
        EvidenceColumn("first_used_at", "首次使用", "First used", "local time"),
    ),
    reason=BilingualText(
        "在一家正在核查的网点与另外多张卡一同开户（共 {together} 张），之后很少使用；这不说明登记人有过错",
        "opened together with others ({together} cards) at an outlet under examination and hardly used since, which"
        " says nothing against its registered holder",
    ),
    rebuttal=BilingualText(
        "说明您是本人在该网点办理：带开户回执、交费凭证或同行家人的证件；网点的问题不由您承担。",
        "show that you opened it there yourself: the receipt, the payment, or the documents of the relatives who came"
        " along. What the shop did is not held against you.",
    ),
    flags=(
        case("never used", _BEGIN, _opened_at()),
        case("just twice its peers", _BEGIN, _opened_at(2)),
        case(
            "tried on one day and the next but one",
            _BEGIN,
            _opened_at(),
            calls(1, "2021-05-14 08:00") + calls(1, "2021-05-17 07:59"),
        ),
        case("data on two days", _BEGIN, _opened_at(), data("2021-05-14", 1), data("2021-05-16", 1)),
    ),
    spares=(
        case(
            "in use for three days",
            _BEGIN,
            _opened_at(),
            calls(1, "2021-05-14 08:00") + calls(1, "2021-05-17 08:00"),
        ),
        case("data three days apart", _BEGIN, _opened_at(), data("2021-05-14", 1), data("2021-05-17", 1)),
        case("an outlet a little above its peers", _BEGIN, _opened_at(1)),
        case("its outlet stands out no longer", _BEGIN, _opened_at(0)),
        case("another card", _BEGIN, _opened_at(card=_OTHER)),
        case("found later than this moment", _BEGIN, _opened_at(since="2021-05-19 00:00")),
    ),
)
