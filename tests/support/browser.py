"""A browser without a window: it runs the scripts of our pages, each in a world of its own, and says what they show."""

import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import orjson

from tests.support.house import PATIENCE_SECONDS
from tests.support.node import CLIENTS

# What a page's body says of itself: a fight was drawn, and the server answers.
LIVE = "document.body.dataset.connection === 'live'"


@dataclass
class Browser:
    """A browser that runs."""

    process: Process
    _ids: Any = field(default_factory=lambda: count(1))

    async def open(self, url: str) -> "Page":
        """Open a page; its scripts have run once when it is there."""
        return Page(self, (await self.ask(url=url))["page"])

    async def ask(self, **asked: Any) -> dict[str, Any]:
        """Ask for something, and fail if a page found a fault in itself meanwhile."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(orjson.dumps({"id": next(self._ids), **asked}) + b"\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            line = await self.process.stdout.readline()
        assert line, "the browser ended"
        answer: dict[str, Any] = orjson.loads(line)
        assert answer.get("faults", []) == [], "\n".join(answer["faults"])
        return answer


@dataclass(frozen=True)
class Page:
    """A page that is open."""

    browser: Browser
    number: int

    async def until(self, condition: str) -> dict[str, Any]:
        """Wait until an expression of JavaScript holds in the page, and return the text it then shows, by field."""
        answer = await self.browser.ask(page=self.number, until=condition)
        shown: dict[str, Any] = answer["shown"]
        assert answer["holds"], f"{condition} never held; the page shows {shown}"
        return shown

    async def at(self, revision: int) -> dict[str, Any]:
        """Wait until a revision of a fight is drawn, and return what is shown of it."""
        return await self.until(f"{LIVE} && document.body.dataset.revision === '{revision}'")


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """Run a browser until the block ends."""
    options = ("--experimental-vm-modules", "--no-warnings")
    process = await asyncio.create_subprocess_exec(
        "node", *options, str(CLIENTS / "browser.mjs"), cwd=CLIENTS, stdin=PIPE, stdout=PIPE
    )
    try:
        yield Browser(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
