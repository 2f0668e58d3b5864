"""Runs a peer: `python -m benchmarks.fanout.peers.serve <name> <port>`. It prints a line when it is up."""

import asyncio
import importlib
import sys
import time
from collections.abc import Awaitable, Callable

from api.collector import spare_the_collector
from api.loop import run


async def on_trigger(port: int, change: Callable[[], Awaitable[int | None]]) -> asyncio.Server:
    """Call `change` for each line that comes to a port, and answer when the change was made, on the machine's clock."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            began = time.monotonic_ns()
            made = await change()
            writer.write(b"%d %d\n" % (began, made or began))
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", port)


def up(**facts: object) -> None:
    """Tell that the peer can be used."""
    spare_the_collector()
    print(" ".join(f"{name}={value}" for name, value in facts.items()), flush=True)


if __name__ == "__main__":
    peer = importlib.import_module(f"benchmarks.fanout.peers.{sys.argv[1]}")
    run(lambda: peer.main(int(sys.argv[2]), *sys.argv[3:]))
