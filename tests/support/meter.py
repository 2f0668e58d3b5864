"""Where a machine's processors were: how long servers, databases and we ourselves have run since it was begun."""

import asyncio
import contextlib
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import psutil

OURSELVES = "clients"
SERVERS = "servers"
POSTGRESQL = "PostgreSQL"
# Whoever is killed has run that much longer at most than is noted.
_LOOK_SECONDS = 1.0


class Meter:
    """Notes every second how long each process below ours has run: of one that is killed nobody tells it afterwards."""

    def __init__(self) -> None:
        self._began: dict[tuple[int, float], float] = {}
        self._ran: dict[tuple[int, float], float] = {}
        self._kinds: dict[tuple[int, float], str] = {}
        self.look()
        self._began = dict(self._ran)

    def look(self) -> None:
        """Note how long each has run until now."""
        us = psutil.Process()
        for process in [us, *us.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                # A number is given again to another, which began at another time.
                key = process.pid, process.create_time()
                times = process.cpu_times()
                self._ran[key] = times.user + times.system
                if key not in self._kinds:
                    self._kinds[key] = _kind(process)

    def seconds(self) -> Mapping[str, float]:
        """Return how many seconds each kind has run."""
        self.look()
        spent: dict[str, float] = defaultdict(float)
        for key, ran in self._ran.items():
            spent[self._kinds[key]] += ran - self._began.get(key, 0.0)
        return spent


@asynccontextmanager
async def metered() -> AsyncIterator[Meter]:
    """Look every second until the block ends."""
    meter = Meter()

    async def look() -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await asyncio.to_thread(meter.look)

    looking = asyncio.create_task(look(), name="meter")
    try:
        yield meter
    finally:
        looking.cancel()
        await asyncio.wait([looking])


def _kind(process: psutil.Process) -> str:
    if process.pid == os.getpid():
        return OURSELVES
    return POSTGRESQL if process.name().startswith("postgres") else SERVERS
