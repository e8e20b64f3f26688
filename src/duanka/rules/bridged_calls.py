"""Two phones side by side that pass calls on: one is called by the call room, the other dials its victims."""

from collections.abc import Iterable
from datetime import timedelta

from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource, Window
from duanka.domain.rule_examples import CARD, Row, at, calls, case
from duanka.domain.text import BilingualText

_OTHER = "8613800000002"
_BOTH = (CARD, _OTHER)
_ROOM = "85251230000"
_STRANGERS = tuple(f"86139{i:08}" for i in range(40))


def _call(card: str, start: str, after: float, seconds: float, direction: str, peer: str, cell: str) -> Row:
    begin = at(start) + timedelta(seconds=after)
    known = {"peer": peer, "direction": direction, "cell": cell, "answered": seconds > 0}
    return {"table": "calls", "card": card, "started_at": begin, "seconds": int(seconds), **known}


def _bridge(
    n: int,
    start: str = "2021-05-17 09:00",
    *,
    lead: float = 8,
    tail: float = 4,
    peers: Iterable[str] = _STRANGERS,
    cells: tuple[str, str] = ("c1", "c1"),
    every: float = 300,
    taken: bool = True,
) -> list[Row]:
    """`n` calls of the room, each passed on `lead` seconds later; the stranger's call ends `tail` seconds earlier."""
    rows = []
    for i, peer in zip(range(n), peers, strict=False):
        talking = 40 + 7 * i if i % 2 else 0  # every other stranger does not answer
        heard = lead + talking + tail if taken else 0
        rows.append(_call(CARD, start, every * i, heard, "in", _ROOM, cells[0]))
        rows.append(_call(_OTHER, start, every * i + lead, talking, "out", peer, cells[1]))
    return rows


def _others(n: int, card: str, direction: str) -> list[Row]:
    return calls(n, "2021-05-17 20:00", every=400, card=card, direction=direction, peers=("8613900001111",))


def _desks(n: int) -> list[Row]:
    """`n` desks that are called and `n` that call, in one hall and all day; many of their calls coincide."""
    rows = []
    for desk in range(n):
        for kind, direction in enumerate(("in", "out")):
            for i in range(40):
                begin = (97 + 6 * desk + 5 * kind) * i + (13 * i * (desk + 1)) % 60
                seconds = 20 + (37 * i + 11 * desk + 17 * kind) % 60
                peer = f"861350{desk:03}{i:04}"
                card = f"861370000{kind:02}{desk:02}"
                rows.append(_call(card, "2021-05-17 09:00", begin, seconds, direction, peer, "c1"))
    return rows


_DESKS = tuple(f"861370000{kind:02}{desk:02}" for kind in (0, 1) for desk in range(8))


