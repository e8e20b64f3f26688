"""What the benchmarks of whole scans run: a world on disk, and the national policy with its lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from duanka.bootstrap.scan import policy_named, with_lists
from duanka.domain.policy import Policy
from duanka.domain.rule import Literal, Rule
from duanka.domain.schema import TABLES
from duanka.policy_files.loader import read_lists
from duanka.rules import RULES


@dataclass(frozen=True)
class National:
    """`tables`: table -> its Parquet files; `columns`: table -> its columns; `rules` with their limits."""

    tables: Mapping[str, list[Path]]
    columns: Mapping[str, frozenset[str]]
    policy: Policy
    rules: list[tuple[Rule, Mapping[str, Literal]]]


def national(world: Path) -> National:
    """Find what lies in `world`."""
    found = {
        name: sorted((world / name).glob("*.parquet"))
        if (world / name).is_dir()
        else [p for p in [world / f"{name}.parquet"] if p.exists()]
        for name in TABLES
    }
    tables = {name: paths for name, paths in found.items() if paths}
    if "cases" in tables:
        tables["cases"] = [_checked(path) for path in tables["cases"]]
    columns = {name: frozenset(pq.read_schema(paths[0]).names) for name, paths in tables.items()}
    policy = policy_named("national")
    if (world / "world.toml").exists():
        policy = with_lists(policy, read_lists(world / "world.toml"))
    return National(tables, columns, policy, [(rule, policy.limits(rule)) for rule in RULES])


def _checked(cases: Path) -> Path:
    """Write police cases as intake leaves them: with a column for the source that signed them, here empty."""
    canonical = cases.with_name("cases.canonical")
    table = pq.read_table(cases)
    pq.write_table(table.append_column("signed_by", pa.nulls(table.num_rows, pa.string())), canonical)
    return canonical
