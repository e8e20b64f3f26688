"""What changed for a rule since it was last judged over a store: days, and cards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pydantic import BaseModel

from duanka.domain.policy import LISTS
from duanka.domain.rollups import CARD_DEVICES, CARD_LIFE, ROLLUPS
from duanka.domain.rule import Literal, Rule, Window
from duanka.domain.schema import TABLES
from duanka.engine.batch.rollup_scopes import LIFE, Files, rollup_files
from duanka.engine.shared.coverage import known
from duanka.engine.shared.duckdb_database import arrow_schema, quoted
from duanka.engine.sql.render import columns
from duanka.engine.store.manifest import FileKind, Manifest

_DAY = timedelta(days=1)
_MOVING = frozenset({"last_used_at", "verified_at"})  # columns of the register that passes and time change
_SHARE = 0.6  # share of the days; if more changed, a rule is judged over all days


class LastJudgement(BaseModel):
    """The last judgement of a rule. `fingerprint`: of all but the records; `first`, `until`: days that counted."""

    fingerprint: str
    generation: int
    first: datetime
    until: datetime


def fingerprint(
    rule: Rule,
    limits: Mapping[str, Literal],
    lists: Mapping[str, Sequence[Mapping[str, object]]],
    without: Sequence[str],
) -> str:
    """Fingerprint of a rule's SQL, limits, lists and missing tables."""
    texts = [rule.sql, *sorted(rule.narrow.values()), *without]
    texts.append(json.dumps(sorted(limits.items()), default=str))
    texts += [json.dumps(lists.get(name, ()), default=str) for name in rule.reads if name in LISTS]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class ChangesSince:
    """Hits on `days`, and all hits of the `cards` (a table; "": none), are judged again, from what lies on `read`."""

    days: frozenset[date]
    read: frozenset[date]
    cards: str
    scope: str

    @classmethod
    def of(
        cls,
        rule: Rule,
        last: LastJudgement,
        now: LastJudgement,
        manifest: Manifest,
        before: Manifest,
        files: Files,
        table: Callable[[str, str], bool],
    ) -> ChangesSince | None:
        """Find the changes; None: judge the rule over all days and cards.

        `manifest`: of the coming commit. `table`: makes a table of a SELECT, once; whether it has rows.
        """
        found = _Comparison(rule, last, now, manifest, before, files, table)
        if not found.possible:
            return None
        days = found.days()
        counted = now.until.date() - now.first.date()
        if len(days) > _SHARE * counted.days:
            return None
        read = {day - k * _DAY for day in days for k in range(rule.look_back.days + 1)}
        selects = [select for select in (found.registered(), found.housed()) if select]
        cards = ""
        if selects:
            cards = f"changed_{rule.id}"
            used = f"SELECT card FROM ({found.used_before()})"
            changed = f"SELECT DISTINCT card FROM ({' UNION '.join(selects)}) WHERE card IN ({used})"
            cards = cards if table(cards, changed) else ""
        return cls(frozenset(days), frozenset(read), cards, f"days_{rule.look_back.days}")


