"""Nodes: found by their ids, each kind by those who may see it."""

from itertools import pairwise

import pytest

from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.database import Database
from db.ids import new_id
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.competition import Competition, hold
from tests.support.graph import Graph


@pytest.fixture
async def competition(db: Database, clock: ManualClock) -> Competition:
    """Two tournaments, six mats, two fights on each."""
    return await hold(db, clock.now(), fights=2)


async def test_every_kind_of_node_is_found_by_its_id(graph: Graph, competition: Competition, admin: User) -> None:
    data = await graph.execute(
        """query ($id: ID!) { mat(id: $id) {
          id tournament { id } currentMatch {
            id sides { id athlete { id } } rounds { id } events(first: 1) { nodes { id } }
          }
        } }""",
        id=encode_id("mat", competition.mats[0].id),
    )
    await graph.execute('mutation { tokenCreate(input: {label: "x"}) { errors { code } } }')
    tokens = await graph.execute("{ viewer { user { tokens { nodes { id } } } } }")
    mat = data["mat"]
    match = mat["currentMatch"]
    ids = {
        "Mat": mat["id"],
        "Tournament": mat["tournament"]["id"],
        "Match": match["id"],
        "MatchSide": match["sides"][0]["id"],
        "Athlete": match["sides"][0]["athlete"]["id"],
        "Round": match["rounds"][0]["id"],
        "MatchEvent": match["events"]["nodes"][0]["id"],
        "User": encode_id("user", admin.id),
        "Token": tokens["viewer"]["user"]["tokens"]["nodes"][0]["id"],
    }

    found = await graph.execute("query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", ids=list(ids.values()))
    alone = [
        (await graph.execute("query ($id: ID!) { node(id: $id) { __typename id } }", id=one))["node"]
        for one in ids.values()
    ]

    expected = [{"__typename": kind, "id": one} for kind, one in ids.items()]
    assert (found["nodes"], alone) == (expected, expected)


async def test_nodes_come_in_the_order_of_their_ids_null_where_one_is_gone(
    graph: Graph, competition: Competition
) -> None:
    mats = [encode_id("mat", mat.id) for mat in competition.mats]
    tournament = encode_id("tournament", competition.tournaments[0].id)
    unknown_kind = "planet_" + "0" * 32
    of_another_kind = encode_id("match", competition.mats[0].id)
    ids = [mats[2], encode_id("mat", new_id()), tournament, mats[0], unknown_kind, mats[2], of_another_kind]

    data = await graph.execute(
        """query ($ids: [ID!]!) { nodes(ids: $ids) {
          __typename ... on Mat { name } ... on Tournament { city mats { totalCount } }
        } }""",
        ids=ids,
    )

    third = {"__typename": "Mat", "name": "Mat 02"}
    assert data["nodes"] == [
        third,
        None,
        {"__typename": "Tournament", "city": "", "mats": {"totalCount": 3}},
        {"__typename": "Mat", "name": "Mat 00"},
        None,
        third,
        None,
    ]


async def test_a_hundred_nodes_may_be_asked_for_and_no_more(graph: Graph) -> None:
    question = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"

    most = await graph.execute(question, ids=[encode_id("mat", new_id()) for _ in range(100)])
    more = await graph.refused(question, ids=[encode_id("mat", new_id()) for _ in range(101)])

    assert most == {"nodes": [None] * 100}
    assert more == [
        {"message": "Ask for at most 100 nodes; 101 were asked for.", "code": "BAD_USER_INPUT", "field": "ids"}
    ]


async def test_what_is_no_id_is_refused_with_the_field_at_fault(graph: Graph, competition: Competition) -> None:
    spelled = encode_id("mat", competition.mats[0].id)
    capitals = f"mat_{competition.mats[0].id.hex.upper()}"
    fakes = ["", "5", "mat", "mat_", "mat_xyz", capitals, spelled[:-1], spelled + "0", f" {spelled}", "\x00", "\ud800"]
    for fake in fakes:
        errors = [
            *await graph.refused("query ($id: ID!) { node(id: $id) { id } }", id=fake),
            *await graph.refused("query ($id: ID!) { nodes(ids: [$id]) { id } }", id=fake),
            *await graph.refused("query ($id: ID!) { mat(id: $id) { id } }", id=fake),
            *await graph.refused("query ($id: ID!) { match(id: $id) { id } }", id=fake),
            *await graph.refused("query ($id: ID!) { scoreboard(matId: $id) { round } }", id=fake),
            *await graph.refused("query ($id: ID!) { scoreboard(matchId: $id) { round } }", id=fake),
        ]

        assert [(error["code"], error["field"]) for error in errors] == [
            ("BAD_USER_INPUT", field) for field in ("id", "ids", "id", "id", "matId", "matchId")
        ], fake


