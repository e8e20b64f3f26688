"""Measures the console in a browser without a GPU: when a page is ready, and how long a large ring is drawn.

    python benchmarks/console_pages.py [--rounds 5] [--only ring]

Each page has a function that returns its rows; another page is another entry of PAGES.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import polars as pl
from playwright.sync_api import Page

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from duanka.domain.order import Role
from duanka.domain.ring_lookups import SeedName
from duanka.links.answers import FoundRing
from support.console.pages import Console, console_in
from support.links.invented_ring import PERIOD, R11, invented


@dataclass(frozen=True)
class Row:
    """A figure in milliseconds, and its aim."""

    what: str
    measured: Sequence[float]
    aim: float

    def __str__(self) -> str:
        middle, worst = statistics.median(self.measured), max(self.measured)
        mark = "" if middle <= self.aim else "  MISSED"
        return f"{self.what:58} {middle:8.0f} ms  worst {worst:6.0f}  aim {self.aim:6.0f}{mark}"


def large_ring() -> FoundRing:
    """13,000 invented cards: 9,500 in boxes at two sites, 3,480 in the drawer."""
    ring = invented(R11)
    facts = {"organisation": pl.lit(False), "calls_in": pl.lit(0), "calls_out": pl.lit(9)}
    return FoundRing(replace(ring, cards=ring.cards.with_columns(**facts)), PERIOD)


def ring(console: Console, rounds: int) -> list[Row]:
    """A ring of 13,000 cards: looked up and drawn, opened, dragged, zoomed."""
    found = large_ring()

    def around(named: SeedName) -> FoundRing:
        del named
        return found

    console.desk.graph.around = around  # type: ignore[method-assign, assignment]
    rows: dict[str, list[float]] = {name: [] for name in ("ready", "grouped", "opened", "all", "frame")}
    for _ in range(rounds):
        with console.page("/rings/R00001", Role.SUPERVISOR) as page:
            fields = page.locator("main form input.input")
            fields.nth(0).fill("a benchmark")
            fields.nth(1).fill("7")
            began = time.perf_counter()
            page.locator("main form button.main").click()
            page.wait_for_selector("canvas[data-took]")
            rows["ready"].append(1000 * (time.perf_counter() - began))
            rows["grouped"].append(_took(page, partial(page.keyboard.press, "f")))
            for site in (3, 4):  # the two sites, with 9,500 cards
                rows_of_site = page.locator(".groups tbody").nth(site).locator("button.fold").first
                took = _took(page, rows_of_site.click)
            rows["opened"].append(took)
            rows["frame"].append(_frame(page))
            page.keyboard.press("E")
            rows["all"].append(_took(page, partial(page.keyboard.press, "E")))
    return [
        Row("ring of 13,000 cards: from the question to the picture", rows["ready"], 2_000),
        Row("grouped (270 marks), drawn at rest", rows["grouped"], 300),
        Row("9,500 cards opened, drawn at rest", rows["opened"], 300),
        Row("all opened (25,960 dots), drawn at rest", rows["all"], 300),
        Row("a frame while it is dragged", rows["frame"], 33),
    ]


def _took(page: Page, act: Callable[[], object]) -> float:
    """How long the drawing at rest after `act` took: what the script did, and until every pixel was there."""
    watching = """() => {
        const canvas = document.querySelector('main canvas');
        const copy = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
        window.drawn = new Promise((done) => new MutationObserver((_seen, watcher) => {
            watcher.disconnect();
            const began = performance.now();
            copy.drawImage(canvas, 0, 0);
            copy.getImageData(0, 0, 1, 1);
            done(Number(canvas.dataset.took) + performance.now() - began);
        }).observe(canvas, {attributeFilter: ['data-took']}));
    }"""
    page.evaluate(watching)
    act()
    return float(page.evaluate("window.drawn"))


def _frame(page: Page) -> float:
    """The mean time between frames over 40 steps of a drag."""
    script = """async () => {
        const canvas = document.querySelector('main canvas'), box = canvas.getBoundingClientRect();
        const tell = (type, x) => canvas.dispatchEvent(new PointerEvent(type, {
            pointerId: 1, bubbles: true, clientX: box.x + x, clientY: box.y + 200, button: 0, buttons: 1}));
        canvas.setPointerCapture = () => undefined;
        tell('pointerdown', 300);
        const began = performance.now();
        for (let step = 0; step < 40; step++) {
            tell('pointermove', 300 + 5 * step);
            await new Promise(requestAnimationFrame);
        }
        const took = (performance.now() - began) / 40;
        tell('pointerup', 500);
        return took;
    }"""
    return float(page.evaluate(script))


PAGES: dict[str, Callable[[Console, int], list[Row]]] = {"ring": ring}


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=sorted(PAGES), action="append")
    asked = parser.parse_args()
    for name in asked.only or PAGES:
        with tempfile.TemporaryDirectory() as folder, console_in(Path(folder)) as console:
            for row in PAGES[name](console, asked.rounds):
                print(row, flush=True)


if __name__ == "__main__":
    main()
