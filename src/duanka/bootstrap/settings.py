"""All settings, read from the environment (DUANKA_...), then from duanka.toml."""

from __future__ import annotations

import ast
import difflib
import inspect
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from duanka.bootstrap.home_folder import FILE, HOME, find_home_folder, read_settings_file, unknown_keys
from duanka.domain.case_source import CaseSource, read_list
from duanka.domain.errors import DuankaError, MissingKey, UnreadableInput
from duanka.domain.local_time import OperatorZone
from duanka.domain.passed_cards import PURPOSE, PassFile
from duanka.domain.sealing import derived
from duanka.domain.sign_in import SessionTerms
from duanka.domain.text import Language

PASSES_FILE = "passes.jsonl"  # in the folder `orders`; the worker rewrites it after each passed verification
SOURCES_FILE = "case-sources.json"  # in the folder `orders`; rewritten when the sources change


class Settings(BaseModel):
    """Settings of this process. Secrets are never printed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    holder_key: SecretStr | None = Field(default=None, min_length=16)
    """Key of the HMAC that stands for a holder's document number (16 bytes or more); kept outside any database."""

    orders: Path = Path("duanka-orders")
    """Folder of live records and, unless set elsewhere, of the order database and the secret."""

    inbox: Path | None = None
    """Folder from which `duanka live` reads records, without --inbox or --nats."""

    out: Path | None = None
    """Output folder of `duanka scan` without --out; None: DATA/duanka-out."""

    store: Path | None = None
    """Folder of the store of records: `duanka morning` writes it, `duanka store` and the API read it; None: none."""

    links: Path | None = None
    """Folder of the graph of links (`duanka links build`) that the API of `duanka serve` reads; None: none."""

    decisions: Path | None = None
    """Folder whose decisions `duanka serve` turns into orders, without --decisions; None: no folder."""

    host: str = "127.0.0.1"
    """Address that the API of `duanka serve` listens at."""

    port: int = Field(default=8080, ge=0, le=65535)
    """Port of the API of `duanka serve`; 0: a free one."""

    policy: str = "national"
    """Policy of the commands about orders: a shipped one by its name, or FILE.toml."""

    database_url: SecretStr | None = None
    """URL of the order database, as postgresql://user:password@host/duanka; None: SQLite in the folder `orders`."""

    secret: SecretStr | None = Field(default=None, min_length=32)
    """Key of the audit trail, of links in notices and of the redress addresses; None: a file in `orders`."""

    secret_file: Path | None = None
    """File with the key of DUANKA_SECRET, as service managers and containers pass secrets."""

    api_key: SecretStr | None = None
    """Key of the person who acts, for commands about orders (`duanka persons`, `duanka keys`)."""

    home_register: str | None = None
    """The home register's control ports, as host:vty:ctrl, for example 127.0.0.1:4258:4259; None: there is none."""

    call_proxy: Path | None = None
    """Folder of the call proxy's sockets and lists (`duanka call-proxy`); None: there is none."""

    message_proxy: Path | None = None
    """Folder of the message proxy's socket and spool (`duanka message-proxy`); None: there is none."""

    message_centre: SecretStr | None = None
    """Message centre that sends the notices, as smpp://user:password@host:2775; None: notices wait."""

    session_idle_minutes: int = Field(default=15, ge=1, le=480)
    """Minutes without a request after which who signed in with a browser is signed off."""

    session_hours: int = Field(default=12, ge=1, le=24)
    """Hours after which who signed in with a browser signs in anew."""

    oidc_issuer: str | None = None
    """OpenID Connect provider that people may sign in by, as its tokens name it; None: by password alone."""

    oidc_client_id: str | None = None
    """Id by which the provider knows Duanka."""

    oidc_client_secret: SecretStr | None = None
    """Secret of that id; None: a public client, whose codes PKCE alone binds."""

    oidc_site: str | None = None
    """Address of the API as browsers see it, like https://duanka.example; the provider sends them back to it."""

    oidc_scopes: str = "openid"
    """Scopes that are asked of the provider, separated by blanks."""

    oidc_claim: str = "sub"
    """Claim of the provider's token that names a person (`duanka persons bind-oidc`)."""

    face: str | None = None
    """Who judges faces online: `embedded`, or the https:// address of a vendor; None: only the counter is open."""

    face_key: SecretStr | None = None
    """Duanka's key at the face vendor."""

    face_workers: int = Field(default=1, ge=1, le=64)
    """Processes that judge faces; with a vendor, parallel requests."""

    trusted_proxies: str | None = None
    """Proxies before the API whose X-Forwarded-For is trusted: addresses or networks; None: no proxy."""

    reference_photos: str | None = None
    """Where registered photos come from: a folder of CARD.jpg, or the https:// address of the operator's store."""

    reference_photos_key: SecretStr | None = None
    """Duanka's key at the photo store."""

    case_sources: Path | None = None
    """Sealed list of the sources of police cases (`duanka keys sources --export`); None: the one in `orders`."""

    passes: Path | None = None
    """Sealed list of who passed the second verification (`duanka orders passes`); None: the one in `orders`."""

    clue_sftp_key: Path | None = None
    """Private key, without a password, that delivers clues to the police by SFTP; None: not by SFTP."""

    clue_known_hosts: Path | None = None
    """Known host keys of the police's SFTP servers, as OpenSSH keeps them; any other host is refused."""

    clue_http_key: SecretStr | None = None
    """Duanka's key at the police's end, for clues that are delivered by HTTP."""

    language: Language | None = None
    """Language of output and work list: zh or en; None: by locale or zone, work list reasons in Chinese."""

    log: Literal["text", "json"] = "text"
    """Log format of `serve`, `live`, `morning` and `message-proxy`: text, or json (an object per line)."""

    memory: str = "1GB"
    """Memory that a scan may use; beyond it, it spills to disk."""

    remote: str | None = None
    """The Spark Connect server of `scan --engine spark`, as sc://host:15002."""

    threads: int | None = Field(default=None, ge=1, le=1024)
    """Threads of the engine; None: all cores."""

    work: Path | None = None
    """Folder for data that spills to disk; None: inside the scan's output folder."""

    @property
    def key(self) -> bytes | None:
        """The bytes of `holder_key`, for the HMAC of intake."""
        return self.holder_key.get_secret_value().encode() if self.holder_key else None

    @property
    def known_secret(self) -> bytes | None:
        """The secret of this installation, from settings or file; None: there is none (it is not created)."""
        if self.secret:
            return self.secret.get_secret_value().encode()
        try:
            text = (self.secret_file or self.orders / "secret").read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return text.encode() or None

    @property
    def session_terms(self) -> SessionTerms:
        """How long sessions of people last."""
        return SessionTerms(timedelta(minutes=self.session_idle_minutes), timedelta(hours=self.session_hours))

    @property
    def decision_key(self) -> bytes | None:
        """Key that seals decisions; None without a secret."""
        secret = self.known_secret
        return derived(secret, "decisions") if secret else None

    @property
    def sources_file(self) -> Path:
        """Path of the sealed list of sources of police cases."""
        return self.case_sources or self.orders / SOURCES_FILE

    @property
    def trusted_sources(self) -> tuple[CaseSource, ...]:
        """Sources whose signatures count, () without a list. DuankaError: unreadable, or a wrong seal."""
        path = self.sources_file
        secret = self.known_secret
        try:
            file = path.read_bytes()
        except OSError as error:
            if self.case_sources:
                raise UnreadableInput(f"{path}: cannot be read ({error.strerror})") from None
            return ()
        if secret is None:
            raise MissingKey(
                f"{path} bears a seal, and there is no secret here to check it with: set DUANKA_SECRET_FILE"
            )
        return read_list(file, derived(secret, "case sources"), str(path))

    @property
    def passes_file(self) -> Path:
        """Path of the sealed list of passed verifications."""
        return self.passes or self.orders / PASSES_FILE

    def passes_in(self, zone: OperatorZone) -> PassFile:
        """The list of passed verifications, for times local to `zone`; not read yet."""
        secret = self.known_secret
        key = derived(secret, PURPOSE) if secret else None
        return PassFile(self.passes_file, key, zone, required=self.passes is not None)


