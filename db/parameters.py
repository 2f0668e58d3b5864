"""Lists of values as one parameter, so that a statement has one shape however many there are."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import ARRAY, JSON, BindParameter, DateTime, Enum, String, Uuid, bindparam
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Boolean, TypeDecorator, TypeEngine, UserDefinedType

from db.dialects import dump_json


class _Listed(UserDefinedType[Any]):
    """A list that PostgreSQL is handed as one type and makes another of: its driver would look long at each item."""

    cache_ok = True
    render_bind_cast = True

    def __init__(self, spec: str) -> None:
        super().__init__()
        self.spec = spec

    def get_col_spec(self, **_: Any) -> str:
        """Say what the parameter is, and what is made of it."""
        return self.spec


# UUIDs come in one text. Others are texts already, as the driver is handed them one by one, too. A text of a bounded
# length is none yet: as an array's it would be cut silently, and not refused as a column's.
_LISTED: tuple[tuple[type[TypeEngine[Any]], _Listed], ...] = (
    (Uuid, _Listed("TEXT::UUID[]")),
    (DateTime, _Listed("TEXT[]::TIMESTAMP WITH TIME ZONE[]")),
    (JSON, _Listed("TEXT[]::JSON[]")),
    (Enum, _Listed("TEXT[]")),
)


class ListOf(TypeDecorator[Sequence[Any]]):
    """A parameter that is a list of values of one type: an array on PostgreSQL, a JSON text on SQLite."""

    impl = String
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Use the database's own arrays where it has them."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String())
        return self._listed() or dialect.type_descriptor(ARRAY(self.item))

    def process_bind_param(self, value: Iterable[Any] | None, dialect: Dialect) -> Any:
        """Turn any iterable into what the driver takes."""
        if value is None:
            return None
        if dialect.name != "sqlite" and self._listed() is None:
            # The array converts its items itself.
            return list(value)
        convert = self.item.dialect_impl(dialect).bind_processor(dialect)
        return self.printer(dialect)([convert(item) if convert else item for item in value])

    def _listed(self) -> _Listed | None:
        item = self.item.impl_instance if isinstance(self.item, TypeDecorator) else self.item
        return next((listed for kind, listed in _LISTED if isinstance(item, kind)), None)

    def printer(self, dialect: Dialect) -> Callable[[Sequence[Any]], Any]:
        """Return what makes the driver's argument of values that are as the driver gives and takes them."""
        if dialect.name == "sqlite":
            return dump_json
        return _print_uuids if isinstance(self.item, Uuid) else list


def _print_uuids(values: Sequence[str | None]) -> str:
    return "{" + ",".join([value or "NULL" for value in values]) + "}"


class any_of(FunctionElement[bool]):  # noqa: N801 -- it reads as a function in a statement, as SQLAlchemy's own do
    """`column` is among `values`: one shape, however many values there are.

    With a name in place of values, they are that parameter of the statement.
    """

    inherit_cache = True
    type = Boolean()

    def __init__(self, column: Any, values: Iterable[Any] | str) -> None:
        super().__init__(column, list_parameter(column.type, values))

    def self_group(self, against: Any = None) -> Any:  # noqa: ARG002 -- SQLAlchemy's signature
        """Stand as it is. SQLAlchemy would write `… = 1` behind it on SQLite, which then uses no index."""
        return self


def list_parameter(item: TypeEngine[Any], values: Iterable[Any] | str) -> BindParameter[Sequence[Any]]:
    """Return values of one type as one parameter, or the parameter of that name."""
    if isinstance(values, str):
        return bindparam(values, type_=ListOf(item))
    return bindparam(None, list(values), type_=ListOf(item), unique=True)


@compiles(any_of, "sqlite")
def _any_of_on_sqlite(element: any_of, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 -- the compiler rendered both


@compiles(any_of, "postgresql")
def _any_of_on_postgresql(element: any_of, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    wanted = list(element.clauses)[1].type
    if not (isinstance(wanted, ListOf) and isinstance(wanted.item, Uuid)):
        return f"{column} = ANY({values})"
    # As a query of its own it is taken apart once, where a cast would be at each row that is looked at.
    return f"{column} = ANY((SELECT {values})::UUID[])"
