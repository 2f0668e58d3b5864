"""What can be asked about users and their entries."""

from typing import Annotated

import strawberry

from db.access.queries import user_by_id
from db.social import queries
from db.social.searching import MOST_FOUND
from schema.access.types import User
from schema.connections import Connection
from schema.context import Asked
from schema.fields import Demand, connection, lookup
from schema.social.arguments import EntryFilter, EntryOrder, EntrySearchFilter, TimeOrder
from schema.social.types import Entry


@strawberry.type
class SocialQueries:
    """What can be asked about users and their entries."""

    user: User | None = lookup("One user. Null if there is none.", "user", user_by_id, demand=Demand(None))
    entry: Entry | None = lookup(
        "One entry, also one that was deleted and keeps its place. Null if there is none, or it is not for you.",
        "entry",
        queries.entry_by_id,
        demand=Demand(None),
    )

    public_feed: Connection[Entry] = connection(
        "What everybody may read, without replies.",
        queries.public_feed,
        key=None,
        order=EntryOrder,
        filter=EntryFilter,
        demand=Demand(None),
    )
    trending: Connection[Entry] = connection(
        "What everybody may read, without replies: the most marked first, as far as it is young enough.",
        queries.trending,
        key=None,
        filter=EntryFilter,
        demand=Demand(None),
    )
    home_feed: Connection[Entry] = connection(
        "What those wrote whom you follow, without replies, as far as it is for you.",
        queries.home_feed,
        key=None,
        order=TimeOrder,
        filter=EntryFilter,
        demand=Demand(None),
    )

    search: Connection[Entry] = connection(
        "Entries with some words, replies included, as far as they are for you: if there are more than "
        f"{MOST_FOUND:,}, the newest of them, whatever the order. For words that are very common, only entries of late "
        "are looked at.",
        queries.found_entries,
        key=None,
        order=EntryOrder,
        filter=EntrySearchFilter,
        needs_filter=True,
        demand=Demand(None),
    )

    @strawberry.field(
        description="The user of a username, whatever its case. Null if there is none.", extensions=[Demand(None)]
    )
    async def user_named(
        self, info: Asked, username: Annotated[str, strawberry.argument(description="The username.")]
    ) -> User | None:
        """Find a user."""
        return await info.context.loaders.one(queries.user_by_username, username.strip().lower())  # type: ignore[no-any-return]  # a row stands for its type
