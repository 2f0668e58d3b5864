"""The short lane: a known client's operation, answered by plan, past everything that has nothing to say about it.

A POST to the graph from a host that is ours, with a token that was seen a moment ago, in JSON, of an operation that
has a plan: that is nearly every request, and it needs no routing, no middleware and no request object. Whatever is
unusual about a request, however slightly, goes the long way, with its body put back.
"""

from collections.abc import Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import Doorkeeper
from api.transport.graphql import CONTEXT, GraphQLDoor, asked_of
from schema.context import Context
from schema.scalars import print_answer

_PATH = "/graphql"
_JSON = (b"application/json", b"application/json; charset=utf-8")
_BEARER = b"Bearer "


class ShortLane:
    """Answers what is usual, and hands everything else to the application behind it."""

    def __init__(
        self, app: ASGIApp, door: GraphQLDoor, doorkeeper: Doorkeeper, *, hosts: Collection[str], largest_body: int
    ) -> None:
        self._app = app
        self._door = door
        self._doorkeeper = doorkeeper
        self._hosts = frozenset(host.encode() for host in hosts)
        self._largest_body = largest_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        context = self._admit(scope)
        if context is None:
            await self._app(scope, receive, send)
            return
        body, messages = await self._read(receive)
        asked = asked_of(body)
        data = (
            None if asked is None or asked.wants_explaining else await self._door.schema.engine.answer(asked, context)
        )
        if data is None:
            # What its plan had done before it was abandoned goes with it, so that nothing is done twice.
            scope.setdefault("state", {})[CONTEXT] = context
            await self._app(scope, _again(messages, receive), send)
            return
        await _send(send, print_answer({"data": data}))

    def _admit(self, scope: Scope) -> Context | None:
        """Return the context of a request that may take this lane."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != _PATH:
            return None
        host = content_type = authorization = b""
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
            elif name == b"content-type":
                content_type = value
            elif name == b"host":
                host = value
            elif name == b"content-length" and (len(value) > len("1000000") or int(value) > self._largest_body):
                return None
        if content_type not in _JSON or not authorization.startswith(_BEARER) or _name_of(host) not in self._hosts:
            return None
        viewer = self._doorkeeper.known(authorization[len(_BEARER) :])
        return None if viewer is None else self._door.context_of(viewer)

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


async def _send(send: Send, body: bytes) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"x-ringside-path", b"planned"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
