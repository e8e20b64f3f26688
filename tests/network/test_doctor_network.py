"""`duanka doctor` asks real parts: of the network, of the verification online, of a cluster; it tells none of them."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import grpc

from duanka.network.sip.kamailio import OwnCallProxy
from duanka.sandbox.hlr import OwnRegister
from duanka.sandbox.message_proxy import OwnMessageProxy
from duanka.sandbox.smsc import OwnShortMessageCentre
from duanka.sandbox.smsc_sessions import Behaviour
from support.buses import Server
from support.databases import Postgres
from support.examined import doctor, order_database
from support.parts import needed
from support.photo_server import photo_server
from support.switches import missing
from support.vendor_server import vendor_server
from support.waiting import HANG

CARD = "8613800000001"
PASSWORD = "hunter22"  # noqa: S105  # of a centre on loopback


@contextmanager
def silent() -> Iterator[int]:
    """The port of somebody who takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_the_message_centre_is_bound_to_and_keeps_its_receipts(tmp_path: Path) -> None:
    with OwnShortMessageCentre(Behaviour(password=PASSWORD)) as centre:
        host, port = centre.address
        right = doctor(DUANKA_MESSAGE_CENTRE=f"smpp://duanka:{PASSWORD}@{host}:{port}")
        wrong = doctor(DUANKA_MESSAGE_CENTRE=f"smpp://duanka:wrong-word@{host}:{port}")
        assert "lets us in" in right.line("message centre", "OK")
        assert "does not let duanka in" in wrong.line("message centre", "FAULT")
        assert centre.accepted == []
    with silent() as port:
        begun = time.monotonic()
        hangs = doctor(DUANKA_MESSAGE_CENTRE=f"smpp://duanka:{PASSWORD}@127.0.0.1:{port}")
        assert "does not answer" in hangs.line("message centre", "FAULT")
        assert time.monotonic() - begun < HANG / 4
    for found in (right, wrong, hangs):
        assert not [one for one in (PASSWORD, "wrong-word") if one in found.text]


def test_a_message_proxy_is_asked_for_its_list(tmp_path: Path) -> None:
    said = order_database(tmp_path / "orders")
    folder = tmp_path / "messages"
    gone = doctor(**said, DUANKA_MESSAGE_PROXY=str(folder))
    assert "is not there" in gone.line("message proxy", "FAULT")
    with OwnMessageProxy(folder, ("127.0.0.1", 9)) as part:
        well = doctor(**said, DUANKA_MESSAGE_PROXY=str(folder))
        assert "0 card(s) on its list" in well.line("message proxy", "OK")
        with closing(part.element()) as element:
            element.suspend(CARD)
        odd = doctor(**said, DUANKA_MESSAGE_PROXY=str(folder))
        assert "holds 1 card(s), the order database wants 0" in odd.line("message proxy", "WARNING")
        with closing(part.element()) as element:
            assert next(iter(element.restricted()))[0] == CARD  # it was asked, not told
    down = doctor(**said, DUANKA_MESSAGE_PROXY=str(folder))
    assert "does not answer" in down.line("message proxy", "FAULT")


def test_register_and_call_proxy_are_asked_and_a_book_that_names_others_is_told(tmp_path: Path) -> None:
    needed(missing("osmo-hlr", "kamailio"))
    said = order_database(tmp_path / "orders")
    with (
        OwnRegister(tmp_path / "hlr") as register,
        OwnCallProxy(tmp_path / "calls", ("127.0.0.1", 9)) as calls,
    ):
        where = f"{register.vty[0]}:{register.vty[1]}:{register.ctrl[1]}"
        found = doctor(**said, DUANKA_HOME_REGISTER=where, DUANKA_CALL_PROXY=str(calls.folder))
        assert "answers on both ports" in found.line("home register", "OK")
        assert "0 card(s) on its list" in found.line("call proxy", "OK")
    found = doctor(**said, DUANKA_HOME_REGISTER=where, DUANKA_CALL_PROXY=str(calls.folder))
    assert "does not answer" in found.line("home register", "FAULT")
    assert "does not answer" in found.line("call proxy", "FAULT")


