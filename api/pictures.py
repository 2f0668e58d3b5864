"""Screenshots for browsers: `/screenshots/screenshot_…` is the picture, for whoever may see it and says who he is."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.auth import Doorkeeper, TooManyWrongTokens, address_of, bearer_of
from api.workers.picture_files import PictureFiles
from db.accounts.queries import screenshot_by_id
from db.accounts.vocabulary import ScreenshotState
from db.database import Database
from db.errors import Invalid, Refusal, Unauthenticated
from schema.ids import decode_id

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # Should it be opened on its own, it runs nothing and loads nothing.
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    # A picture never changes, and is not for those who share a cache.
    "Cache-Control": "private, max-age=3600",
    "Vary": "Authorization",
}


class Pictures:
    """Answers `GET /screenshots/{id}`."""

    def __init__(self, db: Database, doorkeeper: Doorkeeper, files: PictureFiles) -> None:
        self._db = db
        self._doorkeeper = doorkeeper
        self._files = files

    def routes(self) -> list[BaseRoute]:
        """Return the routes of screenshots."""
        return [Route("/screenshots/{id}", self._show)]

    async def _show(self, request: Request) -> Response:
        try:
            return await self._found(request) or _plain("There is no such screenshot.", 404)
        except Unauthenticated as refusal:
            return _plain(refusal.message, 401, {"WWW-Authenticate": "Bearer"})
        except TooManyWrongTokens as refusal:
            return _plain(refusal.message, 429, {"Retry-After": "60"})
        except Refusal as refusal:
            return _plain(refusal.message, 503, {"Retry-After": "1"})

    async def _found(self, request: Request) -> Response | None:
        """Return the picture; `None` for one that is not there, not taken, or somebody else's."""
        viewer = await self._doorkeeper.admit(bearer_of(request), address_of(request))
        try:
            screenshot_id = decode_id(request.path_params["id"], kind="screenshot")
        except Invalid:
            return None
        async with self._db.read() as session:
            row = (await screenshot_by_id.read(session, viewer, [screenshot_id])).get(screenshot_id)
        if row is None or row.state != ScreenshotState.COMPLETED:
            return None
        headers = {**_HEADERS, "ETag": f'"{row.sha256[:32]}"'}
        known = request.headers.get("if-none-match", "")
        if headers["ETag"] in {one.strip().removeprefix("W/") for one in known.split(",")}:
            return Response(status_code=304, headers=headers)
        content = await asyncio.to_thread(self._files.read, row.sha256)
        if content is None:
            return _plain("The file of this screenshot is not here any more.", 404)
        headers["Content-Disposition"] = f'inline; filename="{request.path_params["id"]}.png"'
        return Response(content, 200, headers, media_type="image/png")


def _plain(text: str, status: int, headers: dict[str, str] | None = None) -> Response:
    given = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **(headers or {})}
    return Response(text, status, given, media_type="text/plain")
