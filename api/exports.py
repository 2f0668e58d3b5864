"""The door of exports: `GET /export/matches.csv` gives out a list whole, to whoever may see it, as he reads it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from time import perf_counter

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from api.auth import Doorkeeper, TooManyGuests, address_of
from api.export_formats import ExportWriter, Rows
from api.lists import admitted, check_parameters, fault_of, file_of, too_many
from api.transport.answers import Fault, refused
from api.transport.arriving import CONNECTION, Arriving
from api.transport.graphql import GraphQLDoor
from db.clock import Clock
from db.errors import Forbidden, Refusal
from schema.context import Context
from schema.exporting import Export, Exports, check_may_export

_log = logging.getLogger(__name__)

# Fewer than at the console: while they are printed, nobody else is answered.
_ROWS_AT_ONCE = 250
_PARAMETERS = {"fields", "filter", "forSpreadsheets"}


class ExportDoor:
    """Answers `GET /export` with the lists there are, and `GET /export/{list}.{csv,jsonl}` with one of them."""

    def __init__(
        self, exports: Exports, door: GraphQLDoor, doorkeeper: Doorkeeper, clock: Clock, *, at_once: int
    ) -> None:
        self._exports = exports
        self._door = door
        self._doorkeeper = doorkeeper
        self._clock = clock
        self._at_once = at_once
        self._under_way = 0

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the door."""
        return [Route("/export", self._list, methods=["GET"]), Route("/export/{file}", self._give, methods=["GET"])]

    async def _list(self, request: Request) -> Response:
        try:
            context = await admitted(self._door, self._doorkeeper, request)
            check_may_export(context)
        except Fault as fault:
            return refused(fault)
        except Refusal as refusal:
            return refused(fault_of(refusal))
        kinds = [
            {"name": one.name, "type": one.type_name, "description": one.description, "filters": list(one.filters)}
            for one in self._exports.kinds.values()
        ]
        headers = {"Cache-Control": "no-store"}
        return Response(orjson.dumps({"exports": kinds}), 200, headers, media_type="application/json")

    async def _give(self, request: Request) -> Response:
        try:
            context = await admitted(self._door, self._doorkeeper, request)
            check_may_export(context)
            name, format_ = file_of(request.path_params["file"], "Exports")
            export = self._prepared(name, request)
        except Fault as fault:
            return refused(fault)
        except Refusal as refusal:
            return refused(fault_of(refusal))
        is_guarded = request.query_params.get("forSpreadsheets") == "true"
        writer = ExportWriter(format_, export.columns, is_for_spreadsheets=is_guarded)
        file = f"{name}-{self._clock.now():%Y%m%d}.{format_}"
        headers = {
            "Content-Type": format_.media_type,
            "Content-Disposition": f'attachment; filename="{file}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "X-Accel-Buffering": "no",
        }
        if request.method == "HEAD":
            return Response(None, 200, headers)
        return _Streamed(self, export, writer, context, headers, address_of(request))

    def _prepared(self, name: str, request: Request) -> Export:
        check_parameters(request, _PARAMETERS, "An export")
        fields = request.query_params.get("fields")
        if fields is not None and self._door.is_trusted_only:
            raise Forbidden("Only the documents that were given to this server are run: leave out `fields`.")
        return self._exports.prepare(name, fields=fields, filters=request.query_params.getlist("filter"))

    @asynccontextmanager
    async def room(self, stream: "ExportStream", context: Context, address: str) -> AsyncIterator[None]:
        """Hold a place for one export. Raises `Fault` if there is none."""
        if self._under_way >= self._at_once:
            raise too_many(f"{self._under_way} exports are under way, which is as many as may be.")
        if not self._doorkeeper.let_in(address):
            raise too_many("Too many sockets and streams are open from this address.")
        self._under_way += 1
        try:
            self._doorkeeper.hold(stream, context.viewer)
            yield
        except TooManyGuests as refusal:
            raise too_many(refusal.message) from None
        finally:
            self._under_way -= 1
            self._doorkeeper.let_go(stream)
            self._doorkeeper.let_out(address)

    async def parts(self, export: Export, writer: ExportWriter, context: Context) -> AsyncGenerator[bytes, None]:
        """Give an export part by part, no faster than the token's budget allows."""
        began, outcome = perf_counter(), "CUT"
        try:
            async with aclosing(export.pages(context, size=_ROWS_AT_ONCE)) as pages:
                # What is refused is refused before anything is said.
                first: Rows = await anext(pages, [])
                yield writer.begin() + writer.write(first)
                await self._afford(context)
                async for rows in pages:
                    yield writer.write(rows)
                    await self._afford(context)
            outcome = "ok"
        except Refusal as refusal:
            outcome = refusal.code
            raise
        finally:
            seconds = perf_counter() - began
            _log.info(
                "exported %s: %d rows, %d bytes in %.1f s, %s",
                export.kind.name,
                writer.rows,
                writer.size,
                seconds,
                outcome,
            )

    async def _afford(self, context: Context) -> None:
        """Charge what was read, and wait until the token has something left."""
        budgets = self._door.schema.engine.budgets
        if budgets is None:
            return
        token_id = context.viewer.token_id
        if context.rows.read:
            budgets.owe(token_id, context.rows.read, self._clock)
            context.rows.read = 0
        left = budgets.left(token_id)
        if left <= 0:
            # What is owed is known: until it is paid, nothing needs to be looked at.
            await asyncio.sleep((1 - left) / budgets.per_second)


