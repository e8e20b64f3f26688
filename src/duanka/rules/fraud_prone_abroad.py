"""A card seen in a place abroad known for fraud call centres."""

from functools import partial

from duanka.domain.rule import Grade, RuleSource
from duanka.domain.rule_examples import calls, case, opened, sighting
from duanka.domain.text import BilingualText
from duanka.rules._listed_place import listed_place, listing

_PLACES = "fraud_prone_places"
_case = partial(case, lists=listing(_PLACES, "9801", "an invented place"))

RULE = listed_place(
    id="fraud_prone_abroad",
    title=BilingualText("境外涉诈高发地", "Seen in a fraud-prone place abroad"),
    source=RuleSource("MIIT notice 133 of 2021, article 4", Grade.S1, zh="工信部2021年第133号通告第四条"),
    why=BilingualText(
        "境外窝点用境内卡行骗，卡随人出境。",
        "Fraud rooms abroad work with domestic cards that travel with the mules.",
    ),
    look_alikes=BilingualText(
        "边民、边贸、旅游和务工人员：单凭到过该地不能定性。",
        "Border residents, traders, tourists and workers: having been there proves nothing by itself.",
    ),
    places=_PLACES,
    roaming=False,
    days=("在该地出现的天数", "days seen there"),
    place=("place_name", "地点", "Place"),
    reason=BilingualText(
        "出现在境外涉诈高发地 {place_name}（{authority}认定）",
        "seen in {place_name}, listed as fraud-prone by {authority}",
    ),
    rebuttal=BilingualText(
        "带护照出入境记录、机票、酒店或工作证明，说明去当地的原因；或证明手机当时不在该地。",
        "bring the stamps in your passport, tickets, hotel or work papers that say why you were there; or show that"
        " the phone was elsewhere.",
    ),
    flags=(
        _case("one call from there", calls(1, "2021-05-16 09:00", city="980101")),
        _case(
            "seen on the last day of the listing",
            opened("2020-01-01 09:00"),
            sighting("2021-05-17 12:00", city="980105"),
        ),
    ),
    spares=(
        _case("elsewhere abroad", calls(1, "2021-05-16 09:00", city="980201")),
        _case("the listing is over", sighting("2021-05-18 00:00", city="980101")),
        _case(
            "before the listing",
            sighting("2020-12-31 12:00", city="980101"),
            sighting("2021-05-17 12:00", city="990100"),
        ),
        _case(
            "a machine in a truck",
            opened("2020-01-01 09:00", kind="iot"),
            sighting("2021-05-16 12:00", city="980101"),
        ),
    ),
)
