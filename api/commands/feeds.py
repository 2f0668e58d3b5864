"""`ringside feeds`: the feeds of accounts, asked of the server that runs, which reads them."""

from typing import Annotated, Any

import typer

from api.client import Client
from api.commands.options import AsJSON, run_plainly
from api.commands.output import console, plain, print_json, print_table
from db.errors import NotFound

feed = typer.Typer(help="Add, read and list feeds, on a server that runs.", no_args_is_help=True)

Server = Annotated[str, typer.Option("--url", help="Where the server is.", envvar="RINGSIDE_URL")]
Secret = Annotated[str, typer.Option("--token", help="The token to ask it with.", envvar="RINGSIDE_TOKEN")]

_URL = "http://127.0.0.1:8000"

_FEED = "id title url state nextCheckAt intervalSeconds errorCount lastError postCount account { id username }"
_LIST = f"""
query ($after: String) {{
  feeds(first: 100, after: $after) {{ nodes {{ {_FEED} }} pageInfo {{ hasNextPage endCursor }} }}
}}"""
_ADD = f"""
mutation ($account: ID, $input: FeedInput!) {{
  feedCreate(accountId: $account, input: $input) {{ feed {{ {_FEED} }} errors {{ field message }} }}
}}"""
_ONE = "query ($id: ID!) { feed(id: $id) { account { id } polls(first: 1) { nodes { id cursor } } } }"
_POLL = f"mutation ($id: ID!) {{ feedPoll(id: $id) {{ feed {{ {_FEED} }} errors {{ field message }} }} }}"
_POLLED = """
subscription ($account: ID!, $after: String) {
  feedPolled(accountId: $account, after: $after) {
    poll { state foundCount newCount triggeredCount durationMs httpStatus error feed { id } }
  }
}"""


@feed.command("list", epilog="Example: ringside feeds list --token rs_…")
def list_feeds(*, url: Server = _URL, token: Secret = "", as_json: AsJSON = False) -> None:
    """List feeds, and what is wrong with them."""
    run_plainly(lambda: show_all(Client(url=url, token=token), as_json=as_json))


@feed.command("add", epilog="Example: ringside feeds add https://example.org/feed.xml --account account_…")
def add_feed(
    *,
    feed_url: Annotated[str, typer.Argument(metavar="URL", help="Address of a feed, or of a page that names one.")],
    account: Annotated[str | None, typer.Option(help="Id of the account it is for; none if not said.")] = None,
    title: Annotated[str | None, typer.Option(help="What it is called; as it calls itself if not said.")] = None,
    keyword: Annotated[str | None, typer.Option(help="What a title must contain.")] = None,
    url: Server = _URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Add a feed. What stands in it now triggers nothing."""
    terms = {"title": title, "keyword": keyword}
    client = Client(url=url, token=token)
    run_plainly(lambda: add(client, url=feed_url, account=account, terms=terms, as_json=as_json))


@feed.command("poll", epilog="Example: ringside feeds poll feed_…")
def poll_feed(
    *,
    feed_id: Annotated[str, typer.Argument(metavar="FEED", help="Id of the feed.")],
    url: Server = _URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Have a feed read now, and say what came of it."""
    run_plainly(lambda: poll(Client(url=url, token=token), feed=feed_id, as_json=as_json))


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
    columns = ["Feed", "Id", "Account", "State", "Posts", "Next (UTC)", "What is wrong"]
    print_table("Feeds", columns, [_row(feed) for feed in found])


async def add(client: Client, *, url: str, account: str | None, terms: dict[str, Any], as_json: bool) -> None:
    """Add a feed."""
    given = {"url": url, **{name: value for name, value in terms.items() if value is not None}}
    _report((await client.change(_ADD, account=account, input=given))["feed"], as_json=as_json)


async def poll(client: Client, *, feed: str, as_json: bool) -> None:
    """Have a feed read, and wait for what comes of it where it is of an account."""
    found = (await client.execute(_ONE, id=feed))["feed"]
    if found is None:
        raise NotFound(f"There is no feed {feed}. `ringside feeds list` shows those there are.")
    if found["account"] is None:
        _report((await client.change(_POLL, id=feed))["feed"], as_json=as_json)
        return
    last = next((one["cursor"] for one in found["polls"]["nodes"]), None)
    async with client.subscribe(_POLLED, account=found["account"]["id"], after=last) as answers:
        await client.change(_POLL, id=feed)
        async for answer in answers:
            done = answer["feedPolled"]["poll"]
            if done["feed"]["id"] == feed:
                _say(done, as_json=as_json)
                return


def _say(done: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    counts = f"{done['foundCount']} entries, {done['newCount']} new, {done['triggeredCount']} triggered"
    console.print(
        f"[bold]{done['state'].lower()}[/] in {done['durationMs']} ms: {counts} {plain(done['error'])}", highlight=False
    )


def _report(feed: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(feed)
        return
    said = f"{plain(feed['title'] or feed['url'])}, {feed['state'].lower()}, {feed['id']}"
    console.print(said, highlight=False, soft_wrap=True)


def _row(feed: dict[str, Any]) -> list[object]:
    account = feed["account"]["username"] if feed["account"] else ""
    due = (feed["nextCheckAt"] or "")[:19].replace("T", " ")
    return [feed["title"] or feed["url"], feed["id"], account, feed["state"], feed["postCount"], due, feed["lastError"]]
