"""The door of imports: `POST /import/athletes.csv` takes a file in, all of it or, with anything wrong, nothing.

A file is first taken off the network and then into the database: whoever sends slowly holds no transaction.
"""

import asyncio
import io
import logging
import tempfile
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import IO

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.auth import Doorkeeper
from api.export_formats import ExportFormat
from api.import_files import pages_of, told_of
from api.lists import admitted, check_parameters, fault_of, file_of, too_many
from api.transport.admitting import admit
from api.transport.answers import Fault, refused
from api.transport.arriving import CONNECTION
from api.transport.graphql import CLIENT_LEFT, GraphQLDoor
from api.transport.under_way import TookTooLong
from db.clock import Clock
from db.errors import Forbidden, Invalid, Refusal
from db.importing import Bringer, Importing, ImportReport, check_may_import, take_in
from schema.context import Context
from schema.exporting import Exports
from schema.importing import IMPORTS, find_import, known_columns

_log = logging.getLogger(__name__)

_PARAMETERS = {"dryRun"}
# While a part of it is looked at, nobody else is answered.
_ROWS_AT_ONCE = 250
# Whoever sends this much in the time that a request has is waited for again.
_WORTH_WAITING = 65_536
_MOST_DIGITS = 18
# What is wrong with a file's rows is told with them.
_NOT_TAKEN_IN = 422


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportLimits:
    """How many files are taken in at once, how many bytes one has, and how many rows."""

    at_once: int = 1
    size: int = 16_777_216
    rows: int = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """A file that somebody brings."""

    importing: Importing
    format: ExportFormat
    is_dry_run: bool


class _Done:
    """How many rows were taken in so far."""

    rows = 0

    def note(self, rows: int) -> None:
        """Note how many it are."""
        self.rows = rows


