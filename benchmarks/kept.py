"""Databases that are kept between runs: made when they are missing or are of another edition, dropped on request."""

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

# What a careful owner sets; it holds for every peer alike.
_POSTGRESQL_SETTINGS: Mapping[str, str] = {
    "jit": "off",
    "random_page_cost": "1.1",
    "max_parallel_workers_per_gather": "0",
}


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A data set: by which name PostgreSQL knows its database, and a number that changes with what is in it."""

    name: str
    edition: int

    def url_on(self, server: str) -> str:
        """Return the URL of the database on a server."""
        return urlunsplit(urlsplit(server)._replace(path=f"/{self.name}"))

    async def on_postgresql(self, server: str, fill: Callable[[str], Awaitable[None]], *, is_fresh: bool) -> str:
        """Make the database on a server unless it is there, and return its URL."""
        if is_fresh:
            await self.drop_postgresql(server)
        admin = await asyncpg.connect(server, database="postgres")
        try:
            found = await admin.fetchval(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1", self.name
            )
            if found == str(self.edition):
                return self.url_on(server)
            await admin.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
            await admin.execute(f'CREATE DATABASE "{self.name}"')
            for name, value in _POSTGRESQL_SETTINGS.items():
                await admin.execute(f'ALTER DATABASE "{self.name}" SET {name} = {value}')
            await fill(self.url_on(server))
            await admin.execute(f"COMMENT ON DATABASE \"{self.name}\" IS '{self.edition}'")
        finally:
            await admin.close()
        return self.url_on(server)

    async def drop_postgresql(self, server: str) -> None:
        """Drop the database."""
        admin = await asyncpg.connect(server, database="postgres")
        try:
            await admin.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
        finally:
            await admin.close()

    async def on_sqlite(self, path: Path, fill: Callable[[Path], Awaitable[None]], *, is_fresh: bool) -> str:
        """Make the file unless it is there, and return its URL."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if is_fresh or _edition_of(path) != self.edition:
            drop_sqlite(path)
            await fill(path)
            connection = sqlite3.connect(path)
            connection.execute(f"PRAGMA user_version = {self.edition}")
            connection.commit()
            connection.close()
        return f"sqlite:///{path}"


def drop_sqlite(path: Path) -> None:
    """Remove the file and what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


async def version_of(server: str) -> str:
    """Return the version of a server."""
    connection = await asyncpg.connect(server, database="postgres")
    try:
        return str(await connection.fetchval("SHOW server_version"))
    finally:
        await connection.close()


def _edition_of(path: Path) -> int | None:
    if not path.exists():
        return None
    connection = sqlite3.connect(path)
    try:
        edition: int = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError:
        return None
    finally:
        connection.close()
    return edition
