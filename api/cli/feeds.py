"""`ringside feeds`: what its commands may be told."""

from typing import Annotated

import typer

from api.commands.options import URL, AsJSON, Secret, Server, run_plainly

feed = typer.Typer(help="Add, read and list feeds, on a server that runs.", no_args_is_help=True)


@feed.command("list", epilog="Example: ringside feeds list --token rs_…")
def list_feeds(*, url: Server = URL, token: Secret = "", as_json: AsJSON = False) -> None:
    """List feeds, and what is wrong with them."""
    from api.client import Client
    from api.commands import feeds

    run_plainly(lambda: feeds.show_all(Client(url=url, token=token), as_json=as_json))


@feed.command("add", epilog="Example: ringside feeds add https://example.org/feed.xml --account account_…")
def add_feed(
    *,
    feed_url: Annotated[str, typer.Argument(metavar="URL", help="Address of a feed, or of a page that names one.")],
    account: Annotated[str | None, typer.Option(help="Id of the account it is for; none if not said.")] = None,
    title: Annotated[str | None, typer.Option(help="What it is called; as it calls itself if not said.")] = None,
    keyword: Annotated[str | None, typer.Option(help="What a title must contain.")] = None,
    url: Server = URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Add a feed. What stands in it now triggers nothing."""
    from api.client import Client
    from api.commands import feeds

    terms = {"title": title, "keyword": keyword}
    client = Client(url=url, token=token)
    run_plainly(lambda: feeds.add(client, url=feed_url, account=account, terms=terms, as_json=as_json))


@feed.command("poll", epilog="Example: ringside feeds poll feed_…")
def poll_feed(
    *,
    feed_id: Annotated[str, typer.Argument(metavar="FEED", help="Id of the feed.")],
    url: Server = URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Have a feed read now, and say what came of it."""
    from api.client import Client
    from api.commands import feeds

    run_plainly(lambda: feeds.poll(Client(url=url, token=token), feed=feed_id, as_json=as_json))
