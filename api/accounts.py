"""What is done about accounts all the time, as settings say: feeds are read, executions carried out, pictures taken.

What may be set over the graph is followed while the server runs; the rest is what it was started with.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from api.outbound import Guard
from api.settings import Settings
from api.workers.camera import Camera, CameraLimits
from api.workers.executions import Executor
from api.workers.feed_fetching import FetchLimits
from api.workers.feeds import FeedPoller
from api.workers.picture_files import PictureFiles
from api.workers.screenshots import Photographer
from db.clock import Clock
from db.database import Database
from db.settings.current import CurrentSettings


def workers_of_accounts(
    settings: Settings, db: Database, clock: Clock, current: CurrentSettings
) -> dict[str, FeedPoller | Executor | Photographer]:
    """Return who reads feeds, who carries out what they trigger, and who takes pictures, by what that is called."""
    guard = Guard(allowed=frozenset(settings.allowed_private_hosts))
    poller = FeedPoller(db, clock, guard)
    executor = Executor(db, clock, guard)
    camera = Camera(guard, _camera_limits(settings), settings.chromium, settings.chromium_sandbox)
    photographer = Photographer(db, clock, camera, PictureFiles(settings.picture_folder))
    follow_settings(current, poller, executor, photographer)
    return {"feeds": poller, "executions": executor, "screenshots": photographer}


def follow_settings(
    current: CurrentSettings, poller: FeedPoller, executor: Executor, photographer: Photographer
) -> None:
    """Let workers do as settings say, now and whenever one is changed."""
    for name, field in (
        ("feeds.least_seconds", "least_interval"),
        ("feeds.usual_seconds", "usual_interval"),
        ("feeds.most_seconds", "most_interval"),
        ("feeds.most_posts", "most_posts"),
    ):
        current.follow(name, _setting(poller.set_rules, field))
    current.follow("feeds.oldest_post_days", lambda days: poller.set_rules(oldest_post=timedelta(days=days)))
    current.follow("feeds.largest", lambda most: setattr(poller, "fetch_limits", FetchLimits(bytes=most)))
    for name, field in (("feeds.at_once", "at_once"), ("feeds.of_host", "of_host")):
        current.follow(name, _setting(poller.set_limits, field))
    current.follow("executions.at_once", _setting(executor.set_limits, "at_once"))
    current.follow("screenshots.at_once", partial(setattr, photographer, "at_once"))
    current.follow("screenshots.kept_days", partial(setattr, photographer, "kept_days"))


def _setting(change: Callable[..., None], field: str) -> Callable[[Any], None]:
    return lambda value: change(**{field: value})


def _camera_limits(settings: Settings) -> CameraLimits:
    return CameraLimits(
        width=settings.screenshot_width,
        height=settings.screenshot_height,
        seconds=settings.screenshot_seconds,
        bytes=settings.largest_screenshot,
        page_bytes=settings.largest_page,
    )
