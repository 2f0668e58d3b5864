"""The bus that Redis carries: what is told is published after the commit, and what may be missing is found out.

Redis keeps nothing of what it passes on. So each process numbers its messages and says every second how far it has
come: whoever finds a number missing, or hears nothing from somebody who did not take his leave, tells his listeners
that there may be a gap, and they read what is stored. So they do after a lost connection.

Messages of several processes come in any order. Each has a number that was taken in its transaction while all that it
tells of was held, so of two changes of one thing the later has the higher: what comes behind something later is not
delivered, and those concerned read instead.

Nobody waits for Redis: messages wait in a queue with an end. What does not fit is dropped, counted, and found out by
the others as above. No secret is ever in a message: whoever may connect may read.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from db.bus import Bus, BusKind, Event
from db.errors import Invalid
from db.ids import new_id
from db.letters import Letter, UnknownLetter, envelope, taken_out, write
from db.postgresql import Connections
from db.together import together

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

_log = logging.getLogger(__name__)

# So often a process says how far it has come.
_BEAT_SECONDS = 1.0
# Who was not heard for so long is gone, be it another process or Redis itself.
_SILENCE_SECONDS = 4.0
# Whoever did not answer for so long is gone.
_PATIENCE_SECONDS = 2.0
# Several gaps that are found together are told as one.
_GAP_SECONDS = 0.05
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0
# How much may wait while Redis is away, and how much of it is sent at once.
_MOST_WAITING = 10_000
_MOST_WAITING_BYTES = 16 * 1024 * 1024
_MOST_AT_ONCE = 256
# For so long it is known what was heard last of a thing: at least, and twice that at most.
_MEMORY_SECONDS = 30.0

_NUMBER = "SELECT nextval(pg_get_serial_sequence('bus_messages', 'number'))"
_DATABASE = "SELECT concat_ws('/', system_identifier, current_database()) FROM pg_control_system()"


def client_of(url: str) -> "Redis":
    """Return a client that gives up rather than tries again: what it missed meanwhile nobody would know.

    Raises `Invalid` if there can be none.
    """
    if not url:
        raise Invalid("RINGSIDE_BUS=redis needs RINGSIDE_REDIS_URL: redis://host:6379, or rediss:// over TLS.")
    try:
        from redis.asyncio import Redis  # noqa: PLC0415 -- an extra that most do without
        from redis.asyncio.retry import Retry  # noqa: PLC0415 -- as above
        from redis.backoff import NoBackoff  # noqa: PLC0415 -- as above
    except ImportError as error:
        raise Invalid("RINGSIDE_BUS=redis needs the package redis: pip install 'ringside[redis]'.") from error
    try:
        client: Redis = Redis.from_url(
            url,
            retry=Retry(NoBackoff(), 0),
            # Whoever sends bounds that himself: the client does it with Python 3.11's `wait_for`, which forgets a
            # cancellation that comes as the sending ends, and who was cancelled in vain is waited for in vain.
            socket_timeout=None,
            socket_connect_timeout=_PATIENCE_SECONDS,
            client_name="ringside",
        )
    except ValueError as error:
        # The library's words may hold a part of the password.
        raise Invalid(
            "RINGSIDE_REDIS_URL cannot be read: it is redis://:password@host:6379, or rediss:// over TLS. "
            "In a password / is written %2F, and # is written %23."
        ) from error
    return client


@dataclass(slots=True)
class _Told:
    """What a transaction tells: printed, and where it stands among all."""

    number: int
    letters: bytes
    # What this process is still to hear of it itself.
    events: Sequence[Event] = ()


class _Outbox:
    """Messages that wait to be sent, each with the number that tells others if it is missing."""

    def __init__(self) -> None:
        self.last = 0
        self.dropped = 0
        self.filled = asyncio.Event()
        self._waiting: deque[tuple[int, _Told]] = deque()
        self._size = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, told: _Told) -> bool:
        """Have it sent, or drop it where too much waits already; say which."""
        self.last += 1
        if len(self._waiting) >= _MOST_WAITING or self._size + len(told.letters) > _MOST_WAITING_BYTES:
            self.dropped += 1
            return False
        self._waiting.append((self.last, told))
        self._size += len(told.letters)
        self.filled.set()
        return True

    def waiting(self) -> list[_Told]:
        """Return what waits, and leave it there."""
        return [told for _, told in self._waiting]

    def take(self) -> list[tuple[int, _Told]]:
        """Return what is sent next."""
        taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_AT_ONCE))]
        self._size -= sum(len(told.letters) for _, told in taken)
        if not self._waiting:
            self.filled.clear()
        return taken


class _Order:
    """The number of what was heard last of each thing, of those that something was heard of a moment ago."""

    def __init__(self) -> None:
        self._recent: dict[UUID, int] = {}
        self._before: dict[UUID, int] = {}

    def is_late(self, topics: Sequence[UUID], number: int) -> bool:
        """Say whether something later was heard of one of these things, and note what is heard now."""
        last = [max(self._recent.get(topic, 0), self._before.get(topic, 0)) for topic in topics]
        self._recent.update((topic, max(number, before)) for topic, before in zip(topics, last, strict=True))
        return any(before > number for before in last)

    def forget(self) -> None:
        """Forget what nothing was heard of since the last time."""
        self._before, self._recent = self._recent, {}


@dataclass(slots=True)
class _Other:
    """Another process: how far it has come, and when it was heard."""

    last: int
    heard_at: float


class RedisBus(Bus):
    """The bus of all processes that work on one PostgreSQL database and speak through one Redis."""

    kind = BusKind.REDIS
    is_ordered = False

    def __init__(self, url: str, connections: Connections) -> None:
        super().__init__()
        # Refused now if it cannot be.
        _ = client_of(url)
        self._url = url
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._id = new_id().hex
        self._outbox = _Outbox()
        self._order = _Order()
        # What was sent and did not come back yet.
        self._passed_on: deque[tuple[int, _Told]] = deque()
        self._others: dict[str, _Other] = {}
        self._channel = ""
        self._keeping: asyncio.Task[None] | None = None
        self._sending: asyncio.Task[None] | None = None
        self._is_up = asyncio.Event()
        self._is_known_away = False
        self._heard_self_at = 0.0
        self._telling_gap: asyncio.TimerHandle | None = None
        # What was the last of all when others were told that nothing more comes.
        self._left_at = 0
        # How often something may have been missed, and how often something came too late.
        self.gaps = 0
        self.late = 0

    async def open(self) -> None:
        """See `Bus`. Redis need not be there: it is called again and again, and health says that it is away."""
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep(), name="bus")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self._is_up.wait()

    async def before_commit(self, connection: Any, events: Sequence[Event]) -> _Told:
        """See `Bus`: take the number, while all that is told of is held."""
        return _Told(await connection.fetchval(_NUMBER), envelope(map(write, events)).encode())

    def publish(self, events: Iterable[Event], told: Any = None) -> None:
        """Tell all as soon as that can be, this process when it comes back from Redis; without Redis that at once.

        Who dies before he told others has shown it to nobody: a client who goes to another would see what was before.
        """
        if not isinstance(told, _Told):
            raise TypeError("What is told to other processes is made ready before the commit.")
        told.events = list(events)
        if not (self._outbox.put(told) and self._is_up.is_set()):
            self._hear_now([told])
        if self._keeping is None and (self._sending is None or self._sending.done()):
            self._sending = asyncio.create_task(self._send_alone(), name="bus sending")

    async def let_go(self) -> None:
        """See `Bus`. What waits is sent before, and others are told that nothing more comes."""
        keeping, self._keeping = self._keeping, None
        if self._telling_gap is not None:
            self._telling_gap.cancel()
        if keeping is not None:
            keeping.cancel()
            await asyncio.wait([keeping])
        if self._sending is not None:
            await asyncio.wait([self._sending])
        if keeping is not None or self._outbox.last != self._left_at:
            self._left_at = self._outbox.last
            await self._send_alone(takes_leave=True)

    def facts(self) -> dict[str, object]:
        """See `Bus`."""
        return {
            "kind": self.kind.value,
            "status": "ok" if self._is_up.is_set() else "away",
            "gaps": self.gaps,
            "late": self.late,
            "waiting": len(self._outbox),
            "dropped": self._outbox.dropped,
        }

    def tell_gap(self, topics: Iterable[UUID] | None = None) -> None:
        """See `Bus`; it is counted."""
        self.gaps += 1
        super().tell_gap(topics)

    # Keeping a connection

    async def _keep(self) -> None:
        """Hear and tell; begin again whenever Redis is gone, and tell everybody what that means."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                async with self._connected() as (client, ear):
                    pause = _FIRST_PAUSE_SECONDS
                    await self._carry(client, ear)
            except Exception as error:  # noqa: BLE001 -- a client that is cut off raises anything, and a bus never ends
                self._say_away(error)
            finally:
                self._is_up.clear()
                self._hear_own(self._outbox.last)
                self._hear_now(self._outbox.waiting())
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _say_away(self, error: Exception) -> None:
        # Once each time, and not at every call.
        level = logging.DEBUG if self._is_known_away else logging.WARNING
        self._is_known_away = True
        _log.log(level, "the bus has no connection to Redis: %s", type(error).__name__)

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple["Redis", "PubSub"]]:
        client = client_of(self._url)
        try:
            channel = await self._name_channel()
            async with client.pubsub() as ear:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await ear.subscribe(channel)
                confirmed = await ear.get_message(timeout=_PATIENCE_SECONDS)
                if confirmed is None:
                    raise TimeoutError
                yield client, ear
        finally:
            await client.aclose()

    async def _carry(self, client: "Redis", ear: "PubSub") -> None:
        now = self._heard_self_at = self._loop.time()
        for other in self._others.values():
            other.heard_at = now
        self._is_up.set()
        self._is_known_away = False
        _log.info("the bus listens to Redis")
        if self._listeners:
            self.tell_gap()
        await together(self._hear(ear), self._tell(client))

    async def _name_channel(self) -> str:
        """Return what this database's channel is called: several may share one Redis."""
        if not self._channel:
            ((database,),) = await self._connections.fetch(_DATABASE, [])
            self._channel = f"ringside:{hashlib.sha256(database.encode()).hexdigest()[:16]}"
        return self._channel

    # Telling

    async def _tell(self, client: "Redis") -> None:
        """Send what there is, and every second how far that goes."""
        beat_at = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_BEAT_SECONDS):
                    await self._outbox.filled.wait()
            now = self._loop.time()
            is_due = now - beat_at >= _BEAT_SECONDS
            beat_at = now if is_due else beat_at
            await self._send(client, self._outbox.take(), beats=is_due)

    async def _send(self, client: "Redis", taken: Sequence[tuple[int, _Told]], *, beats: bool = False) -> None:
        last = taken[-1][0] if len(self._outbox) else self._outbox.last
        messages = [b'["%s",%d,%d,%s]' % (self._id.encode(), at, one.number, one.letters) for at, one in taken]
        if beats:
            messages.append(b'["%s",%d,null,[]]' % (self._id.encode(), last))
        pipeline = client.pipeline(transaction=False)
        for message in messages:
            # It is sent with the others.
            _ = pipeline.publish(self._channel, message)
        # Before, as they may come back before we are answered.
        self._passed_on.extend(taken)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await pipeline.execute()
        except BaseException:
            # Perhaps they were passed on, perhaps not: whoever did not hear them will find that out.
            self._outbox.dropped += len(taken)
            self._hear_own(self._outbox.last)
            raise
        if not self._is_up.is_set():
            # Nobody here hears it come back.
            self._hear_own(self._outbox.last)

    async def _send_alone(self, *, takes_leave: bool = False) -> None:
        """Send what there is, for who does not listen himself, or not any more."""
        client = client_of(self._url)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._name_channel()
                while taken := self._outbox.take():
                    await self._send(client, taken)
                if takes_leave:
                    leave = b'["%s",%d,null,null]' % (self._id.encode(), self._outbox.last)
                    await client.publish(self._channel, leave)
        except Exception as error:  # noqa: BLE001 -- as above
            _log.warning("the bus could not tell others through Redis: %s", type(error).__name__)
        finally:
            await client.aclose()

    # Hearing

    async def _hear(self, ear: "PubSub") -> None:
        looked_at = forgot_at = self._loop.time()
        taken = 0
        while True:
            message = await ear.get_message(ignore_subscribe_messages=True, timeout=_BEAT_SECONDS)
            now = self._loop.time()
            if message is not None:
                self._take(message["data"], now)
                taken += 1
                if taken % _MOST_AT_ONCE == 0:
                    # What is there already is read without waiting: others want their turn. Not after each message:
                    # whoever comes from another process would be shown less than he has seen there.
                    await asyncio.sleep(0)
            if now - looked_at >= _BEAT_SECONDS:
                looked_at = now
                self._look_for_silence(now)
            if now - forgot_at >= _MEMORY_SECONDS:
                forgot_at = now
                self._order.forget()

    def _look_for_silence(self, now: float) -> None:
        """Find out who was not heard for too long. Raises `TimeoutError` if that is everybody."""
        if now - self._heard_self_at > _SILENCE_SECONDS:
            raise TimeoutError
        for sender, other in list(self._others.items()):
            if now - other.heard_at > _SILENCE_SECONDS:
                # It may have died between a commit and telling of it.
                del self._others[sender]
                self._tell_gap_soon()

    def _take(self, data: bytes, now: float) -> None:
        try:
            sender, last, number, letters = orjson.loads(data)
            told = [] if letters is None else taken_out(letters)
        except (ValueError, TypeError):
            _log.error("the bus heard something that is no message; everybody reads again")
            self._tell_gap_soon()
            return
        if sender == self._id:
            self._heard_self_at = now
            self._hear_own(last)
            return
        before = self._others.get(sender, _NOBODY).last
        if number is not None and last <= before:
            return
        if last > before + (number is not None):
            self._tell_gap_soon()
        if letters is None:
            self._others.pop(sender, None)
            return
        self._others[sender] = _Other(last, now)
        for letter in told:
            self._open(letter, number)

    def _open(self, letter: Letter, number: int) -> None:
        if not self.has_listener(letter.topics):
            self._order.is_late(letter.topics, number)
            return
        try:
            event = letter.read()
        except UnknownLetter as unknown:
            self.tell_gap(unknown.topics)
            return
        self._deliver_in_order(letter.topics, number, event)

    def _hear_own(self, last: int) -> None:
        """Hear what this process told, so far."""
        while self._passed_on and self._passed_on[0][0] <= last:
            self._hear_now([self._passed_on.popleft()[1]])

    def _hear_now(self, told: Iterable[_Told]) -> None:
        """Hear what this process tells, once."""
        for one in told:
            events, one.events = one.events, ()
            for event in events:
                self._deliver_in_order(event.topics, one.number, event)

    def _deliver_in_order(self, topics: Sequence[UUID], number: int, event: Event) -> None:
        if self._order.is_late(topics, number):
            self.late += 1
            super().tell_gap(topics)
        else:
            self.deliver([event])

    def _tell_gap_soon(self) -> None:
        """Tell everybody, once for all that is found out meanwhile."""
        if self._telling_gap is None:
            self._telling_gap = self._loop.call_later(_GAP_SECONDS, self._tell_gap_now)

    def _tell_gap_now(self) -> None:
        self._telling_gap = None
        self.tell_gap()


_NOBODY = _Other(0, 0.0)
