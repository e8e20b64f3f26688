"""A holder's statement: everything about the card, in full for them, and nobody else's numbers or names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from sqlalchemy import insert, select

from duanka.domain.counter_check import Document
from duanka.domain.errors import DuankaError
from duanka.domain.order import SYSTEM, Event, OrderError, PermissionDenied
from duanka.domain.person import Person, Role, Scope
from duanka.domain.record_lookups import BasisKind
from duanka.domain.store_policy import StorePolicy
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import AuditEntry
from duanka.ledger.db.casework.accounts import account_requests
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit, refusals
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.papers import documents
from duanka.orders.papers.statements import reading
from duanka.orders.papers.statements import service as statements
from duanka.orders.papers.statements.kept_data import kept_data
from duanka.orders.papers.statements.sections import Telling
from duanka.orders.papers.statements.service import CardStatements, IdentitySeen
from duanka.orders.queries.service import OrderQueries, ViewerContext
from duanka.orders.service import OrderService
from support.invented_lookups import InventedLookups
from support.orders.books import DESK, HOUR, NOW, POLICE, SECOND, card, decided_by_second, demand, receive
from support.orders.stops import book_with_rules, stopped

SEEN = IdentitySeen(Document.ID_CARD, "长安街营业厅")
LATER = NOW + 60 * HOUR
STRANGER = "8613712345678"


def _no_records() -> InventedLookups:
    raise DuankaError("no store")


def of(book: OrderService) -> CardStatements:
    return CardStatements(book, _no_records, StorePolicy())


def content(
    book: OrderService, monkeypatch: pytest.MonkeyPatch, language: Any = "zh", number: int = 0
) -> dict[str, Any]:
    """What is set, as data."""
    found: list[Mapping[str, object]] = []

    def keep(_: str, told: Mapping[str, object]) -> bytes:
        found.append(told)
        return b""

    monkeypatch.setattr(statements, "paper_pdf", keep)
    of(book).give(card(number), SEEN, DESK, "the holder asks", LATER, language)
    return json.loads(json.dumps(found[0], ensure_ascii=False))  # type: ignore[no-any-return]


def story(book: OrderService) -> str:
    """A stop by the clock, an objection, a look of the desk and of the police, a pass at a counter."""
    order = stopped(book)
    queries = OrderQueries(book.store, book.terms.trail)
    queries.order(order.id, ViewerContext(DESK), NOW + 25 * HOUR)
    queries.dossier(
        card(0), ViewerContext(DESK, unmasked=True, why=f"called from {STRANGER}"), NOW + 26 * HOUR
    )
    queries.dossier(card(0), ViewerContext(POLICE, why="a lead", case="A3101"), NOW + 27 * HOUR)
    book.object(card(0), f"我是老师，打给家长，如{STRANGER}", DESK, NOW + 28 * HOUR)
    with book.store.writing() as connection:
        connection.execute(
            insert(refusals).values(
                element="call_proxy", key="1", at=NOW + 29 * HOUR, carried="call", card=card(0), peer=STRANGER,
                reason="blocked_sender", detail="",
            )
        )  # fmt: skip
    book.apply(str(order.parent), Event.PASS, SECOND, "it is them", NOW + 30 * HOUR)
    return order.id


def everything(told: Mapping[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False)


def section(told: Mapping[str, Any], title: str) -> dict[str, Any]:
    (found,) = (one for one in told["sections"] if title in one["title"])
    return found  # type: ignore[no-any-return]


def test_it_has_everything_of_the_card_and_nobody_else(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    book = book_with_rules(store)
    number = story(book)
    told = content(book, monkeypatch)
    assert ["号码", "+86 13000000000"] in told["head"], "in full: it is theirs"
    assert ["身份核对", "居民身份证原件，长安街营业厅，由工作人员当面核对"] in told["head"]
    orders = section(told, "工单及其经过")["orders"]
    assert [one["title"].partition("　")[2] for one in orders] == [
        "实人核验：核验通过", "停机：已复通", "异议：异议成立",
    ]  # fmt: skip
    stop = next(one for one in orders if one["title"].startswith(number))
    assert [row[1:] for row in stop["steps"]] == [
        ["停机：建单", "正常", "自动：期限已到"], ["停机：单停", "单停", "自动：期限已到"],
        ["停机：复通", "已复通", "自动：随另一步骤执行"],
    ]  # fmt: skip
    took = [row[3] for row in orders[0]["steps"]]
    assert took[:3] == ["自动：按策略的规则", "自动：按短信中心的回执", "自动：期限已到"]
    assert "系统" not in [row[3] for one in orders for row in one["steps"]]
    (text,) = section(told, "停机告知书")["texts"]
    assert f"工单：{number}，第 1 步" in text["text"]
    assert len(text["sha256"]) == 64
    assert [row[-1] for row in section(told, "计费")["rows"]] == ["停止计费", "恢复计费"]
    assert len(section(told, "网络执行")["rows"]) == 6
    assert [row[2] for row in section(told, "未接通")["rows"]] == ["+86 137****5678"]
    looks = section(told, "谁查看过")
    assert [row[1:3] for row in looks["rows"]] == [["值班员", "查看工单"], ["值班员", "查看号码档案"]]
    for hidden in (STRANGER, "wang", "liaison", "A3101", '公安"', "a lead"):
        assert hidden not in everything(told), hidden
    assert "137****5678" in looks["rows"][1][3]
    assert "依法不予告知" in looks["notes"][0]


def test_what_the_police_and_cases_are_about_is_neither_shown_nor_counted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = book_with_rules(store)
    order = stopped(book)
    before = content(book, monkeypatch)
    with store.writing() as connection:
        entries = [
            AuditEntry(NOW, DESK, "lookup.card", card(0), "why", after={"basis": basis, "card": card(0)})
            for basis in (BasisKind.CASE.value, BasisKind.POLICE_NOTICE.value)
        ]
        entries += [
            AuditEntry(NOW, DESK, "lookup.accounts", card(0), "why", after={"basis": "C000000000001"}),
            AuditEntry(NOW, POLICE, "read.order", order.id, "A1 · why", after={}),
            AuditEntry(NOW, SYSTEM, "lookup.accounts", card(0), "why", after={"basis": order.id}),
        ]
        book.terms.trail.append(connection, entries)
        facts = {
            "platform": "chat",
            "account": "a1",
            "kind": "restrict",
            "ground_number": "A1",
            "state": "sent",
        }
        facts |= {"requested_by": "duanka", "card": card(0)}
        times = {"requested_at": NOW, "updated_at": NOW}
        for ground in ("confirmed", "failed_check"):
            row = {**facts, **times, "id": f"G{ground[:4]}", "ground": ground}
            connection.execute(insert(account_requests).values(**row))
        basis = AuditEntry(NOW, DESK, "lookup.card", card(0), "of an order", after={"basis": "order"})
        book.terms.trail.append(connection, [basis])
    told = content(book, monkeypatch)
    looks = [row[3] for row in section(told, "谁查看过")["rows"]]
    seen_before = [row[3] for row in section(before, "谁查看过")["rows"]]
    assert looks == [*seen_before, "the holder asks", "of an order"]
    assert [row[2] for row in section(told, "互联网平台")["rows"]] == ["核验未通过（机器与审核人）"]


def test_a_holder_whom_the_police_stopped_is_told_the_ground_that_they_know(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = book_with_rules(store)
    book.police_stop(card(0), "A3101", POLICE, "a secret reason", NOW)
    told = everything(content(book, monkeypatch))
    assert "公安机关确认涉案（A3101）" in told
    assert "a secret reason" not in told


def test_the_same_facts_give_the_same_bytes_and_the_trail_has_who_and_which_document(store: Store) -> None:
    book = book_with_rules(store)
    story(book)
    first = of(book).give(card(0), SEEN, DESK, "the holder asks", LATER)
    assert first.startswith(b"%PDF-")
    with store.reading() as connection:
        entry = connection.execute(select(audit).where(audit.c.what == "paper.statement")).mappings().one()
    assert (entry["who"], entry["subject"], entry["why"]) == ("wang", card(0), "the holder asks")
    assert json.loads(entry["after"]) == {"document": "id_card", "counter": "长安街营业厅", "language": "zh"}


def test_a_pdf_depends_on_its_content_alone() -> None:
    content = {
        "language": "zh", "title": "说明", "subtitle": "s", "date": [2026, 3, 2], "running": "r", "footer": "f",
        "head": [["号码", "+86 13000000000 #raw[*]"]], "sections": [],
    }  # fmt: skip
    made = [documents.paper_pdf("statement", content) for _ in range(2)]
    assert made[0] == made[1]


def test_it_is_told_in_english_too(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    book = book_with_rules(store)
    story(book)
    told = content(book, monkeypatch, "en")
    assert ["Number", "+86 13000000000"] in told["head"]
    stop = section(told, "Orders, and how they went")["orders"][1]
    assert ["Reason", "the verification was not answered in time: 80 strangers called in a day"] in stop[
        "facts"
    ]


def test_what_staff_decided_is_not_told_as_done_by_the_clock(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = book_with_rules(store)
    acts = BulkActionService(book)
    acts.propose(Event.SUSPEND, [card(0)], BilingualText("举报", "reported"), DESK, NOW)
    decided_by_second(book)
    told = content(book, monkeypatch, "en")
    (stop,) = section(told, "Orders, and how they went")["orders"]
    assert [row[3] for row in stop["steps"]] == ["the program, as staff had decided"] * 2


def test_what_no_element_could_tell_is_not_told_as_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = book_with_rules(store)
    receive(book, [demand(0)], NOW)
    told = content(book, monkeypatch, "en")
    for title in ("What the network did", "Calls and messages refused"):
        assert section(told, title)["nothing"] == "No network element is registered here: not known."
    monkeypatch.setattr(reading, "element_names", lambda _: ("home_register",))
    told = content(book, monkeypatch, "en")
    assert section(told, "What the network did")["nothing"] == "None."


def test_who_may_and_for_which_card(store: Store) -> None:
    book = book_with_rules(store)
    stopped(book)
    narrow = Person("zhao", Role.DESK, scope=Scope(frozenset({"中国电信"}), frozenset()))
    for person in (POLICE, Person("r", Role.REGULATOR), narrow):
        with pytest.raises(PermissionDenied):
            of(book).give(card(0), SEEN, person, "why", LATER)
    with pytest.raises(OrderError, match="nothing is held"):
        of(book).give(card(9), SEEN, DESK, "why", LATER)
    with pytest.raises(DuankaError, match="reason"):
        of(book).give(card(0), SEEN, DESK, " ", LATER)
    with pytest.raises(OrderError, match="at which counter"):
        IdentitySeen(Document.ID_CARD, " ")
    with pytest.raises(OrderError, match="document number"):
        IdentitySeen(Document.ID_CARD, "110101199003077774")


def test_records_and_their_terms_are_told_from_the_store(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = book_with_rules(store)
    stopped(book)
    told = section(content(book, monkeypatch), "保存的资料")
    assert "没有接入" in told["notes"][0]
    assert any("180 天" in row[2] for row in told["rows"])
    source = InventedLookups()
    source.days = (date(2026, 1, 1), date(2026, 2, 28))
    status, tell = source.status(), Telling("zh", book.terms.policy, book.terms.stop_texts.title)
    rows = {row[0]: row[1:] for row in kept_data(status, StorePolicy(), tell)["rows"]}
    assert rows["以上记录的每日汇总"] == ["—", "记录之日起 400 天，最晚到 2027-04-04"]
    assert not any("短信记录" in kind for kind in rows), "the store holds none"
