"""A PostgreSQL server as a database."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from db import postgresql
from db.bus import Bus, BusKind, Event
from db.database import Database, alone
from db.dialects import POSTGRESQL
from db.postgresql import Connections, refusing
from db.sealing import Sealer
from db.session import Session, Transaction
from db.statements import Bound, RawRow, statements_of

if TYPE_CHECKING:
    from db.session import Returning

# Whoever still has a connection then has it cut.
_CLOSING_SECONDS = 5.0

T = TypeVar("T")


class PostgreSQLDatabase(Database):
    """A PostgreSQL server."""

    def __init__(self, connections: Connections, sealer: Sealer, bus: Bus) -> None:
        super().__init__(statements_of(POSTGRESQL), sealer, bus)
        self._connections = connections
        self._session = Session(connections, self.statements, self._heard, sealer)

    def read(self) -> AbstractAsyncContextManager[Session]:
        """See `Database`."""
        # Each of its statements finds a connection of its own.
        return nullcontext(self._session)

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[RawRow]:
        """Run a statement that reads, as it stands."""
        return await self._connections.fetch(sql, arguments)

    def change(
        self, statement: "Returning[T]", *, event: Callable[[T], Event | None] | None = None, **parameters: object
    ) -> Coroutine[Any, Any, T | None]:
        """See `Database`. Where others are told, it is a transaction: what is told is a part of it."""
        if event is None or self.bus.kind is BusKind.LOCAL:
            return super().change(statement, event=event, **parameters)
        return self._change_and_tell(statement, event, parameters)

    async def _change_and_tell(
        self, statement: "Returning[T]", event: Callable[[T], Event | None], parameters: Mapping[str, object]
    ) -> T | None:
        async with self.transaction() as tx:
            return await tx.change(statement, event=event, **parameters)

    def _change(
        self, sql: str, arguments: Sequence[Any], committed: Callable[[Sequence[RawRow]], None]
    ) -> Coroutine[Any, Any, Sequence[RawRow]]:
        return self._connections.change(sql, arguments, committed)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """See `Database`."""
        events: list[Event] = []
        told: Any = None
        async with (
            alone(),
            self._connections.lend() as connection,
            postgresql.transaction(connection, committed=lambda: self.bus.publish(events, told) if events else None),
        ):
            tx = Transaction(_ConnectionDriver(connection), self.statements, self._heard, self.sealer, events)
            yield tx
            tx.check()
            if events:
                with refusing():
                    told = await self.bus.before_commit(connection, events)

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
        await self.bus.let_go()
        try:
            async with asyncio.timeout(_CLOSING_SECONDS):
                await self._connections.close()
        except TimeoutError:
            self._connections.terminate()
        # What was under way and came to its commit meanwhile is told like all else.
        await self.bus.let_go()


class _ConnectionDriver:
    """Runs statements on one connection, inside its transaction."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[RawRow]:
        with refusing():
            found: Sequence[RawRow] = await self._connection.fetch(sql, *arguments)
            return found

    async def execute_all(self, steps: Sequence[Bound]) -> None:
        with refusing():
            for step in steps:
                if len(step.rows) == 1:
                    await self._connection.fetch(step.sql, *step.rows[0])
                else:
                    await self._connection.executemany(step.sql, step.rows)

    async def fetch_many(self, sql: str, arguments: Sequence[Sequence[Any]]) -> Sequence[RawRow]:
        with refusing():
            found: Sequence[RawRow] = await self._connection.fetchmany(sql, arguments)
            return found
