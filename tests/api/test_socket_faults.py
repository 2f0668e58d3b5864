"""What nobody should send over a socket."""

from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import pytest
from websockets.asyncio.client import connect as connect_plainly
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from api.capture import read_capture
from api.transport import sockets
from tests.api.on_sockets import expected_board, role
from tests.conftest import ManualClock
from tests.support.captures import FINAL
from tests.support.house import RunningHouse, eventually, open_socket, running_house

WIRES = [message.wire for message in read_capture(FINAL)]


BOARD = """
subscription ($mat: ID!) { scoreboardChanged(matId: $mat) { scoreboard { revision blue { score } red { score } } } }
"""


@pytest.fixture
async def house(database_url: str, clock: ManualClock) -> AsyncIterator[RunningHouse]:
    async with running_house(database_url, clock=clock) as running:
        yield running


NO_MESSAGES = [
    "[]",
    "7",
    "null",
    '"connection_init"',
    "{",
    "",
    "NaN",
    '{"type": NaN}',
    "[" * 2000,
    "{}",
    '{"type": "nonsense"}',
    '{"type": ["connection_init"]}',
    '{"type": "connection_init", "payload": []}',
    '{"type": "connection_init", "payload": "rs"}',
    '{"type": "complete"}',
    '{"type": "complete", "id": []}',
]


NO_OPERATIONS: list[object] = [
    {"type": "subscribe"},
    {"type": "subscribe", "id": "1"},
    {"type": "subscribe", "id": "1", "payload": None},
    {"type": "subscribe", "id": "1", "payload": []},
    {"type": "subscribe", "id": "1", "payload": "{ viewer { role } }"},
    {"type": "subscribe", "id": "1", "payload": {}},
    {"type": "subscribe", "id": "1", "payload": {"query": None}},
    {"type": "subscribe", "id": "1", "payload": {"query": 7}},
    {"type": "subscribe", "id": "1", "payload": {"query": "{ viewer { role } }", "variables": []}},
    {"type": "subscribe", "id": "1", "payload": {"query": "{ viewer { role } }", "operationName": 7}},
    {"type": "subscribe", "id": [], "payload": {"query": "{ viewer { role } }"}},
    {"type": "subscribe", "id": {}, "payload": {"query": "{ viewer { role } }"}},
    {"type": "complete", "id": {}},
]


async def test_a_message_that_is_none_closes_the_socket_and_leaves_no_traceback(
    house: RunningHouse, caplog: pytest.LogCaptureFixture
) -> None:
    answers = []
    for message in NO_MESSAGES:
        async with house.socket() as socket:
            await socket.send(message)
            answers.append((message, (await socket.closed())[0]))

    assert answers == [(message, 4400) for message in NO_MESSAGES]
    assert "Traceback" not in caplog.text


async def test_an_operation_that_is_none_closes_the_socket_and_leaves_no_traceback(
    house: RunningHouse, caplog: pytest.LogCaptureFixture
) -> None:
    answers = []
    for message in NO_OPERATIONS:
        async with house.admitted() as socket:
            await socket.send(message)
            answers.append((message, (await socket.closed())[0]))

    assert answers == [(message, 4400) for message in NO_OPERATIONS]
    assert "Traceback" not in caplog.text


async def test_a_message_of_bytes_closes_the_socket(house: RunningHouse, caplog: pytest.LogCaptureFixture) -> None:
    async with house.socket() as socket:
        await socket.connection.send(b'{"type": "connection_init"}')

        assert await socket.closed() == (4400, "WebSocket message type must be text")
    assert "Traceback" not in caplog.text


async def test_a_message_that_is_too_long_closes_the_socket(house: RunningHouse) -> None:
    async with house.admitted() as socket:
        await socket.send({"type": "ping", "payload": {"x": "x" * 70_000}})

        assert (await socket.closed())[0] == 1009


async def test_other_protocols_are_refused(house: RunningHouse) -> None:
    answers = []
    for protocols in (["graphql-ws"], ["soap"], []):
        async with house.socket(protocols=protocols) as socket:
            answers.append(await socket.closed())

    assert answers == [(4406, "Subprotocol not acceptable")] * 3


async def test_a_page_from_elsewhere_opens_no_socket(house: RunningHouse) -> None:
    statuses = []
    for origin in ("https://evil.example", "null", "file://", "http://127.0.0.1:1"):
        with pytest.raises(InvalidStatus) as refused:
            async with house.socket(origin=origin):
                pass
        statuses.append(refused.value.response.status_code)

    assert statuses == [403] * 4


async def test_our_own_page_opens_a_socket(house: RunningHouse) -> None:
    async with house.socket(origin=house.url) as socket:
        await socket.init({"token": house.secret})


async def test_a_foreign_host_opens_no_socket(house: RunningHouse) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with open_socket("ws://evil.example/graphql", host="127.0.0.1", port=house.port):
            pass

    assert refused.value.response.status_code == 400


