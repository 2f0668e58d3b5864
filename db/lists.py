"""Whole lists: all rows of a table that a viewer may see, some at a time, in the order of their ids.

A list is walked along its ids, each part from behind the last row of the one before. Nothing is kept open between two
parts, neither a cursor nor a transaction, so that whoever reads slowly holds nobody up. Every row that was there at the
beginning and is there at the end comes once; what is added meanwhile comes or does not.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import BindParameter, Column, ColumnElement, Integer, Table, and_, bindparam, func, or_, select

from db.access.viewer import ViewerKind
from db.batches import Chosen, ToOne, table_of

ROWS_AT_ONCE = 1000
_INTEGER = Integer()


class Comparison(StrEnum):
    """How a column is compared with values."""

    IS = "="
    IS_NOT = "!="
    LESS = "<"
    MOST = "<="
    MORE = ">"
    LEAST = ">="


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What is asked of a column: to be one of some values or none of them, or to lie on one side of one."""

    column: str
    comparison: Comparison
    values: tuple[Any, ...]


def list_statement(
    batch: ToOne[Any],
    kind: ViewerKind,
    columns: Sequence[str],
    conditions: Sequence[Condition] = (),
    *,
    is_further: bool,
) -> Chosen:
    """Select the next `limit` rows that fit, behind the id `after` if `is_further`.

    The columns chosen come first, and the id is the last of them.
    """
    table = table_of(batch.model)
    chosen = select(*(table.c[name] for name in (*columns, "id")))
    found = chosen.where(*_said_of(table, batch, kind, conditions))
    if is_further:
        found = found.where(table.c.id > bindparam("after", type_=table.c.id.type))
    return found.order_by(table.c.id).limit(bindparam("limit", type_=_INTEGER))


def count_statement(batch: ToOne[Any], kind: ViewerKind, conditions: Sequence[Condition] = ()) -> Chosen:
    """Select how many rows of a list there are."""
    table = table_of(batch.model)
    return select(func.count()).select_from(table).where(*_said_of(table, batch, kind, conditions))


def list_parameters(conditions: Sequence[Condition]) -> Mapping[str, Any]:
    """Return the values of a list's conditions, by the names of their parameters."""
    return {
        f"filter_{number}_{place}": value
        for number, condition in enumerate(conditions)
        for place, value in enumerate(condition.values)
    }


def _said_of(
    table: Table, batch: ToOne[Any], kind: ViewerKind, conditions: Sequence[Condition]
) -> Iterator[ColumnElement[bool]]:
    seen = batch.visible(kind)
    if seen is not None:
        yield seen
    for number, condition in enumerate(conditions):
        yield _said(table.c[condition.column], number, condition)


def _said(column: Column[Any], number: int, condition: Condition) -> ColumnElement[bool]:
    """Say of a column what a condition says. No value is among those that a column is not."""
    places = [bindparam(f"filter_{number}_{place}", type_=column.type) for place in range(len(condition.values))]
    compared = list(zip(condition.values, places, strict=True))
    match condition.comparison:
        case Comparison.IS:
            return or_(*(column.is_(None) if value is None else column == place for value, place in compared))
        case Comparison.IS_NOT:
            return and_(*(_is_not(column, value, place) for value, place in compared))
        case Comparison.LESS:
            return column < places[0]
        case Comparison.MOST:
            return column <= places[0]
        case Comparison.MORE:
            return column > places[0]
        case Comparison.LEAST:
            return column >= places[0]


def _is_not(column: Column[Any], value: Any, place: BindParameter[Any]) -> ColumnElement[bool]:
    """Nothing is another thing than a value, which SQL does not know."""
    if value is None:
        return column.is_not(None)
    return or_(column != place, column.is_(None)) if column.nullable else column != place
