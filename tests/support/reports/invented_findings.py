"""Findings of an invented scan, and of an empty one."""

from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

from duanka.domain.decision import ACTION_OF_TIER, Tier
from duanka.domain.findings import CardAtRisk, Findings, HitsOfDay, Profile, Share
from duanka.domain.intake_report import FileAccount, Intake
from duanka.domain.ports import RecordCoverage, RuleRun
from duanka.domain.rule import Hit, Rule
from duanka.domain.text import BilingualText
from duanka.policy_files.loader import read_policy
from duanka.rules import RULES
from support import ROOT

POLICIES = ROOT / "policies"
NOW = datetime(2021, 5, 18)
OUTLET = "<script>alert(1)</script> & $1$ 通讯"
BOX = "356938035643809"
NOT_RUN = {"high_risk_area": ("high_risk_areas",), "fraud_prone_abroad": ("fraud_prone_places",)}


def _evidence(rule: Rule, turn: int) -> dict[str, object]:
    """A value of a fitting kind for each column of the rule."""
    values: dict[str, object] = {
        "share": 0.037,
        "IMEI": BOX,
        "local time": NOW - timedelta(days=20 + turn, hours=3),
        "": "示例",
        "of 5": 4,
        "MB": 240 + turn,
        "devices": 3 + turn % 9,
    }
    return {
        column.name: values.get(column.unit, (12 + 7 * turn + place) % 90)
        for place, column in enumerate(rule.evidence)
    }


def _reason(rule: Rule, evidence: dict[str, object], limits: dict[str, object]) -> BilingualText:
    return BilingualText(
        rule.reason.zh.format(**{**limits, **evidence}), rule.reason.en.format(**{**limits, **evidence})
    )


def _top(rules: tuple[Rule, ...], limits: dict[str, dict[str, object]]) -> tuple[CardAtRisk, ...]:
    tiers = [Tier.EXTREME] * 2 + [Tier.HIGH] * 18 + [Tier.MEDIUM] * 10
    cards = []
    for turn, tier in enumerate(tiers):
        tripped = [rules[(turn * 5 + step * 3) % len(rules)] for step in range(1 + (turn * 7) % 4)]
        if turn % 5 == 2:
            tripped += [rule for rule in rules if rule.id == "fan_out" and rule not in tripped]
        card = f"86138{turn * 7919 % 10_000:04}{turn:04}"
        evidence = {rule.id: _evidence(rule, turn) for rule in tripped}
        hits = tuple(
            Hit(card, rule.id, NOW - timedelta(days=1 + turn % 13, hours=turn), evidence[rule.id], 1 + turn)
            for rule in tripped
        )
        reasons = {rule.id: _reason(rule, evidence[rule.id], limits[rule.id]) for rule in tripped}
        cases = ("A4401-2021-0517",) if tier is Tier.EXTREME else ()
        cards.append(CardAtRisk(card, tier, ACTION_OF_TIER[tier], 9.5 - turn / 4, reasons, hits, cases))
    return tuple(cards)


def _profile(rules: tuple[Rule, ...]) -> Profile:
    outlets = tuple(
        Share(f"out{990100 + n}", name, 212 // (n + 1), 1260 + 377 * n)
        for n, name in enumerate(
            [
                OUTLET,
                "城南数码广场三楼自助开户点(原惠民手机店)",
                "Nanmen Phone Corner",
                "",
                *"甲乙丙丁戊己庚辛壬癸子丑",
            ]
        )
    )
    cities = tuple(
        Share(f"99{n:02}00", name, 431 // (n + 1), 41_000 - 1700 * n)
        for n, name in enumerate(("云泽", "临岗", "北渡", "河湾", "石梁", "长汀", "平川"))
    )
    devices = tuple(Share(f"35693803564{n:04}", "", max(0, 128 - 9 * n), 131 - 8 * n) for n in range(15))
    days = [
        HitsOfDay(
            date(2021, 5, 4) + timedelta(days=day), rule.id, (place * 13 + day * day * 3) % (9 + 40 * place)
        )
        for place, rule in enumerate(rules)
        for day in range(14)
    ]
    days.append(HitsOfDay(date(2020, 10, 10), "virtual_operator_stock", 1204))
    return Profile(outlets, cities, devices, tuple(days))


def _intake() -> Intake:
    files = (
        FileAccount("cards.parquet", "cards", 200_000, 199_998, 2),
        FileAccount("calls/2021-05-16.csv.gz", "calls", 2_310_442, 2_309_001, 1_441),
        FileAccount(
            "calls/2021-05-17.csv.gz", "calls", 1_020_300, 1_020_300, 0, "", "truncated gzip after 88 MB"
        ),
        FileAccount("calls/2021-05-16 (copy).csv.gz", "calls", 0, 0, 0, "calls/2021-05-16.csv.gz"),
        FileAccount("messages.parquet", "messages", 4_210_020, 4_210_020, 0),
    )
    ignored = {"cards.parquet": ("tariff", "remark"), "messages.parquet": ()}
    return Intake({}, {}, files, Path("quarantine.parquet"), ignored)


@cache
def invented(policy: str = "national") -> Findings:
    """A scan with something in every corner of the page."""
    read = read_policy(POLICIES / f"{policy}.toml", RULES)
    limits = {rule.id: read.limits(rule) for rule in RULES}
    running = tuple(rule for rule in RULES if rule.id not in NOT_RUN)
    per_tier = {Tier.LOW: 60, Tier.MEDIUM: 21, Tier.HIGH: 9, Tier.EXTREME: 1}
    counts = {
        (rule.id, tier): (place * 37 + 11) * per_tier[tier] % 1_900
        for place, rule in enumerate(running)
        for tier in Tier
    }
    runs = [
        RuleRun(
            rule.id,
            hits=900 + place,
            cards=sum(counts.get((rule.id, tier), 0) for tier in Tier),
            unsure={"sleeping_card": 38_112, "silent_card": 412}.get(rule.id, 0),
            lacks=NOT_RUN.get(rule.id, ()),
            without=("data_days",) if rule.id == "new_card_unused" else (),
        )
        for place, rule in enumerate(RULES)
    ]
    return Findings(
        data=Path("incoming") / "yunze-2021-05",
        policy=read,
        rules=RULES,
        limits=limits,
        span=RecordCoverage(datetime(2021, 5, 4, 0, 0, 7), datetime(2021, 5, 4, 6), NOW, NOW, 319),
        intake=_intake(),
        runs=tuple(runs),
        tiers={Tier.LOW: 9_604, Tier.MEDIUM: 713, Tier.HIGH: 388, Tier.EXTREME: 17},
        counts=counts,
        profile=_profile(running),
        top=_top(running, {rule: dict(values) for rule, values in limits.items()}),
        cards=199_998,
        lists_from=Path("lists/invented-areas.toml"),
    )


@cache
def empty() -> Findings:
    """A scan that found nothing, over no cards at all."""
    read = read_policy(POLICIES / "hebei.toml", RULES)
    return Findings(
        data=Path("nothing"),
        policy=read,
        rules=RULES,
        limits={rule.id: read.limits(rule) for rule in RULES},
        span=RecordCoverage(NOW, NOW, NOW, NOW),
        intake=Intake({}, {}, (), Path("quarantine.parquet")),
        runs=tuple(RuleRun(rule.id) for rule in RULES),
        tiers={},
        counts={},
        profile=Profile((), (), (), ()),
        top=(),
        cards=0,
    )
