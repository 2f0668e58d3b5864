"""Planning: what a client selects, met with what the types declare, becomes steps."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import strawberry
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLOutputType,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    get_named_type,
    is_leaf_type,
    is_non_null_type,
    print_ast,
)
from graphql.execution.values import get_argument_values
from sqlalchemy import Table
from strawberry.types.arguments import convert_arguments
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from db.batches import Pages, table_of
from schema.connections import Connection
from schema.engine.plan import (
    Arguments,
    ByTable,
    Call,
    Composed,
    ConnectionSelection,
    ConnectionStep,
    Edge,
    EdgeClaim,
    EdgeMany,
    EdgeNode,
    EdgeOne,
    EdgePage,
    EdgeStep,
    EdgeWalk,
    FromAttribute,
    FromColumn,
    FromColumns,
    FromIdentity,
    HeldRows,
    ObjectSelection,
    PageInfoStep,
    Plan,
    Printed,
    Root,
    RootLookup,
    RootPage,
    RootResolved,
    RowSelection,
    Source,
    Target,
    TypeName,
    Unplanned,
)
from schema.engine.selections import Collector
from schema.engine.sharing import readers_of
from schema.errors import RefusalsAsData
from schema.fields import (
    Claim,
    Column,
    Computed,
    Declaration,
    Demand,
    EdgePages,
    EdgeToMany,
    EdgeToNode,
    EdgeToOne,
    EdgeToWalk,
    Identity,
    LinkNode,
    Lookup,
    declaration_of,
    model_by_type,
)

_BUILT_IN = {"ID", "String", "Int", "Float", "Boolean"}
_PAGE_INFO = {
    "hasNextPage": "has_next_page",
    "hasPreviousPage": "has_previous_page",
    "startCursor": "start_cursor",
    "endCursor": "end_cursor",
}


class Planner:
    """Plans the operations of one schema."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self._strawberry = schema
        self.schema = schema._schema  # noqa: SLF001 -- graphql-core's schema has no public name
        self._fields: dict[str, dict[str, StrawberryField]] = {}

    def plan(
        self,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
        flags: Mapping[str, Any],
    ) -> Plan:
        """Compile an operation. Raises `Unplanned` for what only graphql-core knows."""
        return _Planning(self, Collector(self.schema, fragments, flags)).operation(operation)

    def definition(self, type_name: str) -> StrawberryObjectDefinition:
        """Return Strawberry's definition of an object type. Raises `Unplanned` for a type that is not ours."""
        known = self._strawberry.schema_converter.type_map.get(type_name)
        definition = None if known is None else known.definition
        if not isinstance(definition, StrawberryObjectDefinition):
            raise Unplanned(f"the type {type_name}")
        return definition

    def field(self, type_name: str, name: str) -> StrawberryField:
        """Return Strawberry's field. Raises `Unplanned` for introspection."""
        fields = self._fields.get(type_name)
        if fields is None:
            named = self._strawberry.config.name_converter.get_graphql_name
            fields = self._fields[type_name] = {named(one): one for one in self.definition(type_name).fields}
        if name not in fields:
            raise Unplanned(f"the field {type_name}.{name}")
        return fields[name]

    def argument_names(self, field: StrawberryField) -> dict[str, str]:
        """Return the resolver's names of a field's arguments, by their names in the schema."""
        named = self._strawberry.config.name_converter.from_argument
        return {named(argument): argument.python_name for argument in field.arguments}

    def call_of(self, field: StrawberryField) -> Call | None:
        """Return what calls a field's resolver through its extensions, arguments as it knows them.

        Strawberry's own way there converts the arguments each time, even those that were converted before. `None` for
        a field that needs more of it than we know.
        """
        resolver = field.base_resolver
        if resolver is None or not field.is_async or resolver.parent_parameter or resolver.root_parameter:
            return None
        if not all(isinstance(one, Demand | RefusalsAsData) for one in field.extensions):
            return None
        own: tuple[Any, ...] = (None,) if resolver.self_parameter else ()
        wanted = resolver.info_parameter

        def innermost(_: Any, info: Any, **arguments: Any) -> Any:
            if wanted is not None:
                arguments[wanted.name] = info
            return resolver(*own, **arguments)

        call: Callable[..., Any] = innermost
        # The last of them is the outermost.
        for extension in field.extensions:
            call = partial(extension.resolve_async, call)
        info_class = self._strawberry.config.info_class
        return lambda raw, arguments: call(None, info_class(_raw_info=raw, _field=field), **arguments)

    def convert(self, field: StrawberryField, values: Mapping[str, Any]) -> dict[str, Any]:
        """Turn graphql-core's argument values into the resolver's."""
        registry = self._strawberry.schema_converter.scalar_registry
        return convert_arguments(dict(values), field.arguments, registry, self._strawberry.config)


