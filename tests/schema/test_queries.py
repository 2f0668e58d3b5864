"""Questions over the graph: what an answer costs, how pages and ids are asked for, and how nonsense is refused."""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

import orjson
import pytest

from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.ids import new_id
from db.session import Database
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.competition import Competition, hold, say
from tests.support.graph import Graph

NOT_A_CURSOR = "This is not a cursor of this connection in this order: take one from `pageInfo` or an edge."

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


def names(connection: dict[str, Any]) -> list[str]:
    return [node["name"] for node in connection["nodes"]]


def cursor_of(*values: object) -> str:
    return urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


# What an answer costs


_COSTS = [
    ("{ mats(first: 50) { nodes { id name } } }", 1),
    ("{ mats(first: 50) { nodes { tournament { name } } } }", 2),
    ("{ mats(first: 50) { nodes { currentMatch { number } } } }", 2),
    ("{ matches(first: 50) { nodes { sides { side score } } } }", 2),
    (
        "{ matches(first: 50) { nodes { sides { athlete { name } } rounds { number } scoreboard { revision } } } }",
        5,
    ),
    ("{ mats(first: 50) { nodes { matches(first: 3) { nodes { number } } } } }", 2),
    ("{ mats(first: 50) { nodes { matches(first: 3) { nodes { number } totalCount } } } }", 3),
    ("{ mats(first: 50) { nodes { a: matches { nodes { number } } b: matches { nodes { state } } } } }", 2),
    ("{ mats(first: 50) { nodes { a: matches(first: 1) { totalCount } b: matches { totalCount } } } }", 3),
    ("{ matches(first: 50) { nodes { events(first: 2, filter: {kinds: [POINT]}) { nodes { points } } } } }", 2),
    ("{ matches(first: 50) { nodes { mat { tournament { mats(first: 1) { nodes { name } } } } } } }", 4),
    ("{ mats { pageInfo { endCursor } edges { cursor } } }", 1),
    ("{ mats { totalCount } }", 1),
    ("{ a: tournaments { nodes { name } } b: mats { nodes { tournament { name } } } }", 3),
]


async def test_an_edge_over_fifty_parents_costs_one_statement(graph: Graph, championship: Competition) -> None:
    assert len(championship.mats) == 50
    for operation, statements in _COSTS:
        with graph.statements() as heard:
            await graph.execute(operation)

        assert len(heard) == statements, "\n\n".join([operation, *heard])


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


# Pages


async def test_pages_go_forward_to_the_end(graph: Graph, competition: Competition) -> None:
    first = (await graph.execute(MATS, first=4))["mats"]
    second = (await graph.execute(MATS, first=4, after=first["pageInfo"]["endCursor"]))["mats"]
    third = (await graph.execute(MATS, first=4, after=second["pageInfo"]["endCursor"]))["mats"]

    assert [names(page) for page in (first, second, third)] == [
        ["Mat 00", "Mat 01", "Mat 02", "Mat 03"],
        ["Mat 04", "Mat 05"],
        [],
    ]
    assert [(page["pageInfo"]["hasPreviousPage"], page["pageInfo"]["hasNextPage"]) for page in (first, second)] == [
        (False, True),
        (True, False),
    ]
    assert [page["totalCount"] for page in (first, second, third)] == [len(competition.mats)] * 3
    assert [edge["node"] for edge in first["edges"]] == first["nodes"]
    assert [first["edges"][index]["cursor"] for index in (0, -1)] == [
        first["pageInfo"]["startCursor"],
        first["pageInfo"]["endCursor"],
    ]


@pytest.mark.usefixtures("competition")
async def test_pages_go_backward_to_the_beginning(graph: Graph) -> None:
    last = (await graph.execute(MATS, last=4))["mats"]
    before = (await graph.execute(MATS, last=4, before=last["pageInfo"]["startCursor"]))["mats"]

    assert [names(page) for page in (last, before)] == [["Mat 02", "Mat 03", "Mat 04", "Mat 05"], ["Mat 00", "Mat 01"]]
    assert [(page["pageInfo"]["hasPreviousPage"], page["pageInfo"]["hasNextPage"]) for page in (last, before)] == [
        (True, False),
        (False, True),
    ]


