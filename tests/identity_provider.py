"""An identity provider that says and signs whatever a test wants, over real HTTP, and remembers what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

CLIENT_ID, CLIENT_SECRET = "sdcrs-test", "a secret of the test"
RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
OTHER_RSA = RSAKey.generate_key(2048, {"kid": "rsa-2"})
EC = ECKey.generate_key("P-256", {"kid": "ec-1"})
TEACHER = {
    "name": "Made Up",
    "phone": "5512345678",
    "email": "made.up@example.org",
    "designation": "TGT",
    "school_code": "DJGHS001",
    "school_name": "Govt High School Djibouti",
    "district_code": "DJ01",
    "upi_vpa": "made.up@okaxis",
    "bank_account": "1234567890",
    "ifsc": "AXIS0001234",
    "status": "ACTIVE",
}


@dataclass
class FakeProvider:
    """What it says: change it before the sign-in. `sign` makes the ID token from the claims."""

    issuer: str
    now: Callable[[], datetime]
    keys: list[Any] = field(default_factory=lambda: [RSA, EC])
    claims: dict[str, Any] = field(default_factory=dict)  # beside or instead of the right ones
    left_out: tuple[str, ...] = ()
    user_info: dict[str, Any] | None = None
    described: dict[str, Any] = field(default_factory=dict)  # beside or instead of the right description
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)  # of a path, instead of its own
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)  # path, headers, form
    sign: Callable[[dict[str, Any]], str] = field(default=lambda claims: signed(claims, RSA, "RS256"))
    nonces: dict[str, str] = field(default_factory=dict)  # of the codes given out

    def authorize(self, url: str, code: str = "") -> tuple[str, str]:
        """What the person does there: code and state as they come back."""
        asked = {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
        code = code or f"code-{len(self.nonces)}"
        self.nonces[code] = asked["nonce"]
        return code, asked["state"]

    def id_claims(self, code: str) -> dict[str, Any]:
        now_s = int(self.now().timestamp())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now_s, "exp": now_s + 300, "nonce": self.nonces.get(code, ""), **self.claims}
        return {name: value for name, value in claims.items() if name not in self.left_out}

    def answer(self, method: str, path: str, headers: dict[str, str], form: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        self.asked.append((path, headers, form))
        if path in self.answers:
            return self.answers[path]
        if path == "/.well-known/openid-configuration":
            return said(
                {
                    "issuer": self.issuer,
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}/token",
                    "jwks_uri": f"{self.issuer}/keys",
                    **({"userinfo_endpoint": f"{self.issuer}/me"} if self.user_info is not None else {}),
                    **self.described,
                }
            )
        if path == "/keys":
            return said({"keys": [key if isinstance(key, dict) else key.as_dict(private=False) for key in self.keys]})
        if path == "/me":
            return said(self.user_info or {})
        if path == "/token" and method == "POST":
            if form.get("code") not in self.nonces:
                return said({"error": "invalid_grant"}, 400)
            token = self.sign(self.id_claims(form["code"]))
            del self.nonces[form["code"]]
            return said({"access_token": "at", "token_type": "Bearer", "expires_in": 300, "id_token": token, "scope": "openid"})
        return 404, {}, b""

    def times(self, path: str) -> int:
        return sum(one == path for one, _, _ in self.asked)


def said(body: Any, status: int = 200) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()


def signed(claims: dict[str, Any], key: Any, algorithm: str, **header: Any) -> str:
    return jwt.encode({"alg": algorithm, "kid": key.kid, **header}, claims, key, algorithms=[algorithm])


@contextmanager
def fake_provider(now: Callable[[], datetime]) -> Iterator[FakeProvider]:
    """The provider on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            form = {name: values[-1] for name, values in parse_qs(body).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, given, content = provider.answer(self.command, urlsplit(self.path).path, headers, form)
            self.send_response(status)
            for name, value in given.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = FakeProvider(f"http://127.0.0.1:{server.server_port}", now)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
