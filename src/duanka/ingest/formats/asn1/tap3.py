"""GSMA TAP 3 roaming records (release 12 and compatible): a TransferBatch in BER."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from duanka.ingest.files.limits import RECORD_LIMIT
from duanka.ingest.formats.asn1.bcd import bcd
from duanka.ingest.formats.asn1.ber import BerElement, BrokenFrame, Fields, Octets, element, elements

COLUMNS = (
    *("record", "teleservice", "imsi", "imei", "msisdn", "calling_number", "called_number"),
    *("event_time", "seconds", "location_area", "cell_id", "cell", "network", "cause"),
)
NAME = "TAP 3"

_BATCH, _NOTIFICATION = b"\x61", b"\x62"
_CALLS = ("mobileOriginatedCall", "mobileTerminatedCall")
_EVENTS, _CONTROL, _NETWORK = b"\x63", b"\x64", b"\x66"


def records(data: Octets) -> Iterator[BerElement | int]:
    """Yield the call events of a file; at a broken one, yield its offset and stop."""
    for part in _parts(data):
        if isinstance(part, int):
            yield part
        elif part.tag == _EVENTS:
            yield from elements(data, part.first, part.last)


def _parts(data: Octets) -> Iterator[BerElement | int]:
    """Yield the parts of the batch, even if truncated; at a broken one, its offset."""
    try:
        batch = element(data, 0, len(data), cut=True)
    except BrokenFrame:
        yield 0
        return
    if batch.tag == _NOTIFICATION:  # a notification: nothing to bill
        return
    if batch.tag != _BATCH:
        yield 0
        return
    at = batch.first
    while at < batch.last:
        try:
            part = element(data, at, batch.last, cut=True)
        except BrokenFrame:
            yield at
            return
        yield part
        at = part.after


def decoder(data: Octets) -> Callable[[bytes], Fields]:
    """Return a function from one call event of `data` to fields (COLUMNS).

    The function may raise any exception on a broken event.
    """
    from pycrate_asn1dir import TAP3  # noqa: PLC0415  # most deliveries are not ASN.1

    module = TAP3.TAP_0312
    offsets: dict[int, str] = {}
    network = None
    for part in _parts(data):
        if (
            isinstance(part, int)
            or part.tag not in (_NETWORK, _CONTROL)
            or part.after - part.begin > RECORD_LIMIT
        ):
            continue
        octets = data[part.begin : part.after]
        if part.tag == _NETWORK:
            info = _value(module.NetworkInfo, octets)
            for one in info.get("utcTimeOffsetInfo", []):
                if "utcTimeOffsetCode" in one:
                    offsets[one["utcTimeOffsetCode"]] = _ascii(one.get("utcTimeOffset")) or ""
        elif part.tag == _CONTROL:
            network = _ascii(_value(module.BatchControlInfo, octets).get("sender"))
    event = module.CallEventDetail

    def decode(octets: bytes) -> Fields:
        event.from_ber(octets)
        kind, values = event.get_val()
        if kind in _CALLS and "basicCallInformation" not in values:
            raise ValueError  # all TAP fields are optional, so pycrate would accept garbage as extensions
        return _fields(str(kind), values, offsets, network)

    return decode


def _value(kind: Any, octets: bytes) -> dict[str, Any]:
    """Decode a part of the batch shared by all events; {} if it is broken."""
    try:
        kind.from_ber(octets)
        value: dict[str, Any] = kind.get_val()
    except Exception:  # pycrate raises exceptions of any type
        return {}
    return value


def _fields(kind: str, values: dict[str, Any], offsets: dict[int, str], network: str | None) -> Fields:
    basic = values.get("basicCallInformation", {})
    kind_of_device, device = values.get("equipmentIdentifier", ("", b""))
    _, subscriber = basic.get("chargeableSubscriber", ("", {}))
    to, origin = basic.get("destination", {}), basic.get("callOriginator", {})
    place = values.get("locationInformation", {}).get("networkLocation", {}) if basic else {}
    area, cell = place.get("locationArea"), place.get("cellId")
    called = (bcd(to[name]) for name in ("calledNumber", "dialledDigits") if to.get(name))
    return {
        "record": kind,
        "teleservice": _service(values) if basic else None,
        "imsi": bcd(subscriber.get("imsi", b"")),
        "imei": bcd(device) if basic and kind_of_device == "imei" else None,
        "msisdn": bcd(subscriber.get("msisdn", subscriber.get("mdn", b""))),
        "calling_number": bcd(origin.get("callingNumber", b"")) or _ascii(origin.get("sMSOriginator")),
        "called_number": next(called, None) or _ascii(to.get("sMSDestinationNumber")),
        "event_time": _moment(basic.get("callEventStartTimeStamp", {}), offsets),
        "seconds": _text(basic.get("totalCallEventDuration")),
        "location_area": _text(area),
        "cell_id": _text(cell),
        "cell": f"{area}-{cell}" if area is not None and cell is not None else None,
        "network": network,
        "cause": _text(basic.get("causeForTerm")),
    }


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)


def _ascii(octets: bytes | None) -> str | None:
    return octets.decode("ascii", "replace") if octets else None


def _service(values: dict[str, Any]) -> str | None:
    """Code of the first teleservice: 11 speech, 21 message received, 22 message sent."""
    for used in values.get("basicServiceUsedList", []):
        kind, code = used.get("basicService", {}).get("serviceCode", ("", b""))
        if kind == "teleServiceCode":
            return _ascii(code)
    return None


def _moment(stamp: dict[str, Any], offsets: dict[int, str]) -> str | None:
    """A time stamp, local to the visited network, as ISO 8601 with offset."""
    digits = _ascii(stamp.get("localTimeStamp")) or ""
    if len(digits) != 14:
        return digits or None
    # without an offset the time is unknown: this text is no valid time, so the record is rejected
    offset = offsets.get(stamp.get("utcTimeOffsetCode", -1)) or " at an unknown offset"
    day, clock = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}", f"{digits[8:10]}:{digits[10:12]}:{digits[12:]}"
    return f"{day} {clock}{offset}"
