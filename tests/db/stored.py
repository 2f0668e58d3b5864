"""What is in a database, read whole, and what is asked of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Table, select, update
from sqlmodel import col

from db.batches import table_of
from db.database import Database
from db.ids import new_id
from db.matches import operations
from db.matches.tables import Mat, Tournament
from db.session import Session, Transaction
from db.tables import OF_SERVERS, metadata

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)

Rows = list[tuple[Any, ...]]


def columns_of_tournament(name: str) -> dict[str, Any]:
    """What stands in each column of a tournament of which no more than a name is known."""
    return Tournament(name=name, created_at=NOW).model_dump()


async def lay_mat(db: Database, name: str = "Mat 1") -> Mat:
    async with db.transaction() as tx:
        return await operations.create_mat(tx, name=name, now=NOW)


async def count_up(tx: Transaction, mat_id: UUID) -> None:
    await tx.execute(update(Mat).where(col(Mat.id) == mat_id).values(last_seq=col(Mat.last_seq) + 1))


async def count_of(db: Database, mat_id: UUID) -> int:
    async with db.read() as session:
        counted: int = await session.scalar(select(col(Mat.last_seq)).where(col(Mat.id) == mat_id))
        return counted


async def mat_names(db: Database) -> list[str]:
    async with db.read() as session:
        return sorted(name for (name,) in await session.tuples(select(col(Mat.name))))


async def rows_of(session: Session, table: Table) -> Rows:
    """Every row of a table, in an order that does not depend on ids."""
    found = await session.tuples(select(table))
    return sorted((tuple(row) for row in found), key=repr)


async def everything(db: Database) -> dict[str, Rows]:
    """Every row of every table that holds things, and not what servers are doing."""
    async with db.read() as session:
        tables = [table for table in metadata.sorted_tables if table.name not in OF_SERVERS]
        return {table.name: await rows_of(session, table) for table in tables}


def unknown_id() -> UUID:
    return new_id()


def columns_of(model: Any) -> tuple[str, ...]:
    return tuple(table_of(model).c.keys())


@contextmanager
def statements_of(db: Database) -> Iterator[list[str]]:
    """Collect the SQL of the statements that are run inside the block."""
    heard: list[str] = []
    db.on_statement = heard.append
    try:
        yield heard
    finally:
        db.on_statement = None
