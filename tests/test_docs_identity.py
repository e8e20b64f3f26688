"""docs/IDENTITY.md says what the code says. Run as a program, this writes its generated part."""

from __future__ import annotations

import re
from collections.abc import Iterator

from duanka.bootstrap.settings import Settings
from duanka.domain.identity import COUNTED, LEAST_FRAMES, MOST_FRAMES, CheckReason, Gesture
from duanka.domain.identity_policy import IdentityPolicy
from duanka.identity.reference_photos import MOST_PHOTO, PATIENT
from duanka.identity.vendor import MOST_ANSWERED, MOST_SECONDS, MOST_STEPS
from duanka.orders.verification.pictures import LONGEST
from support import ROOT
from support.vendor_server import CONTRACT

IDENTITY = ROOT / "docs" / "IDENTITY.md"
HOW_TO_WRITE = "docs/IDENTITY.md lags behind the code; write it anew with: make pages"
POLICY = IdentityPolicy()


def generated() -> str:
    """The table of reasons as Markdown, one row per reason in their order."""
    return "\n".join(_rows())


def _rows() -> Iterator[str]:
    yield "| code | the holder is told | | counted |"
    yield "|---|---|---|---|"
    for reason in CheckReason:
        words = reason.words
        yield f"| `{reason}` | {words.zh} | {words.en} | {'**yes**' if reason in COUNTED else ''} |"


def _written(page: str) -> str:
    mark = r"(<!-- from src/duanka/domain/identity.py; [^\n]*-->\n).*?(?=<!-- end -->)"
    page, found = re.subn(mark, lambda m: m[1] + "\n" + generated() + "\n\n", page, flags=re.DOTALL)
    assert found == 1, f"{IDENTITY}: no place for the reasons"
    return page


def _page() -> str:
    return IDENTITY.read_text(encoding="utf-8")


def test_the_page_has_every_reason_and_whether_it_counts() -> None:
    assert _page() == _written(_page()), HOW_TO_WRITE


def test_a_reason_that_is_missing_in_the_page_is_seen() -> None:
    without = re.sub(r"^\| `still`[^\n]*\n", "", _page(), count=1, flags=re.MULTILINE)
    assert len(without) < len(_page())
    assert _written(without) == _page()


def test_the_page_says_what_it_does_not_stop() -> None:
    assert _page().count("\nIt stops photographs, not an injected video.") == 2
    assert "ISO/IEC 30107-3" in _page()


def test_the_odds_are_those_of_the_policy() -> None:
    text = " ".join(_page().split())
    for gestures in (POLICY.gestures, POLICY.gestures + 1):
        sequences = len(Gesture) * (len(Gesture) - 1) ** (gestures - 1)
        missed = 1 - 1 / sequences
        for tries in (POLICY.failures, POLICY.challenges):
            assert f"{1 - missed**tries:.1%}" in text
        assert f"make {sequences}" in text


def test_every_setting_of_the_way_online_is_named() -> None:
    named = set(re.findall(r"^\| `DUANKA_([A-Z_]+)` \|", _page(), re.MULTILINE))
    fields = {field for field in Settings.model_fields if field.startswith(("face", "reference_photos"))}
    assert {name.lower() for name in named} == fields


def test_every_limit_is_the_one_in_the_code() -> None:
    text = " ".join(_page().split())
    for said in (
        f"{MOST_FRAMES}, at least {LEAST_FRAMES}",
        f"at most {MOST_PHOTO // 1_000_000} MB",
        f"1 to {MOST_STEPS} steps, in order, within {MOST_SECONDS:g} s",
        f"{PATIENT.connect:g} s for a connection, {PATIENT.read:g} s for the next byte, {PATIENT.whole:g} s in all",
        f"read {MOST_ANSWERED // 1_000_000} MB",
        f"`failures` ({POLICY.failures})",
        f"`challenges` ({POLICY.challenges})",
        f"`keep_hours` ({POLICY.keep_hours:g})",
        f"{LONGEST.days} days after it was opened",
    ):
        assert said in text, said


def test_every_field_of_the_policy_that_the_page_names_is_one() -> None:
    fields = [
        "similarity",
        "review",
        "challenge_seconds",
        "failures",
        "challenges",
        "keep_hours",
        "session_minutes",
    ]
    fields += ["review_tiers", "counter_tiers", "second_person_tiers", "gestures"]
    assert all(hasattr(POLICY, field) for field in fields)
    assert all(f"`{field}" in _page() for field in fields)


def test_a_vendor_finds_the_contract_where_the_page_says() -> None:
    command = re.search(r"pytest (tests/\S+) -k (\w+)", _page())
    assert command
    assert f"def test_the_{command[2]}(" in (ROOT / command[1]).read_text(encoding="utf-8")
    assert CONTRACT


if __name__ == "__main__":
    IDENTITY.write_text(_written(_page()), encoding="utf-8")
