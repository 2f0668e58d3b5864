"""Operators over the graph: what a correction answers, who is told what of it, and scoreboards of the past."""

from datetime import timedelta
from typing import Any

import pytest

from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.database import Database
from db.ids import new_id
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.competition import Competition, hold, say
from tests.support.graph import Graph

AWARD = """mutation ($id: ID!, $revision: Int!, $why: String! = "") {
  matchAwardPoints(id: $id, revision: $revision, side: RED, kind: TURNING_HEAD, why: $why) {
    match { number scoreboard { revision red { score } } } errors { code field message revision }
  }
}"""
UNDO = """mutation ($id: ID!, $revision: Int!) {
  matchUndo(id: $id, revision: $revision) {
    match { scoreboard { revision red { score } } } errors { code field message revision }
  }
}"""
LOG = """query ($id: ID!) {
  match(id: $id) {
    events(orderBy: NEWEST, first: 3) {
      nodes {
        seq kind side points raw sender why
        madeBy { name } voids { seq } voidedBy { seq kind madeBy { username } }
      }
    }
  }
}"""
BACK = """query ($id: ID!, $seq: Int, $time: DateTime) {
  match(id: $id) {
    scoreboardAt(seq: $seq, time: $time) {
      revision changedAt state round number blue { name score } red { score } match { number }
    }
  }
}"""
LOAD = """mutation ($mat: ID!, $replaced: ID, $revision: Int, $color: String) {
  matchLoad(matId: $mat, replacedMatchId: $replaced, revision: $revision, input: {
    number: "77", weight: "M -58kg", roundSeconds: 90
    blue: {name: "Ana One", countryCode: "SUI", background: $color}, red: {name: "Bo Two"}
  }) {
    match {
      number state roundCount roundSeconds sides { side background athlete { name shortName countryCode } }
      scoreboard { revision clock { state remainingMs } } mat { currentMatch { number } }
    }
    errors { code field message revision }
  }
}"""


@pytest.fixture
async def competition(db: Database, clock: ManualClock) -> Competition:
    return await hold(db, clock.now(), tournaments=1, mats=2)


async def match_on(graph: Graph, competition: Competition, number: int = 0) -> tuple[str, int]:
    """The fight on a mat, and the revision of its scoreboard."""
    asked = "query ($id: ID!) { mat(id: $id) { currentMatch { id scoreboard { revision } } } }"
    data = await graph.execute(asked, id=encode_id("mat", competition.mats[number].id))
    match = data["mat"]["currentMatch"]
    return match["id"], match["scoreboard"]["revision"]


async def test_a_correction_answers_with_the_match_after_it(graph: Graph, competition: Competition) -> None:
    match, revision = await match_on(graph, competition)

    data = await graph.execute(AWARD, id=match, revision=revision)

    assert data["matchAwardPoints"] == {
        "match": {"number": "0.0", "scoreboard": {"revision": revision + 1, "red": {"score": 5}}},
        "errors": [],
    }


async def test_a_stale_correction_is_told_the_present_revision(graph: Graph, competition: Competition) -> None:
    match, revision = await match_on(graph, competition)
    await graph.execute(AWARD, id=match, revision=revision)

    data = await graph.execute(AWARD, id=match, revision=revision)

    present = revision + 1
    assert data["matchAwardPoints"] == {
        "match": None,
        "errors": [
            {
                "code": "CONFLICT",
                "field": "revision",
                "message": f"The match was changed meanwhile: its scoreboard has the revision {present}. "
                "Look at it again.",
                "revision": present,
            }
        ],
    }


async def test_a_refusal_that_is_not_about_the_revision_names_none(graph: Graph, competition: Competition) -> None:
    match, revision = await match_on(graph, competition)

    data = await graph.execute(UNDO, id=match, revision=revision)

    message = "You have corrected nothing of this match that is in force."
    assert data["matchUndo"]["errors"] == [{"code": "CONFLICT", "field": "id", "message": message, "revision": None}]


