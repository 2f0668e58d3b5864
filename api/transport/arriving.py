"""Requests as they arrive: uvicorn's own protocol, for heads that are not too large and senders that come to an end.

Uvicorn with httptools reads a head of any size into memory, and waits for ever: for the rest of a request, and for a
client to read what it is answered.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import orjson
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.transport.answers import Fault
from api.transport.buckets import Buckets
from api.transport.line import Impatient

Headers = list[tuple[bytes, bytes]]

# Where a request's scope holds its connection.
CONNECTION = "ringside.connection"
_LOOK_SECONDS = 0.25
_MOST_HEADERS = 100
_AT_ONCE = 10
_OK = b"HTTP/1.1 200 OK\r\n"
_FULL = Fault(status=503, code="UNAVAILABLE", message="As many are connected as may be. Try again later.")
_TOO_FAST = Fault(status=429, code="RATE_LIMITED", message="Too many connections come from this address: keep them.")


@dataclass(frozen=True, kw_only=True, slots=True)
class ArrivalLimits:
    """How large a request's head may be, and how long a request may take to be there."""

    headers: int = 32_768
    url: int = 8192
    seconds: float = 10.0
    # Connections at once, and how many of one address may come each second, ten times as many at once.
    connections: int = 1000
    per_second: float = 50.0
    # Whoever comes through one of them cannot be told from the others here.
    proxies: Collection[str] = ()


class _TooLarge(Exception):
    """A head is larger than what is read."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Arrivals:
    """The requests that are not there yet, and how many were not waited for."""

    def __init__(self, limits: ArrivalLimits) -> None:
        self.limits = limits
        self.refused = 0
        # By connection, when it began to be waited for; the oldest first.
        self._awaited: dict[Arriving, float] = {}
        # By address, how many connections may come now.
        self._welcome = Buckets(most=max(1.0, limits.per_second * _AT_ONCE), per_second=limits.per_second)
        # The headers of every answer, as uvicorn has them, for a second as one is the date; and as they are sent.
        self._always: tuple[Headers, bytes] = ([], b"")

    def __len__(self) -> int:
        """How many there are."""
        return len(self._awaited)

    def protocol(self) -> Callable[..., asyncio.Protocol]:
        """Return what makes a protocol for each connection."""
        return partial(Arriving, self)

    def greet(self, address: str, now: float, present: int) -> Fault | None:
        """Count a connection that was made, the latest of so many; return why it is not held, if it is not."""
        if present > self.limits.connections:
            self.refused += 1
            return _FULL
        if address in self.limits.proxies or self._welcome.take(address, now):
            return None
        self.refused += 1
        return _TOO_FAST

    def printed(self, always: Headers) -> bytes:
        """Return the headers of every answer as they are sent."""
        if always is not self._always[0]:
            self._always = always, b"".join(b"%s: %s\r\n" % one for one in always)
        return self._always[1]

    def begin(self, arriving: "Arriving", now: float) -> None:
        """Wait for a request."""
        self._awaited.pop(arriving, None)
        self._awaited[arriving] = now

    def wait_anew(self, arriving: "Arriving", now: float) -> None:
        """Wait as long again for a request that is waited for."""
        if arriving in self._awaited:
            self.begin(arriving, now)

    def end(self, arriving: "Arriving") -> None:
        """It is there, or will never be."""
        self._awaited.pop(arriving, None)

    async def look(self) -> None:
        """Look through them, again and again, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.look_once(asyncio.get_running_loop().time())

    def look_once(self, now: float) -> None:
        """Let go of those that take too long, and forget who has not come for a while."""
        self._welcome.forget(now)
        for arriving, began in list(self._awaited.items()):
            if now - began < self.limits.seconds:
                return
            if arriving.flow.read_paused:
                # It is we who do not read.
                self.begin(arriving, now)
                continue
            self.end(arriving)
            self.refused += 1
            arriving.give_up()


