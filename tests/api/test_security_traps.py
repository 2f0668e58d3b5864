"""The traps in the parts that servers of this kind are made of: each with what is right here, on a whole server.

What is tried more widely stands where the code stands; here nothing is missing, and each trap has its number.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import connect as connect_plainly
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from schema.errors import SafeErrors
from tests.conftest import ManualClock
from tests.support.graph import the_schema
from tests.support.house import TRANSPORT_WS, RunningHouse, open_socket, running_house
from tests.support.mishaps import drop_table
from tests.support.requests import HEAD, send
from tests.support.work import counted

_ROLE = "{ viewer { role } }"
# Of the loop's own time: the least that people notice.
# They take some sixty milliseconds on a slow machine.
_MOST_CALLS = 250_000


@pytest.fixture
async def house(database_url: str, clock: ManualClock) -> AsyncIterator[RunningHouse]:
    async with running_house(database_url, clock=clock, has_listener=False, request_seconds=2) as running:
        yield running


async def ask(house: RunningHouse, text: str, **beside: Any) -> dict[str, Any]:
    answer = await house.http.post("/graphql", json={"query": text, **beside}, headers=house.bearer)
    read: dict[str, Any] = answer.json()
    return read


async def messages_of(house: RunningHouse, text: str, **beside: Any) -> list[str]:
    return [error["message"] for error in (await ask(house, text, **beside)).get("errors", [])]


# 1


async def test_a_fragment_is_measured_once_however_often_it_is_spread(house: RunningHouse) -> None:
    chain = " ".join(f"fragment F{one} on Query {{ ...F{one + 1} ...F{one + 1} }}" for one in range(30))

    with counted() as work:
        told = await messages_of(house, f"{{ ...F0 }} {chain} fragment F30 on Query {{ __typename }}")

    assert work.calls < _MOST_CALLS
    assert told == [f"This asks for {2**30} fields, fragments included; 500 are allowed."]


# 2


async def test_each_request_has_extensions_of_its_own(house: RunningHouse, caplog: pytest.LogCaptureFixture) -> None:
    await drop_table(house.house.settings.database, "matches")
    texts = ["{ matches { totalCount } }", "{ nothing }"] * 10

    answers = await asyncio.gather(*(messages_of(house, text) for text in texts))

    assert the_schema().extensions == (SafeErrors,), "a class, of which each execution makes its own"
    assert answers == [["Unexpected error."], ["Cannot query field 'nothing' on type 'Query'."]] * 10
    # What was raised is told here and nowhere else.
    assert "matches" in caplog.text


# 3


async def test_a_name_that_is_not_ours_opens_nothing_even_where_it_leads_here(house: RunningHouse) -> None:
    evil = {"Host": f"evil.example:{house.port}", "Origin": f"http://evil.example:{house.port}"}
    answers = [
        await house.http.post("/graphql", json={"query": _ROLE}, headers={**house.bearer, **evil}),
        *[
            await house.http.get(path, headers={**house.bearer, **evil})
            for path in ("/graphql", "/metrics", "/healthz")
        ],
    ]
    with pytest.raises(InvalidStatus) as refused:
        async with open_socket(
            f"ws://evil.example:{house.port}/graphql", host="127.0.0.1", port=house.port, origin=evil["Origin"]
        ):
            pass
    ours = [
        (await house.http.get("/healthz", headers={"Host": f"{name}:{house.port}"})).status_code
        for name in ("localhost", "127.0.0.1", "[::1]")
    ]

    assert [answer.status_code for answer in answers] == [400] * 4
    assert refused.value.response.status_code == 400
    assert ours == [200] * 3


# 4


async def test_a_document_is_bounded_before_it_is_read(house: RunningHouse) -> None:
    headers = {**house.bearer, "Content-Type": "application/json"}

    with counted() as work:
        words = await messages_of(house, "{" + " a" * 30_000 + "}")
        megabyte = await house.http.post("/graphql", content=b'{"query": "' + b" a" * 500_000 + b'"}', headers=headers)

    assert work.calls < _MOST_CALLS
    assert words == ["This document has more than the 1000 tokens allowed."]
    assert (megabyte.status_code, megabyte.json()["errors"][0]["extensions"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


# 5 and 6


async def test_a_request_that_does_not_come_to_its_end_is_let_go(house: RunningHouse) -> None:
    began = [[], [HEAD], [HEAD + b"X: "]]

    answers = await asyncio.gather(*(send(house, parts) for parts in began))

    assert answers == [(0, ""), (408, "REQUEST_TIMEOUT"), (408, "REQUEST_TIMEOUT")]


async def test_a_head_that_is_too_large_is_not_read(house: RunningHouse) -> None:
    heads = [[HEAD + b"X: " + b"x" * 40_000 + b"\r\n\r\n"], [HEAD + b"X: x\r\n" * 20_000]]

    answers = await asyncio.gather(*(send(house, parts) for parts in heads))

    assert answers == [(431, "REQUEST_HEADER_FIELDS_TOO_LARGE")] * 2


# 7


async def test_a_body_that_is_no_object_is_the_clients_fault(
    house: RunningHouse, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {**house.bearer, "Content-Type": "application/json"}
    digits = b'{"query": "{ a }", "x": ' + b"9" * 5000 + b"}"
    bodies = [b"7", b'"x"', b"null", b"NaN", b"[" * 60_000, b'{"a":' * 12_000, digits]

    answers = [await house.http.post("/graphql", content=body, headers=headers) for body in bodies]

    told = [(answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) for answer in answers]
    assert told == [(400, "BAD_REQUEST")] * len(bodies)
    assert "Traceback" not in caplog.text


# 8


async def test_a_message_that_is_none_is_told_so_by_its_code(
    house: RunningHouse, caplog: pytest.LogCaptureFixture
) -> None:
    query: dict[str, Any] = {"query": _ROLE}
    messages: list[Any] = [
        *([], 1, None, "x", {}, {"type": 1}, {"type": "connection_init", "payload": []}),
        {"type": "subscribe", "id": ["x"], "payload": query},
        {"type": "subscribe", "id": 1, "payload": query},
        {"type": "subscribe", "id": "1", "payload": None},
        {"type": "subscribe", "id": "1", "payload": {"query": 1}},
        {"type": "subscribe", "id": "1", "payload": {**query, "variables": "x"}},
    ]
    codes = []
    for message in messages:
        async with house.socket() as socket:
            await socket.send(json.dumps(message))
            codes.append((await socket.closed())[0])

    assert codes == [4400] * len(messages)
    assert "Traceback" not in caplog.text


# 9


async def test_the_old_protocol_is_not_spoken_not_even_to_who_prefers_it(house: RunningHouse) -> None:
    async with house.socket(protocols=["graphql-ws"]) as socket:
        alone = await socket.closed()
    async with house.socket(protocols=["graphql-ws", TRANSPORT_WS]) as socket:
        chosen = socket.connection.subprotocol
        await socket.init({"token": house.secret})

    assert alone == (4406, "Subprotocol not acceptable")
    assert chosen == TRANSPORT_WS


# 10


async def test_none_of_several_operations_is_run_unless_it_is_named(house: RunningHouse) -> None:
    two = " ".join(f'mutation {name} {{ matCreate(input: {{name: "{name}"}}) {{ mat {{ name }} }} }}' for name in "AB")

    unnamed = await messages_of(house, two)
    named = await ask(house, two, operationName="B")
    mats = await house.execute("{ mats { nodes { name } } }")

    assert unnamed == ["This document has several operations: say in `operationName` which one is to run."]
    assert named == {"data": {"matCreate": {"mat": {"name": "B"}}}}
    assert sorted(mat["name"] for mat in mats["mats"]["nodes"]) == ["B", "Mat 1"]


# 11


MISTAKES: list[tuple[str, dict[str, Any]]] = [
    ("{ matz { nodes { id } } }", {}),
    ("{ mats(frist: 1) { nodes { id } } }", {}),
    ("{ mats { ... on Matt { id } } }", {}),
    ("{ mats { nodes { id @skp(if: true) } } }", {}),
    ("{ mats(orderBy: NAMES) { nodes { id } } }", {}),
    ("query ($n: Itn) { mats(first: $n) { nodes { id } } }", {}),
    ("query ($order: NameOrder) { mats(orderBy: $order) { nodes { id } } }", {"order": "NAMES"}),
    ('mutation { matCreate(input: {nane: "x"}) { mat { id } } }', {}),
    ("mutation ($input: MatInput!) { matCreate(input: $input) { mat { id } } }", {"input": {"nane": "x"}}),
]


async def test_no_mistake_is_answered_with_what_there_is(house: RunningHouse) -> None:
    told = [await messages_of(house, text, variables=variables) for text, variables in MISTAKES]

    assert [messages for messages in told if messages == [] or "Did you mean" in str(messages)] == []


# 12


async def test_a_content_type_is_json_or_it_is_not(house: RunningHouse) -> None:
    body = json.dumps({"query": _ROLE})
    types = ["application/json", "APPLICATION/JSON", "text/plain, application/json", "text/plain; x=application/json"]

    answers = [
        await house.http.post("/graphql", content=body, headers={**house.bearer, "Content-Type": one}) for one in types
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 415, 415]


# 13


async def test_what_fails_is_one_line_of_the_log_without_what_was_said(
    house: RunningHouse, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    said = "rs_literal0_that_opens_nothing"
    text = "{ " + " ".join(f'wanted{one}: mat(id: "{said}") {{ id }}' for one in range(20)) + " }"

    told = await messages_of(house, text)

    assert len(told) == 5
    assert said not in caplog.text
    assert [one for one in caplog.messages if "wanted1" in one] == []


# 14


async def test_a_message_is_small_and_never_inflated(house: RunningHouse) -> None:
    async with connect_plainly(
        f"ws://127.0.0.1:{house.port}/graphql", subprotocols=[Subprotocol(TRANSPORT_WS)], proxy=None
    ) as connection:
        offered = (connection.request or pytest.fail("none")).headers["Sec-WebSocket-Extensions"]
        taken = (connection.response or pytest.fail("none")).headers.get("Sec-WebSocket-Extensions")
    async with house.admitted() as socket:
        await socket.send({"type": "ping", "payload": {"x": "x" * 70_000}})
        closed = await socket.closed()

    assert "permessage-deflate" in offered
    assert taken is None
    assert closed[0] == 1009
