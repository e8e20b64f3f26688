"""A mapping that does not fit its files: which column is not there, which was meant, which source reads nothing."""

from __future__ import annotations

import logging
from io import BufferedReader
from pathlib import Path

import pytest

from duanka.domain.delivery import KnownFiles
from duanka.domain.errors import DuankaError
from duanka.ingest import Inbox, LandingTimeouts
from duanka.ingest.files import open_file
from duanka.ingest.model.nearest_column import nearest
from support.ingest.deliveries import CALL, CALLS, delivered, mapping, taken

_RULES = """
[[source]]
files = "cdr*.csv"
table = "calls"
{more}
[source.columns]
card = "计费号码"
peer = "对方号码"
direction = {{ from = "呼叫类型", codes = {{ "主叫" = "out", "被叫" = "in" }} }}
started_at = "起始时间"
{columns}
"""
_CALLS = (
    "计费号码,呼叫类型,对方号码,起始时间,通话时长(秒),小区,IMSI\n"
    "13800138000,主叫,13900139000,2021-05-17 09:30:00,61,a-1,4600\n"
)


@pytest.mark.parametrize(
    ("more", "columns", "said"),
    [
        ("", 'seconds = "通话时长"', r"calls\.seconds; did you mean '通话时长\(秒\)'\?"),
        ("", 'cell = "小区编号"', r"calls\.cell; did you mean '小区'\?"),
        ("", 'cell = { from = ["小区", "基站"], join = "-" }', r"no file has the column '基站'"),
        (
            "",
            'forwarded_from = { from = "小区", short_when = { imsi = "1" } }',
            r"'imsi'.*did you mean 'IMSI'\?",
        ),
        (
            'where = { "呼叫类别" = "主叫" }',
            "",
            r"no column '呼叫类别' for the mapping; did you mean '呼叫类型'\?",
        ),
        ('record_id = "imsi"', "", r"no column 'imsi' for the mapping; did you mean 'IMSI'\?"),
        (
            'swap_when = { "类型" = "主叫" }',
            "",
            r"no column '类型' for the mapping; did you mean '呼叫类型'\?",
        ),
    ],
)
def test_a_column_that_no_file_has_is_an_error_that_names_the_nearest(
    tmp_path: Path, more: str, columns: str, said: str
) -> None:
    rules = mapping(tmp_path, _RULES.format(more=more, columns=columns))
    with pytest.raises(DuankaError, match=rf"{said}.*`duanka mapping guess`"):
        taken(tmp_path, {"cdr1.csv": _CALLS}, mapping=rules)


def test_a_required_column_and_an_imsi_are_named_too(tmp_path: Path) -> None:
    rules = _RULES.format(more="", columns="")
    with pytest.raises(DuankaError, match=r"calls\.started_at; did you mean '起始时间'\?"):
        taken(
            tmp_path,
            {"cdr1.csv": _CALLS},
            mapping=mapping(tmp_path, rules.replace('started_at = "起始时间"', 'started_at = "开始时间"')),
        )
    by_imsi = rules.replace('card = "计费号码"', 'card = { from = "计费号码", imsi = "imsi号" }')
    with pytest.raises(DuankaError, match=r"'imsi号' for calls\.card; did you mean 'IMSI'\?"):
        taken(tmp_path, {"cdr1.csv": _CALLS}, mapping=mapping(tmp_path, by_imsi))


@pytest.mark.parametrize("columns", ['cell = { from = ["基站", "小区"] }', 'imei = "imei"'])
def test_alternatives_and_names_of_our_own_may_be_missing(tmp_path: Path, columns: str) -> None:
    intake = taken(
        tmp_path, {"cdr1.csv": _CALLS}, mapping=mapping(tmp_path, _RULES.format(more="", columns=columns))
    )
    assert intake.used == 1


def test_a_column_that_one_file_has_may_be_missing_in_another(tmp_path: Path) -> None:
    files = {"cdr1.csv": _CALLS, "cdr2.csv": _CALLS.replace(",小区,", ",基站,").replace("09:30", "09:31")}
    intake = taken(
        tmp_path, files, mapping=mapping(tmp_path, _RULES.format(more="", columns='cell = "基站"'))
    )
    assert intake.used == 2


