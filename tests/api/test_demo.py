"""The demonstration: what is in it before anything happens."""

from api.capture import read_capture
from api.demo import CAPTURE, set_up
from api.demo.flags import drawn_flags
from db.access import operations as access
from db.access.viewer import Role, Viewer
from db.database import Database
from db.flags import operations as flags
from db.flags.images import check_svg
from db.ids import new_id
from db.social.recount import find_drift
from tests.conftest import ManualClock
from tests.support.captures import FINAL
from tests.support.competition import say
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


async def test_the_athletes_of_the_demonstration_have_flags_that_were_drawn_here(
    db: Database, clock: ManualClock
) -> None:
    await set_up(db, clock)
    athletes = next(one.wire for one in read_capture(CAPTURE) if one.wire.startswith("at1;")).split(";")

    async with db.read() as session:
        shown = [await flags.find_shown(session, code) for code in (athletes[3], athletes[7])]

    assert [flag and flag.file_name for flag in shown] == ["RUS.svg", "GER.svg"]
    for content in drawn_flags().values():
        check_svg(content)


RECORDED = """
{
  mats { nodes { name bookmarks { nodes { label offsets { offsetMs recording { name } } } } } }
}
"""


async def test_moments_are_found_in_a_camera_that_was_paused_and_in_a_late_stream(
    db: Database, clock: ManualClock
) -> None:
    await set_up(db, clock)
    graph = Graph(db, clock, Viewer(user_id=new_id(), token_id=new_id(), role=Role.VIEWER))

    (mat, *_) = (await graph.execute(RECORDED))["mats"]["nodes"]

    found = {
        one["label"]: {offset["recording"]["name"]: offset["offsetMs"] for offset in one["offsets"]}
        for one in mat["bookmarks"]["nodes"]
    }
    assert found == {
        "The referee explains": {"Camera 1": 7 * 60_000, "Stream": 9 * 60_000 + 4000},
        "A kick that nobody expected": {"Camera 1": 12 * 60_000, "Stream": 14 * 60_000 + 4000},
        "Bows": {"Camera 1": 16 * 60_000, "Stream": 18 * 60_000 + 4000},
    }


EVENT = """
{
  tournaments {
    nodes {
      name city countryCode state
      days { number state }
      mats { nodes { name currentMatch { number tournament { name } day { number } } queue { nodes { number } } } }
    }
  }
}
"""


async def test_the_tournament_has_two_days_and_queues_and_the_recorded_final_leaves_its_own(
    db: Database, clock: ManualClock
) -> None:
    demo = await set_up(db, clock)
    async with db.transaction() as tx:
        await say(tx, demo.mat_id, clock.now(), *[one.wire for one in read_capture(FINAL)[:12]])
    graph = Graph(db, clock, Viewer(user_id=new_id(), token_id=new_id(), role=Role.VIEWER))

    data = await graph.execute(EVENT)

    final = {"number": "1945", "tournament": {"name": "Ringside Open"}, "day": {"number": 1}}
    by_hand = {**final, "number": "212"}
    queues = [["1946", "1947", "1948"], ["245.A", "245.B"], []]
    assert data["tournaments"]["nodes"] == [
        {
            "name": "Ringside Open",
            "city": "Seoul",
            "countryCode": "KOR",
            "state": "ACTIVE",
            "days": [{"number": 1, "state": "ACTIVE"}, {"number": 2, "state": "PENDING"}],
            "mats": {
                "nodes": [
                    {"name": f"Mat {mat}", "currentMatch": on, "queue": {"nodes": [{"number": one} for one in numbers]}}
                    for mat, on, numbers in zip((1, 2, 3), (final, None, by_hand), queues, strict=True)
                ]
            },
        }
    ]


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
