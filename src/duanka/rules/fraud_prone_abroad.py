"""A card seen in a place abroad known for fraud call centres."""

from datetime import date, timedelta

from duanka.domain.rule import Action, EvidenceColumn, Grade, Limit, Rule, RuleSource
from duanka.domain.rule_examples import Row, calls, case, opened, sighting
from duanka.domain.text import BilingualText

_LISTS: dict[str, tuple[Row, ...]] = {
    "fraud_prone_places": (
        {
            "city": "9801",
            "title": "an invented place",
            "authority": "an invented authority",
            "since": date(2021, 1, 1),
            "until": date(2021, 5, 17),
        },
    )
}

RULE = Rule(
    id="fraud_prone_abroad",
    title=BilingualText("境外涉诈高发地", "Seen in a fraud-prone place abroad"),
    source=RuleSource("MIIT notice 133 of 2021, article 4", Grade.S1),
    asks_for=Action.VERIFY,
    why=BilingualText(
        "境外窝点用境内卡行骗，卡随人出境。",
        "Fraud rooms abroad work with domestic cards that travel with the mules.",
    ),
    look_alikes=BilingualText(
        "边民、边贸、旅游和务工人员：单凭到过该地不能定性。",
        "Border residents, traders, tourists and workers: having been there proves nothing by itself.",
    ),
    limits={"min_days": Limit(1, "days", BilingualText("在该地出现的天数", "days seen there"))},
    reads=("card_places", "cards", "fraud_prone_places"),
    needs=("fraud_prone_places",),
    look_back=timedelta(days=30),
    monotone=True,
    narrow={
        # a listed place is a province, prefecture or county: two, four or six digits
        "card_places": (
            "city IN (SELECT a.city FROM fraud_prone_places a)"
            " OR substr(city, 1, 4) IN (SELECT a.city FROM fraud_prone_places a)"
            " OR substr(city, 1, 2) IN (SELECT a.city FROM fraud_prone_places a)"
        ),
    },
    sql="""
        WITH days AS (
            SELECT p.card, coalesce(a.title, a.city) AS place_name, a.authority, p.day, min(p.first_seen) AS first_seen
            FROM card_places p
            JOIN fraud_prone_places a ON starts_with(p.city, a.city) AND p.day BETWEEN a.since AND a.until
            LEFT JOIN cards c ON c.card = p.card
            WHERE coalesce(c.kind, 'voice') = 'voice'
            GROUP BY p.card, coalesce(a.title, a.city), a.authority, p.day
        ),
        in_order AS (
            SELECT *, row_number() OVER (PARTITION BY card, place_name, authority ORDER BY day) AS place,
                   count(*) OVER (PARTITION BY card, place_name, authority) AS days_seen
            FROM days
        )
        SELECT card, first_seen AS seen_at, place_name, authority, days_seen FROM in_order WHERE place = $min_days
    """,
    evidence=(
        EvidenceColumn("place_name", BilingualText("地点", "Place"), ""),
        EvidenceColumn("authority", BilingualText("认定机关", "Listed by"), ""),
        EvidenceColumn("days_seen", BilingualText("出现天数", "Days seen there"), "days"),
    ),
    reason=BilingualText(
        "出现在境外涉诈高发地 {place_name}（{authority}认定）",
        "seen in {place_name}, listed as fraud-prone by {authority}",
    ),
    flags=(
        case("one call from there", calls(1, "2021-05-16 09:00", city="980101"), lists=_LISTS),
        case(
            "seen on the last day of the listing",
            opened("2020-01-01 09:00"),
            sighting("2021-05-17 12:00", city="980105"),
            lists=_LISTS,
        ),
    ),
    spares=(
        case("elsewhere abroad", calls(1, "2021-05-16 09:00", city="980201"), lists=_LISTS),
        case("the listing is over", sighting("2021-05-18 00:00", city="980101"), lists=_LISTS),
        case(
            "before the listing",
            sighting("2020-12-31 12:00", city="980101"),
            sighting("2021-05-17 12:00", city="990100"),
            lists=_LISTS,
        ),
        case(
            "a machine in a truck",
            opened("2020-01-01 09:00", kind="iot"),
            sighting("2021-05-16 12:00", city="980101"),
            lists=_LISTS,
        ),
    ),
)
