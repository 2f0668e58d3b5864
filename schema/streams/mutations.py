"""How streams and their live sessions can be changed."""

from typing import Annotated

import strawberry

from db.access.viewer import Role
from db.streams import operations
from schema.context import Asked
from schema.errors import RefusalsAsData, UserError
from schema.fields import Demand
from schema.ids import decode_id
from schema.inputs import given
from schema.streams.inputs import StreamInput
from schema.streams.types import Stream, StreamSession


@strawberry.type(description="What came of it.")
class StreamCreatePayload:
    """What came of `streamCreate`."""

    stream: Stream | None = strawberry.field(description="The stream. Null if it was refused.")
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class StreamUpdatePayload:
    """What came of `streamUpdate`."""

    stream: Stream | None = strawberry.field(description="The stream after the change. Null if it was refused.")
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class StreamDeletePayload:
    """What came of `streamDelete`."""

    stream: Stream | None = strawberry.field(description="The stream as it was. Null if it was refused.")
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class StreamSessionStartPayload:
    """What came of `streamSessionStart`."""

    session: StreamSession | None = strawberry.field(description="The session that began. Null if it was refused.")
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class StreamSessionEndPayload:
    """What came of `streamSessionEnd`."""

    session: StreamSession | None = strawberry.field(description="The session that ended. Null if it was refused.")
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type
class StreamMutations:
    """How streams and their live sessions can be changed."""

    @strawberry.mutation(
        description="Set up a stream of yours, with the four goals that every stream begins with.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def stream_create(
        self, info: Asked, input: Annotated[StreamInput, strawberry.argument(description="The stream.")]
    ) -> StreamCreatePayload:
        """Set up a stream."""
        async with info.context.db.transaction() as tx:
            row = await operations.create_stream(
                tx, owner_id=info.context.viewer.user_id, changes=given(input), now=info.context.now()
            )
        return StreamCreatePayload(stream=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(description="Change some of a stream.", extensions=[RefusalsAsData(), Demand(Role.MEMBER)])
    async def stream_update(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The stream.")],
        input: Annotated[StreamInput, strawberry.argument(description="What to change.")],
    ) -> StreamUpdatePayload:
        """Change some of a stream."""
        context = info.context
        async with context.db.transaction() as tx:
            row = await operations.update_stream(
                tx, decode_id(id, kind="stream"), given(input), viewer=context.viewer, now=context.now()
            )
        return StreamUpdatePayload(stream=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Remove a stream with its goals, their histories and its sources.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def stream_delete(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The stream.")]
    ) -> StreamDeletePayload:
        """Remove a stream."""
        async with info.context.db.transaction() as tx:
            row = await operations.delete_stream(tx, decode_id(id, kind="stream"), viewer=info.context.viewer)
        return StreamDeletePayload(stream=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Go live: goals that count for one session begin anew. News of viewers does so by itself.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def stream_session_start(
        self, info: Asked, stream_id: Annotated[strawberry.ID, strawberry.argument(description="The stream.")]
    ) -> StreamSessionStartPayload:
        """Go live."""
        context = info.context
        id = decode_id(stream_id, kind="stream", field="stream_id")
        async with context.db.transaction() as tx:
            row = await operations.start_session(tx, id, viewer=context.viewer, now=context.now())
        return StreamSessionStartPayload(session=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(description="Go off.", extensions=[RefusalsAsData(), Demand(Role.MEMBER)])
    async def stream_session_end(
        self, info: Asked, stream_id: Annotated[strawberry.ID, strawberry.argument(description="The stream.")]
    ) -> StreamSessionEndPayload:
        """Go off."""
        context = info.context
        id = decode_id(stream_id, kind="stream", field="stream_id")
        async with context.db.transaction() as tx:
            row = await operations.end_session(tx, id, viewer=context.viewer, now=context.now())
        return StreamSessionEndPayload(session=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type
