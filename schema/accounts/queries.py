"""What can be asked about accounts."""

import strawberry

from db.accounts import queries
from schema.accounts.arguments import AccountFilter, ExecutionFilter, FeedFilter, ScreenshotFilter
from schema.accounts.types import Account, Action, Execution, Feed, Provider, Screenshot, Tag
from schema.connections import Connection
from schema.fields import Demand, connection, lookup
from schema.matches.arguments import NameOrder, NewestOrder

# An overlay may ask, and is shown nothing.
_DEMAND = Demand(None)


@strawberry.type
class AccountQueries:
    """What can be asked about accounts."""

    accounts: Connection[Account] = connection(
        "Your accounts; an admin is shown everybody's.",
        queries.accounts,
        key=None,
        order=NewestOrder,
        filter=AccountFilter,
        demand=_DEMAND,
    )
    account: Account | None = lookup(
        "One account. Null if there is none, or it is somebody else's.",
        "account",
        queries.account_by_id,
        demand=_DEMAND,
    )
    tags: Connection[Tag] = connection(
        "Your tags, by name; an admin is shown everybody's.", queries.tags, key=None, order=NameOrder, demand=_DEMAND
    )
    feeds: Connection[Feed] = connection(
        "Your feeds; an admin is shown everybody's.",
        queries.feeds,
        key=None,
        order=NewestOrder,
        filter=FeedFilter,
        demand=_DEMAND,
    )
    feed: Feed | None = lookup(
        "One feed. Null if there is none, or it is somebody else's.", "feed", queries.feed_by_id, demand=_DEMAND
    )
    providers: Connection[Provider] = connection(
        "All who carry executions out, by name.", queries.providers, key=None, order=NameOrder, demand=_DEMAND
    )
    executions: Connection[Execution] = connection(
        "Your executions, newest first; an admin is shown everybody's.",
        queries.executions,
        key=None,
        order=NewestOrder,
        filter=ExecutionFilter,
        demand=_DEMAND,
    )
    execution: Execution | None = lookup(
        "One execution. Null if there is none, or it is somebody else's.",
        "execution",
        queries.execution_by_id,
        demand=_DEMAND,
    )
    stuck_executions: Connection[Execution] = connection(
        "Your executions that have not come to an end: ask for those that were queued before an hour ago.",
        queries.stuck_executions,
        key=None,
        order=NewestOrder,
        filter=ExecutionFilter,
        demand=_DEMAND,
    )
    screenshots: Connection[Screenshot] = connection(
        "Your screenshots, newest first; an admin is shown everybody's.",
        queries.screenshots,
        key=None,
        order=NewestOrder,
        filter=ScreenshotFilter,
        demand=_DEMAND,
    )
    screenshot: Screenshot | None = lookup(
        "One screenshot. Null if there is none, or it is somebody else's.",
        "screenshot",
        queries.screenshot_by_id,
        demand=_DEMAND,
    )
    accounts_without_feed: Connection[Account] = connection(
        "Your accounts that are switched on and have no feed, so that nothing of them is ever seen.",
        queries.accounts_without_feed,
        key=None,
        order=NewestOrder,
        demand=_DEMAND,
    )
    actions_without_active_account: Connection[Action] = connection(
        "Your actions that are active and never run, because their accounts are switched off.",
        queries.actions_without_active_account,
        key=None,
        order=NewestOrder,
        demand=_DEMAND,
    )