class _Planning:
    """Plans one operation."""

    def __init__(self, planner: Planner, collector: Collector) -> None:
        self._planner = planner
        self._collector = collector
        self._demands: list[Callable[[Any], None]] = []

    def operation(self, operation: OperationDefinitionNode) -> Plan:
        root = cast("GraphQLObjectType", self._planner.schema.get_root_type(operation.operation))
        is_event = operation.operation is OperationType.SUBSCRIPTION
        collected = self._collector.collect(root, [operation.selection_set])
        roots = [self._root(root, key, nodes, is_event=is_event) for key, nodes in collected.items()]
        is_serial = operation.operation is OperationType.MUTATION
        # A mutation's and a subscription's own field checks what it demands itself, when it is resolved.
        demands = self._demands if operation.operation is OperationType.QUERY else []
        return Plan(roots=roots, demands=demands, is_serial=is_serial)

    def _root(self, root: GraphQLObjectType, key: str, nodes: list[FieldNode], *, is_event: bool) -> Root:
        name = nodes[0].name.value
        if name == "__typename":
            return TypeName(key, root.name)
        field, graphql_field = self._field(root, name)
        declared = declaration_of(field)
        if isinstance(declared, EdgePages):
            edge = self._page(key, key, field, graphql_field, nodes, declared)
            return RootPage(key, edge)
        if isinstance(declared, Lookup):
            return self._lookup(key, field, graphql_field, nodes, declared)
        return self._resolved(root, key, field, graphql_field, nodes, is_event=is_event)

    def _lookup(
        self, key: str, field: StrawberryField, graphql_field: GraphQLField, nodes: list[FieldNode], declared: Lookup
    ) -> RootLookup:
        table = table_of(declared.batch.model)
        selection = self._rows(_object(graphql_field.type), nodes, table, key)
        return RootLookup(
            key=key,
            path=key,
            batch=declared.batch,
            kind=declared.kind,
            is_nullable=not is_non_null_type(graphql_field.type),
            arguments=self._arguments(field, graphql_field, nodes[0]),
            selection=_with_columns(selection, [declared.batch.by]),
        )

    def _resolved(
        self,
        root: GraphQLObjectType,
        key: str,
        field: StrawberryField,
        graphql_field: GraphQLField,
        nodes: list[FieldNode],
        *,
        is_event: bool,
    ) -> RootResolved:
        if field.base_resolver is None:
            raise Unplanned(f"the field {root.name}.{nodes[0].name.value} without a resolver")
        named = get_named_type(graphql_field.type)
        is_leaf = is_leaf_type(named)
        leaf = Printed(key, FromAttribute(key), graphql_field.type, cast("Any", named)) if is_leaf else None
        return RootResolved(
            key=key,
            path=key,
            field=graphql_field,
            node=nodes[0],
            arguments=self._arguments(field, graphql_field, nodes[0]),
            call=self._planner.call_of(field),
            target=None if is_leaf else self._target(named, nodes, key),
            leaf=leaf,
            is_event=is_event,
        )

    def _target(self, named: Any, nodes: list[FieldNode], path: str) -> Target:
        """Plan what is wanted of objects that a resolver returned: rows of one table or several, or plain objects."""
        if isinstance(named, GraphQLInterfaceType):
            kinds = [one for one in self._planner.schema.get_possible_types(named) if one.name in model_by_type]
            return ByTable({table_of(model_by_type[kind.name]): self._rows(kind, nodes, None, path) for kind in kinds})
        if not isinstance(named, GraphQLObjectType):
            raise Unplanned(f"the type {named}")
        if self._is_row_type(named):
            return self._rows(named, nodes, None, path)
        return self._object(named, nodes, path)

    def _is_row_type(self, type_: GraphQLObjectType) -> bool:
        return any(declaration_of(field) is not None for field in self._planner.definition(type_.name).fields)

    def _rows(self, type_: GraphQLObjectType, nodes: list[FieldNode], table: Table | None, path: str) -> RowSelection:
        """Plan what is wanted of a table's rows."""
        selection = RowSelection(type_name=type_.name, table=table, steps=[], columns=(), edges=[])
        columns: list[str] = []
        collected = self._collector.collect(type_, [node.selection_set for node in nodes])
        for key, field_nodes in collected.items():
            name = field_nodes[0].name.value
            if name == "__typename":
                selection.steps.append(TypeName(key, type_.name))
                continue
            field, graphql_field = self._field(type_, name)
            declared = declaration_of(field)
            source = None if declared is None else _source(declared, field)
            if source is not None:
                selection.steps.append(self._printed(key, source, graphql_field, field_nodes, path))
                columns += _columns_of(source)
                continue
            edge = self._edge(key, f"{path}.{key}", field, graphql_field, field_nodes, declared)
            selection.steps.append(edge)
            selection.edges.append(edge)
            columns.append(cast("str", edge.parent_key))
        _group(selection)
        return _with_columns(selection, columns)

    def _printed(
        self, key: str, source: Source, field: GraphQLField, nodes: list[FieldNode], path: str
    ) -> Printed | Composed:
        named = get_named_type(field.type)
        if is_leaf_type(named):
            return Printed(key, source, field.type, cast("Any", named))
        if not isinstance(named, GraphQLObjectType):
            raise Unplanned(f"the type {named} of a computed value")
        inner = self._object(named, nodes, path)
        if inner.holds_rows:
            raise Unplanned("rows inside a computed value")
        return Composed(key, source, field.type, inner)

    def _edge(
        self,
        key: str,
        path: str,
        field: StrawberryField,
        graphql_field: GraphQLField,
        nodes: list[FieldNode],
        declared: Declaration | None,
    ) -> Edge:
        if isinstance(declared, EdgePages):
            return self._page(key, path, field, graphql_field, nodes, declared)
        if isinstance(declared, EdgeToNode):
            return self._node_edge(key, path, declared, nodes)
        if isinstance(declared, EdgeToWalk):
            reached = self._rows(_object(graphql_field.type), nodes, table_of(declared.batch.model), path)
            arguments = self._arguments(field, graphql_field, nodes[0])
            return EdgeWalk(key, path, declared.batch, declared.key, arguments, reached)
        if isinstance(declared, Claim):
            by = (declared.batch.by,)
            claimed = RowSelection("", table_of(declared.batch.model), steps=[], columns=by, edges=[])
            return EdgeClaim(key, path, declared.batch, declared.key, claimed)
        if not isinstance(declared, EdgeToOne | EdgeToMany):
            raise Unplanned(f"the field {path} with a resolver of its own")
        table = table_of(declared.batch.model)
        selection = self._rows(_object(graphql_field.type), nodes, table, path)
        selection = _with_columns(selection, [declared.batch.by])
        if isinstance(declared, EdgeToMany):
            return EdgeMany(key, path, declared.batch, declared.key, selection)
        is_nullable = not is_non_null_type(graphql_field.type)
        return EdgeOne(key, path, declared.batch, declared.key, is_nullable, selection)

    def _node_edge(self, key: str, path: str, declared: EdgeToNode, nodes: list[FieldNode]) -> EdgeNode:
        """Plan what is wanted of a row of any of several tables: one edge to each."""
        types = {table_of(model): name for name, model in model_by_type.items()}
        choices = []
        for batch in declared.batches:
            table = table_of(batch.model)
            rows = self._rows(
                cast("GraphQLObjectType", self._planner.schema.type_map[types[table]]), nodes, table, path
            )
            one = _with_columns(rows, [batch.by])
            choices.append(EdgeOne(key, path, batch, declared.key, is_nullable=True, selection=one))
        nothing = RowSelection(type_name="", table=None, steps=[], columns=(), edges=[])
        return EdgeNode(key, path, declared.key, choices, nothing)

    def _page(
        self,
        key: str,
        path: str,
        field: StrawberryField,
        graphql_field: GraphQLField,
        nodes: list[FieldNode],
        declared: EdgePages,
    ) -> EdgePage:
        batch = declared.batch
        connection = self._connection(_object(graphql_field.type), nodes, declared, path)
        wanted = RowSelection(
            type_name=table_of(batch.model).name, table=table_of(batch.model), steps=[], columns=(), edges=[]
        )
        for rows in connection.row_selections():
            wanted = _with_columns(wanted, rows.columns)
        _give_columns(connection, _with_columns(wanted, _columns_of_pages(batch)).columns)
        arguments = self._arguments(field, graphql_field, nodes[0])
        return EdgePage(key, path, batch, declared.key, arguments, wanted, connection)

    def _connection(
        self, type_: GraphQLObjectType, nodes: list[FieldNode], declared: EdgePages, path: str
    ) -> ConnectionSelection:
        origin = self._planner.definition(type_.name).origin
        if not (isinstance(origin, type) and issubclass(origin, Connection)):
            raise Unplanned(f"the connection type {type_.name}")
        collected = self._collector.collect(type_, [node.selection_set for node in nodes])
        steps = [self._connection_step(type_, key, group, declared, path) for key, group in collected.items()]
        return ConnectionSelection(
            steps=steps,
            wants_rows=any(step.name in {"nodes", "edges", "page_info"} for step in steps),
            wants_total=any(step.name == "total_count" for step in steps),
        )

    def _connection_step(
        self, type_: GraphQLObjectType, key: str, nodes: list[FieldNode], declared: EdgePages, path: str
    ) -> ConnectionStep:
        name = nodes[0].name.value
        table, link = table_of(declared.batch.model), declared.link
        if name == "__typename":
            return ConnectionStep(key, None, type_.name)
        inner = type_.fields[name].type
        if name in {"nodes", "edges"} and link is not None:
            return self._linked(key, name, _object(inner), nodes, table, link, path)
        if name == "nodes":
            return ConnectionStep(key, "nodes", type_.name, nodes=self._rows(_object(inner), nodes, table, path))
        if name == "edges":
            return ConnectionStep(key, "edges", type_.name, edges=self._edges(_object(inner), nodes, table, path))
        if name == "pageInfo":
            return ConnectionStep(key, "page_info", type_.name, page_info=self._page_info(_object(inner), nodes))
        if name == "totalCount":
            return ConnectionStep(key, "total_count", type_.name)
        raise Unplanned(f"the field {type_.name}.{name}")

    def _edges(self, type_: GraphQLObjectType, nodes: list[FieldNode], table: Table, path: str) -> tuple[EdgeStep, ...]:
        collected = self._collector.collect(type_, [node.selection_set for node in nodes])
        return tuple(self._edge_step(type_, key, group, table, path) for key, group in collected.items())

    def _edge_step(
        self, type_: GraphQLObjectType, key: str, nodes: list[FieldNode], table: Table, path: str
    ) -> EdgeStep:
        name = nodes[0].name.value
        if name == "node":
            selection = self._rows(_object(type_.fields[name].type), nodes, table, path)
            return EdgeStep(key, "node", type_.name, selection)
        if name not in {"cursor", "__typename"}:
            raise Unplanned(f"the field {type_.name}.{name}")
        return EdgeStep(key, "cursor" if name == "cursor" else None, type_.name)

    def _linked(
        self,
        key: str,
        name: str,
        type_: GraphQLObjectType,
        nodes: list[FieldNode],
        table: Table,
        link: LinkNode,
        path: str,
    ) -> ConnectionStep:
        """Plan what is wanted of links: what they lead to is an edge of theirs."""
        selection = RowSelection(type_name=type_.name, table=table, steps=[], columns=(), edges=[])
        if name == "nodes":
            self._lead(selection, "node", f"{path}.{key}", type_, nodes, link)
            return ConnectionStep(key, "nodes", "", link=selection)
        fields = self._collector.collect(type_, [node.selection_set for node in nodes])
        for inner_key, group in fields.items():
            inner = group[0].name.value
            if inner == "__typename":
                selection.steps.append(TypeName(inner_key, type_.name))
            elif inner == "node":
                self._lead(selection, inner_key, f"{path}.{inner_key}", _object(type_.fields[inner].type), group, link)
            elif inner != "cursor":
                self._of_link(selection, type_, inner_key, group, path)
        steps = tuple(
            EdgeStep(one, "cursor" if group[0].name.value == "cursor" else None, type_.name)
            for one, group in fields.items()
        )
        return ConnectionStep(key, "edges", "", edges=steps, link=selection)

    def _lead(
        self,
        selection: RowSelection,
        key: str,
        path: str,
        type_: GraphQLObjectType,
        nodes: list[FieldNode],
        link: LinkNode,
    ) -> None:
        rows = self._rows(type_, nodes, table_of(link.batch.model), path)
        edge = EdgeOne(key, path, link.batch, link.key, False, _with_columns(rows, [link.batch.by]))
        selection.steps.append(edge)
        selection.edges.append(edge)
        _group(selection)
        _with_columns(selection, [link.key])

    def _of_link(
        self, selection: RowSelection, type_: GraphQLObjectType, key: str, nodes: list[FieldNode], path: str
    ) -> None:
        field, graphql_field = self._field(type_, nodes[0].name.value)
        declared = declaration_of(field)
        source = None if declared is None else _source(declared, field)
        if source is None:
            raise Unplanned(f"the field {type_.name}.{nodes[0].name.value} with a resolver of its own")
        selection.steps.append(self._printed(key, source, graphql_field, nodes, path))
        _with_columns(selection, _columns_of(source))

    def _page_info(self, type_: GraphQLObjectType, nodes: list[FieldNode]) -> tuple[PageInfoStep, ...]:
        collected = self._collector.collect(type_, [node.selection_set for node in nodes])
        return tuple(PageInfoStep(key, _PAGE_INFO.get(group[0].name.value)) for key, group in collected.items())

    def _object(self, type_: GraphQLObjectType, nodes: list[FieldNode], path: str) -> ObjectSelection:
        """Plan what is wanted of plain objects."""
        selection = ObjectSelection(type_.name, [])
        collected = self._collector.collect(type_, [node.selection_set for node in nodes])
        for key, group in collected.items():
            name = group[0].name.value
            selection.steps.append(
                TypeName(key, type_.name) if name == "__typename" else self._held(type_, key, name, group, path)
            )
        return selection

    def _held(
        self, type_: GraphQLObjectType, key: str, name: str, nodes: list[FieldNode], path: str
    ) -> Printed | Composed | HeldRows:
        field, graphql_field = self._field(type_, name)
        if field.base_resolver is not None:
            raise Unplanned(f"the field {type_.name}.{name} with a resolver of its own")
        named = get_named_type(graphql_field.type)
        source = FromAttribute(field.python_name)
        if is_leaf_type(named):
            return Printed(key, source, graphql_field.type, cast("Any", named))
        target = self._target(named, nodes, f"{path}.{key}")
        if isinstance(target, ObjectSelection) and not target.holds_rows:
            return Composed(key, source, graphql_field.type, target)
        return HeldRows(key, field.python_name, graphql_field.type, target)

    def _field(self, type_: GraphQLObjectType, name: str) -> tuple[StrawberryField, GraphQLField]:
        field = self._planner.field(type_.name, name)
        for extension in field.extensions:
            if isinstance(extension, Demand):
                self._demands.append(extension.check)
        return field, type_.fields[name]

    def _arguments(self, field: StrawberryField, graphql_field: GraphQLField, node: FieldNode) -> Arguments:
        convert = partial(self._planner.convert, field)
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        varying = {name for name, value in given.items() if _holds_variable(value)}
        if not all(_is_plain(given[name], graphql_field.args[name].type) for name in varying):
            return Arguments(graphql_field, node, {}, None, convert)
        # A field without the arguments that vary: what graphql-core finds for it are the constants.
        fixed = {name: argument for name, argument in graphql_field.args.items() if name not in varying}
        constants = convert(get_argument_values(GraphQLField(graphql_field.type, fixed), node))
        names = self._planner.argument_names(field)
        variables = tuple((names[name], cast("VariableNode", given[name]).name.value) for name in sorted(varying))
        return Arguments(graphql_field, node, constants, variables, convert)


