"""How refusals and mishaps reach a client.

A mutation's refusals are data. Everything else that goes wrong is a top-level error: with a stable code if it was
ours to refuse, and masked behind an id if it was a bug, so that no text of an exception leaves the house.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import strawberry
from graphql import GraphQLError
from strawberry.exceptions import MissingQueryError
from strawberry.extensions import FieldExtension, MaskErrors, ParserCache
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from db.errors import Forbidden, Refusal, Unauthenticated, Unavailable

_log = logging.getLogger(__name__)

# Strawberry's own words for a document without the operation that was asked for.
_NOTHING_TO_RUN = (MissingQueryError, CannotGetOperationTypeError, InvalidOperationTypeError)


@strawberry.type(description="Why a change was refused.")
class UserError:
    """Why a change was refused."""

    code: str = strawberry.field(
        description="What kind of refusal, for programs: NOT_FOUND, CONFLICT or BAD_USER_INPUT. More may be added."
    )
    message: str = strawberry.field(description="What is wrong and what to do, for people.")
    field: str | None = strawberry.field(
        description="The input field at fault, by its name in the schema. Null if it is no single one."
    )


class RefusalsAsData(FieldExtension):
    """Turns what an operation refuses into the `errors` of the mutation's payload.

    Missing authority and a database that is away are not the input's fault: they stay top-level errors.
    """

    def __init__(self) -> None:
        self._payload: type[Any] | None = None

    def apply(self, field: StrawberryField) -> None:
        """Remember the payload's type."""
        self._payload = field.type  # type: ignore[assignment]  # a payload is always a plain class

    async def resolve_async(
        self, next_: Callable[..., Awaitable[Any]], source: Any, info: Info, **arguments: Any
    ) -> Any:
        """Run the mutation, catching refusals."""
        try:
            return await next_(source, info, **arguments)
        except (Unauthenticated, Forbidden, Unavailable):
            raise
        except Refusal as refusal:
            return _refused(self._payload, refusal)


def _refused(payload: Any, refusal: Refusal) -> Any:
    names = [field.python_name for field in payload.__strawberry_definition__.fields]
    error = UserError(code=refusal.code, message=refusal.message, field=_graphql_name(refusal.field))
    return payload(**{name: [error] if name == "errors" else None for name in names})


def _graphql_name(name: str | None) -> str | None:
    if name is None:
        return None
    head, *rest = name.split("_")
    return head + "".join(word.title() for word in rest)


class Documents(ParserCache):
    """Keeps documents parsed. One that cannot be parsed is refused as any other: the stock cache lets it out raw."""

    def on_parse(self) -> Iterator[None]:
        """Parse, or find it parsed."""
        # Strawberry parses what was left unparsed, meets the same fault and reports it where errors are judged.
        with suppress(GraphQLError):
            next(super().on_parse())
        yield


@dataclass(frozen=True)
class _Judged:
    message: str
    extensions: dict[str, Any]


class SafeErrors(MaskErrors):
    """Gives refusals their code and masks everything that was not meant for the client."""

    def __init__(self) -> None:
        super().__init__()

    def anonymise_error(self, error: GraphQLError) -> GraphQLError:
        """Return what the client may see of an error."""
        judged = self._judge(error)
        return GraphQLError(
            judged.message,
            nodes=error.nodes,
            source=error.source,
            positions=error.positions,
            path=error.path,
            extensions=judged.extensions,
        )

    def _judge(self, error: GraphQLError) -> _Judged:
        cause = error.original_error
        while isinstance(cause, GraphQLError):
            cause = cause.original_error
        if cause is None or isinstance(cause, _NOTHING_TO_RUN):
            # The document or its variables: GraphQL's own words, with a code beside them.
            return _Judged(error.message, {"code": "BAD_USER_INPUT", **(error.extensions or {})})
        if isinstance(cause, Refusal):
            return _Judged(
                cause.message, {"code": cause.code} | ({"field": _graphql_name(cause.field)} if cause.field else {})
            )
        return self._masked(error, cause)

    def _masked(self, error: GraphQLError, cause: BaseException) -> _Judged:
        number = uuid4().hex
        operation = self.execution_context.operation_name or "(unnamed)"
        path = ".".join(str(step) for step in error.path or [])
        _log.error("error %s in operation %s at %s", number, operation, path, exc_info=cause)
        return _Judged("Unexpected error.", {"code": "INTERNAL_SERVER_ERROR", "id": number})
