"""The criterion of listing in words, with the numbers of a policy: wherever it is told, it is told by these."""

from __future__ import annotations

from duanka.domain.assessment_policy import AssessmentPolicy
from duanka.domain.text import BilingualText

_CRITERION = BilingualText(
    "标准（我们所定，数值取自策略）：连续 {periods} 期，每期差于其他单位的概率不低于 {probability}，"
    "差于按其以往（至多 {history} 期）和其他单位所得预期的概率不低于 {each_period}；"
    "{periods} 期合计超出 {limit} 控制限，并高于其他单位的 {excess:g} 倍；合计至少 {least_events} 件，"
    "每期基数至少 {least_exposure:g}；错误发现率不超过 {false_discovery}。"
    "涉案率与其他单位同样卡龄的号码相比，缺少卡龄数据的考核期除外。"
    "不足 {least_units} 个单位不作比较。达到标准只是建议，挂牌须由两人决定。",
    "The criterion (ours, with the numbers of the policy): in each of {periods} periods running worse than the rest"
    " with a probability of {probability} or more, and worse than its own past (up to {history} periods) and the rest"
    " let expect with {each_period} or more; outside the {limit} limits in these together, and more than {excess:g}"
    " times the rest; at least {least_events} events in all, of at least {least_exposure:g} in each period; false"
    " discoveries at most {false_discovery}. Confirmed cards are compared with those among the rest's cards of the same"
    " ages, but for periods that were not counted by age. Fewer than {least_units} units are not compared. To meet it"
    " is a proposal: two persons decide on a listing.",
)


def criterion_in_words(policy: AssessmentPolicy) -> BilingualText:
    """All that a unit must meet to be a candidate."""
    return _CRITERION.filled(
        periods=policy.periods,
        history=policy.history,
        excess=policy.excess,
        least_events=policy.least_events,
        least_exposure=policy.least_exposure,
        least_units=policy.least_units,
        **{
            name: percent(getattr(policy, name))
            for name in ("probability", "each_period", "limit", "false_discovery")
        },
    )


def percent(share: float) -> str:
    """A share as it stands in the policy: 0.995 is 99.5%, not 100%."""
    return f"{share * 100:.6g}%"


def expected_text(expected: float) -> str:
    """Expected events with two digits that say something: what is not 0 is not told as 0."""
    return (
        f"{expected:,.1f}" if expected >= 10 else f"{expected:.2f}" if expected >= 0.1 else f"{expected:.2g}"
    )
