"""Clients that others wrote, unmodified: they ask, change, watch, are refused, and come back when they are cut off."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportConnectionFailed, TransportQueryError
from gql.transport.websockets import WebsocketsTransport

from api.capture import read_capture
from api.transport.sockets import Socket
from tests.conftest import ManualClock
from tests.support.captures import FINAL
from tests.support.house import PATIENCE_SECONDS, RunningHouse, eventually, running_house
from tests.support.node import run_client

WIRES = [message.wire for message in read_capture(FINAL)]

ROLE = "{ viewer { role } }"
LAY = 'mutation { matCreate(input: { name: "Laid by a client" }) { mat { name } errors { code } } }'
BOARD = "subscription ($mat: ID!) { scoreboardChanged(matId: $mat) { scoreboard { revision } } }"
WRONG = 'subscription { matchEvents(matchId: "x") { cursor } }'


@pytest.fixture
async def house(database_url: str, clock: ManualClock) -> AsyncIterator[RunningHouse]:
    async with running_house(database_url, clock=clock) as running:
        await running.send("\n".join(WIRES[:12]))
        await running.logged(12)
        yield running


async def interrupt(house: RunningHouse) -> None:
    """Score when somebody watches, cut him off, and score again when he is back."""
    bus, guests = house.house.db.bus, house.house.doorkeeper._guests
    await eventually(lambda: bus.listener_count == 1, "somebody who watches")
    await house.send("sc1;3;sc2;0", "pt1;3")
    await house.logged(14)
    cut_off = set(guests)
    for guest in cut_off:
        if isinstance(guest, Socket):
            guest.line.transport.abort()
        else:
            guest.cut()
    await eventually(lambda: bool(guests) and not cut_off & set(guests) and bus.listener_count == 1, "his return")
    await house.send("sc1;4;sc2;0", "pt1;1")


@asynccontextmanager
async def together() -> AsyncIterator[asyncio.TaskGroup]:
    """Let both sides do their part: if one fails, or it takes too long, neither waits for the other any more."""
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        yield group


EXPECTED = {
    "role": "ADMIN",
    "laid": {"mat": {"name": "Laid by a client"}, "errors": []},
    "refused": "BAD_USER_INPUT",
}


@pytest.mark.usefixtures("node")
@pytest.mark.parametrize("client", ["graphql-ws", "graphql-sse", "apollo", "urql"])
async def test_a_client_asks_changes_watches_is_refused_and_comes_back(house: RunningHouse, client: str) -> None:
    async with together() as group:
        asking = group.create_task(
            run_client(f"watch-{client}.mjs", URL=f"{house.url}/graphql", TOKEN=house.secret, MAT=house.mat)
        )
        group.create_task(interrupt(house))
    found: dict[str, Any] = asking.result()

    heard = found.pop("heard")
    assert found == EXPECTED
    # The second may be heard as the first, or be overtaken by the third; but something was heard on either side.
    assert heard in ([1, 2, 3], [1, 3], [2, 3])


async def test_the_client_of_python_asks_changes_watches_and_comes_back(house: RunningHouse) -> None:
    transport = WebsocketsTransport(
        url=f"ws://127.0.0.1:{house.port}/graphql",
        init_payload={"token": house.secret},
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
        connect_timeout=PATIENCE_SECONDS,
        ack_timeout=PATIENCE_SECONDS,
    )
    client = Client(transport=transport, fetch_schema_from_transport=False, execute_timeout=PATIENCE_SECONDS)
    heard: list[int] = []
    async with together() as group:
        group.create_task(interrupt(house))
        async with client as session:
            role = (await session.execute(GraphQLRequest(ROLE)))["viewer"]["role"]
            laid = (await session.execute(GraphQLRequest(LAY)))["matCreate"]
            with pytest.raises(TransportQueryError) as refused:
                await anext(aiter(session.subscribe(GraphQLRequest(WRONG))))
            with pytest.raises(TransportConnectionFailed):
                await _watch(session, house, heard)
        async with client as session:
            await _watch(session, house, heard)

    assert {"role": role, "laid": laid, "refused": refused.value.errors[0]["extensions"]["code"]} == EXPECTED  # type: ignore[index]  # there are errors
    assert sorted(set(heard)) in ([1, 2, 3], [1, 3], [2, 3])


async def _watch(session: Any, house: RunningHouse, heard: list[int]) -> None:
    async for data in session.subscribe(GraphQLRequest(BOARD, variable_values={"mat": house.mat})):
        heard.append(data["scoreboardChanged"]["scoreboard"]["revision"])
        if heard[-1] == 3:
            return
