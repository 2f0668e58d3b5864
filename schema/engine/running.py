"""Running: the root fields of a plan, side by side for a query and in order for a mutation."""

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLOutputType, is_list_type, is_non_null_type
from graphql.pyutils import Path

from schema.context import Raised
from schema.engine.asking import Run
from schema.engine.assembly import object_assembler, value_printer
from schema.engine.plan import (
    Abandoned,
    ByTable,
    HeldRows,
    ObjectSelection,
    Plan,
    Root,
    RootLookup,
    RootPage,
    RootResolved,
    RowSelection,
    Target,
    TypeName,
)
from schema.engine.reading import print_objects, read_lookup, read_page, whole
from schema.ids import decode_digits


@dataclass(slots=True)
class Info:
    """What a resolver behind Strawberry is told of the field it resolves."""

    context: Any
    field_name: str
    field_nodes: list[Any]
    return_type: GraphQLOutputType
    path: Path
    schema: Any
    operation: Any
    fragments: Mapping[str, Any]
    variable_values: Any
    root_value: Any = None
    parent_type: Any = None


@dataclass(frozen=True, slots=True)
class Operation:
    """What a run knows of its operation beside the plan."""

    schema: Any
    node: Any
    fragments: Mapping[str, Any]
    root_value: Any


async def run_plan(plan: Plan, run: Run, operation: Operation) -> dict[str, Any]:
    """Return the `data` of the answer. Raises whatever went wrong; the caller has graphql-core say it properly."""
    for demand in plan.demands:
        demand(run.context)
    if len(plan.roots) == 1:
        # As nearly every operation has it, and past a coroutine for the comprehension.
        return {plan.roots[0].key: await _root(plan.roots[0], run, operation)}
    if plan.is_serial:
        return {root.key: await _root(root, run, operation) for root in plan.roots}
    roots = (_root(root, run, operation) for root in plan.roots)
    values = whole(await asyncio.gather(*roots, return_exceptions=True))
    return {root.key: value for root, value in zip(plan.roots, values, strict=True)}


def event_printer(plan: Plan) -> Callable[[Any], dict[str, Any]] | None:
    """Return what makes an event the `data` of its answer, where that takes no reads; `None` where it does.

    It raises whatever goes wrong, as `run_plan` does.
    """
    root, *others = plan.roots
    if others or plan.demands or not isinstance(root, RootResolved) or not root.is_event:
        return None
    if not isinstance(root.target, ObjectSelection) or root.target.takes_reads or is_list_type(_bare(root.field.type)):
        return None
    key, assemble = root.key, object_assembler(root.target)
    return lambda event: {key: assemble(event)}


async def _root(root: Root, run: Run, operation: Operation) -> Any:
    if isinstance(root, TypeName):
        return root.name
    if isinstance(root, RootPage):
        return (await read_page(run, root.edge, [None]))[None]
    if isinstance(root, RootLookup):
        return await _lookup(root, run)
    value = operation.root_value if root.is_event else await _resolve(root, run, operation)
    if root.leaf is not None:
        return value_printer(root.leaf)(value)
    if root.target is None:
        raise Abandoned
    return await _print(value, root.field.type, root.target, run)


async def _lookup(root: RootLookup, run: Run) -> Any:
    key = decode_digits(run.arguments(root.arguments)["id"], kind=root.kind)
    found = await read_lookup(run, root, key)
    if found is None and not root.is_nullable:
        raise Abandoned
    return found


async def _resolve(root: RootResolved, run: Run, operation: Operation) -> Any:
    """Call the field's own resolver, with everything Strawberry puts around it."""
    info = Info(
        context=run.context,
        field_name=root.node.name.value,
        field_nodes=[root.node],
        return_type=root.field.type,
        path=Path(None, root.key, None),
        schema=operation.schema,
        operation=operation.node,
        fragments=operation.fragments,
        variable_values=run.variables,
    )
    try:
        resolved = _call(root, run, info)
        value = await resolved if inspect.isawaitable(resolved) else resolved
    except Exception as error:
        # Raised again at once: graphql-core will be told the same, without the resolver being called twice.
        run.context.answered[root.key] = Raised(error)
        raise
    run.context.answered[root.key] = value
    return value


def _call(root: RootResolved, run: Run, info: Info) -> Any:
    if root.call is not None:
        return root.call(info, run.arguments(root.arguments))
    if root.field.resolve is None:
        raise Abandoned
    return root.field.resolve(None, info, **run.graphql_arguments(root.arguments))


async def _print(value: Any, type_: GraphQLOutputType, target: Target, run: Run) -> Any:
    """Print a value of an object type and its wrappers: what is in its lists is printed together."""
    if not is_list_type(_bare(type_)):
        if value is not None:
            if isinstance(target, ObjectSelection) and (target.assembler is not None or not target.takes_reads):
                # What nearly every mutation answers; an assembler is written for what takes no reads.
                return object_assembler(target)(value)
            return (await _print_all([value], target, run))[0]
        if is_non_null_type(type_):
            raise Abandoned
        return None
    held: list[Any] = []
    shape = _shape(value, type_, held)
    printed = await _print_all(held, target, run)
    return _filled(shape, printed)


def _bare(type_: GraphQLOutputType) -> GraphQLOutputType:
    """Return a type without what says that it is never null."""
    return type_.of_type if is_non_null_type(type_) else type_


async def _print_all(held: Sequence[Any], target: Target, run: Run) -> list[Any]:
    if not held:
        return []
    if isinstance(target, RowSelection):
        return await print_objects(run, target, held)
    if isinstance(target, ByTable):
        return await _print_by_table(held, target, run)
    if not target.takes_reads:
        assemble = object_assembler(target)
        return [assemble(one) for one in held]
    return [await _print_object(one, target, run) for one in held]


async def _print_by_table(held: Sequence[Any], target: ByTable, run: Run) -> list[Any]:
    places: dict[Any, list[int]] = {}
    for index, one in enumerate(held):
        places.setdefault(one.table, []).append(index)
    printed: list[Any] = [None] * len(held)
    for table, indexes in places.items():
        rows = await print_objects(run, target.selections[table], [held[index] for index in indexes])
        for index, row in zip(indexes, rows, strict=True):
            printed[index] = row
    return printed


async def _print_object(value: Any, selection: ObjectSelection, run: Run) -> dict[str, Any]:
    """Print an object of which something takes reads: those in turn, everything else at once."""
    if selection.at_hand is None:
        steps = [step for step in selection.steps if not _takes_reads(step)]
        selection.at_hand = ObjectSelection(selection.type_name, steps)
    at_hand = object_assembler(selection.at_hand)(value)
    return {
        step.key: await _print(getattr(value, step.attribute), step.type, step.target, run)
        if isinstance(step, HeldRows) and step.takes_reads
        else at_hand[step.key]
        for step in selection.steps
    }


def _takes_reads(step: Any) -> bool:
    return isinstance(step, HeldRows) and step.takes_reads


def _shape(value: Any, type_: GraphQLOutputType, held: list[Any]) -> Any:
    """Return the value with each object replaced by its number in `held`."""
    if is_non_null_type(type_):
        if value is None:
            raise Abandoned
        type_ = type_.of_type
    if value is None:
        return None
    if is_list_type(type_):
        return [_shape(item, type_.of_type, held) for item in value]
    held.append(value)
    return len(held) - 1


def _filled(shape: Any, printed: Sequence[Any]) -> Any:
    if isinstance(shape, list):
        return [_filled(item, printed) for item in shape]
    return None if shape is None else printed[shape]
