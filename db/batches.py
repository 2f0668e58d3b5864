"""Batch queries: how rows are read for many parents in one statement.

An edge of the graph is bound to one of these. The dataloaders call `read`; whoever plans a whole operation asks once
for a `statement` with just the columns he needs, and runs it again and again: its shape hangs on what is asked, never
on the values, which are its named parameters. What a viewer may see is part of every one of them, so no path has
another rule. Rows come grouped by the parents' keys; parents without rows are absent.
"""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Subquery,
    Table,
    and_,
    bindparam,
    column,
    func,
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.sql.elements import BooleanClauseList
from sqlalchemy.sql.util import ClauseAdapter
from sqlalchemy.sql.visitors import iterate
from sqlmodel import SQLModel

from db.access.viewer import Viewer, ViewerKind
from db.parameters import any_of, list_parameter
from db.session import Session
from db.statements import row_class

T = TypeVar("T", bound=SQLModel)
R = TypeVar("R")
Key = Any
Position = tuple[Any, ...]
Chosen = Select[*tuple[Any, ...]]

# Rows of a page at most, where nothing else is said.
LARGEST_PAGE = 100
# May name the parameters `viewer_id` and `viewer_nodes`.
Visible = Callable[[ViewerKind], ColumnElement[bool] | None]


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


