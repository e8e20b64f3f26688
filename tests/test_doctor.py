"""`duanka doctor` on this machine: settings, folders, order database, people; it says what to do, changes nothing."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from duanka.bootstrap.doctor import folders
from duanka.bootstrap.doctor.checks import CHECKS
from duanka.bootstrap.doctor.examination import (
    DoctorCheck,
    Finding,
    Installation,
    Level,
    examine,
    installation,
    ok,
)
from support.desk import duanka
from support.examined import SECRET, Examined, doctor, order_database
from support.waiting import HANG


def _state(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Every file and folder: its mode, when it was changed, and what is in it."""
    return {
        str(path): (
            path.stat().st_mode,
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in sorted(folder.rglob("*"))
    }


def test_a_place_is_examined_from_its_first_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bare = doctor()
    assert bare.code == 0, bare.text
    assert "duanka init" in bare.line("home folder", "OK")
    assert "not set up" in bare.line("database", "OK")
    assert list(tmp_path.iterdir()) == []

    made = duanka("init", tmp_path / "place", "--person", "wang", cwd=tmp_path)
    key, invitation = (
        next(n for n in made.out.splitlines() if n.startswith(kind)) for kind in ("dk_", "di_")
    )
    secret = (tmp_path / "place" / "secret").read_text().strip()
    before = _state(tmp_path)
    alone = duanka("--home", tmp_path / "place", "doctor", "--json", cwd=tmp_path, DUANKA_API_KEY=key)
    assert alone.code == 4, alone.err
    found = Examined(alone.code, alone.out)
    assert "persons join" in found.line("people", "FAULT")
    assert f"duanka --home {tmp_path / 'place'} database backup" in found.line("backup", "WARNING")
    assert "open until" in found.line("invitations", "WARNING")
    assert "fits its seal" in found.line("database", "OK")
    assert _state(tmp_path) == before
    assert not [one for one in (key, invitation, secret) if one in alone.out]

    duanka("--home", tmp_path / "place", "persons", "join", invitation, "li", cwd=tmp_path)
    both = doctor(DUANKA_HOME=str(tmp_path / "place"))
    assert both.code == 0, both.text
    assert "2 people with keys, 2 of them supervisors" in both.line("people", "OK")
    assert both.lines("invitations", "OK") == ["none open, no proposal waits "]


def test_a_person_reads_a_line_for_each_check_and_the_count(tmp_path: Path) -> None:
    typed = duanka("doctor", cwd=tmp_path, DUANKA_HOLDER_KEY_FILE="/nowhere/key")
    assert typed.code == 4
    lines = typed.out.splitlines()
    assert lines[0].startswith("FAULT    settings")
    assert "/nowhere/key cannot be read" in lines[0]
    assert [one.split()[0] for one in lines[:-1]].count("FAULT") == 1
    assert lines[-1].startswith("1 fault(s), ")
    assert len(lines) - 1 == len(CHECKS) - sum(check.needs_database for check in CHECKS)


def test_every_wrong_setting_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "duanka.toml").write_text('port = "http"\npolicee = "national"\nlanguage = "fr"\n')
    found = doctor(
        DUANKA_THREADS="0",
        DUANKA_HOLDER_KEY="short",
        DUANKA_API_KEY_FILE=str(tmp_path / "nowhere"),
        DUANKA_POLICY="nationale",
        DUANKA_TRUSTED_PROXIES="somewhere",
        DUANKA_MEMORY="much",
        DUANKA_HOME_REGISTER="host:port",
        DUANKA_MESSAGE_CENTRE="smpp://duanka:hunter2@host:port",
        DUANKA_SECRET_FILE="/nowhere/secret",  # noqa: S106  # a path
        DUANKA_PASSES="/nowhere/passes",
        DUANKA_REMOTE="sc://host:port;token=hunter2",
        DUANKA_DATABASE_ULR="postgresql://duanka:hunter2@host/x",
        DUANKA_XYZZY_PLUGH="1",
    )
    assert found.code == 4
    faults = "\n".join(found.lines("settings", "FAULT"))
    for told in (
        "did you mean policy?",
        "DUANKA_PORT",
        "DUANKA_LANGUAGE",
        "DUANKA_THREADS",
        "DUANKA_HOLDER_KEY is wrong: it must have at least 16",
        "DUANKA_API_KEY_FILE",
        "nationale",
        "DUANKA_TRUSTED_PROXIES",
        "the secret in /nowhere/secret cannot be read",
        "/nowhere/passes cannot be read",
    ):
        assert told in faults, (told, faults)
    strange = found.lines("settings", "WARNING")
    assert any("did you mean DUANKA_DATABASE_URL?" in one for one in strange), strange
    assert any("DUANKA_XYZZY_PLUGH" in one and "did you mean" not in one for one in strange)
    assert "write it like 1GB" in found.line("memory", "FAULT")
    assert "DUANKA_HOME_REGISTER" in found.line("home register", "FAULT")
    assert "smpp://" in found.line("message centre", "FAULT")
    assert "sc://host:15002" in found.line("Spark", "FAULT")
    assert "nats://host:4222" in doctor("--nats", "nats://wang:hunter2@host:port").line("NATS", "FAULT")
    assert "hunter2" not in found.text


def test_a_place_that_cannot_be_read_is_told_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "duanka.toml").write_text("port = [broken")
    found = doctor(DUANKA_HOME=str(tmp_path))
    assert "is not TOML" in found.line("settings", "FAULT")
    assert found.lines("memory", "OK")
    nowhere = doctor(DUANKA_HOME=str(tmp_path / "nowhere"))
    assert "duanka init" in nowhere.line("settings", "FAULT")


