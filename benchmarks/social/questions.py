"""What is asked, of Ringside and of PostGraphile, and the one form in which their answers are compared."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from sqlalchemy import func
from sqlmodel import col, select

from benchmarks.graph import shapes
from benchmarks.graph.shapes import Ids, Manner, Shape
from benchmarks.social.dataset import COMMON_WORD, LONGEST_THREAD, RARE_WORD
from db.access.tables import User
from db.database import Database
from db.social.tables import Entry

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = 20
# What the longest of the shapes is.
THREAD_REPLIES = 1_428
THREAD_DEPTH = 11
_TAG = "topic_3"

_AUTHOR = "author { id username name avatarUrl }"
_COUNTS = "counts { resonances amplifications branches shares }"
_ENTRY = f"id kind title content createdAt {_AUTHOR} {_COUNTS} viewerHasResonated viewerHasAmplified"
_REPLY = f"id depth content createdAt {_AUTHOR} {_COUNTS}"

_THREAD = f"thread(depth: 100, branching: 1000, most: 2000) {{ {_REPLY} }}"


def _page(field: str, parameters: str = "") -> str:
    return f"query Page($first: Int!{parameters}) {{ page: {field} {{ nodes {{ {_ENTRY} }} }} }}"


RINGSIDE = {
    "home": _page("homeFeed(first: $first)"),
    "thread": f"query Thread($id: ID!) {{ entry(id: $id) {{ {_REPLY} {_THREAD} }} }}",
    "replies": f"query Replies($id: ID!) {{ entry(id: $id) {{ id {_THREAD} }} }}",
    "public": _page("publicFeed(first: $first)"),
    "trending": _page("trending(first: $first)"),
    "tag": _page("publicFeed(first: $first, filter: {tag: $tag})", ", $tag: String!"),
    "search": _page("search(first: $first, filter: {text: $words})", ", $words: String!"),
    "search-common": _page("search(first: $first, filter: {text: $words})", ", $words: String!"),
    "user": "query Somebody($username: String!, $first: Int!) { userNamed(username: $username) { id username name bio "
    "counts { followers following entries dreams } viewerIsFollowing isFollowingViewer "
    f"entries(first: $first) {{ nodes {{ {_ENTRY} }} }} }} }}",
}

_PEER_AUTHOR = "author: userByAuthorId { id: rowId username name avatarUrl }"
_PEER_COUNTS = "resonances: resonanceCount amplifications: amplificationCount branches: branchCount shares: shareCount"
_PEER_FLAGS = "viewerHasResonated(viewerId: $viewer) viewerHasAmplified(viewerId: $viewer)"
_PEER_REPLY = f"id: rowId depth content createdAt {_PEER_AUTHOR} {_PEER_COUNTS}"

POSTGRAPHILE = {
    "home": "query Page($viewer: UUID!, $first: Int!) { page: homeFeedList(viewerId: $viewer, most: $first) "
    f"{{ id: rowId kind title content createdAt {_PEER_AUTHOR} {_PEER_COUNTS} {_PEER_FLAGS} }} }}",
    "thread": f"query Thread($id: UUID!) {{ entry: entryByRowId(rowId: $id) {{ {_PEER_REPLY} "
    f"thread: entriesByRootIdList(orderBy: [PATH_ASC]) {{ {_PEER_REPLY} }} }} }}",
}
# What both can say is loaded with many connections, too.
COMPARED = tuple(POSTGRAPHILE)
# Hardly another load than the thread.
INSIDE_ALONE = ("replies",)

SHAPES = {
    shape.name: shape
    for shape in (
        Shape(name="home", title=f"the home feed: {PAGE} entries with author, counts and the viewer's marks"),
        Shape(name="thread", title="a thread of 1,429 entries, 11 deep, with authors and counts"),
        Shape(name="replies", title="the same, without anything of the root"),
        Shape(name="public", title=f"the feed of everybody: {PAGE} entries, as in the home feed"),
        Shape(name="trending", title=f"what is trending: {PAGE} entries, as in the home feed"),
        Shape(name="tag", title=f"what has a tag: {PAGE} entries, as in the home feed"),
        Shape(name="search", title=f"what has a word that is rare: {PAGE} entries of some 500"),
        Shape(name="search-common", title=f"what has a word that is common: {PAGE} entries of a good part of all"),
        Shape(name="user", title=f"somebody's page: he and {PAGE} entries of his"),
    )
}


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Somebody whose home feed is asked for: he follows so many."""

    id: UUID
    following: int


