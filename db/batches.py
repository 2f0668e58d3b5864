"""Batch queries: how rows are read for many parents in one statement.

An edge of the graph is bound to one of these. The dataloaders call `read`; whoever plans a whole operation asks for
the `statement` and the `columns` he needs. What a viewer may see is part of every one of them, so no path has
another rule. Rows come grouped by the parents' keys; parents without rows are absent.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    Select,
    Table,
    bindparam,
    column,
    func,
    select,
    true,
    tuple_,
)
from sqlmodel import SQLModel

from db.access.viewer import Viewer
from db.session import Session
from db.statements import any_of, list_parameter, row_class

T = TypeVar("T", bound=SQLModel)
Key = Any
Position = tuple[Any, ...]
Visible = Callable[[Viewer], ColumnElement[bool] | None]
Condition = Callable[[Any], ColumnElement[bool]]


def seen_by_all(_: Viewer) -> ColumnElement[bool] | None:
    """Every viewer sees every row. An overlay does not come here: see `visible` of each domain."""
    return None


@dataclass(frozen=True, kw_only=True)
class Order:
    """An order of rows: columns that are never null, all one way, and together unique."""

    columns: tuple[str, ...]
    is_descending: bool = False

    def position(self, row: Any) -> Position:
        """Return where a row stands in this order."""
        return tuple(getattr(row, name) for name in self.columns)


@dataclass(frozen=True, kw_only=True)
class Page:
    """A window over ordered rows: the first `limit` between two positions, or the last if `is_backward`."""

    limit: int
    after: Position | None = None
    before: Position | None = None
    is_backward: bool = False


R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Window(Generic[R]):
    """The rows of one page for one parent, in order. `has_more`: there are further rows in the page's direction."""

    rows: list[R]
    has_more: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class ToOne(Generic[T]):
    """The row whose `by` column is the key."""

    model: type[T]
    by: str = "id"
    visible: Visible

    def statement(
        self, viewer: Viewer, keys: Iterable[Key], columns: Sequence[str] | None = None
    ) -> Select[*tuple[Any, ...]]:
        """Select the rows of all keys."""
        table = table_of(self.model)
        return _seen(_columns(table, columns).where(any_of(table.c[self.by], keys)), self.visible, viewer)

    async def read(self, session: Session, viewer: Viewer, keys: Iterable[Key]) -> dict[Key, T]:
        """Read the rows of all keys in one statement."""
        rows = await session.rows(self.statement(viewer, keys))
        return {getattr(row, self.by): row for row in rows}


@dataclass(frozen=True, kw_only=True, eq=False)
class ToMany(Generic[T]):
    """All rows whose `by` column is the key. For children that are few by their nature; others come in `Pages`."""

    model: type[T]
    by: str
    order: Order
    visible: Visible

    def statement(
        self, viewer: Viewer, keys: Iterable[Key], columns: Sequence[str] | None = None
    ) -> Select[*tuple[Any, ...]]:
        """Select the rows of all keys."""
        table = table_of(self.model)
        found = _columns(table, columns).where(any_of(table.c[self.by], keys))
        return _seen(found, self.visible, viewer).order_by(*_ordering(table, self.order))

    async def read(self, session: Session, viewer: Viewer, keys: Iterable[Key]) -> dict[Key, list[T]]:
        """Read the rows of all keys in one statement."""
        grouped: dict[Key, list[T]] = {}
        for row in await session.rows(self.statement(viewer, keys)):
            grouped.setdefault(getattr(row, self.by), []).append(row)
        return grouped


