"""Ringside: its own door and engine over the benchmark's tables, served and guarded as in production."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Route

from api.auth import Doorkeeper
from api.settings import Settings
from api.transport.graphql import GraphQLDoor
from api.transport.lane import ShortLane
from api.transport.under_way import UnderWay
from api.workers.supervisor import Supervisor
from benchmarks.graph.schema import build_schema
from db.access import operations as access
from db.access.viewer import Role
from db.clock import SystemClock
from db.connecting import connect
from schema.engine.cost import Budgets, Rate

_USER = "benchmark"


@asynccontextmanager
async def open_app(url: str) -> AsyncIterator[ShortLane]:
    """Open the database and put the door together, as `api.app` and `api.server` do."""
    settings, clock = Settings(), SystemClock()
    db = await connect(url)
    supervisor = Supervisor(clock)
    doorkeeper = Doorkeeper(db, clock)
    try:
        supervisor.start("doorkeeper", doorkeeper.watch, lambda: {"sockets": doorkeeper.socket_count})
        schema = build_schema()
        # One token asks for everybody: what is spent is counted, and never spent up.
        schema.engine.budgets = Budgets(most=10**15, per_second=1.0)
        under_way = UnderWay(settings.operation_seconds)
        supervisor.start("operations", under_way.look, lambda: {"underWay": len(under_way)})
        rate = Rate("operations", per_second=10**9)
        door = GraphQLDoor(schema, db, clock, doorkeeper, under_way=under_way, rate=rate)
        hosts = [*settings.allowed_hosts, settings.host]
        app = Starlette(
            routes=[Route("/graphql", door)],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts)],
        )
        yield ShortLane(app, door, doorkeeper, app, hosts=hosts, largest_body=settings.largest_body)
    finally:
        await supervisor.close()
        await db.close()


async def make_token(url: str) -> str:
    """Make a token for the load generator and return its secret."""
    now = SystemClock().now()
    db = await connect(url)
    try:
        async with db.transaction() as tx:
            user = await access.find_user(tx, _USER) or await access.create_user(
                tx, name=_USER, role=Role.MEMBER, now=now
            )
            made = await access.create_token(tx, user_id=user.id, label="Benchmark", now=now)
    finally:
        await db.close()
    return made.secret
