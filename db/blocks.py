"""Blocks: many rows as one, whose values are whole columns, and taken apart again.

PostgreSQL's driver spends most of its time on looking at each value of each row. A column that comes in one piece is
taken apart by a call or two, however long it is: ids as their bytes, instants as one text with commas between, and
everything else as an array. What comes out are the rows as they would have come, each a plain tuple.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    DateTime,
    Float,
    FromClause,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Text,
    Uuid,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

from db.batches import Chosen
from db.statements import CompiledStatement, RawRow, StatementCache

Column = Sequence[Any]
_BYTES_OF_ID = 16
_COMMA: ColumnElement[str] = literal_column("','", Text)
_NO_TEXT: ColumnElement[str] = literal_column("''", Text)
_NO_BYTES: ColumnElement[bytes] = literal_column("''::BYTEA", LargeBinary)


@dataclass(frozen=True, slots=True)
class Reading:
    """A statement that reads rows, and what makes them of what it answers; `None` if they come as they are."""

    compiled: CompiledStatement
    take_apart: Callable[[Sequence[RawRow]], Sequence[RawRow]] | None = None

    def rows(self, answered: Sequence[RawRow]) -> Sequence[RawRow]:
        """Return the rows in what the driver answered."""
        return answered if self.take_apart is None else self.take_apart(answered)


def compile_reading(statements: StatementCache, statement: Chosen, *, are_many: bool, by: str | None = None) -> Reading:
    """Compile a statement: where its rows are many, as blocks, if the database and all its columns lend themselves.

    Column `by` is one of the keys that are asked for, and so never null.
    """
    made = _in_blocks(statement, by) if are_many and statements.dialect.name == "postgresql" else None
    if made is None:
        return Reading(statements.compile(statement)[0])
    blocks, take_apart = made
    return Reading(statements.compile(blocks)[0], take_apart)


def _in_blocks(
    statement: Chosen, by: str | None
) -> tuple[Chosen, Callable[[Sequence[RawRow]], Sequence[RawRow]]] | None:
    """Select whole columns of what a statement selects, in its order; `None` if one of them cannot be had so."""
    rows = statement.subquery("rows")
    found = blocks_of(rows, rows.c.keys(), by)
    if found is None:
        return None
    blocks = [block.label(f"block_{place}") for place, block in enumerate(found.columns)]
    return select(*blocks).select_from(rows), lambda answered: found.take_apart(answered[0])


@dataclass(frozen=True, slots=True)
class Blocks:
    """Some rows as one, whose values are their number and then whole columns, and what takes each of those apart."""

    columns: Sequence[ColumnElement[Any]]
    readers: Sequence[Callable[[Any], Column]]

    def take_apart(self, answered: Sequence[Any]) -> Sequence[RawRow]:
        """Return the rows in the one that was answered."""
        count, *whole = answered
        if not count:
            return []
        found = list(zip(*(read(block) for read, block in zip(self.readers, whole, strict=True)), strict=True))
        if len(found) != count:
            raise ValueError(f"{count} rows came as {len(found)}: a column is null that should not be.")
        return found


def blocks_of(rows: FromClause, names: Iterable[str], by: str | None) -> Blocks | None:
    """Return what reads columns of rows as blocks; `None` if one of them cannot be had so.

    Column `by` is never null.
    """
    blocks: list[ColumnElement[Any]] = [func.count()]
    readers: list[Callable[[Any], Column]] = []
    for name in names:
        column = rows.c[name]
        found = _block(column, can_be_null=name != by and getattr(column, "nullable", True))
        if found is None:
            return None
        blocks.append(found[0])
        readers.append(found[1])
    return Blocks(blocks, readers)


def _block(
    column: ColumnElement[Any], *, can_be_null: bool
) -> tuple[ColumnElement[Any], Callable[[Any], Column]] | None:
    kind = _plain(column.type)
    if isinstance(kind, Uuid):
        if can_be_null:
            return _texts(column), _read_ids
        return func.string_agg(func.uuid_send(column, type_=LargeBinary), _NO_BYTES), _read_bytes
    if isinstance(kind, DateTime):
        whole = func.string_agg(cast(column, Text), _COMMA)
        return (_texts(column), _read_instants) if can_be_null else (whole, _read_whole_instants)
    if isinstance(kind, Numeric) and not isinstance(kind, Float):
        return None
    if isinstance(kind, String | Integer | Boolean | Float):
        # Of no type: what is in the array is as the driver gives it in a row.
        return func.array_agg(column, type_=NullType()), _as_it_is
    return None


def _plain(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return what a type is to the database."""
    return _plain(kind.impl_instance) if isinstance(kind, TypeDecorator) else kind


def _texts(column: ColumnElement[Any]) -> ColumnElement[Any]:
    # An aggregate leaves out nulls, and no id and no instant is an empty text.
    return func.string_agg(func.coalesce(cast(column, Text), _NO_TEXT), _COMMA)


def _read_bytes(block: bytes) -> Column:
    return block.hex(",", _BYTES_OF_ID).split(",")


def _read_ids(block: str) -> Column:
    return [one or None for one in block.replace("-", "").split(",")]


def _read_whole_instants(block: str) -> Column:
    return _instants(block).split(",")


def _read_instants(block: str) -> Column:
    return [one or None for one in _instants(block).split(",")]


def _instants(block: str) -> str:
    """Print instants as the graph does, but for the zeros at their end: `2026-11-21T09:30:00.5Z`."""
    return block.replace(" ", "T").replace("+00", "Z")


def _as_it_is(block: Column) -> Column:
    return block
