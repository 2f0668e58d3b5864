"""HTTP: what is let in, what is refused and how, and what never leaves the house."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from db.access import operations as access
from db.access.viewer import Role
from tests.conftest import ManualClock
from tests.support.house import RunningHouse, eventually, open_socket, running_house
from tests.support.mishaps import drop_table
from tests.support.process import serving
from tests.support.wire import wire_to

VIEWER = {"query": "{ viewer { role } }"}
EVENTS = "query ($mat: ID!) { mat(id: $mat) { currentMatch { events(first: 1) { nodes { seq } } } } }"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def house(database_url: str, clock: ManualClock) -> AsyncIterator[RunningHouse]:
    async with running_house(database_url, clock=clock) as running:
        yield running


async def post(house: RunningHouse, content: bytes | str, **headers: str) -> httpx.Response:
    return await house.http.post("/graphql", content=content, headers={**JSON, **house.bearer, **headers})


# Tokens.


async def test_a_token_is_asked_for_looked_up_and_taken(house: RunningHouse) -> None:
    unknown = f"rs_ABCDEFGH_{'x' * 43}"
    given = [None, "", "Bearer", "Token x", "Basic YTpi", "Bearer x", f"Bearer {unknown}", f"bearer {house.secret}"]

    answers = []
    for authorization in given:
        headers = {} if authorization is None else {"Authorization": authorization}
        answer = await house.http.post("/graphql", json=VIEWER, headers=headers)
        errors = answer.json().get("errors", [{}])
        answers.append((answer.status_code, answer.headers.get("www-authenticate"), errors[0].get("message")))

    needed = (
        'This needs a token: send `Authorization: Bearer …`, or `{"token": "…"}` in connection_init. '
        "`ringside token create` makes one."
    )
    assert answers == [
        *[(401, "Bearer", needed)] * 5,
        (401, "Bearer", "This is not a token of Ringside: they look like rs_XXXXXXXX_… and are one word."),
        (401, "Bearer", "This token is not known here. `ringside token create` makes one."),
        (200, None, None),
    ]


async def test_a_token_in_the_address_opens_nothing(house: RunningHouse) -> None:
    answer = await house.http.post(f"/graphql?token={house.secret}", json=VIEWER)

    assert answer.status_code == 401


async def test_two_tokens_at_once_are_two_viewers(house: RunningHouse) -> None:
    create = 'mutation ($ids: [ID!]) { tokenCreate(input: {label: "overlay", nodeIds: $ids}) { secret } }'
    overlay = (await house.execute(create, ids=[house.mat]))["tokenCreate"]["secret"]

    async def ask(secret: str) -> Any:
        headers = {"Authorization": f"Bearer {secret}"}
        answer = await house.http.post("/graphql", json={"query": "{ viewer { isOverlay } }"}, headers=headers)
        return answer.json()["data"]["viewer"]["isOverlay"]

    answers = await asyncio.gather(*(ask(secret) for _ in range(20) for secret in (house.secret, overlay)))

    assert answers == [False, True] * 20


# What a request looks like.


async def test_operations_come_as_json_by_post(house: RunningHouse) -> None:
    types = ["application/json", "Application/JSON; charset=utf-8", "text/plain", "multipart/form-data", "", "x"]

    statuses = [
        (await post(house, '{"query": "{ viewer { role } }"}', **{"Content-Type": content_type})).status_code
        for content_type in types
    ]

    assert statuses == [200, 200, 415, 415, 415, 415]


async def test_other_methods_are_told_which_to_use(house: RunningHouse) -> None:
    answers = []
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS"):
        answer = await house.http.request(method, "/graphql?query={viewer{role}}", headers=house.bearer)
        answers.append((answer.status_code, answer.headers["allow"]))

    assert answers == [(405, "GET, POST")] * 4


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(house: RunningHouse) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1000

    told = await post(house, b'{"query": "{ viewer { role } }"}' + b" " * 70_000)
    untold = await house.http.post("/graphql", content=chunks(), headers={**JSON, **house.bearer})
    anonymous = await house.http.post("/graphql", content=b" " * 70_000, headers=JSON)

    assert [told.status_code, untold.status_code] == [413, 413]
    assert anonymous.status_code in {401, 413}


NO_OPERATIONS = [
    b"",
    b"{",
    b"[]",
    b"[" + b'{"query": "{ viewer { role } }"}' + b"]",
    b"7",
    b"null",
    b'"{ viewer { role } }"',
    b"NaN",
    b'{"query": NaN}',
    b'{"query": "{ viewer { role } }", "variables": {"x": NaN}}',
    b'{"query": "\xff"}',
    b"[" * 5000,
    b'{"query":' * 5000,
    b'{"query": "{ viewer { role } }", "variables": ' + b"[" * 3000 + b"]" * 3000 + b"}",
    b"{}",
    b'{"query": null}',
    b'{"query": 7}',
    b'{"query": ""}',
    b'{"query": "{ viewer { role } }", "variables": []}',
    b'{"query": "{ viewer { role } }", "extensions": 7}',
]


async def test_a_body_that_is_no_operation_is_refused_without_a_traceback(
    house: RunningHouse, caplog: pytest.LogCaptureFixture
) -> None:
    statuses = [(body[:40], (await post(house, body)).status_code) for body in NO_OPERATIONS]

    # An empty document is a request like others; GraphQL itself has nothing to run in it.
    assert [status for status in statuses if status[1] != 400] == [(b'{"query": ""}', 200)]
    assert "Traceback" not in caplog.text


async def test_a_document_nested_beyond_sense_is_an_error_and_no_traceback(
    house: RunningHouse, caplog: pytest.LogCaptureFixture
) -> None:
    documents = ["{" * 3000, "{ a" * 3000 + " }" * 3000, "{ viewer(a: " + "[" * 5000 + " }", "#" * 60_000]

    answers = [await house.http.post("/graphql", json={"query": one}, headers=house.bearer) for one in documents]

    assert all(answer.status_code in {200, 400} for answer in answers)
    assert all(answer.json()["errors"] for answer in answers)
    assert "Traceback" not in caplog.text


async def test_a_foreign_host_is_refused(house: RunningHouse) -> None:
    statuses = []
    for host in ("evil.example", "127.0.0.1.evil.example", "", "localhost", f"127.0.0.1:{house.port}", "[::1]:8000"):
        answer = await house.http.post("/graphql", json=VIEWER, headers={**house.bearer, "Host": host})
        statuses.append(answer.status_code)

    assert statuses == [400, 400, 400, 200, 200, 200]


# Pages and health.


async def test_graphiql_is_shown_to_browsers_alone(house: RunningHouse) -> None:
    browser = await house.http.get("/graphql", headers={"Accept": "text/html,application/xhtml+xml"})
    program = await house.http.get("/graphql", headers={"Accept": "application/json", **house.bearer})
    home = await house.http.get("/")

    assert (browser.status_code, browser.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'self'" in browser.headers["content-security-policy"]
    assert (program.status_code, program.json()["errors"][0]["message"]) == (400, "`query` is missing.")
    assert (home.status_code, home.headers["location"]) == (307, "/graphql")


async def test_health_is_told_without_a_token_and_without_secrets(house: RunningHouse, clock: ManualClock) -> None:
    await house.send("pre;FightLoaded")
    await house.logged(1)
    assert house.listener is not None
    await house.house.leaving.leases.look()

    alive = await house.http.get("/healthz")
    ready = await house.http.get("/readyz")

    at = f"{clock.now():%Y-%m-%dT%H:%M:%SZ}"
    database = ready.json()["database"]
    (pss,) = (one for one in ready.json()["workers"] if one["name"].startswith("pss Command line "))
    (watchdog,) = (one for one in ready.json()["workers"] if one["name"] == "watchdog")
    assert (alive.status_code, alive.json()) == (200, {"status": "ok", "at": at})
    assert (ready.status_code, ready.headers["cache-control"]) == (200, "no-store")
    well = {"state": "running", "since": at, "restarts": 0, "lastError": None}
    workers = {one.pop("name"): one for one in ready.json()["workers"]}
    leases = {name: one.pop("lease") for name, one in workers.items() if "lease" in one}
    machine = leases["backups"]["holder"].partition("/")[0]
    assert ready.json() | {"workers": ...} == {
        "status": "ok",
        "at": at,
        "database": database,
        "bus": ready.json()["bus"],
        "workers": ...,
        "sockets": 0,
        "listeners": 0,
    }
    assert workers == {
        "settings": well,
        "backups": {**well, "done": 0},
        "restorations": well,
        "housekeeping": {**well, "retired": 0},
        "doorkeeper": {**well, "sockets": 0, "wrongTokens": 0},
        "stream sources": {**well, "sources": 0},
        "OBS machines": {**well, "machines": 0},
        "goal keeper": well,
        "feeds": {
            **well,
            "reading": 0,
            "unstored": 0,
            "behindSeconds": 0,
            "polls": 0,
            "failures": 0,
            "killed": 0,
        },
        "executions": {**well, "sent": 0, "lost": 0},
        "screenshots": {**well, "taking": 0, "taken": 0, "failures": 0, "browsers": 0},
        "session planner": {**well, "planned": 0},
        "leases": well,
        "listeners": {**well, "listeners": 0},
        "listener reports": well,
        f"listeners of {machine}": {**well, "listeners": 1},
        f"listener reports of {machine}": well,
        "operations": {**well, "underWay": 0},
        "tally": well,
        **({"budgets": well} if database["engine"] == "postgresql" else {}),
        "watchdog": {**well, "stalls": watchdog["stalls"], "longestStallMs": watchdog["longestStallMs"]},
        pss["name"]: {
            **well,
            "address": f"127.0.0.1:{house.listener.bound_port}",
            "datagrams": 1,
            "messages": 1,
            "unreadable": 0,
            "dropped": 0,
            "refused": 0,
            "waiting": 0,
            "lastReceivedAt": at,
        },
    }
    assert set(leases) == {
        *("backups", "housekeeping", "stream sources", "OBS machines", "goal keeper", "feeds", "executions"),
        *("screenshots", "session planner", "listeners", f"listeners of {machine}"),
    }
    assert {(one["isHeldHere"], one["holder"]) for one in leases.values()} == {(True, leases["backups"]["holder"])}
    assert all(one["since"] < one["until"] for one in leases.values())
    assert set(database) == {"status", "engine", "version", "synchronous"}
    assert database["status"] == "ok"
    kind = "postgresql" if database["engine"] == "postgresql" else "local"
    assert ready.json()["bus"].items() >= {"kind": kind, "status": "ok"}.items()


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
async def test_a_database_that_is_away_is_told_and_comes_back_without_a_restart(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with wire_to(database_url) as (wire, url), running_house(url, drain_seconds=1) as house:
        assert (await house.http.post("/graphql", json=VIEWER, headers=house.bearer)).status_code == 200
        wire.cut()
        alive = await house.http.get("/healthz")
        ready = await house.http.get("/readyz")
        known = await house.http.post("/graphql", json={"query": "{ mats { nodes { id } } }"}, headers=house.bearer)
        stranger = await house.http.post(
            "/graphql", json=VIEWER, headers={"Authorization": f"Bearer rs_ABCDEFGH_{'x' * 43}"}
        )
        wire.mend()
        mended = await house.http.get("/readyz")

        async def is_well() -> bool:
            ready: dict[str, object] = (await house.http.get("/readyz")).json()
            return ready["status"] == "ok"

        # The bus comes back by itself a moment later.
        await eventually(is_well, "a bus that hears")

    assert alive.status_code == 200
    assert (ready.status_code, ready.json()["status"], ready.json()["database"]["status"]) == (
        503,
        "unavailable",
        "unavailable",
    )
    assert [error["extensions"]["code"] for error in known.json()["errors"]] == ["UNAVAILABLE"]
    assert (stranger.status_code, stranger.headers["retry-after"]) == (503, "1")
    assert (mended.status_code, mended.json()["database"]["status"]) == (200, "ok")
    assert "Traceback" not in "".join(
        record.getMessage() for record in caplog.records if record.name == "uvicorn.error"
    )


# What goes wrong inside.


async def test_a_mishap_is_masked_behind_an_id_that_is_in_the_log(
    database_url: str, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_house(database_url, clock=clock) as house:
        await house.send("pre;FightLoaded")
        await house.logged(1)
        await drop_table(database_url, "match_events")

        async def ask(number: int) -> dict[str, Any]:
            operation = EVENTS if number % 2 else "query ($mat: ID!) { mat(id: $mat) { name } }"
            answer = await house.http.post(
                "/graphql", json={"query": operation, "variables": {"mat": house.mat}}, headers=house.bearer
            )
            body: dict[str, Any] = answer.json()
            return body

        answers = await asyncio.gather(*(ask(number) for number in range(20)))

    assert answers[::2] == [{"data": {"mat": {"name": "Mat 1"}}}] * 10
    errors = [error for answer in answers[1::2] for error in answer["errors"]]
    assert len(errors) == 10
    assert [(error["message"], error["extensions"]["code"]) for error in errors] == [
        ("Unexpected error.", "INTERNAL_SERVER_ERROR")
    ] * 10
    numbers = [error["extensions"]["id"] for error in errors]
    assert len(set(numbers)) == 10
    assert all(caplog.text.count(f"error {number} in operation") == 1 for number in numbers)
    # Its words are in the log, and nowhere else.
    assert "match_events" in caplog.text
    assert "match_events" not in str(answers)


async def test_a_secret_is_in_no_line_of_the_log(database_url: str, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    canary = f"rs_CANARYXX_{'c' * 43}"
    async with serving(database_url, log, log_level="DEBUG") as server:
        await server.http.post("/graphql", json=VIEWER)
        for secret in (canary, server.secret):
            headers = {"Authorization": f"Bearer {secret}"}
            await server.http.get(f"/overlays/mat/x?token={secret}", headers=headers)
            await server.http.get(f"/nowhere?token={secret}")
            await server.http.post(f"/graphql?token={secret}", json=VIEWER, headers=headers)
            await server.http.post("/graphql", json={"query": f'{{ node(id: "{secret}") {{ id }} }}'}, headers=headers)
            await server.http.post("/graphql", content=f'{{"token": "{secret}"', headers={**JSON, **headers})
            async with open_socket(f"ws{server.url.removeprefix('http')}/graphql?token={secret}") as socket:
                await socket.send({"type": "connection_init", "payload": {"token": secret}})
                await socket.send({"type": "nonsense", "token": secret})
                await socket.closed()
        mat = (await server.execute("{ mats { nodes { id } } }"))["mats"]["nodes"][0]["id"]
        await drop_table(database_url, "token_nodes")
        # A mishap while a secret is at hand, so that its traceback would hold it if it showed variables.
        create = f'mutation {{ tokenCreate(input: {{label: "x", nodeIds: ["{mat}"]}}) {{ secret }} }}'
        mishap = (await server.http.post("/graphql", json={"query": create})).json()
        server.process.terminate()
        await server.process.wait()

    written = log.read_text()
    assert [error["message"] for error in mishap["errors"]] == ["Unexpected error."]
    assert "token_nodes" in written
    assert [secret for secret in (canary, server.secret) if secret.split("_", 2)[2] in written] == []


async def test_roles_are_asked_for_where_they_are_needed(house: RunningHouse, clock: ManualClock) -> None:
    async with house.house.db.transaction() as tx:
        guest = await access.create_user(tx, name="guest", role=Role.VIEWER, now=clock.now())
        token = await access.create_token(tx, user_id=guest.id, label="guest", now=clock.now())
    headers = {"Authorization": f"Bearer {token.secret}"}
    mutation = {"query": 'mutation { matCreate(input: {name: "x"}) { mat { id } errors { code } } }'}

    answer = await house.http.post("/graphql", json=mutation, headers=headers)

    assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["FORBIDDEN"]
