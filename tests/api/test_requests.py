"""Requests as the specification has them: how they are sent, what is accepted, which status says what."""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest

from api.transport.answers import Media, acceptable
from tests.api.asking import ADMIN, GRAPHQL, JSON, ROLE, get, post, told
from tests.conftest import ManualClock
from tests.support.house import RunningHouse, running_house

TWO = "query A { a: __typename } query B { b: __typename }"


@pytest.fixture
async def house(database_url: str, clock: ManualClock) -> AsyncIterator[RunningHouse]:
    async with running_house(database_url, clock=clock, has_listener=False) as running:
        yield running


# What is accepted


@pytest.mark.parametrize(
    ("accept", "taken"),
    [
        ("", [Media.JSON]),
        ("*/*", [Media.JSON]),
        ("application/*", [Media.JSON]),
        ("application/json", [Media.JSON]),
        ("application/graphql-response+json", [Media.GRAPHQL]),
        ("APPLICATION/JSON; charset=utf-8", [Media.JSON]),
        ("application/json, application/graphql-response+json", [Media.JSON, Media.GRAPHQL]),
        ("application/json;q=0.5, application/graphql-response+json", [Media.GRAPHQL, Media.JSON]),
        ("application/graphql-response+json, */*", [Media.GRAPHQL, Media.JSON]),
        ("application/json;q=0, */*", [Media.GRAPHQL]),
        (
            "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, x/y",
            [Media.GRAPHQL, Media.JSON, Media.EVENTS],
        ),
        ("text/event-stream", [Media.EVENTS]),
        ("text/*", []),
        ("text/html", []),
        ("application/jsonp", []),
        ("application/json;q=x", []),
        (",;,;q=1,", []),
    ],
)
def test_the_most_wanted_of_what_is_accepted_is_sent(accept: str, taken: list[Media]) -> None:
    found = acceptable(accept.encode())

    assert list(found)[: len(taken)] == taken
    assert bool(found) == bool(taken)


async def test_the_status_says_how_it_went_where_it_can_be_trusted(house: RunningHouse) -> None:
    bad = "BAD_USER_INPUT"
    asked: dict[str, dict[str, Any]] = {
        "well": {"query": ROLE},
        "unreadable": {"query": "{"},
        "not valid": {"query": "{ nothing }"},
        "ambiguous": {"query": TWO},
        "variables": {"query": "query ($id: ID!) { mat(id: $id) { id } }", "variables": {"id": None}},
        "too much": {"query": "{ a" * 16 + " }" * 16},
        "refused by a field": {"query": '{ mat(id: "x") { id } }'},
        "refused in whole": {"query": '{ mats(after: "x") { nodes { id } } }'},
    }

    answers = {
        name: [told(await post(house, accept, **body)) for accept in (JSON, GRAPHQL)] for name, body in asked.items()
    }

    assert answers == {
        "well": [(200, JSON, []), (200, GRAPHQL, [])],
        "unreadable": [(200, JSON, [bad]), (400, GRAPHQL, [bad])],
        "not valid": [(200, JSON, [bad]), (400, GRAPHQL, [bad])],
        "ambiguous": [(200, JSON, [bad]), (400, GRAPHQL, [bad])],
        "variables": [(200, JSON, [bad]), (400, GRAPHQL, [bad])],
        "too much": [(200, JSON, [bad]), (400, GRAPHQL, [bad])],
        "refused by a field": [(200, JSON, [bad]), (200, GRAPHQL, [bad])],
        "refused in whole": [(200, JSON, [bad]), (200, GRAPHQL, [bad])],
    }


async def test_a_request_that_was_not_run_has_no_data_and_one_that_was_has_some(house: RunningHouse) -> None:
    never = [{"query": "{"}, {"query": "{ nothing }"}, {"query": TWO}, {"query": "{ a" * 16 + " }" * 16}]
    begun = [{"query": '{ mat(id: "x") { id } }'}, {"query": '{ mats(after: "x") { nodes { id } } }'}]

    answers = [(await post(house, GRAPHQL, **body)).json() for body in never + begun]

    assert [answer.get("data", "none") for answer in answers] == ["none"] * 4 + [{"mat": None}, None]


