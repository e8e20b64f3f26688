"""A card that receives verification codes of many platforms but makes no calls."""

from datetime import timedelta

from duanka.domain.rollups import SHORT_CODE
from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource, Window
from duanka.domain.rule_examples import calls, case, data, messages
from duanka.domain.text import BilingualText

_PLATFORMS = [f"1069{i:04}" for i in range(30)]

_NINE_CODES = messages(9, "2021-05-17 09:00", peers=_PLATFORMS)

RULE = Rule(
    id="code_receiver",
    title=BilingualText("接码卡", "Code receiver"),
    source=RuleSource(
        "Anti-fraud law, article 14 (code-receiving devices and platforms); the limits are ours",
        Grade.K,
        zh="《反电信网络诈骗法》第十四条（接码设备和平台）；限值由本系统拟定",
    ),
    asks_for=Action.VERIFY,
    why=BilingualText(
        "接码平台用卡批量注册账号：卡插在猫池里，只收验证码，不打不发，几乎不上网。",
        "Code platforms register accounts in bulk: the card sits in a modem, takes codes, and does little else.",
    ),
    look_alikes=BilingualText(
        "爱网购的人也收许多验证码，但会打电话、接电话、上网。",
        "Keen online shoppers get many codes too, but they call, are called, and use data.",
    ),
    limits={
        "min_platforms": Limit(
            6, "senders", "一天内发来短信的平台数达到", "short codes heard from in a day, from"
        ),
        "max_spoken": Limit(
            1, "events", "七天内通话和发出短信上限", "calls, and messages sent, in seven days, at most"
        ),
        "max_mb": Limit(100, "MB", "七天内流量上限", "mobile data in seven days, at most"),
    },
    reads=("card_peers", "card_days"),
    needs=("messages", "messages.peer"),
    wants=("calls", "data_days"),
    look_back=timedelta(days=7),
    monotone=False,  # one more call revokes the hit
    window=Window.DAY,
    narrow={
        "card_peers": (
            "(card, day) IN (SELECT card, day FROM card_days WHERE codes_in >= $min_platforms"
            " AND calls_out + calls_in + messages_out <= $max_spoken)"
        )
    },
    sql=f"""
        WITH quiet AS (
            SELECT card, day, codes_in,
                   sum(calls_out + calls_in + messages_out) OVER week AS spoken, sum(bytes) OVER week AS bytes
            FROM card_days
            WHERE card IN (
                -- what holds for the week holds for its last day
                SELECT card FROM card_days
                WHERE codes_in >= $min_platforms AND calls_out + calls_in + messages_out <= $max_spoken
            )
            WINDOW week AS (
                PARTITION BY card ORDER BY day RANGE BETWEEN INTERVAL 6 DAYS PRECEDING AND CURRENT ROW
            )
        ),
        platforms AS (
            SELECT card, day, count(*) AS platforms FROM card_peers
            WHERE messages_in > 0
              AND {SHORT_CODE}
            GROUP BY card, day HAVING count(*) >= $min_platforms
        )
        SELECT p.card, CAST(p.day AS TIMESTAMP) AS seen_at, p.platforms, q.codes_in, CAST(q.spoken AS BIGINT) AS spoken
        FROM platforms p JOIN quiet q ON q.card = p.card AND q.day = p.day
        WHERE q.spoken <= $max_spoken AND q.bytes / 1000000 <= $max_mb AND p.day < CAST($as_of AS DATE)
    """,
    evidence=(
        EvidenceColumn("platforms", "当天平台数", "Platforms that day", "senders"),
        EvidenceColumn("codes_in", "当天验证类短信", "Messages from them", "messages"),
        EvidenceColumn("spoken", "七天内通话和发出", "Calls, and messages sent, in seven days", "events"),
    ),
    reason=BilingualText(
        "一天收到 {platforms} 个平台的验证类短信 {codes_in} 条，七天内几乎无通话",
        "{codes_in} code messages of {platforms} platforms in a day, next to no call in seven days",
    ),
    rebuttal=BilingualText(
        "带购物、注册账号的记录，说明这些平台账号是您本人的；或证明这张卡在家庭设备、门锁、收银机中用于收验证码。",
        "bring records of purchases or accounts that show them to be your own; or show that the card sits in a"
        " household device or till that needs such codes.",
    ),
    flags=(
        case("six platforms in a day", messages(6, "2021-05-17 09:00", peers=_PLATFORMS)),
        case(
            "twenty platforms and a single call",
            messages(20, "2021-05-17 09:00", peers=_PLATFORMS),
            calls(1, "2021-05-17 08:00"),
        ),
        case("hardly any data", messages(6, "2021-05-17 09:00", peers=_PLATFORMS), data("2021-05-12", 100)),
    ),
    spares=(
        case("five platforms in a day", messages(25, "2021-05-17 09:00", peers=_PLATFORMS[:5])),
        case("two calls in the week", _NINE_CODES, calls(2, "2021-05-12 08:00")),
        case("is called by people", _NINE_CODES, calls(2, "2021-05-12 08:00", direction="in")),
        case("a phone that uses data", _NINE_CODES, data("2021-05-12", 100.5)),
        case(
            "friends, not platforms",
            messages(9, "2021-05-17 09:00", peers=[f"86139{i:08}" for i in range(9)]),
        ),
        case(
            "the day is not over",
            messages(9, "2021-05-18 09:00", peers=_PLATFORMS),
            calls(1, "2021-05-10 08:00"),
        ),
    ),
)
