"""Overlays of practice: a token that is bound to a goal shows that goal and how far it is, and nothing else at all."""

from typing import Any

import pytest

from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.database import Database
from db.ids import new_id
from db.practice import operations, sessions
from db.practice.tables import Goal, PracticeSession
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.graph import Graph
from tests.support.practice import LEVELS, make_goal, make_line, make_session, make_user, viewer_of

_NODES = "nodes { name }"
_ALL = f"""
query ($id: ID!) {{
  goal(id: $id) {{
    name
    rollup {{ direct {{ goals completed sessions }} subtree {{ goals completed percent sessions practisedSeconds }} }}
    parent {{ name }} root {{ name }} session {{ name }} within {{ name }} ancestors {{ name }} completedBy {{ name }}
    children {{ totalCount {_NODES} }}
    descendants {{ totalCount nodes {{ depth path goal {{ name }} }} }}
    sessions {{ totalCount {_NODES} }}
    subtreeSessions {{ totalCount nodes {{ name notes }} }}
    entries {{ totalCount }}
  }}
  goals {{ totalCount {_NODES} }}
  deletedGoals {{ totalCount }}
  practiceSessions {{ totalCount }}
  sessionTemplates {{ totalCount }}
}}"""
_WATCH = """
subscription ($id: ID!) {
  goalChanged(id: $id) { goal { name isCompleted rollup { subtree { goals completed percent } } } }
}"""
_WATCH_TREE = """
subscription ($id: ID!) { goalTreeChanged(rootId: $id) { root { name } touched { name } deleted } }"""
_BIND = """
mutation ($nodes: [ID!]!) {
  tokenCreate(input: {label: "OBS", nodeIds: $nodes}) { token { kind } errors { code field } }
}"""


@pytest.fixture
async def member(db: Database) -> User:
    return await make_user(db)


@pytest.fixture
async def line(db: Database, member: User) -> list[Goal]:
    """From the farthest goal to one for which there is a session."""
    return await make_line(db, member.id, *LEVELS[:4])


@pytest.fixture
async def session(db: Database, line: list[Goal], clock: ManualClock) -> PracticeSession:
    """A session with a goal of its own and something that is nobody's business."""
    made = await make_session(db, line[3], goal_names=["Kick"], notes="My knee hurts")
    async with db.transaction() as tx:
        await sessions.finish_session(tx, made.id, viewer=None, now=clock.now())
    return made


def overlay_of(graph: Graph, owner: User, *goals: Goal | PracticeSession) -> Graph:
    bound = frozenset(one.id for one in goals)
    return graph.as_viewer(Viewer(user_id=owner.id, token_id=new_id(), role=Role.ADMIN, nodes=bound))


async def change(db: Database, operation: Any, *given: Any, **named: Any) -> Any:
    async with db.transaction() as tx:
        return await operation(tx, *given, viewer=None, **named)


@pytest.mark.parametrize("may_plan", [True, False])
async def test_an_overlay_sees_the_goal_it_is_bound_to_and_what_that_comes_to(
    graph: Graph, member: User, line: list[Goal], session: PracticeSession, *, may_plan: bool
) -> None:
    overlay = overlay_of(graph if may_plan else graph.on_graphql_core(), member, line[2])
    none: dict[str, Any] = {"totalCount": 0, "nodes": []}

    data = await overlay.execute(_ALL, id=encode_id("goal", line[2].id))

    assert session.notes
    assert data == {
        "goal": {
            "name": "Mid_Term",
            "rollup": {
                "direct": {"goals": 1, "completed": 0, "sessions": 0},
                "subtree": {"goals": 3, "completed": 0, "percent": 0, "sessions": 1, "practisedSeconds": 0},
            },
            "parent": None,
            "root": None,
            "session": None,
            "within": None,
            "ancestors": [],
            "completedBy": None,
            **dict.fromkeys(("children", "descendants", "sessions", "subtreeSessions"), none),
            "entries": {"totalCount": 0},
        },
        "goals": none,
        **{name: {"totalCount": 0} for name in ("deletedGoals", "practiceSessions", "sessionTemplates")},
    }


async def test_an_overlay_of_several_goals_sees_how_they_stand_to_each_other(
    graph: Graph, member: User, line: list[Goal], session: PracticeSession
) -> None:
    top, long, _, short = line
    overlay = overlay_of(graph, member, top, short, session)

    data = (await overlay.execute(_ALL, id=encode_id("goal", top.id)))["goal"]

    assert data["descendants"] == {
        "totalCount": 1,
        "nodes": [
            {
                "depth": 3,
                "path": [encode_id("goal", goal.id) for goal in (long, line[2], short)],
                "goal": {"name": "Short_Term"},
            }
        ],
    }
    # A session stays private, even where a token names it.
    assert data["subtreeSessions"]["totalCount"] == 0
    for unseen in (long, line[2]):
        assert (await overlay.execute("query ($id: ID!) { goal(id: $id) { name } }", id=encode_id("goal", unseen.id)))[
            "goal"
        ] is None


