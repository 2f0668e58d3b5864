"""What may be set about accounts while the server runs: each setting is followed, and what was put off comes sooner."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from api.accounts import follow_settings
from api.workers.camera import Camera
from api.workers.executions import Executor
from api.workers.feeds import FeedPoller
from api.workers.picture_files import PictureFiles
from api.workers.screenshots import Photographer
from db.database import Database
from db.settings.current import CurrentSettings
from db.settings.operations import reset_setting, set_setting
from db.settings.registry import KEYS
from tests.conftest import ManualClock
from tests.support.feed_files import rss
from tests.support.house import eventually, running_house
from tests.support.web import Answer, web

_SET = """
mutation ($key: String!, $value: JSON!) { settingSet(key: $key, value: $value) { errors { message } } }"""
_ADD = """
mutation ($url: String) { feedCreate(input: {url: $url}) { feed { id } errors { message } } }"""
_FEED = "query ($id: ID!) { feed(id: $id) { state nextCheckAt intervalSeconds pollCount } }"


async def test_every_setting_of_accounts_is_followed(db: Database, clock: ManualClock, tmp_path: Path) -> None:
    current = CurrentSettings(db)
    poller, executor = FeedPoller(db, clock), Executor(db, clock)
    photographer = Photographer(db, clock, Camera(), PictureFiles(tmp_path))
    follow_settings(current, poller, executor, photographer)

    def works_by() -> dict[str, Any]:
        return {
            "feeds.least_seconds": poller.rules.least_interval,
            "feeds.usual_seconds": poller.rules.usual_interval,
            "feeds.most_seconds": poller.rules.most_interval,
            "feeds.most_posts": poller.rules.most_posts,
            "feeds.oldest_post_days": poller.rules.oldest_post.days,
            "feeds.largest": poller.fetch_limits.bytes,
            "feeds.at_once": poller.limits.at_once,
            "feeds.of_host": poller.limits.of_host,
            "executions.at_once": executor.limits.at_once,
            "screenshots.at_once": photographer.at_once,
            "screenshots.kept_days": photographer.kept_days,
        }

    usual = {name: key.default for name, key in KEYS.items() if name.startswith(("feeds.", "executions.", "screensh"))}
    assert works_by() == usual

    wanted = {name: value + 1 for name, value in usual.items()}
    for name, value in wanted.items():
        async with db.transaction() as tx:
            await set_setting(tx, name, value, reason="", viewer=None, now=clock.now())
    await current.look()
    assert works_by() == wanted
    for name in wanted:
        async with db.transaction() as tx:
            await reset_setting(tx, name, reason="", viewer=None, now=clock.now())
    await current.look()
    assert works_by() == usual


async def test_a_feed_that_was_put_off_is_due_sooner_when_the_longest_interval_gets_shorter(database_url: str) -> None:
    async with (
        web(feed=Answer(body=rss("1"))) as served,
        running_house(database_url, has_listener=False, allowed_private_hosts=[served.host]) as house,
    ):
        made = await house.execute(_ADD, url=served.url("/feed"))
        feed = {"id": made["feedCreate"]["feed"]["id"]}

        async def stands() -> dict[str, Any]:
            shown: dict[str, Any] = (await house.execute(_FEED, **feed))["feed"]
            return shown

        async def is_read() -> bool:
            return bool((await stands())["state"] == "ACTIVE")

        await eventually(is_read, "the first reading")
        before = await stands()
        assert _due(before) > datetime.now(UTC) + timedelta(minutes=10)

        answer = await house.execute(_SET, key="feeds.most_seconds", value=60)
        assert answer["settingSet"]["errors"] == []

        async def is_sooner() -> bool:
            return _due(await stands()) < _due(before)

        await eventually(is_sooner, "a reading that is due sooner")
        after = await stands()
        assert _due(after) <= datetime.now(UTC) + timedelta(seconds=60)
        assert (after["intervalSeconds"], after["pollCount"]) == (60, before["pollCount"])


def _due(feed: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(feed["nextCheckAt"])
