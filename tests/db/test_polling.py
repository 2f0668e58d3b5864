"""Reading feeds: who reads, what is remembered, and what a post makes run, once whatever happens."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, update
from sqlmodel import col, select

from db.accounts import feed_leases, feeds, operations
from db.accounts.events import FeedPolled, PostsSeen
from db.accounts.polling import Polled, Reading, Unchanged, record_reads
from db.accounts.schedule import PollRules
from db.accounts.tables import Account, Action, Execution, Feed, Poll, Post
from db.accounts.vocabulary import FeedFault, FeedState, PollState, PostOutcome
from db.database import Database
from db.errors import Conflict, Invalid, NotFound
from db.housekeeping.retiring import retire
from db.settings.registry import KEYS
from tests.db.stored import statements_of
from tests.support.accounts import (
    NOW,
    RULES,
    all_executions,
    claim_feeds,
    entry,
    failed,
    found,
    make_account,
    make_action,
    make_feed,
    make_user,
    poll,
    record,
    viewer_of,
)

LATER = NOW + timedelta(minutes=1)


@pytest.fixture
async def account(db: Database) -> Account:
    return await make_account(db)


@pytest.fixture
async def action(db: Database, account: Account) -> Action:
    return await make_action(db, account)


@pytest.fixture
async def feed(db: Database, account: Account, action: Action) -> Feed:  # noqa: ARG001 -- it is there before
    """A feed with a baseline of one entry, and an action that waits for more."""
    made = await make_feed(db, account)
    return (await poll(db, made, found(entry("old")))).feed


async def posts(db: Database) -> list[tuple[str, str]]:
    async with db.read() as session:
        rows = await session.rows(select(Post).order_by(col(Post.number), col(Post.title)))
    return [(one.title, one.outcome) for one in rows]


async def test_the_first_reading_is_a_baseline_and_triggers_nothing(
    db: Database,
    account: Account,
    action: Action,  # noqa: ARG001 -- it is there, and waits
) -> None:
    made = await make_feed(db, account)
    bare = [entry("", url="", title="No date and no id"), entry("", url="", title="Nor here")]

    polled = await poll(db, made, found(entry("1"), *bare))

    assert (polled.poll.state, polled.poll.found_count, polled.poll.new_count) == (PollState.BASELINE, 3, 3)
    assert {outcome for _, outcome in await posts(db)} == {PostOutcome.BASELINE}
    assert (polled.feed.state, polled.feed.baseline_at) == (FeedState.ACTIVE, NOW)
    again = await poll(db, made, found(entry("1"), *bare), at=LATER)
    assert (again.poll.state, await all_executions(db)) == (PollState.UNCHANGED, [])


async def test_an_empty_feed_has_a_baseline_too(db: Database, account: Account, action: Action) -> None:
    made = await make_feed(db, account)

    await poll(db, made, found())
    await poll(db, made, found(entry("1")), at=LATER)

    (execution,) = await all_executions(db)
    assert (execution.action_id, execution.target_url) == (action.id, "https://example.org/posts/1")


async def test_a_post_makes_each_active_action_run_once(
    db: Database, account: Account, action: Action, feed: Feed
) -> None:
    second = await make_action(db, account, parameters={"outcome": "FAILED"}, quantity=3)
    await make_action(db, account, is_for_posts=False)

    polled = await poll(db, feed, found(entry("1"), entry("old")), at=LATER)
    await poll(db, feed, found(entry("1", title="Corrected"), entry("old")), at=LATER + timedelta(minutes=1))

    made = await all_executions(db)
    assert {(one.action_id, one.post_id, one.quantity) for one in made} == {
        (action.id, polled.posts[0].id, 1),
        (second.id, polled.posts[0].id, 3),
    }
    assert (polled.poll.state, polled.poll.new_count, polled.poll.triggered_count) == (PollState.CHANGED, 1, 1)
    # The same service for the same address: a guard holds the second back.
    assert sorted(one.skip_reason or "" for one in made) == ["", "REPEAT"]


async def test_posts_come_in_the_order_they_were_written(db: Database, feed: Feed) -> None:
    await poll(db, feed, found(entry("3"), entry("2"), entry("1"), entry("old")), at=LATER)

    assert [title for title, outcome in await posts(db) if outcome != "BASELINE"] == ["Post 1", "Post 2", "Post 3"]


async def test_old_posts_and_too_many_are_kept_and_trigger_nothing(db: Database, feed: Feed) -> None:
    rules = PollRules(most_posts=2, oldest_post=timedelta(days=7))
    ancient = entry("0", published_at=LATER - timedelta(days=8))

    await poll(db, feed, found(*(entry(str(n), published_at=NOW) for n in (4, 3, 2)), ancient), at=LATER, rules=rules)

    assert [one for one in await posts(db) if one[1] != "BASELINE"] == [
        ("Post 0", PostOutcome.TOO_OLD),
        ("Post 2", PostOutcome.TOO_MANY),
        ("Post 3", PostOutcome.TRIGGERED),
        ("Post 4", PostOutcome.TRIGGERED),
    ]
    assert {one.target_url[-1] for one in await all_executions(db)} == {"3", "4"}


async def test_without_an_active_action_a_post_is_kept_and_waits_for_none(
    db: Database, account: Account, action: Action, feed: Feed
) -> None:
    async with db.transaction() as tx:
        await tx.execute(update(Action).where(col(Action.id) == action.id).values(is_active=False))
    await poll(db, feed, found(entry("1")), at=LATER)
    await make_action(db, account)

    await poll(db, feed, found(entry("2"), entry("1")), at=LATER + timedelta(minutes=1))

    assert (await posts(db))[1:] == [("Post 1", PostOutcome.UNTRIGGERED), ("Post 2", PostOutcome.TRIGGERED)]


async def test_a_keyword_keeps_the_rest_out(db: Database, account: Account) -> None:
    made = await make_feed(db, account, keyword="SEOUL")
    await poll(db, made, found())

    polled = await poll(db, made, found(entry("1", title="In Seoul"), entry("2", title="In Rome")), at=LATER)

    assert [one.title for one in polled.posts] == ["In Seoul"]


async def test_with_another_keyword_what_was_let_pass_by_is_not_new(
    db: Database, account: Account, action: Action
) -> None:
    made = await make_feed(db, account, keyword="seoul")
    told = entry("1", title="In Seoul"), entry("2", title="In Rome")
    await poll(db, made, found(*told))
    async with db.transaction() as tx:
        changed = await feeds.update_feed(tx, made.id, {"keyword": ""}, viewer=None, now=LATER)
    assert (changed.baseline_at, changed.state) == (None, FeedState.PENDING)

    await poll(db, made, found(*told), at=LATER)
    await poll(db, made, found(entry("3"), *told), at=LATER + timedelta(minutes=1))

    assert [(one.action_id, one.target_url[-1]) for one in await all_executions(db)] == [(action.id, "3")]


async def test_of_fifty_who_read_a_feed_at_once_one_does_and_each_post_triggers_once(db: Database, feed: Feed) -> None:
    async with db.transaction() as tx:
        await feeds.ask_for_poll(tx, feed.id, viewer=None, now=LATER)
    told = found(entry("2"), entry("1"), entry("old"), at=LATER)

    async def read() -> Polled | None:
        async with db.transaction() as tx:
            claimed = await claim_feeds(tx, at=LATER)
        if not claimed:
            return None
        async with db.transaction() as tx:
            return await record(tx, claimed[0], told, at=LATER)

    done = [one for one in await asyncio.gather(*(read() for _ in range(50))) if one is not None]

    assert len(done) == 1
    made = await all_executions(db)
    assert sorted(one.target_url[-1] for one in made) == ["1", "2"]


async def test_of_fifty_who_hold_leases_that_ran_out_nobody_stores_anything_twice(db: Database, feed: Feed) -> None:
    claimed = []
    for number in range(50):
        at = LATER + timedelta(hours=number)
        async with db.transaction() as tx:
            await tx.execute(update(Feed).values(next_check_at=at))
            claimed += await claim_feeds(tx, at=at)
    assert len({one.lease_id for one in claimed}) == len(claimed) == 50
    assert {one.id for one in claimed} == {feed.id}

    async def store(one: Feed) -> Polled | None:
        async with db.transaction() as tx:
            return await record(tx, one, found(entry("1"), entry("old")), at=LATER)

    done = await asyncio.gather(*(store(one) for one in claimed))

    # The last one has the lease; the others find that it was taken from them.
    assert [one is not None for one in done] == [False] * 49 + [True]
    assert len(await all_executions(db)) == 1


async def test_numbers_of_an_accounts_posts_have_no_gaps_whichever_feeds_they_come_from(
    db: Database, account: Account, feed: Feed
) -> None:
    others = [await make_feed(db, account) for _ in range(4)]
    for other in others:
        await poll(db, other, found())

    async with db.transaction() as tx:
        await tx.execute(update(Feed).values(next_check_at=LATER))
        claimed = await claim_feeds(tx, at=LATER)

    async def store(of: Sequence[Feed]) -> None:
        async with db.transaction() as tx:
            told = [Reading(feed=one, read=found(*(entry(f"{one.id}-{n}") for n in range(3)))) for one in of]
            await record_reads(tx, told, rules=RULES, now=LATER)

    await asyncio.gather(store(claimed[:3]), *(store([one]) for one in claimed[3:]))

    async with db.read() as session:
        numbers = [row[0] for row in await session.tuples(select(col(Post.number)).where(col(Post.number) > 0))]
        polls = [row[0] for row in await session.tuples(select(col(Poll.number)))]
    assert sorted(numbers) == list(range(1, 16))
    assert sorted(polls) == list(range(1, len(polls) + 1))
    assert feed.id in {one.id for one in claimed}


async def test_a_rollback_keeps_all_of_it_silent_and_undone(db: Database, account: Account, feed: Feed) -> None:
    async with db.transaction() as tx:
        await tx.execute(update(Feed).values(next_check_at=LATER))
        (claimed,) = await claim_feeds(tx, at=LATER)
    assert claimed.id == feed.id
    with db.bus.listen(account.id, of=FeedPolled) as polls, db.bus.listen(account.id, of=PostsSeen) as seen:
        with pytest.raises(LookupError):  # noqa: PT012 -- it ends a transaction
            async with db.transaction() as tx:
                await record(tx, claimed, found(entry("1")), at=LATER)
                raise LookupError
        assert (polls.take(), seen.take()) == ([], [])

        async with db.transaction() as tx:
            await record(tx, claimed, found(entry("1")), at=LATER)
        assert [event.poll.new_count for event in polls.take()] == [1]
        assert [[post.title for post in event.posts] for event in seen.take()] == [["Post 1"]]
    assert len(await all_executions(db)) == 1


# What it costs


def unchanged(**more: Any) -> Unchanged:
    """What 304 comes to, and a document that is the same to the letter."""
    return Unchanged(started_at=LATER, http_status=304, **more)


@pytest.mark.parametrize("number", [1, 20])
async def test_readings_that_bring_nothing_new_cost_four_statements_with_their_claim_however_many_they_are(
    db: Database, account: Account, number: int
) -> None:
    for _ in range(number):
        await poll(db, await make_feed(db, account), found(entry("old")))
    async with db.transaction() as tx:
        await tx.execute(update(Feed).values(next_check_at=LATER))

    with statements_of(db) as heard:
        async with db.transaction() as tx:
            claimed = await claim_feeds(tx, at=LATER)
            told = [
                Reading(feed=one, read=failed(FeedFault.TIMEOUT) if place % 3 == 2 else unchanged())
                for place, one in enumerate(claimed)
            ]
            polled = await record_reads(tx, told, rules=RULES, now=LATER)

    assert [" ".join(one.split()[:3]) for one in heard] == [
        "UPDATE feeds SET",
        "UPDATE feeds SET",
        "UPDATE accounts SET",
        "INSERT INTO polls",
    ]
    states = [one.poll.state for one in polled if one is not None]
    assert states == [PollState.FAILED if place % 3 == 2 else PollState.UNCHANGED for place in range(number)]


async def test_a_document_without_news_costs_one_statement_more(db: Database, feed: Feed) -> None:
    async with db.transaction() as tx:
        (claimed,) = await claim_feeds(tx, at=LATER + timedelta(hours=1))
        with statements_of(db) as heard:
            await record(tx, claimed, found(entry("old", title="Corrected")), at=LATER)

    assert (claimed.id, len(heard)) == (feed.id, 4)


async def test_what_news_cost_does_not_grow_with_the_posts(db: Database, account: Account, action: Action) -> None:
    counts = []
    for posts_at_once in (1, 10):
        made = await make_feed(db, account, url=f"https://example.org/{posts_at_once}.xml")
        await poll(db, made, found(entry("old")))
        async with db.transaction() as tx:
            await feeds.ask_for_poll(tx, made.id, viewer=None, now=LATER)
            (claimed,) = [one for one in await claim_feeds(tx, at=LATER) if one.id == made.id]
            news = [entry(f"{posts_at_once}-{number}") for number in range(posts_at_once)]
            with statements_of(db) as heard:
                polled = await record(tx, claimed, found(*news, entry("old")), at=LATER)
        assert polled is not None
        assert polled.poll.triggered_count == posts_at_once
        of_each = ("INSERT INTO execution", "UPDATE screenshots")
        counts.append(len([one for one in heard if not one.startswith(of_each)]))

    # Each execution beside that is stored by itself, with its timeline.
    assert action.is_active
    assert counts == [9, 9]


# How a feed is doing


async def test_failures_are_counted_and_tried_later_each_time(db: Database, feed: Feed) -> None:
    waits = []
    at = LATER
    for _ in range(4):
        polled = await poll(db, feed, failed(FeedFault.TIMEOUT, at=at), at=at, chance=0)
        assert polled.feed.next_check_at is not None
        waits.append((polled.feed.next_check_at - at).total_seconds())
        at = polled.feed.next_check_at

    assert waits == [900, 1800, 3600, 7200]
    assert (polled.feed.state, polled.feed.error_count, polled.feed.last_fault) == (
        FeedState.FAILING,
        4,
        FeedFault.TIMEOUT,
    )
    well = await poll(db, feed, found(entry("old")), at=at)
    assert (well.feed.state, well.feed.error_count, well.feed.last_fault) == (FeedState.ACTIVE, 0, None)


async def test_what_a_server_asks_for_is_heeded_up_to_a_day(db: Database, feed: Feed) -> None:
    polled = await poll(db, feed, failed(FeedFault.THROTTLED, retry_after=7200), at=LATER, chance=0)
    assert polled.feed.next_check_at == LATER + timedelta(hours=2)

    polled = await poll(db, feed, failed(FeedFault.THROTTLED, retry_after=10**8), at=LATER, chance=0)
    assert polled.feed.next_check_at == LATER + timedelta(days=1)


async def test_a_feed_that_is_gone_is_not_read_again_until_somebody_says_so(db: Database, feed: Feed) -> None:
    polled = await poll(db, feed, failed(FeedFault.GONE, http_status=410), at=LATER)

    assert (polled.feed.state, polled.feed.next_check_at, polled.feed.gone_at) == (FeedState.GONE, None, LATER)
    async with db.transaction() as tx:
        assert await claim_feeds(tx, at=LATER + timedelta(9)) == []
        with pytest.raises(Conflict, match="switch it on first"):
            await feeds.ask_for_poll(tx, feed.id, viewer=None, now=LATER)
    async with db.transaction() as tx:
        again = await feeds.enable_feed(tx, feed.id, is_enabled=True, viewer=None, now=LATER)
    assert (again.state, again.next_check_at, again.gone_at) == (FeedState.ACTIVE, LATER, None)


async def test_a_feed_that_is_not_found_ten_times_in_a_row_is_given_up(db: Database, feed: Feed) -> None:
    states = [
        (await poll(db, feed, failed(FeedFault.NOT_FOUND), at=LATER + timedelta(days=n))).feed.state for n in range(10)
    ]

    assert states == [FeedState.FAILING] * 9 + [FeedState.STOPPED]


async def test_a_lasting_redirect_is_believed_after_ten_sightings_in_a_row(db: Database, feed: Feed) -> None:
    moved = "https://example.org/moved.xml"

    async def see(where: str | None, number: int) -> Feed:
        at = LATER + timedelta(minutes=number)
        return (await poll(db, feed, Unchanged(started_at=at, http_status=304, lasting_url=where), at=at)).feed

    for number in range(9):
        assert (await see(moved, number)).effective_url == feed.url
    # One without begins the counting anew.
    await see(None, 9)
    for number in range(10, 19):
        assert (await see(moved, number)).effective_url == feed.url

    last = await see(moved, 20)
    assert (last.effective_url, last.url, last.redirect_count) == (moved, feed.url, 0)


async def test_validators_are_kept_as_received_and_go_with_the_address(db: Database, feed: Feed) -> None:
    told: dict[str, Any] = {"etag": 'W/"x"', "last_modified": "Sat, 21 Nov 2026 09:00:00 GMT"}
    polled = await poll(db, feed, found(entry("old"), **told), at=LATER)
    assert (polled.feed.etag, polled.feed.last_modified) == tuple(told.values())

    at = LATER + timedelta(minutes=1)
    polled = await poll(db, feed, Unchanged(started_at=at, http_status=304, etag='"y"'), at=at)
    assert (polled.feed.etag, polled.feed.last_modified) == ('"y"', told["last_modified"])

    async with db.transaction() as tx:
        other = await feeds.update_feed(tx, feed.id, {"url": "https://example.org/2.xml"}, viewer=None, now=at)
    assert (other.etag, other.baseline_at, other.state) == ("", None, FeedState.PENDING)


async def test_whoever_reads_an_address_that_was_changed_meanwhile_stores_nothing(db: Database, feed: Feed) -> None:
    async with db.transaction() as tx:
        await tx.execute(update(Feed).values(next_check_at=LATER))
        (claimed,) = await claim_feeds(tx, at=LATER)
        await feeds.update_feed(tx, feed.id, {"url": "https://example.org/2.xml"}, viewer=None, now=LATER)

    async with db.transaction() as tx:
        assert await record(tx, claimed, found(entry("1")), at=LATER) is None
    assert len(await posts(db)) == 1


@pytest.mark.parametrize("switched_off", ["feed", "account"])
async def test_what_is_switched_off_is_not_read(db: Database, account: Account, feed: Feed, switched_off: str) -> None:
    async with db.transaction() as tx:
        if switched_off == "feed":
            await feeds.enable_feed(tx, feed.id, is_enabled=False, viewer=None, now=LATER)
        else:
            await operations.enable_account(tx, account.id, is_enabled=False, viewer=None, now=LATER)
        claimed = await claim_feeds(tx, at=LATER + timedelta(days=1))

    assert claimed == []


async def test_a_feed_is_read_by_hand_under_the_same_lease(db: Database, feed: Feed) -> None:
    async with db.transaction() as tx:
        await feeds.ask_for_poll(tx, feed.id, viewer=None, now=LATER)
        assert len(await claim_feeds(tx, at=LATER)) == 1
    async with db.transaction() as tx:
        with pytest.raises(Conflict, match="is being read now"):
            await feeds.ask_for_poll(tx, feed.id, viewer=None, now=LATER)
        # Whoever died over it is not waited for for ever.
        after = LATER + timedelta(seconds=RULES.lease)
        await feeds.ask_for_poll(tx, feed.id, viewer=None, now=after)
        assert len(await claim_feeds(tx, at=after)) == 1


async def test_a_lease_that_is_given_back_may_be_taken_at_once(db: Database, feed: Feed) -> None:
    async with db.transaction() as tx:
        await feeds.ask_for_poll(tx, feed.id, viewer=None, now=LATER)
        lost = await claim_feeds(tx, at=LATER)
        after = LATER + timedelta(seconds=RULES.lease)
        held = await claim_feeds(tx, at=after)
        await feed_leases.release(tx, lost)
        assert await claim_feeds(tx, at=after) == []
        await feed_leases.release(tx, held)
        assert [len(one) for one in (lost, held, await claim_feeds(tx, at=after))] == [1, 1, 1]


async def test_polls_are_let_go_of_and_posts_are_not(db: Database, feed: Feed) -> None:
    values = {name: key.default for name, key in KEYS.items() if name.startswith("retention.")}
    found_before = await _polls(db)
    await retire(db, {**values, "retention.polls_days": 1}, None, now=NOW + timedelta(days=2))
    assert (found_before, await _polls(db)) == (1, 0)

    polled = await poll(db, feed, found(entry("old")), at=NOW + timedelta(days=2))
    assert polled.poll.new_count == 0


async def _polls(db: Database) -> object:
    async with db.read() as session:
        return await session.scalar(select(func.count()).select_from(Poll))


# Refusals


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "An address has 1 to 2000 characters."),
        ("ftp://example.org/", "An address looks like https://example.org/feed.xml; this one does not."),
        ("https://me:secret@example.org/", "An address is shown to others: it carries no name and no password."),
        ("https://example.org/a b", "An address holds no spaces and nothing that cannot be seen."),
        ("http://[::1/", "This is no address of the web: Invalid IPv6 URL."),
    ],
)
async def test_an_address_that_is_none_is_refused(db: Database, account: Account, url: str, said: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await make_feed(db, account, url=url)

    assert (refusal.value.message, refusal.value.field) == (said, "url")


async def test_an_account_has_twenty_feeds_at_most(db: Database, account: Account) -> None:
    for _ in range(20):
        await make_feed(db, account)

    with pytest.raises(Conflict, match="An account has 20 feeds at most"):
        await make_feed(db, account)


async def test_somebody_elses_feed_is_not_there(db: Database, feed: Feed) -> None:
    viewer = viewer_of(await make_user(db))
    asked: dict[str, Any] = {"viewer": viewer, "now": NOW}
    async with db.transaction() as tx:
        for refused in (
            feeds.update_feed(tx, feed.id, {"title": "Mine"}, **asked),
            feeds.enable_feed(tx, feed.id, is_enabled=False, **asked),
            feeds.delete_feed(tx, feed.id, viewer=viewer),
            feeds.ask_for_poll(tx, feed.id, **asked),
            feeds.create_feed(
                tx, owner_id=viewer.user_id, account_id=feed.account_id, changes={"url": "http://x"}, **asked
            ),
        ):
            with pytest.raises(NotFound):
                await refused


async def test_what_a_feed_triggered_outlives_it(db: Database, feed: Feed) -> None:
    await poll(db, feed, found(entry("1")), at=LATER)
    async with db.transaction() as tx:
        await feeds.delete_feed(tx, feed.id, viewer=None)

    (execution,) = await all_executions(db)
    assert execution.post_id is None
    async with db.read() as session:
        assert await session.scalar(select(func.count()).select_from(Post)) == 0
        assert await session.scalar(select(func.count()).select_from(Execution)) == 1
