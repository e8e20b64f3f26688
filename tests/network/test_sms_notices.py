"""Notices to the message centre, in parts, and their receipts, also after a crash and for centres of both id forms."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duanka.domain.network import ElementRefused, Receipt, UnknownCard, Unreachable
from duanka.network.notices.parts import MessageIds, cut, said
from duanka.network.notices.sender import ShortMessageCentre
from duanka.network.process import free_port
from duanka.network.smpp import codec as smpp
from duanka.network.smpp.message_text import contents_of
from duanka.network.smpp.text_encodings import readings
from duanka.sandbox.message_proxy import OwnMessageProxy
from duanka.sandbox.smsc import OwnShortMessageCentre
from support.network.esme import CARD, Esme, number, status, until
from support.network.message_path import own_centre, own_proxy

centre = pytest.fixture(own_centre)
proxy = pytest.fixture(own_proxy)


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LONG = "【本运营商】您的手机卡因涉嫌异常使用，请在24小时内完成实名核验。" * 6 + "😀"


def sender_to(centre: OwnShortMessageCentre, seconds: float = 3.0, **more: object) -> ShortMessageCentre:
    return ShortMessageCentre(
        centre.address,
        system_id="notices",
        password="secret",  # noqa: S106
        seconds=seconds,
        now=lambda: NOW,
        **more,  # type: ignore[arg-type]
    )


@pytest.fixture
def sender(centre: OwnShortMessageCentre) -> Iterator[ShortMessageCentre]:
    with closing(sender_to(centre)) as one:
        yield one


def gathered(sender: ShortMessageCentre, count: int) -> list[Receipt]:
    found: list[Receipt] = []

    def enough() -> bool:
        found.extend(sender.receipts())
        return len(found) >= count

    until(enough)
    return found


def shown(centre: OwnShortMessageCentre) -> str:
    """What a handset puts together from the parts that the centre took."""
    parts = []
    for one in centre.accepted:
        content = contents_of(one.submission)[0]
        parts.append((content.parts[0].number, readings(one.submission.data_coding, content.data)[0]))
    assert [which for which, _ in sorted(parts)] == list(range(1, len(parts) + 1))
    return "".join(text for _, text in sorted(parts))


def test_a_short_notice_and_its_receipt(sender: ShortMessageCentre, centre: OwnShortMessageCentre) -> None:
    message_id = sender.send(CARD, "请核验")
    assert gathered(sender, 1) == [Receipt(message_id, True, NOW)]
    taken = centre.accepted[0].submission
    assert taken.source == smpp.SmppAddress(3, 0, "10086")
    assert taken.destinations == (number(CARD),)
    assert (taken.registered_delivery, taken.data_coding, taken.esm_class) == (1, 8, 0)
    assert list(sender.receipts()) == []


def test_a_long_chinese_notice_arrives_whole(
    sender: ShortMessageCentre, centre: OwnShortMessageCentre
) -> None:
    message_ids = sender.send(CARD, LONG).split(",")
    assert message_ids == [one.message_id for one in centre.accepted]
    assert shown(centre) == LONG
    assert all(len(one.submission.message) <= 140 for one in centre.accepted)
    assert sorted(one.message_id for one in gathered(sender, len(message_ids))) == sorted(message_ids)


def test_a_phone_that_is_off(sender: ShortMessageCentre, centre: OwnShortMessageCentre) -> None:
    centre.behaviour.off.add(CARD)
    message_id = sender.send(CARD, "hi")
    assert gathered(sender, 1) == [Receipt(message_id, False, NOW, "UNDELIV 027")]


@pytest.mark.parametrize("tags", [True, False])
def test_a_centre_with_two_forms_of_ids(centre: OwnShortMessageCentre, tags: bool) -> None:
    centre.behaviour.hexadecimal = True
    centre.behaviour.tags = tags
    with closing(sender_to(centre, ids=MessageIds.HEXADECIMAL_ANSWERS)) as sender:
        message_id = sender.send(CARD, "hi")
        assert message_id == str(int(centre.accepted[0].message_id, 16))
        assert gathered(sender, 1) == [Receipt(message_id, True, NOW)]


def test_receipts_wait_for_us_and_are_not_lost_in_a_crash(centre: OwnShortMessageCentre) -> None:
    centre.behaviour.receipts = False
    first = sender_to(centre)
    message_ids = first.send(CARD, LONG).split(",")
    first.close()  # we are down; the phone is switched on only now
    until(lambda: not centre.sessions)
    centre.call(centre.deliver_held)
    second = sender_to(centre)
    assert {one.message_id for one in gathered(second, len(message_ids))} == set(message_ids)
    second.close()  # as in a crash: read, and perhaps not written down
    until(lambda: not centre.sessions)
    assert centre.acknowledged == 0
    third = sender_to(centre)
    assert {one.message_id for one in gathered(third, len(message_ids))} == set(message_ids)
    assert list(third.receipts()) == []  # the next call says that they are safe
    until(lambda: centre.acknowledged == len(message_ids))
    third.close()
    with closing(sender_to(centre)) as fourth:
        assert list(fourth.receipts()) == []


def test_receipts_that_come_while_a_notice_is_sent_are_kept(
    sender: ShortMessageCentre, centre: OwnShortMessageCentre
) -> None:
    message_ids = [sender.send(CARD, f"notice {i}") for i in range(20)]
    assert sorted(one.message_id for one in gathered(sender, 20)) == sorted(message_ids)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (smpp.BAD_DESTINATION, UnknownCard),
        (smpp.THROTTLED, Unreachable),
        (smpp.QUEUE_FULL, Unreachable),
        (smpp.REFUSED_BY_APPLICATION, ElementRefused),
        (0x45, ElementRefused),
    ],
)
def test_what_the_centre_says_no_with(
    sender: ShortMessageCentre, centre: OwnShortMessageCentre, code: int, error: type[Exception]
) -> None:
    centre.behaviour.status = code
    with pytest.raises(error):
        sender.send(CARD, LONG)
    centre.behaviour.status = smpp.OK
    assert sender.send(CARD, "hi")


def test_a_centre_that_is_silent_gone_or_back(
    sender: ShortMessageCentre, centre: OwnShortMessageCentre
) -> None:
    impatient = sender_to(centre, seconds=2)
    impatient.send(CARD, "hi")
    centre.behaviour.silent = True
    with pytest.raises(Unreachable, match="silent"):
        impatient.send(CARD, "hi")
    centre.behaviour.silent = False
    assert impatient.send(CARD, "hi")
    impatient.close()
    sender.send(CARD, "hi")
    centre.stop()
    with pytest.raises(Unreachable):
        sender.send(CARD, "hi")
    with pytest.raises(Unreachable):
        sender.receipts()
    centre.start()
    assert sender.send(CARD, "hi")


def test_the_link_is_tried_when_it_was_quiet(centre: OwnShortMessageCentre) -> None:
    with closing(sender_to(centre, seconds=2, keep=0.0)) as sender:
        assert list(sender.receipts()) == []
        assert list(sender.receipts()) == []  # asked, and answered
        centre.behaviour.silent = True
        with pytest.raises(Unreachable):
            sender.receipts()


def test_a_wrong_password_is_for_a_person(centre: OwnShortMessageCentre) -> None:
    centre.behaviour.password = "another"  # noqa: S105
    with closing(sender_to(centre)) as sender, pytest.raises(ElementRefused, match="does not let notices in"):
        sender.send(CARD, "hi")


def test_what_listens_but_speaks_no_smpp() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        sender = ShortMessageCentre(mute.getsockname(), system_id="x", password="x", seconds=0.3)  # noqa: S106
        with closing(sender), pytest.raises(Unreachable):
            sender.send(CARD, "hi")
    nobody = ShortMessageCentre(("127.0.0.1", free_port()), system_id="x", password="x")  # noqa: S106
    with closing(nobody), pytest.raises(Unreachable):
        nobody.send(CARD, "hi")


def test_through_the_proxy_the_notice_reaches_a_barred_card(
    proxy: OwnMessageProxy, centre: OwnShortMessageCentre
) -> None:
    with closing(proxy.element()) as element:
        element.bar_outgoing(CARD)
    sender = ShortMessageCentre(proxy.address, system_id="notices", password="secret", now=lambda: NOW)  # noqa: S106
    with closing(sender):
        message_ids = sender.send(CARD, LONG).split(",")
        assert {one.message_id for one in gathered(sender, len(message_ids))} == set(message_ids)
        assert shown(centre) == LONG


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=900), st.text("0123456789", max_size=13))
def test_cut_parts_make_the_text_again(text: str, whose: str) -> None:
    pieces = cut(text, whose)
    assert pieces == cut(text, whose)
    read: list[str] = []
    for which, part in enumerate(pieces.parts, 1):
        if len(pieces.parts) > 1:
            assert part[:3] == bytes((5, 0, 3))
            assert (part[4], part[5]) == (len(pieces.parts), which)
        assert len(part) <= (160 if pieces.data_coding == 0 else 140)
        read += readings(pieces.data_coding, part[6:] if len(pieces.parts) > 1 else part)[:1]
    assert "".join(read) == text


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("中" * 70, 1),
        ("中" * 71, 2),
        ("中" * 134, 2),
        ("中" * 135, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
    ],
)
def test_how_many_parts(text: str, parts: int) -> None:
    assert len(cut(text, CARD).parts) == parts


def test_a_notice_beyond_all_parts_is_refused() -> None:
    with pytest.raises(ElementRefused):
        cut("中" * (67 * 255 + 1), CARD)


@pytest.mark.parametrize(
    ("text", "receipted", "state", "ids", "wanted"),
    [
        (b"id:12 sub:001 stat:DELIVRD err:000 text:", "", None, MessageIds.SAME, ("12", True, "DELIVRD")),
        (b"ID:ab stat:expired err:069", "", None, MessageIds.SAME, ("ab", False, "EXPIRED 069")),
        (b"", "77", 2, MessageIds.SAME, ("77", True, "DELIVRD")),
        (b"", "77", 5, MessageIds.SAME, ("77", False, "UNDELIV")),
        (b"id:12 stat:ACCEPTD err:000", "", 6, MessageIds.SAME, ("12", False, "")),
        (b"id:12 stat:ENROUTE", "", 1, MessageIds.SAME, ("12", False, "")),
        (b"id:0000000255 stat:DELIVRD", "", None, MessageIds.HEXADECIMAL_ANSWERS, ("255", True, "DELIVRD")),
        (b"id:0000000255 stat:DELIVRD", "FF", None, MessageIds.HEXADECIMAL_ANSWERS, ("255", True, "DELIVRD")),
        (b"id:FF stat:DELIVRD", "", None, MessageIds.HEXADECIMAL_RECEIPTS, ("255", True, "DELIVRD")),
    ],
)
def test_receipts_of_many_centres(
    text: bytes, receipted: str, state: int | None, ids: MessageIds, wanted: tuple[str, bool, str]
) -> None:
    assert said(text, receipted, state, ids) == wanted


def test_a_receipt_that_names_no_message() -> None:
    assert said(b"hello", "", 2, MessageIds.SAME) is None


def test_the_centre_of_our_own_refuses_as_a_real_one(centre: OwnShortMessageCentre) -> None:
    with Esme(centre.address, bind=False) as esme:
        assert status(esme.ask(smpp.submit_sm(1, number("1"), number("2"), b"x"))) == smpp.NOT_BOUND
        esme.send(smpp.unit(0x99, 2))
        assert status(esme.read()) == smpp.UNKNOWN_COMMAND
        esme.send(b"\xff" * 20)
        assert status(esme.until_closed()[-1]) == smpp.BAD_LENGTH
    with Esme(centre.address) as esme:
        assert status(esme.ask(smpp.submit_sm(1, number("1"), number(""), b"x"))) == smpp.BAD_DESTINATION
        assert status(esme.ask(smpp.unit(smpp.BIND_RECEIVER, 2, b"x\0secret\0"))) == smpp.ALREADY_BOUND
        assert status(esme.ask(smpp.unit(smpp.UNBIND, 3))) == smpp.OK
