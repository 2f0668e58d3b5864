"""Leases: of several servers on one database, which one does a piece of background work, and when it is handed over.

Work is wrapped, and does not know: it is begun when this process takes its lease, and stopped when somebody else has
taken it. While the database is away nobody can take anything, so what is held is held until somebody says otherwise;
whoever was paused for too long hears of that at his next change (`fenced`), or by what is claimed row by row.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from db.bus import Lagged
from db.clock import Clock
from db.database import Database
from db.errors import Unavailable
from db.ids import new_id
from db.leases import operations
from db.leases.events import ALL_LEASES, LeaseReleased
from db.leases.fenced import FencedDatabase
from db.leases.operations import FoundLease, Holder
from db.leases.tables import Lease
from db.together import together

_log = logging.getLogger(__name__)

_LONGEST_BETWEEN_LOOKS = 1.0
_RENEWALS = 3
_LOOKS = 10


@dataclass(eq=False)
class _Wanted:
    """A lease that this process would have. `fence` is what it was taken with, `None` while somebody else holds it."""

    name: str
    fence: int | None = None
    # Whether somebody here would begin at once.
    is_waiting: bool = False
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    idle: asyncio.Event = field(default_factory=asyncio.Event)


class Leases:
    """The leases of one process: kept by `run`."""

    def __init__(self, db: Database, clock: Clock, *, host: str, seconds: float = 10.0) -> None:
        self._db = db
        self._clock = clock
        self._seconds = seconds
        self.holder = Holder(id=new_id(), host=host, process=os.getpid(), machine=_this_machine())
        self._wanted: dict[str, _Wanted] = {}
        self._known: dict[str, Lease] = {}
        self._has_news = asyncio.Event()
        self._is_leaving = False

    def holding(self, name: str, work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Wrap work: it is done while this process holds the lease of this name, and by nobody else meanwhile."""
        wanted = self._of(name)

        async def run() -> None:
            try:
                while not await self._work(wanted, work):
                    continue
            finally:
                await self._release(wanted)

        return run

    def fenced(self, name: str) -> FencedDatabase:
        """Return the database as work under this lease has it: nothing is stored after the lease was lost."""
        wanted = self._of(name)
        return FencedDatabase(self._db, name, self.holder, lambda: wanted.fence)

    def facts(self, name: str, facts: Callable[[], dict[str, object]] = dict) -> Callable[[], dict[str, object]]:
        """Say what health shows of work under a lease: who does it, as far as was heard, beside its own facts."""
        wanted = self._of(name)

        def told() -> dict[str, object]:
            known = self._known.get(name)
            is_held = known is not None and known.holder_id is not None
            lease = {
                "isHeldHere": wanted.fence is not None,
                "holder": f"{known.host}/{known.process}" if known is not None and is_held else None,
                "since": known.taken_at if known is not None else None,
                "until": known.until if known is not None else None,
            }
            return {**facts(), "lease": lease}

        return told

    async def run(self) -> None:
        """Take what is free and is wanted here, and renew what is held, until cancelled."""
        await together(self._keep_taking(), self._keep_renewing())

    async def look(self) -> None:
        """Take what is free and is wanted here. Raises `Unavailable`."""
        found = await self._find()
        missing = [name for name in self._wanted if name not in found]
        if missing:
            async with self._db.transaction() as tx:
                await operations.make_leases(tx, missing)
            found = await self._find()
        taken: list[str] = []
        try:
            for wanted in list(self._wanted.values()):
                if await self._take(wanted, found[wanted.name]):
                    taken.append(wanted.name)  # noqa: PERF401 -- they are told of when a later one fails, too
        finally:
            if taken:
                _log.info("this process does from now on: %s", ", ".join(taken))

    async def renew(self) -> None:
        """Renew what is held, and stop what somebody else has taken. Raises `Unavailable`."""
        held = {wanted: wanted.fence for wanted in self._wanted.values() if wanted.fence is not None}
        if not held:
            return
        async with self._db.transaction() as tx:
            ours = await operations.renew_leases(tx, self.holder, seconds=self._seconds, now=self._clock.now())
        for wanted, fence in held.items():
            # Given back or taken anew meanwhile, it is none of those that were renewed.
            if wanted.fence == fence and ours.get(wanted.name) != fence:
                _log.warning("another process has taken over: %s", wanted.name)
                self._lose(wanted)

    async def leave(self) -> None:
        """Stop all work under leases and give them back at once, because the server stops. Nothing is taken again."""
        self._is_leaving = True
        for wanted in self._wanted.values():
            wanted.over.set()
        for wanted in self._wanted.values():
            if wanted.fence is not None:
                await wanted.idle.wait()

    def _of(self, name: str) -> _Wanted:
        return self._wanted.setdefault(name, _Wanted(name))

    # Work

    async def _work(self, wanted: _Wanted, work: Callable[[], Awaitable[None]]) -> bool:
        """Wait for the lease and work under it; say whether the work came to an end of its own."""
        wanted.is_waiting = True
        self._has_news.set()
        await wanted.taken.wait()
        wanted.is_waiting = False
        working = asyncio.ensure_future(work())
        losing = asyncio.create_task(wanted.over.wait())
        try:
            await asyncio.wait([working, losing], return_when=asyncio.FIRST_COMPLETED)
            is_done = working.done()
        finally:
            working.cancel()
            losing.cancel()
            await asyncio.wait([working, losing])
            await self._release(wanted)
        if not working.cancelled():
            working.result()
        return is_done

    async def _release(self, wanted: _Wanted) -> None:
        """Give a lease back, if it is ours still: what was done under it is done."""
        wanted.is_waiting = False
        wanted.taken.clear()
        fence, wanted.fence = wanted.fence, None
        if fence is not None:
            # A database that is away finds it run out later.
            with suppress(Unavailable):
                async with self._db.transaction() as tx:
                    await operations.release_lease(tx, wanted.name, self.holder, fence)
        wanted.idle.set()

    def _lose(self, wanted: _Wanted) -> None:
        wanted.fence = None
        wanted.over.set()

    # Leases

    async def _keep_taking(self) -> None:
        heard = asyncio.create_task(self._hear(), name="released leases")
        try:
            while True:
                self._has_news.clear()
                with suppress(Unavailable):
                    await self.look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(_LONGEST_BETWEEN_LOOKS, self._seconds / _LOOKS)):
                        await self._has_news.wait()
        finally:
            heard.cancel()

    async def _hear(self) -> None:
        """Look as soon as another gives a lease back."""
        with self._db.bus.listen(ALL_LEASES, of=LeaseReleased, latest_only=True, is_standing=True) as heard:
            while True:
                try:
                    await anext(heard)
                except Lagged:
                    pass
                except StopAsyncIteration:
                    return
                self._has_news.set()

    async def _keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(self._seconds / _RENEWALS)
            try:
                await self.renew()
            except Unavailable as refusal:
                _log.warning("leases cannot be renewed now: %s", refusal.message)

    async def _find(self) -> dict[str, FoundLease]:
        async with self._db.read() as session:
            found = await operations.find_leases(session, now=self._clock.now())
        self._known = {one.lease.name: one.lease for one in found}
        return {one.lease.name: one for one in found}

    async def _take(self, wanted: _Wanted, found: FoundLease) -> bool:
        """Take a lease that is free and wanted here, and say whether that was so."""
        if not self._would_begin(wanted):
            return False
        is_gone = self._is_gone(found.lease)
        if found.lease.holder_id is not None and not found.is_over and not is_gone:
            return False
        async with self._db.transaction() as tx:
            fence = await operations.take_lease(
                tx, found.lease, self.holder, seconds=self._seconds, is_gone=is_gone, now=self._clock.now()
            )
        if fence is None:
            return False
        has_left = not self._would_begin(wanted)
        wanted.fence = fence
        if has_left:
            await self._release(wanted)
            return False
        wanted.over.clear()
        wanted.idle.clear()
        wanted.taken.set()
        return True

    def _would_begin(self, wanted: _Wanted) -> bool:
        return wanted.fence is None and wanted.is_waiting and not self._is_leaving

    def _is_gone(self, lease: Lease) -> bool:
        """Say whether a holder is known to be gone: a process of this machine that has ended, or we without knowing."""
        if lease.holder_id == self.holder.id:
            return True
        return bool(lease.machine) and lease.machine == self.holder.machine and _has_ended(lease.process)


def _this_machine() -> str:
    """Name this machine until it is started again, and who numbers its processes; "" where that cannot be told."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _has_ended(process: int) -> bool:
    """Say whether a process of this machine has ended. Another one by its number passes for it."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    except (OSError, IndexError):
        return False
    # Ended, and nobody has asked how.
    return state in {"Z", "X"}
