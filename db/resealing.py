"""Secrets that were stored before there was a key to seal them with: sealed when a server starts with one."""

from typing import Any, cast

from sqlalchemy import Column, LargeBinary, Table, select, update

from db.sealing import is_sealed
from db.session import Transaction
from db.tables import metadata


def secret_columns() -> list[tuple[Table, Column[Any]]]:
    """Return every column that holds secrets, with its table."""
    return [
        (table, column) for table in metadata.sorted_tables for column in table.columns if column.info.get("is_secret")
    ]


def purpose_of(column: Column[Any]) -> str:
    """Name what a column's secrets are sealed for."""
    return str(column)


async def seal_secrets(tx: Transaction) -> int:
    """Seal what is not sealed, and return how many there were; nothing without a key."""
    if not tx.sealer.has_key:
        return 0
    return sum([await _seal(tx, table, column) for table, column in secret_columns()])


async def _seal(tx: Transaction, table: Table, column: Column[Any]) -> int:
    found = await tx.tuples(select(table.c.id, column).where(column.is_not(None)))
    plain = [(row_id, stored) for row_id, stored in found if stored and not is_sealed(stored)]
    for row_id, stored in plain:
        sealed = _sealed(tx, column, stored)
        # Whoever has set it again meanwhile has sealed it.
        is_it = table.c.id == row_id, column == stored
        await tx.execute(update(table).where(*is_it).values({column.name: sealed}))
    return len(plain)


def _sealed(tx: Transaction, column: Column[Any], stored: object) -> object:
    if isinstance(column.type, LargeBinary):
        return tx.sealer.seal_bytes(cast("bytes", stored), purpose=purpose_of(column))
    return tx.sealer.seal(cast("str", stored), purpose=purpose_of(column))
