"""Charging and roaming records, encoded with pycrate."""

from __future__ import annotations

from typing import Any


def tbcd(digits: str) -> bytes:
    """Encode digits low half first."""
    digits += "f" * (len(digits) % 2)
    return bytes.fromhex("".join(digits[at + 1] + digits[at] for at in range(0, len(digits), 2)))


def bcd(digits: str) -> bytes:
    """Encode digits high half first."""
    return bytes.fromhex(digits + "f" * (len(digits) % 2))


def abroad(digits: str) -> bytes:
    """Encode an international number."""
    return b"\x91" + tbcd(digits)


def at_home(digits: str) -> bytes:
    """Encode a number of unknown type, as dialled."""
    return b"\x81" + tbcd(digits)


def stamp(digits: str, offset: str = "+0800") -> bytes:
    """Encode YYMMDDhhmmss and an offset as a TimeStamp."""
    return bytes.fromhex(digits) + offset[:1].encode() + bytes.fromhex(offset[1:])


def call_record(kind: str, **changed: Any) -> tuple[str, dict[str, Any]]:
    """Return an answered call of 61 seconds, as CSRecord."""
    other = (
        {"calledNumber": at_home("13900139000")}
        if kind == "moCallRecord"
        else {"callingNumber": abroad("959123456789")}
    )
    fields = {
        "recordType": 0 if kind == "moCallRecord" else 1,
        "servedIMSI": tbcd("460001234567890"),
        "servedIMEI": tbcd("353490069873310"),
        "servedMSISDN": abroad("8613800138000"),
        **other,
        "recordingEntity": abroad("8613740001"),
        "location": {"locationAreaCode": b"\x25\x30", "cellId": b"\x43\x95"},
        "basicService": ("teleservice", b"\x11"),
        "seizureTime": stamp("210517093000"),
        "answerTime": stamp("210517093005"),
        "callDuration": 61,
        "causeForTerm": 0,
        "callReference": b"\x01",
        **changed,
    }
    return kind, {name: value for name, value in fields.items() if value is not None}


def message_record(kind: str) -> tuple[str, dict[str, Any]]:
    """Return a short message, as CSRecord."""
    out = kind == "moSMSRecord"
    fields: dict[str, Any] = {
        "recordType": 6 if out else 7,
        "serviceCentre": abroad("8613800100500"),
        "servedIMSI": tbcd("460001234567890"),
        "servedIMEI": tbcd("3534900698733101"),
        "servedMSISDN": abroad("8613800138000"),
        "msClassmark": b"\x33",
        "recordingEntity": abroad("8613740001"),
        "location": {"locationAreaCode": b"\x25\x30", "cellId": b"\x43\x95"},
    }
    if out:
        fields |= {
            "messageReference": b"\x01",
            "originationTime": stamp("210517013000", "+0000"),
            "destinationNumber": at_home("10086"),
        }
    else:
        fields["deliveryTime"] = stamp("210517093100")
    return kind, fields


def location_record() -> tuple[str, dict[str, Any]]:
    """Return a location update, as CSRecord."""
    return "locUpdateVLRRecord", {
        "recordType": 13,
        "servedIMSI": tbcd("460001234567890"),
        "servedMSISDN": abroad("8613800138000"),
        "recordingEntity": abroad("8613740001"),
        "newLocation": {"location-area": b"\x25\x30", "cell-identification": b"\x43\x95"},
        "msClassmark": b"\x33",
        "updateTime": stamp("210517093200"),
    }


def ts32298(*records: tuple[str, dict[str, Any]]) -> list[bytes]:
    """Encode CSRecords, each for itself."""
    from pycrate_asn1dir import CDR

    kind = CDR.CSChargingDataTypes.CSRecord
    encoded = []
    for record in records:
        kind.set_val(record)
        encoded.append(kind.to_ber())
    return encoded


def event(kind: str, service: str, **basic: Any) -> tuple[str, dict[str, Any]]:
    """Return a TAP call event of 30 seconds seen abroad at 08:00 local time."""
    stamped = {"localTimeStamp": b"20210517080000", "utcTimeOffsetCode": 0}
    number = bcd("959123456789")
    other = (
        {"destination": {"calledNumber": number}}
        if kind == "mobileOriginatedCall"
        else {"callOriginator": {"callingNumber": number}}
    )
    return kind, {
        "basicCallInformation": {
            "chargeableSubscriber": (
                "simChargeableSubscriber",
                {"imsi": bcd("460001234567890"), "msisdn": bcd("8613800138000")},
            ),
            **other,
            "callEventStartTimeStamp": stamped,
            "totalCallEventDuration": 30,
            **basic,
        },
        "locationInformation": {
            "networkLocation": {"recEntityCode": 0, "locationArea": 9520, "cellId": 17301}
        },
        "equipmentIdentifier": ("imei", bcd("353490069873310")),
        "basicServiceUsedList": [
            {
                "basicService": {"serviceCode": ("teleServiceCode", service.encode())},
                "chargingTimeStamp": stamped,
                "chargeInformationList": [],
            }
        ],
    }


def tap3(*events: tuple[str, dict[str, Any]]) -> bytes:
    """Encode a transfer batch from Myanmar."""
    from pycrate_asn1dir import TAP3

    kind = TAP3.TAP_0312.DataInterChange
    batch = {
        "batchControlInfo": {"sender": b"MMRMT", "recipient": b"CHNCT", "fileSequenceNumber": b"00001"},
        "networkInfo": {"utcTimeOffsetInfo": [{"utcTimeOffsetCode": 0, "utcTimeOffset": b"+0630"}]},
        "callEventDetails": list(events),
    }
    kind.set_val(("transferBatch", batch))
    encoded: bytes = kind.to_ber()
    return encoded
