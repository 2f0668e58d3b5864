"""Mishaps: what happens to a database that no operation of ours would do."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import asyncpg

from db.urls import is_embedded, sqlite_path


async def drop_table(database_url: str, table: str) -> None:
    """Take a table away, as no operation of ours would."""
    if is_embedded(database_url):
        # Beside the event loop: the server in it may be in the middle of a transaction.
        await asyncio.to_thread(_drop_table, sqlite_path(database_url), table)
        return
    connected = await asyncpg.connect(database_url)
    await connected.execute(f"DROP TABLE {table} CASCADE")
    await connected.close()


def _drop_table(path: Path, table: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(f"DROP TABLE {table}")
