"""Streams: goals add up whoever adds, news counts once however often it is told, and all of it is in the history."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from db.access.viewer import Role, Viewer
from db.bus import Event
from db.database import Database
from db.errors import Conflict, Forbidden, Invalid
from db.ids import new_id
from db.streams import operations
from db.streams.events import StreamGoalChanged
from db.streams.rules import Milestone
from db.streams.style import Style
from db.streams.tables import Stream, StreamGoal, StreamSource
from db.streams.vocabulary import StreamGoalKind
from tests.db.stored import NOW
from tests.db.streaming import counts, found, goal_of, history, told, update
from tests.support.streaming import (
    FRAMES,
    TOTALS,
    frame,
    gift,
    make_goal,
    make_goal_of_each_kind,
    make_owner,
    make_source,
    make_stream,
    take,
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "increments" in metafunc.fixturenames:
        metafunc.parametrize("increments", [metafunc.config.getoption("--increments")])


@pytest.fixture
async def stream(db: Database) -> Stream:
    return await make_stream(db, NOW)


@pytest.fixture
async def source(db: Database, stream: Stream) -> StreamSource:
    return await make_source(db, stream, NOW)


async def add(db: Database, goal: StreamGoal, delta: int, viewer: Viewer | None = None) -> StreamGoal:
    async with db.transaction() as tx:
        return await operations.add_progress(tx, goal.id, delta, viewer=viewer, now=NOW)


def viewer_of(user_id: UUID, role: Role = Role.MEMBER) -> Viewer:
    return Viewer(user_id=user_id, token_id=new_id(), role=role)


# Concurrency


async def test_fifty_writers_at_once_add_up(db: Database, stream: Stream, increments: int) -> None:
    goal = await make_goal(db, stream, NOW, target=2_000_000)

    async def write() -> None:
        for _ in range(increments):
            await add(db, goal, 1)

    await asyncio.gather(*(write() for _ in range(50)))

    after, entries = await goal_of(db, goal.id), await history(db, goal.id)
    assert (after.current, after.revision) == (50 * increments, 50 * increments)
    assert [one.new_value for one in entries] == list(range(1, 50 * increments + 1))


@pytest.mark.parametrize(("mode", "target"), [("ADD", 501), ("DOUBLE", 512), ("RESET", 7), ("HIDE", 7), ("FIXED", 7)])
async def test_targets_are_passed_by_many_at_once_as_by_one(
    db: Database, stream: Stream, mode: str, target: int
) -> None:
    goal = await make_goal(
        db, stream, NOW, mode=mode, target={"ADD": 1, "DOUBLE": 1}.get(mode, 7), step=4 if mode == "ADD" else None
    )

    await asyncio.gather(*(add(db, goal, 10) for _ in range(50)))

    after = await goal_of(db, goal.id)
    reached = {"ADD": 125, "DOUBLE": 9, "RESET": 71, "HIDE": 1, "FIXED": 1}[mode]
    assert (after.target, after.times_reached) == (target, reached)
    assert after.current == (500 % 7 if mode == "RESET" else 500)


async def test_hands_and_two_sources_at_once_lose_nothing(db: Database, stream: Stream) -> None:
    goal = await make_goal(db, stream, NOW, StreamGoalKind.COINS, target=1_000_000)
    sources = [await make_source(db, stream, NOW, name=f"S{number}") for number in range(2)]
    # Both sources tell the same of one half, and each something of its own.
    shared = [gift(3) for _ in range(10)]
    own = [[gift(5) for _ in range(10)] for _ in sources]

    async def tell(source: StreamSource, frames: list[str]) -> None:
        for one in frames:
            await take(db, source, one, at=NOW)

    await asyncio.gather(
        *(tell(source, [*shared, *frames]) for source, frames in zip(sources, own, strict=True)),
        *(add(db, goal, 1) for _ in range(50)),
    )

    assert (await goal_of(db, goal.id)).current == 10 * 3 + 2 * 10 * 5 + 50


# Goals


async def test_a_new_stream_has_four_goals_and_they_come_back_only_if_gone(db: Database, stream: Stream) -> None:
    of_stream = select(StreamGoal).where(col(StreamGoal.stream_id) == stream.id).order_by(col(StreamGoal.position))
    goals = await found(db, of_stream)
    assert [(one.preset, one.target, str(one.mode), one.step) for one in goals] == [
        ("COINS", 1000, "ADD", 1000),
        ("LIKES", 500, "ADD", 500),
        ("FOLLOWERS", 10, "ADD", 10),
        ("CUSTOM", 100, "FIXED", 100),
    ]
    await add(db, goals[0], 5)
    async with db.transaction() as tx:
        await operations.delete_goal(tx, goals[1].id, viewer=None)

    async with db.transaction() as tx:
        await operations.create_presets(tx, stream.id, viewer=None, now=NOW)

    assert (await goal_of(db, goals[0].id)).current == 5
    assert sorted(one.preset for one in await found(db, of_stream)) == ["COINS", "CUSTOM", "FOLLOWERS", "LIKES"]


async def test_a_movement_is_told_with_what_it_came_to(db: Database, stream: Stream) -> None:
    goal = await make_goal(db, stream, NOW, target=100)

    await add(db, goal, 20)
    after = await add(db, goal, -50)

    assert (after.current, after.last_delta) == (0, -20)
    assert await told(db, goal.id) == [("PROGRESS", 0, 20, 20), ("PROGRESS", 20, 0, -20)]


async def test_a_goal_that_adds_tells_of_its_milestones_and_its_next_target_in_order(
    db: Database, stream: Stream
) -> None:
    milestones = [(150, "More"), (50, "Half")]
    goal = await make_goal(
        db,
        stream,
        NOW,
        mode="ADD",
        step=100,
        milestones=tuple(Milestone(*one) for one in milestones),
    )

    after = await add(db, goal, 250)

    entries = await history(db, goal.id)
    assert [(str(one.kind), one.threshold, one.label) for one in entries] == [
        ("PROGRESS", None, ""),
        ("MILESTONE", 50, "Half"),
        ("REACHED", 100, ""),
        ("MILESTONE", 150, "More"),
        ("TARGET", None, ""),
    ]
    assert (after.target, after.times_reached, after.reached_at) == (300, 2, NOW)
    assert {one.revision for one in entries} == {1}


async def test_the_server_alone_decides_that_a_goal_is_reached(db: Database, stream: Stream) -> None:
    goal = await make_goal(db, stream, NOW, mode="HIDE")

    with db.bus.listen(goal.id, of=Event) as heard:
        await add(db, goal, 100)
        event = await anext(heard)

    assert isinstance(event, StreamGoalChanged)
    assert [str(one.kind) for one in event.changes] == ["PROGRESS", "REACHED"]
    assert (event.goal.state, event.goal.reached_at) == ("HIDDEN", NOW)


async def test_a_hidden_goal_counts_on_and_stays_hidden(db: Database, stream: Stream) -> None:
    goal = await make_goal(db, stream, NOW)
    async with db.transaction() as tx:
        await operations.show_goal(tx, goal.id, is_shown=False, viewer=None, now=NOW)

    after = await add(db, goal, 30)

    assert (after.current, after.state) == (30, "HIDDEN")


async def test_a_reset_is_stored_and_told_as_one(db: Database, stream: Stream) -> None:
    goal = await make_goal(db, stream, NOW, mode="ADD", step=100, start=10)
    await add(db, goal, 250)

    with db.bus.listen(goal.id, of=StreamGoalChanged) as heard:
        async with db.transaction() as tx:
            after = await operations.reset_goal(tx, goal.id, viewer=None, now=NOW)
        event = await anext(heard)

    assert event.goal == after == await goal_of(db, goal.id)
    assert (after.current, after.target, after.reached_at, after.times_reached) == (10, 100, None, 2)
    assert [one[:3] for one in await told(db, goal.id)][-2:] == [("RESET", 260, 10), ("TARGET", 300, 100)]


async def test_an_edit_changes_what_it_names_and_nothing_else(db: Database, stream: Stream) -> None:
    goal = await make_goal(db, stream, NOW, style=Style(fill_color="#00ff00"), unit="x")
    before = await add(db, goal, 30)

    after = await update(db, goal, name="Another")

    changed = {name for name in before._fields if getattr(before, name) != getattr(after, name)}  # type: ignore[attr-defined]
    assert changed == {"name", "revision"}
    assert [(str(one.kind), one.label) for one in await history(db, goal.id)][-1] == ("EDIT", "name")


async def test_a_test_is_marked_and_counts_nothing(db: Database, stream: Stream) -> None:
    goal = await make_goal(db, stream, NOW, target=10)

    async with db.transaction() as tx:
        after = await operations.test_goal(tx, goal.id, 50, viewer=None, now=NOW)

    assert (after.current, after.times_reached, after.revision) == (0, 0, 1)
    assert await told(db, goal.id) == [("TEST", 0, 0, 50)]


async def test_a_change_that_is_rolled_back_is_silent(db: Database, stream: Stream) -> None:
    goal = await make_goal(db, stream, NOW)

    async def break_off() -> None:
        async with db.transaction() as tx:
            await operations.add_progress(tx, goal.id, 5, viewer=None, now=NOW)
            await operations.reset_goal(tx, goal.id, viewer=None, now=NOW)
            await operations.delete_goal(tx, goal.id, viewer=None)
            raise LookupError

    with db.bus.listen(goal.id, stream.id, of=Event) as heard:
        with pytest.raises(LookupError):
            await break_off()
        await add(db, goal, 1)
        event = await anext(heard)

    assert isinstance(event, StreamGoalChanged)
    assert (event.goal.current, event.goal.revision) == (1, 1)
    assert await told(db, goal.id) == [("PROGRESS", 0, 1, 1)]


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"target": 0}, "target"),
        ({"target": -5}, "target"),
        ({"target": 2_147_483_648}, "target"),
        ({"start": 100}, "target"),
        ({"start": 200}, "target"),
        ({"start": -1}, "start"),
        ({"mode": "ADD", "step": 0}, "step"),
        ({"step": -1}, "step"),
        ({"milestones": ((0, ""),)}, "milestones"),
        ({"milestones": ((5, ""), (5, ""))}, "milestones"),
        ({"milestones": tuple((at, "") for at in range(1, 52))}, "milestones"),
        ({"weights": {"LIKES": 1}}, "weights"),
        ({"ends_at": NOW}, "ends_at"),
        ({"position": -1}, "position"),
        ({"unit": "x" * 21}, "unit"),
    ],
)
async def test_terms_that_cannot_be_are_refused_by_name(
    db: Database, stream: Stream, terms: dict[str, Any], field: str
) -> None:
    if "milestones" in terms:
        terms = {"milestones": tuple(Milestone(*one) for one in terms["milestones"])}
    for act in (make_goal(db, stream, NOW, **terms), update(db, await make_goal(db, stream, NOW), **terms)):
        with pytest.raises(Invalid) as refusal:
            await act
        assert refusal.value.field == field


async def test_a_goal_of_points_weighs_what_it_counts_to_the_thousandth(
    db: Database, stream: Stream, source: StreamSource
) -> None:
    weights = {StreamGoalKind.COINS: 1500, StreamGoalKind.FOLLOWERS: 50_000, StreamGoalKind.LIKES: 10}
    goal = await make_goal(db, stream, NOW, StreamGoalKind.POINTS, weights=weights, target=1000)

    await take(db, source, gift(3), frame("follow"), frame("like", likeCount=5, totalLikeCount=49), at=NOW)
    await take(db, source, frame("like", likeCount=1, totalLikeCount=51), gift(1), at=NOW)

    after = await goal_of(db, goal.id)
    assert (after.current, after.fraction) == (56, 510)
    assert sum(one.delta for one in await history(db, goal.id)) == 56


# Who may


async def test_a_member_changes_his_own_streams_and_nobody_elses(db: Database, stream: Stream) -> None:
    goal = await make_goal(db, stream, NOW)
    other = (await make_owner(db, NOW)).id

    assert (await add(db, goal, 1, viewer_of(stream.owner_id))).current == 1
    assert (await add(db, goal, 1, viewer_of(other, Role.OPERATOR))).current == 2
    with pytest.raises(Forbidden):
        await add(db, goal, 1, viewer_of(other))
    assert (await goal_of(db, goal.id)).current == 2
    (entry, _) = await history(db, goal.id)
    assert (str(entry.cause), entry.user_id) == ("USER", stream.owner_id)


async def test_streams_of_two_people_never_mix(db: Database) -> None:
    streams = [await make_stream(db, NOW, name="Same name") for _ in range(2)]
    sources = [await make_source(db, stream, NOW) for stream in streams]
    goals = [await make_goal_of_each_kind(db, stream, NOW) for stream in streams]

    # One of them hears it twice, the other once: ids are of a channel, not of the world.
    await take(db, sources[0], *FRAMES, at=NOW)
    await take(db, sources[1], *FRAMES, at=NOW)
    await take(db, sources[1], gift(7), at=NOW)

    assert await counts(db, goals[0]) == TOTALS
    assert await counts(db, goals[1]) == {**TOTALS, "COINS": TOTALS["COINS"] + 7}


async def test_news_of_another_channel_is_refused_and_said_so(db: Database) -> None:
    stream = await make_stream(db, NOW, channel_key="Demo_Streamer")
    source = await make_source(db, stream, NOW)
    goals = await make_goal_of_each_kind(db, stream, NOW)

    await take(db, source, gift(9, tikfinityUserId=2, tikfinityUsername="stranger"), at=NOW)
    await take(db, source, gift(4, tikfinityUserId=1, tikfinityUsername="demo_streamer"), gift(1), at=NOW)

    assert (await counts(db, goals))["COINS"] == 5
    (after,) = await found(db, select(StreamSource))
    assert (after.fault_counts, after.last_error) == ({"WRONG_CHANNEL": 1}, "WRONG_CHANNEL: 2, stranger")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"time_zone": "x" * 300}, "time_zone"),
        ({"time_zone": "Europe\x00"}, "time_zone"),
        ({"name": " "}, "name"),
        ({"channel_key": "x" * 201}, "channel_key"),
        ({"host": "\ud800"}, "host"),
    ],
)
async def test_a_stream_that_cannot_be_is_refused_by_name(
    db: Database, stream: Stream, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        async with db.transaction() as tx:
            await operations.update_stream(tx, stream.id, changes, viewer=None, now=NOW)

    assert refusal.value.field == field


async def test_a_name_is_taken_by_its_owner_alone(db: Database, stream: Stream) -> None:
    await make_stream(db, NOW, name=stream.name)
    with pytest.raises(Conflict) as refusal:
        await make_stream(db, NOW, name=stream.name, owner_id=stream.owner_id)

    assert refusal.value.field == "name"
