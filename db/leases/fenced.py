"""A database as somebody has it who holds a lease: what he changes after he lost it is not stored."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from db.bus import Event
from db.database import Database
from db.leases.operations import Holder, LeaseLost, hold_lease
from db.session import Session, Transaction
from db.statements import RawRow


class FencedDatabase(Database):
    """Another's database, every change of which is stored only while a lease is held.

    The lease is looked at last, and held until the commit: whoever was paused in the middle, for however long, finds
    out there. `fence` is what it was taken with, `None` while it is not.
    """

    def __init__(self, db: Database, name: str, holder: Holder, fence: Callable[[], int | None]) -> None:
        super().__init__(db.statements, db.sealer, db.bus)
        self._db = db
        self._name = name
        self._holder = holder
        self._fence = fence

    def read(self) -> AbstractAsyncContextManager[Session]:
        """See `Database`."""
        return self._db.read()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """See `Database`. Raises `LeaseLost`, too, and then nothing is stored and nobody told."""
        fence = self._fence()
        if fence is None:
            raise LeaseLost(f"This process does not do this: {self._name}. Nothing was changed.")
        async with self._db.transaction() as tx:
            yield tx
            await hold_lease(tx, self._name, self._holder, fence)

    async def change(
        self, statement: Any, *, event: Callable[[Any], Event | None] | None = None, **parameters: object
    ) -> Any:
        """See `Database`. It is two statements here, and so a transaction."""
        async with self.transaction() as tx:
            return await tx.change(statement, event=event, **parameters)

    async def _change(self, *_: object) -> Sequence[RawRow]:
        raise TypeError("A change under a lease is a transaction.")

    async def versions(self) -> dict[str, str]:
        """See `Database`."""
        return await self._db.versions()

    async def close(self) -> None:
        """Leave it open: whoever opened it closes it."""
