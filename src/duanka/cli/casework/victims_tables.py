"""Lists and pages of victims, for people and programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from duanka.cli.output.grid import facts, grid
from duanka.cli.output.list_columns import ListColumn, Listing
from duanka.cli.shell.language import shown
from duanka.cli.shell.process import Indented, Prose
from duanka.domain.fraud_kind import FraudKind, fraud_kind_of
from duanka.domain.local_time import operator_zone
from duanka.domain.record_lookups import BasisKind
from duanka.domain.text import BilingualText
from duanka.domain.victims import CallOutcome, CallState, VictimOrigin, WorklistState

if TYPE_CHECKING:
    from duanka.casework.victims.finding import FoundVictim, FoundVictims
    from duanka.casework.victims.proposals import CallProposal
    from duanka.casework.victims.queries import ContactOfVictim, VictimFigures, VictimFile, VictimShown

_MINUTES = BilingualText("{n} 分", "{n} min")
_TITLE = BilingualText("受害人 {id}：{number}", "Victim {id}: {number}")
_FACTS = (
    BilingualText("危险", "danger"),
    BilingualText("理由", "reasons"),
    BilingualText("诈骗类型", "kind of fraud"),
    BilingualText("来源", "found by"),
    BilingualText("归属", "belongs to"),
    BilingualText("年龄段", "age"),
    BilingualText("最近联系", "last contact"),
    BilingualText("回访", "call"),
)
_POINTS = BilingualText("{n} 分", "{n} points")
_CALLED_BY = BilingualText("{state}（{who}）", "{state} ({who})")
_UNKNOWN = BilingualText("未知", "unknown")
_CONTACTS = (
    BilingualText("号码", "card"),
    BilingualText("涉案案件", "police case"),
    BilingualText("通话", "calls"),
    BilingualText("接通", "answered"),
    BilingualText("总时长", "talk"),
    BilingualText("最长", "longest"),
    BilingualText("短信", "messages"),
    BilingualText("最近", "last"),
)
_THROUGH = BilingualText("\n经由号码", "\nThrough cards")
_SENT, _CALLS = BilingualText("\n已发信息", "\nMessages"), BilingualText("\n回访记录", "\nCalls")
_READ_OUT = BilingualText("\n通话时照读", "\nTo read out")
_WITHDRAWN = BilingualText("{case}（已撤销）", "{case} (withdrawn)")


@dataclass(frozen=True)
class FetchedVictims:
    """A page of victims as lists fetch them."""

    items: Sequence[VictimShown]
    next: str | None


FOUND: Listing[FoundVictim] = Listing(
    BilingualText("受害人", "victims"),
    (
        ListColumn("number", ("号码", "number"), lambda one: one.number),
        ListColumn("points", ("危险", "danger"), lambda one: one.points, right=True),
        ListColumn("answered", ("接通", "answered"), lambda one: one.answered, right=True, spare=3),
        ListColumn(
            "seconds",
            ("通话", "talk"),
            lambda one: one.seconds,
            lambda one: _minutes(one.seconds),
            right=True,
        ),
        ListColumn("longest", None, lambda one: one.longest),
        ListColumn("cards", ("涉案卡", "cards"), lambda one: one.cards, right=True, spare=2),
        ListColumn("operator", ("运营商", "operator"), lambda one: one.operator, spare=5),
        ListColumn("city", ("城市", "city"), lambda one: one.city, spare=4),
        ListColumn("age_band", ("年龄段", "age"), lambda one: one.age_band, spare=1),
        ListColumn("last", ("最近联系", "last contact"), lambda one: one.last),
        ListColumn("reasons", ("理由", "reasons"), lambda one: one.reasons, both=True, below=True),
    ),
)

VICTIMS: Listing[VictimShown] = Listing(
    BilingualText("受害人", "victims"),
    (
        ListColumn("id", ("编号", "victim"), lambda one: one.id),
        ListColumn("number", ("号码", "number"), lambda one: one.number),
        ListColumn("points", ("危险", "danger"), lambda one: one.points, right=True),
        ListColumn("call_state", ("回访", "call"), lambda one: one.call_state.value, word=CallState),
        ListColumn(
            "outcome",
            ("结果", "outcome"),
            lambda one: one.outcome.value if one.outcome else "",
            word=CallOutcome,
        ),
        ListColumn("last_contact", ("最近联系", "last contact"), lambda one: one.last_contact, spare=1),
        ListColumn("claimed_by", ("回访人", "by"), lambda one: one.claimed_by or "", spare=2),
        ListColumn("not_reached", ("未联系上", "missed"), lambda one: one.not_reached, right=True, spare=4),
        ListColumn("operator", ("运营商", "operator"), lambda one: one.operator, spare=6),
        ListColumn("city", ("城市", "city"), lambda one: one.city, spare=5),
        ListColumn("age_band", ("年龄段", "age"), lambda one: one.age_band, spare=3),
        ListColumn("origin", None, lambda one: one.origin.value, word=VictimOrigin),
        ListColumn("fraud_kind", None, lambda one: one.fraud_kind),
        ListColumn("found_at", None, lambda one: one.found_at),
        ListColumn("updated_at", None, lambda one: one.updated_at),
        ListColumn("outcome_at", None, lambda one: one.outcome_at),
        ListColumn("reasons", ("理由", "reasons"), lambda one: one.reasons, both=True, below=True),
    ),
    ("call_state", "outcome", "operator", "city"),
)

PROPOSALS: Listing[CallProposal] = Listing(
    BilingualText("回访名单", "worklists"),
    (
        ListColumn("id", ("编号", "worklist"), lambda one: one.id),
        ListColumn("state", ("状态", "state"), lambda one: one.state.value, word=WorklistState),
        ListColumn("cards", ("号码", "cards"), lambda one: one.cards, right=True),
        ListColumn("found", ("找到", "found"), lambda one: one.found, right=True),
        ListColumn("hours", ("小时", "hours"), lambda one: one.hours, right=True, spare=3),
        ListColumn("basis", None, lambda one: one.basis.value, word=BasisKind),
        ListColumn("basis_number", ("依据", "basis"), lambda one: one.basis_number, spare=2),
        ListColumn("proposed_by", ("提出人", "by"), lambda one: one.proposed_by, least=8),
        ListColumn("proposed_at", ("提出", "proposed"), lambda one: one.proposed_at),
        ListColumn("decided_by", ("复核人", "decided by"), lambda one: one.decided_by or "", spare=1),
        ListColumn("decided_at", None, lambda one: one.decided_at),
        ListColumn("why", ("理由", "why"), lambda one: one.why, below=True),
    ),
)


def _of_outcome(outcome: CallOutcome) -> ListColumn[VictimFigures]:
    heading = (outcome.words.zh, outcome.words.en)
    return ListColumn(outcome.value, heading, lambda one: one.outcomes.get(outcome, 0), right=True)


FIGURES: Listing[VictimFigures] = Listing(
    BilingualText("统计", "figures"),
    (
        ListColumn("operator", ("运营商", "operator"), lambda one: one.operator),
        ListColumn("city", ("城市", "city"), lambda one: one.city),
        ListColumn("warned", ("已预警", "warned"), lambda one: one.warned, right=True),
        ListColumn("corrected", ("已更正", "corrected"), lambda one: one.corrected, right=True),
        *(_of_outcome(one) for one in CallOutcome),
    ),
)


def found_title(found: FoundVictims) -> tuple[str, str]:
    """Sentence above the victims of cards, in Chinese and English."""
    since, until = f"{found.since:%Y-%m-%d %H:%M}", f"{found.until:%Y-%m-%d %H:%M}"
    cards, victims, zone = len(found.cards), len(found.victims), found.zone.name
    return (
        f"{cards:,} 个涉案号码，自 {since} 至 {until}（{zone}）：受害人 {victims:,} 名",
        f"{cards:,} confirmed card(s) from {since} to {until} ({zone}): {victims:,} victims",
    )


def excluded_words(found: FoundVictims) -> tuple[str, str]:
    """Who was left out, and why, in Chinese and English."""
    zh = "，".join(f"{why.words.zh} {count:,}" for why, count in found.excluded.items())
    en = ", ".join(f"{count:,} {why.words.en}" for why, count in found.excluded.items())
    return f"未列入：{zh}", f"Left out: {en}"


def victim_page(file: VictimFile) -> RenderableType:
    """A victim with contacts, messages, outcomes, and what to read out."""
    victim = file.victim
    parts: list[RenderableType] = [
        Prose(shown(_TITLE, id=victim.id, number=victim.number), style="bold"),
        facts([(shown(name), value) for name, value in zip(_FACTS, _values(victim), strict=True) if value]),
        Prose(shown(_THROUGH), style="bold"),
        grid(_CONTACTS, [_contact(one) for one in file.contacts]),
    ]
    if file.messages:
        parts.append(Prose(shown(_SENT), style="bold"))
        parts += [
            Indented(
                f"{_at(one.created_at)}  {shown(one.kind.words)}  {shown(one.outcome.words)}\n{one.body}"
            )
            for one in file.messages
        ]
    if file.outcomes:
        parts.append(Prose(shown(_CALLS), style="bold"))
        parts += [
            Indented(f"{_at(one.at)}  {one.who}  {shown(one.outcome.words)}  {one.note}")
            for one in file.outcomes
        ]
    parts += [Prose(shown(_READ_OUT), style="bold"), Indented(f"{file.text.zh}\n{file.text.en}")]
    return Group(*parts)


def _values(victim: VictimShown) -> tuple[str, ...]:
    state = shown(victim.call_state.words)
    if victim.claimed_by:
        state = shown(_CALLED_BY, state=state, who=victim.claimed_by)
    if victim.outcome:
        state = f"{state}  {shown(victim.outcome.words)}"
    kind: FraudKind | None = fraud_kind_of(victim.fraud_kind)
    return (
        shown(_POINTS, n=victim.points),
        shown(victim.reasons),
        shown(kind.words if kind else _UNKNOWN),
        shown(victim.origin.words),
        f"{victim.operator} {victim.city}".strip(),
        victim.age_band,
        _at(victim.last_contact),
        state,
    )


def _contact(one: ContactOfVictim) -> tuple[str, ...]:
    case = one.case_number or "-"
    if one.case_number and not one.stands:
        case = shown(_WITHDRAWN, case=case)
    talk = (_minutes(one.seconds), _minutes(one.longest))
    return (one.card, case, f"{one.calls}", f"{one.answered}", *talk, f"{one.messages}", _at(one.last_at))


def _minutes(seconds: int) -> str:
    return shown(_MINUTES, n=f"{seconds / 60:.1f}")


def _at(at: datetime) -> str:
    return f"{operator_zone().local(at):%Y-%m-%d %H:%M}"
