"""One OBS machine: called again for ever, told what is queued for it, and heard of what becomes of its outputs.

Reading, storing, sending and following the mat each have a task and a queue of their own, so none of them waits for
another, and nothing of it is in the way of what the mat's scoring program says.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.typing import Subprotocol

from api.workers.obs_conversation import Conversation, Refused
from api.workers.obs_protocol import REFUSALS, Hello, Identified, identify, parse
from db.bus import Lagged
from db.clock import Clock
from db.database import Database
from db.errors import Unavailable
from db.matches.events import MatchEventsLogged
from db.recordings import commands, machines
from db.recordings.following import follow_events, follow_present, is_followed
from db.recordings.tables import OBSMachine
from db.recordings.vocabulary import OBSMachineState
from db.session import Transaction
from db.together import together

T = TypeVar("T")

_log = logging.getLogger(__name__)

_LARGEST_FRAME = 1024 * 1024
_BREAKS = (OSError, TimeoutError, ConnectionClosed, InvalidHandshake, InvalidURI, Refused)


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long one waits: for what, in seconds."""

    first_pause: float = 0.5
    longest_pause: float = 30.0
    opening: float = 10.0
    # A socket that answers no ping for so long is dead.
    ping: float = 20.0
    # A connection that lasted so long was well: the next pause is a first one.
    well_after: float = 10.0
    database: float = 0.25
    # For an answer, for a recording to begin or end, and for a replay to be written.
    answer: float = 10.0
    done: float = 30.0
    replay: float = 600.0
    # Between two looks at what is under way.
    look: float = 10.0


@dataclass
class OBSClient:
    """Speaks with one machine until cancelled."""

    db: Database
    clock: Clock
    machine: OBSMachine
    patience: Patience = field(default_factory=Patience)
    chance: Callable[[], float] = random.random
    open_sockets: int = field(default=0, init=False)
    failures: int = field(default=0, init=False)

    async def run(self) -> None:
        """Follow the mat and call the machine until cancelled. Raises what keeps it from doing either."""
        await together(self._follow(), self._call())

    def facts(self) -> dict[str, object]:
        """Say what health shows."""
        return {"sockets": self.open_sockets, "failures": self.failures}

    async def store(self, change: Callable[[Transaction], Awaitable[T]]) -> T:
        """Make a change that may be made twice, again until the database can."""
        while True:
            try:
                async with self.db.transaction() as tx:
                    return await change(tx)
            except Unavailable as refusal:
                _log.warning("OBS %s waits for the database: %s", self.machine.id, refusal.message)
                await asyncio.sleep(self.patience.database)

    # The mat

    async def _follow(self) -> None:
        """Queue what the machine is to do at what is said of its mat."""
        listening = self.db.bus.listen(self.machine.mat_id, of=MatchEventsLogged, is_standing=True)
        # Listen before reading: what is said in between is then heard, not missed.
        with listening as heard:
            is_behind = True
            while True:
                if is_behind:
                    await self.store(self._follow_present)
                try:
                    logged = [await anext(heard), *heard.take()]
                    is_behind = False
                except Lagged:
                    is_behind = True
                    continue
                except StopAsyncIteration:
                    return
                events = [event for one in logged for event in one.events if is_followed(event)]
                if events:
                    await self._queue_for(events)

    async def _queue_for(self, events: list[Any]) -> None:
        await self.store(lambda tx: follow_events(tx, self.machine, events, now=self.clock.now()))

    async def _follow_present(self, tx: Transaction) -> None:
        await follow_present(tx, self.machine, now=self.clock.now())

    # The machine

    async def _call(self) -> None:
        loop = asyncio.get_running_loop()
        attempt = 0
        while True:
            began = loop.time()
            await self._note(OBSMachineState.CONNECTING)
            broken = await self._talk()
            self.failures += 1
            await self.store(self._give_up_sent)
            await self._note(OBSMachineState.ERROR, broken)
            if loop.time() - began > self.patience.well_after:
                attempt = 0
            longest = min(self.patience.longest_pause, self.patience.first_pause * 2 ** min(attempt, 16))
            attempt += 1
            # Somewhere in the upper half, so that many clients do not call at once.
            pause = longest * (0.5 + self.chance() / 2)
            _log.info("OBS %s broke off, next call in %.2f s: %s", self.machine.id, pause, broken)
            await asyncio.sleep(pause)

    async def _talk(self) -> str:
        """Speak with the machine until it breaks off; say why it did."""
        try:
            async with self._socket() as socket:
                await self._enter(socket)
                await self.store(self._give_up_sent)
                await self._note(OBSMachineState.CONNECTED)
                await self.store(self._follow_present)
                await Conversation(self, socket).run()
        except _BREAKS as error:
            return _said(error)
        return "OBS has closed the connection."

    @asynccontextmanager
    async def _socket(self) -> AsyncIterator[ClientConnection]:
        host = f"[{self.machine.host}]" if ":" in self.machine.host else self.machine.host
        calling = connect(
            f"ws://{host}:{self.machine.port}/",
            subprotocols=[Subprotocol("obswebsocket.json")],
            open_timeout=self.patience.opening,
            ping_interval=self.patience.ping,
            ping_timeout=self.patience.ping,
            close_timeout=1,
            max_size=_LARGEST_FRAME,
            compression=None,
            proxy=None,
        )
        async with calling as socket:
            self.open_sockets += 1
            try:
                yield socket
            finally:
                self.open_sockets -= 1

    async def _enter(self, socket: ClientConnection) -> None:
        """Greet, and be let in. Raises `Refused`, and what a socket raises that breaks."""
        async with asyncio.timeout(self.patience.opening):
            hello = parse(await socket.recv())
            if not isinstance(hello, Hello):
                raise Refused("What answers there is no OBS: obs-websocket 5 greets, and this did not.")
            if hello.challenge is not None and self.machine.password is None:
                raise Refused("This OBS asks for a password, and none is set.")
            await socket.send(identify(hello, self._password()))
            if not isinstance(parse(await socket.recv()), Identified):
                raise Refused("OBS did not let us in.")

    def _password(self) -> str:
        """Return the machine's password, empty if it has none. Raises `Refused` if it does not open."""
        try:
            return (self.db.sealer.reveal(self.machine.password, purpose=machines.PURPOSE) or b"").decode()
        except Unavailable as refusal:
            raise Refused(refusal.message) from refusal

    async def _give_up_sent(self, tx: Transaction) -> None:
        message = "The connection to OBS broke off before it was done."
        await commands.give_up_sent(tx, self.machine.id, message=message, now=self.clock.now())

    async def _note(self, state: OBSMachineState, message: str = "") -> None:
        """Note how it goes; a database that is away does not keep the machine from being called."""
        with suppress(Unavailable):
            async with self.db.transaction() as tx:
                await machines.note_state(tx, self.machine.id, state, message=message, now=self.clock.now())


def _said(error: BaseException) -> str:
    """Say in a sentence what broke a conversation off."""
    if isinstance(error, ConnectionClosed) and error.rcvd is not None:
        return REFUSALS.get(error.rcvd.code, f"OBS closed with {error.rcvd.code} {error.rcvd.reason}".strip())
    return str(error) or type(error).__name__
