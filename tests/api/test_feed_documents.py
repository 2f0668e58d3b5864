"""Feeds as they are written, well and badly: what is read, what is refused, and that nothing breaks the reader."""

from datetime import UTC, datetime

import feedparser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.workers.feed_documents import Discovered, Document, Unreadable, parse
from db.accounts.entries import Entry, choose_new
from db.accounts.vocabulary import FeedFault
from tests.support.feed_files import atom, entity_bomb, items, json_feed, page, rss

URL = "https://example.org/blog/feed"


def read(body: bytes, content_type: str = "application/xml", **more: int) -> Document:
    found = parse(body, content_type=content_type, url=URL, **more)
    assert isinstance(found, Document), found
    return found


def fault(body: bytes, content_type: str = "application/xml") -> FeedFault:
    found = parse(body, content_type=content_type, url=URL)
    assert isinstance(found, Unreadable), found
    assert found.error.endswith(".")
    return found.fault


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(rss("2", "1"), "application/rss+xml"), (atom("2", "1"), "application/atom+xml"), (json_feed("2", "1"), "")],
    ids=["RSS", "Atom", "JSON Feed"],
)
def test_feeds_are_read_whatever_they_are_written_in(body: bytes, content_type: str) -> None:
    found = read(body, content_type)

    assert found.title == "Videos"
    assert [(one.guid, one.url, one.title) for one in found.entries] == [
        (name, f"https://example.org/posts/{name}", f"Post {name}") for name in ("2", "1")
    ]


@pytest.mark.parametrize(
    ("date", "instant"),
    [
        ("Sat, 21 Nov 2026 10:00:00 +0100", datetime(2026, 11, 21, 9, tzinfo=UTC)),
        ("Sat, 21 Nov 2026 10:00:00 GMT", datetime(2026, 11, 21, 10, tzinfo=UTC)),
        ("2026-11-21T10:00:00Z", datetime(2026, 11, 21, 10, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates_are_read_with_their_zones_and_may_be_missing(date: str, instant: datetime | None) -> None:
    assert read(rss("1", date=date)).entries[0].published_at == instant


def test_without_ids_and_addresses_entries_are_still_told_apart() -> None:
    found = read(rss(items=items("<title>One</title>", "<title>Two</title>", "<title>One</title>")))

    assert len(found.entries) == 3
    assert len(choose_new(found.entries, {})) == 2


def test_what_is_written_wrongly_is_read_as_far_as_it_goes() -> None:
    cut = rss("2", "1")[:-40]
    assert [one.guid for one in read(cut).entries][:1] == ["2"]
    assert read(cut).warning == "It is written wrongly: SAXParseException."
    assert [one.guid for one in read(b"\n\n  " + rss("1")).entries] == ["1"]


@pytest.mark.parametrize(
    "body",
    [
        rss("ä").replace(b"utf-8", b"us-ascii"),
        rss("ä").decode().replace("utf-8", "iso-8859-1").encode("iso-8859-1"),
        rss("ä").decode().replace("utf-8", "utf-16").encode("utf-16"),
    ],
    ids=["not the one it says", "Latin", "two bytes each"],
)
def test_encodings_are_found_out(body: bytes) -> None:
    assert [one.title for one in read(body).entries] == ["Post ä"]


def test_a_page_names_its_feed() -> None:
    found = parse(page("/feed.xml", "https://example.org/comments"), content_type="text/html", url=URL)

    assert found == Discovered("https://example.org/feed.xml")


@pytest.mark.parametrize("link", [URL, "javascript:alert(1)", "file:///etc/passwd", "http://[", ""])
def test_a_page_that_names_nothing_of_the_web_names_no_feed(link: str) -> None:
    assert fault(page(link), "text/html") is FeedFault.NOT_A_FEED


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", FeedFault.EMPTY),
        (b" \n ", FeedFault.EMPTY),
        (b"hello", FeedFault.NOT_A_FEED),
        (b"<svg/>", FeedFault.NOT_A_FEED),
        (b"{", FeedFault.NOT_A_FEED),
        (b'{"version": 1, "items": []}', FeedFault.NOT_A_FEED),
        (b'{"version": "https://jsonfeed.org/version/1.1", "items": {}}', FeedFault.NOT_A_FEED),
        (b'{"items": ' + b"[" * 100_000, FeedFault.NOT_A_FEED),
        (page(), FeedFault.NOT_A_FEED),
        (entity_bomb(), FeedFault.HOSTILE),
        (entity_bomb().decode().encode("utf-16"), FeedFault.HOSTILE),
        (b"\x00\xff" * 50, FeedFault.NOT_A_FEED),
    ],
)
def test_what_is_no_feed_says_why(body: bytes, said: FeedFault) -> None:
    assert fault(body) is said


def test_the_name_of_a_file_is_not_opened() -> None:
    assert fault(__file__.encode()) is FeedFault.NOT_A_FEED


def test_addresses_are_made_whole_and_others_than_of_the_web_left_out() -> None:
    links = ("../posts/1", "//example.com/2", "javascript:alert(1)", "data:text/html,x", "http://[")
    found = read(rss(items=items(*(f"<title>x</title><link>{link}</link>" for link in links))))

    assert [one.url for one in found.entries] == ["https://example.org/posts/1", "https://example.com/2", "", "", ""]


def test_ids_stay_as_they_are_written_wherever_the_feed_moves() -> None:
    first, moved = (
        parse(rss("1"), content_type="", url=url) for url in (URL, "https://example.com/elsewhere/feed.xml")
    )

    assert isinstance(first, Document)
    assert isinstance(moved, Document)
    assert [one.guid for one in first.entries] == [one.guid for one in moved.entries] == ["1"]


def test_titles_are_one_line_without_tags_and_hold_nothing_that_cannot_be_stored() -> None:
    written = "<title>&lt;b&gt;Fish&lt;/b&gt; &amp;amp;\n  Chips</title>"
    assert read(rss(items=items(written))).entries[0].title == "Fish & Chips"
    body = b'{"version":"https://jsonfeed.org/version/1","items":[{"id":7,"title":"a\\u0000b' + b"x" * 600 + b'"}]}'
    (one,) = read(body).entries
    assert (one.guid, one.title[:3], len(one.title)) == ("7", "abx", 500)


def test_of_more_entries_than_are_read_the_newest_are() -> None:
    dated = [f"<guid>{n}</guid><pubDate>{n:02} Nov 2026 10:00:00 GMT</pubDate>" for n in range(1, 10)]

    assert [one.guid for one in read(rss(items=items(*dated)), most=3).entries] == ["7", "8", "9"]
    assert [one.guid for one in read(rss(*"987654321"), most=3).entries] == ["9", "8", "7"]


def test_how_long_a_feed_wants_to_be_left_alone() -> None:
    body = rss("1").replace(b"<title>Videos", b"<ttl>90</ttl><title>Videos")
    assert read(body).hint == 5400
    assert read(rss("1")).hint is None


@given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(lambda text: rss(items=items(text)))))
def test_nothing_breaks_the_reader(body: bytes) -> None:
    found = parse(body, content_type="text/xml; charset=utf-8", url=URL)

    if isinstance(found, Document):
        for one in found.entries:
            assert isinstance(one, Entry)
            (one.guid + one.title + one.url).encode()
            assert "\x00" not in one.guid + one.title + one.url


def test_feedparser_is_the_one_that_was_looked_at() -> None:
    # What it does with text, entities and defects changes from one to the next.
    assert feedparser.__version__.startswith("6.0.")
