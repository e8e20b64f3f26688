"""A place: made once, found from every folder; the environment goes before its file, secrets stay in files."""

from __future__ import annotations

import json
import re
import shlex
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from duanka.cli import main as cli
from duanka.cli.shell.process import ERR, OUT, repeat_home
from duanka.domain.errors import DuankaError
from support.desk import ENGLISH, Typed, duanka, new_duanka


def _made(folder: Path, *words: str, **environment: str) -> tuple[str, str]:
    """The key and the invitation of a new place."""
    typed = new_duanka("init", folder, "--person", "wang", *words, cwd=None, **environment)
    assert typed.code == 0, typed.err
    lines = typed.out.splitlines()
    key, invitation = (next(n for n in lines if n.startswith(kind)) for kind in ("dk_", "di_"))
    return key, invitation


def _settings(*words: str | Path, cwd: Path, **environment: str) -> dict[str, dict[str, str]]:
    typed = duanka(*words, "config", "--json", cwd=cwd, **environment)
    assert typed.code == 0, typed.err
    found: dict[str, dict[str, str]] = json.loads(typed.out)["settings"]
    return found


def _refused(typed: Typed, told: str) -> None:
    assert (typed.code, typed.out) == (2, "")
    assert told in typed.err
    assert len(typed.err.splitlines()) == 1, typed.err


def _write(place: Path, content: str) -> None:
    with (place / "duanka.toml").open("a", encoding="utf-8") as file:
        file.write(content)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    folder = tmp_path_factory.mktemp("installation") / "place"
    return (folder, *_made(folder))


def test_two_people_set_a_place_up_and_work_from_any_folder(
    place: tuple[Path, str, str], tmp_path: Path
) -> None:
    folder, key, invitation = place
    inside = folder / "inbox" / "deeper"
    inside.mkdir()
    assert "wang" in new_duanka("whoami", cwd=inside, DUANKA_API_KEY=key).out  # found upward
    joined = duanka("--home", folder, "persons", "join", invitation, "li", cwd=tmp_path)
    assert joined.code == 0, joined.err
    kept = tmp_path / "key"
    kept.write_text(f"{joined.out.splitlines()[1]}\n")
    asked = duanka("whoami", cwd=tmp_path, DUANKA_HOME=str(folder), DUANKA_API_KEY_FILE=str(kept))
    assert "li" in asked.out  # as cron types it
    assert sorted(one.name for one in tmp_path.iterdir()) == ["key"]  # nothing is begun elsewhere


def test_what_init_makes_is_for_its_owner_alone(place: tuple[Path, str, str]) -> None:
    for path in (place[0], *place[0].rglob("*")):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077 or path.name == "deeper", path


def test_each_setting_that_init_leaves_for_later_is_one(place: tuple[Path, str, str], tmp_path: Path) -> None:
    """Without its mark it is in force, and a folder is one of this place."""
    written = (place[0] / "duanka.toml").read_text(encoding="utf-8")
    later = dict(re.findall(r'^# (\w+) = "([^"]+)"', written, re.MULTILINE))
    assert {"store", "links", "home_register"} <= later.keys()
    content = re.sub(r'^# (?=\w+ = ")', "", written, flags=re.MULTILINE)
    (tmp_path / "duanka.toml").write_text(content, encoding="utf-8")
    for name in ("database-url", "message-centre", "secret", "holder-key"):
        (tmp_path / name).write_text("0" * 64)
    found = _settings(cwd=tmp_path)
    from_where = {name: found[f"DUANKA_{name.removesuffix('_file').upper()}"]["from"] for name in later}
    assert all(told.startswith(f"{tmp_path}/duanka.toml") for told in from_where.values()), from_where
    for name in ("store", "links"):
        assert found[f"DUANKA_{name.upper()}"]["value"] == str(tmp_path / name)


def test_records_with_document_numbers_are_read_without_further_settings(
    place: tuple[Path, str, str],
) -> None:
    inbox = place[0] / "inbox"
    (inbox / "机主.csv").write_text(
        "手机号,证件号码,入网时间\n13800138000,11010519491231002X,2020-01-02 03:04:05\n"
    )
    (inbox / "话单.csv").write_text(
        "用户号码,对端号码,呼叫类型,开始时间,通话时长\n13800138000,13900139000,主叫,2021-05-03 10:00:00,1分26秒\n"
    )
    mapping = place[0] / "yours.toml"
    guessed = duanka("--home", place[0], "mapping", "guess", inbox, "--out", mapping)
    assert "DUANKA_HOLDER_KEY" not in guessed.out
    scanned = duanka("--home", place[0], "scan", "--mapping", mapping)
    assert scanned.code == 0, scanned.err
    assert "11010519491231002X" not in scanned.out
    elsewhere = duanka("mapping", "guess", inbox, "--out", mapping)
    assert "DUANKA_HOLDER_KEY_FILE" in elsewhere.out, "what the scan will need is said before it"
    _refused(duanka("scan", inbox, "--mapping", mapping), "`duanka init` makes one")


def test_a_place_is_never_overwritten_and_made_whole_or_not_at_all(
    place: tuple[Path, str, str], tmp_path: Path
) -> None:
    before = (place[0] / "secret").read_bytes()
    _refused(duanka("init", place[0]), "never overwritten")
    assert (place[0] / "secret").read_bytes() == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("kept")
    _refused(duanka("init", tmp_path / "mine"), "not empty")
    for words in (["--person", "duanka"], ["--policy", "nobodys"], ["--person", "W W"]):
        assert duanka("init", tmp_path / "new", *words).code == 2
        assert not (tmp_path / "new").exists()
    wrong = {"DUANKA_DATABASE_URL": "postgresql://u:hidden@127.0.0.1:1/none"}
    typed = duanka("init", tmp_path / "new", cwd=None, **wrong)
    assert typed.code == 2
    assert "hidden" not in typed.err
    assert not (tmp_path / "new").exists()
    _refused(duanka("init", tmp_path / "new", DUANKA_ORDERS=str(tmp_path)), "DUANKA_ORDERS is set")


