"""Whoever leaves takes his statement with him: the database does not go on for nobody."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from db import postgresql
from db.errors import Conflict, Unavailable
from db.postgresql import Connections
from db.sqlite import SQLiteConnection
from tests.support.house import PATIENCE_SECONDS, eventually

FOR_EVER = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
_MARK = "a statement of tests.db.test_cancelling"


@pytest.fixture
async def reader(migrated_file: Path, tmp_path: Path) -> AsyncIterator[SQLiteConnection]:
    path = tmp_path / "ringside.db"
    shutil.copy(migrated_file, path)
    # As the database does it: the writer is first, and sets the file up for both.
    writer, connection = SQLiteConnection(path), SQLiteConnection(path, is_reader=True)
    for one in (writer, connection):
        await one.open()
    yield connection
    async with asyncio.timeout(PATIENCE_SECONDS):
        for one in (connection, writer):
            await one.close()


class _Running:
    """A read that runs until it is ended, and says when it has begun."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.has_begun = asyncio.Event()

    def __call__(self, connection: sqlite3.Connection) -> object:
        self._loop.call_soon_threadsafe(self.has_begun.set)
        return connection.execute(FOR_EVER).fetchone()


async def test_a_read_of_sqlite_ends_with_its_caller(reader: SQLiteConnection) -> None:
    running = _Running()
    reading = asyncio.create_task(reader.run(running))
    await running.has_begun.wait()
    behind = asyncio.create_task(reader.run(lambda connection: connection.execute("SELECT 1").fetchone()))
    waiting = asyncio.create_task(reader.run(_Running()))
    await asyncio.sleep(0)

    waiting.cancel()
    reading.cancel()

    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await behind == (1,)
        await asyncio.wait([reading, waiting])
    assert (reading.cancelled(), waiting.cancelled()) == (True, True)


async def test_a_read_that_ends_hits_no_other(reader: SQLiteConnection) -> None:
    async def read(number: int) -> int:
        found: tuple[int] = await reader.run(lambda connection: connection.execute("SELECT ?", (number,)).fetchone())
        return found[0]

    for _ in range(20):
        reads = [asyncio.create_task(read(number)) for number in range(40)]
        await asyncio.sleep(0)
        for one in reads[::2]:
            one.cancel()
        answers = await asyncio.gather(*reads, return_exceptions=True)

        assert answers[1::2] == list(range(1, 40, 2))


@pytest.mark.postgresql
async def test_a_read_of_postgresql_ends_with_its_caller(postgresql_url: str) -> None:
    connections = Connections(postgresql_url, size=1)
    watching = await asyncpg.connect(postgresql_url)
    running = (
        f"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%{_MARK}%' AND state = 'active'"  # noqa: S608 -- our own words
        " AND pid <> pg_backend_pid() AND datname = current_database()"
    )

    async def is_running() -> bool:
        return bool(await watching.fetchval(running))

    async def is_ended() -> bool:
        return not await is_running()

    try:
        reading = asyncio.create_task(connections.fetch(f"SELECT pg_sleep(60) /* {_MARK} */", []))
        await eventually(is_running, "the statement")
        reading.cancel()
        await eventually(is_ended, "the end of the statement")

        # There is room for one connection alone, so it has been given back.
        assert await connections.fetch("SELECT 1", []) == [(1,)]
    finally:
        await connections.close()
        await watching.close()


# A change that waits for whoever holds the lock.
_CHANGE = """
WITH waited AS MATERIALIZED (SELECT pg_advisory_xact_lock(7))
INSERT INTO tags_of_a_test SELECT $1 FROM waited RETURNING name
"""
# The server tells of the locks in all its databases, and this test may be running in another of them.
_WAITING = """
SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
WHERE datname = current_database() AND locktype = 'advisory' AND objid = 7 AND NOT granted
"""


