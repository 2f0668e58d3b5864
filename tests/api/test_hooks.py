"""The webhook door: signed calls count once, and others are refused without a hint."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from sqlmodel import select
from starlette.applications import Starlette

from api.hooks import Hooks
from db.connecting import connect
from db.database import Database
from db.ids import new_id
from db.sealing import Sealer, is_sealed
from db.streams import source_operations
from db.streams.sources import sign
from db.streams.tables import Stream, StreamGoal, StreamSource
from db.streams.vocabulary import StreamGoalKind, StreamSourceKind
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.streaming import FRAMES, TOTALS, frame, make_goal, make_goal_of_each_kind, make_source, make_stream

COINS = b'{"kind": "COINS", "amount": 5, "viewer": {"id": "7", "name": "Ann"}}'
UNSIGNED = {"error": {"code": "UNAUTHENTICATED", "message": "This call is not signed with the secret of this source."}}


@pytest.fixture
async def client(db: Database, clock: ManualClock) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=Hooks(db, clock).routes())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture
async def stream(db: Database, clock: ManualClock) -> Stream:
    return await make_stream(db, clock.now())


@pytest.fixture
async def source(db: Database, stream: Stream, clock: ManualClock) -> StreamSource:
    return await make_source(db, stream, clock.now(), kind=StreamSourceKind.WEBHOOK, name="Deck")


def signed(
    source: StreamSource, clock: ManualClock, body: bytes, call_id: str = "1", *, age: int = 0
) -> dict[str, str]:
    timestamp = str(int(clock.now().timestamp()) - age)
    assert source.secret is not None
    return {
        "webhook-id": call_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,bm90IHRoaXM= {sign(source.secret, call_id, timestamp, body)}",
    }


def path(source: StreamSource) -> str:
    return f"/hooks/stream/{encode_id('streamsource', source.id)}"


async def counts(db: Database, **goals: Any) -> dict[str, int]:
    async with db.read() as session:
        found = {goal.id: goal.current for goal in await session.rows(select(StreamGoal))}
    return {kind: found[goal_id] for kind, goal_id in goals.items()}


async def test_a_signed_call_counts_once_however_often_it_is_made(
    client: httpx.AsyncClient, db: Database, stream: Stream, source: StreamSource, clock: ManualClock
) -> None:
    goal = await make_goal(db, stream, clock.now(), StreamGoalKind.COINS)

    answers = [
        await client.post(path(source), content=COINS, headers=signed(source, clock, COINS, call_id))
        for call_id in ("1", "1", "2")
    ]

    assert [answer.json() for answer in answers] == [
        {"counted": 1, "duplicates": 0, "ignored": 0},
        {"counted": 0, "duplicates": 1, "ignored": 0},
        {"counted": 1, "duplicates": 0, "ignored": 0},
    ]
    assert await counts(db, COINS=goal.id) == {"COINS": 10}


async def test_frames_that_are_pushed_and_heard_as_well_count_once(
    client: httpx.AsyncClient, db: Database, stream: Stream, source: StreamSource, clock: ManualClock
) -> None:
    goals = await make_goal_of_each_kind(db, stream, clock.now())

    for _ in range(2):
        for number, one in enumerate(FRAMES):
            body = one.encode()
            await client.post(path(source), content=body, headers=signed(source, clock, body, str(number)))

    assert await counts(db, **goals) == TOTALS


async def test_a_call_that_is_marked_as_a_test_counts_nothing(
    client: httpx.AsyncClient, db: Database, stream: Stream, source: StreamSource, clock: ManualClock
) -> None:
    goal = await make_goal(db, stream, clock.now(), StreamGoalKind.COINS)
    body = b'{"kind": "COINS", "amount": 500, "isTest": true}'

    answer = await client.post(path(source), content=body, headers=signed(source, clock, body))

    assert answer.status_code == 200
    assert await counts(db, COINS=goal.id) == {"COINS": 0}


async def test_a_call_that_is_not_signed_is_refused(
    client: httpx.AsyncClient, db: Database, stream: Stream, source: StreamSource, clock: ManualClock
) -> None:
    goal = await make_goal(db, stream, clock.now(), StreamGoalKind.COINS)
    spoilt = [
        {"webhook-signature": ""},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "\xff"},
        {"webhook-id": "2"},
        {"webhook-id": ""},
        {"webhook-timestamp": "0"},
        {"webhook-timestamp": "soon"},
    ]

    answers = []
    for spoil in spoilt:
        headers = {**signed(source, clock, COINS), **spoil}.items()
        given = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        answers.append(await client.post(path(source), content=COINS, headers=given))

    assert [(answer.status_code, answer.json()) for answer in answers] == [(401, UNSIGNED)] * len(spoilt)
    assert await counts(db, COINS=goal.id) == {"COINS": 0}


async def test_an_old_call_is_refused(client: httpx.AsyncClient, source: StreamSource, clock: ManualClock) -> None:
    answers = [
        await client.post(path(source), content=COINS, headers=signed(source, clock, COINS, age=age))
        for age in (301, -301, 299)
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 200]


async def test_whoever_cannot_sign_does_not_learn_whether_there_is_such_a_source(
    client: httpx.AsyncClient, source: StreamSource
) -> None:
    there = await client.post(path(source), content=COINS)
    not_there = await client.post(f"/hooks/stream/{encode_id('streamsource', new_id())}", content=COINS)

    assert (there.status_code, there.json()) == (not_there.status_code, not_there.json()) == (401, UNSIGNED)


async def test_what_cannot_be_read_is_refused_with_the_reason(
    client: httpx.AsyncClient, source: StreamSource, clock: ManualClock
) -> None:
    bodies = [
        b"",
        b"[]",
        b"{}",
        b'{"kind": "POINTS", "amount": 1}',
        b'{"kind": "COINS"}',
        b'{"kind": "COINS", "amount": -1}',
        b'{"kind": "COINS", "amount": 1.5}',
        b'{"kind": "COINS", "amount": 1, "isTest": "no"}',
        b'{"event": "gift", "data": {"userId": "1"}}',
        b"\xff",
    ]

    answers = [
        await client.post(path(source), content=body, headers=signed(source, clock, body, f"{number}"))
        for number, body in enumerate(bodies)
    ]

    assert [answer.status_code for answer in answers] == [400] * len(bodies)
    messages = [answer.json()["error"]["message"] for answer in answers]
    assert [message for message in messages if not message.startswith("Deck cannot be read: ")] == []


async def test_a_source_that_is_off_or_has_another_secret_takes_no_calls(
    client: httpx.AsyncClient, db: Database, source: StreamSource, clock: ManualClock
) -> None:
    headers = signed(source, clock, COINS)
    async with db.transaction() as tx:
        await source_operations.enable_source(tx, source.id, is_enabled=False, viewer=None)
    off = await client.post(path(source), content=COINS, headers=headers)
    async with db.transaction() as tx:
        await source_operations.enable_source(tx, source.id, is_enabled=True, viewer=None)
        await source_operations.rotate_secret(tx, source.id, viewer=None)
    old = await client.post(path(source), content=COINS, headers=headers)

    assert (off.status_code, old.status_code) == (409, 401)


async def test_calls_are_checked_with_a_secret_that_is_sealed(database_url: str, clock: ManualClock) -> None:
    db = await connect(database_url, pool_size=2, sealer=Sealer("a key"))
    stream = await make_stream(db, clock.now())
    async with db.transaction() as tx:
        made = await source_operations.create_source(
            tx, stream.id, kind=StreamSourceKind.WEBHOOK, changes={"name": "Deck"}, viewer=None, now=clock.now()
        )
    await db.close()

    answers = []
    for key in ("a key", "another", None):
        db = await connect(database_url, pool_size=2, sealer=Sealer(key))
        app = Starlette(routes=Hooks(db, clock).routes())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8000") as client:
            headers = signed(made.source._replace(secret=made.secret), clock, COINS)  # type: ignore[attr-defined]  # a light row
            answers.append(await client.post(path(made.source), content=COINS, headers=headers))
        await db.close()

    assert is_sealed(made.source.secret)
    assert [answer.status_code for answer in answers] == [200, 503, 503]


@pytest.mark.parametrize("target", ["/hooks/stream/", "/hooks/stream/nonsense", "/hooks/stream/match_00"])
async def test_there_is_nothing_else(client: httpx.AsyncClient, target: str) -> None:
    assert (await client.post(target, content=COINS)).status_code == 404


async def test_a_socket_of_our_own_is_not_called(
    client: httpx.AsyncClient, db: Database, stream: Stream, clock: ManualClock
) -> None:
    listened_to = await make_source(db, stream, clock.now())
    body = frame("follow").encode()

    assert (await client.post(path(listened_to), content=body)).status_code == 401
    assert orjson.loads(body)["event"] == "follow"
