"""An ordinary card that roams into an area listed as high-risk."""

from datetime import date, timedelta

from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource
from duanka.domain.rule_examples import Row, calls, case, opened, sighting
from duanka.domain.text import BilingualText

_LISTS: dict[str, tuple[Row, ...]] = {
    "high_risk_areas": (
        {
            "city": "9902",
            "title": "an invented area",
            "authority": "an invented authority",
            "since": date(2021, 1, 1),
            "until": date(2021, 5, 17),
        },
    )
}
_LOCAL: Row = {"home_city": "990100"}
_AWAY: Row = {"city": "990201"}

RULE = Rule(
    id="high_risk_area",
    title=BilingualText("漫游至高风险地区", "Roaming into a high-risk area"),
    source=RuleSource("Hebei notice in force 2020-12-01, trigger 3", Grade.S1),
    asks_for=Action.VERIFY,
    why=BilingualText(
        "涉诈人员和设备集中的地区，由国家机制认定并公布期限。",
        "Fraud rooms gather in places that the State's mechanism lists, for a time.",
    ),
    look_alikes=BilingualText(
        "出差、探亲、过路的人；名单须有认定机关和有效期，否则不予采用。",
        "Business trips, family visits, people passing through. A list without authority and dates is refused.",
    ),
    limits={"min_days": Limit(1, "days", BilingualText("在该地区出现的天数", "days seen in the area"))},
    reads=("card_places", "cards", "high_risk_areas"),
    needs=("high_risk_areas", "cards.home_city"),
    look_back=timedelta(days=30),
    monotone=True,
    narrow={
        # a listed place is a province, prefecture or county: two, four or six digits
        "card_places": (
            "city IN (SELECT a.city FROM high_risk_areas a)"
            " OR substr(city, 1, 4) IN (SELECT a.city FROM high_risk_areas a)"
            " OR substr(city, 1, 2) IN (SELECT a.city FROM high_risk_areas a)"
        ),
    },
    sql="""
        WITH days AS (
            SELECT p.card, coalesce(a.title, a.city) AS area, a.authority, p.day, min(p.first_seen) AS first_seen
            FROM card_places p
            JOIN high_risk_areas a ON starts_with(p.city, a.city) AND p.day BETWEEN a.since AND a.until
            JOIN cards c ON c.card = p.card
            WHERE coalesce(c.kind, 'voice') = 'voice'
              AND c.home_city IS NOT NULL AND NOT starts_with(c.home_city, a.city)
            GROUP BY p.card, coalesce(a.title, a.city), a.authority, p.day
        ),
        in_order AS (
            SELECT *, row_number() OVER (PARTITION BY card, area, authority ORDER BY day) AS place,
                   count(*) OVER (PARTITION BY card, area, authority) AS days_seen
            FROM days
        )
        SELECT card, first_seen AS seen_at, area, authority, days_seen FROM in_order WHERE place = $min_days
    """,
    evidence=(
        EvidenceColumn("area", BilingualText("地区", "Area"), ""),
        EvidenceColumn("authority", BilingualText("认定机关", "Listed by"), ""),
        EvidenceColumn("days_seen", BilingualText("出现天数", "Days seen there"), "days"),
    ),
    reason=BilingualText(
        "漫游至高风险地区 {area}（{authority}认定）", "roamed into {area}, listed as high-risk by {authority}"
    ),
    flags=(
        case(
            "one call from the area",
            opened("2020-01-01 09:00", **_LOCAL),
            calls(1, "2021-05-16 09:00", **_AWAY),
            lists=_LISTS,
        ),
        case(
            "on the last day of the listing",
            opened("2020-01-01 09:00", **_LOCAL),
            sighting("2021-05-17 23:59", **_AWAY),
            lists=_LISTS,
        ),
    ),
    spares=(
        case(
            "at home",
            opened("2020-01-01 09:00", **_LOCAL),
            calls(9, "2021-05-16 09:00", city="990100"),
            lists=_LISTS,
        ),
        case(
            "lives in the area",
            opened("2020-01-01 09:00", home_city="990205"),
            calls(9, "2021-05-16 09:00", **_AWAY),
            lists=_LISTS,
        ),
        case(
            "the listing is over",
            opened("2020-01-01 09:00", **_LOCAL),
            sighting("2021-05-18 00:00", **_AWAY),
            lists=_LISTS,
        ),
        case(
            "before the listing",
            opened("2020-01-01 09:00", **_LOCAL),
            sighting("2020-12-31 23:59", **_AWAY),
            sighting("2021-05-17 23:59", city="990100"),
            lists=_LISTS,
        ),
        case(
            "home unknown, so roaming unknown",
            opened("2020-01-01 09:00"),
            opened("2020-01-01 09:00", card="8613800000099", **_LOCAL),
            calls(1, "2021-05-16 09:00", **_AWAY),
            lists=_LISTS,
        ),
    ),
)
