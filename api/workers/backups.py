"""What is asked of backups, done one after the other by one server of a database, and what is due by itself."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from api import backups
from api.backups import Outcome
from api.occupied import is_restored, restoring
from db.backups import operations
from db.backups.events import ALL_JOBS, BackupJobChanged, RestorationBegun
from db.backups.schedule import due_since
from db.backups.tables import BackupJob
from db.backups.target import Target, target_of
from db.backups.vocabulary import BackupJobKind
from db.bus import Lagged
from db.clock import Clock
from db.database import Database
from db.errors import Refusal, Unavailable
from db.settings.current import CurrentSettings

_log = logging.getLogger(__name__)

# Time goes on, and with it what is due.
_LOOK_AGAIN_SECONDS = 10.0
_SECONDS_BETWEEN_NEWS = 0.5
_SCHEDULED_BY = ("backups.every_hours", "backups.at", "backups.time_zone")


@dataclass
class Restoration:
    """A backup that is to be put in place of the database, once nobody is served any more.

    By whoever serves here if it has a `job`, else by another server. While one does it he holds the `lock`.
    """

    url: str
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    job: BackupJob | None = None
    target: Target | None = None
    lock: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def ask(self, job: BackupJob, target: Target, db: Database) -> None:
        """Ask for it, here and everywhere: from now on all servers of the database are about to stop.

        Raises `Conflict` if somebody does so already.
        """
        await self.lock.enter_async_context(restoring(self.url))
        self.job, self.target = job, target
        try:
            async with db.transaction() as tx:
                tx.record(RestorationBegun(job=job))
        except BaseException:
            self.job = None
            await self.lock.aclose()
            raise
        self.asked.set()

    async def hear(self, db: Database) -> None:
        """Leave when another server asks for it, until cancelled."""
        with db.bus.listen(ALL_JOBS, of=RestorationBegun, is_standing=True) as heard:
            while True:
                try:
                    await anext(heard)
                    is_asked = True
                except Lagged:
                    is_asked = not await is_restored(self.url)
                except StopAsyncIteration:
                    break
                if is_asked and self.job is None:
                    _log.info("another server puts a backup in place of the database")
                    self.asked.set()
        await asyncio.Event().wait()


class BackupKeeper:
    """Does what is asked of backups."""

    def __init__(
        self, url: str, db: Database, clock: Clock, current: CurrentSettings, restoration: Restoration
    ) -> None:
        self._url = url
        self._db = db
        self._clock = clock
        self._current = current
        self._restoration = restoration
        self._works: dict[BackupJobKind, Callable[[BackupJob, Target, _Progress], Any]] = {
            BackupJobKind.CREATE: self._create,
            BackupJobKind.VERIFY: self._verify,
            BackupJobKind.RESTORE: self._restore,
            BackupJobKind.DELETE: self._delete,
        }
        self.done = 0

    async def run(self) -> None:
        """Do what is asked and what is due, until cancelled. Nobody else does so at the same time."""
        while True:
            with suppress(Unavailable):
                await self._keep()
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    def facts(self) -> dict[str, object]:
        """Say what health shows."""
        return {"done": self.done}

    async def _keep(self) -> None:
        with self._db.bus.listen(ALL_JOBS, of=BackupJobChanged, latest_only=True, is_standing=True) as heard:
            async with self._db.transaction() as tx:
                await operations.end_interrupted(tx, now=self._clock.now())
            while not self._restoration.asked.is_set():
                await self.look()
                try:
                    async with asyncio.timeout(_LOOK_AGAIN_SECONDS):
                        await anext(heard)
                except (TimeoutError, Lagged):
                    continue
                except StopAsyncIteration:
                    return
            # What was asked for after it, is asked of a database that is no more.
            await asyncio.Event().wait()

    async def look(self) -> None:
        """Do all that is asked, and what is due."""
        await self._schedule()
        while not self._restoration.asked.is_set():
            async with self._db.transaction() as tx:
                job = await operations.claim(tx, now=self._clock.now())
            if job is None:
                return
            await self._do(job)

    async def _schedule(self) -> None:
        now = self._clock.now()
        values = {key: self._current.value(key) for key in _SCHEDULED_BY}
        since = due_since(values, now)
        if since is None:
            return
        async with self._db.transaction() as tx:
            if await operations.is_due(tx, since=since):
                await operations.ask(tx, BackupJobKind.CREATE, viewer=None, now=now)

    async def _do(self, job: BackupJob) -> None:
        """Do one thing; what goes wrong is what came of it."""
        progress = _Progress()
        telling = asyncio.create_task(self._tell(job, progress), name="backup progress")
        error = ""
        came: dict[str, Any] | None = {}
        try:
            async with self._db.read() as session:
                target = await target_of(session)
            came = await self._works[job.kind](job, target, progress)
        except Refusal as refusal:
            error = refusal.message
            _log.error("%s of a backup failed: %s", job.kind, error)
        finally:
            telling.cancel()
            await asyncio.wait([telling])
        if came is None:
            return
        async with self._db.transaction() as tx:
            await operations.finish(tx, job.id, error=error, now=self._clock.now(), **{"rows": progress.rows, **came})
        self.done += 1

    async def _tell(self, job: BackupJob, progress: "_Progress") -> None:
        told = 0
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_NEWS)
            if progress.rows != told:
                told = progress.rows
                with suppress(Unavailable):
                    async with self._db.transaction() as tx:
                        await operations.note_progress(tx, job.id, rows=told, table=progress.table)

    async def _create(self, job: BackupJob, target: Target, progress: "_Progress") -> dict[str, Any]:
        now = self._clock.now()
        made = await backups.create(self._url, target, now=now, progress=progress, is_beside=True)
        if job.asked_by_id is None:
            await asyncio.to_thread(backups.prune, target, keep=self._current.value("backups.keep"))
        return {"name": made.name, "size": made.size}

    async def _verify(self, job: BackupJob, target: Target, progress: "_Progress") -> dict[str, Any]:
        found = await asyncio.to_thread(backups.check, target, job.name, lambda rows: progress("", rows))
        return {"size": found.size}

    async def _delete(self, job: BackupJob, target: Target, progress: "_Progress") -> dict[str, Any]:  # noqa: ARG002 -- what all work is told
        await asyncio.to_thread(target.remove, job.name)
        return {}

    async def _restore(self, job: BackupJob, target: Target, progress: "_Progress") -> dict[str, Any] | None:
        """Say what it would do; and where that is not all, ask whoever serves to stop and do it."""
        would = await backups.restore(
            self._url, target, job.name, is_dry_run=True, now=self._clock.now(), progress=progress
        )
        if job.is_dry_run:
            return came_of(would)
        await self._restoration.ask(job, target, self._db)
        return None


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What came of putting a backup back: `came` are columns of the job."""

    job: BackupJob
    error: str = ""
    came: Mapping[str, Any] = field(default_factory=dict)


async def put_back(url: str, job: BackupJob, target: Target, clock: Clock, *, patience_seconds: float) -> Ended:
    """Put a backup in the place of a database that nobody serves any more. What is refused leaves it as it was.

    Other servers are given so much time to leave.
    """
    try:
        outcome = await backups.restore(
            url,
            target,
            job.name,
            is_dry_run=False,
            now=clock.now(),
            progress=lambda _table, _rows: None,
            patience_seconds=patience_seconds,
        )
    except Refusal as refusal:
        _log.error("backup %s could not be put back: %s", job.name, refusal.message)
        return Ended(job=job, error=refusal.message)
    return Ended(job=job, came=came_of(outcome))


class _Progress:
    """How many rows are done, of which table last."""

    def __init__(self) -> None:
        self.rows = 0
        self.table = ""

    def __call__(self, table: str, rows: int) -> None:
        self.rows += rows
        self.table = table


def came_of(outcome: Outcome) -> dict[str, Any]:
    """Return what is stored of what putting a backup back does."""
    return {"tables": [list(one) for one in outcome.tables], "rows": outcome.manifest.rows}
