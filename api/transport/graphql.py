"""The GraphQL door for requests: POST, and GET for queries, and GraphiQL for browsers that open it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from time import perf_counter
from typing import Any

from graphql import GraphQLError, OperationType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.auth import Doorkeeper
from api.pages import page
from api.tally import Tally
from api.transport.admitting import admit
from api.transport.answers import Fault, Media, acceptable, answered, refused, status_of
from api.transport.persisted import Persisted
from api.transport.requests import PersistedQueryNotFound, Reader
from api.transport.under_way import ClientLeft, TookTooLong, UnderWay, Work
from db.access.viewer import Role, Viewer
from db.clock import Clock
from db.database import Database
from db.flags.scanning import FlagFolder
from db.matches.past import LONGEST_FIGHT
from db.network.operations import MOST_LISTENERS
from db.replicas import Replica
from db.social.drafts import LONGEST_CONTENT
from schema import Schema
from schema.context import Context
from schema.engine.cost import Rate
from schema.engine.executor import Asked
from schema.engine.explain import as_data

# Where a request keeps the context of what was tried for it already.
CONTEXT = "context"
LARGEST_BODY = 65_536
_MOST_DIGITS = 9
# How long an operation may take where nobody says otherwise.
_PATIENCE_SECONDS = 10.0
# What nobody is there to receive.
CLIENT_LEFT = 499

# Answers a subscription as a stream of events.
Stream = Callable[[Request, Asked, Context], Awaitable[Response]]


class GraphQLDoor:
    """Answers requests by plan or by graphql-core, always in one and the same way. Nobody comes in without a token."""

    def __init__(
        self,
        schema: Schema,
        db: Database,
        clock: Clock,
        doorkeeper: Doorkeeper,
        *,
        persisted: Persisted | None = None,
        under_way: UnderWay | None = None,
        tally: Tally | None = None,
        largest_body: int = LARGEST_BODY,
        is_draft: bool = False,
        trusted_only: bool = False,
        longest_entry: int = LONGEST_CONTENT,
        longest_fight: int = LONGEST_FIGHT,
        most_listeners: int = MOST_LISTENERS,
        open_addresses: Collection[str] = (),
        flags: FlagFolder | None = None,
        rate: Rate | None = None,
        replica: Replica | None = None,
    ) -> None:
        self.schema = schema
        self.reader = Reader(Persisted({}) if persisted is None else persisted)
        self.under_way = UnderWay(_PATIENCE_SECONDS) if under_way is None else under_way
        self.tally = Tally(clock) if tally is None else tally
        # How often a token may send an operation; without it, as often as it likes.
        self.rate = rate
        # Answers those that want a stream of events, if anybody does.
        self.stream: Stream | None = None
        # What the operations of everybody have in common.
        self._context = Context(
            db=db,
            replica=replica,
            clock=clock,
            longest_entry=longest_entry,
            longest_fight=longest_fight,
            most_listeners=most_listeners,
            open_addresses=open_addresses,
            flags=flags or FlagFolder(),
        )
        self._doorkeeper = doorkeeper
        self._largest_body = largest_body
        self._is_draft = is_draft
        self._trusted_only = trusted_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        response = await self.answer(Request(scope, receive))
        await response(scope, receive, send)

    @property
    def is_trusted_only(self) -> bool:
        """Whether the documents that were given to the server are run, and no others."""
        return self._trusted_only

    def context_of(self, viewer: Viewer) -> Context:
        """Make the context of a viewer's operation."""
        return self._context.of(viewer)

    async def answer(self, request: Request) -> Response:
        """Answer a request, whatever it is."""
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            return page("graphiql.html")
        media = acceptable(request.headers.get("accept", "").encode("latin-1"))
        try:
            _check(request, media)
            context = await self._admit(request)
            asked = await self._read(request)
        except Fault as fault:
            return refused(fault, next((one for one in media if one is not Media.EVENTS), Media.JSON))
        except PersistedQueryNotFound:
            return self.refused("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound", media[0])
        except ClientDisconnect:
            return Response(status_code=CLIENT_LEFT)
        return await self._answer(request, asked, context, media)

    async def _answer(self, request: Request, asked: Asked, context: Context, media: tuple[Media, ...]) -> Response:
        preferred = media[0]
        unwelcome = self.refusal(asked, context)
        if unwelcome is not None:
            answer = {"errors": [dict(unwelcome.formatted)]}
            status = status_of(answer, preferred, is_read=True, is_draft=self._is_draft)
            return answered(answer, preferred, status, _retry(answer))
        operation = self.schema.engine.documents.get(asked.text).operation(asked.name)
        kind = None if operation is None else operation.operation
        if request.method == "GET" and kind not in {None, OperationType.QUERY}:
            fault = Fault(
                status=405, code="METHOD_NOT_ALLOWED", message="Changes are made by POST.", headers={"Allow": "POST"}
            )
            return refused(fault, preferred)
        is_stream = preferred is Media.EVENTS or (kind is OperationType.SUBSCRIPTION and Media.EVENTS in media)
        if is_stream and self.stream is not None:
            return await self.stream(request, asked, context)
        if kind is OperationType.SUBSCRIPTION:
            told = "Watch over graphql-transport-ws, or accept text/event-stream: a subscription has many answers."
            return self.refused("BAD_USER_INPUT", told, preferred)
        if preferred is Media.EVENTS:
            return refused(_NOT_ACCEPTABLE)
        return await self._run(request, asked, context, preferred)

    async def _run(self, request: Request, asked: Asked, context: Context, media: Media) -> Response:
        if asked.wants_explaining:
            if not context.viewer.has_role(Role.ADMIN):
                return self.refused("FORBIDDEN", "Explaining an operation needs the role ADMIN.", media)
            context.trace = [] if context.trace is None else context.trace
        began = perf_counter()
        work = self.under_way.begin(context, request.receive)
        try:
            answer = await self.execute(asked, context)
        except asyncio.CancelledError:
            if work.ended_by is None:
                raise
            return self.ended(work, media, perf_counter() - began)
        finally:
            self.under_way.end(work)
        self.tally.note(context, perf_counter() - began, outcome_of(answer))
        return self._told(answer, asked, context, media)

    def ended(self, work: Work, media: Media, seconds: float) -> Response:
        """Return the answer to an operation that was ended by us, which its task has heard as being cancelled."""
        if work.task is not None:
            work.task.uncancel()
        reason = work.ended_by
        if isinstance(reason, TookTooLong):
            self.tally.note(work.context, seconds, reason.code)
            return self.refused(reason.code, reason.message, media)
        self.tally.note(work.context, seconds, "CLIENT_LEFT")
        return Response(status_code=CLIENT_LEFT)

    async def execute(self, asked: Asked, context: Context) -> dict[str, Any]:
        """Return the answer to a query or a mutation: by plan if there is one, and else as graphql-core says it."""
        data = await self.schema.engine.answer(asked, context)
        if data is not None:
            return {"data": data}
        result = await self.schema.execute(
            asked.text, variable_values=asked.variables, context_value=context, operation_name=asked.name
        )
        errors = [dict(error.formatted) for error in result.errors or ()]
        if not errors:
            context.path = context.path or "unplanned"
            return {"data": result.data}
        # An error of a field has a path; without one, nothing was begun, and there is no data to speak of.
        if result.data is None and not any("path" in error for error in errors):
            return {"errors": errors}
        return {"data": result.data, "errors": errors}

    async def execute_in_time(self, asked: Asked, context: Context, receive: Receive | None) -> dict[str, Any]:
        """Return the answer to an operation that came otherwise than by a request of its own, and take it down.

        With a `receive` it is ended when its client leaves. Raises `ClientLeft`.
        """
        began = perf_counter()
        try:
            async with self.under_way.watched(context, receive):
                answer = await self.execute(asked, context)
        except TookTooLong as refusal:
            answer = {"errors": [{"message": refusal.message, "extensions": {"code": refusal.code}}]}
        except ClientLeft:
            self.tally.note(context, perf_counter() - began, "CLIENT_LEFT")
            raise
        self.tally.note(context, perf_counter() - began, outcome_of(answer))
        return answer

    def refusal(self, asked: Asked, context: Context) -> GraphQLError | None:
        """Return why an operation is not even looked at, if it is not."""
        if not self.may_run(asked, context.viewer):
            told = "Only the documents that were given to this server are run."
            return GraphQLError(told, extensions={"code": "FORBIDDEN"})
        return self.count(context)

    def count(self, context: Context) -> GraphQLError | None:
        """Count an operation that somebody sends, once; return why it is refused if he has sent too many."""
        if self.rate is None or context.is_counted:
            return None
        refused = self.rate.spend(context.viewer.token_id, 1, context.clock)
        context.is_counted = refused is None
        return refused

    def may_run(self, asked: Asked, viewer: Viewer) -> bool:
        """Say whether a document may be run for a viewer, where only trusted ones may."""
        if self._trusted_only or viewer.is_trusted_only:
            return self.reader.persisted.is_trusted(asked.text)
        return True

    async def _admit(self, request: Request) -> Context:
        """Return the context of a request, which is that of the one who sends it."""
        viewer = await admit(self._doorkeeper, request)
        tried: Context | None = request.scope.get("state", {}).get(CONTEXT)
        return tried or self.context_of(viewer)

    async def _read(self, request: Request) -> Asked:
        if request.method == "GET":
            return self.reader.address(request.scope["query_string"])
        return self.reader.body(await self._body(request))

    async def _body(self, request: Request) -> bytes:
        """Read a body to its end, and no further than it may be long."""
        chunks: list[bytes] = []
        size = 0
        length = request.headers.get("content-length", "")
        is_told = (
            length.isascii() and length.isdigit() and (len(length) > _MOST_DIGITS or int(length) > self._largest_body)
        )
        if not is_told:
            async for chunk in request.stream():
                chunks.append(chunk)
                size += len(chunk)
                if size > self._largest_body:
                    break
        if is_told or size > self._largest_body:
            message = f"A request holds {self._largest_body} bytes at most."
            raise Fault(status=413, code="PAYLOAD_TOO_LARGE", message=message)
        return b"".join(chunks)

    def _told(self, answer: dict[str, Any], asked: Asked, context: Context, media: Media) -> Response:
        extensions = self._extensions(asked, context)
        if extensions:
            answer["extensions"] = extensions
        is_read = self.schema.engine.documents.get(asked.text).is_read
        status = status_of(answer, media, is_read=is_read, is_draft=self._is_draft)
        return answered(answer, media, status, {**_retry(answer), "X-Ringside-Path": context.path or ""})

    def refused(self, code: str, message: str, media: Media) -> Response:
        """Return the answer to an operation that is not run, or not to its end."""
        answer = {"errors": [{"message": message, "extensions": {"code": code}}]}
        return answered(answer, media, status_of(answer, media, is_read=True, is_draft=self._is_draft), {})

    def _extensions(self, asked: Asked, context: Context) -> dict[str, Any]:
        """Return what an answer says of itself, because it was asked for."""
        extensions: dict[str, Any] = {}
        if asked.wants_cost:
            budgets = self.schema.engine.budgets
            left = None if budgets is None else budgets.left(context.viewer.token_id)
            extensions["cost"] = {"charged": context.cost, "left": left}
        if asked.wants_explaining:
            extensions["explain"] = as_data(context.path, context.trace or ())
        return extensions


