"""What we write, its owner alone may read; what is left open by an older version is tightened."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from duanka.decision_log.writer import DecisionLogWriter
from duanka.domain.network import Carried
from duanka.domain.private_files import private_file, tighten
from duanka.ledger.db.database import Store
from duanka.network.process import OwnProcess
from duanka.network.refusal_store import RefusedFile
from duanka.network.sip.lists import CallLists, make
from duanka.network.sms.proxy.block_list import MessageList
from support.desk import duanka
from support.waiting import HANG

OPEN_UMASK = 0o022


def others_may_read(folder: Path) -> list[str]:
    """The files below `folder` that group or others may read or write."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [str(path.relative_to(folder)) for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077]


def test_every_command_writes_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(OPEN_UMASK)
    try:
        data = tmp_path / "data"
        for words in (
            ("simulate", data, "--cards", "100", "--days", "2"),
            ("scan", data),
            ("live", "--once", "--inbox", data, "--state", tmp_path / "state", "--out", tmp_path / "live"),
            ("persons", "init", "wang"),
        ):
            ran = duanka(*words, cwd=tmp_path, DUANKA_HOLDER_KEY="a key of sixteen bytes")
            assert ran.code in (0, 3), (words, ran.err)
    finally:
        os.umask(before)
    assert not others_may_read(tmp_path)
    assert (tmp_path / "duanka-orders").stat().st_mode & 0o077 == 0


def _store(folder: Path) -> None:
    Store(f"sqlite:///{folder}/orders.sqlite").close()


def _call_lists(folder: Path) -> None:
    make(folder)
    lists = CallLists(folder, seconds=1)
    with lists.locked():
        pass
    lists.close()


def _refused(folder: Path) -> None:
    RefusedFile(folder / "refused.sqlite", "call_proxy", Carried.CALL).make()


def _messages(folder: Path) -> None:
    MessageList(folder / "list.sqlite")


def _ledger(folder: Path) -> None:
    DecisionLogWriter(folder).close()


def _child(folder: Path) -> None:
    code = f"import signal; open({str(folder / 'written')!r}, 'w').close(); signal.pause()"
    program = [sys.executable, "-c", code]
    process = OwnProcess(program, folder / "child.log")
    process.until((folder / "written").exists)
    process.end()


@pytest.mark.parametrize("writes", [_store, _call_lists, _refused, _messages, _ledger, _child])
def test_who_writes_without_a_command_does_so_too_and_tightens_what_is_open(
    tmp_path: Path, writes: Callable[[Path], None]
) -> None:
    before = os.umask(OPEN_UMASK)
    try:
        writes(tmp_path)
        assert not others_may_read(tmp_path)
        for path in tmp_path.rglob("*"):
            if (path.is_file() and path.suffix != "") or path.name.endswith(".sqlite"):
                path.chmod(0o666)
        if writes is not _child:
            writes(tmp_path)
            assert not others_may_read(tmp_path)
    finally:
        os.umask(before)


def test_only_what_is_loose_and_a_file_is_tightened(tmp_path: Path) -> None:
    loose, link = private_file(tmp_path / "loose"), tmp_path / "link"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("x")
    elsewhere.chmod(0o644)
    link.symlink_to(elsewhere)
    loose.chmod(0o664)
    tighten(loose, link, tmp_path / "missing")
    assert stat.S_IMODE(loose.stat().st_mode) == 0o600
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o644, "a link says nothing about whose file it is"


_PROBE = """
import logging, os, resource, sys
from duanka.cli.shell.process import prepare_process
prepare_process()
logging.basicConfig(stream=sys.stdout, format="%(message)s")
logging.getLogger("duanka.x").warning("card %s of %s is unknown", "8613800138000", "cdr_20261128_101530.csv")
print(resource.getrlimit(resource.RLIMIT_CORE), oct(os.umask(0)))
"""


def test_a_command_leaves_no_core_and_no_number_in_its_log() -> None:
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    ran = subprocess.run(
        [sys.executable, "-c", _PROBE], capture_output=True, text=True, check=True, timeout=HANG,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)),
    )  # fmt: skip
    assert ran.stdout.splitlines() == [
        "card +86 138****8000 of cdr_20261128_101530.csv is unknown",
        "(0, 0) 0o77",
    ]
