import re
from datetime import date, timedelta

import pytest

from duanka.domain.decision import Tier
from duanka.reports import plots


def test_labels_stay_text_and_names_are_not_markup_or_formulas() -> None:
    drawn = plots.shares([plots.ShareBar("<b>$1$</b>", "out1", 3, 40)])
    assert "&lt;b&gt;$1$&lt;/b&gt;" in drawn
    assert "<b>" not in drawn


def test_nothing_foreign_is_left_in_a_plot() -> None:
    drawn = plots.cards_per_rule([plots.RuleBar("一机多卡", "shared_device", {Tier.HIGH: 3})])
    assert not re.search(r"https?:|<metadata|<style|<!--|<!DOCTYPE|xlink", drawn)
    assert drawn.startswith('<svg viewBox="')


def test_plots_have_no_ids_since_several_are_on_a_page() -> None:
    drawn = plots.shares([plots.ShareBar("35693803****809", "", 3, 40)])
    assert not re.search(r" id=|href=|url\(", drawn)


def test_bars_are_as_long_as_their_counts() -> None:
    bars = [
        plots.RuleBar("多", "many", {Tier.HIGH: 60, Tier.LOW: 20}),
        plots.RuleBar("少", "few", {Tier.LOW: 40}),
    ]
    widths = [
        float(width) for width in re.findall(r'<rect [^>]*width="([0-9.]+)"', plots.cards_per_rule(bars))
    ]
    assert widths[0] == pytest.approx(3 * widths[1], abs=0.02)
    assert widths[2] == pytest.approx(2 * widths[1], abs=0.02)


@pytest.mark.parametrize(
    ("cards", "marks"),
    [
        (1, ["0", "1"]),
        (4, ["0", "1", "2", "3", "4"]),
        (157, ["0", "40", "80", "120", "160"]),
        (7000, ["0", "1,500"]),
    ],
)
def test_the_marks_of_an_axis_are_round_and_whole(cards: int, marks: list[str]) -> None:
    drawn = plots.devices([plots.ShareBar("", "", 0, cards)])
    found = re.findall(r"text-anchor: middle[^>]*>([^<]*)<", drawn)
    assert found[: len(marks)] == marks
    assert 2 <= len(found) <= 6


def test_a_rule_that_did_not_run_is_said_in_the_plot() -> None:
    drawn = plots.cards_per_rule([plots.RuleBar("漫游", "high_risk_area", {}, ran=False)])
    assert "未运行" in drawn


def test_hits_before_the_records_are_one_number_and_all_zero_days_draw() -> None:
    first = date(2021, 5, 4)
    rows = [
        plots.DayRow("存量", {date(2019, 1, 1): 700, date(2020, 1, 1): 505}),
        plots.DayRow("静默", {}),
    ]
    drawn = plots.hits_by_day(rows, first, first)
    assert "1,205" in drawn


def test_years_of_days_stay_small() -> None:
    first = date(2019, 1, 1)
    hits = {first + timedelta(days=day): day % 9 for day in range(900)}
    drawn = plots.hits_by_day([plots.DayRow("规则", hits)] * 18, first, first + timedelta(days=899))
    assert len(drawn) < 150_000


def test_a_share_of_no_cards_is_a_dash() -> None:
    assert "—" in plots.shares([plots.ShareBar("店", "out1", 0, 0)])
