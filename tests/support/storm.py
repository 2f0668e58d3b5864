"""A storm: goals are changed and followed while processes are killed and the database is restarted at random.

In the end each feed must have told every change once and in order, each state must have come to the last, and what was
answered must be stored.
"""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import psutil

from tests.support.cluster import Cluster
from tests.support.house import eventually
from tests.support.meter import metered
from tests.support.plain import PlainHTTP, PlainSocket, open_plain, open_plain_http
from tests.support.process import Serving, serving

STREAM = """
mutation ($name: String!) {
  streamCreate(input: {name: $name}) { stream { goals { nodes { id } } } errors { message } }
}
"""
ADD = "mutation ($goal: ID!) { streamGoalAddProgress(id: $goal, delta: 1) { goal { current } errors { message } } }"
FOLLOW = """
subscription ($goal: ID!, $after: String) {
  streamGoalChanges(goalId: $goal, after: $after) { cursor change { newValue } }
}
"""
WATCH = "subscription ($goal: ID!) { streamGoalChanged(goalId: $goal) { goals { current } } }"
# All come with one token: what it may hold and spend is not what is looked at.
GENEROUS: dict[str, Any] = {
    "sockets_per_token": 100_000,
    "sockets_per_address": 100_000,
    "budget": 10**12,
    "budget_per_second": 10**9,
    "log_operations": False,
}
_ANSWER_SECONDS = 30.0
_SETTLE_SECONDS = 90
_MOST_BEHIND_SECONDS = 1.0
_WRITERS = 64
_COME_AT_ONCE = 100


@dataclass(frozen=True, kw_only=True)
class Weather:
    """How bad it is. Half of the sockets follow feeds, the others watch states."""

    workers: int
    sockets: int
    rate: float
    seconds: float
    seconds_between_kills: float
    seconds_between_restarts: float
    goals: int = 20


class Client:
    """Somebody who is told of a goal, and comes back whenever he is cut off."""

    def __init__(self, goal: str) -> None:
        self.goal = goal
        self.returns = 0
        self.socket: PlainSocket | None = None

    @property
    def asked(self) -> Mapping[str, Any]:
        """What he asks for when he comes."""
        raise NotImplementedError

    def hear(self, payload: Mapping[str, Any]) -> None:
        """Hear one message."""
        raise NotImplementedError

    def is_right(self, stored: Sequence[int]) -> bool:
        """Say whether he was told what he should have been."""
        raise NotImplementedError

    @property
    def told(self) -> object:
        """What he was told, as far as he knows it."""
        raise NotImplementedError

    @property
    def is_admitted(self) -> bool:
        """Whether he was let in."""
        return self.socket is not None and self.socket.is_admitted


class Follower(Client):
    """Somebody who follows what happens to a goal, and comes back with his cursor."""

    def __init__(self, goal: str) -> None:
        super().__init__(goal)
        self.heard: list[int] = []
        self._cursor: str | None = None

    @property
    def asked(self) -> Mapping[str, Any]:
        return {"query": FOLLOW, "variables": {"goal": self.goal, "after": self._cursor}}

    def hear(self, payload: Mapping[str, Any]) -> None:
        entry = payload["data"]["streamGoalChanges"]
        self._cursor = entry["cursor"]
        self.heard.append(entry["change"]["newValue"])

    @property
    def told(self) -> object:
        return self.heard

    def is_right(self, stored: Sequence[int]) -> bool:
        return self.heard == list(stored)


class Watcher(Client):
    """Somebody who watches how a goal stands."""

    def __init__(self, goal: str) -> None:
        super().__init__(goal)
        self.last = 0
        self.has_gone_back = False

    @property
    def asked(self) -> Mapping[str, Any]:
        return {"query": WATCH, "variables": {"goal": self.goal}}

    def hear(self, payload: Mapping[str, Any]) -> None:
        now = payload["data"]["streamGoalChanged"]["goals"][0]["current"]
        self.has_gone_back |= now < self.last
        self.last = now

    @property
    def told(self) -> object:
        return self.last

    def is_right(self, stored: Sequence[int]) -> bool:
        return not self.has_gone_back and self.last == (stored[-1] if stored else 0)