@dataclass(frozen=True)
class _Comparison:
    """A rule's last judgement and the coming one."""

    rule: Rule
    last: LastJudgement
    now: LastJudgement
    manifest: Manifest
    before: Manifest
    files: Files
    table: Callable[[str, str], bool]

    @property
    def possible(self) -> bool:
        """Whether the rule can be judged by difference at all."""
        rule, last, now = self.rule, self.last, self.now
        if rule.window is Window.LIFE or rule.due or rule.unsure or rule.together not in ("", "imei", "cell"):
            return False
        registers = {name for name in rule.reads if name in TABLES and not TABLES[name].record}
        if not registers <= {"cards"} or self._columns & _MOVING:
            return False
        manifest = self.manifest
        grown = all(self.before.life.get(name, set()) <= manifest.life.get(name, set()) for name in LIFE)
        same = all(
            bool(self.before.paths(kind, name)) == bool(manifest.paths(kind, name))
            for kind, name in ((FileKind.REGISTERS, "cards"), (FileKind.LIFE, "card_devices"))
        )
        return (
            last.fingerprint == now.fingerprint
            and last.generation == self.before.generation
            and last.until <= now.until
            and grown
            and same
        )

    @property
    def _columns(self) -> frozenset[str]:
        """The columns of the register of cards that the rule reads."""
        if "cards" not in self.rule.reads:
            return frozenset()
        return columns(self.rule.sql) & {column.name for column in TABLES["cards"].columns}

    def _new(self, names: set[str]) -> list[str]:
        """The partial rollups that came since, of these names."""
        return [
            path
            for path, file in self.manifest.files.items()
            if path not in self.before.files and file.kind is FileKind.ROLLUPS and file.name in names
        ]

    def days(self) -> set[date]:
        """The days whose hits may differ."""
        first, until = self.now.first.date(), self.now.until.date()
        read = {name for name in self.rule.reads if name in ROLLUPS and name not in LIFE}
        files = self.manifest.files
        changed = {day for path in self._new(read) if (day := files[path].day)}
        # days that closed, and earlier days that did not count; hits of days that count no more are dropped
        changed |= _between(self.last.until.date(), until)
        changed |= _between(first, self.last.first.date())
        late = {day + k * _DAY for day in changed for k in range(self.rule.look_back.days + 1)}
        if self.rule.first_only and late:  # an earlier hit hides the later ones
            late |= _between(min(late), until)
        return {day for day in late if first <= day < until}

    def used_before(self) -> str:
        """SELECT of the cards that may have hits on other days than those of new records: used before, or hit."""
        hits = f"SELECT card FROM stood WHERE rule = {quoted(self.rule.id)}"
        life = self.before.paths(FileKind.LIFE, CARD_LIFE.name)
        return (
            f"{hits} UNION ALL SELECT card FROM {rollup_files(self.files, life, CARD_LIFE)}" if life else hits
        )

    def registered(self) -> str:
        """SELECT of the cards whose row in the register differs in what the rule reads; "" if it reads none."""
        if not self._columns:
            return ""
        register = TABLES["cards"]
        paths = [m.paths(FileKind.REGISTERS, register.name) for m in (self.before, self.manifest)]
        if not all(paths):
            return ""
        wanted = sorted({"card", *self._columns})
        old, new = (
            known(register, self.files(of_then, arrow_schema(register)), then.until, wanted)
            for of_then, then in zip(paths, (self.last, self.now), strict=True)
        )
        # rules that can be judged by difference were all judged by the last commit: one comparison for all of them
        table = f"registered_{'_'.join(wanted)}"
        self.table(table, f"SELECT DISTINCT card FROM (({old} EXCEPT {new}) UNION ALL ({new} EXCEPT {old}))")
        return f"SELECT card FROM {table}"

    def housed(self) -> str:
        """SELECT of the cards in devices that took a new card; "" if the rule does not look at them together."""
        new = self._new({CARD_DEVICES.name})
        if self.rule.together != "imei" or not new:
            return ""
        before, now = (m.paths(FileKind.LIFE, CARD_DEVICES.name) for m in (self.before, self.manifest))
        came, was, is_now = (rollup_files(self.files, paths, CARD_DEVICES) for paths in (new, before, now))
        # with aliases: a bare `imei` after USING is taken for that of the outer query, and all devices are found
        devices = (
            f"SELECT DISTINCT n.imei FROM {came} AS n ANTI JOIN {was} AS w ON n.card = w.card AND n.imei = w.imei"
            " WHERE n.imei IS NOT NULL"
        )
        shared = f"SELECT imei FROM {is_now} WHERE imei IN ({devices}) GROUP BY imei HAVING count(*) > 1"
        return f"SELECT card FROM {is_now} WHERE imei IN ({shared})"


def _between(first: date, until: date) -> set[date]:
    return {first + k * _DAY for k in range((until - first).days)}