async def test_the_log_shows_who_said_what_why_and_what_took_it_back(
    graph: Graph, admin: User, competition: Competition
) -> None:
    match, revision = await match_on(graph, competition)
    await graph.execute(AWARD, id=match, revision=revision, why="The video")
    await graph.execute(UNDO, id=match, revision=revision + 1)

    data = await graph.execute(LOG, id=match)
    on_graphql_core = await graph.on_graphql_core().execute(LOG, id=match)

    undone, awarded, point = data["match"]["events"]["nodes"]
    nothing = {"side": None, "points": None, "why": "", "voids": None, "voidedBy": None}
    by = {"sender": f"@{admin.username}", "madeBy": {"name": "admin"}}
    seq = awarded["seq"]
    assert undone == {
        **nothing,
        **by,
        "seq": seq + 1,
        "kind": "UNDONE",
        "raw": f'{{"target":{seq}}}',
        "voids": {"seq": seq},
    }
    assert awarded == {
        **by,
        "seq": seq,
        "kind": "POINTS_AWARDED",
        "side": "RED",
        "points": 5,
        "raw": '{"side":"RED","value":5,"round":1}',
        "why": "The video",
        "voids": None,
        "voidedBy": {"seq": seq + 1, "kind": "UNDONE", "madeBy": {"username": admin.username}},
    }
    wire = {"seq": seq - 1, "kind": "POINT", "side": "BLUE", "points": 3, "raw": "pt1;3", "sender": "127.0.0.1:50000"}
    assert point == {**nothing, **wire, "madeBy": None}
    assert on_graphql_core == data


async def test_an_overlay_reads_the_log_and_sees_no_user(graph: Graph, competition: Competition) -> None:
    match, revision = await match_on(graph, competition)
    await graph.execute(AWARD, id=match, revision=revision)
    nodes = frozenset({competition.mats[0].id})
    overlay = graph.as_viewer(Viewer(user_id=new_id(), token_id=new_id(), role=Role.ADMIN, nodes=nodes))

    data = await overlay.execute(LOG, id=match)
    refused = await overlay.refused(AWARD, id=match, revision=revision + 1)

    assert [one["madeBy"] for one in data["match"]["events"]["nodes"]] == [None] * 3
    assert [error["code"] for error in refused] == ["FORBIDDEN"]


async def test_watchers_are_sent_a_correction_and_its_undoing(graph: Graph, competition: Competition) -> None:
    match, revision = await match_on(graph, competition)
    watch = "subscription ($id: ID!) { scoreboardChanged(matchId: $id) { scoreboard { revision red { score } } } }"
    messages = graph.subscribe(watch, id=match)
    seen = [(await anext(messages))["scoreboardChanged"]["scoreboard"]]

    await graph.execute(AWARD, id=match, revision=revision)
    seen.append((await anext(messages))["scoreboardChanged"]["scoreboard"])
    await graph.execute(UNDO, id=match, revision=revision + 1)
    seen.append((await anext(messages))["scoreboardChanged"]["scoreboard"])
    await messages.aclose()

    assert seen == [
        {"revision": revision, "red": {"score": 0}},
        {"revision": revision + 1, "red": {"score": 5}},
        {"revision": revision + 2, "red": {"score": 0}},
    ]


async def test_a_fight_is_loaded_by_hand(graph: Graph, competition: Competition) -> None:
    match, revision = await match_on(graph, competition)
    mat = encode_id("mat", competition.mats[0].id)

    refusals = [
        (await graph.execute(LOAD, mat=mat, **asked))["matchLoad"]["errors"]
        for asked in (
            {},
            {"replaced": match, "revision": revision - 1},
            {"replaced": match, "revision": revision, "color": "blue"},
        )
    ]
    loaded = await graph.execute(LOAD, mat=mat, replaced=match, revision=revision)

    assert [[(one["code"], one["field"], one["revision"]) for one in errors] for errors in refusals] == [
        [("CONFLICT", "replacedMatchId", None)],
        [("CONFLICT", "revision", revision)],
        [("BAD_USER_INPUT", "blue", None)],
    ]
    assert loaded["matchLoad"] == {
        "match": {
            "number": "77",
            "state": "LOADED",
            "roundCount": 3,
            "roundSeconds": 90,
            "sides": [
                {
                    "side": "BLUE",
                    "background": "",
                    "athlete": {"name": "Ana One", "shortName": "Ana One", "countryCode": "SUI"},
                },
                {
                    "side": "RED",
                    "background": "",
                    "athlete": {"name": "Bo Two", "shortName": "Bo Two", "countryCode": ""},
                },
            ],
            "scoreboard": {"revision": 1, "clock": {"state": "STOPPED", "remainingMs": 90_000}},
            "mat": {"currentMatch": {"number": "77"}},
        },
        "errors": [],
    }


