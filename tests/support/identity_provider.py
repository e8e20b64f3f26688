"""A small OpenID Connect provider on loopback: real HTTP, real signatures, and answers that no provider should give."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, Key

CLIENT, SECRET = "duanka", "a secret of the client"


@dataclass
class Provider:
    """Signs `subject` in without asking. What may be bent stands below `keys`; `asked`: paths, in order."""

    clock: Callable[[], datetime]
    issuer: str = ""
    subject: str = "s-1"
    keys: list[Key] = field(default_factory=lambda: [ECKey.generate_key("P-256", {"kid": "one"})])
    algorithm: str = "ES256"
    claims: dict[str, Any] = field(default_factory=dict)  # None: left out
    discovery: dict[str, Any] = field(default_factory=dict)
    token: Callable[[str], str] = lambda made: made
    status: int = 200
    body: bytes | None = None  # of every answer
    basic: bool = True
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser is sent back to, with a code."""
        code = secrets.token_urlsafe(8)
        self.codes[code] = query
        back = {"code": code, "state": query["state"], "iss": self.issuer, "session_state": "of.theirs"}
        return f"{query['redirect_uri']}?{urlencode(back)}"

    def exchange(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """Tokens for a code, once; to who has its verifier and the client's secret."""
        named = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        posted = (form.get("client_id"), form.get("client_secret")) == (CLIENT, SECRET)
        if not (authorization == f"Basic {named}" if self.basic else posted):
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form["redirect_uri"]
        ):
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "a", "token_type": "Bearer", "id_token": self.signed(asked["nonce"])}

    def signed(self, nonce: str) -> str:
        """A token about the subject, bent as `claims`, `algorithm` and `token` say."""
        now = int(self.clock().timestamp())
        said = {"iss": self.issuer, "sub": self.subject, "aud": CLIENT, "iat": now, "exp": now + 300}
        said = {
            name: value
            for name, value in {**said, "nonce": nonce, **self.claims}.items()
            if value is not None
        }
        header = {"alg": self.algorithm, "kid": str(self.keys[-1].kid)}
        return self.token(jwt.encode(header, said, self.keys[-1], algorithms=[self.algorithm]))

    def said(self) -> dict[str, Any]:
        """Its discovery document."""
        ways = ["client_secret_basic"] if self.basic else ["client_secret_post"]
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "token_endpoint_auth_methods_supported": ways,
            **self.discovery,
        }


@contextmanager
def provider(clock: Callable[[], datetime]) -> Iterator[Provider]:
    """A provider, served until the end of the block."""
    made = Provider(clock)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            made.asked.append(asked.path)
            if asked.path == "/authorize":
                query = {name: values[0] for name, values in parse_qs(asked.query).items()}
                self.send_response(303)
                self.send_header("Location", made.authorize(query))
                self.end_headers()
                return
            said = {"keys": [key.as_dict(private=False) for key in made.keys]}
            self._answer(made.status, made.said() if "well-known" in asked.path else said)

        def do_POST(self) -> None:
            made.asked.append(self.path)
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            given = {name: values[0] for name, values in form.items()}
            status, said = made.exchange(given, self.headers.get("Authorization", ""))
            self._answer(made.status if made.status != 200 else status, said)

        def _answer(self, status: int, said: dict[str, Any]) -> None:
            body = json.dumps(said).encode() if made.body is None else made.body
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            del args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def query_of(url: str) -> dict[str, str]:
    """The query of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def with_query(path: str, query: dict[str, str]) -> str:
    """A path with this query."""
    return f"{path}?{urlencode(query, quote_via=quote)}"
