"""The GraphQL door for requests: operations by POST, and GraphiQL for browsers that open it."""

from json import JSONDecodeError
from typing import Any

import orjson
from cross_web import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.asgi import GraphQL

from api.auth import Doorkeeper, bearer_of
from api.pages import page
from db.access.viewer import Role, Viewer
from db.clock import Clock
from db.errors import Refusal, Unauthenticated
from db.session import Database
from schema import Schema
from schema.context import Context
from schema.engine.executor import Asked
from schema.engine.explain import as_data

# Where a request keeps its context.
CONTEXT = "context"
_EXPLAIN = {"explain": True}
# What a request may say beside its operation and have it planned.
_EXTENSIONS: tuple[object, ...] = (None, {}, _EXPLAIN)


class GraphQLDoor(GraphQL[Context, None]):
    """Strawberry's own door, with ours in front: nobody comes in without a token."""

    schema: Schema

    def __init__(self, schema: Schema, db: Database, clock: Clock, doorkeeper: Doorkeeper) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            allow_queries_via_get=False,
            # Sockets have a door of their own.
            subscription_protocols=[],
        )
        self._db = db
        self._clock = clock
        self._doorkeeper = doorkeeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        refused = await self._refuse(request)
        if refused is not None:
            await refused(scope, receive, send)
            return
        await (await self._answer(request))(scope, receive, send)

    async def get_context(self, request: Any, response: Any) -> Context:  # noqa: ARG002 -- Strawberry's
        """Return the context of a request with its viewer."""
        context: Context = getattr(request.state, CONTEXT)
        return context

    def context_of(self, viewer: Viewer) -> Context:
        """Make the context of a viewer's operation."""
        return Context(db=self._db, clock=self._clock, asker=viewer)

    def encode_json(self, data: object) -> str:
        """Print an answer."""
        return orjson.dumps(data).decode()

    def decode_json(self, data: str | bytes) -> object:
        """Read a request, which is an object and nothing else."""
        read: object = orjson.loads(data)
        if not isinstance(read, dict):
            raise JSONDecodeError("This is not a JSON object.", "", 0)
        return read

    async def _answer(self, request: Request) -> Response:
        """Answer by plan, or let Strawberry and graphql-core do it."""
        context = getattr(request.state, CONTEXT, None) or self.context_of(request.state.viewer)
        setattr(request.state, CONTEXT, context)
        asked = asked_of(await request.body())
        if asked is not None and asked.wants_explaining:
            return await self._explain(request, asked, context)
        if asked is not None and context.may_plan:
            data = await self.schema.engine.answer(asked, context)
            if data is not None:
                return _json({"data": data}, context)
        return await self._answer_unplanned(request)

    async def _explain(self, request: Request, asked: Asked, context: Context) -> Response:
        """Answer, and say in `extensions` how: to admins, because it shows statements."""
        if not context.viewer.has_role(Role.ADMIN):
            return _error(403, "FORBIDDEN", "Explaining an operation needs the role ADMIN.")
        context.trace = []
        data = await self.schema.engine.answer(asked, context)
        if data is None:
            answer = orjson.loads((await self._answer_unplanned(request)).body)
            context.path = context.path or "unplanned"
        else:
            answer = {"data": data}
        answer["extensions"] = {"explain": as_data(context.path, context.trace)}
        return _json(answer, context)

    async def _answer_unplanned(self, request: Request) -> Response:
        try:
            return await self.run(request)
        except HTTPException as error:
            return _error(error.status_code, "BAD_REQUEST", error.reason)

    async def _refuse(self, request: Request) -> Response | None:
        """Return what a request is answered with before GraphQL sees it; `None` for one that may go on."""
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            return page("graphiql.html")
        if request.method != "POST":
            return _error(405, "METHOD_NOT_ALLOWED", "Send operations by POST.", {"Allow": "GET, POST"})
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return _error(415, "UNSUPPORTED_MEDIA_TYPE", "Send operations as application/json.")
        try:
            request.state.viewer = await self._doorkeeper.admit(bearer_of(request))
        except Unauthenticated as refusal:
            return _error(401, refusal.code, refusal.message, {"WWW-Authenticate": "Bearer"})
        except Refusal as refusal:
            return _error(503, refusal.code, refusal.message, {"Retry-After": "1"})
        return None


def asked_of(body: bytes) -> Asked | None:
    """Return the operation in a request's body, `None` for one that is not as it should be: Strawberry says how."""
    try:
        read = orjson.loads(body)
    except ValueError:
        return None
    if not isinstance(read, dict):
        return None
    text, name, variables = read.get("query"), read.get("operationName"), read.get("variables")
    if not isinstance(text, str) or not isinstance(name, str | None) or not isinstance(variables, dict | None):
        return None
    extensions = read.get("extensions")
    if extensions not in _EXTENSIONS:
        return None
    return Asked(text, name, variables or {}, wants_explaining=extensions == _EXPLAIN)


def _json(answer: dict[str, Any], context: Context) -> Response:
    return Response(
        orjson.dumps(answer), headers={"X-Ringside-Path": context.path or ""}, media_type="application/json"
    )


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    body = {"errors": [{"message": message, "extensions": {"code": code}}]}
    return Response(orjson.dumps(body), status, headers, media_type="application/json")
