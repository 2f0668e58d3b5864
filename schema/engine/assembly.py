"""Assembly: for every selection a function is generated that turns rows into the dicts of the answer.

Walking a selection for each row is what makes a generic executor slow. The walk is done once, here, and leaves one
expression per row behind, such as

    [{"id": "match_" + c0, "state": names1[c1], "mat": edge0[c2]} for c0, c1, c2 in rows]

A *mode* says what the rows are: what a driver answered (`sqlite`, `postgresql`), or objects whose attributes are
Python values (`object`). Wherever a value is not what its type promises, `Abandoned` is raised, and graphql-core
says what is wrong in its own words.
"""

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, NoReturn
from uuid import UUID

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLLeafType,
    GraphQLOutputType,
    is_list_type,
    is_non_null_type,
)
from sqlalchemy import BigInteger, Boolean, DateTime, Enum, Integer, String, Table
from sqlalchemy.types import TypeDecorator

from db.dialects import POSTGRESQL, SQLITE
from db.statements import converter
from schema.engine.plan import (
    Abandoned,
    Composed,
    Edge,
    EdgeClaim,
    EdgeMany,
    EdgeNode,
    EdgeOne,
    EdgeWalk,
    FromAttribute,
    FromColumn,
    FromColumns,
    FromIdentity,
    HeldRows,
    ObjectSelection,
    Printed,
    RowSelection,
    Source,
    TypeName,
)
from schema.scalars import print_instant

RowAssembler = Callable[..., list[dict[str, Any]]]
ObjectAssembler = Callable[[Any], dict[str, Any]]

OBJECT = "object"
_DIALECTS = {"sqlite": SQLITE, "postgresql": POSTGRESQL}
_SMALLEST, _LARGEST = -(1 << 31), (1 << 31) - 1
_AS_IT_IS = {"sqlite": "{0}", "postgresql": "{0}"}
_BOUNDED = f"({{0}} if {_SMALLEST} <= {{0}} <= {_LARGEST} else fail())"

# What a driver gives for a column of a type, printed as a leaf of a name. What is not here is converted first.
_RAW: dict[tuple[type[Any], str], dict[str, str]] = {
    (String, "String"): _AS_IT_IS,
    (String, "ID"): _AS_IT_IS,
    (Boolean, "Boolean"): {"sqlite": "{0} != 0", "postgresql": "{0}"},
    # PostgreSQL's own integers cannot be out of bounds; SQLite's are 64 bits wide whatever is declared.
    (Integer, "Int"): {"sqlite": _BOUNDED, "postgresql": "{0}"},
    (BigInteger, "Int"): {"sqlite": _BOUNDED, "postgresql": _BOUNDED},
    (DateTime, "DateTime"): {
        "sqlite": '{0}[:10] + "T" + {0}[11:] + "Z"',
        # PostgreSQL leaves out the last zeros of a fraction; blocks of instants are printed but for those.
        "postgresql": '({0} if {0}[26:] == "Z" else padded({0}))',
    },
}


def row_assembler(selection: RowSelection, mode: str) -> RowAssembler:
    """Return the function `(rows, *answers of its edges) -> dicts` of a selection, generated at its first use."""
    found = selection.assemblers.get(mode)
    if found is None:
        found = selection.assemblers[mode] = _Writer(mode, selection.table).rows(selection)
    return found


def object_assembler(selection: ObjectSelection) -> ObjectAssembler:
    """Return the function `(object) -> dict` of a selection that takes no reads."""
    if selection.assembler is None:
        selection.assembler = _Writer(OBJECT, None).object(selection)
    return selection.assembler


def value_printer(step: Printed) -> Callable[[Any], Any]:
    """Return the function that prints one Python value of a leaf's type."""
    writer = _Writer(OBJECT, None)
    expression = writer.printed("value", step.type)
    return writer.function("value", [], expression)


def raw_key(value: Any) -> Any:
    """Return a Python value as drivers give it in rows: edges are matched by what drivers give."""
    return value.hex if isinstance(value, UUID) else value


def column_converter(table: Table, name: str, mode: str) -> Callable[[Any], Any] | None:
    """Return the column type's own conversion of what a driver answers, `None` if there is none to do."""
    convert = converter(table.c[name].type, _DIALECTS[mode])
    return convert if convert is None else _total(convert)


