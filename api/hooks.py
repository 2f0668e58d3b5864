"""The webhook door: tools that push their news, each call signed as the Standard Webhooks say, and counted once."""

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.providers.webhook import read_callback
from api.workers.stream_adapters import ADAPTERS
from db.accounts.providers import find_provider
from db.accounts.signing import check_signature
from db.accounts.working import WorkRules, take_callback
from db.clock import Clock
from db.database import Database
from db.errors import Conflict, Invalid, NotFound, Refusal, Unauthenticated, Unavailable
from db.ids import decode_id
from db.streams import operations, source_operations
from db.streams.incoming import Decoded, Received, StreamEvent
from db.streams.sources import PURPOSE as SOURCE_SECRET
from db.streams.sources import check_call
from db.streams.tables import StreamSource

_STATUSES: dict[type[Refusal], int] = {
    Unauthenticated: 401,
    NotFound: 404,
    Invalid: 400,
    Conflict: 409,
    Unavailable: 503,
}


class Hooks:
    """Answers `POST /hooks/stream/{source}` and `POST /hooks/provider/{provider}`."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the door."""
        return [
            Route("/hooks/stream/{source}", self._call, methods=["POST"]),
            Route("/hooks/provider/{provider}", self._report, methods=["POST"]),
        ]

    async def _report(self, request: Request) -> Response:
        try:
            noted = await self._note(request.path_params["provider"], request.headers, await request.body())
        except Refusal as refusal:
            status = _STATUSES.get(type(refusal), 400)
            return _json({"error": {"code": refusal.code, "message": refusal.message}}, status)
        return _json({"noted": noted}, 200)

    async def _note(self, provider_id: str, headers: Mapping[str, str], body: bytes) -> int:
        """Note what a provider says of executions. What it says again, or of others, changes nothing."""
        now = self._clock.now()
        async with self._db.read() as session:
            provider = await find_provider(session, _provider_of(provider_id))
        # Whoever cannot sign is not told whether there is such a provider.
        check_signature(
            None if provider is None else provider.secret,
            call_id=headers.get("webhook-id", ""),
            timestamp=headers.get("webhook-timestamp", ""),
            signatures=headers.get("webhook-signature", ""),
            body=body,
            now=now,
        )
        if provider is None or not provider.is_enabled:
            raise Conflict("This provider is switched off.")
        reports = read_callback(body)
        async with self._db.transaction() as tx:
            noted = [
                await take_callback(tx, provider.id, key, report, rules=WorkRules(), now=now) for key, report in reports
            ]
        return sum(one is not None for one in noted)

    async def _call(self, request: Request) -> Response:
        try:
            taken = await self._take(request.path_params["source"], request.headers, await request.body())
        except Refusal as refusal:
            status = _STATUSES.get(type(refusal), 400)
            return _json({"error": {"code": refusal.code, "message": refusal.message}}, status)
        return _json({"counted": taken.counted, "duplicates": taken.duplicates, "ignored": taken.ignored}, 200)

    async def _take(self, source_id: str, headers: Mapping[str, str], body: bytes) -> operations.Taken:
        now = self._clock.now()
        async with self._db.read() as session:
            source = await source_operations.find_source(session, _id_of(source_id))
            secret = None if source is None else session.sealer.reveal(source.secret, purpose=SOURCE_SECRET)
        call_id = headers.get("webhook-id", "")
        # Whoever cannot sign is not told whether there is such a source.
        check_call(
            secret,
            call_id=call_id,
            timestamp=headers.get("webhook-timestamp", ""),
            signatures=headers.get("webhook-signature", ""),
            body=body,
            now=now,
        )
        if source is None or not source.is_enabled:
            raise Conflict("This source is switched off.")
        what = _told_once(ADAPTERS[source.kind](body), call_id)
        async with self._db.transaction() as tx:
            taken = await operations.take_news(tx, source.id, [Received(now, what)])
        return _accepted(source, what, taken)


def _provider_of(text: str) -> UUID:
    try:
        return decode_id(text, kind="provider")
    except Invalid as error:
        raise NotFound("There is no such provider.") from error


def _id_of(text: str) -> UUID:
    try:
        return decode_id(text, kind="streamsource")
    except Invalid as error:
        raise NotFound("There is no such source.") from error


def _told_once(what: Decoded, call_id: str) -> Decoded:
    """Give news without an id that of its call, which is the same however often the call is made."""
    if isinstance(what, StreamEvent) and not what.event_id:
        return replace(what, event_id=f"call:{call_id}")
    return what


def _accepted(source: StreamSource, what: Decoded, taken: operations.Taken) -> operations.Taken:
    if taken.rejected:
        reason = getattr(what, "fault", "WRONG_CHANNEL"), getattr(what, "detail", "")
        raise Invalid(f"{source.name} cannot be read: {reason[0]}, {reason[1]}")
    return taken


def _json(answer: dict[str, object], status: int) -> Response:
    return Response(orjson.dumps(answer), status, {"Cache-Control": "no-store"}, media_type="application/json")
