"""Transactions on a database in trouble: another writer, a full disk, a server that goes away."""

import asyncio
import sqlite3
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import insert, text

from db import postgresql, sqlite
from db.connecting import connect
from db.database import Database
from db.errors import Unavailable
from db.matches.tables import Tournament
from db.session import Transaction
from db.sqlite_database import SQLiteDatabase
from tests.db.ears import Ears
from tests.db.stored import columns_of_tournament, count_of, count_up, lay_mat, mat_names
from tests.db.transacting import store, store_alone
from tests.support.house import PATIENCE_SECONDS

DISK_FULL = "The database could not store the change. Nothing was changed; try again."


NO_ANSWER = "The database does not answer. If this was a change, read before you repeat it."


async def test_a_turn_that_does_not_come_in_time_is_unavailable(
    db: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = await connect(database_url, pool_size=1)
    may_end = asyncio.Event()

    async def hold() -> None:
        async with narrow.transaction() as tx:
            await store(tx, "Mat 1")
            may_end.set()
            await hold_on.wait()

    hold_on = asyncio.Event()
    holder = asyncio.create_task(hold())
    await may_end.wait()
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_SECONDS", 0.02)
    monkeypatch.setattr(postgresql, "POOL_TIMEOUT_SECONDS", 0.02)
    with pytest.raises(Unavailable, match=r"busy\. Nothing was changed; try again\."):
        await store_alone(narrow, "Mat 2")
    hold_on.set()
    await holder
    monkeypatch.undo()
    await store_alone(narrow, "Mat 3")

    assert await mat_names(db) == ["Mat 1", "Mat 3"]
    await narrow.close()


async def test_another_process_that_writes_makes_us_wait_and_then_refuse(
    sqlite_db: SQLiteDatabase, tmp_path: Path
) -> None:
    await sqlite_db._writer.run(lambda connection: connection.execute("PRAGMA busy_timeout=20"))
    stranger = sqlite3.connect(tmp_path / "alone.db", isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    ears = Ears(sqlite_db)

    answers = await asyncio.gather(*(store_alone(sqlite_db, f"Mat {n}") for n in range(3)), return_exceptions=True)
    stranger.execute("ROLLBACK")
    stranger.close()
    await store_alone(sqlite_db, "Mat 3")

    assert [type(answer) for answer in answers] == [Unavailable] * 3
    assert await mat_names(sqlite_db) == ["Mat 3"]
    assert ears.heard() == ["Mat 3"]


async def test_a_full_disk_fails_the_whole_group_and_the_next_transaction_works(sqlite_db: SQLiteDatabase) -> None:
    ears = Ears(sqlite_db)
    await sqlite_db._writer.run(_fill_up)

    answers = await asyncio.gather(
        store_alone(sqlite_db, "Mat 1"), store_much(sqlite_db), store_alone(sqlite_db, "Mat 2"), return_exceptions=True
    )
    await sqlite_db._writer.run(_make_room)
    await store_alone(sqlite_db, "Mat 3")

    assert [type(answer) for answer in answers] == [Unavailable, Unavailable, type(None)]
    assert str(answers[0]) == DISK_FULL
    assert await mat_names(sqlite_db) == ["Mat 2", "Mat 3"]
    assert ears.heard() == ["Mat 2", "Mat 3"]


async def test_a_body_that_goes_on_after_a_full_disk_stores_nothing_by_itself(sqlite_db: SQLiteDatabase) -> None:
    await sqlite_db._writer.run(_fill_up)

    async def change() -> None:
        async with sqlite_db.transaction() as tx:
            with pytest.raises(Unavailable):
                await _store_much(tx)
            await sqlite_db._writer.run(_make_room)
            with pytest.raises(Unavailable):
                await store(tx, "half a change")

    with pytest.raises(Unavailable):
        await change()

    assert await mat_names(sqlite_db) == []


async def store_much(db: Database) -> None:
    async with db.transaction() as tx:
        await _store_much(tx)


async def _store_much(tx: Transaction) -> None:
    await tx.execute(insert(Tournament).values(**columns_of_tournament("x" * 1_000_000)))


def _fill_up(connection: sqlite3.Connection) -> None:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count={pages + 8}")


def _make_room(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA max_page_count=1000000")


async def test_a_statement_nobody_understands_is_a_bug_and_surfaces(db: Database) -> None:
    async def change() -> None:
        async with db.transaction() as tx:
            await tx.execute(text("SELECT nonsense FROM nowhere"))

    with pytest.raises((sqlite3.OperationalError, asyncpg.PostgresError)):
        await change()

    await store_alone(db, "Mat 1")
    assert await mat_names(db) == ["Mat 1"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_connection_killed_under_a_transaction_is_unavailable_and_the_next_works(
    db: Database, ears: Ears, database_url: str
) -> None:
    async def change() -> None:
        async with db.transaction() as tx:
            await store(tx, "Mat 1")
            await kill(database_url, await tx.scalar(text("SELECT pg_backend_pid()")))
            await store(tx, "Mat 2")

    with pytest.raises(Unavailable, match=NO_ANSWER):
        await change()

    await store_alone(db, "Mat 3")
    assert await mat_names(db) == ["Mat 3"]
    assert ears.heard() == ["Mat 3"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_connection_killed_before_the_commit_is_unavailable_and_silent(
    db: Database, ears: Ears, database_url: str
) -> None:
    async def change() -> None:
        async with db.transaction() as tx:
            await store(tx, "Mat 1")
            await kill(database_url, await tx.scalar(text("SELECT pg_backend_pid()")))

    with pytest.raises(Unavailable, match=NO_ANSWER):
        await change()

    assert await mat_names(db) == []
    assert ears.heard() == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_connections_killed_while_nobody_used_them_cost_at_most_their_number(
    db: Database, database_url: str
) -> None:
    await asyncio.gather(*(mat_names(db) for _ in range(5)))

    await kill(database_url)
    answers = await asyncio.gather(*(mat_names(db) for _ in range(5)), return_exceptions=True)

    assert all(answer == [] or isinstance(answer, Unavailable) for answer in answers)
    assert await mat_names(db) == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_of_two_that_wait_for_each_other_one_is_asked_to_try_again(db: Database) -> None:
    mats = [await lay_mat(db, "Mat 1"), await lay_mat(db, "Mat 2")]
    has_begun = [asyncio.Event(), asyncio.Event()]

    async def change(own: int) -> None:
        async with db.transaction() as tx:
            await tx.execute(text("SET LOCAL deadlock_timeout='10ms'"))
            await count_up(tx, mats[own].id)
            has_begun[own].set()
            await has_begun[1 - own].wait()
            await count_up(tx, mats[1 - own].id)

    async with asyncio.timeout(PATIENCE_SECONDS):
        answers = await asyncio.gather(change(0), change(1), return_exceptions=True)

    assert sorted(str(answer) for answer in answers) == [
        "None",
        "The database cannot do this now. Nothing was changed; try again.",
    ]
    assert [await count_of(db, mat.id) for mat in mats] == [1, 1]


async def kill(url: str, process: int | None = None) -> None:
    """End a connection of ours from outside, or all of them, and wait until they are gone."""
    connection = await asyncpg.connect(url)
    await connection.fetch(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database() AND ($1::int IS NULL OR pid = $1)",
        process,
    )
    await connection.close()
