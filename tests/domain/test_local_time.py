"""The operator's time, whatever zone the machine is in and whatever a person types."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from duanka.domain.errors import DuankaError
from duanka.domain.local_time import OperatorZone, operator_zone, use_zone

AT = datetime(2026, 11, 28, 2, 14, 18, tzinfo=UTC)


@pytest.fixture(params=["UTC", "America/Lima", "Asia/Shanghai"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The machine's own zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("machine")
def test_what_is_shown_and_typed_is_of_the_operator() -> None:
    zone = OperatorZone()
    assert zone.written(AT) == "2026-11-28 10:14:18+08:00"
    assert zone.read("2026-11-28T10:14:18", "--until") == AT
    assert zone.read("2026-11-28 10:14", "--until") == AT - timedelta(seconds=18)
    assert zone.read("2026-11-28T02:14:18Z", "--until") == AT
    assert zone.read("2026-11-28 03:14:18 +01:00", "--until") == AT
    assert zone.read("2026-11-28", "--since") == datetime(2026, 11, 27, 16, tzinfo=UTC)
    assert zone.read_local("2026-11-28T02:14:18Z", "--as-of") == datetime(2026, 11, 28, 10, 14, 18)
    assert abs(zone.now() - datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=8)) < timedelta(
        minutes=1
    )


@pytest.mark.parametrize(
    "text", ["yesterday", "", "2026-13-40", "2026-02-30", "2026", "28.11.2026", "1e9", "20261128"]
)
def test_what_is_no_time_is_answered_with_what_to_write(text: str) -> None:
    with pytest.raises(
        DuankaError, match=r"--since .* like 2026-12-31, 2026-12-31T18:00 .* of Asia/Shanghai"
    ):
        OperatorZone().read(text, "--since")


@pytest.mark.parametrize("name", ["America/Lima", "Asia/Shanghai", "Pacific/Kiritimati", "Etc/GMT+12"])
@pytest.mark.parametrize("at", [datetime.min, datetime.max, datetime(1970, 1, 1), datetime(2262, 4, 12)])
def test_every_time_can_be_shown_in_every_zone(name: str, at: datetime) -> None:
    zone = OperatorZone(name)
    for offset in (UTC, OperatorZone("Pacific/Kiritimati").info):
        assert zone.written(at.replace(tzinfo=offset))


@pytest.mark.parametrize("name", ["", "Beijing", "../etc/passwd", "Asia/Shanghai\x00", "/etc/localtime"])
def test_a_zone_that_is_none_is_said(name: str) -> None:
    with pytest.raises(DuankaError, match="is no time zone; write one such as 'Asia/Shanghai'"):
        OperatorZone(name)


def test_a_sentence_names_the_zone() -> None:
    assert OperatorZone().place(AT) == ("北京时间", "Beijing time")
    assert OperatorZone("America/Lima").place(AT) == ("当地时间（UTC-05:00）", "local time (UTC-05:00)")


def test_one_zone_for_the_process() -> None:
    try:
        use_zone("America/Lima")
        assert operator_zone().written(AT) == "2026-11-27 21:14:18-05:00"
    finally:
        use_zone("Asia/Shanghai")
