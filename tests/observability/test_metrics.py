"""Metrics and health over HTTP, asked for as Prometheus and a supervisor ask."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.client import HTTPConnection, HTTPMessage
from threading import enumerate as threads

import pytest
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as text_format

from duanka.domain.errors import DuankaError
from duanka.domain.streaming import BatchResult, Change, IntakeBacklog, Lateness, LiveObserver, SourceReach
from duanka.engine.live.state.checkpoint import Checkpoint, SourceProgress
from duanka.engine.live.state.watermarks import Watermarks
from duanka.observability.watch import Telemetry
from support.waiting import HANG

NOW = datetime(2021, 5, 17, 12)
Sample = tuple[str, frozenset[tuple[str, str]]]


class Time:
    """A clock that a test sets: event time and seconds together."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds - 1000)

    def ticks(self) -> float:
        return self.seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def telemetry(time: Time) -> Iterator[Telemetry]:
    with Telemetry(
        0,
        rules=("fan_out", "sim_box"),
        quiet=timedelta(seconds=30),
        clock=time.now,
        ticks=time.ticks,
    ) as watch:
        yield watch


def asked(
    watch: Telemetry, path: str, method: str = "GET", accept: str = "*/*"
) -> tuple[int, HTTPMessage, bytes]:
    connection = HTTPConnection("127.0.0.1", watch.port, timeout=HANG)
    try:
        connection.request(method, path, headers={"Accept": accept})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def samples(watch: Telemetry) -> dict[Sample, float]:
    status, headers, body = asked(watch, "/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_format(body.decode())
        for sample in family.samples
    }


def of(name: str, **labels: str) -> Sample:
    return name, frozenset(labels.items())


def calls(
    records: int, late: int = 0, *, behind: timedelta = timedelta(), silent: bool = False
) -> SourceReach:
    return SourceReach("msc-2/calls", "calls", records, late, NOW, NOW - behind, silent)


def test_it_watches(telemetry: Telemetry) -> None:
    watch: LiveObserver = telemetry
    watch.note(BatchResult(), IntakeBacklog())


def test_what_a_batch_did_is_counted(telemetry: Telemetry, time: Time) -> None:
    time.seconds += 20
    telemetry.note(
        BatchResult(
            records=100,
            used=90,
            aside=4,
            late=3,
            repeated=2,
            ahead=1,
            seconds=0.3,
            changes={("fan_out", Change.RAISED): 5, ("fan_out", Change.REVOKED): 1},
            sources=(calls(90, 3, behind=timedelta(hours=2)),),
        ),
        IntakeBacklog(7, 4096),
    )
    telemetry.note(
        BatchResult(records=20, aside=1, seconds=3, sources=(calls(110, 3),)), IntakeBacklog(6, 2048)
    )
    found = samples(telemetry)
    source = {"source": "msc-2/calls", "table": "calls"}
    expected = {
        of("duanka_records_total", **source): 110,
        of("duanka_late_total", **source): 3,
        of("duanka_lag_seconds", **source): 20,
        of("duanka_source_silent", **source): 0,
        of("duanka_quarantined_total"): 5,
        of("duanka_repeated_total"): 2,
        of("duanka_ahead_total"): 1,
        of("duanka_records_per_second"): 120 / 20,
        of("duanka_waiting_pieces"): 6,
        of("duanka_waiting_bytes"): 2048,
        of("duanka_batch_seconds_count"): 2,
        of("duanka_batch_seconds_sum"): pytest.approx(3.3),
        of("duanka_batch_seconds_bucket", le="0.5"): 1,
        of("duanka_batch_seconds_bucket", le="5.0"): 2,
        of("duanka_hits_total", rule="fan_out", kind="raised"): 5,
        of("duanka_hits_total", rule="fan_out", kind="revoked"): 1,
        of("duanka_hits_total", rule="sim_box", kind="raised"): 0,
    }
    assert {name: found.get(name) for name in expected} == expected


def test_the_first_moments_make_no_wild_pace(telemetry: Telemetry, time: Time) -> None:
    time.seconds += 0.01
    telemetry.note(BatchResult(records=100), IntakeBacklog())
    assert samples(telemetry)[of("duanka_records_per_second")] == 100


def test_lag_and_pace_are_those_of_the_moment_asked(telemetry: Telemetry, time: Time) -> None:
    time.seconds += 10
    telemetry.note(
        BatchResult(records=600, sources=(calls(600, behind=timedelta(minutes=1)),)), IntakeBacklog()
    )
    lag, pace = of("duanka_lag_seconds", source="msc-2/calls", table="calls"), of("duanka_records_per_second")
    assert (samples(telemetry)[lag], samples(telemetry)[pace]) == (70, 60)
    time.seconds += 50
    assert (samples(telemetry)[lag], samples(telemetry)[pace]) == (120, 10)
    time.seconds += 11
    assert samples(telemetry)[pace] == 0, "a minute without records"


def test_an_empty_batch_keeps_what_is_known_of_sources(telemetry: Telemetry) -> None:
    telemetry.note(BatchResult(records=5, sources=(calls(5),)), IntakeBacklog())
    telemetry.note(BatchResult(), IntakeBacklog())
    assert samples(telemetry)[of("duanka_records_total", source="msc-2/calls", table="calls")] == 5