@dataclass(frozen=True, slots=True)
class Window(Generic[R]):
    """The rows of one page for one parent, in order. `has_more`: there are further rows in the page's direction."""

    rows: list[R]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of `Pages`, without the values: equal ones make equal statements."""

    order: Order
    is_backward: bool
    has_after: bool
    has_before: bool
    filters: frozenset[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class ToOne(Generic[T]):
    """The row whose `by` column is the key."""

    model: type[T]
    by: str = "id"
    visible: Visible

    def statement(self, kind: ViewerKind, columns: Sequence[str] | None = None) -> Chosen:
        """Select the rows of all `keys`."""
        table = table_of(self.model)
        return _seen(_columns(table, columns).where(any_of(table.c[self.by], "keys")), self.visible, kind)

    async def read(self, session: Session, viewer: Viewer, keys: Iterable[Key]) -> dict[Key, T]:
        """Read the rows of all keys in one statement."""
        rows = await session.rows(self.statement(viewer.kind), keys=list(keys), **viewer.parameters)
        return {getattr(row, self.by): row for row in rows}


@dataclass(frozen=True, kw_only=True, eq=False)
class ToOneThrough(ToOne[T]):
    """The row that a row of another table leads to: of the one whose `link_by` is the key, `link_to` is its `by`.

    `by` comes back as the key it was asked with, so it is no field of what is shown.
    """

    link: type[SQLModel]
    link_by: str
    link_to: str

    def statement(self, kind: ViewerKind, columns: Sequence[str] | None = None) -> Chosen:
        """Select the rows that all `keys` lead to."""
        table, link = table_of(self.model), table_of(self.link)
        names = table.c.keys() if columns is None else columns
        key = link.c[self.link_by].label(self.by)
        found = select(*(key if name == self.by else table.c[name] for name in names))
        joined = found.select_from(table.join(link, link.c[self.link_to] == table.c[self.by]))
        return _seen(joined.where(any_of(link.c[self.link_by], "keys")), self.visible, kind)

    async def read(self, session: Session, viewer: Viewer, keys: Iterable[Key]) -> dict[Key, T]:
        """Read the rows that all keys lead to in one statement."""
        table = table_of(self.model)
        make_row = row_class(table.name, tuple(table.c.keys()), table)._make
        found = await session.tuples(self.statement(viewer.kind), keys=list(keys), **viewer.parameters)
        return {getattr(row, self.by): row for row in map(make_row, found)}


@dataclass(frozen=True, kw_only=True, eq=False)
class ToMany(Generic[T]):
    """All rows whose `by` column is the key. For children that are few by their nature; others come in `Pages`.

    Where the children are of their parent's own table, `tree` says how many rows one of them may have below it, on all
    levels together. Whoever makes rows holds to it.
    """

    model: type[T]
    by: str
    order: Order
    visible: Visible
    tree: int | None = None

    def statement(self, kind: ViewerKind, columns: Sequence[str] | None = None) -> Chosen:
        """Select the rows of all `keys`, those of one key together."""
        table = table_of(self.model)
        found = _columns(table, columns).where(any_of(table.c[self.by], "keys"))
        return _seen(found, self.visible, kind).order_by(table.c[self.by], *ordering_of(table, self.order))

    def tree_statement(self, kind: ViewerKind, columns: Sequence[str], key: str) -> Chosen:
        """Select what hangs on all `keys`, `levels` deep, and behind the columns the level: 1 for their own rows.

        A row's own rows name its column `key`. Those of one row come in their order; the rows come level by level.
        For PostgreSQL: SQLite takes half as long again for it as for its levels one by one, which cost it no journey.
        """
        table, by = table_of(self.model), self.by
        seen = self.visible(kind)
        conditions = [] if seen is None else [seen]
        names = [*dict.fromkeys((*columns, by, key, *self.order.columns))]
        rows = _columns(table, names).where(*conditions)
        first = rows.where(any_of(table.c[by], "keys")).order_by(*ordering_of(table, self.order)).subquery("first")
        steps = select(*first.c, _number(1).label("tree_level")).cte("steps", recursive=True)
        next_ = rows.where(table.c[by] == steps.c[key]).order_by(*ordering_of(table, self.order)).lateral("next")
        further = select(*next_.c, steps.c.tree_level + _number(1)).select_from(steps).join(next_, true())
        steps = steps.union_all(further.where(steps.c.tree_level < bindparam("levels", type_=_INTEGER)))
        return select(*(steps.c[name] for name in columns), steps.c.tree_level)

    async def read(self, session: Session, viewer: Viewer, keys: Iterable[Key]) -> dict[Key, list[T]]:
        """Read the rows of all keys in one statement."""
        grouped: dict[Key, list[T]] = {}
        for row in await session.rows(self.statement(viewer.kind), keys=list(keys), **viewer.parameters):
            grouped.setdefault(getattr(row, self.by), []).append(row)
        return grouped


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """Where the rows of a page come from: those whose `by` column is one of the `key`s that are selected.

    Of few keys the first rows of each are read by an index and merged. Of more, some of the first rows of all are
    looked at before, and are enough if there is a page of these keys among them: the more keys there are, the sooner.
    `among` says of what an index has these in every order; all that may be seen is.
    """

    by: str
    keys: Callable[[], Chosen]
    among: Sequence[ColumnElement[bool]]

    def first_of_all(self, table: Table, asked: "Asked", conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
        """Select those of the first rows of all that are of these keys and fit, in order, as far as they are wanted."""
        further = [one for one in _parts_of(conditions) if not any(one.compare(known) for known in self.among)]
        needed = {self.by, *asked.order.columns, *_names_in(further, table)}
        ordering = ordering_of(table, asked.order, is_reversed=asked.is_backward)
        looked_at = select(*(table.c[name] for name in sorted(needed)))
        looked_at = looked_at.where(*self.among, *between(table, table, asked)).order_by(*ordering)
        first = looked_at.limit(_number(_LOOKED_AT)).subquery("first")
        fit = [ClauseAdapter(first).traverse(condition) for condition in further]
        keys = self.keys()
        # As a value: as a condition PostgreSQL would join the keys, and knows too little of them to do it well.
        is_of_them = first.c[self.by].in_(keys).is_(true())
        are_many = _count_of(keys.limit(_number(_FEW + 1)).subquery("some")) > _number(_FEW)
        return (
            select(*(first.c[name] for name in asked.order.columns))
            .where(are_many, is_of_them, *fit)
            .order_by(*ordering_of(first, asked.order, is_reversed=asked.is_backward))
            .limit(_limit())
        )

    def keys_unless(self, enough: FromClause) -> Subquery:
        """Select the keys, or none if there are enough rows already."""
        return self.keys().where(_count_of(enough) < _limit()).subquery("parent")


@dataclass(frozen=True, kw_only=True)
class Searched:
    """Where rows are searched for, of which there may be very many: pages are of the newest of them alone.

    `numbers` selects, for a dialect and conditions on the rows, those in column `by` of as many as there may be. What
    is searched for is the parameter of `filter`, which is always given.
    """

    filter: str
    by: str
    numbers: Callable[[str, Sequence[ColumnElement[bool]]], Chosen]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pages(Generic[T]):
    """A page of the rows whose `by` column is the key, for each key; of all rows, under the key `None`, without `by`.

    What is `gathered` has no `by`: it is one page of the rows of several.

    `orders` are the orders a client may ask for, the first of them the default. `filters` are the conditions, each on
    a parameter named `filter_…` after it. A page has `most` rows at most.
    """

    model: type[T]
    by: str | None = None
    gathered: Gathered | None = None
    searched: Searched | None = None
    orders: Mapping[str, Order]
    filters: Mapping[str, ColumnElement[bool]] = field(default_factory=dict)
    visible: Visible
    most: int = LARGEST_PAGE

    def order(self, name: str | None) -> Order:
        """Return an order by its name, the default for `None`."""
        return next(iter(self.orders.values())) if name is None else self.orders[name]

    def statement(self, dialect: str, kind: ViewerKind, asked: Asked, columns: Sequence[str] | None = None) -> Chosen:
        """Select one page for each of `keys`: `limit` rows, which is one more than wanted, to know of a next page.

        PostgreSQL: a lateral top-N per key. SQLite: `rowid IN (SELECT … LIMIT n)` per key. Neither reads the rest. The
        rows of one key come in their order; the keys come in any.
        The columns chosen come first, then those that the statement itself needs.
        """
        table = table_of(self.model)
        order = asked.order
        conditions = [*self._conditions(dialect, kind, asked.filters), *between(table, table, asked)]
        ordering = ordering_of(table, order, is_reversed=asked.is_backward)
        limit = _limit()
        names = None if columns is None else [*dict.fromkeys((*columns, *filter(None, [self.by]), *order.columns))]
        build = _top_of_each_on_sqlite if dialect == "sqlite" else _top_of_each_on_postgresql
        if self.gathered is not None:
            seen = self._conditions(dialect, kind, asked.filters)
            first = self.gathered.first_of_all(table, asked, seen).cte("first_of_all")
            by, parent = table.c[self.gathered.by], self.gathered.keys_unless(first)
            # What they are found and ordered by is read of all, and everything else of those that are on the page.
            each = build(table, by, parent, conditions, asked, limit, order.columns).subquery("each")
            found = select(*first.c).where(_count_of(first) >= limit).union_all(select(*each.c)).subquery("found")
            place = select(*found.c).order_by(*ordering_of(found, order, is_reversed=asked.is_backward)).limit(limit)
            chosen = place.subquery("chosen")
            same = and_(*(table.c[name] == chosen.c[name] for name in order.columns))
            return _columns(table, names).join(chosen, same).order_by(*ordering_of(table, order))
        if self.by is None:
            top = _columns(table, names).where(*conditions).order_by(*ordering).limit(limit)
            return _turned_round(top, order) if asked.is_backward else top
        return build(table, table.c[self.by], None, conditions, asked, limit, names)

    def count_statement(self, dialect: str, kind: ViewerKind, filters: frozenset[str]) -> Chosen:
        """Select how many rows there are for each of `keys`: key and count, or the count alone without `by`."""
        table = table_of(self.model)
        conditions = self._conditions(dialect, kind, filters)
        if self.gathered is not None:
            conditions.append(table.c[self.gathered.by].in_(self.gathered.keys()))
        if self.by is None:
            return select(func.count()).select_from(table).where(*conditions)
        by = table.c[self.by]
        return select(by, func.count()).where(any_of(by, "keys"), *conditions).group_by(by)

    async def read(
        self, session: Session, viewer: Viewer, keys: Sequence[Key], page: Page, order: Order, wanted: Mapping[str, Any]
    ) -> dict[Key, Window[T]]:
        """Read one page for each key in one statement. `wanted` holds the values of filters, by their names."""
        statement = self.statement(session.dialect, viewer.kind, asked(page, order, wanted))
        parameters = {**page_parameters(page), **filter_parameters(wanted), **viewer.parameters}
        table = table_of(self.model)
        make_row = row_class(table.name, tuple(table.c.keys()), table)._make
        grouped: dict[Key, list[T]] = {}
        # A key named twice would be read twice.
        for values in await session.tuples(statement, keys=list(dict.fromkeys(keys)), **parameters):
            row = make_row(values)
            grouped.setdefault(None if self.by is None else getattr(row, self.by), []).append(row)
        return {key: window(rows, page) for key, rows in grouped.items()}

    async def count(
        self, session: Session, viewer: Viewer, keys: Sequence[Key], wanted: Mapping[str, Any]
    ) -> dict[Key, int]:
        """Count the rows of each key in one statement. Keys without rows are absent."""
        statement = self.count_statement(session.dialect, viewer.kind, _given(wanted))
        parameters = {**filter_parameters(wanted), **viewer.parameters}
        rows = await session.tuples(statement, keys=list(keys), **parameters)
        if self.by is None:
            return {None: rows[0][0]}
        return {row[0]: row[1] for row in rows}

    def _searches_by(self, name: str) -> bool:
        return self.searched is not None and self.searched.filter == name

    def _conditions(self, dialect: str, kind: ViewerKind, filters: frozenset[str]) -> list[ColumnElement[bool]]:
        conditions = [self.filters[name] for name in sorted(filters) if not self._searches_by(name)]
        seen = self.visible(kind)
        if seen is not None:
            conditions.append(seen)
        if self.searched is None:
            return conditions
        return [table_of(self.model).c[self.searched.by].in_(self.searched.numbers(dialect, conditions))]


def asked(page: Page, order: Order, wanted: Mapping[str, Any]) -> Asked:
    """Return what is asked, without the values."""
    return Asked(
        order=order,
        is_backward=page.is_backward,
        has_after=page.after is not None,
        has_before=page.before is not None,
        filters=_given(wanted),
    )


def page_parameters(page: Page) -> dict[str, Any]:
    """Return the values of a page's parameters: `limit`, `after_0` and on, `before_0` and on."""
    parameters: dict[str, Any] = {"limit": page.limit + 1}
    for name, position in (("after", page.after), ("before", page.before)):
        parameters.update({f"{name}_{index}": value for index, value in enumerate(position or ())})
    return parameters


