"""Planning: what a client selects, met with what the types declare, becomes steps.

What is wanted of rows is planned in `rows_planned`, and of their connections in `connections_planned`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

import strawberry
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    get_named_type,
    is_leaf_type,
    is_non_null_type,
)
from graphql.execution.values import get_argument_values
from strawberry.types.arguments import convert_arguments
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from db.batches import table_of
from schema.engine.connections_planned import ConnectionPlanning
from schema.engine.plan import (
    Arguments,
    ByTable,
    Call,
    Composed,
    FromAttribute,
    HeldRows,
    ObjectSelection,
    Plan,
    Printed,
    Root,
    RootLookup,
    RootPage,
    RootResolved,
    Target,
    TypeName,
    Unplanned,
)
from schema.engine.rows_planned import RowPlanning, object_type, with_columns
from schema.engine.selections import Collector
from schema.errors import RefusalsAsData
from schema.fields import (
    Demand,
    EdgePages,
    Lookup,
    declaration_of,
    model_by_type,
)

_BUILT_IN = {"ID", "String", "Int", "Float", "Boolean"}


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
        return Planning(self, Collector(self.schema, fragments, flags)).operation(operation)

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
        """Return what calls a field's resolver and does what its extensions do, arguments as it knows them.

        Strawberry's own way there converts the arguments each time, even those that were converted before, and goes
        through a coroutine for each extension. `None` for a field that needs more of it than we know.
        """
        resolver = field.base_resolver
        if resolver is None or not field.is_async or resolver.parent_parameter or resolver.root_parameter:
            return None
        if not all(type(one) in {Demand, RefusalsAsData} for one in field.extensions):
            return None
        demands = [one.check for one in field.extensions if isinstance(one, Demand)]
        catching = next((one.catching for one in field.extensions if isinstance(one, RefusalsAsData)), None)
        own: tuple[Any, ...] = (None,) if resolver.self_parameter else ()
        wanted, resolve = resolver.info_parameter, cast("Callable[..., Any]", resolver.wrapped_func)
        info_class = self._strawberry.config.info_class

        def call(raw: Any, arguments: dict[str, Any]) -> Any:
            # A refusal for want of authority is nothing that `catching` would catch.
            for demand in demands:
                demand(raw.context)
            if wanted is not None:
                arguments[wanted.name] = info_class(_raw_info=raw, _field=field)
            resolved = resolve(*own, **arguments)
            return resolved if catching is None else catching(resolved)

        return call

    def convert(self, field: StrawberryField, values: Mapping[str, Any]) -> dict[str, Any]:
        """Turn graphql-core's argument values into the resolver's."""
        registry = self._strawberry.schema_converter.scalar_registry
        return convert_arguments(dict(values), field.arguments, registry, self._strawberry.config)


class Planning:
    """Plans one operation."""

    def __init__(self, planner: Planner, collector: Collector) -> None:
        self.planner = planner
        self.collector = collector
        self.rows = RowPlanning(self)
        self.connections = ConnectionPlanning(self)
        self._demands: list[Callable[[Any], None]] = []

    def operation(self, operation: OperationDefinitionNode) -> Plan:
        """Plan the operation. Raises `Unplanned`."""
        root = cast("GraphQLObjectType", self.planner.schema.get_root_type(operation.operation))
        is_event = operation.operation is OperationType.SUBSCRIPTION
        collected = self.collector.collect(root, [operation.selection_set])
        roots = [self._root(root, key, nodes, is_event=is_event) for key, nodes in collected.items()]
        is_serial = operation.operation is OperationType.MUTATION
        # A mutation's and a subscription's own field checks what it demands itself, when it is resolved.
        demands = self._demands if operation.operation is OperationType.QUERY else []
        return Plan(roots=roots, demands=demands, is_serial=is_serial)

    def _root(self, root: GraphQLObjectType, key: str, nodes: list[FieldNode], *, is_event: bool) -> Root:
        name = nodes[0].name.value
        if name == "__typename":
            return TypeName(key, root.name)
        field, graphql_field = self.field(root, name)
        declared = declaration_of(field)
        if isinstance(declared, EdgePages):
            edge = self.connections.page(key, key, field, graphql_field, nodes, declared)
            return RootPage(key, edge)
        if isinstance(declared, Lookup):
            return self._lookup(key, field, graphql_field, nodes, declared)
        return self._resolved(root, key, field, graphql_field, nodes, is_event=is_event)

    def _lookup(
        self, key: str, field: StrawberryField, graphql_field: GraphQLField, nodes: list[FieldNode], declared: Lookup
    ) -> RootLookup:
        table = table_of(declared.batch.model)
        selection = self.rows.of(object_type(graphql_field.type), nodes, table, key)
        return RootLookup(
            key=key,
            path=key,
            batch=declared.batch,
            kind=declared.kind,
            is_nullable=not is_non_null_type(graphql_field.type),
            arguments=self.arguments(field, graphql_field, nodes[0]),
            selection=with_columns(selection, [declared.batch.by]),
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
            arguments=self.arguments(field, graphql_field, nodes[0]),
            call=self.planner.call_of(field),
            target=None if is_leaf else self._target(named, nodes, key),
            leaf=leaf,
            is_event=is_event,
        )

    def _target(self, named: Any, nodes: list[FieldNode], path: str) -> Target:
        """Plan what is wanted of objects that a resolver returned: rows of one table or several, or plain objects."""
        if isinstance(named, GraphQLInterfaceType):
            kinds = [one for one in self.planner.schema.get_possible_types(named) if one.name in model_by_type]
            return ByTable(
                {table_of(model_by_type[kind.name]): self.rows.of(kind, nodes, None, path) for kind in kinds}
            )
        if not isinstance(named, GraphQLObjectType):
            raise Unplanned(f"the type {named}")
        if self._is_row_type(named):
            return self.rows.of(named, nodes, None, path)
        return self.object(named, nodes, path)

    def _is_row_type(self, type_: GraphQLObjectType) -> bool:
        return any(declaration_of(field) is not None for field in self.planner.definition(type_.name).fields)

    def object(self, type_: GraphQLObjectType, nodes: list[FieldNode], path: str) -> ObjectSelection:
        """Plan what is wanted of plain objects."""
        selection = ObjectSelection(type_.name, [])
        collected = self.collector.collect(type_, [node.selection_set for node in nodes])
        for key, group in collected.items():
            name = group[0].name.value
            selection.steps.append(
                TypeName(key, type_.name) if name == "__typename" else self._held(type_, key, name, group, path)
            )
        return selection

    def _held(
        self, type_: GraphQLObjectType, key: str, name: str, nodes: list[FieldNode], path: str
    ) -> Printed | Composed | HeldRows:
        field, graphql_field = self.field(type_, name)
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

    def field(self, type_: GraphQLObjectType, name: str) -> tuple[StrawberryField, GraphQLField]:
        """Return a field of a type as Strawberry knows it and as graphql-core does, and note what it demands."""
        field = self.planner.field(type_.name, name)
        for extension in field.extensions:
            if isinstance(extension, Demand):
                self._demands.append(extension.check)
        return field, type_.fields[name]

    def arguments(self, field: StrawberryField, graphql_field: GraphQLField, node: FieldNode) -> Arguments:
        """Return how a field's arguments are found at each run."""
        convert = partial(self.planner.convert, field)
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        varying = {name for name, value in given.items() if _holds_variable(value)}
        if not all(_is_plain(given[name], graphql_field.args[name].type) for name in varying):
            return Arguments(graphql_field, node, {}, None, convert)
        # A field without the arguments that vary: what graphql-core finds for it are the constants.
        fixed = {name: argument for name, argument in graphql_field.args.items() if name not in varying}
        constants = convert(get_argument_values(GraphQLField(graphql_field.type, fixed), node))
        names = self.planner.argument_names(field)
        variables = tuple((names[name], cast("VariableNode", given[name]).name.value) for name in sorted(varying))
        return Arguments(graphql_field, node, constants, variables, convert)


def _is_plain(value: Any, type_: Any) -> bool:
    """Say whether an argument is a variable of a built-in scalar, which needs no converting."""
    named = type_.of_type if is_non_null_type(type_) else type_
    return isinstance(value, VariableNode) and getattr(named, "name", None) in _BUILT_IN


def _holds_variable(value: Any) -> bool:
    if isinstance(value, VariableNode):
        return True
    inner = [*(getattr(value, "values", None) or ()), *(one.value for one in getattr(value, "fields", None) or ())]
    return any(_holds_variable(one) for one in inner)
