"""The supervisor: background work by name, started again when it fails, and seen by whoever asks how it goes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from db.clock import Clock

_log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 30.0
# Work that ran this long was well: its next failure is a first one.
_WELL_AFTER_SECONDS = 60.0


@dataclass
class WorkerHealth:
    """How a piece of background work goes."""

    name: str
    state: str = "starting"
    restarts: int = 0
    since: datetime | None = None
    last_error: str | None = None
    facts: Callable[[], dict[str, object]] = field(default=dict, repr=False)


class Supervisor:
    """Keeps background work running. The one place where any exception is caught."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._health: dict[str, WorkerHealth] = {}

    def start(
        self, name: str, work: Callable[[], Awaitable[None]], facts: Callable[[], dict[str, object]] = dict
    ) -> None:
        """Run `work` until it returns or is stopped, again after a pause whenever it raises.

        `facts` says what health shows beside its state.
        """
        if name in self._tasks and not self._tasks[name].done():
            raise ValueError(f"There is a worker named {name!r} already.")
        health = self._health[name] = WorkerHealth(name=name, facts=facts)
        self._tasks[name] = asyncio.create_task(self._keep(health, work), name=name)

    async def stop(self, name: str) -> None:
        """Stop a piece of work and wait until it is gone."""
        task = self._tasks.pop(name, None)
        self._health.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            # Fetched, so that nobody else complains of it: it was logged.
            _ = task.cancelled() or task.exception()

    async def close(self) -> None:
        """Stop everything."""
        for name in list(self._tasks):
            await self.stop(name)

    def health(self) -> list[WorkerHealth]:
        """Say how all work goes."""
        return list(self._health.values())

    async def _keep(self, health: WorkerHealth, work: Callable[[], Awaitable[None]]) -> None:
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE_SECONDS
        while True:
            began = loop.time()
            self._note(health, "running")
            try:
                await work()
            except (Exception, asyncio.CancelledError) as error:
                if _is_stopped():
                    _log_last_words(health, error)
                    raise
                if loop.time() - began > _WELL_AFTER_SECONDS:
                    pause = FIRST_PAUSE_SECONDS
                health.last_error = f"{type(error).__name__}: {error}"
                health.restarts += 1
                self._note(health, "waiting")
                _log.error("worker %s failed and starts again in %.2f s", health.name, pause, exc_info=error)
            else:
                self._note(health, "done")
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _note(self, health: WorkerHealth, state: str) -> None:
        health.state = state
        health.since = self._clock.now()
        # That all begins as it should is no news: what fails, waits, comes back or is done is.
        is_news = state != "running" or health.restarts > 0
        _log.log(logging.INFO if is_news else logging.DEBUG, "worker %s is %s", health.name, state)


def _is_stopped() -> bool:
    """Say whether it was us who cancelled: work may also trip over something else that was."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _log_last_words(health: WorkerHealth, error: BaseException) -> None:
    if not isinstance(error, asyncio.CancelledError):
        _log.error("worker %s failed while it was stopped", health.name, exc_info=error)
