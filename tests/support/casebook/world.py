"""The cases among ordinary cards: an invented province around them, and scans of both together."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
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
from duanka.domain.text import BilingualText
from duanka.simulator import simulate
from support.casebook.diary import COLUMNS, DAYS, FIRST, LAST, RECORDS
from support.casebook.stories import STORIES

WORLD = "world"  # of a folder, the records
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
    """What a scan decided about one card. `rules`: rule id -> its reason, heaviest first."""

    tier: str
    action: str
    rules: Mapping[str, BilingualText]


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


@dataclass(frozen=True)
class Night:
    """A scan of what was known at the beginning of `as_of`, None: all; its list is taken that `morning`."""

    name: str
    policy: Callable[[], Policy]
    morning: date
    as_of: date | None = None


_AFTER = LAST + timedelta(days=1)
EVERY_FOURTH = tuple(
    Night(f"national-{day}", national, day, day)
    for day in (date(2021, 5, 25) + timedelta(days=n) for n in range(0, 20, 4))
)
FIRST_EVENING = EVERY_FOURTH[0]  # of the teacher's calls; the traveller is in Nepal
SECOND_EVENING = Night("national-2021-05-26", national, date(2021, 5, 26), date(2021, 5, 26))
ALL, STRICTER = Night("national-all", national, _AFTER), Night("stricter-all", stricter, _AFTER)
LIVE = Night("live", national, _AFTER)  # the same records through a live run
NIGHTS = (*EVERY_FOURTH, SECOND_EVENING, ALL, STRICTER)


def made(folder: Path) -> None:
    """Write the cases and a hundred others, who live the same six weeks, into `folder`, and all scans of them."""
    _world(folder)
    for night in NIGHTS:
        moment = datetime.combine(night.as_of, datetime.min.time()) if night.as_of else None
        out = folder / night.name
        scan(SETTINGS, folder / WORLD, out, policy=night.policy(), progress=Silent(), as_of=moment)
    lists = folder / WORLD / "world.toml"
    asked = LiveRun(
        InboxInput(folder / WORLD), national(), folder / LIVE.name, lists=lists, once=True, pace=0.0
    )
    follow(SETTINGS, asked, _NoWatch(), lambda words: None)


def _world(folder: Path) -> None:
    province = folder / "province"
    simulate(province, cards=100, days=DAYS, seed=7, start=FIRST)
    world = folder / WORLD
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


def decided(out: Path) -> Mapping[str, Judged]:
    """The last line of decisions.jsonl about each case; UNSEEN where it has none."""
    found = dict.fromkeys((story.name for story in STORIES.values()), UNSEEN)
    names = {story.card: story.name for story in STORIES.values()}
    for line in (out / "decisions.jsonl").read_text(encoding="utf-8").splitlines():
        said: dict[str, Any] = json.loads(line)
        if name := names.get(said["card"]):
            rules = {one["rule"]: BilingualText(one["zh"], one["en"]) for one in said["reasons"]}
            found[name] = Judged(said["tier"], said["action"], rules)
    return found


class _NoWatch:
    def note(self, taken: BatchResult, waiting: IntakeBacklog) -> None:
        """Forget it."""
