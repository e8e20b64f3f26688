"""Resources of the order database that settings name: secret, database, network elements, store of records.

Lookups in a store stand in the audit trail of the order database that it is attached to. So a store answers only
there: a copy of its folder beside another order database, whose trail nobody reads, answers nothing.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from duanka.bootstrap.settings import Settings
from duanka.domain.errors import DuankaError, MissingKey
from duanka.domain.network import RefusalArchive
from duanka.domain.order import Person
from duanka.domain.private_files import write_private
from duanka.domain.record_lookups import AttachedTo, LookupRefused, RecordLookups, StoreStatus

if TYPE_CHECKING:
    from duanka.engine.store.reading.active_cards import AssessedStore
    from duanka.ledger.people.keys import Keys
    from duanka.ledger.unit_of_work.network_elements import NetworkElements

HOME_REGISTER, CALL_PROXY, MESSAGE_PROXY = "home_register", "call_proxy", "message_proxy"
_KEPT_IN = "secret"  # file in the folder of the orders
_PORT_LIMIT = 65_536
_SECRET_MIN_LENGTH = 32  # characters, as for DUANKA_SECRET
DATABASE = "orders.sqlite"  # in the folder of orders, where no server is named
MARK = "attached"  # file in the store's folder: who attached it, when, and the order database's seal
_HOW = "`duanka store attach STORE --why ...` by a supervisor attaches it"


def forms_of(secret: bytes) -> tuple[bytes, ...]:
    """The secret as used now, and as release 0.1.0 used it: decoded from hexadecimal text."""
    try:
        return (secret, bytes.fromhex(secret.decode("ascii")))
    except ValueError:
        return (secret,)


def database_of(settings: Settings) -> str:
    """URL of the order database."""
    if settings.database_url:
        return settings.database_url.get_secret_value()
    return f"sqlite:///{settings.orders / DATABASE}"


def secret_of(settings: Settings, is_new: bool = False) -> bytes:
    """The secret of this installation.

    `is_new`: the order database is being created; on SQLite its secret is then generated once. MissingKey: there
    is no secret, or there are two. A secret is never generated for an order database that already has one, nor
    for one on a database server, which other machines use too.
    """
    if settings.secret and settings.secret_file:
        raise MissingKey("both DUANKA_SECRET and DUANKA_SECRET_FILE are set; unset one of them")
    if settings.secret:
        return settings.secret.get_secret_value().encode()
    path = settings.secret_file or settings.orders / _KEPT_IN
    if settings.secret_file or path.exists():
        return _secret_in_file(path)
    if not is_new:
        raise MissingKey(
            f"the order database's secret is not at {path}: put the file back, or set DUANKA_SECRET or"
            " DUANKA_SECRET_FILE to the one that the database was made with; nothing was written"
        )
    if not database_of(settings).startswith("sqlite"):
        raise MissingKey(
            "a new order database on a database server needs a secret that all its machines share: set"
            " DUANKA_SECRET_FILE to a file with one (`openssl rand -hex 32` writes one), and keep a copy apart from"
            " the database"
        )
    return _made(path)


def _secret_in_file(path: Path) -> bytes:
    """Read a secret from a file; DUANKA_SECRET set to the same text gives the same bytes."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MissingKey(f"the secret in {path} cannot be read ({type(error).__name__})") from None
    if len(text) < _SECRET_MIN_LENGTH:
        raise MissingKey(
            f"{path} is no secret: it has fewer than {_SECRET_MIN_LENGTH} characters; put the file back as it was, or"
            " set DUANKA_SECRET"
        )
    return text.encode()


