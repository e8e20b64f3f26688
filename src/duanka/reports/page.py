"""report.html: one self-contained file, byte-identical for equal findings."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from duanka.domain.device_id import many_unknown
from duanka.domain.display import display_name
from duanka.domain.findings import Findings
from duanka.domain.policy import Deciding
from duanka.domain.private_files import put_in_place
from duanka.domain.rule import Grade
from duanka.reports import sections
from duanka.reports.figures import figures
from duanka.reports.list_changes import ListChange, ListChanges
from duanka.reports.wording import number, share, when


def write_page(
    findings: Findings, path: Path, *, masked: bool = True, changes: ListChanges | None = None
) -> None:
    """Write the report to `path` atomically; it links to the lists beside it.

    `masked`: shorten card numbers and IMEIs. Unmasked, the page is only for people who may see full numbers.
    `changes`: counts of changes since the last work list; with them, the page links to the lists of changes.
    """
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(_content(findings, masked=masked) | {"changes": changes, "change_kinds": list(ListChange)})
    )
    with put_in_place(path) as aside:
        # file names that are not UTF-8 contain lone surrogates, which must not fail the report
        aside.write_text(page, encoding="utf-8", errors="replace", newline="\n")


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("duanka.reports", package_path=""),
        autoescape=True,  # shop names, reasons and file names come from data
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(n=number, when=when)
    return environment


def _content(findings: Findings, *, masked: bool) -> dict[str, object]:
    intake = findings.intake
    tiers = sections.tier_rows(findings)
    return {
        "findings": findings,
        "masked": masked,
        "data": display_name(findings.data.name or str(findings.data)),
        "lists_from": display_name(findings.lists_from.name) if findings.lists_from else "",
        "deciding": sections.deciding(findings.policy),
        "tiers": tiers,
        "quiet": max(0, findings.cards - sum(row.cards for row in tiers)),
        "gaps": sections.gaps(findings),
        "duplicates": [file for file in intake.files if file.duplicate_of],
        "unreadable": [file for file in intake.files if file.unreadable],
        "bad_share": share(intake.quarantined, intake.records, 2),
        "quarantine": intake.quarantine.name,
        "ignored": {file: columns for file, columns in intake.ignored.items() if columns},
        "devices_unknown": many_unknown(intake.devices_unknown, intake.records),
        "figures": figures(findings, masked=masked),
        "weighed": findings.policy.deciding is Deciding.WEIGH,
        "sources": findings.live,
        "shown_sources": sections.shown_sources(findings.live),
        "elsewhere": sum(row.cards for row in tiers) - len(findings.top[: sections.MOST_CARDS]),
        "listed": sum(row.cards for row in tiers),
        "tables": sections.table_rows(intake),
        "entries": sections.entries(findings, masked=masked),
        "grades": list(Grade),
        "rules": sections.rule_entries(findings),
        "lists": sections.list_entries(findings.policy),
        "shadows": sections.shadow_rows(findings),
    }
