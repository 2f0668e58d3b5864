"""What other systems for fights got wrong: each test says what is right."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from api.capture import read_capture
from db.batches import table_of
from db.database import Database
from db.matches.tables import Match, MatchEvent, Point, Round, RoundSide
from db.matches.vocabulary import PointKind, Side
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.db.logs import captured, log, received
from tests.db.stored import NOW, lay_mat
from tests.schema.test_competition import both
from tests.support.captures import FINAL
from tests.support.competition import begun_fight, loaded_fight
from tests.support.graph import Graph


async def rows_of(db: Database, model: Any, *order: str) -> list[Any]:
    table = table_of(model)
    async with db.read() as session:
        found: list[Any] = await session.rows(select(table).order_by(*(table.c[name] for name in order)))
        return found


async def test_every_event_says_in_which_round_and_at_which_clock_it_came(db: Database) -> None:
    """Also those that say nothing of either: they are stamped with where the fight stood."""
    mat = await lay_mat(db)
    await log(db, mat.id, captured(FINAL))

    events = await rows_of(db, MatchEvent, "seq")
    points = [(row.round, row.clock_ms) for row in events if row.kind == "POINT"]
    assert None not in {value for row in events for value in (row.round, row.clock_ms)}
    assert points[:3] == [(1, 112_855), (1, 110_726), (1, 107_710)]
    # Every tick fits the clock that was folded, to the second that it says.
    ticks = [row for row in events if row.kind == "CLOCK" and not row.record["action"]]
    assert {abs(row.clock_ms // 1000 - row.record["seconds"]) for row in ticks} <= {0, 1}


async def test_a_round_that_goes_back_has_its_points_counted_where_they_belong(db: Database) -> None:
    mat = await lay_mat(db)
    wires = ["sc1;3;sc2;0", "pt1;3", "rnd;2", "sc1;0;sc2;2", "pt2;2", "rnd;1", "sc1;4;sc2;0", "pt1;1", "wg2;1"]
    await log(db, mat.id, received(*loaded_fight("1"), "clk;02:00;start", *wires))

    told = {
        (row.round, row.side): (row.score, row.punch_count, row.body_count, row.head_count, row.gam_jeom_count)
        for row in await rows_of(db, RoundSide, "round", "side")
    }
    assert told == {
        (1, Side.BLUE): (4, 1, 0, 1, 0),
        (1, Side.RED): (0, 0, 0, 0, 1),
        (2, Side.BLUE): (0, 0, 0, 0, 0),
        (2, Side.RED): (2, 0, 1, 0, 0),
    }


async def test_no_point_is_held_back_for_looking_like_a_correction(db: Database) -> None:
    """Given while the clock stands, worth three, several within two seconds, all alike: they are points."""
    mat = await lay_mat(db)
    await log(db, mat.id, received(*loaded_fight("1"), "clk;01:50;stop", *["sc1;3", "pt1;3"] * 3, "pt2;5"))

    kinds = [(row.side, row.kind) for row in await rows_of(db, Point, "seq")]
    assert kinds == [(Side.BLUE, PointKind.HEAD)] * 3 + [(Side.RED, PointKind.TURNING_HEAD)]


async def test_rounds_scores_penalties_and_the_winner_are_filled_from_the_stream(db: Database) -> None:
    mat = await lay_mat(db)
    await log(db, mat.id, captured(FINAL))

    (match,) = await rows_of(db, Match, "begun_seq")
    rounds = [
        (row.number, row.blue_score, row.red_score, row.winner, row.has_statistics_conflict)
        for row in await rows_of(db, Round, "number")
    ]
    assert rounds == [(1, 4, 5, "RED", False), (2, 19, 12, "BLUE", False), (3, 12, 0, "BLUE", False)]
    assert (match.outcome, match.winner_name, match.round_score) == ("BLUE", "Luka Šarić", "2-1")


async def test_a_log_of_thousands_is_paged_from_either_end_with_nothing_left_out(
    graph: Graph, db: Database, clock: ManualClock
) -> None:
    mat = await lay_mat(db)
    ticks = [f"clk;{second // 60:02}:{second % 60:02}" for second in range(1_200, 0, -1)]
    progress = await log(db, mat.id, received(*begun_fight("1"), *ticks, at=clock.now()))
    assert progress.fight is not None
    walk = """query ($id: ID!, $after: String) { match(id: $id) {
      events(first: 100, after: $after) { nodes { seq } pageInfo { endCursor hasNextPage } }
    } }"""
    seen: list[int] = []
    page: dict[str, Any] = {"endCursor": None, "hasNextPage": True}

    while page["hasNextPage"]:
        data = await graph.execute(walk, id=encode_id("match", progress.fight.match_id), after=page["endCursor"])
        page = data["match"]["events"]["pageInfo"]
        seen += [node["seq"] for node in data["match"]["events"]["nodes"]]

    assert seen == list(range(1, progress.seq + 1))
    newest = "{ matches { nodes { events(orderBy: NEWEST, first: 2) { nodes { seq round clockMs } } } } }"
    data = await both(graph, newest)
    assert [node["seq"] for node in data["matches"]["nodes"][0]["events"]["nodes"]] == [progress.seq, progress.seq - 1]
    assert {node["round"] for node in data["matches"]["nodes"][0]["events"]["nodes"]} == {1}


async def test_what_comes_last_is_stored_without_waiting_for_more(db: Database) -> None:
    mat = await lay_mat(db)
    messages = [one.wire for one in read_capture(FINAL)]

    await log(db, mat.id, received(*messages[:-1]))
    await log(db, mat.id, received(messages[-1], at=NOW + timedelta(hours=1)))

    assert [row.raw.decode() for row in await rows_of(db, MatchEvent, "seq")] == messages
