"""Screenshots that are asked for, pages to take them of, a server that nobody should find, and a camera."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psutil
from sqlmodel import col, select

from api.outbound import Guard
from api.workers.camera import Camera, CameraLimits
from db.accounts import screenshots
from db.accounts.tables import Execution, Screenshot
from db.database import Database
from tests.support.accounts import NOW, entry, found, make_account, make_action, make_feed, make_user, poll
from tests.support.web import Answer, Web, web

HTML = {"content-type": "text/html; charset=utf-8"}
# A page is there within a moment; a shared machine needs a few.
LIMITS = CameraLimits(width=320, height=240, seconds=20.0)


def page(body: str, **more: Any) -> Answer:
    return Answer(body=f"<!doctype html><body style='background:#fff'>{body}".encode(), headers=HTML, **more)


async def ask(db: Database, **asked: Any) -> Screenshot:
    owner = asked.pop("owner_id", None) or (await make_user(db)).id
    given = asked or {"url": "https://example.org/"}
    async with db.transaction() as tx:
        return await screenshots.ask_for_screenshot(tx, owner_id=owner, **{"viewer": None, "now": NOW, **given})


async def stored(db: Database) -> list[Screenshot]:
    async with db.read() as session:
        return await session.rows(select(Screenshot).order_by(col(Screenshot.moment).desc(), col(Screenshot.id)))


async def pictured(db: Database) -> Execution:
    """An execution of a post, whose action wants pictures."""
    account = await make_account(db)
    await make_action(db, account, has_screenshots=True)
    feed = await make_feed(db, account)
    await poll(db, feed, found(entry("old")))
    await poll(db, feed, found(entry("new"), entry("old")), at=NOW + timedelta(minutes=1))
    async with db.read() as session:
        execution = await session.row(select(Execution))
    assert execution is not None
    return execution


@dataclass
class Hidden:
    """A server of this machine that is nobody's business. `calls` counts who found it."""

    port: int = 0
    calls: int = 0

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"


@asynccontextmanager
async def hidden() -> AsyncIterator[Hidden]:
    found = Hidden()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.calls += 1
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        await server.wait_closed()


@dataclass
class Studio:
    """A camera, and the server whose pages it may see."""

    camera: Camera
    web: Web


@asynccontextmanager
async def studio(*names: str, **limits: Any) -> AsyncIterator[Studio]:
    """Open a camera. `names` lead to this machine's loopback, and are not allowed."""

    async def resolve(host: str, _: int) -> Sequence[str]:
        return ["127.0.0.1"] if host in {*names, "127.0.0.1", "localhost"} else []

    async with web() as served:
        guard = Guard(allowed={served.host}, resolve=resolve)
        # Tests run as root in most containers, where Chromium has no sandbox.
        camera = Camera(guard, CameraLimits(**{**LIMITS.__dict__, **limits}), has_sandbox=False)
        try:
            yield Studio(camera, served)
        finally:
            await camera.close()


def browsers() -> list[psutil.Process]:
    """The browsers that this process has begun, without the processes of their own."""
    children = psutil.Process().children(recursive=True)
    return [one for one in children if _name(one) and not _name(one.parent)]


def _name(process: psutil.Process | Callable[[], psutil.Process | None]) -> str:
    """The name of a process, if it is a browser's and has not ended meanwhile."""
    try:
        found = process() if callable(process) else process
        name = "" if found is None else found.name()
    except psutil.NoSuchProcess:
        return ""
    return name if name.startswith("chrom") else ""