@dataclass(frozen=True)
class Resolved:
    """Settings in force. `sources`: setting -> where from; `home`: folder of duanka.toml."""

    settings: Settings
    sources: Mapping[str, str]
    home: Path | None


def load_settings() -> Settings:
    """Load the settings: environment, else duanka.toml, else default. DuankaError: a setting is invalid."""
    return resolve_settings().settings


def resolve_settings() -> Resolved:
    """As `load_settings`, with the source of each value."""
    found, errors = check_settings()
    if errors:
        raise errors[0]
    return found


def unknown_variables() -> dict[str, str]:
    """Unknown DUANKA_ variables, which have no effect -> the nearest known one, or ""."""
    known = [variable(name) for name in _NAMES] + [HOME]
    ours = [name for name in os.environ if name.startswith(_PREFIX) and name not in known]
    return {name: _nearest(name, known) for name in sorted(ours)}


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return the variable nearest to `name`, or ""; compared without the prefix, which all share."""
    bare = [one.removeprefix(_PREFIX) for one in known]
    found = difflib.get_close_matches(name.removeprefix(_PREFIX), bare, 1)
    return f"{_PREFIX}{found[0]}" if found else ""


def check_settings() -> tuple[Resolved, tuple[DuankaError, ...]]:
    """The settings in force, and all errors: of the folder, then of each value. An invalid one has its default."""
    errors: list[DuankaError] = []
    home, content = _home_and_content(errors)
    environment = {name: os.environ.get(variable(name), "") for name in _NAMES}
    if environment["secret"] or environment["secret_file"]:  # either one overrides both entries of the file
        content = {key: value for key, value in content.items() if key not in ("secret", "secret_file")}
    values: dict[str, object] = {}
    sources = dict.fromkeys(Settings.model_fields, "default")
    for name in Settings.model_fields:
        try:
            found = _from_environment(name, environment) or (
                _from_home(name, content, home) if home else None
            )
        except DuankaError as error:
            errors.append(error)
            continue
        if found:
            values[name], sources[name] = found
    if home and "orders" not in values:
        values["orders"] = home / Settings.model_fields["orders"].default
    try:
        return Resolved(Settings.model_validate(values), sources, home), tuple(errors)
    except ValidationError as wrong:
        for one in wrong.errors():
            name = str(one["loc"][0])
            errors.append(_invalid(name, one["msg"], sources[name]))
            values.pop(name, None)
            sources[name] = "default"
        return Resolved(Settings.model_validate(values), sources, home), tuple(errors)


def _home_and_content(errors: list[DuankaError]) -> tuple[Path | None, dict[str, object]]:
    """The folder of duanka.toml and its content without unknown keys."""
    try:
        home = find_home_folder()
        content = read_settings_file(home) if home else {}
    except DuankaError as error:
        errors.append(error)
        return None, {}
    if home:
        errors += unknown_keys(home, content, _NAMES)
    return home, {key: value for key, value in content.items() if key in _NAMES}


def _invalid(name: str, message: str, source: str) -> DuankaError:
    where = f"{source}: " if source.endswith(FILE) else ""
    message = message.replace("Value should have at least", "it must have at least")
    message = message.replace("items after validation", "characters")
    return DuankaError(f"{where}the setting {variable(name)} is wrong: {message}")


def variable(name: str) -> str:
    """Environment variable of a setting."""
    return f"{_PREFIX}{name.upper()}"


def _from_environment(name: str, environment: Mapping[str, str]) -> tuple[object, str] | None:
    text = environment[name]
    file = environment.get(f"{name}_file", "") if name in _SECRETS else ""
    if text and file:
        raise DuankaError(f"both {variable(name)} and {variable(name)}_FILE are set; unset one of them")
    if file:
        return _secret_in(Path(file), f"{variable(name)}_FILE"), f"{variable(name)}_FILE {file}"
    return (text, "environment") if text else None


def _from_home(name: str, content: Mapping[str, object], home: Path) -> tuple[object, str] | None:
    where = str(home / FILE)
    if name in _SECRETS and f"{name}_file" in content:
        file = home / str(content[f"{name}_file"])
        return _secret_in(file, f"{name}_file of {where}"), f"{where}, {file}"
    if name not in content:
        return None
    value = content[name]
    if isinstance(value, list | dict | bool):
        raise DuankaError(f"{where}: {name} must be a text or a number")
    text = str(value)
    if name in _IS_SECRET and (name not in _URLS or urlsplit(text).password is not None):
        raise DuankaError(
            f"{where}: {name} is a secret, and settings are read by people: put it into a file of its own (0600) and"
            f" name that as {name}_file"
        )
    if name in _PATHS or (name == "policy" and text.endswith(".toml")):
        return home / Path(text).expanduser(), where
    if name == "reference_photos" and "://" not in text:
        return str(home / Path(text).expanduser()), where
    return value, where


def _secret_in(file: Path, named_by: str) -> str:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise DuankaError(f"{named_by}: {file} cannot be read ({why})") from None
    if not text:
        raise DuankaError(f"{named_by}: {file} is empty")
    return text


_IS_SECRET = tuple(n for n, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation))
_SECRETS = tuple(name for name in _IS_SECRET if name != "secret")  # `secret_file` is a separate setting
_PREFIX = "DUANKA_"  # of the environment variables
_NAMES = (*Settings.model_fields, *(f"{name}_file" for name in _SECRETS))
_PATHS = tuple(n for n, field in Settings.model_fields.items() if "Path" in str(field.annotation))
_URLS = ("database_url", "message_centre")


def setting_names() -> dict[str, str]:
    """Every environment variable that is read -> its description.

    Read from the source of `Settings` when it is asked: pydantic would read it at the start of every command.
    """
    (declared,) = ast.parse(inspect.getsource(Settings)).body
    told = dict[str, str]()
    for field, below in pairwise(declared.body if isinstance(declared, ast.ClassDef) else ()):
        match field, below:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                told[name] = " ".join(text.split())
    return {variable(name): told.get(name, "") for name in Settings.model_fields}


def in_force(settings: Settings) -> dict[str, str]:
    """Environment variable -> value in this process; secrets are replaced by a note."""
    values = ((f"DUANKA_{name.upper()}", getattr(settings, name)) for name in Settings.model_fields)
    return {name: _shown(value) for name, value in values}


def _shown(value: object) -> str:
    if value is None:
        return ""
    return "(set, not shown)" if isinstance(value, SecretStr) else str(value)
