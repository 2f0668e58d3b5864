"""A SQLite file as a database: readers that see the last commit, one writer that commits in groups."""

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from db.database import Database, alone
from db.dialects import SQLITE
from db.errors import Conflict, Unavailable
from db.sealing import NO_KEY, Sealer
from db.session import Session, Transaction
from db.sqlite import GroupCommit, SQLiteConnection, SQLiteWrite
from db.statements import ROWS_AT_ONCE, Bound, RawRow, statements_of

if TYPE_CHECKING:
    from db.bus import Event

T = TypeVar("T")


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
        async with alone(), self._commits.transaction(events) as write:
            tx = Transaction(_SQLiteDriver(write), self.statements, self._heard, self.sealer, events)
            yield tx
            tx.check()

    @property
    def takes_changes(self) -> bool:
        """See `Database`."""
        return self._commits.is_well

    async def versions(self) -> dict[str, str]:
        """See `Database`."""
        return {"engine": "sqlite", "version": sqlite3.sqlite_version, "synchronous": "FULL"}

    async def close(self) -> None:
        """See `Database`."""
        self.bus.close()
        await self.bus.let_go()
        await self._commits.close()
        for connection in (*self._readers, self._writer):
            await connection.close()


class _SQLiteDriver:
    def __init__(self, connection: SQLiteConnection | SQLiteWrite) -> None:
        self._connection = connection

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[RawRow]:
        return await self._run(lambda connection: connection.execute(sql, arguments).fetchall())

    async def execute_all(self, steps: Sequence[Bound]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            for step in steps:
                _execute_rows(connection, step)

        await self._run(work)

    async def fetch_many(self, sql: str, arguments: Sequence[Sequence[Any]]) -> Sequence[RawRow]:
        # It answers rows for one set of values at a time only.
        return await self._run(
            lambda connection: [row for values in arguments for row in connection.execute(sql, values).fetchall()]
        )

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with _refusing():
            return await self._connection.run(work)


def _execute_rows(connection: sqlite3.Connection, step: Bound) -> None:
    """Run a statement for all its rows, several at once where that can be: each run costs a look at who else may run.

    A cursor that came back with the answer would be let go by our thread, in the middle of the connection's work.
    """
    done = 0
    if step.of_several is not None:
        for done in range(ROWS_AT_ONCE, len(step.rows) + 1, ROWS_AT_ONCE):
            several = list(chain.from_iterable(step.rows[done - ROWS_AT_ONCE : done]))
            connection.execute(step.of_several, several).close()
    if done < len(step.rows):
        connection.executemany(step.sql, step.rows[done:]).close()


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
