"""D1-D3: what is told again after an interruption, by two at once, or in the middle of a streak, counts once."""

import asyncio
import random
from datetime import timedelta

import pytest
from sqlmodel import delete

from db.database import Database
from db.streams.tables import StreamMark
from db.streams.vocabulary import StreamGoalKind
from tests.db.stored import NOW
from tests.db.streaming import counts, goal_of, history
from tests.faults.conftest import Figure, Size
from tests.support.streaming import (
    FRAMES,
    TOTALS,
    frame,
    gift,
    make_goal,
    make_goal_of_each_kind,
    make_source,
    make_stream,
    take,
)

REPEATED = 20


async def reconnected(db: Database, chance: random.Random, *, remembers: bool) -> dict[str, int]:
    """Play the frames, cut at random; whoever comes back repeats the last of them. Return what was counted."""
    stream = await make_stream(db, NOW)
    source = await make_source(db, stream, NOW)
    goals = await make_goal_of_each_kind(db, stream, NOW)
    place, seconds = 0, 0
    while place < len(FRAMES):
        upto = min(len(FRAMES), place + chance.randint(1, 8))
        await take(db, source, *FRAMES[max(0, place - REPEATED) : upto], at=NOW + timedelta(seconds=seconds))
        place, seconds = upto, seconds + 5
        if not remembers:
            async with db.transaction() as tx:
                await tx.execute(delete(StreamMark))
    assert sum(one.delta for one in await history(db, goals["COINS"])) == (await counts(db, goals))["COINS"]
    return await counts(db, goals)


async def test_what_is_repeated_at_each_reconnection_counts_once(db: Database, size: Size, figure: Figure) -> None:
    plays = size(4, 2000)

    for seed in range(plays):
        chance = random.Random(seed)  # noqa: S311 -- a play, not a secret
        assert await reconnected(db, chance, remembers=True) == TOTALS

    figure("D1", f"{plays} streams cut some five times each, the last {REPEATED} frames repeated: 0 counted twice")


async def test_who_forgets_what_was_counted_counts_it_again(db: Database, figure: Figure) -> None:
    found = await reconnected(db, random.Random(0), remembers=False)  # noqa: S311 -- a play, not a secret

    assert found["COINS"] > TOTALS["COINS"]
    figure("D1", f"control: marks forgotten at each cut, {found['COINS']} coins instead of {TOTALS['COINS']}")


async def told_by_two(db: Database, gifts: list[list[str]]) -> int:
    """Let two sources tell of gifts at once, and return the coins that are counted."""
    stream = await make_stream(db, NOW)
    goal = await make_goal(db, stream, NOW, StreamGoalKind.COINS, target=1_000_000)
    sources = [await make_source(db, stream, NOW, name=f"Source {number}") for number in range(len(gifts))]

    async def tell(number: int) -> None:
        for one in gifts[number]:
            await take(db, sources[number], one, at=NOW)

    await asyncio.gather(*map(tell, range(len(gifts))))
    return (await goal_of(db, goal.id)).current


async def test_what_two_sources_tell_counts_once(db: Database, size: Size, figure: Figure) -> None:
    many = size(25, 5000)
    same = [gift(3) for _ in range(many)]
    named_otherwise = [gift(3) for _ in range(many)]

    assert await told_by_two(db, [same, same]) == 3 * many
    # The same gifts under ids that a source makes up: nothing can tell that they are the same.
    assert await told_by_two(db, [same, named_otherwise]) == 6 * many
    figure("D2", f"{many} events told by two sources at once: counted once; control: under other ids, twice")


async def streak(db: Database, steps: list[tuple[int, bool]]) -> int:
    """Tell the steps of a streak of gifts worth two; return the coins that are counted."""
    stream = await make_stream(db, NOW)
    goal = await make_goal(db, stream, NOW, StreamGoalKind.COINS, target=1_000_000)
    source = await make_source(db, stream, NOW)
    for count, ends in steps:
        one = frame("gift", giftId=5, giftType=1, diamondCount=2, groupId="9", repeatCount=count, repeatEnd=ends)
        await take(db, source, one, at=NOW)
    return (await goal_of(db, goal.id)).current


@pytest.mark.parametrize("cut_after", range(1, 6))
async def test_a_streak_that_is_cut_counts_as_long_as_it_was_seen(db: Database, cut_after: int) -> None:
    steps = [(count, False) for count in range(1, 6)]

    # Never ended, or ended while nobody listened and told again from its start.
    assert await streak(db, steps[:cut_after]) == 2 * cut_after
    assert await streak(db, [*steps[:cut_after], *steps, (5, True)]) == 10


async def test_steps_that_are_added_up_are_too_much(db: Database, figure: Figure) -> None:
    steps = [(count, False) for count in range(1, 6)]

    added = 2 * sum(count for count, _ in steps)
    assert (await streak(db, steps), added) == (10, 30)
    figure("D3", f"a streak cut after each step: its last length counted once; control: steps added up, {added}")
