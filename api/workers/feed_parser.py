"""Reading documents in a process of its own: whatever a document does to it costs a deadline, and nobody else anything.

The process says when it is ready. It is told `length, seconds, content type, address` in a line of JSON, then the
document, and answers with a line. The deadline is of its own work: on a machine that is busy with others, a document
takes longer and is read all the same.
"""

import asyncio
import contextlib
import logging
import resource
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from datetime import datetime
from typing import Any

import orjson

from api.workers.feed_documents import Discovered, Document, Parsed, Unreadable, parse
from db.accounts.entries import Entry
from db.accounts.vocabulary import FeedFault

_log = logging.getLogger(__name__)

_MEMORY = 512 * 1024 * 1024
_LONGEST_LINE = 16 * 1024 * 1024
_READY = b"ready\n"
_PROGRAM = "from api.workers.feed_parser import main; main()"


class FeedParser:
    """A few processes that read documents, each one at a time; one that takes too long is killed and replaced.

    A document may take so many `seconds` of a processor, and is waited for no longer than for `patience`.
    """

    def __init__(self, *, processes: int = 1, seconds: float = 5.0, patience: float = 30.0) -> None:
        self._seconds = seconds
        self._patience = patience
        self._free: asyncio.Queue[Process | None] = asyncio.Queue()
        for _ in range(processes):
            self._free.put_nowait(None)
        self.killed = 0

    async def parse(self, body: bytes, *, content_type: str, url: str) -> Parsed:
        """Read a document."""
        process = await self._free.get()
        kept: Process | None = None
        try:
            if process is None or process.returncode is not None:
                process = await _begin()
            answer = await self._ask(process, body, content_type, url)
            if answer is not None:
                kept = process
                return answer
            return Unreadable(FeedFault.HOSTILE, "Reading it takes too long, or more memory than there is.")
        finally:
            if kept is None and process is not None:
                await _end(process)
            self._free.put_nowait(kept)

    async def close(self) -> None:
        """End the processes that wait. Whoever reads on begins others."""
        for _ in range(self._free.qsize()):
            process = self._free.get_nowait()
            self._free.put_nowait(None)
            if process is not None:
                await _end(process)

    async def _ask(self, process: Process, body: bytes, content_type: str, url: str) -> Parsed | None:
        """Return what a process answers, `None` if it does not in time."""
        if process.stdin is None or process.stdout is None:
            raise TypeError("the process was begun without pipes")
        told = {"length": len(body), "seconds": self._seconds, "content_type": content_type, "url": url}
        asked = orjson.dumps(told)
        try:
            async with asyncio.timeout(self._patience):
                process.stdin.write(asked + b"\n" + body)
                await process.stdin.drain()
                line = await process.stdout.readline()
        except (TimeoutError, OSError, ValueError):
            line = b""
        if line.endswith(b"\n"):
            return _read(line)
        self.killed += 1
        _log.warning("a document took more than it may, and its reader was ended")
        return None


async def _begin() -> Process:
    """Begin a process, and wait until it is ready: no document is at fault for how long that takes."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _PROGRAM), stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=_LONGEST_LINE
    )
    ready = b""
    try:
        if process.stdout is not None:
            ready = await process.stdout.readline()
    finally:
        if ready != _READY:
            await _end(process)
    if ready != _READY:
        raise OSError("The process that reads documents could not be started.")
    return process


async def _end(process: Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    await process.wait()


def main() -> None:
    """Be the process: read documents until there are no more."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY if hard < 0 else min(_MEMORY, hard), hard))
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sink.write(_READY)
    sink.flush()
    while line := source.readline():
        asked = orjson.loads(line)
        body = source.read(asked["length"])
        # It ends the process where it is, whatever that is doing.
        signal.setitimer(signal.ITIMER_PROF, asked["seconds"])
        found = parse(body, content_type=asked["content_type"], url=asked["url"])
        signal.setitimer(signal.ITIMER_PROF, 0)
        sink.write(_written(found) + b"\n")
        sink.flush()


def _written(found: Parsed) -> bytes:
    kind = type(found).__name__
    return orjson.dumps({"kind": kind, **{name: getattr(found, name) for name in _FIELDS[kind]}})


def _read(line: bytes) -> Parsed:
    told: dict[str, Any] = orjson.loads(line)
    kind = told.pop("kind")
    if kind == Document.__name__:
        told["entries"] = [_entry(one) for one in told["entries"]]
        return Document(**told)
    if kind == Discovered.__name__:
        return Discovered(**told)
    return Unreadable(FeedFault(told["fault"]), told["error"])


def _entry(told: dict[str, Any]) -> Entry:
    published = told["published_at"]
    return Entry(**{**told, "published_at": None if published is None else datetime.fromisoformat(published)})


_FIELDS = {
    Document.__name__: ("title", "entries", "hint", "warning"),
    Discovered.__name__: ("url",),
    Unreadable.__name__: ("fault", "error"),
}
