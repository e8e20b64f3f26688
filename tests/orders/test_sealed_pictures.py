"""Pictures of holders: sealed, bound to their order, gone when it is over, and nowhere else in the database."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.engine import make_url

from duanka.domain.identity import Frame, SessionStage
from duanka.domain.order import Event
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import metadata
from duanka.ledger.db.tables_identity import pictures
from duanka.orders.verification.pictures import CAPTURED, LONGEST, REFERENCE, Pictures, PictureSealed
from support.orders.books import DESK, HOUR, NOW
from support.orders.books import SECOND as SUPERVISOR
from support.orders.online import (
    PASSED,
    RECORDED,
    SECOND,
    STEPS,
    STRANGER,
    UNSURE,
    Online,
    count,
    policy,
    trail,
)
from support.waiting import HANG

PHOTO = b"\xff\xd8\xff\xe0 a registered photo " + bytes(range(256)) * 40


def opened(way: Online, order_id: str, what: str = REFERENCE, by: Pictures | None = None) -> bytes | None:
    with way.store.reading() as connection:
        return (by or way.pictures).opened(connection, order_id, what)


def kept(way: Online, number: int = 0) -> str:
    order = way.asked(number)
    way.checks.photos.keep(order.id, PHOTO, NOW)
    return order.id


def test_a_picture_comes_back_as_it_was_and_is_kept_in_no_other_form(store: Store) -> None:
    way = Online(store)
    number = kept(way)
    assert way.checks.photos.stored(number) == opened(way, number) == PHOTO
    assert opened(way, number, CAPTURED) is None
    with store.reading() as connection:
        first = connection.execute(select(pictures.c.sealed)).scalar_one()
    assert len(first) == len(PHOTO) + 12 + 16
    assert PHOTO[:8] not in first
    way.checks.photos.keep(number, PHOTO, NOW)
    with store.reading() as connection:
        second = connection.execute(select(pictures.c.sealed)).scalar_one()
    assert second[:12] != first[:12], "a number used once"
    assert second[12:] != first[12:]


def test_a_row_that_was_moved_or_changed_does_not_open(store: Store) -> None:
    way = Online(store)
    one, other = kept(way, 0), kept(way, 1)
    with store.reading() as connection:
        rows = {row.order_id: row.sealed for row in connection.execute(select(pictures))}
    changes = {
        "of another order": rows[other],
        "changed": rows[one][:-1] + bytes([rows[one][-1] ^ 1]),
        "cut": rows[one][:5],
        "empty": b"",
    }
    for what, sealed in changes.items():
        with store.writing() as connection:
            connection.execute(update(pictures).where(pictures.c.order_id == one).values(sealed=sealed))
        with pytest.raises(PictureSealed, match="does not open"):
            opened(way, one)
        assert way.checks.photos.stored(one) is None, f"{what}: fetched anew"
    with store.writing() as connection:
        connection.execute(
            update(pictures).where(pictures.c.order_id == one).values(sealed=rows[one], what=CAPTURED)
        )
    with pytest.raises(PictureSealed):
        opened(way, one, CAPTURED)
    way.checks.photos.keep(one, PHOTO, NOW)
    assert way.checks.photos.stored(one) == PHOTO


def test_another_secret_opens_nothing(store: Store) -> None:
    way = Online(store)
    number = kept(way)
    with pytest.raises(PictureSealed, match="DUANKA_SECRET"):
        opened(way, number, by=Pictures(way.orders, bytes(32)))
    with pytest.raises(ValueError, match="32 bytes"):
        Pictures(way.orders, b"short")


def test_pictures_go_when_their_order_is_over_and_no_sooner(store: Store) -> None:
    way = Online(store, policy(keep_hours=2.0))
    passed, late, open_still = kept(way, 0), kept(way, 1), kept(way, 2)
    way.orders.sweep(NOW + 24 * HOUR)
    for number in (passed, late):
        way.orders.apply(
            number, Event.PASS, DESK, "it is them", NOW + (25 if number == passed else 30) * HOUR
        )
    assert way.pictures.purge(NOW + 27 * HOUR - SECOND) == 0
    assert way.pictures.purge(NOW + 27 * HOUR) == 1
    assert (opened(way, passed), opened(way, late)) == (None, PHOTO)
    (row,) = trail(store, "pictures.purge")
    assert (row.subject, row.before, row.role) == (passed, '{"kept":["reference"]}', "system")
    assert way.pictures.purge(NOW + 27 * HOUR) == 0
    assert way.pictures.purge(NOW + 100 * HOUR) == 1
    assert opened(way, open_still) == PHOTO, "its order is not over: the card is stopped for it"
    assert way.pictures.purge(NOW + LONGEST - SECOND) == 0
    assert way.pictures.purge(NOW + LONGEST) == 1
    assert count(store, pictures) == 0


def test_nothing_is_kept_for_an_order_that_is_over(store: Store) -> None:
    way = Online(store)
    order = way.asked()
    way.orders.apply(order.id, Event.WITHDRAW, DESK, "asked in error", NOW)
    way.checks.photos.keep(order.id, PHOTO, NOW)
    assert count(store, pictures) == 0


def test_two_workers_at_once_delete_everything_once(store: Store) -> None:
    way, other = Online(store), Online(store)
    numbers = [kept(way, number) for number in range(12)]
    for number in numbers:
        way.orders.apply(number, Event.WITHDRAW, DESK, "asked in error", NOW)
    together = Barrier(2)

    def purge(worker: Online) -> int:
        together.wait(timeout=HANG)
        done = 0
        while found := worker.pictures.purge(NOW + timedelta(microseconds=1), limit=3):
            done += found
        return done

    with ThreadPoolExecutor(2) as threads:
        assert sum(threads.map(purge, (way, other))) >= 12
    assert count(store, pictures) == 0
    assert sorted(row.subject for row in trail(store, "pictures.purge")) == sorted(numbers)


def _files(store: Store) -> bytes:
    path = Path(str(make_url(store.name).database))
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*")))


def _everything(store: Store) -> bytes:
    """All that the database holds: the files, or where they are another user's, every row of every table."""
    if store.embedded:
        return _files(store)
    with store.reading() as connection:
        rows = [
            connection.execute(text(f'SELECT t.*::text FROM "{table}" t')).all() for table in metadata.tables
        ]
        sealed = connection.execute(select(pictures.c.sealed)).scalars().all()
    return repr(rows).encode() + b"".join(sealed)


