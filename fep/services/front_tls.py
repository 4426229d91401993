"""Endpoint strings with the site's certificate behind those that speak TLS.

An `ssl:` endpoint takes certificate and key from [tls], never from the string. TLS 1.2 is the
least that is spoken (Twisted's default). Owns no port.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import SSL4ServerEndpoint, serverFromString

from fep.domain.faults import refuse
from fep.settings_http import TlsSettings, is_tls
from fep.settings_places import parse_endpoint

BACKLOG = 50
HTTP = b"http/1.1"
# Twisted leaves these two untyped.
_ssl: Any = SSL4ServerEndpoint
_from_string: Any = serverFromString


def listening(reactor: Any, text: str, tls: TlsSettings) -> Any:
    """Return the endpoint to listen on. Raises Refused TLS_FILES."""
    if not is_tls(text):
        return _from_string(reactor, text)
    place = parse_endpoint(text)
    return _ssl(reactor, place.port, _options(tls), BACKLOG, place.address)


def _options(tls: TlsSettings) -> Any:
    # TLS is loaded only where it is spoken.
    from OpenSSL import SSL, crypto
    from twisted.internet.ssl import Certificate, CertificateOptions, KeyPair

    try:
        chain = _certificates(tls.cert.read_text("ascii"))
        key = KeyPair.load(tls.key.read_bytes(), crypto.FILETYPE_PEM)
        leaf, *others = [Certificate.loadPEM(text.encode()).original for text in chain]
        options = CertificateOptions(
            privateKey=key.original, certificate=leaf, extraCertChain=others
        )
        # Twisted answers an offer of protocols it does not know with an alert, and HTTP clients
        # (curl, browsers, .NET, Java) all make one.
        options.getContext().set_alpn_select_callback(
            lambda _line, offered: HTTP if HTTP in offered else SSL.NO_OVERLAPPING_PROTOCOLS
        )
    except (OSError, ValueError, crypto.Error, SSL.Error) as error:
        why = error.strerror if isinstance(error, OSError) else "PEM"
        raise refuse("TLS_FILES", cert=tls.cert, key=tls.key, why=why or "PEM") from error
    return options


def _certificates(text: str) -> list[str]:
    """Return the certificates of a PEM file, the site's own first. Raises ValueError."""
    mark = "-----END CERTIFICATE-----"
    found = [f"{part[part.index('-----BEGIN') :]}{mark}\n" for part in text.split(mark)[:-1]]
    if not found:
        raise ValueError("no certificate")
    return found
