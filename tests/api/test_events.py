"""Event streams: subscriptions over plain HTTP, resumed from the last event, and ended as sockets are."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import update

from api import auth
from api.capture import read_capture
from api.transport import events, line
from db.access.tables import User
from db.access.viewer import Role
from db.matches import operations as matches
from tests.conftest import ManualClock
from tests.support.captures import FINAL
from tests.support.house import PATIENCE_SECONDS, RunningHouse, eventually, running_house

WIRES = [message.wire for message in read_capture(FINAL)]

BOARD = "subscription ($mat: ID!) { scoreboardChanged(matId: $mat) { scoreboard { revision blue { score } } } }"
EVENTS = """
subscription ($match: ID!, $after: String) { matchEvents(matchId: $match, after: $after) { cursor event { seq } } }
"""
CREATE = "mutation ($input: TokenInput!) { tokenCreate(input: $input) { secret token { id } } }"


@dataclass(frozen=True)
class Event:
    """One event as the format has it, and a comment as an event without a name."""

    name: str
    data: Any = None
    id: str | None = None


@pytest.fixture
async def house(database_url: str, clock: ManualClock) -> AsyncIterator[RunningHouse]:
    async with running_house(database_url, clock=clock) as running:
        yield running


@asynccontextmanager
async def streamed(
    house: RunningHouse, operation: str, *, headers: dict[str, str] | None = None, **variables: Any
) -> AsyncIterator[AsyncIterator[Event]]:
    """Send an operation, and read its events."""
    body = {"query": operation, "variables": variables}
    sent = {**house.bearer, "Accept": "text/event-stream", **(headers or {})}
    async with house.http.stream("POST", "/graphql", json=body, headers=sent) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        yield _events(response)


async def _events(response: httpx.Response) -> AsyncIterator[Event]:
    """Read events as clients do that split on line feeds."""
    rest = b""
    chunks = response.aiter_bytes()
    while True:
        while b"\n\n" in rest:
            text, _, rest = rest.partition(b"\n\n")
            yield _event(text.decode())
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                rest += await anext(chunks)
        except StopAsyncIteration:
            assert rest == b""
            return


def _event(text: str) -> Event:
    fields = dict(line.split(":", 1) for line in text.split("\n"))
    data = fields.get("data", "").strip()
    shown = fields["id"].strip() if "id" in fields else None
    return Event(fields.get("event", "").strip(), orjson.loads(data) if data else None, shown)


async def _match(house: RunningHouse) -> str:
    data = await house.execute("query ($mat: ID!) { mat(id: $mat) { currentMatch { id } } }", mat=house.mat)
    found: str = data["mat"]["currentMatch"]["id"]
    return found


def _shown(event: Event) -> tuple[int, int]:
    board = event.data["data"]["scoreboardChanged"]["scoreboard"]
    return board["revision"], board["blue"]["score"]


async def test_a_point_comes_through_a_stream(house: RunningHouse) -> None:
    await house.send("\n".join(WIRES[:12]))
    await house.logged(12)
    async with streamed(house, BOARD, mat=house.mat) as stream:
        opened = await anext(stream)
        before = await anext(stream)
        await house.send("sc1;3;sc2;0", "pt1;3")
        after = await anext(stream)

    assert opened == Event("")
    assert [(one.name, _shown(one)) for one in (before, after)] == [("next", (1, 0)), ("next", (2, 3))]


async def test_a_stream_and_a_socket_that_watch_the_same_are_one_listener(house: RunningHouse) -> None:
    await house.send("\n".join(WIRES[:12]))
    await house.logged(12)
    async with streamed(house, BOARD, mat=house.mat) as stream, house.admitted() as socket:
        shown = socket.subscribe(BOARD, mat=house.mat)
        await anext(shown)
        await anext(stream)
        await anext(stream)
        listeners = house.house.db.bus.listener_count
    await eventually(lambda: house.house.db.bus.listener_count == 0)
    await eventually(lambda: house.house.doorkeeper.socket_count == 0)

    assert listeners == 1


async def test_a_feed_goes_on_from_the_last_event(house: RunningHouse) -> None:
    await house.send("\n".join(WIRES[:12]))
    await house.logged(12)
    match = await _match(house)
    heard: list[Event] = []
    async with streamed(house, EVENTS, match=match) as stream:
        async for event in stream:
            heard += [event] if event.name else []
            if len(heard) == 7:
                break
    async with streamed(house, EVENTS, match=match, headers={"Last-Event-ID": heard[-1].id or ""}) as stream:
        async for event in stream:
            heard += [event] if event.name else []
            if len(heard) == 12:
                break

    entries = [event.data["data"]["matchEvents"] for event in heard]
    assert [entry["event"]["seq"] for entry in entries] == list(range(1, 13))
    assert [event.id for event in heard] == [entry["cursor"] for entry in entries]


async def test_what_has_one_answer_is_a_stream_of_one(house: RunningHouse) -> None:
    async with streamed(house, "{ viewer { role } }") as stream:
        told = [event async for event in stream]

    assert told == [Event(""), Event("next", {"data": {"viewer": {"role": "ADMIN"}}}), Event("complete")]


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("subscription { nothing }", "BAD_USER_INPUT"),
        ('subscription { matchEvents(matchId: "match_00000000000000000000000000000000") { cursor } }', "NOT_FOUND"),
    ],
)
async def test_what_is_refused_says_so_and_is_complete(house: RunningHouse, operation: str, code: str) -> None:
    async with streamed(house, operation) as stream:
        told = [event async for event in stream]

    assert [event.name for event in told] == ["", "next", "complete"]
    assert [error["extensions"]["code"] for error in told[1].data["errors"]] == [code]


async def test_a_quiet_stream_shows_that_it_is_alive(house: RunningHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEEP_ALIVE_SECONDS", 0.02)
    async with streamed(house, BOARD, mat=house.mat) as stream:
        told = [(await anext(stream)).name]
        while told.count("") < 4 or "next" not in told:
            told.append((await anext(stream)).name)

    assert told.count("next") == 1


async def test_a_stream_ends_soon_after_its_token(
    database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "RECHECK_SECONDS", 0.05)
    async with running_house(database_url, clock=clock) as house:
        made = (await house.execute(CREATE, input={"label": "test", "lifetimeSeconds": 600}))["tokenCreate"]
        secret = {"Authorization": f"Bearer {made['secret']}"}
        async with streamed(house, BOARD, mat=house.mat, headers=secret) as stream:
            await anext(stream)
            await anext(stream)
            clock.move(timedelta(seconds=600))
            told = [event async for event in stream]

    assert [event.name for event in told] == ["next", "complete"]
    assert told[0].data == {
        "errors": [
            {"message": "The token was revoked or has expired.", "extensions": {"code": "UNAUTHENTICATED"}},
        ]
    }


async def test_a_stream_is_cut_soon_after_its_token_opens_something_else(
    database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "RECHECK_SECONDS", 0.05)
    async with running_house(database_url, clock=clock, has_listener=False) as house:
        async with streamed(house, BOARD, mat=house.mat) as stream:
            await anext(stream)
            await anext(stream)
            async with house.house.db.transaction() as tx:
                await tx.execute(update(User).values(role=Role.VIEWER))
            told = [event async for event in stream]
        async with streamed(house, "{ viewer { role } }") as stream:
            again = [event.data async for event in stream if event.data]

    # Without `complete`, so that the client comes back.
    assert told == []
    assert again == [{"data": {"viewer": {"role": "VIEWER"}}}]


async def test_streams_count_as_sockets_do(database_url: str) -> None:
    async with running_house(database_url, sockets_per_token=1) as house:
        async with streamed(house, BOARD, mat=house.mat) as stream:
            await anext(stream)
            answer = await house.http.post(
                "/graphql",
                json={"query": BOARD, "variables": {"mat": house.mat}},
                headers={**house.bearer, "Accept": "text/event-stream"},
            )
        await eventually(lambda: house.house.doorkeeper.socket_count == 0)
        async with streamed(house, "{ viewer { role } }") as again:
            told = [event.name async for event in again]

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")
    assert answer.json()["errors"][0]["extensions"] == {"code": "RATE_LIMITED"}
    assert told == ["", "next", "complete"]


WIDE = "query { " + " ".join(f"a{n}: mats(first: 100) {{ nodes {{ name }} }}" for n in range(20)) + " }"


@asynccontextmanager
async def unread(house: RunningHouse) -> AsyncIterator[None]:
    """A stream whose client has asked for more than the network holds, and does not read."""
    async with house.house.db.transaction() as tx:
        for number in range(100):
            await matches.create_mat(tx, name=f"{number} {'x' * 190}", now=house.house.clock.now())
    body = orjson.dumps({"query": WIDE})
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", house.port))
    head = "".join(f"{name}: {value}\r\n" for name, value in {**house.bearer, "Accept": "text/event-stream"}.items())
    head += f"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    client.send(b"POST /graphql HTTP/1.1\r\n" + head.encode() + body)
    try:
        await eventually(lambda: any(stream.is_waiting for stream in _streams(house)), "a stream that waits")
        yield
    finally:
        client.close()


def _streams(house: RunningHouse) -> list[events.Stream]:
    return [guest for guest in house.house.doorkeeper._guests if isinstance(guest, events.Stream)]


async def test_a_client_that_never_reads_is_let_go(house: RunningHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "STUCK_SECONDS", 0.1)
    async with unread(house):
        await eventually(lambda: house.house.doorkeeper.socket_count == 0, "the end of a stuck stream")

    assert _streams(house) == []


async def test_a_server_that_stops_does_not_wait_for_a_client_that_never_reads(
    database_url: str, clock: ManualClock
) -> None:
    async with running_house(database_url, clock=clock, has_listener=False, drain_seconds=600) as house, unread(house):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await house.stop()

        assert _streams(house) == []


async def test_a_server_that_stops_cuts_streams_without_saying_that_they_are_complete(database_url: str) -> None:
    async with running_house(database_url) as house:
        async with streamed(house, BOARD, mat=house.mat) as stream:
            await anext(stream)
            await anext(stream)
            stopping = asyncio.create_task(house.stop())
            told = [event async for event in stream]
        async with asyncio.timeout(PATIENCE_SECONDS):
            await stopping

    assert told == []


async def test_nobody_streams_without_a_token(house: RunningHouse) -> None:
    answer = await house.http.post("/graphql", json={"query": BOARD}, headers={"Accept": "text/event-stream"})

    assert answer.status_code == 401


async def test_a_client_that_lists_streams_last_gets_json_to_a_query(house: RunningHouse) -> None:
    accept = "application/graphql-response+json, application/json, text/event-stream, multipart/mixed"
    answer = await house.http.post(
        "/graphql", json={"query": "{ viewer { role } }"}, headers={**house.bearer, "Accept": accept}
    )

    assert answer.json() == {"data": {"viewer": {"role": "ADMIN"}}}
