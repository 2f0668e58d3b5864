"""Documents that are named instead of sent, and what an answer says of itself."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from api import pages
from api.app import build_app
from api.auth import Doorkeeper
from api.leaving import Leaving
from api.settings import Settings
from api.tally import Tally
from api.transport.persisted import Persisted, identity_of, read_trusted
from api.transport.under_way import UnderWay
from api.watchdog import Watchdog
from api.workers.leases import Leases
from api.workers.supervisor import Supervisor
from db.access import operations as access
from db.database import Database
from db.errors import Invalid
from db.settings.current import CurrentSettings
from tests.api.asking import ADMIN, GRAPHQL, JSON, ROLE, get, post, told
from tests.conftest import ManualClock
from tests.support.house import RunningHouse, running_house


@pytest.fixture
async def house(database_url: str, clock: ManualClock) -> AsyncIterator[RunningHouse]:
    async with running_house(database_url, clock=clock, has_listener=False) as running:
        yield running


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


async def test_a_name_that_is_none_is_refused(house: RunningHouse) -> None:
    named: list[Any] = [{}, {"version": 2, "sha256Hash": "x"}, {"version": 1, "sha256Hash": 7}, "x", []]

    answers = [told(await post(house, query=ROLE, extensions={"persistedQuery": given})) for given in named]

    assert answers == [(400, JSON, ["BAD_REQUEST"])] * len(named)


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
        "OverlayRecordings",
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
        doorkeeper=(doorkeeper := Doorkeeper(db, clock)),
        leaving=Leaving(doorkeeper, Leases(db, clock, host="booth")),
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
