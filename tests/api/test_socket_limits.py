"""Sockets that nobody may have too much of: their number, what they send, and what they leave unread."""

import asyncio
import socket as socket_module
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from websockets.exceptions import InvalidStatus

from api.capture import read_capture
from api.transport import line as line_module
from api.transport import sockets
from api.transport.line import FULL_AT, Line
from db.access import operations as access
from db.matches import operations as matches
from tests.api.on_sockets import new_token, role
from tests.conftest import ManualClock
from tests.support.captures import FINAL
from tests.support.house import Answered, GraphQLSocket, RunningHouse, eventually, running_house

WIRES = [message.wire for message in read_capture(FINAL)]


BOARD = """
subscription ($mat: ID!) { scoreboardChanged(matId: $mat) { scoreboard { revision blue { score } red { score } } } }
"""


@pytest.fixture
async def house(database_url: str, clock: ManualClock) -> AsyncIterator[RunningHouse]:
    async with running_house(database_url, clock=clock) as running:
        yield running


async def test_a_token_holds_as_many_sockets_as_it_may_and_no_more(database_url: str) -> None:
    async with running_house(database_url, sockets_per_token=2, sockets_per_overlay=1) as house:
        overlay = (await new_token(house, nodeIds=[house.mat]))["secret"]
        closed = []
        for secret, most in ((house.secret, 2), (overlay, 1)):
            async with AsyncExitStack() as stack:
                for _ in range(most):
                    held = await stack.enter_async_context(house.socket())
                    await held.init({"token": secret})
                one_more = await stack.enter_async_context(house.socket())
                await one_more.send({"type": "connection_init", "payload": {"token": secret}})
                closed.append(await one_more.closed())
        # Those that left made room.
        await eventually(lambda: house.house.doorkeeper.socket_count == 0)
        async with house.admitted() as again:
            assert await role(again) == "ADMIN"

    assert closed == [
        (4441, "This token holds 2 sockets already, which is as many as it may."),
        (4441, "This token holds 1 sockets already, which is as many as it may."),
    ]


async def test_an_address_opens_as_many_sockets_as_it_may_and_no_more(database_url: str) -> None:
    async with running_house(database_url, sockets_per_address=2) as house:
        async with house.socket(), house.socket():
            with pytest.raises(InvalidStatus) as refused:
                async with house.socket():
                    pass
        async with house.admitted() as again:
            assert await role(again) == "ADMIN"

    assert refused.value.response.status_code == 429
    assert refused.value.response.headers["Retry-After"] == "10"


async def test_a_socket_that_sends_too_much_is_closed_and_the_others_are_not(database_url: str) -> None:
    async with running_house(database_url, messages_per_second=5) as house, house.admitted() as other:
        async with house.admitted() as socket:
            for _ in range(40):
                await socket.send({"type": "ping"})

            assert await socket.closed() == (4442, "Too many messages: send fewer in a second.")
        assert await role(other) == "ADMIN"


NAMES = "query { " + " ".join(f"a{n}: mats(first: 100) {{ nodes {{ name }} }}" for n in range(10)) + " }"


@asynccontextmanager
async def deaf(house: RunningHouse) -> AsyncIterator[GraphQLSocket]:
    """A socket whose client has asked for more than the network holds, and does not read."""
    now = house.house.clock.now()
    async with house.house.db.transaction() as tx:
        for number in range(60):
            await matches.create_mat(tx, name=f"{number} {'x' * 150}", now=now)
    connection = socket_module.socket()
    connection.setsockopt(socket_module.SOL_SOCKET, socket_module.SO_RCVBUF, 4096)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", house.port))
    async with house.socket(sock=connection, max_queue=1) as opened:
        await opened.init({"token": house.secret})
        await anext(opened.subscribe(BOARD, mat=house.mat))
        # The network holds little as well, however fast it is, so that the line stays full once it is.
        (line,) = _lines(house)
        line.transport.get_extra_info("socket").setsockopt(socket_module.SOL_SOCKET, socket_module.SO_SNDBUF, 4096)
        for _ in range(10):
            await opened.begin(NAMES)
        reading = opened.connection.transport
        # A client that nobody has patience with may be let go before we look.
        await eventually(lambda: line.close_sent or (line.is_full and not reading.is_reading()), "a line that is full")
        yield opened
        opened.kill()


def _lines(house: RunningHouse) -> list[Line]:
    return [guest.line for guest in house.house.doorkeeper._guests if isinstance(guest, sockets.Socket)]


async def test_a_client_that_does_not_read_slows_nobody_and_holds_little(house: RunningHouse) -> None:
    await house.send("\n".join(WIRES[:12]))
    await house.logged(12)
    async with deaf(house) as slow, house.admitted() as quick:
        shown = quick.subscribe(BOARD, mat=house.mat)
        scores = [(await anext(shown))["scoreboardChanged"]["scoreboard"]["blue"]["score"]]
        for points in range(1, 11):
            await house.send(f"sc1;{points};sc2;0", "pt1;1")
            scores.append((await anext(shown))["scoreboardChanged"]["scoreboard"]["blue"]["score"])
        waiting = max(line.transport.get_write_buffer_size() for line in _lines(house))
        # When it reads again, it is shown how it stands, and nothing of what was in between.
        boards: list[int] = []
        while not boards or boards[-1] != 10:
            message = await slow.receive()
            if message["type"] == "next" and "scoreboardChanged" in message["payload"]["data"]:
                boards.append(message["payload"]["data"]["scoreboardChanged"]["scoreboard"]["blue"]["score"])

    assert scores == list(range(11))
    assert boards == [10]
    # One answer of a hundred kilobytes, and not ten of them.
    assert waiting < FULL_AT + 110_000


async def test_a_client_that_never_reads_is_let_go_and_told_why(
    house: RunningHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_module, "STUCK_SECONDS", 0.1)
    # He is to read what he was told, however slow this machine is.
    monkeypatch.setattr(line_module, "_CLOSING_SECONDS", 60.0)
    async with deaf(house) as stuck:
        await eventually(lambda: house.house.doorkeeper.socket_count == 0, "the end of a stuck socket")

        assert await stuck.closed() == (4440, "What is sent to you was not read for 0 seconds.")
    await eventually(lambda: house.house.db.bus.listener_count == 0)


async def test_a_server_that_stops_says_1012(database_url: str) -> None:
    async with running_house(database_url) as house, AsyncExitStack() as stack:
        silent = await stack.enter_async_context(house.socket())
        admitted = await stack.enter_async_context(house.admitted())
        await house.stop()

        assert [(await silent.closed())[0], (await admitted.closed())[0]] == [1012, 1012]


async def test_a_token_that_was_used_is_remembered_to_the_hour(house: RunningHouse, clock: ManualClock) -> None:
    async with house.admitted():
        pass

    async with house.house.db.read() as session:
        tokens = [token for token, _ in await access.list_tokens(session)]

    assert [token.last_used_at for token in tokens] == [clock.now().replace(minute=0, second=0, microsecond=0)]


async def test_a_kill_is_seen_by_the_client(house: RunningHouse) -> None:
    async with house.admitted() as socket:
        socket.kill()
        with pytest.raises(Answered):
            await socket.receive()
