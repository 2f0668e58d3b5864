"""The short lane: a known client's operation, answered by plan, past everything that has nothing to say about it.

A POST to the graph from a host that is ours, with a token that was seen a moment ago, in JSON, of an operation that
has a plan: that is nearly every request, and it needs no routing, no middleware and no request object. Whatever is
unusual about a request, however slightly, goes the long way, with its body put back.
"""

import asyncio
from collections.abc import Collection, Sequence
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import Doorkeeper
from api.transport.answers import Fault, Media, acceptable
from api.transport.arriving import CONNECTION, Arriving
from api.transport.graphql import CONTEXT, GraphQLDoor
from api.transport.requests import PersistedQueryNotFound
from schema.context import Context
from schema.engine.executor import Asked
from schema.scalars import print_answer

_PATH = "/graphql"
_JSON = (b"application/json", b"application/json; charset=utf-8")
_BEARER = b"Bearer "
# The headers that may ask for the long way, two of which say where a request comes from.
_TELLING = frozenset([b"content-length", b"origin", b"sec-fetch-site"])
_CROSS_SITE = b"cross-site"
# By what an answer is sent as, and whether a plan gave it.
_HEADERS = {
    (media, is_planned): (
        (b"content-type", f"{media}; charset=utf-8".encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-ringside-path", b"planned" if is_planned else b"unplanned"),
    )
    for media in Media
    for is_planned in (True, False)
}
# The same, as they are sent.
_PRINTED = {kind: b"".join(b"%s: %s\r\n" % one for one in headers) for kind, headers in _HEADERS.items()}


class ShortLane:
    """Answers what is usual, and hands everything else to the application behind it."""

    def __init__(
        self,
        app: ASGIApp,
        door: GraphQLDoor,
        doorkeeper: Doorkeeper,
        sockets: ASGIApp,
        *,
        hosts: Collection[str],
        origins: Collection[str] = (),
        largest_body: int,
    ) -> None:
        self._app = app
        self._sockets = sockets
        self._door = door
        self._doorkeeper = doorkeeper
        self._hosts = frozenset(host.encode() for host in hosts)
        self._elsewhere = frozenset([_CROSS_SITE, *(origin.encode("latin-1", "replace") for origin in origins)])
        self._largest_body = largest_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if scope["type"] == "websocket" and self._is_ours(scope):
            # Routing and middleware would stay in memory for as long as the socket does.
            await self._sockets(scope, receive, send)
            return
        admitted = self._admit(scope)
        if admitted is None:
            await self._app(scope, receive, send)
            return
        await self._answer(*admitted, scope, receive, send)

    async def _answer(self, context: Context, media: Media, scope: Scope, receive: Receive, send: Send) -> None:
        connection: Arriving | None = scope.get("extensions", {}).get(CONNECTION)
        body = None if connection is None else connection.whole_body(scope, most=self._largest_body)
        if body is None:
            body, messages = await self._read(receive)
        else:
            messages = [{"type": "http.request", "body": body, "more_body": False}]
        door, data = self._door, None
        asked = self._asked(body, context)
        if asked is not None:
            began = perf_counter()
            work = door.under_way.begin(context, receive)
            try:
                data = await door.schema.engine.answer(asked, context)
            except asyncio.CancelledError:
                if work.ended_by is None:
                    raise
                await door.ended(work, media, perf_counter() - began)(scope, receive, send)
                return
            finally:
                door.under_way.end(work)
        if data is None:
            # What its plan had done before it was abandoned goes with it, so that nothing is done twice.
            scope.setdefault("state", {})[CONTEXT] = context
            await self._app(scope, _again(messages, receive), send)
            return
        door.tally.note(context, perf_counter() - began)
        printed, kind = print_answer({"data": data}), (media, context.path == "planned")
        if connection is None or not connection.send_whole(scope, _PRINTED[kind], printed):
            await _send(send, _HEADERS[kind], printed)

    def _is_ours(self, scope: Scope) -> bool:
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        return scope["path"] == _PATH and _name_of(host) in self._hosts

    def _admit(self, scope: Scope) -> tuple[Context, Media] | None:
        """Return the context of a request that may take this lane, and what it is answered as."""
        if not _is_post(scope):
            return None
        host = content_type = authorization = accept = b""
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
            elif name == b"content-type":
                content_type = value
            elif name == b"host":
                host = value
            elif name == b"accept":
                accept = accept + b"," + value if accept else value
            elif name in _TELLING and self._is_unusual(name, value):
                return None
        if content_type not in _JSON or not authorization.startswith(_BEARER) or _name_of(host) not in self._hosts:
            return None
        media = acceptable(accept)
        viewer = self._doorkeeper.known(authorization[len(_BEARER) :])
        if viewer is None or not media or media[0] is Media.EVENTS:
            return None
        return self._door.context_of(viewer), media[0]

    def _is_unusual(self, name: bytes, value: bytes) -> bool:
        """Say whether a header asks for the long way: of a body that is too large, or of a page of another site."""
        if name == b"content-length":
            return len(value) > len("1000000") or int(value) > self._largest_body
        return value in self._elsewhere

    def _asked(self, body: bytes, context: Context) -> Asked | None:
        """Return what is asked, `None` for what has to be said more of than the data."""
        try:
            asked = self._door.reader.body(body)
        except (Fault, PersistedQueryNotFound):
            return None
        if asked.wants_explaining or asked.wants_cost or self._door.refusal(asked, context) is not None:
            return None
        return asked

    async def _read(self, receive: Receive) -> tuple[bytes, list[Message]]:
        """Return a whole body and the messages it came in; no body if it is too large or its sender has gone."""
        messages = [await receive()]
        size = 0
        while messages[-1]["type"] == "http.request":
            size += len(messages[-1].get("body", b""))
            if size > self._largest_body:
                break
            if not messages[-1].get("more_body", False):
                return b"".join(message.get("body", b"") for message in messages), messages
            messages.append(await receive())
        return b"", messages


def _is_post(scope: Scope) -> bool:
    return bool(scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == _PATH)


def _again(messages: list[Message], receive: Receive) -> Receive:
    """Return a receive that gives what was read once more, and then what comes."""
    waiting = iter(messages)

    async def replay() -> Message:
        message = next(waiting, None)
        return await receive() if message is None else message

    return replay


def _name_of(host: bytes) -> bytes:
    """Return a host header without its port: `[::1]:8000` and `localhost:8000` alike."""
    name, separator, port = host.rpartition(b":")
    return name if separator and port.isdigit() else host


async def _send(send: Send, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
