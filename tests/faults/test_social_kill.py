"""The server ends by force while people resonate and reply: what is counted is what is there."""

import asyncio
import random
from itertools import count
from pathlib import Path

import httpx

from db.connecting import connect
from db.social.recount import find_drift
from tests.support.house import eventually
from tests.support.process import Serving, serving

WRITE = 'mutation ($parent: ID) { entryCreate(input: {content: "x"}, parentId: $parent) { entry { id } } }'
MARK = "mutation ($id: ID!) { %s(id: $id) { entry { counts { resonances } } } }"


async def test_a_kill_at_any_moment_leaves_counters_right(database_url: str, tmp_path: Path) -> None:
    done: list[int] = []
    enough = random.randrange(20, 60)  # noqa: S311 -- chance, not a secret
    async with serving(database_url, tmp_path / "server.log") as server:
        entry = (await server.execute(WRITE))["entryCreate"]["entry"]["id"]
        busy = [asyncio.create_task(_keep_at_it(server, entry, number, done)) for number in range(8)]
        await eventually(lambda: len(done) > enough, "changes under way")
        server.process.kill()
        await server.process.wait()
        await asyncio.gather(*busy)

    db = await connect(database_url, pool_size=1)
    async with db.read() as session:
        drift = await find_drift(session)
    await db.close()
    assert drift == []


async def _keep_at_it(server: Serving, entry: str, number: int, done: list[int]) -> None:
    """Resonate, cease to, and reply, until the server is gone."""
    for turn in count(number):
        operation, name = [(WRITE, "parent"), (MARK % "entryResonate", "id"), (MARK % "entryUnresonate", "id")][
            turn % 3
        ]
        try:
            await server.execute(operation, **{name: entry})
        except httpx.TransportError:
            return
        done.append(turn)
