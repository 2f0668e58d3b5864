"""Questions over the graph: what an answer costs, and what it holds."""

import pytest

from db.database import Database
from db.ids import new_id
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.competition import Competition, hold
from tests.support.graph import Graph

MATS = """query ($first: Int, $after: String, $last: Int, $before: String) {
  mats(first: $first, after: $after, last: $last, before: $before) {
    edges { cursor node { name } }
    nodes { name }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    totalCount
  }
}"""


@pytest.fixture
async def competition(db: Database, clock: ManualClock) -> Competition:
    """Two tournaments, six mats, two fights on each."""
    return await hold(db, clock.now(), fights=2)


@pytest.fixture
async def championship(db: Database, clock: ManualClock) -> Competition:
    """Fifty mats of two tournaments, a fight on each."""
    return await hold(db, clock.now(), mats=50)


# What an answer costs


# What is asked, its levels, and the statements that read them on PostgreSQL: many rows come with what hangs on them.
_COSTS = [
    ("{ mats(first: 50) { nodes { id name } } }", 1, 1),
    ("{ mats(first: 50) { nodes { tournament { name } } } }", 2, 2),
    ("{ mats(first: 50) { nodes { currentMatch { number } } } }", 2, 2),
    ("{ matches(first: 50) { nodes { sides { side score } } } }", 2, 2),
    (
        "{ matches(first: 50) { nodes { sides { athlete { name } } rounds { number } scoreboard { revision } } } }",
        5,
        5,
    ),
    ("{ mats(first: 50) { nodes { matches(first: 3) { nodes { number } } } } }", 2, 1),
    ("{ mats(first: 50) { nodes { matches(first: 3) { nodes { number } totalCount } } } }", 3, 2),
    ("{ mats(first: 50) { nodes { a: matches { nodes { number } } b: matches { nodes { state } } } } }", 2, 1),
    ("{ mats(first: 50) { nodes { a: matches(first: 1) { totalCount } b: matches { totalCount } } } }", 3, 3),
    ("{ matches(first: 50) { nodes { events(first: 2, filter: {kinds: [POINT]}) { nodes { points } } } } }", 2, 2),
    ("{ matches(first: 50) { nodes { mat { tournament { mats(first: 1) { nodes { name } } } } } } }", 4, 4),
    ("{ mats { pageInfo { endCursor } edges { cursor } } }", 1, 1),
    ("{ mats { totalCount } }", 1, 1),
    ("{ a: tournaments { nodes { name } } b: mats { nodes { tournament { name } } } }", 3, 3),
    (
        "{ mats(first: 50) { nodes { tournament { name } matches(first: 3) { nodes { number sides { side } } } } } }",
        4,
        1,
    ),
]


async def test_an_edge_over_fifty_parents_costs_one_statement(graph: Graph, championship: Competition) -> None:
    assert len(championship.mats) == 50
    for operation, levels, together in _COSTS:
        with graph.statements() as heard:
            await graph.execute(operation)

        assert len(heard) == (levels if graph.db.statements.dialect.name == "sqlite" else together), "\n\n".join(
            [operation, *heard]
        )


