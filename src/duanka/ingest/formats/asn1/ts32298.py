"""3GPP TS 32.298 circuit-switched charging records: consecutive CSRecords in BER."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from duanka.ingest.formats.asn1.bcd import address, tbcd
from duanka.ingest.formats.asn1.ber import BerElement, Fields, Octets, elements

COLUMNS = (
    *("record", "imsi", "imei", "msisdn", "calling_number", "called_number", "service_centre"),
    *("seizure_time", "answer_time", "release_time", "event_time", "seconds", "answered", "teleservice"),
    *("location_area", "cell_id", "cell", "cause"),
)
NAME = "3GPP TS 32.298"


def records(data: Octets) -> Iterator[BerElement | int]:
    """Yield the records of a file; at a broken one, yield its offset and stop."""
    return elements(data, 0, len(data), padded=True)


def decoder(data: Octets) -> Callable[[bytes], Fields]:
    """Return a function from one record to fields (COLUMNS).

    The function may raise any exception on a broken record.
    """
    from pycrate_asn1dir import CDR  # noqa: PLC0415  # 12 MB, and most deliveries are not ASN.1

    record = CDR.CSChargingDataTypes.CSRecord

    def decode(octets: bytes) -> Fields:
        record.from_ber(octets)
        kind, values = record.get_val()
        return _fields(str(kind), values if isinstance(values, dict) else {})

    return decode


def _fields(kind: str, values: dict[str, Any]) -> Fields:
    answered = "answerTime" in values
    place = values.get("location") or values.get("newLocation") or {}
    area = _whole(place.get("locationAreaCode") or place.get("location-area"))
    cell = _whole(place.get("cellId") or place.get("cell-identification"))
    service, code = values.get("basicService", (None, b""))
    moments = [values.get(name) for name in ("originationTime", "deliveryTime", "updateTime")]
    called = values.get("calledNumber", values.get("destinationNumber"))
    calls = kind in {"moCallRecord", "mtCallRecord"}
    # the duration of an unanswered attempt is its ringing time
    seconds = values.get("callDuration") if answered else 0
    return {
        "record": kind,
        "imsi": tbcd(values.get("servedIMSI", b"")),
        "imei": tbcd(values.get("servedIMEI", b"")),
        "msisdn": address(values.get("servedMSISDN", b"")),
        "calling_number": address(values.get("callingNumber") or b""),
        "called_number": address(called or b""),
        "service_centre": address(values.get("serviceCentre", b"")),
        "seizure_time": _moment(values.get("seizureTime")),
        "answer_time": _moment(values.get("answerTime")),
        "release_time": _moment(values.get("releaseTime")),
        "event_time": _moment(next((moment for moment in moments if moment), None)),
        "seconds": str(seconds) if calls and seconds is not None else None,
        "answered": str(answered).lower() if calls else None,
        "teleservice": code.hex() if service == "teleservice" else None,
        "location_area": area,
        "cell_id": cell,
        "cell": f"{area}-{cell}" if area and cell else None,
        "cause": str(values["causeForTerm"]) if "causeForTerm" in values else None,
    }


def _whole(octets: bytes | None) -> str | None:
    return str(int.from_bytes(octets, "big")) if octets else None


def _moment(octets: bytes | None) -> str | None:
    """Convert a TimeStamp (YYMMDDhhmmssShhmm in BCD, S in ASCII) to ISO 8601."""
    if not octets:
        return None
    year, month, day, hour, minute, second = (octets[at : at + 1].hex() for at in range(6))
    offset = octets[6:7].decode("latin-1") + octets[7:8].hex() + ":" + octets[8:9].hex()
    return f"20{year}-{month}-{day} {hour}:{minute}:{second}{offset}"
