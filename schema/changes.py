"""How a mutation is declared: by the change it makes. What it answers with follows from that."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import strawberry

from db.access.viewer import Role
from schema.context import Asked
from schema.errors import RefusalsAsData, UserError
from schema.fields import Demand
from schema.ids import decode_id

T = TypeVar("T")
Make = Callable[..., Awaitable[Any]]


def change(
    of: type[Any], name: str, description: str, *, result: str, demand: Role = Role.MEMBER
) -> Callable[[Make], Any]:
    """Declare a mutation by the function that makes the change and returns the row of it.

    Its payload is called after it and holds the row under `name`, as the type `of`; `result` says what that is. What
    the function refuses is data: the payload's `errors`.
    """

    def declare(make: Make) -> Any:
        payload = _payload(make.__name__, name, of, result)

        async def resolve(*arguments: Any, **named: Any) -> Any:
            return payload(**{name: await make(*arguments, **named), "errors": []})

        resolve.__name__, resolve.__module__, resolve.__doc__ = make.__name__, make.__module__, make.__doc__
        resolve.__signature__ = inspect.signature(make).replace(return_annotation=payload)  # type: ignore[attr-defined]  # read by inspect
        return strawberry.mutation(resolve, description=description, extensions=[RefusalsAsData(), Demand(demand)])

    return declare


def change_one(
    mutation: str,
    description: str,
    operation: Make,
    *,
    of: type[Any],
    name: str,
    kind: str,
    argument: str,
    result: str,
    demand: Role = Role.MEMBER,
    **named: Any,
) -> Any:
    """Declare a mutation that is told no more than the id of what it changes: one of a kind, as `argument` says."""

    async def make(
        self: Any,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description=argument)],
    ) -> Any:
        return await changed(info, operation, decode_id(id, kind=kind), **named)

    make.__name__ = mutation
    return change(of, name, description, result=result, demand=demand)(make)


async def changed(info: Asked, operation: Callable[..., Awaitable[T]], *given: Any, **named: Any) -> T:
    """Run an operation in a transaction of its own, as whoever asks, and now."""
    context = info.context
    async with context.db.transaction() as tx:
        return await operation(tx, *given, viewer=context.viewer, now=context.now(), **named)


def _payload(mutation: str, name: str, of: type[Any], result: str) -> type[Any]:
    words = mutation.split("_")
    title = "".join(word.title() for word in words)
    fields = {
        name: strawberry.field(description=f"{result} Null if it was refused."),
        "errors": strawberry.field(description="Why it was refused. Empty if it was not."),
    }
    annotations = {name: of | None, "errors": list[UserError]}
    made = type(f"{title}Payload", (), {**fields, "__annotations__": annotations})
    return strawberry.type(made, description="What came of it.")