async def _stay(client: Client, url: str, secret: str) -> None:
    while True:
        with suppress(OSError):
            client.socket = await open_plain(url, secret, client.asked, client.hear)
            try:
                await client.socket.ended
            finally:
                client.socket.transport.abort()
        client.returns += 1
        await asyncio.sleep(random.uniform(0.05, 0.5))  # noqa: S311 -- so that not all come back at once


class Writer:
    """Somebody who adds to goals, some each second. What was not answered may have been made."""

    def __init__(self) -> None:
        self.answered = 0
        self.unanswered = 0
        self._http: PlainHTTP | None = None

    async def run(self, url: str, secret: str, goals: Sequence[str], per_second: float, until: float) -> None:
        due = time.monotonic()
        while time.monotonic() < until:
            # Who was held up does not make up for all of it: that would be a flood.
            due = max(due + random.uniform(0, 2 / per_second), time.monotonic() - _MOST_BEHIND_SECONDS)  # noqa: S311 -- so that not all write at once
            await asyncio.sleep(max(0.0, min(due, until) - time.monotonic()))
            if due > until:
                break
            is_answered = await self._add(url, secret, random.choice(goals))  # noqa: S311 -- as above
            self.answered += is_answered
            self.unanswered += not is_answered
        if self._http is not None:
            self._http.close()

    async def _add(self, url: str, secret: str, goal: str) -> bool:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                self._http = self._http or await open_plain_http(url, secret)
                answer = orjson.loads(await self._http.ask(orjson.dumps({"query": ADD, "variables": {"goal": goal}})))
        except (OSError, EOFError):
            if self._http is not None:
                self._http.close()
            self._http = None
            return False
        return "errors" not in answer and not answer["data"]["streamGoalAddProgress"]["errors"]


@dataclass
class Outcome:
    """What came of it."""

    clients: list[Client]
    writers: list[Writer]
    seconds: float = 0.0
    kills: int = 0
    restarts: int = 0
    # Seconds that processors ran meanwhile, by whose they were.
    spent: Mapping[str, float] = field(default_factory=dict)
    stored: Mapping[str, Sequence[int]] = field(default_factory=dict)

    @property
    def answered(self) -> int:
        return sum(one.answered for one in self.writers)

    @property
    def unanswered(self) -> int:
        return sum(one.unanswered for one in self.writers)

    @property
    def made(self) -> int:
        return sum(values[-1] for values in self.stored.values() if values)

    @property
    def wrong(self) -> list[Client]:
        """Those who were not told all, or told too much."""
        return [one for one in self.clients if not one.is_right(self.stored[one.goal])]

    def faults(self) -> list[str]:
        """Say what should not be; nothing if all is right."""
        found = []
        if not self.answered <= self.made <= self.answered + self.unanswered:
            found.append(f"{self.answered} answered and {self.unanswered} not, but {self.made} are stored")
        return found + [
            f"{type(one).__name__} of {one.goal} was told {one.told}, stored is {list(self.stored[one.goal])}"
            for one in self.wrong[:5]
        ]

    def __str__(self) -> str:
        returns = sum(one.returns for one in self.clients)
        return (
            f"{len(self.clients)} sockets, {self.answered / self.seconds:.0f} changes/s for {self.seconds:.0f} s, "
            f"{self.kills} kill -9, {self.restarts} restarts of PostgreSQL: {self.answered} changes answered, "
            f"{self.unanswered} not, {self.made} stored; {returns} returns, {len(self.wrong)} sockets not exact. "
            f"Processors ran {', '.join(f'{seconds:.0f} s for {who}' for who, seconds in self.spent.items())}."
        )


