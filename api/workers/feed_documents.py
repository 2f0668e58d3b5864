"""Feeds as they are written: RSS, Atom, JSON Feed, and pages that name a feed. Read purely; nothing here raises."""

import calendar
import hashlib
import html
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import feedparser
import orjson

from db.accounts.entries import LONGEST_TITLE, LONGEST_URL, Entry
from db.accounts.vocabulary import FeedFault

MOST_ENTRIES = 300
_LONGEST_GUID = 2000
_LONGEST_DIGESTED = 20_000
_TAG = re.compile(r"<[^>]*>")
_SPACE = re.compile(r"\s+")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_HTML = re.compile(rb"^(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)*(<!doctype\s+html|<html[\s>])", re.IGNORECASE | re.DOTALL)
_ENTITY = re.compile(rb"<!\s*ENTITY", re.IGNORECASE)
_FEED_TYPES = ("application/rss+xml", "application/atom+xml", "application/feed+json", "application/json")
_HEAD = 512 * 1024


@dataclass(frozen=True, kw_only=True)
class Document:
    """A feed that was read. `hint` is how many seconds it wants to be left alone; `warning` what is wrong with it."""

    title: str
    entries: Sequence[Entry]
    hint: int | None = None
    warning: str = ""


@dataclass(frozen=True)
class Discovered:
    """A page that names a feed."""

    url: str


@dataclass(frozen=True)
class Unreadable:
    """What is no feed, and why."""

    fault: FeedFault
    error: str


Parsed = Document | Discovered | Unreadable


def parse(body: bytes, *, content_type: str, url: str, most: int = MOST_ENTRIES) -> Parsed:
    """Read a document that came from `url`. Raises nothing of its own, however wrong it is."""
    if not body.strip():
        return Unreadable(FeedFault.EMPTY, "The answer is empty.")
    if body.lstrip()[:1] == b"{":
        return _json_feed(body, url, most)
    if _HTML.match(body[:_HEAD]):
        return _discover(body, url)
    # A text of 600 bytes can come to a million characters so. In UTF-16 each second byte is nothing.
    if _ENTITY.search(body) or _ENTITY.search(body.replace(b"\0", b"")):
        return Unreadable(FeedFault.HOSTILE, "It declares entities of its own, which no feed needs.")
    return _xml_feed(body, content_type, url, most)


def _xml_feed(body: bytes, content_type: str, url: str, most: int) -> Parsed:
    # Not the address: ids that look like parts of one would be made whole by it, and be others where it moves.
    headers = {"content-type": content_type}
    try:
        # Bytes, never text: it would take that for the name of a file.
        found = feedparser.parse(io.BytesIO(body), response_headers=headers, sanitize_html=False)
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError) as error:
        return Unreadable(FeedFault.NOT_A_FEED, f"It cannot be read: {type(error).__name__}.")
    entries = [_entry(one, url) for one in found.entries]
    if not found.get("version") and not entries:
        return Unreadable(FeedFault.NOT_A_FEED, "There is no feed at this address, and no page that names one.")
    warning = type(found.bozo_exception).__name__ if found.bozo and "bozo_exception" in found else ""
    return Document(
        title=_clean(str(found.feed.get("title", "")), LONGEST_TITLE),
        entries=_newest(entries, most),
        hint=_minutes(found.feed.get("ttl")),
        warning=f"It is written wrongly: {warning}." if warning and warning not in _HARMLESS else "",
    )


def _entry(found: Any, base: str) -> Entry:
    content = "".join(str(part.get("value", "")) for part in found.get("content", ()))
    return Entry(
        guid=_plain(str(found.get("id", "")), _LONGEST_GUID),
        url=_web_url(str(found.get("link", "")), base),
        title=_clean(str(found.get("title", "")), LONGEST_TITLE),
        digest=_digest(str(found.get("summary", "")), content),
        published_at=_first_time(found),
    )


def _first_time(found: Any) -> datetime | None:
    for name in ("published_parsed", "created_parsed", "updated_parsed"):
        value = found.get(name) if name in found else None
        if value is not None:
            try:
                return datetime.fromtimestamp(calendar.timegm(value), UTC)
            except (OverflowError, ValueError, OSError, TypeError):
                return None
    return None