@dataclass(frozen=True, kw_only=True)
class Subjects:
    """What is asked for."""

    readers: list[Reader]
    thread: UUID
    username: str
    # Whom everybody likes.
    hottest: UUID


async def find_subjects(db: Database, followed: tuple[int, ...]) -> Subjects:
    """Find readers who follow about so many, and the one who follows most; and what else is asked for."""
    following, number = col(User.following_count), func.max(col(User.following_count))
    async with db.read() as session:
        most = await session.scalar(select(number))
        readers = []
        for wanted in (*(few for few in followed if few < most), most):
            enough = select(User).where(following >= wanted).order_by(following, col(User.id)).limit(1)
            found = (await session.rows(enough))[0]
            readers.append(Reader(id=found.id, following=found.following_count))
        popular = select(User).order_by(col(User.follower_count).desc(), col(User.id)).limit(1)
        liked = select(Entry).where(col(Entry.depth) == 0).order_by(col(Entry.resonance_count).desc(), col(Entry.id))
        return Subjects(
            readers=readers,
            thread=LONGEST_THREAD,
            username=(await session.rows(popular))[0].username,
            hottest=(await session.rows(liked.limit(1)))[0].id,
        )


@dataclass(frozen=True, kw_only=True)
class Asking(Manner):
    """How a peer is asked on behalf of a reader."""

    subjects: Subjects
    reader: Reader

    def bodies(self, shape: Shape, ids: Ids) -> list[bytes]:
        """Return the one request of a shape."""
        del ids
        thread = f"entry_{self.subjects.thread.hex}" if self.has_opaque_ids else str(self.subjects.thread)
        variables: dict[str, Mapping[str, Any]] = {
            "home": {"first": PAGE} if self.has_opaque_ids else {"first": PAGE, "viewer": str(self.reader.id)},
            "thread": {"id": thread},
            "replies": {"id": thread},
            "tag": {"first": PAGE, "tag": _TAG},
            "search": {"first": PAGE, "words": f"{RARE_WORD}7"},
            "search-common": {"first": PAGE, "words": COMMON_WORD},
            "user": {"first": PAGE, "username": self.subjects.username},
        }
        return [self._body(shape, dict(variables.get(shape.name, {"first": PAGE})))]


def said(answer: bytes) -> Any:
    """Return what an answer says, in the form that Ringside gives it, without what only one of them tells."""
    return _same_form(shapes.canonical(answer))


def is_whole(shape: Shape, answer: Any) -> bool:
    """Say whether there is as much in an answer as was asked for."""
    if shape.name in {"thread", "replies"}:
        replies = answer["entry"]["thread"]
        return len(replies) == THREAD_REPLIES and max(reply["depth"] for reply in replies) == THREAD_DEPTH
    entries = answer["userNamed"]["entries"] if shape.name == "user" else answer["page"]
    return len(entries) == PAGE


def _same_form(value: Any) -> Any:
    if isinstance(value, list):
        return [_same_form(one) for one in value]
    if not isinstance(value, dict):
        return value
    form = {name: _same_form(one) for name, one in value.items()}
    if "resonances" in form and "counts" not in form and "author" in form:
        names = ("resonances", "amplifications", "branches", "shares")
        form["counts"] = {name: int(form.pop(name)) for name in names}
    if "thread" in form:
        # PostGraphile lists the root among them.
        form["thread"] = [reply for reply in form["thread"] if reply["depth"] > 0]
    return form


def body(document: str, **variables: Any) -> bytes:
    """Return a request."""
    return orjson.dumps({"query": document, "variables": variables})