class ExportStream:
    """One export as it is sent: it ends early if the token ends, the server stops or the client leaves."""

    def __init__(self, receive: Receive, send: Send, connection: Arriving | None) -> None:
        self._receive = receive
        self._send = send
        # Without one, it is not a server of ours that runs us.
        self._connection = connection
        self._task = asyncio.current_task()
        self.is_cut = False
        # A server that stops does not wait for it: how long it takes hangs on who reads.
        self.is_answering = False
        self.has_begun = False

    def dismiss(self, reason: str) -> None:  # noqa: ARG002 -- a download has no place for a word in its middle
        """End, because the client's token works no more."""
        self.cut()

    def turn_away(self, reason: str) -> None:  # noqa: ARG002 -- as above
        """End, because the client's token opens something else."""
        self.cut()

    def cut(self) -> None:
        """End in the middle, and so that the client sees that it was not the end."""
        if not self.is_cut and self._task is not None:
            self.is_cut = True
            self._task.cancel()

    async def send(self, headers: Mapping[str, str], parts: AsyncIterator[bytes]) -> None:
        """Send all parts. The first is asked for before anything is said, so that a refusal can still be one."""
        first = await anext(parts)
        if self._connection is not None:
            self._connection.hold_little()
        listening = asyncio.create_task(self._listen())
        try:
            self.has_begun = True
            told = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
            await self._send({"type": "http.response.start", "status": 200, "headers": told})
            await self._write(first)
            async for part in parts:
                await self._write(part)
            await self._send({"type": "http.response.body", "body": b""})
        finally:
            listening.cancel()

    def hang_up(self) -> None:
        """Cut the connection: a client takes an answer that simply ends for a whole one."""
        if self._connection is not None:
            self._connection.transport.abort()

    async def _write(self, part: bytes) -> None:
        if part:
            await self._send({"type": "http.response.body", "body": part, "more_body": True})

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.cut()


class _Streamed(Response):
    """A response that is an export."""

    def __init__(
        self,
        door: ExportDoor,
        export: Export,
        writer: ExportWriter,
        context: Context,
        headers: Mapping[str, str],
        address: str,
    ) -> None:
        super().__init__()
        self._door, self._export, self._writer = door, export, writer
        self._context, self._told, self._address = context, headers, address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it until it ends."""
        stream = ExportStream(receive, send, scope.get("extensions", {}).get(CONNECTION))
        try:
            async with (
                self._door.room(stream, self._context, self._address),
                aclosing(self._door.parts(self._export, self._writer, self._context)) as parts,
            ):
                await stream.send(self._told, parts)
        except Fault as fault:
            await refused(fault)(scope, receive, send)
        except Refusal as refusal:
            if not stream.has_begun:
                await refused(fault_of(refusal))(scope, receive, send)
            else:
                stream.hang_up()
        except asyncio.CancelledError:
            stream.hang_up()
            if not stream.is_cut:
                raise
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
        except BaseException:
            stream.hang_up()
            raise
