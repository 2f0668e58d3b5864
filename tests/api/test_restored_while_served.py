"""A backup put in place of a database that is served: by one or several, who are stopped, killed or fail meanwhile."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from api.migrate import standing
from db.backups.target import Target
from db.urls import is_embedded, sqlite_path
from tests.api.test_backups import AT_FIRST, rewritten
from tests.api.test_backups_served import CREATE, LAY, MATS, RESTORE, state_of
from tests.support.house import eventually
from tests.support.process import Serving, serving

_STREAM = 'mutation { streamCreate(input: {name: "S"}) { stream { goals { nodes { id } } } errors { message } } }'
_ADD = """
mutation ($goal: ID!, $delta: Int!) { streamGoalAddProgress(id: $goal, delta: $delta) { errors { message } } }
"""
_FOLLOW = """
subscription ($goal: ID!, $after: String) {
  streamGoalChanges(goalId: $goal, after: $after) { cursor change { newValue } }
}
"""
_PAGE = "query ($goal: ID!) { streamGoal(id: $goal) { changes(first: 5) { pageInfo { endCursor } } } }"
_WATCH = "subscription ($goal: ID!) { streamGoalChanged(goalId: $goal) { goals { current } } }"
_EXCLUSIVELY_LOCKED = """
SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted AND objid = $1 AND datname = current_database()
"""
_SERVING = 0x52494E53


@asynccontextmanager
async def served(url: str, folder: Path, count: int = 1) -> AsyncIterator[list[Serving]]:
    """So many servers of one database, and backups kept in a folder."""
    async with AsyncExitStack() as stack:
        servers: list[Serving] = []
        for number in range(count):
            secret = servers[0].secret if servers else ""
            log = folder / f"server-{number}.log"
            given: dict[str, Any] = {"backup_target": folder / "kept", "drain_seconds": 5}
            running = serving(url, log, secret=secret, hears=not servers, **given)
            servers.append(await stack.enter_async_context(running))
        yield servers


async def back_up(server: Serving) -> str:
    """Make a backup, and return its name."""
    await server.execute(CREATE)
    await reached(server, "CREATE", "DONE")
    return str((await state_of(server, "CREATE"))["name"])


async def reached(server: Serving, kind: str, state: str) -> None:
    async def is_reached() -> bool:
        return (await state_of(server, kind)).get("state") == state

    await eventually(is_reached, f"{kind} {state}")


async def mats_of(server: Serving) -> list[str]:
    return sorted(one["name"] for one in (await server.execute(MATS))["mats"]["nodes"])


async def make_goal(server: Serving, *deltas: int) -> str:
    made = (await server.execute(_STREAM))["streamCreate"]
    goal: str = made["stream"]["goals"]["nodes"][0]["id"]
    await add(server, goal, *deltas)
    return goal


async def add(server: Serving, goal: str, *deltas: int) -> None:
    for delta in deltas:
        assert (await server.execute(_ADD, goal=goal, delta=delta))["streamGoalAddProgress"]["errors"] == []


async def followed(server: Serving, goal: str, count: int, after: str | None = None) -> list[tuple[int, str]]:
    """Return the next entries of a goal's history, with their cursors."""
    async with server.admitted() as socket:
        messages = socket.subscribe(_FOLLOW, goal=goal, after=after)
        entries = [(await anext(messages))["streamGoalChanges"] for _ in range(count)]
        await messages.aclose()
    return [(one["change"]["newValue"], one["cursor"]) for one in entries]


async def refused(server: Serving, goal: str, after: str) -> dict[str, Any]:
    """Return the error that somebody is answered with who goes on from a cursor."""
    async with server.admitted() as socket:
        await socket.begin(_FOLLOW, goal=goal, after=after)
        message = await socket.receive()
    assert message["type"] == "error", message
    error: dict[str, Any] = message["payload"][0]
    return error


async def test_whoever_comes_back_with_a_cursor_of_the_database_before_is_told_to_begin_anew(
    database_url: str, tmp_path: Path
) -> None:
    count = 1 if is_embedded(database_url) else 2
    async with served(database_url, tmp_path, count) as servers:
        first, last = servers[0], servers[-1]
        goal = await make_goal(first, 1, 1)
        name = await back_up(first)
        await add(first, goal, 1, 1, 1)
        before = await followed(last, goal, 5)
        page = (await last.execute(_PAGE, goal=goal))["streamGoal"]["changes"]["pageInfo"]["endCursor"]
        async with AsyncExitStack() as stack:
            sockets = [await stack.enter_async_context(server.admitted()) for server in servers]
            states = [one.subscribe(_WATCH, goal=goal) for one in sockets]
            shown = [await anext(one) for one in states]
            await first.execute(RESTORE, name=name, dry=False)
            closed = [await one.closed() for one in sockets]
        for server in servers:
            await reached(server, "RESTORE", "DONE")
        # As many as there were, but others.
        await add(first, goal, 10, 10, 10)

        errors = [await refused(server, goal, cursor) for server in servers for cursor in (before[-1][1], page)]
        anew = [await followed(server, goal, 5) for server in servers]
        further = await followed(last, goal, 2, after=anew[0][2][1])

    assert [one["streamGoalChanged"]["goals"][0]["current"] for one in shown] == [5] * count
    assert {code for code, _ in closed} == {1012}
    assert {(one["extensions"]["code"], one["extensions"]["field"]) for one in errors} == {("RESYNC", "after")}
    assert errors[0]["message"].startswith("A backup was put in place of the database")
    assert [[value for value, _ in one] for one in anew] == [[1, 2, 12, 22, 32]] * count
    assert [value for value, _ in further] == [22, 32]


