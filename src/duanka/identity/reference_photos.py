"""Registered photos from a folder or the operator's HTTP store.

The interface of the store is docs/reference-photos.openapi.yaml. `Endpoint` is the HTTP client for it and for
vendors.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from uuid import uuid4

import httpx

from duanka.domain.errors import DuankaError
from duanka.domain.identity import CheckerDown
from duanka.domain.identity_ports import ReferencePhotos
from duanka.domain.phone_masking import masked_card

_log = logging.getLogger("duanka.identity")

PHOTOS = "DUANKA_REFERENCE_PHOTOS"
MOST_PHOTO = 8_000_000  # bytes
_ENDINGS = (".jpg", ".jpeg", ".png")
_MEDIA = ("image/jpeg", "image/png")
_CARD = re.compile(r"[0-9]{5,20}")  # file names are built from this only, so no path leads out of the folder
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
_KEY = re.compile(r"[\x21-\x7e]{1,4096}")
_ERROR = re.compile(r"[A-Z][A-Z_.]{0,59}")  # no digits, so that an echoed number never gets into our logs

# Connection failures, which are retried once. A read time-out is not: the peer is busy.
_BROKE_OFF = (
    *(httpx.ConnectError, httpx.ConnectTimeout),
    *(httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError),
)


@dataclass(frozen=True)
class HttpTimeouts:
    """Time-outs in seconds: connect, next byte, and the whole call with its retry."""

    connect: float = 3.0
    read: float = 20.0
    whole: float = 30.0


PATIENT = HttpTimeouts()


@dataclass(frozen=True)
class HttpAnswer:
    """An HTTP response. `media`: media type without parameters, in lower case."""

    status: int
    media: str
    body: bytes


class Endpoint:
    """Client of an external HTTP address, limited in time and memory. Thread-safe.

    `called`: its name in messages; `setting`: the setting with the address (that with _KEY holds the key); `most`:
    largest response in bytes. TLS is verified, plain HTTP is allowed on loopback only, redirects are not followed.
    Connections are not kept: a check takes seconds, and a new connection is never stale. Raises DuankaError for a
    malformed address or key.
    """

    def __init__(
        self, url: str, key: str | None, *, called: str, setting: str, most: int, patience: HttpTimeouts
    ) -> None:
        found = _address(url, setting)
        if key is not None and not _KEY.fullmatch(key):
            raise DuankaError(
                f"{setting}_KEY is empty or holds what no header may: blanks, line ends, accents"
            )
        self._url, self._key, self._setting = str(found).rstrip("/"), key, setting
        self._most, self._patience = most, patience
        self.host = found.netloc.decode("ascii")
        self._called = f"{called} at {self.host}"
        self._over_tls = found.scheme == "https"
        try:
            self._tls = httpx.create_ssl_context()  # once, as it reads all certificate authorities
        except OSError:
            raise DuankaError("the certificates in SSL_CERT_FILE or SSL_CERT_DIR cannot be read") from None

    def post(self, path: str, body: bytes, correlator: str, headers: Mapping[str, str]) -> HttpAnswer:
        """Send JSON; CheckerDown for every failure. Blocking, not for an event loop.

        A failed connection is retried once, so the request must be idempotent.
        """
        sent = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "x-correlator": correlator,
            **headers,
        }
        if self._key is not None:
            sent["Authorization"] = f"Bearer {self._key}"
        # do not quote the peer's error: it may contain what we sent, including our key
        try:
            return asyncio.run(self._twice(self._url + path, body, sent))
        except httpx.ConnectTimeout:
            raise self.down(f"no connection in {self._patience.connect:g} s") from None
        except httpx.TimeoutException:
            raise self.down(f"silent for {self._patience.read:g} s") from None
        except TimeoutError:
            raise self.down(f"it took longer than {self._patience.whole:g} s") from None
        except httpx.ConnectError as error:
            raise self.down(f"no connection: {error}") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError):
            raise self.down("the connection broke off") from None

    def down(self, why: str) -> CheckerDown:
        """Return the error with this reason."""
        return CheckerDown(f"{self._called} does not answer as it should: {why}")

    def refused(self, answer: HttpAnswer) -> CheckerDown:
        """Return the error for an unwanted status; quotes the body's `code`, never its message."""
        if answer.status in (401, 403):
            return self.down(f"{answer.status}: it does not take our key; see {self._setting}_KEY")
        if 300 <= answer.status < 400:
            return self.down(f"{answer.status}: it redirects, which we do not follow; see {self._setting}")
        return self.down(f"{answer.status} {code_of(answer)}".rstrip())

    async def _twice(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        # for the whole call, because a peer that sends byte by byte never exceeds the read time-out
        async with asyncio.timeout(self._patience.whole):
            try:
                return await self._once(url, body, headers)
            except _BROKE_OFF:
                return await self._once(url, body, headers)

    async def _once(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        wait = httpx.Timeout(self._patience.read, connect=self._patience.connect)
        # an operator's proxy (HTTPS_PROXY) forwards TLS without reading it; plain HTTP must not leave this machine
        client = httpx.AsyncClient(verify=self._tls, trust_env=self._over_tls, timeout=wait)
        async with client, client.stream("POST", url, content=body, headers=headers) as came:
            if came.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise self.down("it packs its answer, which we did not ask for")
            said = bytearray()
            async for piece in came.aiter_raw():
                said += piece
                if len(said) > self._most:
                    raise self.down(f"its answer is larger than {self._most:,} bytes")
            media = came.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            return HttpAnswer(came.status_code, media, bytes(said))


class DirectoryPhotos:
    """Photos CARD.jpg, .jpeg or .png in a folder; CARD is E.164 without +. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fetch(self, card: str) -> bytes | None:
        """Return the photo; None if there is none or `card` is no number. Raises CheckerDown."""
        if not _CARD.fullmatch(card):
            return None
        try:
            for ending in _ENDINGS:
                photo = self._read(card, ending)
                if photo is not None:
                    return photo
            if not self._folder.is_dir():
                raise CheckerDown(f"the folder of registered photos is not there; see {PHOTOS}")
        except CheckerDown as error:
            _log.warning("%s", error)
            raise
        return None

    def _read(self, card: str, ending: str) -> bytes | None:
        where = f"the registered photo of {masked_card(card)} ({ending})"
        try:
            # O_NONBLOCK: a named pipe of that name would block
            opened = os.open(self._folder / f"{card}{ending}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CheckerDown(f"{where} cannot be read: {error.strerror}") from None
        try:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                raise CheckerDown(f"{where} is not a file")
            with os.fdopen(opened, "rb", closefd=False) as file:
                photo = file.read(MOST_PHOTO + 1)
        except OSError as error:
            raise CheckerDown(f"{where} cannot be read: {error.strerror}") from None
        finally:
            os.close(opened)
        if not 0 < len(photo) <= MOST_PHOTO:
            raise CheckerDown(f"{where} is empty or larger than {MOST_PHOTO:,} bytes")
        return photo


class HttpPhotos:
    """Photos from the operator's store. Thread-safe. Numbers go into the body: URLs are logged."""

    def __init__(self, url: str, key: str | None, *, patience: HttpTimeouts = PATIENT) -> None:
        self._endpoint = Endpoint(
            url,
            key,
            called="the store of registered photos",
            setting=PHOTOS,
            most=MOST_PHOTO,
            patience=patience,
        )

    def fetch(self, card: str) -> bytes | None:
        """Return the photo; None if there is none or `card` is no number. Raises CheckerDown."""
        if not _CARD.fullmatch(card):
            return None
        correlator = str(uuid4())
        body = json.dumps({"phoneNumber": f"+{card}"}).encode()
        try:
            answer = self._endpoint.post("/photo-searches", body, correlator, {"Accept": ", ".join(_MEDIA)})
            return self._photo(answer)
        except CheckerDown as error:
            _log.warning("%s (%s, x-correlator %s)", error, masked_card(card), correlator)
            raise

    def _photo(self, answer: HttpAnswer) -> bytes | None:
        # a 404 without our code means a wrong address, which must not silently send every holder to the counter
        if answer.status == 204 or (answer.status == 404 and code_of(answer).endswith("NOT_FOUND")):
            return None
        if answer.status != 200:
            raise self._endpoint.refused(answer)
        if answer.media not in _MEDIA or not answer.body:
            raise self._endpoint.down("what it sends is neither JPEG nor PNG")
        return answer.body


def is_photo_name(name: str) -> bool:
    """Whether a file of this name is a card's photo."""
    path = Path(name)
    return path.suffix in _ENDINGS and _CARD.fullmatch(path.stem) is not None


def photos_of(setting: str, key: str | None, patience: HttpTimeouts = PATIENT) -> ReferencePhotos:
    """Open the photos at `setting`, a folder or an address. Raises DuankaError."""
    if _SCHEME.match(setting):
        return HttpPhotos(setting, key, patience=patience)
    folder = Path(setting)
    if not setting or not folder.is_dir():
        raise DuankaError(f"{PHOTOS} is neither a folder that is there nor an address like https://host/path")
    return DirectoryPhotos(folder)


def parsed(body: bytes) -> object:
    """Parse JSON; None if it is malformed."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def code_of(answer: HttpAnswer) -> str:
    """Return the error code of a response in CAMARA's format; "" if it has none."""
    said = parsed(answer.body)
    code = said.get("code") if isinstance(said, dict) else None
    return code if isinstance(code, str) and _ERROR.fullmatch(code) else ""


def _address(url: str, setting: str) -> httpx.URL:
    """Parse the address; errors never quote it, as it may contain a password."""
    try:
        found = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise DuankaError(f"{setting} is not an address; write it like https://host/path") from None
    if found.scheme not in ("http", "https") or not found.host:
        raise DuankaError(f"{setting} is not an address; write it like https://host/path")
    if found.userinfo or found.query or found.fragment:
        raise DuankaError(f"{setting}: no user, ? or # in the address; a key goes into {setting}_KEY")
    if found.scheme == "http" and not _loopback(found.host):
        raise DuankaError(f"{setting}: faces go over https:// only; http:// is for this machine")
    return found


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
