"""The application: every door on one Starlette, over a database that somebody else opened."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp

from api import pages
from api.auth import Doorkeeper
from api.health import Health
from api.hooks import Hooks
from api.settings import Settings
from api.transport.graphql import GraphQLDoor
from api.transport.lane import ShortLane
from api.workers.supervisor import Supervisor
from db.clock import Clock
from db.session import Database
from schema import build_schema


def build_app(
    settings: Settings, db: Database, clock: Clock, supervisor: Supervisor, doorkeeper: Doorkeeper
) -> ASGIApp:
    """Put the doors together. Opens nothing and starts nothing."""
    schema = build_schema()
    schema.engine.slow_seconds = settings.slow_operation_seconds
    door = GraphQLDoor(schema, db, clock, doorkeeper)
    health = Health(db, clock, supervisor, doorkeeper)
    hosts = [*settings.allowed_hosts, settings.host]
    app = Starlette(
        routes=[
            Route("/", _home),
            # Two routes to one object: a Mount would answer 307 to a POST and 403 to a socket.
            Route("/graphql", door),
            WebSocketRoute("/graphql", door),
            *health.routes(),
            *Hooks(db, clock).routes(),
            *pages.routes(),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts)],
        max_body_size=settings.largest_body,
    )
    return ShortLane(app, door, doorkeeper, hosts=hosts, largest_body=settings.largest_body)


async def _home(_: Request) -> Response:
    """Send a browser to GraphiQL."""
    return RedirectResponse("/graphql")
