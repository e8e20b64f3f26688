"""The reference pages say what the code does. Run as a program, this writes the generated parts of docs/FORMAT.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from duanka.cli import main as cli
from duanka.decision_log.writer import DECISIONS, HITS, DecisionLogWriter
from duanka.domain.decision import ACTION_OF_TIER, Tier
from duanka.domain.findings import CardAtRisk
from duanka.domain.police_reasons import CLAIMED, CONFIRMED
from duanka.domain.policy import LISTS
from duanka.domain.rule import Action, Hit
from duanka.domain.schema import RECORD_TABLES, TABLES, Column, ColumnKind, Table
from duanka.domain.streaming import Change, HitChange, LiveReason
from duanka.domain.text import BilingualText
from duanka.ingest.model.reasons import QuarantineReason
from duanka.observability.metrics import Metrics
from duanka.policy_files.loader import read_policy
from duanka.rules import RULES
from support import ROOT
from support.signed_cases import signed, trusting

FORMAT, OUTPUT = ROOT / "docs" / "FORMAT.md", ROOT / "docs" / "OUTPUT.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])

HOW_TO_WRITE = "docs/FORMAT.md lags behind the code; write it anew with: make pages"


# docs/FORMAT.md


def generated(tables: Mapping[str, Table]) -> str:
    """The tables as Markdown."""
    return "\n".join(line for table in tables.values() for line in _section(table))


def _section(table: Table) -> Iterable[str]:
    yield ""
    yield f"### `{table.name}`"
    yield ""
    yield f"{table.meaning[0].upper()}{table.meaning[1:]}." + (
        f" Event time: `{table.time}`." if table.time else ""
    )
    yield ""
    yield "| column | type | unit | meaning |"
    yield "|---|---|---|---|"
    for column in table.columns:
        name = f"**`{column.name}`**" if column.required else f"`{column.name}`"
        yield f"| {name} | {_type(column)} | {column.unit} | {column.meaning} |"


def _type(column: Column) -> str:
    return (
        " or ".join(f"`{c}`" for c in column.choices)
        if column.kind is ColumnKind.CHOICE
        else column.kind.value
    )


def _written(page: str) -> str:
    """`page` with what lies between each pair of marks generated."""
    for source, tables in (("schema.py", TABLES), ("policy.py", LISTS)):
        mark = rf"(<!-- from src/duanka/domain/{source}; [^\n]*-->\n).*?(?=<!-- end -->)"
        text = generated(tables) + "\n\n"
        page, found = re.subn(mark, lambda m, text=text: m[1] + text, page, flags=re.DOTALL)  # type: ignore[misc]
        assert found == 1, f"{FORMAT}: no place for what {source} says"
    return page


def test_the_format_page_has_every_table_and_column() -> None:
    page = FORMAT.read_text(encoding="utf-8")
    assert page == _written(page), HOW_TO_WRITE


def test_a_column_that_is_missing_in_the_page_is_seen() -> None:
    page = FORMAT.read_text(encoding="utf-8")
    without = re.sub(r"^\| `seconds` .*\n", "", page, count=1, flags=re.MULTILINE)
    assert len(without) < len(page)
    assert _written(without) == page


def test_every_type_is_explained() -> None:
    types = _first_cells(FORMAT.read_text(encoding="utf-8"), "## Types")
    assert types == [kind.value for kind in ColumnKind]


def test_the_page_names_the_tables_of_which_one_must_be_there() -> None:
    assert "at least one of " + ", ".join(f"`{name}`" for name in RECORD_TABLES) in FORMAT.read_text(
        encoding="utf-8"
    )


# docs/OUTPUT.md


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a real scan of a few records, one of them bad, by the command line."""
    data = tmp_path_factory.mktemp("data")
    (data / "cards.csv").write_text(
        "card,kind,opened_at,holder,operator\n"
        + "".join(f"861380000000{n},voice,2020-01-01 10:00:00,h1,A\n" for n in range(6)),
        encoding="utf-8",
    )
    (data / "cases.csv").write_text(
        "card,case_id,confirmed_at\n8613800000001,invented-1,2021-05-16 10:00:00\n", encoding="utf-8"
    )
    signed(data / "cases.csv")
    rows = [f"8613800000002,861390000{n:04},out,2021-05-17 09:{n % 60:02}:00,9,true" for n in range(61)]
    rows += ["8613800000002,8613900000000,sideways,2021-05-17 10:00:00,9,true"]
    (data / "calls.csv").write_text(
        "card,peer,direction,started_at,seconds,answered\n" + "\n".join(rows) + "\n", encoding="utf-8"
    )
    folder = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as here:
        for name, value in trusting(tmp_path_factory.mktemp("installation")).items():
            here.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            cli.cli(["scan", str(data), "--out", str(folder), "--max-bad", "50%"])
    assert ended.value.code == 0
    return folder


def test_the_output_page_names_every_file(out: Path) -> None:
    assert sorted(_first_cells(OUTPUT.read_text(encoding="utf-8"), "# What")) == sorted(
        f"`{path.name}`" for path in out.iterdir()
    )


