"""Rows out of a database and into one, past the graph: all tables as they stood at one moment, and back in one go.

Reading takes a snapshot: on SQLite a reading transaction, on PostgreSQL one that is repeatable. Whoever writes
meanwhile neither waits nor is seen. Writing is one transaction, in which nothing is counted, searched or checked row
by row; what refers to something is checked at its end.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import asyncpg
from sqlalchemy import Table

from db.archive import ArchivedTable, Reader, Row, Writer
from db.archive_columns import INTO, OUT, ColumnKind, Convert, kind_of
from db.errors import Conflict, Unavailable
from db.sealing import is_sealed
from db.tables import FILLING_TRIGGERS, OF_SERVERS, metadata
from db.urls import is_embedded, sqlite_path, without_secret

Columns = tuple[tuple[str, ColumnKind], ...]
# Called with the name of a table and how many more of its rows are done.
Progress = Callable[[str, int], None]

_ROWS_AT_ONCE = 1000
_BUSY_SECONDS = 5.0


def _silent(_table: str, _rows: int) -> None:
    """Tell nobody."""


class _Snapshot(Protocol):
    """A database as it stood at one moment."""

    engine: str
    version: str

    async def revision(self) -> str | None: ...
    def rows(self, name: str, columns: Columns) -> AsyncIterator[Sequence[Sequence[Any]]]: ...
    async def count(self, name: str) -> int: ...


@dataclass(frozen=True)
class Plan:
    """What is written of one table. `secrets` are the places of columns that hold secrets."""

    name: str
    columns: Columns
    secrets: tuple[int, ...]


def plan() -> list[Plan]:
    """Return what a backup holds: every table of things, so that what refers stands behind what it refers to."""
    return [_plan_of(table) for table in metadata.sorted_tables if table.name not in OF_SERVERS]


def _plan_of(table: Table) -> Plan:
    columns = tuple((column.name, kind_of(column)) for column in table.columns)
    secrets = tuple(place for place, column in enumerate(table.columns) if column.info.get("is_secret"))
    return Plan(table.name, columns, secrets)


async def write_rows(url: str, writer: Writer, progress: Progress = _silent) -> tuple[str, str, str]:
    """Write all tables to an archive; return the revision, the engine and its version.

    A secret that is not sealed is left out, and counted. Raises `Unavailable`, and `Conflict` for a database that has
    not the tables of this version.
    """
    async with _snapshot(url) as snapshot:
        revision = await snapshot.revision()
        if revision is None:
            raise Conflict("This database holds nothing of Ringside: there is nothing to back up.")
        for each in plan():
            writer.begin(each.name, each.columns)
            converters = _converters(each.columns, OUT[snapshot.engine])
            async for raw in snapshot.rows(each.name, each.columns):
                await asyncio.to_thread(_write, writer, raw, converters, each.secrets)
                progress(each.name, len(raw))
        return revision, snapshot.engine, snapshot.version


async def count_rows(url: str) -> dict[str, int]:
    """Return how many rows each table of ours has; none for one that is not there."""
    async with _snapshot(url) as snapshot:
        return {each.name: await snapshot.count(each.name) for each in plan()}


def _write(
    writer: Writer, raw: Iterable[Sequence[Any]], converters: Sequence[tuple[int, Convert]], secrets: Sequence[int]
) -> None:
    rows, withheld = [], 0
    for found in raw:
        row = list(found)
        for place in secrets:
            if row[place] and not is_sealed(row[place]):
                row[place] = None
                withheld += 1
        _convert(row, converters)
        rows.append(row)
    writer.write(rows, withheld=withheld)


def _converters(columns: Columns, kinds: Any) -> list[tuple[int, Convert]]:
    return [(place, kinds[kind]) for place, (_, kind) in enumerate(columns) if kind in kinds]


def _convert(row: Row, converters: Iterable[tuple[int, Convert]]) -> None:
    for place, convert in converters:
        if row[place] is not None:
            row[place] = convert(row[place])


def _snapshot(url: str) -> AbstractAsyncContextManager[_Snapshot]:
    return _sqlite_snapshot(sqlite_path(url)) if is_embedded(url) else _postgresql_snapshot(url)


# SQLite


class _SQLiteSnapshot:
    engine = "sqlite"
    version = sqlite3.sqlite_version

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def revision(self) -> str | None:
        return await asyncio.to_thread(_sqlite_revision, self._connection)

    async def rows(self, name: str, columns: Columns) -> AsyncIterator[Sequence[Sequence[Any]]]:
        cursor = await asyncio.to_thread(self._connection.execute, _select(name, columns))
        while found := await asyncio.to_thread(cursor.fetchmany, _ROWS_AT_ONCE):
            yield found

    async def count(self, name: str) -> int:
        return int(await asyncio.to_thread(_sqlite_count, self._connection, name))


@asynccontextmanager
async def _sqlite_snapshot(path: Path) -> AsyncIterator[_Snapshot]:
    with closing(await asyncio.to_thread(_opened, path)) as connection:
        connection.execute("BEGIN")
        yield _SQLiteSnapshot(connection)


def _opened(path: Path) -> sqlite3.Connection:
    try:
        address = path.absolute().as_uri() + "?mode=ro"
        return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False, timeout=_BUSY_SECONDS)
    except sqlite3.Error as error:
        raise Unavailable(f"The database file {path} cannot be opened: {error}") from error


def _sqlite_revision(connection: sqlite3.Connection) -> str | None:
    """Read the revision, which takes the snapshot."""
    if not _sqlite_has(connection, "alembic_version"):
        return None
    found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if found is None else str(found[0])


def _sqlite_has(connection: sqlite3.Connection, name: str) -> bool:
    asked = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,))
    return asked.fetchone() is not None


def _sqlite_count(connection: sqlite3.Connection, name: str) -> int:
    if not _sqlite_has(connection, name):
        return 0
    return int(connection.execute(f"SELECT count(*) FROM {_quoted(name)}").fetchone()[0])  # noqa: S608 -- our own names


def load_sqlite(path: Path, reader: Reader, progress: Progress = _silent) -> None:
    """Put the rows of an archive in place of those in a file whose tables are of its revision, or change nothing.

    Raises `BadArchive`, and `Conflict` for a row that refers to nothing.
    """
    with closing(sqlite3.connect(path, isolation_level=None, timeout=_BUSY_SECONDS)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("BEGIN IMMEDIATE")
        triggers = _silenced(connection)
        for table in reader.manifest.tables:
            connection.execute(f"DELETE FROM {_quoted(table.name)}")  # noqa: S608 -- matched against what a name is
            statement = _insert(table)
            converters = _converters(table.columns, INTO["sqlite"])
            for rows in reader.rows(table):
                for row in rows:
                    _convert(row, converters)
                connection.executemany(statement, rows)
                progress(table.name, len(rows))
        for sql in triggers:
            connection.execute(sql)
        dangling = connection.execute("PRAGMA foreign_key_check").fetchone()
        if dangling is not None:
            raise Conflict(f"A row of {dangling[0]} refers to a row of {dangling[2]} that is not in the backup.")
        connection.execute("COMMIT")


def _silenced(connection: sqlite3.Connection) -> list[str]:
    """Drop what counts, and return how it is made again. What fills tables that are in no archive stays."""
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    counting = [(name, sql) for name, sql in found if not name.startswith(FILLING_TRIGGERS)]
    for name, _ in counting:
        connection.execute(f"DROP TRIGGER {_quoted(name)}")
    return [sql for _, sql in counting]


# PostgreSQL


class _PostgreSQLSnapshot:
    engine = "postgresql"

    def __init__(self, connection: "asyncpg.Connection[Any]") -> None:
        self._connection = connection
        version = connection.get_server_version()
        self.version = f"{version.major}.{version.minor}"

    async def revision(self) -> str | None:
        if await self._connection.fetchval("SELECT to_regclass('alembic_version')") is None:
            return None
        found = await self._connection.fetchval("SELECT version_num FROM alembic_version")
        return None if found is None else str(found)

    async def rows(self, name: str, columns: Columns) -> AsyncIterator[Sequence[Sequence[Any]]]:
        cursor = await self._connection.cursor(_select(name, columns))
        while found := await cursor.fetch(_ROWS_AT_ONCE):
            yield found

    async def count(self, name: str) -> int:
        if await self._connection.fetchval("SELECT to_regclass($1)", name) is None:
            return 0
        return int(await self._connection.fetchval(f"SELECT count(*) FROM {_quoted(name)}"))  # noqa: S608 -- as above


@asynccontextmanager
async def _postgresql(url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    try:
        connection = await asyncpg.connect(url, timeout=_BUSY_SECONDS)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise Unavailable(f"The database {without_secret(url)} cannot be reached: {error}") from error
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def _postgresql_snapshot(url: str) -> AsyncIterator[_Snapshot]:
    async with _postgresql(url) as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        yield _PostgreSQLSnapshot(connection)


_FOREIGN_KEYS = """
SELECT conrelid::regclass::text AS "table", quote_ident(conname) AS name, pg_get_constraintdef(oid) AS definition
FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace ORDER BY conname
"""


async def load_postgresql(connection: "asyncpg.Connection[Any]", reader: Reader, progress: Progress = _silent) -> None:
    """Put the rows of an archive in place of what stands in the tables, which are of its revision; one transaction.

    Raises `BadArchive`, and `Conflict` for a row that refers to nothing.
    """
    async with connection.transaction():
        keys = await connection.fetch(_FOREIGN_KEYS)
        for key in keys:
            await connection.execute(f"ALTER TABLE {key['table']} DROP CONSTRAINT {key['name']}")
        for table in reader.manifest.tables:
            await _fill(connection, reader, table, progress)
        for key in keys:
            await _put_back(connection, key)


async def _fill(
    connection: "asyncpg.Connection[Any]", reader: Reader, table: ArchivedTable, progress: Progress
) -> None:
    name, columns = _quoted(table.name), [name for name, _ in table.columns]
    converters = _converters(table.columns, INTO["postgresql"])
    await connection.execute(f"TRUNCATE {name}")
    await connection.execute(f"ALTER TABLE {name} DISABLE TRIGGER USER")
    for rows in reader.rows(table):
        for row in rows:
            _convert(row, converters)
        await connection.copy_records_to_table(table.name, records=rows, columns=columns)
        progress(table.name, len(rows))
    await connection.execute(f"ALTER TABLE {name} ENABLE TRIGGER USER")


async def _put_back(connection: "asyncpg.Connection[Any]", key: Any) -> None:
    try:
        await connection.execute(f"ALTER TABLE {key['table']} ADD CONSTRAINT {key['name']} {key['definition']}")
    except asyncpg.ForeignKeyViolationError as error:
        raise Conflict(f"A row of {key['table']} refers to a row that is not in the backup: {error.detail}") from error


def _quoted(name: str) -> str:
    return f'"{name}"'


def _select(name: str, columns: Columns) -> str:
    return f"SELECT {', '.join(_quoted(column) for column, _ in columns)} FROM {_quoted(name)}"  # noqa: S608 -- as above


def _insert(table: ArchivedTable) -> str:
    places = ", ".join("?" * len(table.columns))
    columns = ", ".join(_quoted(name) for name, _ in table.columns)
    return f"INSERT INTO {_quoted(table.name)} ({columns}) VALUES ({places})"  # noqa: S608 -- as above
