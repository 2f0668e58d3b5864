"""How users and their entries can be changed."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import strawberry

from db.session import Transaction
from db.social import operations
from db.social.tables import Amplification, Resonance
from schema.access.types import User
from schema.changes import change, changed
from schema.context import Asked, Context
from schema.ids import decode_id
from schema.inputs import given
from schema.social.inputs import EntryInput, ProfileInput, entry_changes
from schema.social.types import Entry

# What a change of one thing does, in a transaction.
Change = Callable[[Transaction, UUID, Context], Awaitable[Any]]
_COUNTED = "The entry with its counts after the change."


def _changing(verb: str, of: type[Any], description: str, work: Change, *, argument: str, result: str) -> Any:
    """Declare a mutation that changes the one thing whose id it is given."""
    name = of.__name__.lower()

    async def make(
        self: Any, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description=argument)]
    ) -> Any:
        async with info.context.db.transaction() as tx:
            return await work(tx, decode_id(id, kind=name), info.context)

    make.__name__ = f"{name}_{verb}"
    return change(of, name, description, result=result)(make)


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


def _marking(verb: str, description: str, work: Change) -> Any:
    twice = f"{description} Twice is as good as once."
    return _changing(verb, Entry, twice, work, argument="The entry.", result=_COUNTED)


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
                longest=context.longest_entry,
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
        longest = info.context.longest_entry
        changes = entry_changes(input)
        return await changed(info, operations.update_entry, decode_id(id, kind="entry"), changes, longest=longest)

    entry_delete = _changing(
        "delete",
        Entry,
        "Take away what an entry of yours says; an admin may with any that he sees. Its place and its replies stay.",
        _delete,
        argument="The entry.",
        result="What is left of it: its place.",
    )
    entry_resonate = _marking("resonate", "Resonate with an entry.", partial(_mark, mark=Resonance))
    entry_unresonate = _marking("unresonate", "Cease to resonate with an entry.", partial(_unmark, mark=Resonance))
    entry_amplify = _marking("amplify", "Amplify an entry.", partial(_mark, mark=Amplification))
    entry_unamplify = _marking("unamplify", "Cease to amplify an entry.", partial(_unmark, mark=Amplification))

    @change(
        Entry,
        "entry",
        "Note that you passed an entry on, outside of this server.",
        result=_COUNTED,
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
        "follow",
        User,
        "Follow somebody. Twice is as good as once.",
        _follow,
        argument="Whom to follow.",
        result="The one who is followed, with the counts after the change.",
    )
    user_unfollow = _changing(
        "unfollow",
        User,
        "Cease to follow somebody. Twice is as good as once.",
        _unfollow,
        argument="Whom not to follow any more.",
        result="The one who was followed, with the counts after the change.",
    )

    @change(User, "user", "Change some of your profile.", result="You, after the change.")
    async def user_update(
        self, info: Asked, input: Annotated[ProfileInput, strawberry.argument(description="What to change.")]
    ) -> Any:
        """Change some of a profile."""
        async with info.context.db.transaction() as tx:
            return await operations.update_profile(tx, given(input), viewer=info.context.viewer)
