"""Event streams: `graphql-sse` with a connection for each operation, for those who would rather not hold a socket.

A subscription's stream is a reader of its group like a socket's operation. It takes one payload at a time, so a client
that does not read holds up nothing but its own stream. Each entry of a feed carries its cursor as the event's id, and
`Last-Event-ID` goes on from there.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.auth import Doorkeeper, TooManyGuests
from api.transport.answers import Fault, refused
from api.transport.arriving import CONNECTION, Arriving
from api.transport.graphql import GraphQLDoor
from api.transport.under_way import ClientLeft
from db.errors import Resync
from schema.context import Context
from schema.engine.executor import Asked
from schema.live.group import Errors, Over, Reader
from schema.live.groups import Groups
from schema.live.rings import Payload
from schema.live.watching import is_subscription
from schema.scalars import print_answer

KEEP_ALIVE_SECONDS = 12.0
_COMMENT = b":\n\n"
# Clients wait for data with each event, even where there is none.
_COMPLETE = b"event: complete\ndata:\n\n"
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    # A proxy that collects what it passes on would hold up every event.
    (b"x-accel-buffering", b"no"),
]


class EventDoor:
    """Sends operations as streams of events."""

    def __init__(self, door: GraphQLDoor, groups: Groups, doorkeeper: Doorkeeper) -> None:
        self._door = door
        self._groups = groups
        self._doorkeeper = doorkeeper

    async def __call__(self, request: Request, asked: Asked, context: Context) -> Response:
        """Return the stream that answers an operation; 429 if there are too many."""
        return _Streamed(lambda receive, send: self._answer(request.scope, receive, send, asked, context))

    async def _answer(self, scope: Scope, receive: Receive, send: Send, asked: Asked, context: Context) -> None:
        address = scope["client"][0] if scope.get("client") else ""
        stream = Stream(receive, send, scope.get("extensions", {}).get(CONNECTION))
        if not self._doorkeeper.let_in(address):
            await refused(_too_many("Too many sockets and streams are open from this address."))(scope, receive, send)
            return
        try:
            self._doorkeeper.hold(stream, context.viewer)
            await self._run(stream, asked, context, _last_event_id(scope))
        except TooManyGuests as refusal:
            await refused(_too_many(refusal.message))(scope, receive, send)
        except ClientLeft:
            return
        finally:
            self._doorkeeper.let_go(stream)
            self._doorkeeper.let_out(address)

    async def _run(self, stream: "Stream", asked: Asked, context: Context, last: str | None) -> None:
        if is_subscription(self._door.schema.engine, asked):
            await stream.follow(self._groups, asked, context, last)
        else:
            stream.has_one_answer = True
            await stream.answer(await self._door.execute_in_time(asked, context, stream.receive))


class _Streamed(Response):
    """A response that is a stream."""

    def __init__(self, stream: Callable[[Receive, Send], Awaitable[None]]) -> None:
        super().__init__()
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 -- ASGI's
        """Send it until it ends."""
        await self._stream(receive, send)


class Stream:
    """One client's stream. It holds one payload; whoever has another waits until that is sent."""

    def __init__(self, receive: Receive, send: Send, connection: Arriving | None) -> None:
        self.receive = receive
        self._send = send
        # Without one, it is not a server of ours that runs us.
        self._connection = connection
        self._payload: Payload | None = None
        self._is_over = False
        self._is_cut = False
        self._errors: Errors = ()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._reader: Reader | None = None
        # Whether what is asked has one answer, with which the stream ends.
        self.has_one_answer = False

    @property
    def is_waiting(self) -> bool:
        """Whether the client does not read what was sent to him."""
        return self._connection is not None and self._connection.flow.write_paused

    @property
    def is_answering(self) -> bool:
        """Whether its one answer is under way, to somebody who reads it."""
        return self.has_one_answer and not self.is_waiting

    def dismiss(self, reason: str) -> None:
        """End because the client's token works no more."""
        self._end([{"message": reason, "extensions": {"code": "UNAUTHENTICATED"}}])

    def turn_away(self, reason: str) -> None:  # noqa: ARG002 -- a stream that is cut has no word for it
        """End because the client's token opens something else: he comes back."""
        self.cut()

    def cut(self) -> None:
        """End without a word: the client comes back and goes on, as after any interruption.

        An answer that is under way is the end of its stream by itself.
        """
        if self.is_answering:
            return
        self._cut()

    def _cut(self) -> None:
        self._is_cut = True
        self._end()
        if self._connection is not None:
            self._connection.cut()

    async def answer(self, answered: dict[str, Any]) -> None:
        """Send the one answer of a query or mutation."""
        async with self._opened():
            await self._write(_event(print_answer(answered), None))
            await self._write(_COMPLETE)

    async def follow(self, groups: Groups, asked: Asked, context: Context, last: str | None) -> None:
        """Send what a subscription's group has to say, until that is over or the client has left."""
        async with self._opened():
            try:
                self._reader = groups.enter(asked, context, self._offer, self._end, after=last)
            except Over as over:
                self._end(over.errors)
                await self._send_all()
                return
            feeding = asyncio.create_task(self._feed(self._reader))
            try:
                await self._send_all()
            finally:
                feeding.cancel()
                self._reader.leave()

    async def _feed(self, reader: Reader) -> None:
        """Take what comes first, one by one, and hear of the rest from the group."""
        try:
            async with aclosing(reader.start()) as payloads:
                async for payload in payloads:
                    while not self._offer(payload):
                        self._room.clear()
                        await self._room.wait()
        except Over as over:
            self._end(over.errors)
            return
        reader.go_live()

    def _offer(self, payload: Payload) -> bool:
        if self._payload is not None:
            return False
        self._payload = payload
        self._news.set()
        return True

    def _end(self, errors: Errors = ()) -> None:
        self._is_over, self._errors = True, errors
        self._news.set()

    async def _send_all(self) -> None:
        while not self._is_cut:
            payload, self._payload = self._payload, None
            if payload is not None:
                await self._write(_event(payload.data, payload.cursor))
                self._make_room()
            elif self._is_over:
                await self._write_end()
                return
            else:
                await self._wait()

    def _make_room(self) -> None:
        """Let whoever waited go on: the history that is being read, or the group."""
        self._room.set()
        if self._reader is not None:
            self._reader.catch_up()

    async def _wait(self) -> None:
        """Wait for news, and show now and then that the stream is alive."""
        self._news.clear()
        try:
            async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                await self._news.wait()
        except TimeoutError:
            await self._write(_COMMENT)

    async def _write_end(self) -> None:
        if self._errors:
            # Whoever is to begin anew must not go on from where he was.
            is_anew = any(one.get("extensions", {}).get("code") == Resync.code for one in self._errors)
            await self._write(_event(orjson.dumps({"errors": self._errors}), "" if is_anew else None))
        await self._write(_COMPLETE)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        """Begin the stream, listen whether its client is still there, and end it."""
        if self._connection is not None:
            self._connection.hold_little()
        await self._send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        # At once, so that the client knows that it is heard.
        await self._write(_COMMENT)
        listening = asyncio.create_task(self._listen())
        try:
            yield
            await self._send({"type": "http.response.body", "body": b""})
        finally:
            listening.cancel()

    async def _listen(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
        self._cut()

    async def _write(self, text: bytes) -> None:
        """Send. Who does not read for too long is cut off by his connection."""
        await self._send({"type": "http.response.body", "body": text, "more_body": True})


def _event(data: bytes, cursor: str | None) -> bytes:
    """Return one event. JSON has no line breaks, so one line of data holds it."""
    name = b"" if cursor is None else b"id: " + cursor.encode() + b"\n"
    return name + b"event: next\ndata: " + data + b"\n\n"


def _last_event_id(scope: Scope) -> str | None:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"last-event-id"), None)


def _too_many(message: str) -> Fault:
    return Fault(status=429, code="RATE_LIMITED", message=message, headers={"Retry-After": "10"})
