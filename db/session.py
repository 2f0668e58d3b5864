"""The database: reads anywhere, changes in transactions, news after commit.

One URL chooses the engine: `sqlite:///path/to/file.db` or `postgresql://user@host/name`.
"""

import asyncio
import os
import re
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload
from urllib.parse import urlsplit

from sqlalchemy import Executable, Select
from sqlmodel.sql.expression import SelectOfScalar

from db import postgresql
from db.bus import Bus, Event
from db.errors import Conflict, Unavailable
from db.postgresql import Connections, refusing
from db.sealing import NO_KEY, Sealer
from db.sqlite import GroupCommit, SQLiteConnection, SQLiteWrite
from db.statements import POSTGRESQL, SQLITE, CompiledStatement, RawRow, StatementCache, statements_of

T = TypeVar("T")

if TYPE_CHECKING:
    from sqlalchemy.sql.dml import ReturningDelete, ReturningInsert, ReturningUpdate

    Returning = ReturningInsert[T] | ReturningUpdate[T] | ReturningDelete[T]

_in_transaction: ContextVar[bool] = ContextVar("in_transaction", default=False)


class _Driver(Protocol):
    """What a session needs of a connection."""

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[RawRow]: ...


class _WritingDriver(_Driver, Protocol):
    """What a transaction needs beside that."""

    async def execute_many(self, sql: str, arguments: Sequence[Sequence[Any]]) -> None: ...


class Changes(Protocol):
    """Whoever makes a change that is one statement: the database by itself, or a transaction as a part of it."""

    async def change(
        self, statement: "Returning[T]", *, event: Callable[[T], Event | None] | None = None, **parameters: object
    ) -> T | None:
        """Run the statement, return its first row, and publish what `event` makes of it after the commit."""


