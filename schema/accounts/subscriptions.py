"""What can be watched of accounts: executions as they go on, feeds as they are read, new posts, and pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any, cast
from uuid import UUID

import strawberry

from db.accounts import queries
from db.accounts.events import ExecutionChanged as ExecutionChange
from db.accounts.events import FeedPolled as FeedRead
from db.accounts.events import PostsSeen
from db.accounts.events import ScreenshotChanged as ScreenshotChange
from db.accounts.vocabulary import FINAL_STATES, ExecutionState
from db.batches import LARGEST_PAGE, Page
from db.errors import Invalid, NotFound
from schema.accounts.types import Execution, Poll, Post, Screenshot
from schema.context import Asked, Context
from schema.fields import Demand
from schema.ids import decode_id
from schema.live.sources import Feed, Merged, State, feed, state

AccountId = Annotated[strawberry.ID, strawberry.argument(description="The account.")]
Executions = Mapping[UUID, Any]


@strawberry.type(description="Executions as they are now.")
class ExecutionChanged:
    """Executions as they are now."""

    executions: list[Execution] = strawberry.field(
        description=(
            "Those that changed; in the first message, and after falling behind, the one that is watched, or those of "
            "the account that have not come to an end, 100 at most, newest first."
        )
    )
    sent_at: datetime = strawberry.field(description="The server's clock when this was sent.")


@strawberry.type(description="A feed that was read.")
class FeedPolled:
    """A feed that was read."""

    poll: Poll = strawberry.field(description="What came of it.")
    cursor: str = strawberry.field(
        description="Its place: give it to `after` to go on from here, after any interruption."
    )


@strawberry.type(description="A new post.")
class PostSeen:
    """A new post."""

    post: Post = strawberry.field(description="The post.")
    cursor: str = strawberry.field(
        description="Its place: give it to `after` to go on from here, after any interruption."
    )


@strawberry.type(description="A screenshot as it stands now.")
class ScreenshotChanged:
    """A screenshot as it stands now."""

    screenshot: Screenshot = strawberry.field(description="It, as it stands now.")
    sent_at: datetime = strawberry.field(description="The server's clock when this was sent.")


@dataclass(frozen=True, kw_only=True)
class Watched:
    """Executions to be shown, and the newest revision of each that was."""

    shown: tuple[Any, ...]
    revisions: Mapping[UUID, int]


@dataclass(frozen=True, kw_only=True)
class ExecutionsState(Merged[ExecutionChange, Watched]):
    """Executions; of several changes that have come meanwhile, the last of each."""

    def merged(self, shown: Watched, events: Sequence[ExecutionChange]) -> Watched | None:
        """See `Merged`."""
        newest = {event.execution.id: event.execution for event in events}
        news = [one for one in newest.values() if one.revision > shown.revisions.get(one.id, -1)]
        return _watched(news, shown.revisions) if news else None


@strawberry.type
class AccountSubscriptions:
    """What can be watched of accounts."""

    @state(
        ExecutionChanged,
        "One execution of yours, or all of an account, as they are, then those that change. Whoever is slow gets the "
        "latest of each, not the backlog.",
        demand=Demand(None),
        is_personal=True,
    )
    async def execution_changed(
        self,
        info: Asked,
        id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The execution. Null if `accountId` is given.")
        ] = None,
        account_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The account. Null if `id` is given.")
        ] = None,
    ) -> State[ExecutionChange, Watched]:
        """An execution, or those of an account."""
        if (id is None) == (account_id is None):
            raise Invalid("Give either `id` or `accountId`.", field="id")
        if id is not None:
            topic = decode_id(id, kind="execution")
            await _check_seen(info.context, queries.execution_by_id, topic, "execution", "id")
        else:
            topic = await _account(info.context, str(account_id))
        return ExecutionsState(
            topic=topic,
            of=ExecutionChange,
            read=partial(_present, topic=topic, is_account=id is None),
            show=lambda watched, at: ExecutionChanged(executions=list(watched.shown), sent_at=at),
        )

    @feed(
        FeedPolled,
        "Every reading of an account's feeds: those after `after` first, from the oldest that is kept if it is null, "
        "then live. It has no first message of its own. Whoever falls behind is told so by an error with the code "
        "LAGGED, and goes on from the cursor in its `after`.",
        demand=Demand(None),
        is_personal=True,
    )
    async def feed_polled(self, info: Asked, account_id: AccountId) -> Feed[FeedRead, Any]:
        """The readings of an account's feeds."""
        return Feed(
            topic=await _account(info.context, account_id),
            of=FeedRead,
            batch=queries.polls_by_account,
            order="OLDEST",
            entries=lambda event: [event.poll],
            happened_at=lambda poll: poll.started_at,
            show=lambda poll, cursor: FeedPolled(poll=poll, cursor=cursor),
        )

    @feed(
        PostSeen,
        "Every new post of an account: those after `after` first, from the first of all if it is null, then live. What "
        "stood in a feed before it was first read is left out. It has no first message of its own. Whoever falls "
        "behind is told so by an error with the code LAGGED, and goes on from the cursor in its `after`.",
        demand=Demand(None),
        is_personal=True,
    )
    async def post_seen(self, info: Asked, account_id: AccountId) -> Feed[PostsSeen, Any]:
        """The new posts of an account."""
        return Feed(
            topic=await _account(info.context, account_id),
            of=PostsSeen,
            batch=queries.new_posts_by_account,
            order="OLDEST",
            entries=lambda event: event.posts,
            happened_at=lambda post: post.seen_at,
            show=lambda post, cursor: PostSeen(post=post, cursor=cursor),
        )

    @state(
        ScreenshotChanged,
        "A screenshot of yours: as it stands now, then as that changes. Whoever is slow gets the latest, not the "
        "backlog.",
        demand=Demand(None),
        is_personal=True,
    )
    async def screenshot_changed(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The screenshot.")],
    ) -> State[ScreenshotChange, Any]:
        """A screenshot."""
        topic = decode_id(id, kind="screenshot")
        await _check_seen(info.context, queries.screenshot_by_id, topic, "screenshot", "id")
        return State(
            topic=topic,
            of=ScreenshotChange,
            read=partial(_picture, screenshot_id=topic),
            after=lambda event: event.screenshot,
            is_news=lambda heard, shown: bool(heard.revision > shown.revision),
            show=lambda row, at: ScreenshotChanged(screenshot=cast("Screenshot", row), sent_at=at),
        )