RULE = Rule(
    id="bridged_calls",
    title=BilingualText("双机搭桥转接", "Calls passed on between two phones"),
    source=RuleSource(
        "police and press reports on phones laid mouth to ear for call rooms abroad; the limits are ours",
        Grade.S2,
        zh="警方和新闻报道：两部手机对放，为境外窝点转接电话；限值由本系统拟定",
    ),
    asks_for=Action.VERIFY,
    why=BilingualText(
        "境外窝点打进一部手机，旁边另一部随即拨给受害人，两部手机对接传话，显示的是本地号码。",
        "A call room abroad calls one phone, the phone beside it dials the victim: the victim sees a local number.",
    ),
    look_alikes=BilingualText(
        "同一办公室的同事、呼叫中心座席、门卫：通话偶有重叠，但只占各自通话的一小部分。",
        "Colleagues, desks of a call centre, a doorman: calls coincide, but those are few of the calls of each.",
    ),
    limits={
        "min_calls": Limit(
            5, "calls", "同一对号码一天搭桥达到", "calls passed on by the same two in a day, from"
        ),
        "min_share": Limit(
            0.8, "share", "占各自当天通话的比例达到", "share of all calls of each that day, from", step=0.05
        ),
        "lead": Limit(
            30, "s", "呼入之后几秒内呼出", "seconds from the incoming to the outgoing call, at most"
        ),
        "tail": Limit(
            60,
            "s",
            "呼出结束后几秒内挂断呼入",
            "seconds from the end of the outgoing to that of the incoming, at most",
        ),
    },
    reads=("card_days", "calls"),
    raw_reason="whether two calls lie over each other is in no rollup: a sum of calls does not say when they were",
    needs=("calls.peer", "calls.cell", "calls.seconds"),
    look_back=timedelta(days=1),
    monotone=False,  # other calls lower the share: it fires when the day is over
    window=Window.DAY,
    together="cell",
    narrow={
        "calls": """(card, CAST(started_at AS DATE)) IN (
            SELECT card, day FROM card_days
            WHERE greatest(calls_in, calls_out) >= $min_calls
              AND greatest(calls_in, calls_out) >= $min_share * (calls_in + calls_out)
        )"""
    },
    # Only cards whose calls mostly go one way are looked at, one in six at an operator's density. An incoming call
    # meets the outgoing ones of its cell and its span of eight $lead seconds, and of the next if that is so near: few
    # calls stand in two spans, and few in each. What a card has in all is joined to the pairs that are left, not to
    # every call.
    sql="""
        WITH one_way AS (
            SELECT card, day, 'in' AS direction, calls_in + calls_out AS calls FROM card_days
            WHERE day < CAST($as_of AS DATE)
              AND calls_in >= $min_calls AND calls_in >= $min_share * (calls_in + calls_out)
            UNION ALL
            SELECT card, day, 'out' AS direction, calls_in + calls_out AS calls FROM card_days
            WHERE day < CAST($as_of AS DATE)
              AND calls_out >= $min_calls AND calls_out >= $min_share * (calls_in + calls_out)
        ),
        legs AS (
            SELECT o.card, o.day, o.direction = 'in' AS listens, c.peer, c.cell, c.seconds,
                   CAST(floor(epoch(c.started_at)) AS BIGINT) AS begun
            FROM calls c
            JOIN one_way o ON o.card = c.card AND o.day = CAST(c.started_at AS DATE) AND o.direction = c.direction
            WHERE c.cell IS NOT NULL AND (c.direction = 'out' OR c.seconds > 0)
        ),
        heard AS (
            SELECT l.card, l.day, l.cell, l.seconds, l.begun,
                   (l.begun + later.seconds) // (8 * $lead) AS span
            FROM legs l CROSS JOIN (SELECT 0 AS seconds UNION ALL SELECT $lead AS seconds) later
            WHERE l.listens
              AND (later.seconds = 0 OR (l.begun + $lead) // (8 * $lead) > l.begun // (8 * $lead))
        ),
        said AS (
            SELECT card, day, peer, cell, seconds, begun, begun // (8 * $lead) AS span
            FROM legs WHERE NOT listens
        ),
        passed_on AS (
            SELECT h.card AS listener, s.card AS talker, h.day, h.begun AS heard, s.begun AS said, s.peer
            FROM heard h JOIN said s ON s.cell = h.cell AND s.span = h.span AND s.day = h.day
            WHERE s.begun >= h.begun AND s.begun <= h.begun + $lead
              AND s.begun + s.seconds <= h.begun + h.seconds
              AND h.begun + h.seconds <= s.begun + s.seconds + $tail
        ),
        pairs AS (
            SELECT listener, talker, day,
                   count(DISTINCT heard) AS heard, count(DISTINCT said) AS said, count(DISTINCT peer) AS numbers
            FROM passed_on GROUP BY listener, talker, day
        ),
        bridges AS (
            SELECT p.*, i.calls AS listener_calls, o.calls AS talker_calls FROM pairs p
            JOIN one_way i ON i.card = p.listener AND i.day = p.day AND i.direction = 'in'
            JOIN one_way o ON o.card = p.talker AND o.day = p.day AND o.direction = 'out'
            WHERE p.numbers >= $min_calls AND p.heard >= $min_calls
              AND p.heard >= $min_share * i.calls AND p.said >= $min_share * o.calls
        ),
        phones AS (
            SELECT listener AS card, day, heard AS paired, heard / listener_calls AS share, numbers FROM bridges
            UNION ALL
            SELECT talker AS card, day, said AS paired, said / talker_calls AS share, numbers FROM bridges
        )
        SELECT card, CAST(day AS TIMESTAMP) AS seen_at, max(paired) AS paired, round(max(share), 3) AS share,
               max(numbers) AS numbers
        FROM phones GROUP BY card, day
    """,
    evidence=(
        EvidenceColumn("paired", "与另一部手机搭桥的通话", "Calls passed on with another phone", "calls"),
        EvidenceColumn("share", "占当天通话的比例", "Share of its calls that day", "share"),
        EvidenceColumn("numbers", "所拨不同号码", "Numbers dialled", "numbers"),
    ),
    reason=BilingualText(
        "一天 {paired} 次通话（占 {share:.0%}）与同一小区另一部手机首尾相接，转拨 {numbers} 个号码",
        "{paired} calls in a day ({share:.0%} of its own) lie over those of a phone beside it, to {numbers} numbers",
    ),
    rebuttal=BilingualText(
        "说明当时在同一地点的人和用途（如同事、座席、门卫），带工作证明；或证明两部电话由不同的人各自使用。",
        "say who was beside you and for what work (a colleague, a desk, a doorman), with proof of the work; or show"
        " that two people used the two phones on their own.",
    ),
    flags=(
        case("five calls passed on", _bridge(5), cards=_BOTH),
        case(
            "at the limits of time and share",
            _bridge(10, lead=30, tail=60),
            _others(2, CARD, "in"),
            _others(2, _OTHER, "out"),
            cards=_BOTH,
        ),
        case(
            "the room withholds its number",
            [row | {"peer": row["peer"] if row["card"] == _OTHER else None} for row in _bridge(6)],
            cards=_BOTH,
        ),
    ),
    spares=(
        case("four calls passed on", _bridge(4), cards=_BOTH),
        case("31 seconds later", _bridge(8, lead=31), cards=_BOTH),
        case("61 seconds longer", _bridge(8, tail=61), cards=_BOTH),
        case("another cell", _bridge(8, cells=("c1", "c2")), cards=_BOTH),
        case("four numbers again and again", _bridge(8, peers=_STRANGERS[:4] * 2), cards=_BOTH),
        case("nobody takes the calls", _bridge(8, taken=False), cards=_BOTH),
        case("seven in nine of the calls of one", _bridge(7), _others(2, _OTHER, "out"), cards=_BOTH),
        case("seven in nine of the calls of the other", _bridge(7), _others(2, CARD, "in"), cards=_BOTH),
        case("called back by those it calls", _bridge(7), _others(2, _OTHER, "in"), cards=_BOTH),
        case("over two days", _bridge(4), _bridge(4, "2021-05-16 09:00", peers=_STRANGERS[4:]), cards=_BOTH),
        case(
            "two who call each other",
            calls(8, "2021-05-17 09:00", card=CARD, direction="in", peers=(_OTHER,), cell="c1"),
            calls(8, "2021-05-17 09:00", card=_OTHER, peers=(CARD,), cell="c1"),
            cards=_BOTH,
        ),
        case(
            "a doorman beside a courier",
            calls(30, "2021-05-17 09:00", every=600, direction="in", peers=30, seconds=45, cell="c1"),
            calls(60, "2021-05-17 09:00", every=290, card=_OTHER, peers=60, seconds=30, cell="c1"),
            cards=_BOTH,
        ),
        case("desks of a call centre", _desks(8), cards=_DESKS),
        case("the day is not over", _bridge(8, "2021-05-18 00:00", every=100), cards=_BOTH),
    ),
)
