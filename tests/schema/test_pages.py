"""Pages: forward, backward, between cursors, and what is no page."""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from db.database import Database
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.competition import Competition, hold
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


def names(connection: dict[str, Any]) -> list[str]:
    return [node["name"] for node in connection["nodes"]]


def cursor_of(*values: object) -> str:
    return urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


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


@pytest.mark.parametrize("may_plan", [True, False])
async def test_a_cursor_of_a_database_that_another_has_taken_the_place_of_is_refused(
    graph: Graph, competition: Competition, *, may_plan: bool
) -> None:
    assert competition.mats
    asked = graph if may_plan else graph.on_graphql_core()
    nameless = (await asked.execute(MATS, first=2))["mats"]
    graph.db.epoch = "0a1b2c3d"
    page = (await asked.execute(MATS, first=2))["mats"]
    cursor = page["pageInfo"]["endCursor"]

    onwards = (await asked.execute(MATS, first=1, after=cursor))["mats"]
    of_before = (await asked.execute(MATS, first=1, after=nameless["pageInfo"]["endCursor"]))["mats"]
    graph.db.epoch = "4e5f6071"
    refused = [
        *await asked.refused(MATS, first=1, after=cursor),
        *await asked.refused(MATS, last=1, before=cursor),
    ]

    assert page["edges"][-1]["cursor"] == cursor == f"{nameless['pageInfo']['endCursor']}.0a1b2c3d"
    assert names(onwards) == names(of_before)
    assert [(one["code"], one["field"]) for one in refused] == [("RESYNC", "after"), ("RESYNC", "before")]
    assert refused[0]["message"].startswith("A backup was put in place of the database")


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
