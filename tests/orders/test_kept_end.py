"""The end of the trail is kept outside: a restored backup or a trail cut short shows, and changes nothing alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from duanka.domain.errors import DuankaError
from duanka.domain.order import PermissionDenied
from duanka.ledger.audit.kept_end import END_FILE, KeptEnds, TrailEnd, TrailGuard
from duanka.ledger.audit.trail import Fault, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import alarms, audit, audit_head
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.orders.dispatch.outbox import Outbox
from support.orders.books import DESK, KEY, NOW, POLICE, SECOND, book_on, card

MINUTE = timedelta(minutes=1)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, ...]:
    found = (tmp_path / "orders", tmp_path / "call-proxy")
    for folder in found:
        folder.mkdir()
    return found


def guard(store: Store, folders: tuple[Path, ...], said: list[str] | None = None) -> TrailGuard:
    say = said.append if said is not None else lambda _: None
    return TrailGuard(ends(store, folders), AlarmService(store, say, MINUTE))


def ends(store: Store, folders: tuple[Path, ...]) -> KeptEnds:
    return KeptEnds(store, Trail(KEY), lambda: folders)


def stop(store: Store, number: int, minutes: int = 0) -> None:
    book_on(store).police_stop(card(number), f"case {number}", POLICE, "notice", NOW + minutes * MINUTE)


def cut(store: Store, to: int) -> None:
    """As a restored backup: the trail is consistent in itself, and shorter."""
    with store.writing() as connection:
        last = connection.execute(select(audit.c.hash).where(audit.c.seq == to)).scalar_one()
        seal = Trail(KEY)._seal(to, last)
        connection.execute(delete(audit).where(audit.c.seq > to))
        connection.execute(update(audit_head).values(seq=to, hash=last, seal=seal))


def open_alarms(store: Store) -> list[str]:
    with store.reading() as connection:
        return list(
            connection.execute(select(alarms.c.source).where(alarms.c.cleared_at.is_(None))).scalars()
        )


def test_a_database_that_goes_on_holds_nothing_and_its_end_is_kept(
    store: Store, folders: tuple[Path, ...]
) -> None:
    watch = guard(store, folders)
    for number in range(3):
        assert not watch.check(NOW)
        stop(store, number)
    watch.check(NOW)
    present = ends(store, folders).present()
    assert [(end.seq, end.hash) for end in ends(store, folders).ends()] == [(present.seq, present.hash)] * 2
    assert (folders[0] / END_FILE).stat().st_mode & 0o077 == 0
    assert open_alarms(store) == []


@pytest.mark.parametrize("goes_on", [False, True])
@pytest.mark.parametrize("restarted", [False, True])
def test_an_older_database_holds_until_a_supervisor_accepts_it(
    store: Store, folders: tuple[Path, ...], goes_on: bool, restarted: bool
) -> None:
    said: list[str] = []
    stop(store, 0)
    early = ends(store, folders).present().seq
    stop(store, 1)
    watch = guard(store, folders, said)
    watch.check(NOW)
    cut(store, early)
    if goes_on:  # past the kept end, with other rows
        for number in range(4):
            stop(store, 10 + number, 1)
    watch = guard(store, folders, said) if restarted else watch
    assert watch.check(NOW + MINUTE)
    assert watch.held_since == NOW
    assert open_alarms(store) == ["audit trail"]
    assert "duanka audit accept-restored" in said[0]
    with pytest.raises(PermissionDenied):
        ends(store, folders).accept(DESK, "looked", NOW + 2 * MINUTE)
    with pytest.raises(DuankaError, match="say why"):
        ends(store, folders).accept(SECOND, " ", NOW + 2 * MINUTE)
    (accepted,) = set(ends(store, folders).accept(SECOND, "restored on purpose", NOW + 2 * MINUTE))
    assert accepted.seq > early
    assert not watch.check(NOW + 3 * MINUTE)
    assert open_alarms(store) == []
    with pytest.raises(DuankaError, match="nothing to accept"):
        ends(store, folders).accept(SECOND, "again", NOW + 4 * MINUTE)
    assert not guard(store, folders).check(NOW + 5 * MINUTE)


def test_one_kept_end_is_enough(store: Store, folders: tuple[Path, ...]) -> None:
    stop(store, 0)
    early = ends(store, folders).present().seq
    stop(store, 1)
    guard(store, folders).check(NOW)
    cut(store, early)
    (folders[0] / END_FILE).unlink()
    assert guard(store, folders).check(NOW)


def test_a_database_that_is_replaced_under_a_worker_shows_without_any_file(store: Store) -> None:
    stop(store, 0)
    early = ends(store, ()).present().seq
    stop(store, 1)
    watch = guard(store, ())
    watch.check(NOW)
    cut(store, early)
    assert watch.check(NOW)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"seq": 1}', "\udcff", "[" * 100_000])
def test_a_spoilt_file_is_told_and_replaced(store: Store, folders: tuple[Path, ...], text: str) -> None:
    stop(store, 0)
    watch = guard(store, folders)
    (folders[1] / END_FILE).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert not watch.check(NOW)
    assert len(ends(store, folders).ends()) == 2
    with store.reading() as connection:
        told = connection.execute(select(audit.c.subject).where(audit.c.what == "audit.end_spoilt")).scalars()
        assert list(told) == ["call-proxy"]


def test_an_end_that_somebody_else_wrote_counts_for_nothing(store: Store, folders: tuple[Path, ...]) -> None:
    stop(store, 0)
    watch = guard(store, folders)
    watch.check(NOW)
    path = folders[1] / END_FILE
    path.write_text(path.read_text().replace('"seq": ', '"seq": 9'))
    assert not watch.check(NOW)
    assert len(ends(store, folders).ends()) == 2


def test_the_end_of_another_installation_is_left_alone_and_told(
    store: Store, folders: tuple[Path, ...], tmp_path: Path
) -> None:
    other = Store(f"sqlite:///{tmp_path / 'other.sqlite'}")
    stop(other, 5)
    guard(other, folders).check(NOW)
    other.close()
    before = (folders[1] / END_FILE).read_bytes()
    watch = guard(store, folders)
    assert not watch.check(NOW)
    assert open_alarms(store) == ["audit end elsewhere"]
    assert (folders[1] / END_FILE).read_bytes() == before
    for folder in folders:
        (folder / END_FILE).unlink()
    watch.check(NOW)
    assert open_alarms(store) == []
    assert len(ends(store, folders).ends()) == 2


def test_while_it_holds_only_what_an_order_gave_back_since_is_told(store: Store) -> None:
    book = book_on(store, elements=("home_register",))
    for number in range(3):
        book.police_stop(card(number), "case", POLICE, "notice", NOW)
    book.police_release(card(1), POLICE, "consent", NOW)  # the network may know better by now
    held = [NOW + MINUTE]
    book.police_release(card(2), POLICE, "consent", NOW + 2 * MINUTE)
    worker = Outbox(store, "home_register", "w", held_since=lambda: held[0] if held else None)
    assert [task.card for task in worker.claim(NOW + 3 * MINUTE)] == [card(2)]
    held.clear()
    assert {task.card for task in worker.claim(NOW + 3 * MINUTE)} == {card(0), card(1)}


def faults(store: Store, folders: tuple[Path, ...], *kept: TrailEnd) -> list[str]:
    trail = Trail(KEY)
    trail.ends_kept_elsewhere = lambda: [
        (end.seq, end.hash) for end in KeptEnds(store, trail, lambda: folders).ends()
    ]
    found = trail.verify(store, [(end.seq, end.hash) for end in kept])
    return [one.what for one in found if isinstance(one, Fault) and one.seq]  # of rows of the trail


def test_the_end_that_was_read_earlier_and_put_back_shows_against_the_kept_one(
    store: Store, folders: tuple[Path, ...]
) -> None:
    stop(store, 0)
    with store.reading() as connection:
        pocket = dict(connection.execute(select(audit_head)).mappings().one())
    stop(store, 1)
    guard(store, folders).check(NOW)
    assert faults(store, folders) == []
    late = ends(store, folders).present()
    with store.writing() as connection:
        connection.execute(delete(audit).where(audit.c.seq > pocket["seq"]))
        connection.execute(update(audit_head).values(pocket))
    assert faults(store, ()) == [], "in itself the trail is whole"
    for found in (faults(store, folders), faults(store, (), late)):
        assert found == [f"the end is missing: the trail went to {late.seq} when that was kept"]
    for number in range(3):
        stop(store, 10 + number)
    assert faults(store, folders) == ["not the row that was kept"]


def test_an_older_end_put_back_alone_shows_and_stops_no_order(store: Store) -> None:
    stop(store, 0)
    with store.reading() as connection:
        pocket = dict(connection.execute(select(audit_head)).mappings().one())
    stop(store, 1)
    with store.writing() as connection:
        connection.execute(update(audit_head).values(pocket))
    assert "the end is wrong" in faults(store, ())[0]
    stop(store, 2)
    assert faults(store, ()) == ["before this row the end of the trail was changed"]


def test_an_end_is_given_as_text_or_as_the_file_that_was_written(store: Store, tmp_path: Path) -> None:
    stop(store, 0)
    keeper = ends(store, ())
    present = keeper.present()
    keeper.write(tmp_path / "kept", present, NOW)
    for given in (f"{present.seq}:{present.hash}", str(tmp_path / "kept")):
        end = keeper.end_of(given)
        assert (end.seq, end.hash) == (present.seq, present.hash)
    (tmp_path / "text").write_text("nonsense")
    for wrong in ("", "12", "x:y", f"-1:{present.hash}", "12:short", str(tmp_path / "text"), str(tmp_path)):
        with pytest.raises(DuankaError, match="--kept"):
            keeper.end_of(wrong)


def test_a_worker_at_rest_still_sees_at_once_what_moves(store: Store, folders: tuple[Path, ...]) -> None:
    watch = guard(store, folders)
    stop(store, 0)
    stop(store, 1)
    for _ in range(3):  # found, kept, and found again as it was kept
        watch.work(NOW)
    looked: list[object] = []
    check = watch.check

    def noted(now: datetime) -> bool:
        looked.append(now)
        return check(now)

    watch.check = noted  # type: ignore[method-assign]
    watch.work(NOW)
    assert looked == [], "nothing moved"

    (folders[1] / END_FILE).unlink()
    watch.work(NOW)
    assert (folders[1] / END_FILE).exists(), "a file that was taken away is written again"
    watch.work(NOW)
    with store.writing() as connection:  # the row of the end alone, its number in the head stays
        connection.execute(update(audit).values(hash="0" * 64))
    watch.work(NOW)
    assert watch.holds


@pytest.mark.parametrize("rest", [0, 3])
def test_a_database_that_is_put_back_is_seen_by_a_worker_at_rest(
    store: Store, folders: tuple[Path, ...], rest: int
) -> None:
    watch = guard(store, folders)
    for number in range(3):
        stop(store, number)
    for _ in range(1 + rest):
        watch.work(NOW)
    cut(store, 2)
    watch.work(NOW)
    assert watch.holds
