"""A card with many outgoing calls that is never called."""

from datetime import timedelta

from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource, Window
from duanka.domain.rule_examples import calls, case, messages, opened
from duanka.domain.text import BilingualText

_EIGHT_CALLS = calls(8, "2021-05-17 09:00", every=3600)

RULE = Rule(
    id="outgoing_only",
    title=BilingualText("只呼出不呼入", "Outgoing calls only"),
    source=RuleSource(
        "GOIP features in police and press reports: outgoing only; the limits are ours",
        Grade.S2,
        zh="警方和新闻报道中GOIP（猫池）的特征：只呼出；限值由本系统拟定",
    ),
    asks_for=Action.WATCH,
    why=BilingualText(
        "诈骗设备里的卡没有人认识，只会往外打。",
        "Nobody knows the number of a card in a box: it only ever calls out.",
    ),
    look_alikes=BilingualText(
        "送货用的备用手机、刚办卡的人：单凭此项只作关注。",
        "A spare phone for deliveries, somebody with a fresh number: by itself it is only worth watching.",
    ),
    limits={
        "min_calls": Limit(8, "calls", "一天主叫次数达到", "outgoing calls in a day, from"),
        "max_in": Limit(0, "calls", "七天内被叫次数上限", "incoming calls in seven days, at most"),
        "max_sent": Limit(0, "messages", "七天内发出短信上限", "messages sent in seven days, at most"),
    },
    reads=("card_days", "cards"),
    needs=("calls",),
    wants=("messages",),
    look_back=timedelta(days=7),
    monotone=False,  # an incoming call revokes the hit
    window=Window.DAY,
    first_only=True,
    sql="""
        WITH weeks AS (
            SELECT card, day, calls_out, sum(calls_in) OVER week AS calls_in, sum(messages_out) OVER week AS sent
            FROM card_days
            WHERE card IN (
                -- what holds for the week holds for its last day
                SELECT card FROM card_days
                WHERE calls_out >= $min_calls AND calls_in <= $max_in AND messages_out <= $max_sent
            )
            WINDOW week AS (
                PARTITION BY card ORDER BY day RANGE BETWEEN INTERVAL 6 DAYS PRECEDING AND CURRENT ROW
            )
        ),
        found AS (
            SELECT w.card, w.day, w.calls_out, w.calls_in, w.sent
            FROM weeks w LEFT JOIN cards c ON c.card = w.card
            WHERE w.calls_out >= $min_calls AND w.calls_in <= $max_in AND w.sent <= $max_sent
              AND w.day < CAST($as_of AS DATE) AND coalesce(c.kind, 'voice') = 'voice'
        )
        SELECT card, CAST(day AS TIMESTAMP) AS seen_at, calls_out, CAST(calls_in AS BIGINT) AS calls_in,
               CAST(sent AS BIGINT) AS sent
        FROM found
    """,
    evidence=(
        EvidenceColumn("calls_out", "当天主叫", "Outgoing calls that day", "calls"),
        EvidenceColumn("calls_in", "七天内被叫", "Incoming calls in seven days", "calls"),
        EvidenceColumn("sent", "七天内发出短信", "Messages sent in seven days", "messages"),
    ),
    reason=BilingualText(
        "一天主叫 {calls_out} 次，七天内无被叫、无发出短信",
        "{calls_out} outgoing calls in a day, and in seven days no call or message the other way",
    ),
    rebuttal=BilingualText(
        "说明这张卡的用途（如送货专用、新办），带送货单或单位证明。",
        "say what the card is for (deliveries only, newly opened), with delivery notes or a letter of your employer.",
    ),
    flags=(
        case("eight calls in a day", _EIGHT_CALLS),
        case("codes may come in", calls(9, "2021-05-17 09:00", every=3600), messages(2, "2021-05-17 09:00")),
        case("last called eight days ago", calls(1, "2021-05-10 23:00", direction="in"), _EIGHT_CALLS),
    ),
    spares=(
        case("seven calls in a day", calls(7, "2021-05-17 09:00", every=3600)),
        case("called once in the week", calls(1, "2021-05-11 09:00", direction="in"), _EIGHT_CALLS),
        case("sent a message in the week", messages(1, "2021-05-11 09:00", direction="out"), _EIGHT_CALLS),
        case("the day is not over", calls(8, "2021-05-18 00:00", every=0)),
        case("an IoT card has its own rule", opened("2020-01-01 09:00", kind="iot"), _EIGHT_CALLS),
    ),
)
