"""Reading: sessions that do not write, and whose turn it is."""

import asyncio
import os
import sqlite3
from functools import partial

import pytest
from sqlalchemy import insert, select, text
from sqlmodel import col

from db.batches import table_of
from db.connecting import connect
from db.database import Database
from db.matches.tables import Mat, Tournament
from db.sqlite_database import SQLiteDatabase
from tests.db.stored import columns_of_tournament, mat_names
from tests.db.transacting import leave, store, store_alone
from tests.support.house import PATIENCE_SECONDS, eventually


async def test_a_session_for_reading_does_not_write(db: Database) -> None:
    values = columns_of_tournament("Open")

    async with db.read() as session:
        with pytest.raises(TypeError, match="A session for reading does not write"):
            await session.rows(insert(Tournament).values(**values).returning(Tournament))
        assert await session.rows(select(table_of(Tournament))) == []


async def test_a_readers_connection_cannot_write_whatever_it_is_asked(sqlite_db: SQLiteDatabase) -> None:
    with pytest.raises(sqlite3.OperationalError, match="attempt to write a readonly database"):
        await sqlite_db._readers[0].run(lambda connection: connection.execute("DELETE FROM mats"))


async def test_a_transaction_reads_what_it_wrote(db: Database) -> None:
    async with db.transaction() as tx:
        await store(tx, "Mat 1")
        found = await tx.scalar(select(col(Mat.name)))

    assert found == "Mat 1"


async def test_a_reader_in_line_is_not_passed_by_one_who_reads_on_and_on(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All read over one connection: of two, one may answer fifty times before the other answers once.
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    narrow = await connect(database_url, pool_size=1)
    finished: list[str] = []

    async def read_on(name: str, times: int) -> None:
        async with narrow.read() as session:
            for _ in range(times):
                await session.rows(select(table_of(Mat)))
        finished.append(name)

    async with narrow.transaction() as tx:
        # On PostgreSQL there are two connections at least, and this has the other one.
        await tx.rows(select(table_of(Mat)))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await read_on("warming up", 1)
            finished.clear()
            await asyncio.gather(read_on("on and on", 50), *(read_on("once", 1) for _ in range(5)))
    await narrow.close()

    assert finished == [*["once"] * 5, "on and on"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_readers_who_leave_at_any_moment_leave_their_connection_to_others(
    db: Database, database_url: str
) -> None:
    await store_alone(db, "Mat 1")
    narrow = await connect(database_url, pool_size=1)

    async def read_twice() -> None:
        await mat_names(narrow)
        await mat_names(narrow)

    suspension, was_cancelled = 0, True
    while was_cancelled:
        suspension += 1
        in_line = asyncio.create_task(mat_names(narrow))
        leaver = asyncio.create_task(leave(read_twice(), suspension))
        also_in_line = asyncio.create_task(mat_names(narrow))
        async with asyncio.timeout(PATIENCE_SECONDS):
            found = await asyncio.gather(in_line, also_in_line)
            (outcome,) = await asyncio.gather(leaver, return_exceptions=True)
        was_cancelled = isinstance(outcome, asyncio.CancelledError)
        assert list(found) == [["Mat 1"]] * 2

    assert suspension > 2
    # Of ours there are two of the narrow one, as many of the other as asked at once, and the one who asks.
    await eventually(partial(_are_at_most, narrow, 2 + 3 + 2), "the end of connections that nobody has")
    await narrow.close()


async def _are_at_most(db: Database, most: int) -> bool:
    """Say whether no more than so many are connected: a server lets go of one a moment after it was hung up."""
    async with db.read() as session:
        everybody: int = await session.scalar(_CONNECTED)
        return everybody <= most


_CONNECTED = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name <> 'tests'"
)