def filter_parameters(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the filters that are given."""
    return {f"filter_{name}": value for name, value in wanted.items() if value is not None}


def window(rows: list[R], page: Page) -> Window[R]:
    """Cut the row that was read to know of more."""
    has_more = len(rows) > page.limit
    if has_more:
        rows = rows[1:] if page.is_backward else rows[:-1]
    return Window(rows=rows, has_more=has_more)


def table_of(model: type[SQLModel]) -> Table:
    """Return the table a class declares."""
    table: Table = model.__table__  # type: ignore[attr-defined]  # SQLModel sets it on table classes
    return table


_INTEGER = Integer()
# So few keys are read one by one at once; of more, so many rows are looked at before.
_FEW = 100
_LOOKED_AT = 2_000


def _limit() -> BindParameter[int]:
    return bindparam("limit", type_=_INTEGER)


def _number(value: int) -> ColumnElement[int]:
    return literal_column(str(value), _INTEGER)


def _count_of(rows: FromClause) -> ColumnElement[int]:
    return select(func.count()).select_from(rows).scalar_subquery()


def _parts_of(conditions: Iterable[ColumnElement[bool]]) -> Iterable[ColumnElement[bool]]:
    """Return conditions that must all hold, one by one."""
    for condition in conditions:
        if isinstance(condition, BooleanClauseList) and condition.operator is operator.and_:
            yield from _parts_of(condition.clauses)
        else:
            yield condition


def _names_in(conditions: Iterable[ColumnElement[bool]], table: Table) -> set[str]:
    """Return the names of the table's columns that stand in conditions."""
    parts = (part for condition in conditions for part in iterate(condition))
    return {part.name for part in parts if isinstance(part, Column) and part.table is table}


def _given(wanted: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(name for name, value in wanted.items() if value is not None)


def _columns(table: Table, columns: Sequence[str] | None) -> Chosen:
    return select(table) if columns is None else select(*(table.c[name] for name in columns))


def _seen(statement: Chosen, visible: Visible, kind: ViewerKind) -> Chosen:
    seen = visible(kind)
    return statement if seen is None else statement.where(seen)


def ordering_of(table: Any, order: Order, *, is_reversed: bool = False) -> list[ColumnElement[Any]]:
    """Return an order's columns, each with its direction."""
    descending = order.is_descending != is_reversed
    return [table.c[name].desc() if descending else table.c[name].asc() for name in order.columns]


def between(table: Table, found: FromClause, asked: Asked) -> Iterable[ColumnElement[bool]]:
    """Say that rows lie between the places of a page: `found` gives them, with the columns of `table`."""
    columns = [table.c[name] for name in asked.order.columns]
    place = tuple_(*(found.c[name] for name in asked.order.columns))
    for name, is_given in (("after", asked.has_after), ("before", asked.has_before)):
        if is_given:
            values = tuple_(*(bindparam(f"{name}_{index}", type_=one.type) for index, one in enumerate(columns)))
            yield place > values if (name == "after") != asked.order.is_descending else place < values


def _top_of_each_on_postgresql(
    table: Table,
    by: Column[Any],
    gathered: Subquery | None,
    conditions: Sequence[ColumnElement[bool]],
    asked: Asked,
    limit: ColumnElement[Any],
    columns: Sequence[str] | None,
) -> Chosen:
    keys = func.unnest(list_parameter(by.type, "keys"))
    given = keys.table_valued(column("key", by.type), with_ordinality="place", name="parent").render_derived()
    parent = given if gathered is None else gathered
    within = _columns(table, columns).where(by == parent.c.key, *conditions)
    ordering = ordering_of(table, asked.order, is_reversed=asked.is_backward)
    top = within.order_by(*ordering).limit(limit).lateral("top")
    found = select(*top.c).select_from(parent).join(top, true())
    if gathered is None and asked.is_backward:
        return found.order_by(parent.c.place, *ordering_of(top, asked.order))
    # What is lateral is answered key by key, each key's rows in their order: to sort all of them once more would take
    # a tenth of the time.
    return found


def _top_of_each_on_sqlite(
    table: Table,
    by: Column[Any],
    gathered: Subquery | None,
    conditions: Sequence[ColumnElement[bool]],
    asked: Asked,
    limit: ColumnElement[Any],
    columns: Sequence[str] | None,
) -> Chosen:
    given = func.json_each(list_parameter(by.type, "keys")).table_valued("key", "value", name="parent")
    parent, key = (given, given.c.value) if gathered is None else (gathered, gathered.c.key)
    top = table.alias("top")
    # By the number that SQLite itself knows a row by: not every table has an id.
    ordering = ordering_of(table, asked.order, is_reversed=asked.is_backward)
    rows = select(_rowid(table.name)).where(by == key, *conditions).order_by(*ordering).limit(limit)
    chosen = top.c if columns is None else [top.c[name] for name in columns]
    found = select(*chosen).select_from(parent).join(top, _rowid("top").in_(rows.correlate(parent)))
    return found if gathered is not None else found.order_by(parent.c.key, *ordering_of(top, asked.order))


def _rowid(table: str) -> ColumnElement[int]:
    return literal_column(f"{table}.rowid", _INTEGER)


def _turned_round(statement: Chosen, order: Order) -> Chosen:
    """Put the last rows, which were read backward, in their own order again: by the database, which knows how."""
    found = statement.subquery("found")
    return select(*found.c).order_by(*ordering_of(found, order))
