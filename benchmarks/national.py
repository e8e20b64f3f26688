"""What benchmarks of engines run: a world as intake leaves it, and the national policy with its lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from duanka.bootstrap.scan import policy_named, records_mapping, with_lists
from duanka.domain.policy import Policy
from duanka.domain.rule import Literal, Rule
from duanka.ingest import take_in
from duanka.policy_files.loader import read_lists
from duanka.rules import RULES


@dataclass(frozen=True)
class National:
    """`tables`: table -> its Parquet files; `columns`: table -> its columns; `rules` with their limits."""

    tables: Mapping[str, tuple[Path, ...]]
    columns: Mapping[str, frozenset[str]]
    policy: Policy
    rules: list[tuple[Rule, Mapping[str, Literal]]]


@cache
def national(world: Path) -> National:
    """Read `world` as the code does today, into a folder beside it that an earlier run may have left."""
    policy = policy_named("national")
    if (world / "world.toml").exists():
        policy = with_lists(policy, read_lists(world / "world.toml"))
    canonical = world.with_name(f"{world.name}.canonical")
    intake = take_in(world, canonical, mapping=records_mapping(None, policy))
    return National(intake.tables, intake.columns, policy, [(rule, policy.limits(rule)) for rule in RULES])
