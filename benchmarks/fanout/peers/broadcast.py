"""The floor: `broadcast` of the package `websockets`, which frames a ready text once and writes it to every socket."""

import asyncio

import orjson
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.typing import Subprotocol

from benchmarks.fanout.peers.serve import on_trigger, up
from benchmarks.fanout.watched import answer


def _text(revision: int) -> str:
    return orjson.dumps({"id": "1", "type": "next", "payload": {"data": answer(revision)}}).decode()


async def main(port: int) -> None:
    """Serve until killed."""
    watching: set[ServerConnection] = set()
    revision = 1

    async def hold(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send('{"type":"connection_ack"}')
        await socket.recv()
        await socket.send(_text(revision))
        watching.add(socket)
        await socket.wait_closed()
        watching.discard(socket)

    async def change() -> None:
        nonlocal revision
        revision += 1
        broadcast(watching, _text(revision))

    await on_trigger(port + 1, change)
    protocols = [Subprotocol("graphql-transport-ws")]
    async with serve(hold, "127.0.0.1", port, compression=None, subprotocols=protocols, backlog=4096):
        up()
        await asyncio.Event().wait()
