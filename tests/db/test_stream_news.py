"""News of a stream: counted once, whatever comes again, late or cut off."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from db.connecting import connect
from db.database import Database
from db.errors import Conflict, Invalid, NotFound, Refusal
from db.ids import new_id
from db.streams import operations, source_operations
from db.streams.style import Style, style_from_json, style_to_json
from db.streams.tables import Stream, StreamMark, StreamSession, StreamSource
from db.streams.vocabulary import StreamGoalKind, StreamSourceKind, StreamSourceState
from tests.db.stored import NOW
from tests.db.streaming import counts, found, goal_of, history, told, update
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


@pytest.fixture
async def stream(db: Database) -> Stream:
    return await make_stream(db, NOW)


@pytest.fixture
async def source(db: Database, stream: Stream) -> StreamSource:
    return await make_source(db, stream, NOW)


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
        return await source_operations.update_source(tx, source.id, {"url": url}, viewer=None)


async def test_a_source_that_was_switched_off_is_not_said_to_be_on(db: Database, source: StreamSource) -> None:
    async with db.transaction() as tx:
        off = await source_operations.enable_source(tx, source.id, is_enabled=False, viewer=None)
    async with db.transaction() as tx:
        noted = await source_operations.note_state(tx, source.id, StreamSourceState.CONNECTED, now=NOW)

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
        await refused(lambda tx: source_operations.rotate_secret(tx, webhook.id, viewer=None)),
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
