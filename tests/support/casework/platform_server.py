"""An internet platform for tests: docs/account-platform.openapi.yaml on a server process with a store of its own.

    python -m support.casework.platform_server FOLDER

It keeps in FOLDER/platform.sqlite what came, by idempotency key, and how often. FOLDER/mode says how it behaves:
`later` (received, handled when asked), `at_once` (handled in the first answer), `refuse`, `silent`, a status, or _ODD.
"""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from duanka.domain.linked_accounts import AccountPlatform, TransportKind

_MADE = """
CREATE TABLE IF NOT EXISTS came (key TEXT PRIMARY KEY, body BLOB NOT NULL, times INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS effects (id TEXT, what TEXT, times INTEGER NOT NULL, PRIMARY KEY (id, what));
CREATE TABLE IF NOT EXISTS refused (key TEXT, status INTEGER);
"""
_OURS, _THEIRS, _MODE, _PORT = "platform.key", "duanka.pub", "mode", "port"
_LOCK = threading.Lock()
# status, body and headers of answers that are not as the document says
_ODD: dict[str, tuple[int, bytes, dict[str, str]]] = {
    "redirect": (302, b"", {"Location": "http://127.0.0.1:9/"}),
    "malformed": (200, b"<html>", {}),
    "about_another": (200, b'{"id": "GAAAAAAAAAAAA", "state": "received"}', {}),
    "packed": (200, b"xx", {"Content-Encoding": "gzip"}),
    "large": (200, b" " * 70_000, {}),
    "slow": (200, b"{" + b" " * 60, {}),
}


@dataclass(frozen=True)
class PlatformStub:
    """A platform as the tests see it."""

    name: str
    folder: Path
    platform: AccountPlatform

    def behaves(self, mode: str) -> None:
        (self.folder / _MODE).write_text(mode)

    def came(self) -> dict[str, int]:
        """How often each key came."""
        return dict(self._rows("SELECT key, times FROM came"))

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for (body,) in self._rows("SELECT body FROM came ORDER BY rowid")]

    def effects(self) -> dict[tuple[str, str], int]:
        """What it did: (request, request or release) -> how often."""
        return {(number, what): times for number, what, times in self._rows("SELECT * FROM effects")}

    def refused(self) -> list[tuple[str, int]]:
        return self._rows("SELECT * FROM refused")

    def _rows(self, sql: str) -> list[Any]:
        with closing(_store(self.folder)) as store:
            return store.execute(sql).fetchall()

    def signs(self, told: dict[str, object]) -> tuple[bytes, str]:
        """A body and its signature by this platform."""
        body = json.dumps(told).encode()
        return body, _signed(self.folder, body)


