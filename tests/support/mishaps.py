"""Mishaps: what happens to a database that no operation of ours would do."""

import sqlite3

import asyncpg

from db.session import is_embedded, sqlite_path


async def drop_table(database_url: str, table: str) -> None:
    """Take a table away, as no operation of ours would."""
    if is_embedded(database_url):
        connection = sqlite3.connect(sqlite_path(database_url))
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(f"DROP TABLE {table}")
        connection.close()
        return
    connected = await asyncpg.connect(database_url)
    await connected.execute(f"DROP TABLE {table} CASCADE")
    await connected.close()
