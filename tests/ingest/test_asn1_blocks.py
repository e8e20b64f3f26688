"""Charging records (TS 32.298) and roaming records (TAP 3), through the same intake."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duanka.domain.errors import UnreadableInput
from duanka.ingest.formats.asn1 import tap3, ts32298
from duanka.ingest.formats.asn1.ber import FileBytes, elements
from duanka.ingest.formats.asn1.reader import Asn1Reading
from support.ingest import asn1_samples as samples
from support.ingest.deliveries import quarantined, shipped, table, taken


def test_calls_of_an_exchange(tmp_path: Path) -> None:
    encoded = samples.ts32298(
        samples.call_record("moCallRecord"),
        samples.call_record("mtCallRecord", answerTime=None, callDuration=20),
    )
    intake = taken(tmp_path, {"a.ber": b"".join(encoded)}, mapping=shipped("ts32298"))
    out, incoming = table(intake, "calls").sort("direction", descending=True).rows(named=True)
    assert out == {
        "card": "8613800138000",
        "peer": "8613900139000",
        "direction": "out",
        "started_at": datetime(2021, 5, 17, 9, 30),
        "seconds": 61,
        "answered": True,
        "imei": "35349006987331",  # whatever digit follows
        "cell": "9520-17301",
        "city": None,
        "forwarded_from": None,
    }
    # An attempt that rang for 20 seconds: nobody talked.
    assert (incoming["peer"], incoming["answered"], incoming["seconds"]) == ("959123456789", False, 0)


def test_messages_and_sightings_of_an_exchange(tmp_path: Path) -> None:
    encoded = samples.ts32298(
        samples.message_record("moSMSRecord"),
        samples.message_record("mtSMSRecord"),
        samples.location_record(),
    )
    intake = taken(tmp_path, {"a.dat": b"".join(encoded)}, mapping=shipped("ts32298"))
    messages = table(intake, "messages").sort("sent_at")
    # An hour given in UTC is carried over to the operator's zone.
    assert messages["sent_at"].to_list() == [datetime(2021, 5, 17, 9, 30), datetime(2021, 5, 17, 9, 31)]
    assert messages["peer"].to_list() == ["10086", "8613800100500"]
    assert messages["direction"].to_list() == ["out", "in"]
    assert messages["imei"].to_list() == ["35349006987331"] * 2  # 16 digits: with software version
    assert table(intake, "sightings")["seen_at"].to_list() == [datetime(2021, 5, 17, 9, 32)]
    assert intake.used == intake.records == 3


def test_a_broken_record_costs_itself_only(tmp_path: Path) -> None:
    whole = samples.ts32298(samples.call_record("moCallRecord"))[0]
    first = 3 if whole[1] == 0x81 else 2
    broken = (
        whole[: first + 1] + b"\x7f" + whole[first + 2 :]
    )  # its first field says it is longer than the record
    later = samples.ts32298(samples.call_record("moCallRecord", seizureTime=samples.stamp("210517100000")))[0]
    data = whole + broken + later + b"\0" * 50  # padded to the end of its block
    intake = taken(tmp_path, {"a.ber": data}, mapping=shipped("ts32298"))
    assert quarantined(intake) == [(2, "", "undecodable record")]
    assert intake.used == 2


def test_a_file_that_breaks_off(tmp_path: Path) -> None:
    first, second = samples.ts32298(samples.call_record("moCallRecord"), samples.call_record("mtCallRecord"))
    intake = taken(tmp_path, {"a.ber": first + second[:-5]}, mapping=shipped("ts32298"))
    assert intake.used == 1
    assert quarantined(intake) == [(2, "", "file cut off")]
    assert "no 3GPP TS 32.298 record can be made out at byte" in intake.files[0].unreadable


def test_a_record_of_another_kind_has_no_table(tmp_path: Path) -> None:
    other = ("hlrIntRecord", {"recordType": 8, "servedIMSI": samples.tbcd("460001234567890")})
    fields = {
        "servedMSISDN": samples.abroad("8613800138000"),
        "recordingEntity": samples.abroad("8613740001"),
        "basicService": ("teleservice", b"\x11"),
        "routingNumber": ("roaming", samples.abroad("8613740002")),
        "interrogationTime": samples.stamp("210517093000"),
    }
    encoded = samples.ts32298((other[0], {**other[1], **fields}))
    intake = taken(tmp_path, {"a.ber": encoded[0]}, mapping=shipped("ts32298"))
    assert quarantined(intake) == [(1, "record", "no table for this row")]


def test_roaming_records(tmp_path: Path) -> None:
    data = samples.tap3(
        samples.event("mobileOriginatedCall", "11"),
        samples.event("mobileTerminatedCall", "11", totalCallEventDuration=0),
        samples.event("mobileOriginatedCall", "22"),
        samples.event("mobileTerminatedCall", "21"),
    )
    intake = taken(tmp_path, {"TDMMRMTCHNCT00001": data}, mapping=shipped("tap3"))
    assert (intake.records, intake.used) == (4, 4)
    out, incoming = table(intake, "calls").sort("direction", descending=True).rows(named=True)
    # 08:00 at +06:30 is 09:30 in Shanghai.
    assert out["started_at"] == datetime(2021, 5, 17, 9, 30)
    assert (out["card"], out["peer"], out["seconds"]) == ("8613800138000", "959123456789", 30)
    assert (out["imei"], out["cell"], out["city"]) == ("35349006987331", "9520-17301", "MMRMT")
    assert (out["answered"], incoming["answered"]) == (True, False)
    assert sorted(table(intake, "messages")["direction"]) == ["in", "out"]


def test_a_broken_event_and_a_batch_cut_off(tmp_path: Path) -> None:
    one = samples.event("mobileOriginatedCall", "11")
    data = samples.tap3(one, samples.event("mobileTerminatedCall", "11"), one)
    places = [found for found in tap3.records(data) if not isinstance(found, int)]
    middle = places[1]
    broken = data[: middle.first] + b"\x04\x7f" + data[middle.first + 2 : places[2].begin + 20]
    intake = taken(tmp_path, {"TDMMRMTCHNCT00001": broken}, mapping=shipped("tap3"))
    assert quarantined(intake) == [(2, "", "undecodable record"), (3, "", "file cut off")]
    assert intake.used == 1


def test_a_notification_holds_nothing_and_other_bytes_are_no_tap(tmp_path: Path) -> None:
    from pycrate_asn1dir import TAP3

    kind = TAP3.TAP_0312.DataInterChange
    kind.set_val(
        ("notification", {"sender": b"MMRMT", "recipient": b"CHNCT", "fileSequenceNumber": b"00001"})
    )
    files = {
        "TDMMRMTCHNCT00001": kind.to_ber(),
        "TDMMRMTCHNCT00002": b"no such thing",
        "TDMMRMTCHNCT00003": b"",
    }
    intake = taken(tmp_path, files, mapping=shipped("tap3"))
    assert [(f.records, f.quarantined) for f in intake.files] == [(0, 0), (1, 1), (0, 0)]
    assert quarantined(intake) == [(1, "", "unreadable file")]


def test_a_record_of_indefinite_length(tmp_path: Path) -> None:
    whole = samples.ts32298(samples.call_record("moCallRecord"))[0]
    content = whole[3:] if whole[1] == 0x81 else whole[2:]
    data = whole[:1] + b"\x80" + content + b"\0\0"
    intake = taken(
        tmp_path, {"a.ber": data + whole.replace(b"\x01\x3d", b"\x01\x3c")}, mapping=shipped("ts32298")
    )
    assert intake.used == 2


def test_pycrate_is_loaded_only_when_such_a_file_comes() -> None:
    code = "import sys, duanka.ingest; sys.exit(any(name.startswith('pycrate') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(octets=st.binary(max_size=300), form=st.sampled_from(["ts32298", "tap3"]), where=st.integers(0, 400))
def test_no_bytes_crash_a_reader(tmp_path: Path, octets: bytes, form: str, where: int) -> None:
    if form == "tap3":
        whole = samples.tap3(
            samples.event("mobileOriginatedCall", "11"), samples.event("mobileTerminatedCall", "21")
        )
    else:
        whole = b"".join(
            samples.ts32298(samples.call_record("moCallRecord"), samples.message_record("mtSMSRecord"))
        )
    path = tmp_path / "x"
    path.write_bytes(whole[:where] + octets + whole[where + len(octets) :])
    for block in Asn1Reading(path, form).blocks(ts32298.COLUMNS[:1]):
        assert block.records == block.frame.height + len(block.bad)


@pytest.mark.parametrize(
    "data", [b"\x30", b"\x30\x80", b"\x1f\xff", b"\x30\x89" + b"\1" * 12, b"\x04\x80\0\0"]
)
def test_what_is_no_element(data: bytes) -> None:
    assert list(elements(data, 0, len(data))) == [0]


def test_an_event_without_its_offset_has_no_time(tmp_path: Path) -> None:
    stamp = {"localTimeStamp": b"20210517080000", "utcTimeOffsetCode": 7}
    short = {"localTimeStamp": b"20210517      ", "utcTimeOffsetCode": 0}
    events = [
        samples.event("mobileOriginatedCall", "11", callEventStartTimeStamp=one) for one in (stamp, short)
    ]
    intake = taken(tmp_path, {"TDMMRMTCHNCT00001": samples.tap3(*events)}, mapping=shipped("tap3"))
    assert quarantined(intake) == [(1, "event_time", "bad time"), (2, "event_time", "bad time")]
    raw = pl.read_parquet(intake.quarantine)["raw"][0]
    assert '"event_time": "2021-05-17 08:00:00 at an unknown offset"' in raw


def test_a_file_that_is_cut_while_it_is_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\x30\x03abc" * 200_000)
    with path.open("rb") as file:
        data = FileBytes(file)
        assert (data[0], data[2:5], len(data)) == (0x30, b"abc", 1_000_000)
        path.write_bytes(b"\x30")
        with pytest.raises(UnreadableInput, match="was cut while it was read"):
            data[900_000]


@pytest.mark.parametrize("form", ["ts32298", "tap3"])
def test_zeros_without_end_are_given_up(tmp_path: Path, form: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\0")
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    (block,) = Asn1Reading(path, form).blocks(["record"])
    assert [bad.reason.value for bad in block.bad] in (["file cut off"], ["unreadable file"])


def test_a_record_longer_than_any_costs_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "x"
    size = (2 << 20).to_bytes(4, "big")
    path.write_bytes(b"\xa0\x84" + size + bytes(2 << 20) + b"\xa0\x01\x00")
    (block,) = Asn1Reading(path, "ts32298").blocks(["record"])
    assert [bad.reason.value for bad in block.bad] == ["line too long", "undecodable record"]


def test_bytes_of_a_file_are_those_of_memory(tmp_path: Path) -> None:
    octets = bytes(range(256)) * 2_000
    path = tmp_path / "x"
    path.write_bytes(octets)
    with path.open("rb") as file:
        data = FileBytes(file)
        for at in (0, 511_999, 5, 262_143, 262_144, 300_000):
            assert data[at] == octets[at]
            assert data[at : at + 300_000] == octets[at : at + 300_000]
            assert data[at + 3 : at] == b""
        with pytest.raises(IndexError):
            data[512_000]
