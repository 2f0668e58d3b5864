"""`ringside serve` in a process of its own, for tests that kill it."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson

from tests.support.house import HASTY, PATIENCE_SECONDS, GraphQLSocket, eventually, open_http, open_socket

_DRAIN_SECONDS = 300
_RINGSIDE = Path(sys.executable).with_name("ringside")


@dataclass
class Serving:
    """A server that answers. `secret` is an admin's if the database was empty, or the one it was told."""

    process: Process
    url: str
    secret: str
    udp_port: int
    http: httpx.AsyncClient

    async def execute(self, operation: str, **variables: Any) -> dict[str, Any]:
        answer = await self.http.post("/graphql", json={"query": operation, "variables": variables})
        body = answer.json()
        assert "errors" not in body, body
        data: dict[str, Any] = body["data"]
        return data

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[GraphQLSocket]:
        async with open_socket(f"ws{self.url.removeprefix('http')}/graphql") as opened:
            await opened.init({"token": self.secret})
            yield opened

    async def stop(self) -> int:
        """Ask it to stop, and return what it ended with."""
        self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        """Wait for its end, but not for as long as a server waits that drains with nothing to wait for."""
        async with asyncio.timeout(_DRAIN_SECONDS / 10):
            return await self.process.wait()

    async def listener(self) -> dict[str, Any]:
        """Return what health says of the listener."""
        ready = (await self.http.get("/readyz")).json()
        return next((worker for worker in ready["workers"] if worker["name"].startswith("pss ")), {})


@asynccontextmanager
async def serving(
    database_url: str, log: Path, *, secret: str = "", log_level: str = "INFO", **settings: Any
) -> AsyncIterator[Serving]:
    """Serve until the block ends; whoever has not ended it by then has it killed."""
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *(str(_RINGSIDE), "serve", "--json", "--database", database_url),
            *("--port", "0", "--pss-port", "0", "--log-level", log_level),
            stdout=PIPE,
            stderr=errors,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("RINGSIDE_")},
                "RINGSIDE_DRAIN_SECONDS": str(_DRAIN_SECONDS),
                **{f"RINGSIDE_{name.upper()}": str(value) for name, value in {**HASTY, **settings}.items()},
            },
        )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(2 * PATIENCE_SECONDS):
            line = await process.stdout.readline()
        assert line, f"It did not start; why stands in {log}"
        welcome = orjson.loads(line)
        secret = welcome["token"] or secret
        headers = {"Authorization": f"Bearer {secret}"}
        async with open_http(welcome["url"], headers=headers) as http:
            running = Serving(process, welcome["url"], secret, 0, http)
            running.udp_port = await _udp_port(running)
            yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _udp_port(running: Serving) -> int:
    found = 0

    async def is_bound() -> bool:
        nonlocal found
        found = int((await running.listener())["address"].rpartition(":")[2])
        return found > 0

    await eventually(is_bound, "the UDP port")
    return found
