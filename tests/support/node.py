"""Programs for Node: clients that others wrote, installed once beside the tests and run against a server of ours."""

import asyncio
import fcntl
import hashlib
import os
import shutil
import subprocess
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import orjson

CLIENTS = Path(__file__).parents[1] / "clients"
_INSTALLED = CLIENTS / "node_modules"
# What was installed: kept with it, so that it is made anew only when the lock has changed.
_STAMP = _INSTALLED / ".lock-sha256"
_PATIENCE_SECONDS = 60.0


def is_installed() -> bool:
    """Say whether Node is on this machine at all."""
    return shutil.which("node") is not None and shutil.which("npm") is not None


def install() -> None:
    """Install what the lock names, unless that is what is there."""
    with (CLIENTS / "package-lock.json").open("rb") as named:
        # Tests run in several processes: one installs, the others wait and find it done.
        fcntl.flock(named, fcntl.LOCK_EX)
        lock = hashlib.sha256(named.read()).hexdigest()
        if _STAMP.exists() and _STAMP.read_text() == lock:
            return
        subprocess.run(["npm", "ci", "--silent"], cwd=CLIENTS, check=True, stdin=subprocess.DEVNULL, timeout=300)  # noqa: S607 -- whichever npm there is
        _STAMP.write_text(lock)


async def run_client(script: str, *arguments: str, **environment: str) -> Any:
    """Run a script of `tests/clients`, and return what it printed last, which is JSON. Its failure is ours."""
    process = await asyncio.create_subprocess_exec(
        *("node", str(CLIENTS / script), *arguments),
        cwd=CLIENTS,
        stdout=PIPE,
        stderr=PIPE,
        env={**os.environ, **environment},
    )
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, f"{script}: {errors.decode()}{output.decode()}"
    return orjson.loads(output.splitlines()[-1])