async def test_an_id_of_another_kind_is_refused_by_name(graph: Graph, competition: Competition) -> None:
    mat = encode_id("mat", competition.mats[0].id)

    (error,) = await graph.refused("query ($id: ID!) { match(id: $id) { id } }", id=mat)

    assert (error["code"], error["field"]) == ("BAD_USER_INPUT", "id")
    assert error["message"].startswith("This is not an id of a match: 'mat_")


async def test_a_thing_that_is_gone_is_null(graph: Graph) -> None:
    data = await graph.execute(
        "query ($mat: ID!, $match: ID!) { mat(id: $mat) { id } match(id: $match) { id } node(id: $mat) { id } }",
        mat=encode_id("mat", new_id()),
        match=encode_id("match", new_id()),
    )

    assert data == {"mat": None, "match": None, "node": None}


# Who sees what


async def test_an_overlay_sees_its_nodes_on_every_path_and_nothing_else(
    graph: Graph, competition: Competition, admin: User
) -> None:
    bound, other = competition.mats[0], competition.mats[1]
    overlay = graph.as_viewer(Viewer(user_id=admin.id, token_id=new_id(), role=Role.ADMIN, nodes=frozenset({bound.id})))
    hidden = await graph.execute(
        "query ($id: ID!) { mat(id: $id) { currentMatch { id sides { id athlete { id } } events { nodes { id } } } } }",
        id=encode_id("mat", other.id),
    )
    match = hidden["mat"]["currentMatch"]
    ids = [
        encode_id("mat", other.id),
        encode_id("tournament", competition.tournaments[1].id),
        encode_id("user", admin.id),
        match["id"],
        match["sides"][0]["id"],
        match["sides"][0]["athlete"]["id"],
        match["events"]["nodes"][0]["id"],
    ]

    seen = await overlay.execute(
        """query ($ids: [ID!]!, $mine: ID!, $other: ID!) {
          mats { totalCount nodes { name matches { totalCount } tournament { name mats { totalCount } } } }
          tournaments { totalCount nodes { name } }
          matches { totalCount nodes { number } }
          mine: scoreboard(matId: $mine) { number blue { score } }
          other: scoreboard(matId: $other) { number }
          nodes(ids: $ids) { id }
        }""",
        ids=ids,
        mine=encode_id("mat", bound.id),
        other=encode_id("mat", other.id),
    )

    assert seen == {
        "mats": {
            "totalCount": 1,
            "nodes": [
                {
                    "name": "Mat 00",
                    "matches": {"totalCount": 2},
                    "tournament": {"name": "Open 0", "mats": {"totalCount": 1}},
                }
            ],
        },
        "tournaments": {"totalCount": 1, "nodes": [{"name": "Open 0"}]},
        "matches": {"totalCount": 2, "nodes": [{"number": "0.1"}, {"number": "0.0"}]},
        "mine": {"number": "0.1", "blue": {"score": 3}},
        "other": None,
        "nodes": [None] * len(ids),
    }


async def test_an_entry_tells_its_place_in_the_feed(graph: Graph, competition: Competition) -> None:
    data = await graph.execute(
        "query ($id: ID!) { mat(id: $id) { currentMatch { events { edges { cursor node { seq cursor } } } } } }",
        id=encode_id("mat", competition.mats[0].id),
    )

    edges = data["mat"]["currentMatch"]["events"]["edges"]
    assert [edge["cursor"] for edge in edges] == [edge["node"]["cursor"] for edge in edges]
    assert all(one["node"]["seq"] + 1 == other["node"]["seq"] for one, other in pairwise(edges))
