"""The archive of a backup, written from a database: in this process, or in another beside whoever serves.

Rows become text in Python, and nobody else in the process runs Python meanwhile: a change to a SQLite file, which goes
from one thread to another and back with each statement, then takes several times as long.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from api.settings import foreign_environment
from db.archive import Writer
from db.errors import Conflict, Refusal, Unavailable
from db.snapshot import Progress, write_rows

_REFUSALS: dict[str, type[Refusal]] = {refusal.code: refusal for refusal in (Conflict, Unavailable)}
# Whoever serves comes first.
_NICENESS = 10


async def write_archive(url: str, path: Path, *, now: datetime, progress: Progress) -> None:
    """Write a database as it stands to a file. Raises `Unavailable` and `Conflict`, and then leaves no file."""
    writer = Writer(path)
    try:
        revision, engine, version = await write_rows(url, writer, progress)
        await asyncio.to_thread(writer.finish, revision=revision, made_at=now, engine=engine, version=version)
    finally:
        writer.abandon()


async def write_archive_beside(url: str, path: Path, *, now: datetime, progress: Progress) -> None:
    """Write it in another process, which ends with us. Raises as `write_archive` does."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from api.archiving import main; main()"),
        stdin=PIPE,
        stdout=PIPE,
        env=foreign_environment(),
    )
    try:
        await _follow(process, {"url": url, "path": str(path), "now": now.isoformat()}, progress)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _follow(process: Process, orders: dict[str, str], progress: Progress) -> None:
    if process.stdin is None or process.stdout is None:
        raise TypeError("A process that was asked for pipes has them.")
    process.stdin.write(orjson.dumps(orders, option=orjson.OPT_APPEND_NEWLINE))
    process.stdin.close()
    async for line in process.stdout:
        told = orjson.loads(line)
        if "refused" in told:
            raise _REFUSALS[told["refused"]](told["message"])
        if "table" not in told:
            return
        progress(told["table"], told["rows"])
    raise Unavailable("The process that writes the backup has ended before it was done; the log says why.")


def main() -> None:
    """Write an archive as the line on the standard input says, and tell how far that has come."""
    with suppress(OSError):
        os.nice(_NICENESS)
    orders = orjson.loads(sys.stdin.buffer.readline())
    now = datetime.fromisoformat(orders["now"])
    try:
        asyncio.run(write_archive(orders["url"], Path(orders["path"]), now=now, progress=_tell_progress))
    except Refusal as refusal:
        _tell({"refused": refusal.code, "message": refusal.message})
    except BrokenPipeError:
        # Whoever asked is gone. What was written goes with the folder it is in, or with the machine.
        os._exit(1)
    else:
        _tell({"done": True})


def _tell_progress(table: str, rows: int) -> None:
    _tell({"table": table, "rows": rows})


def _tell(told: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()
