"""Exports: every kind of node as a list that is given out whole, with the fields that its type shows.

Nothing is declared for it. A kind is there because a type is a node; its columns are the fields that stand in a row of
it or are worked out of one, and the ids of the nodes that it leads to. They are planned and printed as the graph plans
and prints them, and read through the same conditions: an export shows what the graph shows, in the same spelling.
"""

import re
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    OperationDefinitionNode,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from graphql.execution.values import VariableValues

from db.access.viewer import Role
from db.batches import ToOne, table_of
from db.errors import Conflict, Forbidden, Invalid, NotFound
from db.lists import ROWS_AT_ONCE, Condition, count_statement, list_parameters, list_statement
from db.session import Session
from db.statements import RawRow
from schema.context import Context
from schema.engine.asking import Run
from schema.engine.plan import (
    Abandoned,
    ByTable,
    Composed,
    EdgeClaim,
    EdgeNode,
    EdgeOne,
    ObjectSelection,
    Printed,
    RootResolved,
    RowSelection,
    TypeName,
)
from schema.engine.reading import print_raw
from schema.fields import Column, Computed, EdgeToNode, EdgeToOne, Identity, declaration_of, model_by_type, node_kinds
from schema.filtering import Filterable, condition_of

if TYPE_CHECKING:
    from schema import Schema

LONGEST_FIELDS = 4_000
MOST_CONDITIONS = 20
_TRIES = 3
_NO_VARIABLES = VariableValues({}, {})
# What is raised where a row has not what the schema promises: it may have been taken away a moment ago.
_UNPRINTED = (Abandoned, KeyError)


@dataclass(frozen=True, kw_only=True)
class ExportColumn:
    """A column of a table that is made of an export: its header, and where its value lies in a printed row."""

    header: str
    path: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ExportKind:
    """A kind of thing that is exported. `fields` is the selection that is taken if none is given."""

    name: str
    kind: str
    type_name: str
    description: str
    batch: ToOne[Any]
    fields: str
    filters: Mapping[str, Filterable]


@dataclass(frozen=True, kw_only=True)
class Export:
    """One export, checked: what is read, which rows, and the columns it has as a table."""

    kind: ExportKind
    selection: RowSelection
    conditions: Sequence[Condition]
    columns: tuple[ExportColumn, ...]
    # Ids that the conditions name, by their kinds: only what the viewer sees may be asked by.
    named: Sequence[tuple[str, UUID]]

    async def pages(self, context: Context, *, size: int = ROWS_AT_ONCE) -> AsyncGenerator[list[dict[str, Any]], None]:
        """Give all rows, printed, some at a time. Raises `Forbidden` and `NotFound` before the first.

        Between two parts nothing is held. How many rows were read for a part, `context.rows` knows.
        """
        check_may_export(context)
        await self._check_named(context)
        after: UUID | None = None
        while True:
            async with context.db.read() as session:
                printed, last, count = await self._page(context, session, after, size)
            if printed:
                yield printed
            if last is None or count < size:
                return
            after = last

    async def count(self, context: Context) -> int:
        """Count the rows."""
        viewer = context.viewer
        async with context.db.read() as session:
            statement = count_statement(self.kind.batch, viewer.kind, self.conditions)
            return int(await session.scalar(statement, **list_parameters(self.conditions), **viewer.parameters))

    async def _page(
        self, context: Context, session: Session, after: UUID | None, size: int
    ) -> tuple[list[dict[str, Any]], UUID | None, int]:
        """Read and print the rows behind one: what a row leads to may be gone when it is looked for, so try again."""
        viewer = context.viewer
        names = self.selection.columns
        is_further = after is not None
        statement = list_statement(self.kind.batch, viewer.kind, names, self.conditions, is_further=is_further)
        given = {"limit": size, **list_parameters(self.conditions), **viewer.parameters}
        parameters = {**given, "after": after} if is_further else given
        compiled, arguments = session.statements.prepare(statement, parameters)
        for _ in range(_TRIES):
            raw = await session.raw(compiled, arguments)
            context.rows.note(len(raw))
            last = UUID(hex=raw[-1][-1]) if raw else None
            run = Run(context, session, _NO_VARIABLES, viewer.kind, viewer.parameters, [])
            try:
                return await print_raw(run, self.selection, [row[:-1] for row in raw]), last, len(raw)
            except _UNPRINTED:
                continue
        raise await self._unprinted(run, raw)

    async def _unprinted(self, run: Run, raw: Sequence[RawRow]) -> Conflict:
        """Say which of some rows it is that cannot be printed."""
        for row in raw:
            try:
                await print_raw(run, self.selection, [row[:-1]])
            except _UNPRINTED:
                return Conflict(
                    f"{self.kind.kind}_{row[-1]} holds something that the graph cannot show either. Ask for it there "
                    "to see which field it is, and choose `fields` without it."
                )
        return Conflict(f"What {self.kind.name} lead to changes while it is read: try again.")

    async def _check_named(self, context: Context) -> None:
        for kind, id in self.named:
            if await context.loaders.one(node_kinds[kind].batch, id) is None:
                raise NotFound(f"There is no {kind} {kind}_{id.hex}.", field="filter")


