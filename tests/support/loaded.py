"""A process that has loaded `ringside` and begins servers by forking: to load it takes longer than most tests of it.

What is begun is a process of its own in all that can be seen of it: its number, its signals, its streams, its
environment and how it ends. That the script by itself comes up, `tests/api/test_cli.py` sees to.
"""

import asyncio
import atexit
import contextlib
import gc
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson

_ROOT = Path(__file__).parents[2]
_LARGEST_ORDER = 65_536
# As long as it takes to load everything on a machine that does much else.
_PATIENCE_SECONDS = 120


# Here is who asks


class Begun:
    """A process that was begun, as `asyncio.subprocess.Process` shows one."""

    def __init__(self, pid: int, stdout: asyncio.StreamReader, ending: asyncio.StreamReader) -> None:
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None
        self._ended = asyncio.create_task(self._end(ending), name=f"end of {pid}")

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        """Wait for its end, and return what it ended with: negative if by a signal."""
        return await asyncio.shield(self._ended)

    async def _end(self, ending: asyncio.StreamReader) -> int:
        line = await ending.readline()
        assert line, "Whoever begins servers is gone."
        self.returncode = int(line)
        return self.returncode


@asynccontextmanager
async def begun(arguments: Sequence[str], environment: dict[str, str], errors: int) -> AsyncIterator[Begun]:
    """Run `ringside` with these arguments until the block ends; whoever has not ended it by then has it killed.

    Its standard output can be read, and its errors go into a file that is open.
    """
    async with _stream() as (stdout, written), _stream() as (told, telling):
        order = orjson.dumps({"arguments": arguments, "environment": environment, "folder": str(Path.cwd())})
        socket.send_fds(_loaded(), [order], [written, errors, telling])
        os.close(written)
        os.close(telling)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            pid = await told.readline()
        assert pid, "Whoever begins servers did not come up."
        process = Begun(int(pid), stdout, told)
        try:
            yield process
        finally:
            process.kill()
            await process.wait()


@asynccontextmanager
async def _stream() -> AsyncIterator[tuple[asyncio.StreamReader, int]]:
    """Open a stream, and give the number of the file that is written to be read there."""
    read, written = os.pipe()
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read, "rb", 0)
    )
    try:
        yield reader, written
    finally:
        transport.close()


@cache
def _loaded() -> socket.socket:
    """Start who begins servers, once; it goes when we do."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        process = subprocess.Popen(  # noqa: S603 -- ourselves
            [sys.executable, "-m", __name__, str(its.fileno())],
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd=_ROOT,
        )

    @atexit.register
    def _leave() -> None:
        ours.close()
        process.wait()

    return ours


# Here is who begins


def _begin_those_who_are_asked_for(asked: socket.socket) -> Sequence[str] | None:
    """Begin a process for each order until nobody can give one. Return its arguments in each of them, and here none."""
    woken, waking = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(waking)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    told: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([asked.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, _LARGEST_ORDER)
            _tell_of_ends(told)
        if asked.fileno() not in ready:
            continue
        data, files, _, _ = socket.recv_fds(asked, _LARGEST_ORDER, 3)
        if not data:
            break
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            for file in (woken, waking, *told.values()):
                os.close(file)
            asked.close()
            return _become(orjson.loads(data), files)
        os.close(files[0])
        os.close(files[1])
        told[pid] = files[2]
        os.write(files[2], b"%d\n" % pid)
    for pid in told:
        os.kill(pid, signal.SIGKILL)
    return None


def _tell_of_ends(told: dict[int, int]) -> None:
    """Say of all that have ended what they ended with."""
    while told:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        file = told.pop(pid)
        # Who asked may be gone.
        with contextlib.suppress(BrokenPipeError):
            os.write(file, b"%d\n" % os.waitstatus_to_exitcode(status))
        os.close(file)


def _become(order: dict[str, Any], files: Sequence[int]) -> Sequence[str]:
    """Be a process as a shell would have begun it; return its arguments."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    stdout, stderr, told = files
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    for file in (stdout, stderr, told):
        os.close(file)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    arguments: Sequence[str] = order["arguments"]
    return arguments


def _main() -> None:
    gc.disable()
    # All that is loaded sooner or later by who serves, and the graph, which is joined once.
    for name in ("api.cli", "api.commands.options", "api.commands.serve", "api.start", "uvicorn.loops.uvloop"):
        import_module(name)
    import_module("schema").build_schema()
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        arguments = _begin_those_who_are_asked_for(asked)
    if arguments is not None:
        sys.argv = ["ringside", *arguments]
        import_module("api.start").main()


if __name__ == "__main__":
    _main()
