"""Reading feeds over real sockets: everything that servers do, and all that somebody may do to whoever reads."""

import asyncio
import gzip
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path
from socket import gaierror

import pytest
from sqlmodel import col, select

from api.outbound import Guard, is_public
from api.workers.feed_documents import Unreadable
from api.workers.feed_fetching import FetchLimits, read_max_age, read_retry_after
from api.workers.feed_parser import FeedParser
from api.workers.feeds import FeedPoller, PollerLimits
from db.accounts import feeds
from db.accounts.schedule import PollRules
from db.accounts.tables import Feed, Post
from db.accounts.vocabulary import FeedFault, FeedState, PollState
from db.connecting import connect
from db.database import Database
from tests.conftest import ManualClock
from tests.support.accounts import all_executions, claim_feeds, make_account, make_action, make_feed
from tests.support.feed_files import atom, deflated, gzip_bomb, json_feed, nested, page, rss
from tests.support.feed_reader import Reader, ok, reading
from tests.support.house import eventually
from tests.support.web import Answer, web


@pytest.fixture
async def reader(tmp_path: Path, migrated_file: Path, clock: ManualClock) -> AsyncIterator[Reader]:
    """What servers do is no matter of the database: what becomes of it is tested on both, in `tests.db`."""
    path = tmp_path / "ringside.db"
    shutil.copy(migrated_file, path)
    db = await connect(f"sqlite:///{path}")
    async with reading(db, clock) as made:
        yield made
    await db.close()


# What servers answer


async def test_validators_are_sent_back_as_they_came_and_304_is_no_news(reader: Reader) -> None:
    stamped = {"etag": 'W/"a b"', "last_modified": "Sat, 21 Nov 2026 08:00:00 GMT"}
    first, second = await reader.answers(ok(rss("1"), **stamped), Answer(status=304))

    assert [one.poll.state for one in (first, second)] == [PollState.BASELINE, PollState.UNCHANGED]
    assert (second.poll.http_status, second.feed.etag) == (304, 'W/"a b"')
    asked = reader.web.asked[-1].headers
    assert (asked["if-none-match"], asked["if-modified-since"]) == tuple(stamped.values())
    assert ("cookie" in asked, "referer" in asked, asked["user-agent"]) == (False, False, "Ringside/0.1 (feed reader)")
    assert "if-none-match" not in reader.web.asked[0].headers


async def test_what_a_server_says_anew_with_304_is_sent_back_the_next_time(reader: Reader) -> None:
    answers = [ok(rss("1"), etag='"1"'), Answer(status=304, headers={"etag": '"2"'}), Answer(status=304)]
    polls = await reader.answers(*answers)

    assert [one.feed.etag for one in polls] == ['"1"', '"2"', '"2"']
    assert [one.headers.get("if-none-match") for one in reader.web.asked] == [None, '"1"', '"2"']


async def test_a_server_that_rotates_its_validators_is_known_by_what_it_says(reader: Reader) -> None:
    body = rss("1")
    polls = await reader.answers(*(ok(body, etag=f'"{number}"') for number in range(3)))

    assert [one.poll.state for one in polls] == [PollState.BASELINE, PollState.UNCHANGED, PollState.UNCHANGED]
    assert [one.poll.found_count for one in polls] == [1, 0, 0]
    assert polls[-1].feed.etag == '"2"'


async def test_what_is_new_triggers_and_what_was_corrected_does_not(reader: Reader) -> None:
    await make_action(reader.db, reader.account, now=reader.clock.now())
    await reader.answers(ok(rss("1")), ok(rss("2", "1")), ok(rss("2", "1").replace(b"Post 2", b"Post two")))

    assert [one.target_url for one in await all_executions(reader.db)] == ["https://example.org/posts/2"]


@pytest.mark.parametrize("packed", ["gzip", "zlib", "JSON Feed", "Atom"])
async def test_feeds_come_packed_and_in_other_forms(reader: Reader, packed: str) -> None:
    answer = {
        "gzip": ok(gzip.compress(rss("1")), content_encoding="gzip"),
        "zlib": ok(deflated(rss("1")), content_encoding="deflate"),
        "JSON Feed": ok(json_feed("1"), content_type="application/feed+json"),
        "Atom": ok(atom("1")),
    }[packed]
    (polled,) = await reader.answers(answer)

    assert (polled.poll.found_count, polled.feed.title) == (1, "Videos")