def test_a_source_that_reads_nothing_is_named(tmp_path: Path) -> None:
    some = _RULES.format(more='where = { "呼叫类型" = "被叫" }', columns="")
    other = _RULES.format(more="", columns="").replace("cdr*", "sms*")
    rules = mapping(
        tmp_path, _RULES.format(more='where = { "呼叫类型" = "主叫" }', columns="") + some + other
    )
    intake = taken(tmp_path, {"cdr1.csv": _CALLS}, mapping=rules)
    assert tuple(one.en for one in intake.idle) == (
        "source 2 (calls): takes no row (呼叫类型 = 被叫)",
        "source 3 (calls): no file matches sms*.csv",
    )


def test_live_logs_a_source_that_reads_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rules = _RULES.format(more="", columns="")
    data = delivered(tmp_path, {"cdr1.csv": _CALLS})
    patience = LandingTimeouts(settle=0, whole=0, poll=0.01)
    read_by = mapping(tmp_path, rules + rules.replace("cdr*", "sms*"))
    inbox = Inbox(data, read_by, wait=False, patience=patience)
    with caplog.at_level(logging.WARNING):
        batches = list(inbox.batches({}))
    assert len(batches) == 1
    idle = "of the mapping, source 2 (calls): no file matches sms*.csv so far"
    assert idle in caplog.messages
    done = {origin: at for batch in batches for origin, at in batch.positions.items()}
    delivered(tmp_path, {"sms1.csv": _CALLS.replace("09:30", "09:31")})
    for _ in range(2):  # the next mornings: a source that was read before may bring nothing today
        caplog.clear()
        for batch in Inbox(data, read_by, wait=False, patience=patience).batches(done):
            done |= dict(batch.positions)
        assert not [one for one in caplog.messages if "of the mapping" in one]
        delivered(tmp_path, {"cdr2.csv": _CALLS.replace("09:30", "09:32")})


@pytest.mark.parametrize(
    ("name", "columns", "meant"),
    [
        ("BILLSEC", ["src", "billsec"], "billsec"),
        ("duration", ["通话时长", "小区"], "通话时长"),
        ("seconds", ["src", "dst"], None),
        ("call type", ["call_type", "caller"], "call_type"),
        ("started_at", ["start_at", "stop_at"], "start_at"),
    ],
)
def test_the_nearest_column_is_found_by_letters_or_by_meaning(
    name: str, columns: list[str], meant: str | None
) -> None:
    assert nearest(name, columns) == meant


@pytest.mark.parametrize("bad", ["a,b\n1,2\n", "", b"PAR1 no PAR1"])
def test_a_file_that_is_set_aside_says_nothing_about_the_mapping(tmp_path: Path, bad: str | bytes) -> None:
    """Else the one file of a source would stop a night into a store for want of an optional column."""
    messages = """
[[source]]
files = "sms*.csv"
table = "messages"
[source.columns]
card = "号码"
peer = "对方"
direction = { value = "out" }
sent_at = "时间"
"""
    rules = mapping(tmp_path, _RULES.format(more="", columns='seconds = "通话时长(秒)"') + messages)
    sms = "号码,对方,时间\n13800138000,13900139000,2021-05-17 09:30:00\n"
    files = {"cdr2.csv": bad, "sms1.csv": sms}
    intake = taken(tmp_path, files, mapping=rules, known=KnownFiles())
    assert intake.used == 1
    assert [bool(file.unreadable) for file in intake.files] == [True, False]


def test_a_file_that_may_not_be_opened_does_not_stop_a_night(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, root: Path | None = None) -> BufferedReader:
        if path.name == "b.csv":
            raise PermissionError(13, "Permission denied")
        return real(path, root)

    real = open_file.open_regular
    monkeypatch.setattr(open_file, "open_regular", refused)
    for known in (None, KnownFiles()):
        intake = taken(tmp_path, {"calls/a.csv": CALLS + CALL, "calls/b.csv": CALLS + CALL}, known=known)
        assert [file.unreadable[:17] for file in intake.files] == ["", "Permission denied", ""]
