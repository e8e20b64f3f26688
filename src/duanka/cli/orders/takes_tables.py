"""Output of takes, their previews, and decisions on hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Group, RenderableType

from duanka.cli.orders.story_tables import local
from duanka.cli.output.grid import grid
from duanka.cli.output.list_columns import ListColumn, Listing, in_cell
from duanka.cli.shell.language import language, shown, term, tier
from duanka.cli.shell.process import CAUTION, Indented, Prose
from duanka.domain.bulk_action import BulkActionState
from duanka.domain.decision import Tier
from duanka.domain.phone_masking import masked_text
from duanka.domain.take import Take
from duanka.domain.text import BilingualText
from duanka.orders.bulk_actions.withdrawal import OpenVerifications
from duanka.orders.intake.kept_decisions import Why
from duanka.orders.intake.take_record import Narrower, folder_of
from duanka.orders.intake.takes import HeldShown, KeptShown, Undone, summary
from duanka.orders.intake.taking import Preview, TakeResult

_CITIES_SHOWN, _LEFT_SHOWN = 12, 10

# Labels of the counts: outcomes of decisions, and tiers.
_COUNTED = {
    "opened": BilingualText("新建", "opened"),
    "attached": BilingualText("追加", "attached"),
    "stopped": BilingualText("停机", "stopped"),
    "protected": BilingualText("受保护", "protected"),
    "withdrawn": BilingualText("撤回", "withdrawn"),
    "aside": BilingualText("搁置", "aside"),
    "left": BilingualText("无须处置", "without action"),
    "unsealed": BilingualText("无密封", "unsealed"),
    "unsealed_stops": BilingualText("停机无签名", "unsealed stops"),
    **{one.word: one.words for one in Tier},
}
# Headings of the counts of orders that would be opened.
_BY = {
    "tier": BilingualText("等级", "tier"),
    "rule": BilingualText("规则", "rule"),
    "city": BilingualText("城市", "city"),
    "operator": BilingualText("运营商", "operator"),
}
_OPENED = BilingualText("将新建", "would be opened")
_AND, _NEXT = BilingualText("、", ", "), BilingualText("；", "; ")
_NOTHING_NEW, _WAS_HELD, _IS_HELD = (
    *(BilingualText("没有新的", "nothing new"), BilingualText("暂缓的研判结果", "what was held")),
    BilingualText("暂缓的研判结果", "what is held"),
)
_TAKEN = BilingualText("已接收 {source}：{counts}。", "Taken from {source}: {counts}.")
_UNSEALED = BilingualText(
    "{count} 条研判结果没有本系统的密封：只核验用户，后续处置须第二人复核。"
    "请用与此处相同的 DUANKA_SECRET 或 DUANKA_ORDERS 扫描。",
    "{count} decision(s) bear no seal of this installation: their holders are asked, and whatever follows takes a"
    " second person. Scan with DUANKA_SECRET or DUANKA_ORDERS as here.",
)
_TAKE_IS = BilingualText(
    "本次接收编号 {take}；撤销：`duanka orders undo {take} --why …`",
    "This is take {take}; `duanka orders undo {take} --why …` takes it back.",
)
_THEN = BilingualText("下一步：duanka orders list", "Next: duanka orders list")
_DRY_RUN = BilingualText("试运行：没有写入任何内容。", "Dry run: nothing is written.")
_FROM = BilingualText("来自 {source}：{counts}。", "From {source}: {counts}.")
_LEFT = BilingualText(
    "留待下次接收：{count}（`duanka orders take {folder}`）。",
    "Left for the next take: {count} (`duanka orders take {folder}`).",
)
_HELD = BilingualText(
    "暂缓，此后的研判也不处置：{count}（`duanka orders held`；`duanka orders take --held`）。",
    "Held back, whatever comes: {count} (`duanka orders held`; `duanka orders take --held`).",
)
_POLICE = BilingualText(
    "公安确认涉案的 {count} 张立即停机：不受筛选，不能暂缓。",
    "{count} card(s) that the police confirmed are stopped whatever was chosen, and cannot be held back.",
)
_REPLACED = BilingualText(
    "丢弃 {count} 条本目录以前的清单留下的研判结果：以本清单为准。",
    "{count} that an earlier list in this folder had left are dropped: this one decides.",
)
_NOT_FOUND = BilingualText(
    "暂缓名单中有 {count} 张卡在此没有研判结果", "{count} card(s) of the list to hold have no decision here"
)
_NOT_HELD, _STOP = BilingualText("：不作暂缓。", ": nothing of them is held."), BilingualText("。", ".")
_NARROWER = BilingualText(
    "未全部完成：{count} 条撤回待确认，因本清单的范围比上次小。{told}若确属有意：`duanka orders take {folder} --yes`",
    "Not all is done: {count} withdrawal(s) wait, for this list covers less than the one before.{told} If that is"
    " meant: `duanka orders take {folder} --yes`",
)
_ASIDE = BilingualText(
    "未全部完成：{count} 条研判结果无法处理，已搁置：`duanka orders alarms`",
    "Not all is done: {count} decision(s) could not be processed and were set aside: `duanka orders alarms`",
)
_COVERS, _UNSAID = (
    BilingualText("其记录为 {covers}。", " Its records cover {covers}."),
    BilingualText("其记录范围未说明。", " Its records are not said."),
)
_BEFORE = BilingualText("上次：{before}。少了：{lacks}。", " The take before: {before}. Less: {lacks}.")
_ONE_TAKE = BilingualText("{take}：{at} 由 {by} 接收自 {source}", "{take}: taken {at} by {by} from {source}")
_RECORDS = BilingualText("  其记录为 {covers}", "  its records cover {covers}")
_RECORDS_UNSAID = BilingualText("  没有说明其记录的范围", "  it does not say what its records cover")
_CHOSEN, _ALL = (
    BilingualText("  选择：{chosen}", "  chosen: {chosen}"),
    BilingualText("  全部接收", "  all of it was chosen"),
)
_TAKES_BACK = BilingualText(
    "  撤销：`duanka orders undo {take} --why …`", "  `duanka orders undo {take} --why …` takes it back"
)
_CHOICES = {
    "tiers": _BY["tier"],
    "rules": _BY["rule"],
    "cities": _BY["city"],
    "operators": _BY["operator"],
    "cards": BilingualText("指定号码", "cards named"),
    "hold": BilingualText("暂缓号码", "cards held back"),
    "limit": BilingualText("至多", "at most"),
    "hold_rest": BilingualText("其余暂缓", "the rest is held"),
    "narrower": BilingualText("范围缩小也撤回", "withdrawing although it covers less"),
}
_KEPT_TITLE = BilingualText(
    "未建单的研判结果（不告诉来电人）", "Decisions without an order (not for the caller)"
)
_KEPT_WHY = BilingualText("，理由：{why}", ": {why}")
_KEPT_IS = {
    Why.HELD: BilingualText(
        "  {tier}，{by} 自 {since} 暂缓{why}；放行：`duanka orders take --held --card …`",
        "  {tier}, held by {by} since {since}{why}; `duanka orders take --held --card …` takes it",
    ),
    Why.LEFT: BilingualText(
        "  {tier}，{since} 起待下次接收（`duanka orders show {take}`）",
        "  {tier}, left for the next take since {since} (`duanka orders show {take}`)",
    ),
    Why.NARROWER: BilingualText(
        "  {since} 起待确认的撤回：记录范围缩小（`duanka orders show {take}`）",
        "  a withdrawal that waits since {since}: its records cover less (`duanka orders show {take}`)",
    ),
}
_NONE, _STILL = BilingualText("无", "nothing"), BilingualText("{why} {count}", "{count} {why} still")
_UNDONE = BilingualText("{at} 由 {by} 撤销：{acts}", "undone {at} by {by}: {acts}")
RELEASE = BilingualText(
    "放行：`duanka orders take --held`，可加 --tier、--rule、--card、--limit。",
    "Release: `duanka orders take --held`, with --tier, --rule, --card or --limit.",
)
_WOULD_WITHDRAW = BilingualText(
    "试运行：没有写入任何内容。将撤回 {count} 张核验工单：{tiers}。",
    "Dry run: nothing is written. {count} verification(s) would be withdrawn: {tiers}.",
)
_FOR_TWO = BilingualText(
    "其中 {count} 张的等级须双人复核：届时整体提出。",
    "{count} of them are of a tier that takes two people: all of it is proposed then.",
)
_LEFT_OUT = BilingualText(
    "指名的 {count} 张不在其内：已办结，或不符合筛选。",
    "{count} that are named are left out: they are over, or not of the filter.",
)
_TAKE_UNDONE = BilingualText(
    "接收 {take}：撤回 {withdrawn}，提出待第二人复核 {proposed}，未动 {left}。",
    "Take {take}: {withdrawn} withdrawn, {proposed} proposed to a second person, {left} left alone.",
)
_SECOND = BilingualText(
    "{count} 张的等级须双人复核。下一步由 {by} 以外的主管：`duanka orders approve {act} --why …`",
    "{count} are of a tier that takes two people. Next, by a supervisor who is not {by}:"
    " `duanka orders approve {act} --why …`",
)
_LEFT_ALONE, _MORE = (
    BilingualText("未动：{why}。", "Left alone: {why}."),
    BilingualText("  另有 {more} 张", "  and {more} more"),
)
_CHANGED = BilingualText(
    "{count} 张其间已变化：`duanka orders show {act}`",
    "{count} changed meanwhile: `duanka orders show {act}`",
)
_BY_CARD = BilingualText("逐张：`duanka orders show {act}`", "Card by card: `duanka orders show {act}`")


def taken(folder: Path | None, done: TakeResult) -> RenderableType:
    """Result of a take, what it left, and the next commands."""
    source = folder or shown(_WAS_HELD)
    counts = _counted(vars(done.received)) or shown(_NOTHING_NEW)
    lines = [Prose(shown(_TAKEN, source=source, counts=counts))]
    lines += [*_lines_not_taken(folder, done), *_lines_of_counts((_UNSEALED, done.received.unsealed, "red"))]
    if done.take_id:
        lines.append(Prose(shown(_TAKE_IS, take=done.take_id)))
    undone = _not_done(folder, done)
    return Group(*lines, *(undone or [Prose(shown(_THEN))]))


def preview(folder: Path | None, found: Preview) -> RenderableType:
    """Expected result of a take."""
    source = folder or shown(_IS_HELD)
    came = _counted(vars(found.received)) or shown(_NOTHING_NEW)
    lines: list[RenderableType] = [
        Prose(shown(_DRY_RUN)),
        Prose(shown(_FROM, source=source, counts=came)),
        *_lines_not_taken(folder, found, would=True),
        *_not_done(folder, found),
    ]
    for name, counts in found.opened_by.items():
        if counts:
            first, rest = list(counts.items())[:_CITIES_SHOWN], list(counts.values())[_CITIES_SHOWN:]
            rows = [(tier(value) if name == "tier" else value, f"{count:,}") for value, count in first]
            rows += [("…", f"{sum(rest):,}")] if rest else []
            table = grid((_BY.get(name, name), _OPENED), rows, right=(_OPENED.en,))
            lines += [Prose(""), table]
    return Group(*lines)


def _lines_not_taken(folder: Path | None, done: TakeResult, *, would: bool = False) -> list[Prose]:
    """Decisions not taken, with the reason and the command that takes them."""
    lines = _lines_of_counts(
        (_LEFT, done.kept.get(Why.LEFT, 0), ""),
        (_HELD, done.kept.get(Why.HELD, 0), ""),
        (_POLICE, done.police, "red"),
        (_REPLACED, done.replaced, ""),
        folder=folder,
    )
    if done.not_found:
        lines.append(Prose(shown(_NOT_FOUND, count=done.not_found) + shown(_STOP if would else _NOT_HELD)))
    return lines


def _lines_of_counts(*counts: tuple[BilingualText, int, str], **facts: object) -> list[Prose]:
    """The text of each count that is not 0, in its style."""
    return [Prose(shown(text, count=count, **facts), style=style) for text, count, style in counts if count]


def _not_done(folder: Path | None, done: TakeResult) -> list[Prose]:
    """Incomplete work, which is also reported by the exit code."""
    narrower = (_NARROWER, done.kept.get(Why.NARROWER, 0), CAUTION)
    told = _narrower(done.narrower) if done.narrower else ""
    return _lines_of_counts((_ASIDE, done.received.aside, CAUTION), narrower, folder=folder, told=told)


def _narrower(why: Narrower) -> str:
    told = shown(_COVERS, covers=shown(why.covers.words)) if why.covers else shown(_UNSAID)
    return told + shown(
        _BEFORE, before=shown(why.before.words), lacks=shown(_NEXT).join(map(shown, why.lacks))
    )


def take_page(take: Take) -> RenderableType:
    """Page of one take."""
    taken_at = shown(_ONE_TAKE, take=take.id, at=local(take.at), by=take.by, source=folder_of(take.source))
    covers = shown(_RECORDS, covers=shown(take.covers.words)) if take.covers else shown(_RECORDS_UNSAID)
    chosen = shown(_CHOSEN, chosen=_listed(take.chosen)) if take.chosen else shown(_ALL)
    lines = [taken_at, f"  {story(take)}", covers, chosen]
    if not take.undone_at:
        lines.append(shown(_TAKES_BACK, take=take.id))
    return Indented("\n".join(lines))


def story(take: Take) -> str:
    """Outcome of a take, and what is still pending."""
    told = [_counted(take.counts) or shown(_NONE)]
    told += [shown(_STILL, count=count, why=term(Why, why)) for why, count in sorted(take.kept.items())]
    if take.undone_at:
        acts = shown(_AND).join(map(_act, take.undone_in))
        told.append(shown(_UNDONE, at=local(take.undone_at), by=take.undone_by, acts=acts))
    return shown(_NEXT).join(told)


def _became(name: str) -> ListColumn[Take]:
    return ListColumn(name, None, lambda one: one.counts.get(name, 0))


TAKES: Listing[Take] = Listing(
    BilingualText("接收", "takes"),
    (
        ListColumn("id", ("接收", "take"), lambda one: one.id),
        ListColumn("at", ("时间", "at"), lambda one: one.at),
        ListColumn("by", ("人员", "by"), lambda one: one.by),
        *map(_became, ("opened", "attached", "stopped", "withdrawn", "protected", "aside")),
        ListColumn("waiting", None, lambda one: one.kept.get("left", 0)),
        ListColumn("held", None, lambda one: one.kept.get("held", 0)),
        ListColumn("source", None, lambda one: folder_of(one.source)),
        ListColumn("undone_at", None, lambda one: one.undone_at),
        ListColumn("undone_by", None, lambda one: one.undone_by),
        ListColumn("undone_in", None, lambda one: one.undone_in),
        ListColumn("", ("结果", "result"), lambda one: None, story, below=True),
    ),
    ("by",),
)

HELD: Listing[HeldShown] = Listing(
    BilingualText("暂缓的研判结果", "decisions that are held"),
    (
        ListColumn("card", ("号码", "card"), lambda one: one.card),
        ListColumn("tier", ("等级", "tier"), lambda one: one.tier, word=tier),
        ListColumn("since", ("暂缓自", "held since"), lambda one: one.since),
        ListColumn("by", ("人员", "by"), lambda one: one.by),
        ListColumn(
            "why", ("暂缓理由", "why it is held"), lambda one: masked_text(one.why), least=10, spare=1
        ),
        ListColumn("asked", None, lambda one: one.asked),
        ListColumn("rules", None, lambda one: one.rules),
        ListColumn("operator", None, lambda one: one.operator),
        ListColumn("city", None, lambda one: one.city),
        ListColumn("take", None, lambda one: one.take_id),
        ListColumn("reason", ("原因", "reason"), lambda one: one.reason.words, below=True, both=True),
    ),
    ("tier", "rules", "city", "operator", "by"),
)


def kept_decisions_page(kept: Sequence[KeptShown]) -> RenderableType:
    """Decisions on a card that are not orders; for the desk only, not for callers."""
    lines = [shown(_KEPT_TITLE)]
    for one in kept:
        facts = {"tier": tier(one.tier), "since": in_cell(one.since), "by": one.by, "take": one.take_id}
        why = shown(_KEPT_WHY, why=masked_text(one.reason)) if one.reason else ""
        lines.append(shown(_KEPT_IS[Why(one.why)], why=why, **facts))
    return Indented("\n".join(lines))


def to_withdraw(found: OpenVerifications) -> RenderableType:
    """Verifications that a withdrawal would affect."""
    withdrawn = shown(_WOULD_WITHDRAW, count=len(found.orders), tiers=_counted(found.tiers))
    rest = _lines_of_counts((_FOR_TWO, found.for_two, ""), (_LEFT_OUT, len(found.left_out), ""))
    return Group(Prose(withdrawn), *rest)


def undone_page(done: Undone) -> RenderableType:
    """Result of undoing a take: what was undone, what was not, and why."""
    withdrawn = done.act.done if done.act else 0
    proposed = done.proposed.total if done.proposed else 0
    counts = {"withdrawn": f"{withdrawn:,}", "proposed": f"{proposed:,}", "left": f"{len(done.left):,}"}
    lines = [shown(_TAKE_UNDONE, take=done.take_id, **counts)]
    if done.proposed:
        by, act = done.proposed.proposed_by, done.proposed.id
        lines.append(shown(_SECOND, count=proposed, by=by, act=act))
    if done.left:
        lines.append(shown(_LEFT_ALONE, why=summary(done.left)))
        lines += [f"  {one.order_id}  {one.why}" for one in done.left[:_LEFT_SHOWN]]
        if len(done.left) > _LEFT_SHOWN:
            lines.append(shown(_MORE, more=len(done.left) - _LEFT_SHOWN))
    if done.act:
        words = _CHANGED if done.act.skipped else _BY_CARD
        lines.append(shown(words, count=done.act.skipped, act=done.act.id))
    return Prose("\n".join(lines))


def _counted(counts: Mapping[str, int]) -> str:
    return shown(_AND).join(
        f"{shown(_COUNTED[name])} {count:,}" if language() == "zh" else f"{count:,} {shown(_COUNTED[name])}"
        for name, count in counts.items()
        if count and name in _COUNTED
    )


def _listed(facts: Mapping[str, object]) -> str:
    known = [name for name in _CHOICES if name in facts]
    return shown(_NEXT).join(_chosen(name, facts[name]) for name in known)


def _chosen(name: str, value: object) -> str:
    """Display text of one filter of a take."""
    words = shown(_CHOICES[name])
    if value is True:
        return words
    values = value if isinstance(value, list) else [value]
    return f"{words} {', '.join(tier(str(one)) if name == 'tiers' else str(one) for one in values)}"


def _act(told: str) -> str:
    """A bulk action with its state, as the take recorded it."""
    act, _, state = told.partition(" ")
    return f"{act} {term(BulkActionState, state)}"