async def test_the_newer_draft_has_statuses_of_its_own(database_url: str, clock: ManualClock) -> None:
    asked: list[dict[str, Any]] = [
        {"query": ROLE},
        {"query": "{"},
        {"query": "{ nothing }"},
        {"query": TWO},
        {"query": "query ($id: ID!) { mat(id: $id) { id } }", "variables": {}},
        {"query": '{ mat(id: "x") { id } }'},
        {"query": '{ mats(after: "x") { nodes { id } } }'},
    ]

    async with running_house(database_url, clock=clock, has_listener=False, http_draft=True) as house:
        newer = [(await post(house, GRAPHQL, **body)).status_code for body in asked]
        older = [(await post(house, JSON, **body)).status_code for body in asked]

    assert newer == [200, 400, 422, 422, 422, 294, 294]
    assert older == [200] * 7


async def test_what_is_not_accepted_is_not_sent(house: RunningHouse) -> None:
    answers = [told(await post(house, accept, query=ROLE)) for accept in ("text/html", "image/*", "text/*")]

    assert answers == [(406, JSON, ["NOT_ACCEPTABLE"])] * 3


_STATUSES = {
    "application/json": 200,
    "Application/JSON": 200,
    'application/json; charset="UTF-8"': 200,
    "application/json;charset=utf8": 200,
    "application/json; charset=latin-1": 415,
    "text/plain, application/json": 415,
    "application/json, text/plain": 415,
    "application/jsonp": 415,
    "application/graphql": 415,
    "application/x-www-form-urlencoded": 415,
    "multipart/form-data; boundary=application/json": 415,
    "text/plain": 415,
    "": 415,
}


async def test_operations_come_as_json_and_as_nothing_that_looks_like_it(house: RunningHouse) -> None:
    content = json.dumps({"query": ROLE})

    answers = {
        content_type: await house.http.post(
            "/graphql", content=content, headers={**house.bearer, "Content-Type": content_type}
        )
        for content_type in _STATUSES
    }

    assert {content_type: answer.status_code for content_type, answer in answers.items()} == _STATUSES


_REFUSALS = {
    b"[]": "Operations are not taken in batches: send one a request.",
    b'[{"query": "{ __typename }"}]': "Operations are not taken in batches: send one a request.",
    b"7": 'The body is not a JSON object: send {"query": …}.',
    b"null": 'The body is not a JSON object: send {"query": …}.',
    b"{}": "`query` is missing.",
    b'{"query": 7}': "`query` is not a string.",
    b'{"query": "{ a }", "operationName": []}': "`operationName` is not a string.",
    b'{"query": "{ a }", "variables": "x"}': "`variables` is not an object.",
    b'{"query": "{ a }", "extensions": 0}': "`extensions` is not an object.",
    b'{"documentId": 1}': "`documentId` is not a string.",
    b'{"query": "{ a }", "variables": {"n": ' + b"9" * 5000 + b"}}": "The body is not JSON: number is infinity",
    b'{"query": "{ a }", "variables": {"n": NaN}}': "The body is not JSON: unexpected character",
    b'{"query": "\\ud800"}': "The body is not JSON: no low surrogate",
    b"[" * 60_000: "The body is not JSON: depth limit exceeded",
    b'{"a":' * 12_000: "The body is not JSON: depth limit exceeded",
    b'{"query": "{ a }"': "The body is not JSON: ",
    b"\xff": "The body is not JSON: ",
}


