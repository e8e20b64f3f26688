"""Output of `duanka rules backtest`: cards gained and lost, and changed actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from duanka.application.backtest import Backtest
from duanka.cli.output.grid import Titled, as_markdown, as_table, share
from duanka.cli.shell.language import shown
from duanka.cli.shell.process import CAUTION, Indented
from duanka.domain.judgement import in_words
from duanka.domain.phone_masking import masked_card, masked_text
from duanka.domain.policy import Deciding, Policy
from duanka.domain.rule import Action, Literal
from duanka.domain.text import BilingualText
from duanka.evaluation.changes import Example, Flagged, Move, RuleChangeEffect
from duanka.reports.sections import facts

_ASKED = (BilingualText("之前", "before"), BilingualText("之后", "after"))
_AS_IT_IS, _CHANGED = BilingualText("现状", "as it is"), BilingualText("修改后", "changed")
_WITHOUT, _WITH = BilingualText("不含该规则", "without it"), BilingualText("含该规则", "with it")
_GAINED, _LOST = BilingualText("新增", "gained"), BilingualText("减少", "lost")
_CARDS, _COUNT = BilingualText("卡数", "cards"), BilingualText("命中次数", "hits")
_KNOWN = (
    *(BilingualText("涉诈", "fraud"), BilingualText("正常", "honest")),
    *(BilingualText("精确率", "precision"), BilingualText("召回率", "recall")),
)
_HITS, _WHAT = BilingualText("{rule} 的命中", "What {rule} hits"), BilingualText("处置变化", "What is asked")
_INSTEAD = BilingualText("{name}={after}（原为 {before}）", "{name}={after} instead of {before}")
_AND = BilingualText("、", ", ")
_AGAINST_NONE = BilingualText(
    "{rule}（{limits}），对比不运行该规则", "{rule} ({limits}) against running without it"
)
_WITH_LIMITS, _AS_THEY_ARE = (
    BilingualText("{rule}，{limits}", "{rule} with {limits}"),
    BilingualText("阈值不变", "the limits as they are"),
)
_HEAD = BilingualText(
    "{what}；策略 {policy}，{first} 至 {until}（当地时间）。",
    "{what}; policy {policy}, {first} to {until} local time.",
)
_WEIGHT = BilingualText("，权重 {weight}", ", with weight {weight}")
_NOT_IN_POLICY = BilingualText(
    "策略 {policy} 不运行 {rule}：按运行研判{weight}",
    "Policy {policy} does not run {rule}: judged as if it did{weight}",
)
_IN_SHADOW = BilingualText(
    "{rule} 在策略 {policy} 中是影子规则：按生效研判{weight}",
    "{rule} is in shadow under policy {policy}: judged as if it counted{weight}",
)
_RAN_WITHOUT = BilingualText("缺少 {without} 仍运行：{rule}", "Ran without {without}: {rule}")
_UNSURE = BilingualText(
    "{cards} 张卡无法判断：{rule}，历史记录不够长",
    "Could not judge {cards} cards by {rule}: the records do not reach back far enough",
)
_LACKING = BilingualText(
    "未运行，决定中不含这些规则：{rules}", "Not run; decisions are made without these rules: {rules}"
)
_NOT_LISTED, _THE_SAME = BilingualText("未列入", "not listed"), BilingualText("处置不变", "the same is asked")
_ASKED_MORE = BilingualText("加重 {cards} 张卡", "Stricter action: {cards} cards")
_ASKED_LESS = BilingualText("减轻 {cards} 张卡", "milder action: {cards} cards")
_OF_THEM = BilingualText("（涉诈 {fraud}，正常 {honest}）", " ({fraud} fraud, {honest} honest)")
_ORDERS = BilingualText(
    "{more}；{less}。工单：之前 {before} 张卡，之后 {after} 张卡。",
    "{more}; {less}. Orders: {before} cards before, {after} after.",
)
_SOME = BilingualText("{word}：{cards} 张卡中的 {some} 张", "{word}: {some} of {cards} cards")
_TIMES, _ONCE = BilingualText("{times} 次，首次", "{times} times, first"), BilingualText("1 次，", "once,")


def backtest_tables(
    outcome: Backtest, changes: RuleChangeEffect, policy: Policy, *, markdown: bool
) -> RenderableType:
    """The tables of `duanka rules backtest`.

    `policy`: as the user named it; in `outcome.policy` the rule counts even if it is in shadow in `policy`.
    """
    names = (_AS_IT_IS, _CHANGED) if outcome.before else (_WITHOUT, _WITH)
    flagged = zip(
        map(shown, (*names, _GAINED, _LOST)),
        (changes.before, changes.after, changes.gained, changes.lost),
        strict=True,
    )
    truth = changes.before.known is not None
    known = (*map(shown, _KNOWN), *changes.strategies) if truth else ()
    tables: list[Titled] = [
        (
            shown(_HITS, rule=outcome.rule.id),
            ("", shown(_CARDS), shown(_COUNT), *known),
            [_flagged(name, one, changes.strategies) for name, one in flagged],
        )
    ]
    if changes.moves:
        columns = tuple(map(shown, (*_ASKED, _CARDS, *(_KNOWN[:2] if truth else ()))))
        tables.append((shown(_WHAT), columns, [_move(one) for one in changes.moves]))
    head, notes = _head(outcome, policy), _notes(outcome, policy)
    examples = [*_examples(_GAINED, changes.examples_gained, changes.gained, outcome, outcome.limits_after)]
    examples += _examples(_LOST, changes.examples_lost, changes.lost, outcome, outcome.limits_before)
    text = tuple(map(shown, _ASKED))
    orders = _orders(outcome, changes)
    if markdown:
        parts = [head, *notes, *(as_markdown(one, words=text) for one in tables), orders]
        parts += [
            f"**{title}**\n\n" + "\n".join(f"- {'; '.join(lines)}" for lines in of) for title, of in examples
        ]
        return "\n\n".join(parts)
    printed = [
        Indented(f"\n{title}\n" + "\n".join("\n    ".join(lines) for lines in of)) for title, of in examples
    ]
    cautions = [Text(note, style=CAUTION) for note in notes]
    return Group(head, *cautions, *(as_table(one, words=text) for one in tables), f"\n{orders}", *printed)


def _head(outcome: Backtest, policy: Policy) -> str:
    before, after = outcome.limits_before, outcome.limits_after
    changed = [
        shown(_INSTEAD, name=name, after=str(after[name]), before=str(before[name]))
        for name in after
        if after[name] != before[name]
    ]
    if not outcome.before:
        limits = ", ".join(f"{name}={value}" for name, value in after.items())
        what = shown(_AGAINST_NONE, rule=outcome.rule.id, limits=limits)
    else:
        what = shown(
            _WITH_LIMITS, rule=outcome.rule.id, limits=shown(_AND).join(changed) or shown(_AS_THEY_ARE)
        )
    first, until = (f"{at:%Y-%m-%d %H:%M}" for at in (outcome.span.first, outcome.span.until))
    return shown(_HEAD, what=what, policy=policy.id, first=first, until=until)


def _notes(outcome: Backtest, policy: Policy) -> list[str]:
    rule, weighed = outcome.rule.id, policy.deciding is Deciding.WEIGH
    weight = shown(_WEIGHT, weight=f"{outcome.policy.rules[rule].weight:g}") if weighed else ""
    notes = []
    if rule not in policy.rules:
        notes.append(shown(_NOT_IN_POLICY, policy=policy.id, rule=rule, weight=weight))
    elif rule in policy.shadows:
        notes.append(shown(_IN_SHADOW, policy=policy.id, rule=rule, weight=weight))
    if outcome.after.without:
        notes.append(shown(_RAN_WITHOUT, rule=rule, without=", ".join(outcome.after.without)))
    if outcome.after.unsure:
        notes.append(shown(_UNSURE, rule=rule, cards=outcome.after.unsure))
    lacking = [run.rule for run in outcome.runs if not run.ran]
    if lacking:
        notes.append(shown(_LACKING, rules=", ".join(lacking)))
    return notes


def _flagged(name: str, one: Flagged, strategies: Sequence[str]) -> tuple[str, ...]:
    counts = (name, f"{one.cards:,}", f"{one.hits:,}")
    row = one.known
    if row is None:
        return counts
    recalls = (share(row.recalls.get(strategy)) for strategy in strategies)
    return (*counts, f"{row.fraud:,}", f"{row.honest:,}", share(row.precision), share(row.recall), *recalls)


def _move(move: Move) -> tuple[str, ...]:
    known = () if move.fraud is None else (f"{move.fraud:,}", f"{move.honest:,}")
    return (_word(move.before), _word(move.after), f"{move.cards:,}", *known)


def _word(asked: Action | None) -> str:
    return shown(_NOT_LISTED if asked is None else asked.words)


def _orders(outcome: Backtest, changes: RuleChangeEffect) -> str:
    """Cards with stricter and milder actions, and number of orders before and after."""

    def some(words: BilingualText, wanted: Callable[[int], bool]) -> str:
        chosen = [move for move in changes.moves if wanted(move.more)]
        cards = sum(move.cards for move in chosen)
        said = shown(words, cards=cards)
        if changes.before.known is None:
            return said
        fraud, honest = sum(m.fraud or 0 for m in chosen), sum(m.honest or 0 for m in chosen)
        return said + shown(_OF_THEM, fraud=fraud, honest=honest)

    before, after = (
        sum(n for asked, n in outcome.orders.items() if (asked[side] or Action.WATCH) > Action.WATCH)
        for side in (0, 1)
    )
    return shown(
        _ORDERS,
        more=some(_ASKED_MORE, lambda more: more > 0),
        less=some(_ASKED_LESS, lambda more: more < 0),
        before=before,
        after=after,
    )


def _examples(
    words: BilingualText,
    examples: Sequence[Example],
    of: Flagged,
    outcome: Backtest,
    limits: Mapping[str, Literal],
) -> list[tuple[str, list[list[str]]]]:
    if not examples:
        return []
    return [
        (
            shown(_SOME, word=shown(words).capitalize(), some=len(examples), cards=of.cards),
            [_lines(one, outcome, limits) for one in examples],
        )
    ]


def _lines(one: Example, outcome: Backtest, limits: Mapping[str, Literal]) -> list[str]:
    """Lines about a gained or lost card; its number is masked, so they can be shared."""
    words = in_words(outcome.rule, one.hit, limits)
    asked = f"{_word(one.moved[0])} -> {_word(one.moved[1])}" if one.moved else shown(_THE_SAME)
    evidence = (
        f"{shown(fact.title)} {fact.value}{f' {shown(fact.unit)}' if fact.unit else ''}"
        for fact in facts(one.hit, outcome.rule, masked=True)
    )
    times = shown(_TIMES if one.hit.times > 1 else _ONCE, times=one.hit.times)
    known = f"; {one.truth}" if one.truth else ""
    return [
        f"{masked_card(one.hit.card)}  {times} {one.hit.seen_at:%Y-%m-%d %H:%M}; {asked}{known}",
        masked_text(shown(words)),
        ", ".join(evidence),
    ]
