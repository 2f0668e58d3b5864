"""Requests that are too large or do not come to an end: let go, in words, before they cost anything."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import psutil
import pytest

from tests.conftest import ManualClock
from tests.support.house import RunningHouse, running_house
from tests.support.requests import HEAD, send

_LARGEST_GROWTH = 64 * 1024 * 1024


@pytest.fixture
async def house(migrated_file: Path, tmp_path: Path, clock: ManualClock) -> AsyncIterator[RunningHouse]:
    """A server that is not patient. Nothing here comes near a database, so one kind is enough."""
    path = tmp_path / "ringside.db"
    shutil.copy(migrated_file, path)
    async with running_house(f"sqlite:///{path}", clock=clock, has_listener=False, request_seconds=2) as running:
        yield running


TOO_LARGE: dict[str, tuple[list[bytes], tuple[int, str]]] = {
    "one header of 40 kB": ([HEAD + b"X: " + b"x" * 40_000 + b"\r\n\r\n"], (431, "REQUEST_HEADER_FIELDS_TOO_LARGE")),
    "101 headers": ([HEAD + b"X: x\r\n" * 101 + b"\r\n"], (431, "REQUEST_HEADER_FIELDS_TOO_LARGE")),
    "a header without an end": ([HEAD + b"X: "] + [b"x" * 1000] * 41, (431, "REQUEST_HEADER_FIELDS_TOO_LARGE")),
    "a name without an end": ([HEAD] + [b"x" * 1000] * 41, (431, "REQUEST_HEADER_FIELDS_TOO_LARGE")),
    "an address of 9 kB": ([b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n"], (414, "REQUEST_URI_TOO_LONG")),
    "an address without an end": ([b"GET /", *[b"x" * 1000] * 9], (414, "REQUEST_URI_TOO_LONG")),
    "no HTTP": ([b"\x16\x03\x01\x02\x00"], (400, "BAD_REQUEST")),
}


async def test_a_head_that_is_too_large_is_refused(house: RunningHouse) -> None:
    answers = {name: await send(house, parts) for name, (parts, _) in TOO_LARGE.items()}

    assert answers == {name: answer for name, (_, answer) in TOO_LARGE.items()}


SLOW: dict[str, tuple[list[bytes], tuple[int, str]]] = {
    "says nothing": ([], (0, "")),
    "stops in the head": ([HEAD], (408, "REQUEST_TIMEOUT")),
    "stops before the body": ([HEAD + b"Content-Length: 100\r\n\r\n"], (408, "REQUEST_TIMEOUT")),
    "stops in the body": ([HEAD + b"Content-Length: 100\r\n\r\n{"], (408, "REQUEST_TIMEOUT")),
    "stops in a chunk": ([HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"], (408, "REQUEST_TIMEOUT")),
}


async def test_a_request_that_does_not_arrive_is_not_waited_for(house: RunningHouse) -> None:
    # With a token, so that the body is waited for at all.
    token = f"Content-Type: application/json\r\nAuthorization: Bearer {house.secret}\r\n".encode()
    sent = [[part.replace(HEAD, HEAD + token) for part in parts] for parts, _ in SLOW.values()]

    answers = await asyncio.gather(*(send(house, parts) for parts in sent))

    assert dict(zip(SLOW, answers, strict=True)) == {name: answer for name, (_, answer) in SLOW.items()}


async def test_a_header_of_200_megabytes_costs_no_memory(house: RunningHouse) -> None:
    process = psutil.Process()
    before = process.memory_info().rss
    chunk = b"x" * 100_000

    answers = await asyncio.gather(*(send(house, [HEAD + b"X: ", *([chunk] * 2000)]) for _ in range(3)))

    assert set(answers) <= {(431, "REQUEST_HEADER_FIELDS_TOO_LARGE"), (0, "reset")}
    assert process.memory_info().rss - before < _LARGEST_GROWTH


async def test_two_hundred_who_say_nothing_keep_nobody_waiting(house: RunningHouse) -> None:
    silent = [asyncio.create_task(send(house, [HEAD])) for _ in range(200)]

    answer = await house.execute("{ viewer { role } }")
    answers = await asyncio.gather(*silent)

    assert answer == {"viewer": {"role": "ADMIN"}}
    assert set(answers) == {(408, "REQUEST_TIMEOUT")}


async def test_a_connection_is_used_again_and_again(house: RunningHouse) -> None:
    for _ in range(3):
        assert await house.execute("{ viewer { role } }") == {"viewer": {"role": "ADMIN"}}
    body = b'{"query": "{ viewer { role } }"}'
    request = (
        HEAD
        + f"Content-Type: application/json\r\nAuthorization: Bearer {house.secret}\r\n".encode()
        + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    # Three at once on one connection, the last of them not whole before the others are answered.
    writer.write(request * 2 + request[:-5])
    first = await reader.readuntil(b'"ADMIN"}}}')
    second = await reader.readuntil(b'"ADMIN"}}}')
    writer.write(request[-5:])
    third = await reader.readuntil(b'"ADMIN"}}}')
    writer.close()

    assert all(answer.startswith(b"HTTP/1.1 200") for answer in (first, second, third))


async def test_an_answer_is_whole_before_the_connection_ends(house: RunningHouse) -> None:
    body = b'{"query": "{ mats { nodes { name } } viewer { role } }"}'
    assert await house.execute("{ viewer { role } }") == {"viewer": {"role": "ADMIN"}}
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    writer.write(
        HEAD
        + f"Content-Type: application/json\r\nAuthorization: Bearer {house.secret}\r\nConnection: close\r\n".encode()
        + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    head, _, answer = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()

    # By the short way, which writes head and body together.
    assert b"x-ringside-path: planned" in head.lower()
    assert f"content-length: {len(answer)}".encode() in head.lower()
    assert orjson.loads(answer) == {"data": {"mats": {"nodes": [{"name": "Mat 1"}]}, "viewer": {"role": "ADMIN"}}}
