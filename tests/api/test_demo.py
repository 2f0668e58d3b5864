"""The demonstration: what is in it before anything happens."""

from api.demo import set_up
from db.access import operations as access
from db.access.viewer import Role, Viewer
from db.ids import new_id
from db.session import Database
from db.social.recount import find_drift
from tests.conftest import ManualClock
from tests.support.graph import Graph

FEED = """
{
  homeFeed { nodes { content subject { __typename } author { username } } }
}
"""


async def test_people_have_written_what_an_admin_reads_at_home(db: Database, clock: ManualClock) -> None:
    await set_up(db, clock)
    async with db.read() as session:
        admin = await access.find_user(session, "admin")
        drift = await find_drift(session)
    assert admin is not None
    graph = Graph(db, clock, Viewer(user_id=admin.id, token_id=new_id(), role=Role.ADMIN))

    data = await graph.execute(FEED)

    authors = [one["author"]["username"] for one in data["homeFeed"]["nodes"]]
    assert authors == ["jonas_keller", "echo", "mina_park", "mina_park"]
    assert [one["subject"] for one in data["homeFeed"]["nodes"]] == [None, None, {"__typename": "Stream"}, None]
    assert drift == []
    assert (await graph.execute("{ publicFeed { totalCount } }"))["publicFeed"]["totalCount"] == 3


BY_HAND = """
{
  mats(first: 10) {
    nodes {
      name
      currentMatch {
        state
        scoreboard { blue { score } red { score gamJeoms } clock { state remainingMs } }
        events(orderBy: OLDEST) { nodes { kind side points why madeBy { username } voidedBy { kind why } } }
      }
    }
  }
}
"""


async def test_a_fight_is_run_by_hand_with_one_mistake_that_was_taken_back(db: Database, clock: ManualClock) -> None:
    await set_up(db, clock)
    async with db.read() as session:
        admin = await access.find_user(session, "admin")
    assert admin is not None
    graph = Graph(db, clock, Viewer(user_id=admin.id, token_id=new_id(), role=Role.ADMIN))

    data = await graph.execute(BY_HAND)

    (match,) = [one["currentMatch"] for one in data["mats"]["nodes"] if one["name"] == "Mat 3"]
    said = match["events"]["nodes"]
    assert {one["madeBy"]["username"] for one in said} == {"admin"}
    assert [(one["kind"], one["points"], one["voidedBy"]) for one in said] == [
        ("LOADED_BY_HAND", None, None),
        ("CLOCK_STARTED", None, None),
        ("POINTS_AWARDED", 2, None),
        ("POINTS_AWARDED", 3, {"kind": "UNDONE", "why": "It was blue's kick"}),
        ("UNDONE", None, None),
        ("POINTS_AWARDED", 3, None),
        ("GAM_JEOM_GIVEN", None, None),
        ("CLOCK_STOPPED", None, None),
    ]
    assert (match["state"], match["scoreboard"]) == (
        "LIVE",
        {
            "blue": {"score": 6},
            "red": {"score": 0, "gamJeoms": 1},
            "clock": {"state": "STOPPED", "remainingMs": 62_000},
        },
    )
