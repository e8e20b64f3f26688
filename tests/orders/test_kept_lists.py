"""A proxy that judges by a copy of its list, or by nothing: the order database has an alarm until both agree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from duanka.domain.network import Element, KeptList, ListOrigin, NetworkState
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import alarms
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.network.sip import lists as call_lists
from duanka.network.sip.kamailio import OwnCallProxy
from duanka.orders.dispatch.element_worker import ElementDispatcher
from duanka.orders.dispatch.outbox import Outbox
from duanka.orders.monitoring.kept_lists import KeptListWatch
from duanka.orders.monitoring.reconciliation import Reconciling
from duanka.sandbox.message_proxy import OwnMessageProxy
from support.network.sipp_calls import missing
from support.orders.books import KEY, NOW, POLICE, book_on, card
from support.parts import needed

MINUTE = timedelta(minutes=1)
FILES = {
    OwnCallProxy: (call_lists.LISTS, call_lists.GOOD_COPY),
    OwnMessageProxy: ("restricted.sqlite", "restricted.sqlite.copy"),
}


@contextmanager
def started(
    kind: type[OwnCallProxy] | type[OwnMessageProxy], folder: Path
) -> Iterator[OwnCallProxy | OwnMessageProxy]:
    if kind is OwnCallProxy:
        needed(missing())
    with kind(folder, ("127.0.0.1", 9)) as proxy:
        yield proxy


def open_alarms(store: Store) -> dict[str, str]:
    with store.reading() as connection:
        rows = connection.execute(select(alarms).where(alarms.c.cleared_at.is_(None)))
        return {row.source: row.detail for row in rows}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("copied", [True, False])
def test_a_spoilt_list_raises_an_alarm_that_a_comparison_without_difference_ends(
    tmp_path: Path, store: Store, kind: type[OwnCallProxy] | type[OwnMessageProxy], copied: bool
) -> None:
    with started(kind, tmp_path / "proxy") as proxy, ExitStack() as closed:
        elements: list[Element] = [closed.enter_context(closing(proxy.element())) for _ in range(3)]
        told, compared, watched = elements
        assert isinstance(watched, KeptList)
        known = AlarmService(store, lambda _: None, timedelta())
        enacting = ElementDispatcher(Outbox(store, told.name, "w"), told, known)
        reconciling = Reconciling(store, Trail(KEY), compared, alarms=known)
        watch = KeptListWatch(watched, known)
        book = book_on(store, elements=(told.name,))
        for number in range(3):
            book.police_stop(card(number), "A1", POLICE, "notice", NOW)
        while enacting.work(NOW):
            pass
        assert reconciling.compare(NOW + MINUTE).drifted == 0
        watch.look(NOW + MINUTE)
        assert open_alarms(store) == {}

        def restart() -> None:
            for one in elements:
                one.close()  # they open again; in life they are of another process than the start
            proxy.stop()
            proxy.start()

        for one in elements:
            one.close()
        proxy.stop()
        spoilt, copy = (proxy.folder / name for name in FILES[kind])
        for behind in ("-wal", "-shm"):
            spoilt.with_name(spoilt.name + behind).unlink(missing_ok=True)
        spoilt.write_bytes(b"no database " * 500)
        if not copied:
            copy.unlink(missing_ok=True)
        proxy.start()
        watch.look(NOW + 2 * MINUTE)
        said = open_alarms(store)
        assert set(said) == {f"list of {told.name}"}
        assert ("its copy" if copied else "nothing") in said[f"list of {told.name}"]

        restart()
        watch.look(NOW + 3 * MINUTE)
        assert open_alarms(store) == said, "a restart has not compared anything"

        found = reconciling.compare(NOW + 4 * MINUTE)
        assert found.repairing == (0 if copied else 3)
        while enacting.work(NOW + 4 * MINUTE):
            pass
        assert reconciling.compare(NOW + 5 * MINUTE).drifted == 0
        assert watched.list_origin() is ListOrigin.FILE
        assert {told.state_of(card(n)) for n in range(3)} == {NetworkState.SUSPENDED}
        watch.look(NOW + 6 * MINUTE)
        assert open_alarms(store) == {}