def test_faces_and_photos(tmp_path: Path) -> None:
    here = doctor(DUANKA_FACE="embedded", DUANKA_REFERENCE_PHOTOS=str(tmp_path))
    assert "4 models" in here.line("faces", "OK")
    assert "holds no photo" in here.line("photos", "WARNING")
    (tmp_path / f"{CARD}.jpg").write_bytes(b"\xff\xd8")
    assert "1 photo(s)" in doctor(DUANKA_REFERENCE_PHOTOS=str(tmp_path)).line("photos", "OK")
    assert "needs it" in doctor(DUANKA_FACE="embedded").line("photos", "FAULT")
    assert doctor(DUANKA_REFERENCE_PHOTOS=str(tmp_path / "nowhere")).lines("photos", "FAULT")
    said = order_database(tmp_path / "orders")
    with photo_server() as store, vendor_server() as vendor:
        keys = {"DUANKA_REFERENCE_PHOTOS_KEY": store.key, "DUANKA_FACE_KEY": vendor.key}
        named = {**said, "DUANKA_REFERENCE_PHOTOS": store.url, "DUANKA_FACE": vendor.url}
        well = doctor(**named, **keys)
        assert "a challenge of 3 steps" in well.line("faces", "OK")
        assert well.line("photos", "OK")
        wrong = doctor(**named, DUANKA_REFERENCE_PHOTOS_KEY="another", DUANKA_FACE_KEY="another")
        assert "does not take our key" in wrong.line("faces", "FAULT")
        assert "does not take our key" in wrong.line("photos", "FAULT")
    down = doctor(**named, **keys)
    assert "no connection" in down.line("faces", "FAULT")
    assert "no connection" in down.line("photos", "FAULT")
    assert not [one for one in keys.values() if one in well.text + down.text]


def test_parts_that_an_operator_may_have(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.start()
    try:
        assert "with JetStream" in doctor("--nats", server.url).line("NATS", "OK")
        odd = doctor(DUANKA_REMOTE=f"sc://127.0.0.1:{server.port}")
        assert "not as Spark Connect" in odd.line("Spark", "WARNING")
    finally:
        server.end()
    assert "no NATS server" in doctor("--nats", server.url).line("NATS", "FAULT")
    assert "no Spark Connect" in doctor("--remote", f"sc://127.0.0.1:{server.port}").line("Spark", "FAULT")
    assert "sc://host:15002" in doctor(DUANKA_REMOTE="http://host").line("Spark", "FAULT")
    with ThreadPoolExecutor(1) as pool:
        speaks = grpc.server(pool)  # what Spark Connect is spoken over
        port = speaks.add_insecure_port("127.0.0.1:0")
        speaks.start()
        well = doctor(DUANKA_REMOTE=f"sc://127.0.0.1:{port}/;token=t0ken-of-the-cluster")
        assert "answers" in well.line("Spark", "OK")
        assert "t0ken" not in well.text
        speaks.stop(None).wait()


def test_an_order_database_on_a_server(tmp_path: Path, postgres: Postgres) -> None:
    with postgres.database() as url:
        said = order_database(tmp_path / "orders", url=url)
        well = doctor(**said)
        assert well.code == 0, well.text
        assert "fits its seal" in well.line("database", "OK")
        assert "as the database server's" in well.line("clock", "OK")
        assert "pg_dump" in well.line("backup", "OK")
    with silent() as port:
        begun = time.monotonic()
        url = f"postgresql://duanka:{PASSWORD}@127.0.0.1:{port}/duanka"
        hangs = doctor(**{**said, "DUANKA_DATABASE_URL": url})
        assert hangs.lines("database", "FAULT")
        assert time.monotonic() - begun < HANG / 4
        assert PASSWORD not in hangs.text