class Session:
    """Reads. Rows come back light and read-only: they read like the table class, and are named tuples."""

    _may_write = False

    def __init__(
        self, driver: _Driver, statements: StatementCache, heard: Callable[[str], None], sealer: Sealer
    ) -> None:
        self._driver = driver
        self._statements = statements
        self._heard = heard
        # Seals and opens the secrets that are stored here.
        self.sealer = sealer

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`, for the few reads that are written differently."""
        return self._statements.dialect.name

    @overload
    async def rows(self, statement: SelectOfScalar[T], **parameters: object) -> list[T]: ...
    @overload
    async def rows(self, statement: "Returning[T]", **parameters: object) -> list[T]: ...
    @overload
    async def rows(self, statement: Select[*tuple[Any, ...]], **parameters: object) -> list[Any]: ...
    async def rows(self, statement: Executable, **parameters: object) -> list[Any]:
        """Run a statement and return its rows."""
        compiled, raw = await self._fetch(statement, parameters)
        return compiled.rows(raw)

    @overload
    async def row(self, statement: SelectOfScalar[T], **parameters: object) -> T | None: ...
    @overload
    async def row(self, statement: "Returning[T]", **parameters: object) -> T | None: ...
    @overload
    async def row(self, statement: Select[*tuple[Any, ...]], **parameters: object) -> Any | None: ...
    async def row(self, statement: Executable, **parameters: object) -> Any | None:
        """Run a statement and return its first row, `None` if there is none."""
        compiled, raw = await self._fetch(statement, parameters)
        return compiled.rows(raw[:1])[0] if raw else None

    async def tuples(self, statement: Executable, **parameters: object) -> list[RawRow]:
        """Run a statement and return plain sequences in the order of its columns."""
        compiled, raw = await self._fetch(statement, parameters)
        return compiled.convert(raw)

    async def scalar(self, statement: Executable, **parameters: object) -> Any:
        """Run a statement and return the first column of its first row, `None` if there is none."""
        rows = await self.tuples(statement, **parameters)
        return rows[0][0] if rows else None

    async def raw(self, statement: CompiledStatement, arguments: Sequence[Any]) -> Sequence[RawRow]:
        """Run a compiled statement and return what the driver answered, unconverted."""
        self._heard(statement.sql)
        return await self._driver.fetch(statement.sql, arguments)

    @property
    def statements(self) -> StatementCache:
        """The compiled statements of this database."""
        return self._statements

    async def _fetch(
        self, statement: Executable, parameters: Mapping[str, object]
    ) -> tuple[CompiledStatement, Sequence[RawRow]]:
        if statement.is_dml and not self._may_write:
            raise TypeError(f"A session for reading does not write: {statement}")
        compiled, arguments = self._statements.prepare(statement, parameters)
        self._heard(compiled.sql)
        return compiled, await self._driver.fetch(compiled.sql, arguments)


class Transaction(Session):
    """Changes. What operations are given: they never commit, whoever opened the transaction does.

    A statement that fails ends it, on either database: whatever comes after fails alike, and so does the commit.
    """

    _may_write = True

    def __init__(
        self,
        driver: _WritingDriver,
        statements: StatementCache,
        heard: Callable[[str], None],
        sealer: Sealer,
        events: list[Event],
    ) -> None:
        super().__init__(driver, statements, heard, sealer)
        self._writing = driver
        self._events = events
        self._failure: Exception | None = None

    async def change(
        self, statement: "Returning[T]", *, event: Callable[[T], Event | None] | None = None, **parameters: object
    ) -> T | None:
        """Run a statement, return its first row, and remember what `event` makes of it: `Database.change` as a part."""
        row = await self.row(statement, **parameters)
        news = None if event is None or row is None else event(row)
        if news is not None:
            self.record(news)
        return row

    async def execute(self, statement: Executable, **parameters: object) -> None:
        """Run a statement that returns nothing."""
        await self._fetch(statement, parameters)

    async def execute_many(self, statement: Executable, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run a statement once for each mapping of its named parameters, handed to the driver together."""
        compiled, _ = self._statements.compile(statement)
        self._heard(compiled.sql)
        arguments = [compiled.bind(row) for row in rows]
        with self._unbroken():
            await self._writing.execute_many(compiled.sql, arguments)

    def record(self, event: Event) -> None:
        """Remember what happened. It is published after the commit, and never if there is none."""
        self._events.append(event)

    def check(self) -> None:
        """Raise again what a statement raised, if somebody kept it to himself. Called before the commit."""
        if self._failure is not None:
            raise self._failure

    async def _fetch(
        self, statement: Executable, parameters: Mapping[str, object]
    ) -> tuple[CompiledStatement, Sequence[RawRow]]:
        with self._unbroken():
            return await super()._fetch(statement, parameters)

    @contextmanager
    def _unbroken(self) -> Iterator[None]:
        self.check()
        try:
            yield
        except BaseException as error:
            broken_off = Unavailable("The change was broken off. Nothing was changed.")
            self._failure = error if isinstance(error, Exception) else broken_off
            raise


class Database(ABC):
    """Where everything is stored. Made by `connect`."""

    def __init__(self, statements: StatementCache, sealer: Sealer) -> None:
        self.bus = Bus()
        self.statements = statements
        self.sealer = sealer
        # Lets a test or a slow-operation log see the statements that are run.
        self.on_statement: Callable[[str], None] | None = None

    @abstractmethod
    def read(self) -> AbstractAsyncContextManager[Session]:
        """Open a session for reading. Close it before you yield or call out."""

    @abstractmethod
    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction: committed at the end of the block or not at all, and then its events are published.

        Raises `Unavailable` if the database cannot do it now.
        """

    async def change(
        self, statement: "Returning[T]", *, event: Callable[[T], Event | None] | None = None, **parameters: object
    ) -> T | None:
        """Run one statement that is a whole change, and return its first row, `None` if it changed nothing.

        It is committed as it runs; what `event` makes of the row is published then. A caller who is cancelled leaves
        it running to its end. Raises as a transaction does.
        """
        compiled, arguments = self.statements.prepare(statement, parameters)
        self._heard(compiled.sql)
        changed: list[T] = []

        def committed(raw: Sequence[RawRow]) -> None:
            changed.extend(compiled.rows(raw[:1]))
            news = event(changed[0]) if event is not None and changed else None
            if news is not None:
                self.bus.publish([news])

        await self._change(compiled.sql, arguments, committed)
        return changed[0] if changed else None

    @abstractmethod
    async def _change(
        self, sql: str, arguments: Sequence[Any], committed: Callable[[Sequence[RawRow]], None]
    ) -> Sequence[RawRow]:
        """Run and commit a statement, and call `committed` with its rows at once after the commit."""

    @abstractmethod
    async def versions(self) -> dict[str, str]:
        """Name the engine, its version and how durable a commit is, for health."""

    @abstractmethod
    async def close(self) -> None:
        """Finish what is under way and let go of the connections."""

    def _heard(self, sql: str) -> None:
        if self.on_statement is not None:
            self.on_statement(sql)


async def connect(url: str, *, pool_size: int = 10, sealer: Sealer = NO_KEY) -> Database:
    """Open the database a URL names. `pool_size` counts PostgreSQL connections; `sealer` seals what is secret in it.

    Raises `Unavailable` if it cannot be opened and `ValueError` if the URL names no engine of ours.
    """
    if is_embedded(url):
        return await SQLiteDatabase.open(sqlite_path(url), sealer)
    if urlsplit(url).scheme in {"postgresql", "postgres"}:
        connections = Connections(url, size=pool_size)
        await connections.open()
        return PostgreSQLDatabase(connections, sealer)
    raise ValueError(f"A database URL begins with sqlite:/// or postgresql://: {without_secret(url)} does not.")


def is_embedded(url: str) -> bool:
    """Say whether a URL names a file of ours rather than a server."""
    return url.startswith("sqlite:")


def sqlite_path(url: str) -> Path:
    """Return the file a SQLite URL names: `sqlite:///relative.db`, `sqlite:////absolute.db`."""
    path = url.removeprefix("sqlite:///")
    if path in {url, "", ":memory:"}:
        raise ValueError(f"A SQLite URL names a file, as sqlite:///ringside.db does; this one does not: {url}")
    return Path(path)


