"""Links to platforms by HTTP and files: what counts as an answer, and what is tried again."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from duanka.domain.linked_accounts import (
    OutgoingMessage,
    PlatformDown,
    PlatformRefuses,
    PlatformState,
    SentKind,
    TransportKind,
    canonical,
)
from duanka.ledger.people.platform_signatures import PlatformSigner
from duanka.network.platforms.files import FilePlatform
from duanka.network.platforms.http import HttpPatience, HttpPlatform
from support.casework.platform_server import PlatformStub, keys_in, platform_server
from support.photo_server import against, described

pytestmark = pytest.mark.requirement("R4")
NUMBER = "G0123456789AB"
TOLD = {
    "id": NUMBER,
    "account": "u1",
    "phoneNumber": "+8613800000001",
    "kind": "restrict",
    "ground": "confirmed",
    "groundNumber": "京公2026-1",
    "requestedAt": "2026-03-02T08:00:00Z",
    "dueAt": "2026-03-03T08:00:00Z",
}
REQUEST = OutgoingMessage(NUMBER, SentKind.REQUEST, canonical(TOLD))
RELEASE = OutgoingMessage(
    NUMBER, SentKind.RELEASE, canonical({"id": NUMBER, "release": True, "requestedAt": TOLD["requestedAt"]})
)
PATIENT = HttpPatience(connect=2.0, read=1.0, whole=1.0)


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformStub]:
    with platform_server(tmp_path_factory.mktemp("stub"), "Chat") as server:
        yield server


@pytest.fixture
def link(stub: PlatformStub) -> Iterator[HttpPlatform]:
    stub.behaves("later")
    made = HttpPlatform(stub.platform.address, PlatformSigner(stub.platform), PATIENT)
    yield made
    made.close()


def test_what_we_send_is_as_the_document_says() -> None:
    schemas = described("account-platform")["components"]["schemas"]
    assert against("account-platform", schemas["AccountRequest"], json.loads(REQUEST.body)) == ""
    assert against("account-platform", schemas["AccountRelease"], json.loads(RELEASE.body)) == ""
    assert against("account-platform", schemas["AccountRequest"], {**TOLD, "kind": "delete"}) != ""
    parameters = described("account-platform")["components"]["parameters"]
    for message in (REQUEST, RELEASE):
        key = f"{message.request_id}-{message.kind.value}"
        assert against("account-platform", parameters["IdempotencyKey"]["schema"], key) == ""


def test_the_same_message_is_taken_once_and_a_release_after_it(
    link: HttpPlatform, stub: PlatformStub
) -> None:
    assert link.send(REQUEST) is None
    assert link.send(REQUEST) is None
    assert stub.came()[f"{NUMBER}-request"] == 2
    (answer,) = link.answers([NUMBER, "GAAAAAAAAAAAA"])
    assert (answer.state, answer.note) == (PlatformState.HANDLED, "处理 done")
    with pytest.raises(PlatformRefuses, match="409 CONFLICT"):
        link.send(replace(REQUEST, body=canonical({**TOLD, "account": "u2"})))
    released = link.send(RELEASE)
    assert released is not None
    assert released.state is PlatformState.RELEASED
    assert {what: times for (number, what), times in stub.effects().items() if number == NUMBER} == {
        "request": 1,
        "release": 1,
    }


def test_a_release_that_comes_first_keeps_its_request_out(link: HttpPlatform, stub: PlatformStub) -> None:
    number = "GBBBBBBBBBBBB"
    body = canonical({"id": number, "release": True, "requestedAt": TOLD["requestedAt"]})
    assert link.send(OutgoingMessage(number, SentKind.RELEASE, body)) is not None
    late = OutgoingMessage(number, SentKind.REQUEST, canonical({**TOLD, "id": number}))
    with pytest.raises(PlatformRefuses, match="409 RELEASED"):
        link.send(late)
    assert (number, "request") not in stub.effects()


@pytest.mark.parametrize("mode", ["400", "404", "409", "410", "422"])
def test_what_a_platform_never_takes_is_not_sent_again(
    link: HttpPlatform, stub: PlatformStub, mode: str
) -> None:
    stub.behaves(mode)
    with pytest.raises(PlatformRefuses, match=f"{mode} AS_TOLD"):
        link.send(REQUEST)


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("500", "500"),
        ("503", "503"),
        ("429", "429"),
        ("401", "does not take our signature"),
        ("redirect", "we do not follow"),
        ("malformed", "no JSON"),
        ("about_another", "another request"),
        ("packed", "packs its answer"),
        ("large", "larger than"),
        ("slow", "longer than"),
        ("silent", "silent for"),
    ],
)
def test_any_other_failure_is_tried_again(
    link: HttpPlatform, stub: PlatformStub, mode: str, why: str
) -> None:
    stub.behaves(mode)
    with pytest.raises(PlatformDown, match=why):
        link.send(REQUEST)


def test_an_answer_that_another_key_signed_does_not_count(stub: PlatformStub, tmp_path: Path) -> None:
    stub.behaves("at_once")
    other = keys_in(tmp_path / "other", "Chat", TransportKind.HTTP, "")
    signer = PlatformSigner(replace(stub.platform, public_key=other.public_key))
    made = HttpPlatform(stub.platform.address, signer, PATIENT)
    number = "GCCCCCCCCCCCC"
    with pytest.raises(PlatformDown, match="does not bear its signature"):
        made.send(OutgoingMessage(number, SentKind.REQUEST, canonical({**TOLD, "id": number})))
    made.close()


def test_our_key_is_for_our_eyes_alone(stub: PlatformStub, tmp_path: Path) -> None:
    open_key = tmp_path / "open.pem"
    open_key.write_bytes(stub.platform.key_file.read_bytes())
    open_key.chmod(0o644)
    with pytest.raises(PlatformDown, match="chmod 600"):
        PlatformSigner(replace(stub.platform, key_file=open_key))
    with pytest.raises(PlatformDown, match="cannot be read"):
        PlatformSigner(replace(stub.platform, key_file=tmp_path / "missing"))


def test_a_certificate_of_nobody_is_refused(stub: PlatformStub, tmp_path: Path) -> None:
    with _over_tls(tmp_path) as address:
        made = HttpPlatform(address, PlatformSigner(stub.platform), PATIENT)
        with pytest.raises(PlatformDown, match="CERTIFICATE_VERIFY_FAILED"):
            made.send(REQUEST)
        made.close()


@contextmanager
def _over_tls(folder: Path) -> Iterator[str]:
    """A server whose certificate nobody vouches for."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "tls.pem").write_bytes(
        made.sign(key, hashes.SHA256()).public_bytes(pem)
        + key.private_bytes(pem, pkcs8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.pem")
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_by_files_each_is_written_once_and_answers_are_read_once(tmp_path: Path) -> None:
    folder = tmp_path / "exchange"
    platform = keys_in(tmp_path / "keys", "Mall", TransportKind.FILES, str(folder))
    stub = PlatformStub("Mall", tmp_path / "keys", platform)
    made = FilePlatform(folder, PlatformSigner(platform))
    assert made.send(REQUEST) is None
    written = folder / "out" / f"{NUMBER}.request.json"
    assert written.read_bytes() == REQUEST.body
    assert sorted(one.name for one in (folder / "out").glob("*")) == [
        f"{NUMBER}.request.json",
        f"{NUMBER}.request.json.sig",
        "taken",
    ]
    written.replace(folder / "out" / "taken" / written.name)  # the platform took it
    made.send(REQUEST)
    assert not written.exists(), "what it took is not written again"
    body, signature = stub.signs({"id": NUMBER, "state": "handled", "note": "done"})
    (folder / "in" / "a.json").write_bytes(body)
    assert list(made.answers([])) == [], "its signature is not there yet"
    (folder / "in" / "a.json.sig").write_text(signature)
    (folder / "in" / "b.json").write_bytes(body)
    (folder / "in" / "b.json.sig").write_text("A" * 86 + "==")
    (answer,) = made.answers([])
    assert answer.state is PlatformState.HANDLED
    assert (folder / "in" / "refused" / "b.json").exists()
    (again,) = made.answers([])
    assert again == answer, "until it is kept it comes again"
    made.taken([again])
    assert list(made.answers([])) == []
    assert (folder / "in" / "taken" / "a.json").exists()