async def test_goals_that_were_deleted_are_not_shown(graph: Graph, member: User, clock: ManualClock) -> None:
    goal = await make_goal(graph.db, member.id)
    await change(graph.db, operations.delete_goal, goal.id, now=clock.now())

    data = await overlay_of(graph, member, goal).execute(_ALL, id=encode_id("goal", goal.id))

    assert data["goal"] is None


async def test_an_overlay_watches_its_goal_wherever_that_is_moved(
    graph: Graph, member: User, line: list[Goal], clock: ManualClock
) -> None:
    top, long, mid, short = line
    other = await make_goal(graph.db, member.id, LEVELS[0], name="Another")
    beside = await make_goal(graph.db, member.id, LEVELS[1], under=other)
    seen = overlay_of(graph, member, mid).subscribe(_WATCH, id=encode_id("goal", mid.id))
    told = [await anext(seen)]

    steps: list[tuple[Any, Any, dict[str, Any]]] = [
        (operations.complete_goal, short.id, {}),
        (operations.update_goal, mid.id, {"changes": {"name": "Spar"}}),
        # With what it stands under, to another tree; then on to a tree of its own, and something changes in that.
        (operations.move_goal, long.id, {"under": other.id}),
        (operations.move_goal, mid.id, {}),
        (operations.reopen_goal, short.id, {}),
        (operations.delete_goal, mid.id, {}),
        (operations.restore_goal, mid.id, {}),
    ]
    for operation, goal_id, named in steps:
        await change(graph.db, operation, goal_id, now=clock.now(), **named)
        told.append(await anext(seen))
    # What happens in trees that it stood in is no news of it: the next message is of what comes after.
    for elsewhere in (top.id, beside.id):
        await change(graph.db, operations.complete_goal, elsewhere, now=clock.now())
    await change(graph.db, operations.complete_goal, mid.id, now=clock.now())
    told.append(await anext(seen))
    await seen.aclose()

    def shown(name: str, completed: int, *, is_completed: bool = False) -> dict[str, Any]:
        counted = {"goals": 2, "completed": completed, "percent": 50 * completed}
        return {"name": name, "isCompleted": is_completed, "rollup": {"subtree": counted}}

    assert [one["goalChanged"]["goal"] for one in told] == [
        shown("Mid_Term", 0),
        shown("Mid_Term", 1),
        shown("Spar", 1),
        shown("Spar", 1),
        shown("Spar", 1),
        shown("Spar", 0),
        None,
        shown("Spar", 0),
        shown("Spar", 1, is_completed=True),
    ]


async def test_an_overlay_of_a_tree_is_told_of_its_own_goals_alone(
    graph: Graph, member: User, line: list[Goal], clock: ManualClock
) -> None:
    top, long, mid, _ = line
    seen = overlay_of(graph, member, top).subscribe(_WATCH_TREE, id=encode_id("goal", top.id))
    told = [await anext(seen)]

    await change(graph.db, operations.complete_goal, long.id, now=clock.now())
    told.append(await anext(seen))
    await change(graph.db, operations.delete_goal, mid.id, now=clock.now())
    told.append(await anext(seen))
    await seen.aclose()

    root = {"name": "Ultimate"}
    assert [one["goalTreeChanged"] for one in told] == [
        {"root": root, "touched": [], "deleted": []},
        {"root": root, "touched": [root], "deleted": []},
        {"root": root, "touched": [root], "deleted": []},
    ]


@pytest.mark.parametrize("subscription", [_WATCH, _WATCH_TREE])
async def test_an_overlay_watches_nothing_that_it_is_not_bound_to(
    graph: Graph, member: User, line: list[Goal], subscription: str
) -> None:
    seen = overlay_of(graph, member, line[1]).subscribe(subscription, id=encode_id("goal", line[0].id))

    with pytest.raises(AssertionError, match="There is no such goal"):
        await anext(seen)


async def test_an_overlay_changes_no_goal(graph: Graph, member: User, line: list[Goal]) -> None:
    complete = "mutation ($id: ID!) { goalComplete(id: $id) { errors { code } } }"

    refused = await overlay_of(graph, member, line[0]).refused(complete, id=encode_id("goal", line[0].id))

    assert [one["code"] for one in refused] == ["FORBIDDEN"]


async def test_a_token_is_bound_to_ones_own_goals_and_to_no_session(
    graph: Graph, db: Database, line: list[Goal], session: PracticeSession
) -> None:
    operator = await make_user(db, role=Role.OPERATOR)
    own = await make_goal(db, operator.id)
    asked = graph.as_viewer(viewer_of(operator))

    async def bind(node: str) -> dict[str, Any]:
        made: dict[str, Any] = (await asked.execute(_BIND, nodes=[node]))["tokenCreate"]
        return made

    assert await bind(encode_id("goal", own.id)) == {"token": {"kind": "OVERLAY"}, "errors": []}
    assert await bind(encode_id("goal", line[0].id)) == {
        "token": None,
        "errors": [{"code": "NOT_FOUND", "field": "nodeIds"}],
    }
    assert await bind(encode_id("practicesession", session.id)) == {
        "token": None,
        "errors": [{"code": "BAD_USER_INPUT", "field": "nodeIds"}],
    }
