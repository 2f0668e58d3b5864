"""Walks: reading what lies above or below a row of a tree, for many rows in one statement.

A table that is a tree names each row's parent. A walk goes from row to row along that name, and nowhere that the
viewer does not see: what hangs on a hidden row is not reached.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Integer, Select, Table, bindparam, func, literal_column, select, true
from sqlmodel import SQLModel

from db.access.viewer import ViewerKind
from db.batches import Chosen, Key, Visible, table_of
from db.errors import Invalid
from db.parameters import any_of
from db.session import Session
from db.statements import row_class

T = TypeVar("T", bound=SQLModel)

_INTEGER = Integer()


@dataclass(frozen=True, kw_only=True)
class Bound:
    """How far a walk may go in one respect: how far it goes if nothing is said, and how far at most."""

    usual: int
    most: int

    def checked(self, name: str, asked: int | None) -> int:
        """Return what is asked for. Raises `Invalid`, naming the argument."""
        wanted = self.usual if asked is None else asked
        if not 1 <= wanted <= self.most:
            raise Invalid(f"`{name}` is between 1 and {self.most}; {wanted} was asked for.", field=name)
        return wanted


@dataclass(frozen=True, kw_only=True, eq=False)
class Walk(Generic[T]):
    """What lies above a row (`is_upward`) or below it, in the order of `order`: of a column that sorts the tree.

    Downward it goes `depth` levels, along the first `branching` children by `child_order` of each row. What is nearest
    comes first into the `most` rows that are read. `bounds` are those of `most`, `depth` and `branching`.
    """

    model: type[T]
    parent: str
    order: str
    child_order: str
    is_upward: bool = False
    bounds: Mapping[str, Bound]
    visible: Visible

    def parameters(self, arguments: Mapping[str, int | None]) -> dict[str, int]:
        """Return the values of a statement's parameters. Raises `Invalid`."""
        return {f"walk_{name}": bound.checked(name, arguments.get(name)) for name, bound in self.bounds.items()}

    def statement(self, dialect: str, kind: ViewerKind, columns: Sequence[str] | None = None) -> Chosen:
        """Select the rows of all `keys`, those of one key together, and behind their columns the key."""
        table = table_of(self.model)
        steps = self._upward(table) if self.is_upward else self._downward(dialect, table, kind)
        place = func.row_number().over(partition_by=steps.c.key, order_by=(steps.c.level, steps.c.place))
        ranked = select(steps.c.key, steps.c.id, place.label("number")).subquery("ranked")
        chosen = table.c if columns is None else [table.c[name] for name in columns]
        found = select(*chosen, ranked.c.key.label("walk_key")).join(ranked, ranked.c.id == table.c.id)
        seen = self.visible(kind)
        if seen is not None:
            found = found.where(seen)
        most = bindparam("walk_most", type_=_INTEGER)
        return found.where(ranked.c.number <= most).order_by(ranked.c.key, table.c[self.order])

    async def read(
        self, session: Session, kind: ViewerKind, keys: Iterable[Key], parameters: Mapping[str, Any]
    ) -> dict[Key, list[T]]:
        """Read the rows of all keys in one statement."""
        table = table_of(self.model)
        make_row = row_class(table.name, tuple(table.c.keys()), table)._make
        grouped: dict[Key, list[T]] = {}
        statement = self.statement(session.dialect, kind)
        for *values, key in await session.tuples(statement, keys=list(dict.fromkeys(keys)), **parameters):
            grouped.setdefault(key, []).append(make_row(values))
        return grouped

    def _upward(self, table: Table) -> Any:
        """Select the ids above each key: the parent, its parent, and on."""
        first, above = table.alias("first"), table.alias("above")
        begun = select(
            first.c.id.label("key"),
            first.c[self.parent].label("id"),
            _number(1).label("level"),
            _number(0).label("place"),
        ).where(any_of(first.c.id, "keys"), first.c[self.parent].is_not(None))
        steps = begun.cte("steps", recursive=True)
        on = select(steps.c.key, above.c[self.parent], steps.c.level + _number(1), _number(0))
        return steps.union_all(on.join(above, above.c.id == steps.c.id).where(above.c[self.parent].is_not(None)))

    def _downward(self, dialect: str, table: Table, kind: ViewerKind) -> Any:
        """Select the ids below each key, level by level, along the first children of each row."""
        first = table.alias("first")
        begun = select(
            first.c.id.label("key"),
            first.c.id.label("id"),
            _number(0).label("level"),
            first.c[self.order].label("place"),
        ).where(any_of(first.c.id, "keys"))
        steps = begun.cte("steps", recursive=True)
        seen = self.visible(kind)
        conditions = [table.c[self.parent] == steps.c.id, *([] if seen is None else [seen])]
        ordered = (
            select(table.c.id, table.c[self.order])
            .where(*conditions)
            .order_by(table.c[self.child_order])
            .limit(bindparam("walk_branching", type_=_INTEGER))
        )
        child: Any
        if dialect == "sqlite":
            child = table.alias("child")
            first_ones = ordered.with_only_columns(literal_column(f"{table.name}.rowid", _INTEGER)).correlate(steps)
            condition: ColumnElement[bool] = literal_column("child.rowid", _INTEGER).in_(first_ones)
        else:
            child, condition = ordered.lateral("child"), true()
        on: Select[Any] = select(steps.c.key, child.c.id, steps.c.level + _number(1), child.c[self.order])
        further = on.select_from(steps).join(child, condition)
        every = steps.union_all(further.where(steps.c.level < bindparam("walk_depth", type_=_INTEGER)))
        return select(*every.c).where(every.c.level > _number(0)).subquery("below")


def _number(value: int) -> ColumnElement[int]:
    return literal_column(str(value), _INTEGER)
