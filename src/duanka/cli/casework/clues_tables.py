"""Lists and pages of clues, for people and programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from duanka.cli.output.grid import facts, grid
from duanka.cli.output.list_columns import ListColumn, Listing
from duanka.cli.shell.language import shown
from duanka.cli.shell.process import Prose
from duanka.domain.clue import Clue, ClueEvent, ClueState
from duanka.domain.local_time import operator_zone
from duanka.domain.phone_masking import masked_card
from duanka.domain.text import BilingualText

if TYPE_CHECKING:
    from duanka.casework.clues.answers import Answered
    from duanka.casework.clues.service import ClueCard

GAP = BilingualText("材料中缺少：{why}", "missing in the dossier: {why}")
FAULTS = (BilingualText("文件", "file"), BilingualText("问题", "fault"))
_TITLE = BilingualText("线索 {id}", "Clue {id}")
_CARDS = (
    *(BilingualText("号码", "card"), BilingualText("依据", "standing"), BilingualText("反馈", "answer")),
    BilingualText("公安案件编号", "police case"),
)
_FACTS = (
    *(BilingualText("状态", "state"), BilingualText("案件", "case"), BilingualText("标题", "title")),
    *(BilingualText("号码", "cards"), BilingualText("编制", "built"), BilingualText("复核", "reviewed")),
    *(
        BilingualText("送达", "sent"),
        BilingualText("签收", "acknowledged"),
        BilingualText("反馈", "answered"),
    ),
    *(BilingualText("公安案件编号", "police case"), BilingualText("完整文件", "files in full")),
    BilingualText("完整文件的 SHA-256", "SHA-256 of the files in full"),
)
_HERE = BilingualText("在此，已加密", "here, encrypted")
_GONE = BilingualText("已删除", "deleted")
_COUNTED = BilingualText(
    "{n} 张，编制时涉案 {confirmed} 张", "{n}, {confirmed} of them confirmed when it was built"
)
_ANSWERED = BilingualText(
    "线索 {id}：{state}；确认涉案 {confirmed} 张，排除 {refuted} 张，撤销确认 {withdrawn} 张，公安停机 {stopped} 张",
    "Clue {id}: {state}; {confirmed} confirmed, {refuted} refuted, {withdrawn} confirmations withdrawn,"
    " {stopped} stopped",
)
_NOT_STOPPED = BilingualText("未停机 {card}：{why}", "not stopped: {card}: {why}")
_STILL = BilingualText(
    "撤销确认不解除停机；由公安机关解除：duanka orders police-release",
    "A withdrawn confirmation lifts no stop; the police do: duanka orders police-release",
)


@dataclass(frozen=True)
class FetchedClues:
    """A page of clues as lists fetch them."""

    items: Sequence[Clue]
    next: str | None


CLUES: Listing[Clue] = Listing(
    BilingualText("线索", "clues"),
    (
        ListColumn("id", ("线索", "clue"), lambda one: one.id),
        ListColumn("state", ("状态", "state"), lambda one: one.state.value, word=ClueState, least=8),
        ListColumn("case", ("案件", "case"), lambda one: one.case_id),
        ListColumn("cards", ("号码", "cards"), lambda one: one.cards, right=True),
        ListColumn("confirmed", ("涉案", "confirmed"), lambda one: one.confirmed, right=True),
        ListColumn("built_at", ("编制", "built"), lambda one: one.built_at),
        ListColumn("built_by", ("编制人", "built by"), lambda one: one.built_by, least=8, spare=1),
        ListColumn("title", ("标题", "title"), lambda one: one.title, least=10, spare=2),
        ListColumn("reviewed_by", None, lambda one: one.reviewed_by or ""),
        ListColumn("sent_at", ("送达", "sent"), lambda one: one.sent_at, spare=3),
        ListColumn("acknowledged_at", None, lambda one: one.acknowledged_at),
        ListColumn("answered_at", None, lambda one: one.answered_at),
        ListColumn("case_number", None, lambda one: one.case_number),
        ListColumn("digest", None, lambda one: one.digest),
        ListColumn("has_full", None, lambda one: one.has_full),
    ),
    ("state", "built_by"),
)


def clue_page(clue: Clue, cards: Sequence[ClueCard]) -> RenderableType:
    """A clue: its facts, and its cards masked."""
    answers = {"confirmed": ClueEvent.CONFIRM.words, "refuted": ClueEvent.REFUTE.words}
    rows = (
        (
            masked_card(one.number),
            shown(one.standing.words),
            shown(answers[one.answer]) if one.answer in answers else "-",
            one.case_number or "-",
        )
        for one in cards
    )
    return Group(Prose(shown(_TITLE, id=clue.id), style="bold"), facts(_facts(clue)), grid(_CARDS, rows))


def _facts(clue: Clue) -> list[tuple[str, str]]:
    values = (
        shown(clue.state.words),
        clue.case_id,
        clue.title,
        shown(_COUNTED, n=clue.cards, confirmed=clue.confirmed),
        _act(clue.built_by, clue.built_at),
        _act(clue.reviewed_by, clue.reviewed_at),
        f"{_act(clue.sent_by, clue.sent_at)}  {clue.sent_to}".strip(),
        _act(clue.acknowledged_by, clue.acknowledged_at),
        _act(clue.answered_by, clue.answered_at),
        clue.case_number,
        shown(_HERE if clue.has_full else _GONE),
        clue.digest,
    )
    return [(shown(name), value) for name, value in zip(_FACTS, values, strict=True) if value]


def answered(taken: Answered) -> Iterator[str]:
    """What came of an answer."""
    counts = {name: getattr(taken, name) for name in ("confirmed", "refuted", "withdrawn", "stopped")}
    yield shown(_ANSWERED, id=taken.clue.id, state=shown(taken.clue.state.words), **counts)
    for card, why in taken.not_stopped:
        yield shown(_NOT_STOPPED, card=masked_card(card), why=why)
    if taken.withdrawn:
        yield shown(_STILL)


def _act(who: str | None, at: datetime | None) -> str:
    return f"{operator_zone().local(at):%Y-%m-%d %H:%M}  {who}" if at and who else ""
