"""Statements: written in SQLAlchemy Core, compiled once per shape and dialect, run on the driver.

Compiling a statement costs more than most statements take to run, so a shape is compiled once: SQLAlchemy's cache
key tells shapes apart and hands back the values that differ. What the driver answers becomes light rows: named
tuples that read like the table class they came from and know which table that is.
"""

from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import cache, cached_property, lru_cache
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar, cast

from sqlalchemy import (
    JSON,
    ClauseElement,
    Enum,
    Executable,
    Float,
    Numeric,
    Table,
    bindparam,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine
from sqlmodel.sql.sqltypes import UTCDateTime

from db.dialects import Convert, dump_json, instant_in_file
from db.parameters import ListOf

RawRow = Sequence[Any]

_SHAPES_KEPT = 2000


S = TypeVar("S", bound=Executable)
_FIXED: dict[int, Executable] = {}


def fixed(statement: S) -> S:
    """Return a statement that is written once, at a module's top, with named parameters where its values go.

    It is compiled at its first use and found again by what it is, where others are first told apart by their shape.
    """
    _FIXED[id(statement)] = statement
    return statement


def insert_many(table: Table, on_conflict: Callable[[Any], Any] = lambda statement: statement) -> Any:
    """Write, once at a module's top, an insert of many rows for `Transaction.execute_many`; of each key one at most.

    SQLite runs it for some rows after the other, in one call. PostgreSQL, where each row would be a round of messages,
    runs one statement with a list for each column. `on_conflict` adds to either what is done with a row that is there
    already.
    """
    names = list(table.c.keys())
    by_row = fixed(
        on_conflict(upsert(table).values({name: bindparam(name, type_=table.c[name].type) for name in names}))
    )
    lists = [bindparam(name, type_=ListOf(table.c[name].type)) for name in names]
    told = func.unnest(*lists).table_valued(*names, name="told").render_derived()
    _AT_ONCE[id(by_row)] = fixed(on_conflict(upsert(table).from_select(names, select(*told.c))))
    return by_row


def update_many(
    table: Table,
    *,
    by: Sequence[str],
    told: Mapping[str, TypeEngine[Any]],
    values: Callable[[Mapping[str, Any]], Mapping[str, Any]],
) -> Any:
    """Write, once at a module's top, an update of many rows for `Transaction.change_many`; of each row one at most.

    `told` are the parameters that each row comes with, beside the columns it is found `by`; `values` makes of them what
    is set. What is the same for all rows stands in it as a literal. It runs as an `insert_many` does.
    """
    kinds = {**{name: table.c[name].type for name in by}, **told}

    def written(given: Mapping[str, Any]) -> Any:
        found = (table.c[name] == given[name] for name in by)
        return update(table).where(*found).values(values(given)).returning(*table.c)

    by_row = fixed(written({name: bindparam(name, type_=kind) for name, kind in kinds.items()}))
    lists = [bindparam(name, type_=ListOf(kind)) for name, kind in kinds.items()]
    rows = func.unnest(*lists).table_valued(*kinds, name="told").render_derived()
    _AT_ONCE[id(by_row)] = fixed(written(dict(rows.c.items())))
    return by_row


_AT_ONCE: dict[int, Executable] = {}


class Row(Protocol):
    """A light row: a named tuple with the columns asked for, and the table they came from."""

    table: ClassVar[Table | None]


@lru_cache(maxsize=_SHAPES_KEPT)
def row_class(name: str, columns: tuple[str, ...], table: Table | None) -> type[Any]:
    """Make the class of rows with these columns. `table` is None where they come from several."""
    base = namedtuple(name, columns, rename=True)  # type: ignore[misc]  # noqa: PYI024 -- the columns are known only here
    return type(name, (base,), {"__slots__": (), "table": table})


class Bound(NamedTuple):
    """A statement as it is run for many rows: the arguments of each run, and the SQL for several of them, if any."""

    sql: str
    rows: Sequence[Sequence[Any]]
    of_several: str | None


# How many rows SQLite is given at once. More are no faster: of the widest table that is a thousand parameters, and it
# takes 32,766.
ROWS_AT_ONCE = 50


@dataclass(frozen=True)
class CompiledStatement:
    """A statement as the driver takes it, and how values go in and rows come out."""

    sql: str
    names: tuple[str, ...]
    binders: tuple[Convert | None, ...]
    # Of parameters that are lists: what makes the driver's argument of values as the driver gives them.
    printers: Mapping[str, Callable[[Sequence[Any]], Any]]
    converters: tuple[tuple[int, Convert], ...]
    make_row: Callable[[Iterable[Any]], Any]
    # And what converts those values, each as a parameter of its own.
    items: Mapping[str, Convert | None]
    # Values that stand in the statement itself, by the names they were given.
    constants: Mapping[str, Any]
    _compiled: SQLCompiler

    def arguments(self, extracted: Sequence[Any] | None, parameters: Mapping[str, Any]) -> list[Any]:
        """Return the values of one execution, in the order the driver wants them."""
        values = self._compiled.construct_params(dict(parameters), extracted_parameters=extracted)
        return self.bind(values)

    def bind(self, values: Mapping[str, Any]) -> list[Any]:
        """Convert named values to the driver's types."""
        return [
            values[name] if bind is None else bind(values[name])
            for name, bind in zip(self.names, self.binders, strict=True)
        ]

    def bind_many(self, rows: Sequence[Mapping[str, Any]] | Sequence["Row"]) -> list[tuple[Any, ...]]:
        """Convert the named values of many rows, which are all alike."""
        columns = _columns_of(rows, self.names, self.constants)
        return list(zip(*map(_converted, self.binders, columns), strict=True))

    @cached_property
    def of_several(self) -> str:
        """The SQL of an insert for `ROWS_AT_ONCE` rows, their values one behind the other."""
        row = f"({', '.join('?' * len(self.names))})"
        return self.sql.replace(f"VALUES {row}", f"VALUES {', '.join([row] * ROWS_AT_ONCE)}", 1)

    def bind_lists(self, rows: Sequence[Mapping[str, Any]] | Sequence["Row"]) -> list[Any]:
        """Convert the named values of many rows to a list for each name."""
        columns = zip(self.names, _columns_of(rows, self.names, self.constants), strict=True)
        return [self.printers[name](_converted(self.items[name], values)) for name, values in columns]

    def convert(self, rows: Iterable[RawRow]) -> list[RawRow]:
        """Convert what the driver answered to the columns' own types, still as plain sequences."""
        if not self.converters:
            return list(rows)
        return [self._convert_row(row) for row in rows]

    def rows(self, rows: Iterable[RawRow]) -> list[Any]:
        """Make light rows of what the driver answered."""
        return [self.make_row(row) for row in self.convert(rows)]

    def _convert_row(self, row: RawRow) -> list[Any]:
        values = list(row)
        for index, convert in self.converters:
            values[index] = convert(values[index])
        return values


def _columns_of(rows: Sequence[Any], names: Sequence[str], constants: Mapping[str, Any]) -> list[Sequence[Any]]:
    """Return the values of rows by column: of mappings, or of light rows, which are taken apart at once.

    What the rows do not name is the statement's own.
    """
    if not rows:
        return [[] for _ in names]
    if isinstance(rows[0], tuple):
        columns = dict(zip(rows[0]._fields, zip(*rows, strict=True), strict=True))  # type: ignore[attr-defined]  # light rows are named tuples
        return [columns[name] for name in names]
    own = constants.keys() - rows[0].keys()
    return [[constants[name]] * len(rows) if name in own else [row[name] for row in rows] for name in names]


def _converted(convert: Convert | None, values: Sequence[Any]) -> Sequence[Any]:
    """Convert the values of a column. One that is the same object as the one before it is converted with that."""
    if convert is None:
        return values
    if isinstance(convert, Known):
        return [convert[value] for value in values]
    last: Any = _NOTHING
    known: Any = None
    converted = []
    for value in values:
        if value is not last:
            last, known = value, convert(value)
        converted.append(known)
    return converted


_NOTHING = object()


class Known(dict[Any, Any]):
    """What converts values of which there are few: each is converted once, and found again."""

    def __init__(self, convert: Convert) -> None:
        super().__init__()
        self._convert = convert

    def __missing__(self, value: Any) -> Any:
        """Convert a value that was not there before."""
        # What is no value of theirs raises here, and is not kept.
        converted = self[value] = self._convert(value)
        return converted

    __call__ = dict.__getitem__


def _binder(kind: TypeEngine[Any], convert: Convert | None, dialect: Dialect) -> Convert | None:
    """Return what makes of a column's values what the driver takes: as SQLAlchemy does it, or in fewer steps."""
    if convert is None:
        return None
    if isinstance(kind, Enum):
        return Known(convert)
    if isinstance(kind, JSON):
        return lambda value: convert(value) if value is None or value is JSON.NULL else dump_json(value)
    if isinstance(kind, UTCDateTime) and dialect.name == "sqlite":
        return lambda value: instant_in_file(value) if value is not None and value.tzinfo is UTC else convert(value)
    if isinstance(kind, UTCDateTime):
        return lambda value: value.isoformat() if value is not None and value.tzinfo is UTC else convert(value)
    return convert


class StatementCache:
    """The compiled statements of one dialect, least recently used let go first."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._compiled: OrderedDict[Any, CompiledStatement] = OrderedDict()
        self._fixed: dict[int, CompiledStatement] = {}

    def prepare(self, statement: Executable, parameters: Mapping[str, Any]) -> tuple[CompiledStatement, list[Any]]:
        """Return the compiled statement and the driver's arguments for one execution."""
        compiled, extracted = self.compile(statement)
        if extracted is None:
            return compiled, compiled.bind({**compiled.constants, **parameters})
        return compiled, compiled.arguments(extracted, parameters)

    def at_once(self, statement: Executable) -> CompiledStatement | None:
        """Return what takes all rows of an `insert_many` as lists; `None` where it is run row by row."""
        whole = None if self.dialect.name == "sqlite" else _AT_ONCE.get(id(statement))
        return None if whole is None else self.compile(whole)[0]

    def bind_rows(self, statement: Executable, rows: Sequence[Mapping[str, Any]] | Sequence["Row"]) -> "Bound":
        """Return a statement with the driver's arguments for many rows, which are all alike."""
        whole = self.at_once(statement)
        if whole is not None:
            return Bound(whole.sql, [whole.bind_lists(rows)], None)
        compiled = self.compile(statement)[0]
        is_long = id(statement) in _AT_ONCE and len(rows) >= ROWS_AT_ONCE
        return Bound(compiled.sql, compiled.bind_many(rows), compiled.of_several if is_long else None)

    def compile(self, statement: Executable) -> tuple[CompiledStatement, Sequence[Any] | None]:
        """Compile a statement, or find it compiled: with it come the values that stand in this one.

        `None` for those says that they are the statement's own: it is fixed, and always this one.
        """
        known = self._fixed.get(id(statement))
        if known is not None:
            return known, None
        clause = cast("ClauseElement", statement)
        key = clause._generate_cache_key()  # noqa: SLF001 -- SQLAlchemy's own caching, which has no public name
        if key is None:
            raise TypeError(f"A statement without a cache key would be compiled at each use: {statement}")
        found = self._compiled.get(key.key)
        if found is None:
            found = self._compiled[key.key] = _compile(clause, self.dialect, key)
            if len(self._compiled) > _SHAPES_KEPT:
                self._compiled.popitem(last=False)
        else:
            self._compiled.move_to_end(key.key)
        if id(statement) in _FIXED:
            self._fixed[id(statement)] = found
        return found, key.bindparams


@cache
def statements_of(dialect: Dialect) -> StatementCache:
    """Return the compiled statements of a dialect, which serve every database that speaks it."""
    return StatementCache(dialect)


def _compile(statement: ClauseElement, dialect: Dialect, key: Any) -> CompiledStatement:
    compiled = cast("SQLCompiler", statement.compile(dialect=dialect, cache_key=key))
    if compiled.post_compile_params:
        raise TypeError(f"IN over a list changes shape with its length, write any_of(): {statement}")
    names = tuple(compiled.positiontup or ())
    processors = compiled._bind_processors  # noqa: SLF001 -- as above: how each parameter goes to the driver
    columns = tuple(getattr(statement, "exported_columns", ()))
    lists = {name: bound.type for name, bound in compiled.binds.items() if isinstance(bound.type, ListOf)}
    return CompiledStatement(
        sql=compiled.string,
        names=names,
        binders=tuple(
            _binder(compiled.binds[name].type, cast("Convert | None", processors.get(name)), dialect) for name in names
        ),
        printers={name: kind.printer(dialect) for name, kind in lists.items()},
        items={
            name: _binder(kind.item, kind.item.dialect_impl(dialect).bind_processor(dialect), dialect)
            for name, kind in lists.items()
        },
        converters=tuple(_converters(columns, dialect)),
        make_row=_row_maker(columns),
        constants={name: bound.value for name, bound in compiled.binds.items() if not bound.required},
        _compiled=compiled,
    )


def _converters(columns: Sequence[Any], dialect: Dialect) -> Iterable[tuple[int, Convert]]:
    for index, column in enumerate(columns):
        convert = converter(column.type, dialect)
        if convert is not None:
            yield index, convert


def converter(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    """Return what makes a column type's own value of what a driver answers, `None` if it is that already."""
    # asyncpg answers numbers as they are, and its dialect would ask for a type code that only a cursor has.
    if dialect.name == "postgresql" and isinstance(kind, Float | Numeric):
        return None
    return kind.dialect_impl(dialect).result_processor(dialect, None)


def _row_maker(columns: Sequence[Any]) -> Callable[[Iterable[Any]], Any]:
    if not columns:
        return tuple
    tables = {getattr(column, "table", None) for column in columns}
    table = tables.pop() if len(tables) == 1 else None
    if not isinstance(table, Table):
        table = None
    name = "Row" if table is None else "".join(word.title() for word in table.name.split("_"))
    made: Callable[[Iterable[Any]], Any] = row_class(name, tuple(column.key for column in columns), table)._make
    return made