@pytest.mark.parametrize("file", ["hits.parquet", "quarantine.parquet"])
def test_parquet_columns_are_those_of_the_page(out: Path, file: str) -> None:
    found = [[f"`{field.name}`", str(field.type)] for field in pq.read_schema(out / file)]
    stated = [row[:2] for row in _rows(OUTPUT.read_text(encoding="utf-8"), f"## {file}")]
    assert stated[: len(found)] == found


def test_the_work_list_is_as_the_page_says(out: Path) -> None:
    page = OUTPUT.read_text(encoding="utf-8")
    raw = (out / "cards_at_risk.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert raw.count(b"\n") == raw.count(b"\r\n")
    cards = pl.read_csv(out / "cards_at_risk.csv", infer_schema=False, encoding="utf8")
    stated = [row[0].strip("`") for row in _rows(page, "## cards_at_risk.csv")]
    assert stated[: len(cards.columns)] == cards.columns
    first = cards.row(0, named=True)
    assert (first["tier"], first["action"]) == ("extreme", "stop")
    assert first["rules"].split(";")[0] == CONFIRMED
    assert f"`{CONFIRMED}`" in page
    assert f"`{CLAIMED}`" in page
    assert {len(r.split(";")) - len(s.split("；")) for r, s in cards.select("rules", "reasons").rows()} == {0}


def test_tiers_and_actions_are_those_of_the_page() -> None:
    rows = _rows(OUTPUT.read_text(encoding="utf-8"), "## cards_at_risk.csv")
    stated = [tuple(row[:2]) for row in rows if len(row) == 3]
    assert stated == [(f"`{tier.word}`", f"`{ACTION_OF_TIER[tier].word}`") for tier in Tier]


# what intake cannot use, and what the live engine cannot
_REASONS = list(dict.fromkeys([reason.value for reason in (*QuarantineReason, *LiveReason)]))


def test_every_reason_for_quarantine_is_explained() -> None:
    rows = _rows(OUTPUT.read_text(encoding="utf-8"), "## quarantine.parquet")
    assert [row[0] for row in rows if len(row) == 2] == [f"`{reason}`" for reason in _REASONS]


@pytest.mark.parametrize("file", [HITS, DECISIONS])
def test_every_key_of_the_ledger_is_explained(tmp_path: Path, file: str) -> None:
    hit = Hit("8613800000001", "fan_out", datetime(2021, 5, 17, 9), {"peers": 60})
    card = CardAtRisk(hit.card, Tier.LOW, Action.WATCH, 0.0, {}, (hit,), ("A1",), would_be=Action.VERIFY)
    with DecisionLogWriter(tmp_path, b"k" * 32) as ledger:
        ledger.write([HitChange(1, Change.RAISED, hit)], lambda _: BilingualText("拨号", "dials"), [card])
    page = OUTPUT.read_text(encoding="utf-8")
    part = page[page.index(f"`{file}`, one line per") :]
    stated = [row[0] for row in _rows(f"# \n{part.split('##')[0]}", "# ")]
    keys = [f"`{key}`" for key in json.loads((tmp_path / file).read_text(encoding="utf-8"))]
    assert stated[: len(keys)] == keys


def test_every_metric_is_explained() -> None:
    metrics = Metrics((), datetime.now, lambda: 0.0)
    kinds = {
        f"`{family.name}{'_total' if family.type == 'counter' else ''}`": family.type
        for family in metrics.registry.collect()
        if family.name.startswith("duanka_")
    }
    rows = _rows(OUTPUT.read_text(encoding="utf-8"), "## Metrics and health")
    assert {row[0]: row[1] for row in rows} == kinds


# docs/POLICY.md


def test_the_policy_that_the_page_shows_can_be_read(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "POLICY.md").read_text(encoding="utf-8")
    shown = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert shown
    (tmp_path / "mine.toml").write_text(shown[1], encoding="utf-8")
    policy = read_policy(tmp_path / "mine.toml", RULES)
    assert policy.shadows == {"fan_out"}
    assert policy.rules["fan_out"].limits == {"min_peers": 40, "max_answer_rate": 0.3}


# every page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_the_pages_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor and target.suffix == ".md":
            assert anchor in _anchors(target), f"{page.name}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    named = re.findall(
        r"`((?:src|tests|policies|mappings|docs|requirements|benchmarks)/[\w./-]+)`",
        page.read_text(encoding="utf-8"),
    )
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing


def _anchors(page: Path) -> set[str]:
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    named = re.findall(r'<a id="([^"]+)"></a>', text)  # of a Chinese page, by the English heading
    return {
        *named,
        *{re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings},
    }


def _rows(page: str, heading: str) -> list[list[str]]:
    """The cells of every table row below the heading that begins so, up to the next heading; no head rows."""
    part = re.search(rf"^{re.escape(heading)}.*?\n(.*?)(?=^#|\Z)", page, flags=re.DOTALL | re.MULTILINE)
    assert part, heading
    rows = []
    for table in re.findall(r"(?:^\|.*\n?)+", part[1], flags=re.MULTILINE):
        rows += [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return rows


def _first_cells(page: str, heading: str) -> list[str]:
    return [row[0] for row in _rows(page, heading)]


if __name__ == "__main__":
    FORMAT.write_text(_written(FORMAT.read_text(encoding="utf-8")), encoding="utf-8")
