"""Goals over real sockets: who was there hears what moved, and who comes later sees how it is, once and no more."""

from contextlib import aclosing
from typing import Any

from api import pages
from db.practice.operations import complete_goal
from db.streams import operations
from db.streams.tables import StreamGoal
from schema.ids import encode_id
from tests.support import practice
from tests.support.house import RunningHouse, running_house
from tests.support.streaming import make_goal, make_stream

CHANGED = """
subscription ($goal: ID!) {
  streamGoalChanged(goalId: $goal) { goals { current } movements { delta hasReached } }
}
"""
OVERLAY = 'mutation ($node: ID!) { tokenCreate(input: {label: "OBS", nodeIds: [$node]}) { secret } }'


def shown(answer: dict[str, Any]) -> tuple[list[int], list[int]]:
    changed = answer["streamGoalChanged"]
    return [one["current"] for one in changed["goals"]], [one["delta"] for one in changed["movements"]]


async def begin(house: RunningHouse) -> StreamGoal:
    now = house.house.clock.now()
    return await make_goal(house.house.db, await make_stream(house.house.db, now), now, target=10)


async def add(house: RunningHouse, goal: StreamGoal, delta: int) -> None:
    async with house.house.db.transaction() as tx:
        await operations.add_progress(tx, goal.id, delta, viewer=None, now=house.house.clock.now())


async def test_whoever_joins_right_after_a_change_sees_the_state_and_celebrates_nothing(database_url: str) -> None:
    async with running_house(database_url, has_listener=False) as house:
        goal = await begin(house)
        goal_id = encode_id("streamgoal", goal.id)
        async with house.admitted() as one, aclosing(one.subscribe(CHANGED, goal=goal_id)) as first:
            told = [shown(await anext(first))]
            await add(house, goal, 15)
            told.append(shown(await anext(first)))
            # At once, while the change is still warm, and with the same question: both are one group.
            async with house.admitted() as other, aclosing(other.subscribe(CHANGED, goal=goal_id)) as second:
                told.append(shown(await anext(second)))
                await add(house, goal, 1)
                both = [shown(await anext(first)), shown(await anext(second))]

    assert told == [([0], []), ([15], [15]), ([15], [])]
    assert both == [([16], [1])] * 2


async def test_a_change_is_told_once_to_each_watcher(database_url: str) -> None:
    async with running_house(database_url, has_listener=False) as house:
        goal = await begin(house)
        goal_id = encode_id("streamgoal", goal.id)
        async with house.admitted() as socket, aclosing(socket.subscribe(CHANGED, goal=goal_id)) as messages:
            await anext(messages)
            heard = []
            for delta in (3, 4, 5):
                await add(house, goal, delta)
                heard.append(shown(await anext(messages)))

    assert heard == [([3], [3]), ([7], [4]), ([12], [5])]


async def test_an_overlays_token_opens_its_goal_over_a_socket(database_url: str) -> None:
    async with running_house(database_url, has_listener=False) as house:
        goal = await begin(house)
        goal_id = encode_id("streamgoal", goal.id)
        secret = (await house.execute(OVERLAY, node=goal_id))["tokenCreate"]["secret"]
        async with house.socket() as socket:
            await socket.init({"token": secret})
            async with aclosing(socket.subscribe(CHANGED, goal=goal_id)) as messages:
                first = shown(await anext(messages))
            refused = await socket.begin('mutation { streamGoalReset(id: "x") { errors { code } } }')
            answer = await socket.receive()
            while answer.get("id") != refused:
                answer = await socket.receive()

    assert first == ([0], [])
    assert "FORBIDDEN" in str(answer["payload"])


async def test_the_page_of_a_practised_goal_is_answered_with_a_token_for_that_goal(database_url: str) -> None:
    (document,) = (one for one in pages.documents() if "subscription PracticeOverlay" in one)
    async with running_house(database_url, has_listener=False) as house:
        db, now = house.house.db, house.house.clock.now()
        goal = await practice.make_goal(db, (await practice.make_user(db)).id, practice.LEVELS[3], now=now)
        goal_id = encode_id("goal", goal.id)
        secret = (await house.execute(OVERLAY, node=goal_id))["tokenCreate"]["secret"]
        async with house.socket() as socket:
            await socket.init({"token": secret})
            async with aclosing(socket.subscribe(document, practiceId=goal_id)) as messages:
                first = await anext(messages)
                async with db.transaction() as tx:
                    await complete_goal(tx, goal.id, viewer=None, now=now)
                second = await anext(messages)

    shown = [one["goalChanged"]["goal"] for one in (first, second)]
    assert [(one["name"], one["isCompleted"], one["rollup"]["subtree"]["percent"]) for one in shown] == [
        ("Short_Term", False, 0),
        ("Short_Term", True, 100),
    ]
