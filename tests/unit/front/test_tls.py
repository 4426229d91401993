"""TLS on real sockets: both doors speak it with the site's certificate, and say when not."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import reactor as untyped
from twisted.internet.threads import deferToThread

from fep.domain.faults import Refused
from fep.services.callers import Callers
from fep.services.callers_limits import Addresses
from fep.services.desk_checks import State, doors
from fep.services.doors import doors_of
from fep.services.front import Front, Route
from fep.services.front_tls import listening
from fep.services.http_values import HttpAnswer, HttpRequest
from fep.services.intake import DoorSettings
from fep.settings import ApiSettings
from fep.settings_http import HttpSettings, TlsSettings
from tests.unit.front.hall import Heard
from tests.unit.services.line import TOKEN, Hall, echo
from tests.unit.services.test_intake_auth import MovedClock

# Twisted 26 hands pyOpenSSL its own objects.
pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")
reactor: Any = untyped
SSL = "ssl:0:interface=127.0.0.1"


def certificate(place: Path, name: str = "tls") -> TlsSettings:
    """Write a certificate for localhost and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
        .public_key(key.public_key()).serial_number(7)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    files = TlsSettings(cert=place / f"{name}.crt", key=place / f"{name}.key")
    files.cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ))  # fmt: skip
    return files


@pytest.fixture
def files(tmp_path: Path) -> TlsSettings:
    """A pair that belongs together."""
    return certificate(tmp_path)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else holds."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1]


def _front(listen: tuple[str, ...], tls: TlsSettings, seen: list[HttpRequest]) -> Front:
    async def door(request: HttpRequest) -> HttpAnswer:
        seen.append(request)
        return HttpAnswer(200, "text/plain", b"fine")

    settings = HttpSettings(listen=listen)
    return Front(reactor, settings, tls, [Route("/rpc", door)], Heard(), lambda: "ref")


async def _closed(front: Front) -> None:
    await front.close_doors()
    await front.close()


