"""Planning rows: what is wanted of a table's rows, from what their types declare, and which reads serve it."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    get_named_type,
    is_leaf_type,
    is_non_null_type,
    print_ast,
)
from sqlalchemy import Table
from strawberry.types.field import StrawberryField

from db.batches import table_of
from schema.engine.plan import (
    Composed,
    ConnectionSelection,
    Edge,
    EdgeClaim,
    EdgeMany,
    EdgeNode,
    EdgeOne,
    EdgePage,
    EdgeWalk,
    FromColumn,
    FromColumns,
    FromIdentity,
    Printed,
    RowSelection,
    Source,
    TypeName,
    Unplanned,
)
from schema.engine.sharing import readers_of
from schema.fields import (
    Claim,
    Column,
    Computed,
    Declaration,
    EdgePages,
    EdgeToMany,
    EdgeToNode,
    EdgeToOne,
    EdgeToWalk,
    Identity,
    declaration_of,
    model_by_type,
)

if TYPE_CHECKING:
    from schema.engine.planner import Planning


class RowPlanning:
    """Plans what is wanted of rows, in one operation."""

    def __init__(self, planning: "Planning") -> None:
        self._planning = planning

    def of(self, type_: GraphQLObjectType, nodes: list[FieldNode], table: Table | None, path: str) -> RowSelection:
        """Plan what is wanted of a table's rows."""
        selection = RowSelection(type_name=type_.name, table=table, steps=[], columns=(), edges=[])
        columns: list[str] = []
        collected = self._planning.collector.collect(type_, [node.selection_set for node in nodes])
        for key, field_nodes in collected.items():
            name = field_nodes[0].name.value
            if name == "__typename":
                selection.steps.append(TypeName(key, type_.name))
                continue
            field, graphql_field = self._planning.field(type_, name)
            declared = declaration_of(field)
            source = None if declared is None else source_of(declared, field)
            if source is not None:
                selection.steps.append(self.printed(key, source, graphql_field, field_nodes, path))
                columns += columns_of(source)
                continue
            edge = self._edge(key, f"{path}.{key}", field, graphql_field, field_nodes, declared)
            selection.steps.append(edge)
            selection.edges.append(edge)
            columns.append(cast("str", edge.parent_key))
        group_edges(selection)
        return with_columns(selection, columns)

    def printed(
        self, key: str, source: Source, field: GraphQLField, nodes: list[FieldNode], path: str
    ) -> Printed | Composed:
        """Plan a value: printed, or made of several that are."""
        named = get_named_type(field.type)
        if is_leaf_type(named):
            return Printed(key, source, field.type, cast("Any", named))
        if not isinstance(named, GraphQLObjectType):
            raise Unplanned(f"the type {named} of a computed value")
        inner = self._planning.object(named, nodes, path)
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
            return self._planning.connections.page(key, path, field, graphql_field, nodes, declared)
        if isinstance(declared, EdgeToNode):
            return self._node_edge(key, path, declared, nodes)
        if isinstance(declared, EdgeToWalk):
            reached = self.of(object_type(graphql_field.type), nodes, table_of(declared.batch.model), path)
            arguments = self._planning.arguments(field, graphql_field, nodes[0])
            return EdgeWalk(key, path, declared.batch, declared.key, arguments, reached)
        if isinstance(declared, Claim):
            by = (declared.batch.by,)
            claimed = RowSelection("", table_of(declared.batch.model), steps=[], columns=by, edges=[])
            return EdgeClaim(key, path, declared.batch, declared.key, claimed)
        if not isinstance(declared, EdgeToOne | EdgeToMany):
            raise Unplanned(f"the field {path} with a resolver of its own")
        table = table_of(declared.batch.model)
        selection = self.of(object_type(graphql_field.type), nodes, table, path)
        selection = with_columns(selection, [declared.batch.by])
        if isinstance(declared, EdgeToMany):
            return _with_levels(EdgeMany(key, path, declared.batch, declared.key, selection))
        is_nullable = not is_non_null_type(graphql_field.type)
        return EdgeOne(key, path, declared.batch, declared.key, is_nullable, selection)

    def _node_edge(self, key: str, path: str, declared: EdgeToNode, nodes: list[FieldNode]) -> EdgeNode:
        """Plan what is wanted of a row of any of several tables: one edge to each."""
        types = {table_of(model): name for name, model in model_by_type.items()}
        choices = []
        for batch in declared.batches:
            table = table_of(batch.model)
            rows = self.of(
                cast("GraphQLObjectType", self._planning.planner.schema.type_map[types[table]]), nodes, table, path
            )
            one = with_columns(rows, [batch.by])
            choices.append(EdgeOne(key, path, batch, declared.key, is_nullable=True, selection=one))
        nothing = RowSelection(type_name="", table=None, steps=[], columns=(), edges=[])
        return EdgeNode(key, path, declared.key, choices, nothing)


def source_of(declared: Declaration, field: StrawberryField) -> Source | None:
    """Return where a field's value comes from; `None` if it is an edge."""
    if isinstance(declared, Column):
        return FromColumn(declared.name or field.python_name)
    if isinstance(declared, Identity):
        return FromIdentity(declared.kind)
    if isinstance(declared, Computed):
        return FromColumns(declared.needs, declared.compute)
    return None


def columns_of(source: Source) -> tuple[str, ...]:
    """Return the columns that a value is read off."""
    match source:
        case FromColumn(column):
            return (column,)
        case FromIdentity():
            return ("id",)
        case FromColumns(needs):
            return needs
        case _:
            return ()


def with_columns(selection: RowSelection, columns: Iterable[str]) -> RowSelection:
    """Have a selection read these columns too."""
    selection.columns = tuple(dict.fromkeys((*selection.columns, *columns)))
    return selection


def _with_levels(edge: EdgeMany) -> EdgeMany:
    """Find the levels of a tree that one statement reads: the same edge of an edge's rows, once, and so on down."""
    if edge.batch.tree is None:
        return edge
    for group in edge.selection.groups:
        inner = group[0]
        if isinstance(inner, EdgeMany) and inner.batch is edge.batch and len(group) == 1:
            levels = (edge, inner, *inner.below)
            # All levels name their rows alike, and have the same columns read.
            if {one.parent_key for one in levels} == {edge.parent_key}:
                columns = tuple(dict.fromkeys(name for one in levels for name in one.selection.columns))
                for one in levels:
                    one.selection.columns = columns
                edge.below = levels[1:]
    return edge


def group_edges(selection: RowSelection) -> None:
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
                give_columns(edge.connection, columns)
    return list(groups.values())


def _asked_by(edge: Edge) -> Any:
    if not isinstance(edge, EdgePage | EdgeWalk):
        return None
    return frozenset((one.name.value, print_ast(one.value)) for one in edge.arguments.node.arguments or ())


def give_columns(connection: ConnectionSelection, columns: tuple[str, ...]) -> None:
    """Have all rows of a connection read these columns."""
    for rows in connection.row_selections():
        rows.columns = columns


def object_type(type_: GraphQLOutputType) -> GraphQLObjectType:
    """Return the object type behind lists and non-nulls. Raises `Unplanned`."""
    named = get_named_type(type_)
    if not isinstance(named, GraphQLObjectType):
        raise Unplanned(f"the type {named} of an edge")
    return named
