"""A replica: a standby of PostgreSQL that queries are read from, where it has come far enough for who asks.

Whoever has changed something reads the primary until the replica has come as far as the primary's log was after that.
Where another process was asked for the change, it is told of that over the bus. A replica that is gone, too far behind,
or no standby of this primary answers nobody: the primary does.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from db.bus import Event, Lagged
from db.database import Database
from db.errors import Unavailable
from db.postgresql import Connections
from db.postgresql_database import PostgreSQLDatabase
from db.session import Session, Transaction
from db.statements import RawRow
from db.together import together

_log = logging.getLogger(__name__)

# Whoever knows of a replica watches this.
ALL_CHANGES = UUID(int=0x4348_414E_4745_53)

_TOO_FAR_BEHIND = "It is too far behind."
_LOOK_SECONDS = 0.25
# Whoever did not answer for so long is gone.
_PATIENCE_SECONDS = 2.0
_MOST_SAMPLES = 10_000

_PRIMARY = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::BIGINT AS at"
_REPLICA = "SELECT pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::BIGINT AS at WHERE pg_is_in_recovery()"
_WHOSE = "SELECT concat_ws('/', system_identifier, current_database()) FROM pg_control_system()"


@dataclass(frozen=True, kw_only=True)
class TokenWrote(Event):
    """Somebody has changed something with a token: he is not shown less than that."""

    token_id: UUID

    @property
    def topics(self) -> tuple[UUID, ...]:
        """All changes."""
        return (ALL_CHANGES,)


class Replica:
    """A standby, and how far it has come. Kept current by `run`; before that it answers nobody."""

    def __init__(self, primary: PostgreSQLDatabase, url: str, *, pool_size: int, most_seconds_behind: float) -> None:
        self._primary = primary
        self._most_seconds_behind = most_seconds_behind
        self._connections = Connections(url, size=pool_size)
        self._loop = asyncio.get_running_loop()
        self._reading = _Reading(primary, self)
        # How far it has come, and when the primary was there.
        self._replayed = 0
        self._was_there_at: float | None = None
        # When the primary was where, as far as that is not behind us.
        self._samples: deque[tuple[float, int]] = deque(maxlen=_MOST_SAMPLES)
        # Tokens that have changed something since the primary was last asked where it is, and where it was then for
        # the others. `ALL_CHANGES` stands for all of them, where we may not have heard of one.
        self._unasked: set[UUID] = {ALL_CHANGES}
        self._asking: set[UUID] = set()
        self._wrote: dict[UUID, int] = {}
        self._is_known = False
        # Why it answers nobody; nothing while it does.
        self._reason = "not asked yet"
        self.answered = 0
        self.passed_on = 0

    def reading_for(self, token_id: UUID) -> Database:
        """Return where a query of a token is read."""
        if self._may_answer(token_id):
            self.answered += 1
            return self._reading
        self.passed_on += 1
        return self._primary

    def writing_for(self, token_id: UUID) -> Database:
        """Return where something is changed for a token, and that is noted."""
        return _Writing(self._primary, self, token_id)

    def note_change(self, token_id: UUID) -> None:
        """Note that a token has changed something: until we know better, the replica does not have it."""
        self._unasked.add(token_id)

    async def run(self) -> None:
        """Look how far it has come, and hear who changed something elsewhere. Runs until cancelled."""
        # What was told before we listened nobody told us.
        self._unasked.add(ALL_CHANGES)
        await together(self._keep_looking(), self._keep_hearing())

    def facts(self) -> dict[str, object]:
        """Say what health shows."""
        behind = self.seconds_behind()
        return {
            "replica": "ok" if self._is_usable() else self._reason or _TOO_FAR_BEHIND,
            "secondsBehind": None if behind is None else round(behind, 3),
            "answered": self.answered,
            "passedOn": self.passed_on,
        }

    def seconds_behind(self) -> float | None:
        """Say how old what it shows may be, `None` if that is not known."""
        return None if self._was_there_at is None else self._loop.time() - self._was_there_at

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[RawRow]:
        """Read from it; from the primary if it has gone, or gave up because the primary has cleaned up."""
        try:
            return await self._connections.fetch(sql, arguments)
        except Unavailable as refusal:
            self._lose(refusal.message)
        except asyncpg.PostgresError as error:
            # A table that it does not have yet, say; what is wrong with the statement itself the primary says again.
            _log.debug("the replica cannot answer: %s", error)
        return await self._primary.fetch(sql, arguments)

    async def close(self) -> None:
        """Let go of its connections."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._connections.close()
        except TimeoutError:
            self._connections.terminate()

    # How far it has come

    def _is_usable(self) -> bool:
        behind = self.seconds_behind()
        return behind is not None and behind <= self._most_seconds_behind + _LOOK_SECONDS

    def _may_answer(self, token_id: UUID) -> bool:
        return self._is_usable() and self._has(token_id) and self._has(ALL_CHANGES)

    def _has(self, token_id: UUID) -> bool:
        if token_id in self._unasked or token_id in self._asking:
            return False
        return self._wrote.get(token_id, 0) <= self._replayed

    async def _keep_looking(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self._look()
            except Unavailable as refusal:
                self._lose(refusal.message)
            except TimeoutError:
                self._lose("It does not answer in time.")
            except asyncpg.PostgresError as error:
                # A database that it does not have yet, a password that is wrong: the words are for the log alone.
                _log.debug("the replica refuses: %s", error)
                self._lose("It does not let us in.")
            await asyncio.sleep(_LOOK_SECONDS)

    async def _look(self) -> None:
        """Ask both where they are, the primary first."""
        await self._ask_primary()
        if not self._is_known:
            await self._get_to_know()
        found = await self._connections.fetch(_REPLICA, [])
        if not found:
            self._is_known = False
            raise Unavailable("It is no standby.")
        self._note_replayed(found[0][0] or 0)

    async def _ask_primary(self) -> None:
        """Ask where it is: all who have changed something until now have done so before that."""
        # Who changes something while we ask is asked for the next time.
        self._asking |= self._unasked
        self._unasked = set()
        asked_at = self._loop.time()
        ((there,),) = await self._primary.fetch(_PRIMARY, [])
        self._wrote.update((token_id, there) for token_id in self._asking)
        self._asking = set()
        self._samples.append((asked_at, there))

    async def _get_to_know(self) -> None:
        ours, its = await self._primary.fetch(_WHOSE, []), await self._connections.fetch(_WHOSE, [])
        if ours[0][0] != its[0][0]:
            raise Unavailable("It is a standby of another server.")
        self._is_known = True

    def _note_replayed(self, replayed: int) -> None:
        self._replayed = replayed
        while self._samples and self._samples[0][1] <= replayed:
            self._was_there_at = self._samples.popleft()[0]
        self._wrote = {token_id: wrote for token_id, wrote in self._wrote.items() if wrote > replayed}
        if self._is_usable():
            if self._reason:
                _log.info("the replica answers queries")
            self._reason = ""
        else:
            self._complain(_TOO_FAR_BEHIND)

    def _lose(self, reason: str) -> None:
        self._was_there_at = None
        self._complain(reason)

    def _complain(self, reason: str) -> None:
        if reason != self._reason:
            _log.warning("the replica answers no queries, the primary does: %s", reason)
        self._reason = reason

    async def _keep_hearing(self) -> None:
        with self._primary.bus.listen(ALL_CHANGES, of=TokenWrote, is_standing=True) as heard:
            while True:
                try:
                    event = await anext(heard)
                except Lagged:
                    self._unasked.add(ALL_CHANGES)
                except StopAsyncIteration:
                    return
                else:
                    self.note_change(event.token_id)


class _Reading(Database):
    """The database as a query sees it that the replica answers."""

    def __init__(self, primary: Database, replica: Replica) -> None:
        super().__init__(primary.statements, primary.sealer, primary.bus)
        self._primary = primary
        self._session = Session(_Driver(replica), primary.statements, self._heard, primary.sealer)

    @property
    def epoch(self) -> str:
        """See `Database`: a replica is of the same."""
        return self._primary.epoch

    @epoch.setter
    def epoch(self, epoch: str) -> None:
        self._primary.epoch = epoch

    def read(self) -> AbstractAsyncContextManager[Session]:
        """See `Database`."""
        return nullcontext(self._session)

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """See `Database`."""
        return self._primary.transaction()

    async def _change(self, *_: object) -> Sequence[RawRow]:
        raise TypeError("A query changes nothing.")

    async def versions(self) -> dict[str, str]:
        """See `Database`."""
        return await self._primary.versions()

    async def close(self) -> None:
        """Leave it open: whoever opened it closes it."""


class _Writing(_Reading):
    """The database as a change sees it: what is changed is noted of its token, here and elsewhere."""

    def __init__(self, primary: Database, replica: Replica, token_id: UUID) -> None:
        super().__init__(primary, replica)
        self._replica = replica
        self._token_id = token_id

    def read(self) -> AbstractAsyncContextManager[Session]:
        """See `Database`. What a change shows is read where it was made."""
        return self._primary.read()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """See `Database`."""
        try:
            async with self._primary.transaction() as tx:
                yield tx
                tx.record(TokenWrote(token_id=self._token_id))
        finally:
            # Whatever came of it: it may have been stored though we were not told.
            self._replica.note_change(self._token_id)

    async def change(
        self, statement: Any, *, event: Callable[[Any], Event | None] | None = None, **parameters: object
    ) -> Any:
        """See `Database`. It is told of, and so a transaction."""
        async with self.transaction() as tx:
            return await tx.change(statement, event=event, **parameters)


class _Driver:
    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[RawRow]:
        return await self._replica.fetch(sql, arguments)
