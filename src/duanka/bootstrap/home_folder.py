"""Home folder of an installation: its duanka.toml, and the settings in it."""

from __future__ import annotations

import difflib
import os
import stat
import tomllib
from collections.abc import Collection, Mapping
from contextvars import ContextVar
from pathlib import Path

from duanka.domain.errors import DuankaError

FILE = "duanka.toml"
HOME = "DUANKA_HOME"
_chosen: ContextVar[Path | None] = ContextVar("chosen", default=None)


def choose(folder: Path | None) -> None:
    """Use this folder in the commands of this process (--home); None: search for one."""
    _chosen.set(folder)


def find_home_folder() -> Path | None:
    """Find the folder: --home, else DUANKA_HOME, else the nearest one, else None.

    The nearest one is the current folder or the closest parent that has a duanka.toml. DuankaError: --home or
    DUANKA_HOME names a folder without duanka.toml.
    """
    named, by = _chosen.get(), "--home"
    if named is None and os.environ.get(HOME):
        named, by = Path(os.environ[HOME]), HOME
    if named is not None:
        if not (named / FILE).is_file():
            raise DuankaError(
                f"{by} {named}: there is no {FILE}; `duanka init {named}` makes a home folder, or name one"
            )
        return named.absolute()
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / FILE).is_file()), None)


def read_settings_file(home: Path) -> dict[str, object]:
    """Read duanka.toml. DuankaError: unreadable, another user's, or writable by everybody."""
    path = home / FILE
    try:
        found = path.stat()
        if found.st_uid not in (os.geteuid(), 0) or found.st_mode & stat.S_IWOTH:
            raise DuankaError(
                f"{path} belongs to another user or can be written by everybody, so it is not read: chown or chmod it,"
                " or name another home folder with --home"
            )
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DuankaError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise DuankaError(f"{path}: is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise DuankaError(f"{path}: is not TOML: {error}") from None
    return content


def unknown_keys(home: Path, content: Mapping[str, object], known: Collection[str]) -> list[DuankaError]:
    """One error for each key of duanka.toml that is not a setting."""
    errors = []
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]}?" if near else "docs/SETTINGS.md names the settings"
            errors.append(DuankaError(f"{home / FILE}: unknown setting {key}; {hint}"))
    return errors
