"""How accounts, tags and feeds can be changed."""

from functools import partial
from typing import Annotated, Any

import strawberry

from db.accounts import feeds, operations
from schema.accounts.inputs import AccountInput, FeedInput, TagInput, timeless
from schema.accounts.types import Account, Feed, Tag
from schema.changes import change, change_one, changed
from schema.context import Asked
from schema.ids import decode_id
from schema.inputs import given
from schema.practice.inputs import decode_ids, decode_some

_AFTER = "after the change."
_of_account = partial(change_one, of=Account, name="account", kind="account", argument="The account.")
_of_feed = partial(change_one, of=Feed, name="feed", kind="feed", argument="The feed.")


@strawberry.type
class AccountMutations:
    """How accounts and tags can be changed."""

    @change(
        Account,
        "account",
        "Add an account of yours. It is switched on, and has no feed yet: see `feedCreate`.",
        result=f"The account {_AFTER}",
    )
    async def account_create(
        self, info: Asked, input: Annotated[AccountInput, strawberry.argument(description="The account.")]
    ) -> Any:
        """Add an account."""
        context = info.context
        owner_id, said = context.viewer.user_id, given(input)
        async with context.db.transaction() as tx:
            return await operations.create_account(tx, owner_id=owner_id, changes=said, now=context.now())

    @change(Account, "account", "Change some of an account. What is not named stays.", result=f"The account {_AFTER}")
    async def account_update(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The account.")],
        input: Annotated[AccountInput, strawberry.argument(description="What to change.")],
    ) -> Any:
        """Change some of an account."""
        return await changed(info, operations.update_account, decode_id(id, kind="account"), given(input))

    @change(Account, "account", "Say anew which tags an account bears.", result=f"The account {_AFTER}")
    async def account_set_tags(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The account.")],
        tag_ids: Annotated[list[strawberry.ID], strawberry.argument(description="The tags: 20 at most.")],
    ) -> Any:
        """Say anew which tags an account bears."""
        tags = decode_ids(tag_ids, kind="tag", field="tag_ids")
        return await changed(info, operations.set_account_tags, decode_id(id, kind="account"), tags)

    account_enable = _of_account(
        "account_enable",
        "Switch an account on: its feeds are read, and its actions run.",
        operations.enable_account,
        result=f"The account {_AFTER}",
        is_enabled=True,
    )

    account_disable = _of_account(
        "account_disable",
        "Switch an account off: its feeds are not read, and its actions run by hand alone.",
        operations.enable_account,
        result=f"The account {_AFTER}",
        is_enabled=False,
    )

    account_delete = _of_account(
        "account_delete",
        "Remove an account with its feeds, posts and actions. What was carried out stays.",
        timeless(operations.delete_account),
        result="The account as it was.",
    )

    @change(Tag, "tag", "Make a tag of yours.", result=f"The tag {_AFTER}")
    async def tag_create(
        self, info: Asked, input: Annotated[TagInput, strawberry.argument(description="The tag.")]
    ) -> Any:
        """Make a tag."""
        context = info.context
        owner_id, said = context.viewer.user_id, given(input)
        async with context.db.transaction() as tx:
            return await operations.create_tag(tx, owner_id=owner_id, changes=said, now=context.now())

    @change(Tag, "tag", "Change a tag's name or colour.", result=f"The tag {_AFTER}")
    async def tag_update(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The tag.")],
        input: Annotated[TagInput, strawberry.argument(description="What to change.")],
    ) -> Any:
        """Change a tag."""
        return await changed(info, timeless(operations.update_tag), decode_id(id, kind="tag"), given(input))

    tag_delete = change_one(
        "tag_delete",
        "Remove a tag from all accounts that bear it.",
        timeless(operations.delete_tag),
        of=Tag,
        name="tag",
        kind="tag",
        argument="The tag.",
        result="The tag as it was.",
    )


@strawberry.type
class FeedMutations:
    """How feeds can be changed."""

    @change(
        Feed,
        "feed",
        "Add a feed of yours. It is read at once: what stands in it then is old, and only what comes later triggers.",
        result=f"The feed {_AFTER}",
    )
    async def feed_create(
        self,
        info: Asked,
        input: Annotated[FeedInput, strawberry.argument(description="The feed.")],
        account_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="The account whose actions run for its posts. Null: none."),
        ] = None,
    ) -> Any:
        """Add a feed."""
        return await changed(
            info,
            feeds.create_feed,
            owner_id=info.context.viewer.user_id,
            changes=given(input),
            account_id=decode_some(account_id, kind="account", field="account_id"),
        )

    @change(Feed, "feed", "Change a feed's title, keyword or address.", result=f"The feed {_AFTER}")
    async def feed_update(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The feed.")],
        input: Annotated[FeedInput, strawberry.argument(description="What to change.")],
    ) -> Any:
        """Change some of a feed."""
        return await changed(info, feeds.update_feed, decode_id(id, kind="feed"), given(input))

    feed_enable = _of_feed(
        "feed_enable",
        "Switch a feed on. One that was gone, or not found too often, is tried again.",
        feeds.enable_feed,
        result=f"The feed {_AFTER}",
        is_enabled=True,
    )

    feed_disable = _of_feed(
        "feed_disable",
        "Switch a feed off. What comes meanwhile is found when it is on again.",
        feeds.enable_feed,
        result=f"The feed {_AFTER}",
        is_enabled=False,
    )

    feed_poll = _of_feed(
        "feed_poll",
        "Have a feed read now. What comes of it is told by `feedPolled`. Refused while it is being read.",
        feeds.ask_for_poll,
        result="The feed, due now.",
    )

    feed_delete = _of_feed(
        "feed_delete",
        "Remove a feed with its posts. What they triggered stays.",
        timeless(feeds.delete_feed),
        result="The feed as it was.",
    )
