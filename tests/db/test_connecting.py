"""Opening and closing a database, and what is said of it."""

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from db import sqlite_database
from db.connecting import connect
from db.database import Database
from db.errors import Unavailable
from db.sqlite_database import SQLiteDatabase
from db.statements import Bound
from db.urls import without_secret
from tests.db.stored import mat_names
from tests.db.transacting import store, store_alone, turn_of_the_loop
from tests.support.house import PATIENCE_SECONDS


@pytest.mark.usefixtures("as_served")
async def test_a_commit_that_was_answered_is_on_disk(db: Database) -> None:
    versions = await db.versions()

    durable = {"sqlite": "FULL", "postgresql": "on"}[versions["engine"]]
    assert versions["synchronous"] == durable
    assert versions["version"][0].isdigit()


@pytest.mark.usefixtures("as_served")
async def test_every_connection_to_a_file_is_fully_synchronous_and_checks_foreign_keys(
    sqlite_db: SQLiteDatabase,
) -> None:
    def settings(connection: sqlite3.Connection) -> list[Any]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    found = [await connection.run(settings) for connection in (*sqlite_db._readers, sqlite_db._writer)]

    assert found == [["wal", 2, 1]] * len(found)


async def test_a_file_that_is_not_there_is_said_to_be_missing_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "missing.db"

    with pytest.raises(Unavailable) as refusal:
        await connect(f"sqlite:///{path}")

    assert str(refusal.value) == f"The database file {path} cannot be opened: unable to open database file"
    assert not path.exists()
    assert [thread.name for thread in threading.enumerate() if "missing.db" in thread.name] == []


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Not a database, but long enough to be read as the header of one. " * 10)

    with pytest.raises(Unavailable) as refusal:
        await connect(f"sqlite:///{path}")

    assert str(refusal.value) == f"The database file {path} cannot be opened: file is not a database"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (
            "mysql://root:secret@host/ringside",
            "A database URL begins with sqlite:/// or postgresql://: mysql://root:***@host/ringside does not.",
        ),
        ("ringside.db", "A database URL begins with sqlite:/// or postgresql://: ringside.db does not."),
        (
            "sqlite:///:memory:",
            "A SQLite URL names a file, as sqlite:///ringside.db does; this one does not: sqlite:///:memory:",
        ),
        ("sqlite:///", "A SQLite URL names a file, as sqlite:///ringside.db does; this one does not: sqlite:///"),
        (
            "sqlite://ringside.db",
            "A SQLite URL names a file, as sqlite:///ringside.db does; this one does not: sqlite://ringside.db",
        ),
    ],
)
async def test_a_url_of_no_engine_of_ours_is_refused(url: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=r".") as refusal:
        await connect(url)

    assert str(refusal.value) == sentence


async def test_a_port_where_nobody_answers_is_unavailable(nobodys_port: int) -> None:
    with pytest.raises(Unavailable, match=r"PostgreSQL does not let us in: .*Connect call failed"):
        await connect(f"postgresql://postgres@127.0.0.1:{nobodys_port}/ringside")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_database_that_is_not_there_is_unavailable(database_url: str) -> None:
    with pytest.raises(Unavailable, match="does not exist"):
        await connect(f"{database_url.rpartition('/')[0]}/ringside_no_such")


async def test_a_url_that_cannot_be_read_does_not_give_its_password_away() -> None:
    with pytest.raises(Unavailable) as refusal:
        await connect("postgresql://postgres:pass/word@127.0.0.1/ringside")

    assert str(refusal.value) == (
        "PostgreSQL is not asked: its URL cannot be read. In a password / is written %2F, and # is written %23."
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///ringside.db", "sqlite:///ringside.db"),
        ("postgresql://127.0.0.1:5432/ringside", "postgresql://127.0.0.1:5432/ringside"),
        ("postgresql://me@127.0.0.1:5432/ringside", "postgresql://me@127.0.0.1:5432/ringside"),
        ("postgresql://me@[::1]:5432/ringside", "postgresql://me@[::1]:5432/ringside"),
        ("postgresql://me:secret@127.0.0.1:5432/ringside", "postgresql://me:***@127.0.0.1:5432/ringside"),
        ("postgresql://me:secret@[::1]/ringside", "postgresql://me:***@[::1]/ringside"),
        ("postgresql://me:p%40ss%3Aw%2Frd@host/ringside", "postgresql://me:***@host/ringside"),
        ("postgresql://me:p@ss@host/ringside", "postgresql://me:***@host/ringside"),
        ("postgresql://me:p/ss@host/ringside", "postgresql://me:***@host/ringside"),
        ("postgresql://me:p#s?s@host/ringside", "postgresql://me:***@host/ringside"),
        ("postgresql://me:p[ss@host/ringside", "postgresql://me:***@host/ringside"),
        ("postgresql://:secret@host/ringside", "postgresql://:***@host/ringside"),
        ("postgresql://host/ringside?user=me&password=se%26cret", "postgresql://host/ringside?user=me&password=***"),
        ("postgresql://host/ringside?password=secret&a=b", "postgresql://host/ringside?password=***&a=b"),
        ("postgresql://me:one@host/ringside?password=two", "postgresql://me:***@host/ringside?password=***"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_secret(url) == shown


async def test_a_closed_database_refuses_and_nobody_waits_for_it(database_url: str) -> None:
    database = await connect(database_url, pool_size=1)
    await database.close()

    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(Unavailable):
            await mat_names(database)
        with pytest.raises(Unavailable):
            await store_alone(database, "Mat 1")


async def test_a_file_closed_under_a_transaction_stores_nothing_of_it(
    sqlite_db: SQLiteDatabase, tmp_path: Path
) -> None:
    async def change() -> None:
        async with asyncio.timeout(PATIENCE_SECONDS), sqlite_db.transaction() as tx:
            await store(tx, "Mat 1")
            await sqlite_db.close()
            await store(tx, "Mat 2")

    with pytest.raises(Unavailable, match="The database is closed"):
        await change()

    again = await SQLiteDatabase.open(tmp_path / "alone.db")
    assert await mat_names(again) == []
    await again.close()


async def test_closing_waits_for_the_commits_under_way(sqlite_db: SQLiteDatabase, tmp_path: Path) -> None:
    task = asyncio.create_task(store_alone(sqlite_db, "Mat 1"))
    while not sqlite_db._commits._endings:
        await turn_of_the_loop()
    await sqlite_db.close()
    await task

    again = await SQLiteDatabase.open(tmp_path / "alone.db")
    assert await mat_names(again) == ["Mat 1"]
    await again.close()


async def test_no_cursor_leaves_the_thread_of_its_connection(sqlite_db: SQLiteDatabase) -> None:
    given: list[object] = []

    class Overheard:
        async def run(self, work: Any) -> Any:
            given.append(await sqlite_db._writer.run(work))
            return given[-1]

    driver = sqlite_database._SQLiteDriver(Overheard())  # type: ignore[arg-type]  # all that it asks of a connection
    insert = "INSERT INTO mats (id, name, last_seq, created_at) VALUES (?, ?, 0, '')"
    await driver.execute_all([Bound(insert, [["a", "b"]], None)])
    await driver.fetch("SELECT name FROM mats", [])

    assert given == [None, [("b",)]]
