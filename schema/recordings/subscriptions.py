"""What can be watched of recordings: those of a mat that are under way, with what just happened."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import strawberry

from db.batches import LARGEST_PAGE, Page
from db.errors import NotFound
from db.matches.queries import mat_by_id
from db.recordings import queries
from db.recordings.events import OBSCommandFailed, RecordingEvent
from db.recordings.events import RecordingChanged as RecordingChange
from db.recordings.vocabulary import RecordingState
from schema.context import Asked, Context
from schema.fields import Demand, value
from schema.ids import decode_id
from schema.live.sources import Merged, State, state
from schema.recordings.types import Recording
from schema.recordings.vocabulary import RecordingNewsKind

Recordings = dict[UUID, Any]


@value
class RecordingNews:
    """What just happened to a recording, or was to happen."""

    kind: RecordingNewsKind = strawberry.field(description="What.")
    recording: Recording | None = strawberry.field(
        description="The recording after it. Null if there is none, because OBS did not do what it was told."
    )
    message: str = strawberry.field(description="Why it failed. Empty if it did not.")


@strawberry.type(description="The recordings of a mat that are under way, and what just happened.")
class RecordingChanged:
    """The recordings of a mat that are under way, and what just happened."""

    recordings: list[Recording] = strawberry.field(
        description="Those that are under way, the first to begin first; 100 at most."
    )
    news: list[RecordingNews] = strawberry.field(
        description=(
            "What just happened, in order. Empty in the first message, and wherever only the present is known, as "
            "after falling behind."
        )
    )
    sent_at: datetime = strawberry.field(description="The server's clock when this was sent.")


@dataclass(frozen=True, kw_only=True)
class Watched:
    """The recordings that are under way, by their ids, and what just happened."""

    running: Recordings
    news: Sequence[RecordingNews] = ()

    def at_rest(self) -> "Watched":
        """Return the recordings without what just happened, for those who were not there."""
        return Watched(running=self.running) if self.news else self


@dataclass(frozen=True, kw_only=True)
class RunningRecordings(Merged[RecordingEvent, Watched]):
    """Recordings under way, each event's news merged into how they were."""

    is_seen: bool

    def merged(self, shown: Watched, events: Sequence[RecordingEvent]) -> Watched | None:
        """See `Merged`."""
        return _after(shown.running, events) if self.is_seen else None


@strawberry.type
class RecordingSubscriptions:
    """What can be watched of recordings."""

    @state(
        RecordingChanged,
        "The recordings of a mat that are under way, then again after every change, together with the change itself: "
        "what was started, saved, lost or could not be done. Whoever is slow gets the latest, not the backlog.",
        demand=Demand(None),
    )
    async def recording_changed(
        self, info: Asked, mat_id: Annotated[strawberry.ID, strawberry.argument(description="The mat.")]
    ) -> State[RecordingEvent, Watched]:
        """The recordings of a mat."""
        topic = decode_id(mat_id, kind="mat", field="mat_id")
        if await info.context.loaders.one(mat_by_id, topic) is None:
            raise NotFound("There is no such mat.", field="mat_id")
        nodes = info.context.viewer.nodes
        return RunningRecordings(
            topic=topic,
            of=RecordingEvent,
            read=partial(_present, topic=topic),
            at_rest=Watched.at_rest,
            show=_payload,
            # Whoever is bound to one fight sees its mat, and not what is recorded of it.
            is_seen=nodes is None or topic in nodes,
        )


async def _present(context: Context, topic: UUID) -> Watched:
    context.renew_loaders()
    wanted = {"states": [RecordingState.RECORDING]}
    page = Page(limit=LARGEST_PAGE)
    found = await context.loaders.page(queries.recordings_by_mat, topic, page, "OLDEST", wanted)
    return Watched(running={row.id: row for row in found.rows})


def _after(before: Recordings, events: Iterable[RecordingEvent]) -> Watched:
    """Return what is under way after some events, and what they tell."""
    running = dict(before)
    news: list[RecordingNews] = []
    for event in events:
        if isinstance(event, OBSCommandFailed):
            failed = RecordingNews(kind=RecordingNewsKind.FAILED, recording=None, message=event.command.message)
            news.append(failed)
        elif isinstance(event, RecordingChange):
            row: Any = event.recording
            known = running.get(row.id)
            is_on = row.state is RecordingState.RECORDING and event.kind is not RecordingNewsKind.DELETED
            if not is_on:
                running.pop(row.id, None)
            elif known is None or row.revision > known.revision:
                running[row.id] = row
            news.append(RecordingNews(kind=event.kind, recording=row, message=row.message))
    return Watched(running=running, news=news)


def _payload(watched: Watched, at: datetime) -> RecordingChanged:
    in_order: list[Any] = sorted(watched.running.values(), key=lambda row: (row.dated_at, row.id))
    return RecordingChanged(recordings=in_order, news=list(watched.news), sent_at=at)