def _source(declared: Declaration, field: StrawberryField) -> Source | None:
    if isinstance(declared, Column):
        return FromColumn(declared.name or field.python_name)
    if isinstance(declared, Identity):
        return FromIdentity(declared.kind)
    if isinstance(declared, Computed):
        return FromColumns(declared.needs, declared.compute)
    return None


def _columns_of(source: Source) -> tuple[str, ...]:
    match source:
        case FromColumn(column):
            return (column,)
        case FromIdentity():
            return ("id",)
        case FromColumns(needs):
            return needs
        case _:
            return ()


def _columns_of_pages(batch: Pages[Any]) -> list[str]:
    """Return what any order of the pages reads beside what is wanted, in the order that their statement gives it."""
    ordering = [name for order in batch.orders.values() for name in order.columns]
    return ordering if batch.by is None else [batch.by, *ordering]


def _with_columns(selection: RowSelection, columns: Iterable[str]) -> RowSelection:
    selection.columns = tuple(dict.fromkeys((*selection.columns, *columns)))
    return selection


def _give_columns(connection: ConnectionSelection, columns: tuple[str, ...]) -> None:
    for rows in connection.row_selections():
        rows.columns = columns


def _group(selection: RowSelection) -> None:
    """Put edges together that read the same, and find what may be read together with something below."""
    selection.groups = _groups(selection.edges)
    selection.readers = readers_of(selection.groups)


