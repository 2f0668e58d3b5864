"""Orders and filters: which rows come, and which of them first."""

from datetime import timedelta

import pytest

from db.database import Database
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.competition import Competition, hold, say
from tests.support.graph import Graph


@pytest.fixture
async def competition(db: Database, clock: ManualClock) -> Competition:
    """Two tournaments, six mats, two fights on each."""
    return await hold(db, clock.now(), fights=2)


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
