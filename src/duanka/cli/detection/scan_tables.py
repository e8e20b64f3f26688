"""Output of `duanka scan`: a summary to act on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

from rich.console import Group, RenderableType

from duanka.cli.output.grid import grid
from duanka.cli.shell.language import shown
from duanka.cli.shell.process import CAUTION, Prose
from duanka.domain.decision import Tier
from duanka.domain.device_id import many_unknown
from duanka.domain.display import display_name, display_text
from duanka.domain.findings import Findings
from duanka.domain.intake_report import Intake
from duanka.domain.text import BilingualText

_COLUMNS_SHOWN = 20  # column names listed
_TO_DO = {
    Tier.EXTREME: BilingualText(
        "立即停机（公安确认涉案），经反诈中心核验",
        "stop now (police-confirmed, 涉案); verify through the fraud centre",
    ),
    Tier.HIGH: BilingualText("到自有营业厅现场核验", "verify in person at the operator's counter"),
    Tier.MEDIUM: BilingualText("线上核验", "verify online"),
    Tier.LOW: BilingualText("只关注", "watch"),
}
_COLON = BilingualText("：", ": ")
CARDS, PER_100_000 = BilingualText("卡数", "cards"), BilingualText("每 10 万张", "per 100,000")
_TIERS = (BilingualText("风险等级", "tier"), CARDS, PER_100_000, BilingualText("处置", "what to do"))
_SCANNED = BilingualText(
    "已扫描 {records} 条记录、{cards} 张卡，{first} 至 {until}（当地时间），策略 {policy}（{source}）。",
    "Scanned {records} records of {cards} cards, {first} to {until} local time, under policy {policy} ({source}).",
)
_STORED = BilingualText(
    "新增 {new} 条记录（另有 {repeated} 条库中已有，{late} 条过旧）；记录库现有 {records} 条记录、{cards} 张卡，"
    "{first} 至 {until}（当地时间），策略 {policy}（{source}）。",
    "Took in {new} new records ({repeated} more were there already, {late} were too old); the store holds {records}"
    " records of {cards} cards, {first} to {until} local time, under policy {policy} ({source}).",
)
_UNUSABLE = BilingualText(
    "仍无法采用（{since} 起已告知，不再影响退出码）：{files}；每晚重读，直到更换或改正映射",
    "Still not to be used, told since {since} and no more in the exit code: {files}. Read again each night, until the"
    " file or the mapping changes",
)
_PURGED = BilingualText(
    "按策略只保留 {kept} 天，已清除 {days} 天的{what}：{which}",
    "Purged the {what} of {days} day(s), as the policy keeps {kept}: {which}",
)
_KEPT_BY_DAY = {
    "records": BilingualText("记录", "records"),
    "rollups": BilingualText("汇总", "rollups"),
    "refusals": BilingualText("拦截", "refusals"),
}
_FROM_TO = BilingualText("{first} 至 {last}", "{first} to {last}")
_SHOWN = 5  # days or files named of many
_FAULTS_SHOWN = 20  # unreadable files named, each with its fault
_ASIDE = BilingualText("{records} 条记录中 {aside} 条搁置", "{aside} of {records} records quarantined")
_TOO_BAD = BilingualText(
    "{aside}：{why}。原因按文件和行号列在 {file}", "{aside}: {why}. Reasons by file and line: {file}"
)
_ASIDE_AND_OLD = BilingualText(
    "{records} 条记录中 {aside} 条搁置、{late} 条对记录库过旧",
    "{aside} of {records} records quarantined, {late} too old for the store",
)
_TOO_OLD = BilingualText(
    "{late} 条记录对记录库过旧，未收入，只计数、不搁置：{since} 之前各天的记录已按策略清除（现保留 {kept} 天）",
    "{late} records were too old for the store and not taken in, only counted, not quarantined: the policy purged the"
    " days before {since} (it keeps records for {kept} days)",
)
_SCAN_SAYS = BilingualText("{aside}；原因见 `duanka scan {data}`", "{aside}; `duanka scan {data}` says why")
_ABOVE = BilingualText("超过 --max-bad {share}", "more than --max-bad {share}")
_REASONS = BilingualText("{aside}；原因按文件和行号列在 {file}", "{aside}; reasons by file and line: {file}")
_LISTS = BilingualText(
    "工作清单：{work_list}（.csv 供程序使用）\n附理由的报告：{report}",
    "Work list: {work_list} (.csv for programs)\nWith reasons, for people: {report}",
)
_SHADOWS = (
    *(
        BilingualText("影子规则", "shadow"),
        CARDS,
        BilingualText("未列入", "not listed"),
        BilingualText("加重", "asked more"),
    ),
    BilingualText("变化", "from -> to"),
)
_SHADOW_NOTE = BilingualText(
    "若各条单独生效的结果；影子规则不影响任何决定。",
    "If each of them counted by itself; they change no decision.",
)
_NOT_RUN_SHORT = BilingualText("未运行", "not run")
_CLAIMED = BilingualText(
    "{cards} 张卡在涉案名单中，但未经登记的签名方签名：列为高，不停机（`duanka keys add-source`，docs/FORMAT.md）",
    "{cards} cards are in police cases that no registered source signed: high, and not stopped"
    " (`duanka keys add-source`, docs/FORMAT.md)",
)
_NOT_RUN = BilingualText("未运行：{rule}，数据缺少 {lacks}", "Not run: {rule}, the data lack {lacks}")
_WITHOUT = BilingualText("缺少 {without} 仍运行：{rule}", "Ran without {without}: {rule}")
_UNSURE = BilingualText(
    "{cards} 张卡无法判断：{rule}，历史记录不够长",
    "Could not judge {cards} cards by {rule}: the records do not reach back far enough",
)
_AS_OF = BilingualText(
    "--as-of 比最后一条记录晚 {days} 天：此后未用的卡按未使用计，如同记录到那时为止",
    "--as-of lies {days} days after the last record: cards unused since then count as unused, as if records reached it",
)
_TWICE = BilingualText("重复交付，未再读：{file}", "Delivered twice, not read again: {file}")
_OUTSIDE = BilingualText(
    "{records} 条记录不在研判时段内，未采用",
    "{records} records lie outside the time judged and were not seen",
)
_IDLE = BilingualText("映射：{idle}", "Of the mapping, {idle}")
_UNREAD = BilingualText(
    "没有对应的表、未读的文件：{files}（用 .csv 等后缀命名，见 docs/FORMAT.md；或用 --mapping 说明）",
    "Files not read, no table takes them: {files}. Let their names end in .csv (docs/FORMAT.md), or describe them with"
    " --mapping",
)
_COLUMNS_UNREAD = BilingualText("未读的列：{columns}", "Columns not read: {columns}")
_MORE = BilingualText(" 等，另有 {more} 列", " and {more} more")
_MORE_FILES = BilingualText(" 等，另有 {more} 个文件", " and {more} more")
_WAITING = BilingualText(
    "暂未读取，等待其 .done（同一文件夹的其他文件有）：{files}",
    "Not read yet, for they wait for their .done, as other files there have one: {files}",
)
_AREA_LISTS = BilingualText("地区名单来自 {file}", "Area lists from {file}")


def _scanned(findings: Findings) -> str:
    """What was scanned, from when to when, by which policy."""
    span, stored = findings.span, findings.stored
    first = span.first
    if stored and stored.first:  # of days before, rules may see the rollups, but the records are purged
        first = max(first, datetime.combine(stored.first, time.min))
    told = {
        "cards": findings.cards,
        "first": f"{first:%Y-%m-%d %H:%M}",
        "until": f"{span.until:%Y-%m-%d %H:%M}",
        "policy": findings.policy.id,
        "source": shown(findings.policy.source_words),
    }
    if stored is None:
        return shown(_SCANNED, records=findings.intake.records, **told)
    return shown(
        _STORED, new=stored.new, repeated=stored.repeated, late=stored.late, records=stored.held, **told
    )


def summary(findings: Findings, out: Path, *, too_bad: bool, allowed: float) -> RenderableType:
    """Summary of a scan: results, rules not run, rejected records, where to look next."""
    intake = findings.intake
    parts: list[RenderableType] = [Prose(_scanned(findings))]
    tiers = grid(_TIERS, right=("cards", "per 100,000"))
    for tier, what in _TO_DO.items():
        n = findings.tiers.get(tier, 0)
        rate = f"{1e5 * n / findings.cards:,.0f}" if findings.cards else "-"
        tiers.add_row(shown(tier.words), f"{n:,}", rate, shown(what))
    parts.append(tiers)
    if findings.shadows:
        parts.append(_shadows(findings))
    parts += [Prose(line, style=CAUTION) for line in _cautions(findings)]
    late = findings.stored.late if findings.stored else 0
    aside = shown(
        _ASIDE_AND_OLD if late else _ASIDE, aside=intake.quarantined, records=intake.records, late=late
    )
    file = out / "quarantine.parquet"
    if too_bad:
        unreadable = [f"{f.file}: {f.unreadable}" for f in intake.news if f.unreadable]
        above = shown(_ABOVE, share=f"{allowed:.3%}".rstrip("0"))
        why = _some(unreadable, _FAULTS_SHOWN, "; ") or above
        parts.append(Prose(shown(_TOO_BAD, aside=aside, why=why, file=file), style="red"))
    elif intake.quarantined:
        parts.append(Prose(shown(_REASONS, aside=aside, file=file)))
    lists = shown(_LISTS, work_list=out / "cards_at_risk.xlsx", report=out / "report.html")
    parts.append(Prose(lists))
    return Group(*parts)


def _shadows(findings: Findings) -> RenderableType:
    """What each shadow rule would change if it alone counted."""
    ran = {run.rule for run in findings.runs if run.ran}
    table = grid(_SHADOWS, right=("cards", "not listed", "asked more"))
    for one in findings.shadows:
        if one.rule not in ran:
            table.add_row(one.rule, shown(_NOT_RUN_SHORT), "-", "-", "-")
            continue
        rises = (
            f"{shown(now.words)} -> {shown(then.words)}: {cards:,}"
            for (now, then), cards in sorted(one.rises.items())
        )
        more = sum(one.rises.values())
        table.add_row(one.rule, f"{one.cards:,}", f"{one.new:,}", f"{more:,}", ", ".join(rises) or "-")
    return Group("", table, Prose(shown(_SHADOW_NOTE)), "")


def _unusable(intake: Intake) -> Iterator[str]:
    """A line about files of which nothing can be used, as an earlier scan told."""
    told = [
        (file.file, file.told_on) for file in intake.files if file.told_on and not file.used and file.records
    ]
    if told:
        since = min(day for _, day in told)
        yield shown(_UNUSABLE, since=since, files=_some([name for name, _ in told]))


def _some(names: Sequence[str], most: int = _SHOWN, between: str = ", ") -> str:
    """The first names, and how many more there are."""
    more = shown(_MORE_FILES, more=len(names) - most) if len(names) > most else ""
    return between.join(names[:most]) + more


def _which(days: Sequence[date]) -> str:
    """The days, or the first and the last of many."""
    if len(days) <= _SHOWN:
        return ", ".join(map(str, days))
    return shown(_FROM_TO, first=days[0], last=days[-1])


def not_used(findings: Findings, data: Path) -> Iterator[str]:
    """What of the records in `data` was not used, where their scan is but a step: `duanka scan` says more."""
    intake = findings.intake
    if findings.claimed:
        yield shown(_CLAIMED, cards=findings.claimed)
    yield from _of_files(intake)
    unreadable = [f"{file.file}: {file.unreadable}" for file in intake.news if file.unreadable]
    if unreadable:
        yield _some(unreadable, _FAULTS_SHOWN, "; ")
    if intake.quarantined:
        aside = shown(_ASIDE, aside=intake.quarantined, records=intake.records)
        yield shown(_SCAN_SAYS, aside=aside, data=display_name(str(data)))


def _of_files(intake: Intake) -> Iterator[str]:
    """What the files of a delivery hold that is not read, or not of use."""
    yield from (shown(_TWICE, file=f.file) for f in intake.files if f.duplicate_of)
    yield from (f"{f.file}{shown(_COLON)}{shown(note)}" for f in intake.files for note in f.notes)
    yield from (shown(_IDLE, idle=shown(one)) for one in intake.idle)
    if unread := sorted(file for file, columns in intake.ignored.items() if not columns):
        yield shown(_UNREAD, files=", ".join(unread))
    if ignored := sorted({c for columns in intake.ignored.values() for c in columns}):
        more = shown(_MORE, more=len(ignored) - _COLUMNS_SHOWN) if len(ignored) > _COLUMNS_SHOWN else ""
        named = ", ".join(display_text(c[:80]) for c in ignored[:_COLUMNS_SHOWN])
        yield shown(_COLUMNS_UNREAD, columns=named + more)
    if many := many_unknown(intake.devices_unknown, intake.records):
        yield shown(many)
    if intake.waiting:
        yield shown(_WAITING, files=_some(intake.waiting))


def _cautions(findings: Findings) -> list[str]:
    purged = findings.stored.purged if findings.stored else ()
    lines = [shown(_CLAIMED, cards=findings.claimed)] * bool(findings.claimed)
    lines += [
        shown(_NOT_RUN, rule=run.rule, lacks=", ".join(run.lacks)) for run in findings.runs if not run.ran
    ]
    lines += [
        shown(_WITHOUT, rule=run.rule, without=", ".join(run.without))
        for run in findings.runs
        if run.ran and run.without
    ]
    lines += [shown(_UNSURE, rule=run.rule, cards=run.unsure) for run in findings.runs if run.unsure]
    span = findings.span
    if span.reach and span.until - span.reach > timedelta(days=1):
        lines.append(shown(_AS_OF, days=(span.until - span.reach).days))
    if findings.span.outside:
        lines.append(shown(_OUTSIDE, records=findings.span.outside))
    lines += _of_files(findings.intake)
    lines += _unusable(findings.intake)
    if (stored := findings.stored) and stored.late:
        kept = findings.policy.store.keep_records_days
        lines.append(shown(_TOO_OLD, late=stored.late, since=stored.late_before, kept=kept))
    for one in purged:
        what = shown(_KEPT_BY_DAY[one.what])
        lines.append(shown(_PURGED, kept=one.kept, days=len(one.days), what=what, which=_which(one.days)))
    if findings.lists_from:
        lines.append(shown(_AREA_LISTS, file=display_name(str(findings.lists_from))))
    return lines
