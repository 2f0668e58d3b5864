"""A rolling restart: clients move from the server that ends to the one that goes on, and hear everything once."""

import asyncio
import os
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import orjson
import pytest

from api.capture import read_capture
from tests.support.captures import FINAL
from tests.support.house import PATIENCE_SECONDS, eventually, send_datagrams
from tests.support.node import CLIENTS
from tests.support.ports import free_port
from tests.support.process import Serving, serving

WIRES = [message.wire for message in read_capture(FINAL)]
_KIT = Path(__file__).parents[2] / "api" / "static" / "live.js"
LOAD, BEFORE, LAST = 12, 60, 160
MATCH = "{ mats { nodes { lastSeq currentMatch { id } } } }"


@pytest.mark.usefixtures("node")
async def test_clients_move_to_another_server_and_hear_each_event_once(database_url: str, tmp_path: Path) -> None:
    # Free as well while neither of them hears on it.
    udp_port = free_port()
    common: dict[str, Any] = {"udp_port": udp_port, "lease_seconds": 300}
    async with serving(database_url, tmp_path / "first.log", **common) as first:
        await eventually(lambda: _listens(first), "the port")
        send_datagrams(udp_port, WIRES[:LOAD])
        await eventually(lambda: _has_come(first, LOAD), "the load")
        second_log = tmp_path / "second.log"
        async with serving(database_url, second_log, secret=first.secret, hears=False, **common) as second:
            match = (await first.execute(MATCH))["mats"]["nodes"][0]["currentMatch"]["id"]
            client = await _client([first, second], match)
            assert client.stdout is not None
            send_datagrams(udp_port, WIRES[LOAD:BEFORE])
            async with asyncio.timeout(PATIENCE_SECONDS):
                while min((told := orjson.loads(await client.stdout.readline())).values()) < BEFORE:
                    pass

            assert await first.stop() == 0
            # Handed over, though the lease has minutes to go.
            await eventually(lambda: _listens(second), "the same port")
            send_datagrams(udp_port, WIRES[BEFORE:LAST])

            async with asyncio.timeout(PATIENCE_SECONDS):
                output, errors = await client.communicate()

    found = orjson.loads(output.splitlines()[-1])
    everything = list(range(1, LAST + 1))
    assert errors == b""
    assert told == {"other": BEFORE, "own": BEFORE}
    assert (found["other"], found["own"]) == (everything, everything)
    assert "Traceback" not in (tmp_path / "first.log").read_text() + second_log.read_text()


async def _client(servers: list[Serving], match: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *("node", str(CLIENTS / "watch-moving.mjs")),
        cwd=CLIENTS,
        stdout=PIPE,
        stderr=PIPE,
        env={
            **os.environ,
            "URLS": " ".join(f"ws{server.url.removeprefix('http')}/graphql" for server in servers),
            "TOKEN": servers[0].secret,
            "MATCH": match,
            "LAST": str(LAST),
            "KIT": str(_KIT),
        },
    )


async def _listens(server: Serving) -> bool:
    (listener,) = (await server.execute("{ listeners { nodes { state } } }"))["listeners"]["nodes"]
    return bool(listener["state"] == "LISTENING")


async def _has_come(server: Serving, seq: int) -> bool:
    nodes = (await server.execute(MATCH))["mats"]["nodes"]
    return bool(nodes) and nodes[0]["lastSeq"] >= seq