async def _account(context: Context, account_id: str) -> UUID:
    topic = decode_id(account_id, kind="account", field="account_id")
    await _check_seen(context, queries.account_by_id, topic, "account", "account_id")
    return topic


async def _check_seen(context: Context, batch: Any, id: UUID, what: str, field: str) -> None:
    if await context.loaders.one(batch, id) is None:
        raise NotFound(f"There is no such {what}.", field=field)


async def _present(context: Context, *, topic: UUID, is_account: bool) -> Watched:
    context.renew_loaders()
    if not is_account:
        found = await context.loaders.one(queries.execution_by_id, topic)
        return _watched([] if found is None else [found], {})
    page = Page(limit=LARGEST_PAGE)
    open_states = {"states": tuple(one for one in ExecutionState if one not in FINAL_STATES)}
    window = await context.loaders.page(queries.executions_by_account, topic, page, None, open_states)
    return _watched(window.rows, {})


async def _picture(context: Context, *, screenshot_id: UUID) -> Any:
    context.renew_loaders()
    return await context.loaders.one(queries.screenshot_by_id, screenshot_id)


def _watched(rows: list[Any], before: Mapping[UUID, int]) -> Watched:
    return Watched(shown=tuple(rows), revisions={**before, **{row.id: row.revision for row in rows}})
