"""Streams: goals add up whoever adds, news counts once however often it is told, and all of it is in the history."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Select
from sqlmodel import col, select

from db.access.viewer import Role, Viewer
from db.bus import Event
from db.errors import Conflict, Forbidden, Invalid, NotFound, Refusal
from db.ids import new_id
from db.session import Database, connect
from db.streams import operations
from db.streams.events import StreamGoalChanged
from db.streams.rules import Milestone
from db.streams.style import Style, style_from_json, style_to_json
from db.streams.tables import Stream, StreamGoal, StreamGoalChange, StreamMark, StreamSession, StreamSource
from db.streams.vocabulary import StreamGoalKind, StreamGoalMode, StreamSourceKind, StreamSourceState
from tests.support.streaming import (
    FRAMES,
    HOST,
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

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "increments" in metafunc.fixturenames:
        metafunc.parametrize("increments", [metafunc.config.getoption("--increments")])


@pytest.fixture
async def stream(db: Database) -> Stream:
    return await make_stream(db, NOW)


@pytest.fixture
async def source(db: Database, stream: Stream) -> StreamSource:
    return await make_source(db, stream, NOW)


async def found(db: Database, statement: Select[Any]) -> list[Any]:
    async with db.read() as session:
        rows: list[Any] = await session.rows(statement)
        return rows


async def goal_of(db: Database, goal_id: UUID) -> StreamGoal:
    (goal,) = await found(db, select(StreamGoal).where(col(StreamGoal.id) == goal_id))
    return goal  # type: ignore[no-any-return]  # a row stands for its table


async def history(db: Database, goal_id: UUID) -> list[StreamGoalChange]:
    entries = select(StreamGoalChange).where(col(StreamGoalChange.goal_id) == goal_id)
    return await found(db, entries.order_by(col(StreamGoalChange.revision), col(StreamGoalChange.part)))


async def told(db: Database, goal_id: UUID) -> list[tuple[str, int, int, int]]:
    return [(str(one.kind), one.old_value, one.new_value, one.delta) for one in await history(db, goal_id)]


async def add(db: Database, goal: StreamGoal, delta: int, viewer: Viewer | None = None) -> StreamGoal:
    async with db.transaction() as tx:
        return await operations.add_progress(tx, goal.id, delta, viewer=viewer, now=NOW)


async def update(db: Database, goal: StreamGoal, **changes: Any) -> StreamGoal:
    if "mode" in changes:
        changes["mode"] = StreamGoalMode(changes["mode"])
    async with db.transaction() as tx:
        return await operations.update_goal(tx, goal.id, changes, viewer=None, now=NOW)


async def counts(db: Database, goals: dict[str, UUID]) -> dict[str, int]:
    return {kind: (await goal_of(db, goal_id)).current for kind, goal_id in goals.items()}


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


# News


async def test_real_frames_come_to_the_totals_beside_them(db: Database, stream: Stream, source: StreamSource) -> None:
    goals = await make_goal_of_each_kind(db, stream, NOW)

    taken = await take(db, source, *FRAMES, at=NOW)

    assert await counts(db, goals) == TOTALS
    assert (taken.counted, taken.duplicates, taken.ignored, taken.rejected) == (15, 2, 3, 0)
    (session,) = await found(db, select(StreamSession))
    assert (session.coin_count, session.like_count, session.follower_count) == (108, 535, 1)


async def test_every_piece_of_news_is_in_the_history_with_who_and_when(
    db: Database, stream: Stream, source: StreamSource
) -> None:
    goals = await make_goal_of_each_kind(db, stream, NOW)

    await take(db, source, *FRAMES, at=NOW)

    entries = await history(db, goals["COINS"])
    assert [(one.old_value, one.new_value, one.delta, one.viewer_name) for one in entries] == [
        (0, 1, 1, "Ann"),
        (1, 2, 1, "Ann"),
        (2, 3, 1, "Ann"),
        (3, 103, 100, "Bob"),
        (103, 108, 5, "Cyd"),
    ]
    assert {(one.source_id, str(one.cause), one.revision) for one in entries} == {(source.id, "EVENT", 1)}
    assert entries[0].event_key == "7515589435569608351"
    assert entries[0].changed_at == NOW + timedelta(milliseconds=2)


@settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
@given(cuts=st.lists(st.integers(0, len(FRAMES)), max_size=4), size=st.integers(1, 20))
async def test_frames_that_are_cut_anywhere_and_replayed_come_to_the_same(
    db: Database, cuts: list[int], size: int
) -> None:
    stream = await make_stream(db, NOW)
    source = await make_source(db, stream, NOW)
    goals = await make_goal_of_each_kind(db, stream, NOW)

    heard = [one for cut in [*cuts, len(FRAMES)] for one in FRAMES[:cut]]
    for begun in range(0, len(heard), size):
        await take(db, source, *heard[begun : begun + size], at=NOW + timedelta(seconds=begun))

    assert await counts(db, goals) == TOTALS
    assert sum(one.delta for one in await history(db, goals["COINS"])) == TOTALS["COINS"]


async def test_what_was_counted_before_a_restart_is_not_counted_after_it(
    database_url: str, db: Database, stream: Stream, source: StreamSource
) -> None:
    goals = await make_goal_of_each_kind(db, stream, NOW)
    await take(db, source, *FRAMES[:12], at=NOW)

    # Hours later, and by another connection: nothing is kept in memory.
    another = await connect(database_url, pool_size=2)
    await take(another, source, *FRAMES, at=NOW + timedelta(hours=2))
    await another.close()

    assert await counts(db, goals) == TOTALS


async def test_a_streak_counts_as_it_grows_and_late_or_doubled_steps_add_nothing(
    db: Database, stream: Stream, source: StreamSource
) -> None:
    goal = await make_goal(db, stream, NOW, StreamGoalKind.COINS, target=1_000_000)

    async def step(count: int, *, ends: bool = False) -> int:
        one = frame("gift", giftId=5, giftType=1, diamondCount=2, groupId="9", repeatCount=count, repeatEnd=ends)
        await take(db, source, one, at=NOW)
        return (await goal_of(db, goal.id)).current

    assert [await step(1), await step(3), await step(2), await step(3, ends=True), await step(5)] == [2, 6, 6, 6, 10]


async def test_an_honest_second_gift_counts(db: Database, stream: Stream, source: StreamSource) -> None:
    goal = await make_goal(db, stream, NOW, StreamGoalKind.COINS, target=1_000_000)

    await take(db, source, gift(10), gift(10), at=NOW)
    # Without an id of its own, its time tells it from the first.
    bare = [gift(1, msgId=None, createTime=str(1_760_000_000_000 + at)) for at in (0, 1, 0)]
    await take(db, source, *bare, at=NOW)

    assert (await goal_of(db, goal.id)).current == 22


async def test_a_goal_that_is_made_in_mid_stream_begins_with_the_likes_from_then_on(
    db: Database, stream: Stream, source: StreamSource
) -> None:
    await take(db, source, frame("like", likeCount=1, totalLikeCount=50_000), at=NOW)
    goal = await make_goal(db, stream, NOW, StreamGoalKind.LIKES, target=1000)

    await take(db, source, frame("like", likeCount=1, totalLikeCount=50_012), at=NOW)
    await take(db, source, frame("like", likeCount=1, totalLikeCount=50_007), at=NOW)

    assert (await goal_of(db, goal.id)).current == 12


async def test_likes_never_fall_and_a_new_session_counts_from_its_own_total(
    db: Database, stream: Stream, source: StreamSource
) -> None:
    goal = await make_goal(db, stream, NOW, StreamGoalKind.LIKES, target=1_000_000)

    async def like(total: int, at: datetime) -> int:
        await take(db, source, frame("like", likeCount=1, totalLikeCount=total, createTime=ms(at)), at=at)
        return (await goal_of(db, goal.id)).current

    seen = [await like(500, NOW), await like(480, NOW)]
    await take(db, source, frame("streamEnd", action=3), at=NOW + timedelta(minutes=1))
    seen += [await like(30, NOW + timedelta(minutes=2))]
    # Nobody said that this one ended; its room's total gives it away, or so much silence.
    seen += [await like(5000, NOW + timedelta(minutes=3)), await like(100, NOW + timedelta(minutes=9))]
    seen += [await like(60, NOW + timedelta(hours=9))]

    assert seen == [500, 500, 530, 5500, 5600, 5660]
    assert len(await found(db, select(StreamSession))) == 4


def ms(at: datetime) -> str:
    return str(round(at.timestamp() * 1000))


async def test_a_follower_counts_once_in_a_session(db: Database, stream: Stream, source: StreamSource) -> None:
    goal = await make_goal(db, stream, NOW, StreamGoalKind.FOLLOWERS)

    await take(db, source, frame("follow"), frame("follow"), frame("follow", userId="8"), at=NOW)
    await take(db, source, frame("streamEnd"), frame("follow"), frame("social"), at=NOW + timedelta(minutes=1))

    assert (await goal_of(db, goal.id)).current == 3


async def test_viewers_are_a_level(db: Database, stream: Stream, source: StreamSource) -> None:
    goal = await make_goal(db, stream, NOW, StreamGoalKind.VIEWERS, target=10)
    await take(db, source, gift(1), at=NOW)

    for count in (4, 12, 3, 3):
        await take(db, source, frame("roomUser", viewerCount=count), at=NOW)

    assert await told(db, goal.id) == [
        ("PROGRESS", 0, 4, 4),
        ("PROGRESS", 4, 12, 8),
        ("REACHED", 4, 12, 0),
        ("PROGRESS", 12, 3, -9),
    ]
    (session,) = await found(db, select(StreamSession))
    assert (session.viewer_count, session.most_viewers) == (3, 12)


async def test_gifts_to_a_guest_are_not_the_hosts(db: Database, source: StreamSource, stream: Stream) -> None:
    goal = await make_goal(db, stream, NOW, StreamGoalKind.COINS)

    await take(db, source, gift(1, receiverUserId="5"), gift(2, receiverUserId=HOST), gift(4), at=NOW)

    assert (await goal_of(db, goal.id)).current == 6


async def test_a_goal_of_a_session_begins_anew_with_the_next_one(
    db: Database, stream: Stream, source: StreamSource
) -> None:
    goal = await make_goal(db, stream, NOW, StreamGoalKind.COINS, period="SESSION", mode="ADD", step=10, target=10)

    # In one batch: what came before the end counts for the session before.
    await take(db, source, gift(25), frame("streamEnd"), gift(4), at=NOW)

    after = await goal_of(db, goal.id)
    assert (after.current, after.target) == (4, 10)
    assert [one[0] for one in await told(db, goal.id)] == [
        "RESET",
        "PROGRESS",
        "REACHED",
        "TARGET",
        "RESET",
        "TARGET",
        "PROGRESS",
    ]


async def test_a_day_ends_at_midnight_of_the_stream_even_if_the_clock_is_late(db: Database) -> None:
    stream = await make_stream(db, NOW, time_zone="Asia/Seoul")
    source = await make_source(db, stream, NOW)
    goal = await make_goal(db, stream, NOW, StreamGoalKind.COINS, period="DAILY")
    midnight = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)
    assert goal.period_ends_at == midnight

    await take(db, source, gift(5), gift(7), at=midnight - timedelta(milliseconds=1))
    assert (await goal_of(db, goal.id)).current == 7
    async with db.transaction() as tx:
        assert await operations.roll_periods(tx, now=midnight + timedelta(seconds=1)) == 0
    async with db.transaction() as tx:
        assert await operations.roll_periods(tx, now=midnight + timedelta(days=3)) == 1

    after = await goal_of(db, goal.id)
    assert (after.current, after.period_ends_at) == (0, midnight + timedelta(days=4))


async def test_a_goal_that_has_ended_counts_no_more_and_says_so(
    db: Database, stream: Stream, source: StreamSource
) -> None:
    end = NOW + timedelta(hours=1)
    goal = await make_goal(db, stream, NOW, StreamGoalKind.COINS, ends_at=end)

    await take(db, source, gift(5), at=end - timedelta(seconds=1))
    await take(db, source, gift(6), at=end)
    async with db.transaction() as tx:
        assert await operations.roll_periods(tx, now=end) == 1

    after = await goal_of(db, goal.id)
    assert (after.current, after.state) == (5, "ENDED")
    with pytest.raises(Conflict):
        async with db.transaction() as tx:
            await operations.show_goal(tx, goal.id, is_shown=True, viewer=None, now=end)
    revived = await update(db, goal, ends_at=None)
    assert revived.state == "ACTIVE"


async def test_history_is_kept_as_long_as_it_is_wanted(db: Database, stream: Stream, source: StreamSource) -> None:
    goal = await make_goal(db, stream, NOW, StreamGoalKind.COINS)
    await take(db, source, gift(1), at=NOW)
    await take(db, source, gift(2), at=NOW + timedelta(days=10))

    async with db.transaction() as tx:
        await operations.forget(tx, kept=timedelta(days=5), now=NOW + timedelta(days=11))

    assert await told(db, goal.id) == [("PROGRESS", 1, 3, 2)]
    assert len(await found(db, select(StreamMark))) == 1
    assert (await goal_of(db, goal.id)).current == 3


# Sessions and sources


async def test_a_stream_is_live_once(db: Database, stream: Stream) -> None:
    async def act(work: Any) -> Any:
        async with db.transaction() as tx:
            return await work(tx, stream.id, viewer=None, now=NOW)

    begun = await act(operations.start_session)
    with pytest.raises(Conflict):
        await act(operations.start_session)
    ended = await act(operations.end_session)
    with pytest.raises(Conflict):
        await act(operations.end_session)

    assert (begun.id, ended.ended_at) == (ended.id, NOW)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://127.0.0.1:21213/",
        "127.0.0.1:21213",
        "ws://",
        "ws://:21213/",
        "ws://host:99999/",
        "ws://host:x/",
        "ws://me:secret@host/",
        "ws://host/#token",
        "ws://host/a b",
        "ws://[::1/",
        "ws://host/" + "x" * 500,
        "javascript:alert(1)",
    ],
)
async def test_an_address_that_cannot_be_is_refused_by_name(
    db: Database, stream: Stream, source: StreamSource, url: str
) -> None:
    for act in (make_source(db, stream, NOW, name="Another", url=url), change_url(db, source, url)):
        with pytest.raises(Invalid) as refusal:
            await act
        assert refusal.value.field == "url"


async def change_url(db: Database, source: StreamSource, url: str) -> StreamSource:
    async with db.transaction() as tx:
        return await operations.update_source(tx, source.id, {"url": url}, viewer=None)


async def test_a_source_that_was_switched_off_is_not_said_to_be_on(db: Database, source: StreamSource) -> None:
    async with db.transaction() as tx:
        off = await operations.enable_source(tx, source.id, is_enabled=False, viewer=None)
    async with db.transaction() as tx:
        noted = await operations.note_state(tx, source.id, StreamSourceState.CONNECTED, now=NOW)

    assert (off.state, noted) == ("DISABLED", None)


async def test_what_is_gone_is_not_found(db: Database, stream: Stream) -> None:
    goal = await make_goal(db, stream, NOW)
    webhook = await make_source(db, stream, NOW, kind=StreamSourceKind.WEBHOOK, name="Deck")
    async with db.transaction() as tx:
        await operations.delete_stream(tx, stream.id, viewer=None)

    async def refused(work: Any) -> type[Refusal]:
        with pytest.raises(Refusal) as refusal:
            async with db.transaction() as tx:
                await work(tx)
        return type(refusal.value)

    gone = [
        await refused(lambda tx: operations.add_progress(tx, goal.id, 1, viewer=None, now=NOW)),
        await refused(lambda tx: operations.reset_goal(tx, goal.id, viewer=None, now=NOW)),
        await refused(lambda tx: operations.delete_goal(tx, goal.id, viewer=None)),
        await refused(lambda tx: operations.rotate_secret(tx, webhook.id, viewer=None)),
        await refused(lambda tx: operations.take_news(tx, webhook.id, [])),
        await refused(lambda tx: operations.start_session(tx, stream.id, viewer=None, now=NOW)),
    ]
    assert gone == [NotFound] * 6


def test_a_style_that_is_stored_is_read_back() -> None:
    style = Style(template="{current}{current}", shown_seconds=5)

    assert style_from_json(style_to_json(style)) == style
    assert style_from_json({}) == Style()


async def test_owners_are_users(db: Database) -> None:
    owner = await make_owner(db, NOW)
    with pytest.raises(NotFound):
        await make_stream(db, NOW, owner_id=new_id())

    assert (await make_stream(db, NOW, owner_id=owner.id)).owner_id == owner.id
