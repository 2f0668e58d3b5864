"""A running house: the server as it is served, on free ports of this machine, and the clients that tests use on it."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from api.server import House, Server, first_admin, mat_named, open_house
from api.settings import Settings
from api.workers.pss import PSSListener
from db.access import operations as access
from db.clock import Clock, SystemClock
from schema.ids import encode_id

TRANSPORT_WS = "graphql-transport-ws"
PATIENCE_SECONDS = 60.0
# Tests look again and again, and come in crowds.
HASTY = {
    "wrong_tokens_per_minute": 100_000,
    "operations_per_second": 100_000,
    "changes_per_second": 100_000,
    "connections": 100_000,
    "connections_per_second": 100_000,
}
# Whoever waits for long looks less often: to ask a server is work for it, and for a machine that has no time.
_BETWEEN_LOOKS_SECONDS = 0.005
_LONGEST_BETWEEN_LOOKS_SECONDS = 0.05
_SHARE_BETWEEN_LOOKS = 0.05
# Nothing of ours is asked over TLS, and to read whom the world trusts takes longer than most tests.
_TRUSTED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
# A server hangs up on whoever is silent for five seconds, and httpx keeps a connection for as long: what is asked just
# then is lost on the way. So it is given up here long before.
_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=1.0)


async def eventually(condition: Callable[[], Awaitable[bool] | bool], what: str = "it") -> None:
    """Wait until a condition holds, and fail if it never does."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await _holds(condition):
                waited = time.monotonic() - began
                pause = min(_LONGEST_BETWEEN_LOOKS_SECONDS, waited * _SHARE_BETWEEN_LOOKS)
                await asyncio.sleep(max(_BETWEEN_LOOKS_SECONDS, pause))
    except TimeoutError:
        raise AssertionError(f"{what} did not come about within {PATIENCE_SECONDS} s") from None


async def _holds(condition: Callable[[], Awaitable[bool] | bool]) -> bool:
    found = condition()
    return found if isinstance(found, bool) else await found


class Answered(Exception):
    """The server ended a socket: its close code and reason."""

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


@dataclass
class GraphQLSocket:
    """One `graphql-transport-ws` socket, as GraphiQL's client speaks it."""

    connection: ClientConnection
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    async def send(self, message: object) -> None:
        text = message if isinstance(message, str) else orjson.dumps(message).decode()
        await self.connection.send(text)

    async def receive(self) -> dict[str, Any]:
        """Return the next message. Raises `Answered` once the server has closed the socket."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                text = await self.connection.recv(decode=True)
        except ConnectionClosed as closed:
            received = closed.rcvd
            raise Answered(
                None if received is None else received.code, "" if received is None else received.reason
            ) from None
        message: dict[str, Any] = orjson.loads(text)
        return message

    async def closed(self) -> tuple[int | None, str]:
        """Read until the server closes; return its code and reason."""
        while True:
            try:
                await self.receive()
            except Answered as answered:
                return answered.code, answered.reason

    async def init(self, payload: object = None) -> None:
        """Introduce oneself, and be acknowledged."""
        message = {"type": "connection_init"} if payload is None else {"type": "connection_init", "payload": payload}
        await self.send(message)
        assert await self.receive() == {"type": "connection_ack"}

    async def subscribe(self, operation: str, **variables: Any) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the data of each answer to an operation; on leaving, complete it."""
        number = await self.begin(operation, **variables)
        while True:
            message = await self.receive()
            if message["type"] == "complete":
                return
            assert message["type"] == "next", message
            assert message["id"] == number
            assert "errors" not in message["payload"], message
            yield message["payload"]["data"]

    async def begin(self, operation: str, **variables: Any) -> str:
        """Send an operation and return its id."""
        number = str(next(self._ids))
        payload = {"query": operation, "variables": variables}
        await self.send({"type": "subscribe", "id": number, "payload": payload})
        return number

    def kill(self) -> None:
        """Let go as a machine does that loses power: without a word."""
        self.connection.transport.abort()