@pytest.mark.usefixtures("competition")
async def test_a_page_lies_between_two_cursors(graph: Graph) -> None:
    cursors = [edge["cursor"] for edge in (await graph.execute(MATS))["mats"]["edges"]]

    between = (await graph.execute(MATS, after=cursors[0], before=cursors[4]))["mats"]
    last_of_them = (await graph.execute(MATS, after=cursors[0], before=cursors[4], last=2))["mats"]
    none = (await graph.execute(MATS, after=cursors[4], before=cursors[0]))["mats"]

    assert [names(page) for page in (between, last_of_them, none)] == [
        ["Mat 01", "Mat 02", "Mat 03"],
        ["Mat 02", "Mat 03"],
        [],
    ]


@pytest.mark.usefixtures("competition")
async def test_a_cursor_stays_right_while_rows_come(graph: Graph, db: Database, clock: ManualClock) -> None:
    page = (await graph.execute(MATS, first=3))["mats"]
    await hold(db, clock.now(), tournaments=1, mats=2, fights=0, prefix="A ")

    rest = (await graph.execute(MATS, after=page["pageInfo"]["endCursor"]))["mats"]

    assert names(rest) == ["Mat 03", "Mat 04", "Mat 05"]


async def test_twenty_come_when_nothing_is_said_and_a_hundred_at_most(
    graph: Graph, db: Database, clock: ManualClock
) -> None:
    await hold(db, clock.now(), mats=101, fights=0)

    sizes = [
        len((await graph.execute(MATS, **asked))["mats"]["nodes"]) for asked in ({}, {"first": 100}, {"last": 100})
    ]

    assert sizes == [20, 100, 100]


async def test_a_page_may_be_empty_on_purpose(graph: Graph, competition: Competition) -> None:
    page = (await graph.execute(MATS, first=0))["mats"]

    assert (page["nodes"], page["totalCount"], page["pageInfo"]["hasNextPage"]) == ([], len(competition.mats), True)


_LISTS = [
    ("mats(orderBy: NAME, first: $first, after: $after)", "name"),
    ("tournaments(first: $first, after: $after)", "name"),
    ("matches(orderBy: NEWEST, first: $first, after: $after)", "number"),
    ("matches(orderBy: OLDEST, first: $first, after: $after)", "number"),
]


@pytest.mark.usefixtures("competition")
async def test_pages_put_together_are_the_whole(graph: Graph) -> None:
    for asked, column in _LISTS:
        question = f"""query ($first: Int, $after: String) {{
          page: {asked} {{ nodes {{ {column} }} pageInfo {{ endCursor }} }}
        }}"""
        whole = [node[column] for node in (await graph.execute(question, first=100))["page"]["nodes"]]

        gathered: list[str] = []
        cursor = None
        for _ in whole:
            page = (await graph.execute(question, first=1, after=cursor))["page"]
            cursor = page["pageInfo"]["endCursor"]
            gathered += [node[column] for node in page["nodes"]]

        assert gathered == whole


async def test_pages_of_an_edge_put_together_are_the_whole(graph: Graph, competition: Competition) -> None:
    question = """query ($id: ID!, $last: Int, $before: String) {
      mat(id: $id) { currentMatch { events(last: $last, before: $before, orderBy: NEWEST) {
        nodes { seq } pageInfo { startCursor hasPreviousPage } totalCount
      } } }
    }"""
    mat = encode_id("mat", competition.mats[5].id)

    gathered: list[int] = []
    before, has_more = None, True
    while has_more:
        data = await graph.execute(question, id=mat, last=5, before=before)
        page = data["mat"]["currentMatch"]["events"]
        gathered = [node["seq"] for node in page["nodes"]] + gathered
        before, has_more = page["pageInfo"]["startCursor"], page["pageInfo"]["hasPreviousPage"]

    assert gathered == list(range(26, 13, -1))
    assert page["totalCount"] == 13


@pytest.mark.usefixtures("competition")
async def test_two_parents_have_pages_of_their_own(graph: Graph) -> None:
    data = await graph.execute(
        "{ mats(first: 2) { nodes { matches(first: 1) { nodes { number } totalCount pageInfo { hasNextPage } } } } }"
    )

    assert [node["matches"] for node in data["mats"]["nodes"]] == [
        {"nodes": [{"number": f"{number}.1"}], "totalCount": 2, "pageInfo": {"hasNextPage": True}} for number in (0, 1)
    ]


