"""The client against a real server that misbehaves: no answer may take it longer, larger, or elsewhere than it allows."""

import socket
import ssl
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pipeline.outbound import wire
from pipeline.outbound.wire import MAX_ANSWER_BYTES, Line, WireError
from tests.validator_service import Say, Service, open_service, say

HERE = (ip_network("127.0.0.1"),)
CONNECT_S, READ_S = 0.5, 0.5


@pytest.fixture
def line():
    found = Line(HERE)
    yield found
    found.close()


def post(line: Line, url: str, body: bytes = b"{}", headers=()):
    return line.post(url, headers, body, CONNECT_S, READ_S)


def why(line: Line, url: str, body: bytes = b"{}") -> str:
    begun = time.monotonic()
    with pytest.raises(WireError) as caught:
        post(line, url, body)
    assert time.monotonic() - begun < CONNECT_S + READ_S + 0.5
    return caught.value.why


def test_a_question_and_its_answer(line: Line, service: Service) -> None:
    service.will("/x", say({"ok": True}))
    reply = post(line, f"{service.url}/x", b'{"a": 1}', [("X-API-Key", "secret")])
    assert (reply.status, reply.body) == (200, b'{"ok": true}')
    (asked,) = service.on("/x")
    assert asked.json == {"a": 1}
    assert asked.headers["x-api-key"] == "secret"
    assert asked.headers["host"] == f"127.0.0.1:{service.port}"
    assert asked.headers["accept-encoding"] == "identity"
    assert "user-agent" not in asked.headers


def test_a_connection_serves_the_next_call_too(line: Line, service: Service) -> None:
    service.will("/x", say({}))
    for _ in range(5):
        post(line, f"{service.url}/x")
    assert (len(service.asked), service.connections) == (5, 1)


def test_a_connection_that_the_server_closed_meanwhile_is_no_failure(line: Line, service: Service) -> None:
    service.will("/x", say({}, headers={"Connection": "close"}))
    for _ in range(3):
        assert post(line, f"{service.url}/x").status == 200


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Say(wait_s=3), "TIMEOUT"),
        (Say(body=b"x" * 1000, drip_s=0.1), "TIMEOUT"),  # each byte in time, the whole never
        (Say(body=b"x" * (MAX_ANSWER_BYTES + 1)), "TOO_LARGE"),
        (Say(body=b"x" * 100, headers={"Content-Encoding": "gzip"}), "ENCODED"),
        (Say(body=b"x" * 100, cut=True), "BROKEN"),
        (Say(headers={"X-Long": "x" * 200_000}), "BROKEN"),
        (Say(headers={"Content-Length": "many"}), "BROKEN"),
        (Say(status=99), "BROKEN"),
    ],
)
def test_an_answer_that_is_none(answer: Say, expected: str, line: Line, service: Service) -> None:
    service.will("/x", answer)
    assert why(line, f"{service.url}/x") == expected
    service.will("/x", say({}))
    assert post(line, f"{service.url}/x").status == 200  # and the line still works


def test_a_redirect_is_an_answer_and_is_not_followed(line: Line, service: Service) -> None:
    service.will("/x", Say(status=302, headers={"Location": f"{service.url}/secret"}))
    service.will("/secret", say({"secret": True}))
    assert post(line, f"{service.url}/x").status == 302
    assert service.on("/secret") == []


def test_where_nobody_listens_is_said(line: Line) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert why(line, f"http://127.0.0.1:{port}/x") == "UNREACHABLE"


def test_a_server_that_takes_the_call_and_says_nothing(line: Line) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert why(line, f"http://127.0.0.1:{silent.getsockname()[1]}/x", b"x" * 5_000_000) == "TIMEOUT"


def test_headers_that_drip_do_not_last_longer_than_the_call(line: Line) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            conn, _ = server.accept()
            with conn:
                conn.recv(65536)
                try:
                    for byte in b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 100:
                        conn.sendall(bytes([byte]))
                        time.sleep(0.05)
                except OSError:
                    return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        assert why(line, f"http://127.0.0.1:{server.getsockname()[1]}/x") == "TIMEOUT"
        thread.join(5)


def test_an_address_that_is_not_named_is_not_called(service: Service) -> None:
    closed = Line(())
    assert why(closed, f"{service.url}/x") == "REFUSED"
    assert why(closed, f"http://localhost:{service.port}/x") == "REFUSED"
    assert why(closed, f"http://[::ffff:127.0.0.1]:{service.port}/x") == "REFUSED"
    assert service.connections == 0


