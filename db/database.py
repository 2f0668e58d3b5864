"""The database, whichever engine it is: reads anywhere, changes in transactions, news after commit."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from db.bus import Bus, Event
from db.sealing import Sealer
from db.session import Session, Transaction
from db.statements import RawRow, StatementCache

if TYPE_CHECKING:
    from db.session import Returning

T = TypeVar("T")

_in_transaction: ContextVar[bool] = ContextVar("in_transaction", default=False)


class Database(ABC):
    """Where everything is stored. Opened by `db.connecting.connect`."""

    def __init__(self, statements: StatementCache, sealer: Sealer, bus: Bus | None = None) -> None:
        # Whoever listens has it opened before: see `Bus.open`.
        self.bus = bus or Bus()
        self.statements = statements
        self.sealer = sealer
        # Which database it is, as whoever serves it has found out: see `db.backups.epochs`. Empty where nobody asks.
        self._epoch = ""
        # Lets a test or a slow-operation log see the statements that are run.
        self.on_statement: Callable[[str], None] | None = None

    @property
    def epoch(self) -> str:
        """Which database it is, empty where nobody has found out."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: str) -> None:
        self._epoch = epoch

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

    @property
    def takes_changes(self) -> bool:
        """Whether the last change could be stored, where that can be known: a full disk or a lost file shows here."""
        return True

    @abstractmethod
    async def versions(self) -> dict[str, str]:
        """Name the engine, its version and how durable a commit is, for health."""

    @abstractmethod
    async def close(self) -> None:
        """Finish what is under way and let go of the connections."""

    def _heard(self, sql: str) -> None:
        if self.on_statement is not None:
            self.on_statement(sql)


@asynccontextmanager
async def alone() -> AsyncIterator[None]:
    """Refuse a transaction inside a transaction: on SQLite it would wait for itself."""
    if _in_transaction.get():
        raise RuntimeError("A transaction is open in this task already: pass it on instead of opening another.")
    token = _in_transaction.set(True)
    try:
        yield
    finally:
        _in_transaction.reset(token)
