"""What can be watched of users and their entries: new entries as they come, and what is counted."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import strawberry

from db.access.queries import user_by_id
from db.batches import LARGEST_PAGE, Page, Position
from db.bus import Lagged
from db.errors import NotFound
from db.social import queries
from db.social.events import ALL_ENTRIES, EntryChanged
from db.social.events import EntryAdded as EntryNews
from db.social.events import UserCountsChanged as UserChange
from schema.access.types import User
from schema.context import Asked, Context
from schema.fields import Demand, filter_values
from schema.ids import decode_id
from schema.live.sources import Feed, State, feed, state
from schema.social.arguments import EntryFilter
from schema.social.types import Entry


@strawberry.type(description="An entry that was written.")
class EntryAdded:
    """An entry that was written."""

    entry: Entry = strawberry.field(description="The entry.")
    cursor: str = strawberry.field(
        description="Its place: give it to `after` to go on from here, after any interruption."
    )


@strawberry.type(description="An entry as it is.")
class EntryCountsChanged:
    """An entry as it is."""

    entry: Entry | None = strawberry.field(
        description="The entry with what is counted of it. Null while it is not for you."
    )


@strawberry.type(description="A user as he or she is.")
class UserCountsChanged:
    """A user as he or she is."""

    user: User | None = strawberry.field(
        description="The user with what is counted. Null if there is no such user any more."
    )


@dataclass(frozen=True, kw_only=True)
class EntryFeed(Feed[EntryNews, Any]):
    """All entries that a viewer sees and that fit a filter, in the order of their commits.

    News says only that there is something: what it is, and whether it is for the viewer, the database says.
    """

    wanted: Mapping[str, Any] = field(default_factory=dict)

    async def beginning(self, context: Context) -> Position | None:
        """Begin with what comes next: there may be a million entries before."""
        async with context.db.read() as session:
            page = Page(limit=1, is_backward=True)
            found = await queries.entry_numbers.read(session, context.viewer, [None], page, self._order, {})
        return self.place(found[None].rows[0]) if found else (0,)

    async def is_beyond(self, context: Context, place: Position) -> bool:  # noqa: ARG002 -- for feeds that ask the database
        """Say no: an entry that is the last may be nobody's to see any more."""
        return False

    async def page(self, context: Context, place: Position | None) -> tuple[list[Any], bool]:
        """Read the entries behind a place, and whether there are more."""
        page = Page(limit=LARGEST_PAGE, after=place)
        async with context.db.read() as session:
            found = await self.batch.read(session, context.viewer, [None], page, self._order, self.wanted)
        return (found[None].rows, found[None].has_more) if found else ([], False)

    async def follow(self, context: Context, place: Position | None) -> AsyncGenerator[Any, None]:
        """Yield every entry behind a place, as soon as it is told that there is another."""
        with context.db.bus.listen(self.topic, of=self.of, latest_only=True) as heard:
            while True:
                async for entry in self._history(context, place):
                    place = self.place(entry)
                    yield entry
                try:
                    await anext(heard)
                except StopAsyncIteration:
                    return
                except Lagged:
                    # What was missed is read now, as everything is.
                    continue

    @property
    def _order(self) -> Any:
        return self.batch.order(self.order)


@dataclass(frozen=True, kw_only=True)
class EntryState(State[EntryChanged, Any]):
    """An entry as one viewer sees it: with each change it is asked again whether he does."""

    async def values(self, context: Context) -> AsyncGenerator[Any, None]:
        """Yield the present, then what is newer, and nothing while the entry is not for the viewer."""
        with context.db.bus.listen(self.topic, of=self.of, latest_only=True) as heard:
            shown = await self.read(context)
            yield shown
            while True:
                try:
                    await anext(heard)
                except StopAsyncIteration:
                    return
                except Lagged:
                    shown = await self.read_again(context)
                    yield shown
                    continue
                value = await self.read_again(context)
                if (value is None) != (shown is None) or (value is not None and value.revision > shown.revision):
                    shown = value
                    yield value


@strawberry.type
class SocialSubscriptions:
    """What can be watched of users and their entries."""

    @feed(
        EntryAdded,
        "Every entry that is for you, replies included, as it is written: those after `after` first. It has no first "
        "message of its own. Whoever falls behind is told so by an error with the code LAGGED, and goes on from the "
        "cursor in its `after`.",
        demand=Demand(None),
        is_personal=True,
        begins="what comes next",
    )
    async def entry_added(
        self,
        info: Asked,  # noqa: ARG002 -- every resolver is told
        filter: Annotated[
            EntryFilter | None, strawberry.argument(description="Only entries that fit all that is given here.")
        ] = None,
    ) -> Feed[EntryNews, Any]:
        """New entries."""
        return EntryFeed(
            topic=ALL_ENTRIES,
            of=EntryNews,
            batch=queries.entries_as_committed,
            order="COMMITTED",
            entries=lambda added: [added.entry],
            happened_at=lambda entry: entry.created_at,
            show=lambda entry, cursor: EntryAdded(entry=entry, cursor=cursor),
            wanted=filter_values(filter),
        )

    @state(
        EntryCountsChanged,
        "An entry with what is counted of it, as it is now, then after every change. Whoever is slow gets the latest, "
        "not the backlog.",
        demand=Demand(None),
        is_personal=True,
    )
    async def entry_counts_changed(
        self, info: Asked, entry_id: Annotated[strawberry.ID, strawberry.argument(description="The entry.")]
    ) -> State[EntryChanged, Any]:
        """The counts of an entry."""
        id = decode_id(entry_id, kind="entry", field="entry_id")
        if await info.context.loaders.one(queries.entry_by_id, id) is None:
            raise NotFound("There is no such entry.", field="entry_id")
        return EntryState(
            topic=id,
            of=EntryChanged,
            read=partial(_present, batch=queries.entry_by_id, id=id),
            show=lambda row, _: EntryCountsChanged(entry=row),
        )

    @state(
        UserCountsChanged,
        "A user with what is counted of him or her, as it is now, then after every change. Whoever is slow gets the "
        "latest, not the backlog.",
        demand=Demand(None),
    )
    async def user_counts_changed(
        self, info: Asked, user_id: Annotated[strawberry.ID, strawberry.argument(description="The user.")]
    ) -> State[UserChange, Any]:
        """The counts of a user."""
        id = decode_id(user_id, kind="user", field="user_id")
        if await info.context.loaders.one(user_by_id, id) is None:
            raise NotFound("There is no such user.", field="user_id")
        return State(
            topic=id,
            of=UserChange,
            read=partial(_present, batch=user_by_id, id=id),
            after=lambda change: change.user,
            is_news=lambda heard, shown: shown is None or heard.revision > shown.revision,
            show=lambda row, _: UserCountsChanged(user=row),
        )


async def _present(context: Context, *, batch: Any, id: UUID) -> Any:
    context.renew_loaders()
    return await context.loaders.one(batch, id)
