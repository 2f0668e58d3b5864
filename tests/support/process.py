"""`ringside serve` in a process of its own, for tests that kill it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson

from tests.support.house import HASTY, PATIENCE_SECONDS, GraphQLSocket, eventually, open_http, open_socket
from tests.support.loaded import Begun, begun

_DRAIN_SECONDS = 300
# Whoever is stopped for a minute takes it from no request: the clocks of servers go on meanwhile.
_UNHURRIED = {"request_seconds": 600, "operation_seconds": 600}


@dataclass
class Serving:
    """A server that answers. `secret` is an admin's if the database was empty, or the one it was told."""

    process: Begun
    # What it said when it was up.
    welcome: dict[str, Any]
    url: str
    secret: str
    udp_port: int
    http: httpx.AsyncClient
    log: Path

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
        async with asyncio.timeout(_DRAIN_SECONDS / 2):
            return await self.process.wait()

    async def bound_port(self) -> int:
        """Return the UDP port that it hears a scoring program on, once it does."""
        found = 0

        async def is_bound() -> bool:
            nonlocal found
            found = int((await self.listener()).get("address", ":0").rpartition(":")[2])
            return found > 0

        await eventually(is_bound, "the UDP port")
        return found

    async def leases(self) -> dict[str, bool]:
        """Return of each piece of work that has a lease whether this server does it."""
        ready = (await self.http.get("/readyz")).json()
        return {one["name"]: one["lease"]["isHeldHere"] for one in ready["workers"] if "lease" in one}

    async def listener(self) -> dict[str, Any]:
        """Return what health says of the listener."""
        ready = (await self.http.get("/readyz")).json()
        return next((worker for worker in ready["workers"] if worker["name"].startswith("pss ")), {})


@asynccontextmanager
async def serving(
    database_url: str,
    log: Path,
    *,
    secret: str = "",
    log_level: str = "INFO",
    udp_port: int = 0,
    hears: bool = True,
    **settings: Any,
) -> AsyncIterator[Serving]:
    """Serve until the block ends; whoever has not ended it by then has it killed.

    Of several on one database one hears the scoring program: of the others say that they do not.
    """
    arguments = [
        *("serve", "--json", "--database", database_url),
        *("--port", "0", "--pss-port", str(udp_port), "--log-level", log_level),
    ]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RINGSIDE_")},
        "RINGSIDE_DRAIN_SECONDS": str(_DRAIN_SECONDS),
        "RINGSIDE_BACKUP_TARGET": str(log.parent / "backups"),
        **{f"RINGSIDE_{name.upper()}": str(value) for name, value in {**HASTY, **_UNHURRIED, **settings}.items()},
    }
    with log.open("ab") as errors:
        async with begun(arguments, environment, errors.fileno()) as process:
            # Of several workers the first comes up before the others.
            async with asyncio.timeout(2 * PATIENCE_SECONDS * settings.get("workers", 1)):
                line = await process.stdout.readline()
            assert line, f"It did not start; why stands in {log}"
            welcome = orjson.loads(line)
            secret = welcome["token"] or secret
            headers = {"Authorization": f"Bearer {secret}"}
            async with open_http(welcome["url"], headers=headers) as http:
                running = Serving(process, welcome, welcome["url"], secret, 0, http, log)
                if hears:
                    running.udp_port = await running.bound_port()
                yield running
