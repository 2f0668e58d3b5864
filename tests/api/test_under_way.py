"""Operations that take too long, and clients that do not wait: nothing goes on for nobody, what was meant is done."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson
import pytest

from tests.conftest import ManualClock
from tests.support.house import RunningHouse, eventually, running_house
from tests.support.process import Serving, serving

MATS = "{ mats { nodes { name } } }"
CREATE = "mutation ($name: String!) { matCreate(input: {name: $name}) { mat { id } errors { message } } }"
on_postgresql = pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True
)


@asynccontextmanager
async def locked(database_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """Keep everybody else from the mats for as long as the block lasts."""
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE mats IN ACCESS EXCLUSIVE MODE")
            yield connection
    finally:
        await connection.close()


async def waiting(connection: "asyncpg.Connection[Any]") -> int:
    """Return how many statements wait for the lock."""
    # Inside a transaction, what was seen of others is kept.
    await connection.execute("SELECT pg_stat_clear_snapshot()")
    found: int = await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return found


async def begin(
    house: RunningHouse, query: str, *, accept: str = "application/json", **variables: Any
) -> asyncio.StreamWriter:
    """Send an operation and do not wait for its answer."""
    _, writer = await asyncio.open_connection("127.0.0.1", house.port)
    body = orjson.dumps({"query": query, "variables": variables})
    writer.write(
        f"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer "
        f"{house.secret}\r\nAccept: {accept}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    await writer.drain()
    return writer


@on_postgresql
async def test_an_operation_that_takes_too_long_is_ended_in_the_database_too(
    database_url: str, clock: ManualClock
) -> None:
    async with running_house(database_url, clock=clock, has_listener=False, operation_seconds=3) as house:
        # By plan, by graphql-core, and a change.
        unplanned = MATS.replace("{ mats", "{ __schema { queryType { name } } mats")
        bodies = [{"query": MATS}, {"query": unplanned}, {"query": CREATE, "variables": {"name": "Late"}}]
        async with locked(database_url) as lock:
            headers = {**house.bearer, "Accept": "application/graphql-response+json"}
            asked = [asyncio.create_task(house.http.post("/graphql", json=one, headers=headers)) for one in bodies]
            other = await house.execute("{ viewer { role } }")
            answers = [await one for one in asked]
            await eventually(lambda: _is_zero(lock), "the end of the statements")

        again = await house.execute(MATS)

    assert other == {"viewer": {"role": "ADMIN"}}
    assert [answer.status_code for answer in answers] == [504] * 3
    ended = "This took longer than 3 s and was ended."
    assert [answer.json() for answer in answers] == [
        {"errors": [{"message": message, "extensions": {"code": "TIMEOUT"}}]}
        for message in (ended, ended, f"{ended} Read before you repeat it: it may have been stored.")
    ]
    assert [mat["name"] for mat in again["mats"]["nodes"]] == ["Mat 1"]


async def _is_zero(lock: "asyncpg.Connection[Any]") -> bool:
    return await waiting(lock) == 0


@on_postgresql
async def test_a_stream_of_one_answer_has_no_more_time_than_an_answer(database_url: str, clock: ManualClock) -> None:
    async with running_house(database_url, clock=clock, has_listener=False, operation_seconds=3) as house:
        headers = {**house.bearer, "Accept": "text/event-stream"}
        async with locked(database_url) as lock:
            answer = await house.http.post("/graphql", json={"query": MATS}, headers=headers)
            await eventually(lambda: _is_zero(lock), "the end of the statement")
            leaving = await begin(house, MATS, accept="text/event-stream")

            async def is_asked(number: int) -> bool:
                return await waiting(lock) == number

            await eventually(lambda: is_asked(1), "the statement")
            leaving.close()
            await eventually(lambda: is_asked(0), "the end of the statement")
        await eventually(lambda: house.house.doorkeeper.socket_count == 0)

    message = "This took longer than 3 s and was ended."
    assert message in answer.text
    assert answer.text.endswith("event: complete\ndata:\n\n")


@on_postgresql
async def test_a_query_ends_when_its_client_leaves_and_a_change_does_not(database_url: str, clock: ManualClock) -> None:
    async with running_house(database_url, clock=clock, has_listener=False) as house:
        await house.execute("{ viewer { role } }")
        async with locked(database_url) as lock:

            async def is_asked(number: int) -> bool:
                return await waiting(lock) == number

            query, change = await begin(house, MATS), await begin(house, CREATE, name="Meant")
            await eventually(lambda: is_asked(2), "both statements")
            query.close()
            change.close()
            await eventually(lambda: is_asked(1), "the end of the query")

        async def is_stored() -> bool:
            return "Meant" in str(await house.execute(MATS))

        await eventually(is_stored, "the change")


@on_postgresql
async def test_what_fails_while_somebody_listens_for_its_client_to_leave_is_answered(
    database_url: str, clock: ManualClock
) -> None:
    def is_listened_for() -> bool:
        return any("UnderWay._listen" in str(task.get_coro()) for task in asyncio.all_tasks())

    async with running_house(database_url, clock=clock, has_listener=False) as house:
        await house.execute(MATS)
        async with locked(database_url) as lock:
            asked = asyncio.create_task(house.http.post("/graphql", json={"query": MATS}, headers=house.bearer))
            await eventually(is_listened_for, "somebody who listens")
            await lock.execute("ALTER TABLE mats RENAME COLUMN name TO called")

        answer = await asked

    assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["INTERNAL_SERVER_ERROR"]


async def test_who_stops_the_server_loses_no_change_that_was_answered(database_url: str, tmp_path: Path) -> None:
    answered: set[str] = set()

    async with serving(database_url, tmp_path / "server.log") as server:
        for _ in range(3):
            await _create(server, f"before {_}", answered)
        changes = [asyncio.create_task(_create(server, f"mat {number}", answered)) for number in range(20)]
        await changes[0]
        code = await server.stop()
        await asyncio.wait(changes)

    async with running_house(database_url, has_listener=False) as house:
        page = await house.execute("{ mats(first: 100) { nodes { name } } }")
    stored = {mat["name"] for mat in page["mats"]["nodes"]}
    assert code == 0
    assert len(answered) >= 4
    assert answered <= stored
    assert "Traceback" not in (tmp_path / "server.log").read_text()


async def _create(server: Serving, name: str, answered: set[str]) -> None:
    """Make a mat; what was answered is noted, and being turned away is no answer."""
    try:
        answer = await server.http.post("/graphql", json={"query": CREATE, "variables": {"name": name}})
    except httpx.TransportError:
        return
    if answer.status_code == 200:
        assert answer.json()["data"]["matCreate"]["errors"] == []
        answered.add(name)
