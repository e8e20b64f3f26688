"""A card that makes more calls in an hour than a person would."""

from datetime import timedelta

from duanka.domain.preconditions import Exceeds
from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource, Window
from duanka.domain.rule_examples import calls, case, opened
from duanka.domain.text import BilingualText

_SIXTY_ONE = calls(61, "2021-05-17 09:00")

RULE = Rule(
    id="over_frequency",
    title=BilingualText("超频呼出", "Calling over frequency"),
    source=RuleSource(
        "Hebei notice in force 2020-12-01, trigger 4 (S1); 60 is the Hubei regulator's of 2016 (S2)",
        Grade.S2,
        zh="河北2020年12月1日起施行的通告，触发条件四；60次为湖北监管部门2016年的规定",
    ),
    asks_for=Action.VERIFY,
    why=BilingualText(
        "诈骗窝点按名单连续拨号，普通人一小时打不了这么多电话。",
        "Scam rooms dial down a list without pause; nobody keeps that up by hand for an hour.",
    ),
    look_alikes=BilingualText(
        "呼叫中心、快递派件高峰：同样频繁，但登记为单位或多有接听。",
        "Call centres and couriers at the peak: as frequent, but registered to an organisation, or answered.",
    ),
    limits={"max_calls": Limit(60, "calls/h", "一小时主叫次数上限", "outgoing calls allowed in one hour")},
    reads=("card_hours", "cards"),
    needs=("calls",),
    look_back=timedelta(hours=1),
    monotone=True,
    window=Window.HOUR,
    stirs=Exceeds("card_hours", "calls_out", "max_calls"),
    narrow={
        "card_hours": "(card, CAST(hour AS DATE)) IN (SELECT card, day FROM card_days WHERE calls_out > $max_calls)"
    },
    sql="""
        SELECT h.card, h.hour AS seen_at, h.calls_out, h.answered_out
        FROM card_hours h LEFT JOIN cards c ON c.card = h.card
        WHERE h.calls_out > $max_calls AND coalesce(c.kind, 'voice') = 'voice'
    """,
    evidence=(
        EvidenceColumn("calls_out", "该小时主叫次数", "Outgoing calls in that hour", "calls"),
        EvidenceColumn("answered_out", "其中已接通", "Of them answered", "calls"),
    ),
    reason=BilingualText(
        "一小时内主叫 {calls_out} 次，超过 {max_calls} 次",
        "{calls_out} outgoing calls within one hour, more than {max_calls}",
    ),
    rebuttal=BilingualText(
        "说明那一小时集中拨打的原因并带证明：如通知家长、订单、招聘、客户回访；或证明电话由设备故障重拨。",
        "say why so many calls were made in that hour and bring proof: parents, orders, hiring, customers called"
        " back; or that a faulty device dialled again and again.",
    ),
    flags=(
        case("61 calls in one hour", _SIXTY_ONE),
        case("61 calls in the hour of an ordinary card", opened("2020-01-01 10:00"), _SIXTY_ONE),
    ),
    spares=(
        case("60 calls in one hour", calls(60, "2021-05-17 09:00")),
        case("61 calls over two hours", calls(61, "2021-05-17 09:00", every=118)),
        case("a hotline that is called 200 times", calls(200, "2021-05-17 09:00", every=15, direction="in")),
        case("an IoT card has its own rule", opened("2020-01-01 10:00", kind="iot"), _SIXTY_ONE),
    ),
)
