"""A rule compiled for repeated runs: limits filled in, times left as parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from duanka.domain.policy import LISTS
from duanka.domain.preconditions import Linked, Precondition
from duanka.domain.rollups import ROLLUPS, Rollup
from duanka.domain.rule import Literal, Rule, Window
from duanka.domain.schema import RECORD_TABLES, TABLES
from duanka.engine.shared.hit_table import hit_rows
from duanka.engine.sql.render import MOMENTS, condition, parameters, render, tables
from duanka.engine.sql.rollup_sql import Mention, as_statements, lean, mentions, rollups_for


@dataclass(frozen=True, eq=False)
class CompiledRule:
    """A rule with its limits; `sql` and `due` are DuckDB SQL, MOMENTS its parameters.

    `select`: its hits in the columns of the table `hits`. `mentions`: tables and columns named in its statements.
    `feeds`: record tables behind the rollups it reads; its watermark is the minimum over these. `touches`: rollup or
    register -> condition on new rows that are relevant for the rule ("": all of them). `stirs`: what a hit presupposes,
    with its limit; None: nothing.
    """

    rule: Rule
    sql: str
    due: str
    feeds: frozenset[str]
    touches: Mapping[str, str]
    narrow: Mapping[str, str]
    stirs: tuple[Precondition, float] | None
    since_matters: bool
    select: str
    mentions: tuple[Mention, ...]
    narrow_mentions: tuple[Mention, ...]

    @property
    def id(self) -> str:
        """The rule's id."""
        return self.rule.id

    @property
    def rollups(self) -> frozenset[str]:
        """The rollups that it reads."""
        return frozenset(self.rule.reads) & frozenset(ROLLUPS)

    @property
    def registers(self) -> frozenset[str]:
        """The registers that it reads."""
        return frozenset(name for name in self.rule.reads if name in TABLES and not TABLES[name].record)

    @property
    def records(self) -> frozenset[str]:
        """The record tables that it reads itself, beside rollups."""
        return frozenset(self.rule.reads) & frozenset(RECORD_TABLES)

    @property
    def closes(self) -> bool:
        """Whether it is evaluated at the end of a day."""
        return not self.rule.monotone and not self.due and bool(self.rollups)


def prepare(rule: Rule, limits: Mapping[str, Literal]) -> CompiledRule:
    """Compile `rule` with `limits`."""
    narrow = {name: _condition(text, limits) for name, text in rule.narrow.items()}
    own = set(LISTS) | {"cards"}
    touches = {name: "" for name in rule.reads if name in ROLLUPS or name in TABLES}
    for name, text in rule.narrow.items():
        statement = f"SELECT 1 WHERE {text}"
        if tables(statement) <= own and parameters(statement) <= set(limits):
            touches[name] = _condition(text, limits, {"cards": "state.cards"})
    sql = render(rule.sql, limits, left=MOMENTS)
    names = parameters(rule.sql) | (parameters(rule.due) if rule.due else frozenset())
    return CompiledRule(
        rule=rule,
        sql=sql,
        due=render(rule.due, limits, left=MOMENTS) if rule.due else "",
        feeds=frozenset(part.source for rollup in rollups_for([rule]) for part in rollup.parts)
        & frozenset(TABLES),
        touches=touches,
        narrow=narrow,
        stirs=_stirs(rule, limits),
        since_matters="records_from" in names,
        select=hit_rows(rule, sql),
        mentions=mentions(rule.sql, rule.due),
        narrow_mentions=mentions(*as_statements(rule.narrow.values())),
    )


def _stirs(rule: Rule, limits: Mapping[str, Literal]) -> tuple[Precondition, float] | None:
    stirs = rule.stirs
    limit = limits[stirs.limit] if stirs else None
    if stirs is None or not isinstance(limit, int | float):
        return None
    if isinstance(stirs, Linked):  # alike, whatever the limit
        return (replace(stirs, limit=""), 2) if limit >= 2 else None
    return stirs, limit


def _condition(text: str, limits: Mapping[str, Literal], renamed: Mapping[str, str] | None = None) -> str:
    return condition(text, limits, left=MOMENTS, renamed=renamed or {})


def lean_for(prepared: Sequence[CompiledRule], *, narrowed: bool) -> list[Rollup]:
    """The rollups that these rules read, reduced to the aggregates they read."""
    reads = [one for rule in prepared for one in rule.mentions]
    if narrowed:
        reads += [one for rule in prepared for one in rule.narrow_mentions]
    return [found for rollup in ROLLUPS.values() if (found := lean(rollup, reads))]


def read_from(rules: Sequence[CompiledRule], since: datetime | None) -> datetime | None:
    """Time from which windows are read to evaluate those from `since`; None: all."""
    if since is None or any(one.rule.window is Window.LIFE for one in rules):
        return None
    back = max(one.rule.look_back for one in rules)
    return since - back if since - datetime.min > back else None
