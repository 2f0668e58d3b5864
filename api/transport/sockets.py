"""Sockets: the protocol `graphql-transport-ws`, on our own lines.

Subscriptions are shared: a socket's operation is a reader of its group (`schema.live`), and what the group prints goes
to each line with the operation's id before it. Queries and mutations are answered one by one.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson
from starlette.types import Message, Receive, Scope, Send

from api.auth import TOKEN_ENDED, Doorkeeper, TooManyGuests
from api.transport.answers import Fault
from api.transport.graphql import GraphQLDoor
from api.transport.line import LINE, Line, frame_of
from api.transport.requests import PersistedQueryNotFound
from db.errors import Refusal, Unauthenticated
from schema.context import Context
from schema.engine.executor import Asked
from schema.live.group import Errors, Over, Reader
from schema.live.groups import Groups
from schema.live.rings import Payload
from schema.live.watching import is_subscription
from schema.scalars import print_answer

if TYPE_CHECKING:
    from db.access.viewer import Viewer

_log = logging.getLogger(__name__)

PROTOCOL = "graphql-transport-ws"
INVALID_MESSAGE = 4400
UNAUTHORIZED = 4401
WRONG_PROTOCOL = 4406
INIT_TIMEOUT = 4408
SUBSCRIBER_EXISTS = 4409
TOO_MANY_INITS = 4429
TOO_MANY_SOCKETS = 4441
TOO_MANY_MESSAGES = 4442
TOKEN_CHANGED = 4443
INTERNAL_ERROR = 4500
RESTART = 1012
TRY_AGAIN_LATER = 1013
# Messages that may come at once, in multiples of what may come in a second.
_BURST = 5
_LONGEST_ID = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class SocketLimits:
    """What one socket may do."""

    init_seconds: float = 5.0
    operations: int = 50
    messages_per_second: float = 20.0


class SocketDoor:
    """Opens sockets to whoever may hold one."""

    def __init__(
        self,
        door: GraphQLDoor,
        groups: Groups,
        doorkeeper: Doorkeeper,
        *,
        limits: SocketLimits,
        origins: Collection[str],
    ) -> None:
        self.door = door
        self.groups = groups
        self.doorkeeper = doorkeeper
        self.limits = limits
        self._origins = frozenset(origins)
        # What was framed last, and what came of it.
        self._framed: tuple[bytes, Payload | None] = (b"", None)
        self._frame = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold a socket until it ends."""
        if not self._is_welcome(scope):
            await send({"type": "websocket.close"})
            return
        address = scope["client"][0] if scope.get("client") else ""
        if not self.doorkeeper.let_in(address):
            await _refuse(send)
            return
        try:
            await self._hold(address, scope, receive, send)
        finally:
            self.doorkeeper.let_out(address)

    def frame(self, head: bytes, payload: Payload) -> bytes:
        """Return a payload as it is sent to an operation; those with one id, as our overlays are, share a frame."""
        framed_head, framed = self._framed
        if framed is not payload or framed_head != head:
            self._framed = head, payload
            self._frame = frame_of(head, payload.data, b"}")
        return self._frame

    async def _hold(self, address: str, scope: Scope, receive: Receive, send: Send) -> None:
        line: Line = scope["extensions"][LINE]
        is_understood = PROTOCOL in scope["subprotocols"]
        await receive()
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL if is_understood else None})
        line.forget_handshake()
        if not is_understood:
            line.hang_up(WRONG_PROTOCOL, "Subprotocol not acceptable")
        await Socket(self, line, address).listen(receive)

    def _is_welcome(self, scope: Scope) -> bool:
        """Say whether a socket may be opened from the page it comes from: none, one of ours, or one that is named."""
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        if b"origin" not in headers or origin in self._origins:
            return True
        scheme, _, host = origin.partition("://")
        return scheme in {"http", "https"} and host.lower() == headers.get(b"host", b"").decode("latin-1").lower()