def check_may_export(context: Context) -> None:
    """See that the viewer may export at all. What of it he sees, every read says. Raises `Forbidden`."""
    viewer = context.viewer
    if viewer.is_overlay:
        raise Forbidden("An overlay token reads the nodes it is bound to and does nothing else.")
    if viewer.is_trusted_only:
        raise Forbidden("This token runs the documents given to the server, and exports nothing.")
    if not viewer.has_role(Role.VIEWER):
        raise Forbidden("This needs a role.")


class Exports:
    """What can be exported of a schema."""

    def __init__(self, schema: "Schema") -> None:
        self._schema = schema
        self._types = schema._schema  # noqa: SLF001 -- graphql-core's schema has no public name

    @cached_property
    def kinds(self) -> Mapping[str, ExportKind]:
        """The kinds there are, by their names, in the order of these."""
        found = [self._kind(type_name) for type_name in model_by_type if type_name in self._types.type_map]
        return {one.name: one for one in sorted(found, key=lambda one: one.name)}

    def find(self, name: str) -> ExportKind:
        """Return a kind by its name. Raises `NotFound`, with the names there are."""
        found = self.kinds.get(name)
        if found is None:
            raise NotFound(f"There is no list {name[:80]!r} to export: {', '.join(self.kinds)}.", field="kind")
        return found

    def prepare(self, name: str, *, fields: str | None = None, filters: Sequence[str] = ()) -> Export:
        """Check what is asked for. Raises `NotFound` and `Invalid`, saying what can be asked."""
        kind = self.find(name)
        if len(filters) > MOST_CONDITIONS:
            raise Invalid(f"At most {MOST_CONDITIONS} filters.", field="filter")
        parsed = [condition_of(text, kind.filters, kind.name) for text in filters]
        selection = self._selection(kind, fields)
        columns = tuple(ExportColumn(header=".".join(path), path=path) for path in _paths(selection, kind.name))
        return Export(
            kind=kind,
            selection=selection,
            conditions=[condition for condition, _ in parsed],
            columns=columns,
            named=[one for _, named in parsed for one in named],
        )

    def _kind(self, type_name: str) -> ExportKind:
        type_ = cast("GraphQLObjectType", self._types.type_map[type_name])
        model = model_by_type[type_name]
        known = next(one for one in node_kinds.values() if one.batch.model is model)
        return ExportKind(
            name=name_of(type_name),
            kind=known.kind,
            type_name=type_name,
            description=(type_.description or "").partition("\n")[0],
            batch=known.batch,
            fields=" ".join(self._fields(type_name, type_)),
            filters=dict(self._filters(type_name, type_, known.kind)),
        )

    def _declared(self, type_name: str) -> Iterator[tuple[str, Any]]:
        named = self._schema.config.name_converter.get_graphql_name
        definition: Any = self._schema.schema_converter.type_map[type_name].definition
        for one in definition.fields:
            declared = declaration_of(one)
            if declared is not None:
                yield (
                    named(one),
                    declared
                    if not isinstance(declared, Column)
                    else replace(declared, name=declared.name or one.python_name),
                )

    def _fields(self, type_name: str, type_: GraphQLObjectType) -> Iterator[str]:
        """Select what stands in a row, what is worked out of one, and the ids of what it leads to."""
        for name, declared in self._declared(type_name):
            named = get_named_type(type_.fields[name].type)
            if isinstance(declared, Column | Computed | Identity):
                yield name if is_leaf_type(named) else f"{name} {_whole(cast('GraphQLObjectType', named))}"
            elif isinstance(declared, EdgeToOne | EdgeToNode) and _is_node(named):
                yield f"{name} {{ id }}"

    def _filters(self, type_name: str, type_: GraphQLObjectType, kind: str) -> Iterator[tuple[str, Filterable]]:
        """Say what may be asked of rows: the columns that are shown as they stand, and the nodes that they name."""
        for name, declared in self._declared(type_name):
            field_type = type_.fields[name].type
            inner = field_type.of_type if is_non_null_type(field_type) else field_type
            can_be_null = not is_non_null_type(field_type)
            if isinstance(declared, Identity):
                yield name, Filterable(column="id", kinds=(kind,))
            elif isinstance(declared, Column) and is_leaf_type(inner):
                yield name, Filterable(column=declared.name, leaf=inner, is_nullable=can_be_null)
            elif isinstance(declared, EdgeToOne) and _is_node(inner) and declared.batch.by == "id":
                yield name, Filterable(column=declared.key, kinds=(_kind_of_type(get_named_type(inner).name),))
            elif isinstance(declared, EdgeToNode):
                models = {batch.model for batch in declared.batches}
                kinds = tuple(one.kind for one in node_kinds.values() if one.batch.model in models)
                yield name, Filterable(column=declared.key, kinds=kinds)

    def _selection(self, kind: ExportKind, fields: str | None) -> RowSelection:
        """Plan the fields of a kind, as those of a node that was found by its id."""
        if fields is not None and len(fields) > LONGEST_FIELDS:
            raise Invalid(f"Fields are {LONGEST_FIELDS} characters at most.", field="fields")
        text = f'{{ node(id: "") {{ ... on {kind.type_name} {{ {fields or kind.fields} }} }} }}'
        engine = self._schema.engine
        document = engine.documents.get(text)
        operation = document.operation(None)
        for error in document.errors_for(None):
            raise Invalid(f"These fields of {kind.name} cannot be exported: {error.message}", field="fields")
        plan = engine.plan(cast("OperationDefinitionNode", operation), document.fragments, _NO_VARIABLES)
        root = plan.roots[0] if plan is not None and len(plan.roots) == 1 else None
        if not isinstance(root, RootResolved) or not isinstance(root.target, ByTable):
            raise Invalid(f"These fields of {kind.name} cannot be exported: {fields}", field="fields")
        table = table_of(kind.batch.model)
        # Planned for rows that somebody holds already; these come from a driver.
        return replace(root.target.selections[table], table=table, assemblers={})


