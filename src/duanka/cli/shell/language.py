"""The language of tables: --language, DUANKA_LANGUAGE, duanka.toml, the locale, the operator's zone, in this order."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path

from duanka.domain.local_time import DEFAULT_ZONE, operator_zone
from duanka.domain.text import BilingualText, Language, WordedEnum

# Mainland China, and the older names of its zones. Hong Kong, Macau and Taipei are not among them: our Chinese is
# simplified; who reads it there says so by the setting or the locale.
CHINESE_ZONES = frozenset(
    {"Asia/Shanghai", "Asia/Urumqi"}
    | {"Asia/Chongqing", "Asia/Chungking", "Asia/Harbin", "Asia/Kashgar", "PRC"}
)
_OF_LOCALE = ("LC_ALL", "LC_MESSAGES", "LANG")  # the first that is set counts, as POSIX has it

_asked: ContextVar[Language | None] = ContextVar("asked", default=None)
_found: ContextVar[Language | None] = ContextVar("found", default=None)


def begin(asked: Language | None) -> None:
    """Begin a command with the language of `duanka --language`; None: nobody said."""
    _asked.set(asked)
    _found.set(None)


def asked_for(of_command: Language | None) -> Language | None:
    """What a command's own --language says, else `duanka --language`; tables follow it. None: neither was given."""
    if of_command:
        begin(of_command)
    return _asked.get()


def language() -> Language:
    """The language of tables in this command. DuankaError: the settings are wrong."""
    found = _found.get()
    if found is None:
        found, _ = language_in_force()
        _found.set(found)
    return found


def language_in_force() -> tuple[Language, str]:
    """The language of tables, and what says so."""
    if asked := _asked.get():
        return asked, "--language"
    from duanka.bootstrap.settings import resolve_settings  # noqa: PLC0415  # --help does not need it

    resolved = resolve_settings()
    if resolved.settings.language:
        return resolved.settings.language, resolved.sources["language"]
    zone = operator_zone().name
    if zone == DEFAULT_ZONE:
        zone = zone_of(resolved.settings.policy)
    return unset_language(os.environ, zone)


def unset_language(environment: Mapping[str, str], zone: str) -> tuple[Language, str]:
    """The language where no setting names one, by the locale and by the operator's zone; and what says so."""
    name = next((one for one in _OF_LOCALE if environment.get(one)), None)
    if name:
        said = environment[name]
        code = said.partition(".")[0].partition("@")[0].lower()
        if code not in ("c", "posix"):  # what containers and services have: it says nothing of people
            of_locale: Language = "zh" if code.partition("_")[0].partition("-")[0] == "zh" else "en"
            return of_locale, f"{name}={said}"
    of_zone: Language = "zh" if zone in CHINESE_ZONES else "en"
    return of_zone, f"zone {zone}"


def shown(words: BilingualText) -> str:
    """A text in the language of tables."""
    return words.in_(language())


def term(enum: type[WordedEnum], value: str | None, otherwise: str = "-") -> str:
    """The word for a value of `enum`; `otherwise` for None, and the value itself where the enum has no such."""
    if value is None:
        return otherwise
    try:
        return shown(enum(value).words)
    except ValueError:
        return value


def tier(word: str) -> str:
    """A tier as people read it."""
    from duanka.domain.decision import Tier  # noqa: PLC0415  # the command line begins without it

    return shown(Tier[word.upper()].words) if word.upper() in Tier.__members__ else word or "-"


def zone_of(policy: str) -> str:
    """The zone that a policy file names; a wrong file is for the command that reads it to report."""
    if not policy.endswith(".toml"):
        return DEFAULT_ZONE
    try:
        named = tomllib.loads(Path(policy).read_text(encoding="utf-8-sig")).get("orders", {}).get("zone")
    except (OSError, ValueError, AttributeError):
        return DEFAULT_ZONE
    return named if isinstance(named, str) else DEFAULT_ZONE
