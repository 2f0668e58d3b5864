"""How users and their entries can be changed."""

from datetime import datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import strawberry

from db.access.viewer import Viewer
from db.session import Transaction
from db.social import operations
from db.social.crowds import mark_in_crowd
from db.social.tables import Amplification, Resonance
from schema.access.types import User
from schema.changes import change, change_one, changed
from schema.context import Asked
from schema.ids import decode_id
from schema.inputs import given
from schema.social.inputs import EntryInput, ProfileInput, entry_changes
from schema.social.types import Entry

_COUNTED = "The entry with its counts after the change."
_of_user = partial(change_one, of=User, name="user", kind="user")


def _marking(verb: str, description: str, mark: operations.Mark, *, is_set: bool) -> Any:
    async def make(
        self: Any, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The entry.")]
    ) -> Any:
        context, entry_id = info.context, decode_id(id, kind="entry")
        return await mark_in_crowd(context.db, mark, entry_id, is_set=is_set, viewer=context.viewer, now=context.now())

    make.__name__ = f"entry_{verb}"
    return change(Entry, "entry", f"{description} Twice is as good as once.", result=_COUNTED)(make)


async def _follow(tx: Transaction, id: UUID, *, viewer: Viewer, now: datetime) -> Any:
    return (await operations.follow_user(tx, id, viewer=viewer, now=now)).followed


async def _unfollow(tx: Transaction, id: UUID, *, viewer: Viewer, **_: object) -> Any:
    return (await operations.unfollow_user(tx, id, viewer=viewer)).followed


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

    entry_delete = change_one(
        "entry_delete",
        "Take away what an entry of yours says; an admin may with any that he sees. Its place and its replies stay.",
        operations.delete_entry,
        of=Entry,
        name="entry",
        kind="entry",
        argument="The entry.",
        result="What is left of it: its place.",
    )
    entry_resonate = _marking("resonate", "Resonate with an entry.", Resonance, is_set=True)
    entry_unresonate = _marking("unresonate", "Cease to resonate with an entry.", Resonance, is_set=False)
    entry_amplify = _marking("amplify", "Amplify an entry.", Amplification, is_set=True)
    entry_unamplify = _marking("unamplify", "Cease to amplify an entry.", Amplification, is_set=False)

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

    user_follow = _of_user(
        "user_follow",
        "Follow somebody. Twice is as good as once.",
        _follow,
        argument="Whom to follow.",
        result="The one who is followed, with the counts after the change.",
    )
    user_unfollow = _of_user(
        "user_unfollow",
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
