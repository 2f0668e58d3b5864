"""Descent: rows and what hangs on them, level below level, in one statement of PostgreSQL.

Each level reads what it would read alone, but its keys are not sent: they are selected from the rows of the level
above. All levels are answered together, as blocks beside each other in one row. That saves a journey, and the reading
and printing of keys, for each level; over a network the journeys are most of what a deep question takes.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import CTE, BindParameter, ColumnElement, Subquery, bindparam, func, select, true
from sqlalchemy.sql.visitors import replacement_traverse

from db.batches import Chosen
from db.blocks import Blocks, blocks_of
from db.statements import CompiledStatement, RawRow, StatementCache

_KEYS = "keys"


@dataclass(frozen=True, slots=True)
class Level:
    """A batch query's statement, and the columns that are wanted of its rows; `by` is the one with its keys.

    Those are in column `key` of the level at place `above`, which comes before it, and the parameter `keys` if there
    is none.
    """

    statement: Chosen
    columns: Sequence[str]
    by: str | None
    above: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Descent:
    """A statement that reads several levels."""

    compiled: CompiledStatement
    blocks: Sequence[Blocks]

    def levels(self, answered: Sequence[RawRow]) -> list[Sequence[RawRow]]:
        """Return the rows of each level in what the driver answered."""
        (whole,) = answered
        found = []
        start = 0
        for one in self.blocks:
            end = start + len(one.columns)
            found.append(one.take_apart(whole[start:end]))
            start = end
        return found


def compile_descent(statements: StatementCache, levels: Sequence[Level], shared: Collection[str]) -> Descent | None:
    """Compile levels to one statement; `None` if one of their columns cannot be had as a block.

    All levels share the parameters named so. Each has its others for itself: as `parameter_of` names them.
    """
    tables: list[CTE] = []
    blocks: list[Blocks] = []
    for place, level in enumerate(levels):
        above = None if level.above is None else tables[level.above]
        table = _hung(level, place, above, shared).cte(f"level_{place}")
        found = blocks_of(table, level.columns, level.by)
        if found is None:
            return None
        tables.append(table)
        blocks.append(found)
    first, *others = [_answer(place, table, one) for place, (table, one) in enumerate(zip(tables, blocks, strict=True))]
    together = first
    for other in others:
        together = together.join(other, true())  # type: ignore[assignment]  # each is one row, and so is the whole
    statement = select(*(column for one in (first, *others) for column in one.c)).select_from(together)
    return Descent(statements.compile(statement)[0], blocks)


def parameter_of(level: int, name: str) -> str:
    """Return the name of a level's own parameter."""
    return name if level == 0 else f"{name}_of_{level}"


def _hung(level: Level, place: int, above: CTE | None, shared: Collection[str]) -> Chosen:
    """Hang a level's statement on the rows of the one above it."""

    def replace(element: Any, **_: Any) -> ColumnElement[Any] | None:
        if above is None or not isinstance(element, BindParameter):
            return None
        if element.key == _KEYS:
            return _keys(above, level.key, element.type)
        if element.required and element.key not in shared:
            return bindparam(parameter_of(place, element.key), type_=element.type)
        return None

    return cast("Chosen", replacement_traverse(level.statement, {}, replace))


def _keys(above: CTE, name: str, kind: Any) -> ColumnElement[Any]:
    key = above.c[name]
    found = select(key).where(key.is_not(None))
    # The rows of a level are each another.
    return func.array((found if name == "id" else found.distinct()).scalar_subquery(), type_=kind)


def _answer(place: int, table: CTE, blocks: Blocks) -> Subquery:
    columns = [block.label(f"block_{place}_{number}") for number, block in enumerate(blocks.columns)]
    return select(*columns).select_from(table).subquery(f"blocks_{place}")
