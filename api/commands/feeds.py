"""`ringside feeds`: the feeds of accounts, asked of the server that runs, which reads them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from api.client import Client
from api.commands.output import console, plain, print_json, print_table
from db.errors import Invalid, NotFound, Unavailable

_FEED = "id title url state nextCheckAt intervalSeconds errorCount lastError postCount account { id username }"
_LIST = f"""
query ($after: String) {{
  feeds(first: 100, after: $after) {{ nodes {{ {_FEED} }} pageInfo {{ hasNextPage endCursor }} }}
}}"""
_ADD = f"""
mutation ($account: ID, $input: FeedInput!) {{
  feedCreate(accountId: $account, input: $input) {{ feed {{ {_FEED} }} errors {{ field message }} }}
}}"""
_POLL_SHOWN = "state foundCount newCount triggeredCount durationMs httpStatus error feed { id }"
_ONE = f"""
query ($id: ID!) {{
  feed(id: $id) {{ state account {{ id }} polls(first: 1) {{ nodes {{ id cursor {_POLL_SHOWN} }} }} }}
}}"""
_POLL = f"mutation ($id: ID!) {{ feedPoll(id: $id) {{ feed {{ {_FEED} }} errors {{ field message }} }} }}"
_POLLED = f"""
subscription ($account: ID!, $after: String) {{
  feedPolled(accountId: $account, after: $after) {{ poll {{ {_POLL_SHOWN} }} }}
}}"""


async def show_all(client: Client, *, as_json: bool) -> None:
    """List all feeds."""
    found: list[dict[str, Any]] = []
    after = None
    while True:
        page = (await client.execute(_LIST, after=after))["feeds"]
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    if as_json:
        print_json(found)
        return
    columns = ["Feed, its account, id and trouble", "State", "Posts", "Next (UTC)"]
    print_table("Feeds", columns, [_row(feed) for feed in found])


async def add(client: Client, *, url: str, account: str | None, terms: dict[str, Any], as_json: bool) -> None:
    """Add a feed."""
    given = {"url": url, **{name: value for name, value in terms.items() if value is not None}}
    _report((await client.change(_ADD, account=account, input=given))["feed"], as_json=as_json)


async def poll(client: Client, *, feed: str, as_json: bool) -> None:
    """Have a feed read, and wait for what comes of it."""
    found = (await client.execute(_ONE, id=feed))["feed"]
    if found is None:
        raise NotFound(f"There is no feed {feed}. `ringside feeds list` shows those there are.")
    last = next(iter(found["polls"]["nodes"]), None)
    if found["account"] is None:
        await _ask(client, feed, found["state"])
        done = await _looked_for(client, feed, last)
    else:
        after = None if last is None else last["cursor"]
        async with client.subscribe(_POLLED, account=found["account"]["id"], after=after) as answers:
            await _ask(client, feed, found["state"])
            done = await _heard_of(answers, feed)
    _say(done, as_json=as_json)


async def _ask(client: Client, feed: str, state: str) -> None:
    try:
        await client.change(_POLL, id=feed)
    except Invalid:
        if state in _NEVER_READ:
            raise
        # It is being read already: what comes of that will do.


async def _heard_of(answers: AsyncIterator[dict[str, Any]], feed: str) -> dict[str, Any]:
    async for answer in answers:
        done: dict[str, Any] = answer["feedPolled"]["poll"]
        if done["feed"]["id"] == feed:
            return done
    raise Unavailable("The server hung up before the feed was read. `ringside feeds list` shows how it stands.")


async def _looked_for(client: Client, feed: str, last: dict[str, Any] | None) -> dict[str, Any]:
    """Look until there is another poll: only what is of an account is told of."""
    while True:
        found = (await client.execute(_ONE, id=feed))["feed"]
        newest = next(iter(found["polls"]["nodes"]), None) if found else None
        if newest is not None and (last is None or newest["id"] != last["id"]):
            return dict(newest)
        if found is None:
            raise NotFound(f"The feed {feed} was removed meanwhile.")
        await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)


_BETWEEN_LOOKS_SECONDS = 0.25
_NEVER_READ = {"GONE", "STOPPED", "DISABLED"}


def _say(done: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    found = f"{done['foundCount']} entries, {done['newCount']} new, {done['triggeredCount']} triggered"
    # What has not changed was not looked into.
    counts = {"UNCHANGED": "", "FAILED": plain(done["error"])}.get(done["state"], found)
    said = f"[bold]{done['state'].lower()}[/] in {done['durationMs']} ms"
    console.print(f"{said}: {counts}" if counts else said, highlight=False, soft_wrap=True)


def _report(feed: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(feed)
        return
    said = f"{plain(feed['title'] or feed['url'])}, {feed['state'].lower()}, {feed['id']}"
    console.print(said, highlight=False, soft_wrap=True)


def _row(feed: dict[str, Any]) -> list[object]:
    # Few columns, so that an id has room in a terminal of 80.
    account = f", {feed['account']['username']}" if feed["account"] else ""
    due = tuple((feed["nextCheckAt"] or "")[:19].split("T"))
    cell = (f"{feed['title'] or feed['url']}{account}", feed["id"], feed["lastError"] or None)
    return [cell, feed["state"].lower(), feed["postCount"], due]
