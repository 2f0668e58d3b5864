"""Counters of what people write: equal to what they count, and silent where nothing was stored."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import DateTime, Uuid, delete, insert, literal, true, update
from sqlmodel import col, select

from db.access.tables import User
from db.access.viewer import Viewer
from db.bus import Event
from db.connecting import connect
from db.database import Database
from db.errors import Invalid, NotFound, Refusal
from db.ids import new_id
from db.social import operations
from db.social.events import ALL_ENTRIES
from db.social.recount import repair
from db.social.tables import Entry, Follow, Resonance
from tests.db.people import counts, counts_of, drift, entry_of, user_of
from tests.db.stored import NOW
from tests.support.social import (
    amplify,
    erase,
    follow,
    make_person,
    resonate,
    rewrite,
    unfollow,
    unresonate,
    write,
)


@pytest.fixture
async def ann(db: Database) -> Viewer:
    return await make_person(db, NOW, "Ann")


@pytest.fixture
async def bob(db: Database) -> Viewer:
    return await make_person(db, NOW, "Bob")


async def test_counters_that_were_bent_are_found_and_mended(db: Database, ann: Viewer, bob: Viewer) -> None:
    entry, bare = await write(db, ann, NOW), await write(db, ann, NOW)
    await resonate(db, bob, entry, NOW)
    await follow(db, bob, ann, NOW)
    async with db.transaction() as tx:
        await tx.execute(update(Entry).where(col(Entry.id) == bare.id).values(resonance_count=7, score=7))
        await tx.execute(update(User).where(col(User.id) == ann.user_id).values(follower_count=999))

    found = await drift(db)
    async with db.transaction() as tx:
        await repair(tx, found)

    assert [(one.table, one.id, one.counter, one.counted, one.actual) for one in found] == [
        ("entries", bare.id, "resonance_count", 7, 0),
        ("users", ann.user_id, "follower_count", 999, 1),
    ]
    assert await drift(db) == []
    assert await counts(db, bare) == (0, 0, 0, 0, 0)


async def test_a_counter_never_falls_below_zero(db: Database, ann: Viewer, bob: Viewer) -> None:
    entry = await write(db, ann, NOW)
    await resonate(db, bob, entry, NOW)
    await follow(db, bob, ann, NOW)
    async with db.transaction() as tx:
        await tx.execute(update(Entry).values(resonance_count=0, score=0, heat=0))
        await tx.execute(update(User).values(follower_count=0, following_count=0))

    await unresonate(db, bob, entry)
    await unfollow(db, bob, ann)

    assert await counts(db, entry) == (0, 0, 0, 0, 0)
    assert [(await counts_of(db, one))[:2] for one in (ann, bob)] == [(0, 0), (0, 0)]


async def test_many_facts_of_one_statement_are_all_counted(db: Database, ann: Viewer) -> None:
    entries = [await write(db, ann, NOW) for _ in range(2)]
    people = [await make_person(db, NOW) for _ in range(3)]
    now = literal(NOW, DateTime(timezone=True))
    everybody = select(col(User.id), col(Entry.id), now).join(Entry, true())
    others = select(col(User.id), literal(ann.user_id, Uuid()), now).where(col(User.id) != ann.user_id)
    async with db.transaction() as tx:
        await tx.execute(insert(Resonance).from_select(["user_id", "entry_id", "created_at"], everybody))
        await tx.execute(insert(Follow).from_select(["follower_id", "followed_id", "created_at"], others))
    assert [(await counts(db, entry))[0] for entry in entries] == [4, 4]
    assert [(await counts_of(db, one))[:2] for one in (ann, people[0])] == [(3, 0), (0, 1)]

    async with db.transaction() as tx:
        await tx.execute(delete(Resonance))
        await tx.execute(delete(Follow))

    assert [(await counts(db, entry))[0] for entry in entries] == [0, 0]
    assert await drift(db) == []


_DEEDS = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 2), st.integers(0, 9)), max_size=25)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(_DEEDS)
def test_counters_equal_what_they_count_whatever_happens(do: Callable[[Any], None], deeds: Any) -> None:
    do(deeds)


@pytest.fixture
def do(database_url: str) -> Any:
    """Does deeds on one database, and compares after each lot."""
    with asyncio.Runner() as runner:
        db = runner.run(connect(database_url, pool_size=3))
        people = runner.run(_people(db))
        yield lambda deeds: runner.run(_do(db, people, deeds))
        runner.run(db.close())


async def _people(db: Database) -> list[Viewer]:
    return [await make_person(db, NOW) for _ in range(3)]


async def _do(db: Database, people: list[Viewer], deeds: list[tuple[int, int, int]]) -> None:
    entries = [await write(db, people[0], NOW)]
    for deed, who, number in deeds:
        others = people[:who] + people[who + 1 :]
        try:
            done = await _deed(db, people[who], others[number % 2], entries[number % len(entries)], deed, number)
        except Refusal:
            continue
        if hasattr(done, "path"):
            entries.append(done)
    assert await drift(db) == []


def _deed(db: Database, person: Viewer, other: Viewer, entry: Entry, deed: int, number: int) -> Awaitable[Any]:
    privacy, kind = ("PUBLIC", "FOLLOWERS", "PRIVATE")[number % 3], ("DREAM", "LOGBOOK")[number % 2]
    deeds: list[Callable[[], Awaitable[Any]]] = [
        lambda: write(db, person, NOW, kind="DREAM"),
        lambda: write(db, person, NOW, parent=entry),
        lambda: write(db, person, NOW, parent=entry, privacy="FOLLOWERS"),
        lambda: rewrite(db, person, entry, NOW, privacy=privacy),
        lambda: rewrite(db, person, entry, NOW, kind=kind),
        lambda: erase(db, person, entry, NOW),
        lambda: resonate(db, person, entry, NOW),
        lambda: unresonate(db, person, entry),
        lambda: amplify(db, person, entry, NOW),
        lambda: follow(db, person, other, NOW),
        lambda: unfollow(db, person, other),
    ]
    return deeds[deed]()


# Silence


async def test_a_rollback_is_silent(db: Database, ann: Viewer, bob: Viewer) -> None:
    entry = await write(db, ann, NOW)
    topics = (ALL_ENTRIES, entry.id, ann.user_id, bob.user_id)

    async def try_all() -> None:
        async with db.transaction() as tx:
            await operations.create_entry(tx, {"content": "A"}, parent_id=entry.id, viewer=bob, now=NOW)
            await operations.mark_entry(tx, Resonance, entry.id, viewer=bob, now=NOW)
            await operations.share_entry(tx, entry.id, viewer=bob, now=NOW)
            await operations.unmark_entry(tx, Resonance, entry.id, viewer=bob, now=NOW)
            await operations.follow_user(tx, ann.user_id, viewer=bob, now=NOW)
            await operations.unfollow_user(tx, ann.user_id, viewer=bob)
            await operations.update_entry(tx, entry.id, {"privacy": "PRIVATE"}, viewer=ann, now=NOW)
            await operations.delete_entry(tx, entry.id, viewer=ann, now=NOW)
            await operations.update_profile(tx, {"bio": "B"}, viewer=ann)
            raise LookupError

    with db.bus.listen(*topics, of=Event) as heard:
        with pytest.raises(LookupError):
            await try_all()
        assert heard.take() == []

        await write(db, bob, NOW, parent=entry)

        assert [type(event).__name__ for event in heard.take()] == ["EntryAdded", "UserCountsChanged", "EntryChanged"]
    assert await drift(db) == []


async def test_news_carries_rows_as_they_were_committed(db: Database, ann: Viewer, bob: Viewer) -> None:
    entry = await write(db, ann, NOW)

    with db.bus.listen(entry.id, ann.user_id, bob.user_id, of=Event) as heard:
        await resonate(db, bob, entry, NOW)
        await follow(db, bob, ann, NOW)
        told = heard.take()

    rows = [getattr(event, "entry", None) or event.user for event in told]  # type: ignore[attr-defined]  # of these kinds
    assert rows[0] == await entry_of(db, entry)
    assert rows[1:] == [await user_of(db, ann), await user_of(db, bob)]


async def test_input_that_says_nothing_changes_nothing(db: Database, ann: Viewer) -> None:
    entry = await write(db, ann, NOW)
    with pytest.raises(NotFound):
        await rewrite(db, ann, entry._replace(id=new_id()), NOW)  # type: ignore[attr-defined]  # a light row
    with pytest.raises(Invalid):
        await write(db, ann, NOW, subject_id=new_id())

    assert (await rewrite(db, ann, entry, NOW)).content == entry.content
