"""The two databases with the data set in them: made once, found again, and dropped on request."""

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import Table
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from benchmarks.graph.dataset import EDITION, make
from benchmarks.graph.tables import metadata
from benchmarks.kept import Kept
from db.access import tables as access
from db.batches import table_of
from db.dialects import POSTGRESQL, SQLITE

DATABASE = "ringside_benchmark_graph"

# Ringside looks its tokens up in the same database.
_ACCESS = [table_of(table) for table in (access.User, access.Token, access.TokenNode)]

# PostGraphile makes the mutation of it; everybody else writes the statement himself.
_INCREMENT = """
CREATE FUNCTION entry_like(entry_id uuid) RETURNS entry_counts LANGUAGE sql VOLATILE STRICT AS $$
    UPDATE entry_counts SET likes = likes + 1 WHERE entry_counts.entry_id = $1 RETURNING *
$$
"""

Say = Callable[[str], None]


async def make_postgresql(server: str, *, is_fresh: bool, say: Say) -> str:
    """Make the database on a server unless it is there, and return its URL."""
    return await _kept().on_postgresql(server, lambda url: _fill_postgresql(url, say), is_fresh=is_fresh)


async def drop_postgresql(server: str) -> None:
    """Drop the database."""
    await _kept().drop_postgresql(server)


async def make_sqlite(path: Path, *, is_fresh: bool, say: Say) -> str:
    """Make the file unless it is there, and return its URL."""
    return await _kept().on_sqlite(path, lambda made: _fill_sqlite(made, say), is_fresh=is_fresh)


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


async def _fill_sqlite(path: Path, say: Say) -> None:
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
    connection.commit()
    connection.execute("ANALYZE")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _kept() -> Kept:
    """Number the data set with the tables it is in, Ringside's own among them."""
    tables = "\n".join([*_tables(SQLITE), *_indexes(SQLITE)])
    return Kept(name=DATABASE, edition=zlib.crc32(f"{EDITION} {tables}".encode()) >> 1)


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