def test_option_then_environment_then_file_then_default(place: tuple[Path, str, str], tmp_path: Path) -> None:
    folder = place[0]
    file = str(folder / "duanka.toml")
    found = _settings("--home", folder, cwd=tmp_path, DUANKA_PORT="9000", DUANKA_HOST="")
    assert found["DUANKA_PORT"] == {"value": "9000", "from": "environment"}
    assert found["DUANKA_HOST"] == {"value": "127.0.0.1", "from": file}  # an empty one is as none
    assert found["DUANKA_ORDERS"] == {"value": str(folder / "orders"), "from": file}
    assert found["DUANKA_MEMORY"]["from"] == "default"
    other = tmp_path / "other"
    _made(other)
    chosen = _settings("--home", other, cwd=folder, DUANKA_HOME=str(folder))  # option, environment, upward
    assert chosen["DUANKA_ORDERS"]["value"] == str(other / "orders")
    assert _settings(cwd=other, DUANKA_HOME=str(folder))["DUANKA_OUT"]["value"] == str(folder / "out")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("polcy = 'x'", "unknown setting polcy; did you mean policy?"),
        ("memory = ", "is not TOML"),
        ("memory = ['1GB']", "memory must be a text or a number"),
        ("threads = 0", "the setting DUANKA_THREADS is wrong"),
        ("api_key = 'dk_of-a-test'", "name that as api_key_file"),
        ("message_centre = 'smpp://us:dk_of-a-test@127.0.0.1:2775'", "name that as message_centre_file"),
        ("api_key_file = 'no-such'", "no-such cannot be read (No such file or directory)"),
    ],
)
def test_what_is_wrong_in_the_file_is_said_in_one_line(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "duanka.toml").write_text(content, encoding="utf-8")
    typed = duanka("config", cwd=tmp_path)
    _refused(typed, told)
    assert "dk_of-a-test" not in typed.err


def test_a_secret_in_a_file_is_shown_as_set(tmp_path: Path) -> None:
    (tmp_path / "duanka.toml").write_text(
        'face_key_file = "face.key"\nmessage_centre = "smpp://us@127.0.0.1"\n'
    )
    (tmp_path / "face.key").write_text("dk_of-a-test\n")
    typed = duanka("config", cwd=tmp_path)
    assert f"(set, not shown)  [{tmp_path}/duanka.toml, {tmp_path}/face.key]" in typed.out
    assert "dk_of-a-test" not in typed.out
    both = duanka("config", DUANKA_FACE_KEY="a", DUANKA_FACE_KEY_FILE=str(tmp_path / "face.key"))
    _refused(both, "both DUANKA_FACE_KEY and DUANKA_FACE_KEY_FILE are set")
    _refused(duanka("config", DUANKA_HOLDER_KEY="secret"), "it must have at least 16 characters")


def test_a_file_that_everybody_can_write_and_a_place_that_is_none_are_refused(tmp_path: Path) -> None:
    _refused(duanka("--home", tmp_path, "whoami"), "there is no duanka.toml")
    _refused(duanka("whoami", DUANKA_HOME=str(tmp_path)), "DUANKA_HOME")
    (tmp_path / "duanka.toml").write_text("")
    (tmp_path / "duanka.toml").chmod(0o666)
    _refused(duanka("config", cwd=tmp_path), "can be written by everybody")


def _printed(home: Path | None) -> str:
    repeat_home(home, ["orders", "scan"])
    try:
        with OUT.capture() as captured:
            OUT.print(
                "Next: duanka orders list; ./duanka scan; duanka-orders/x; duanka ordersx", soft_wrap=True
            )
    finally:
        repeat_home(None, [])
    return captured.get()


def test_commands_that_are_printed_repeat_the_home_that_was_given(
    place: tuple[Path, str, str], tmp_path: Path
) -> None:
    folder, key, _ = place
    home = tmp_path / "a place's"
    home.symlink_to(folder)
    quoted = f"duanka --home {shlex.quote(str(home))}"

    def said(*words: str, home: Path = home) -> str:
        found = CliRunner().invoke(
            cli.cli, ["--home", str(home), *words], env={"DUANKA_API_KEY": key, **ENGLISH}
        )
        assert isinstance(found.exception, SystemExit | DuankaError | None), found.exception
        if isinstance(found.exception, DuankaError):  # as `main` prints it
            with ERR.capture() as captured:
                ERR.print(f"duanka: {found.exception}", soft_wrap=True)
            return captured.get()
        return found.output

    assert f"`{quoted} orders list` names them" in said("orders", "show", "V0123456789AB")
    assert f"`{quoted} database backup FILE --why daily`" in said("doctor")
    checks = json.loads(said("doctor", "--json"))["checks"]
    assert f"`{quoted} database backup" in next(one["next"] for one in checks if one["check"] == "backup")
    assert "`duanka init " in said("whoami", home=tmp_path), "init makes another place"
    assert f"Next: {quoted} orders list; ./duanka scan; duanka-orders/x; duanka ordersx" in _printed(home)
    assert "Next: duanka orders list; ./duanka" in _printed(None)


def test_numbers_in_errors_are_masked_behind_home_too(place: tuple[Path, str, str]) -> None:
    folder, key, _ = place
    typed = duanka("--home", folder, "orders", "show", "8613800001234", DUANKA_API_KEY=key)
    assert typed.code == 2
    assert "8613800001234" not in typed.err
