"""One IPP request by HTTP POST, bounded in time and size, over Twisted's own client."""

from __future__ import annotations

import io
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, DNSLookupError, UserError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool, ResponseFailed
from twisted.web.http_headers import Headers

from drivers.ipp import codec

# Twisted leaves these untyped.
_pool: Any = HTTPConnectionPool
_agent: Any = Agent
_producer: Any = FileBodyProducer

ANSWER_MAX = 4 * 1024 * 1024


class NotSent(Exception):
    """Nobody took the connection: nothing of the request has left."""


class NoAnswer(Exception):
    """The request may have arrived; its answer did not."""


class _Collected(Protocol):
    """Gathers a body up to ANSWER_MAX."""

    # Twisted's transports are zope interfaces, which carry no static types.
    transport: Any

    def __init__(self, done: Deferred[bytes]) -> None:
        self._done = done
        self._data = bytearray()

    def dataReceived(self, data: bytes) -> None:
        """Keep what comes; too much is the end."""
        self._data += data
        if len(self._data) > ANSWER_MAX:
            self.cut()

    def cut(self) -> None:
        """Wait for no more of it."""
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Hand over; a cut answer is found out by its reader."""
        self._done.callback(bytes(self._data))


class Post:
    """Sends requests to one printer."""

    # Twisted's reactor has no static type that names all it can do.
    def __init__(self, reactor: Any, url: str, connect_timeout_s: float) -> None:
        self._reactor = reactor
        self._url = url.encode()
        # A fresh connection a request: printers close idle ones without a word.
        pool: Any = _pool(reactor, persistent=False)
        self._agent: Any = _agent(reactor, connectTimeout=connect_timeout_s, pool=pool)

    async def __call__(self, request: bytes, within_s: float) -> codec.Answer:
        """Return the printer's answer. Raises NotSent, NoAnswer."""
        producer: Any = _producer(io.BytesIO(request))
        headers = Headers({"Content-Type": ["application/ipp"]})
        asked: Deferred[Any] = self._agent.request(b"POST", self._url, headers, producer)
        alarm = self._reactor.callLater(within_s, asked.cancel)
        sent = False
        try:
            response = await asked
            sent = True
            done: Deferred[bytes] = Deferred()
            body = _Collected(done)
            response.deliverBody(body)
            alarm.cancel()
            alarm = self._reactor.callLater(within_s, body.cut)
            data = await done
            if response.code != 200:  # HTTP OK
                raise NoAnswer(f"HTTP {response.code}")
            return codec.answer(data)
        except codec.NotIpp as error:
            raise NoAnswer(f"not IPP: {error}") from error
        except NoAnswer:
            raise
        except Exception as error:
            # Twisted raises many kinds; only a connection that never stood proves nothing left.
            if not sent and _never_stood(error):
                raise NotSent(f"{type(error).__name__}: {error}"[:200]) from error
            raise NoAnswer(f"{type(error).__name__}: {error}"[:200]) from error
        finally:
            if alarm.active():
                alarm.cancel()


def _never_stood(error: Exception) -> bool:
    if isinstance(error, ResponseFailed):
        return False
    return isinstance(error, ConnectError | DNSLookupError | UserError)