def _json_feed(body: bytes, url: str, most: int) -> Parsed:
    try:
        found = orjson.loads(body.lstrip())
    except orjson.JSONDecodeError:
        return Unreadable(FeedFault.NOT_A_FEED, "It is written as JSON is, and is none.")
    version, items = found.get("version"), found.get("items")
    if not isinstance(version, str) or "jsonfeed.org" not in version or not isinstance(items, list):
        return Unreadable(FeedFault.NOT_A_FEED, "It is JSON, and no JSON Feed.")
    entries = [_json_entry(one, url) for one in items if isinstance(one, dict)]
    return Document(title=_clean(_said(found, "title"), LONGEST_TITLE), entries=_newest(entries, most))


def _json_entry(found: dict[str, Any], base: str) -> Entry:
    return Entry(
        guid=_plain(_said(found, "id"), _LONGEST_GUID),
        url=_web_url(_said(found, "url") or _said(found, "external_url"), base),
        title=_clean(_said(found, "title"), LONGEST_TITLE),
        digest=_digest(_said(found, "content_text"), _said(found, "content_html")),
        published_at=_instant(_said(found, "date_published")),
    )


def _said(found: dict[str, Any], name: str) -> str:
    value = found.get(name)
    # Some write ids as numbers.
    is_said = isinstance(value, str | int | float) and not isinstance(value, bool)
    return str(value) if is_said else ""


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


class _Links(HTMLParser):
    """Finds the feeds that a page names in its head."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at a tag."""
        given = {name: value or "" for name, value in attrs}
        is_feed = given.get("type", "").partition(";")[0].strip().lower() in _FEED_TYPES
        if tag == "link" and "alternate" in given.get("rel", "").lower().split() and is_feed and given.get("href"):
            self.found.append(given["href"])


def _discover(body: bytes, url: str) -> Parsed:
    links = _Links()
    try:
        links.feed(body[:_HEAD].decode("utf-8", "replace"))
    except (ValueError, AssertionError, RecursionError):
        links.found = []
    addresses = [address for address in (_web_url(one, url) for one in links.found) if address and address != url]
    if not addresses:
        return Unreadable(FeedFault.NOT_A_FEED, "It is a page that names no feed.")
    return Discovered(addresses[0])


def _newest(entries: Sequence[Entry], most: int) -> Sequence[Entry]:
    """Return no more than so many: the newest where all have dates, and those that come first where not."""
    if len(entries) <= most or any(one.published_at is None for one in entries):
        return entries[:most]
    by_date = sorted(range(len(entries)), key=lambda place: (entries[place].published_at, -place), reverse=True)
    chosen = set(by_date[:most])
    return [one for place, one in enumerate(entries) if place in chosen]


def _web_url(text: str, base: str) -> str:
    """Return an address of the web, made whole; "" for anything else."""
    text = _plain(text.strip(), LONGEST_URL + 1)
    if not text:
        return ""
    try:
        whole = urljoin(base, text)
        parts = urlsplit(whole)
    except ValueError:
        return ""
    is_web = parts.scheme in {"http", "https"} and parts.netloc
    return whole if is_web and len(whole) <= LONGEST_URL and whole.isprintable() else ""


def _clean(text: str, longest: int) -> str:
    """Return a text as it is read: without tags, in one line."""
    return _plain(_SPACE.sub(" ", html.unescape(_TAG.sub("", text[: 8 * longest]))).strip(), longest)


def _plain(text: str, longest: int) -> str:
    return _UNSTORABLE.sub("", text)[:longest]


def _digest(*texts: str) -> str:
    text = "\n".join(one[:_LONGEST_DIGESTED] for one in texts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() if text.strip() else ""


def _minutes(text: Any) -> int | None:
    value = str(text).strip() if text is not None else ""
    return int(value) * 60 if value.isascii() and value.isdecimal() and len(value) < 6 else None  # noqa: PLR2004 -- longer than any pause


# What feedparser minds and readers need not know.
_HARMLESS = {"CharacterEncodingOverride", "NonXMLContentType"}
