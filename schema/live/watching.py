"""What a client wants to watch: its document and arguments, and which others want the very same."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import orjson
from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    visit,
)
from graphql.execution.values import get_argument_values
from sqlalchemy import BindParameter, ColumnElement
from sqlalchemy.sql.visitors import iterate

from db.access.viewer import Viewer, ViewerKind
from schema.context import Context
from schema.engine.documents import Document
from schema.engine.executor import Asked, Engine
from schema.engine.plan import (
    ByTable,
    Composed,
    EdgeClaim,
    EdgeMany,
    EdgeNode,
    EdgeOne,
    EdgePage,
    EdgeWalk,
    HeldRows,
    ObjectSelection,
    Plan,
    RootResolved,
    RowSelection,
)
from schema.engine.selections import Collector
from schema.live.sources import Feed, Live, live_of

# The parameter by which rows are told apart that are of one viewer alone: see `Viewer.parameters`.
_VIEWER_ID = "viewer_id"


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """A subscription that can be run. Equal `key`s are one group. `after` and `delay_ms` are its arguments.

    `printer` makes the `data` of an answer of an event, where nothing has to be read for that.
    """

    key: Hashable
    live: Live
    executor: Any
    after: str | None
    delay_ms: int
    printer: Callable[[Any], dict[str, Any]] | None


def watched(schema: Any, asked: Asked, context: Context) -> Watched | list[GraphQLError]:
    """Find out what a client wants to watch and charge it to him, or say why it cannot be."""
    engine: Engine = schema.engine
    document = engine.documents.get(asked.text)
    errors = document.errors_for(asked.name)
    if errors:
        return errors
    executor = schema.execution_context_class.build(
        schema=schema._schema,  # noqa: SLF001 -- graphql-core's schema has no public name
        document=document.node,
        context_value=context,
        raw_variable_values=asked.variables,
        operation_name=asked.name,
    )
    if isinstance(executor, list):
        return executor
    refused = engine.charge(executor.operation, document.fragments, executor.variable_values, context)
    if refused is not None:
        return [refused]
    return _watched(engine, document, asked, executor)


def is_subscription(engine: Engine, asked: Asked) -> bool:
    """Say whether an operation is one to be watched."""
    operation = engine.documents.get(asked.text).operation(asked.name)
    return operation is not None and operation.operation is OperationType.SUBSCRIPTION


def _watched(engine: Engine, document: Document, asked: Asked, executor: Any) -> Watched | list[GraphQLError]:
    node, field = _root(executor)
    live = live_of(field.extensions["strawberry-definition"])
    if live is None:
        return [GraphQLError(f"{node.name.value} is of no kind that can be watched.", node)]
    try:
        arguments = get_argument_values(field, node, executor.variable_values)
    except GraphQLError as error:
        return [error]
    viewer = executor.context_value.viewer
    plan = engine.plan(executor.operation, document.fragments, executor.variable_values)
    is_personal = live.is_personal or plan is None or _is_personal(plan, viewer.kind)
    variables = _variables(executor.operation, asked, without=_place_variable(node, live, document))
    return Watched(
        key=(asked.text, asked.name or None, variables, _sight(viewer, is_personal=is_personal)),
        live=live,
        executor=executor,
        after=arguments.get("after"),
        delay_ms=arguments["delay_ms"] if "delay_ms" in arguments else arguments["delayMs"],
        printer=None if plan is None or not executor.context_value.may_plan else engine.event_printer(plan),
    )


def _root(executor: Any) -> tuple[FieldNode, GraphQLField]:
    """Return the one root field of a subscription; that it is one has been validated."""
    root = cast("GraphQLObjectType", executor.schema.subscription_type)
    collector = Collector(executor.schema, executor.fragment_definitions, {})
    ((_, (node, *_rest)),) = collector.collect(root, [executor.operation.selection_set]).items()
    return node, root.fields[node.name.value]


def _place_variable(node: FieldNode, live: Live, document: Document) -> str | None:
    """Return the variable that says from where a feed is followed, if it says nothing else.

    Those who follow a feed from different places are one group all the same.
    """
    if live.kind is not Feed:
        return None
    given = next((one.value for one in node.arguments or () if one.name.value == "after"), None)
    if not isinstance(given, VariableNode) or document.node is None:
        return None
    counting = _Counting(given.name.value)
    visit(document.node, counting)
    # Once where it is declared, and once where it is used.
    return given.name.value if counting.count == len(("declared", "used")) else None


class _Counting(Visitor):
    """Counts how often a variable stands in a document."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.count = 0

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        """Count it."""
        self.count += node.name.value == self.name


def _variables(operation: OperationDefinitionNode, asked: Asked, *, without: str | None) -> bytes:
    """Return the variables that an operation has, printed so that equal ones are equal."""
    names = {one.variable.name.value for one in operation.variable_definitions or ()} - {without}
    given = {name: asked.variables[name] for name in names & asked.variables.keys()}
    return orjson.dumps(given, option=orjson.OPT_SORT_KEYS)


def _sight(viewer: Viewer, *, is_personal: bool) -> Hashable:
    """Return what tells apart who sees different things."""
    return viewer.kind, viewer.nodes, viewer.user_id if is_personal else None


def _is_personal(plan: Plan, kind: ViewerKind) -> bool:
    """Say whether a plan reads what is shown to one viewer and not to another of his kind."""
    return any(_names_viewer(visible) for visible in _conditions(plan, kind))


def _names_viewer(visible: ColumnElement[bool]) -> bool:
    return any(isinstance(part, BindParameter) and part.key == _VIEWER_ID for part in iterate(visible))


def _conditions(plan: Plan, kind: ViewerKind) -> Iterator[ColumnElement[bool]]:
    """Give the conditions under which a viewer sees what a plan reads."""
    waiting: list[Any] = [root.target for root in plan.roots if isinstance(root, RootResolved)]
    while waiting:
        match waiting.pop():
            case RowSelection(steps=steps) | ObjectSelection(steps=steps):
                waiting += steps
            case ByTable(selections=selections):
                waiting += selections.values()
            case HeldRows(target=target):
                waiting.append(target)
            case Composed(selection=selection):
                waiting.append(selection)
            case EdgeOne() | EdgeMany() | EdgeWalk() as edge:
                waiting.append(edge.selection)
                yield from _seen(edge.batch.visible(kind))
            case EdgeNode(choices=choices):
                waiting += choices
            case EdgeClaim() as edge:
                yield from _seen(edge.batch.visible(kind))
            case EdgePage() as edge:
                waiting += edge.connection.row_selections()
                yield from _seen(edge.batch.visible(kind))


def _seen(visible: ColumnElement[bool] | None) -> Iterator[ColumnElement[bool]]:
    if visible is not None:
        yield visible