@dataclass(frozen=True, kw_only=True, eq=False)
class Pages(Generic[T]):
    """A page of the rows whose `by` column is the key, for each key; of all rows, under the key `None`, without `by`.

    `orders` are the orders a client may ask for, the first of them the default; `filters` the conditions.
    """

    model: type[T]
    by: str | None = None
    orders: Mapping[str, Order]
    filters: Mapping[str, Condition] = field(default_factory=dict)
    visible: Visible

    def order(self, name: str | None) -> Order:
        """Return an order by its name, the default for `None`."""
        return next(iter(self.orders.values())) if name is None else self.orders[name]

    def statement(
        self,
        dialect: str,
        viewer: Viewer,
        keys: Sequence[Key],
        page: Page,
        order: Order,
        wanted: Mapping[str, Any],
        columns: Sequence[str] | None = None,
    ) -> Select[*tuple[Any, ...]]:
        """Select one page for each key, and one row more to know whether there is a next.

        PostgreSQL: a lateral top-N per key. SQLite: `id IN (SELECT … LIMIT n)` per key. Neither reads the rest.
        """
        table = table_of(self.model)
        conditions = [*self._conditions(viewer, wanted), *_between(table, order, page)]
        ordering = _ordering(table, order, is_reversed=page.is_backward)
        limit: BindParameter[int] = bindparam(None, page.limit + 1, unique=True)
        if self.by is None:
            top = _columns(table, columns).where(*conditions).order_by(*ordering).limit(limit)
            return top if not page.is_backward else _turned_round(top, order)
        build = _top_of_each_on_sqlite if dialect == "sqlite" else _top_of_each_on_postgresql
        names = None if columns is None else [*dict.fromkeys((self.by, *order.columns, *columns))]
        return build(table, table.c[self.by], keys, conditions, order, ordering, limit, names)

    async def read(
        self, session: Session, viewer: Viewer, keys: Sequence[Key], page: Page, order: Order, wanted: Mapping[str, Any]
    ) -> dict[Key, Window[T]]:
        """Read one page for each key in one statement."""
        statement = self.statement(session.dialect, viewer, keys, page, order, wanted)
        table = table_of(self.model)
        make_row = row_class(table.name, tuple(table.c.keys()), table)._make
        grouped: dict[Key, list[T]] = {}
        for values in await session.tuples(statement):
            row = make_row(values)
            grouped.setdefault(None if self.by is None else getattr(row, self.by), []).append(row)
        return {key: _window(rows, page) for key, rows in grouped.items()}

    def count_statement(
        self, viewer: Viewer, keys: Sequence[Key], wanted: Mapping[str, Any]
    ) -> Select[*tuple[Any, ...]]:
        """Select how many rows there are for each key."""
        table = table_of(self.model)
        conditions = self._conditions(viewer, wanted)
        if self.by is None:
            return select(func.count()).select_from(table).where(*conditions)
        by = table.c[self.by]
        return select(by, func.count()).where(any_of(by, keys), *conditions).group_by(by)

    async def count(
        self, session: Session, viewer: Viewer, keys: Sequence[Key], wanted: Mapping[str, Any]
    ) -> dict[Key, int]:
        """Count the rows of each key in one statement. Keys without rows are absent."""
        rows = await session.tuples(self.count_statement(viewer, keys, wanted))
        if self.by is None:
            return {None: rows[0][0]}
        return {key: count for key, count in rows}  # noqa: C416 -- a row is a sequence, not a pair

    def _conditions(self, viewer: Viewer, wanted: Mapping[str, Any]) -> list[ColumnElement[bool]]:
        conditions = [self.filters[name](value) for name, value in wanted.items() if value is not None]
        seen = self.visible(viewer)
        return conditions if seen is None else [*conditions, seen]


def table_of(model: type[SQLModel]) -> Table:
    """Return the table a class declares."""
    table: Table = model.__table__  # type: ignore[attr-defined]  # SQLModel sets it on table classes
    return table


def _columns(table: Table, columns: Sequence[str] | None) -> Select[*tuple[Any, ...]]:
    return select(table) if columns is None else select(*(table.c[name] for name in columns))


def _seen(statement: Select[*tuple[Any, ...]], visible: Visible, viewer: Viewer) -> Select[*tuple[Any, ...]]:
    seen = visible(viewer)
    return statement if seen is None else statement.where(seen)


def _ordering(table: Any, order: Order, *, is_reversed: bool = False) -> list[ColumnElement[Any]]:
    descending = order.is_descending != is_reversed
    return [table.c[name].desc() if descending else table.c[name].asc() for name in order.columns]


def _between(table: Table, order: Order, page: Page) -> Iterable[ColumnElement[bool]]:
    columns = [table.c[name] for name in order.columns]
    place = tuple_(*columns)
    for position, is_lower_end in ((page.after, True), (page.before, False)):
        if position is None:
            continue
        values = tuple_(
            *(
                bindparam(None, value, type_=column.type, unique=True)
                for column, value in zip(columns, position, strict=True)
            )
        )
        yield place > values if is_lower_end != order.is_descending else place < values


def _top_of_each_on_postgresql(
    table: Table,
    by: Column[Any],
    keys: Sequence[Key],
    conditions: Sequence[ColumnElement[bool]],
    order: Order,
    ordering: Sequence[ColumnElement[Any]],
    limit: ColumnElement[Any],
    columns: Sequence[str] | None,
) -> Select[*tuple[Any, ...]]:
    wanted = func.unnest(list_parameter(by.type, keys))
    parent = wanted.table_valued(column("key", by.type), name="parent").render_derived()
    within = _columns(table, columns).where(by == parent.c.key, *conditions)
    top = within.order_by(*ordering).limit(limit).lateral("top")
    return select(*top.c).select_from(parent).join(top, true()).order_by(*_ordering(top, order))


def _top_of_each_on_sqlite(
    table: Table,
    by: Column[Any],
    keys: Sequence[Key],
    conditions: Sequence[ColumnElement[bool]],
    order: Order,
    ordering: Sequence[ColumnElement[Any]],
    limit: ColumnElement[Any],
    columns: Sequence[str] | None,
) -> Select[*tuple[Any, ...]]:
    parent = func.json_each(list_parameter(by.type, keys)).table_valued("value", name="parent")
    top = table.alias("top")
    ids = select(table.c.id).where(by == parent.c.value, *conditions).order_by(*ordering).limit(limit)
    chosen = top.c if columns is None else [top.c[name] for name in columns]
    found = select(*chosen).select_from(parent).join(top, top.c.id.in_(ids.correlate(parent)))
    return found.order_by(*_ordering(top, order))


def _turned_round(statement: Select[*tuple[Any, ...]], order: Order) -> Select[*tuple[Any, ...]]:
    """Put the last rows, which were read backward, in their own order again: by the database, which knows how."""
    found = statement.subquery("found")
    return select(*found.c).order_by(*_ordering(found, order))


def _window(rows: list[T], page: Page) -> Window[T]:
    """Cut the row that was read to know of more."""
    has_more = len(rows) > page.limit
    if has_more:
        rows = rows[1:] if page.is_backward else rows[:-1]
    return Window(rows=rows, has_more=has_more)
