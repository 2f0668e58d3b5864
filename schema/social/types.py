"""The types of the social graph: entries, what is counted of them, and the edges of who did what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from db.access.queries import user_by_id
from db.social import queries
from db.social.drafts import METRICS
from schema.access.types import User
from schema.connections import Connection, Edge, write_cursor
from schema.fields import LinkNode, Node, claim, column, computed, connection, node, to_node, to_one, value, walk
from schema.social.arguments import ReplyOrder, TimeOrder
from schema.social.subjects import SUBJECTS
from schema.social.vocabulary import EntryKind, EntryPrivacy

_COUNTS = ("resonance_count", "amplification_count", "branch_count", "share_count", "revision")
TO_ENTRY = LinkNode(queries.entry_by_id, "entry_id")
TO_USER = LinkNode(user_by_id, "user_id")
TO_FOLLOWER = LinkNode(user_by_id, "follower_id")
TO_FOLLOWED = LinkNode(user_by_id, "followed_id")


@value
class EntryCounts:
    """What is counted of an entry. It is changed together with what is counted."""

    resonances: int = strawberry.field(description="How many resonate with it.")
    amplifications: int = strawberry.field(description="How many amplify it.")
    branches: int = strawberry.field(description="Replies to it that are not deleted, and seen by all who see it.")
    shares: int = strawberry.field(description="How often it was passed on.")
    revision: int = strawberry.field(description="Raised by one at every change of the entry: the higher is the newer.")


@value
class EntryMetrics:
    """What its author measured of an entry, each from 0 to 1."""

    clarity: float = strawberry.field(description="How clear it is.")
    resonance: float = strawberry.field(description="How much it resonates.")
    coherence: float = strawberry.field(description="How well it hangs together.")


def _counts(*counts: int) -> EntryCounts:
    resonances, amplifications, branches, shares, revision = counts
    return EntryCounts(
        resonances=resonances, amplifications=amplifications, branches=branches, shares=shares, revision=revision
    )


def _metrics(record: dict[str, Any]) -> EntryMetrics:
    return EntryMetrics(**{**METRICS, **record})


def _is_deleted(deleted_at: datetime | None) -> bool:
    return deleted_at is not None


@node("entry", queries.entry_by_id)
class Entry(Node):
    """Something that somebody wrote: the root of a thread, or a reply in one."""

    kind: EntryKind = column("What it is.")
    label: str = column("What sort of it, in its author's words, such as `Lucid Processing`. Empty if he said nothing.")
    title: str = column("Its title. Empty if it has none.")
    content: str = column("What it says. Empty once it was deleted.")
    tags: list[str] = column("What it is tagged with, in small letters.")
    agent: str = column("Who or what wrote it, in its author's words. Empty if he said nothing.")
    metrics: EntryMetrics = computed("What its author measured of it.", ("metrics",), _metrics)
    privacy: EntryPrivacy = column("Who sees it, of those who see the root of its thread.")
    depth: int = column("How many replies it stands below the root: 0 for the root itself.")
    counts: EntryCounts = computed("What is counted of it.", _COUNTS, _counts)
    created_at: datetime = column("When it was written.")
    changed_at: datetime = column("When its author last changed it.")
    is_deleted: bool = computed("Whether it was deleted, and only keeps its place.", ("deleted_at",), _is_deleted)
    deleted_at: datetime | None = column("When it was deleted. Null if it was not.")
    reply_cursor: str = computed(
        "Its place among the replies of its parent: give it to `replies(after:)` to go on from here.",
        ("branch_order", "id"),
        lambda branch_order, id: write_cursor((branch_order, id)),
    )
    author: User = to_one("Who wrote it.", user_by_id, key="author_id")
    subject: Node | None = to_node(
        "What it is about: a stream, a goal of a stream, a match or a tournament. Null if it is about nothing in "
        "particular, or that is gone.",
        SUBJECTS.values(),
        key="subject_id",
    )
    parent: Entry | None = to_one(
        "What it replies to. Null for a root, or if that is not for you.", queries.entry_by_id, key="parent_id"
    )
    root: Entry = to_one("Where its thread begins; itself, if it is there.", queries.entry_by_id, key="root_id")
    replies: Connection[Entry] = connection(
        "The replies to it, those included that were deleted and keep their place.",
        queries.replies_by_entry,
        order=ReplyOrder,
    )
    ancestors: list[Entry] = walk(
        "What it replies to, and what that replies to: the root first, the nearest last. Empty for a root.",
        queries.ancestors,
        most="How many, the nearest of them.",
    )
    thread: list[Entry] = walk(
        "The replies to it and those to them, each before those to it, as they are read from top to bottom. Nearer "
        "ones first come into `most`. Where `counts.branches` says that there are more, go on with `replies`, after "
        "the `replyCursor` of the last one that is here.",
        queries.thread,
        depth="How many levels below it.",
        branching="How many replies to each, the first of them.",
        most="How many replies altogether.",
    )
    resonances: ResonanceConnection = connection(
        "Who resonates with it.", queries.resonances_by_entry, link=TO_USER, order=TimeOrder
    )
    amplifications: AmplificationConnection = connection(
        "Who amplifies it.", queries.amplifications_by_entry, link=TO_USER, order=TimeOrder
    )
    viewer_has_resonated: bool = claim("Whether you resonate with it.", queries.viewers_resonance)
    viewer_has_amplified: bool = claim("Whether you amplify it.", queries.viewers_amplification)
    viewer_can_edit: bool = claim("Whether you may change it.", queries.editable)
    viewer_can_delete: bool = claim("Whether you may delete it.", queries.deletable)
    viewer_can_reply: bool = claim("Whether you may reply to it.", queries.answerable)


@strawberry.type(description="Somebody who resonates with an entry, and his place.")
class ResonanceEdge(Edge[User]):
    """Somebody who resonates with an entry."""

    resonated_at: datetime = column("Since when.", "created_at")


@strawberry.type(description="A page of those who resonate with an entry.")
class ResonanceConnection(Connection[User]):
    """A page of those who resonate with an entry."""

    edges: list[ResonanceEdge] = strawberry.field(  # type: ignore[assignment]  # a narrower edge
        description="They, with their cursors."
    )


@strawberry.type(description="Somebody who amplifies an entry, and his place.")
class AmplificationEdge(Edge[User]):
    """Somebody who amplifies an entry."""

    amplified_at: datetime = column("Since when.", "created_at")


@strawberry.type(description="A page of those who amplify an entry.")
class AmplificationConnection(Connection[User]):
    """A page of those who amplify an entry."""

    edges: list[AmplificationEdge] = strawberry.field(  # type: ignore[assignment]  # a narrower edge
        description="They, with their cursors."
    )


@strawberry.type(description="An entry that a user resonates with, and its place.")
class ResonatedEntryEdge(Edge[Entry]):
    """An entry that a user resonates with."""

    resonated_at: datetime = column("Since when.", "created_at")


@strawberry.type(description="A page of entries that a user resonates with.")
class ResonatedEntryConnection(Connection[Entry]):
    """A page of entries that a user resonates with."""

    edges: list[ResonatedEntryEdge] = strawberry.field(  # type: ignore[assignment]  # a narrower edge
        description="They, with their cursors."
    )


@strawberry.type(description="An entry that a user amplifies, and its place.")
class AmplifiedEntryEdge(Edge[Entry]):
    """An entry that a user amplifies."""

    amplified_at: datetime = column("Since when.", "created_at")


@strawberry.type(description="A page of entries that a user amplifies.")
class AmplifiedEntryConnection(Connection[Entry]):
    """A page of entries that a user amplifies."""

    edges: list[AmplifiedEntryEdge] = strawberry.field(  # type: ignore[assignment]  # a narrower edge
        description="They, with their cursors."
    )


@strawberry.type(description="Somebody at one end of a follow, and his place.")
class FollowEdge(Edge[User]):
    """Somebody at one end of a follow."""

    followed_at: datetime = column("Since when.", "created_at")


@strawberry.type(description="A page of those who follow, or are followed.")
class FollowConnection(Connection[User]):
    """A page of those who follow, or are followed."""

    edges: list[FollowEdge] = strawberry.field(  # type: ignore[assignment]  # a narrower edge
        description="They, with their cursors."
    )
