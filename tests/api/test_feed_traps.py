"""What other readers of feeds got wrong, and what is right: each test is a line of what was found out about them."""

import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, func
from sqlmodel import col, select

from db.accounts import feeds, operations, working
from db.accounts.events import FeedPolled
from db.accounts.statistics import read_statistics
from db.accounts.tables import Execution, Feed, Poll, Post
from db.accounts.vocabulary import ExecutionState, FeedFault, FeedState, PollState
from db.accounts.words import Report
from db.connecting import connect
from db.database import Database
from db.ids import new_id
from tests.conftest import ManualClock
from tests.support.accounts import (
    NOW,
    WORK,
    all_executions,
    claim,
    entry,
    found,
    make_account,
    make_action,
    make_execution,
    make_feed,
    make_user,
    poll,
    viewer_of,
)
from tests.support.feed_files import items, page, rss
from tests.support.feed_reader import Reader, ok, reading
from tests.support.web import Answer


@pytest.fixture
async def reader(tmp_path: Path, migrated_file: Path, clock: ManualClock) -> AsyncIterator[Reader]:
    """What servers do is no matter of the database."""
    path = tmp_path / "ringside.db"
    shutil.copy(migrated_file, path)
    db = await connect(f"sqlite:///{path}")
    async with reading(db, clock) as made:
        yield made
    await db.close()


# When there is a baseline, and what is new after it


async def test_the_first_reading_that_succeeds_is_the_baseline_however_many_failed_before(reader: Reader) -> None:
    await make_action(reader.db, reader.account, now=reader.clock.now())
    failed, empty, first, second = await reader.answers(Answer(status=500), ok(b""), ok(rss("1")), ok(rss("2", "1")))

    assert [one.feed.baseline_at for one in (failed, empty)] == [None, None]
    assert [one.poll.state for one in (first, second)] == [PollState.BASELINE, PollState.CHANGED]
    assert [one.target_url[-1] for one in await all_executions(reader.db)] == ["2"]


async def test_an_action_that_is_made_later_acts_on_what_comes_after_it_and_needs_no_other_baseline(
    reader: Reader,
) -> None:
    feed = await reader.add()
    reader.web.answers["/feed"] = ok(rss("1"))
    await reader.read(feed)
    reader.web.answers["/feed"] = ok(rss("2", "1"))
    await reader.read(feed)
    await make_action(reader.db, reader.account, now=reader.clock.now())
    reader.web.answers["/feed"] = ok(rss("3", "2", "1"))
    await reader.read(feed)

    assert [one.target_url[-1] for one in await all_executions(reader.db)] == ["3"]


async def test_a_post_that_is_dated_before_the_newest_is_new_all_the_same(reader: Reader) -> None:
    await make_action(reader.db, reader.account, now=reader.clock.now())
    known = "<guid>1</guid><link>https://example.org/1</link><pubDate>Sat, 21 Nov 2026 08:00:00 +0100</pubDate>"
    late = "<guid>2</guid><link>https://example.org/2</link><pubDate>Fri, 20 Nov 2026 08:00:00 +0100</pubDate>"
    await reader.answers(ok(rss(items=items(known))), ok(rss(items=items(known, late))))

    assert [one.target_url for one in await all_executions(reader.db)] == ["https://example.org/2"]


async def test_without_dates_and_ids_what_was_there_is_old_and_what_comes_is_new(reader: Reader) -> None:
    await make_action(reader.db, reader.account, now=reader.clock.now())
    parts = [f"<title>{title}</title><link>https://example.org/{title}</link>" for title in ("One", "Two", "Three")]
    first, second = await reader.answers(ok(rss(items=items(*parts[:2]))), ok(rss(items=items(*parts))))

    assert (first.poll.new_count, second.poll.new_count) == (2, 1)
    assert [one.target_url for one in await all_executions(reader.db)] == ["https://example.org/Three"]


async def test_letting_go_of_old_polls_makes_nothing_new_again(reader: Reader) -> None:
    await make_action(reader.db, reader.account, now=reader.clock.now())
    await reader.answers(ok(rss("1")), ok(rss("2", "1")))
    async with reader.db.transaction() as tx:
        await tx.execute(delete(Poll))
        (feed,) = await tx.rows(select(Feed))
    reader.web.answers["/feed"] = ok(rss("2", "1", date="Sat, 21 Nov 2026 10:00:00 +0100"))

    assert (await reader.read(feed)).poll.new_count == 0
    assert len(await all_executions(reader.db)) == 1


