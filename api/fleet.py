"""Several processes of one server: a parent that starts them, hands each its socket, and starts anew who is gone.

The parent serves nothing and opens no database. It holds a listening socket for each of its children, all of one port,
and the system spreads new connections among them (`SO_REUSEPORT`). While a child is gone, whoever connects to its
socket waits there for the next one: nobody is refused. Children are told what to do on their standard input, which
also ends them: when it closes, the parent is gone.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import SecretStr

from api.settings import Settings, foreign_environment
from db.errors import Invalid, Unavailable

_log = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 30.0
# Who lived this long was well: the next death is a first one.
_WELL_AFTER_SECONDS = 60.0
_BACKLOG = 2048
# What a child ends with that cannot work with this database, however often it is started.
REFUSED = 78


@dataclass
class _Child:
    """A place for a process: its number, and the socket that is kept for whoever has it."""

    number: int
    listening: socket.socket
    process: Process | None = None
    is_up: asyncio.Event = field(default_factory=asyncio.Event)
    # What the first one said when it was up.
    welcome: dict[str, Any] = field(default_factory=dict)
    restarts: int = 0


class Fleet:
    """The processes of one server."""

    def __init__(self, settings: Settings, on_started: Callable[[dict[str, Any]], None]) -> None:
        self._settings = settings
        self._on_started = on_started
        self._children = [
            _Child(number, listening)
            for number, listening in enumerate(_listening(settings.host, settings.port, settings.workers))
        ]
        self._stopping = asyncio.Event()
        self._times_asked = 0
        self._failure: str | None = None

    async def run(self) -> None:
        """Serve until a signal asks to stop. Raises `Unavailable` if a process does not come up at first."""
        loop = asyncio.get_running_loop()
        for asked in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(asked, self._stop)
        try:
            async with asyncio.TaskGroup() as group:
                # The first by itself: it makes what an empty database needs.
                first, *others = self._children
                for together in ([first], others):
                    for child in together:
                        group.create_task(self._keep(child), name=f"worker {child.number}")
                    for child in together:
                        await _first_of(child.is_up, self._stopping)
                if not self._stopping.is_set():
                    self._on_started(first.welcome)
        finally:
            for child in self._children:
                child.listening.close()
        if self._failure is not None:
            raise Unavailable(self._failure)

    def _stop(self) -> None:
        """Ask all to stop, as often as we are asked."""
        self._times_asked += 1
        self._stopping.set()
        for child in self._children:
            # Nobody new is to wait there.
            child.listening.close()
            if child.process is not None and child.process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.process.terminate()

    async def _keep(self, child: _Child) -> None:
        """Have a process in a place until it is asked to stop."""
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            began = loop.time()
            code = await self._live(child)
            if self._stopping.is_set():
                return
            if not child.is_up.is_set():
                self._failure = f"Worker {child.number} did not come up: it ended with {code}, and said above why."
                self._stop()
                return
            if code == REFUSED:
                # Nobody would serve those who come to its socket.
                self._failure = f"Worker {child.number} cannot be started again, and said above why: all have ended."
                self._stop()
                return
            if loop.time() - began > _WELL_AFTER_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            child.restarts += 1
            _log.error("worker %d ended with %s and starts again in %.2f s", child.number, code, pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _live(self, child: _Child) -> int:
        """Start a process, note when it is up, and return what it ended with."""
        fd = child.listening.fileno()
        # In a session of its own: what is typed at the terminal is told to us alone, and passed on once.
        process = child.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from api.worker import main; main()"),
            stdin=PIPE,
            stdout=PIPE,
            pass_fds=[fd],
            start_new_session=True,
            env=foreign_environment(),
        )
        if process.stdin is None or process.stdout is None:
            raise TypeError("A process that was asked for pipes has them.")
        process.stdin.write(orjson.dumps(_orders(self._settings, child.number, fd), option=orjson.OPT_APPEND_NEWLINE))
        if self._stopping.is_set():
            process.terminate()
        line = await process.stdout.readline()
        if line:
            child.welcome = child.welcome or orjson.loads(line)
            child.is_up.set()
            _log.info("worker %d is up as process %d", child.number, process.pid)
        code = await process.wait()
        process.stdin.close()
        return code


@dataclass(frozen=True)
class Orders:
    """What a child is told: its settings, which one it is, and the socket it serves on."""

    settings: Settings
    number: int
    fd: int

    @classmethod
    def read(cls, line: bytes) -> "Orders":
        """Read what the parent wrote."""
        told = orjson.loads(line)
        return cls(settings=Settings(**told["settings"]), number=told["number"], fd=told["fd"])


def check(settings: Settings) -> None:
    """Raise `Invalid` if several processes cannot serve with these settings."""
    if settings.workers == 1:
        return
    if not settings.is_shared:
        raise Invalid(
            "Several workers need a PostgreSQL database and a bus that reaches them all: say --database postgresql://… "
            "and leave RINGSIDE_BUS as it is, or serve with one. A SQLite file is written by one process at a time."
        )
    if not hasattr(socket, "SO_REUSEPORT"):
        raise Invalid("This system does not share a port among processes: serve with one worker.")


def _orders(settings: Settings, number: int, fd: int) -> dict[str, Any]:
    given = settings.model_dump(mode="json")
    # What is secret is masked in there, and told on this pipe alone.
    secret = {name: value.get_secret_value() for name, value in settings if isinstance(value, SecretStr)}
    return {
        "settings": {**given, **secret},
        "number": number,
        "fd": fd,
    }


def _listening(host: str, port: int, count: int) -> Sequence[socket.socket]:
    """Open a socket for each process on one port. Raises `OSError` if somebody else has it."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    # A port that is shared is shared with anybody of the same user, so it is asked for alone first.
    with socket.socket(family, kind, protocol) as alone:
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        alone.bind(address)
        address = alone.getsockname()
    opened = []
    for _ in range(count):
        one = socket.socket(family, kind, protocol)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind(address)
        one.listen(_BACKLOG)
        opened.append(one)
    return opened


async def _first_of(*events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for one in waiting:
        one.cancel()
