"""Flags for browsers: `/flags/KOR` is the image that is shown for a code, whoever asks."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from db.database import Database
from db.errors import Unavailable
from db.flags import operations
from db.flags.codes import code_of
from db.flags.tables import Flag

# A flag that was replaced is seen within minutes; until then nobody is asked.
_KEPT = "public, max-age=300"
_KEPT_MISSING = "public, max-age=30"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # Should it be opened on its own, it runs nothing and loads nothing.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
}


class Flags:
    """Answers `GET /flags/{code}`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def routes(self) -> list[BaseRoute]:
        """Return the routes of flags."""
        return [Route("/flags/{code}", self._show)]

    async def _show(self, request: Request) -> Response:
        code = code_of(request.path_params["code"])
        try:
            # What is no code is never looked for, and no name of a file is ever made of it.
            found = None if code is None else await self._find(code, request.headers.get("if-none-match", ""))
        except Unavailable as refusal:
            return Response(refusal.message, 503, {"Cache-Control": "no-store"}, media_type="text/plain")
        if found is None:
            headers = {"Cache-Control": _KEPT_MISSING, "X-Content-Type-Options": "nosniff"}
            return Response("There is no flag for this code.", 404, headers, media_type="text/plain")
        return found

    async def _find(self, code: str, known: str) -> Response | None:
        async with self._db.read() as session:
            flag = await operations.find_shown(session, code)
            if flag is None:
                return None
            headers = _headers_of(flag)
            if headers["ETag"] in {one.strip().removeprefix("W/") for one in known.split(",")}:
                return Response(status_code=304, headers=headers)
            content = await operations.find_image(session, flag.id)
        return None if content is None else Response(content, 200, headers, media_type=flag.content_type)


def _headers_of(flag: Flag) -> dict[str, str]:
    return {**_HEADERS, "Cache-Control": _KEPT, "ETag": f'"{flag.checksum[:32]}"'}