class Socket:
    """One client's socket, and the operations that run on it."""

    def __init__(self, hall: SocketDoor, line: Line, address: str) -> None:
        self.hall = hall
        self.line = line
        self._address = address
        self.viewer: Viewer | None = None
        # Those that had something to say while the line was full.
        self.waiting: dict[Operation, None] = {}
        self.operations: dict[str, Operation] = {}
        self._has_begun = False
        self._is_cut = False
        self._loop = asyncio.get_running_loop()
        self._patience = self._loop.call_later(hall.limits.init_seconds, self._lose_patience)
        # Messages that may come now, and when that was counted.
        self._allowance = hall.limits.messages_per_second * _BURST
        self._counted_at = self._loop.time()
        line.on_room = self._go_on

    async def listen(self, receive: Receive) -> None:
        """Take messages until the socket is closed."""
        try:
            while (message := await receive())["type"] == "websocket.receive":
                await self._take(message)
        finally:
            self._end()

    def dismiss(self, reason: str) -> None:
        """Let the client go because his token works no more."""
        self.line.hang_up(TOKEN_ENDED, reason)

    def turn_away(self, reason: str) -> None:
        """Let the client go because his token opens something else: he comes back."""
        self.line.hang_up(TOKEN_CHANGED, reason)

    @property
    def is_answering(self) -> bool:
        """Whether a query or a mutation is under way."""
        return any(operation.is_answering for operation in self.operations.values())

    def cut(self) -> None:
        """Let the client go because the server stops: he comes back. What is being answered is answered before."""
        self._is_cut = True
        if not self.is_answering:
            self.line.hang_up(RESTART, "The server stops.")

    def forget(self, number: str) -> None:
        """An operation is over."""
        del self.operations[number]
        if self._is_cut:
            self._loop.call_soon(self.cut)

    def say(self, message: dict[str, Any]) -> None:
        """Send a message of the protocol."""
        self.line.say(orjson.dumps(message))

    async def _take(self, message: Message) -> None:
        if self.line.close_sent:
            return
        if not self._is_in_time():
            self.line.hang_up(TOO_MANY_MESSAGES, "Too many messages: send fewer in a second.")
            return
        try:
            await self._handle(_read(message))
        except _Fault as fault:
            self.line.hang_up(fault.code, str(fault))
        except Exception:  # noqa: BLE001 -- a bug ends this socket alone, and is logged
            number = uuid4().hex
            _log.exception("error %s in a socket's message", number)
            self.line.hang_up(INTERNAL_ERROR, f"Unexpected error {number}.")

    def _is_in_time(self) -> bool:
        """Say whether one more message may come now, and count it."""
        rate = self.hall.limits.messages_per_second
        now = self._loop.time()
        self._allowance = min(rate * _BURST, self._allowance + (now - self._counted_at) * rate) - 1
        self._counted_at = now
        return self._allowance >= 0

    async def _handle(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "connection_init":
                await self._introduce(message.get("payload") or {})
            case "ping":
                self.say({"type": "pong"})
            case "pong":
                pass
            case "subscribe":
                self._subscribe(message["id"], message["payload"])
            case "complete":
                operation = self.operations.pop(message["id"], None)
                if operation is not None:
                    operation.leave()

    async def _introduce(self, payload: Mapping[str, object]) -> None:
        if self._has_begun:
            raise _Fault(TOO_MANY_INITS, "Too many initialisation requests")
        self._has_begun = True
        self._patience.cancel()
        try:
            self.viewer = await self.hall.doorkeeper.admit_guest(self, payload, self._address)
        except TooManyGuests as refusal:
            raise _Fault(TOO_MANY_SOCKETS, refusal.message) from refusal
        except Unauthenticated as refusal:
            raise _Fault(TOKEN_ENDED, refusal.message) from refusal
        except Refusal as refusal:
            raise _Fault(TRY_AGAIN_LATER, refusal.message) from refusal
        self.say({"type": "connection_ack"})

    def _subscribe(self, number: str, payload: dict[str, Any]) -> None:
        if self.viewer is None:
            raise _Fault(UNAUTHORIZED, "Unauthorized")
        if self._is_cut:
            # He asks again when he has come back.
            return
        if number in self.operations:
            raise _Fault(SUBSCRIBER_EXISTS, f"Subscriber for {number} already exists")
        if len(self.operations) >= self.hall.limits.operations:
            most = self.hall.limits.operations
            error = {"message": f"A socket holds {most} operations.", "extensions": {"code": "RATE_LIMITED"}}
            self.say({"id": number, "type": "error", "payload": [error]})
            return
        try:
            asked = self.hall.door.reader.asked(payload)
        except (Fault, PersistedQueryNotFound) as fault:
            self.say({"id": number, "type": "error", "payload": [_told(fault)]})
            return
        operation = self.operations[number] = Operation(self, number, asked)
        operation.begin(self.hall.door.context_of(self.viewer))

    def _go_on(self) -> None:
        """There is room again: let those speak who had to wait."""
        waiting, self.waiting = self.waiting, {}
        for operation in waiting:
            operation.catch_up()

    def _lose_patience(self) -> None:
        self.line.hang_up(INIT_TIMEOUT, "Connection initialisation timeout")

    def _end(self) -> None:
        self._patience.cancel()
        self.line.on_room = None
        self.hall.doorkeeper.let_go(self)
        operations, self.operations = self.operations, {}
        for operation in operations.values():
            operation.leave()


class Operation:
    """One operation of a socket: a reader of a group, or a question with one answer."""

    __slots__ = ("_asked", "_hall", "_head", "_line", "_number", "_reader", "_socket", "_task")

    def __init__(self, socket: Socket, number: str, asked: Asked) -> None:
        self._socket = socket
        self._line = socket.line
        self._hall = socket.hall
        self._number = number
        self._asked = asked
        self._head = b'{"id":' + orjson.dumps(number) + b',"type":"next","payload":'
        self._reader: Reader | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_answering(self) -> bool:
        """Whether this is a question or a change whose answer is under way."""
        return self._task is not None and self._reader is None

    def begin(self, context: Context) -> None:
        """Join the group of a subscription, or begin to answer anything else."""
        hall = self._hall
        unwelcome = hall.door.refusal(self._asked, context)
        if unwelcome is not None:
            self._finish([dict(unwelcome.formatted)])
            return
        if not is_subscription(hall.door.schema.engine, self._asked):
            self._task = asyncio.create_task(self._answer(context))
            return
        try:
            self._reader = hall.groups.enter(self._asked, context, self._offer, self._finish)
        except Over as over:
            self._finish(over.errors)
            return
        self._task = asyncio.create_task(self._start(self._reader))

    def catch_up(self) -> None:
        """Say what there was no room for."""
        if self._reader is not None:
            self._reader.catch_up()

    def leave(self) -> None:
        """End without a word, because the client has."""
        if self._task is not None:
            self._task.cancel()
        self._leave()

    def _leave(self) -> None:
        """Hear no more of the group; what holds us is held by us no more."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.leave()

    async def _start(self, reader: Reader) -> None:
        """Say what comes first, as fast as it is read, and hear of the rest from the group."""
        try:
            async with aclosing(reader.start()) as payloads:
                async for payload in payloads:
                    await self._next(payload.data)
        except Over as over:
            self._finish(over.errors)
            return
        self._task = None
        reader.go_live()

    async def _answer(self, context: Context) -> None:
        """Answer a query or mutation, by plan or by graphql-core."""
        answered = await self._hall.door.execute_in_time(self._asked, context, None)
        if "data" in answered:
            await self._next(print_answer(answered))
            self._finish()
        else:
            self._finish(answered["errors"])

    async def _next(self, data: bytes) -> None:
        # All who wait are woken together, and the first of them may fill the line again.
        while self._line.is_full:
            await self._line.writable.wait()
        self._line.send_frame(frame_of(self._head, data, b"}"))

    def _offer(self, payload: Payload) -> bool:
        """Say what is new if there is room."""
        if self._line.is_full:
            self._socket.waiting[self] = None
            return False
        self._line.send_frame(self._hall.frame(self._head, payload))
        return True

    def _finish(self, errors: Errors = ()) -> None:
        """Say that nothing more comes, and why if it should have."""
        if self._socket.operations.get(self._number) is not self:
            return
        self._socket.forget(self._number)
        self._socket.waiting.pop(self, None)
        self._leave()
        if errors:
            self._socket.say({"id": self._number, "type": "error", "payload": errors})
        else:
            self._socket.say({"id": self._number, "type": "complete"})


class _Fault(Exception):
    """A message that ends its socket, with the code of the close."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def _read(message: Message) -> dict[str, Any]:
    """Return a message of the protocol. Raises `_Fault` for what is none."""
    text = message.get("text")
    if text is None:
        raise _Fault(INVALID_MESSAGE, "WebSocket message type must be text")
    try:
        read = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _Fault(INVALID_MESSAGE, "WebSocket message must be valid JSON") from error
    fault = _fault_in(read)
    if fault is not None:
        raise _Fault(INVALID_MESSAGE, fault)
    message_read: dict[str, Any] = read
    return message_read


def _fault_in(message: object) -> str | None:
    if not isinstance(message, dict):
        return "A message is a JSON object."
    type_, payload = message.get("type"), message.get("payload")
    if type_ in _SPEAKING_FOR_ITSELF:
        return None if isinstance(payload, dict | None) else f"The `payload` of {type_} is an object."
    if type_ not in _ABOUT_OPERATIONS:
        return "A message has a `type`, one of those that clients send."
    if not isinstance(message.get("id"), str) or not 1 <= len(message["id"]) <= _LONGEST_ID:
        return f"An operation has an `id`, a string of 1 to {_LONGEST_ID} characters."
    return _fault_in_operation(payload) if type_ == "subscribe" else None


_SPEAKING_FOR_ITSELF = ("connection_init", "ping", "pong")
_ABOUT_OPERATIONS = ("subscribe", "complete")


def _fault_in_operation(payload: object) -> str | None:
    if not isinstance(payload, dict) or not isinstance(payload.get("query"), str | None):
        return "An operation's `payload` has a `query`, which is a string."
    if not isinstance(payload.get("variables"), dict | None) or not isinstance(payload.get("extensions"), dict | None):
        return "An operation's `variables` and `extensions` are objects."
    if payload.get("query") is None and not payload.get("documentId") and not payload.get("extensions"):
        return "An operation's `payload` has a `query`, which is a string."
    return None if isinstance(payload.get("operationName"), str | None) else "An `operationName` is a string."


def _told(fault: Fault | PersistedQueryNotFound) -> dict[str, Any]:
    """Return the error of an operation that says what it is in a way that cannot be read, or is not known."""
    if isinstance(fault, Fault):
        return {"message": fault.message, "extensions": {"code": fault.code}}
    return {"message": "PersistedQueryNotFound", "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}


async def _refuse(send: Send) -> None:
    """Answer 429 instead of opening a socket."""
    headers = [(b"retry-after", b"10"), (b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "websocket.http.response.start", "status": 429, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"Too many sockets are open from this address."})
