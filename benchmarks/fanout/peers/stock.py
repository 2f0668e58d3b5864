"""Strawberry as its documentation shows it: a generator for each subscriber, on uvicorn as it comes."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import strawberry
import uvicorn
from strawberry.asgi import GraphQL

from benchmarks.fanout.peers.serve import on_trigger, up
from benchmarks.fanout.watched import answer

_queues: set["asyncio.Queue[Any]"] = set()


@strawberry.type
class Clock:
    """A clock."""

    state: str
    remaining_ms: int
    as_of: str


@strawberry.type
class Side:
    """A side of the board."""

    name: str
    long_name: str
    country_code: str
    score: int
    rounds_won: int
    gam_jeoms: int
    round_scores: list[int]
    background: str
    foreground: str


@strawberry.type
class Scoreboard:
    """A board."""

    revision: int
    number: str
    phase: str
    weight: str
    division: str
    state: str
    round: int
    round_count: int
    round_score: str
    changed_at: str
    clock: Clock
    blue: Side
    red: Side


@strawberry.type
class ScoreboardChanged:
    """A board as it is."""

    sent_at: str
    scoreboard: Scoreboard


@strawberry.type
class Query:
    """There must be one."""

    is_up: bool = True


@strawberry.type
class Subscription:
    """What is watched."""

    @strawberry.subscription
    async def scoreboard_changed(
        self,
        mat_id: strawberry.ID,  # noqa: ARG002 -- there is one
    ) -> AsyncGenerator[ScoreboardChanged, None]:
        """The present, then each change."""
        queue: asyncio.Queue[Any] = asyncio.Queue()
        _queues.add(queue)
        try:
            yield _shown(1)
            while True:
                yield await queue.get()
        finally:
            _queues.discard(queue)


def _shown(revision: int) -> ScoreboardChanged:
    data = _python_names(answer(revision)["scoreboardChanged"])
    board = data["scoreboard"]
    made = {**board, "clock": Clock(**board["clock"]), "blue": Side(**board["blue"]), "red": Side(**board["red"])}
    return ScoreboardChanged(sent_at=data["sent_at"], scoreboard=Scoreboard(**made))


def _python_names(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    snake = {"".join(f"_{one.lower()}" if one.isupper() else one for one in name): name for name in value}
    return {name: _python_names(value[given]) for name, given in snake.items()}


async def main(port: int) -> None:
    """Serve until killed."""
    revision = 1

    async def change() -> None:
        nonlocal revision
        revision += 1
        shown = _shown(revision)
        for queue in _queues:
            queue.put_nowait(shown)

    await on_trigger(port + 1, change)
    app = GraphQL[Any, Any](strawberry.Schema(query=Query, subscription=Subscription))
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", backlog=4096, lifespan="off")
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 -- uvicorn tells nobody
        await asyncio.sleep(0.01)
    up()
    await serving
