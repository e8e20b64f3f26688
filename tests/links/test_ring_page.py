"""ring.html: it says who supplies, uses and runs a ring, stays small, and runs nothing that a name brings along."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import cache
from html.parser import HTMLParser
from io import StringIO
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Page, sync_playwright
from rich.console import Console

from duanka.cli.links.tables import ring_page
from duanka.domain.ring_lookups import RingFile
from duanka.domain.rings import LinkKind, RingRole
from duanka.domain.text import Language
from duanka.links.answers import FoundRing
from duanka.links.page.charts import days_of
from duanka.links.page.figures import certainties, cities_of, numbers
from duanka.links.page.layout import WIDTH, PictureLayout, laid_out
from duanka.links.page.picture import MOST_NODES, MOST_OF_KIND, Picture, picture_of
from duanka.links.page.words import Wording
from duanka.links.ring.ring import Ring
from support import browsers
from support.links.invented_ring import OUTLETS, PERIOD, R11, SITES, invented, with_outlet_named
from support.parts import needed

_EMPTY = {"meta", "input", "br", "path", "rect", "circle", "polygon"}
_HOSTILE = """</script><script>alert(1)</script><img src=x onerror=alert(2)>"'&{{ 7 }}"""


class _Elements(HTMLParser):
    """Elements of a page with their attributes, and the text outside of style and scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open, self.seen, self.text = list[str](), list[tuple[str, dict[str, str | None]]](), list[str]()
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in _EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.text.append(data)


@cache
def _large() -> tuple[Ring, Picture, PictureLayout]:
    ring = invented(R11)
    picture = picture_of(ring)
    return ring, picture, laid_out(picture)


def _written(ring: Ring, folder: Path, language: Language = "en") -> str:
    FoundRing(ring, PERIOD).write(folder, language)
    return (folder / RingFile.PAGE).read_text(encoding="utf-8")


def _data(html: str) -> dict[str, list[object]]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


def test_its_first_sentence_tells_who_supplies_uses_and_runs_it(tmp_path: Path) -> None:
    said = " ".join("".join(_Elements(_written(invented(), tmp_path)).text).split())
    assert (
        "145 cards: 100 cards in boxes, 39 in the drawer, never used; 3 boxes at 2 sites; supplied by 3 outlets;"
        " 2 operators, 2 minders, 2 suppliers." in said
    )
    assert "1 more to look at" in said
    said = "".join(_Elements(_written(invented(), tmp_path, "zh")).text)
    assert "100 张在用设备卡，39 张库存未用；3 台设备，分布 2 处；由 3 个网点供卡；2 名运营者" in said


@pytest.mark.parametrize("language", ["zh", "en"])
def test_it_is_one_file_that_loads_nothing(language: Language, tmp_path: Path) -> None:
    html = _written(invented(), tmp_path, language)
    assert {path.name for path in tmp_path.iterdir()} == {*RingFile}
    assert (tmp_path / RingFile.PAGE).stat().st_mode & 0o077 == 0
    elements = _Elements(html).seen
    assert not [attrs for _, attrs in elements if {"src", "srcset", "action", "background"} & attrs.keys()]
    assert {attrs["href"] for _, attrs in elements if "href" in attrs} == {"#tables"}
    assert "url(" not in html
    assert "@import" not in html
    assert "default-src 'none'" in html
    assert html == _written(invented(), tmp_path, language)


def test_names_from_records_are_text_wherever_they_stand(tmp_path: Path) -> None:
    ring = with_outlet_named(invented(), _HOSTILE)
    cards = ring.cards.with_columns(
        card=pl.lit(_HOSTILE), by=pl.lit(_HOSTILE), site=pl.lit(f"990104/{_HOSTILE}")
    )
    devices = ring.devices.with_columns(imei=pl.lit(_HOSTILE))
    groups = ring.ties.groups.with_columns(label=pl.col("label") + _HOSTILE)
    ring = replace(ring, cards=cards, devices=devices, ties=replace(ring.ties, groups=groups))
    html = _written(replace(ring, seed=replace(ring.seed, name=_HOSTILE)), tmp_path)
    seen = _Elements(html).seen
    assert [tag for tag, _ in seen].count("script") == 2
    assert "img" not in {tag for tag, _ in seen}
    assert not [attrs for _, attrs in seen if "onerror" in attrs]
    data = _data(html)
    assert set(data["names"]) == {_HOSTILE}
    assert _HOSTILE in data["outlets"]
    assert _HOSTILE in html.replace("&lt;", "<").replace("&gt;", ">").replace("&#34;", '"').replace(
        "&#39;", "'"
    ).replace("&amp;", "&")


def test_outlets_have_their_names_beside_their_codes(tmp_path: Path) -> None:
    page = _written(invented(), tmp_path)
    assert '<th scope="row"><span class="id">S000176</span> 解放路手机店</th>' in page
    assert "Outlet S000176 解放路手机店" in page
    assert '<th scope="row"><span class="id">S000172</span></th>' in page


def test_of_a_masked_ring_no_number_is_whole(tmp_path: Path) -> None:
    ring = invented()
    html = _written(FoundRing(ring, PERIOD).masked().ring, tmp_path)
    whole = [*ring.cards["card"], *ring.devices["imei"], *ring.cards["by"].unique(), ring.seed.name]
    assert [number for number in whole if number and number in html] == []
    assert "+86 150****0001" in html
    assert "numbers are masked" in html
    open_page = _written(ring, tmp_path)
    assert all(number in open_page for number in whole)
    assert "numbers are masked" not in open_page


def test_thirteen_thousand_cards_are_three_hundred_marks_and_three_megabytes_at_most(tmp_path: Path) -> None:
    ring, picture, _ = _large()
    assert ring.cards.height > 12_990
    assert 200 < picture.size <= MOST_NODES
    shown = sorted(group for node in picture.nodes for group in node.groups)
    assert shown == list(range(ring.ties.groups.height)), "each group is in one node"
    rest = [node for node in picture.nodes if node.merged]
    assert sum(node.merged for node in rest if node.kind == LinkKind.BATCH) == 325 - 200 + 3
    FoundRing(ring, PERIOD).write(tmp_path, "en")
    assert (tmp_path / RingFile.PAGE).stat().st_size < 3_000_000


def test_every_kind_at_its_most_still_fits() -> None:
    ring = invented(replace(R11, boxes=120, people=40))
    picture = picture_of(ring)
    assert picture.size <= MOST_NODES
    people = [node for node in picture.people if node.kind == RingRole.MINDER]
    assert len(people) == 12
    assert people[-1].merged == 29
    assert sum(max(node.merged, 1) for cluster in picture.places for node in cluster.nodes) == 120


def test_bands_lead_each_card_from_its_outlet_to_its_place() -> None:
    ring, picture, layout = _large()
    supply = sorted(OUTLETS, key=lambda name: _many(ring, name))
    assert [cluster.label.partition(" ")[0] for cluster in picture.supply] == supply
    assert [(cluster.kind, cluster.label) for cluster in picture.places] == [
        ("site", SITES[0]),
        ("site", SITES[1]),
        ("drawer", ""),
    ]
    assert sum(tie.cards for tie in picture.flows) == R11.things
    for cluster in (*picture.supply, *picture.places):
        cards = sum(tie.cards for tie in picture.flows if cluster.id in (tie.one, tie.other))
        assert cards == cluster.cards
        frame = layout.frames[cluster.id]
        bands = [flow for flow in layout.flows if cluster.id in (flow.tie.one, flow.tie.other)]
        ends = [flow.start if flow.tie.one == cluster.id else flow.end for flow in bands]
        assert all(frame.y < y < frame.y + frame.height for _, y in ends)
        assert sum(flow.height for flow in bands) <= frame.height


def _many(ring: Ring, outlet: str) -> tuple[int, str]:
    return -ring.cards.filter(outlet=outlet).height, outlet


def test_nothing_lies_upon_another_and_all_of_it_inside() -> None:
    _, picture, layout = _large()
    spots = [layout.spots[node.id] for node in picture.nodes]
    assert all(0 < spot.x < WIDTH and 0 < spot.y < layout.height for spot in spots)
    apart = [
        max(abs(one.x - other.x), abs(one.y - other.y)) >= max(one.size, other.size)
        for place, one in enumerate(spots)
        for other in spots[place + 1 :]
    ]
    assert all(apart)
    frames = sorted(layout.frames.values(), key=lambda frame: (frame.x, frame.y))
    for one, other in pairwise(frames):
        assert (
            one.x + one.width <= other.x or one.y + one.height <= other.y or other.y + other.height <= one.y
        )


def test_a_card_of_several_groups_of_a_kind_is_counted_once() -> None:
    ring, kind = invented(), LinkKind.SWITCHED.value
    number = ring.ties.groups.height
    many = MOST_OF_KIND[LinkKind.SWITCHED] + 5
    row = ring.ties.groups.row(0, named=True) | {"kind": kind, "label": "09:00", "cards": 3, "seed": False}
    groups = pl.DataFrame([row] * many, schema=ring.ties.groups.schema)
    links = pl.DataFrame(
        [(card, number + group, 0.5) for group in range(many) for card in (0, 1, 2)],
        schema=ring.ties.links.schema,
        orient="row",
    )
    ties = replace(
        ring.ties,
        groups=pl.concat([ring.ties.groups, groups]),
        links=pl.concat([ring.ties.links, links]),
    )
    picture = picture_of(replace(ring, ties=ties))
    (merged,) = (node for node in picture.others if node.kind == kind and node.merged)
    assert (picture.tied[kind], merged.cards) == (3, 3)


def test_minders_stand_by_the_place_that_they_mind() -> None:
    _, picture, _ = _large()
    minders = [node.id for node in picture.people if node.kind == RingRole.MINDER]
    minded = {tie.one: tie.other for tie in picture.minding}
    assert [minded[minder] for minder in minders] == ["p0"] * 3 + ["p1"] * 3
    seeds = [node for node in picture.nodes if node.seed]
    assert [node.label for node in seeds] == ["86900609553922"]


def test_cities_and_certainties_count_every_card() -> None:
    ring = invented()
    cities = cities_of(ring)
    assert cities.columns == ("990104", "990202", "*drawer")
    (row,) = cities.rows
    assert (row.city, row.outlets, row.cards, cities.boxes) == ("990203", 3, 139, (2, 1, 0))
    assert [cell.cards for cell in row.cells] == [67, 33, 39]
    assert [cell.shade for cell in row.cells] == [6, 4, 4]
    rows = certainties(ring)
    assert sum(row.joined for row in rows) == 145
    assert [(row.least, row.looked_at) for row in rows if row.looked_at] == [(0.0, 1)]


def test_many_cities_end_in_one_row_of_all_others() -> None:
    ring = invented()
    city = pl.Series([f"9{number % 14:05}" for number in range(ring.cards.height)])
    cities = cities_of(replace(ring, cards=ring.cards.with_columns(outlet_city=city)))
    assert (len(cities.rows), cities.more_rows) == (11, 4)
    assert sum(row.cards for row in cities.rows) == 139


def test_days_show_what_was_before_them_as_a_number() -> None:
    ring = invented()
    assert "before" not in days_of(ring.cards, PERIOD, Wording("en")).split("First used")[1]
    opened = days_of(ring.cards, PERIOD, Wording("en")).split("First used")[0]
    assert "before: 6" in opened  # the people's cards
    assert "records begin" in opened


def _opened_before(ring: Ring, days: list[int]) -> date:
    """The first day that is drawn, of a ring whose cards were opened so many days before the records."""
    first = datetime.combine(PERIOD.first, time(9))
    opened = pl.Series("opened_at", [first - timedelta(days=many) for many in days], dtype=pl.Datetime)
    drawn = days_of(ring.cards.head(len(days)).with_columns(opened), PERIOD, Wording("en"))
    return date.fromisoformat(re.findall(r">(\d{4}-\d\d-\d\d)<", drawn)[0])


@pytest.mark.parametrize(
    ("days", "begins"),
    [
        ([10] * 40, 10),
        ([10] * 40 + [100], 10),  # one in twenty may be told in a number
        ([10] * 40 + [100] * 3, 100),
        ([10] * 40 + [700] * 60, 10),  # too long ago to be drawn, however many
        ([700] * 40, 0),
        ([-3] * 40, 0),
        ([30], 30),
        ([], 0),
    ],
)
def test_days_begin_where_something_is_to_be_seen(days: list[int], begins: int) -> None:
    assert _opened_before(invented(), days) == PERIOD.first - timedelta(days=begins)


@pytest.mark.parametrize(
    ("boxes", "sites", "said"),
    [
        (3, 2, "3 boxes at 2 sites; supplied"),
        (3, 1, "3 boxes at one site; supplied"),
        (1, 1, "1 box at one site; supplied"),
        (2, 0, "2 boxes; supplied"),
        (0, 2, "used at 2 sites; supplied"),
        (0, 1, "used at one site; supplied"),
        (0, 0, "never used; supplied"),
    ],
)
def test_boxes_and_sites_are_told_as_the_terminal_counts_them(boxes: int, sites: int, said: str) -> None:
    ring = invented()
    named = [*SITES[:sites], ""][: max(sites, 1)]
    site = pl.col("site").replace_strict(dict(zip(SITES, named * 2, strict=False)), default="")
    kind = pl.when(pl.int_range(pl.len()) < boxes).then(pl.lit("box")).otherwise(pl.lit("phone"))
    ring = replace(
        ring,
        cards=ring.cards.with_columns(site),
        devices=ring.devices.with_columns(kind.alias("role"), site=pl.lit("")),
    )
    assert said in "; ".join(numbers(ring, Wording("en")))
    told = Console(width=120, file=StringIO())
    told.print(ring_page(ring, PERIOD))
    table = told.file.getvalue()  # type: ignore[attr-defined]
    assert [site for site in SITES if site in table] == [*SITES[:sites]]


def test_a_card_without_a_ring_is_said_to_be_alone(tmp_path: Path) -> None:
    ring = invented()
    none = ring.ties.groups.clear()
    ties = replace(ring.ties, groups=none, links=ring.ties.links.clear(), contacts=ring.ties.contacts.clear())
    alone = replace(
        ring, cards=ring.cards.head(1), devices=ring.devices.clear(), outlets=ring.outlets.clear(), ties=ties
    )
    html = _written(alone, tmp_path)
    assert "No link holds" in html
    assert "no link holds" in str(ring_page(alone, PERIOD)) or "没有足以成立" in str(ring_page(alone, PERIOD))
    assert "<script" not in html
    nobody = replace(alone, cards=ring.cards.clear())
    assert "No link holds" in _written(nobody, tmp_path)


def test_a_browser_without_a_gpu_shows_thirteen_thousand_cards(tmp_path: Path) -> None:
    needed(browsers.missing())
    ring, _, _ = _large()
    FoundRing(ring, PERIOD).write(tmp_path, "en")
    with (
        sync_playwright() as playwright,
        browsers.open_page(
            playwright,
            (tmp_path / RingFile.PAGE).as_uri(),
            viewport={"width": 1400, "height": 1000},
            has_touch=False,
        ) as shown,
    ):
        page = shown.page
        _the_first_answer(page)
        _lists_cards_and_reasons(page)
        _is_walked_by_keys(page)
        assert (shown.complaints, shown.hosts) == ([], {""})


def _the_first_answer(page: Page) -> None:
    """Choose a site, and wait until it is drawn: the data is read only then."""
    page.evaluate(
        """async () => {
        document.querySelector('[data-id="p0"]').dispatchEvent(new MouseEvent('click', {bubbles: true}));
        await new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)));
        }"""
    )


def _lists_cards_and_reasons(page: Page) -> None:
    chosen = page.locator("#chosen")
    assert "Site 990104/99010400007" in chosen.inner_text()
    assert "cards: 5,067" in chosen.inner_text()
    assert chosen.locator("ul").last.locator("li").count() == 60
    chosen.get_by_text("show 60 more").click()
    assert chosen.locator("ul").last.locator("li").count() == 120
    page.locator('[data-id="g0"]').hover()
    assert "device 86900609553922: 634 cards of the ring" in page.locator(".tip").inner_text()
    assert page.locator(".threads path").count() == 40
    page.locator('[data-id="g0"]').click()
    first = chosen.locator("li", has_text="took turns in device 86900609553922").first.inner_text()
    assert re.search(r"86150\d{8} box card · 0\.99", first)
    assert re.search(r"\(by way of 86150\d{8}\)", first)
    page.fill("#find", "8615000000000")
    chosen.get_by_role("button", name="8615000000000", exact=True).click()
    assert "opened 2021-" in chosen.inner_text()
    assert "device 86900609553922 cards: 634" in chosen.inner_text()


def _is_walked_by_keys(page: Page) -> None:
    page.locator("#picture").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert "Outlet" in page.locator("#chosen h3").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("#picture.dim").count() == 0
    page.get_by_role("button", name="zoom in").click()
    assert page.locator("#picture.moved").count() == 1


def test_a_card_at_which_the_search_began_is_marked_where_it_is_used(tmp_path: Path) -> None:
    ring = invented()
    cards = ring.cards.with_columns(seed=pl.int_range(pl.len()) == 3)
    groups = ring.ties.groups.with_columns(seed=pl.lit(value=False))
    ring = replace(ring, cards=cards, ties=replace(ring.ties, groups=groups))
    (seed,) = (node for node in picture_of(ring).nodes if node.seed)
    assert (seed.kind, seed.label) == ("seed", cards["card"][3])
    assert f'aria-label="seed: seed {seed.label}' in _written(ring, tmp_path)


def test_what_speaks_against_the_ring_is_said_and_that_nothing_does(tmp_path: Path) -> None:
    ring = invented()
    assert "Of them 100 are at risk by the rules, 1 confirmed by the police." in _written(ring, tmp_path)
    honest = ring.cards.with_columns(at_risk=pl.lit(value=False), confirmed=pl.lit(value=False))
    html = _written(replace(ring, cards=honest), tmp_path)
    assert "No rule speaks against any of them" in html
    assert "confirmed by the police" not in html
