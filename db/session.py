"""What operations and queries are given: a session reads, a transaction changes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from sqlalchemy import Executable, Select
from sqlmodel.sql.expression import SelectOfScalar

from db.bus import Event
from db.errors import Unavailable
from db.sealing import Sealer
from db.statements import Bound, CompiledStatement, RawRow, Row, StatementCache

T = TypeVar("T")

if TYPE_CHECKING:
    from sqlalchemy.sql.dml import ReturningDelete, ReturningInsert, ReturningUpdate

    Returning = ReturningInsert[T] | ReturningUpdate[T] | ReturningDelete[T]


class _Driver(Protocol):
    """What a session needs of a connection."""

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[RawRow]: ...


class _WritingDriver(_Driver, Protocol):
    """What a transaction needs beside that."""

    async def execute_all(self, steps: Sequence[Bound]) -> None: ...
    async def fetch_many(self, sql: str, arguments: Sequence[Sequence[Any]]) -> Sequence[RawRow]: ...


# A statement, and the rows that it is run for: see `Transaction.execute_many`.
Step = tuple[Executable, Sequence[Mapping[str, Any]] | Sequence[Row]]


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

    async def execute_many(self, statement: Executable, rows: Sequence[Mapping[str, Any]] | Sequence[Row]) -> None:
        """Run a statement once for each row of its named parameters, handed to the driver together.

        Rows are mappings, or light rows, and all alike.
        """
        await self._execute([(statement, rows)])

    async def execute_all(self, steps: Iterable[Step]) -> None:
        """Do what `execute_many` does for one statement after the other, handed to the driver together.

        A statement without rows is left out.
        """
        told = [(statement, rows) for statement, rows in steps if rows]
        if told:
            await self._execute(told)

    async def _execute(self, steps: Iterable[Step]) -> None:
        with self._unbroken():
            bound = [self._statements.bind_rows(statement, rows) for statement, rows in steps]
            for one in bound:
                self._heard(one.sql)
            await self._writing.execute_all(bound)

    async def change_many(self, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Run a statement once for each row of its named parameters, handed to the driver together.

        Returns all rows that it answered, in no certain order: see `update_many`.
        """
        at_once = self._statements.at_once(statement)
        compiled = at_once or self._statements.compile(statement)[0]
        self._heard(compiled.sql)
        with self._unbroken():
            if at_once is None:
                raw = await self._writing.fetch_many(compiled.sql, compiled.bind_many(rows))
            else:
                raw = await self._driver.fetch(compiled.sql, compiled.bind_lists(rows))
        return compiled.rows(raw)

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
