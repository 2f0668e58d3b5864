"""The graph of practice: trees and sessions in one operation each, few statements, and nobody else's."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.database import Database
from db.ids import new_id
from db.practice import operations, sessions
from db.practice.importing import import_goals
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.goal_files import made_up_file, nodes_of
from tests.support.graph import Graph, the_schema
from tests.support.practice import LEVELS, make_goal, make_line, make_session, make_user, viewer_of

_TREE = """
query ($id: ID!) {
  goal(id: $id) {
    name
    rollup { direct { goals sessions } subtree { goals completed percent sessions practisedSeconds } }
    descendants(first: 100) { nodes { depth path goal { name } } }
  }
}"""
_LINE = "query ($id: ID!) { goal(id: $id) { depth parent { name } root { name } ancestors { name } session { name } } }"
_SESSION = """
query ($id: ID!) {
  practiceSession(id: $id) {
    name state isCompleted practisedSeconds timer { state elapsedMs asOf } tags
    goals { name } immediateGoals { nodes { name level } } pauses { nodes { startedAt endedAt } } review { wentWell }
  }
}"""
_CREATE = """
mutation ($level: GoalLevel!, $input: GoalInput!, $parent: ID, $session: ID) {
  goalCreate(level: $level, input: $input, parentId: $parent, sessionId: $session) {
    goal { name level deadline depth isCompleted path }
    errors { code field message }
  }
}"""


@pytest.fixture
async def member(db: Database) -> User:
    return await make_user(db)


@pytest.fixture
def own(graph: Graph, member: User) -> Graph:
    """The graph as a member sees it."""
    return graph.as_viewer(viewer_of(member))


async def test_a_tree_takes_three_statements_whatever_its_depth_and_a_fourth_to_count_it(
    own: Graph, member: User
) -> None:
    line = await make_line(own.db, member.id, *LEVELS[:4])
    other = await make_goal(own.db, member.id, LEVELS[3], under=line[1], name="Other")
    await make_session(own.db, line[3], other, goal_names=["Kick"])
    ids = [encode_id("goal", goal.id) for goal in (*line, other)]

    with own.statements() as heard:
        data = await own.execute(_TREE, id=ids[0])

    assert len(heard) == 4
    found = data["goal"]
    kick = found["descendants"]["nodes"][3]
    assert found["rollup"] == {
        "direct": {"goals": 1, "sessions": 0},
        "subtree": {"goals": 6, "completed": 0, "percent": 0, "sessions": 1, "practisedSeconds": 0},
    }
    assert [(one["depth"], one["goal"]["name"]) for one in found["descendants"]["nodes"]] == [
        (1, "Long_Term"),
        (2, "Mid_Term"),
        (3, "Short_Term"),
        (4, "Kick"),
        (2, "Other"),
    ]
    assert kick["path"][:3] == ids[1:4]


async def test_a_tree_of_three_hundred_goals_is_one_request_of_three_statements(own: Graph, member: User) -> None:
    trees = made_up_file(3, 300)
    async with own.db.transaction() as tx:
        report = await import_goals(
            tx, orjson.dumps(trees), owner_id=member.id, viewer=viewer_of(member), now=own.clock.now()
        )
    (top,) = trees
    asked = "query ($id: ID!) { goal(id: $id) { name descendants(first: 500) { nodes { depth path goal { name } } } } }"

    with own.statements() as heard:
        data = await own.execute(asked, id=encode_id("goal", UUID(top["id"])))

    names = [one["goal"]["name"] for one in data["goal"]["descendants"]["nodes"]]
    goals = {node["id"]: node["name"] for node in nodes_of(top["children"]) if not node["name"].startswith("Session")}
    assert (len(heard), report.refused) == (3, [])
    assert sorted(names) == sorted(goals.values())
    assert len(names) > 250


@pytest.mark.parametrize("may_plan", [True, False])
async def test_a_page_of_descendants_has_five_hundred_at_most(own: Graph, member: User, *, may_plan: bool) -> None:
    goal = await make_goal(own.db, member.id)
    asked = "query ($id: ID!, $first: Int) { goal(id: $id) { descendants(first: $first) { nodes { depth } } } }"
    graph = own if may_plan else own.on_graphql_core()

    assert await graph.refused(asked, id=encode_id("goal", goal.id), first=501) == [
        {
            "code": "BAD_USER_INPUT",
            "field": "first",
            "message": "`first` is between 0 and 500; 501 was asked for.",
        }
    ]


async def test_a_goal_says_what_stands_above_it(own: Graph, member: User) -> None:
    *_, short = await make_line(own.db, member.id, LEVELS[0], LEVELS[2], LEVELS[3])
    session = await make_session(own.db, short)
    under = await make_goal(own.db, member.id, LEVELS[4], under=session)

    assert (await own.execute(_LINE, id=encode_id("goal", short.id)))["goal"] == {
        "depth": 2,
        "parent": {"name": "Mid_Term"},
        "root": {"name": "Ultimate"},
        "ancestors": [{"name": "Ultimate"}, {"name": "Mid_Term"}],
        "session": None,
    }
    assert (await own.execute(_LINE, id=encode_id("goal", under.id)))["goal"] == {
        "depth": 0,
        "parent": None,
        "root": {"name": "Immediate"},
        "ancestors": [],
        "session": {"name": "Practice"},
    }


async def test_a_session_is_shown_in_one_operation(own: Graph, member: User, clock: ManualClock) -> None:
    one, two = [await make_goal(own.db, member.id, LEVELS[3], name=name) for name in ("React", "Design")]
    session = await make_session(own.db, one, two, goal_names=["Login", "Review"], tags=["Code"])
    for verb in (sessions.start_session, sessions.pause_session):
        async with own.db.transaction() as tx:
            await verb(tx, session.id, viewer=None, now=clock.now())
        clock.move(timedelta(minutes=2))

    data = await own.execute(_SESSION, id=encode_id("practicesession", session.id))

    assert data["practiceSession"] == {
        "name": "Practice",
        "state": "PAUSED",
        "isCompleted": False,
        "practisedSeconds": 120,
        "timer": {"state": "PAUSED", "elapsedMs": 120_000.0, "asOf": "2026-11-21T09:02:00.000000Z"},
        "tags": ["code"],
        "goals": [{"name": "React"}, {"name": "Design"}],
        "immediateGoals": {
            "nodes": [{"name": "Login", "level": "IMMEDIATE"}, {"name": "Review", "level": "IMMEDIATE"}]
        },
        "pauses": {"nodes": [{"startedAt": "2026-11-21T09:02:00.000000Z", "endedAt": None}]},
        "review": None,
    }


async def test_goals_are_set_and_refused_with_a_reason(own: Graph) -> None:
    made = await own.execute(_CREATE, level="MID_TERM", input={"name": "Spar", "deadline": "2026-12-31"})
    goal = made["goalCreate"]["goal"]
    refused = [
        await own.execute(_CREATE, level=level, parent=goal["path"][0], input={"name": "x", **more})
        for level, more in (("ULTIMATE", {}), ("MICRO", {"deadline": "2027-01-01"}), ("MICRO", {"name": ""}))
    ]

    assert goal == {
        "name": "Spar",
        "level": "MID_TERM",
        "deadline": "2026-12-31",
        "depth": 0,
        "isCompleted": False,
        "path": goal["path"],
    }
    assert [one["goalCreate"]["goal"] for one in refused] == [None] * 3
    assert [one["goalCreate"]["errors"][0] for one in refused] == [
        {
            "code": "BAD_USER_INPUT",
            "field": "parentId",
            "message": "A goal of level ULTIMATE cannot stand under one of level MID_TERM: it must be nearer.",
        },
        {
            "code": "BAD_USER_INPUT",
            "field": "deadline",
            "message": "The deadline 2027-01-01 is behind 2026-12-31, which is that of a goal above.",
        },
        {"code": "BAD_USER_INPUT", "field": "name", "message": "A name has 1 to 255 characters."},
    ]


async def test_what_somebody_practises_is_seen_by_nobody_but_him_and_an_admin(
    graph: Graph, own: Graph, member: User
) -> None:
    goal = await make_goal(own.db, member.id, LEVELS[3])
    session = await make_session(own.db, goal)
    ids = [encode_id("goal", goal.id), encode_id("practicesession", session.id)]
    asked = """query ($goal: ID!, $session: ID!, $ids: [ID!]!) {
      goal(id: $goal) { name } practiceSession(id: $session) { name } nodes(ids: $ids) { __typename }
      goals { totalCount } practiceSessions { totalCount } deletedGoals { totalCount } sessionTemplates { totalCount }
      goalsExport
    }"""
    overlay = Viewer(user_id=member.id, token_id=new_id(), role=Role.ADMIN, nodes=frozenset([session.id, new_id()]))

    async def seen(viewer: Graph) -> list[Any]:
        data = await viewer.execute(asked, goal=ids[0], session=ids[1], ids=ids)
        return [one["totalCount"] if isinstance(one, dict) and "totalCount" in one else one for one in data.values()]

    everything = [
        {"name": "Short_Term"},
        {"name": "Practice"},
        [{"__typename": "Goal"}, {"__typename": "PracticeSession"}],
    ]
    nothing = [None, None, [None, None], 0, 0, 0, 0, "[]"]
    *found, file = await seen(own)
    assert (found, orjson.loads(file)[0]["name"]) == ([*everything, 1, 1, 0, 0], "Short_Term")
    assert await seen(graph) == [*everything, 1, 1, 0, 0, "[]"]
    assert await seen(graph.as_viewer(viewer_of(await make_user(own.db, role=Role.OPERATOR)))) == nothing
    assert await seen(graph.as_viewer(overlay)) == nothing


# Watching


_WATCH_TREE = """
subscription ($id: ID!) {
  goalTreeChanged(rootId: $id) {
    version root { name } touched { name rollup { subtree { goals completed percent } } } deleted
  }
}"""
_WATCH_SESSION = """
subscription ($id: ID!) { practiceSessionChanged(id: $id) { session { timer { state elapsedMs asOf } } } }"""


async def test_a_watched_tree_is_shown_and_then_each_change_with_all_above_it(own: Graph, member: User) -> None:
    top, long, mid = await make_line(own.db, member.id, *LEVELS[:3])
    seen = own.subscribe(_WATCH_TREE, id=encode_id("goal", top.id))
    asked: dict[str, Any] = {"viewer": None, "now": own.clock.now()}

    first = await anext(seen)
    async with own.db.transaction() as tx:
        await operations.complete_goal(tx, mid.id, **asked)
    second = await anext(seen)
    async with own.db.transaction() as tx:
        await operations.delete_goal(tx, long.id, **asked)
    third = await anext(seen)
    async with own.db.transaction() as tx:
        await operations.delete_goal(tx, top.id, **asked)
    last = await anext(seen)
    await seen.aclose()

    def counts(goals: int, completed: int, percent: int) -> dict[str, Any]:
        return {"subtree": {"goals": goals, "completed": completed, "percent": percent}}

    assert [one["goalTreeChanged"] for one in (first, second, third, last)] == [
        {"version": 3, "root": {"name": "Ultimate"}, "touched": [], "deleted": []},
        {
            "version": 4,
            "root": {"name": "Ultimate"},
            "touched": [
                {"name": "Ultimate", "rollup": counts(3, 1, 33)},
                {"name": "Long_Term", "rollup": counts(2, 1, 50)},
                {"name": "Mid_Term", "rollup": counts(1, 1, 100)},
            ],
            "deleted": [],
        },
        {
            "version": 5,
            "root": {"name": "Ultimate"},
            "touched": [{"name": "Ultimate", "rollup": counts(1, 0, 0)}],
            "deleted": [encode_id("goal", long.id)],
        },
        {"version": 6, "root": None, "touched": [], "deleted": [encode_id("goal", top.id)]},
    ]


async def test_a_tree_that_goes_under_another_is_no_tree_any_more(own: Graph, member: User) -> None:
    mid, top = await make_goal(own.db, member.id, LEVELS[2]), await make_goal(own.db, member.id)
    seen = own.subscribe(_WATCH_TREE, id=encode_id("goal", mid.id))
    await anext(seen)

    async with own.db.transaction() as tx:
        await operations.move_goal(tx, mid.id, under=top.id, viewer=None, now=own.clock.now())

    assert (await anext(seen))["goalTreeChanged"]["root"] is None
    await seen.aclose()


async def test_a_watched_clock_tells_when_it_is_started_and_stopped(
    own: Graph, member: User, clock: ManualClock
) -> None:
    session = await make_session(own.db, await make_goal(own.db, member.id, LEVELS[3]))
    seen = own.subscribe(_WATCH_SESSION, id=encode_id("practicesession", session.id))
    timers = [(await anext(seen))["practiceSessionChanged"]["session"]["timer"]]

    for verb in (sessions.start_session, sessions.pause_session, sessions.delete_session):
        clock.move(timedelta(seconds=90))
        async with own.db.transaction() as tx:
            await verb(tx, session.id, viewer=None, now=clock.now())
        shown = (await anext(seen))["practiceSessionChanged"]["session"]
        timers.append(shown and shown["timer"])
    await seen.aclose()

    assert timers == [
        {"state": "PLANNED", "elapsedMs": 0.0, "asOf": "2026-11-21T09:00:00.000000Z"},
        {"state": "RUNNING", "elapsedMs": 0.0, "asOf": "2026-11-21T09:01:30.000000Z"},
        {"state": "PAUSED", "elapsedMs": 90_000.0, "asOf": "2026-11-21T09:03:00.000000Z"},
        None,
    ]


async def test_nobody_watches_what_he_does_not_see(own: Graph, member: User) -> None:
    top, mid = await make_line(own.db, member.id, LEVELS[0], LEVELS[2])
    session = await make_session(own.db, await make_goal(own.db, member.id, LEVELS[3]))
    stranger = own.as_viewer(viewer_of(await make_user(own.db)))

    async def refused(graph: Graph, operation: str, kind: str, row_id: Any) -> Any:
        stream = await the_schema().subscribe(
            operation, variable_values={"id": encode_id(kind, row_id)}, context_value=graph._context()
        )
        first = await anext(stream)
        return [(error.extensions or {})["code"] for error in first.errors or []]

    assert await refused(stranger, _WATCH_TREE, "goal", top.id) == ["NOT_FOUND"]
    assert await refused(stranger, _WATCH_SESSION, "practicesession", session.id) == ["NOT_FOUND"]
    assert await refused(own, _WATCH_TREE, "goal", mid.id) == ["NOT_FOUND"]