def outcome_of(answer: Mapping[str, Any]) -> str:
    """Return what an operation came to, for the tally: the code of its first error, `ok` without one."""
    errors = answer.get("errors")
    return errors[0].get("extensions", {}).get("code", "ERROR") if errors else "ok"


_NOT_ACCEPTABLE = Fault(
    status=406, code="NOT_ACCEPTABLE", message=f"Answers are {Media.GRAPHQL} or {Media.JSON}: accept one of them."
)


def _check(request: Request, media: tuple[Media, ...]) -> None:
    """Look at all that is outside a request. Raises `Fault`."""
    if request.method not in {"GET", "POST"}:
        raise Fault(
            status=405,
            code="METHOD_NOT_ALLOWED",
            message="Send operations by POST, or queries by GET.",
            headers={"Allow": "GET, POST"},
        )
    if not media:
        raise _NOT_ACCEPTABLE
    if request.method == "POST" and not _is_json(request.headers.get("content-type", "")):
        raise Fault(status=415, code="UNSUPPORTED_MEDIA_TYPE", message="Send operations as application/json, in UTF-8.")


def _is_json(content_type: str) -> bool:
    kind, *parameters = (one.strip().lower() for one in content_type.split(";"))
    charsets = [one.removeprefix("charset=").strip('"') for one in parameters if one.startswith("charset=")]
    return kind == "application/json" and all(charset in {"utf-8", "utf8"} for charset in charsets)


def _retry(answer: dict[str, Any]) -> dict[str, str]:
    """Return when to come back, for those who were told to."""
    seconds = [error.get("extensions", {}).get("retryAfterSeconds") for error in answer.get("errors") or ()]
    return {"Retry-After": str(seconds[0])} if seconds and seconds[0] else {}
