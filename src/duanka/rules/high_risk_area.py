"""An ordinary card that roams into an area listed as high-risk."""

from functools import partial

from duanka.domain.rule import Grade, RuleSource
from duanka.domain.rule_examples import Row, calls, case, opened, sighting
from duanka.domain.text import BilingualText
from duanka.rules._listed_place import listed_place, listing

_PLACES = "high_risk_areas"
_LOCAL = opened("2020-01-01 09:00", home_city="990100")
_AWAY: Row = {"city": "990201"}
_case = partial(case, lists=listing(_PLACES, "9902", "an invented area"))

RULE = listed_place(
    id="high_risk_area",
    title=BilingualText("漫游至高风险地区", "Roaming into a high-risk area"),
    source=RuleSource(
        "Hebei notice in force 2020-12-01, trigger 3",
        Grade.S1,
        zh="河北2020年12月1日起施行的通告，触发条件三",
    ),
    why=BilingualText(
        "涉诈人员和设备集中的地区，由国家机制认定并公布期限。",
        "Fraud rooms gather in places that the State's mechanism lists, for a time.",
    ),
    look_alikes=BilingualText(
        "出差、探亲、过路的人；名单须有认定机关和有效期，否则不予采用。",
        "Business trips, family visits, people passing through. A list without authority and dates is refused.",
    ),
    places=_PLACES,
    roaming=True,
    days=("在该地区出现的天数", "days seen in the area"),
    place=("area", "地区", "Area"),
    reason=BilingualText(
        "漫游至高风险地区 {area}（{authority}认定）", "roamed into {area}, listed as high-risk by {authority}"
    ),
    rebuttal=BilingualText(
        "带车票、住宿、工作或探亲证明，说明去当地的原因；或证明手机当时不在该地；也可要求出示该地的认定机关和有效期。",
        "bring tickets, lodging, work or family papers that say why you were there; or show that the phone was"
        " elsewhere; you may ask who listed the place and until when.",
    ),
    flags=(
        _case("one call from the area", _LOCAL, calls(1, "2021-05-16 09:00", **_AWAY)),
        _case("on the last day of the listing", _LOCAL, sighting("2021-05-17 23:59", **_AWAY)),
    ),
    spares=(
        _case("at home", _LOCAL, calls(9, "2021-05-16 09:00", city="990100")),
        _case(
            "lives in the area",
            opened("2020-01-01 09:00", home_city="990205"),
            calls(9, "2021-05-16 09:00", **_AWAY),
        ),
        _case("the listing is over", _LOCAL, sighting("2021-05-18 00:00", **_AWAY)),
        _case(
            "before the listing",
            _LOCAL,
            sighting("2020-12-31 23:59", **_AWAY),
            sighting("2021-05-17 23:59", city="990100"),
        ),
        _case(
            "home unknown, so roaming unknown",
            opened("2020-01-01 09:00"),
            {**_LOCAL, "card": "8613800000099"},
            calls(1, "2021-05-16 09:00", **_AWAY),
        ),
    ),
)
