"""Rates: how often somebody may do what he may do, and that nobody else is held up by him."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from api.transport.buckets import Buckets
from tests.conftest import ManualClock
from tests.support.house import RunningHouse, eventually, running_house
from tests.support.requests import HEAD, send

# A request after which nobody holds on to the connection.
ONCE = HEAD + b"Connection: close\r\n\r\n"
ROLE = "{ viewer { role } }"
ANOTHER = 'mutation { tokenCreate(input: {label: "another"}) { secret } }'


@pytest.fixture
async def house(database_url: str, clock: ManualClock) -> AsyncIterator[RunningHouse]:
    """A server that takes two operations of a token at once, and one every five seconds."""
    async with running_house(
        database_url, clock=clock, has_listener=False, operations_per_second=0.2, changes_per_second=0.1
    ) as running:
        yield running


async def post(house: RunningHouse, text: str, secret: str, **headers: str) -> httpx.Response:
    return await house.http.post(
        "/graphql", json={"query": text}, headers={"Authorization": f"Bearer {secret}", **headers}
    )


def told(answer: httpx.Response) -> tuple[int, str | None, dict[str, Any]]:
    (error,) = answer.json()["errors"]
    return answer.status_code, answer.headers.get("retry-after"), error


TOO_FAST = (429, "RATE_LIMITED")
TOO_MANY = {
    "message": "This token has sent too many operations: 0.2 a second are taken, and 2 at once. Try again in 5 s.",
    "extensions": {"code": "RATE_LIMITED", "retryAfterSeconds": 5},
}


async def test_a_token_sends_so_many_operations_and_no_more(house: RunningHouse, clock: ManualClock) -> None:
    other = (await post(house, ANOTHER, house.secret)).json()["data"]["tokenCreate"]["secret"]
    within = await post(house, ROLE, house.secret)

    # On the short way, on the long one, and where the document is none.
    beyond = [
        await post(house, ROLE, house.secret),
        await post(house, ROLE, house.secret, Accept="application/graphql-response+json"),
        await post(house, "{ nothing", house.secret),
    ]
    async with house.admitted() as socket:
        await socket.begin(ROLE)
        over_socket = await socket.receive()
    somebody_else = await post(house, ROLE, other)
    clock.move(timedelta(seconds=5))
    later = await post(house, ROLE, house.secret)

    assert within.status_code == 200
    assert [told(answer) for answer in beyond] == [(429, "5", TOO_MANY)] * 3
    assert over_socket == {"id": "1", "type": "error", "payload": [TOO_MANY]}
    assert (somebody_else.status_code, later.json()) == (200, {"data": {"viewer": {"role": "ADMIN"}}})


async def test_of_fifty_changes_at_once_as_many_are_made_as_may_be(database_url: str, clock: ManualClock) -> None:
    async with running_house(database_url, clock=clock, has_listener=False, changes_per_second=0.5) as house:
        create = 'mutation {{ matCreate(input: {{name: "New {}"}}) {{ mat {{ name }} }} }}'
        answers = await asyncio.gather(*(post(house, create.format(number), house.secret) for number in range(50)))
        mats = await house.execute("{ mats(first: 100) { nodes { name } } }")

    made = [answer for answer in answers if "data" in answer.json()]
    refused = [error["extensions"]["code"] for answer in answers for error in answer.json().get("errors", [])]
    assert len(made) == 5
    assert refused == ["RATE_LIMITED"] * 45
    assert len([mat for mat in mats["mats"]["nodes"] if mat["name"].startswith("New ")]) == 5


async def test_an_address_makes_so_many_connections_and_no_more(database_url: str) -> None:
    loop = asyncio.get_running_loop()
    async with running_house(database_url, has_listener=False, connections_per_second=0.5) as house:
        began = loop.time()
        # One that is kept is one, however often it is used.
        kept = [(await house.http.get("/healthz")).status_code for _ in range(10)]
        again, answers = await asyncio.gather(
            house.http.get("/healthz"), asyncio.gather(*(send(house, [ONCE]) for _ in range(10)))
        )
        refilled = 0.5 * (loop.time() - began)

        async def is_told() -> bool:
            return await send(house, [ONCE]) == TOO_FAST

        await eventually(is_told, "the reason")

    assert kept == [200] * 10
    # Whoever is hung up on before his request was read may hear of that, and of nothing else.
    refused = [answer for answer in answers if answer in {TOO_FAST, (0, "reset")}]
    assert 6 - refilled <= len(refused) <= 6
    assert answers.count((415, "UNSUPPORTED_MEDIA_TYPE")) == 10 - len(refused)
    assert again.status_code == 200


async def test_so_many_connections_are_held_and_no_more(database_url: str) -> None:
    async with running_house(database_url, has_listener=False, connections=2, request_seconds=60) as house:
        async with house.admitted() as socket:
            assert (await house.http.get("/healthz")).status_code == 200
            # Who has sent something may hear of being hung up on, and not why.
            beyond = await send(house, [])
            # Those who are there notice nothing.
            number = await socket.begin(ROLE)
            answer = await socket.receive()

        async def has_room() -> bool:
            return await send(house, [ONCE]) == (415, "UNSUPPORTED_MEDIA_TYPE")

        await eventually(has_room, "room for another")

    assert beyond == (503, "UNAVAILABLE")
    assert (answer["type"], answer["id"]) == ("next", number)


@pytest.mark.parametrize(("proxies", "address"), [([], "127.0.0.1"), (["127.0.0.1"], "192.0.2.7")])
async def test_a_proxy_is_believed_if_it_was_named(database_url: str, proxies: list[str], address: str) -> None:
    async with running_house(database_url, has_listener=False, trusted_proxies=proxies) as house:
        text = f'subscription {{ scoreboardChanged(matId: "{house.mat}") {{ sentAt }} }}'
        headers = {**house.bearer, "Accept": "text/event-stream", "X-Forwarded-For": "192.0.2.7"}
        async with house.http.stream("POST", "/graphql", json={"query": text}, headers=headers) as response:
            await anext(response.aiter_bytes())
            present = list(house.house.doorkeeper._by_address)

    assert present == [address]


async def test_an_address_tries_so_many_wrong_tokens_and_no_more(database_url: str, clock: ManualClock) -> None:
    async with running_house(database_url, clock=clock, has_listener=False, wrong_tokens_per_minute=3) as house:
        new = (await post(house, ANOTHER, house.secret)).json()["data"]["tokenCreate"]["secret"]
        wrong = f"rs_WRONGWRG_{'w' * 43}"
        tried = [(await post(house, ROLE, wrong)).status_code for _ in range(4)]
        beyond = await post(house, ROLE, new)
        async with house.socket() as socket:
            await socket.send({"type": "connection_init", "payload": {"token": wrong}})
            over_socket = await socket.closed()
        # Whoever is known comes in as before, also when that has to be looked up again.
        clock.move(timedelta(seconds=3))
        known = await post(house, ROLE, house.secret)
        clock.move(timedelta(seconds=20))
        later = await post(house, ROLE, new)
        (keeper,) = (one for one in house.house.supervisor.health() if one.name == "doorkeeper")

    message = "Too many tokens that are none came from this address. Try again in a minute."
    assert tried == [401, 401, 401, 429]
    assert told(beyond) == (429, "60", {"message": message, "extensions": {"code": "RATE_LIMITED"}})
    assert over_socket == (1013, message)
    assert (known.status_code, later.status_code) == (200, 200)
    assert keeper.facts() == {"sockets": 0, "wrongTokens": 3}


def test_a_bucket_is_emptied_refilled_and_forgotten() -> None:
    buckets = Buckets(most=2, per_second=1)

    taken = [buckets.take("a", at) for at in (0, 0, 0, 0.5, 1, 1)]
    other = buckets.take("b", 1)
    # A clock that is put back gives nothing.
    back = buckets.take("a", -5)
    # From then on it is refilled by that clock.
    buckets.forget(-4)

    assert taken == [True, True, False, False, True, False]
    assert (other, back, len(buckets), buckets.left("a", -4)) == (True, False, 2, 1)
    buckets.forget(10)
    assert (len(buckets), buckets.left("a", 10)) == (0, 2)
