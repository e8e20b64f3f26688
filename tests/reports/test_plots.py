import re
from datetime import date, timedelta

from duanka.domain.decision import Tier
from duanka.reports import plots


def test_labels_stay_text_and_names_are_not_markup_or_formulas() -> None:
    drawn = plots.shares([plots.ShareBar("<b>$1$</b>", "out1", 3, 40)], "outlets")
    assert "&lt;b&gt;$1$&lt;/b&gt;" in drawn
    assert "<b>" not in drawn


def test_nothing_foreign_is_left_in_a_plot() -> None:
    drawn = plots.cards_per_rule([plots.RuleBar("一机多卡", "shared_device", {Tier.HIGH: 3})])
    assert not re.search(r"https?:|<metadata|<style|<!--|<!DOCTYPE|xlink", drawn)
    assert drawn.startswith('<svg viewBox="')


def test_every_reference_in_a_plot_is_to_its_own_ids() -> None:
    drawn = plots.devices([plots.ShareBar("35693803****809", "", 3, 40)])
    ids = set(re.findall(r' id="([^"]+)"', drawn))
    assert set(re.findall(r'(?:href="|url\()#([\w-]+)', drawn)) == ids
    assert all(name.startswith("devices-") for name in ids)


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
    assert "—" in plots.shares([plots.ShareBar("店", "out1", 0, 0)], "outlets")