def name_of(type_name: str) -> str:
    """Return what a list of a type's things is called: `MatchEvent` is `match-events`, `OBSMachine` `obs-machines`."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]+", type_name)
    return "-".join([*words[:-1], _plural(words[-1])]).lower()


def _plural(word: str) -> str:
    if re.search(r"[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    return f"{word}es" if re.search(r"(s|x|ch|sh)$", word) else f"{word}s"


def _kind_of_type(type_name: str) -> str:
    return next(one.kind for one in node_kinds.values() if one.batch.model is model_by_type[type_name])


def _is_node(type_: Any) -> bool:
    named = get_named_type(type_)
    return not is_list_type(type_) and (isinstance(named, GraphQLInterfaceType) or named.name in model_by_type)


def _whole(type_: GraphQLObjectType) -> str:
    """Select everything of a value, as deep as it goes."""
    parts = []
    for name, one in type_.fields.items():
        named = get_named_type(one.type)
        if is_leaf_type(named):
            parts.append(name)
        elif isinstance(named, GraphQLObjectType) and named.name not in model_by_type:
            parts.append(f"{name} {_whole(named)}")
    return f"{{ {' '.join(parts)} }}"


def _paths(selection: RowSelection | ObjectSelection, name: str) -> Iterator[tuple[str, ...]]:
    """Return where the values of a printed row lie, those of what it holds behind its name. Raises `Invalid`."""
    for step in selection.steps:
        if isinstance(step, Printed | TypeName | EdgeClaim):
            yield (step.key,)
        elif isinstance(step, Composed):
            is_many = is_list_type(step.type.of_type if is_non_null_type(step.type) else step.type)
            inner: Iterable[tuple[str, ...]] = [()] if is_many else _paths(step.selection, name)
            yield from ((step.key, *path) for path in inner)
        elif isinstance(step, EdgeOne):
            yield from ((step.key, *path) for path in _paths(step.selection, name))
        elif isinstance(step, EdgeNode):
            inner = dict.fromkeys(path for choice in step.choices for path in _paths(choice.selection, name))
            yield from ((step.key, *path) for path in inner)
        else:
            raise Invalid(
                f"{step.key} is a list of its own, and {name} are exported a row each: export that list by itself.",
                field="fields",
            )
