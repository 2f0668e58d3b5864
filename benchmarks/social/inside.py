"""Asking in process: Ringside as it is put together to be served, called without a server."""

import gc
import statistics
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import delete
from sqlmodel import col

from api.logs import configure_logs
from api.server import House, open_house
from api.settings import Settings
from benchmarks.graph.fleet import PEERS, Disagreement, Peer
from benchmarks.graph.inprocess import Client
from benchmarks.graph.shapes import Ids, Shape
from benchmarks.social.questions import RINGSIDE, Asking, Reader, Subjects, is_whole, said
from db.access import operations as access
from db.access.tables import Token
from db.clock import SystemClock
from db.database import Database

# One token asks for everybody: what is spent and how often is counted, and never too much.
BUDGET = RATE = 10**12
_LABEL = "Benchmark"
_WARM_UP = 20
_BUDGET_SECONDS = 3.0
_FEWEST = 5

# Whether what is done is done for a request of ours.
_is_asked: ContextVar[bool] = ContextVar("is_asked", default=False)


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What it took to answer one shape, one request after another."""

    shape: Shape
    following: int
    statements: int
    answer: Any
    milliseconds: list[float]
    cpu_milliseconds: float

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.milliseconds)

    @property
    def p95(self) -> float:
        """All but the slowest twentieth."""
        return statistics.quantiles(self.milliseconds, n=20, method="inclusive")[-1]


@asynccontextmanager
async def house_on(url: str) -> AsyncIterator[House]:
    """Open everything over a database, as `ringside serve` does."""
    configure_logs("ERROR", as_json=False)
    settings = Settings(
        database=url,
        port=0,
        pss_port=0,
        budget=BUDGET,
        operations_per_second=RATE,
        changes_per_second=RATE,
        log_operations=False,
        log_level="ERROR",
    )
    async with open_house(settings, SystemClock()) as house:
        yield house


async def make_token(db: Database, user_id: UUID) -> str:
    """Let somebody ask, and return his secret."""
    async with db.transaction() as tx:
        made = await access.create_token(tx, user_id=user_id, label=_LABEL, now=SystemClock().now())
    return made.secret


async def drop_tokens(db: Database) -> None:
    """Take all tokens back that were made here."""
    async with db.transaction() as tx:
        await tx.execute(delete(Token).where(col(Token.label) == _LABEL))


def ringside(subjects: Subjects, reader: Reader, **changes: Any) -> Peer:
    """Return Ringside as it is asked for a reader."""
    manner = Asking(documents=RINGSIDE, has_opaque_ids=True, subjects=subjects, reader=reader)
    return Peer(**{**vars(PEERS["ringside"]), "manner": manner, **changes})


async def measure(
    house: House, subjects: Subjects, wanted: Sequence[Shape], count: int, advance: Callable[[str], None]
) -> list[Answered]:
    """Ask for all shapes on behalf of the usual reader, and for their home feeds on behalf of the others."""
    usual, answered = subjects.readers[len(subjects.readers) // 2], []
    for shape in wanted:
        for reader in subjects.readers if shape.name == "home" else [usual]:
            advance(f"{shape.name}, for one who follows {reader.following}")
            answered.append(await _measure(house, subjects, reader, shape, count))
    return answered


async def _measure(house: House, subjects: Subjects, reader: Reader, shape: Shape, count: int) -> Answered:
    peer = ringside(subjects, reader)
    client = Client(peer, house.app, Ids(), await make_token(house.db, reader.id))
    body = client.bodies(shape)[0]
    answer = said(await client.ask(shape, body))
    if not is_whole(shape, answer):
        raise Disagreement(f"{shape.name}: there is less than was asked for: {str(answer)[:500]}")
    await _ask(client, shape, body, _WARM_UP, _BUDGET_SECONDS / 3)
    statements = await _statements(house, client, shape, body)
    gc.collect()
    busy = time.process_time()
    milliseconds = await _ask(client, shape, body, count, _BUDGET_SECONDS)
    busy = time.process_time() - busy
    return Answered(
        shape=shape,
        following=reader.following,
        statements=statements,
        answer=answer,
        milliseconds=milliseconds,
        cpu_milliseconds=busy / len(milliseconds) * 1e3,
    )


async def _ask(client: Client, shape: Shape, body: bytes, count: int, seconds: float) -> list[float]:
    """Ask so often, or for so long if that is over sooner, and return how many milliseconds each answer took."""
    milliseconds: list[float] = []
    until = time.perf_counter() + seconds
    while len(milliseconds) < count and (len(milliseconds) < _FEWEST or time.perf_counter() < until):
        began = time.perf_counter()
        await client.ask(shape, body)
        milliseconds.append((time.perf_counter() - began) * 1e3)
    return milliseconds


async def _statements(house: House, client: Client, shape: Shape, body: bytes) -> int:
    """Count the statements of one request. Those of the house's own workers, which run meanwhile, are not its."""
    heard: list[str] = []

    def hear(sql: str) -> None:
        if _is_asked.get():
            heard.append(sql)

    house.db.on_statement, was_asked = hear, _is_asked.set(True)
    try:
        await client.ask(shape, body)
    finally:
        _is_asked.reset(was_asked)
        house.db.on_statement = None
    return len(heard)
