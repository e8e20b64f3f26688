"""The generated parts of docs/CASEBOOK.md: what each case trips, and the very texts that its holder gets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from duanka.domain.rule import Action
from duanka.domain.text import BilingualText
from support import ROOT
from support.api.desks import Caller
from support.casebook.journey import Journey
from support.casebook.office import Office, at_six
from support.casebook.stories import STORIES
from support.casebook.world import ALL, FIRST_EVENING, SECOND_EVENING, STRICTER, Judged, Night, decided
from support.orders.books import backup_of, restore

PAGES = {"en": ROOT / "docs" / "CASEBOOK.md", "zh": ROOT / "docs" / "CASEBOOK.zh.md"}
HOW_TO_WRITE = "docs/CASEBOOK.md lags behind the code; write it anew with: make pages"
WHOLE_TEXT = "shanghai_man"  # of this stop the page has the whole text
SHOWN: Mapping[str, tuple[Night, ...]] = {
    "class_teacher": (FIRST_EVENING, SECOND_EVENING),
    "nepal_traveller": (FIRST_EVENING,),
}
_MARK = r"(<!-- from the records of {}; written by tests/test_docs_casebook.py -->\n).*?(?=<!-- end -->)"
_NIGHTS = {
    FIRST_EVENING: BilingualText("`national`，至 5 月 24 日", "`national`, to 24 May"),
    SECOND_EVENING: BilingualText("`national`，至 5 月 25 日", "`national`, to 25 May"),
    ALL: BilingualText("`national`，全部六周", "`national`, all six weeks"),
    STRICTER: BilingualText("更严（stricter），全部六周", "`stricter`, all six weeks"),
}
_ACTIONS = {action.word: action.words for action in Action} | {
    "": BilingualText("不要求", "nothing"),
    "watch": BilingualText("只关注，不打扰", "watched, asked nothing"),
}
_NONE = BilingualText("未触发任何规则", "no rule trips")
_HEADINGS = BilingualText("| 扫描 | 要求 | 理由 |\n|---|---|---|", "| scan | asks | because |\n|---|---|---|")
_ASKED = BilingualText("通知（短信原文）", "The notice, as it is sent")
_BARRED = BilingualText("24 小时未核验（短信原文）", "Unanswered for 24 hours, as it is sent")
_SAW = BilingualText("告知书所载", "From the text of the stop")
_WHOLE = BilingualText("告知书全文", "The whole text of the stop")


def blocks(folder: Path, office: Office) -> Mapping[str, BilingualText]:
    """Case -> its generated part in both languages. `folder`: the scans; `office`: an order database to fill."""
    first = backup_of(office.desk.store)
    shared = {night: decided(folder / night.name) for night in _NIGHTS}
    found = {}
    for case in STORIES:
        nights = (*SHOWN.get(case, ()), ALL, STRICTER)
        restore(office.desk.store, first)
        rows = [_row(night, shared[night][case]) for night in nights]
        asking = next((night for night in nights if shared[night][case].action.startswith("verify")), None)
        told = _told(folder, office, asking, case) if asking else BilingualText("", "")
        zh, en = (
            "\n".join([heading, *lines])
            for heading, lines in zip(_HEADINGS, zip(*rows, strict=True), strict=True)
        )
        found[case] = BilingualText(f"\n{zh}\n{told.zh}\n", f"\n{en}\n{told.en}\n")
    return found


def filled(page: str, language: str, parts: Mapping[str, BilingualText]) -> str:
    """Return the page with what lies between each pair of marks generated."""
    for case, part in parts.items():
        text = part.zh if language == "zh" else part.en
        page, count = re.subn(_MARK.format(case), lambda m, text=text: m[1] + text, page, flags=re.DOTALL)  # type: ignore[misc]
        assert count == 1, f"no place for {case}"
    return page


def _row(night: Night, judged: Judged) -> BilingualText:
    reasons = list(judged.rules.items())
    zh = "；".join(f"{words.zh}（`{rule}`）" for rule, words in reasons) or _NONE.zh
    en = "; ".join(f"{words.en} (`{rule}`)" for rule, words in reasons) or _NONE.en
    asks, name = _ACTIONS[judged.action], _NIGHTS[night]
    return BilingualText(f"| {name.zh} | {asks.zh} | {zh} |", f"| {name.en} | {asks.en} | {en} |")


def _told(folder: Path, office: Office, night: Night, case: str) -> BilingualText:
    six = at_six(night.morning)
    office.desk.clock.now = six
    office.takes(folder / night.name, six)
    journey = Journey(case, office, _nobody, six)
    office.delivered(journey.card, six + timedelta(minutes=1))
    journey.read_notices()
    journey.later(hours=25)
    notices = [
        text
        for template, text in journey.told
        if template in ("verify", "verify_at_counter", "outgoing_barred")
    ]
    stop = office.desk.reading.own_stop_text(journey.stopped(), journey.now)
    assert stop
    halves = BilingualText(*_halves(stop.text))
    parts = []
    for zh, asked, barred, saw, whole, half in zip(
        (True, False), _ASKED, _BARRED, _SAW, _WHOLE, halves, strict=True
    ):
        said = [f"{asked}：" if zh else f"{asked}:", _quoted(notices[0])]
        said += [f"{barred}：" if zh else f"{barred}:", _quoted(notices[1])]
        if case == WHOLE_TEXT:
            said += [f"{whole}：" if zh else f"{whole}:", _quoted(half.strip())]
        else:
            lines = [
                one
                for one in half.splitlines()
                if one.startswith(("· ", "停机时的限值", "Limits", "如何反驳这条", "How to rebut this"))
            ]
            said += [f"{saw}：" if zh else f"{saw}:", "\n".join(f"> {one}  " for one in lines).rstrip()]
        parts.append("\n" + "\n\n".join(said))
    return BilingualText(*map(_without_ids, parts))


def _halves(text: str) -> tuple[str, str]:
    zh, mark, en = text.partition("\nNotice of a stop\n")
    return zh, mark.lstrip("\n") + en


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}  " for line in text.splitlines()).rstrip()


def _without_ids(text: str) -> str:
    """Order numbers and links are drawn by lot."""
    text = re.sub(r"(https://\S+#)\S+", r"\1…", text)
    return re.sub(r"\b([VR])[0-9A-Z]{12}\b", r"\1…", text)


def _nobody(key: str | None) -> Caller:
    raise AssertionError(f"the page is written without HTTP, not by {key}")