def test_a_proxy_of_the_environment_is_not_used(line: Line, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_service() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        service.will("/x", say({}))
        assert post(line, f"{service.url}/x").status == 200
        assert proxy.asked == []


def test_a_name_is_looked_up_once_and_the_call_goes_where_that_answer_said(
    line: Line, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that answers with an allowed address first and another one after must not be asked a second time."""
    lookups: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, port: int, *args: object, **options: object) -> object:
        if host == "ai.test" or host == b"ai.test":
            lookups.append(str(host))
            address = "127.0.0.1" if len(lookups) == 1 else "10.0.0.1"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]
        assert ip_address(host)  # whatever else is looked up is an address already
        return real(host, port, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    service.will("/x", say({"reached": True}))
    assert post(line, f"http://ai.test:{service.port}/x").status == 200
    assert len(lookups) == 1
    assert service.on("/x")[0].headers["host"] == f"ai.test:{service.port}"
    assert why(Line(HERE), f"http://ai.test:{service.port}/x") == "REFUSED"  # now it leads elsewhere


def test_a_name_server_that_does_not_answer_holds_nobody_up(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: over.wait(5) and [])
    try:
        assert why(line, "http://ai.test:80/x") == "UNREACHABLE"
    finally:
        over.set()


@pytest.mark.parametrize(
    "answer",
    [
        b"X-API-Key: secret-value {}\r\n\r\n",  # no status line
        b"HTTP/1.1 200 OK\r\nX-Echo\x00: secret-value\r\n\r\n",  # a header that is none
        b"HTTP/1.1 200 OK\r\nsecret-value\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsecret-value\r\n",
    ],
)
def test_what_a_broken_answer_repeats_of_the_question_is_told_to_nobody(line: Line, answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def echo() -> None:
            conn, _ = server.accept()
            with conn:
                conn.recv(65536)
                conn.sendall(answer)

        threading.Thread(target=echo, daemon=True).start()
        with pytest.raises(WireError) as caught:
            post(line, f"http://127.0.0.1:{server.getsockname()[1]}/x")
    assert caught.value.why == "BROKEN"
    assert "secret" not in str(caught.value)


# TLS


def _name(words: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, words)])


def authority(folder: Path, host: str) -> tuple[Path, ssl.SSLContext]:
    """An authority's certificate, and a server's with a certificate of it for `host`."""
    now = datetime.now(UTC)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def certificate(subject: str, public, extensions) -> x509.Certificate:
        builder = x509.CertificateBuilder().subject_name(_name(subject)).issuer_name(_name("Test authority")).public_key(public)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        builder = builder.not_valid_after(now + timedelta(days=1))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(root_key, hashes.SHA256())

    identifier = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    root = certificate(
        "Test authority", root_key.public_key(), [(x509.BasicConstraints(True, None), True), (identifier, False), (usage, True)]
    )
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    issued_by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    leaf = certificate(host, key.public_key(), [(names, False), (issued_by, False), (x509.BasicConstraints(False, None), True)])
    (folder / "root.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    (folder / "leaf.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf.pem", folder / "key.pem")
    return folder / "root.pem", context


def test_certificates_are_verified_for_the_name_that_was_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, server = authority(tmp_path, "localhost")
    with open_service(server) as service:
        service.will("/x", say({}))
        assert why(Line(HERE), f"https://localhost:{service.port}/x") == "TLS"  # nobody trusts that authority
        monkeypatch.setenv("SSL_CERT_FILE", str(root))
        wire._tls.cache_clear()
        try:
            with closing(Line((*HERE, ip_network("::1")))) as trusting:
                assert post(trusting, f"https://localhost:{service.port}/x").status == 200
            assert why(Line(HERE), f"https://127.0.0.1:{service.port}/x") == "TLS"  # the certificate is for another name
        finally:
            wire._tls.cache_clear()
    assert httpx.create_ssl_context().verify_mode == ssl.CERT_REQUIRED


def test_a_server_that_speaks_no_tls_is_refused(line: Line, service: Service) -> None:
    assert why(line, f"https://127.0.0.1:{service.port}/x") in ("TLS", "BROKEN", "UNREACHABLE")
    assert service.asked == []