async def test_a_page_leads_to_its_feed_from_then_on(reader: Reader) -> None:
    reader.web.answers |= {"/blog": ok(page("/feed.xml"), content_type="text/html"), "/feed.xml": ok(rss("1"))}
    feed = await reader.add("/blog")

    polls = [await reader.read(feed) for _ in range(2)]

    assert [one.poll.state for one in polls] == [PollState.BASELINE, PollState.UNCHANGED]
    assert (polls[0].feed.effective_url, polls[0].feed.url) == (reader.web.url("/feed.xml"), reader.web.url("/blog"))
    assert reader.web.paths() == ["/blog", "/feed.xml", "/feed.xml"]


async def test_a_chain_of_lasting_redirects_is_believed_after_ten_times_and_a_passing_one_never(
    reader: Reader,
) -> None:
    reader.web.answers |= {
        "/old": Answer(status=301, headers={"location": "/newer"}),
        "/newer": Answer(status=308, headers={"location": "/new"}),
        "/new": ok(rss("1")),
        "/passing": Answer(status=302, headers={"location": "/old"}),
    }
    lasting, passing = await reader.add("/old"), await reader.add("/passing")

    for number in range(11):
        reader.clock.move(timedelta(hours=10))
        async with reader.db.transaction() as tx:
            await feeds.enable_feed(tx, passing.id, is_enabled=False, viewer=None, now=reader.clock.now())
        found = (await reader.read(lasting)).feed
        assert found.effective_url == reader.web.url("/old" if number < 9 else "/new")
        async with reader.db.transaction() as tx:
            await feeds.enable_feed(tx, lasting.id, is_enabled=False, viewer=None, now=reader.clock.now())
            await feeds.enable_feed(tx, passing.id, is_enabled=True, viewer=None, now=reader.clock.now())
        assert (await reader.read(passing)).feed.effective_url == passing.url
        async with reader.db.transaction() as tx:
            await feeds.enable_feed(tx, lasting.id, is_enabled=True, viewer=None, now=reader.clock.now())

    assert found.url == lasting.url


async def test_what_is_gone_is_gone_at_once(reader: Reader) -> None:
    _, gone = await reader.answers(ok(rss("1")), Answer(status=410))

    assert (gone.feed.state, gone.feed.next_check_at, gone.poll.fault) == (FeedState.GONE, None, FeedFault.GONE)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("as_date", [False, True])
async def test_whoever_asks_to_be_left_alone_is(reader: Reader, status: int, as_date: bool) -> None:  # noqa: FBT001 -- a case
    # The clock moves on by a minute before it is asked.
    until = reader.clock.now() + timedelta(hours=3, minutes=1)
    value = format_datetime(until, usegmt=True) if as_date else str(3 * 3600)

    (polled,) = await reader.answers(Answer(status=status, headers={"retry-after": value}))

    assert (polled.feed.next_check_at, polled.poll.fault) == (until, FeedFault.THROTTLED)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (Answer(status=401), FeedFault.DENIED),
        (Answer(status=403), FeedFault.DENIED),
        (Answer(status=403, headers={"cf-mitigated": "challenge"}), FeedFault.CHALLENGED),
        (Answer(status=404), FeedFault.NOT_FOUND),
        (Answer(status=500), FeedFault.SERVER_ERROR),
        (Answer(status=418), FeedFault.BAD_STATUS),
        (Answer(status=226, body=rss("1")), FeedFault.BAD_STATUS),
        (Answer(status=301), FeedFault.BAD_STATUS),
        (ok(b""), FeedFault.EMPTY),
        (ok(b"hello"), FeedFault.NOT_A_FEED),
        (ok(b"x", content_encoding="br"), FeedFault.NOT_A_FEED),
        (ok(b"\x1fx", content_encoding="gzip"), FeedFault.NOT_A_FEED),
    ],
    ids=lambda value: str(value) if isinstance(value, FeedFault) else None,
)
async def test_what_cannot_be_read_says_why(reader: Reader, answer: Answer, fault: FeedFault) -> None:
    status = answer.status
    assert await reader.fault(answer) == (fault, status)


async def test_a_feed_is_tried_later_each_time_and_its_posts_stay(reader: Reader) -> None:
    polls = await reader.answers(ok(rss("1")), Answer(status=500), Answer(breaks_off=True), ok(rss("1")))

    assert [one.feed.state for one in polls] == [
        FeedState.ACTIVE,
        FeedState.FAILING,
        FeedState.FAILING,
        FeedState.ACTIVE,
    ]
    assert [one.feed.error_count for one in polls] == [0, 1, 2, 0]
    assert polls[2].poll.fault is FeedFault.UNREACHABLE
    assert polls[3].poll.new_count == 0