@pytest.mark.parametrize("is_killed", [False, True])
async def test_a_server_that_is_stopped_while_it_puts_a_backup_back_leaves_all_or_nothing(
    database_url: str, tmp_path: Path, *, is_killed: bool
) -> None:
    async with served(database_url, tmp_path) as (server,):
        secret = server.secret
        name = await back_up(server)
        await server.execute(LAY, name="Later")
        async with held_up(database_url):
            await server.execute(RESTORE, name=name, dry=False)
            await eventually(lambda: is_under_way(database_url), "the restoration")
            server.process.send_signal(signal.SIGKILL if is_killed else signal.SIGTERM)
        ended = await server.ended()

    # It starts again, with one or the other, and knows what became of it.
    async with serving(database_url, tmp_path / "again.log", secret=secret, hears=False) as again:
        await reached(again, "RESTORE", "FAILED" if is_killed else "DONE")
        found = await mats_of(again)
    assert ended == (-signal.SIGKILL if is_killed else 0)
    assert found == (["Later", "Mat 1"] if is_killed else ["Mat 1"])
    assert (await asyncio.to_thread(standing, database_url)).is_current


@asynccontextmanager
async def held_up(url: str) -> AsyncIterator[None]:
    """Keep a backup from being put into PostgreSQL for as long as the block lasts: whoever looks for it finds it."""
    if is_embedded(url):
        # Nobody can: it is made beside the file, and that takes a while.
        yield
        return
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            # Whoever would take the table away waits for who reads it.
            await connection.execute("LOCK TABLE mats IN ACCESS SHARE MODE")
            yield
    finally:
        await connection.close()


async def is_under_way(url: str) -> bool:
    """Say whether a backup is being put into a database right now."""
    if is_embedded(url):
        path = sqlite_path(url)
        return path.with_name(f".{path.name}.restoring").exists()
    connection = await asyncpg.connect(url)
    try:
        return bool(await connection.fetchval(_EXCLUSIVELY_LOCKED, _SERVING))
    finally:
        await connection.close()


async def test_a_backup_that_cannot_be_put_back_leaves_the_server_serving_what_it_served(
    database_url: str, tmp_path: Path
) -> None:
    target = Target(str(tmp_path / "kept"))
    async with served(database_url, tmp_path) as (server,):
        name = await back_up(server)
        await server.execute(LAY, name="Later")
        target.get(name, tmp_path / "made.zip")
        # Tokens of nobody: it is whole, and what is wrong with it shows last.
        broken = rewritten(tmp_path / "made.zip", tmp_path / "b.zip", "0001", {"tokens": AT_FIRST["tokens"]})
        target.put(broken, "broken.ringside.zip")
        async with server.admitted() as socket:
            await server.execute(RESTORE, name="broken.ringside.zip", dry=False)
            assert (await socket.closed())[0] == 1012
        await reached(server, "RESTORE", "FAILED")
        job, found = await state_of(server, "RESTORE"), await mats_of(server)
        await server.execute(LAY, name="Still")

        assert await server.stop() == 0
    assert "refers to a row" in job["error"]
    assert found == ["Later", "Mat 1"]


@pytest.mark.postgresql
async def test_when_the_server_that_puts_it_back_is_killed_the_others_go_on(
    postgresql_url: str, tmp_path: Path
) -> None:
    async with served(postgresql_url, tmp_path, 2) as servers:
        name = await back_up(servers[0])
        await servers[0].execute(LAY, name="Later")
        async with held_up(postgresql_url):
            await servers[0].execute(RESTORE, name=name, dry=False)
            await eventually(lambda: is_under_way(postgresql_url), "the restoration")
            # Whoever does it answers nobody; the other does not, either.
            (doing,) = [one for one in servers if not was_told(one)]
            doing.process.kill()
        (other,) = [one for one in servers if one is not doing]
        await reached(other, "RESTORE", "FAILED")
        found = await mats_of(other)

    assert found == ["Later", "Mat 1"]


def was_told(server: Serving) -> bool:
    """Say whether another server does it, as a server's log has it."""
    return "another server puts a backup in place" in server.log.read_text()