async def test_nodes_of_a_kind_are_read_together(graph: Graph, championship: Competition) -> None:
    ids = [encode_id("mat", mat.id) for mat in championship.mats]
    ids += [encode_id("tournament", tournament.id) for tournament in championship.tournaments]

    with graph.statements() as heard:
        data = await graph.execute("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids)

    assert data == {"nodes": [{"id": one} for one in ids]}
    assert len(heard) == 2


async def test_what_was_read_once_is_not_read_again(graph: Graph, championship: Competition) -> None:
    mat = encode_id("mat", championship.mats[0].id)

    with graph.statements() as heard:
        await graph.on_graphql_core().execute(
            "query ($id: ID!) { a: mat(id: $id) { name } b: node(id: $id) { id } }", id=mat
        )

    assert len(heard) == 1


# Answers


async def test_a_fight_is_shown_with_all_that_belongs_to_it(graph: Graph, competition: Competition) -> None:
    data = await graph.execute(
        """query ($id: ID!) {
          mat(id: $id) {
            name
            lastSeq
            tournament { name mats { nodes { name } } }
            currentMatch {
              number phase weight division state roundCount roundSeconds outcome winnerName loadedAt startedAt endedAt
              mat { name }
              sides { side score gamJeomCount roundsWon background athlete { name shortName countryCode } }
              rounds { number blueScore redScore winner }
              events(filter: {kinds: [POINT]}) { totalCount nodes { seq kind side points raw isValid reason } }
              scoreboard {
                number round blue { name score roundScores } red { name score }
                clock { state remainingMs asOf } breakClock { state } challenge { state } match { number }
              }
            }
          }
        }""",
        id=encode_id("mat", competition.mats[0].id),
    )

    assert data["mat"] == {
        "name": "Mat 00",
        "lastSeq": 26,
        "tournament": {"name": "Open 0", "mats": {"nodes": [{"name": f"Mat {n:02}"} for n in (0, 2, 4)]}},
        "currentMatch": {
            "number": "0.1",
            "phase": "Final",
            "weight": "M -68kg",
            "division": "Seniors",
            "state": "LIVE",
            "roundCount": 3,
            "roundSeconds": 120,
            "outcome": None,
            "winnerName": "",
            "loadedAt": "2026-11-21T09:10:00.000000Z",
            "startedAt": "2026-11-21T09:10:00.009000Z",
            "endedAt": None,
            "mat": {"name": "Mat 00"},
            "sides": [
                {
                    "side": "BLUE",
                    "score": 3,
                    "gamJeomCount": 0,
                    "roundsWon": 0,
                    "background": "#0000ff",
                    "athlete": {"name": "Blue 0.1", "shortName": "B. 0.1", "countryCode": "KOR"},
                },
                {
                    "side": "RED",
                    "score": 0,
                    "gamJeomCount": 0,
                    "roundsWon": 0,
                    "background": "#ff0000",
                    "athlete": {"name": "Red 0.1", "shortName": "R. 0.1", "countryCode": "GER"},
                },
            ],
            "rounds": [{"number": 1, "blueScore": 3, "redScore": 0, "winner": None}],
            "events": {
                "totalCount": 1,
                "nodes": [
                    {
                        "seq": 26,
                        "kind": "POINT",
                        "side": "BLUE",
                        "points": 3,
                        "raw": "pt1;3",
                        "isValid": True,
                        "reason": None,
                    }
                ],
            },
            "scoreboard": {
                "number": "0.1",
                "round": 1,
                "blue": {"name": "B. 0.1", "score": 3, "roundScores": [3]},
                "red": {"name": "R. 0.1", "score": 0},
                "clock": {"state": "RUNNING", "remainingMs": 120_000, "asOf": "2026-11-21T09:10:00.009000Z"},
                "breakClock": None,
                "challenge": None,
                "match": {"number": "0.1"},
            },
        },
    }


async def test_a_scoreboard_is_found_by_its_fight_or_its_mat(graph: Graph, competition: Competition) -> None:
    mat = competition.mats[2]
    seen = await graph.execute("query ($id: ID!) { mat(id: $id) { currentMatch { id } } }", id=encode_id("mat", mat.id))

    data = await graph.execute(
        """query ($mat: ID!, $match: ID!) {
          ofMat: scoreboard(matId: $mat) { number } ofMatch: scoreboard(matchId: $match) { number }
        }""",
        mat=encode_id("mat", mat.id),
        match=seen["mat"]["currentMatch"]["id"],
    )

    assert data == {"ofMat": {"number": "2.1"}, "ofMatch": {"number": "2.1"}}


async def test_a_scoreboard_is_null_where_there_is_none(graph: Graph, db: Database, clock: ManualClock) -> None:
    held = await hold(db, clock.now(), tournaments=1, mats=1, fights=0)

    data = await graph.execute(
        """query ($mat: ID!, $noMat: ID!, $noMatch: ID!) {
          empty: scoreboard(matId: $mat) { number }
          noMat: scoreboard(matId: $noMat) { number }
          noMatch: scoreboard(matchId: $noMatch) { number }
        }""",
        mat=encode_id("mat", held.mats[0].id),
        noMat=encode_id("mat", new_id()),
        noMatch=encode_id("match", new_id()),
    )

    assert data == {"empty": None, "noMat": None, "noMatch": None}


async def test_a_scoreboard_is_asked_for_one_way(graph: Graph) -> None:
    mat, match = encode_id("mat", new_id()), encode_id("match", new_id())
    both = f'{{ scoreboard(matId: "{mat}", matchId: "{match}") {{ round }} }}'

    answers = [await graph.refused("{ scoreboard { round } }"), await graph.refused(both)]

    refused = [{"message": "Give either `matchId` or `matId`.", "code": "BAD_USER_INPUT", "field": "matchId"}]
    assert answers == [refused, refused]


async def test_one_sees_who_one_is(graph: Graph) -> None:
    data = await graph.execute("{ viewer { isOverlay role user { name role } } }")

    assert data == {"viewer": {"isOverlay": False, "role": "ADMIN", "user": {"name": "admin", "role": "ADMIN"}}}


async def test_a_page_of_nothing_is_a_page(graph: Graph) -> None:
    data = await graph.execute(MATS)

    assert data["mats"] == {
        "edges": [],
        "nodes": [],
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None},
        "totalCount": 0,
    }
