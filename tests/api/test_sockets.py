"""Sockets: who may hold one, for how long, and what comes through it when packets arrive."""

import asyncio
import random
import socket as socket_module
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from sqlmodel import col, update
from websockets.asyncio.client import connect as connect_plainly
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from api import auth
from api.capture import read_capture
from api.replay import replay
from api.transport import line as line_module
from api.transport import sockets
from api.transport.line import FULL_AT, Line
from db.access import operations as access
from db.access.operations import NewToken
from db.access.tables import Token, TokenNode, User
from db.access.viewer import Role
from db.ids import new_id
from db.matches import operations as matches
from db.session import connect
from schema.ids import decode_id
from tests.conftest import ManualClock
from tests.support.captures import FINAL
from tests.support.house import Answered, GraphQLSocket, RunningHouse, eventually, open_socket, running_house
from tests.support.wire import wire_to

WIRES = [message.wire for message in read_capture(FINAL)]

BOARD = """
subscription ($mat: ID!) { scoreboardChanged(matId: $mat) { scoreboard { revision blue { score } red { score } } } }
"""

EVENTS = """
subscription ($match: ID!, $after: String) { matchEvents(matchId: $match, after: $after) { cursor event { seq raw } } }
"""


@pytest.fixture
async def house(database_url: str, clock: ManualClock) -> AsyncIterator[RunningHouse]:
    async with running_house(database_url, clock=clock) as running:
        yield running


async def role(socket: GraphQLSocket) -> str:
    """Ask who one is."""
    async for data in socket.subscribe("{ viewer { role } }"):
        answer: str = data["viewer"]["role"]
    return answer


# Coming in.


async def test_a_token_is_taken_in_each_form(house: RunningHouse) -> None:
    bearer = f"Bearer {house.secret}"
    roles = []
    for payload in ({"token": house.secret}, {"Authorization": bearer}, {"authorization": bearer}):
        async with house.socket() as socket:
            await socket.init(payload)
            roles.append(await role(socket))

    assert roles == ["ADMIN"] * 3


async def test_whoever_has_no_token_is_told_so(house: RunningHouse, caplog: pytest.LogCaptureFixture) -> None:
    needed = 'This needs a token: send `Authorization: Bearer …`, or `{"token": "…"}` in connection_init.'
    reasons: list[tuple[dict[str, Any] | None, str]] = [
        (None, needed),
        ({}, needed),
        ({"token": None}, needed),
        ({"token": 7}, needed),
        ({"token": ["rs"]}, needed),
        ({"Authorization": "Basic YTpi"}, needed),
        ({"token": "x"}, "This is not a token of Ringside: they look like rs_XXXXXXXX_… and are one word."),
        ({"token": f"rs_ABCDEFGH_{'x' * 43}"}, "This token is not known here. `ringside token create` makes one."),
    ]

    answers = []
    for payload, _ in reasons:
        async with house.socket() as socket:
            await socket.send({"type": "connection_init", "payload": payload})
            answers.append((payload, await socket.closed()))

    assert answers == [(payload, (4403, reason)) for payload, reason in reasons]
    assert "Traceback" not in caplog.text


async def test_a_revoked_token_and_one_that_has_expired_are_told_so(house: RunningHouse, clock: ManualClock) -> None:
    revoked = await _token(house)
    expired = await _token(house, lifetimeSeconds=60)
    await house.execute(REVOKE, id=revoked["token"]["id"])
    clock.move(timedelta(seconds=60))

    answers = []
    for secret in (revoked["secret"], expired["secret"]):
        async with house.socket() as socket:
            await socket.send({"type": "connection_init", "payload": {"token": secret}})
            answers.append(await socket.closed())

    assert answers == [
        (4403, "This token was revoked. `ringside token create` makes another."),
        (4403, "This token has expired. `ringside token create` makes another."),
    ]


REVOKE = "mutation ($id: ID!) { tokenRevoke(id: $id) { errors { message } } }"
CREATE = """
mutation ($input: TokenInput!) { tokenCreate(input: $input) { secret token { id } errors { message } } }
"""


async def _token(house: RunningHouse, **given: Any) -> dict[str, Any]:
    made = (await house.execute(CREATE, input={"label": "test", **given}))["tokenCreate"]
    assert made["errors"] == []
    found: dict[str, Any] = made
    return found


async def test_an_overlays_socket_watches_its_mat_and_nothing_else(house: RunningHouse) -> None:
    secret = (await _token(house, nodeIds=[house.mat]))["secret"]
    await house.send("\n".join(WIRES[:12]))
    await house.logged(12)

    async with house.socket() as socket:
        await socket.init({"token": secret})
        shown = await anext(socket.subscribe(BOARD, mat=house.mat))
        number = await socket.begin('mutation { matCreate(input: {name: "x"}) { mat { id } } }')
        refused = await socket.receive()

    assert shown == {"scoreboardChanged": {"scoreboard": _board(1, 0, 0)}}
    assert refused["id"] == number
    errors = refused["payload"] if refused["type"] == "error" else refused["payload"]["errors"]
    assert [error["extensions"]["code"] for error in errors] == ["FORBIDDEN"]


