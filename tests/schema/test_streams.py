"""The graph of streams: what is derived the server says, a state comes first, and changes come with what moved."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest

from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.database import Database
from db.ids import new_id
from db.streams import operations
from db.streams.tables import Stream, StreamGoal
from db.streams.vocabulary import StreamGoalKind
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.graph import Graph
from tests.support.house import PATIENCE_SECONDS
from tests.support.streaming import FRAMES, gift, make_goal, make_owner, make_source, make_stream, take

GOAL = """
query ($id: ID!) {
  streamGoal(id: $id) { current target progress percent remaining isReached timesReached state style { look template } }
}
"""
CREATE = """
mutation ($stream: ID!, $kind: StreamGoalKind!, $input: StreamGoalInput!) {
  streamGoalCreate(streamId: $stream, kind: $kind, input: $input) {
    goal { name start current target step weights { kind points } milestones { threshold label isReached } }
    errors { code field }
  }
}
"""
UPDATE = """
mutation ($id: ID!, $input: StreamGoalInput!) {
  streamGoalUpdate(id: $id, input: $input) {
    goal { name current target style { look template fillColor } }
    errors { code field }
  }
}
"""
CHANGED = """
subscription ($goal: ID, $stream: ID) {
  streamGoalChanged(goalId: $goal, streamId: $stream) {
    goals { name current target revision }
    movements { delta hasReached isTest milestones { threshold } goal { name } }
  }
}
"""
CHANGES = """
subscription ($goal: ID!, $after: String) {
  streamGoalChanges(goalId: $goal, after: $after) { cursor change { kind newValue } }
}
"""


@pytest.fixture
async def stream(db: Database, clock: ManualClock, admin: User) -> Stream:
    return await make_stream(db, clock.now(), owner_id=admin.id)


@pytest.fixture
async def goal(db: Database, clock: ManualClock, stream: Stream) -> StreamGoal:
    return await make_goal(db, stream, clock.now(), StreamGoalKind.COINS, name="Coins", start=0)


def id_of(goal: StreamGoal) -> str:
    return encode_id("streamgoal", goal.id)


async def add(graph: Graph, goal: StreamGoal, delta: int) -> None:
    async with graph.db.transaction() as tx:
        await operations.add_progress(tx, goal.id, delta, viewer=None, now=graph.clock.now())


def shown(answer: dict[str, Any]) -> tuple[list[tuple[str, int]], list[tuple[str, int, bool]]]:
    """The goals with their counts, and the movements with what they reached."""
    changed = answer["streamGoalChanged"]
    goals = [(one["name"], one["current"]) for one in changed["goals"]]
    return goals, [(one["goal"]["name"], one["delta"], one["hasReached"]) for one in changed["movements"]]


async def soon(messages: AsyncGenerator[dict[str, Any], None]) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await anext(messages)


async def test_all_that_is_derived_is_said_by_the_server(graph: Graph, stream: Stream) -> None:
    goal = await make_goal(graph.db, stream, graph.clock.now(), start=400, target=1000)
    await add(graph, goal, 596)

    data = await graph.execute(GOAL, id=id_of(goal))

    assert data["streamGoal"] == {
        "current": 996,
        "target": 1000,
        "progress": 596 / 600,
        "percent": 99,
        "remaining": 4,
        "isReached": False,
        "timesReached": 0,
        "state": "ACTIVE",
        "style": {"look": "BAR", "template": "{name}: {current} / {target}"},
    }


async def test_a_goal_is_made_of_what_is_said_and_defaults(graph: Graph, stream: Stream) -> None:
    terms = {
        "name": "Tonight",
        "target": 50,
        "start": 10,
        "weights": [{"kind": "COINS", "points": 0.1}, {"kind": "FOLLOWERS", "points": 2}],
        "milestones": [{"threshold": 40, "label": "b"}, {"threshold": 20}],
    }

    data = await graph.execute(CREATE, stream=encode_id("stream", stream.id), kind="POINTS", input=terms)

    assert data["streamGoalCreate"] == {
        "goal": {
            "name": "Tonight",
            "start": 10,
            "current": 10,
            "target": 50,
            "step": 40,
            "weights": [{"kind": "COINS", "points": 0.1}, {"kind": "FOLLOWERS", "points": 2.0}],
            "milestones": [
                {"threshold": 20, "label": "", "isReached": False},
                {"threshold": 40, "label": "b", "isReached": False},
            ],
        },
        "errors": [],
    }


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({}, "target"),
        ({"target": 10}, "name"),
        ({"name": "x", "target": 10, "start": 10}, "target"),
        ({"name": "x", "target": 10, "mode": "ADD", "step": -1}, "step"),
        ({"name": "x", "target": 10, "style": {"fillColor": "red; background: url(x)"}}, "fillColor"),
        ({"name": "x", "target": 10, "style": {"template": "{current} {nonsense}"}}, "template"),
        ({"name": "x", "target": 10, "style": {"template": "{current"}}, "template"),
        ({"name": "x", "target": 10, "style": {"animationMs": -1}}, "animationMs"),
        ({"name": "x", "target": 10, "style": {"shownSeconds": 4000}}, "shownSeconds"),
        ({"name": "x", "target": 10, "weights": [{"kind": "LIKES", "points": 1}]}, "weights"),
        ({"name": "x", "target": 10, "endsAt": "2020-01-01T00:00:00Z"}, "endsAt"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_field(
    graph: Graph, stream: Stream, terms: dict[str, Any], field: str
) -> None:
    data = await graph.execute(CREATE, stream=encode_id("stream", stream.id), kind="COINS", input=terms)

    assert data["streamGoalCreate"] == {"goal": None, "errors": [{"code": "BAD_USER_INPUT", "field": field}]}


@pytest.mark.parametrize(
    ("weights", "faults"),
    [
        ([{"kind": "LIKES", "points": 0.0005}], 1),
        ([{"kind": "LIKES", "points": 0}], 1),
        ([{"kind": "LIKES", "points": 1e300}], 1),
        ([{"kind": "VIEWERS", "points": 1}], 1),
        ([{"kind": "LIKES", "points": 1}, {"kind": "LIKES", "points": 2}], 1),
        ([], 1),
        ([{"kind": "LIKES", "points": 0.001}], 0),
    ],
)
async def test_points_are_weighed_to_the_thousandth(
    graph: Graph, stream: Stream, weights: list[dict[str, Any]], faults: int
) -> None:
    terms = {"name": "x", "target": 10, "weights": weights}

    data = await graph.execute(CREATE, stream=encode_id("stream", stream.id), kind="POINTS", input=terms)

    assert data["streamGoalCreate"]["errors"] == [{"code": "BAD_USER_INPUT", "field": "weights"}] * faults


async def test_a_mode_that_there_is_none_of_is_refused_by_name(graph: Graph, stream: Stream) -> None:
    terms = {"name": "x", "target": 10, "mode": "TRIPLE"}

    (refused,) = await graph.refused(CREATE, stream=encode_id("stream", stream.id), kind="COINS", input=terms)

    assert "TRIPLE" in refused["message"]
    assert "mode" in refused["message"]


async def test_an_edit_leaves_what_is_absent_and_null_brings_the_default_back(graph: Graph, goal: StreamGoal) -> None:
    await add(graph, goal, 30)
    await graph.execute(UPDATE, id=id_of(goal), input={"style": {"look": "MINIMAL", "fillColor": "#112233"}})

    data = await graph.execute(UPDATE, id=id_of(goal), input={"name": "New", "style": {"fillColor": None}})

    assert data["streamGoalUpdate"]["goal"] == {
        "name": "New",
        "current": 30,
        "target": 100,
        "style": {"look": "MINIMAL", "template": "{name}: {current} / {target}", "fillColor": "#ff2d55"},
    }


async def test_no_input_reaches_a_column_that_is_not_in_it(graph: Graph, goal: StreamGoal) -> None:
    (refused,) = await graph.refused(UPDATE, id=id_of(goal), input={"current = 5, name": "x"})

    assert "current = 5" in refused["message"]


async def test_a_state_comes_first_and_each_change_with_what_moved(graph: Graph, goal: StreamGoal) -> None:
    async with aclosing(graph.subscribe(CHANGED, goal=id_of(goal))) as messages:
        first = await soon(messages)
        await add(graph, goal, 30)
        second = await soon(messages)
        await add(graph, goal, 80)
        third = await soon(messages)

    assert shown(first) == ([("Coins", 0)], [])
    assert shown(second) == ([("Coins", 30)], [("Coins", 30, False)])
    assert shown(third) == ([("Coins", 110)], [("Coins", 80, True)])


async def test_whoever_comes_again_gets_the_state_and_nothing_to_celebrate(graph: Graph, goal: StreamGoal) -> None:
    await add(graph, goal, 110)

    async with aclosing(graph.subscribe(CHANGED, goal=id_of(goal))) as messages:
        first = await soon(messages)

    assert shown(first) == ([("Coins", 110)], [])


async def test_a_slow_watcher_gets_the_latest_with_all_that_moved(graph: Graph, goal: StreamGoal) -> None:
    async with aclosing(graph.subscribe(CHANGED, goal=id_of(goal))) as messages:
        await soon(messages)
        for _ in range(3):
            await add(graph, goal, 40)
        second = await soon(messages)

    assert shown(second) == ([("Coins", 120)], [("Coins", 120, True)])


async def test_a_watcher_who_fell_far_behind_gets_the_state(graph: Graph, goal: StreamGoal) -> None:
    async with aclosing(graph.subscribe(CHANGED, goal=id_of(goal))) as messages:
        await soon(messages)
        for _ in range(300):
            await add(graph, goal, 1)
        second = await soon(messages)

    assert shown(second) == ([("Coins", 300)], [])


async def test_a_stream_is_watched_with_all_its_goals_as_they_come_and_go(
    graph: Graph, stream: Stream, goal: StreamGoal
) -> None:
    async with aclosing(graph.subscribe(CHANGED, stream=encode_id("stream", stream.id))) as messages:
        first = await soon(messages)
        other = await make_goal(graph.db, stream, graph.clock.now(), name="Other")
        second = await soon(messages)
        async with graph.db.transaction() as tx:
            await operations.delete_goal(tx, goal.id, viewer=None)
        third = await soon(messages)
        await add(graph, other, 1)
        fourth = await soon(messages)

    names = ["Coins", "Likes", "Followers", "Goal", "Coins"]
    assert [[name for name, _ in shown(one)[0]] for one in (first, second, third)] == [
        names,
        [*names, "Other"],
        [*names[:-1], "Other"],
    ]
    assert shown(fourth)[1] == [("Other", 1, False)]


async def test_a_test_is_shown_as_one(graph: Graph, goal: StreamGoal) -> None:
    async with aclosing(graph.subscribe(CHANGED, goal=id_of(goal))) as messages:
        await soon(messages)
        async with graph.db.transaction() as tx:
            await operations.test_goal(tx, goal.id, 500, viewer=None, now=graph.clock.now())
        second = await soon(messages)

    (movement,) = second["streamGoalChanged"]["movements"]
    assert (movement["isTest"], movement["hasReached"], movement["delta"]) == (True, True, 500)
    assert shown(second)[0] == [("Coins", 0)]


async def test_a_batch_of_news_is_one_message_of_each_goal(graph: Graph, stream: Stream, goal: StreamGoal) -> None:
    source = await make_source(graph.db, stream, graph.clock.now())
    async with aclosing(graph.subscribe(CHANGED, goal=id_of(goal))) as messages:
        await soon(messages)
        await take(graph.db, source, *FRAMES, at=graph.clock.now())
        second = await soon(messages)

    assert shown(second) == ([("Coins", 108)], [("Coins", 108, True)])


async def test_a_history_is_followed_from_any_place_without_a_gap(graph: Graph, goal: StreamGoal) -> None:
    for _ in range(3):
        await add(graph, goal, 40)

    async with aclosing(graph.subscribe(CHANGES, goal=id_of(goal))) as messages:
        old = [(await soon(messages))["streamGoalChanges"] for _ in range(4)]
        await add(graph, goal, 1)
        live = (await soon(messages))["streamGoalChanges"]
    async with aclosing(graph.subscribe(CHANGES, goal=id_of(goal), after=old[1]["cursor"])) as messages:
        again = [(await soon(messages))["streamGoalChanges"] for _ in range(3)]

    assert [one["change"]["kind"] for one in old] == ["PROGRESS", "PROGRESS", "PROGRESS", "REACHED"]
    assert live["change"] == {"kind": "PROGRESS", "newValue": 121}
    assert again == [*old[2:], live]


# Who sees what


def overlay(*nodes: Any) -> Viewer:
    return Viewer(user_id=new_id(), token_id=new_id(), role=Role.ADMIN, nodes=frozenset(nodes))


async def test_an_overlay_reads_its_goal_and_changes_nothing(graph: Graph, stream: Stream, goal: StreamGoal) -> None:
    other = await make_goal(graph.db, stream, graph.clock.now(), name="Other")
    of_goal = graph.as_viewer(overlay(goal.id))
    operation = "query ($id: ID!) { stream(id: $id) { owner { name } sources { name } goals { nodes { name } } } }"

    data = await of_goal.execute(operation, id=encode_id("stream", stream.id))
    hidden = await of_goal.execute(GOAL, id=id_of(other))
    refused = await of_goal.refused(
        "mutation ($id: ID!) { streamGoalReset(id: $id) { errors { code } } }", id=id_of(goal)
    )

    assert data["stream"] == {"owner": None, "sources": [], "goals": {"nodes": [{"name": "Coins"}]}}
    assert hidden == {"streamGoal": None}
    assert [error["code"] for error in refused] == ["FORBIDDEN"]


async def test_an_overlay_of_a_goal_hears_of_that_goal_alone(graph: Graph, stream: Stream, goal: StreamGoal) -> None:
    other = await make_goal(graph.db, stream, graph.clock.now(), name="Other")
    of_goal = graph.as_viewer(overlay(goal.id))

    async with aclosing(of_goal.subscribe(CHANGED, stream=encode_id("stream", stream.id))) as messages:
        first = await soon(messages)
        await add(graph, other, 5)
        await add(graph, goal, 7)
        second = await soon(messages)

    assert shown(first)[0] == [("Coins", 0)]
    assert shown(second) == ([("Coins", 7)], [("Coins", 7, False)])


async def test_sources_are_seen_by_their_owner_and_by_who_runs_the_event(graph: Graph, clock: ManualClock) -> None:
    owner, other = await make_owner(graph.db, clock.now()), await make_owner(graph.db, clock.now())
    stream = await make_stream(graph.db, clock.now(), owner_id=owner.id)
    source = await make_source(graph.db, stream, clock.now())
    await take(graph.db, source, gift(1), "nonsense", at=clock.now() + timedelta(seconds=1))
    operation = """query ($id: ID!) {
      stream(id: $id) { sources { eventCounts { kind count } faultCounts { fault count } lastError } }
    }"""

    def viewer(user: User, role: Role) -> Graph:
        return graph.as_viewer(Viewer(user_id=user.id, token_id=new_id(), role=role))

    askers = [(owner, Role.MEMBER), (other, Role.MEMBER), (other, Role.OPERATOR)]
    seen = [
        (await viewer(*asker).execute(operation, id=encode_id("stream", stream.id)))["stream"]["sources"]
        for asker in askers
    ]

    assert [len(sources) for sources in seen] == [1, 0, 1]
    assert seen[0][0]["eventCounts"] == [{"kind": "GIFT", "count": 1}]
    assert seen[0][0]["faultCounts"] == [{"fault": "BAD_JSON", "count": 1}]
