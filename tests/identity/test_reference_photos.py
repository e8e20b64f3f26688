"""Registered photos out of a folder and out of a store, and what holds for every address asked about faces."""

from __future__ import annotations

import logging
import os
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from duanka.domain.errors import DuankaError
from duanka.domain.identity import CheckerDown
from duanka.domain.identity_ports import ReferencePhotos
from duanka.identity.reference_photos import MOST_PHOTO, DirectoryPhotos, HttpPhotos, HttpTimeouts, photos_of
from duanka.identity.vendor import vendor_of
from support.generated_questions import ask_each_operation
from support.photo_server import (
    CLOSE,
    GENERATED,
    KEY,
    SILENT,
    Say,
    StubPhotos,
    described,
    dripping,
    photo_server,
    says,
)
from support.waiting import HANG

NAME = "reference-photos"
CARD = "8613800138000"
MASKED = "+86 138****8000"
JPEG, PNG = b"\xff\xd8\xff\xe0 a photo", b"\x89PNG\r\n\x1a\n a photo"
SECRET = b"a secret of a test, of thirty-two b"
IMPATIENT = HttpTimeouts(connect=1.0, read=0.3, whole=0.8)


@pytest.fixture(scope="module")
def stub() -> Iterator[StubPhotos]:
    with photo_server() as running:
        yield running


@pytest.fixture
def server(stub: StubPhotos) -> StubPhotos:
    stub.script.clear()
    stub.heard.clear()
    stub.photos.clear()
    return stub


@pytest.fixture
def store(server: StubPhotos) -> HttpPhotos:
    return HttpPhotos(server.url, server.key, patience=HttpTimeouts(1.0, 5.0, 10.0))


def _down(photos: ReferencePhotos) -> str:
    with pytest.raises(CheckerDown) as raised:
        photos.fetch(CARD)
    assert CARD not in str(raised.value)
    assert KEY not in str(raised.value)
    return str(raised.value)


# A folder


@pytest.mark.parametrize("ending", ["jpg", "jpeg", "png"])
def test_a_photo_in_a_folder(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"{CARD}.{ending}").write_bytes(JPEG)
    photos: ReferencePhotos = photos_of(str(tmp_path), None)
    assert photos.fetch(CARD) == JPEG
    assert photos.fetch("8613800138001") is None


@given(
    card=st.text(max_size=25)
    | st.sampled_from(["../x", "8613800138000/", "..", "1234", "٨٦١٣٨٠٠١٣٨", "1" * 21])
)
def test_no_card_leads_out_of_the_folder(tmp_path_factory: pytest.TempPathFactory, card: str) -> None:
    outside = tmp_path_factory.getbasetemp() / "x.jpg"
    outside.write_bytes(b"not for them")
    folder = outside.parent / "photos"
    folder.mkdir(exist_ok=True)
    assert DirectoryPhotos(folder).fetch(card) is None