def test_folders_that_keep_nothing_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = order_database(tmp_path / "orders")
    key = tmp_path / "holder-key"
    key.write_text("0123456789abcdef")
    key.chmod(0o644)
    (tmp_path / "orders").chmod(0o750)
    (tmp_path / "orders" / "orders.sqlite").chmod(0o640)
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox").chmod(0o777)
    (tmp_path / "a file").write_text("")
    found = doctor(
        **said,
        DUANKA_HOLDER_KEY_FILE=str(key),
        DUANKA_INBOX=str(tmp_path / "inbox"),
        DUANKA_OUT=str(tmp_path / "nowhere"),
        DUANKA_DECISIONS=str(tmp_path / "neither"),
        DUANKA_WORK=str(tmp_path / "a file"),
    )
    assert "chmod 700" in found.line("orders folder", "WARNING")
    others = {level: "\n".join(found.lines("other folders", level)) for level in ("WARNING", "FAULT")}
    assert "written by everybody" in others["FAULT"]
    assert "DUANKA_DECISIONS" in others["FAULT"]
    assert "is no folder" in others["FAULT"]
    assert "nowhere is not there" in others["WARNING"]
    assert f"chmod 600 {key}" in found.lines("private files", "FAULT")[0]
    assert "orders.sqlite is open to others" in found.lines("private files", "WARNING")[0]

    monkeypatch.setattr(folders, "LEAST_ROOM", 1 << 60)
    assert "make room" in "\n".join(doctor(**said).lines("orders folder", "FAULT"))


MOUNTS = """\
22 1 0:21 / / rw - ext4 /dev/vda rw
23 22 0:22 / /srv rw,relatime shared:3 - nfs4 host:/export rw
24 23 0:23 / /srv/local\\040disk rw - xfs /dev/vdb rw
25 22 0:24 / /mnt/share rw - cifs //host/share rw
26 22 0:25 / /home/wang/far rw - fuse.sshfs wang@host: rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/duanka", None),
        ("/srv/duanka/orders", "nfs4"),
        ("/srv/local disk/orders", None),
        ("/mnt/share", "cifs"),
        ("/mnt/shared", None),
        ("/home/wang/far/orders", "fuse.sshfs"),
    ],
)
def test_a_network_file_system_is_known_by_its_mount(folder: str, kind: str | None) -> None:
    assert folders.network_file_system(Path(folder), MOUNTS) == kind


def test_an_order_database_that_is_not_ours_to_use(tmp_path: Path) -> None:
    said = order_database(tmp_path / "orders")
    wrong = doctor(**{**said, "DUANKA_SECRET": "another secret that is long enough, too"})
    assert wrong.code == 4
    assert "secret does not fit" in wrong.line("database", "FAULT")
    assert wrong.lines("people") == []
    none = doctor(DUANKA_ORDERS=said["DUANKA_ORDERS"])
    assert "DUANKA_SECRET_FILE" in none.line("database", "FAULT")

    file = tmp_path / "orders" / "orders.sqlite"
    with closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE installation SET schema_version = 1")
        database.commit()
    assert "of version 1" in doctor(**said).line("database", "FAULT")
    file.write_bytes(b"no database" * 1000)
    assert "order" in doctor(**said).line("database", "FAULT")
    assert SECRET not in doctor(**said).text


def test_a_clock_behind_the_trail_and_alarms_are_told(tmp_path: Path) -> None:
    said = order_database(tmp_path / "orders")
    assert doctor(**said).lines("clock", "OK")
    with closing(sqlite3.connect(tmp_path / "orders" / "orders.sqlite")) as database:
        database.execute("UPDATE audit SET at = 32472144000000000 WHERE seq = 1")
        database.execute(
            "INSERT INTO alarms (source, since, raised_at, detail) VALUES ('call_proxy', 1, 1,"
            " '不通 / the call proxy is silent about 8613800000001')"
        )
        database.commit()
    found = doctor(**said)
    assert "before the newest row" in found.line("clock", "FAULT")
    alarm = found.line("alarms", "WARNING")
    assert "the call proxy is silent" in alarm
    assert "8613800000001" not in alarm


def test_the_zone_and_what_the_machine_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for named, level in (("Asia/Shanghai", "OK"), ("America/Lima", "WARNING"), ("Asia/Shangai", "WARNING")):
        monkeypatch.setenv("TZ", named)
        time.tzset()
        found = doctor(DUANKA_MEMORY="900TB", DUANKA_THREADS="1024")
        assert found.line("zone", level)
    assert "tzdata" in found.line("zone", "WARNING")
    assert "DUANKA_MEMORY" in found.line("memory", "FAULT")
    assert "cores" in found.line("threads", "WARNING")
    monkeypatch.undo()
    time.tzset()


def test_checks_run_at_once_and_none_holds_up_the_others() -> None:
    released = threading.Event()

    def hangs(_: Installation) -> list[Finding]:
        released.wait(HANG)
        return []

    def breaks(_: Installation) -> list[Finding]:
        raise ZeroDivisionError

    def works(_: Installation) -> list[Finding]:
        return [ok("well")]

    begun = time.monotonic()
    hanging = [DoctorCheck(f"hangs {number}", hangs, seconds=0.2) for number in range(20)]
    results = examine(installation(), [*hanging, DoctorCheck("breaks", breaks), DoctorCheck("works", works)])
    assert time.monotonic() - begun < HANG / 4, "each waits a fifth of a second, all at once"
    released.set()
    assert [one.finding.level for one in results] == [*[Level.FAULT] * 21, Level.OK]
    assert "no answer within 0.2 s" in results[0].finding.text
    assert "ZeroDivisionError" in results[-2].finding.text


def test_json_has_a_row_for_each_line() -> None:
    rows = json.loads(doctor().text)["checks"]
    assert [set(row) for row in rows] == [{"check", "level", "text", "next"}] * len(rows)
