"""Output of `duanka rules list`, `show` and `test`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType

from duanka.cli.output.grid import grid
from duanka.cli.output.list_columns import ListColumn, Listing
from duanka.cli.shell.language import shown
from duanka.cli.shell.process import Prose
from duanka.domain.policy import Deciding, Policy
from duanka.domain.rule import Action, Rule
from duanka.domain.text import BilingualText
from duanka.engine import RuleTestResult
from duanka.reports.wording import unit

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
_RULE = BilingualText("规则", "rule")
_READ, _NEEDS, _FIRES = (
    BilingualText("读取", "reads"),
    BilingualText("需要", "needs"),
    BilingualText("命中时刻", "fires"),
)
_QUIET = {  # units that `unit` omits, because a formatted value shows them
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


def policy_line(policy: Policy) -> str:
    """One line that names the policy of a list of rules."""
    return shown(_POLICY, policy=policy.id, title=shown(policy.title), since=policy.since)


def rules_listing(policy: Policy) -> Listing[Rule]:
    """The rules under a policy."""

    def limits(rule: Rule) -> list[str]:
        return [f"{name}={value}" for name, value in policy.limits(rule).items()]

    def weight(rule: Rule) -> float | None:
        return policy.rules[rule.id].weight if policy.deciding is Deciding.WEIGH else None

    def asks_for(rule: Rule) -> str:
        return shown(rule.asks_for.words) + (shown(_SHADOWED) if rule.id in policy.shadows else "")

    columns: tuple[ListColumn[Rule], ...] = (
        ListColumn("id", ("规则", "id"), lambda rule: rule.id),
        ListColumn(
            "asks_for",
            ("处置", "asks for"),
            lambda rule: rule.asks_for.word,
            asks_for,
            word=lambda word: shown(Action[word.upper()].words),
        ),
        ListColumn("shadow", None, lambda rule: rule.id in policy.shadows),
        ListColumn("grade", ("来源", "grade"), lambda rule: rule.source.grade.value, spare=3),
        ListColumn("weight", ("权重", "weight"), weight, spare=4, right=True),
        ListColumn("title", ("名称", "title"), lambda rule: rule.title, least=16, spare=1, both=True),
        ListColumn("limits", ("阈值", "limits"), limits, least=20, spare=2),
    )
    return Listing(BilingualText("规则", "rules"), columns, ("asks_for", "grade"))


def rule_page(rule: Rule, policy: Policy) -> RenderableType:
    """Full description of one rule."""
    limits = grid(_LIMITS)
    for name, value in (policy.limits(rule) if rule.id in policy.rules else {}).items():
        by = policy.authority(rule, name)
        authority = f"{by.text} ({by.grade})" if by else shown(_OURS)
        limit = rule.limits[name]
        limits.add_row(name, str(value), _unit(limit.unit), shown(limit.meaning), authority)
    evidence = grid(_EVIDENCE, ((e.name, shown(e.title), _unit(e.unit)) for e in rule.evidence))
    reads = shown(_READS, reads=", ".join(rule.reads), days=rule.look_back.days)
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
    """SQL of a rule, printed without wrapping, so that it can be read and copied."""
    lines = rule.sql.strip("\n").rstrip().splitlines()
    return "\n".join(line.removeprefix(" " * 8) for line in lines)


def trials_table(outcomes: Sequence[RuleTestResult]) -> RenderableType:
    """Result of each example; failures with their explanation."""
    table = grid(_TRIALS)
    for o in outcomes:
        outcome = shown(_OK) if o.passed else shown(_WRONG, wrong=", ".join(o.wrong))
        must = shown(_FLAG if o.flags else _SPARE)
        table.add_row(o.rule, must, o.title, outcome, style="" if o.passed else "red")
    wrong = sum(not o.passed for o in outcomes)
    total = shown(_TRIED, examples=len(outcomes), wrong=wrong)
    return Group(table, Prose(total, style="bold red" if wrong else "bold"))
