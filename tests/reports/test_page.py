import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from duanka.domain.decision import Tier
from duanka.domain.findings import Findings, ShadowRule
from duanka.domain.intake_report import FileAccount
from duanka.domain.ports import RuleRun
from duanka.domain.rule import Action
from duanka.domain.streaming import SourceReach
from duanka.reports.list_changes import ListChange, ListChanges
from duanka.reports.page import write_page
from duanka.reports.wording import TIERS
from duanka.rules import RULES
from support import browsers
from support.parts import needed
from support.reports.invented_findings import NOT_RUN, NOW, empty, invented

COUNTER = Action.VERIFY_AT_COUNTER
VOID = {"meta", "br", "use", "path", "hr", "img", "input", "link"}


class Outline(HTMLParser):
    """What a browser sees: elements, whether they close, ids, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)


def page(findings: Findings, tmp_path: Path, *, masked: bool = True) -> str:
    """The page of these findings; that of the invented ones is written once for all tests."""
    if findings is not invented() or not masked:
        return written(findings, tmp_path, masked=masked)
    if not _OF_INVENTED:
        _OF_INVENTED.append(written(findings, tmp_path))
    return _OF_INVENTED[0]


_OF_INVENTED: list[str] = []


def written(findings: Findings, tmp_path: Path, *, masked: bool = True) -> str:
    path = tmp_path / "report.html"
    write_page(findings, path, masked=masked)
    return path.read_text(encoding="utf-8")


def outline(html: str) -> Outline:
    seen = Outline()
    seen.feed(html)
    seen.close()
    assert seen.open == []
    return seen


def section(html: str, id_: str) -> str:
    """The text of one section, with its white space closed up."""
    found = re.search(rf'<section id="{id_}".*?</section>', html, re.DOTALL)
    assert found is not None
    return " ".join(" ".join(outline(found[0]).text).split())


@pytest.mark.parametrize("findings", [invented(), invented("hebei"), empty()], ids=["full", "hebei", "empty"])
def test_the_page_stands_alone_and_is_well_formed(findings: Findings, tmp_path: Path) -> None:
    html = page(findings, tmp_path)
    assert not re.search(r"https?:|//[a-z]|<script|<link|<img|@import|src=|xlink", html, re.IGNORECASE)
    assert len(html.encode()) < 600_000
    seen = outline(html)
    ids = [attrs["id"] for _, attrs in seen.seen if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert ("html", {"lang": "zh-CN"}) in seen.seen
    assert all("scope" in attrs for tag, attrs in seen.seen if tag == "th")
    assert all(attrs.get("aria-label") for _, attrs in seen.seen if attrs.get("role") == "img")


def test_every_section_is_there_in_its_order(tmp_path: Path) -> None:
    html = page(invented(), tmp_path)
    order = re.findall(r'<section id="(\w+)"', html)
    assert order == ["do", "gaps", "records", "figures", "cards", "limits"]


def test_the_same_findings_give_the_same_bytes(tmp_path: Path) -> None:
    assert written(invented(), tmp_path) == written(invented.__wrapped__(), tmp_path)


def test_what_to_do_is_said_per_tier_and_per_100_000(tmp_path: Path) -> None:
    findings = invented()
    said = section(page(findings, tmp_path), "do")
    assert "极高 extreme 17 立即停机" in said
    assert "8.5" in said
    assert "高 high 388 到自有营业厅现场核验" in said
    assert "低 low 9,604 只关注" in said
    assert "停机只来自公安机关确认的案件（涉案）" in said
    assert f"满 {findings.policy.medium:g} 分" in said
    assert "逐项触发" in section(page(invented("hebei"), tmp_path), "do")


def test_what_did_not_run_is_told_in_words_and_unfolded(tmp_path: Path) -> None:
    html = page(invented(), tmp_path)
    said = section(html, "gaps")
    assert "2 条规则未运行" in said
    for rule, lacks in NOT_RUN.items():
        assert rule in said
        assert all(name in said for name in lacks)
    assert "data_days" in said
    assert "sleeping_card 38,112 19.1%" in said
    gaps = html[html.index('<section id="gaps"') : html.index('<section id="records"')]
    assert "<details" not in gaps


def test_when_every_rule_ran_the_page_says_so(tmp_path: Path) -> None:
    findings = replace(invented(), runs=tuple(RuleRun(rule.id) for rule in RULES))
    said = section(page(findings, tmp_path), "gaps")
    assert f"全部 {len(RULES)} 条规则都已运行" in said
    assert "未运行：" not in said


def test_a_rule_of_which_nobody_gave_an_account_has_not_run(tmp_path: Path) -> None:
    findings = replace(invented(), runs=tuple(RuleRun(rule.id) for rule in RULES[1:]))
    said = section(page(findings, tmp_path), "gaps")
    assert "1 条规则未运行" in said
    assert RULES[0].id in said


def test_records_are_accounted_for(tmp_path: Path) -> None:
    said = section(page(invented(), tmp_path), "records")
    assert "收到 7,740,762 条，采用 7,739,319 条，隔离 1,443 条（0.02%）" in said
    assert "quarantine.parquet" in said
    assert "319 条在事件时间之外" in said
    assert "truncated gzip after 88 MB" in said
    assert (
        "calls/2021-05-16 (copy).csv.gz calls 0 0 0 与此文件相同： same content as calls/2021-05-16.csv.gz"
        in said
    )
    assert "tariff" in said


def test_a_long_delivery_is_folded(tmp_path: Path) -> None:
    findings = invented()
    files = tuple(FileAccount(f"calls/{n}.csv", "calls", 1, 1, 0) for n in range(200))
    html = page(replace(findings, intake=replace(findings.intake, files=files)), tmp_path)
    assert '<details class="file-by-file">\n<summary>逐个文件（200）' in html


def test_every_rule_is_named_with_its_limits_and_who_set_them(tmp_path: Path) -> None:
    findings = invented()
    said = section(page(findings, tmp_path), "limits")
    for rule in RULES:
        assert f"{rule.title.zh} {rule.title.en} {rule.id}" in said
        assert " ".join(rule.look_alikes.en.split()) in said
        assert all(name in said for name in rule.limits)
        assert all(source.text in said for source in findings.policy.rules[rule.id].authority.values())
    assert "max_calls 60 次/小时 calls/h" in said
    assert "本系统 ours" in said
    assert f"权重 weight {findings.policy.rules['sim_box'].weight:g}" in said
    assert "95588 工商银行 ICBC" in said
    assert "invented-areas.toml" in said
    assert "权重 weight" not in section(page(invented("hebei"), tmp_path), "limits")


def test_rules_in_shadow_have_a_section_of_their_own(tmp_path: Path) -> None:
    findings = invented()
    hit = ShadowRule(
        "fan_out", 1_200, 310, {(Action.WATCH, Action.VERIFY): 305, (Action.VERIFY, COUNTER): 40}
    )
    idle = ShadowRule("high_risk_area", 0, 0, {})
    policy = findings.policy.with_shadow(["fan_out", "high_risk_area"])
    html = page(replace(findings, policy=policy, shadows=(hit, idle)), tmp_path)
    said = section(html, "shadow")
    assert "影子规则 Shadow rules" in said
    assert "广撒网外呼 Fan-out of calls fan_out 1,200 600 310 345 不作要求 nothing is asked" in said
    assert "nothing is asked → 线上实人核验 verify online : 305" in said
    assert said.count("未运行 not run") == 1, "high_risk_area lacked its list"
    assert section(html, "limits").count("影子 in shadow") == len(policy.shadows) > 2, "those shipped so too"
    assert "fan_out" not in section(html, "figures"), "what does not count is in no other number"
    assert "fan_out" in section(page(findings, tmp_path), "figures")
    assert 'id="shadow"' not in page(findings, tmp_path)


def test_an_area_is_listed_with_its_authority_and_dates(tmp_path: Path) -> None:
    findings = invented()
    area = {
        "city": "990100",
        "title": "临岗",
        "authority": "虚构机关",
        "since": "2021-01-01",
        "until": "2021-12-31",
    }
    policy = replace(findings.policy, lists={**findings.policy.lists, "high_risk_areas": (area,)})
    said = section(page(replace(findings, policy=policy), tmp_path), "limits")
    assert "990100 临岗 · 虚构机关 · 2021-01-01 – 2021-12-31" in said


def test_cards_are_masked_unless_asked(tmp_path: Path) -> None:
    findings = invented()
    masked = page(findings, tmp_path)
    full = page(findings, tmp_path, masked=False)
    assert not re.search(r"[0-9]{11}", " ".join(outline(masked).text))
    assert "+86 138****0000" in masked
    for card in findings.top:
        assert card.card not in masked
        assert f"+86 {card.card[2:]}" in full
    assert "356938035643809" in full
    assert "号码未遮盖" in full


def test_cards_come_with_reasons_evidence_and_cases(tmp_path: Path) -> None:
    findings = invented()
    said = section(page(findings, tmp_path), "cards")
    assert "涉案：公安机关已确认，案件 Police-confirmed, case A4401-2021-0517" in said
    for card in findings.top:
        assert all(words.zh in said and words.en in said for words in card.reasons.values())
    assert "接通率 Share answered 3.7%" in said
    assert said.count("涉案") == sum(bool(card.cases) for card in findings.top)


def test_names_and_reasons_from_data_stay_text(tmp_path: Path) -> None:
    findings = invented()
    html = page(findings, tmp_path)
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    hit = replace(findings.top[2].hits[0], evidence={"<i>x": "</dl><svg onload=1>"})
    card = replace(findings.top[2], card="<b>card</b>", hits=(hit,))
    hostile = page(replace(findings, top=(card,)), tmp_path)
    assert "<svg onload" not in hostile
    assert "<i>x" not in hostile
    outline(hostile)


def test_a_file_name_that_is_no_text_does_not_cost_the_report(tmp_path: Path) -> None:
    findings = invented()
    odd = FileAccount("calls/\udcff.csv", "calls", 1, 1, 0)
    html = page(replace(findings, intake=replace(findings.intake, files=(odd,))), tmp_path)
    assert "calls/?.csv" in html


def test_nothing_found_is_a_page_too(tmp_path: Path) -> None:
    html = page(empty(), tmp_path)
    assert "没有卡命中规则" in section(html, "cards")
    assert "收到 0 条" in section(html, "records")
    assert "—" in section(html, "do")


def test_a_failed_page_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = page(empty(), tmp_path)

    def torn(self: Path, target: Path) -> Path:
        raise OSError("no room")

    monkeypatch.setattr(Path, "replace", torn)
    with pytest.raises(OSError, match="no room"):
        write_page(invented(), tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == old
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_colours_of_tiers_fall_from_dark_to_light() -> None:
    """So they stay apart in greyscale; the words and marks stand beside them anyway."""

    def light(colour: str) -> float:
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    lights = [light(TIERS[tier].colour) for tier in sorted(Tier, reverse=True)]
    assert all(after - before > 35 for before, after in pairwise(lights))
    assert len({look.mark for look in TIERS.values()}) == len(TIERS)


def test_a_card_is_found_on_the_list_by_its_row(tmp_path: Path) -> None:
    findings = invented()
    tiers = {tier: sum(card.tier is tier for card in findings.top) for tier in Tier}
    places: dict[Tier, int] = {}
    numbered = []
    for card in findings.top:
        places[card.tier] = places.get(card.tier, 0) + 1
        numbered.append(replace(card, place=places[card.tier]))
    html = page(replace(findings, top=tuple(numbered), tiers=tiers), tmp_path)
    rows = [int(row) for row in re.findall("清单第 ([0-9]+) 行", html)]
    assert rows == list(range(2, 2 + len(findings.top))), (
        "the heading is row 1, and the heaviest tier comes first"
    )
    assert html.count('href="#cards"') == 1


def _sources(count: int) -> tuple[SourceReach, ...]:
    return tuple(
        SourceReach(f"msc-{n}/calls", "calls", 1000, n, NOW, NOW - timedelta(minutes=n), n == count - 1)
        for n in range(count)
    )


def test_live_records_are_told_by_source_and_what_is_not_known_is_said(tmp_path: Path) -> None:
    findings = replace(invented(), live=_sources(3))
    html = page(findings, tmp_path)
    outline(html)
    said = section(html, "records")
    assert "msc-0/calls calls 1,000 0 2021-05-18 00:00 2021-05-18 00:00" in said
    assert "silent" in said
    assert "not counted here" in said
    assert '<details class="file-by-file">' not in html
    assert "not counted how many cards" in section(html, "gaps")
    assert "All 20 rules ran, with every table" not in html
    many = section(page(replace(invented(), live=_sources(700)), tmp_path), "records")
    assert many.count("msc-") == 20
    assert "msc-699/calls" in many, "the one furthest behind"
    assert "680 more are not shown" in many


def test_the_page_leads_to_the_lists_and_says_where_the_others_are(tmp_path: Path) -> None:
    findings = invented()
    html = page(findings, tmp_path)
    assert set(re.findall(r'href="([^"#]+)"', html)) == {"cards_at_risk.xlsx", "cards_at_risk.csv"}
    rest = sum(findings.tiers.values()) - min(30, len(findings.top))
    assert f"the {rest:,} that are not shown here" in section(html, "cards")
    write_page(findings, tmp_path / "report.html", changes=ListChanges(Counter({ListChange.GONE: 1234})))
    said = section((tmp_path / "report.html").read_text(encoding="utf-8"), "do")
    assert "移出 gone 1,234" in said
    assert "changes.xlsx" in said


def test_a_morning_of_many_sources_is_at_most_twelve_printed_pages(tmp_path: Path) -> None:
    needed(browsers.missing())
    report = tmp_path / "report.html"
    write_page(replace(invented(), live=_sources(700)), report, changes=ListChanges(Counter()))
    with sync_playwright() as playwright:
        browser = browsers.launched(playwright)
        page = browser.new_page()
        page.goto(report.as_uri())
        printed = page.pdf(prefer_css_page_size=True, print_background=True)
        browser.close()
    assert 3 <= len(re.findall(rb"/Type\s*/Page[^s]", printed)) <= 12