_NO_SIZES: list[tuple[dict[str, int], str, str]] = [
    ({"first": 101}, "first", "`first` is between 0 and 100; 101 was asked for."),
    ({"first": 2**31 - 1}, "first", "`first` is between 0 and 100; 2147483647 was asked for."),
    ({"first": -1}, "first", "`first` is between 0 and 100; -1 was asked for."),
    ({"last": 101}, "last", "`last` is between 0 and 100; 101 was asked for."),
    ({"last": -(2**31)}, "last", "`last` is between 0 and 100; -2147483648 was asked for."),
    ({"first": 1, "last": 1}, "last", "Ask for the `first` rows or the `last`, not both."),
]


async def test_a_size_that_cannot_be_is_refused(graph: Graph) -> None:
    for asked, field, message in _NO_SIZES:
        assert await graph.refused(MATS, **asked) == [{"message": message, "code": "BAD_USER_INPUT", "field": field}]


_ID = "0" * 32
_NO_CURSORS: Sequence[str] = [
    "",
    " ",
    "x",
    "Mat 1",
    "é",
    "\x00",
    "\ud800",
    "=" * 1000,
    "A" * 100_000,
    urlsafe_b64encode(b"[" * 60_000).decode(),
    urlsafe_b64encode(b"\xff\xfe").decode(),
    urlsafe_b64encode(b'["Mat 1", NaN]').decode(),
    cursor_of(),
    cursor_of("Mat 1"),
    cursor_of("Mat 1", _ID, _ID),
    cursor_of("Mat 1", None),
    cursor_of(None, _ID),
    cursor_of("Mat 1", "no id"),
    cursor_of("Mat 1", 5),
    cursor_of("Mat 1", {"id": _ID}),
    urlsafe_b64encode(orjson.dumps({"name": "Mat 1", "id": _ID})).decode(),
    urlsafe_b64encode(b"5").decode(),
    urlsafe_b64encode(b"null").decode(),
]


async def test_what_is_no_cursor_is_refused(graph: Graph) -> None:
    for field in ("after", "before"):
        for cursor in _NO_CURSORS:
            errors = await graph.refused(MATS, **{field: cursor})

            assert errors == [{"message": NOT_A_CURSOR, "code": "BAD_USER_INPUT", "field": field}], cursor[:40]


async def test_a_cursor_holds_values_of_its_columns(graph: Graph) -> None:
    for cursor in (cursor_of(5, _ID), cursor_of(True, _ID), cursor_of("a\x00b", _ID)):
        errors = await graph.refused(MATS, after=cursor)

        assert errors == [{"message": NOT_A_CURSOR, "code": "BAD_USER_INPUT", "field": "after"}]


async def test_a_cursor_of_another_order_is_refused(graph: Graph, competition: Competition) -> None:
    mats = await graph.execute("{ mats(first: 1) { pageInfo { endCursor } } }")
    matches = await graph.execute("{ matches(first: 1) { pageInfo { endCursor } } }")
    mat = encode_id("mat", competition.mats[0].id)
    events = await graph.execute(
        "query ($id: ID!) { mat(id: $id) { currentMatch { events { pageInfo { endCursor } } } } }", id=mat
    )
    of_mats, of_matches = mats["mats"]["pageInfo"]["endCursor"], matches["matches"]["pageInfo"]["endCursor"]
    of_events = events["mat"]["currentMatch"]["events"]["pageInfo"]["endCursor"]

    refused = [
        await graph.refused("query ($c: String) { matches(after: $c) { totalCount } }", c=of_mats),
        await graph.refused("query ($c: String) { matches(after: $c) { totalCount } }", c=of_events),
        await graph.refused("query ($c: String) { mats(after: $c) { totalCount } }", c=of_events),
        await graph.refused(
            "query ($c: String, $id: ID!) { mat(id: $id) { currentMatch { events(after: $c) { totalCount } } } }",
            c=of_matches,
            id=mat,
        ),
    ]

    assert refused == [[{"message": NOT_A_CURSOR, "code": "BAD_USER_INPUT", "field": "after"}]] * 4


