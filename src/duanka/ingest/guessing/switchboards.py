"""Column names for files without a header: call records of Asterisk, FreeSWITCH."""

from __future__ import annotations

from dataclasses import replace

from duanka.ingest.formats.csv_reader import CsvReading
from duanka.ingest.guessing.shapes import Shape

_ASTERISK = (
    *(
        "accountcode",
        "src",
        "dst",
        "dcontext",
        "clid",
        "asterisk channel",
        "dstchannel",
        "lastapp",
        "lastdata",
    ),
    *("start", "answer", "end", "duration", "billsec", "disposition", "amaflags", "uniqueid", "userfield"),
)
_FREESWITCH = (
    *("caller_id_name", "caller_id_number", "destination_number", "context", "start_stamp", "answer_stamp"),
    *("end_stamp", "duration", "billsec", "hangup_cause", "uuid", "bleg_uuid", "accountcode", "read_codec"),
    *("write_codec", "sip_hangup_disposition", "ani"),
)
_DISPOSITIONS = "^(?:ANSWERED|NO ANSWER|BUSY|FAILED|CONGESTION)$"
_CAUSES = "^[A-Z][A-Z_]{3,}$"
_MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"


def with_names(shape: Shape) -> Shape:
    """The shape, with column names if it is a switchboard's file without a header."""
    form = shape.form
    width = len(form.columns)
    if form.header or form.format != "csv":
        return shape
    for names, least, place, values, moment in (
        (_ASTERISK, 16, 14, _DISPOSITIONS, 9),
        (_FREESWITCH, 10, 9, _CAUSES, 4),
    ):
        if not least <= width <= len(names):
            continue
        reading = CsvReading(shape.files[0].path, form.layout)
        block = next(iter(reading.blocks([form.columns[place], form.columns[moment]])), None)
        if block is None or not block.frame.height:
            continue
        frame = block.frame.head(1000)
        told = frame[form.columns[place]].str.contains(values).fill_null(False)
        timed = frame[form.columns[moment]].str.contains(_MOMENT).fill_null(False)
        if int(told.sum()) >= 0.98 * frame.height and timed.all():
            return replace(shape, form=replace(form, columns=names[:width]))
    return shape