async def test_a_server_without_a_certificate_or_a_name_is_tried_again_later(db: Database, clock: ManualClock) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise gaierror(f"{host}:{port} is not known")

    async with reading(db, clock, guard=Guard(resolve=resolve)) as reader:
        nameless = await make_feed(db, reader.account, url="https://nowhere.example/feed", now=clock.now())
        polls = [(await reader.read(nameless)) for _ in range(2)]
    async with _plain_server() as host, reading(db, clock, guard=Guard(allowed={host})) as reader:
        plain = await make_feed(db, reader.account, url=f"https://{host}/feed", now=clock.now())
        polls.append(await reader.read(plain))

    assert [(one.poll.fault, one.feed.state, one.feed.error_count) for one in polls] == [
        (FeedFault.UNREACHABLE, FeedState.FAILING, 1),
        (FeedFault.UNREACHABLE, FeedState.FAILING, 2),
        (FeedFault.UNREACHABLE, FeedState.FAILING, 1),
    ]
    waits = [(one.feed.next_check_at or clock.now()) - one.poll.started_at for one in polls[:2]]
    assert waits[1] > waits[0] >= timedelta(seconds=PollRules().usual_interval)


@asynccontextmanager
async def _plain_server() -> AsyncIterator[str]:
    """A server that knows no TLS, and says so to whoever tries."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


# What somebody may do to whoever reads


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (ok(gzip_bomb(300), content_encoding="gzip"), FeedFault.TOO_LARGE),
        (Answer(drip=b" " * 65_536), FeedFault.TOO_LARGE),
        (Answer(headers={"x-long": "y" * 1_000_000}), FeedFault.UNREACHABLE),
        (Answer(status=302, headers={"location": "/feed"}), FeedFault.TOO_MANY_REDIRECTS),
        (Answer(status=302, headers={"location": "file:///etc/passwd"}), FeedFault.BAD_ADDRESS),
        (Answer(status=302, headers={"location": "http://me:secret@example.org/"}), FeedFault.BAD_ADDRESS),
        (Answer(status=302, headers={"location": "http://127.0.0.1/"}), FeedFault.FORBIDDEN_ADDRESS),
        (Answer(status=302, headers={"location": "http://127.0.0.1:22/"}), FeedFault.FORBIDDEN_ADDRESS),
        (Answer(status=302, headers={"location": "http://2130706433/"}), FeedFault.FORBIDDEN_ADDRESS),
        (Answer(status=302, headers={"location": "http://[::ffff:127.0.0.1]/"}), FeedFault.FORBIDDEN_ADDRESS),
        (Answer(status=302, headers={"location": "http://169.254.169.254/latest/"}), FeedFault.FORBIDDEN_ADDRESS),
    ],
    ids=[
        "gzip bomb",
        "endless",
        "a head without an end",
        "in a circle",
        "a file",
        "with a password",
        "home",
        "a port",
        "decimal",
        "mapped",
        "metadata",
    ],
)
async def test_what_is_meant_to_hurt_costs_little(reader: Reader, answer: Answer, fault: FeedFault) -> None:
    assert (await reader.fault(answer))[0] is fault


async def test_a_page_cannot_lead_into_a_network_of_our_own(reader: Reader) -> None:
    assert (await reader.fault(ok(page("http://127.0.0.1/feed"), content_type="text/html")))[0] is (
        FeedFault.FORBIDDEN_ADDRESS
    )


async def test_a_name_that_leads_home_is_not_followed_whatever_it_led_to_before(
    db: Database, clock: ManualClock
) -> None:
    asked = []
    answers: list[Sequence[str]] = [["10.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["fd00::1"], []]

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append((host, port))
        return answers[len(asked) - 1]

    async with reading(db, clock, guard=Guard(resolve=resolve)) as reader:
        feed = await make_feed(db, reader.account, url="http://rebinding.example/feed", now=clock.now())
        polls = [await reader.read(feed) for _ in answers]

    assert {one.poll.fault for one in polls} == {FeedFault.FORBIDDEN_ADDRESS}
    assert asked == [("rebinding.example", 80)] * 4
    assert reader.web.asked == []


async def test_a_slow_drip_costs_its_deadline_and_no_more(db: Database, clock: ManualClock) -> None:
    async with reading(db, clock) as reader:
        reader.poller.fetch_limits = FetchLimits(bytes=10**9, seconds=0.2)
        assert (await reader.fault(Answer(drip=b"x")))[0] is FeedFault.TIMEOUT


async def test_a_document_that_is_never_done_costs_its_reader_and_nobody_else_anything() -> None:
    parser = FeedParser(processes=2, seconds=0.25)
    try:
        hurting = parser.parse(nested(80_000), content_type="", url="https://example.org/")
        well = parser.parse(rss("1"), content_type="", url="https://example.org/")
        found, read = await asyncio.gather(hurting, well)
        assert isinstance(found, Unreadable)
        assert (found.fault, parser.killed) == (FeedFault.HOSTILE, 1)
        assert not isinstance(read, Unreadable)
        # The next one has a reader again.
        assert not isinstance(await parser.parse(rss("1"), content_type="", url="https://x.org/"), Unreadable)
    finally:
        await parser.close()


async def test_a_document_is_not_at_fault_for_how_long_its_reader_takes_to_begin() -> None:
    # To begin takes several times as long: it is other work than the document's.
    parser = FeedParser(seconds=0.1)
    try:
        assert not isinstance(await parser.parse(rss("1"), content_type="", url="https://x.org/"), Unreadable)
        assert parser.killed == 0
    finally:
        await parser.close()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",  # noqa: S104 -- none is bound
        "255.255.255.255", "192.0.2.1", "240.0.0.1", "::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:10.0.0.1",
        "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "2001::1", "fec0::1",
    ],
)  # fmt: skip
def test_addresses_of_ones_own_are_not_asked(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8"])
def test_addresses_of_the_internet_are_asked(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("120", 120), ("Sat, 21 Nov 2026 09:01:00 GMT", 60), ("Sat, 21 Nov 2026 08:00:00 GMT", 0), ("soon", None),
     ("-5", None), ("", None), ("9" * 400, 315_360_000)],
)  # fmt: skip
def test_how_long_to_stay_away_is_said_in_two_ways(clock: ManualClock, text: str, seconds: int | None) -> None:
    assert read_retry_after(text, clock.now()) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"), [("public, max-age=600", 600), ("no-cache", None), ("max-age=x", None), ("", None)]
)
def test_how_long_an_answer_stays_true(text: str, seconds: int | None) -> None:
    assert read_max_age(text) == seconds


# The worker


async def test_the_worker_reads_what_is_due_and_what_is_added_and_few_of_one_host(
    db: Database, clock: ManualClock
) -> None:
    async with web() as served:
        for number in range(12):
            served.answers[f"/{number}"] = ok(rss("1"))
        account = await make_account(db, now=clock.now())
        made = [await make_feed(db, account, url=served.url(f"/{number}"), now=clock.now()) for number in range(8)]
        limits = PollerLimits(of_host=2, busy_seconds=0.0, look_seconds=0.02)
        poller = FeedPoller(db, clock, Guard(allowed={served.host}), limits=limits)
        running = asyncio.create_task(poller.run())

        async def have_baselines(count: int) -> bool:
            # Whoever found the host busy comes again when some time has gone by.
            clock.move(timedelta(milliseconds=20))
            async with db.read() as session:
                found = await session.rows(select(Feed).where(col(Feed.baseline_at).is_not(None)))
            return len(found) == count

        await eventually(lambda: have_baselines(8), "eight baselines")
        await make_feed(db, account, url=served.url("/8"), now=clock.now())
        await eventually(lambda: have_baselines(9), "the ninth")
        # They are stored before they are counted.
        await eventually(lambda: poller.polls == 9, "the ninth count")
        running.cancel()
        await asyncio.wait([running])

        assert served.most_at_once <= 2
        assert len(served.asked) == len(made) + 1
        # How far it is behind hangs on how often was looked.
        facts = {name: value for name, value in poller.facts().items() if name != "behindSeconds"}
        assert facts == {"reading": 0, "unstored": 0, "polls": 9, "failures": 0, "killed": 0}
        async with db.read() as session:
            assert len(await session.rows(select(Post))) == 9
            assert {one.lease_id for one in await session.rows(select(Feed))} == {None}

        # Begun again, as the supervisor does, it goes on.
        running = asyncio.create_task(poller.run())
        await make_feed(db, account, url=served.url("/9"), now=clock.now())
        await eventually(lambda: have_baselines(10), "the tenth")
        running.cancel()
        await asyncio.wait([running])


async def test_a_worker_that_is_stopped_gives_back_what_it_was_reading(db: Database, clock: ManualClock) -> None:
    async with web(feed=Answer(drip=b" ")) as served:
        account = await make_account(db, now=clock.now())
        await make_feed(db, account, url=served.url("/feed"), now=clock.now())
        limits = FetchLimits(bytes=10**9, seconds=30)
        poller = FeedPoller(db, clock, Guard(allowed={served.host}), fetch_limits=limits)
        running = asyncio.create_task(poller.run())
        await eventually(lambda: bool(served.asked), "the request")
        running.cancel()
        await asyncio.wait([running])

        async with db.transaction() as tx:
            assert len(await claim_feeds(tx, at=clock.now())) == 1
