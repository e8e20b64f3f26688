"""Display language of tables.

Set by the first of: --language, DUANKA_LANGUAGE, duanka.toml, the locale, the operator's zone.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path

from duanka.bootstrap.home_folder import find_home_folder, read_settings_file
from duanka.domain.errors import DuankaError
from duanka.domain.local_time import DEFAULT_ZONE, operator_zone
from duanka.domain.text import BilingualText, Language, WordedEnum

# Zones of mainland China with their former names. Hong Kong, Macau and Taipei are left out: the Chinese texts
# are in simplified characters. There, only the setting or the locale selects Chinese.
CHINESE_ZONES = frozenset(
    {"Asia/Shanghai", "Asia/Urumqi"}
    | {"Asia/Chongqing", "Asia/Chungking", "Asia/Harbin", "Asia/Kashgar", "PRC"}
)
_OF_LOCALE = ("LC_ALL", "LC_MESSAGES", "LANG")  # the first variable that is set counts, as in POSIX

_OF_ZONE = "zone "

_asked: ContextVar[Language | None] = ContextVar("asked", default=None)
_found: ContextVar[Language | None] = ContextVar("found", default=None)


def begin(asked: Language | None) -> Language | None:
    """Begin a command; return `asked`, the value of `duanka --language` (None: not given)."""
    _asked.set(asked)
    _found.set(None)
    return asked


def asked_for(of_command: Language | None) -> Language | None:
    """The command's own --language, else `duanka --language`; None: neither was given.

    `of_command`, if given, also becomes the language of tables.
    """
    if of_command:
        begin(of_command)
    return _asked.get()


def language() -> Language:
    """Display language of this command. DuankaError: the settings are invalid."""
    found = _found.get()
    if found is None:
        found, _ = language_in_force()
        _found.set(found)
    return found


def language_in_force() -> tuple[Language, str]:
    """Display language, and where it comes from."""
    if asked := _asked.get():
        return asked, "--language"
    from duanka.bootstrap.settings import resolve_settings  # noqa: PLC0415  # not needed for --help

    resolved = resolve_settings()
    if resolved.settings.language:
        return resolved.settings.language, resolved.sources["language"]
    zone = operator_zone().name
    if zone == DEFAULT_ZONE:
        zone = zone_of(resolved.settings.policy)
    return unset_language(os.environ, zone)


def language_of_texts() -> Language:
    """Display language of help and errors.

    Read without loading all settings, which takes longer than printing a help. Invalid settings are ignored.
    """
    if known := _found.get() or _asked.get():
        return known
    try:
        home = find_home_folder()
        content = read_settings_file(home) if home else {}
    except DuankaError:
        home, content = None, {}
    named = os.environ.get("DUANKA_LANGUAGE") or content.get("language")
    if named in ("zh", "en"):
        return named
    zone = operator_zone().name
    if zone == DEFAULT_ZONE:
        in_home = home / str(content["policy"]) if home and "policy" in content else ""
        zone = zone_of(os.environ.get("DUANKA_POLICY") or str(in_home))
    return unset_language(os.environ, zone)[0]


def text_shown(text: str) -> str:
    """An error or a prompt in the display language."""
    if language_of_texts() == "en":
        return text
    from duanka.cli.shell.chinese import in_chinese  # noqa: PLC0415  # only for help and errors in Chinese

    return in_chinese(text)


def said_language() -> Language | None:
    """Language named by an option, a setting or the locale; None: none of them.

    The operator's zone does not count: nobody chose a language with it.
    """
    found, says = language_in_force()
    return None if says.startswith(_OF_ZONE) else found


def unset_language(environment: Mapping[str, str], zone: str) -> tuple[Language, str]:
    """Display language by locale or operator's zone, and which of them decided.

    Used where no setting names a language.
    """
    name = next((one for one in _OF_LOCALE if environment.get(one)), None)
    if name:
        said = environment[name]
        code = said.partition(".")[0].partition("@")[0].lower()
        if code not in ("c", "posix"):  # default of containers and services; says nothing about people
            of_locale: Language = "zh" if code.partition("_")[0].partition("-")[0] == "zh" else "en"
            return of_locale, f"{name}={said}"
    of_zone: Language = "zh" if zone in CHINESE_ZONES else "en"
    return of_zone, f"{_OF_ZONE}{zone}"


def shown(words: BilingualText, **facts: object) -> str:
    """The text in the display language, with these facts in it; whole numbers have separators."""
    text = words.in_(language())
    if not facts:
        return text
    return text.format(**{name: f"{one:,}" if type(one) is int else one for name, one in facts.items()})


def term(enum: type[WordedEnum], value: str | None, otherwise: str = "-") -> str:
    """Display text of an enum value.

    `otherwise`: for None. A value unknown to `enum` is returned unchanged.
    """
    if value is None:
        return otherwise
    try:
        return shown(enum(value).words)
    except ValueError:
        return value


def tier(word: str) -> str:
    """Display text of a tier."""
    from duanka.domain.decision import Tier  # noqa: PLC0415  # keeps the start of the command line fast

    return shown(Tier[word.upper()].words) if word.upper() in Tier.__members__ else word or "-"


def zone_of(policy: str) -> str:
    """Time zone of a policy file; the default zone if it cannot be read.

    The command that uses the policy reports the error.
    """
    if not policy.endswith(".toml"):
        return DEFAULT_ZONE
    try:
        named = tomllib.loads(Path(policy).read_text(encoding="utf-8-sig")).get("orders", {}).get("zone")
    except (OSError, ValueError, AttributeError):
        return DEFAULT_ZONE
    return named if isinstance(named, str) else DEFAULT_ZONE
