"""CPU of one answer in one process: the Python peers' applications called as a server would call them, without one."""

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from benchmarks.graph.fleet import PEERS, Disagreement, Peer
from benchmarks.graph.shapes import Ids, Shape, canonical

NAMES = ("ringside", "stock", "rows")
# As many as connections make the load by default: what is shared between requests, a commit above all, is shared here.
AT_ONCE = 16
_BUDGET_SECONDS = 0.3

# CPU milliseconds of one answer, by shape and peer, aligned by round.
Costs = dict[str, dict[str, list[float]]]


@dataclass(frozen=True)
class Client:
    """Calls an application."""

    peer: Peer
    app: Any
    ids: Ids
    token: str

    def bodies(self, shape: Shape) -> list[bytes]:
        """Return the requests of a shape."""
        return self.peer.manner.bodies(shape, self.ids)

    async def ask(self, shape: Shape, body: bytes) -> bytes:
        """Send one request and return what was answered."""
        answer = bytearray()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            answer.extend(message.get("body", b""))

        await self.app(self._scope(shape, body), receive, send)
        return bytes(answer)

    def _scope(self, shape: Shape, body: bytes) -> dict[str, Any]:
        path = self.peer.manner.path(shape)
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [
                (b"host", b"127.0.0.1"),
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"authorization", f"Bearer {self.token}".encode()),
            ],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
            "state": {},
            "extensions": {},
        }


async def measure(
    url: str, ids: Ids, token: str, shapes: Sequence[Shape], rounds: int, advance: Callable[[str], None]
) -> Costs:
    """Return what one answer costs, after all applications were found to give the same."""
    costs: Costs = {shape.name: {name: [] for name in NAMES} for shape in shapes}
    async with AsyncExitStack() as stack:
        clients = []
        for name in NAMES:
            peer: Any = import_module(f"benchmarks.graph.peers.{name}")
            app = await stack.enter_async_context(peer.open_app(url))
            clients.append(Client(PEERS[name], app, ids, token))
        for shape in shapes:
            await _compare(clients, shape)
            counts = {client.peer.name: await _count(client, shape) for client in clients}
            for round_ in range(rounds):
                for client in [*clients[round_ % len(clients) :], *clients[: round_ % len(clients)]]:
                    advance(f"in process, {shape.name}: {client.peer.title}")
                    name = client.peer.name
                    costs[shape.name][name].append(await _time(client, shape, counts[name]) * 1e3)
    return costs


async def _compare(clients: Sequence[Client], shape: Shape) -> None:
    said = [canonical(await client.ask(shape, client.bodies(shape)[0])) for client in clients]
    if shape.changes:
        for index, answer in enumerate(said):
            answer["entryLike"]["counts"]["likes"] -= index
    for client, answer in zip(clients, said, strict=True):
        if answer != said[0]:
            raise Disagreement(f"In process, {shape.name}: {client.peer.title} says otherwise: {str(answer)[:500]}")


async def _count(client: Client, shape: Shape) -> int:
    """Return how many answers make a burst that is long enough to time."""
    for _ in range(3):
        await _time(client, shape, 2)
    return max(AT_ONCE, int(_BUDGET_SECONDS / max(await _time(client, shape, AT_ONCE), 1e-6)))


async def _time(client: Client, shape: Shape, count: int) -> float:
    bodies = client.bodies(shape)
    turns = iter(range(count))

    async def ask_on() -> None:
        for turn in turns:
            await client.ask(shape, bodies[turn % len(bodies)])

    gc.collect()
    began = time.process_time()
    await asyncio.gather(*(ask_on() for _ in range(AT_ONCE)))
    return (time.process_time() - began) / count
