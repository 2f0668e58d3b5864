"""The demonstration's practice room: a tree, evenings in a row, and a clock that runs."""

from api.demo.practice import set_up_practice
from db.access.tables import User
from db.database import Database
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.graph import Graph

_ROOM = """
query ($id: ID!) {
  goal(id: $id) { rollup { subtree { goals completed sessions practisedSeconds } } }
  practiceSessions(filter: {states: [RUNNING]}) { nodes { name immediateGoals { totalCount } goals { level } } }
  practiceStatistics(firstOn: "2026-11-01", lastOn: "2026-11-30") { streak { current longest } }
}"""


async def test_the_practice_room_is_under_way(graph: Graph, db: Database, admin: User, clock: ManualClock) -> None:
    async with db.transaction() as tx:
        top = await set_up_practice(tx, admin.id, clock.now())

    assert await graph.execute(_ROOM, id=encode_id("goal", top.id)) == {
        "goal": {"rollup": {"subtree": {"goals": 8, "completed": 0, "sessions": 7, "practisedSeconds": 19_500}}},
        "practiceSessions": {
            "nodes": [
                {
                    "name": "Tonight",
                    "immediateGoals": {"totalCount": 3},
                    "goals": [{"level": "SHORT_TERM"}, {"level": "SHORT_TERM"}],
                }
            ]
        },
        "practiceStatistics": {"streak": {"current": 4, "longest": 4}},
    }