def without_secret(url: str) -> str:
    """Return a URL that can be shown: its password is not."""
    # By its text alone: a password that is no part of a well-formed URL is still a password.
    return _PASSWORDS.sub(lambda found: f"{found[1] or found[2]}***", url)


_PASSWORDS = re.compile(r"(?<=://)([^:@]*:).*(?=@)|(?<=[?&])((?:ssl)?password=)[^&]*")


@asynccontextmanager
async def _alone() -> AsyncIterator[None]:
    """Refuse a transaction inside a transaction: on SQLite it would wait for itself."""
    if _in_transaction.get():
        raise RuntimeError("A transaction is open in this task already: pass it on instead of opening another.")
    token = _in_transaction.set(True)
    try:
        yield
    finally:
        _in_transaction.reset(token)


class SQLiteDatabase(Database):
    """One SQLite file: readers that see the last commit, one writer that commits in groups."""

    def __init__(self, readers: Sequence[SQLiteConnection], writer: SQLiteConnection, sealer: Sealer) -> None:
        super().__init__(statements_of(SQLITE), sealer)
        self._readers = readers
        self._writer = writer
        self._sessions = [
            (reader, Session(_SQLiteDriver(reader), self.statements, self._heard, sealer)) for reader in readers
        ]
        self._commits = GroupCommit(writer, self.bus.publish)

    @classmethod
    async def open(cls, path: Path, sealer: Sealer = NO_KEY) -> "SQLiteDatabase":
        """Open a file that exists."""
        writer = SQLiteConnection(path)
        readers = [SQLiteConnection(path, is_reader=True) for _ in range(min(4, os.cpu_count() or 1))]
        try:
            # The writer first: it is the one that may switch the file to WAL.
            await writer.open()
            for reader in readers:
                await reader.open()
        except sqlite3.Error as error:
            for connection in (*readers, writer):
                await connection.close()
            raise Unavailable(f"The database file {path} cannot be opened: {error}") from error
        return cls(readers, writer, sealer)

    def read(self) -> AbstractAsyncContextManager[Session]:
        """See `Database`."""
        return nullcontext(min(self._sessions, key=lambda one: one[0].pending)[1])

    async def _change(
        self, sql: str, arguments: Sequence[Any], committed: Callable[[Sequence[RawRow]], None]
    ) -> Sequence[RawRow]:
        with _refusing():
            return await self._commits.change(
                lambda connection: connection.execute(sql, arguments).fetchall(), committed
            )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """See `Database`."""
        events: list[Event] = []
        async with _alone(), self._commits.transaction(events) as write:
            tx = Transaction(_SQLiteDriver(write), self.statements, self._heard, self.sealer, events)
            yield tx
            tx.check()

    async def versions(self) -> dict[str, str]:
        """See `Database`."""
        return {"engine": "sqlite", "version": sqlite3.sqlite_version, "synchronous": "FULL"}

    async def close(self) -> None:
        """See `Database`."""
        self.bus.close()
        await self._commits.close()
        for connection in (*self._readers, self._writer):
            await connection.close()


