"""The types of access: users and tokens."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from db.access import queries
from db.access.viewer import Role, TokenKind, UserKind
from db.accounts import queries as accounts
from db.practice import queries as practice
from db.social import queries as social
from db.streams import queries as streams
from schema.accounts.arguments import AccountFilter
from schema.connections import Connection
from schema.fields import LinkNode, Node, claim, column, computed, connection, enum, node, to_one, value
from schema.matches.arguments import NewestOrder
from schema.practice.arguments import GoalFilter, GoalOrder, PracticeSessionFilter
from schema.social.arguments import EntryFilter, EntryOrder, TimeOrder
from schema.streams.arguments import StreamOrder

if TYPE_CHECKING:
    from schema.accounts.types import Account
    from schema.flags.types import Flag, FlagMapping
    from schema.network.types import UDPListener
    from schema.practice.types import Goal, PracticeSession
    from schema.social.types import AmplifiedEntryConnection, Entry, FollowConnection, ResonatedEntryConnection
    from schema.streams.types import Stream

# What other domains show of a user. They show users themselves, so they are named here and found later.
LazyAccount = Annotated["Account", strawberry.lazy("schema.accounts.types")]
LazyEntry = Annotated["Entry", strawberry.lazy("schema.social.types")]
LazyFollowConnection = Annotated["FollowConnection", strawberry.lazy("schema.social.types")]
LazyResonatedEntryConnection = Annotated["ResonatedEntryConnection", strawberry.lazy("schema.social.types")]
LazyAmplifiedEntryConnection = Annotated["AmplifiedEntryConnection", strawberry.lazy("schema.social.types")]
LazyGoal = Annotated["Goal", strawberry.lazy("schema.practice.types")]
LazyPracticeSession = Annotated["PracticeSession", strawberry.lazy("schema.practice.types")]
LazyFlag = Annotated["Flag", strawberry.lazy("schema.flags.types")]
LazyFlagMapping = Annotated["FlagMapping", strawberry.lazy("schema.flags.types")]
LazyUDPListener = Annotated["UDPListener", strawberry.lazy("schema.network.types")]
LazyStream = Annotated["Stream", strawberry.lazy("schema.streams.types")]
_COUNTS = ("follower_count", "following_count", "entry_count", "dream_count", "revision")

enum(
    Role,
    "What a user may do. Each role may do all that the ones before it may.",
    VIEWER="Read.",
    MEMBER="Keep things of his own.",
    OPERATOR="Run an event.",
    ADMIN="Everything, users and tokens included.",
)
enum(
    TokenKind,
    "What a token opens.",
    API="The whole graph, as its user sees it.",
    OVERLAY="The nodes it names, to read.",
)


@value
class UserCounts:
    """What is counted of a user. It is changed together with what is counted."""

    followers: int = strawberry.field(description="How many follow the user.")
    following: int = strawberry.field(description="How many the user follows.")
    entries: int = strawberry.field(description="Public entries of the kind LOGBOOK that are not deleted.")
    dreams: int = strawberry.field(description="Public entries of the kind DREAM that are not deleted.")
    revision: int = strawberry.field(description="Raised at every change of the user: the higher is the newer.")


def _counts(*counts: int) -> UserCounts:
    followers, following, entries, dreams, revision = counts
    return UserCounts(followers=followers, following=following, entries=entries, dreams=dreams, revision=revision)


def _initials(name: str) -> str:
    words = name.split()
    return "".join(word[0] for word in dict.fromkeys((words[0], words[-1]))).upper()


@node("user", queries.user_by_id)
class User(Node):
    """Somebody who may ask, and who may write, follow and be followed."""

    username: str = column("By which he or she is found. No two users share it, whatever its case.")
    name: str = column("What he or she is called here.")
    kind: UserKind = column("Whether it is a person.")
    role: Role = column("What he or she may do.")
    bio: str = column("What he or she says of himself or herself. Empty if nothing.")
    location: str = column("Where he or she says to be. Empty if nothing is said.")
    avatar_url: str = column("The address of a picture. Empty if there is none: show the initials.")
    initials: str = computed("One or two letters of the name, for where there is no picture.", ("name",), _initials)
    counts: UserCounts = computed("What is counted of the user.", _COUNTS, _counts)
    created_at: datetime = column("When the user was made.")
    viewer_is_following: bool = claim("Whether you follow the user.", social.viewers_follow)
    is_following_viewer: bool = claim("Whether the user follows you.", social.follow_of_viewer)
    entries: Connection[LazyEntry] = connection(
        "What the user wrote, replies included, as far as it is for you. Newest first.",
        social.entries_by_author,
        order=EntryOrder,
        filter=EntryFilter,
    )
    followers: LazyFollowConnection = connection(
        "Who follows the user.",
        social.followers_by_user,
        link=LinkNode(queries.user_by_id, "follower_id"),
        order=TimeOrder,
    )
    following: LazyFollowConnection = connection(
        "Whom the user follows.",
        social.following_by_user,
        link=LinkNode(queries.user_by_id, "followed_id"),
        order=TimeOrder,
    )
    mutual_follows: LazyFollowConnection = connection(
        "Whom the user follows and is followed by.",
        social.mutual_by_user,
        link=LinkNode(queries.user_by_id, "followed_id"),
        order=TimeOrder,
    )
    resonated_entries: LazyResonatedEntryConnection = connection(
        "Entries that the user resonates with, as far as they are for you.",
        social.resonances_by_user,
        link=LinkNode(social.entry_by_id, "entry_id"),
        order=TimeOrder,
    )
    amplified_entries: LazyAmplifiedEntryConnection = connection(
        "Entries that the user amplifies, as far as they are for you.",
        social.amplifications_by_user,
        link=LinkNode(social.entry_by_id, "entry_id"),
        order=TimeOrder,
    )
    goals: Connection[LazyGoal] = connection(
        "The goals at the top of the user's trees. Empty unless they are yours or you are an admin.",
        practice.root_goals_by_owner,
        order=GoalOrder,
        filter=GoalFilter,
    )
    practice_sessions: Connection[LazyPracticeSession] = connection(
        "The user's sessions of practice. Empty unless they are yours or you are an admin.",
        practice.sessions_by_owner,
        order=NewestOrder,
        filter=PracticeSessionFilter,
    )
    streams: Connection[LazyStream] = connection("The user's streams.", streams.streams_by_owner, order=StreamOrder)
    accounts: Connection[LazyAccount] = connection(
        "The user's accounts on platforms. Empty unless they are yours or you are an admin.",
        accounts.accounts_by_owner,
        order=NewestOrder,
        filter=AccountFilter,
    )
    tokens: Connection[Token] = connection(
        "The tokens that speak for the user, newest first. Empty unless they are yours or you are an admin.",
        queries.tokens_by_user,
    )


@node("token", queries.token_by_id)
class Token(Node):
    """A token. The secret itself was shown once, when it was made, and is stored nowhere."""

    kind: TokenKind = column("What it opens.")
    label: str = column("What it is for, in its maker's words.")
    is_trusted_only: bool = column("Whether it runs the documents that were given to the server, and no others.")
    prefix: str = column("How it begins, to recognise it by.")
    created_at: datetime = column("When it was made.")
    expires_at: datetime | None = column("When it stops working. Null: never.")
    revoked_at: datetime | None = column("When it was revoked. Null if it was not.")
    last_used_at: datetime | None = column("When it was last used, to the hour. Null if never.")
    user: User = to_one("Whom it speaks for.", queries.user_by_id, key="user_id")


@value
class Viewer:
    """Who asks: what the token that came with this request stands for."""

    is_overlay: bool = strawberry.field(description="Whether it is an overlay's token, bound to a few nodes.")
    role: Role | None = strawberry.field(
        description="What it may do. Null for an overlay, which may only read its nodes."
    )
    user: User | None = strawberry.field(description="Whom it speaks for. Null for an overlay.")
