"""Requests as the specification has them: how they are sent, what is accepted, which status says what."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from api import pages
from api.app import build_app
from api.auth import Doorkeeper
from api.settings import Settings
from api.tally import Tally
from api.transport.answers import Media, acceptable
from api.transport.persisted import Persisted, identity_of, read_trusted
from api.transport.under_way import UnderWay
from api.watchdog import Watchdog
from api.workers.supervisor import Supervisor
from db.access import operations as access
from db.errors import Invalid
from db.session import Database
from db.settings.current import CurrentSettings
from tests.conftest import ManualClock
from tests.support.house import RunningHouse, running_house

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
ROLE = "{ viewer { role } }"
ADMIN = {"data": {"viewer": {"role": "ADMIN"}}}
TWO = "query A { a: __typename } query B { b: __typename }"


@pytest.fixture
async def house(database_url: str, clock: ManualClock) -> AsyncIterator[RunningHouse]:
    async with running_house(database_url, clock=clock, has_listener=False) as running:
        yield running


async def post(house: RunningHouse, accept: str | None = None, /, **body: Any) -> httpx.Response:
    headers = {**house.bearer, **({} if accept is None else {"Accept": accept})}
    return await house.http.post("/graphql", json=body, headers=headers)


async def get(house: RunningHouse, accept: str = JSON, /, **query: str) -> httpx.Response:
    return await house.http.get("/graphql?" + urlencode(query), headers={**house.bearer, "Accept": accept})


def told(answer: httpx.Response) -> tuple[int, str, list[str]]:
    """Return the status, the media type, and the codes of the errors."""
    errors = answer.json().get("errors", [])
    media = answer.headers["content-type"].partition(";")[0]
    return answer.status_code, media, [error["extensions"]["code"] for error in errors]


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


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("Application/JSON", 200),
        ('application/json; charset="UTF-8"', 200),
        ("application/json;charset=utf8", 200),
        ("application/json; charset=latin-1", 415),
        ("text/plain, application/json", 415),
        ("application/json, text/plain", 415),
        ("application/jsonp", 415),
        ("application/graphql", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=application/json", 415),
        ("text/plain", 415),
        ("", 415),
    ],
)
async def test_operations_come_as_json_and_as_nothing_that_looks_like_it(
    house: RunningHouse, content_type: str, status: int
) -> None:
    headers = {**house.bearer, "Content-Type": content_type}

    answer = await house.http.post("/graphql", content=json.dumps({"query": ROLE}), headers=headers)

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[]", "Operations are not taken in batches: send one a request."),
        (b'[{"query": "{ __typename }"}]', "Operations are not taken in batches: send one a request."),
        (b"7", 'The body is not a JSON object: send {"query": …}.'),
        (b"null", 'The body is not a JSON object: send {"query": …}.'),
        (b"{}", "`query` is missing."),
        (b'{"query": 7}', "`query` is not a string."),
        (b'{"query": "{ a }", "operationName": []}', "`operationName` is not a string."),
        (b'{"query": "{ a }", "variables": "x"}', "`variables` is not an object."),
        (b'{"query": "{ a }", "extensions": 0}', "`extensions` is not an object."),
        (b'{"documentId": 1}', "`documentId` is not a string."),
        (b'{"query": "{ a }", "variables": {"n": ' + b"9" * 5000 + b"}}", "The body is not JSON: number is infinity"),
        (b'{"query": "{ a }", "variables": {"n": NaN}}', "The body is not JSON: unexpected character"),
        (b'{"query": "\\ud800"}', "The body is not JSON: no low surrogate"),
        (b"[" * 60_000, "The body is not JSON: depth limit exceeded"),
        (b'{"a":' * 12_000, "The body is not JSON: depth limit exceeded"),
        (b'{"query": "{ a }"', "The body is not JSON: "),
        (b"\xff", "The body is not JSON: "),
    ],
)
async def test_a_body_that_is_no_operation_is_refused_in_words(
    house: RunningHouse, body: bytes, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {**house.bearer, "Content-Type": JSON}

    answers = [
        await house.http.post("/graphql", content=body, headers={**headers, "Accept": accept})
        for accept in (JSON, GRAPHQL)
    ]

    assert [told(answer) for answer in answers] == [(400, JSON, ["BAD_REQUEST"]), (400, GRAPHQL, ["BAD_REQUEST"])]
    assert answers[0].json()["errors"][0]["message"].startswith(message)
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


@pytest.mark.parametrize(
    "query",
    [
        "",
        "query",
        "query=%7B__typename%7D&query=%7B__typename%7D",
        "query=%7B__typename%7D&variables=%7B",
        "query=%7B__typename%7D&variables=7",
        "query=%7B__typename%7D&extensions=[]",
        "query=%ff",
        "&".join(["query=a"] + [f"a{one}=1" for one in range(50)]),
    ],
)
async def test_an_address_that_cannot_be_read_is_refused(house: RunningHouse, query: str) -> None:
    answer = await house.http.get(f"/graphql?{query}", headers={**house.bearer, "Accept": JSON})

    assert told(answer) == (400, JSON, ["BAD_REQUEST"])


async def test_a_subscription_is_not_answered_once(house: RunningHouse) -> None:
    text = "subscription ($id: ID!) { scoreboardChanged(matId: $id) { sentAt } }"

    answers = [await post(house, accept, query=text, variables={"id": house.mat}) for accept in (JSON, GRAPHQL)]

    assert [told(answer) for answer in answers] == [
        (200, JSON, ["BAD_USER_INPUT"]),
        (400, GRAPHQL, ["BAD_USER_INPUT"]),
    ]
    assert answers[0].json()["errors"][0]["message"].startswith("Watch over graphql-transport-ws")
    assert "data" not in answers[0].json()


# Documents by their names


def automatic(text: str, **more: Any) -> dict[str, Any]:
    sha = hashlib.sha256(text.encode()).hexdigest()
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha}}, **more}


async def test_a_document_that_was_sent_once_may_be_named_from_then_on(house: RunningHouse) -> None:
    first = await post(house, **automatic(ROLE))
    sent = await post(house, **automatic(ROLE, query=ROLE))
    named = await post(house, **automatic(ROLE))
    by_identity = await post(house, documentId=identity_of(ROLE))
    by_get = await get(house, extensions=json.dumps(automatic(ROLE)["extensions"]))

    assert told(first) == (200, JSON, ["PERSISTED_QUERY_NOT_FOUND"])
    assert first.json()["errors"][0]["message"] == "PersistedQueryNotFound"
    assert [answer.json() for answer in (sent, named, by_identity, by_get)] == [ADMIN] * 4
    assert named.headers["x-ringside-path"] == "planned"


async def test_a_document_is_not_kept_under_the_hash_of_another(house: RunningHouse) -> None:
    other = "{ __typename }"

    swapped = await post(house, **automatic(ROLE, query=other))
    asked = await post(house, **automatic(ROLE))

    assert told(swapped) == (400, JSON, ["BAD_REQUEST"])
    assert told(asked)[2] == ["PERSISTED_QUERY_NOT_FOUND"]


@pytest.mark.parametrize("given", [{}, {"version": 2, "sha256Hash": "x"}, {"version": 1, "sha256Hash": 7}, "x", []])
async def test_a_name_that_is_none_is_refused(house: RunningHouse, given: Any) -> None:
    answer = await post(house, query=ROLE, extensions={"persistedQuery": given})

    assert told(answer) == (400, JSON, ["BAD_REQUEST"])


def test_kept_documents_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.transport.persisted.DOCUMENTS_KEPT", 3)
    monkeypatch.setattr("api.transport.persisted.CHARACTERS_KEPT", 100)
    kept = Persisted({})
    texts = [f"{{ a{one}: __typename }}" for one in range(5)]

    for text in texts:
        kept.keep(identity_of(text), text)
    found = [kept.text(identity_of(text)) for text in texts]
    kept.keep(identity_of("x" * 90), "x" * 90)

    assert found == [None, None, *texts[2:]]
    assert len(kept) == 1


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    """A folder of trusted documents: a file, what Relay writes, and what Apollo writes."""
    folder = tmp_path / "trusted"
    (folder / "overlays").mkdir(parents=True)
    (folder / "overlays" / "role.graphql").write_text(ROLE + "\n")
    relay = {"0123456789abcdef0123456789abcdef": "query Relay { __typename }"}
    (folder / "relay.json").write_text(json.dumps(relay))
    apollo = {"id": "a" * 64, "name": "Apollo", "type": "query", "body": "query Apollo { __typename }"}
    manifest = {"format": "apollo-persisted-query-manifest", "version": 1, "operations": [apollo]}
    (folder / "apollo.json").write_text(json.dumps(manifest))
    return folder


async def test_trusted_documents_are_known_from_the_start_and_nothing_else_is_run(
    database_url: str, clock: ManualClock, trusted: Path
) -> None:
    settings: dict[str, Any] = {"trusted_documents": str(trusted), "trusted_only": True, "has_listener": False}
    async with running_house(database_url, clock=clock, **settings) as house:
        run = [
            await post(house, query=ROLE),
            await post(house, documentId=identity_of(ROLE)),
            await post(house, documentId=identity_of(ROLE + "\n")),
            await post(house, documentId="0123456789abcdef0123456789abcdef"),
            await post(house, documentId="sha256:" + "a" * 64),
        ]
        not_run = [
            await post(house, accept, query=text)
            for text in ("{ __typename }", "{ __schema { queryType { name } } }", "{", ROLE + "  ")
            for accept in (JSON, GRAPHQL)
        ]
        not_kept = await post(house, **automatic("{ __typename }", query="{ __typename }"))

    assert [answer.status_code for answer in run] == [200] * 5
    assert [list(answer.json()) for answer in run] == [["data"]] * 5
    assert [told(answer) for answer in not_run] == [(200, JSON, ["FORBIDDEN"]), (403, GRAPHQL, ["FORBIDDEN"])] * 4
    assert told(not_kept) == (200, JSON, ["FORBIDDEN"])


async def test_a_token_may_be_bound_to_trusted_documents(database_url: str, clock: ManualClock, trusted: Path) -> None:
    create = 'mutation { tokenCreate(input: {label: "kiosk", isTrustedOnly: true}) { token { isTrustedOnly } secret } }'
    async with running_house(database_url, clock=clock, has_listener=False, trusted_documents=str(trusted)) as house:
        made = (await house.execute(create))["tokenCreate"]
        headers = {"Authorization": f"Bearer {made['secret']}"}
        # Twice, so that the second is known and takes the short way.
        answers = [
            await house.http.post("/graphql", json={"query": text}, headers=headers)
            for text in (ROLE, ROLE, "{ __typename }", "{ __typename }")
        ]
        free = await house.execute("{ __typename }")

    assert made["token"] == {"isTrustedOnly": True}
    assert [told(answer)[2] for answer in answers] == [[], [], ["FORBIDDEN"], ["FORBIDDEN"]]
    assert free == {"__typename": "Query"}


async def test_our_own_pages_work_where_only_trusted_documents_are_run(
    database_url: str, clock: ManualClock, trusted: Path
) -> None:
    settings: dict[str, Any] = {"trusted_documents": str(trusted), "trusted_only": True}
    scoreboard, goals = (
        next(one for one in pages.documents() if f"subscription {name}(" in one) for name in ("Overlay", "GoalOverlay")
    )
    async with running_house(database_url, clock=clock, has_listener=False, **settings) as house:
        async with house.house.db.transaction() as tx:
            (admin,) = (user for _, user in await access.list_tokens(tx))
            bound = [house.mat_id]
            made = await access.create_token(
                tx, user_id=admin.id, label="OBS", nodes=bound, is_trusted_only=True, now=clock.now()
            )
        async with house.socket() as socket:
            await socket.init({"token": made.secret})
            board = await anext(socket.subscribe(scoreboard, matId=house.mat))
            # Known, and refused for what it asks for: there is no such goal.
            await socket.begin(goals, goalId=f"streamgoal_{'0' * 32}")
            refused = await socket.receive()

    assert board == {"scoreboardChanged": {"sentAt": board["scoreboardChanged"]["sentAt"], "scoreboard": None}}
    assert [error["extensions"]["code"] for error in refused["payload"]] == ["NOT_FOUND"]


def test_the_documents_of_our_pages_are_read_as_they_are_sent() -> None:
    script = (Path(pages.__file__).parent / "static" / "documents.js").read_text()

    assert [text.split("(")[0].split()[-1] for text in pages.documents()] == [
        "Overlay",
        "PracticeOverlay",
        "OverlayMat",
        "GoalOverlay",
    ]
    # Nothing that a script would make something else of.
    assert "${" not in script
    assert "\\" not in script


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.graphql", "{ nothing }", "A trusted document cannot be run: Cannot query field 'nothing'"),
        ("a.json", "[]", "is no list of documents"),
        ("a.json", '{"x": 7}', "is no list of documents"),
        ("a.json", '{"operations": [{"id": "x"}]}', "is no list of documents"),
        ("a.json", "{", "is no list of documents"),
    ],
)
async def test_a_server_does_not_start_on_documents_it_could_not_run(
    db: Database, clock: ManualClock, tmp_path: Path, name: str, content: str, told: str
) -> None:
    (tmp_path / name).write_text(content)

    with pytest.raises(Invalid, match=told):
        _app(db, clock, trusted_documents=str(tmp_path))
    with pytest.raises(Invalid, match="There is no folder"):
        read_trusted(tmp_path / "nowhere")
    with pytest.raises(Invalid, match="names no folder"):
        _app(db, clock, trusted_only=True)


def _app(db: Database, clock: ManualClock, **settings: Any) -> object:
    return build_app(
        Settings(**settings),
        db,
        clock,
        current=CurrentSettings(db),
        supervisor=Supervisor(clock),
        doorkeeper=Doorkeeper(db, clock),
        under_way=UnderWay(10),
        tally=Tally(clock),
        watchdog=Watchdog(0.25),
    )


# What an answer says of itself


async def test_the_cost_is_told_to_whoever_asks(house: RunningHouse) -> None:
    asked = await post(house, query="{ mats(first: 5) { nodes { id } } }", extensions={"cost": True})
    plain = await post(house, query="{ mats(first: 5) { nodes { id } } }")

    assert asked.json()["extensions"] == {"cost": {"charged": 6, "left": 200_000 - 6}}
    assert "extensions" not in plain.json()


async def test_a_token_that_has_spent_its_budget_is_told_when_to_come_back(
    database_url: str, clock: ManualClock
) -> None:
    settings: dict[str, Any] = {"budget": 50, "budget_per_second": 10, "has_listener": False}
    async with running_house(database_url, clock=clock, **settings) as house:
        answers = [
            await post(house, accept, query="{ mats { nodes { id } } }") for accept in (JSON, GRAPHQL, JSON, GRAPHQL)
        ]

    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert [answer.headers.get("retry-after") for answer in answers] == [None, None, "2", "2"]
    assert answers[2].json()["errors"] == [
        {
            "message": "This costs 21 and 8 are left of this token's budget. Try again in 2 s.",
            "extensions": {"code": "RATE_LIMITED", "cost": 21, "left": 8, "most": 50, "retryAfterSeconds": 2},
        }
    ]


async def test_twenty_at_once_are_each_answered_as_they_asked(house: RunningHouse) -> None:
    async def ask(number: int) -> dict[str, Any]:
        accept = (JSON, GRAPHQL)[number % 2]
        answer = await post(house, accept, query=f"{{ a{number}: __typename }}")
        assert answer.headers["content-type"].startswith(accept)
        read: dict[str, Any] = answer.json()
        return read

    answers = await asyncio.gather(*(ask(number) for number in range(20)))

    assert answers == [{"data": {f"a{number}": "Query"}} for number in range(20)]