class _SQLiteDriver:
    def __init__(self, connection: SQLiteConnection | SQLiteWrite) -> None:
        self._connection = connection

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[RawRow]:
        return await self._run(lambda connection: connection.execute(sql, arguments).fetchall())

    async def execute_many(self, sql: str, arguments: Sequence[Sequence[Any]]) -> None:
        # A cursor that came back with the answer would be let go by our thread, in the middle of the connection's work.
        await self._run(lambda connection: connection.executemany(sql, arguments).close())

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with _refusing():
            return await self._connection.run(work)


@contextmanager
def _refusing() -> Iterator[None]:
    """Say in our words what SQLite says of a statement."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise Conflict("This would contradict what is stored already.") from error
    except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) in _BUGS:
            raise
        raise Unavailable("The database cannot do this now. Nothing was changed; try again.") from error


# A statement that SQLite does not understand is a bug of ours, not the file's trouble.
_BUGS = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_MISMATCH})


class PostgreSQLDatabase(Database):
    """A PostgreSQL server."""

    def __init__(self, connections: Connections, sealer: Sealer) -> None:
        super().__init__(statements_of(POSTGRESQL), sealer)
        self._connections = connections
        self._session = Session(connections, self.statements, self._heard, sealer)

    def read(self) -> AbstractAsyncContextManager[Session]:
        """See `Database`."""
        # Each of its statements finds a connection of its own.
        return nullcontext(self._session)

    async def _change(
        self, sql: str, arguments: Sequence[Any], committed: Callable[[Sequence[RawRow]], None]
    ) -> Sequence[RawRow]:
        return await self._connections.change(sql, arguments, committed)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """See `Database`."""
        events: list[Event] = []
        async with (
            _alone(),
            self._connections.lend() as connection,
            postgresql.transaction(connection, committed=lambda: self.bus.publish(events)),
        ):
            tx = Transaction(_ConnectionDriver(connection), self.statements, self._heard, self.sealer, events)
            yield tx
            tx.check()

    async def versions(self) -> dict[str, str]:
        """See `Database`."""
        async with self._connections.lend() as connection:
            with refusing():
                version = await connection.fetchval("SHOW server_version")
                synchronous = await connection.fetchval("SHOW synchronous_commit")
        return {"engine": "postgresql", "version": str(version), "synchronous": str(synchronous)}

    async def close(self) -> None:
        """See `Database`."""
        self.bus.close()
        try:
            async with asyncio.timeout(5):
                await self._connections.close()
        except TimeoutError:
            self._connections.terminate()


class _ConnectionDriver:
    """Runs statements on one connection, inside its transaction."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[RawRow]:
        with refusing():
            found: Sequence[RawRow] = await self._connection.fetch(sql, *arguments)
            return found

    async def execute_many(self, sql: str, arguments: Sequence[Sequence[Any]]) -> None:
        with refusing():
            await self._connection.executemany(sql, arguments)
