"""The cases among ordinary cards: an invented province around them, and scans of both together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import SecretStr

from duanka.bootstrap.live import InboxInput, LiveRun, follow
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.scan import scan
from duanka.bootstrap.settings import Settings
from duanka.domain.policy import Policy, Setting
from duanka.domain.ports import Silent
from duanka.domain.streaming import BatchResult, IntakeBacklog
from duanka.simulator import simulate
from support.casebook.diary import COLUMNS, DAYS, FIRST, LAST, RECORDS
from support.casebook.stories import STORIES

SETTINGS = Settings(secret=SecretStr("a secret of a test, of thirty-two characters"), threads=1)
# An operator of the traveller's home may bring such a list; `national` ships none.
_ABROAD = """
[[lists.fraud_prone_places]]
city = "9805"
title = "Nepal"
authority = "Invented Joint Meeting of the invented province (simulator)"
since = 2021-01-01
until = 2021-12-31
"""


@dataclass(frozen=True)
class Judged:
    """What a scan decided about one card. `rules`: rule id -> its reason in English."""

    tier: str
    action: str
    rules: Mapping[str, str]


@dataclass(frozen=True)
class Night:
    """A scan. `morning`: the day on which its list is taken; `as_of`: records until then, None: all."""

    morning: date
    out: Path
    as_of: date | None = None
    cases: dict[str, Judged] = field(default_factory=dict)


UNSEEN = Judged("", "", {})


def national() -> Policy:
    """The policy as shipped."""
    return policy_named("national")


def stricter() -> Policy:
    """`national` of an operator that lowered limits until the published cases trip, as theirs evidently did.

    Three of five signs of a SIM box, 50 calls an hour, and 30 days without use, which alone ask.
    """
    policy = national()
    changed = {
        "sim_box": Setting(3.0, {"min_signs": 3}),
        "over_frequency": Setting(3.0, {"max_calls": 50}),
        "sleeping_card": Setting(3.0, {"days": 30}),
    }
    return replace(policy, rules={**policy.rules, **changed})


def made_world(folder: Path, cards: int = 120) -> Path:
    """Write the cases and `cards` others, who live the same six weeks, into `folder`; a file or two for each table."""
    province = folder / "province"
    simulate(province, cards=cards, days=DAYS, seed=7, start=FIRST)
    world = folder / "world"
    for table in COLUMNS:
        (world / table).mkdir(parents=True)
        lies = province / table
        pl.read_parquet(lies / "*.parquet" if lies.is_dir() else province / f"{table}.parquet").write_parquet(
            world / table / "province.parquet"
        )
        texts = [file.read_text(encoding="utf-8") for file in sorted(RECORDS.glob(f"*/{table}.csv"))]
        rows = "".join(text.partition("\n")[2] for text in texts)
        (world / table / "casebook.csv").write_text(",".join(COLUMNS[table]) + "\n" + rows, encoding="utf-8")
    lists = (province / "world.toml").read_text(encoding="utf-8") + _ABROAD
    (world / "world.toml").write_text(lists, encoding="utf-8")
    return world


def scanned(world: Path, out: Path, policy: Policy, as_of: date | None = None) -> Mapping[str, Judged]:
    """Scan, as `duanka scan` does; return what is decided about the cards of the cases."""
    moment = datetime.combine(as_of, datetime.min.time()) if as_of else None
    scan(SETTINGS, world, out, policy=policy, progress=Silent(), as_of=moment)
    return decided(out)


def followed(world: Path, out: Path, policy: Policy) -> Mapping[str, Judged]:
    """As `duanka live --once` does with the same records."""
    lists = world / "world.toml"
    asked = LiveRun(InboxInput(world), policy, out, lists=lists, once=True, pace=0.0)
    follow(SETTINGS, asked, _NoWatch(), lambda words: None)
    return decided(out)


def scanned_nights(world: Path, first: date, last: date, step: int) -> list[Night]:
    """Scans of what was known on every `step`-th night, and of all that there is, taken two days after the end."""
    policy = national()
    days = [first + timedelta(days=n) for n in range(0, (last - first).days + 1, step)]
    nights = [Night(day, world.parent / f"night-{day}", day) for day in days]
    nights.append(Night(LAST + timedelta(days=1), world.parent / "night-of-all"))
    for night in nights:
        night.cases.update(scanned(world, night.out, policy, night.as_of))
    return nights


def decided(out: Path) -> Mapping[str, Judged]:
    """The last line of decisions.jsonl about each case; UNSEEN where it has none."""
    found = dict.fromkeys((story.name for story in STORIES.values()), UNSEEN)
    names = {story.card: story.name for story in STORIES.values()}
    for line in (out / "decisions.jsonl").read_text(encoding="utf-8").splitlines():
        said: dict[str, Any] = json.loads(line)
        if name := names.get(said["card"]):
            rules = {one["rule"]: one["en"] for one in said["reasons"]}
            found[name] = Judged(said["tier"], said["action"], rules)
    return found


class _NoWatch:
    def note(self, taken: BatchResult, waiting: IntakeBacklog) -> None:
        """Forget it."""
