"""Serve one of the Python peers: `python -m benchmarks.graph.peers.serve NAME URL PORT`."""

import sys
from importlib import import_module
from typing import Any

from api.collector import spare_the_collector
from api.loop import run
from api.server import Server
from api.settings import Settings


async def serve(name: str, url: str, port: int) -> None:
    """Serve until told to stop, by Ringside's own configuration of uvicorn and, as in production, of the collector."""
    peer: Any = import_module(f"benchmarks.graph.peers.{name}")
    async with peer.open_app(url) as app:
        if name != "stock":
            # What others build is measured as it comes.
            spare_the_collector()
        await Server(app, Settings(port=port, connections_per_second=10_000), lambda _: None).run_until_stopped()


if __name__ == "__main__":
    run(lambda: serve(sys.argv[1], sys.argv[2], int(sys.argv[3])))