async def storm(cluster: Cluster, url: str, log: Path, weather: Weather, **settings: Any) -> Outcome:
    """Have it, and say what came of it."""
    given = {**GENEROUS, "workers": weather.workers, "hears": False, **settings}
    async with serving(url, log, **given) as server:
        goals = [await goal_of(server, number) for number in range(weather.goals)]
        kinds: tuple[type[Client], type[Client]] = (Follower, Watcher)
        clients = [kinds[number // weather.goals % 2](goals[number % len(goals)]) for number in range(weather.sockets)]
        outcome = Outcome(clients, [Writer() for _ in range(_WRITERS)])
        staying = await _seated(clients, server)
        began = time.monotonic()
        until = began + weather.seconds
        pace = weather.rate / len(outcome.writers)
        async with metered() as meter:
            await asyncio.gather(
                *(one.run(server.url, server.secret, goals, pace, until) for one in outcome.writers),
                _kill(server, outcome, weather.seconds_between_kills, until),
                _restart(cluster, outcome, weather.seconds_between_restarts, until),
            )
            outcome.seconds = time.monotonic() - began
            outcome.spent = meter.seconds()
        outcome.stored = await _settled(url, outcome)
        for task in staying:
            task.cancel()
        await asyncio.wait(staying)
    return outcome


async def _seated(clients: Sequence[Client], server: Serving) -> "list[asyncio.Task[None]]":
    """Have all come, some at a time, and return the tasks that keep them there."""
    staying: list[asyncio.Task[None]] = []
    for start in range(0, len(clients), _COME_AT_ONCE):
        coming = clients[start : start + _COME_AT_ONCE]
        staying += [asyncio.create_task(_stay(one, server.url, server.secret)) for one in coming]
        await eventually(lambda: all(one.is_admitted for one in coming), "that all are admitted")  # noqa: B023 -- it is called here
    return staying


async def _kill(server: Serving, outcome: Outcome, seconds: float, until: float) -> None:
    while await _passes(seconds, until):
        children = psutil.Process(server.process.pid).children()
        # Who has ended by himself since we looked cannot be killed.
        with suppress(IndexError, psutil.NoSuchProcess):
            random.choice(children).kill()  # noqa: S311 -- as above
            outcome.kills += 1


async def _restart(cluster: Cluster, outcome: Outcome, seconds: float, until: float) -> None:
    while await _passes(seconds, until):
        # As somebody does who looks after it, or as a machine that loses power.
        await asyncio.to_thread(random.choice((cluster.stop, cluster.kill)))  # noqa: S311 -- as above
        await asyncio.to_thread(cluster.start)
        outcome.restarts += 1


async def _passes(seconds: float, until: float) -> bool:
    """Wait for a while, and say whether there is still time."""
    pause = random.uniform(0.5, 1.5) * seconds  # noqa: S311 -- as above
    left = until - time.monotonic()
    await asyncio.sleep(max(0.0, min(pause, left)))
    return pause < left


async def goal_of(server: Serving, number: int) -> str:
    """Lay a stream, and return a goal of it."""
    made = (await server.execute(STREAM, name=f"Storm {number}"))["streamCreate"]
    assert made["errors"] == [], made
    goal: str = made["stream"]["goals"]["nodes"][0]["id"]
    return goal


async def _settled(url: str, outcome: Outcome) -> Mapping[str, Sequence[int]]:
    """Return what is stored of each goal once everybody has heard it, or after a while.

    Somebody who gave up waiting for an answer may have it stored later still: by a worker that was just starting.
    """
    until = time.monotonic() + _SETTLE_SECONDS
    while True:
        outcome.stored = await _stored(url, {one.goal for one in outcome.clients})
        if time.monotonic() > until or not outcome.wrong:
            return outcome.stored
        await asyncio.sleep(0.5)


async def _stored(url: str, goals: Collection[str]) -> Mapping[str, Sequence[int]]:
    """Return what each goal came to with each entry of its history: some tell of a target and not of a change."""
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetch(
            "SELECT goal_id, new_value FROM stream_goal_changes WHERE goal_id = ANY($1::UUID[]) "
            "ORDER BY goal_id, revision, part",
            [goal.partition("_")[2] for goal in goals],
        )
    finally:
        await connection.close()
    values: dict[UUID, list[int]] = defaultdict(list)
    for goal_id, value in found:
        values[goal_id].append(int(value))
    return {goal: values[UUID(goal.partition("_")[2])] for goal in goals}