def test_no_frame_lies_in_the_database_after_a_whole_story(store: Store) -> None:
    way = Online(store, policy(failures=2))
    camera = b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"what the camera of the phone saw, nr %d"
    order = way.asked()
    way.checks.photos.keep(order.id, PHOTO, NOW)
    session = way.agreed(order.id)
    secret = session.token.encode()
    sent = []
    for turn, verdict in enumerate((STRANGER, UNSURE)):
        at = NOW + turn * 60 * SECOND
        taken = [Frame(n, 7 * n / 17, camera % (turn * 100 + n)) for n in range(18)]
        sent += taken
        challenge = way.checks.draw(session, STEPS, at)
        way.checks.take(session, challenge.id, taken, at + RECORDED)
        way.checks.settle(challenge.id, verdict, taken[verdict.best or 0].jpeg, at + RECORDED)
    assert way.reviews.open(order.id, SUPERVISOR, "to compare", NOW).captured == sent[21].jpeg
    there = _everything(store)
    assert order.id.encode() in there, "it is the right place to look"
    assert secret not in there
    for picture in (PHOTO, *(frame.jpeg for frame in sent)):
        body = picture[12:60]
        for form in (
            body,
            base64.b64encode(picture)[16:64],
            base64.urlsafe_b64encode(picture)[16:64],
            body.hex(),
        ):
            assert (form.encode() if isinstance(form, str) else form) not in there
    assert b"\xff\xd8\xff\xe0" not in there
    assert b"\\xffd8ffe0" not in there
    assert way.checks.standing(order.id, NOW).stage is SessionStage.REVIEW


def test_what_was_deleted_lies_in_no_file(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'orders.sqlite'}")
    way = Online(store)
    numbers = [kept(way, number) for number in range(5)]
    with store.reading() as connection:
        sealed = connection.execute(select(pictures.c.sealed)).scalars().all()
    # short ones: a page may end within a longer one
    parts = [row[at : at + 24] for row in sealed for at in range(100, 10_000, 100)]
    assert sum(part in _files(store) for part in parts) > len(parts) / 2
    for number in numbers:
        way.orders.apply(number, Event.WITHDRAW, DESK, "asked in error", NOW)
    with store.reading() as busy:  # somebody reads at this moment: the log cannot go yet
        busy.execute(select(pictures.c.what)).all()
        assert way.pictures.purge(NOW) == 5
        assert any(part in _files(store) for part in parts)
    assert way.pictures.purge(NOW) == 0
    assert not any(part in _files(store) for part in parts)
    with store.writing() as connection:  # and the store waits for others as before
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000
    store.close()


def test_a_passed_order_keeps_nothing(store: Store) -> None:
    way = Online(store)
    number = kept(way)
    assert way.settled(way.agreed(number), PASSED).stage is SessionStage.PASSED
    assert way.checks.purge(NOW + RECORDED) == 1
    assert count(store, pictures) == 0
