"""Words of the report, in Chinese and English; a report is in one of them."""

from __future__ import annotations

from duanka.assessment.criterion_words import expected_text
from duanka.assessment.report.charts import shown_figure
from duanka.domain.assessment import FigureShape, Measure, UnitFigure
from duanka.domain.text import BilingualText, Language

TITLE = BilingualText("责任考核报告", "Assessment report")
SUBTITLE = BilingualText(
    "对涉诈的处置，与对用户的影响，并列公布",
    "What was done against fraud, and what was done to holders, side by side",
)
PERIOD, AS_OF = BilingualText("考核期", "Period"), BilingualText("数据截至", "As of")
RUN, POLICY = BilingualText("考核编号", "Run"), BilingualText("策略", "Policy")
DIGEST = BilingualText("数据摘要（SHA-256）", "Digest of the figures (SHA-256)")
SOURCES = BilingualText("数据来源", "Sources")
SOURCES_TOLD = BilingualText(
    "工单库（核验、停机、复通、异议、通知）、警情确认、案件与受害人台账；活跃号码数来自记录库的登记信息和使用记录。",
    "Order database (verifications, restrictions, restorations, objections, notices), confirmations of the police,"
    " cases and victims; active cards from the registers and usage in the store of records.",
)
EXPOSURE_UNKNOWN = BilingualText(
    "活跃号码数未知，涉案率因此未知：{why}", "Active cards are unknown, and so are rates: {why}"
)
ACTING_SIDE = BilingualText("对涉诈的处置", "Against fraud")
ACTED_SIDE = BilingualText("对用户的影响", "Towards holders")
MEASURE, FIGURE = BilingualText("指标", "measure"), BilingualText("结果", "figure")
COUNT, OF = BilingualText("计数", "count"), BilingualText("基数", "of")
UNIT, INTERVAL = BilingualText("单位", "unit"), BilingualText("95%区间", "95% interval")
SHRUNK, RANK = BilingualText("收缩估计", "shrunk"), BilingualText("名次", "rank")
RANK_LOW, RANK_HIGH = BilingualText("名次下限", "rank from"), BilingualText("名次上限", "rank to")
LOWER, UPPER = BilingualText("区间下限", "interval from"), BilingualText("区间上限", "interval to")
SHRUNK_LOWER, SHRUNK_UPPER = BilingualText("收缩下限", "shrunk from"), BilingualText("收缩上限", "shrunk to")
PLACE, LISTED = BilingualText("漏斗图位置", "in the funnel"), BilingualText("挂牌标准", "criterion")
EXPECTED, RATIO = (
    BilingualText("近期预期", "expected lately"),
    BilingualText("与预期之比（95%区间）", "of the expected (95% interval)"),
)
LIMIT = BilingualText("近期控制限", "limit lately")
RATIO_ALONE = BilingualText("与预期之比", "of the expected")
BY_NUMBER = BilingualText("按号码数预期", "expected by number")
BY_AGE = BilingualText("按卡龄预期", "expected by age")
FIGURE_BY_AGE = BilingualText("按卡龄标准化", "figure by age")
RATE = BilingualText("每万", "per 10,000")
OF_OTHERS = BilingualText("按号码数 / 按卡龄预期", "by number / by age")
KIND, YES = BilingualText("分组", "by"), BilingualText("达到", "met")
UNKNOWN = BilingualText("未知", "unknown")
MEASURED_IN = {
    FigureShape.RATE: BilingualText("（每万活跃号码）", " (per 10,000 active cards)"),
    FigureShape.HOURS: BilingualText("（小时）", " (hours)"),
}
PLACES = {
    -2: BilingualText("低于99.8%限", "below the 99.8% limit"),
    -1: BilingualText("低于95%限", "below the 95% limit"),
    0: BilingualText("限内", "inside"),
    1: BilingualText("高于95%限", "above the 95% limit"),
    2: BilingualText("高于99.8%限", "above the 99.8% limit"),
}
SECTIONS = {
    "together": BilingualText("全部合计", "All together"),
    "listed": BilingualText("达到挂牌标准的单位", "Units that meet the criterion of listing"),
    "compared": BilingualText("单位比较", "Units compared"),
    "tables": BilingualText("只列数值、不作比较的指标", "Figures that are not compared"),
    "formulas": BilingualText("指标公式", "Formulas"),
    "method": BilingualText("方法说明", "How it is compared"),
}
NOBODY = BilingualText("没有单位达到标准。", "No unit meets it.")
TOO_FEW_PERIODS = BilingualText(
    "早期考核期的数据不足，本期无法判定。",
    "Too few earlier periods were counted: nothing can be said of this one.",
)
FUNNEL = BilingualText("漏斗图", "Funnel plot")
FUNNEL_SAID = BilingualText(
    "每个点是一个单位。单位越小，偶然波动越大：在控制限内的差别不说明问题。"
    "单位之间除偶然外相差 {spread:.0%}（过度离散）。挂牌标准还与本单位以往相比，因此达到标准的点可能在限内。",
    "Each dot is a unit. The smaller it is, the more chance moves it: differences inside the limits say nothing. Beside"
    " chance units differ by {spread:.0%} (over-dispersion). The criterion also compares a unit with its own past, so a"
    " unit that meets it may lie inside.",
)
COMPARED_BY_AGE = BilingualText(
    "新开的号码涉案远多于老号码。因此图、区间、收缩估计和名次都按卡龄标准化：每个单位的号码，按其他单位同样卡龄的号码"
    "多常涉案折算。表中“每万”一栏不折算；“按号码数预期”与“按卡龄预期”之差，就是卡龄构成造成的。",
    "Cards just opened are confirmed far more often than old ones. So plots, intervals, shrunk figures and ranks are by"
    " age: the cards of each unit count for how often other units' cards of the same age are confirmed. The figure"
    " per 10,000 in the table is not: what is expected by age, but not by number, comes from the ages of the unit's"
    " cards.",
)
CATERPILLAR = BilingualText("毛毛虫图", "Caterpillar plot")
CATERPILLAR_SAID = BilingualText(
    "竖线：本单位数值，灰条：其95%区间；圆点和细线：收缩估计及其95%区间。名次不带区间没有意义。",
    "Tick: the unit's own figure, grey bar: its 95% interval; dot and thin line: the shrunk figure with its 95%"
    " interval. A rank without its interval says nothing.",
)
CUSUM = BilingualText("累积和（CUSUM）", "CUSUM over periods")
CUSUM_SAID = BilingualText(
    "把每期高于预期的部分累加，找持续的变差（1.5倍）。1为警戒线：正常单位在所示各期内越线的概率为1%。只供关注，不作挂牌依据。",
    "What each period has above the expected adds up: a lasting change for the worse (1.5 times) shows. 1 is the alarm,"
    " passed by an honest unit with a chance of 1% in all periods shown. For attention; nobody is listed by it.",
)
MORE = BilingualText("另有 {n} 个单位，见 Excel 版。", "{n} more units: see the workbook.")
NOTHING_SHOWN = BilingualText(
    "其余 {n} 个单位本期没有可计的数据或数据未知。",
    "Of {n} units there is nothing to count, or it is unknown.",
)
METHOD = (
    BilingualText(
        "控制限：Spiegelhalter 2005、2012；加性过度离散，两端各10%缩尾；公布的估计对大小悬殊的单位偏小，本系统已修正。"
        "事件很少的单位用伽马-泊松或贝塔-二项控制限。",
        "Limits: Spiegelhalter 2005, 2012; additive over-dispersion, 10% winsorised at each end; the published"
        " estimate is too small for units of unequal size, and is mended here. Of units with few events: Gamma-Poisson"
        " or beta-binomial.",
    ),
    BilingualText(
        "收缩估计：率用伽马-泊松，比例用贝塔-二项（经验贝叶斯）；区间：Jeffreys；多重比较：Benjamini-Hochberg。",
        "Shrinkage: Gamma-Poisson for rates, beta-binomial for shares (empirical Bayes); intervals: Jeffreys; many"
        " units: Benjamini-Hochberg.",
    ),
    BilingualText(
        "卡龄标准化（间接标准化）：按考核期前的月数分为五档，各档比率取自其他单位，不含明显偏高的单位；分档为本系统自定。",
        "By age: indirect standardisation over five ages, in months before the period; the rate of each is that of the"
        " other units, without those far above. The ages are ours.",
    ),
    BilingualText(
        "挂牌标准与本单位以往和其他单位相比，因此长期不变的客群差异不算过错。未知不计为0，也不参与比较。",
        "The criterion compares a unit with its own past and with the others, so that a lasting mix of customers is no"
        " fault. Unknown is never 0, and is not compared.",
    ),
)


def figure_text(figure: UnitFigure, measure: Measure, language: Language) -> str:
    """A figure with its unit of measurement; unknown, or `–` where it is of nothing."""
    value = figure.value(measure)
    if value is None:
        return "–" if figure.is_of_nothing(measure) else UNKNOWN.in_(language)
    units = {
        FigureShape.RATE: BilingualText("/万", " per 10,000"),
        FigureShape.HOURS: BilingualText("小时", " h"),
    }
    unit = units.get(measure.shape, BilingualText("", ""))
    return shown_figure(value, measure) + unit.in_(language)


def number_text(count: int | None, language: Language) -> str:
    """A count, or unknown."""
    return UNKNOWN.in_(language) if count is None else f"{count:,}"


def expected_shown(events: float | None) -> str:
    """Expected events; "" without."""
    return "" if events is None else expected_text(events)


def interval_text(low: float | None, high: float | None, measure: Measure) -> str:
    """From and to; "" without."""
    if low is None or high is None:
        return ""
    return f"{shown_figure(low, measure)} – {shown_figure(high, measure)}"


def unit_text(name: str, language: Language) -> str:
    """A unit's name; of the rest whose unit is not known: unknown."""
    return name or UNKNOWN.in_(language)