def test_every_name_is_a_good_one_and_says_what_it_means(telemetry: Telemetry) -> None:
    telemetry.note(BatchResult(sources=(calls(1),)), IntakeBacklog())
    status, headers, body = asked(telemetry, "/metrics", accept="application/openmetrics-text;version=1.0.0")
    assert (status, headers["Content-Type"].split(";")[0]) == (200, "application/openmetrics-text")
    families = {family.name: family for family in open_metrics(body.decode())}  # type: ignore[no-untyped-call]  # it refuses bad names
    ours = {name: family for name, family in families.items() if name.startswith("duanka_")}
    assert len(ours) == 12
    assert all(family.documentation for family in ours.values())
    assert "process_resident_memory_bytes" in families
    assert not [f for f in REGISTRY.collect() if f.name.startswith("duanka_")], "nothing is kept globally"


def health(watch: Telemetry) -> tuple[int, dict[str, object]]:
    status, headers, body = asked(watch, "/healthz")
    assert headers["Content-Type"] == "application/json"
    said = json.loads(body)
    return status, {name: said[name] for name in ("status", "reasons", "warnings")}


FINE = {"status": "ok", "reasons": [], "warnings": []}


def test_no_batch_for_long_is_a_failure_until_one_comes(telemetry: Telemetry, time: Time) -> None:
    assert health(telemetry) == (200, FINE)
    time.seconds += 30
    assert health(telemetry) == (200, FINE)
    time.seconds += 1
    status, said = health(telemetry)
    assert (status, said["status"]) == (503, "failing")
    assert said["reasons"] == [
        "no micro-batch since the start, for 31 s; one is due every 30 s at the latest"
    ]
    telemetry.note(BatchResult(), IntakeBacklog())
    assert health(telemetry) == (200, FINE)
    time.seconds += 40
    assert health(telemetry)[1]["reasons"] == ["no micro-batch for 40 s; one is due every 30 s at the latest"]


def test_a_failure_of_the_engine_is_said_until_a_batch_is_in(telemetry: Telemetry) -> None:
    telemetry.note(BatchResult(), IntakeBacklog())
    telemetry.failed("No space left on device")
    status, said = health(telemetry)
    assert (status, said["reasons"]) == (503, ["engine: No space left on device"])
    telemetry.note(BatchResult(), IntakeBacklog())
    assert health(telemetry) == (200, FINE)


def test_a_silent_source_is_a_warning(telemetry: Telemetry) -> None:
    telemetry.note(BatchResult(sources=(calls(1, behind=timedelta(hours=7), silent=True),)), IntakeBacklog())
    status, said = health(telemetry)
    assert (status, said["status"]) == (200, "ok")
    assert said["warnings"] == ["source msc-2/calls (calls) is silent, complete to 2021-05-17 05:00"]
    found = samples(telemetry)
    assert found[of("duanka_source_silent", source="msc-2/calls", table="calls")] == 1


def test_only_these_pages_and_only_to_read(telemetry: Telemetry) -> None:
    assert asked(telemetry, "/")[0] == 404
    assert asked(telemetry, "/metrics?name=x")[0] == 200
    assert asked(telemetry, "/metrics", "POST")[0] == 501
    status, headers, body = asked(telemetry, "/healthz", "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) > 0


def test_a_client_that_hangs_holds_nobody_up(telemetry: Telemetry) -> None:
    with socket.create_connection(("127.0.0.1", telemetry.port)) as hanging:
        hanging.sendall(b"GET /metr")
        assert health(telemetry)[0] == 200


def test_it_is_on_this_machine_only_and_ends_cleanly() -> None:
    first = Telemetry(0)
    assert first.url == f"http://127.0.0.1:{first.port}"
    with pytest.raises(
        DuankaError, match=rf"127\.0\.0\.1 port {first.port} \(Address already in use\); choose"
    ):
        Telemetry(first.port)
    first.close()
    assert not [thread for thread in threads() if thread.name == "duanka-telemetry"]
    with Telemetry(first.port) as again:
        assert asked(again, "/healthz")[0] == 200


@pytest.mark.parametrize(("host", "port"), [("192.0.2.1", 0), ("127.0.0.1", 70_000)])
def test_a_place_that_cannot_be_had_is_one_clear_line(host: str, port: int) -> None:
    with pytest.raises(DuankaError, match=rf"metrics cannot be served on {host} port {port} "):
        Telemetry(port, host)


def test_intake_that_does_not_move_fails_although_batches_come(telemetry: Telemetry) -> None:
    telemetry.note(BatchResult(), IntakeBacklog(pieces=6, stalled=29))
    assert health(telemetry) == (200, FINE)
    telemetry.note(BatchResult(), IntakeBacklog(pieces=6, stalled=31))
    status, said = health(telemetry)
    assert (status, said["reasons"]) == (503, ["intake: nothing was read for 31 s, 6 pieces wait"])


def test_a_source_all_of_whose_records_were_late_is_counted(telemetry: Telemetry) -> None:
    progress = Checkpoint()
    progress.sources["msc-9/calls calls"] = SourceProgress(
        name="msc-9/calls", table="calls", records=7, late=7
    )
    (source,) = Watermarks(progress, Lateness(timedelta(hours=1))).sources(datetime(2026, 3, 2))
    assert (source.records, source.late, source.high) == (7, 7, None)
    telemetry.note(BatchResult(records=7, late=7, seconds=0.1, sources=(source,)), IntakeBacklog())
    found = samples(telemetry)
    labels = {"source": "msc-9/calls", "table": "calls"}
    assert found[of("duanka_late_total", **labels)] == 7
    assert of("duanka_lag_seconds", **labels) not in found, "nothing says how far it has come"
