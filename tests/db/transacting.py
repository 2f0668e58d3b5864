"""What tests of transactions store, and how a caller is cut off in the middle of it."""

import asyncio
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, TypeVar

from sqlalchemy import insert

from db.database import Database
from db.ids import new_id
from db.matches import operations
from db.matches.tables import Mat
from db.session import Transaction
from tests.db.ears import Happened
from tests.db.stored import NOW

T = TypeVar("T")


async def store(tx: Transaction, name: str) -> None:
    """Store a mat and tell of it."""
    await operations.create_mat(tx, name=name, now=NOW)
    tx.record(Happened(what=name))


async def store_orphan(tx: Transaction, name: str) -> None:
    """Store a mat of a tournament that is not there."""
    orphan = Mat(tournament_id=new_id(), name=name, created_at=NOW)
    await tx.execute(insert(Mat).values(**orphan.model_dump()))


async def store_alone(db: Database, name: str) -> None:
    async with db.transaction() as tx:
        await store(tx, name)


class cancelled_at(Awaitable[T]):  # noqa: N801 -- it reads as a function
    """Run a coroutine in the present task, and cancel that at its n-th suspension."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], suspension: int) -> None:
        self._coroutine = coroutine
        self._suspension = suspension
        self.suspensions = 0

    def __await__(self) -> Generator[Any, Any, T]:
        error: BaseException | None = None
        while True:
            try:
                waits_for = self._coroutine.send(None) if error is None else self._coroutine.throw(error)
            except StopIteration as end:
                result: T = end.value
                return result
            self.suspensions += 1
            if self.suspensions == self._suspension:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            error = None
            try:
                yield waits_for
            except BaseException as thrown:  # noqa: BLE001 -- handed to the coroutine, whose it is
                error = thrown


async def leave(coroutine: Coroutine[Any, Any, None], suspension: int) -> None:
    await cancelled_at(coroutine, suspension)


async def turn_of_the_loop() -> None:
    await asyncio.sleep(0)