async def test_a_body_that_is_no_operation_is_refused_in_words(
    house: RunningHouse, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {**house.bearer, "Content-Type": JSON}
    refused = [(400, JSON, ["BAD_REQUEST"]), (400, GRAPHQL, ["BAD_REQUEST"])]

    answers = {
        body: [
            await house.http.post("/graphql", content=body, headers={**headers, "Accept": accept})
            for accept in (JSON, GRAPHQL)
        ]
        for body in _REFUSALS
    }

    assert {body: list(map(told, both)) for body, both in answers.items()} == dict.fromkeys(_REFUSALS, refused)
    messages = {body: both[0].json()["errors"][0]["message"] for body, both in answers.items()}
    assert {body: message[: len(_REFUSALS[body])] for body, message in messages.items()} == _REFUSALS
    assert "Traceback" not in caplog.text


async def test_a_body_that_is_too_large_is_told_so(house: RunningHouse) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1000

    answers = [
        await post(house, query=ROLE + " " * 70_000),
        await house.http.post("/graphql", content=chunks(), headers={**house.bearer, "Content-Type": JSON}),
    ]

    assert [told(answer) for answer in answers] == [(413, JSON, ["PAYLOAD_TOO_LARGE"])] * 2
    assert answers[0].json()["errors"][0]["message"] == "A request holds 65536 bytes at most."


# By GET


async def test_a_query_may_come_by_get(house: RunningHouse) -> None:
    by_id = "query Mats($first: Int) { mats(first: $first) { nodes { id } } } query Other { __typename }"

    plain = await get(house, query=ROLE)
    whole = await get(house, query=by_id, variables='{"first": 1}', operationName="Mats", extensions="{}")
    nameless = await get(house, GRAPHQL, query=ROLE, operationName="", variables="")

    assert [plain.json(), nameless.json()] == [ADMIN, ADMIN]
    assert len(whole.json()["data"]["mats"]["nodes"]) == 1
    assert nameless.headers["content-type"] == f"{GRAPHQL}; charset=utf-8"


async def test_a_get_needs_a_header_that_no_link_and_no_form_can_send(house: RunningHouse) -> None:
    answers = [
        await house.http.get("/graphql?" + urlencode({"query": ROLE}), headers=headers)
        for headers in ({}, {"Cookie": f"token={house.secret}"}, {"Accept": JSON})
    ]

    assert [told(answer) for answer in answers] == [(401, JSON, ["UNAUTHENTICATED"])] * 3


async def test_nothing_is_changed_by_get(house: RunningHouse) -> None:
    mutation = 'mutation { matCreate(input: {name: "By GET"}) { mat { id } } }'
    both = mutation.replace("mutation", "mutation M") + " query Q { __typename }"
    subscription = "subscription ($id: ID!) { scoreboardChanged(matId: $id) { sentAt } }"

    answers = [
        await get(house, query=mutation),
        await get(house, query=both, operationName="M"),
        await get(house, query=subscription, variables=json.dumps({"id": house.mat})),
        await get(house, query=both, operationName="Q"),
    ]
    names = await house.execute("{ mats { nodes { name } } }")

    assert [(answer.status_code, answer.headers.get("allow")) for answer in answers] == [
        *[(405, "POST")] * 3,
        (200, None),
    ]
    assert "By GET" not in str(names)


_UNREADABLE = [
    "",
    "query",
    "query=%7B__typename%7D&query=%7B__typename%7D",
    "query=%7B__typename%7D&variables=%7B",
    "query=%7B__typename%7D&variables=7",
    "query=%7B__typename%7D&extensions=[]",
    "query=%ff",
    "&".join(["query=a"] + [f"a{one}=1" for one in range(50)]),
]


async def test_an_address_that_cannot_be_read_is_refused(house: RunningHouse) -> None:
    headers = {**house.bearer, "Accept": JSON}

    answers = {query: told(await house.http.get(f"/graphql?{query}", headers=headers)) for query in _UNREADABLE}

    assert answers == dict.fromkeys(_UNREADABLE, (400, JSON, ["BAD_REQUEST"]))


async def test_a_subscription_is_not_answered_once(house: RunningHouse) -> None:
    text = "subscription ($id: ID!) { scoreboardChanged(matId: $id) { sentAt } }"

    answers = [await post(house, accept, query=text, variables={"id": house.mat}) for accept in (JSON, GRAPHQL)]

    assert [told(answer) for answer in answers] == [
        (200, JSON, ["BAD_USER_INPUT"]),
        (400, GRAPHQL, ["BAD_USER_INPUT"]),
    ]
    assert answers[0].json()["errors"][0]["message"].startswith("Watch over graphql-transport-ws")
    assert "data" not in answers[0].json()
