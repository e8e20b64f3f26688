"""`duanka live` on a real JetStream server: messages in, hits out, and nothing lost or twice after a kill."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
from nats.js.errors import NotFoundError

from duanka.domain.schema import TABLES
from duanka.simulator import simulate
from support.buses import STREAM, Sent, Server, arrow, lines
from support.desk import duanka, hits
from support.waiting import until


def _messages(province: Path) -> list[Sent]:
    """The whole province: registers as JSON lines, records as Arrow or JSON lines by turns, some hundred a message."""
    sent = []
    for table in TABLES:
        for path in sorted(province.glob(f"{table}.parquet")) + sorted(province.glob(f"{table}/*.parquet")):
            frame = pl.read_parquet(path)
            for number, begin in enumerate(range(0, frame.height, 700)):
                part = frame[begin : begin + 700]
                subject = f"duanka.records.{table}"
                sent.append(_arrow(part, subject) if number % 2 else _lines(part, subject))
    return sent


def _lines(part: pl.DataFrame, subject: str) -> Sent:
    """Times as text, as a program would write them."""
    texts = pl.col(pl.Datetime).dt.strftime("%Y-%m-%d %H:%M:%S%.6f")
    return Sent(lines(part.with_columns(texts)), subject, {"Content-Type": "application/x-ndjson"})


def _arrow(part: pl.DataFrame, subject: str) -> Sent:
    return Sent(arrow(part), subject, {"Content-Type": "application/vnd.apache.arrow.stream"})


def _acknowledged(server: Server) -> int:
    """Up to which message the run has acknowledged; 0 before it has made its consumer."""
    try:
        return int(server.consumer().ack_floor.stream_seq)
    except NotFoundError:
        return 0


def test_a_stream_ends_with_the_hits_of_a_scan_also_after_a_kill(tmp_path: Path) -> None:
    province, out = tmp_path / "province", tmp_path / "out"
    simulate(province, cards=400, days=4, seed=9)
    assert duanka("scan", province, "--out", tmp_path / "scan").code == 0
    server = Server(tmp_path / "store")
    server.start()
    try:
        server.make()
        server.publish(_messages(province))
        words = (
            "live",
            "--nats",
            server.url,
            "--stream",
            STREAM,
            "--lists",
            province / "world.toml",
            "--out",
            out,
        )
        run = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "duanka.cli.main",
                *map(str, words),
                "--batch-records",
                "3000",
                "--pace",
                "0",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until(lambda: run.poll() is not None or _acknowledged(server) > 0)
        finally:
            run.kill()
            run.wait()
        typed = duanka(*words, "--once")
        assert typed.code == 0, typed.err
        again = duanka(*words, "--once")
        assert again.code == 0, again.err
    finally:
        server.end()
    assert hits(out) == hits(tmp_path / "scan")
    assert len({str(row) for row in hits(out)}) == len(hits(out))
    assert hits(out)


def test_a_server_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    typed = duanka("live", "--nats", "nats://127.0.0.1:1", "--out", tmp_path / "out")
    assert typed.code == 2
    assert "Traceback" not in typed.err
    assert "nats://127.0.0.1:1" in typed.err