def _context(files: TlsSettings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(files.cert))


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [(["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1"), (["h2"], None), (["x"], None)],
)
@pytest_twisted.ensureDeferred
async def test_a_client_that_offers_protocols_is_answered(
    files: TlsSettings, offered: list[str], agreed: str | None
):
    """curl, browsers, .NET and Java all offer some (ALPN)."""
    front = _front((SSL,), files, [])
    await front.open()
    port = front._ports[0].getHost().port

    def ask() -> tuple[str | None, bytes]:
        context = _context(files)
        context.set_alpn_protocols(offered)
        with (
            socket.create_connection(("localhost", port), 5) as line,
            context.wrap_socket(line, server_hostname="localhost") as sealed,
        ):
            sealed.sendall(b"POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
            return sealed.selected_alpn_protocol(), sealed.recv(100)

    told = await deferToThread(ask)
    await _closed(front)

    assert agreed == told[0]
    assert told[1].startswith(b"HTTP/1.1 200 ")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest_twisted.ensureDeferred
async def test_nothing_older_than_tls_1_2_is_spoken(files: TlsSettings):
    front = _front((SSL,), files, [])
    await front.open()
    port = front._ports[0].getHost().port

    def ask(version: ssl.TLSVersion) -> str | None:
        context = _context(files)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        with (
            socket.create_connection(("localhost", port), 5) as line,
            context.wrap_socket(line, server_hostname="localhost") as sealed,
        ):
            return sealed.version()

    told = await deferToThread(ask, ssl.TLSVersion.TLSv1_2)
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        await deferToThread(ask, ssl.TLSVersion.TLSv1_1)
    await _closed(front)

    assert "TLSv1.2" == told


@pytest_twisted.ensureDeferred
async def test_http_over_tls_is_told_to_the_door(files: TlsSettings):
    seen: list[HttpRequest] = []
    front = _front((SSL,), files, seen)
    await front.open()
    port = front._ports[0].getHost().port

    def ask() -> tuple[int, bytes]:
        line = http.client.HTTPSConnection("localhost", port, context=_context(files), timeout=5)
        line.request("POST", "/rpc", b"{}")
        answer = line.getresponse()
        told = answer.status, answer.read()
        line.close()
        return told

    told = await deferToThread(ask)
    await _closed(front)

    assert (200, b"fine") == told
    assert seen[0].tls
    assert "127.0.0.1" == seen[0].peer


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest_twisted.ensureDeferred
async def test_old_tls_is_not_spoken(files: TlsSettings):
    front = _front((SSL,), files, [])
    await front.open()
    port = front._ports[0].getHost().port
    context = _context(files)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1

    def shake() -> str:
        with socket.create_connection(("127.0.0.1", port), 5) as plain:
            try:
                context.wrap_socket(plain, server_hostname="localhost")
            except (ssl.SSLError, ConnectionError):
                return "refused"
        return "spoken"

    told = await deferToThread(shake)
    await _closed(front)

    assert "refused" == told


@pytest_twisted.ensureDeferred
async def test_the_socket_api_over_tls_needs_no_frame_mac_and_takes_a_listed_token(
    tmp_path: Path, files: TlsSettings
):
    async with Hall(tmp_path, echo()) as hall:
        listed = replace(TOKEN, addresses=Addresses(("127.0.0.0/8",)))
        other = replace(TOKEN, appid="other")
        hall.intake._callers = Callers(MovedClock(), (listed, other))
        hall.intake._tls = files
        (door,) = (one for one in doors_of(ApiSettings(listen=("ssl:0",))) if not one.control)
        await hall.intake.open([replace(door, endpoint=SSL)])
        port = hall.intake._ports[-1].getHost().port

        def talk() -> list[Any]:
            with socket.create_connection(("127.0.0.1", port), 5) as plain:
                line = _context(files).wrap_socket(plain, server_hostname="localhost")
                heard = line.makefile("rb")
                told = [json.loads(heard.readline())]
                for appid in ("other", "kiosk"):
                    params = {"appid": appid, "alg": "token", "token": TOKEN.key.decode()}
                    call = {"jsonrpc": "2.0", "id": 1, "method": "system.auth", "params": params}
                    line.sendall(json.dumps(call).encode() + b"\n")
                    told.append(json.loads(heard.readline()))
                heard.close()
                line.close()
                return told

        hello, unlisted, welcome = await deferToThread(talk)

    assert hello["params"]["frame_mac"] is False
    assert "AUTH_WRONG" == unlisted["error"]["data"]["fault"]
    assert "kiosk" == welcome["result"]["appid"]


def test_a_plain_network_still_seals_every_frame():
    told = doors_of(ApiSettings(listen=("tcp:1", "tcp:2:interface=127.0.0.1", "ssl:3")))

    assert [
        DoorSettings("tcp:1", False, True, False),
        DoorSettings("tcp:2:interface=127.0.0.1", False, False, True),
        DoorSettings("ssl:3", False, False, False, tls=True),
    ] == told[1:]  # fmt: skip


@pytest.mark.parametrize("spoil", [
    lambda files: files.key.unlink(),
    lambda files: files.cert.write_text("no certificate"),
    lambda files: files.key.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n"),
    lambda files: files.key.write_bytes(certificate(files.key.parent, "other").key.read_bytes()),
])  # fmt: skip
def test_files_that_cannot_be_used_are_told(
    files: TlsSettings, spoil: Callable[[TlsSettings], Any]
) -> None:
    spoil(files)

    with pytest.raises(Refused) as told:
        listening(reactor, SSL, files)

    assert "TLS_FILES" == told.value.code
    assert str(files.key) in told.value.en


@pytest_twisted.ensureDeferred
async def test_doors_that_cannot_be_had_are_told_by_the_doctor_and_the_others_open(
    taken: int, tmp_path: Path
):
    missing = TlsSettings(cert=tmp_path / "no.crt", key=tmp_path / "no.key")
    listen = (f"tcp:{taken}:interface=127.0.0.1", SSL, "tcp:0:interface=127.0.0.1")
    front = _front(listen, missing, [])
    await front.open()
    opened = len(front._ports)
    checks = doors(front.faults)
    await _closed(front)

    assert 1 == opened
    assert ["HTTP_LISTEN", "TLS_FILES"] == [check.code for check in checks]
    assert {State.FAIL} == {check.state for check in checks}
    assert str(taken) in checks[0].en
