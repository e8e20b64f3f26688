"""`duanka serve`: what fails stops itself alone, is started again, and shows in health and metrics."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from support.desk import duanka, started_anew
from support.prepared import Running
from support.waiting import HANG, until

CALLS = "card,peer,direction,started_at,seconds\n8613800000001,8613900000000,out,2021-05-17 09:00:00,60\n"


@contextmanager
def serving(folder: Path, *words: str | Path, **environment: str) -> Iterator[tuple[str, Path, Running]]:
    log, command = folder / "serve.log", ("serve", "--port", "0", *words)
    with log.open("w") as err:
        process = started_anew(*command, cwd=folder, out=err, err=err, **environment)
    try:
        until(lambda: "API: " in log.read_text() or process.poll() is not None, HANG)
        assert process.poll() is None, log.read_text()
        line = next(line for line in log.read_text().splitlines() if "API: " in line)
        yield line.split("API: ")[1].split("/card")[0], log, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(HANG)


def health(url: str) -> tuple[int, dict[str, object]]:
    answer = httpx.get(f"{url}/card-restrictions/v1/health", timeout=HANG)
    return answer.status_code, answer.json()


def test_live_records_that_cannot_be_followed_keep_api_and_worker_and_come_back(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "calls.csv").write_text(CALLS)
    orders = tmp_path / "duanka-orders"
    (orders / "live").mkdir(parents=True)
    (orders / "live" / "state").write_text("no folder")
    with serving(tmp_path, "--inbox", tmp_path / "in", TZ="America/Lima") as (url, log, process):
        until(lambda: health(url)[0] == 503, HANG)
        status, said = health(url)
        assert (status, said["status"], said["database"]) == (503, "failing", "up")
        assert "part records fails" in str(said["reasons"])
        assert httpx.head(f"{url}/card-restrictions/v1/health", timeout=HANG).status_code == 503
        assert 'duanka_part_up{part="records"} 0.0' in httpx.get(f"{url}/metrics", timeout=HANG).text
        (orders / "live" / "state").unlink()
        waits = ["notices wait: no message centre (DUANKA_MESSAGE_CENTRE)"]
        until(lambda: health(url) == (200, {"status": "degraded", "database": "up", "reasons": waits}), HANG)
        whole = httpx.get(f"{url}/card-restrictions/v1/health", timeout=HANG)
        answer = httpx.head(f"{url}/card-restrictions/v1/health", timeout=HANG)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-length"] == whole.headers["content-length"]
        told = httpx.get(f"{url}/metrics", timeout=HANG).text
        for line in (
            'duanka_part_up{part="records"} 1.0',
            'duanka_part_up{part="worker"} 1.0',
            "duanka_up 1.0",
        ):
            assert line in told, line
        assert "duanka_notices_waiting" in told
        assert "duanka_records_per_second" in told
        process.send_signal(signal.SIGTERM)
        assert process.wait(HANG) == 0, log.read_text()
    lines = log.read_text().splitlines()
    stamped = [line for line in lines if line[:4].isdigit()]
    assert all("+08:00 INFO " in line or "+08:00 WARNING " in line for line in stamped)
    assert any("WARNING records: " in line and "is started again" in line for line in stamped)
    assert any("WARNING Not set up: notices wait: no message centre" in line for line in stamped)
    assert any("WARNING 告警 / alarm: " in line for line in stamped)


def test_a_source_that_is_named_wrongly_is_said_at_the_start(tmp_path: Path) -> None:
    done = duanka("serve", "--port", "0", "--inbox", "nowhere", cwd=tmp_path)
    assert done.code == 2
    assert "no such directory" in done.err


def test_a_database_that_does_not_fit_any_more_is_no_health(tmp_path: Path) -> None:
    with serving(tmp_path) as (url, _, _):
        until(lambda: health(url)[0] == 200, HANG)
        book = sqlite3.connect(tmp_path / "duanka-orders" / "orders.sqlite", timeout=HANG)
        with book:
            book.execute("ALTER TABLE notices RENAME TO away")
        until(lambda: health(url)[1]["database"] == "down", HANG)
        assert health(url)[0] == 503
        with book:
            book.execute("ALTER TABLE away RENAME TO notices")
        book.close()
        until(lambda: health(url)[0] == 200, HANG)