async def test_who_subscribes_before_introducing_himself_is_closed(house: RunningHouse) -> None:
    async with house.socket() as socket:
        await socket.begin(BOARD, mat=house.mat)

        assert await socket.closed() == (4401, "Unauthorized")


async def test_who_never_introduces_himself_is_closed(database_url: str) -> None:
    async with running_house(database_url, socket_init_seconds=0.05) as house, house.socket() as socket:
        assert await socket.closed() == (4408, "Connection initialisation timeout")


async def test_who_introduces_himself_twice_is_closed(house: RunningHouse) -> None:
    async with house.admitted() as socket:
        await socket.send({"type": "connection_init", "payload": {"token": house.secret}})

        assert await socket.closed() == (4429, "Too many initialisation requests")


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
async def test_a_database_that_is_away_is_not_taken_for_a_bad_token(database_url: str) -> None:
    async with wire_to(database_url) as (wire, url), running_house(url, drain_seconds=1) as house:
        wire.cut()
        async with house.socket() as socket:
            await socket.send({"type": "connection_init", "payload": {"token": house.secret}})
            code, reason = await socket.closed()
        wire.mend()

    assert code == 1013
    assert reason.startswith("The database does not answer.")


# Being let go.


@pytest.mark.parametrize("way", ["mutation", "another process", "expiry"])
async def test_a_socket_ends_soon_after_its_token(
    database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(auth, "RECHECK_SECONDS", 0.05)
    async with running_house(database_url, clock=clock) as house, house.admitted() as other:
        made = await _token(house, lifetimeSeconds=600)
        async with house.socket() as socket:
            await socket.init({"token": made["secret"]})
            await anext(socket.subscribe(BOARD, mat=house.mat))
            if way == "mutation":
                await house.execute(REVOKE, id=made["token"]["id"])
            elif way == "expiry":
                clock.move(timedelta(seconds=600))
            else:
                await _revoke_elsewhere(database_url, made["token"]["id"], clock)

            assert await socket.closed() == (4403, "The token was revoked or has expired.")
        # Nobody else is let go, and nothing is left behind.
        assert await role(other) == "ADMIN"
        await eventually(lambda: house.house.doorkeeper.socket_count == 1)
        await eventually(lambda: house.house.db.bus.listener_count == 0)


async def _revoke_elsewhere(database_url: str, token: str, clock: ManualClock) -> None:
    db = await connect(database_url, pool_size=1)
    async with db.transaction() as tx:
        revoked = update(Token).where(col(Token.id) == decode_id(token, kind="token"))
        await tx.execute(revoked.values(revoked_at=clock.now()))
    await db.close()


@pytest.mark.parametrize("what", ["role", "nodes"])
async def test_a_socket_ends_soon_after_its_token_opens_something_else(
    database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(auth, "RECHECK_SECONDS", 0.05)
    async with running_house(database_url, clock=clock, has_listener=False) as house, house.admitted() as other:
        made = await _token_of(house, clock)
        async with house.socket() as socket, house.socket() as same:
            for one in (socket, same):
                await one.init({"token": made.secret})
                await anext(one.subscribe(BOARD, mat=house.mat))
            async with house.house.db.transaction() as tx:
                if what == "role":
                    changed = update(User).where(col(User.id) == made.token.user_id).values(role=Role.OPERATOR)
                else:
                    changed = update(TokenNode).where(col(TokenNode.token_id) == made.token.id).values(node_id=new_id())
                await tx.execute(changed)

            assert [await one.closed() for one in (socket, same)] == [
                (4443, "What this token may do has changed: connect again.")
            ] * 2
        # Whoever comes back at once is who he is by now, and nobody else was let go.
        async with house.socket() as again:
            await again.init({"token": made.secret})
            number = await again.begin(BOARD, mat=house.mat)
            answer = await again.receive()
        assert (answer["type"], answer["id"]) == ("next" if what == "role" else "error", number)
        assert await role(other) == "ADMIN"


async def _token_of(house: RunningHouse, clock: ManualClock) -> NewToken:
    """A token of a member's, for an overlay of the mat."""
    async with house.house.db.transaction() as tx:
        user = await access.create_user(tx, name="ann", role=Role.MEMBER, now=clock.now())
        return await access.create_token(tx, user_id=user.id, label="x", nodes=[house.mat_id], now=clock.now())


async def test_an_overlays_token_watches_so_many_things_and_no_more(database_url: str, clock: ManualClock) -> None:
    async with running_house(database_url, clock=clock, has_listener=False, topics_per_overlay=2) as house:
        made = await _token_of(house, clock)
        boards = [BOARD.replace("revision", name) for name in ("round", "phase", "number")]
        async with house.socket() as first, house.socket() as second:
            for socket in (first, second):
                await socket.init({"token": made.secret})
            told = []
            for socket, board in [(first, 0), (first, 1), (second, 0), (second, 2)]:
                await socket.begin(boards[board], mat=house.mat)
                told.append((await socket.receive())["type"])
            # What is watched no more makes room.
            await first.send({"type": "complete", "id": "2"})
            await eventually(lambda: house.house.db.bus.listener_count == 1)
            await second.begin(boards[2], mat=house.mat)
            told.append((await second.receive())["type"])
        await eventually(lambda: house.house.db.bus.listener_count == 0)

    assert told == ["next", "next", "next", "error", "next"]


async def test_a_socket_whose_client_is_gone_keeps_nobody_else_from_being_let_go(
    database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "RECHECK_SECONDS", 0.05)
    async with running_house(database_url, clock=clock) as house:
        made = await _token(house)
        async with house.socket() as first, house.socket() as second, house.socket() as third:
            for socket in (first, second, third):
                await socket.init({"token": made["secret"]})
            await house.execute(REVOKE, id=made["token"]["id"])
            first.kill()

            assert await second.closed() == (4403, "The token was revoked or has expired.")
            assert await third.closed() == (4403, "The token was revoked or has expired.")
        keeper = next(one for one in house.house.supervisor.health() if one.name == "doorkeeper")
        assert (keeper.state, keeper.restarts) == ("running", 0)


# What comes through.


async def test_a_point_sent_over_udp_comes_through_the_socket(house: RunningHouse) -> None:
    await house.send("\n".join(WIRES[:12]))
    await house.logged(12)
    async with house.admitted() as socket:
        shown = socket.subscribe(BOARD, mat=house.mat)
        before = await anext(shown)
        await house.send("sc1;3;sc2;0", "pt1;3")
        after = await anext(shown)

    assert [before, after] == [
        {"scoreboardChanged": {"scoreboard": _board(1, 0, 0)}},
        {"scoreboardChanged": {"scoreboard": _board(2, 3, 0)}},
    ]


async def test_a_socket_is_not_hurt_by_an_operation_that_is(house: RunningHouse) -> None:
    async with house.admitted() as socket:
        number = await socket.begin('subscription { matchEvents(matchId: "x") { cursor } }')
        refused = await socket.receive()
        ping = {"type": "ping", "payload": {"at": 7}}
        await socket.send(ping)
        answered = await socket.receive()

        assert await role(socket) == "ADMIN"

    assert (refused["id"], refused["type"]) == (number, "error")
    assert [error["extensions"]["code"] for error in refused["payload"]] == ["BAD_USER_INPUT"]
    assert answered == {"type": "pong"}


async def test_a_follower_whose_socket_is_killed_again_and_again_hears_the_log_exactly(house: RunningHouse) -> None:
    assert house.listener is not None
    await house.send("\n".join(WIRES[:12]))
    await house.logged(12)
    data = await house.execute("query ($mat: ID!) { mat(id: $mat) { currentMatch { id } } }", mat=house.mat)
    rest = read_capture(FINAL)[12:]
    port = await house.listener.wait_until_bound()
    replaying = asyncio.create_task(replay(rest, ("127.0.0.1", port), speed=500))

    heard: list[tuple[int, str]] = []
    cursor: str | None = None
    lives = 0
    while len(heard) < len(WIRES):
        lives += 1
        life = random.randint(1, 60)  # noqa: S311 -- chance, not a secret
        async with house.admitted() as socket:
            feed = socket.subscribe(EVENTS, match=data["mat"]["currentMatch"]["id"], after=cursor)
            for _ in range(min(life, len(WIRES) - len(heard))):
                message = (await anext(feed))["matchEvents"]
                cursor = message["cursor"]
                heard.append((message["event"]["seq"], message["event"]["raw"]))
            socket.kill()
    await replaying

    assert heard == list(enumerate(WIRES, start=1))
    assert lives > 3
    await eventually(lambda: house.house.doorkeeper.socket_count == 0)
    await eventually(lambda: house.house.db.bus.listener_count == 0)


# What nobody should send.


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
    assert [message["payload"]["data"]["scoreboardChanged"]["scoreboard"] for message in after] == [_board(2, 3, 0)] * 2


# What nobody may have too much of.


async def test_a_token_holds_as_many_sockets_as_it_may_and_no_more(database_url: str) -> None:
    async with running_house(database_url, sockets_per_token=2, sockets_per_overlay=1) as house:
        overlay = (await _token(house, nodeIds=[house.mat]))["secret"]
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
        await eventually(lambda: line.is_full and not reading.is_reading(), "a line that is full")
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


def _board(revision: int, blue: int, red: int) -> dict[str, Any]:
    return {"revision": revision, "blue": {"score": blue}, "red": {"score": red}}


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