class _Narrow:
    """A database with room for two changes at a time, that somebody holds up."""

    def __init__(self, connections: Connections, holder: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connections = connections
        self._holder = holder
        self.told: list[str] = []

    def change(self, name: str) -> "asyncio.Task[object]":
        """Begin a change."""
        told = self.told
        changing = self._connections.change(_CHANGE, [name], lambda rows: told.extend(row[0] for row in rows))
        return asyncio.create_task(changing)

    async def are_under_way(self) -> bool:
        """Say whether as many wait for the lock as there is room for."""
        return bool(await self._holder.fetchval(_WAITING) == 2)

    async def go_on(self) -> None:
        """Hold nobody up any longer."""
        await self._holder.execute("SELECT pg_advisory_unlock(7)")

    async def stored(self) -> list[str]:
        """Return what was stored, in order."""
        return [row[0] for row in await self._holder.fetch("SELECT name FROM tags_of_a_test ORDER BY name")]


@pytest.fixture
async def narrow(postgresql_url: str) -> AsyncIterator[_Narrow]:
    holder = await asyncpg.connect(postgresql_url)
    connections = Connections(postgresql_url, size=2)
    await holder.execute("CREATE TABLE tags_of_a_test (name text NOT NULL)")
    await holder.execute("SELECT pg_advisory_lock(7)")
    yield _Narrow(connections, holder)
    # Whoever is held up still, as when a test fails, would hold up its end.
    await holder.execute("SELECT pg_advisory_unlock_all()")
    await connections.close()
    await holder.execute("DROP TABLE tags_of_a_test")
    await holder.close()


async def test_a_change_that_was_begun_ends_without_its_caller_and_one_that_was_not_is_not_begun(
    narrow: _Narrow,
) -> None:
    begun, also_begun = narrow.change("1"), narrow.change("2")
    await eventually(narrow.are_under_way, "two changes")
    leaving, staying = narrow.change("3"), narrow.change("4")
    await asyncio.sleep(0)

    begun.cancel()
    leaving.cancel()
    await asyncio.wait([begun, leaving])
    await narrow.go_on()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(also_begun, staying)
        await narrow.change("5")

    assert (begun.cancelled(), leaving.cancelled()) == (True, True)
    assert await narrow.stored() == ["1", "2", "4", "5"]
    # The others may be answered before the first is: nobody waits for it any more.
    await eventually(lambda: len(narrow.told) == 4, "the word of the first change")
    assert sorted(narrow.told) == ["1", "2", "4", "5"]


async def test_a_change_that_cannot_begin_in_time_is_refused_and_never_made(
    narrow: _Narrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way = [narrow.change("1"), narrow.change("2")]
    await eventually(narrow.are_under_way, "two changes")
    with monkeypatch.context() as hasty:
        hasty.setattr(postgresql, "POOL_TIMEOUT_SECONDS", 0.02)
        too_late = [narrow.change("3"), narrow.change("4")]
        async with asyncio.timeout(PATIENCE_SECONDS):
            told = await asyncio.gather(*too_late, return_exceptions=True)
    await narrow.go_on()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*under_way)
        await narrow.change("5")

    busy = "All database connections are busy. Nothing was changed; try again."
    assert [(type(one), str(one)) for one in told] == [(Unavailable, busy)] * 2
    assert await narrow.stored() == ["1", "2", "5"]


async def test_a_hundred_changes_on_two_connections_are_all_made_and_one_that_fails_hurts_no_other(
    narrow: _Narrow,
) -> None:
    await narrow.go_on()
    names = [f"{number:03}" for number in range(100)]

    changes = [narrow.change(name) for name in names]
    wrong = asyncio.create_task(narrow._connections.change("INSERT INTO tags_of_a_test VALUES (NULL)", [], print))
    changes += [narrow.change("last")]
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(Conflict):
            await wrong
        await asyncio.gather(*changes)

    assert await narrow.stored() == [*names, "last"]


async def test_whoever_changes_again_at_once_is_served_while_all_other_connections_are_held_up(narrow: _Narrow) -> None:
    held_up = narrow.change("held up")
    at_once = "INSERT INTO tags_of_a_test VALUES ($1) RETURNING name"
    async with asyncio.timeout(PATIENCE_SECONDS):
        for number in range(20):
            await narrow._connections.change(at_once, [f"{number:02}"], lambda _: None)
    await narrow.go_on()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await held_up

    assert await narrow.stored() == [*(f"{number:02}" for number in range(20)), "held up"]