# The past.


async def test_a_scoreboard_of_the_past_is_what_was_known_then(
    graph: Graph, clock: ManualClock, competition: Competition
) -> None:
    match, revision = await match_on(graph, competition)
    clock.move(timedelta(seconds=10))
    await graph.execute(AWARD, id=match, revision=revision)
    awarded = clock.now()
    clock.move(timedelta(seconds=10))
    await graph.execute(UNDO, id=match, revision=revision + 1)

    async def back(**point: Any) -> Any:
        return (await graph.execute(BACK, id=match, **point))["match"]["scoreboardAt"]

    newest = (await graph.execute(LOG, id=match))["match"]["events"]["nodes"][0]["seq"]
    reds = [(await back(seq=seq))["red"]["score"] for seq in range(newest - 2, newest + 1)]
    at_load, at_award, now = (
        await back(seq=9),
        await back(time=awarded.isoformat()),
        await back(time=clock.now().isoformat()),
    )

    assert reds == [0, 5, 0]
    assert at_load == {
        "revision": 0,
        "changedAt": "2026-11-21T09:00:00.008000Z",
        "state": "LOADED",
        "round": 1,
        "number": "0.0",
        "blue": {"name": "B. 0.0", "score": 0},
        "red": {"score": 0},
        "match": {"number": "0.0"},
    }
    assert (at_award["state"], at_award["blue"]["score"], at_award["red"]["score"]) == ("LIVE", 3, 5)
    assert now["red"]["score"] == 0
    assert [await back(seq=0), await back(time="2020-01-01T00:00:00Z")] == [None, None]
    assert await back(seq=10_000) == now


async def test_a_scoreboard_of_the_past_knows_when_its_fight_had_to_leave(
    graph: Graph, db: Database, clock: ManualClock, competition: Competition
) -> None:
    match, _ = await match_on(graph, competition)
    later = clock.now() + timedelta(minutes=1)
    async with db.transaction() as tx:
        await say(tx, competition.mats[0].id, later, "pre;FightLoaded")

    states = [
        (await graph.execute(BACK, id=match, **point))["match"]["scoreboardAt"]["state"]
        for point in (
            {"seq": 13},
            {"seq": 14},
            {"time": (later - timedelta(milliseconds=1)).isoformat()},
            {"time": later.isoformat()},
        )
    ]

    assert states == ["LIVE", "ABANDONED", "LIVE", "ABANDONED"]


@pytest.mark.parametrize("point", [{}, {"seq": 3, "time": "2026-11-21T09:00:00Z"}])
async def test_a_point_in_the_past_is_named_by_one_of_two(
    graph: Graph, competition: Competition, point: dict[str, Any]
) -> None:
    match, _ = await match_on(graph, competition)

    assert await graph.refused(BACK, id=match, **point) == [
        {"message": "Give either `seq` or `time`.", "code": "BAD_USER_INPUT", "field": "seq"}
    ]


@pytest.mark.usefixtures("competition")
async def test_scoreboards_of_the_past_are_read_together(graph: Graph) -> None:
    asked = "{ matches { nodes { number scoreboardAt(seq: 9) { state } } } }"

    with graph.statements() as heard:
        data = await graph.execute(asked)

    assert data["matches"]["nodes"] == [
        {"number": f"{number}.0", "scoreboardAt": {"state": "LOADED"}} for number in (1, 0)
    ]
    # The fights; then their entries, when they had to leave, and their mats.
    assert len(heard) == 4
