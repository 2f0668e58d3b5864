"""`/metrics`: what a Prometheus collects, with a token like all else that tells of the graph."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.auth import Doorkeeper, address_of, bearer_of
from api.tally import BOUNDS, Tally
from api.transport.under_way import UnderWay
from api.watchdog import Watchdog
from api.workers.supervisor import Supervisor
from db.access.viewer import Role
from db.database import Database
from db.errors import Refusal, Unauthenticated
from schema import Schema
from schema.live.groups import Groups

_OPERATION = ("kind", "name", "path", "outcome")
# What workers tell of themselves in numbers that only grow; their other numbers go up and down.
_GROWING = {"datagrams", "messages", "unreadable", "dropped", "refused", "stalls", "restarts", "wrongTokens"}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """All that is measured."""

    tally: Tally
    schema: Schema
    db: Database
    doorkeeper: Doorkeeper
    groups: Groups
    under_way: UnderWay
    supervisor: Supervisor
    watchdog: Watchdog


class Metrics:
    """Answers `/metrics` to whoever may look after the server."""

    def __init__(self, measured: Measured) -> None:
        self._doorkeeper = measured.doorkeeper
        # Nothing of the library's own registry: it is one for all servers of a process.
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(measured))
        ProcessCollector(registry=self._registry)

    def routes(self) -> list[BaseRoute]:
        """Return the route of the metrics."""
        return [Route("/metrics", self._answer)]

    async def _answer(self, request: Request) -> Response:
        try:
            viewer = await self._doorkeeper.admit(bearer_of(request), address_of(request))
        except Unauthenticated as refusal:
            return Response(refusal.message, 401, {"WWW-Authenticate": "Bearer"}, "text/plain")
        except Refusal as refusal:
            return Response(refusal.message, 503, {"Retry-After": "1"}, "text/plain")
        if not viewer.has_role(Role.OPERATOR):
            return Response("Metrics need the role OPERATOR.", 403, media_type="text/plain")
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self._registry), headers={"Content-Type": content_type, "Cache-Control": "no-store"})


class _Collector(Collector):
    """Reads the numbers where they are kept, when somebody asks for them."""

    def __init__(self, measured: Measured) -> None:
        self._measured = measured

    def describe(self) -> Iterable[Metric]:
        """Return nothing: what there is depends on what has happened."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Return all of it."""
        yield from self._operations()
        yield from self._engine()
        yield from self._live()
        yield from self._workers()

    def _operations(self) -> Iterator[Metric]:
        seconds = HistogramMetricFamily("ringside_operation_seconds", "How long operations took.", labels=_OPERATION)
        cost = CounterMetricFamily(
            "ringside_operation_cost", "Rows that operations were charged for.", labels=_OPERATION
        )
        statements = CounterMetricFamily(
            "ringside_operation_statements", "Statements that plans ran.", labels=_OPERATION
        )
        for labels, found in self._measured.tally.sums.items():
            bounds = [*(str(bound) for bound in BOUNDS), "+Inf"]
            seconds.add_metric(labels, list(zip(bounds, accumulate(found.by_bound), strict=True)), found.seconds)
            cost.add_metric(labels, found.cost)
            statements.add_metric(labels, found.statements)
        yield seconds
        yield cost
        yield statements
        yield GaugeMetricFamily(
            "ringside_operations_under_way", "Operations being answered.", len(self._measured.under_way)
        )

    def _engine(self) -> Iterator[Metric]:
        engine = self._measured.schema.engine
        paths = CounterMetricFamily("ringside_answers", "Executions by the path that answered.", labels=["path"])
        for path, count in engine.counts.items():
            paths.add_metric([path], count)
        yield paths
        yield GaugeMetricFamily("ringside_documents_kept", "Documents that are kept parsed.", len(engine.documents))
        yield GaugeMetricFamily("ringside_plans_kept", "Plans that are kept.", engine.plan_count)

    def _live(self) -> Iterator[Metric]:
        measured = self._measured
        yield GaugeMetricFamily(
            "ringside_sockets", "Sockets and event streams that are open.", measured.doorkeeper.socket_count
        )
        yield GaugeMetricFamily("ringside_groups", "Groups of identical subscriptions.", len(measured.groups))
        yield GaugeMetricFamily("ringside_watchers", "Subscriptions in all groups.", measured.groups.reader_count)
        yield GaugeMetricFamily("ringside_bus_listeners", "Listeners on the bus.", measured.db.bus.listener_count)
        yield GaugeMetricFamily(
            "ringside_loop_lag_seconds", "How late the event loop was at its last beat.", measured.watchdog.lag
        )

    def _workers(self) -> Iterator[Metric]:
        running = GaugeMetricFamily("ringside_worker_running", "Whether a worker runs.", labels=["worker"])
        growing: dict[str, CounterMetricFamily] = {}
        gauges: dict[str, GaugeMetricFamily] = {}
        for worker in self._measured.supervisor.health():
            running.add_metric([worker.name], worker.state in {"running", "done"})
            for fact, value in {"restarts": worker.restarts, **worker.facts()}.items():
                if isinstance(value, bool) or not isinstance(value, int | float):
                    continue
                name, told = f"ringside_worker_{_snake(fact)}", f"{fact} of a worker, as health tells it."
                if fact in _GROWING:
                    growing.setdefault(name, CounterMetricFamily(name, told, labels=["worker"])).add_metric(
                        [worker.name], value
                    )
                else:
                    gauges.setdefault(name, GaugeMetricFamily(name, told, labels=["worker"])).add_metric(
                        [worker.name], value
                    )
        yield running
        yield from growing.values()
        yield from gauges.values()


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