# What is asked


async def test_a_feed_is_asked_for_once_in_a_reading_and_never_for_a_part_of_it(reader: Reader) -> None:
    await reader.answers(ok(rss("1"), etag='"1"'), ok(rss("2", "1"), etag='"2"'))

    assert reader.web.paths() == ["/feed", "/feed"]
    assert ["a-im" in one.headers or "range" in one.headers for one in reader.web.asked] == [False, False]


async def test_adding_a_feed_asks_nobody(reader: Reader) -> None:
    feed = await reader.add()

    assert (feed.state, feed.next_check_at, reader.web.asked) == (FeedState.PENDING, reader.clock.now(), [])


@pytest.mark.parametrize("status", [302, 303, 307])
async def test_a_passing_redirect_is_never_believed_nor_a_lasting_one_before_it(reader: Reader, status: int) -> None:
    reader.web.answers |= {
        "/feed": Answer(status=301, headers={"location": "/middle"}),
        "/middle": Answer(status=status, headers={"location": "/new"}),
        "/new": ok(rss("1")),
    }
    feed = await reader.add()
    for _ in range(12):
        polled = await reader.read(feed)

    assert (polled.feed.effective_url, polled.feed.redirect_count) == (feed.url, 0)
    assert polled.poll.state is PollState.UNCHANGED


@pytest.mark.parametrize("host", ["localhost", "0x7f.1", "0177.0.0.1", "127.1", "[::1]", "[::]", "[64:ff9b::7f00:1]"])
async def test_a_redirect_home_is_known_however_it_is_spelled(reader: Reader, host: str) -> None:
    fault, _ = await reader.fault(Answer(status=302, headers={"location": f"http://{host}/"}))

    # A resolver may know of no such name; what it knows leads home.
    assert fault in {FeedFault.FORBIDDEN_ADDRESS, FeedFault.UNREACHABLE}
    assert reader.web.paths() == ["/feed"]


# What becomes of a feed


@pytest.mark.parametrize(
    "answer",
    [ok(b""), ok(b"hello"), ok(page(), content_type="text/html"), ok(b"x" * 300_000), Answer(status=404)],
    ids=["empty", "no feed", "a page", "too large", "not found"],
)
async def test_what_cannot_be_read_leaves_what_was_known(reader: Reader, answer: Answer) -> None:
    await make_action(reader.db, reader.account, now=reader.clock.now())
    first, failed, again = await reader.answers(ok(rss("1"), etag='"1"'), answer, ok(rss("1")))

    assert (failed.poll.state, failed.feed.etag, failed.feed.baseline_at) == (
        PollState.FAILED,
        '"1"',
        first.feed.baseline_at,
    )
    assert (again.feed.state, again.poll.new_count) == (FeedState.ACTIVE, 0)
    assert await all_executions(reader.db) == []


async def test_a_document_that_is_written_wrongly_is_a_success_with_a_warning(reader: Reader) -> None:
    (polled,) = await reader.answers(ok(rss("1").replace(b"</channel></rss>", b"<item>")))

    assert (polled.feed.state, polled.feed.error_count) == (FeedState.ACTIVE, 0)
    assert (polled.poll.state, polled.poll.error) == (PollState.BASELINE, "")
    assert polled.feed.last_error == "It is written wrongly: SAXParseException."


@pytest.mark.parametrize("content_type", ["text/plain", "text/html", "application/octet-stream", ""])
async def test_whatever_a_server_calls_a_feed_it_is_one_without_a_warning(reader: Reader, content_type: str) -> None:
    (polled,) = await reader.answers(ok(rss("1"), content_type=content_type))

    assert (polled.poll.state, polled.feed.last_error) == (PollState.BASELINE, "")


