"""A log that another process appends to stays small, and its end is kept."""

from __future__ import annotations

import socket
from pathlib import Path

from duanka.network.process_logs import keep_small
from duanka.network.sip import element as sip
from duanka.network.sip.kamailio import OwnCallProxy
from support.parts import needed
from support.switches import missing
from support.waiting import HANG, until


def test_a_log_is_emptied_where_it_is_large_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "kamailio.log"
    keep_small(log)  # there is none yet
    with log.open("ab", buffering=0) as writer:
        for line in range(1000):
            writer.write(b"line %d\n" % line)
        keep_small(log, most=1 << 20)
        assert log.stat().st_size > 8000
        keep_small(log, most=4000, kept=500)
        assert log.read_bytes() == b""
        writer.write(b"after\n")
    assert log.read_bytes() == b"after\n"
    kept = (tmp_path / "kamailio.log.1").read_bytes().splitlines()
    assert kept[-1] == b"line 999"
    assert all(line.startswith(b"line ") for line in kept)
    assert (tmp_path / "kamailio.log.1").stat().st_mode & 0o077 == 0


def test_malformed_packets_fill_no_disk(tmp_path: Path) -> None:
    needed(missing("kamailio"))
    with OwnCallProxy(tmp_path / "calls", ("127.0.0.1", 9)) as part:
        log = part.folder / sip.LOG
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(50):
                sender.sendto(b"INVITE sip:@@ SIP/2.0\r\nVia: ;;;\r\n\r\n", part.address)
            until(lambda: log.stat().st_size > 5000, HANG)
            keep_small(log, most=4000, kept=1000)
            small = log.stat().st_size
            sender.sendto(b"INVITE sip:@@ SIP/2.0\r\nVia: ;;;\r\n\r\n", part.address)
            until(lambda: log.stat().st_size > 0, HANG)
            assert small < 4000
            assert b"\0" not in log.read_bytes(), "its writer goes on at the new end"
