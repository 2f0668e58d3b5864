"""The demonstration's account, and the commands for what it does: over real sockets, from a post to its end."""

import logging
from typing import Any

import orjson
import pytest

from api.client import Client
from api.commands import executions, feeds
from api.demo.accounts import serve_feed, set_up_accounts, write_feed
from api.logs import configure_logs
from api.workers.feed_documents import Document, parse
from db.access import operations as access
from db.errors import Invalid, NotFound
from tests.support.house import RunningHouse, eventually, running_house

_FEEDS = "{ feeds { nodes { id state postCount } } accountsWithoutFeed { nodes { username } } }"


def test_the_feed_grows_at_its_beginning_and_shows_the_newest() -> None:
    few, many = (parse(write_feed(count), content_type="", url="http://127.0.0.1/") for count in (2, 30))

    assert isinstance(few, Document)
    assert isinstance(many, Document)
    assert [one.guid for one in few.entries] == ["video-2", "video-1"]
    assert [one.guid for one in many.entries] == [f"video-{number}" for number in range(30, 10, -1)]


async def _printed(capsys: pytest.CaptureFixture[str], work: Any) -> Any:
    """Return what a command says to a program."""
    capsys.readouterr()
    await work
    return orjson.loads(capsys.readouterr().out)


async def test_a_post_of_the_demonstration_is_seen_and_carried_out_and_commands_tell_of_it(
    database_url: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        serve_feed(speed=3000) as host,
        running_house(database_url, has_listener=False, allowed_private_hosts=[host]) as house,
    ):
        owner = await _owner(house)
        async with house.house.db.transaction() as tx:
            await set_up_accounts(tx, owner, host, house.house.clock.now())
        client = Client(url=house.url, token=house.secret)

        async def has_baseline() -> bool:
            return bool((await house.execute(_FEEDS))["feeds"]["nodes"][0]["state"] == "ACTIVE")

        await eventually(has_baseline, "a baseline")
        (feed,) = await _printed(capsys, feeds.show_all(client, as_json=True))
        done = await _printed(capsys, feeds.poll(client, feed=feed["id"], as_json=True))
        assert (done["state"], done["newCount"] >= 1) == ("CHANGED", True)
        made = await _printed(capsys, executions.show_all(client, count=9, states=[], as_json=True))
        assert {one["serviceName"] for one in made} == {"Printed cards", "Stickers"}
        shown = await _printed(capsys, executions.show(client, execution=made[0]["id"], as_json=True))
        assert shown["timeline"]["nodes"][0]["state"] == "QUEUED"
        await feeds.show_all(client, as_json=False)
        await executions.show_all(client, count=5, states=["completed"], as_json=False)
        await executions.show_all(client, count=100, states=[], as_json=False)
        await executions.show(client, execution=made[0]["id"], as_json=False)
        said = capsys.readouterr().out
        assert "What happened" in said
        # In one piece each, wherever it is printed to.
        assert [name for name in (feed["id"], *(one["id"] for one in made)) if name not in said] == []
        added = await _printed(
            capsys, feeds.add(client, url="https://example.org/x", account=None, terms={"title": "X"}, as_json=True)
        )
        assert (added["title"], added["state"]) == ("X", "PENDING")
        nobodys = await _printed(
            capsys, feeds.add(client, url="http://example.org:81/", account=None, terms={}, as_json=True)
        )
        refused = await _printed(capsys, feeds.poll(client, feed=nobodys["id"], as_json=True))
        assert (refused["state"], refused["httpStatus"], refused["feed"]["id"]) == ("FAILED", None, nobodys["id"])
        await feeds.poll(client, feed=nobodys["id"], as_json=False)
        assert capsys.readouterr().out.endswith(" ms: Port 81 is not asked: only 80 and 443 are.\n")
        with pytest.raises(NotFound, match="There is no feed"):
            await feeds.poll(client, feed="feed_00000000000000000000000000000001", as_json=True)
        with pytest.raises(Invalid, match="nothing to retry"):
            await executions.change(client, "executionRetry", execution=made[0]["id"], as_json=True)
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


async def _owner(house: RunningHouse) -> Any:
    async with house.house.db.transaction() as tx:
        admin = await access.find_user(tx, "admin")
        assert admin is not None
        return admin.id


def test_what_is_called_outside_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    root, level = logging.getLogger(), logging.getLogger().level
    kept = root.handlers
    try:
        configure_logs("DEBUG", as_json=True)
        for library in ("httpx", "httpcore.connection"):
            logging.getLogger(library).info("HTTP Request: POST https://discord.example/api/webhooks/1/CANARY")
        assert "CANARY" not in capsys.readouterr().err
    finally:
        root.handlers = kept
        root.setLevel(level)
