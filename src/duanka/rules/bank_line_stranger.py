"""Several cards opened on one day and used only for bank hotlines."""

from datetime import timedelta
from functools import partial

from duanka.domain.record_keys import short_code_sql
from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource
from duanka.domain.rule_examples import calls, case, messages, opened
from duanka.domain.text import BilingualText

_TWIN, _THIRD = "8613800000002", "8613800000003"
_case = partial(case, lists={"bank_hotlines": ({"number": "95588", "title": "ICBC"},)})
_BEGIN = calls(1, "2021-05-10 08:00", card="8613800000099")  # the records begin before the cards were opened
_PAIR = [
    *_BEGIN,
    opened("2021-05-12 10:00", holder="h1"),
    opened("2021-05-12 17:00", card=_TWIN, holder="h1"),
]

_TWIN_LATER = opened("2021-05-15 17:00", card=_TWIN, holder="h1")
_BANK = calls(2, "2021-05-13 09:00", peers=["95588"])
_BANK_LATER = calls(1, "2021-05-15 09:00", peers=["95588"])

RULE = Rule(
    id="bank_line_stranger",
    title=BilingualText("同日多卡只通银行热线", "Cards of one day that only know the bank"),
    source=RuleSource(
        "Hubei regulator 2020: two cards the same day, bank hotline traffic, no local calls",
        Grade.S2,
        zh="湖北监管部门2020年：同日两张卡、与银行客服往来、没有本地通话",
    ),
    asks_for=Action.VERIFY,
    why=BilingualText(
        "为银行账户配卡的“跑分”团伙同日开多张卡，只与银行往来。",
        "Money mules open several cards at once to go with bank accounts, and talk to the bank only.",
    ),
    look_alikes=BilingualText(
        "为家人同日办卡并绑定银行卡的人，几天内会有亲友通话。",
        "Somebody who opens cards for the family and binds a bank card: calls with relatives follow within days.",
    ),
    limits={
        "min_cards": Limit(2, "cards", "同日同证开卡数达到", "cards of a holder on one day, from"),
        "max_people": Limit(0, "numbers", "通话的普通号码上限", "ordinary numbers in touch with, at most"),
        "min_days": Limit(3, "days", "开卡后观察天数", "days after opening before it is judged"),
    },
    reads=("card_peers", "cards", "bank_hotlines"),
    needs=("cards.holder", "cards.opened_at", "calls", "calls.peer", "bank_hotlines"),
    wants=("messages",),
    look_back=timedelta(days=30),
    monotone=False,  # a call with a friend revokes the hit
    together="holder",
    # the last day counts to its end, as a friend may still call
    due="""
        SELECT card, CAST(opened_at AS DATE) + ($min_days + 1) * INTERVAL '1' DAY AS due_at FROM cards
        WHERE opened_at >= $records_from
    """,
    narrow={
        "card_peers": (
            "card IN (SELECT c.card FROM cards c JOIN (SELECT holder, CAST(opened_at AS DATE) AS day FROM cards"
            " WHERE holder IS NOT NULL AND opened_at >= $records_from GROUP BY ALL"
            " HAVING count(*) >= $min_cards) s ON s.holder = c.holder AND s.day = CAST(c.opened_at AS DATE))"
        )
    },
    sql=f"""
        WITH same_day AS (
            SELECT holder, CAST(opened_at AS DATE) AS day, count(*) AS cards_that_day FROM cards
            WHERE holder IS NOT NULL AND opened_at >= $records_from
              AND coalesce(holder_kind, 'person') = 'person' AND coalesce(kind, 'voice') = 'voice'
            GROUP BY holder, CAST(opened_at AS DATE) HAVING count(*) >= $min_cards
        ),
        suspects AS (
            SELECT c.card, c.opened_at, s.cards_that_day
            FROM cards c JOIN same_day s ON s.holder = c.holder AND s.day = CAST(c.opened_at AS DATE)
            WHERE c.opened_at + $min_days * INTERVAL '1' DAY <= $records_until
              AND coalesce(c.holder_kind, 'person') = 'person' AND coalesce(c.kind, 'voice') = 'voice'
        ),
        contacts AS (
            SELECT s.card, s.opened_at, s.cards_that_day,
                   count(DISTINCT CASE WHEN b.number IS NOT NULL THEN p.peer END) AS bank_lines,
                   count(DISTINCT CASE WHEN NOT {short_code_sql("p.peer")} THEN p.peer END) AS people
            FROM suspects s
            JOIN card_peers p ON p.card = s.card AND p.day <= CAST(s.opened_at AS DATE) + $min_days * INTERVAL '1' DAY
            LEFT JOIN bank_hotlines b ON p.peer = b.number
            GROUP BY s.card, s.opened_at, s.cards_that_day
        )
        SELECT card, opened_at + $min_days * INTERVAL '1' DAY AS seen_at, cards_that_day, bank_lines, people
        FROM contacts WHERE bank_lines > 0 AND people <= $max_people
    """,
    evidence=(
        EvidenceColumn("cards_that_day", "同证同日开卡", "Cards opened that day", "cards"),
        EvidenceColumn("bank_lines", "往来的银行热线", "Bank hotlines in touch with", "numbers"),
        EvidenceColumn("people", "往来的普通号码", "Ordinary numbers in touch with", "numbers"),
    ),
    reason=BilingualText(
        "同证同日开卡 {cards_that_day} 张，{min_days} 天内只与银行热线往来",
        "{cards_that_day} cards opened on one day; in {min_days} days only bank hotlines in touch",
    ),
    rebuttal=BilingualText(
        "带银行的开户或绑卡凭证、家人的证件，说明各卡由谁使用；或提供与亲友的正常通话记录。",
        "bring the bank's papers and your relatives' documents to show who uses each card; or records of ordinary"
        " calls with family.",
    ),
    flags=(
        _case("two cards, one hotline", _PAIR, _BANK),
        _case("judged on the third day", opened("2021-05-15 00:00", holder="h1"), _TWIN_LATER, _BANK_LATER),
        _case(
            "a message of the bank",
            _PAIR,
            messages(1, "2021-05-10 08:00", card="8613800000099"),
            messages(3, "2021-05-13 09:00", peers=["95588"]),
        ),
    ),
    spares=(
        _case("a single card", _BEGIN, opened("2021-05-12 10:00", holder="h1"), _BANK),
        _case("calls a friend too", _PAIR, _BANK, calls(1, "2021-05-13 10:00", peers=["8613900000009"])),
        _case(
            "a machine's card opened with the two",
            _PAIR,
            opened("2021-05-12 18:00", card=_THIRD, holder="h1", kind="iot"),
            calls(2, "2021-05-13 09:00", card=_THIRD, peers=["95588"]),
            cards=(_THIRD,),
        ),
        _case("no bank", _PAIR, calls(2, "2021-05-13 09:00", peers=["10086"])),
        _case(
            "the three days are not over", opened("2021-05-15 00:01", holder="h1"), _TWIN_LATER, _BANK_LATER
        ),
    ),
)
