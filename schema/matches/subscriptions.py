"""What can be watched of a competition."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from db.batches import Page
from db.bus import Lagged, Listener
from db.errors import Invalid, NotFound
from db.matches import queries
from db.matches.events import MatchEventsLogged
from db.matches.events import ScoreboardChanged as ScoreboardChange
from schema.connections import LARGEST_PAGE, read_cursor, write_cursor
from schema.context import Asked, Context
from schema.fields import Demand
from schema.ids import decode_id
from schema.matches.types import MatchEvent, Scoreboard

_OLDEST = queries.events_by_match.order("OLDEST")


@strawberry.type(description="A scoreboard as it is.")
class ScoreboardChanged:
    """A scoreboard as it is."""

    scoreboard: Scoreboard | None = strawberry.field(
        description="The scoreboard. Null while no fight was ever loaded on the mat."
    )
    sent_at: datetime = strawberry.field(
        description="The server's clock when this was sent. A running clock has counted `sentAt - asOf` by then."
    )


@strawberry.type(description="An entry of a fight's log.")
class MatchEvents:
    """An entry of a fight's log."""

    event: MatchEvent = strawberry.field(description="The entry.")
    cursor: str = strawberry.field(
        description="Its place: give it to `after` to go on from here, after any interruption."
    )


@strawberry.type
class MatchSubscriptions:
    """What can be watched of a competition."""

    @strawberry.subscription(
        description=(
            "A scoreboard as it is now, then after every change. With `matId`, always that of the fight on the mat. "
            "Whoever is slow gets the latest, not the backlog."
        ),
        extensions=[Demand(None)],
    )
    async def scoreboard_changed(
        self,
        info: Asked,
        match_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The fight. Null if `matId` is given.")
        ] = None,
        mat_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="The mat whose present fight it is. Null if `matchId` is given."),
        ] = None,
    ) -> AsyncGenerator[ScoreboardChanged, None]:
        """State first, then newer revisions only."""
        context = info.context
        topic, is_mat = await _watched(context, match_id, mat_id)
        # Listen before reading: a change in between is then heard, not missed.
        with context.db.bus.listen(topic, of=ScoreboardChange, latest_only=True) as heard:
            newest = shown = await _present(context, topic, is_mat=is_mat)
            yield ScoreboardChanged(scoreboard=shown, sent_at=context.now())
            async for change in heard:
                if newest is not None and not _is_newer(change.scoreboard, newest):
                    continue
                newest = change.scoreboard
                shown, before = newest if _is_seen(context, newest) else None, shown
                if shown is not None or before is not None:
                    context.renew_loaders()
                    yield ScoreboardChanged(scoreboard=shown, sent_at=context.now())  # type: ignore[arg-type]  # a row

    @strawberry.subscription(
        description=(
            "Every entry of a fight's log: first those after `after`, from the beginning if it is null, then live. "
            "Nothing is left out and nothing comes twice. It has no first message of its own."
        ),
        extensions=[Demand(None)],
    )
    async def match_events(
        self,
        info: Asked,
        match_id: Annotated[strawberry.ID, strawberry.argument(description="The fight.")],
        after: Annotated[
            str | None,
            strawberry.argument(description="The cursor of the last entry you have. Null: from the beginning."),
        ] = None,
    ) -> AsyncGenerator[MatchEvents, None]:
        """History from the log, then what is published; back to the log after falling behind."""
        context = info.context
        id = decode_id(match_id, kind="match", field="match_id")
        if await context.loaders.one(queries.match_by_id, id) is None:
            raise NotFound("There is no such match.", field="match_id")
        seq = 0 if after is None else read_cursor(after, queries.events_by_match, _OLDEST, field="after")[0]
        async with aclosing(_entries(context, id, seq)) as entries:
            async for entry in entries:
                context.renew_loaders()
                yield MatchEvents(event=entry, cursor=write_cursor((entry.seq,)))


async def _watched(context: Context, match_id: str | None, mat_id: str | None) -> tuple[UUID, bool]:
    """Return the id to watch and whether it is a mat's. Raises `Invalid` and `NotFound`."""
    if (match_id is None) == (mat_id is None):
        raise Invalid("Give either `matchId` or `matId`.", field="match_id")
    if match_id is not None:
        id = decode_id(match_id, kind="match", field="match_id")
        if await context.loaders.one(queries.match_by_id, id) is None:
            raise NotFound("There is no such match.", field="match_id")
        return id, False
    id = decode_id(str(mat_id), kind="mat", field="mat_id")
    if await context.loaders.one(queries.mat_by_id, id) is None:
        raise NotFound("There is no such mat.", field="mat_id")
    return id, True


async def _present(context: Context, topic: UUID, *, is_mat: bool) -> Any:
    context.renew_loaders()
    match_id: UUID | None = topic
    if is_mat:
        mat = await context.loaders.one(queries.mat_by_id, topic)
        match_id = None if mat is None else mat.current_match_id
    return None if match_id is None else await context.loaders.one(queries.scoreboard_by_match, match_id)


def _is_seen(context: Context, scoreboard: Any) -> bool:
    """Whoever is bound to one fight sees its mat, and not the next fight on it: see `db.matches.visibility`."""
    nodes = context.viewer.nodes
    return nodes is None or not nodes.isdisjoint((scoreboard.match_id, scoreboard.mat_id))


def _is_newer(heard: Any, shown: Any) -> bool:
    """Say whether a scoreboard is newer than what was sent: of one fight by revision, of a mat by the log."""
    if heard.match_id == shown.match_id:
        return bool(heard.revision > shown.revision)
    return bool(heard.seq > shown.seq)


async def _entries(context: Context, match_id: UUID, seq: int) -> AsyncGenerator[Any, None]:
    is_behind = True
    with context.db.bus.listen(match_id, of=MatchEventsLogged) as heard:
        while is_behind:
            is_behind = False
            async with aclosing(_history(context, match_id, seq)) as history:
                async for entry in history:
                    seq = entry.seq
                    yield entry
            try:
                async with aclosing(_live(heard, seq)) as live:
                    async for entry in live:
                        seq = entry.seq
                        yield entry
            except Lagged:
                # The queue ran over while the client was slow. What it missed is in the log.
                is_behind = True


async def _history(context: Context, match_id: UUID, seq: int) -> AsyncGenerator[Any, None]:
    is_full = True
    while is_full:
        page = Page(limit=LARGEST_PAGE, after=(seq,))
        async with context.db.read() as session:
            found = await queries.events_by_match.read(session, context.viewer, [match_id], page, _OLDEST, {})
        window = found.get(match_id)
        for entry in () if window is None else window.rows:
            seq = entry.seq
            yield entry
        is_full = window is not None and window.has_more


async def _live(heard: Listener[MatchEventsLogged], seq: int) -> AsyncGenerator[Any, None]:
    """Pass on what is published. Raises `Lagged` also where something was stored that nobody published."""
    async for logged in heard:
        if logged.events[0].seq > seq + 1:
            raise Lagged(1)
        for entry in logged.events:
            if entry.seq > seq:
                seq = entry.seq
                yield entry
