"""Family of rules: a card seen in a place that an authority lists for a time."""

from datetime import date, timedelta

from duanka.domain.rule import Action, EvidenceColumn, Limit, Rule, RuleSource
from duanka.domain.rule_examples import Case, Row
from duanka.domain.text import BilingualText


def listing(places: str, city: str, title: str) -> dict[str, tuple[Row, ...]]:
    """The policy's list `places` with one place, listed from 2021-01-01 to 2021-05-17."""
    dates = {"since": date(2021, 1, 1), "until": date(2021, 5, 17)}
    return {places: ({"city": city, "title": title, "authority": "an invented authority", **dates},)}


def listed_place(
    *,
    id: str,  # noqa: A002
    title: BilingualText,
    source: RuleSource,
    why: BilingualText,
    look_alikes: BilingualText,
    places: str,
    roaming: bool,
    days: tuple[str, str],
    place: tuple[str, str, str],
    reason: BilingualText,
    rebuttal: BilingualText,
    flags: tuple[Case, ...],
    spares: tuple[Case, ...],
) -> Rule:
    """Build a rule about the policy's list `places`.

    `roaming`: only cards whose home city is elsewhere. `days`: meaning of the limit in Chinese and English.
    `place`: name and titles of the evidence column that names the place.
    """
    name = place[0]
    known = "JOIN cards c ON c.card = p.card"
    away = "AND c.home_city IS NOT NULL AND NOT starts_with(c.home_city, a.city)"
    return Rule(
        id=id,
        title=title,
        source=source,
        asks_for=Action.VERIFY,
        why=why,
        look_alikes=look_alikes,
        limits={"min_days": Limit(1, "days", *days)},
        reads=("card_places", "cards", places),
        needs=(places, "cards.home_city") if roaming else (places,),
        look_back=timedelta(days=30),
        monotone=True,
        # a listed place is a province, prefecture or county: two, four or six digits
        narrow={
            "card_places": " OR ".join(
                f"{code} IN (SELECT a.city FROM {places} a)"
                for code in ("city", "substr(city, 1, 4)", "substr(city, 1, 2)")
            )
        },
        sql=f"""
            WITH days AS (
                SELECT p.card, coalesce(a.title, a.city) AS {name}, a.authority, p.day,
                       min(p.first_seen) AS first_seen
                FROM card_places p
                JOIN {places} a ON starts_with(p.city, a.city) AND p.day BETWEEN a.since AND a.until
                {known if roaming else f"LEFT {known}"}
                WHERE coalesce(c.kind, 'voice') = 'voice' {away if roaming else ""}
                GROUP BY p.card, coalesce(a.title, a.city), a.authority, p.day
            ),
            in_order AS (
                SELECT *, row_number() OVER (PARTITION BY card, {name}, authority ORDER BY day) AS place,
                       count(*) OVER (PARTITION BY card, {name}, authority) AS days_seen
                FROM days
            )
            SELECT card, first_seen AS seen_at, {name}, authority, days_seen FROM in_order WHERE place = $min_days
        """,
        evidence=(
            EvidenceColumn(*place, ""),
            EvidenceColumn("authority", "认定机关", "Listed by", ""),
            EvidenceColumn("days_seen", "出现天数", "Days seen there", "days"),
        ),
        reason=reason,
        rebuttal=rebuttal,
        flags=flags,
        spares=spares,
    )