class Arriving(Impatient, HttpToolsProtocol):
    """One connection. Whoever answers for a long time finds it in the scope of his request."""

    def __init__(self, arrivals: Arrivals, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._arrivals = arrivals
        self._head = 0
        self._is_head_read = False
        self._fault: _TooLarge | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for what the connection is for."""
        super().connection_made(transport)  # type: ignore[arg-type]  # uvicorn says the narrower type
        now = self.loop.time()
        fault = self._arrivals.greet(self.client[0] if self.client else "", now, len(self.connections))
        if fault is None:
            self._arrivals.begin(self, now)
        else:
            self._answer(HTTPStatus(fault.status), fault.message, fault.code)
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing will come any more."""
        self._arrivals.end(self)
        super().connection_lost(exc)
        self._let_go_of_itself()

    def data_received(self, data: bytes) -> None:
        """Read, as long as the head is not too large: one that never ends is not told of piece by piece."""
        super().data_received(data)
        if not self._is_head_read and self._fault is None:
            self._head += len(data)
            if self._head > self._arrivals.limits.headers + self._arrivals.limits.url:
                self._fault = self._headers_too_large()
                self.send_400_response("")

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection on: it is a socket's from now on."""
        self._arrivals.end(self)
        super().handle_websocket_upgrade()
        self._let_go_of_itself()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._head, self._is_head_read = 0, False
        self.scope["extensions"] = {CONNECTION: self}  # type: ignore[dict-item]  # whatever we like, says ASGI
        self._arrivals.begin(self, self.loop.time())

    def on_url(self, url: bytes) -> None:
        """Some of the address is there."""
        super().on_url(url)
        if len(self.url) > self._arrivals.limits.url:
            most = self._arrivals.limits.url
            self._refuse(_TooLarge(HTTPStatus.REQUEST_URI_TOO_LONG, f"An address holds {most} bytes at most."))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One line of the head is there."""
        super().on_header(name, value)
        self._head += len(name) + len(value)
        if self._head > self._arrivals.limits.headers or len(self.headers) > _MOST_HEADERS:
            self._refuse(self._headers_too_large())

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._is_head_read = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._arrivals.end(self)
        super().on_message_complete()

    def wait_anew(self) -> None:
        """Wait as long again for the rest: called by who reads a request that may be long, and sees it come."""
        self._arrivals.wait_anew(self, self.loop.time())

    def give_up(self) -> None:
        """Let go of a request that does not come to its end."""
        if self._head or self._is_head_read:
            seconds = self._arrivals.limits.seconds
            self._answer(HTTPStatus.REQUEST_TIMEOUT, f"The request was not there after {seconds:g} s.")
        self.transport.close()

    def whole_body(self, scope: Scope, *, most: int) -> bytes | None:
        """Return the body of a request that is there to its end; `None` while it is not, or of more than `most` bytes.

        It is received once more all the same: whoever listens behind it, for its sender to leave, hears it first.
        """
        cycle = self.cycle
        return None if cycle.scope is not scope or cycle.more_body or len(cycle.body) > most else bytes(cycle.body)

    def send_whole(self, scope: Scope, headers: bytes, body: bytes) -> bool:
        """Send a whole answer with status 200, if it can be sent in one piece; say whether it was.

        Uvicorn would look at each header anew, and write head and body by two calls. `headers` are printed already.
        """
        cycle = self.cycle
        if cycle.scope is not scope or cycle.response_started or cycle.disconnected:
            # Another request of this connection is being read already, or nobody is there.
            return False
        if self.flow.write_paused or not cycle.keep_alive or cycle.access_log:
            return False
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        if not self.transport.is_closing():
            told = (
                _OK,
                self._arrivals.printed(cycle.default_headers),
                headers,
                b"content-length: %d\r\n\r\n" % len(body),
            )
            self.transport.write(b"".join((*told, body)))
        cycle.message_event.set()
        cycle.on_response()
        return True

    def cut(self) -> None:
        """End the connection if its client does not read: whoever waits to send would wait for ever."""
        if self.flow.write_paused:
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong with a request that cannot be read."""
        self._arrivals.end(self)
        if self._fault is None:
            self._answer(HTTPStatus.BAD_REQUEST, msg)
        else:
            self._answer(self._fault.status, self._fault.message)
        self.transport.close()

    def _let_go_of_itself(self) -> None:
        """Leave no circle behind, which would wait for the collector: the parser holds us, and so does the scope."""
        self.parser = None  # type: ignore[assignment]  # as uvicorn does
        if self.scope is not None:
            self.scope["extensions"].clear()

    def _headers_too_large(self) -> _TooLarge:
        most = self._arrivals.limits.headers
        message = f"The headers of a request hold {most} bytes and {_MOST_HEADERS} lines at most."
        return _TooLarge(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, message)

    def _refuse(self, fault: _TooLarge) -> None:
        # The parser stops at whatever is raised, and `data_received` answers for it.
        self._fault = fault
        self._arrivals.refused += 1
        raise fault

    def _answer(self, status: HTTPStatus, message: str, code: str = "") -> None:
        code = code or status.phrase.upper().replace(" ", "_").replace("-", "_")
        body = orjson.dumps({"errors": [{"message": message, "extensions": {"code": code}}]})
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json; charset=utf-8\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
