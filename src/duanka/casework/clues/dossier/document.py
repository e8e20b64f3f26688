"""The dossier as a PDF for people: words of every section here, layout in `dossier.typ`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from importlib.resources import files
from itertools import groupby
from typing import Any

from duanka.casework.clues.dossier import drawings
from duanka.casework.clues.dossier.model import CaseDossier, DossierCard, DossierEvent, FactSource
from duanka.casework.clues.dossier.timeline import OUTCOMES, element_words
from duanka.casework.clues.dossier.wording import HOLDERS, LEARNT, METHODS, TERMS, TIERS
from duanka.domain.case_file import GroundKind, ItemKind
from duanka.domain.clue import Standing
from duanka.domain.phone_masking import spelled_card as spelled
from duanka.domain.text import BilingualText
from duanka.ledger.pdf import set_pdf

MOST_ROWS = 120  # of a table in the document; the table cards.csv and the bundle have all
MOST_OTHERS = 12  # devices or outlets that the head names
MANY_CARDS = 5  # of a device that stands out
MOST_FACTS, MOST_SHORT = 40, 360  # suspected cards with all facts; those in a short list after them
MOST_EVENTS = 150
Cell = str | dict[str, str]


def pdf_of(dossier: CaseDossier, others: Sequence[tuple[str, str]]) -> bytes:
    """Set the dossier as PDF; the same dossier gives the same bytes.

    `others`: name and SHA-256 of the files beside it. DuankaError: typst or the fonts are missing.
    """
    template = files("duanka.casework.clues.dossier").joinpath("dossier.typ").read_bytes()
    return set_pdf(template, content_of(dossier, others))


def content_of(dossier: CaseDossier, others: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """All words of the document, by section; a cell is text, or Chinese with English beneath."""
    confirmed, suspected, named = (dossier.standing(one) for one in Standing)
    timeline = list(_timeline(dossier))
    return {
        "clue": dossier.clue,
        "masked": dossier.is_masked,
        "title": dossier.case.title,
        "operator": dossier.operator.zh,
        "date": [dossier.built_at.year, dossier.built_at.month, dossier.built_at.day],
        "head": _head(dossier),
        "summary": list(_summary(dossier, confirmed, suspected, named)),
        "counts": [
            [f"{len(confirmed)}", *_both(BilingualText("涉案卡", "confirmed cards"))],
            [f"{len(suspected)}", *_both(BilingualText("高风险卡", "suspected cards"))],
            [f"{len(dossier.devices)}", *_both(BilingualText("终端", "devices"))],
            [
                f"{len({one.city for one in dossier.places if one.city})}",
                *_both(BilingualText("城市", "cities")),
            ],
            [f"{len(dossier.holders)}", *_both(BilingualText("登记人", "registrants"))],
        ],
        "gaps": [_cell(gap.words) for gap in dossier.gaps],
        "confirmed": [_confirmed_row(card) for card in confirmed[:MOST_ROWS]],
        "more_confirmed": max(len(confirmed) - MOST_ROWS, 0),
        "seen_of_confirmed": [
            _suspected(dossier, card) for card in sorted(confirmed, key=_gravity)[:MOST_FACTS]
        ],
        **_suspicion(dossier, suspected),
        "named": [[_number(card), card.source, card.operator, card.home_city] for card in named[:MOST_ROWS]],
        "more_named": max(len(named) - MOST_ROWS, 0),
        "ring": _ring(dossier),
        "flows": drawings.as_xml(drawings.city_flows(dossier.flows)),
        "provinces": drawings.province_tiles(dossier),
        "days": drawings.as_xml(drawings.days_of_use(dossier)),
        **_tables(dossier),
        "timeline": timeline[:MOST_EVENTS],
        "more_timeline": max(len(timeline) - MOST_EVENTS, 0),
        "rules": [_rule(one) for one in dossier.rules],
        "methods": [_cell(one) for one in METHODS],
        "terms": [[term, _cell(words)] for term, words in TERMS],
        "in_favour": [
            [_number(card), "；".join(one.zh for one in card.in_favour)]
            for card in dossier.cards
            if card.in_favour
        ],
        "files": [[name, digest] for name, digest in others],
    }


def _head(dossier: CaseDossier) -> list[list[Cell]]:
    case = dossier.case
    ground = GroundKind(case.ground).words
    rows: list[tuple[str, str, str]] = [
        ("线索编号", "clue", dossier.clue),
        ("案件编号", "case", f"{case.id}　{case.title}"),
        ("立案依据", "ground", f"{ground.zh}　{case.ground_number}".strip()),
        ("立案时间", "opened", f"{case.opened_at:%Y-%m-%d %H:%M}　{case.opened_by}"),
        ("编制时间", "drawn up", f"{dossier.built_at:%Y-%m-%d %H:%M}（{dossier.zone}）　{dossier.built_by}"),
        ("编制单位", "by", dossier.operator.zh),
        ("收件机关", "for", dossier.recipient or "—"),
        ("话单时段", "records", _span(dossier.records) or "未查询 not read"),
    ]
    if case.approved_by:
        rows.insert(4, ("主管复核", "approved", case.approved_by))
    others: dict[str, list[str]] = {}
    for kind, value in case.other_items:
        others.setdefault(kind, []).append(value)
    for kind, values in others.items():
        more = f" 等 {len(values)} 项" if len(values) > MOST_OTHERS else ""
        rows.append((f"另列{_item_word(kind)}", kind, f"{'、'.join(values[:MOST_OTHERS])}{more}"))
    return [[{"zh": zh, "en": en}, value] for zh, en, value in rows]


def _summary(
    dossier: CaseDossier,
    confirmed: Sequence[DossierCard],
    suspected: Sequence[DossierCard],
    named: Sequence[DossierCard],
) -> Iterable[dict[str, str]]:
    many = len(dossier.cards)
    yield _said(
        f"本线索涉及 {many} 张电话卡：其中 {len(confirmed)} 张已由公安机关确认涉案，{len(suspected)} 张为高风险"
        f"（嫌疑），尚未确认；另有 {len(named)} 张仅为案件所列，没有规则命中。",
        f"This clue concerns {many} phone cards: {len(confirmed)} confirmed by the police, {len(suspected)} suspected"
        f" and not confirmed, {len(named)} only named in the case.",
    )
    yield _said(
        "“涉案”只指公安机关已经确认并给出案件编号的号码；“高风险”是运营商规则和关联分析得出的嫌疑，不等于涉案，"
        "也不是对持卡人的认定。两者在本件中分开列出。",
        "“Confirmed” means that the police said so and gave a case number. “Suspected” is what the operator’s rules and"
        " links suggest: no finding about anybody. The two stand apart.",
    )
    yield from _highlights(dossier)
    if dossier.ring:
        ring = dossier.ring
        firm = "其特征更像单位的语音网关或坐席，请先向单位核实。" if ring.firm else ""
        yield _said(
            f"以 {ring.seed} 为起点，关联图中有 {ring.joined} 张卡被证据连在一起，其中 {ring.at_risk} 张有规则"
            f"命中。{firm}",
            f"From {ring.seed}, the links hold {ring.joined} cards together; rules speak against {ring.at_risk}.",
        )


def _highlights(dossier: CaseDossier) -> Iterable[dict[str, str]]:
    """What stands out, in figures: devices, cities, outlets, registrants."""
    zh, en = list[str](), list[str]()
    if shared := [one for one in dossier.devices if len(one.cards) >= MANY_CARDS]:
        cards = len({card for one in shared for card in one.cards})
        zh.append(f"{cards} 张卡先后插在 {len(shared)} 部终端里（每部 {MANY_CARDS} 张以上）")
        en.append(f"{cards} cards were in {len(shared)} devices of {MANY_CARDS} or more")
    used = Counter(card.main_city for card in dossier.cards if card.main_city)
    for city, many in used.most_common(1):
        zh.append(f"使用最集中的城市是 {city}（{many} 张）")
        en.append(f"most are used in city {city} ({many})")
    for one in dossier.outlets[:1]:
        zh.append(f"开户最多的网点是 {one.outlet}（{one.cards} 张）")
        en.append(f"outlet {one.outlet} opened the most ({one.cards})")
    for holder in dossier.holders[:1]:
        zh.append(
            f"这些卡登记在 {len(dossier.holders)} 个登记人名下，最多的一个名下有 {len(holder.cards)} 张"
        )
        en.append(f"they are registered to {len(dossier.holders)}, at most {len(holder.cards)} to one")
    if zh:
        yield _said(f"要点：{'；'.join(zh)}。", f"What stands out: {'; '.join(en)}.")


def _confirmed_row(card: DossierCard) -> list[Cell]:
    said = "\n".join(
        f"{one.case_number}（{one.at:%Y-%m-%d %H:%M}）{f'　{one.fraud_kind}' if one.fraud_kind else ''}"
        for one in card.confirmed
    )
    learnt = "\n".join(LEARNT.get(one.learnt, BilingualText(one.learnt, "")).zh for one in card.confirmed)
    return [_number(card), said, learnt, _role(card), card.state.zh if card.state else "未处置"]


def _suspicion(dossier: CaseDossier, cards: Sequence[DossierCard]) -> dict[str, Any]:
    """The gravest cards with all facts, the others in a short list."""
    ordered = sorted(cards, key=_gravity)
    short = ordered[MOST_FACTS : MOST_FACTS + MOST_SHORT]
    return {
        "suspected": [_suspected(dossier, card) for card in ordered[:MOST_FACTS]],
        "short": [_short(card) for card in short],
        "more_suspected": max(len(ordered) - MOST_FACTS - MOST_SHORT, 0),
    }


def _gravity(card: DossierCard) -> tuple[int, int, float, str]:
    """The gravest first: by tier, number of rules, certainty."""
    tier = list(TIERS).index(card.tier) if card.tier in TIERS else -1
    return -tier, -len(card.suspicion), -(card.ring.certainty if card.ring else 0.0), card.number


def _suspected(dossier: CaseDossier, card: DossierCard) -> dict[str, Any]:
    titles = {one.rule: one.title.zh for one in dossier.rules}
    facts = [
        f"{hit.words.zh}（{_days(hit)}，规则“{titles.get(hit.rule, hit.rule)}”）" for hit in card.suspicion
    ]
    if card.ring:
        where = f"关联图 {dossier.ring.seed}" if dossier.ring else "案件"
        facts.append(f"{card.ring.reason.zh}（{where}）")
    tier = TIERS[card.tier].zh if card.tier in TIERS else ""
    told = [
        _role(card) if card.ring else "",
        f"确定度 {card.ring.certainty:.0%}" if card.ring else "",
        f"风险等级 {tier}" if tier else "",
        card.state.zh if card.state else "未处置",
    ]
    sources = [f"列入依据：{card.source}", *([f"工单：{'、'.join(card.orders)}"] if card.orders else [])]
    return {
        "number": _number(card),
        "told": [one for one in told if one],
        "facts": "；".join(facts),
        "source": "　".join(sources),
    }


def _short(card: DossierCard) -> list[Cell]:
    certainty = f"{card.ring.certainty:.0%}" if card.ring else "—"
    return [_number(card), _role(card), certainty, str(len(card.suspicion))]


def _days(hit: Any) -> str:
    if hit.first_day == hit.last_day:
        return f"{hit.first_day}"
    return f"{hit.first_day} 至 {hit.last_day} 共 {hit.days} 天"


def _role(card: DossierCard) -> str:
    return card.ring.role.zh if card.ring else "—"


def _ring(dossier: CaseDossier) -> dict[str, Any] | None:
    ring = dossier.ring
    if ring is None:
        return None
    return {
        "svg": drawings.as_xml(ring.picture),
        "seed": ring.seed,
        "joined": ring.joined,
        "at_risk": ring.at_risk,
        "span": f"{ring.first} 至 {ring.last}",
    }


def _tables(dossier: CaseDossier) -> dict[str, Any]:
    return {
        "devices": [
            [
                one.imei,
                str(len(one.cards)),
                f"{one.records:,}",
                _when(one.first, one.last),
                one.role.zh or "—",
                one.reason.zh,
            ]
            for one in dossier.devices[:MOST_ROWS]
        ],
        "more_devices": max(len(dossier.devices) - MOST_ROWS, 0),
        "places": [
            [
                one.city or "—",
                one.cell or "—",
                str(len(one.cards)),
                f"{one.records:,}",
                _when(one.first, one.last),
            ]
            for one in dossier.places[:40]
        ],
        "more_places": max(len(dossier.places) - 40, 0),
        "outlets": [[one.outlet, str(one.cards), one.reason.zh or "—"] for one in dossier.outlets[:40]],
        "more_outlets": max(len(dossier.outlets) - 40, 0),
        "holders": [
            [
                one.hash,
                HOLDERS.get(one.kind, BilingualText("未知", "")).zh,
                str(len(one.cards)),
                _listed(one.cards),
            ]
            for one in dossier.holders[:MOST_ROWS]
        ],
        "more_holders": max(len(dossier.holders) - MOST_ROWS, 0),
        "receipts": [
            [
                _number(card),
                element_words(one.element).zh,
                one.wanted.zh,
                f"{one.asked_at:%m-%d %H:%M:%S}",
                f"{one.done_at:%m-%d %H:%M:%S}" if one.done_at else "—",
                OUTCOMES.get(one.outcome, BilingualText(one.outcome, "")).zh,
            ]
            for card in dossier.cards
            for one in card.receipts
        ][:MOST_ROWS],
    }


def _listed(cards: Sequence[str]) -> str:
    shown = "、".join(spelled_card(card) for card in cards[:4])
    return f"{shown} 等" if len(cards) > 4 else shown


def _timeline(dossier: CaseDossier) -> Iterator[list[Cell]]:
    """A row each; the rules that first spoke on a day are one."""
    titles = {one.rule: one.title.zh for one in dossier.rules}
    for (at, source), entries in groupby(dossier.timeline, key=lambda one: (one.at, one.source)):
        if source is not FactSource.RULE:
            yield from (_event(one) for one in entries)
            continue
        spoke = sorted(entries, key=lambda one: (-one.cards, one.rule))
        listed = "、".join(f"{titles.get(one.rule, one.rule)}（{one.cards} 张）" for one in spoke)
        yield [f"{at:%Y-%m-%d}", f"首次命中规则：{listed}", "", source.words.zh]


def _event(one: DossierEvent) -> list[Cell]:
    whole_day = (one.at.hour, one.at.minute) == (0, 0) and one.source is FactSource.REGISTER
    whom = spelled_card(one.number) if one.number else f"{one.cards} 张卡" if one.cards else "—"
    at = f"{one.at:%Y-%m-%d}" if whole_day else f"{one.at:%Y-%m-%d %H:%M}"
    return [at, one.words.zh, whom, one.source.words.zh]


def _rule(one: Any) -> dict[str, Any]:
    return {
        "title": f"{one.title.zh}　{one.title.en}",
        "id": one.rule,
        "cards": one.cards,
        "why": _cell(one.why),
        "look_alikes": _cell(one.look_alikes),
        "source": f"{one.source}　{one.grade.zh}".strip(),
        "limits": [f"{meaning.zh} {value}" for meaning, value in one.limits],
    }


def _number(card: DossierCard) -> str:
    return spelled_card(card.number)


def spelled_card(number: str) -> str:
    """A number as people write it, which no line breaks."""
    return spelled(number).replace(" ", "\N{NO-BREAK SPACE}")


def _when(first: datetime | None, last: datetime | None) -> str:
    return f"{first:%m-%d %H:%M} 至 {last:%m-%d %H:%M}" if first and last else "—"


def _span(days: tuple[Any, Any] | None) -> str:
    return f"{days[0]} 至 {days[1]}" if days else ""


def _item_word(kind: str) -> str:
    return ItemKind(kind).words.zh


def _said(zh: str, en: str) -> dict[str, str]:
    return {"zh": zh, "en": en}


def _cell(words: BilingualText) -> dict[str, str]:
    return {"zh": words.zh, "en": words.en}


def _both(words: BilingualText) -> tuple[str, str]:
    return words.zh, words.en
