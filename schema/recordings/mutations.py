"""How recordings and bookmarks can be changed: by those who run the event."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any

import strawberry

from db.access.viewer import Role
from db.recordings import bookmarks, operations
from schema.changes import change, changed
from schema.context import Asked
from schema.ids import decode_id
from schema.inputs import given
from schema.recordings.inputs import BookmarkInput, RecordingInput, recording_changes
from schema.recordings.types import Bookmark, Recording
from schema.recordings.vocabulary import RecordingKind

RecordingId = Annotated[strawberry.ID, strawberry.argument(description="The recording.")]
BookmarkId = Annotated[strawberry.ID, strawberry.argument(description="The bookmark.")]
_RECORDING = "The recording after the change."
_BOOKMARK = "The bookmark after the change."


@strawberry.type
class RecordingMutations:
    """How recordings can be changed."""

    @change(
        Recording,
        "recording",
        "Note a recording of a mat: under way, or with its end if that is given. No file is touched.",
        result="The recording.",
        demand=Role.OPERATOR,
    )
    async def recording_create(
        self,
        info: Asked,
        mat_id: Annotated[strawberry.ID, strawberry.argument(description="The mat it shows.")],
        kind: Annotated[RecordingKind, strawberry.argument(description="What sort it is, for good.")],
        input: Annotated[RecordingInput, strawberry.argument(description="The recording.")],
        match_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The fight it was made for. Null: for none.")
        ] = None,
        obs_machine_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="The OBS that makes it, whose clock and delay then count. Null: none."),
        ] = None,
    ) -> Any:
        """Note a recording."""
        return await changed(
            info,
            operations.create_recording,
            decode_id(mat_id, kind="mat", field="mat_id"),
            kind=kind,
            changes=recording_changes(input),
            machine_id=_optional_id(obs_machine_id, "obsmachine", "obs_machine_id"),
            match_id=_optional_id(match_id, "match", "match_id"),
        )

    @change(
        Recording,
        "recording",
        "Correct what is known of a recording. What it shows is worked out anew.",
        result=_RECORDING,
        demand=Role.OPERATOR,
    )
    async def recording_update(
        self,
        info: Asked,
        id: RecordingId,
        input: Annotated[RecordingInput, strawberry.argument(description="What to correct.")],
    ) -> Any:
        """Correct a recording."""
        return await done(info, operations.update_recording, decode_id(id, kind="recording"), recording_changes(input))

    @change(
        Recording,
        "recording",
        "Finish a recording that is under way, or was lost and is found: now, unless `input` says when it ended.",
        result=_RECORDING,
        demand=Role.OPERATOR,
    )
    async def recording_finish(
        self,
        info: Asked,
        id: RecordingId,
        input: Annotated[
            RecordingInput | None, strawberry.argument(description="What else is known of it by now. Null: nothing.")
        ] = None,
    ) -> Any:
        """Finish a recording."""
        changes = {} if input is None else recording_changes(input)
        ended_at = changes.pop("ended_at", None)
        return await done(
            info, operations.finish_recording, decode_id(id, kind="recording"), ended_at=ended_at, changes=changes
        )

    @change(
        Recording,
        "recording",
        "Give a recording up that is under way. It ends when it was last known to be.",
        result=_RECORDING,
        demand=Role.OPERATOR,
    )
    async def recording_lose(
        self,
        info: Asked,
        id: RecordingId,
        message: Annotated[str, strawberry.argument(description="Why: at most 200 characters.")] = "",
    ) -> Any:
        """Give a recording up."""
        return await done(info, operations.lose_recording, decode_id(id, kind="recording"), message=message)

    @change(
        Recording,
        "recording",
        "Take a recording off the list. Its file stays where it is, and so do the bookmarks.",
        result="The recording as it was.",
        demand=Role.OPERATOR,
    )
    async def recording_delete(self, info: Asked, id: RecordingId) -> Any:
        """Take a recording off the list."""
        async with info.context.db.transaction() as tx:
            return await operations.delete_recording(tx, decode_id(id, kind="recording"))


@strawberry.type
class BookmarkMutations:
    """How bookmarks can be changed."""

    @change(
        Bookmark,
        "bookmark",
        "Mark an entry of a mat's log, such as a point.",
        result="The bookmark.",
        demand=Role.OPERATOR,
    )
    async def bookmark_event(
        self,
        info: Asked,
        event_id: Annotated[strawberry.ID, strawberry.argument(description="The entry.")],
        input: Annotated[
            BookmarkInput | None, strawberry.argument(description="What is said of it. Null: nothing.")
        ] = None,
    ) -> Any:
        """Mark an entry."""
        id = decode_id(event_id, kind="event", field="event_id")
        return await changed(info, bookmarks.mark_event, id, changes=_said(input))

    @change(
        Bookmark,
        "bookmark",
        "Mark a moment on a mat by hand. It belongs to the fight that was on it.",
        result="The bookmark.",
        demand=Role.OPERATOR,
    )
    async def bookmark_create(
        self,
        info: Asked,
        mat_id: Annotated[strawberry.ID, strawberry.argument(description="The mat.")],
        happened_at: Annotated[
            datetime | None, strawberry.argument(description="The moment, by the server's clock. Null: now.")
        ] = None,
        input: Annotated[
            BookmarkInput | None, strawberry.argument(description="What is said of it. Null: nothing.")
        ] = None,
    ) -> Any:
        """Mark a moment."""
        id = decode_id(mat_id, kind="mat", field="mat_id")
        return await changed(info, bookmarks.mark_moment, id, happened_at=happened_at, changes=_said(input))

    @change(
        Bookmark,
        "bookmark",
        "Move a bookmark. Moves at once add up.",
        result=_BOOKMARK,
        demand=Role.OPERATOR,
    )
    async def bookmark_move(
        self,
        info: Asked,
        id: BookmarkId,
        delta_ms: Annotated[
            int, strawberry.argument(description="How much later, or earlier if it is less than 0, in milliseconds.")
        ],
    ) -> Any:
        """Move a bookmark."""
        return await done(info, bookmarks.move_bookmark, decode_id(id, kind="bookmark"), delta_ms=delta_ms)

    @change(
        Bookmark,
        "bookmark",
        "Change what is said of a bookmark, and how much around it is played.",
        result=_BOOKMARK,
        demand=Role.OPERATOR,
    )
    async def bookmark_update(
        self,
        info: Asked,
        id: BookmarkId,
        input: Annotated[BookmarkInput, strawberry.argument(description="What to change.")],
    ) -> Any:
        """Change a bookmark."""
        return await done(info, bookmarks.update_bookmark, decode_id(id, kind="bookmark"), given(input))

    @change(
        Bookmark,
        "bookmark",
        "Remove a bookmark.",
        result="The bookmark as it was.",
        demand=Role.OPERATOR,
    )
    async def bookmark_delete(self, info: Asked, id: BookmarkId) -> Any:
        """Remove a bookmark."""
        async with info.context.db.transaction() as tx:
            return await bookmarks.delete_bookmark(tx, decode_id(id, kind="bookmark"))


async def done(info: Asked, operation: Callable[..., Awaitable[Any]], *what: Any, **named: Any) -> Any:
    """Run an operation that may be whoever's who may ask for it, in a transaction of its own, and now."""
    async with info.context.db.transaction() as tx:
        return await operation(tx, *what, now=info.context.now(), **named)


def _said(input: BookmarkInput | None) -> dict[str, Any]:
    return {} if input is None else given(input)


def _optional_id(id: str | None, kind: str, field: str) -> Any:
    return None if id is None else decode_id(id, kind=kind, field=field)
