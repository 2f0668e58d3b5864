"""Sockets: who may hold one, for how long, and what comes through it when packets arrive."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, update

from api import auth
from api.capture import read_capture
from api.replay import replay
from db.access import operations as access
from db.access.operations import NewToken
from db.access.tables import Token, TokenNode, User
from db.access.viewer import Role
from db.connecting import connect
from db.ids import new_id
from schema.ids import decode_id
from tests.api.on_sockets import expected_board, new_token, role
from tests.conftest import ManualClock
from tests.support.captures import FINAL
from tests.support.house import RunningHouse, eventually, running_house
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
    revoked = await new_token(house)
    expired = await new_token(house, lifetimeSeconds=60)
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


async def test_an_overlays_socket_watches_its_mat_and_nothing_else(house: RunningHouse) -> None:
    secret = (await new_token(house, nodeIds=[house.mat]))["secret"]
    await house.send("\n".join(WIRES[:12]))
    await house.logged(12)

    async with house.socket() as socket:
        await socket.init({"token": secret})
        shown = await anext(socket.subscribe(BOARD, mat=house.mat))
        number = await socket.begin('mutation { matCreate(input: {name: "x"}) { mat { id } } }')
        refused = await socket.receive()

    assert shown == {"scoreboardChanged": {"scoreboard": expected_board(1, 0, 0)}}
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
        made = await new_token(house, lifetimeSeconds=600)
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
        made = await new_token(house)
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
        {"scoreboardChanged": {"scoreboard": expected_board(1, 0, 0)}},
        {"scoreboardChanged": {"scoreboard": expected_board(2, 3, 0)}},
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
