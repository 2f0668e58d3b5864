"""Several servers on one PostgreSQL: what one changes is heard, shown and kept by all, whoever is asked.

Each house here has a database, a bus and a port of its own, as processes have. No client is bound to any of them.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from db.bus import BusKind
from db.clock import SystemClock
from db.database import Database
from db.ids import new_id
from schema.ids import encode_id
from tests.support.house import PATIENCE_SECONDS, GraphQLSocket, RunningHouse, eventually, running_house
from tests.support.streaming import make_goal, make_stream

if TYPE_CHECKING:
    from tests.support.redis import OwnRedis

WATCH = "subscription ($goal: ID!) { streamGoalChanged(goalId: $goal) { goals { current revision } } }"
FOLLOW = """
subscription ($goal: ID!, $after: String) {
  streamGoalChanges(goalId: $goal, after: $after) { cursor change { newValue } }
}
"""
ADD = """
mutation ($goal: ID!, $delta: Int!) { streamGoalAddProgress(id: $goal, delta: $delta) { goal { current } } }
"""
REVOKE = "mutation ($id: ID!) { tokenRevoke(id: $id) { errors { message } } }"
CREATE = "mutation ($input: TokenInput!) { tokenCreate(input: $input) { secret token { id } errors { message } } }"
SET = """
mutation ($key: String!, $value: JSON!) { settingSet(key: $key, value: $value) { errors { message } } }
"""


@pytest.fixture(params=[BusKind.POSTGRESQL, BusKind.REDIS])
async def houses(request: pytest.FixtureRequest, postgresql_url: str) -> AsyncIterator[list[RunningHouse]]:
    given: dict[str, Any] = {"bus": request.param, "has_listener": False, "drain_seconds": 1}
    if request.param is BusKind.REDIS:
        given["redis_url"] = request.getfixturevalue("redis_server").url
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(running_house(postgresql_url, **given)) for _ in range(2)]


@pytest.fixture
def cut(request: pytest.FixtureRequest, houses: list[RunningHouse]) -> Callable[[], Awaitable[None]]:
    """How every connection that listens is ended, in all houses."""
    if houses[0].house.db.bus.kind is BusKind.REDIS:
        redis: OwnRedis = request.getfixturevalue("redis_server")
        return lambda: asyncio.to_thread(redis.cut)
    return lambda: cut_readers(houses[0].house.db)


@pytest.fixture
async def goal(houses: list[RunningHouse]) -> str:
    db, now = houses[0].house.db, SystemClock().now()
    stream = await make_stream(db, now)
    made = await make_goal(db, stream, now, target=1_000_000)
    return encode_id("streamgoal", made.id)


async def cut_readers(db: Database) -> None:
    """End every connection that listens, in all houses."""
    ended = text(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE application_name = 'ringside bus' AND datname = current_database()"
    )
    async with db.read() as session:
        await session.tuples(ended)


async def test_a_change_in_one_is_shown_by_the_other(houses: list[RunningHouse], goal: str) -> None:
    one, other = houses
    async with other.admitted() as socket:
        watching = socket.subscribe(WATCH, goal=goal)
        before = await anext(watching)
        await one.execute(ADD, goal=goal, delta=3)
        after = await anext(watching)

    shown = [message["streamGoalChanged"]["goals"][0]["current"] for message in (before, after)]
    assert shown == [0, 3]


async def follow(socket: GraphQLSocket, goal: str, until: int, after: str | None = None) -> tuple[list[int], str]:
    """Follow a goal until it has come to a number; return what was heard, and the last cursor."""
    heard: list[int] = []
    cursor = after
    feed = socket.subscribe(FOLLOW, goal=goal, after=after)
    while not heard or heard[-1] < until:
        message = (await anext(feed))["streamGoalChanges"]
        heard.append(message["change"]["newValue"])
        cursor = message["cursor"]
    await feed.aclose()
    assert cursor is not None
    return heard, cursor


async def test_feeds_are_exact_and_states_come_to_their_last_while_buses_are_cut_under_writes(
    houses: list[RunningHouse], goal: str, cut: Callable[[], Awaitable[None]]
) -> None:
    total = 60

    async def write(house: RunningHouse) -> None:
        for turn in range(total // 2):
            await house.execute(ADD, goal=goal, delta=1)
            if turn % 10 == 5:
                await cut()

    async def last_of(socket: GraphQLSocket) -> int:
        last = 0
        watching = socket.subscribe(WATCH, goal=goal)
        while last < total:
            shown = (await anext(watching))["streamGoalChanged"]["goals"][0]["current"]
            assert shown >= last
            last = shown
        return last

    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(house.admitted()) for house in [*houses, *houses]]
        async with asyncio.timeout(PATIENCE_SECONDS):
            feeds, states, _ = await asyncio.gather(
                asyncio.gather(*(follow(socket, goal, total) for socket in sockets[:2])),
                asyncio.gather(*(last_of(socket) for socket in sockets[2:])),
                asyncio.gather(*(write(house) for house in houses)),
            )

    assert [heard for heard, _ in feeds] == [list(range(1, total + 1))] * 2
    assert states == [total, total]
    assert all(house.house.db.bus.facts()["gaps"] for house in houses)


async def test_a_feed_that_was_left_in_one_is_followed_on_in_the_other(houses: list[RunningHouse], goal: str) -> None:
    one, other = houses
    for _ in range(3):
        await one.execute(ADD, goal=goal, delta=1)
    async with one.admitted() as socket:
        first, cursor = await follow(socket, goal, until=2)
        socket.kill()
    await other.execute(ADD, goal=goal, delta=1)

    async with other.admitted() as socket:
        rest, _ = await follow(socket, goal, until=4, after=cursor)

    assert first + rest == [1, 2, 3, 4]


async def test_a_token_that_is_revoked_in_one_closes_its_sockets_in_the_other_and_opens_nothing_there(
    houses: list[RunningHouse],
) -> None:
    one, other = houses
    made = (await one.execute(CREATE, input={"label": "laptop"}))["tokenCreate"]
    async with other.socket() as socket:
        await socket.init({"token": made["secret"]})
        await one.execute(REVOKE, id=made["token"]["id"])
        async with asyncio.timeout(PATIENCE_SECONDS):
            code, _ = await socket.closed()

    answer = await other.http.post(
        "/graphql", json={"query": "{ viewer { role } }"}, headers={"Authorization": f"Bearer {made['secret']}"}
    )
    assert (code, answer.status_code) == (4403, 401)


async def test_a_setting_that_is_changed_in_one_holds_in_the_other(houses: list[RunningHouse]) -> None:
    one, other = houses

    await one.execute(SET, key="backups.keep", value=3)

    await eventually(lambda: other.house.current.value("backups.keep") == 3, "the setting")


async def test_a_document_that_one_was_sent_is_asked_for_by_the_other_and_then_known(
    houses: list[RunningHouse],
) -> None:
    query = f"{{ viewer {{ role }} }} # {new_id().hex}"
    digest = hashlib.sha256(query.encode()).hexdigest()
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": digest}}

    async def ask(house: RunningHouse, **asked: Any) -> Any:
        answer = await house.http.post("/graphql", json={"extensions": extensions, **asked}, headers=house.bearer)
        return answer.json()

    sent = await ask(houses[0], query=query)
    unknown = await ask(houses[1])
    sent_again = await ask(houses[1], query=query)
    known = await ask(houses[1])

    assert [error["extensions"]["code"] for error in unknown["errors"]] == ["PERSISTED_QUERY_NOT_FOUND"]
    assert [sent, sent_again, known] == [{"data": {"viewer": {"role": "ADMIN"}}}] * 3