class ImportDoor:
    """Answers `GET /import` with the lists that are taken in, and `POST /import/{list}.{csv,jsonl}` with a report."""

    def __init__(
        self, exports: Exports, door: GraphQLDoor, doorkeeper: Doorkeeper, clock: Clock, limits: ImportLimits
    ) -> None:
        self._exports = exports
        self._door = door
        self._doorkeeper = doorkeeper
        self._clock = clock
        self._limits = limits
        self._under_way = 0

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the door."""
        return [Route("/import", self._list, methods=["GET"]), Route("/import/{file}", self._take, methods=["POST"])]

    async def _list(self, request: Request) -> Response:
        try:
            context = await admitted(self._door, self._doorkeeper, request)
            self._check_may_come(context)
        except Fault as fault:
            return refused(fault)
        except Refusal as refusal:
            return refused(fault_of(refusal))
        kinds = [
            {"name": one.name, "role": one.role, "columns": [column.header for column in one.fields]}
            for one in IMPORTS.values()
        ]
        return _answer({"imports": kinds}, 200)

    async def _take(self, request: Request) -> Response:
        try:
            context = await admitted(self._door, self._doorkeeper, request)
            asked = self._asked(request, context)
            self._charge(context)
            with tempfile.TemporaryFile() as file:
                async with self._room():
                    size = await self._receive(request, file)
                    # Who was slow may be somebody else by now.
                    context = self._door.context_of(await admit(self._doorkeeper, request))
                    report = await self._store(context, asked, file, size)
        except ClientDisconnect:
            return Response(status_code=CLIENT_LEFT)
        except Fault as fault:
            return refused(fault)
        except Refusal as refusal:
            return refused(fault_of(refusal))
        told = {"list": asked.importing.name, **told_of(report), "isDryRun": asked.is_dry_run}
        return _answer({"import": told}, _NOT_TAKEN_IN if report.problem_count else 200)

    def _asked(self, request: Request, context: Context) -> _Asked:
        """Look at all that stands before the file. Raises `Fault` and refusals."""
        self._check_may_come(context)
        name, format_ = file_of(request.path_params["file"], "Imports")
        importing = find_import(name)
        check_may_import(context.viewer, importing)
        check_parameters(request, _PARAMETERS, "An import")
        dry = request.query_params.get("dryRun", "false")
        if dry not in {"true", "false"}:
            raise Invalid(f"`dryRun` is true or false; {dry[:40]!r} was said.")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind.startswith("multipart/") or request.headers.get("content-encoding", "identity") != "identity":
            told = "Send the file itself as the body, neither packed nor as a part of a form."
            raise Fault(status=415, code="UNSUPPORTED_MEDIA_TYPE", message=told)
        length = request.headers.get("content-length", "")[:_MOST_DIGITS]
        if length.isascii() and length.isdigit() and self._is_over(int(length)):
            raise self._too_large()
        return _Asked(importing=importing, format=format_, is_dry_run=dry == "true")

    def _check_may_come(self, context: Context) -> None:
        if context.viewer.is_overlay:
            raise Forbidden("An overlay token reads the nodes it is bound to and does nothing else.")
        if self._door.is_trusted_only or context.viewer.is_trusted_only:
            raise Forbidden("Only the documents that were given to this server are run: one may hold `listImport`.")

    def _charge(self, context: Context) -> None:
        """Count a change, of a token that owes nothing. Raises `Fault`."""
        engine = self._door.schema.engine
        for budgets in (engine.budgets, engine.changes):
            unwelcome = None if budgets is None else budgets.spend(context.viewer.token_id, 1, self._clock)
            if unwelcome is not None:
                raise too_many(unwelcome.message, (unwelcome.extensions or {}).get("retryAfterSeconds", 1))

    @asynccontextmanager
    async def _room(self) -> AsyncIterator[None]:
        if self._under_way >= self._limits.at_once:
            raise too_many(f"{self._under_way} files are taken in, which is as many as may be at once.")
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def _receive(self, request: Request, file: IO[bytes]) -> int:
        """Write what comes to a file, and return how much that is. Whoever is slow is waited for while he sends."""
        connection = request.scope.get("extensions", {}).get(CONNECTION)
        size = waited_for = 0
        async for chunk in request.stream():
            size += len(chunk)
            if self._is_over(size):
                raise self._too_large()
            await asyncio.to_thread(file.write, chunk)
            if connection is not None and size - waited_for >= _WORTH_WAITING:
                connection.wait_anew()
                waited_for = size
        file.seek(0)
        return size

    async def _store(self, context: Context, asked: _Asked, file: IO[bytes], size: int) -> ImportReport:
        """Take in what was received. Raises refusals and, if it takes longer than an operation may, `Fault`."""
        began, outcome, done = perf_counter(), "CUT", _Done()
        try:
            report = await self._take_in(context, asked, file, done)
            outcome = "ok" if report.problem_count == 0 else "REFUSED"
        except TookTooLong as refusal:
            outcome = refusal.code
            told = f"{refusal.message} Divide it, or use `ringside import`. Before you repeat it, see if it was stored."
            raise Fault(status=504, code=refusal.code, message=told) from None
        except Refusal as refusal:
            outcome = refusal.code
            raise
        finally:
            budgets = self._door.schema.engine.budgets
            if budgets is not None:
                budgets.owe(context.viewer.token_id, done.rows, self._clock)
            seconds, name = perf_counter() - began, asked.importing.name
            _log.info("imported %s: %d rows, %d bytes in %.1f s, %s", name, done.rows, size, seconds, outcome)
        return report

    async def _take_in(self, context: Context, asked: _Asked, file: IO[bytes], done: "_Done") -> ImportReport:
        viewer, replica = context.viewer, context.replica
        db = context.db if replica is None else replica.writing_for(viewer.token_id)
        known = known_columns(self._exports, asked.importing)
        with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
            async with (
                self._door.under_way.watched(context, None),
                aclosing(pages_of(text, asked.format, known, size=_ROWS_AT_ONCE)) as pages,
            ):
                return await take_in(
                    db,
                    asked.importing,
                    pages,
                    Bringer(viewer=viewer, now=self._clock.now()),
                    is_dry_run=asked.is_dry_run,
                    most=self._limits.rows,
                    progress=done.note,
                )

    def _is_over(self, size: int) -> bool:
        return size > self._limits.size

    def _too_large(self) -> Fault:
        told = f"A file has {self._limits.size:,} bytes at most here: divide it, or use `ringside import`."
        return Fault(status=413, code="PAYLOAD_TOO_LARGE", message=told)


def _answer(body: object, status: int) -> Response:
    return Response(orjson.dumps(body), status, {"Cache-Control": "no-store"}, media_type="application/json")