def _groups(edges: Sequence[Edge]) -> list[list[Edge]]:
    """Put edges together that read the same rows, and let them read the same columns."""
    groups: dict[Any, list[Edge]] = {}
    for edge in edges:
        # An edge to one of several tables is alone.
        what = id(edge) if isinstance(edge, EdgeNode) else id(edge.batch)
        groups.setdefault((what, edge.parent_key, _asked_by(edge)), []).append(edge)
    for group in groups.values():
        columns = tuple(dict.fromkeys(name for edge in group for name in edge.selection.columns))
        for edge in group:
            edge.selection.columns = columns
            if isinstance(edge, EdgePage):
                _give_columns(edge.connection, columns)
    return list(groups.values())


def _asked_by(edge: Edge) -> Any:
    if not isinstance(edge, EdgePage | EdgeWalk):
        return None
    return frozenset((one.name.value, print_ast(one.value)) for one in edge.arguments.node.arguments or ())


def _object(type_: GraphQLOutputType) -> GraphQLObjectType:
    named = get_named_type(type_)
    if not isinstance(named, GraphQLObjectType):
        raise Unplanned(f"the type {named} of an edge")
    return named


def _is_plain(value: Any, type_: Any) -> bool:
    """Say whether an argument is a variable of a built-in scalar, which needs no converting."""
    named = type_.of_type if is_non_null_type(type_) else type_
    return isinstance(value, VariableNode) and getattr(named, "name", None) in _BUILT_IN


def _holds_variable(value: Any) -> bool:
    if isinstance(value, VariableNode):
        return True
    inner = [*(getattr(value, "values", None) or ()), *(one.value for one in getattr(value, "fields", None) or ())]
    return any(_holds_variable(one) for one in inner)
