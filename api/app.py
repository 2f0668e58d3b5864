"""The application: every door on one Starlette, over a database that somebody else opened."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp

from api import pages
from api.auth import Doorkeeper
from api.exports import ExportDoor
from api.flags import Flags
from api.health import Health
from api.hooks import Hooks
from api.imports import ImportDoor, ImportLimits
from api.leaving import Leaving
from api.logos import Logos
from api.metrics import Measured, Metrics
from api.pictures import Pictures
from api.settings import Settings
from api.tally import Tally
from api.transport.events import EventDoor
from api.transport.graphql import GraphQLDoor
from api.transport.lane import ShortLane
from api.transport.origins import Origins
from api.transport.persisted import Persisted, identity_of, read_trusted
from api.transport.sockets import SocketDoor, SocketLimits
from api.transport.under_way import UnderWay
from api.watchdog import Watchdog
from api.workers.budgets import SharedBudgets
from api.workers.picture_files import PictureFiles
from api.workers.supervisor import Supervisor
from db.clock import Clock
from db.database import Database
from db.errors import Invalid
from db.replicas import Replica
from db.settings.current import CurrentSettings
from schema import Schema, build_schema
from schema.engine.cost import Budgets, Rate
from schema.engine.limits import Limits
from schema.exporting import Exports
from schema.live.groups import Groups


def build_app(
    settings: Settings,
    db: Database,
    clock: Clock,
    *,
    current: CurrentSettings,
    supervisor: Supervisor,
    doorkeeper: Doorkeeper,
    leaving: Leaving,
    under_way: UnderWay,
    tally: Tally,
    watchdog: Watchdog,
    replica: Replica | None = None,
) -> ASGIApp:
    """Put the doors together. Opens nothing, and starts no more than what several processes tell each other."""
    schema = _schema(settings)
    current.follow("logging.slow_seconds", partial(setattr, schema.engine, "slow_seconds"))
    door = GraphQLDoor(
        schema,
        db,
        clock,
        doorkeeper,
        persisted=_persisted(settings, schema),
        under_way=under_way,
        tally=tally,
        largest_body=settings.largest_body,
        is_draft=settings.http_draft,
        trusted_only=settings.trusted_only,
        longest_entry=settings.longest_entry,
        longest_fight=settings.longest_fight,
        most_listeners=settings.most_listeners,
        open_addresses=settings.open_addresses,
        flags=settings.flag_folder,
        rate=Rate("operations", per_second=settings.operations_per_second),
        replica=replica,
    )
    under_way.on_look = partial(_refill, door, clock)
    if settings.is_shared:
        shared = {name: one for name, one in _budgets_of(door).items() if one is not None}
        supervisor.start("budgets", SharedBudgets(db, clock, shared).run)
    groups = Groups(schema, topics_of_an_overlay=settings.topics_per_overlay)
    door.stream = EventDoor(door, groups, doorkeeper)
    measured = Measured(
        tally=tally,
        schema=schema,
        db=db,
        doorkeeper=doorkeeper,
        groups=groups,
        under_way=under_way,
        supervisor=supervisor,
        watchdog=watchdog,
    )
    exports = Exports(build_schema())
    routes = [
        *Health(db, clock, supervisor, doorkeeper, leaving).routes(),
        *Hooks(db, clock).routes(),
        *pages.routes(),
        *Flags(db).routes(),
        *Logos(db).routes(),
        *ExportDoor(exports, door, doorkeeper, clock, at_once=settings.exports_at_once).routes(),
        *ImportDoor(exports, door, doorkeeper, clock, _import_limits(settings)).routes(),
        *Pictures(db, doorkeeper, PictureFiles(settings.picture_folder)).routes(),
    ]
    routes += Metrics(measured).routes()
    return _behind_the_lane(settings, door, _sockets(settings, door, groups, doorkeeper), doorkeeper, routes)


def _sockets(settings: Settings, door: GraphQLDoor, groups: Groups, doorkeeper: Doorkeeper) -> SocketDoor:
    limits = SocketLimits(
        init_seconds=settings.socket_init_seconds,
        operations=settings.operations_per_socket,
        messages_per_second=settings.messages_per_second,
    )
    return SocketDoor(door, groups, doorkeeper, limits=limits, origins=settings.allowed_origins)


def _behind_the_lane(
    settings: Settings, door: GraphQLDoor, sockets: SocketDoor, doorkeeper: Doorkeeper, routes: Sequence[BaseRoute]
) -> ASGIApp:
    """Put what is unusual behind what is usual, and both doors of the graph beside all else there is."""
    hosts, origins = [*settings.allowed_hosts, settings.host], settings.allowed_origins
    # Two routes to one path: a Mount would answer 307 to a POST and 403 to a socket.
    graph = [Route("/", _home), Route("/graphql", door), WebSocketRoute("/graphql", sockets)]
    guards = [Middleware(TrustedHostMiddleware, allowed_hosts=hosts), Middleware(Origins, origins=origins)]
    app = Starlette(routes=[*graph, *routes], middleware=guards)
    return ShortLane(app, door, doorkeeper, sockets, hosts=hosts, origins=origins, largest_body=settings.largest_body)


def _import_limits(settings: Settings) -> ImportLimits:
    return ImportLimits(
        at_once=settings.imports_at_once, size=settings.largest_import, rows=settings.served_import_rows
    )


def _schema(settings: Settings) -> Schema:
    """Join the schema, with the limits of this server."""
    schema = build_schema()
    engine = schema.engine
    engine.budgets = Budgets(most=settings.budget, per_second=settings.budget_per_second)
    engine.changes = Rate("changes", per_second=settings.changes_per_second)
    engine.introspection = settings.introspection
    engine.documents.gives_hints = settings.hints
    engine.documents.limits = Limits(
        characters=settings.largest_body,
        tokens=settings.largest_tokens,
        depth=settings.largest_depth,
        fields=settings.largest_fields,
        aliases=settings.largest_aliases,
        directives=settings.largest_directives,
        root_fields=settings.largest_root_fields,
        cost=settings.largest_cost,
    )
    return schema


def _refill(door: GraphQLDoor, clock: Clock) -> None:
    """Give everybody what time has brought."""
    now = clock.now()
    for budgets in _budgets_of(door).values():
        if budgets is not None:
            budgets.refill(now)


def _budgets_of(door: GraphQLDoor) -> dict[str, Budgets | None]:
    """Return all that tokens may spend, by name."""
    engine = door.schema.engine
    return {"rows": engine.budgets, "changes": engine.changes, "operations": door.rate}


def _persisted(settings: Settings, schema: Schema) -> Persisted:
    """Read the trusted documents, our own pages' among them. Raises `Invalid` if there is one that cannot be run."""
    trusted = {identity_of(text): text for text in pages.documents()}
    if settings.trusted_documents:
        trusted |= read_trusted(Path(settings.trusted_documents))
    elif settings.trusted_only:
        raise Invalid("RINGSIDE_TRUSTED_ONLY is set, and RINGSIDE_TRUSTED_DOCUMENTS names no folder of them.")
    for text in trusted.values():
        for error in schema.engine.documents.get(text).errors:
            raise Invalid(f"A trusted document cannot be run: {error.message} It begins: {text.strip()[:60]}")
    return Persisted(trusted)


async def _home(_: Request) -> Response:
    """Send a browser to GraphiQL."""
    return RedirectResponse("/graphql")
