"""Changes over the graph: what each leads to, how it is refused, and what never gets out."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from strawberry.types import ExecutionResult

from db.access import operations as access
from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.database import Database
from db.errors import Unauthenticated, Unavailable
from db.ids import new_id
from db.matches import operations
from db.matches.tables import Mat, Tournament
from schema.context import Context
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.graph import Graph, the_schema

TOURNAMENT_CREATE = """mutation ($name: String!, $city: String! = "") {
  tournamentCreate(input: {name: $name, city: $city}) {
    tournament { name city createdAt } errors { code field message }
  }
}"""
MAT_CREATE = """mutation ($name: String!, $tournamentId: ID) {
  matCreate(input: {name: $name, tournamentId: $tournamentId}) {
    mat { name lastSeq createdAt currentMatch { id } tournament { name } } errors { code field message }
  }
}"""
MAT_RENAME = """mutation ($id: ID!, $name: String!) {
  matRename(id: $id, name: $name) { mat { id name } errors { code field message } }
}"""
TOKEN_CREATE = """mutation ($label: String! = "Laptop", $nodeIds: [ID!], $seconds: Int) {
  tokenCreate(input: {label: $label, nodeIds: $nodeIds, lifetimeSeconds: $seconds}) {
    token { id kind label prefix createdAt expiresAt revokedAt lastUsedAt user { name } }
    secret
    errors { code field message }
  }
}"""  # noqa: S105 -- an operation, not a secret
TOKEN_REVOKE = """mutation ($id: ID!) {
  tokenRevoke(id: $id) { token { label revokedAt } errors { code field message } }
}"""  # noqa: S105 -- as above

# What JSON can bring and no database can keep, and what is only too much or too little.
UNSTORABLE = ["\x00", "before\x00after", "\ud800", "\udfff", "a\ud83da"]


def refusal(code: str, field: str | None, message: str) -> dict[str, str | None]:
    return {"code": code, "field": field, "message": message}


@pytest.fixture
async def tournament(db: Database, clock: ManualClock) -> Tournament:
    async with db.transaction() as tx:
        return await operations.create_tournament(tx, name="Seoul Open", now=clock.now())


@pytest.fixture
async def mat(db: Database, clock: ManualClock, tournament: Tournament) -> Mat:
    async with db.transaction() as tx:
        return await operations.create_mat(tx, name="Mat 1", tournament_id=tournament.id, now=clock.now())


async def someone(db: Database, clock: ManualClock, name: str, role: Role) -> Viewer:
    async with db.transaction() as tx:
        user = await access.create_user(tx, name=name, role=role, now=clock.now())
    return Viewer(user_id=user.id, token_id=new_id(), role=role)


# Tournaments


async def test_a_tournament_is_set_up(graph: Graph) -> None:
    data = await graph.execute(TOURNAMENT_CREATE, name="  Seoul Open ", city=" Seoul")

    assert data["tournamentCreate"] == {
        "tournament": {"name": "Seoul Open", "city": "Seoul", "createdAt": "2026-11-21T09:00:00.000000Z"},
        "errors": [],
    }


async def test_two_tournaments_do_not_share_a_name(graph: Graph, tournament: Tournament) -> None:
    data = await graph.execute(TOURNAMENT_CREATE, name=f" {tournament.name}")

    assert data["tournamentCreate"] == {
        "tournament": None,
        "errors": [refusal("CONFLICT", "name", "There is a tournament of this name.")],
    }


async def test_a_tournament_has_a_name_of_a_length(graph: Graph) -> None:
    for name in ("", " \t\n ", "x" * 201):
        data = await graph.execute(TOURNAMENT_CREATE, name=name)

        assert data["tournamentCreate"]["errors"] == [
            refusal("BAD_USER_INPUT", "name", "A name has 1 to 200 characters.")
        ]


async def test_a_citys_name_has_an_end(graph: Graph) -> None:
    data = await graph.execute(TOURNAMENT_CREATE, name="Seoul Open", city="x" * 201)

    assert data["tournamentCreate"]["errors"] == [refusal("BAD_USER_INPUT", "city", "A city has 0 to 200 characters.")]


async def test_a_tournament_is_told_in_text_that_can_be_stored(graph: Graph) -> None:
    for text in UNSTORABLE:
        for at_fault in ("name", "city"):
            data = await graph.execute(TOURNAMENT_CREATE, **{"name": "Seoul Open", at_fault: text})

            message = f"A {at_fault} holds a character that cannot be stored."
            assert data["tournamentCreate"] == {
                "tournament": None,
                "errors": [refusal("BAD_USER_INPUT", at_fault, message)],
            }


async def test_any_other_text_is_kept_as_it_is(graph: Graph) -> None:
    for text in (
        "'; DROP TABLE mats; --",
        "100 % _ \\ \" '",
        "서울 오픈",
        "\N{FIRE}" * 200,
        "<b>",
        "\u202eabc",
        "a\tb",
    ):
        data = await graph.execute(TOURNAMENT_CREATE, name=text, city=text)

        assert data["tournamentCreate"]["tournament"] == {
            "name": text,
            "city": text,
            "createdAt": "2026-11-21T09:00:00.000000Z",
        }


# Mats


async def test_a_mat_is_laid(graph: Graph, tournament: Tournament) -> None:
    data = await graph.execute(MAT_CREATE, name="Mat 1", tournamentId=encode_id("tournament", tournament.id))

    assert data["matCreate"] == {
        "mat": {
            "name": "Mat 1",
            "lastSeq": 0,
            "createdAt": "2026-11-21T09:00:00.000000Z",
            "currentMatch": None,
            "tournament": {"name": "Seoul Open"},
        },
        "errors": [],
    }


async def test_a_mat_may_belong_to_no_tournament(graph: Graph, mat: Mat) -> None:
    data = await graph.execute(MAT_CREATE, name=mat.name)

    assert data["matCreate"]["mat"]["tournament"] is None
    assert data["matCreate"]["errors"] == []


async def test_two_mats_of_a_tournament_do_not_share_a_name(graph: Graph, mat: Mat, tournament: Tournament) -> None:
    data = await graph.execute(MAT_CREATE, name=mat.name, tournamentId=encode_id("tournament", tournament.id))

    assert data["matCreate"] == {
        "mat": None,
        "errors": [refusal("CONFLICT", "name", "There is a mat of this name in this tournament.")],
    }


async def test_two_mats_without_a_tournament_do_not_share_a_name(graph: Graph) -> None:
    await graph.execute(MAT_CREATE, name="Practice")

    data = await graph.execute(MAT_CREATE, name="Practice")

    assert [error["code"] for error in data["matCreate"]["errors"]] == ["CONFLICT"]


async def test_a_mat_is_laid_in_a_tournament_that_exists(graph: Graph) -> None:
    data = await graph.execute(MAT_CREATE, name="Mat 1", tournamentId=encode_id("tournament", new_id()))

    assert data["matCreate"]["errors"] == [refusal("NOT_FOUND", "tournamentId", "There is no such tournament.")]


async def test_a_mat_is_not_laid_in_another_kind_of_thing(graph: Graph, mat: Mat) -> None:
    data = await graph.execute(MAT_CREATE, name="Mat 2", tournamentId=encode_id("mat", mat.id))

    (error,) = data["matCreate"]["errors"]
    assert (error["code"], error["field"]) == ("BAD_USER_INPUT", "tournamentId")
    assert "not an id of a tournament" in error["message"]


async def test_a_mat_is_renamed(graph: Graph, mat: Mat) -> None:
    mat_id = encode_id("mat", mat.id)

    data = await graph.execute(MAT_RENAME, id=mat_id, name=" Centre court")

    assert data["matRename"] == {"mat": {"id": mat_id, "name": "Centre court"}, "errors": []}


async def test_a_mat_may_be_renamed_to_what_it_is_called(graph: Graph, mat: Mat) -> None:
    data = await graph.execute(MAT_RENAME, id=encode_id("mat", mat.id), name=mat.name)

    assert data["matRename"]["errors"] == []


async def test_a_mat_is_not_renamed_to_a_taken_name(graph: Graph, mat: Mat, tournament: Tournament) -> None:
    await graph.execute(MAT_CREATE, name="Mat 2", tournamentId=encode_id("tournament", tournament.id))

    data = await graph.execute(MAT_RENAME, id=encode_id("mat", mat.id), name="Mat 2")

    assert data["matRename"] == {
        "mat": None,
        "errors": [refusal("CONFLICT", "name", "There is a mat of this name in this tournament.")],
    }


async def test_a_mat_that_is_not_there_is_not_renamed(graph: Graph) -> None:
    data = await graph.execute(MAT_RENAME, id=encode_id("mat", new_id()), name="Mat 2")

    assert data["matRename"]["errors"] == [refusal("NOT_FOUND", "id", "There is no such mat.")]


async def test_a_mat_is_told_in_text_that_can_be_stored(graph: Graph, mat: Mat) -> None:
    expected = [refusal("BAD_USER_INPUT", "name", "A name holds a character that cannot be stored.")]
    for text in UNSTORABLE:
        created = await graph.execute(MAT_CREATE, name=text)
        renamed = await graph.execute(MAT_RENAME, id=encode_id("mat", mat.id), name=text)

        assert (created["matCreate"]["errors"], renamed["matRename"]["errors"]) == (expected, expected)


async def test_what_is_no_id_is_refused_as_data(graph: Graph) -> None:
    for text in (*UNSTORABLE, "", "mat", "mat_", "mat_xyz", "side_" + "0" * 32, "x" * 10_000):
        renamed = await graph.execute(MAT_RENAME, id=text, name="Mat 2")
        laid = await graph.execute(MAT_CREATE, name="Mat 2", tournamentId=text)
        revoked = await graph.execute(TOKEN_REVOKE, id=text)
        bound = await graph.execute(TOKEN_CREATE, nodeIds=[text])

        payloads = (renamed["matRename"], laid["matCreate"], revoked["tokenRevoke"], bound["tokenCreate"])
        assert [(error["code"], error["field"]) for payload in payloads for error in payload["errors"]] == [
            ("BAD_USER_INPUT", "id"),
            ("BAD_USER_INPUT", "tournamentId"),
            ("BAD_USER_INPUT", "id"),
            ("BAD_USER_INPUT", "nodeIds"),
        ]


# Tokens


async def test_a_token_is_made_and_its_secret_shown_this_once(graph: Graph, db: Database, clock: ManualClock) -> None:
    data = await graph.execute(TOKEN_CREATE, label=" Laptop ")

    token, secret = data["tokenCreate"]["token"], data["tokenCreate"]["secret"]
    assert data["tokenCreate"]["errors"] == []
    assert {name: value for name, value in token.items() if name not in {"id", "prefix"}} == {
        "kind": "API",
        "label": "Laptop",
        "createdAt": "2026-11-21T09:00:00.000000Z",
        "expiresAt": None,
        "revokedAt": None,
        "lastUsedAt": None,
        "user": {"name": "admin"},
    }
    assert secret.startswith(token["prefix"])
    assert len(secret) > len(token["prefix"]) + 40
    async with db.read() as session:
        viewer, _ = await access.authenticate(session, secret, now=clock.now())
    assert (viewer.role, viewer.is_overlay) == (Role.ADMIN, False)
    seen = await graph.execute("{ viewer { user { tokens { nodes { id kind label prefix } } } } }")
    assert secret not in str(seen)
    assert seen["viewer"]["user"]["tokens"]["nodes"] == [
        {"id": token["id"], "kind": "API", "label": "Laptop", "prefix": token["prefix"]}
    ]


async def test_a_token_works_for_as_long_as_was_said(graph: Graph, db: Database, clock: ManualClock) -> None:
    data = await graph.execute(TOKEN_CREATE, seconds=3600)

    assert data["tokenCreate"]["token"]["expiresAt"] == "2026-11-21T10:00:00.000000Z"
    clock.move(timedelta(hours=1))
    async with db.read() as session:
        with pytest.raises(Unauthenticated, match="has expired"):
            await access.authenticate(session, data["tokenCreate"]["secret"], now=clock.now())


async def test_an_overlays_token_is_bound_to_what_it_names(
    graph: Graph, db: Database, clock: ManualClock, mat: Mat, tournament: Tournament
) -> None:
    async with db.transaction() as tx:
        await operations.create_mat(tx, name="Mat 2", tournament_id=tournament.id, now=clock.now())

    data = await graph.execute(TOKEN_CREATE, label="OBS", nodeIds=[encode_id("mat", mat.id)] * 2)

    assert data["tokenCreate"]["token"]["kind"] == "OVERLAY"
    async with db.read() as session:
        overlay, _ = await access.authenticate(session, data["tokenCreate"]["secret"], now=clock.now())
    seen = await graph.as_viewer(overlay).execute(
        "{ viewer { isOverlay role user { name } } mats { totalCount nodes { name } } }"
    )
    assert seen == {
        "viewer": {"isOverlay": True, "role": None, "user": None},
        "mats": {"totalCount": 1, "nodes": [{"name": "Mat 1"}]},
    }


@pytest.mark.parametrize("count", [0, 21])
async def test_an_overlays_token_names_1_to_20_nodes(graph: Graph, count: int) -> None:
    ids = []
    for number in range(count):
        made = await graph.execute(
            "mutation ($name: String!) { matCreate(input: {name: $name}) { mat { id } } }", name=f"{number}"
        )
        ids.append(made["matCreate"]["mat"]["id"])

    data = await graph.execute(TOKEN_CREATE, nodeIds=ids)

    assert data["tokenCreate"] == {
        "token": None,
        "secret": None,
        "errors": [refusal("BAD_USER_INPUT", "nodeIds", "An overlay token is bound to 1 to 20 nodes.")],
    }


async def test_an_overlays_token_names_what_is_there(graph: Graph) -> None:
    match_id = encode_id("match", new_id())

    data = await graph.execute(TOKEN_CREATE, nodeIds=[match_id])

    assert data["tokenCreate"]["errors"] == [refusal("NOT_FOUND", "nodeIds", f"There is no such match: {match_id}")]


async def test_an_overlays_token_names_what_overlays_show_and_nothing_else(graph: Graph, admin: User) -> None:
    data = await graph.execute(TOKEN_CREATE, nodeIds=[encode_id("user", admin.id)])

    assert data["tokenCreate"]["errors"] == [
        refusal("BAD_USER_INPUT", "nodeIds", "An overlay token is bound to mats, matches, streams and goals.")
    ]


async def test_a_lifetime_is_one_that_can_be(graph: Graph) -> None:
    for seconds in (0, -1, 2_147_483_647):
        data = await graph.execute(TOKEN_CREATE, seconds=seconds)

        assert data["tokenCreate"]["errors"] == [
            refusal("BAD_USER_INPUT", "lifetimeSeconds", "A lifetime is between a second and ten years.")
        ]


async def test_a_label_is_one_that_can_be(graph: Graph) -> None:
    for label in ("", "   ", "x" * 201, *UNSTORABLE):
        data = await graph.execute(TOKEN_CREATE, label=label)

        (error,) = data["tokenCreate"]["errors"]
        assert (error["code"], error["field"]) == ("BAD_USER_INPUT", "label")


async def test_a_token_is_revoked_and_stays_so(graph: Graph, db: Database, clock: ManualClock) -> None:
    made = (await graph.execute(TOKEN_CREATE))["tokenCreate"]

    first = await graph.execute(TOKEN_REVOKE, id=made["token"]["id"])
    clock.move(timedelta(hours=1))
    again = await graph.execute(TOKEN_REVOKE, id=made["token"]["id"])

    revoked = {"token": {"label": "Laptop", "revokedAt": "2026-11-21T09:00:00.000000Z"}, "errors": []}
    assert (first["tokenRevoke"], again["tokenRevoke"]) == (revoked, revoked)
    async with db.read() as session:
        with pytest.raises(Unauthenticated, match="was revoked"):
            await access.authenticate(session, made["secret"], now=clock.now())


async def test_a_users_own_token_is_his_to_revoke(graph: Graph, db: Database, clock: ManualClock) -> None:
    anna = await someone(db, clock, "anna", Role.VIEWER)
    async with db.transaction() as tx:
        made = await access.create_token(tx, user_id=anna.user_id, label="Phone", now=clock.now())

    data = await graph.as_viewer(anna).execute(TOKEN_REVOKE, id=encode_id("token", made.token.id))

    assert data["tokenRevoke"]["errors"] == []


async def test_somebody_elses_token_looks_as_if_it_were_not_there(
    graph: Graph, db: Database, clock: ManualClock
) -> None:
    made = (await graph.execute(TOKEN_CREATE))["tokenCreate"]["token"]
    anna = graph.as_viewer(await someone(db, clock, "anna", Role.OPERATOR))

    foreign = await anna.execute(TOKEN_REVOKE, id=made["id"])
    missing = await anna.execute(TOKEN_REVOKE, id=encode_id("token", new_id()))
    seen = await anna.execute("query ($id: ID!) { node(id: $id) { id } }", id=made["id"])

    expected = {"token": None, "errors": [refusal("NOT_FOUND", "id", "There is no such token.")]}
    assert (foreign["tokenRevoke"], missing["tokenRevoke"], seen) == (expected, expected, {"node": None})


# Authority and mishaps


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER])
async def test_missing_authority_is_said_at_the_top_and_not_as_data(
    graph: Graph, db: Database, clock: ManualClock, role: Role
) -> None:
    viewer = await someone(db, clock, "anna", role)

    errors = await graph.as_viewer(viewer).refused(TOURNAMENT_CREATE, name="Seoul Open")

    message = f"This needs the role OPERATOR; this token's user has the role {role}."
    assert errors == [{"message": message, "code": "FORBIDDEN"}]


async def test_nobody_is_told_how_to_become_somebody(graph: Graph) -> None:
    (error,) = await graph.as_viewer(None).refused(TOURNAMENT_CREATE, name="Seoul Open")

    assert error["code"] == "UNAUTHENTICATED"
    assert "ringside token create" in error["message"]


async def test_an_overlay_changes_nothing(graph: Graph, admin: User, mat: Mat) -> None:
    overlay = Viewer(user_id=admin.id, token_id=new_id(), role=Role.ADMIN, nodes=frozenset({mat.id}))

    errors = await graph.as_viewer(overlay).refused(MAT_RENAME, id=encode_id("mat", mat.id), name="Mat 2")

    message = "An overlay token reads the nodes it is bound to and does nothing else."
    assert errors == [{"message": message, "code": "FORBIDDEN"}]


async def test_a_refused_change_is_not_made(graph: Graph, db: Database, clock: ManualClock, mat: Mat) -> None:
    viewer = await someone(db, clock, "anna", Role.VIEWER)
    await graph.as_viewer(viewer).refused(MAT_RENAME, id=encode_id("mat", mat.id), name="Mat 2")

    seen = await graph.execute("{ mats { nodes { name } } }")

    assert seen == {"mats": {"nodes": [{"name": "Mat 1"}]}}


async def test_a_database_that_is_away_is_no_fault_of_the_input(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise Unavailable("The database does not answer.")

    monkeypatch.setattr(operations, "create_tournament", away)

    errors = await graph.refused(TOURNAMENT_CREATE, name="Seoul Open")

    assert errors == [{"message": "The database does not answer.", "code": "UNAVAILABLE"}]


async def test_a_bug_is_masked_and_found_again_by_its_number(
    graph: Graph, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise KeyError("a secret of the house")

    monkeypatch.setattr(operations, "create_tournament", broken)

    with caplog.at_level(logging.ERROR):
        result = await graph.result(TOURNAMENT_CREATE, name="A token in a variable")

    (error,) = result.errors or []
    assert error.message == "Unexpected error."
    assert set(error.extensions or {}) == {"code", "id"}
    assert (error.extensions or {})["code"] == "INTERNAL_SERVER_ERROR"
    (record,) = caplog.records
    assert str((error.extensions or {})["id"]) in record.getMessage()
    assert "A token in a variable" not in caplog.text
    assert record.exc_info is not None
    assert "secret of the house" in str(record.exc_info[1])


@pytest.mark.parametrize(
    ("operation", "variables"),
    [
        ("mutation { matCreate(input: {name: 5}) { mat { id } } }", {}),
        ("mutation { matCreate(input: {}) { mat { id } } }", {}),
        ("mutation { matCreate(input: {name: null}) { mat { id } } }", {}),
        ('mutation { matCreate(input: {name: "x", lastSeq: 5}) { mat { id } } }', {}),
        ('mutation { tournamentCreate(input: {name: "x", role: ADMIN}) { errors { code } } }', {}),
        (MAT_CREATE, {}),
        (MAT_CREATE, {"name": 5}),
        (MAT_CREATE, {"name": None}),
        (MAT_CREATE, {"name": ["x"]}),
        (MAT_CREATE, {"name": {"x": "y"}}),
        (TOKEN_CREATE, {"seconds": 2**31}),
        (TOKEN_CREATE, {"seconds": 0.5}),
        (TOKEN_CREATE, {"nodeIds": [None]}),
        ("mutation { matCreate", {}),
        ("mutation { matCrate { id } }", {}),
        ('mutation { matCreate(input: {name: "\ud800"}) { mat { id } } }', {}),
        ("", {}),
    ],
)
async def test_a_document_or_variable_that_cannot_be_is_the_clients_fault(
    clock: ManualClock, operation: str, variables: dict[str, Any]
) -> None:
    nowhere: Any = None
    context = Context(db=nowhere, clock=clock, asker=Viewer(user_id=new_id(), token_id=new_id(), role=Role.ADMIN))

    # Streamed, as a socket does it: nothing stands between the client and the schema.
    stream = await the_schema().stream(operation, variable_values=variables, context_value=context)
    answers = [answer async for answer in stream]

    (answer,) = answers
    assert isinstance(answer, ExecutionResult)
    assert answer.data is None
    assert [error.extensions for error in answer.errors or []] == [{"code": "BAD_USER_INPUT"}]


async def test_times_are_read_from_the_clock_that_is_given(graph: Graph, clock: ManualClock) -> None:
    clock.time = datetime(2030, 1, 1, 12, 0, 0, 1, tzinfo=UTC)

    data = await graph.execute(TOURNAMENT_CREATE, name="Seoul Open")

    assert data["tournamentCreate"]["tournament"]["createdAt"] == "2030-01-01T12:00:00.000001Z"
