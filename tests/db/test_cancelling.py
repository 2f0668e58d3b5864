"""Whoever leaves takes his statement with him: the database does not go on for nobody."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from db.postgresql import Connections
from db.sqlite import SQLiteConnection
from tests.support.house import PATIENCE_SECONDS, eventually
from tests.support.postgresql import Server

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
async def test_a_read_of_postgresql_ends_with_its_caller(postgresql_server: Server, migrated_template: str) -> None:
    url = postgresql_server.url(migrated_template)
    connections = Connections(url, size=1)
    watching = await asyncpg.connect(url)
    running = f"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%{_MARK}%' AND pid <> pg_backend_pid() AND state = 'active'"  # noqa: S608, E501 -- our own words

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