def keys_in(folder: Path, name: str, transport: TransportKind, address: str) -> AccountPlatform:
    """A platform whose keys, and ours for it, are made in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    ours, theirs = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    key_file = folder / "our.pem"
    key_file.write_bytes(ours.private_bytes(*pem))
    key_file.chmod(0o600)
    (folder / _OURS).write_bytes(theirs.private_bytes(*pem))
    (folder / _THEIRS).write_bytes(ours.public_key().public_bytes(*raw))
    return AccountPlatform(name, transport, address, key_file, theirs.public_key().public_bytes(*raw))


@contextmanager
def platform_server(folder: Path, name: str, mode: str = "later") -> Iterator[PlatformStub]:
    """A platform in a process of its own, ended by its process id."""
    made = keys_in(folder, name, TransportKind.HTTP, "")
    (folder / _MODE).write_text(mode)
    reading, writing = os.pipe()
    paths = os.pathsep.join(one for one in sys.path if one)
    process = subprocess.Popen(
        [sys.executable, "-m", "support.casework.platform_server", str(folder), str(writing)],
        pass_fds=[writing],
        env={**os.environ, "PYTHONPATH": paths},
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as told:
            port = told.readline().strip()
        address = f"http://127.0.0.1:{port}/duanka"
        platform = AccountPlatform(name, TransportKind.HTTP, address, made.key_file, made.public_key)
        yield PlatformStub(name, folder, platform)
    finally:
        process.kill()
        process.wait()


def _store(folder: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / "platform.sqlite", timeout=30, isolation_level=None)
    connection.executescript(_MADE)
    return connection


def _signed(folder: Path, body: bytes) -> str:
    key = serialization.load_pem_private_key((folder / _OURS).read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    return base64.b64encode(key.sign(body)).decode()


class _Platform(BaseHTTPRequestHandler):
    """Takes requests and releases; `folder` is set by `serve`."""

    folder: Path
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        number = self.path.rpartition("/")[2]
        with _LOCK, closing(_store(self.folder)) as store:
            done = {what for (what,) in store.execute("SELECT what FROM effects WHERE id = ?", (number,))}
        if self._mode.isdigit():
            self._say(int(self._mode), {"code": "AS_TOLD"})
        elif not done:
            self._say(404, {"code": "NOT_FOUND"})
        elif "release" in done:
            self._say(200, {"id": number, "state": "released"})
        else:
            refuses = self._mode == "refuse"
            self._say(200, {"id": number, "state": "refused" if refuses else "handled", "note": "处理 done"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key, mode = self.headers["Idempotency-Key"], self._mode
        if mode == "silent":
            threading.Event().wait(60)
        if mode.isdigit():
            self._say(int(mode), {"code": "AS_TOLD"})
            return
        if mode in _ODD:
            self._say_raw(*_ODD[mode], pause=0.3 if mode == "slow" else 0.0)
            return
        try:
            signature = base64.b64decode(self.headers["Duanka-Signature"])
            Ed25519PublicKey.from_public_bytes((self.folder / _THEIRS).read_bytes()).verify(signature, body)
        except (InvalidSignature, ValueError, TypeError):
            self._say(401, {"code": "UNAUTHENTICATED"})
            return
        number, what = key.split("-")
        with _LOCK, closing(_store(self.folder)) as store:
            status, told = self._take(store, number, what, key, body, mode)
        self._say(status, told)

    def _take(
        self, store: sqlite3.Connection, number: str, what: str, key: str, body: bytes, mode: str
    ) -> tuple[int, dict[str, object]]:
        store.execute("BEGIN IMMEDIATE")
        known = store.execute("SELECT body FROM came WHERE key = ?", (key,)).fetchone()
        if known and known[0] != body:
            store.execute("INSERT INTO refused VALUES (?, 409)", (key,))
            store.execute("COMMIT")
            return 409, {"code": "CONFLICT"}
        if (
            what == "request"
            and store.execute("SELECT 1 FROM effects WHERE id = ? AND what = 'release'", (number,)).fetchone()
        ):
            store.execute("INSERT INTO refused VALUES (?, 409)", (key,))
            store.execute("COMMIT")
            return 409, {"code": "RELEASED"}
        again = "ON CONFLICT (key) DO UPDATE SET times = times + 1"
        store.execute(f"INSERT INTO came VALUES (?, ?, 1) {again}", (key, body))
        if not known:
            more = "ON CONFLICT (id, what) DO UPDATE SET times = times + 1"
            store.execute(f"INSERT INTO effects VALUES (?, ?, 1) {more}", (number, what))
        store.execute("COMMIT")
        if what == "release":
            return 200, {"id": number, "state": "released"}
        if mode == "at_once":
            return 200, {"id": number, "state": "handled"}
        return 202, {"id": number, "state": "received"}

    @property
    def _mode(self) -> str:
        return (self.folder / _MODE).read_text()

    def _say_raw(self, status: int, body: bytes, headers: dict[str, str], pause: float) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(OSError):  # the client does not wait
            for at in range(0, len(body), 1 if pause else len(body) or 1):
                self.wfile.write(body[at : at + (1 if pause else len(body))])
                self.wfile.flush()
                time.sleep(pause)

    def _say(self, status: int, told: dict[str, object]) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if told.get("state") not in (None, "received"):
            self.send_header("Duanka-Signature", _signed(self.folder, body))
        self.end_headers()
        self.wfile.write(body)


def serve(folder: Path, told: int) -> None:
    """Serve until killed; the port goes to the descriptor `told`."""
    handler = type("Bound", (_Platform,), {"folder": folder})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    os.write(told, f"{server.server_port}\n".encode())
    os.close(told)
    server.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
