"""Batch queries over rows that a statement makes: goals above a goal, sessions through their links, sums.

They are read as those of `db.batches` are, and bound to edges in the same way. Instead of a table each has a `source`:
a select over the parameter `keys` whose rows name their key in the column `by`, with what the viewer may see already
said. `model` names the columns that are shown: a table that is stored, of whose rows the source gives some, or one
that is `Derived` and stands nowhere.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, FromClause, MetaData, Subquery, Table, bindparam, func, select
from sqlalchemy.sql.visitors import replacement_traverse
from sqlmodel import SQLModel

from db.access.viewer import Viewer, ViewerKind
from db.batches import (
    Asked,
    Chosen,
    Key,
    Order,
    Page,
    Pages,
    ToMany,
    ToOne,
    Visible,
    Window,
    asked,
    between,
    filter_parameters,
    ordering_of,
    page_parameters,
    table_of,
    window,
)
from db.parameters import any_of
from db.session import Session
from db.statements import row_class

T = TypeVar("T", bound=SQLModel)
Source = Callable[[ViewerKind], Chosen]


class Derived(SQLModel):
    """The root of rows that are made by statements: no migration knows of them."""

    metadata = MetaData()


def _seen_already(_: ViewerKind) -> None:
    """Say nothing of what is seen: a source has said it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DerivedOne(ToOne[T]):
    """The row that the source makes for each key."""

    source: Source
    visible: Visible = field(default=_seen_already)

    def statement(self, kind: ViewerKind, columns: Sequence[str] | None = None) -> Chosen:
        """Select the rows of all `keys`."""
        return _chosen(self.source(kind).subquery("found"), columns)


@dataclass(frozen=True, kw_only=True, eq=False)
class DerivedMany(ToMany[T]):
    """All rows that the source gives for each key."""

    source: Source
    visible: Visible = field(default=_seen_already)

    def statement(self, kind: ViewerKind, columns: Sequence[str] | None = None) -> Chosen:
        """Select the rows of all `keys`, those of one key together."""
        found = self.source(kind).subquery("found")
        return _chosen(found, columns).order_by(found.c[self.by], *ordering_of(found, self.order))

    async def read(self, session: Session, viewer: Viewer, keys: Iterable[Key]) -> dict[Key, list[T]]:
        """Read the rows of all keys in one statement."""
        statement = self.statement(viewer.kind, _names(self.model, self.by))
        found = await session.tuples(statement, keys=list(keys), **viewer.parameters)
        grouped: dict[Key, list[T]] = {}
        for row in _rows(self.model, self.by, found):
            grouped.setdefault(getattr(row, self.by), []).append(row)
        return grouped


@dataclass(frozen=True, kw_only=True, eq=False)
class DerivedPages(Pages[T]):
    """A page of the rows that the source gives for each key.

    All of them are looked at for one page: a source is for what is bounded by its nature, or must be read whole to be
    known at all.
    """

    by: str
    source: Source
    visible: Visible = field(default=_seen_already)

    def statement(self, dialect: str, kind: ViewerKind, asked: Asked, columns: Sequence[str] | None = None) -> Chosen:  # noqa: ARG002 -- one statement serves either
        """Select one page for each of `keys`, those of one key together."""
        found = self.source(kind).subquery("found")
        names = _names(self.model, self.by) if columns is None else [*columns, self.by]
        ordering = ordering_of(found, asked.order, is_reversed=asked.is_backward)
        place = func.row_number().over(partition_by=found.c[self.by], order_by=ordering).label("place")
        wanted = [name for name in dict.fromkeys((*names, *asked.order.columns)) if name != "place"]
        conditions = [*self._on(found, asked.filters), *between(table_of(self.model), found, asked)]
        numbered = select(*(found.c[name] for name in wanted), place).where(*conditions).subquery("numbered")
        top = select(*(numbered.c[name] for name in wanted)).where(
            numbered.c.place <= bindparam("limit", type_=place.type)
        )
        return top.order_by(numbered.c[self.by], *ordering_of(numbered, asked.order))

    def count_statement(self, dialect: str, kind: ViewerKind, filters: frozenset[str]) -> Chosen:  # noqa: ARG002 -- as above
        """Select how many rows there are for each of `keys`."""
        found = self.source(kind).subquery("found")
        by = found.c[self.by]
        return select(by, func.count()).where(*self._on(found, filters)).group_by(by)

    async def read(
        self, session: Session, viewer: Viewer, keys: Sequence[Key], page: Page, order: Order, wanted: Mapping[str, Any]
    ) -> dict[Key, Window[T]]:
        """Read one page for each key in one statement."""
        names = _names(self.model, self.by)
        statement = self.statement(session.dialect, viewer.kind, asked(page, order, wanted), names)
        parameters = {**page_parameters(page), **filter_parameters(wanted), **viewer.parameters}
        found = await session.tuples(statement, keys=list(dict.fromkeys(keys)), **parameters)
        grouped: dict[Key, list[T]] = {}
        for row in _rows(self.model, self.by, found):
            grouped.setdefault(getattr(row, self.by), []).append(row)
        return {key: window(rows, page) for key, rows in grouped.items()}

    def _on(self, found: FromClause, filters: frozenset[str]) -> Iterator[ColumnElement[bool]]:
        """Say of the source's rows what the filters say of the model's table."""
        table = table_of(self.model)
        for name in sorted(filters):
            yield _said_of(self.filters[name], table, found)


def of_keys(column: Any) -> ColumnElement[bool]:
    """Say of a column that it is among the keys that are asked for."""
    return any_of(column, "keys")


def _said_of(condition: ColumnElement[bool], table: Table, found: FromClause) -> ColumnElement[bool]:
    def replaced(element: Any, **_: Any) -> Any:
        return found.c[element.key] if isinstance(element, Column) and element.table is table else None

    said: ColumnElement[bool] = replacement_traverse(condition, {}, replaced)
    return said


def _chosen(found: Subquery, columns: Sequence[str] | None) -> Chosen:
    return select(*(found.c if columns is None else (found.c[name] for name in columns)))


def _names(model: type[SQLModel], by: str) -> list[str]:
    return list(dict.fromkeys((*table_of(model).c.keys(), by)))


def _rows(model: type[SQLModel], by: str, found: Iterable[Sequence[Any]]) -> Iterator[Any]:
    """Make rows that say of which table they are, as those of a table do."""
    table = table_of(model)
    return map(row_class(table.name, tuple(_names(model, by)), table)._make, found)
