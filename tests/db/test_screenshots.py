"""Screenshots as they are stored: asked for, taken by one, tried again, and what executions wait for."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from db.accounts import executions, screenshots, working
from db.accounts.screenshots import PATIENCE, Picture, PictureRules
from db.accounts.tables import Post, Screenshot
from db.accounts.vocabulary import ScreenshotMoment, ScreenshotState
from db.accounts.words import Report
from db.database import Database
from db.errors import Conflict, Invalid, NotFound, Refusal
from db.ids import new_id
from tests.support.accounts import (
    NOW,
    WORK,
    claim,
    entry,
    found,
    make_account,
    make_feed,
    make_user,
    poll,
    viewer_of,
)
from tests.support.pictures import ask, pictured, stored

RULES = PictureRules()
PICTURE = Picture(sha256="0" * 64, width=640, height=480, byte_count=1000, duration_ms=5)


async def take(db: Database, *, at: Any = NOW, limit: int = 100) -> tuple[Any, list[Screenshot]]:
    lease = new_id()
    async with db.transaction() as tx:
        await screenshots.give_up_broken(tx, rules=RULES, now=at)
        return lease, await screenshots.claim_screenshots(tx, lease_id=lease, limit=limit, rules=RULES, now=at)


async def fail(db: Database, one: Screenshot, lease: Any, *, may_retry: bool = True, at: Any = NOW) -> None:
    async with db.transaction() as tx:
        await screenshots.note_not_captured(
            tx, one, lease, "It went wrong.", may_retry=may_retry, chance=0.0, rules=RULES, now=at
        )


async def test_a_picture_is_of_an_address_an_account_or_a_post(db: Database) -> None:
    account = await make_account(db, url="https://example.org/channel")
    feed = await make_feed(db, account)
    await poll(db, feed, found(entry("1")))
    async with db.read() as session:
        post = await session.row(select(Post))
    assert post is not None

    plain = await ask(db, owner_id=account.owner_id)
    of_account = await ask(db, account_id=account.id)
    of_post = await ask(db, post_id=post.id)

    assert (plain.url, plain.state, plain.moment) == ("https://example.org/", "PENDING", "ASKED")
    assert (of_account.url, of_account.owner_id) == (account.url, account.owner_id)
    assert (of_post.url, of_post.account_id, of_post.owner_id) == (post.url, account.id, account.owner_id)


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ({"url": "ftp://example.org/"}, Invalid),
        ({"url": "file:///etc/passwd"}, Invalid),
        ({"url": "https://me:secret@example.org/"}, Invalid),
        ({"url": "https://example.org/" + "x" * 2000}, Invalid),
        ({"url": "https://example.org/", "account_id": new_id()}, Invalid),
        ({"url": None}, Invalid),
        ({"account_id": new_id()}, NotFound),
        ({"post_id": new_id()}, NotFound),
    ],
)
async def test_what_cannot_be_shown_is_refused(db: Database, asked: dict[str, Any], refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        await ask(db, **asked)
    assert await stored(db) == []


async def test_what_is_somebody_elses_is_not_pictured_tried_again_or_removed(db: Database) -> None:
    account = await make_account(db, url="")
    feed = await make_feed(db, account)
    await poll(db, feed, found(entry("1")))
    made = await ask(db, owner_id=account.owner_id)
    stranger = viewer_of(await make_user(db))
    async with db.read() as session:
        post = await session.row(select(Post))
    assert post is not None

    for asked in ({"account_id": account.id}, {"post_id": post.id}):
        with pytest.raises(NotFound):
            await ask(db, **asked, viewer=stranger)
    with pytest.raises(NotFound):
        async with db.transaction() as tx:
            await screenshots.retry_screenshot(tx, made.id, viewer=stranger, now=NOW)
    with pytest.raises(NotFound):
        async with db.transaction() as tx:
            await screenshots.delete_screenshot(tx, made.id, viewer=stranger)
    with pytest.raises(Conflict, match="no address"):
        await ask(db, account_id=account.id)


async def test_no_more_of_an_owner_wait_than_may(db: Database) -> None:
    owner = (await make_user(db)).id
    for _ in range(screenshots.MOST_WAITING):
        await ask(db, owner_id=owner)
    with pytest.raises(Conflict, match="20 of your screenshots wait already"):
        await ask(db, owner_id=owner)

    lease, claimed = await take(db, limit=1)
    async with db.transaction() as tx:
        await screenshots.note_captured(tx, claimed[0].id, lease, PICTURE, now=NOW)
    await ask(db, owner_id=owner)


async def test_of_fifty_at_once_each_picture_is_taken_by_one(db: Database) -> None:
    owner = (await make_user(db)).id
    made = {(await ask(db, owner_id=owner)).id for _ in range(10)}

    claimed = [one.id for _, rows in await asyncio.gather(*(take(db, limit=3) for _ in range(50))) for one in rows]

    assert (len(claimed), set(claimed)) == (10, made)


async def test_a_picture_is_tried_again_later_a_few_times(db: Database) -> None:
    await ask(db)
    at = NOW
    for pause in (5, 10):
        lease, (one,) = await take(db, at=at)
        await fail(db, one, lease, at=at)
        (after,) = await stored(db)
        assert (after.state, after.error) == (ScreenshotState.PENDING, "It went wrong.")
        assert after.next_attempt_at == at + timedelta(seconds=pause)
        assert (await take(db, at=at))[1] == []
        at = after.next_attempt_at
    lease, (one,) = await take(db, at=at)
    await fail(db, one, lease, at=at)

    (after,) = await stored(db)
    assert (after.state, after.retry_count, after.next_attempt_at) == (ScreenshotState.FAILED, 2, None)
    async with db.transaction() as tx:
        again = await screenshots.retry_screenshot(tx, after.id, viewer=None, now=at)
    assert (again.state, again.retry_count, again.error) == (ScreenshotState.PENDING, 0, "")
    with pytest.raises(Conflict):
        async with db.transaction() as tx:
            await screenshots.retry_screenshot(tx, after.id, viewer=None, now=at)


async def test_what_trying_again_does_not_help_is_not_tried_again(db: Database) -> None:
    await ask(db)
    lease, (one,) = await take(db)
    await fail(db, one, lease, may_retry=False)

    (after,) = await stored(db)
    assert (after.state, after.retry_count) == (ScreenshotState.FAILED, 0)


async def test_whoever_is_broken_off_leaves_a_lease_and_in_the_end_it_is_given_up(db: Database) -> None:
    await ask(db)
    at, tries = NOW, 0
    while (await take(db, at=at))[1]:
        tries += 1
        assert (await take(db, at=at))[1] == []
        at += timedelta(seconds=RULES.lease)

    (after,) = await stored(db)
    assert (tries, after.state) == (3, ScreenshotState.FAILED)
    assert after.error == "Whoever took it was broken off, each time."


async def test_whoever_lost_the_lease_stores_nothing(db: Database) -> None:
    await ask(db)
    early, (one,) = await take(db)
    later = NOW + timedelta(seconds=RULES.lease)
    late, _ = await take(db, at=later)

    async with db.transaction() as tx:
        assert await screenshots.note_captured(tx, one.id, early, PICTURE, now=later) is None
        assert await screenshots.note_unavailable(tx, one.id, early, "No.") is None
        taken = await screenshots.note_captured(tx, one.id, late, PICTURE, now=later)
    assert taken is not None
    assert (taken.state, taken.sha256, taken.width, taken.captured_at) == ("COMPLETED", "0" * 64, 640, later)


async def test_an_execution_waits_for_the_picture_before_it_and_is_pictured_again_when_done(db: Database) -> None:
    execution = await pictured(db)
    at = NOW + timedelta(minutes=1)
    assert (await claim(db, at=at))[1] == []

    # The one after is not due before it is done.
    lease, (before,) = await take(db, at=at)
    assert (before.moment, before.url, before.execution_id) == (
        ScreenshotMoment.BEFORE,
        execution.target_url,
        execution.id,
    )
    async with db.transaction() as tx:
        await screenshots.note_captured(tx, before.id, lease, PICTURE, now=at)
    sent, (claimed,) = await claim(db, at=at)
    assert (await take(db, at=at))[1] == []
    async with db.transaction() as tx:
        await working.note_taken(tx, claimed.id, sent, Report(word="Completed"), rules=WORK, now=at)

    _, (after,) = await take(db, at=at)
    assert (after.moment, after.post_id) == (ScreenshotMoment.AFTER, execution.post_id)


@pytest.mark.parametrize("way", ["fails", "is unavailable", "takes too long"])
async def test_an_execution_goes_on_without_its_picture(db: Database, way: str) -> None:
    await pictured(db)
    at = NOW + timedelta(minutes=1)
    lease, (before,) = await take(db, at=at)
    assert (await claim(db, at=at))[1] == []

    if way == "fails":
        await fail(db, before, lease, may_retry=False, at=at)
    elif way == "is unavailable":
        async with db.transaction() as tx:
            await screenshots.note_unavailable(tx, before.id, lease, "There is no camera.")
    else:
        at += PATIENCE

    assert len((await claim(db, at=at))[1]) == 1


async def test_after_an_execution_that_came_to_nothing_nothing_is_pictured_until_it_is_tried_again(
    db: Database,
) -> None:
    execution = await pictured(db)
    async with db.transaction() as tx:
        await executions.cancel_execution(tx, execution.id, viewer=None, now=NOW)
    before, after = await stored(db)
    assert (before.state, after.state) == (ScreenshotState.PENDING, ScreenshotState.FAILED)
    assert after.error == "The execution came to nothing, so there is nothing to show after it."

    async with db.transaction() as tx:
        await executions.retry_execution(tx, execution.id, viewer=None, now=NOW)
    assert [(one.state, one.error, one.next_attempt_at is None) for one in await stored(db)] == [
        (ScreenshotState.PENDING, "", False),
        (ScreenshotState.PENDING, "", True),
    ]


async def test_old_pictures_are_let_go_and_those_that_wait_are_not(db: Database) -> None:
    owner = (await make_user(db)).id
    for _ in range(3):
        await ask(db, owner_id=owner)
    lease, claimed = await take(db, limit=2)
    for one in claimed:
        async with db.transaction() as tx:
            await screenshots.note_captured(tx, one.id, lease, PICTURE, now=NOW)

    async with db.read() as session:
        assert await screenshots.known_files(session, ["0" * 64, "1" * 64]) == {"0" * 64}
    async with db.transaction() as tx:
        assert await screenshots.forget_screenshots(tx, before=NOW, limit=10) == 0
        assert await screenshots.forget_screenshots(tx, before=NOW + timedelta(seconds=1), limit=10) == 2
    assert [one.state for one in await stored(db)] == [ScreenshotState.PENDING]