async def test_a_number_no_column_can_hold_is_no_cursor(graph: Graph, competition: Competition) -> None:
    question = "query ($c: String, $id: ID!) { mat(id: $id) { currentMatch { events(after: $c) { totalCount } } } }"
    mat = encode_id("mat", competition.mats[0].id)

    for number in (2**63, -(2**63), 1.5, True, "1"):
        errors = await graph.refused(question, c=cursor_of(number), id=mat)

        assert errors == [{"message": NOT_A_CURSOR, "code": "BAD_USER_INPUT", "field": "after"}], number


async def test_a_time_that_cannot_be_is_no_cursor(graph: Graph) -> None:
    for time in ("yesterday", "", 5, None, "2026-11-21T09:00:00", "0001-01-01T00:00:00+23:59"):
        errors = await graph.refused("query ($c: String) { matches(after: $c) { totalCount } }", c=cursor_of(time, _ID))

        assert errors == [{"message": NOT_A_CURSOR, "code": "BAD_USER_INPUT", "field": "after"}], time


# Orders and filters


@pytest.mark.usefixtures("competition")
async def test_fights_come_in_the_order_that_is_asked_for(graph: Graph) -> None:
    data = await graph.execute(
        """{
          newest: matches(first: 3, orderBy: NEWEST) { nodes { number } }
          oldest: matches(first: 3, orderBy: OLDEST) { nodes { number } }
          unsaid: matches(first: 3) { nodes { number } }
          null: matches(first: 3, orderBy: null) { nodes { number } }
        }"""
    )

    shown = {order: [node["number"] for node in page["nodes"]] for order, page in data.items()}
    newest = ["5.1", "4.1", "3.1"]
    assert shown == {"newest": newest, "oldest": ["0.0", "1.0", "2.0"], "unsaid": newest, "null": newest}


async def test_fights_are_filtered_by_where_they_stand(
    graph: Graph, db: Database, clock: ManualClock, competition: Competition
) -> None:
    clock.move(timedelta(hours=1))
    async with db.transaction() as tx:
        await say(tx, competition.mats[0].id, clock.now(), "win;BLUE", "wmh;Blue;2-0 PTF")

    data = await graph.execute(
        """{
          live: matches(filter: {states: [LIVE]}) { totalCount }
          ended: matches(filter: {states: [ENDED]}) { totalCount nodes { number outcome resultCode } }
          both: matches(filter: {states: [ENDED, LIVE]}) { totalCount }
          left: matches(filter: {states: [ABANDONED]}, first: 1) { totalCount nodes { state } }
          none: matches(filter: {states: []}) { totalCount }
          any: matches(filter: {states: null}) { totalCount }
          all: matches(filter: null) { totalCount }
        }"""
    )

    assert data == {
        "live": {"totalCount": 5},
        "ended": {"totalCount": 1, "nodes": [{"number": "0.1", "outcome": "BLUE", "resultCode": "PTF"}]},
        "both": {"totalCount": 6},
        "left": {"totalCount": 6, "nodes": [{"state": "ABANDONED"}]},
        "none": {"totalCount": 0},
        "any": {"totalCount": 12},
        "all": {"totalCount": 12},
    }


async def test_entries_are_filtered_by_kind_in_either_order(graph: Graph, competition: Competition) -> None:
    data = await graph.execute(
        """query ($id: ID!) { mat(id: $id) { currentMatch {
          points: events(filter: {kinds: [POINT]}) { nodes { kind points } }
          clocks: events(filter: {kinds: [CLOCK]}, orderBy: NEWEST) { nodes { raw } }
          first: events(first: 1) { nodes { raw } }
        } } }""",
        id=encode_id("mat", competition.mats[3].id),
    )

    assert data["mat"]["currentMatch"] == {
        "points": {"nodes": [{"kind": "POINT", "points": 3}]},
        "clocks": {"nodes": [{"raw": "clk;02:00;start"}, {"raw": "clk;02:00"}]},
        "first": {"nodes": [{"raw": "pre;FightLoaded"}]},
    }


async def test_an_order_that_is_none_is_refused(graph: Graph) -> None:
    (error,) = await graph.refused("{ mats(orderBy: SIZE) { totalCount } }")

    assert error["code"] == "BAD_USER_INPUT"
    assert "NameOrder" in error["message"]


# Nodes


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
