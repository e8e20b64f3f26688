"""Lists and pages of cases, for people and programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from duanka.casework.cases.seeds import BY_HAND, SEED
from duanka.cli.output.grid import facts, grid
from duanka.cli.output.list_columns import ListColumn, Listing
from duanka.cli.shell.language import shown
from duanka.cli.shell.process import Indented, Prose
from duanka.domain.case_file import (
    CaseItem,
    CaseOutcome,
    CaseState,
    CaseSummary,
    GroundKind,
    ItemKind,
    TimelineEntry,
)
from duanka.domain.local_time import operator_zone
from duanka.domain.rings import RingRole
from duanka.domain.text import BilingualText, Many

if TYPE_CHECKING:
    from duanka.casework.cases.queries import CaseView

_ABOUT = {
    ItemKind.CARD: BilingualText("{n} 个号码", "{n:card|cards}"),
    ItemKind.DEVICE: BilingualText("{n} 个终端", "{n:device|devices}"),
    ItemKind.PLACE: BilingualText("{n} 个地点", "{n:place|places}"),
    ItemKind.OUTLET: BilingualText("{n} 个网点", "{n:outlet|outlets}"),
    ItemKind.RING: BilingualText("{n} 个团伙", "{n:ring|rings}"),
}
_CONFIRMED = BilingualText("其中涉案 {n} 个", "{n} of them confirmed by the police")
_TITLE = BilingualText("案件 {id}：{title}", "Case {id}: {title}")
_TIMELINE = BilingualText("\n时间线（最近 {here} 条，共 {n} 条）", "\nTimeline (the latest {here} of {n})")
_NOTES, _ITEMS = BilingualText("\n记事", "\nNotes"), BilingualText("\n内容", "\nWhat it is about")
_FACTS = (
    BilingualText("状态", "state"),
    BilingualText("依据", "ground"),
    BilingualText("起点", "began at"),
    BilingualText("立案", "opened"),
    BilingualText("批准人", "approved by"),
    BilingualText("承办人", "assigned to"),
    BilingualText("更新", "updated"),
    BilingualText("来源", "split from"),
    BilingualText("去向", "merged into"),
)
_COLUMNS = (
    BilingualText("类型", "what"),
    BilingualText("编号", "number"),
    BilingualText("涉案案件", "police case"),
    BilingualText("角色", "role"),
    BilingualText("确定度", "certainty"),
    BilingualText("城市", "city"),
    BilingualText("来源", "from"),
)
_ENTRY = BilingualText("{at}  {what}  {about}  {who}", "{at}  {what}  {about}  {who}")
_MORE = BilingualText(
    "只显示 {here} 项，共 {n} 项；--items {all} 显示全部", "{here} of {n} shown; --items {all} shows all"
)
_SOURCES = {SEED: BilingualText("起点", "seed"), BY_HAND: BilingualText("人工加入", "named by a person")}
_NONE = BilingualText("（无标题）", "(no title)")


@dataclass(frozen=True)
class Fetched:
    """A page of cases as lists fetch them."""

    items: Sequence[CaseSummary]
    next: str | None


CASES: Listing[CaseSummary] = Listing(
    BilingualText("案件", "cases"),
    (
        ListColumn("id", ("案件", "case"), lambda one: one.id),
        ListColumn("state", ("状态", "state"), lambda one: one.state.value, word=CaseState, least=8),
        ListColumn("cards", ("号码", "cards"), lambda one: one.items.get(ItemKind.CARD, 0), right=True),
        ListColumn("confirmed", ("涉案", "confirmed"), lambda one: one.confirmed, right=True),
        ListColumn("assigned_to", ("承办人", "assigned"), lambda one: one.assigned_to or "", least=8),
        ListColumn("updated_at", ("更新", "updated"), lambda one: one.updated_at),
        ListColumn("title", ("标题", "title"), lambda one: one.title, least=10, spare=1),
        ListColumn("ground", ("依据", "ground"), lambda one: one.ground.kind.value, word=GroundKind, spare=2),
        ListColumn("ground_number", None, lambda one: one.ground.number),
        ListColumn(
            "devices", ("终端", "devices"), lambda one: one.items.get(ItemKind.DEVICE, 0), right=True, spare=3
        ),
        ListColumn(
            "outlets", ("网点", "outlets"), lambda one: one.items.get(ItemKind.OUTLET, 0), right=True, spare=4
        ),
        ListColumn("opened_by", None, lambda one: one.opened_by),
        ListColumn("opened_at", ("立案", "opened"), lambda one: one.opened_at, spare=5),
        ListColumn("closed_at", None, lambda one: one.closed_at),
        ListColumn("outcome", None, lambda one: one.outcome.value if one.outcome else "", word=CaseOutcome),
        ListColumn("merged_into", None, lambda one: one.merged_into),
        ListColumn("split_from", None, lambda one: one.split_from),
        ListColumn("change", None, lambda one: one.change),
    ),
    ("state", "assigned_to", "ground"),
)


def what_it_is_about(case: CaseSummary) -> str:
    """Counts of what a case is about."""
    told = [shown(_ABOUT[kind], n=Many(count)) for kind, count in case.items.items() if count]
    told += [shown(_CONFIRMED, n=Many(case.confirmed))] if case.confirmed else []
    return shown(BilingualText("，", ", ")).join(told)


def case_page(view: CaseView, most_items: int) -> RenderableType:
    """A case: its facts, `most_items` of what it is about, notes and timeline."""
    case = view.file.case
    parts: list[RenderableType] = [
        Prose(shown(_TITLE, id=case.id, title=case.title or shown(_NONE)), style="bold"),
        facts(_facts(case)),
        what_it_is_about(case),
        Prose(shown(_ITEMS), style="bold"),
        grid(_COLUMNS, [_item(item) for item in view.file.items[:most_items]]),
    ]
    if (items := len(view.file.items)) > most_items:
        parts.append(Prose(shown(_MORE, here=most_items, n=Many(items), all=items)))
    if view.file.notes:
        parts.append(Prose(shown(_NOTES), style="bold"))
        parts += [Indented(f"{_at(note.at)}  {note.who}: {note.text}") for note in view.file.notes]
    title = shown(_TIMELINE, here=len(view.entries), n=Many(view.in_all))
    parts.append(Prose(title, style="bold"))
    parts += [Indented("\n".join(_entry(entry))) for entry in view.entries]
    return Group(*parts)


def _facts(case: CaseSummary) -> list[tuple[str, str]]:
    ground = shown(case.ground.kind.words) + (f" {case.ground.number}" if case.ground.number else "")
    outcome = f" ({shown(case.outcome.words)})" if case.outcome else ""
    values = (
        shown(case.state.words) + outcome,
        ground,
        f"{shown(ItemKind(case.seed_kind).words)} {case.seed}",
        f"{_at(case.opened_at)}  {case.opened_by}",
        case.approved_by,
        case.assigned_to,
        _at(case.updated_at),
        case.split_from,
        case.merged_into,
    )
    return [(shown(name), value) for name, value in zip(_FACTS, values, strict=True) if value]


def _item(item: CaseItem) -> tuple[str, ...]:
    roles = {one.value: one.words for one in RingRole}
    role = shown(roles[item.role]) if item.role in roles else item.role
    certainty = "-" if item.certainty is None else f"{item.certainty}%"
    named = (shown(item.kind.words), item.value, ", ".join(item.confirmed) or "-")
    source = shown(_SOURCES[item.source]) if item.source in _SOURCES else item.source
    return (*named, role or "-", certainty, item.city or "-", source)


def _entry(entry: TimelineEntry) -> list[str]:
    """One line, and the detail below it."""
    at, what = _at(entry.at), shown(entry.what)
    first = shown(_ENTRY, at=at, what=what, about=entry.about, who=entry.who).rstrip()
    return [first, *([f"{'':18}{entry.detail}"] if entry.detail else [])]


def _at(at: object) -> str:
    return f"{operator_zone().local(at):%Y-%m-%d %H:%M}" if at else "-"  # type: ignore[arg-type]
