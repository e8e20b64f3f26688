"""A card that lies in a ring which `duanka links` found."""

from datetime import timedelta

from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource
from duanka.domain.rule_examples import CARD as _CARD
from duanka.domain.rule_examples import Row, at, calls, case
from duanka.domain.text import BilingualText

_USED = calls(1, "2021-05-01 08:00") + calls(1, "2021-05-17 08:00")
_OTHER = "8613800000002"


def _linked(certainty: int, since: str = "2021-05-16 00:00", card: str = _CARD) -> Row:
    return {"table": "rings", "card": card, "ring": "R00001", "certainty": certainty, "since": at(since)}


RULE = Rule(
    id="in_ring",
    title=BilingualText("关联号码", "Linked to a group of cards"),
    source=RuleSource(
        "the case of 15 devices and 13,000 cards (news page, S2): most of its cards lay unused in a drawer;"
        " the limit is ours",
        Grade.K,
        zh="15台设备、13,000张卡的案例（新闻）：多数卡闲置在抽屉里；限值由本系统拟定",
    ),
    asks_for=Action.VERIFY_AT_COUNTER,
    why=BilingualText(
        "团伙的卡多数还在抽屉里，没有通话可查，只能由设备、开卡批次等关联找到；到厅核验时，由登记人本人说明。",
        "Most cards of a gang lie in a drawer and make no calls that could be judged: only what links them, devices and"
        " batches, leads to them. At the counter the registered holder can say whether the number is theirs.",
    ),
    look_alikes=BilingualText(
        "集体宿舍、成批开户的单位和班组、二手手机；证件被人冒用开卡的登记人。规则只要求核验，不停机，"
        "也不归责于登记人。",
        "Dormitories, firms and crews whose cards were opened in bulk, second-hand phones, and those in whose name"
        " others opened a card. The rule asks; it stops nothing and blames no registered holder.",
    ),
    limits={
        # what `duanka links` names for a person to look at, strangers among it, has 50 at most
        "min_certainty": Limit(51, "percent", "关联把握达到", "certainty from"),
    },
    reads=("rings",),
    needs=("rings",),
    look_back=timedelta(0),
    monotone=True,
    sql="""
        SELECT card, since AS seen_at, ring, certainty FROM rings WHERE certainty >= $min_certainty
    """,
    evidence=(
        EvidenceColumn("ring", "关联组", "Group of linked cards", ""),
        EvidenceColumn("certainty", "关联把握", "Certainty of the link", "percent"),
    ),
    reason=BilingualText(
        "与一组正在核查的号码（{ring}）有关联，这不说明登记人有过错",
        "linked to a group of cards under examination ({ring}), which says nothing against its registered holder",
    ),
    rebuttal=BilingualText(
        "说明您与这些号码没有共同使用：如二手手机、集体宿舍、单位统一开户，带相应证明；关联本身不说明您有过错。",
        "show that you do not share in those cards: a second-hand phone, a dormitory, a firm that opened cards in"
        " bulk, with proof. Being linked says nothing against you.",
    ),
    flags=(
        case("just above what strangers have", _USED, _linked(51)),
        case("certain", _USED, _linked(100)),
        case("stock in the drawer: never used", calls(1, "2021-05-17 08:00", card=_OTHER), _linked(80)),
    ),
    spares=(
        case("named for a person to look at", _USED, _linked(50)),
        case("has left its ring", _USED, _linked(0)),
        case("another card's link", _USED, _linked(95, card=_OTHER)),
        case("found later than this moment", _USED, _linked(95, since="2021-05-19 00:00")),
    ),
)