def _made(path: Path) -> bytes:
    """Make a file of a new secret, for its owner only; a concurrent process uses the same one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = secrets.token_hex(32)
    aside = path.with_name(f"{_KEPT_IN}.{os.getpid()}")
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(made + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        aside.unlink()
    return _secret_in_file(path)


def elements_of(settings: Settings) -> dict[str, str]:
    """Elements in the settings: name -> address as stored in the database."""
    named = {
        HOME_REGISTER: settings.home_register,
        CALL_PROXY: settings.call_proxy,
        MESSAGE_PROXY: settings.message_proxy,
    }
    return {name: element_address(name, str(where)) for name, where in named.items() if where}


def element_address(name: str, written: str) -> str:
    """Canonical address of an element: host:vty:ctrl of a home register, else an absolute folder."""
    if name != HOME_REGISTER:
        return os.path.abspath(Path(written).expanduser())  # resolves `..` but keeps symbolic links
    (host, vty), (_, ctrl) = register_ports(written)
    return f"{host}:{vty}:{ctrl}"


def register_ports(text: str) -> tuple[tuple[str, int], tuple[str, int]]:
    """Parse `host:vty:ctrl`, or a host alone with the default ports."""
    host, _, ports = text.partition(":")
    vty, _, ctrl = ports.partition(":")
    try:
        read = (host, int(vty or 4258)), (host, int(ctrl or 4259))
    except ValueError:
        read = ("", 0), ("", 0)
    if not host or not all(0 < port < _PORT_LIMIT for _, port in read):
        raise DuankaError("DUANKA_HOME_REGISTER is written like 127.0.0.1:4258:4259")
    return read


class AttachedStore:
    """The store in `folder` (None: there is none), opened at the first lookup; usable by several threads.

    `key`: of the order database's seal. `threads`: of DuckDB; None: all cores.
    """

    def __init__(self, folder: Path | None, key: bytes, threads: int | None = None) -> None:
        self._folder, self._key, self._threads = folder, key, threads
        self._opened: AssessedStore | None = None
        self._lock = Lock()

    def at(self, folder: Path | None) -> AttachedStore:
        """The store in another folder, of the same order database; None: this one."""
        return self if folder is None else AttachedStore(folder, self._key, self._threads)

    @property
    def is_named(self) -> bool:
        """Whether a store is named at all."""
        return self._folder is not None

    @property
    def folder(self) -> Path:
        """The folder. LookupRefused: none is named."""
        if self._folder is None:
            raise LookupRefused(
                "no store is named: set DUANKA_STORE to the folder of the store (docs/STORE.md), or give --store"
            )
        return self._folder

    def lookups(self) -> RecordLookups:
        """The store, open for lookups of records. Raises what `opened` does."""
        return self.opened()

    def opened(self) -> AssessedStore:
        """The store, open for lookups. LookupRefused: there is none, or it is not attached. DuankaError: damaged."""
        folder = self.folder
        self.check()
        with self._lock:
            if self._opened is None:
                from duanka.engine.store.reading.active_cards import AssessedStore  # noqa: PLC0415  # DuckDB takes 0.2 s

                self._opened = AssessedStore(folder, threads=self._threads)
            return self._opened

    def archive(self) -> RefusalArchive | None:
        """The store as the archive of refusals; None: no store is named, or it is not this order database's."""
        try:
            self.check()
        except LookupRefused:
            return None
        from duanka.engine.store.refusal_archive import StoredRefusals  # noqa: PLC0415  # DuckDB takes 0.2 s

        return StoredRefusals(self.folder)

    def write_mark(self, by: Person, at: datetime) -> None:
        """Attach the store: leave the order database's seal in its folder. DuankaError: it cannot be written."""
        told = {"by": by.id, "at": at.isoformat()}
        content = json.dumps({**told, "seal": self._seal(told)}, indent=1)
        try:
            write_private(self.folder / MARK, content.encode())
        except OSError as error:
            raise DuankaError(
                f"{self.folder / MARK} cannot be written ({error.strerror}); act as the owner of the store"
            ) from error

    def close(self) -> None:
        """Release the open store."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def attached_to(self) -> AttachedTo:
        """To which order database it is attached. LookupRefused: no store is named."""
        try:
            self.check()
        except LookupRefused:
            return AttachedTo.ANOTHER if self.is_attached else AttachedTo.NONE
        return AttachedTo.THIS

    def sealed_for(self) -> AttachedTo:
        """Whose mark is in the folder, whatever else is in it; a mark that cannot be read is another's."""
        try:
            told = json.loads((self.folder / MARK).read_bytes())
            seal = str(told.pop("seal"))
        except FileNotFoundError:
            return AttachedTo.NONE
        except (OSError, ValueError, TypeError, AttributeError, KeyError):
            return AttachedTo.ANOTHER
        fits = hmac.compare_digest(seal.encode(), self._seal(told).encode())
        return AttachedTo.THIS if fits else AttachedTo.ANOTHER

    @property
    def is_attached(self) -> bool:
        """Whether the store is attached to any order database."""
        return (self.folder / MARK).exists()

    def check(self) -> None:
        """LookupRefused: no store is named or there, or it is not attached to this order database. DuankaError."""
        folder = self.folder
        try:
            told = json.loads((folder / MARK).read_bytes())
            seal = str(told.pop("seal"))
        except FileNotFoundError:
            status_in(folder)  # raises if it is no store: then there is nothing to attach
            raise LookupRefused(
                f"the store {folder} is attached to no order database, so it answers no lookups: {_HOW}"
            ) from None
        except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
            status_in(folder)  # raises if none of its files can be read
            raise LookupRefused(f"{folder / MARK} cannot be read ({type(error).__name__}): {_HOW}") from None
        if not hmac.compare_digest(seal.encode(), self._seal(told).encode()):
            raise LookupRefused(
                f"the store {folder} is attached to another order database, whose trail tells its lookups: ask there,"
                f" or {_HOW}"
            )

    def _seal(self, told: object) -> str:
        return hmac.new(self._key, json.dumps(told, sort_keys=True).encode(), sha256).hexdigest()


def status_in(folder: Path | None) -> StoreStatus:
    """What the store in `folder` holds, for who may read the folder. LookupRefused: none. DuankaError: damaged."""
    from duanka.engine.store.manifest import read_manifest  # noqa: PLC0415  # DuckDB takes 0.2 s
    from duanka.engine.store.reading.status import status_of  # noqa: PLC0415

    return status_of(read_manifest(AttachedStore(folder, b"").folder))


def end_folders(settings: Settings, elements: NetworkElements) -> tuple[Path, ...]:
    """Folders with a copy of the end of the audit trail: order database and proxies."""
    addresses = elements.addresses()
    proxies = [Path(addresses[name]) for name in (CALL_PROXY, MESSAGE_PROXY) if name in addresses]
    return (settings.orders, *proxies)


def acting_person(settings: Settings, keys: Keys) -> Person:
    """The person whose API key is set. MissingKey: none is set."""
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    person = keys.who(key) if key else None
    if person is None:
        raise MissingKey(
            "who acts? set DUANKA_API_KEY to a key that is in force, as `duanka init` or a supervisor gave it; in an"
            " order database without people `duanka persons init ID` gives the first one, `duanka persons add` and"
            " `duanka keys add` the others"
        )
    return person
