"""R1, R2, R3: Redis is not there, dies under load, or stands still. Changes go on, and nobody misses one in silence."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis.exceptions import RedisError

from db import redis_bus
from db.bus import BusKind
from db.clock import SystemClock
from db.redis_bus import RedisBus, client_of
from schema.ids import encode_id
from tests.faults.conftest import Figure, Size
from tests.support.house import PATIENCE_SECONDS, RunningHouse, eventually, running_house
from tests.support.redis import OwnRedis, own_redis
from tests.support.streaming import make_goal, make_stream

ADD = "mutation ($goal: ID!) { streamGoalAddProgress(id: $goal, delta: 1) { goal { current } errors { message } } }"
WATCH = "subscription ($goal: ID!) { streamGoalChanged(goalId: $goal) { goals { current } } }"
FOLLOW = "subscription ($goal: ID!) { streamGoalChanges(goalId: $goal) { change { newValue } } }"


@pytest.fixture
def redis(redis_server: OwnRedis) -> Iterator[OwnRedis]:  # noqa: ARG001 -- where there is no program, none is started
    with own_redis() as one:
        yield one


@pytest.fixture
async def houses(postgresql_url: str, redis: OwnRedis) -> AsyncIterator[list[RunningHouse]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(housed(postgresql_url, redis)) for _ in range(2)]


@pytest.fixture
async def goal(houses: list[RunningHouse]) -> str:
    return await laid(houses[0])


def housed(url: str, redis: OwnRedis) -> Any:
    given: dict[str, Any] = {"bus": BusKind.REDIS, "redis_url": redis.url}
    return running_house(url, has_listener=False, drain_seconds=1, **given)


async def laid(house: RunningHouse) -> str:
    db, now = house.house.db, SystemClock().now()
    made = await make_goal(db, await make_stream(db, now), now, target=1_000_000)
    return encode_id("streamgoal", made.id)


async def bus_of(house: RunningHouse) -> dict[str, Any]:
    report = (await house.http.get("/readyz")).json()
    return {"ready": report["status"], **report["bus"]}


async def is_heard(house: RunningHouse) -> bool:
    return bool((await bus_of(house))["status"] == "ok")


async def test_without_redis_a_server_starts_and_works_and_says_that_it_is_away(
    postgresql_url: str, redis: OwnRedis, figure: Figure
) -> None:
    redis.kill()
    async with housed(postgresql_url, redis) as one, housed(postgresql_url, redis) as other, one.admitted() as socket:
        goal = await laid(one)
        watching = socket.subscribe(WATCH, goal=goal)
        await anext(watching)
        away = await bus_of(one)
        own = await one.execute(ADD, goal=goal)
        shown_here = await anext(watching)
        # Nobody can tell of this one, yet.
        await other.execute(ADD, goal=goal)
        redis.start()
        await eventually(lambda: is_heard(one), "Redis")
        shown_after = await anext(watching)

    assert (away["ready"], away["status"]) == ("degraded", "away")
    assert own == {"streamGoalAddProgress": {"goal": {"current": 1}, "errors": []}}
    assert [one["streamGoalChanged"]["goals"][0]["current"] for one in (shown_here, shown_after)] == [1, 2]
    figure("R1", "Redis away at the start: queries and changes work, health says degraded, well again by itself")


async def test_who_insists_on_redis_at_the_start_does_not_start(
    postgresql_url: str, redis: OwnRedis, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    redis.kill()

    async def insist(bus: RedisBus) -> None:
        await client_of(bus._url).ping()

    monkeypatch.setattr(RedisBus, "open", insist)
    with pytest.raises(RedisError):
        async with housed(postgresql_url, redis):
            pass
    figure("R1", "control: insisted on at the start, there is no server")


async def test_redis_dies_under_load_no_change_fails_and_no_gap_is_silent(
    houses: list[RunningHouse], goal: str, redis: OwnRedis, size: Size, figure: Figure
) -> None:
    rounds, each = size(2, 30), 20

    async def write(house: RunningHouse) -> None:
        for _ in range(rounds * each):
            assert (await house.execute(ADD, goal=goal))["streamGoalAddProgress"]["errors"] == []

    async def disturb() -> None:
        for _ in range(rounds):
            await asyncio.to_thread(redis.kill)
            await eventually(lambda: all_are(houses, "away"), "that Redis is missed")
            await asyncio.to_thread(redis.start)
            await eventually(lambda: all_are(houses, "ok"), "that Redis is back")

    total = 2 * rounds * each
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(house.admitted()) for house in houses for _ in range(2)]
        feeds = [asyncio.create_task(fed(socket, goal, total)) for socket in sockets[::2]]
        states = [asyncio.create_task(shown(socket, goal, total)) for socket in sockets[1::2]]
        await asyncio.gather(disturb(), *(write(house) for house in houses))
        heard, last = await asyncio.gather(*feeds), await asyncio.gather(*states)

    assert heard == [list(range(1, total + 1))] * 2
    assert last == [total, total]
    figure("R2", f"Redis killed {rounds} times under {total} changes: 0 failed, 2 feeds exact, 2 states at their last")


async def fed(socket: Any, goal: str, until: int) -> list[int]:
    feed = socket.subscribe(FOLLOW, goal=goal)
    found: list[int] = []
    while not found or found[-1] < until:
        found.append((await anext(feed))["streamGoalChanges"]["change"]["newValue"])
    return found


async def shown(socket: Any, goal: str, until: int) -> int:
    watching, last = socket.subscribe(WATCH, goal=goal), -1
    while last < until:
        now = (await anext(watching))["streamGoalChanged"]["goals"][0]["current"]
        assert now >= last
        last = now
    return last


async def all_are(houses: list[RunningHouse], status: str) -> bool:
    return all([(await bus_of(house))["status"] == status for house in houses])


@pytest.mark.parametrize("tells", [True, False])
async def test_what_was_dropped_is_repaired_by_a_comparison_and_by_nothing_else(
    houses: list[RunningHouse],
    goal: str,
    redis: OwnRedis,
    monkeypatch: pytest.MonkeyPatch,
    figure: Figure,
    *,
    tells: bool,
) -> None:
    one, other = houses
    if not tells:
        monkeypatch.setattr(RedisBus, "tell_gap", lambda *_: None)
    async with other.admitted() as socket:
        watching = socket.subscribe(WATCH, goal=goal)
        await anext(watching)
        await asyncio.to_thread(redis.kill)
        await eventually(lambda: all_are(houses, "away"), "that Redis is missed")
        with monkeypatch.context() as full:
            full.setattr(redis_bus, "_MOST_WAITING", 0)
            await one.execute(ADD, goal=goal)
        await asyncio.to_thread(redis.start)
        await eventually(lambda: all_are(houses, "ok"), "that Redis is back")
        if not tells:
            # Only what is told of later is heard, and with it what had been missed.
            await one.execute(ADD, goal=goal)
        after = (await anext(watching))["streamGoalChanged"]["goals"][0]["current"]
        dropped = (await bus_of(one))["dropped"]

    assert (dropped, after) == (1, 1 if tells else 2)
    said = "1 dropped, repaired" if tells else "control: nobody is told of the gap, and the change is not shown"
    figure("R3" if tells else "R2", said)


async def test_while_redis_stands_still_changes_do_not_wait_for_it(
    houses: list[RunningHouse], goal: str, redis: OwnRedis, figure: Figure
) -> None:
    one, other = houses
    async with other.admitted() as socket:
        watching = socket.subscribe(WATCH, goal=goal)
        await anext(watching)
        redis.pause()
        for _ in range(50):
            await one.execute(ADD, goal=goal)
        redis.go_on()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await anext(watching))["streamGoalChanged"]["goals"][0]["current"] < 50:
                pass
    figure("R3", "50 changes answered while Redis stood still, shown by the other server afterwards")


async def test_who_waits_for_redis_is_held_up_by_it(
    houses: list[RunningHouse], goal: str, redis: OwnRedis, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    make_ready = RedisBus.before_commit

    async def wait(bus: RedisBus, connection: Any, events: Any) -> Any:
        async with asyncio.timeout(1), client_of(bus._url) as client:
            await client.publish("ringside", "")
        return await make_ready(bus, connection, events)

    monkeypatch.setattr(RedisBus, "before_commit", wait)
    redis.pause()
    asked = asyncio.create_task(
        houses[0].http.post("/graphql", json={"query": ADD, "variables": {"goal": goal}}, headers=houses[0].bearer)
    )
    answer = await asked
    redis.go_on()

    assert "errors" in answer.json()
    figure("R3", "control: published before the answer, a change fails while Redis stands still")
