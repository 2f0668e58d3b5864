"""The photographer: takes the pictures that are due, few at once, and looks after the files of those that are kept.

What is due is claimed, taken with no transaction open, and what came of it is stored while the lease stands.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from time import perf_counter
from uuid import UUID

from api.workers.camera import Camera, NoCamera, NotTaken, Shot
from api.workers.picture_files import PictureFiles
from db.accounts import screenshots
from db.accounts.events import ALL_SCREENSHOTS, ScreenshotsWaiting
from db.accounts.screenshots import Picture, PictureRules
from db.accounts.tables import Screenshot
from db.bus import Lagged
from db.clock import Clock
from db.database import Database
from db.errors import Unavailable
from db.ids import new_id

_log = logging.getLogger(__name__)

_SWITCHED_OFF = "This server takes no screenshots: RINGSIDE_SCREENSHOTS_AT_ONCE is 0."
_FORGOTTEN_AT_ONCE = 1000
# A file may be there before the row that names it is.
_YOUNG = timedelta(hours=1)


@dataclass
class Photographer:
    """Takes pictures until cancelled. `at_once` and `kept_days` may be changed meanwhile; 0 is none, and for ever."""

    db: Database
    clock: Clock
    camera: Camera
    files: PictureFiles
    at_once: int = 1
    kept_days: int = 0
    rules: PictureRules = field(default_factory=PictureRules)
    look_seconds: float = 5.0
    tidy_seconds: float = 3600.0
    chance: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        """Begin with nothing under way."""
        # What is being taken, and the lease it is taken under.
        self._taking: dict[asyncio.Task[None], UUID] = {}
        self.taken = 0
        self.failures = 0

    async def run(self) -> None:
        """Take what is due until cancelled; then let go of what was claimed."""
        listening = self.db.bus.listen(ALL_SCREENSHOTS, of=ScreenshotsWaiting, latest_only=True, is_standing=True)
        tidying = asyncio.create_task(self._keep_tidy(), name="files of screenshots")
        try:
            with listening as heard:
                while True:
                    with suppress(Unavailable):
                        await self.begin_due()
                    _raise_of([tidying, *self._taking])
                    try:
                        async with asyncio.timeout(self.look_seconds):
                            await anext(heard)
                    except (TimeoutError, Lagged):
                        await self.camera.rest()
                    except StopAsyncIteration:
                        return
        finally:
            tidying.cancel()
            await asyncio.wait([tidying])
            await self._let_go()

    async def begin_due(self) -> None:
        """Begin to take what is due, as long as there is room."""
        while len(self._taking) < max(1, self.at_once):
            lease_id = new_id()
            claimed = await self._claim(lease_id)
            if claimed is None:
                return
            task = asyncio.create_task(self._take_on(claimed, lease_id), name="screenshots")
            self._taking[task] = lease_id
            task.add_done_callback(self._ended)

    async def finish(self) -> None:
        """Wait until all that is due is taken."""
        await self.begin_due()
        while self._taking:
            await asyncio.wait(list(self._taking))
            _raise_of(list(self._taking))
            await self.begin_due()

    def facts(self) -> dict[str, object]:
        """Say what health shows."""
        return {
            "taking": len(self._taking),
            "taken": self.taken,
            "failures": self.failures,
            "browsers": self.camera.begun,
        }

    async def tidy(self) -> int:
        """Let go of pictures that are too old, and of files that belong to none. Returns how many files went."""
        now = self.clock.now()
        if self.kept_days:
            before, gone = now - timedelta(days=self.kept_days), _FORGOTTEN_AT_ONCE
            while gone == _FORGOTTEN_AT_ONCE:
                async with self.db.transaction() as tx:
                    gone = await screenshots.forget_screenshots(tx, before=before, limit=_FORGOTTEN_AT_ONCE)
        old = await asyncio.to_thread(lambda: list(self.files.older_than((now - _YOUNG).timestamp())))
        removed = 0
        for first in range(0, len(old), _FORGOTTEN_AT_ONCE):
            some = old[first : first + _FORGOTTEN_AT_ONCE]
            async with self.db.read() as session:
                known = await screenshots.known_files(session, {name for name, _ in some if name})
            for name, path in some:
                if name not in known:
                    await asyncio.to_thread(path.unlink, missing_ok=True)
                    removed += 1
        return removed

    # Their own

    async def _claim(self, lease_id: UUID) -> Screenshot | None:
        """Claim one picture: each has a lease of its own, and can be given back alone."""
        now = self.clock.now()
        async with self.db.transaction() as tx:
            await screenshots.give_up_broken(tx, rules=self.rules, now=now)
            claimed = await screenshots.claim_screenshots(tx, lease_id=lease_id, limit=1, rules=self.rules, now=now)
        return claimed[0] if claimed else None

    async def _take_on(self, screenshot: Screenshot, lease_id: UUID) -> None:
        """Take a picture, and go on as long as more are due."""
        task = asyncio.current_task()
        claimed: Screenshot | None = screenshot
        while claimed is not None:
            try:
                await self._take_one(claimed, lease_id)
                lease_id = new_id()
                if task is not None and task in self._taking:
                    self._taking[task] = lease_id
                claimed = await self._claim(lease_id) if len(self._taking) <= max(1, self.at_once) else None
            except Unavailable as refusal:
                # Nothing of it was stored: whoever has the lease next takes it again.
                _log.warning("what came of a screenshot could not be stored: %s", refusal.message)
                return

    async def _take_one(self, screenshot: Screenshot, lease_id: UUID) -> None:
        began = perf_counter()
        try:
            shot = await self._shot(screenshot.url)
            name = await asyncio.to_thread(self.files.put, shot.content)
        except NoCamera as trouble:
            self.failures += 1
            async with self.db.transaction() as tx:
                await screenshots.note_unavailable(tx, screenshot.id, lease_id, trouble.error)
        except NotTaken as trouble:
            await self._note_not_taken(screenshot, lease_id, trouble.error, may_retry=trouble.may_retry)
        except OSError as error:
            _log.error("a screenshot cannot be kept: %s", error)
            await self._note_not_taken(screenshot, lease_id, "Its file cannot be written.", may_retry=True)
        else:
            self.taken += 1
            picture = Picture(
                sha256=name,
                width=shot.width,
                height=shot.height,
                byte_count=len(shot.content),
                duration_ms=round((perf_counter() - began) * 1000),
            )
            async with self.db.transaction() as tx:
                await screenshots.note_captured(tx, screenshot.id, lease_id, picture, now=self.clock.now())

    async def _shot(self, url: str) -> Shot:
        if not self.at_once:
            raise NoCamera(_SWITCHED_OFF)
        return await self.camera.take(url)

    async def _note_not_taken(self, screenshot: Screenshot, lease_id: UUID, error: str, *, may_retry: bool) -> None:
        self.failures += 1
        async with self.db.transaction() as tx:
            await screenshots.note_not_captured(
                tx,
                screenshot,
                lease_id,
                error,
                may_retry=may_retry,
                chance=self.chance(),
                rules=self.rules,
                now=self.clock.now(),
            )

    def _ended(self, task: "asyncio.Task[None]") -> None:
        # One that has failed stays, until whoever looks raises what it raised.
        if task.cancelled() or task.exception() is None:
            self._taking.pop(task, None)

    async def _keep_tidy(self) -> None:
        while True:
            with suppress(Unavailable):
                await self.tidy()
            await asyncio.sleep(self.tidy_seconds)

    async def _let_go(self) -> None:
        held = list(self._taking.values())
        tasks = list(self._taking)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._taking.clear()
        await self.camera.close()
        if held:
            with suppress(Unavailable):
                async with self.db.transaction() as tx:
                    await screenshots.release_screenshots(tx, held)


def _raise_of(tasks: Iterable["asyncio.Task[None]"]) -> None:
    """Raise what one of some tasks has raised."""
    for task in tasks:
        if task.done():
            task.result()