@dataclass
class RunningHouse:
    """A server that answers, its database, and an admin's token."""

    house: House
    port: int
    secret: str
    mat_id: UUID
    listener: PSSListener | None
    http: httpx.AsyncClient
    stop: Callable[[], Coroutine[Any, Any, None]]

    @property
    def mat(self) -> str:
        """The mat's id as the graph shows it."""
        return encode_id("mat", self.mat_id)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}"}

    async def execute(self, operation: str, **variables: Any) -> dict[str, Any]:
        """Execute what must succeed, over HTTP, and return its data."""
        answer = await self.http.post(
            "/graphql", json={"query": operation, "variables": variables}, headers=self.bearer
        )
        body = answer.json()
        assert answer.status_code == 200, body
        assert "errors" not in body, body
        data: dict[str, Any] = body["data"]
        return data

    @asynccontextmanager
    async def socket(
        self, *, protocols: Sequence[str] = (TRANSPORT_WS,), **options: Any
    ) -> AsyncIterator[GraphQLSocket]:
        """Open a socket that has not introduced itself yet."""
        async with open_socket(f"ws://127.0.0.1:{self.port}/graphql", protocols=protocols, **options) as opened:
            yield opened

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[GraphQLSocket]:
        """Open a socket that is an admin's."""
        async with self.socket() as opened:
            await opened.init({"token": self.secret})
            yield opened

    async def send(self, *datagrams: bytes | str) -> None:
        """Send datagrams one after the other; all are in the listener's socket before it can look."""
        assert self.listener is not None
        send_datagrams(await self.listener.wait_until_bound(), datagrams)

    async def logged(self, seq: int) -> None:
        """Wait until the mat's log has come to a number, and no further."""

        async def has_come() -> bool:
            return await self.last_seq() >= seq

        await eventually(has_come, f"entry {seq} of the log")
        assert await self.last_seq() == seq

    async def last_seq(self) -> int:
        data = await self.execute("query ($mat: ID!) { mat(id: $mat) { lastSeq } }", mat=self.mat)
        seq: int = data["mat"]["lastSeq"]
        return seq


@asynccontextmanager
async def open_socket(
    url: str, *, protocols: Sequence[str] = (TRANSPORT_WS,), **options: Any
) -> AsyncIterator[GraphQLSocket]:
    """Open a socket anywhere."""
    spoken = [Subprotocol(one) for one in protocols]
    async with connect(url, subprotocols=spoken or None, compression=None, proxy=None, **options) as connection:
        yield GraphQLSocket(connection)


def send_datagrams(port: int, datagrams: Iterable[bytes | str]) -> None:
    """Send datagrams to a port of this machine, from one address and in one go."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", port))
        for datagram in datagrams:
            sender.send(datagram if isinstance(datagram, bytes) else datagram.encode())


class _Server(Server):
    """The server, leaving the signals to whoever runs the tests."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._asked_to_stop = asyncio.Event()

    def capture_signals(self) -> Any:
        return nullcontext()

    async def main_loop(self) -> None:
        """Wait, and be quick to end."""
        await self.on_tick(0)
        await self._asked_to_stop.wait()

    def stop(self) -> None:
        self._asked_to_stop.set()


@asynccontextmanager
async def running_house(
    database_url: str, *, clock: Clock | None = None, has_listener: bool = True, **settings: Any
) -> AsyncIterator[RunningHouse]:
    """Serve on a database until the block ends, then stop as a signal would stop it."""
    clock = clock or SystemClock()
    own = {"database": database_url, "port": 0, "pss_port": 0, "drain_seconds": 5}
    # Nothing of a test is left where it is run from.
    with TemporaryDirectory(prefix="ringside-backups-") as folder:
        chosen = Settings(**{**own, "backup_target": folder, **HASTY, **settings})
        async with _running(chosen, clock, has_listener=has_listener) as running:
            yield running


@asynccontextmanager
async def _running(chosen: Settings, clock: Clock, *, has_listener: bool) -> AsyncIterator[RunningHouse]:
    async with open_house(chosen, clock) as house:
        secret = await first_admin(house.db, clock) or await _another_secret(house, clock)
        mat_id = await mat_named(house.db, clock, chosen.pss_mat)
        listener = await house.listeners.of(await house.listen(mat_id)) if has_listener else None
        started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        server = _Server(house.app, chosen, started.set_result, house.leaving)
        serving = asyncio.create_task(server.serve())
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                port = await started
            async with open_http(f"http://127.0.0.1:{port}") as http:
                yield RunningHouse(house, port, secret, mat_id, listener, http, partial(_stop, server, serving))
        finally:
            server.stop()
            await serving


def open_http(url: str, **options: Any) -> httpx.AsyncClient:
    """Make a client for a server of ours."""
    ours: dict[str, Any] = {
        "base_url": url,
        "trust_env": False,
        "verify": _TRUSTED,
        "timeout": PATIENCE_SECONDS,
        "limits": _LIMITS,
    }
    return httpx.AsyncClient(**{**ours, **options})


async def _stop(server: _Server, serving: "asyncio.Task[None]") -> None:
    """Stop as a signal would, and wait until it has."""
    server.stop()
    await serving


async def _another_secret(house: House, clock: Clock) -> str:
    async with house.db.transaction() as tx:
        admin = await access.find_user(tx, "admin")
        assert admin is not None
        return (await access.create_token(tx, user_id=admin.id, label="again", now=clock.now())).secret
