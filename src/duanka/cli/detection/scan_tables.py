"""What the command line prints: a summary that a person can act on, and tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from rich.console import Group, RenderableType

from duanka.cli.output.grid import Titled, as_markdown, as_table, grid, share
from duanka.cli.output.list_columns import ListColumn, Listing
from duanka.cli.shell.language import shown
from duanka.cli.shell.process import Prose
from duanka.domain.decision import Tier
from duanka.domain.device_id import many_unknown
from duanka.domain.display import display_name, display_text
from duanka.domain.findings import Findings
from duanka.domain.policy import Deciding, Policy
from duanka.domain.rule import Action, Rule
from duanka.domain.text import BilingualText
from duanka.engine import RuleTestResult
from duanka.evaluation import Evaluation, MeasureRow
from duanka.reports.wording import unit

_COLUMNS = 20  # names of columns that are listed
_TO_DO = {
    Tier.EXTREME: BilingualText(
        "立即停机（公安确认涉案），经反诈中心核验",
        "stop now (police-confirmed, 涉案); verify through the fraud centre",
    ),
    Tier.HIGH: BilingualText("到自有营业厅现场核验", "verify in person at the operator's counter"),
    Tier.MEDIUM: BilingualText("线上核验", "verify online"),
    Tier.LOW: BilingualText("只关注", "watch"),
}
_CARDS, _PER_100_000 = BilingualText("卡数", "cards"), BilingualText("每 10 万张", "per 100,000")
_TIERS = (BilingualText("风险等级", "tier"), _CARDS, _PER_100_000, BilingualText("处置", "what to do"))
_SCANNED = BilingualText(
    "已扫描 {records} 条记录、{cards} 张卡，{first} 至 {until}（当地时间），策略 {policy}（{source}）。",
    "Scanned {records} records of {cards} cards, {first} to {until} local time, under policy {policy} ({source}).",
)
_ASIDE = BilingualText("{records} 条记录中 {aside} 条搁置", "{aside} of {records} records quarantined")
_TOO_BAD = BilingualText(
    "{aside}：{why}。原因按文件和行号列在 {file}", "{aside}: {why}. Reasons by file and line: {file}"
)
_ABOVE = BilingualText("超过 --max-bad {share}", "more than --max-bad {share}")
_REASONS = BilingualText("{aside}；原因按文件和行号列在 {file}", "{aside}; reasons by file and line: {file}")
_LISTS = BilingualText(
    "工作清单：{work_list}（.csv 供程序使用）\n附理由的报告：{report}",
    "Work list: {work_list} (.csv for programs)\nWith reasons, for people: {report}",
)
_SHADOWS = (
    *(
        BilingualText("影子规则", "shadow"),
        _CARDS,
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
    "Could not judge {cards} cards: {rule}, the records reach back too little",
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
_AREA_LISTS = BilingualText("地区名单来自 {file}", "Area lists from {file}")
_POLICY = BilingualText("策略 {policy}：{title}，{since} 起", "Policy {policy}: {title}, since {since}")
_SHADOWED = BilingualText("（影子）", " (in shadow)")
_MEANING, _UNIT = BilingualText("含义", "meaning"), BilingualText("单位", "unit")
_LIMITS = (
    BilingualText("阈值", "limit"),
    BilingualText("值", "value"),
    _UNIT,
    _MEANING,
    BilingualText("依据", "authority"),
)
_EVIDENCE = (BilingualText("证据", "evidence"), _MEANING, _UNIT)
_OURS, _COLON = BilingualText("自定", "ours"), BilingualText("：", ": ")
_SOURCE, _ASKS_FOR = BilingualText("出处", "source"), BilingualText("处置", "asks for")
_WHY, _LOOK_ALIKES = BilingualText("理由", "why"), BilingualText("可能误伤", "look-alikes")
_READ, _NEEDS, _FIRES = (
    BilingualText("读取", "reads"),
    BilingualText("需要", "needs"),
    BilingualText("命中时刻", "fires"),
)
_QUIET = {  # units that the report leaves to the value
    "share": BilingualText("比例", "share"),
    "local time": BilingualText("当地时间", "local time"),
    "date": BilingualText("日期", "date"),
}
_READS = BilingualText("{reads}；回看 {days} 天", "{reads}; looks back {days} days")
_NOTHING = BilingualText("无特别要求", "nothing in particular")
_AT_ONCE, _AT_THE_END = (
    BilingualText("立即", "at once"),
    BilingualText("时间窗结束时", "when its window has closed"),
)
_FLAGS, _SPARES = BilingualText("命中", "Flags"), BilingualText("放过", "Spares")
_TRIALS = (
    *(BilingualText("规则", "rule"), BilingualText("应当", "must"), BilingualText("例子", "example")),
    BilingualText("结果", "outcome"),
)
_FLAG, _SPARE = BilingualText("命中", "flag"), BilingualText("放过", "spare")
_OK, _WRONG = BilingualText("正确", "ok"), BilingualText("错误：{wrong}", "wrong: {wrong}")
_TRIED = BilingualText("{examples} 个例子，{wrong} 个错误", "{examples} examples, {wrong} wrong")
_BY_ORDER = BilingualText("工单（关注以上的处置）", "Orders (action beyond watch)")
_BY_TIER, _BY_RULE = BilingualText("按风险等级", "By tier"), BilingualText("按规则", "By rule")
_BY_SHADOW = BilingualText("按影子规则（不影响决定）", "By rule in shadow, which decides nothing")
_ORDERS, _TIER, _RULE = (
    BilingualText("工单", "orders"),
    BilingualText("风险等级", "tier"),
    BilingualText("规则", "rule"),
)
_EVALUATED = BilingualText(
    "{cards} 张卡，其中涉诈 {fraud} 张。工单涉及每 10 万张卡中的 {asked} 张，每 10 万张正常卡中的 {honest} 张；"
    "直接停机的正常卡：{stopped} 张。",
    "{cards} cards, {fraud} of them fraud. Orders reach {asked} of 100,000 cards, and {honest} of 100,000 honest ones;"
    " honest cards stopped outright: {stopped}.",
)
_FRAUD, _HONEST = BilingualText("涉诈", "fraud"), BilingualText("正常", "honest")
_PRECISION, _RECALL = BilingualText("精确率", "precision"), BilingualText("召回率", "recall")
_REACHED = BilingualText("工单查到的涉诈卡", "Fraud that an order reaches")
_STRATEGY, _CAUGHT, _OF = (
    BilingualText("团伙类型或角色", "strategy or role"),
    BilingualText("查到", "reached"),
    BilingualText("总数", "of"),
)
_BY_ROLE = BilingualText("每条规则按角色的召回率", "Recall of each rule, role by role")
_ROLES = BilingualText("查出 1% 以上的角色", "roles of which it finds 1% or more")
_TROUBLED = BilingualText("工单打扰到的正常用户", "Honest people whom an order reaches")
_ROLE, _ASKED = BilingualText("用户类型", "role"), BilingualText("核验", "asked")
_ROWS = {
    "asked": BilingualText("全部工单", "all orders"),
    "stop": BilingualText("其中停机", "of them stop"),
    **{tier.word: tier.words for tier in Tier},
}


def summary(findings: Findings, out: Path, *, too_bad: bool, allowed: float) -> RenderableType:
    """What was found, what did not run, what was set aside, and where to look next."""
    intake, span = findings.intake, findings.span
    parts: list[RenderableType] = [
        Prose(
            shown(_SCANNED).format(
                records=f"{intake.records:,}",
                cards=f"{findings.cards:,}",
                first=f"{span.first:%Y-%m-%d %H:%M}",
                until=f"{span.until:%Y-%m-%d %H:%M}",
                policy=findings.policy.id,
                source=findings.policy.source.text,
            )
        )
    ]
    tiers = grid(*_TIERS, right=("cards", "per 100,000"))
    for tier, what in _TO_DO.items():
        n = findings.tiers.get(tier, 0)
        rate = f"{1e5 * n / findings.cards:,.0f}" if findings.cards else "-"
        tiers.add_row(shown(tier.words), f"{n:,}", rate, shown(what))
    parts.append(tiers)
    if findings.shadows:
        parts.append(_shadows(findings))
    parts += [Prose(line, style="yellow") for line in _cautions(findings)]
    aside = shown(_ASIDE).format(aside=f"{intake.quarantined:,}", records=f"{intake.records:,}")
    file = out / "quarantine.parquet"
    if too_bad:
        unreadable = [f"{f.file}: {f.unreadable}" for f in intake.files if f.unreadable]
        above = shown(_ABOVE).format(share=f"{allowed:.3%}".rstrip("0"))
        why = "; ".join(unreadable[:3]) or above
        parts.append(Prose(shown(_TOO_BAD).format(aside=aside, why=why, file=file), style="red"))
    elif intake.quarantined:
        parts.append(Prose(shown(_REASONS).format(aside=aside, file=file)))
    lists = shown(_LISTS).format(work_list=out / "cards_at_risk.xlsx", report=out / "report.html")
    parts.append(Prose(lists))
    return Group(*parts)


def _shadows(findings: Findings) -> RenderableType:
    """What each rule in shadow would change if it alone counted."""
    ran = {run.rule for run in findings.runs if run.ran}
    table = grid(*_SHADOWS, right=("cards", "not listed", "asked more"))
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


def _cautions(findings: Findings) -> list[str]:
    lines = [shown(_CLAIMED).format(cards=f"{findings.claimed:,}")] * bool(findings.claimed)
    lines += [
        shown(_NOT_RUN).format(rule=run.rule, lacks=", ".join(run.lacks))
        for run in findings.runs
        if not run.ran
    ]
    lines += [
        shown(_WITHOUT).format(rule=run.rule, without=", ".join(run.without))
        for run in findings.runs
        if run.ran and run.without
    ]
    lines += [
        shown(_UNSURE).format(rule=run.rule, cards=f"{run.unsure:,}") for run in findings.runs if run.unsure
    ]
    span = findings.span
    if span.reach and span.until - span.reach > timedelta(days=1):
        lines.append(shown(_AS_OF).format(days=f"{(span.until - span.reach).days:,}"))
    lines += [shown(_TWICE).format(file=f.file) for f in findings.intake.files if f.duplicate_of]
    lines += [f"{f.file}{shown(_COLON)}{shown(note)}" for f in findings.intake.files for note in f.notes]
    if findings.span.outside:
        lines.append(shown(_OUTSIDE).format(records=f"{findings.span.outside:,}"))
    unread = sorted(file for file, columns in findings.intake.ignored.items() if not columns)
    lines += [shown(_IDLE).format(idle=shown(one)) for one in findings.intake.idle]
    if unread:
        lines.append(shown(_UNREAD).format(files=", ".join(unread)))
    ignored = sorted({c for columns in findings.intake.ignored.values() for c in columns})
    if ignored:
        more = shown(_MORE).format(more=f"{len(ignored) - _COLUMNS:,}") if len(ignored) > _COLUMNS else ""
        named = ", ".join(display_text(c[:80]) for c in ignored[:_COLUMNS])
        lines.append(shown(_COLUMNS_UNREAD).format(columns=named + more))
    if many := many_unknown(findings.intake.devices_unknown, findings.intake.records):
        lines.append(shown(many))
    if findings.lists_from:
        lines.append(shown(_AREA_LISTS).format(file=display_name(str(findings.lists_from))))
    return lines


def policy_line(policy: Policy) -> str:
    """Which policy a list is under."""
    return shown(_POLICY).format(policy=policy.id, title=shown(policy.title), since=policy.since)


def rules_listing(policy: Policy) -> Listing[Rule]:
    """The catalogue under a policy."""

    def limits(rule: Rule) -> list[str]:
        return [f"{name}={value}" for name, value in policy.limits(rule).items()]

    def weight(rule: Rule) -> float | None:
        return policy.rules[rule.id].weight if policy.deciding is Deciding.WEIGH else None

    def asks_for(rule: Rule) -> str:
        return shown(rule.asks_for.words) + (shown(_SHADOWED) if rule.id in policy.shadows else "")

    columns: tuple[ListColumn[Rule], ...] = (
        ListColumn("id", BilingualText("规则", "id"), lambda rule: rule.id),
        ListColumn(
            "asks_for",
            BilingualText("处置", "asks for"),
            lambda rule: rule.asks_for.word,
            asks_for,
            word=lambda word: shown(Action[word.upper()].words),
        ),
        ListColumn("shadow", None, lambda rule: rule.id in policy.shadows),
        ListColumn("grade", BilingualText("来源", "grade"), lambda rule: rule.source.grade.value, spare=3),
        ListColumn("weight", BilingualText("权重", "weight"), weight, spare=4, right=True),
        ListColumn(
            "title", BilingualText("名称", "title"), lambda rule: rule.title, least=16, spare=1, both=True
        ),
        ListColumn("limits", BilingualText("阈值", "limits"), limits, least=20, spare=2),
    )
    return Listing(BilingualText("规则", "rules"), columns, ("asks_for", "grade"))


def rule_page(rule: Rule, policy: Policy) -> RenderableType:
    """One rule, whole."""
    limits = grid(*_LIMITS)
    for name, value in (policy.limits(rule) if rule.id in policy.rules else {}).items():
        by = policy.authority(rule, name)
        authority = f"{by.text} ({by.grade})" if by else shown(_OURS)
        limit = rule.limits[name]
        limits.add_row(name, str(value), _unit(limit.unit), shown(limit.meaning), authority)
    evidence = grid(*_EVIDENCE)
    for e in rule.evidence:
        evidence.add_row(e.name, shown(e.title), _unit(e.unit))
    reads = shown(_READS).format(reads=", ".join(rule.reads), days=rule.look_back.days)
    text = Prose()
    for head, body in (
        (_RULE, f"{rule.id}: {shown(rule.title)}"),
        (_SOURCE, f"{rule.source.text} [{rule.source.grade}: {shown(rule.source.grade.meaning)}]"),
        (_ASKS_FOR, shown(rule.asks_for.words)),
        (_WHY, shown(rule.why)),
        (_LOOK_ALIKES, shown(rule.look_alikes)),
        (_READ, reads),
        (_NEEDS, ", ".join(rule.needs) or shown(_NOTHING)),
        (_FIRES, shown(_AT_ONCE if rule.monotone else _AT_THE_END)),
    ):
        text.append(f"{shown(head).capitalize()}{shown(_COLON)}", style="bold")
        text.append(f"{body}\n")
    examples = Prose(f"{shown(_FLAGS)}{shown(_COLON)}" + "; ".join(c.title for c in rule.flags) + "\n")
    examples.append(f"{shown(_SPARES)}{shown(_COLON)}" + "; ".join(c.title for c in rule.spares))
    return Group(text, limits, "", evidence, "", examples, "")


def _unit(name: str) -> str:
    known = _QUIET.get(name) or unit(name)
    return shown(known) if known else name


def rule_sql(rule: Rule) -> str:
    """The SQL of a rule; printed as it is, since a line that is cut cannot be read or copied."""
    return _dedented(rule.sql)


def _dedented(sql: str) -> str:
    return "\n".join(line.removeprefix(" " * 8) for line in sql.strip("\n").rstrip().splitlines())


def trials_table(outcomes: Sequence[RuleTestResult]) -> RenderableType:
    """Each example, with a mark, the wrong ones in words."""
    table = grid(*_TRIALS)
    for o in outcomes:
        outcome = shown(_OK) if o.passed else shown(_WRONG).format(wrong=", ".join(o.wrong))
        must = shown(_FLAG if o.flags else _SPARE)
        table.add_row(o.rule, must, o.title, outcome, style="" if o.passed else "red")
    wrong = sum(not o.passed for o in outcomes)
    total = shown(_TRIED).format(examples=len(outcomes), wrong=wrong)
    return Group(table, Prose(total, style="bold red" if wrong else "bold"))


def evaluation_tables(found: Evaluation, *, markdown: bool) -> RenderableType:
    """The tables of `duanka evaluate`."""
    tables = (
        (_BY_ORDER, _ORDERS, (found.asked, found.stopped)),
        (_BY_TIER, _TIER, found.tiers),
        (_BY_RULE, _RULE, found.rules),
        *(((_BY_SHADOW, _RULE, found.shadows),) if found.shadows else ()),
    )
    head = shown(_EVALUATED).format(
        cards=f"{found.cards:,}",
        fraud=f"{found.fraud:,}",
        asked=f"{found.asked_per_100k:,.0f}",
        honest=f"{found.honest_asked_per_100k:,.0f}",
        stopped=found.stopped.honest,
    )
    strategies = [row.name for row in found.strategies]
    roles = [row.name for row in found.roles]
    columns = (*map(shown, (_CARDS, _PER_100_000, _FRAUD, _HONEST, _PRECISION, _RECALL)), *strategies)
    titled: list[Titled] = [
        (shown(title), (shown(name), *columns), [_cells(row, found.cards, strategies) for row in rows])
        for title, name, rows in tables
    ]
    reached: list[tuple[str, ...]] = [
        (r.name, f"{r.cards:,}", f"{r.of:,}", share(r.recall)) for r in (*found.strategies, *found.roles)
    ]
    titled.append((shown(_REACHED), _headings(_STRATEGY, _CAUGHT, _OF, _RECALL), reached))
    by_role: list[tuple[str, ...]] = [(r.name, _largest(r, roles)) for r in (*found.rules, *found.shadows)]
    titled.append((shown(_BY_ROLE), _headings(_RULE, _ROLES), by_role))
    honest: list[tuple[str, ...]] = [
        (r.name, f"{r.cards:,}", f"{r.of:,}", f"{1e5 * r.cards / r.of:,.0f}") for r in found.honest_roles
    ]
    titled.append((shown(_TROUBLED), _headings(_ROLE, _ASKED, _OF, _PER_100_000), list(honest)))
    if markdown:
        return "\n\n".join([head, *(as_markdown(one) for one in titled)])
    return Group(head, *(as_table(one, words=(shown(_ROLES),)) for one in titled))


def _headings(*columns: BilingualText) -> tuple[str, ...]:
    return tuple(map(shown, columns))


def _cells(row: MeasureRow, cards: int, strategies: Sequence[str]) -> tuple[str, ...]:
    named = _ROWS.get(row.name)
    return (
        shown(named) if named else row.name,
        f"{row.cards:,}",
        f"{1e5 * row.cards / cards:,.0f}",
        f"{row.fraud:,}",
        f"{row.honest:,}",
        share(row.precision),
        share(row.recall),
        *(share(row.recalls.get(strategy)) for strategy in strategies),
    )


def _largest(row: MeasureRow, roles: Sequence[str]) -> str:
    found = sorted(((row.recalls.get(role, 0.0), role) for role in roles), reverse=True)
    return ", ".join(f"{role} {recall:.2f}" for recall, role in found if recall >= 0.01)
