"""How users and their entries can be changed."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import strawberry

from db.access.viewer import Role
from db.session import Transaction
from db.social import operations
from db.social.tables import Amplification, Resonance
from schema.access.types import User
from schema.changes import change, changed
from schema.context import Asked, Context
from schema.errors import RefusalsAsData, UserError
from schema.fields import Demand
from schema.ids import decode_id
from schema.inputs import given
from schema.social.inputs import EntryInput, ProfileInput, entry_changes
from schema.social.types import Entry

# What a change of one thing does, in a transaction.
Change = Callable[[Transaction, UUID, Context], Awaitable[Any]]


@strawberry.type(description="What came of it.")
class EntryDeletePayload:
    """What came of `entryDelete`."""

    entry: Entry | None = strawberry.field(description="What is left of it: its place. Null if it was refused.")
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class EntryResonatePayload:
    """What came of `entryResonate`."""

    entry: Entry | None = strawberry.field(
        description="The entry with its counts after the change. Null if it was refused."
    )
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class EntryUnresonatePayload:
    """What came of `entryUnresonate`."""

    entry: Entry | None = strawberry.field(
        description="The entry with its counts after the change. Null if it was refused."
    )
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class EntryAmplifyPayload:
    """What came of `entryAmplify`."""

    entry: Entry | None = strawberry.field(
        description="The entry with its counts after the change. Null if it was refused."
    )
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class EntryUnamplifyPayload:
    """What came of `entryUnamplify`."""

    entry: Entry | None = strawberry.field(
        description="The entry with its counts after the change. Null if it was refused."
    )
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class UserFollowPayload:
    """What came of `userFollow`."""

    user: User | None = strawberry.field(
        description="The one who is followed, with the counts after the change. Null if it was refused."
    )
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class UserUnfollowPayload:
    """What came of `userUnfollow`."""

    user: User | None = strawberry.field(
        description="The one who was followed, with the counts after the change. Null if it was refused."
    )
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


def _changing(payload: type[Any], thing: str, description: str, change: Change, argument: str) -> Any:
    """Declare a mutation that changes the one thing whose id it is given."""

    async def resolve(
        self: Any, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description=argument)]
    ) -> payload:  # type: ignore[valid-type]  # a type that is a value here
        async with info.context.db.transaction() as tx:
            row = await change(tx, decode_id(id, kind=thing), info.context)
        return payload(**{thing: row}, errors=[])  # type: ignore[no-any-return]  # as above

    return strawberry.mutation(
        resolver=resolve, description=description, extensions=[RefusalsAsData(), Demand(Role.MEMBER)]
    )


async def _mark(tx: Transaction, id: UUID, context: Context, *, mark: operations.Mark) -> Any:
    return await operations.mark_entry(tx, mark, id, viewer=context.viewer, now=context.now())


async def _unmark(tx: Transaction, id: UUID, context: Context, *, mark: operations.Mark) -> Any:
    return await operations.unmark_entry(tx, mark, id, viewer=context.viewer)


async def _delete(tx: Transaction, id: UUID, context: Context) -> Any:
    return await operations.delete_entry(tx, id, viewer=context.viewer, now=context.now())


async def _follow(tx: Transaction, id: UUID, context: Context) -> Any:
    return (await operations.follow_user(tx, id, viewer=context.viewer, now=context.now())).followed


async def _unfollow(tx: Transaction, id: UUID, context: Context) -> Any:
    return (await operations.unfollow_user(tx, id, viewer=context.viewer)).followed


Key = Annotated[
    str | None,
    strawberry.argument(
        description=(
            "A name of yours for this request, at most 100 characters: sent again, it is answered and not done again."
        )
    ),
]


@strawberry.type
class SocialMutations:
    """How users and their entries can be changed."""

    @change(Entry, "entry", "Write an entry, or a reply to one.", result="The entry.")
    async def entry_create(
        self,
        info: Asked,
        input: Annotated[EntryInput, strawberry.argument(description="The entry.")],
        parent_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="What it replies to. Null: it begins a thread.")
        ] = None,
        idempotency_key: Key = None,
    ) -> Any:
        """Write an entry."""
        context = info.context
        parent = None if parent_id is None else decode_id(parent_id, kind="entry", field="parent_id")
        async with context.db.transaction() as tx:
            return await operations.create_entry(
                tx,
                entry_changes(input),
                parent_id=parent,
                request_key=idempotency_key,
                viewer=context.viewer,
                now=context.now(),
            )

    @change(Entry, "entry", "Change some of an entry of yours.", result="The entry after the change.")
    async def entry_update(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The entry.")],
        input: Annotated[EntryInput, strawberry.argument(description="What to change.")],
    ) -> Any:
        """Change some of an entry."""
        return await changed(info, operations.update_entry, decode_id(id, kind="entry"), entry_changes(input))

    entry_delete = _changing(
        EntryDeletePayload,
        "entry",
        "Take away what an entry of yours says; an admin may with any that he sees. Its place and its replies stay.",
        _delete,
        "The entry.",
    )
    entry_resonate = _changing(
        EntryResonatePayload,
        "entry",
        "Resonate with an entry. Twice is as good as once.",
        partial(_mark, mark=Resonance),
        "The entry.",
    )
    entry_unresonate = _changing(
        EntryUnresonatePayload,
        "entry",
        "Cease to resonate with an entry. Twice is as good as once.",
        partial(_unmark, mark=Resonance),
        "The entry.",
    )
    entry_amplify = _changing(
        EntryAmplifyPayload,
        "entry",
        "Amplify an entry. Twice is as good as once.",
        partial(_mark, mark=Amplification),
        "The entry.",
    )
    entry_unamplify = _changing(
        EntryUnamplifyPayload,
        "entry",
        "Cease to amplify an entry. Twice is as good as once.",
        partial(_unmark, mark=Amplification),
        "The entry.",
    )

    @change(
        Entry,
        "entry",
        "Note that you passed an entry on, outside of this server.",
        result="The entry with its counts after the change.",
    )
    async def entry_share(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The entry.")],
        idempotency_key: Key = None,
    ) -> Any:
        """Note a share."""
        return await changed(info, operations.share_entry, decode_id(id, kind="entry"), request_key=idempotency_key)

    user_follow = _changing(
        UserFollowPayload, "user", "Follow somebody. Twice is as good as once.", _follow, "Whom to follow."
    )
    user_unfollow = _changing(
        UserUnfollowPayload,
        "user",
        "Cease to follow somebody. Twice is as good as once.",
        _unfollow,
        "Whom not to follow any more.",
    )

    @change(User, "user", "Change some of your profile.", result="You, after the change.")
    async def user_update(
        self, info: Asked, input: Annotated[ProfileInput, strawberry.argument(description="What to change.")]
    ) -> Any:
        """Change some of a profile."""
        async with info.context.db.transaction() as tx:
            return await operations.update_profile(tx, given(input), viewer=info.context.viewer)
