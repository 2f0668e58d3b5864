"""How streams and their live sessions can be changed."""

from typing import Annotated, Any

import strawberry

from db.streams import operations
from schema.changes import change, changed
from schema.context import Asked
from schema.ids import decode_id
from schema.inputs import given
from schema.streams.inputs import StreamInput
from schema.streams.types import Stream, StreamSession


@strawberry.type
class StreamMutations:
    """How streams and their live sessions can be changed."""

    @change(
        Stream,
        "stream",
        "Set up a stream of yours, with the four goals that every stream begins with.",
        result="The stream.",
    )
    async def stream_create(
        self, info: Asked, input: Annotated[StreamInput, strawberry.argument(description="The stream.")]
    ) -> Any:
        """Set up a stream."""
        async with info.context.db.transaction() as tx:
            return await operations.create_stream(
                tx, owner_id=info.context.viewer.user_id, changes=given(input), now=info.context.now()
            )

    @change(Stream, "stream", "Change some of a stream.", result="The stream after the change.")
    async def stream_update(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The stream.")],
        input: Annotated[StreamInput, strawberry.argument(description="What to change.")],
    ) -> Any:
        """Change some of a stream."""
        context = info.context
        async with context.db.transaction() as tx:
            return await operations.update_stream(
                tx, decode_id(id, kind="stream"), given(input), viewer=context.viewer, now=context.now()
            )

    @change(
        Stream,
        "stream",
        "Remove a stream with its goals, their histories and its sources.",
        result="The stream as it was.",
    )
    async def stream_delete(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The stream.")]
    ) -> Any:
        """Remove a stream."""
        async with info.context.db.transaction() as tx:
            return await operations.delete_stream(tx, decode_id(id, kind="stream"), viewer=info.context.viewer)

    @change(
        StreamSession,
        "session",
        "Go live: goals that count for one session begin anew. News of viewers does so by itself.",
        result="The session that began.",
    )
    async def stream_session_start(
        self, info: Asked, stream_id: Annotated[strawberry.ID, strawberry.argument(description="The stream.")]
    ) -> Any:
        """Go live."""
        context = info.context
        id = decode_id(stream_id, kind="stream", field="stream_id")
        async with context.db.transaction() as tx:
            return await operations.start_session(tx, id, viewer=context.viewer, now=context.now())

    @change(StreamSession, "session", "Go off.", result="The session that ended.")
    async def stream_session_end(
        self, info: Asked, stream_id: Annotated[strawberry.ID, strawberry.argument(description="The stream.")]
    ) -> Any:
        """Go off."""
        id = decode_id(stream_id, kind="stream", field="stream_id")
        return await changed(info, operations.end_session, id)
