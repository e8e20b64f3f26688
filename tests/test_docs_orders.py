"""docs/ORDERS.md says what the table of transitions says. Run as a program, this writes its generated part."""

from __future__ import annotations

import re
from collections.abc import Iterator

from duanka.domain.evidence import Evidence
from duanka.domain.order import TRANSITIONS, Event, Kind, Role, State
from duanka.domain.phone_number import PROTECTED_LINES
from support import ROOT

ORDERS = ROOT / "docs" / "ORDERS.md"
HOW_TO_WRITE = "docs/ORDERS.md lags behind the code; write it anew with: make pages"

_KINDS = {
    Kind.VERIFICATION: "核验",
    Kind.RESTRICTION: "停机",
    Kind.OBJECTION: "异议",
    Kind.DISAVOWAL: "否认开户",
}
_ROLES = {Role.SYSTEM: "ourselves"}  # by deadlines, receipts and what people asked for many cards


def generated() -> str:
    """The table of transitions as Markdown, one row per event, its result and who may."""
    return "\n".join(line for kind in Kind for line in _section(kind))


def _section(kind: Kind) -> Iterator[str]:
    yield ""
    yield f"### {kind.value.capitalize()} {_KINDS[kind]}"
    yield ""
    yield "| from | by | to | who |"
    yield "|---|---|---|---|"
    rows: dict[tuple[Event, State | None, frozenset[Role]], list[State]] = {}
    for row in TRANSITIONS:
        if row.kind is kind:
            after = None if row.before is row.after and row.event is Event.EXTEND else row.after
            rows.setdefault((row.event, after, row.who), []).append(row.before)
    for (event, to, who), before in rows.items():
        people = ", ".join(_ROLES.get(role, role.value) for role in Role if role in who)
        states = ", ".join(f"`{state}`" for state in before)
        yield f"| {states} | `{event}` {event.words.zh} | {f'`{to}`' if to else 'the same'} | {people} |"


def _written(page: str) -> str:
    mark = r"(<!-- from src/duanka/domain/order.py; [^\n]*-->\n).*?(?=<!-- end -->)"
    page, found = re.subn(mark, lambda m: m[1] + generated() + "\n\n", page, flags=re.DOTALL)
    assert found == 1, f"{ORDERS}: no place for the transitions"
    return page


def test_the_page_has_every_transition() -> None:
    page = ORDERS.read_text(encoding="utf-8")
    assert page == _written(page), HOW_TO_WRITE


def test_a_transition_that_is_missing_in_the_page_is_seen() -> None:
    page = ORDERS.read_text(encoding="utf-8")
    without = re.sub(r"^\|[^\n]*`cancel` 销户[^\n]*\n", "", page, count=1, flags=re.MULTILINE)
    assert len(without) < len(page)
    assert _written(without) == page


def test_every_state_is_named_in_both_languages() -> None:
    page = ORDERS.read_text(encoding="utf-8")
    part = page[page.index("## States") : page.index("## Transitions")]
    rows = [line for line in part.splitlines() if "`" in line and line.startswith("|")]
    cells = [cell.strip() for line in rows for cell in line.split("|")[1:-1]]
    named = {state: words for state, words in zip(cells[::2], cells[1::2], strict=True) if state}
    assert sorted(named) == sorted(f"`{state}`" for state in State)
    for state in State:  # as the program says it; what it means may follow
        said = named[f"`{state}`"]
        assert re.fullmatch(rf"{state.words.zh}([，：].*)?", said), (state, said)


def test_every_entitlement_and_protected_line_is_named() -> None:
    page = ORDERS.read_text(encoding="utf-8")
    for carried in (one.of("") for one in Evidence):
        assert f"`{carried}" in page
    assert all(re.search(rf"\b{line}\b", page) for line in PROTECTED_LINES)


if __name__ == "__main__":
    ORDERS.write_text(_written(ORDERS.read_text(encoding="utf-8")), encoding="utf-8")
