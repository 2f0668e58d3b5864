"""Logos for browsers: `/logos/tournament_…` is the logo of a tournament, whoever asks, as it is shown to everybody."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from db.database import Database
from db.errors import Invalid, Unavailable
from db.matches.logos import find_logo
from schema.ids import decode_id

_MISSING = {"Cache-Control": "public, max-age=30", "X-Content-Type-Options": "nosniff"}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # Should it be opened on its own, it runs nothing and loads nothing.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
    # Its address is another when it is replaced.
    "Cache-Control": "public, max-age=300",
}


class Logos:
    """Answers `GET /logos/{id}`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def routes(self) -> list[BaseRoute]:
        """Return the routes of logos."""
        return [Route("/logos/{id}", self._show)]

    async def _show(self, request: Request) -> Response:
        try:
            found = await self._find(request.path_params["id"], request.headers.get("if-none-match", ""))
        except Unavailable as refusal:
            return Response(refusal.message, 503, {"Cache-Control": "no-store"}, media_type="text/plain")
        return found or Response("There is no such logo.", 404, _MISSING, media_type="text/plain")

    async def _find(self, named: str, known: str) -> Response | None:
        try:
            tournament_id = decode_id(named, kind="tournament")
        except Invalid:
            return None
        async with self._db.read() as session:
            logo = await find_logo(session, tournament_id)
        if logo is None:
            return None
        headers = {**_HEADERS, "ETag": f'"{logo.checksum[:32]}"'}
        if headers["ETag"] in {one.strip().removeprefix("W/") for one in known.split(",")}:
            return Response(status_code=304, headers=headers)
        return Response(logo.content, 200, headers, media_type=logo.content_type)
