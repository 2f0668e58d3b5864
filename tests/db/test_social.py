"""Entries and follows: set and unset, counted in the transaction of the fact, and refused to whoever may not see."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, select

from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.database import Database
from db.errors import Conflict, Forbidden, NotFound, Refusal, Unavailable
from db.ids import new_id
from db.social import operations
from db.social.crowds import mark_in_crowd
from db.social.ranks import heat, worth
from db.social.tables import Amplification, Entry, Resonance
from db.social.vocabulary import EntryPrivacy
from tests.db.people import counts, counts_of, drift, entry_of
from tests.db.stored import NOW
from tests.support.social import (
    amplify,
    erase,
    follow,
    make_person,
    resonate,
    rewrite,
    share,
    unamplify,
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


async def refusal(work: Awaitable[Any]) -> tuple[str, str | None]:
    with pytest.raises(Refusal) as raised:
        await work
    return raised.value.code, raised.value.field


# Threads


async def test_a_reply_stands_below_its_parent_in_the_order_it_was_written(
    db: Database, ann: Viewer, bob: Viewer
) -> None:
    root = await write(db, ann, NOW)
    first = await write(db, bob, NOW, parent=root)
    below = await write(db, ann, NOW, parent=first)
    second = await write(db, ann, NOW, parent=root)

    places = [(one.path, one.depth, one.branch_order, one.root_id) for one in (root, first, below, second)]
    assert places == [
        ("", 0, 0, root.id),
        ("00001", 1, 1, root.id),
        ("0000100001", 2, 1, root.id),
        ("00002", 1, 2, root.id),
    ]
    assert (await counts(db, root))[2] == 2


async def test_fifty_replies_at_once_each_have_a_place_of_their_own(db: Database, ann: Viewer) -> None:
    root = await write(db, ann, NOW)

    replies = await asyncio.gather(*(write(db, ann, NOW, parent=root) for _ in range(50)))

    assert sorted(one.branch_order for one in replies) == list(range(1, 51))
    assert (await counts(db, root))[2] == 50
    assert await drift(db) == []


async def test_a_thread_is_a_hundred_deep_and_no_deeper(db: Database, ann: Viewer) -> None:
    entry = await write(db, ann, NOW)
    for _ in range(100):
        entry = await write(db, ann, NOW, parent=entry)

    assert (entry.depth, len(entry.path)) == (100, 500)
    assert await refusal(write(db, ann, NOW, parent=entry)) == ("CONFLICT", "parent_id")
    assert (await entry_of(db, entry)).last_branch == 0


async def test_a_deleted_entry_leaves_its_place_and_says_nothing(db: Database, ann: Viewer, bob: Viewer) -> None:
    root = await write(db, ann, NOW, title="Title", tags=["a"], label="Deep Reflection")
    reply = await write(db, bob, NOW, parent=root)
    below = await write(db, ann, NOW, parent=reply)

    gone = await erase(db, bob, reply, NOW + timedelta(hours=1))
    again = await erase(db, bob, reply, NOW + timedelta(hours=2))

    assert (gone.content, gone.deleted_at, gone.path) == ("", NOW + timedelta(hours=1), reply.path)
    assert again == await entry_of(db, reply)
    assert again.deleted_at == gone.deleted_at
    assert (await entry_of(db, below)).parent_id == reply.id
    assert ((await counts(db, root))[2], (await counts(db, reply))[2]) == (0, 1)
    assert await refusal(write(db, ann, NOW, parent=reply)) == ("NOT_FOUND", "parent_id")
    assert await refusal(rewrite(db, bob, reply, NOW, content="Back")) == ("NOT_FOUND", "id")
    assert await refusal(resonate(db, ann, reply, NOW)) == ("NOT_FOUND", "id")
    await erase(db, ann, root, NOW)
    async with db.read() as session:
        assert await session.scalar(select(col(Entry.title)).where(col(Entry.id) == root.id)) == ""


# Keys


async def test_of_fifty_tries_with_one_key_one_entry_is_written(db: Database, ann: Viewer) -> None:
    root = await write(db, ann, NOW)

    made = await asyncio.gather(*(write(db, ann, NOW, parent=root, key="once") for _ in range(50)))

    assert {one.id for one in made} == {made[0].id}
    assert (await counts(db, root))[2] == 1
    assert (await counts_of(db, ann))[2] == 2


async def test_a_key_stands_for_one_entry_of_one_author(db: Database, ann: Viewer, bob: Viewer) -> None:
    mine = await write(db, ann, NOW, key="k", content="Mine")

    assert (await write(db, bob, NOW, key="k", content="His")).author_id == bob.user_id
    assert await refusal(write(db, ann, NOW, key="k", content="Other")) == ("CONFLICT", "idempotency_key")
    assert await refusal(write(db, ann, NOW, key="k", content="Mine", parent=mine)) == ("CONFLICT", "idempotency_key")
    assert await refusal(write(db, ann, NOW, key="")) == ("BAD_USER_INPUT", "idempotency_key")


# Marks


@pytest.mark.parametrize(("mark", "place"), [(resonate, 0), (amplify, 1)])
async def test_fifty_at_once_count_each_once_however_often_he_tries(
    db: Database, ann: Viewer, mark: Callable[..., Awaitable[Entry]], place: int
) -> None:
    entry = await write(db, ann, NOW)
    people = [await make_person(db, NOW) for _ in range(10)]

    await asyncio.gather(*(mark(db, people[number % 10], entry, NOW) for number in range(50)))

    assert (await counts(db, entry))[place] == 10
    assert await drift(db) == []


async def test_marks_are_set_and_unset_and_come_back_with_the_fresh_count(
    db: Database, ann: Viewer, bob: Viewer
) -> None:
    entry = await write(db, ann, NOW)

    seen = [
        (await work).score
        for work in (
            resonate(db, bob, entry, NOW),
            resonate(db, bob, entry, NOW),
            amplify(db, bob, entry, NOW),
            unresonate(db, bob, entry),
            unresonate(db, bob, entry),
            unamplify(db, bob, entry),
        )
    ]

    assert seen == [1, 1, 2, 1, 1, 0]
    after = await entry_of(db, entry)
    assert (after.revision, after.heat) == (4, heat(NOW, 0))


async def test_setting_and_unsetting_at_once_leaves_what_is_there(db: Database, ann: Viewer) -> None:
    entry = await write(db, ann, NOW)
    people = [await make_person(db, NOW) for _ in range(5)]

    await asyncio.gather(
        *(
            resonate(db, people[number % 5], entry, NOW) if number % 3 else unresonate(db, people[number % 5], entry)
            for number in range(50)
        )
    )

    assert await drift(db) == []


@pytest.mark.parametrize("mark", [Resonance, Amplification])
async def test_a_crowd_of_two_hundred_is_taken_whole(db: Database, ann: Viewer, mark: operations.Mark) -> None:
    entry, other = await write(db, ann, NOW), await write(db, ann, NOW)
    people = [await make_person(db, NOW) for _ in range(20)]
    wishes = [(people[number % 20], number % 7 > 1) for number in range(200)]

    answers = await asyncio.gather(
        *(
            mark_in_crowd(db, mark, one.id, is_set=is_set, viewer=person, now=NOW)
            for person, is_set in wishes
            for one in (entry, other)
        )
    )

    assert {answer.id for answer in answers[::2]} == {entry.id}
    last = {person.user_id: is_set for person, is_set in wishes}
    async with db.read() as session:
        there = select(mark.user_id).where(col(mark.entry_id) == entry.id)
        assert {row[0] for row in await session.tuples(there)} == {one for one, is_set in last.items() if is_set}
    assert (await entry_of(db, entry)).score == sum(last.values())
    assert await drift(db) == []


async def test_in_a_crowd_each_has_the_answer_that_is_for_him(db: Database, ann: Viewer, bob: Viewer) -> None:
    entry = await write(db, ann, NOW, privacy=EntryPrivacy.FOLLOWERS)
    carl = await make_person(db, NOW)
    await follow(db, bob, ann, NOW)
    overlay = Viewer(user_id=ann.user_id, token_id=new_id(), role=Role.ADMIN, nodes=frozenset())

    first, refused, forbidden, last = await asyncio.gather(
        *(
            mark_in_crowd(db, Resonance, entry.id, is_set=True, viewer=one, now=NOW)
            for one in (ann, carl, overlay, bob)
        ),
        return_exceptions=True,
    )

    assert (first, last) == (await entry_of(db, entry),) * 2
    assert [(type(error), str(error)) for error in (refused, forbidden)] == [
        (NotFound, "There is no such entry."),
        (Forbidden, "This needs the role MEMBER."),
    ]
    assert (await entry_of(db, entry)).resonance_count == 2


async def test_whoever_leaves_a_crowd_has_marked_and_holds_up_nobody(db: Database, ann: Viewer, bob: Viewer) -> None:
    entry = await write(db, ann, NOW)
    leaving, staying = (
        asyncio.create_task(mark_in_crowd(db, Resonance, entry.id, is_set=True, viewer=one, now=NOW))
        for one in (bob, ann)
    )
    await asyncio.sleep(0)

    leaving.cancel()

    assert (await staying).resonance_count == 2
    assert leaving.cancelled()


async def test_of_a_crowd_that_fails_all_are_told(db: Database, ann: Viewer, bob: Viewer) -> None:
    entry = await write(db, ann, NOW)
    await db.close()

    answers = await asyncio.gather(
        *(mark_in_crowd(db, Resonance, entry.id, is_set=True, viewer=one, now=NOW) for one in (ann, bob)),
        return_exceptions=True,
    )

    assert [type(answer) for answer in answers] == [Unavailable] * 2


async def test_an_entry_is_hotter_the_more_it_is_marked(db: Database, ann: Viewer) -> None:
    entry = await write(db, ann, NOW)
    for number in range(1, 4):
        await resonate(db, await make_person(db, NOW), entry, NOW)
        assert (await entry_of(db, entry)).heat == heat(NOW, number)


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_more_marks_are_never_worth_less(one: int, other: int) -> None:
    assert (worth(one) <= worth(other)) == (one <= other or worth(one) == worth(other))


async def test_a_share_is_counted_and_with_a_key_once(db: Database, ann: Viewer, bob: Viewer) -> None:
    entry = await write(db, ann, NOW)

    for key in (None, None, "k", "k"):
        await share(db, bob, entry, NOW, key)

    assert await counts(db, entry) == (0, 0, 0, 3, 0)


# Follows


async def test_fifty_follows_at_once_count_once(db: Database, ann: Viewer, bob: Viewer) -> None:
    await asyncio.gather(
        *(follow(db, ann, bob, NOW) for _ in range(25)), *(follow(db, bob, ann, NOW) for _ in range(25))
    )

    assert [await counts_of(db, one) for one in (ann, bob)] == [(1, 1, 0, 0)] * 2


async def test_following_is_set_and_unset(db: Database, ann: Viewer, bob: Viewer) -> None:
    made = await follow(db, ann, bob, NOW)
    again = await follow(db, ann, bob, NOW)
    gone = await unfollow(db, ann, bob)
    twice = await unfollow(db, ann, bob)

    shown = [(one.follower.following_count, one.followed.follower_count) for one in (made, again, gone, twice)]
    assert shown == [(1, 1), (1, 1), (0, 0), (0, 0)]
    assert await refusal(follow(db, ann, ann, NOW)) == ("BAD_USER_INPUT", "id")
    assert await refusal(follow(db, ann, new_id(), NOW)) == ("NOT_FOUND", "id")


# Who sees what


async def test_what_is_not_seen_is_not_found_whatever_is_tried(db: Database, ann: Viewer, bob: Viewer) -> None:
    for privacy in ("PRIVATE", "FOLLOWERS"):
        entry = await write(db, ann, NOW, privacy=privacy)
        for work in (
            resonate(db, bob, entry, NOW),
            amplify(db, bob, entry, NOW),
            share(db, bob, entry, NOW),
            unresonate(db, bob, entry),
            rewrite(db, bob, entry, NOW, content="Mine"),
            erase(db, bob, entry, NOW),
        ):
            assert await refusal(work) == ("NOT_FOUND", "id")
        assert await refusal(write(db, bob, NOW, parent=entry)) == ("NOT_FOUND", "parent_id")
        assert await counts(db, entry) == (0, 0, 0, 0, 0)


async def test_followers_see_what_is_for_them_until_they_cease_to_follow(
    db: Database, ann: Viewer, bob: Viewer
) -> None:
    entry = await write(db, ann, NOW, privacy="FOLLOWERS")

    await follow(db, bob, ann, NOW)
    assert (await resonate(db, bob, entry, NOW)).resonance_count == 1
    await unfollow(db, bob, ann)
    assert await refusal(resonate(db, bob, entry, NOW)) == ("NOT_FOUND", "id")


async def test_a_reply_is_never_seen_by_more_than_its_root(db: Database, ann: Viewer, bob: Viewer) -> None:
    carl = await make_person(db, NOW)
    root = await write(db, ann, NOW)
    reply = await write(db, bob, NOW, parent=root)
    await resonate(db, carl, reply, NOW)

    await rewrite(db, ann, root, NOW, privacy="PRIVATE")

    assert await refusal(resonate(db, carl, reply, NOW)) == ("NOT_FOUND", "id")
    assert await refusal(resonate(db, bob, reply, NOW)) == ("NOT_FOUND", "id")
    assert (await resonate(db, ann, reply, NOW)).resonance_count == 2
    assert [(await counts_of(db, one))[2] for one in (ann, bob)] == [0, 0]
    await rewrite(db, ann, root, NOW, privacy="PUBLIC")
    assert [(await counts_of(db, one))[2] for one in (ann, bob)] == [1, 1]
    assert await drift(db) == []


async def test_what_belongs_to_somebody_else_is_not_changed(db: Database, ann: Viewer, bob: Viewer) -> None:
    entry = await write(db, ann, NOW)
    admin = await make_person(db, NOW, role=Role.ADMIN)
    guest = await make_person(db, NOW, role=Role.VIEWER)

    for who in (bob, admin):
        with pytest.raises(Forbidden):
            await rewrite(db, who, entry, NOW, content="Mine")
    with pytest.raises(Forbidden):
        await erase(db, bob, entry, NOW)
    for work in (write(db, guest, NOW), resonate(db, guest, entry, NOW), follow(db, guest, ann, NOW)):
        with pytest.raises(Forbidden):
            await work

    assert (await erase(db, admin, entry, NOW)).deleted_at == NOW


# What is said


async def test_entries_that_cannot_be_are_refused(db: Database, ann: Viewer) -> None:
    said: list[tuple[dict[str, Any], str]] = [
        ({"content": "  "}, "content"),
        ({"content": "x" * 2001}, "content"),
        ({"content": "a\x00b"}, "content"),
        ({"title": "x" * 201}, "title"),
        ({"label": "x" * 61}, "label"),
        ({"agent": "x" * 61}, "agent"),
        ({"tags": [str(number) for number in range(11)]}, "tags"),
        ({"tags": ["#"]}, "tags"),
        ({"metrics": {"clarity": 1.01}}, "metrics"),
        ({"metrics": {"clarity": float("nan")}}, "metrics"),
    ]

    refused = [await refusal(write(db, ann, NOW, **one)) for one, _ in said]

    assert refused == [("BAD_USER_INPUT", field) for _, field in said]
    assert await counts_of(db, ann) == (0, 0, 0, 0)


async def test_an_entry_is_kept_as_it_was_said(db: Database, ann: Viewer) -> None:
    entry = await write(db, ann, NOW, content=" 서울 🥋 ", tags=["#Deep", "deep", "Ö"], metrics={"clarity": 1})

    kept = await entry_of(db, entry)

    assert kept == entry
    assert (kept.content, kept.tags) == ("서울 🥋", ["deep", "ö"])
    assert kept.metrics == {"clarity": 1.0, "resonance": 0.5, "coherence": 0.5}


async def test_a_kind_that_changes_is_counted_as_what_it_is_now(db: Database, ann: Viewer) -> None:
    entry = await write(db, ann, NOW)
    before = await counts_of(db, ann)

    await rewrite(db, ann, entry, NOW, kind="DREAM", tags=["new"])

    assert (before, await counts_of(db, ann)) == ((0, 0, 1, 0), (0, 0, 0, 1))


# Profiles


async def test_a_username_is_taken_whatever_its_case(db: Database, ann: Viewer, bob: Viewer) -> None:
    async def rename(viewer: Viewer, username: str) -> User:
        async with db.transaction() as tx:
            return await operations.update_profile(tx, {"username": username}, viewer=viewer)

    assert await refusal(rename(bob, "ANN")) == ("CONFLICT", "username")
    assert (await rename(ann, "Ann.A")).username == "Ann.A"
    assert (await rename(bob, "ANN")).username_key == "ann"
    for wrong in ("", "a b", "_a", "x" * 41, "é"):
        assert await refusal(rename(bob, wrong)) == ("BAD_USER_INPUT", "username")


async def test_of_fifty_who_want_one_username_one_has_it(db: Database) -> None:
    people = [await make_person(db, NOW) for _ in range(50)]

    async def rename(viewer: Viewer) -> User:
        async with db.transaction() as tx:
            return await operations.update_profile(tx, {"username": "same"}, viewer=viewer)

    answers = await asyncio.gather(*map(rename, people), return_exceptions=True)

    assert sorted(type(one) is Conflict for one in answers) == [False] + [True] * 49
