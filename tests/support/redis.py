"""A Redis of a test's own, which may be killed: the machine's is somebody else's."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from redis import Redis
from redis.exceptions import RedisError

from tests.support.ports import free_port

_PATIENCE_SECONDS = 30
_BETWEEN_LOOKS_SECONDS = 0.02


@dataclass
class OwnRedis:
    """A server on a port of its own, which keeps nothing on the disk."""

    port: int
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        given = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        self._process = subprocess.Popen(  # noqa: S603 -- Redis' own
            ["redis-server", *given],  # noqa: S607 -- wherever it is
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + _PATIENCE_SECONDS
        while not self._answers():
            assert self._process.poll() is None, "Redis did not start."
            assert time.monotonic() < until, "Redis did not answer."
            time.sleep(_BETWEEN_LOOKS_SECONDS)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait(_PATIENCE_SECONDS)
        self._process = None

    def pause(self) -> None:
        """Have it stand still: it is connected to, and never answers."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def cut(self) -> None:
        """Cut off everybody who listens, as it does itself to who reads too slowly."""
        with Redis.from_url(self.url) as client:
            client.client_kill_filter(_type="pubsub")

    def publish(self, channel: str, message: str) -> None:
        """Say something on a channel."""
        with Redis.from_url(self.url) as client:
            client.publish(channel, message)

    @property
    def runs(self) -> bool:
        return self._process is not None

    def _signal(self, what: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(what)

    def _answers(self) -> bool:
        try:
            with Redis.from_url(self.url) as client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False


@contextmanager
def own_redis() -> Iterator[OwnRedis]:
    """Start one; it is gone at the end of the block."""
    made = OwnRedis(free_port())
    try:
        made.start()
        yield made
    finally:
        if made.runs:
            made.go_on()
            made.kill()
