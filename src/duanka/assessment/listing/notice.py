"""The notice that a listed unit gets: reason, figures, term, and the way to object; stored as it is approved."""

from __future__ import annotations

from hashlib import sha256

from duanka.assessment.candidates import Candidate
from duanka.assessment.criterion_words import expected_text
from duanka.assessment.formulas import FORMULAS, OURS
from duanka.domain.listing import ListingFacts
from duanka.domain.text import BilingualText

_NOTICE = BilingualText(
    "挂牌整治通知\n"
    "单位：{kind}{unit}\n"
    "指标：{measure}。{formula}{ours}\n"
    "数据：{periods}，共 {events:,}，基数 {exposure:,}；{by}预计 {expected}，实际为预计的"
    " {ratio:.2f} 倍（95%区间 {lower:.2f} 至 {upper:.2f}），超过偶然波动的上限 {beyond:,.0f}{others}；"
    "各期差于其他单位的概率 {worse}，误报率 {false:.2%}。\n"
    "依据：考核 {run}，比较了 {runs}。\n"
    "要求：自批准之日起 {days} 日内整改，并报送整改材料。\n"
    "申诉：如认为有误，可随时提出申诉，申诉成立即摘牌；由提出挂牌人以外的人决定。",
    "Notice of listing for rectification\n"
    "Unit: {kind} {unit}\n"
    "Measure: {measure}. {formula} {ours}\n"
    "Figures: {periods}: {events:,} of {exposure:,}; expected {by}:"
    " {expected}. That is {ratio:.2f} times what is expected (95% interval {lower:.2f} to {upper:.2f}), and more"
    " than the {beyond:,.0f} that chance explains.{others} Probability of being worse than the rest, by period:"
    " {worse}; false discovery {false:.2%}.\n"
    "Ground: run {run}, which was compared with {runs}.\n"
    "What to do: put it right within {days} days of the approval, and file the evidence.\n"
    "Objection: whoever thinks this is wrong objects at any time, and is taken off the list if it is upheld. Somebody"
    " other than who proposed the listing decides.",
)

_BY_PAST = BilingualText("按本单位以往和其他单位的情况", "by the unit's own past and by the others")
_NO_PAST = BilingualText(
    "按其他单位的情况（此前没有考核，以往未知）", "by the others (no earlier run, so no past is known)"
)
_BY_SIZE = BilingualText(
    "；仅按其他单位的比率，同样多的号码预计 {by_number}",
    " By the rate of the others alone, as many cards would have {by_number}.",
)
_BY_MIX = BilingualText(
    "；仅按其他单位的比率，同样多的号码预计 {by_number}，同样多且卡龄相同的号码预计 {by_age}",
    " By the rate of the others alone, as many cards would have {by_number}, and as many of the same ages {by_age}.",
)


def notice_of(one: Candidate, term_days: int) -> BilingualText:
    """The notice in both languages."""
    facts = one.facts

    def written(language: int) -> str:
        return _NOTICE[language].format(
            kind=one.kind.words[language],
            unit=one.unit,
            measure=one.measure.words[language],
            formula=FORMULAS[one.measure][language],
            ours=OURS[language],
            periods=("、", ", ")[language].join(facts.periods),
            events=facts.events,
            exposure=facts.exposure,
            expected=expected_text(facts.expected),
            others=_of_the_others(facts)[language],
            by=(_BY_PAST if len(facts.runs) > len(facts.periods) else _NO_PAST)[language],
            ratio=facts.ratio,
            lower=facts.lower,
            upper=facts.upper,
            beyond=facts.beyond,
            worse=("、", ", ")[language].join(f"{chance:.4f}" for chance in facts.worse),
            false=facts.false_discovery,
            run=one.run_id,
            runs=("、", ", ")[language].join(facts.runs),
            days=term_days,
        )

    return BilingualText(written(0), written(1))


def _of_the_others(facts: ListingFacts) -> BilingualText:
    """What the others alone let expect; nothing of candidates whose runs did not say it."""
    if facts.by_number is None:
        return BilingualText("", "")
    by_number = expected_text(facts.by_number)
    if facts.by_age is None:
        return _BY_SIZE.filled(by_number=by_number)
    return _BY_MIX.filled(by_number=by_number, by_age=expected_text(facts.by_age))


def digest_of(notice: BilingualText) -> str:
    """SHA-256 of both texts, by which a copy is checked."""
    return sha256("\n\n".join(notice).encode()).hexdigest()
