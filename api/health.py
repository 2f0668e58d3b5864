"""How it goes: alive, ready, and what each piece of background work is doing."""

import asyncio

import orjson
from sqlalchemy import literal, select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.auth import Doorkeeper
from api.leaving import Leaving
from api.workers.supervisor import Supervisor, WorkerHealth
from db.clock import Clock
from db.database import Database
from db.errors import Unavailable

_PATIENCE_SECONDS = 2.0


class Health:
    """Answers `/healthz` and `/readyz`, without a token and without secrets."""

    def __init__(
        self, db: Database, clock: Clock, supervisor: Supervisor, doorkeeper: Doorkeeper, leaving: Leaving
    ) -> None:
        self._leaving = leaving
        self._db = db
        self._clock = clock
        self._supervisor = supervisor
        self._doorkeeper = doorkeeper

    def routes(self) -> list[BaseRoute]:
        """Return the routes of health."""
        return [Route("/healthz", self._alive), Route("/readyz", self._ready)]

    async def _alive(self, _: Request) -> Response:
        """The process runs and its event loop turns."""
        return _json({"status": "ok", "at": self._clock.now()}, 200)

    async def _ready(self, _: Request) -> Response:
        """It can do its work: 200 if the database answers, 503 if not.

        Workers that wait make it `degraded`, and so do a bus that is away and a database that could not store the last
        change. A server that goes says 503 and `stopping` first of all, and works on for as long as it was told to.
        """
        database = await self._database()
        workers = [_shown(worker) for worker in self._supervisor.health()]
        is_up = database["status"] == "ok"
        bus = self._db.bus.facts()
        is_well = (
            self._db.takes_changes
            and bus["status"] == "ok"
            and all(worker.state in {"running", "done"} for worker in self._supervisor.health())
        )
        status = "unavailable" if not is_up else "ok" if is_well else "degraded"
        if self._leaving.has_begun:
            status = "stopping"
        report = {
            "status": status,
            "at": self._clock.now(),
            "database": database,
            "bus": bus,
            "workers": workers,
            "sockets": self._doorkeeper.socket_count,
            "listeners": self._db.bus.listener_count,
        }
        return _json(report, 200 if is_up and not self._leaving.has_begun else 503)

    async def _database(self) -> dict[str, object]:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), self._db.read() as session:
                await session.scalar(select(literal(1)))
                refusing = {} if self._db.takes_changes else {"changes": "refused"}
                return {"status": "ok", **await self._db.versions(), **refusing}
        except (Unavailable, TimeoutError) as error:
            return {"status": "unavailable", "reason": str(error) or "It does not answer in time."}


def _shown(worker: WorkerHealth) -> dict[str, object]:
    return {
        "name": worker.name,
        "state": worker.state,
        "since": worker.since,
        "restarts": worker.restarts,
        # Shown without a token, so without an exception's words: those are in the log.
        "lastError": None if worker.last_error is None else worker.last_error.partition(":")[0],
        **worker.facts(),
    }


def _json(report: dict[str, object], status: int) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(orjson.dumps(report, option=orjson.OPT_UTC_Z), status, headers, media_type="application/json")
