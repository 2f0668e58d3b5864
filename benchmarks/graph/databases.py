"""The two databases with the data set in them: made once, found again, and dropped on request."""

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from sqlalchemy import Table
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from benchmarks.graph.dataset import EDITION, make
from benchmarks.graph.tables import metadata
from db.access import tables as access
from db.batches import table_of
from db.statements import POSTGRESQL, SQLITE

DATABASE = "ringside_benchmark_graph"

# What a careful owner sets; it holds for every peer alike.
_POSTGRESQL_SETTINGS = {"jit": "off", "random_page_cost": "1.1", "max_parallel_workers_per_gather": "0"}

# Ringside looks its tokens up in the same database.
_ACCESS = [table_of(table) for table in (access.User, access.Token, access.TokenNode)]

# PostGraphile makes the mutation of it; everybody else writes the statement himself.
_INCREMENT = """
CREATE FUNCTION entry_like(entry_id uuid) RETURNS entry_counts LANGUAGE sql VOLATILE STRICT AS $$
    UPDATE entry_counts SET likes = likes + 1 WHERE entry_counts.entry_id = $1 RETURNING *
$$
"""

Say = Callable[[str], None]


def url_of(server: str) -> str:
    """Return the URL of the benchmark's database on a server."""
    parts = urlsplit(server)
    return urlunsplit(parts._replace(path=f"/{DATABASE}"))


async def make_postgresql(server: str, *, is_fresh: bool, say: Say) -> str:
    """Make the database on a server unless it is there, and return its URL."""
    admin = await asyncpg.connect(server, database="postgres")
    try:
        if is_fresh:
            await admin.execute(f'DROP DATABASE IF EXISTS "{DATABASE}" WITH (FORCE)')
        edition = await admin.fetchval(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1", DATABASE
        )
        if edition == str(_wanted_edition()):
            return url_of(server)
        await admin.execute(f'DROP DATABASE IF EXISTS "{DATABASE}" WITH (FORCE)')
        await admin.execute(f'CREATE DATABASE "{DATABASE}"')
        for name, value in _POSTGRESQL_SETTINGS.items():
            await admin.execute(f'ALTER DATABASE "{DATABASE}" SET {name} = {value}')
        await _fill_postgresql(url_of(server), say)
        await admin.execute(f"COMMENT ON DATABASE \"{DATABASE}\" IS '{_wanted_edition()}'")
    finally:
        await admin.close()
    return url_of(server)


async def drop_postgresql(server: str) -> None:
    """Drop the database."""
    admin = await asyncpg.connect(server, database="postgres")
    try:
        await admin.execute(f'DROP DATABASE IF EXISTS "{DATABASE}" WITH (FORCE)')
    finally:
        await admin.close()


async def version_of(server: str) -> str:
    """Return the version of a server."""
    connection = await asyncpg.connect(server, database="postgres")
    try:
        return str(await connection.fetchval("SHOW server_version"))
    finally:
        await connection.close()


def make_sqlite(path: Path, *, is_fresh: bool, say: Say) -> str:
    """Make the file unless it is there, and return its URL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if is_fresh or _edition_of(path) != _wanted_edition():
        drop_sqlite(path)
        _fill_sqlite(path, say)
    return f"sqlite:///{path}"


def drop_sqlite(path: Path) -> None:
    """Remove the file and what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


async def _fill_postgresql(url: str, say: Say) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in _tables(POSTGRESQL):
            await connection.execute(statement)
        for table, rows in make():
            say(f"PostgreSQL: {table.name}, {len(rows):,} rows")
            await connection.copy_records_to_table(table.name, records=rows, columns=table.c.keys())
        for statement in (*_indexes(POSTGRESQL), _INCREMENT, "VACUUM ANALYZE", "CHECKPOINT"):
            await connection.execute(statement)
    finally:
        await connection.close()


def _fill_sqlite(path: Path, say: Say) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    for statement in _tables(SQLITE):
        connection.execute(statement)
    for table, rows in make():
        say(f"SQLite: {table.name}, {len(rows):,} rows")
        places = ", ".join("?" * len(table.c))
        connection.executemany(f"INSERT INTO {table.name} VALUES ({places})", _for_sqlite(table, rows))  # noqa: S608 -- our own names
    for statement in _indexes(SQLITE):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {_wanted_edition()}")
    connection.commit()
    connection.execute("ANALYZE")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _wanted_edition() -> int:
    """Return a number for the data set and the tables it is in, Ringside's own among them."""
    tables = "\n".join([*_tables(SQLITE), *_indexes(SQLITE)])
    return zlib.crc32(f"{EDITION} {tables}".encode()) >> 1


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


def _for_sqlite(table: Table, rows: Iterable[Sequence[Any]]) -> Iterator[list[Any]]:
    """Convert values as the columns' own types do."""
    binders = [column.type.dialect_impl(SQLITE).bind_processor(SQLITE) for column in table.c]
    for row in rows:
        yield [value if bind is None else bind(value) for bind, value in zip(binders, row, strict=True)]


def _tables(dialect: Dialect) -> Iterator[str]:
    for table in (*_ACCESS, *metadata.sorted_tables):
        yield str(CreateTable(table).compile(dialect=dialect))


def _indexes(dialect: Dialect) -> Iterator[str]:
    for table in (*_ACCESS, *metadata.sorted_tables):
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            yield str(CreateIndex(index).compile(dialect=dialect))