def test_photos_that_cannot_be_read_are_told_without_the_number(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photos, file = DirectoryPhotos(tmp_path), tmp_path / f"{CARD}.jpg"
    file.mkdir()
    assert "is not a file" in _down(photos)
    file.rmdir()
    os.mkfifo(file)  # waits for a writer, whom there is none
    assert "is not a file" in _down(photos)
    file.unlink()
    file.symlink_to(file)
    assert "cannot be read" in _down(photos)
    file.unlink()
    file.write_bytes(b"")
    assert "empty or larger" in _down(photos)
    with file.open("r+b") as grown:
        grown.truncate(MOST_PHOTO + 1)
    assert f"photo of {MASKED} (.jpg) is empty or larger than 8,000,000 bytes" in _down(photos)
    file.write_bytes(JPEG)
    assert photos.fetch(CARD) == JPEG
    assert caplog.text.count(MASKED) == 5
    assert CARD not in caplog.text


def test_a_folder_that_went_away_is_not_a_holder_without_a_photo(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    photos = photos_of(str(folder), None)
    folder.rmdir()
    assert "see DUANKA_REFERENCE_PHOTOS" in _down(photos)
    folder.write_text("a file now")
    assert "cannot be read" in _down(photos)


# A store


@pytest.mark.parametrize(
    "photo", [JPEG, PNG, JPEG + bytes(MOST_PHOTO - len(JPEG))], ids=["jpeg", "png", "large"]
)
def test_a_photo_in_a_store(store: HttpPhotos, server: StubPhotos, photo: bytes) -> None:
    server.photos[CARD] = photo
    assert store.fetch(CARD) == photo
    assert server.heard[0].json == {"phoneNumber": f"+{CARD}"}
    assert CARD not in server.heard[0].path + str(server.heard[0].headers)
    assert server.heard[0].headers["accept-encoding"] == "identity"


def test_who_has_no_photo(store: HttpPhotos, server: StubPhotos) -> None:
    assert store.fetch(CARD) is None
    server.script.append(Say(status=204))
    assert store.fetch(CARD) is None
    server.script.append(says({"status": 404, "code": "IDENTIFIER_NOT_FOUND", "message": ""}, 404))
    assert store.fetch(CARD) is None
    assert store.fetch("a-holder") is None
    assert len(server.heard) == 3


ANSWERS = {
    "other-404": (Say(b"<html>", 404, "text/html"), ": 404"),
    "login-page": (Say(b"<html>", 200, "text/html"), "neither JPEG nor PNG"),
    "empty": (Say(b"", 200, "image/jpeg"), "neither JPEG nor PNG"),
    "key": (says({"status": 403, "code": "PERMISSION_DENIED", "message": KEY}, 403), "REFERENCE_PHOTOS_KEY"),
    "number-as-code": (says({"status": 500, "code": CARD, "message": CARD}, 500), ": 500"),
    "code": (says({"status": 503, "code": "UNAVAILABLE", "message": CARD}, 503), "503 UNAVAILABLE"),
    "redirect": (Say(status=302, headers={"location": "http://127.0.0.1:1/"}), "redirects"),
    "packed": (Say(JPEG, 200, "image/jpeg", {"content-encoding": "br"}), "packs"),
    "declared-large": (Say(bytes(MOST_PHOTO + 1), 200, "image/jpeg"), "larger than 8,000,000 bytes"),
}


@pytest.mark.parametrize(("say", "says_what"), ANSWERS.values(), ids=ANSWERS)
def test_a_store_that_answers_otherwise_is_told(
    store: HttpPhotos, server: StubPhotos, say: Say, says_what: str
) -> None:
    server.script.append(say)
    assert says_what in _down(store)
    assert len(server.heard) == 1


def test_an_answer_without_end_fills_no_memory(store: HttpPhotos, server: StubPhotos) -> None:
    server.script.append(Say([bytes(1_000_000)] * 100, 200, "image/jpeg"))
    tracemalloc.start()
    try:
        assert "larger than 8,000,000 bytes" in _down(store)
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()


def test_bytes_that_come_one_by_one_do_not_hold_us_up(server: StubPhotos) -> None:
    hasty = HttpPhotos(server.url, server.key, patience=IMPATIENT)
    began = time.monotonic()
    server.script.append(Say([b"\xff"] * 1000, 200, "image/jpeg", pause=0.05))
    assert "longer than 0.8 s" in _down(hasty)
    with dripping(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1000, 0.05) as url:
        assert "longer than 0.8 s" in _down(HttpPhotos(url, None, patience=IMPATIENT))
    assert time.monotonic() - began < HANG / 4


def test_a_store_that_hangs_up_is_asked_again_and_a_silent_one_is_not(
    store: HttpPhotos, server: StubPhotos
) -> None:
    server.photos[CARD] = JPEG
    server.script.append(CLOSE)
    assert store.fetch(CARD) == JPEG
    server.script.extend([CLOSE, Say([JPEG], 200, "image/jpeg", {"content-length": "99"})])
    assert "broke off" in _down(store)
    assert len(server.heard) == 4
    server.script.append(SILENT)
    assert "silent for 0.3 s" in _down(HttpPhotos(server.url, server.key, patience=IMPATIENT))
    assert len(server.heard) == 5


def test_logs_hold_no_number_in_full(
    store: HttpPhotos, server: StubPhotos, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.photos[CARD] = JPEG
    store.fetch(CARD)
    server.script.append(Say(status=503))
    _down(store)
    assert f"503 ({MASKED}, x-correlator {server.heard[1].headers['x-correlator']})" in caplog.text
    assert CARD not in caplog.text
    assert KEY not in caplog.text


# How they are set


@pytest.mark.parametrize(
    ("setting", "says_what"),
    [
        ("", "neither a folder"),
        ("no/such/folder", "neither a folder"),
        ("photos.operator.example", "neither a folder"),
        ("ftp://photos.example", "not an address"),
        ("https://", "not an address"),
        ("https:/photos.example", "not an address"),
        ("https://photos.example:port", "not an address"),
        ("https://user:word@photos.example", "no user"),
        ("https://photos.example?key=word", "no user"),
        ("http://photos.example", "https:// only"),
        ("http://localhost.photos.example", "https:// only"),
        ("http://10.0.0.1", "https:// only"),
    ],
)
def test_a_setting_that_will_not_do_is_refused_and_not_quoted(setting: str, says_what: str) -> None:
    with pytest.raises(DuankaError, match=f"^DUANKA_REFERENCE_PHOTOS.*{says_what}") as raised:
        photos_of(setting, "a-key")
    assert "word" not in str(raised.value)
    if "://" in setting:
        with pytest.raises(DuankaError, match=f"^DUANKA_FACE.*{says_what}"):
            vendor_of(setting, "a-key", SECRET)


@pytest.mark.parametrize("key", ["", "two words", "line\nend", "schlüssel"])
def test_a_key_of_a_wrong_form_is_refused_and_not_quoted(key: str) -> None:
    for made in (
        lambda: photos_of("https://photos.example", key),
        lambda: vendor_of("https://vendor.example", key, SECRET),
    ):
        with pytest.raises(DuankaError, match="_KEY is empty or holds") as raised:
            made()
        assert not key or key not in str(raised.value)


def test_what_a_vendor_needs_besides() -> None:
    with pytest.raises(DuankaError, match="DUANKA_FACE is neither `embedded` nor"):
        vendor_of("embeded", None, SECRET)
    with pytest.raises(DuankaError, match="set DUANKA_FACE_KEY"):
        vendor_of("https://vendor.example", None, SECRET)
    with pytest.raises(DuankaError, match="16 bytes"):
        vendor_of("https://vendor.example", "a-key", b"short")


@pytest.mark.parametrize("url", ["https://vendor.example/v1/", "http://[::1]:8080", "http://localhost:1"])
def test_a_vendor_is_named_by_its_host(url: str) -> None:
    assert vendor_of(url, "a-key", SECRET).name == url.split("/")[2]


def _certificate(folder: Path, host: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a supplier of a test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{host}.pem", folder / f"{host}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files[1].write_bytes(secret)
    return files


@pytest.mark.parametrize(
    ("host", "trusted", "passes"),
    [("127.0.0.1", True, True), ("127.0.0.1", False, False), ("127.0.0.2", True, False)],
    ids=["trusted", "untrusted", "other-host"],
)
def test_a_certificate_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, trusted: bool, passes: bool
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    certificate = _certificate(tmp_path, host)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with photo_server(certificate) as server:
        server.photos[CARD] = JPEG
        photos = HttpPhotos(server.url, server.key)
        if passes:
            assert photos.fetch(CARD) == JPEG
        else:
            assert "certificate verify failed" in _down(photos)
        assert bool(server.heard) is passes


def test_authorities_that_cannot_be_read_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(DuankaError, match="SSL_CERT_FILE"):
        photos_of("https://photos.example", "a-key")


# The contract


def test_the_description_is_one() -> None:
    OPENAPI_31_VALIDATOR.validate(described(NAME))
    assert described(NAME)["components"]["schemas"]["Photo"]["maxLength"] == MOST_PHOTO


def test_every_answer_of_the_stub_is_as_described(stub: StubPhotos, subtests: pytest.Subtests) -> None:
    @GENERATED
    def ask(case: Any) -> None:
        stub.script.clear()
        case.call_and_validate(base_url=stub.url, headers={"Authorization": f"Bearer {stub.key}"})

    ask_each_operation(schemathesis.openapi.from_dict(dict(described(NAME))), ask, subtests)