async def test_a_socket_holds_as_many_operations_as_it_may_and_no_more(database_url: str) -> None:
    async with running_house(database_url, operations_per_socket=2) as house, house.admitted() as socket:
        for _ in range(2):
            await socket.begin(BOARD, mat=house.mat)
        first = [await socket.receive(), await socket.receive()]
        number = await socket.begin(BOARD, mat=house.mat)
        refused = await socket.receive()

    assert [message["type"] for message in first] == ["next", "next"]
    assert refused == {
        "id": number,
        "type": "error",
        "payload": [{"message": "A socket holds 2 operations.", "extensions": {"code": "RATE_LIMITED"}}],
    }


async def test_every_fault_of_the_protocol_has_its_code(house: RunningHouse) -> None:
    init = {"type": "connection_init", "payload": {"token": house.secret}}
    board = {"type": "subscribe", "id": "1", "payload": {"query": BOARD, "variables": {"mat": house.mat}}}
    said: list[tuple[list[Any], int, str]] = [
        ([{"type": "subscribe", "id": "1", "payload": {"query": "{ viewer { role } }"}}], 4401, "Unauthorized"),
        ([init, init], 4429, "Too many initialisation requests"),
        ([init, board, board], 4409, "Subscriber for 1 already exists"),
        ([init, {"type": "next", "id": "1"}], 4400, "A message has a `type`, one of those that clients send."),
        ([init, {**board, "id": ""}], 4400, "An operation has an `id`, a string of 1 to 256 characters."),
        ([init, {**board, "id": "x" * 257}], 4400, "An operation has an `id`, a string of 1 to 256 characters."),
        ([init, {"type": "ping", "payload": 1}], 4400, "The `payload` of ping is an object."),
    ]

    answers = []
    for messages, _, _ in said:
        async with house.socket() as socket:
            for message in messages:
                await socket.send(message)
            answers.append((messages, *await socket.closed()))

    assert answers == said


async def test_a_bug_ends_its_socket_with_4500_and_a_number_that_is_in_the_log(
    house: RunningHouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a secret")

    async with house.admitted() as socket, house.admitted() as other:
        with monkeypatch.context() as patch:
            patch.setattr(sockets.Operation, "begin", broken)
            await socket.begin(BOARD, mat=house.mat)
            code, reason = await socket.closed()
        assert await role(other) == "ADMIN"

    assert (code, reason[:17]) == (4500, "Unexpected error ")
    assert reason[17:-1] in caplog.text


async def test_a_document_that_is_wrong_ends_its_operation_alone(house: RunningHouse) -> None:
    wrong = [
        "subscription {",
        "subscription { nothing }",
        "query A { mats { totalCount } } query B { mats { totalCount } }",
    ]
    async with house.admitted() as socket:
        answers = []
        for operation in wrong:
            number = await socket.begin(operation)
            message = await socket.receive()
            answers.append((message["id"] == number, message["type"], message["payload"][0]["extensions"]["code"]))

        assert await role(socket) == "ADMIN"

    assert answers == [(True, "error", "BAD_USER_INPUT")] * 3


async def test_an_operation_may_be_named_instead_of_sent(house: RunningHouse) -> None:
    text = "{ viewer { role } }"
    named = {"persistedQuery": {"version": 1, "sha256Hash": sha256(text.encode()).hexdigest()}}
    said = []
    async with house.admitted() as socket:
        for payload in ({"extensions": named}, {"query": text, "extensions": named}, {"extensions": named}):
            await socket.send({"type": "subscribe", "id": "1", "payload": payload})
            said.append(await socket.receive())
            if said[-1]["type"] == "next":
                assert await socket.receive() == {"id": "1", "type": "complete"}

    assert [message["type"] for message in said] == ["error", "next", "next"]
    assert said[0]["payload"][0]["message"] == "PersistedQueryNotFound"
    assert said[2]["payload"] == {"data": {"viewer": {"role": "ADMIN"}}}


async def test_nothing_is_compressed(house: RunningHouse) -> None:
    async with connect_plainly(
        f"ws://127.0.0.1:{house.port}/graphql", subprotocols=[Subprotocol("graphql-transport-ws")], proxy=None
    ) as connection:
        assert connection.request is not None
        assert connection.response is not None
        assert "permessage-deflate" in connection.request.headers["Sec-WebSocket-Extensions"]
        assert "Sec-WebSocket-Extensions" not in connection.response.headers


async def test_an_operation_that_was_completed_is_heard_no_more_and_its_id_is_free(house: RunningHouse) -> None:
    await house.send("\n".join(WIRES[:12]))
    await house.logged(12)
    async with house.admitted() as socket:
        board = {"type": "subscribe", "id": "a", "payload": {"query": BOARD, "variables": {"mat": house.mat}}}
        await socket.send(board)
        assert (await socket.receive())["id"] == "a"
        await socket.send({"type": "complete", "id": "a"})
        await socket.send({"type": "complete", "id": "never begun"})
        await eventually(lambda: house.house.db.bus.listener_count == 0)
        await house.send("sc1;3;sc2;0", "pt1;3")
        await house.logged(14)
        await socket.send({**board, "id": "b"})
        await socket.send({**board, "id": "a"})
        after = [await socket.receive(), await socket.receive()]

    assert sorted(message["id"] for message in after) == ["a", "b"]
    assert [message["payload"]["data"]["scoreboardChanged"]["scoreboard"] for message in after] == [
        expected_board(2, 3, 0)
    ] * 2
