"""Planning connections: pages of rows, and what is wanted beside the rows."""

from typing import TYPE_CHECKING, Any

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
)
from sqlalchemy import Table
from strawberry.types.field import StrawberryField

from db.batches import Pages, table_of
from schema.connections import Connection
from schema.engine.plan import (
    ConnectionSelection,
    ConnectionStep,
    EdgeOne,
    EdgePage,
    EdgeStep,
    PageInfoStep,
    RowSelection,
    TypeName,
    Unplanned,
)
from schema.engine.rows_planned import columns_of, give_columns, group_edges, object_type, source_of, with_columns
from schema.fields import (
    EdgePages,
    LinkNode,
    declaration_of,
)

if TYPE_CHECKING:
    from schema.engine.planner import Planning

_PAGE_INFO = {
    "hasNextPage": "has_next_page",
    "hasPreviousPage": "has_previous_page",
    "startCursor": "start_cursor",
    "endCursor": "end_cursor",
}


class ConnectionPlanning:
    """Plans connections, in one operation."""

    def __init__(self, planning: "Planning") -> None:
        self._planning = planning

    def page(
        self,
        key: str,
        path: str,
        field: StrawberryField,
        graphql_field: GraphQLField,
        nodes: list[FieldNode],
        declared: EdgePages,
    ) -> EdgePage:
        """Plan a page, of the rows of each parent or of all."""
        batch = declared.batch
        connection = self._connection(object_type(graphql_field.type), nodes, declared, path)
        wanted = RowSelection(
            type_name=table_of(batch.model).name, table=table_of(batch.model), steps=[], columns=(), edges=[]
        )
        for rows in connection.row_selections():
            wanted = with_columns(wanted, rows.columns)
        give_columns(connection, with_columns(wanted, _columns_of_pages(batch)).columns)
        arguments = self._planning.arguments(field, graphql_field, nodes[0])
        return EdgePage(key, path, batch, declared.key, arguments, wanted, connection)

    def _connection(
        self, type_: GraphQLObjectType, nodes: list[FieldNode], declared: EdgePages, path: str
    ) -> ConnectionSelection:
        origin = self._planning.planner.definition(type_.name).origin
        if not (isinstance(origin, type) and issubclass(origin, Connection)):
            raise Unplanned(f"the connection type {type_.name}")
        collected = self._planning.collector.collect(type_, [node.selection_set for node in nodes])
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
            return self._linked(key, name, object_type(inner), nodes, table, link, path)
        if name == "nodes":
            return ConnectionStep(
                key, "nodes", type_.name, nodes=self._planning.rows.of(object_type(inner), nodes, table, path)
            )
        if name == "edges":
            return ConnectionStep(key, "edges", type_.name, edges=self._edges(object_type(inner), nodes, table, path))
        if name == "pageInfo":
            return ConnectionStep(key, "page_info", type_.name, page_info=self._page_info(object_type(inner), nodes))
        if name == "totalCount":
            return ConnectionStep(key, "total_count", type_.name)
        raise Unplanned(f"the field {type_.name}.{name}")

    def _edges(self, type_: GraphQLObjectType, nodes: list[FieldNode], table: Table, path: str) -> tuple[EdgeStep, ...]:
        collected = self._planning.collector.collect(type_, [node.selection_set for node in nodes])
        return tuple(self._edge_step(type_, key, group, table, path) for key, group in collected.items())

    def _edge_step(
        self, type_: GraphQLObjectType, key: str, nodes: list[FieldNode], table: Table, path: str
    ) -> EdgeStep:
        name = nodes[0].name.value
        if name == "node":
            selection = self._planning.rows.of(object_type(type_.fields[name].type), nodes, table, path)
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
        fields = self._planning.collector.collect(type_, [node.selection_set for node in nodes])
        for inner_key, group in fields.items():
            inner = group[0].name.value
            if inner == "__typename":
                selection.steps.append(TypeName(inner_key, type_.name))
            elif inner == "node":
                self._lead(
                    selection, inner_key, f"{path}.{inner_key}", object_type(type_.fields[inner].type), group, link
                )
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
        rows = self._planning.rows.of(type_, nodes, table_of(link.batch.model), path)
        edge = EdgeOne(key, path, link.batch, link.key, False, with_columns(rows, [link.batch.by]))
        selection.steps.append(edge)
        selection.edges.append(edge)
        group_edges(selection)
        with_columns(selection, [link.key])

    def _of_link(
        self, selection: RowSelection, type_: GraphQLObjectType, key: str, nodes: list[FieldNode], path: str
    ) -> None:
        field, graphql_field = self._planning.field(type_, nodes[0].name.value)
        declared = declaration_of(field)
        source = None if declared is None else source_of(declared, field)
        if source is None:
            raise Unplanned(f"the field {type_.name}.{nodes[0].name.value} with a resolver of its own")
        selection.steps.append(self._planning.rows.printed(key, source, graphql_field, nodes, path))
        with_columns(selection, columns_of(source))

    def _page_info(self, type_: GraphQLObjectType, nodes: list[FieldNode]) -> tuple[PageInfoStep, ...]:
        collected = self._planning.collector.collect(type_, [node.selection_set for node in nodes])
        return tuple(PageInfoStep(key, _PAGE_INFO.get(group[0].name.value)) for key, group in collected.items())


def _columns_of_pages(batch: Pages[Any]) -> list[str]:
    """Return what any order of the pages reads beside what is wanted, in the order that their statement gives it."""
    ordering = [name for order in batch.orders.values() for name in order.columns]
    return ordering if batch.by is None else [batch.by, *ordering]