async def test_a_short_pause_that_is_asked_for_does_not_shorten_our_own(reader: Reader) -> None:
    """The longer of both holds, and what a server asks for at a success holds too."""
    failed = [Answer(status=503, headers={"retry-after": "5"})] * 3
    *_, last = await reader.answers(*failed)
    (hinted,) = await reader.answers(ok(rss("1"), cache_control="max-age=7200"))

    assert last.feed.next_check_at is not None
    assert last.feed.next_check_at - reader.clock.now() >= timedelta(minutes=50)
    assert hinted.feed.interval_seconds == 7200


async def test_a_feed_that_is_gone_is_told_of_once(reader: Reader) -> None:
    feed = await reader.add()
    reader.web.answers["/feed"] = Answer(status=410)
    with reader.db.bus.listen(feed.id, of=FeedPolled) as heard:
        await reader.read(feed)
        told = heard.take()

    assert [(one.feed.state, one.poll.fault) for one in told] == [(FeedState.GONE, FeedFault.GONE)]
    assert (told[0].feed.last_error, told[0].feed.next_check_at) == ("Its server answers with the status 410.", None)


async def test_a_feed_that_is_given_up_says_why(reader: Reader) -> None:
    *_, last = await reader.answers(*[Answer(status=404)] * 10)

    assert (last.feed.state, last.feed.last_fault) == (FeedState.STOPPED, FeedFault.NOT_FOUND)
    assert last.feed.last_error == "Its server answers with the status 404."


# What hangs together


async def test_with_an_account_go_its_feeds_and_posts_and_what_was_carried_out_stays(db: Database) -> None:
    account = await make_account(db)
    await make_action(db, account)
    feed = await make_feed(db, account)
    await poll(db, feed, found(entry("1")))
    await poll(db, feed, found(entry("2"), entry("1")))
    async with db.transaction() as tx:
        await operations.delete_account(tx, account.id, viewer=None)

    async with db.read() as session:
        left = [
            await session.scalar(select(func.count()).select_from(table)) for table in (Feed, Poll, Post, Execution)
        ]
    assert left == [0, 0, 0, 1]
    (execution,) = await all_executions(db)
    assert (execution.account_id, execution.action_id, execution.post_id) == (None, None, None)


async def test_a_feed_that_is_switched_off_is_off_and_goes_on_where_it_was(db: Database) -> None:
    account = await make_account(db)
    feed = await make_feed(db, account)
    before = (await poll(db, feed, found(entry("1")))).feed
    async with db.transaction() as tx:
        off = await feeds.enable_feed(tx, feed.id, is_enabled=False, viewer=None, now=before.created_at)
    async with db.transaction() as tx:
        on = await feeds.enable_feed(tx, feed.id, is_enabled=True, viewer=None, now=before.created_at)

    assert (off.state, off.next_check_at) == (FeedState.DISABLED, None)
    assert (on.state, on.baseline_at, on.body_sha256) == (FeedState.ACTIVE, before.baseline_at, before.body_sha256)
    async with db.read() as session:
        known = await session.rows(select(Post).where(col(Post.feed_id) == feed.id))
    assert len(known) == 1


# What was carried out


async def test_what_a_provider_calls_in_progress_is_counted_as_that(db: Database) -> None:
    """With a space, as providers write it."""
    user = await make_user(db)
    await make_execution(db, user.id)
    lease, (taken,) = await claim(db)
    async with db.transaction() as tx:
        report = Report(word="In progress")
        await working.note_taken(tx, taken.id, lease, report, rules=WORK, now=NOW)

    async with db.read() as session:
        counted = await read_statistics(session, viewer_of(user), first=NOW.date(), last=NOW.date())
    assert counted.states == {ExecutionState.IN_PROGRESS: 1}


@pytest.mark.parametrize("word", ["Completed", "Partial", "Canceled", "Failed"])
async def test_what_is_over_is_never_asked_after(db: Database, word: str) -> None:
    await make_execution(db, (await make_user(db)).id)
    lease, (taken,) = await claim(db)
    later = NOW + timedelta(days=2)
    async with db.transaction() as tx:
        noted = await working.note_taken(tx, taken.id, lease, Report(word=word), rules=WORK, now=NOW)
        asked = await working.claim_looks(tx, lease_id=new_id(), limit=9, rules=WORK, now=later)

    assert noted is not None
    assert (noted.finished_at, noted.next_status_at, asked) == (NOW, None, [])
