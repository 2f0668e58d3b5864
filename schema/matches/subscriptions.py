"""What can be watched of a competition."""

from datetime import datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import strawberry

from db.errors import Invalid, NotFound
from db.matches import queries
from db.matches.events import MatchEventsLogged, MatHeard
from db.matches.events import MatQueueChanged as QueueChange
from db.matches.events import ScoreboardChanged as ScoreboardChange
from schema.context import Asked, Context
from schema.fields import Demand
from schema.ids import decode_id
from schema.live.sources import Feed, State, feed, state
from schema.matches.told_types import MatStatus, status_of
from schema.matches.types import Mat, MatchEvent, Scoreboard


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


@strawberry.type(description="A mat whose queue is as it is now.")
class MatQueueChanged:
    """A mat whose queue is as it is now."""

    mat: Mat = strawberry.field(description="The mat: its `queue` is read as this is sent.")
    revision: int = strawberry.field(description="That of the queue: the higher is the newer.")
    sent_at: datetime = strawberry.field(description="The server's clock when this was sent.")


@strawberry.type(description="How it is with the scoring program of a mat.")
class MatStatusChanged:
    """How it is with the scoring program of a mat."""

    mat: Mat = strawberry.field(description="The mat.")
    status: MatStatus = strawberry.field(description="How it is.")
    sent_at: datetime = strawberry.field(description="The server's clock when this was sent.")


@strawberry.type
class MatchSubscriptions:
    """What can be watched of a competition."""

    @state(
        ScoreboardChanged,
        "A scoreboard as it is now, then after every change. With `matId`, always that of the fight on the mat. "
        "Whoever is slow gets the latest, not the backlog.",
        demand=Demand(None),
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
    ) -> State[ScoreboardChange, Any]:
        """The scoreboard of a fight, or of whichever fight is on a mat."""
        topic, is_mat = await _watched(info.context, match_id, mat_id)
        seen = partial(_seen, info.context.viewer.nodes)
        return State(
            topic=topic,
            of=ScoreboardChange,
            read=partial(_present, topic=topic, is_mat=is_mat),
            after=lambda change: change.scoreboard,
            is_news=lambda heard, shown: _is_newer(heard, shown) and (seen(heard) or seen(shown)) is not None,
            show=lambda row, at: ScoreboardChanged(scoreboard=seen(row), sent_at=at),
        )

    @state(
        MatQueueChanged,
        "The queue of a mat as it is now, then after every change, by hand or by a load that takes a fight from it.",
        demand=Demand(None),
    )
    async def mat_queue_changed(
        self, info: Asked, mat_id: Annotated[strawberry.ID, strawberry.argument(description="The mat.")]
    ) -> State[QueueChange, Any]:
        """The queue of a mat."""
        mat_id_ = await _mat(info.context, mat_id)
        return State(
            topic=mat_id_,
            of=QueueChange,
            read=partial(_present_mat, mat_id=mat_id_),
            after=lambda changed: changed.mat,
            is_news=lambda heard, shown: heard.queue_revision > shown.queue_revision,
            show=lambda mat, at: MatQueueChanged(mat=mat, revision=mat.queue_revision, sent_at=at),
        )

    @state(
        MatStatusChanged,
        "How it is with the scoring program of a mat now, then whenever it is heard again, falls silent while its "
        "clock runs, says that it is off, or sends what cannot be read. Not after every message.",
        demand=Demand(None),
    )
    async def mat_status_changed(
        self, info: Asked, mat_id: Annotated[strawberry.ID, strawberry.argument(description="The mat.")]
    ) -> State[MatHeard, Any]:
        """The scoring program of a mat."""
        mat_id_ = await _mat(info.context, mat_id)
        return State(
            topic=mat_id_,
            of=MatHeard,
            read=partial(_present_mat, mat_id=mat_id_),
            after=lambda heard: heard.mat,
            is_news=lambda heard, shown: heard.status_revision > shown.status_revision,
            show=lambda mat, at: MatStatusChanged(mat=mat, status=status_of(mat), sent_at=at),
        )

    @feed(
        MatchEvents,
        "Every entry of a fight's log: first those after `after`, from the beginning if it is null, then live. "
        "Nothing is left out and nothing comes twice. It has no first message of its own. Whoever falls behind is "
        "told so by an error with the code LAGGED, and goes on from the cursor in its `after`.",
        demand=Demand(None),
    )
    async def match_events(
        self,
        info: Asked,
        match_id: Annotated[strawberry.ID, strawberry.argument(description="The fight.")],
    ) -> Feed[MatchEventsLogged, Any]:
        """The log of a fight."""
        id = decode_id(match_id, kind="match", field="match_id")
        if await info.context.loaders.one(queries.match_by_id, id) is None:
            raise NotFound("There is no such match.", field="match_id")
        return Feed(
            topic=id,
            of=MatchEventsLogged,
            batch=queries.events_by_match,
            order="OLDEST",
            entries=lambda logged: logged.events,
            happened_at=lambda entry: entry.received_at,
            show=lambda entry, cursor: MatchEvents(event=entry, cursor=cursor),
            # Entries of a mat are numbered without gaps.
            is_complete=lambda logged, place: place is not None and logged.events[0].seq <= place[0] + 1,
        )


async def _watched(context: Context, match_id: str | None, mat_id: str | None) -> tuple[UUID, bool]:
    """Return the id to watch and whether it is a mat's. Raises `Invalid` and `NotFound`."""
    if (match_id is None) == (mat_id is None):
        raise Invalid("Give either `matchId` or `matId`.", field="match_id")
    if match_id is not None:
        id = decode_id(match_id, kind="match", field="match_id")
        if await context.loaders.one(queries.match_by_id, id) is None:
            raise NotFound("There is no such match.", field="match_id")
        return id, False
    return await _mat(context, str(mat_id)), True


async def _mat(context: Context, mat_id: str) -> UUID:
    """Return the id of a mat that is there. Raises `NotFound`."""
    id = decode_id(mat_id, kind="mat", field="mat_id")
    if await context.loaders.one(queries.mat_by_id, id) is None:
        raise NotFound("There is no such mat.", field="mat_id")
    return id


async def _present_mat(context: Context, *, mat_id: UUID) -> Any:
    context.renew_loaders()
    return await context.loaders.one(queries.mat_by_id, mat_id)


async def _present(context: Context, topic: UUID, *, is_mat: bool) -> Any:
    context.renew_loaders()
    match_id: UUID | None = topic
    if is_mat:
        mat = await context.loaders.one(queries.mat_by_id, topic)
        match_id = None if mat is None else mat.current_match_id
    return None if match_id is None else await context.loaders.one(queries.scoreboard_by_match, match_id)


def _seen(nodes: frozenset[UUID] | None, scoreboard: Any) -> Any:
    """Return a scoreboard if it is seen. Whoever is bound to one fight sees its mat, and not the next fight on it."""
    if scoreboard is None or nodes is None:
        return scoreboard
    return None if nodes.isdisjoint((scoreboard.match_id, scoreboard.mat_id)) else scoreboard


def _is_newer(heard: Any, shown: Any) -> bool:
    """Say whether a scoreboard is newer than what was sent: of one fight by revision, of a mat by the log."""
    if shown is None:
        return True
    if heard.match_id == shown.match_id:
        return bool(heard.revision > shown.revision)
    return bool(heard.seq > shown.seq)