class _Writer:
    """Writes one function: the names it uses, and the lines that bind values before the row's expression."""

    def __init__(self, mode: str, table: Table | None) -> None:
        self._mode = mode
        self._table = table
        self._names: dict[str, Any] = {"fail": _fail, "raw_key": raw_key, "padded": _padded}
        self._bound: list[str] = []
        self._variables: dict[str, str] = {}

    def rows(self, selection: RowSelection) -> RowAssembler:
        """Write the function of rows."""
        self._variables = {column: f"c{index}" for index, column in enumerate(selection.columns)}
        pairs = [f"{step.key!r}: {self._step(step, selection)}" for step in selection.steps]
        edges = [f"edge{index}" for index in range(len(selection.edges))]
        expression = f"[{{{', '.join(pairs)}}} {self._loop(selection)}{''.join(self._bound)}]"
        return self.function("rows", edges, expression)

    def object(self, selection: ObjectSelection) -> ObjectAssembler:
        """Write the function of one plain object."""
        pairs = []
        for step in selection.steps:
            value = self._held(step) if isinstance(step, HeldRows) else self._value(step)
            pairs.append(f"{step.key!r}: {value}")
        expression = f"{{{', '.join(pairs)}}}"
        if self._bound:
            expression = f"[{expression} for value in (value,){''.join(self._bound)}][0]"
        return self.function("value", [], expression)

    def function(self, first: str, others: Sequence[str], expression: str) -> Callable[..., Any]:
        """Compile `def (first, *others): return expression`. Everything in it was written here, nothing by a client."""
        source = f"def assemble({', '.join([first, *others])}):\n    return {expression}\n"
        exec(compile(source, "<assembly>", "exec"), self._names)  # noqa: S102 -- our own text: keys stand in it as repr
        made: Callable[..., Any] = self._names["assemble"]
        made.__doc__ = source
        return made

    def _loop(self, selection: RowSelection) -> str:
        names = list(self._variables.values())
        if self._mode != OBJECT:
            return f"for {', '.join(names)}{',' if len(names) == 1 else ''} in rows" if names else "for _ in rows"
        bound = "".join(f" for {self._variables[column]} in (row.{column},)" for column in selection.columns)
        return f"for row in rows{bound}"

    def _step(self, step: TypeName | Printed | Composed | Edge, selection: RowSelection) -> str:
        if isinstance(step, TypeName | Printed | Composed):
            return self._value(step)
        return self._edge(step, f"edge{selection.edges.index(step)}")

    def _edge(self, step: Edge, answers: str) -> str:
        key = self._variables[str(step.parent_key)]
        if self._mode == OBJECT:
            # Objects hold Python values; answers are found by what the driver gives.
            key = f"raw_key({key})"
        if isinstance(step, EdgeClaim):
            return f"{key} in {answers}"
        if isinstance(step, EdgeNode):
            return f"{answers}.get({key})"
        if isinstance(step, EdgeOne):
            return f"{answers}.get({key})" if step.is_nullable else f"{answers}[{key}]"
        return f"{answers}.get({key}, [])" if isinstance(step, EdgeMany | EdgeWalk) else f"{answers}[{key}]"

    def _held(self, step: HeldRows) -> str:
        value = self._bind(f"value.{step.attribute}")
        if isinstance(step.target, RowSelection) and not step.target.edges:
            rows = self._name("rows", row_assembler(step.target, OBJECT))
            return self._wrapped(value, step.type, lambda one: f"{rows}(({one},))[0]")
        if isinstance(step.target, ObjectSelection):
            inner = self._name("inner", object_assembler(step.target))
            return self._wrapped(value, step.type, lambda one: f"{inner}({one})")
        raise TypeError("What takes reads is printed by reading, not by assembly alone.")

    def _value(self, step: TypeName | Printed | Composed) -> str:
        if isinstance(step, TypeName):
            return repr(step.name)
        if isinstance(step, Composed):
            inner = self._name("inner", object_assembler(step.selection))
            return self._wrapped(self._python_value(step.source), step.type, lambda value: f"{inner}({value})")
        if isinstance(step.source, FromIdentity):
            return self._identity(step.source)
        if isinstance(step.source, FromColumn) and self._mode != OBJECT:
            return self._raw(step, step.source.column)
        return self.printed(self._python_value(step.source), step.type)

    def _identity(self, source: FromIdentity) -> str:
        column = self._variables["id"]
        return f"{source.kind + '_'!r} + {column}" + (".hex" if self._mode == OBJECT else "")

    def _python_value(self, source: Source) -> str:
        """Bind a source's value, as Python knows it, to a name."""
        match source:
            case FromAttribute(name):
                return self._bind(f"value.{name}")
            case FromColumn(column):
                return self._converted(column)
            case FromColumns(needs, compute):
                called = self._name("compute", compute)
                return self._bind(f"{called}({', '.join(self._converted(column) for column in needs)})")
            case FromIdentity():
                return self._bind(self._identity(source))

    def _converted(self, column: str) -> str:
        """Bind a column's value, converted once however many fields need it."""
        variable = self._variables[column]
        if self._mode == OBJECT or self._table is None:
            return variable
        name = f"{variable}_converted"
        convert = column_converter(self._table, column, self._mode)
        if convert is None:
            return variable
        if name not in self._names:
            self._names[name] = None
            called = self._name("convert", convert)
            self._bound.append(f" for {name} in ({called}({variable}),)")
        return name

    def _raw(self, step: Printed, column: str) -> str:
        """Print a column straight from what the driver gave, where that is possible."""
        if self._table is None:
            raise Abandoned
        kind = self._table.c[column].type
        kind = kind.impl_instance if isinstance(kind, TypeDecorator) else kind
        variable = self._variables[column]
        expression = self._raw_expression(kind, step.leaf, variable)
        if expression is None or is_list_type(_nullable(step.type)):
            return self.printed(self._converted(column), step.type)
        if not self._table.c[column].nullable:
            return expression
        if is_non_null_type(step.type):
            return f"({expression} if {variable} is not None else fail())"
        return variable if expression == variable else f"(None if {variable} is None else {expression})"

    def _raw_expression(self, kind: Any, leaf: GraphQLLeafType, variable: str) -> str | None:
        """Return how a column of a type is printed as a leaf without being converted first, `None` if it cannot be."""
        if isinstance(kind, Enum):
            return f"{self._enum_names(leaf)}[{variable}]" if isinstance(leaf, GraphQLEnumType) else None
        raw = _RAW.get((type(kind), leaf.name), {}).get(self._mode)
        return None if raw is None else raw.format(variable)

    def printed(self, value: str, type_: GraphQLOutputType) -> str:
        """Print a Python value of a leaf type, or a list of them."""
        return self._wrapped(value, type_, lambda one: self._leaf(one, _named(type_)))

    def _wrapped(self, value: str, type_: GraphQLOutputType, print_one: Callable[[str], str]) -> str:
        """Write what a type's wrappers ask around the printing of one value."""
        is_required = is_non_null_type(type_)
        inner = _nullable(type_)
        if is_list_type(inner):
            item = f"{value}_item"
            printed = self._wrapped(item, inner.of_type, print_one)
            expression = f"[{printed} for {item} in {value}]"
        else:
            expression = print_one(value)
        absent = "fail()" if is_required else "None"
        return f"({absent} if {value} is None else {expression})"

    def _leaf(self, value: str, leaf: GraphQLLeafType) -> str:
        if isinstance(leaf, GraphQLEnumType):
            return f"{self._enum_names(leaf)}[{value}]"
        serialize = self._name("serialize", _serializer(leaf))
        check = {
            "String": f"{value}.__class__ is str",
            "ID": f"{value}.__class__ is str",
            "Int": f"{value}.__class__ is int and {_SMALLEST} <= {value} <= {_LARGEST}",
            "Boolean": f"{value}.__class__ is bool",
            "Float": f"{value}.__class__ is float and isfinite({value})",
        }.get(leaf.name)
        self._names["isfinite"] = isfinite
        if leaf.name == "DateTime":
            return f"{self._name('instant', print_instant)}({value})"
        return f"{serialize}({value})" if check is None else f"({value} if {check} else {serialize}({value}))"

    def _enum_names(self, leaf: GraphQLEnumType) -> str:
        # Members are strings, so that a member and what the database holds of it find the same entry.
        return self._name(
            f"names_of_{leaf.name}", {_value_of(entry.value): name for name, entry in leaf.values.items()}
        )

    def _bind(self, expression: str) -> str:
        name = f"bound{len(self._bound)}"
        self._bound.append(f" for {name} in ({expression},)")
        return name

    def _name(self, hint: str, value: Any) -> str:
        name = hint
        while name in self._names and self._names[name] is not value:
            name = f"{hint}{len(self._names)}"
        self._names[name] = value
        return name


def _fail() -> NoReturn:
    raise Abandoned


def _padded(instant: str) -> str:
    """Print an instant of PostgreSQL, however many decimals it has: `2026-11-21 09:30:00.5+00`, `…T09:30:00.5Z`."""
    time = instant[11:-1] if instant[-1] == "Z" else instant[11:-3]
    return f"{instant[:10]}T{time if '.' in time else time + '.':0<15}Z"


def _total(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Let nulls through, as a result processor does not always."""
    return lambda value: None if value is None else convert(value)


def _nullable(type_: Any) -> Any:
    return type_.of_type if is_non_null_type(type_) else type_


def _named(type_: Any) -> Any:
    while hasattr(type_, "of_type"):
        type_ = type_.of_type
    return type_


def _value_of(value: Any) -> Any:
    return getattr(value, "value", value)


def _serializer(leaf: GraphQLLeafType) -> Callable[[Any], Any]:
    def serialize(value: Any) -> Any:
        try:
            return leaf.coerce_output_value(value)
        except (GraphQLError, TypeError, ValueError) as error:
            raise Abandoned from error

    return serialize
