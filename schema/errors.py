"""How refusals and mishaps reach a client.

A mutation's refusals are data. Everything else that goes wrong is a top-level error: with a stable code if it was
ours to refuse, and masked behind an id if it was a bug, so that no text of an exception leaves the house.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from itertools import islice
from typing import Any
from uuid import uuid4

import strawberry
from graphql import GraphQLError
from strawberry.exceptions import MissingQueryError
from strawberry.extensions import FieldExtension, MaskErrors
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from db.errors import Forbidden, Refusal, Stale, Unauthenticated, Unavailable

_log = logging.getLogger(__name__)

MOST_ERRORS = 5

# Where a message of graphql-core begins to quote what does not fit. Plain numbers, and names of enums, may stay.
_QUOTED = re.compile(r"(?:, found|(?<=value)): [\"'\[{].*", re.DOTALL)

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
    revision: int | None = strawberry.field(
        default=None,
        description="The present revision of what was to be changed, if an older one was given: look, and ask again. "
        "Null otherwise.",
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
        return await self.catching(next_(source, info, **arguments))

    async def catching(self, change: Awaitable[Any]) -> Any:
        """Return what a mutation came to; of one that is refused, the payload that says why."""
        try:
            return await change
        except (Unauthenticated, Forbidden, Unavailable):
            raise
        except Refusal as refusal:
            return _refused(self._payload, refusal)


def _refused(payload: Any, refusal: Refusal) -> Any:
    names = [field.python_name for field in payload.__strawberry_definition__.fields]
    error = UserError(
        code=refusal.code,
        message=refusal.message,
        field=_graphql_name(refusal.field),
        revision=_revision(refusal).get("revision"),
    )
    return payload(**{name: [error] if name == "errors" else None for name in names})


def _revision(refusal: Refusal) -> dict[str, int]:
    """Return the present revision of what was changed meanwhile, as it stands in an error's extensions."""
    return {"revision": refusal.revision} if isinstance(refusal, Stale) else {}


def _graphql_name(name: str | None) -> str | None:
    if name is None:
        return None
    head, *rest = name.split("_")
    return head + "".join(word.title() for word in rest)


class SafeErrors(MaskErrors):
    """Gives refusals their code and masks everything that was not meant for the client; tells five errors at most."""

    def __init__(self) -> None:
        super().__init__()

    def anonymise_error(self, error: GraphQLError) -> GraphQLError:
        """Return what the client may see of an error."""
        return _judge(error, self.execution_context.operation_name)

    def _process_errors(self, errors: list[GraphQLError]) -> list[GraphQLError]:
        return super()._process_errors(errors[:MOST_ERRORS])


def judged(errors: Iterable[GraphQLError], operation_name: str | None) -> list[dict[str, Any]]:
    """Return what a client may see of errors, as they stand in an answer. For doors that run operations themselves."""
    return [dict(_judge(error, operation_name).formatted) for error in islice(errors, MOST_ERRORS)]


def _judge(error: GraphQLError, operation_name: str | None) -> GraphQLError:
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    if cause is None or isinstance(cause, _NOTHING_TO_RUN):
        # The document or its variables: GraphQL's own words, with a code beside them.
        return _told(error, _without_values(error.message), {"code": "BAD_USER_INPUT", **(error.extensions or {})})
    if isinstance(cause, Refusal):
        field = {"field": _graphql_name(cause.field)} if cause.field else {}
        return _told(error, cause.message, {"code": cause.code, **field, **_revision(cause)})
    return _masked(error, cause, operation_name)


def _without_values(message: str) -> str:
    """Return GraphQL's own words without the text, list or object that they quote: it may be a password."""
    return _QUOTED.sub(".", message)


def _masked(error: GraphQLError, cause: BaseException, operation_name: str | None) -> GraphQLError:
    number = uuid4().hex
    path = ".".join(str(step) for step in error.path or [])
    _log.error("error %s in operation %s at %s", number, operation_name or "(unnamed)", path, exc_info=cause)
    return _told(error, "Unexpected error.", {"code": "INTERNAL_SERVER_ERROR", "id": number})


def _told(error: GraphQLError, message: str, extensions: dict[str, Any]) -> GraphQLError:
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )
