"""Screenshots from the asking to the file: the worker with a real browser, what is told live, and the door."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.workers.picture_files import PictureFiles
from api.workers.screenshots import Photographer
from db.access import operations as access
from db.access.viewer import Role
from db.accounts.vocabulary import ScreenshotState
from db.database import Database
from tests.conftest import ManualClock
from tests.support.accounts import all_executions, claim
from tests.support.house import RunningHouse, eventually, running_house
from tests.support.pictures import Studio, ask, page, pictured, stored, studio
from tests.support.web import Answer

_CREATE = """
mutation ($url: String) { screenshotCreate(input: {url: $url}) { screenshot { id state path } errors { message } } }"""
_ONE = "query ($id: ID!) { screenshot(id: $id) { state path width height byteCount sha256 error url } }"
_WATCH = "subscription ($id: ID!) { screenshotChanged(id: $id) { screenshot { state error path } } }"


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("ringside.db")]


def _path(folder: Path, name: str) -> Path:
    return folder / name[:2] / f"{name}.png"


@asynccontextmanager
async def photographer(db: Database, clock: ManualClock, folder: Path) -> AsyncIterator[tuple[Photographer, Studio]]:
    async with studio() as opened:
        made = Photographer(db, clock, opened.camera, PictureFiles(folder), chance=lambda: 0.0)
        yield made, opened


async def test_what_is_asked_for_is_taken_and_kept_under_its_hash(
    db: Database, clock: ManualClock, tmp_path: Path
) -> None:
    async with photographer(db, clock, tmp_path / "pictures") as (worker, opened):
        opened.web.answers |= {"/": page("Here"), "/busy": Answer(status=503), "/gone": Answer(status=404)}
        owner = (await ask(db, url=opened.web.url("/"))).owner_id
        for path in ("/", "/busy", "/gone"):
            await ask(db, owner_id=owner, url=opened.web.url(path))

        await worker.finish()
        clock.move(timedelta(minutes=1))
        opened.web.answers["/busy"] = page("Here")
        await worker.finish()

        rows = {one.url.rpartition("/")[2] or one.id.hex: one for one in await stored(db)}
        assert rows["gone"].state is ScreenshotState.FAILED
        assert (rows["busy"].state, rows["busy"].retry_count) == (ScreenshotState.COMPLETED, 1)
        # Three pictures that are alike are one file, whoever asked for them.
        assert len({one.sha256 for one in rows.values()} - {""}) == 1
        files = _files(tmp_path)
        assert [path.stem for path in files] == [rows["busy"].sha256]
        assert files[0].stat().st_size == rows["busy"].byte_count
        assert files[0].parent.stat().st_mode & 0o077 == 0
        assert worker.facts() == {"taking": 0, "taken": 3, "failures": 2, "browsers": 1}


async def test_files_that_belong_to_no_picture_are_removed_after_a_while(
    db: Database, clock: ManualClock, tmp_path: Path
) -> None:
    async with photographer(db, clock, tmp_path) as (worker, opened):
        opened.web.answers["/"] = page("Here")
        await ask(db, url=opened.web.url("/"))
        await worker.finish()
        (kept,) = _files(tmp_path)
        lost, half = worker.files.put(b"nobody's"), kept.parent / ".part-1"
        half.write_bytes(b"half")
        for path in (kept, half, _path(tmp_path, lost)):
            os.utime(path, (clock.now().timestamp(),) * 2)

        assert await worker.tidy() == 0
        clock.move(timedelta(hours=2))
        assert await worker.tidy() == 2
        assert _files(tmp_path) == [kept]

        worker.kept_days = 1
        clock.move(timedelta(days=1))
        assert await worker.tidy() == 1
        assert await stored(db) == []


async def test_the_worker_takes_what_is_asked_for_at_once_and_gives_back_what_it_was_taking(
    db: Database, clock: ManualClock, tmp_path: Path
) -> None:
    async with photographer(db, clock, tmp_path) as (worker, opened):
        opened.web.answers |= {"/": page("Here"), "/slow": Answer(drip=b" ", headers={"content-type": "text/html"})}
        running = asyncio.create_task(worker.run())
        owner = (await ask(db, url=opened.web.url("/"))).owner_id
        await eventually(lambda: worker.taken == 1, "the picture")
        await ask(db, owner_id=owner, url=opened.web.url("/slow"))
        await eventually(lambda: "/slow" in opened.web.paths(), "the request")
        running.cancel()
        await asyncio.wait([running])

        assert sorted((one.state, one.lease_id) for one in await stored(db)) == [("COMPLETED", None), ("PENDING", None)]


async def test_without_the_extra_the_state_says_so_and_executions_go_on(
    db: Database, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "playwright", None)
    async with photographer(db, clock, tmp_path) as (worker, _):
        await pictured(db)
        clock.move(timedelta(minutes=2))
        await worker.finish()
        worker.at_once = 0
        await ask(db)
        await worker.finish()

    assert [(one.moment, one.state, one.error) for one in await stored(db)] == [
        (
            "BEFORE",
            "UNAVAILABLE",
            "This server takes no screenshots: install ringside[screenshots] and Chromium on it.",
        ),
        ("ASKED", "UNAVAILABLE", "This server takes no screenshots: RINGSIDE_SCREENSHOTS_AT_ONCE is 0."),
        ("AFTER", "PENDING", ""),
    ]
    assert len((await claim(db, at=clock.now()))[1]) == 1
    assert [one.state for one in await all_executions(db)] == ["SUBMITTING"]


async def _door(house: RunningHouse, path: str, secret: str | None = None, **headers: str) -> Any:
    given = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    return await house.http.get(path, headers={**given, **headers})


async def test_a_picture_is_watched_until_it_is_there_and_fetched_by_those_who_may_see_it(
    database_url: str, tmp_path: Path
) -> None:
    async with studio() as opened:
        opened.web.answers["/"] = page("Here")
        settings: dict[str, Any] = {
            "allowed_private_hosts": [opened.web.host],
            "screenshots_directory": str(tmp_path / "pictures"),
            "chromium_sandbox": False,
            "screenshot_width": 400,
            "screenshot_height": 300,
        }
        async with running_house(database_url, has_listener=False, **settings) as house:
            made = (await house.execute(_CREATE, url=opened.web.url("/")))["screenshotCreate"]
            assert made["errors"] == []
            screenshot_id = made["screenshot"]["id"]
            async with house.admitted() as socket, aclosing(socket.subscribe(_WATCH, id=screenshot_id)) as told:
                async for data in told:
                    last = data["screenshotChanged"]["screenshot"]
                    if last["state"] not in {"PENDING", "CAPTURING"}:
                        break
            assert last == {"state": "COMPLETED", "error": "", "path": f"/screenshots/{screenshot_id}"}
            row = (await house.execute(_ONE, id=screenshot_id))["screenshot"]
            assert (row["width"], row["height"]) == (400, 300)

            answer = await _door(house, last["path"], house.secret)
            assert answer.status_code == 200
            assert (answer.headers["content-type"], len(answer.content)) == ("image/png", row["byteCount"])
            assert {name: answer.headers[name] for name in _SAFE} == _SAFE
            assert answer.headers["content-disposition"] == f'inline; filename="{screenshot_id}.png"'
            again = await _door(house, last["path"], house.secret, **{"If-None-Match": answer.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")

            assert (await _door(house, last["path"])).status_code == 401
            assert (await _door(house, last["path"], "rs_00000000_wrong")).status_code == 401
            for other in (await _secret(house, Role.OPERATOR), await _secret(house, Role.ADMIN, is_overlay=True)):
                assert (await _door(house, last["path"], other)).status_code == 404
            assert (await _door(house, last["path"], await _secret(house, Role.ADMIN))).status_code == 200
            for path in ("screenshot_0", f"feed_{'0' * 32}", f"screenshot_{'0' * 32}", "..%2f..%2fetc%2fpasswd"):
                assert (await _door(house, f"/screenshots/{path}", house.secret)).status_code == 404

            for file in _files(tmp_path):
                file.unlink()
            gone = await _door(house, last["path"], house.secret)
            assert (gone.status_code, gone.text) == (404, "The file of this screenshot is not here any more.")


async def _secret(house: RunningHouse, role: Role, *, is_overlay: bool = False) -> str:
    db, now = house.house.db, house.house.clock.now()
    async with db.transaction() as tx:
        user = await access.create_user(tx, name=f"{role} {is_overlay}", role=role, now=now)
        nodes = [house.mat_id] if is_overlay else None
        return (await access.create_token(tx, user_id=user.id, label="x", nodes=nodes, now=now)).secret


_SAFE = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "cache-control": "private, max-age=3600",
    "vary": "Authorization",
}
