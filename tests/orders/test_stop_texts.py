"""The text of a stop: made with the step, the same everywhere, and never changed without being seen."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

import pytest
from sqlalchemy import delete, func, insert, select, update

from duanka.bootstrap.papers.rules_told import rules_told
from duanka.domain.caller_answer import answer
from duanka.domain.counter_check import CounterCheck, Document
from duanka.domain.order import SYSTEM, Event, Grounds, Kind, NoSuchTransition, Order, State
from duanka.domain.person import Person, Role
from duanka.domain.stop_text import RulesTold, StopTextWriter, restricts_anew
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import Fault, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit, orders
from duanka.ledger.db.tables_holders import stop_text_bodies, stop_texts
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.dispatch.notice_texts import MOST_PARTS, NoticeTexts, parts
from duanka.orders.papers.copies import StopTextCopies
from duanka.orders.queries.service import OrderQueries, ViewerContext
from duanka.orders.service import OrderService
from duanka.orders.stop_texts import StopTextShown
from duanka.orders.verification.counter import Counter
from duanka.rules import RULES
from support.order_policies import AT_ONCE
from support.orders.books import (
    DESK,
    HOUR,
    KEY,
    NOW,
    POLICE,
    SECOND,
    all_delivered,
    book_on,
    card,
    decided_by_second,
    delivered,
    demand,
    receive,
    restriction,
    verification,
)
from support.orders.stops import IN_STAGES, NATIONAL, book_with_rules, stopped


def texts(book: OrderService, number: str, *, now_hours: int = 30) -> tuple[StopTextShown, ...]:
    queries = OrderQueries(book.store, book.terms.trail, stop_texts=book.terms.stop_texts)
    return queries.order(number, ViewerContext(DESK), NOW + now_hours * HOUR).stop_texts


def faults(store: Store) -> list[str]:
    return [found.what for found in Trail(KEY).verify(store) if isinstance(found, Fault)]


def test_it_names_rule_figures_limits_days_who_decided_and_what_rebuts_it(store: Store) -> None:
    book = book_with_rules(store)
    order = stopped(book)
    (told,) = texts(book, order.id)
    for words in (
        f"工单：{order.id}，第 1 步",
        "号码：尾号 0000",
        "处置：单停，自 2026-03-03 16:00:00 起（北京时间）",
        f"由谁决定：实人核验逾期未完成（{order.parent}）；通知于 2026-03-02 16:00:00 送达",
        "· 广撒网外呼：一天主叫 83 个不同号码，如138****8000（2026-02-27 至 2026-03-01，2 天）",
        "停机时的限值：一天主叫的不同号码达到 50 个；接通率不高于 40%",
        "适用策略：全国(权衡)",
        "数据来源：通话和短信的时间、次数；开户登记资料；不含通话和短信内容",
        "如何反驳这条规则：说明这些电话的用途并带证明",
        "不是规则或模型单独决定",
        "第三十二条",
        f"救济途径：{IN_STAGES.redress.zh}",
        f"所需材料：{IN_STAGES.papers.zh}",
        "客服热线：10086",
        "· Fan-out of calls: called 83 different numbers, like 138****8000 (2026-02-27 to 2026-03-01, on 2 day(s))",
        "How to rebut this rule: say what the calls were for and bring proof",
    ):
        assert words in told.text, words
    assert "13800138000" not in told.text, "nobody else's number"
    assert told.sha256 == hashlib.sha256(told.text.encode()).hexdigest()
    assert not told.belated


def test_each_step_that_restricts_has_its_text_and_the_trail_keeps_its_digest(store: Store) -> None:
    book = book_with_rules(store)
    order = stopped(book)
    before = texts(book, order.id)
    book.sweep(NOW + 48 * HOUR)
    first, second = texts(book, order.id, now_hours=49)
    assert first == before[0], "never worded anew"
    assert "处置：双停，自 2026-03-04 16:00:00 起" in second.text
    with store.reading() as connection:
        entries = connection.execute(select(audit.c.digests).where(audit.c.subject == order.id)).scalars()
        told = " ".join(entries)
    assert first.sha256 in told
    assert second.sha256 in told
    assert faults(store) == []


def test_a_card_that_is_given_back_gets_no_text_for_it(store: Store) -> None:
    book = book_with_rules(store)
    order = stopped(book)
    book.apply(str(order.parent), Event.PASS, SECOND, "it is them", NOW + 25 * HOUR)
    assert len(texts(book, order.id)) == 1
    assert faults(store) == []


def test_the_police_and_two_people_are_named_as_such_and_no_staff_by_name(store: Store) -> None:
    book = book_with_rules(store)
    by_police = book.police_stop(card(1), "A3101", POLICE, "confirmed", NOW)
    (told,) = texts(book, by_police.id)
    assert "由谁决定：公安机关通知（A3101）" in told.text
    assert "运营商没有自行判断" in told.text
    assert "规则：" not in told.text
    acts = BulkActionService(book)
    acts.propose(Event.SUSPEND, [card(2)], BilingualText("王某说他是骗子", "he is a crook"), DESK, NOW)
    act = decided_by_second(book)
    order = restriction(book, 2)
    assert order
    (told,) = texts(book, order.id)
    assert f"由谁决定：运营商两名工作人员（{act.id}）" in told.text
    assert not any(name in told.text for name in ("wang", "王某", "crook")), (
        "what a person wrote stays in the trail"
    )
    assert "原因：号码使用情况须核实" in told.text


def test_cards_with_the_same_words_share_one_body(store: Store) -> None:
    book = book_on(store)
    all_delivered(book, range(60))
    book.sweep(NOW + 24 * HOUR)
    with store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(stop_texts)).scalar_one() == 60
        assert connection.execute(select(func.count()).select_from(stop_text_bodies)).scalar_one() == 1
    assert faults(store) == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *((name, "another") for name in ("head_zh", "head_en", "body", "sha256")),
        *(("made_at", NOW), ("belated", 1), ("step", 9)),
    ],
)
def test_a_changed_text_is_named(store: Store, column: str, value: object) -> None:
    book = book_on(store)
    all_delivered(book, range(2))
    book.sweep(NOW + 24 * HOUR)
    order = restriction(book, 1)
    assert order
    with store.writing() as connection:
        connection.execute(
            update(stop_texts).where(stop_texts.c.order_id == order.id).values({column: value})
        )
    found = faults(store)
    if column == "step":
        assert found == [
            f"stop text {order.id}:9 is not in the trail: it was put in past it",
            f"stop text {order.id}:1 was removed past the trail",
        ]
    elif column in ("made_at", "belated"):
        assert found == [f"stop text {order.id}:1 was changed past the trail: {column}"]
    else:
        assert [one.partition(": ")[0] for one in found] == [
            f"stop text {order.id}:1 was changed past the trail"
        ]


def test_a_changed_body_a_lost_text_and_one_put_in_are_named(store: Store) -> None:
    book = book_on(store)
    all_delivered(book, range(2))
    book.sweep(NOW + 24 * HOUR)
    first, second = (restriction(book, number) for number in range(2))
    assert first
    assert second
    with store.writing() as connection:
        connection.execute(delete(stop_texts).where(stop_texts.c.order_id == first.id))
    assert faults(store) == [f"stop text {first.id}:1 was removed past the trail"]
    with store.writing() as connection:
        row = connection.execute(select(stop_texts)).mappings().one()
        connection.execute(insert(stop_texts), [{**row, "order_id": "R9"}])
    assert "stop text R9:1 is of no order: it was put in past the trail" in faults(store)
    with store.writing() as connection:
        connection.execute(delete(stop_texts).where(stop_texts.c.order_id == "R9"))
        connection.execute(update(stop_text_bodies).values(zh="another"))
    assert any(f"stop text {second.id}:1 was changed past the trail" in one for one in faults(store))


def test_an_order_of_before_gets_its_text_once_and_it_says_so(store: Store) -> None:
    book = book_with_rules(store)
    order = stopped(book)
    with store.writing() as connection:  # as an upgrade from version 13 leaves it
        connection.execute(delete(stop_texts))
        connection.execute(delete(stop_text_bodies))
        connection.execute(update(audit).values(digests=""))
    (told,) = texts(book, order.id, now_hours=72)
    assert told.belated
    assert "本告知书不是停机当时所作，由 2026-03-05 16:00:00 根据工单库保存的资料补作。" in told.text
    assert texts(book, order.id, now_hours=99) == (told,), "made once"
    with store.reading() as connection:
        made = connection.execute(select(audit).where(audit.c.what == "restriction.told")).mappings().one()
    assert told.sha256 in made["digests"]
    with store.writing() as connection:
        connection.execute(update(stop_texts).values(belated=0))
    assert f"stop text {order.id}:{told.step} was changed past the trail: belated" in faults(store)


def test_a_text_removed_past_the_trail_is_not_made_anew(store: Store) -> None:
    book = book_with_rules(store)
    order = stopped(book)
    book.sweep(NOW + 48 * HOUR)
    with store.writing() as connection:
        connection.execute(delete(stop_texts))
    removed = [f"stop text {order.id}:{step} was removed past the trail" for step in (1, 2)]
    assert faults(store) == removed
    assert texts(book, order.id, now_hours=72) == ()
    with pytest.raises(Exception, match="is missing; `duanka audit verify` says"):
        StopTextCopies(book).copy(order.id, DESK, "the holder asks", NOW + 72 * HOUR)
    assert faults(store) == removed, "what was looked at since did not silence it"


def test_a_text_and_its_step_are_one_transaction(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    book = book_with_rules(store)

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("killed")

    receive(book, [demand()], NOW)
    monkeypatch.setattr(StopTextWriter, "text", refuse)
    with pytest.raises(RuntimeError):
        book.police_stop(card(0), "A1", POLICE, "confirmed", NOW)
    with store.reading() as connection:
        kinds = connection.execute(select(orders.c.kind)).scalars().all()
        assert connection.execute(select(func.count()).select_from(stop_texts)).scalar_one() == 0
    assert kinds == [Kind.VERIFICATION], "no stop without its text"


def test_a_copy_has_the_very_bytes_and_stands_in_the_trail(store: Store) -> None:
    book = book_with_rules(store)
    order = stopped(book)
    copies = StopTextCopies(book)
    copy = copies.copy(order.id, DESK, "the holder asks", NOW + 30 * HOUR)
    assert hashlib.sha256(copy.plain).hexdigest() == copy.texts[-1].sha256 == texts(book, order.id)[-1].sha256
    with store.reading() as connection:
        entry = connection.execute(select(audit).where(audit.c.what == "paper.copy")).mappings().one()
    assert (entry["subject"], entry["who"], entry["why"]) == (order.id, "wang", "the holder asks")
    assert copy.texts[-1].sha256 in entry["after"]
    with pytest.raises(Exception, match="it has those of 1"):
        copies.copy(order.id, DESK, "why", NOW, 7)
    with pytest.raises(Exception, match="may not give a copy"):
        copies.copy(order.id, Person("r", Role.REGULATOR), "why", NOW)


def test_what_restricts_anew_is_a_state_a_ground_or_an_end() -> None:
    order = _restriction()
    assert restricts_anew(order, replace(order, state=State.SUSPENDED))
    assert restricts_anew(order, replace(order, carried_by="two_people:A2"))
    assert restricts_anew(order, replace(order, until=NOW))
    assert not restricts_anew(order, replace(order, due_at=NOW, hits=2))
    assert not restricts_anew(order, replace(order, state=State.RESTORED))


def _restriction() -> Order:
    words, state = BilingualText("原因", "reason"), State.OUTGOING_BARRED
    told = Grounds(words, words, words)
    return Order("R1", Kind.RESTRICTION, card(0), state, 1, told, NOW, NOW, carried_by="two_people:A1")


def test_every_rule_says_what_rebuts_it_and_what_it_read() -> None:
    told = rules_told(NATIONAL)()
    assert isinstance(told, RulesTold)
    for rule in RULES:
        one = told.rules[rule.id]
        assert all(text.strip() for words in (one.rebuttal, one.limits, one.records) for text in words), (
            rule.id
        )


def test_limits_are_told_with_what_they_count_and_sources_without_letters_of_the_catalogue() -> None:
    told = rules_told(NATIONAL)()
    numbers = re.compile(r" [0-9.]+(?=；|$)")
    for rule in RULES:
        one = told.rules[rule.id]
        assert not numbers.search(one.limits.zh), (rule.id, one.limits.zh)
        assert not re.search("[0-9] share", one.limits.en)
        assert not re.search(r"\(S[0-9]", one.source.en)
        assert not re.search("[a-z]{3}", one.source.zh), "in Chinese"
    assert told.rules["in_ring"].limits == BilingualText("关联把握达到 51%", "certainty from 51%")


def test_a_policy_of_one_stage_says_what_passes_no_more(store: Store) -> None:
    book = book_with_rules(store, AT_ONCE)
    delivered(book)
    book.sweep(NOW + 24 * HOUR)
    order = restriction(book)
    assert order
    (told,) = texts(book, order.id)
    assert "停机后：不能呼出和接听，不能上网；紧急电话可拨打" in told.text


def test_no_text_promises_that_a_check_lifts_what_staff_decided_without_a_verification(store: Store) -> None:
    book = book_with_rules(store)
    acts = BulkActionService(book)
    acts.propose(Event.SUSPEND, [card(2)], BilingualText("举报", "reported"), DESK, NOW)
    decided_by_second(book)
    by_staff, by_rules = restriction(book, 2), stopped(book)
    assert by_staff
    policy = book.terms.policy
    (told,) = texts(book, by_staff.id)
    assert f"救济途径：{policy.staff_redress.zh}" in told.text
    assert f"Redress: {policy.staff_redress.en}" in told.text
    assert policy.redress.zh not in told.text
    notices = NoticeTexts(policy)
    for state in (State.OUTGOING_BARRED, State.LIFELINE, State.SUSPENDED):
        mine = notices.text(state.value, by_staff, NOW)
        assert "这是工作人员的决定，如有异议，请带" in mine
        assert f"{policy.objection_days}个工作日内答复" in mine
        assert "核验" not in mine.replace("号码使用情况须核实", "")
        assert "verif" not in mine
        assert parts(mine) <= MOST_PARTS
        assert "核验，通过立即恢复" in notices.text(state.value, by_rules, NOW)
    assert policy.staff_redress.en[1:] in answer(by_staff.card, [by_staff], NOW, policy).en
    seen = CounterCheck(Document.ID_CARD, "长安街营业厅", True, True, True)
    with pytest.raises(NoSuchTransition, match=f"duanka objections file {by_staff.id} --text"):
        Counter(book).verify(by_staff.id, seen, DESK, "the holder is here", NOW)


def test_what_two_people_decided_after_a_verification_is_lifted_by_passing_it(store: Store) -> None:
    book = book_with_rules(store)
    receive(book, [replace(demand(), id="")], NOW)
    order = verification(book)
    book.apply(order.id, Event.DELIVERED, SYSTEM, "receipt", NOW, delivered_at=NOW)
    book.sweep(NOW + 24 * HOUR)
    decided_by_second(book, at=NOW + 25 * HOUR)
    stop = restriction(book)
    assert stop
    assert stop.carried_by.startswith("two_people:")
    (told,) = texts(book, stop.id)
    assert f"救济途径：{book.terms.policy.redress.zh}" in told.text
