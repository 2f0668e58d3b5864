"""How the sources of streams can be changed: by those who run the event, because the server calls where they say."""

from typing import Annotated, Any

import strawberry

from db.access.viewer import Role
from db.streams import source_operations
from db.streams.sources import shown_secret
from schema.changes import change
from schema.context import Asked
from schema.errors import RefusalsAsData, UserError
from schema.fields import Demand
from schema.ids import decode_id
from schema.inputs import given
from schema.streams.inputs import StreamSourceInput
from schema.streams.types import StreamSource
from schema.streams.vocabulary import StreamSourceKind


@strawberry.type(description="What came of it.")
class StreamSourceCreatePayload:
    """What came of `streamSourceCreate`."""

    source: StreamSource | None = strawberry.field(description="The source. Null if it was refused.")
    secret: str | None = strawberry.field(
        description="What calls are to be signed with. Shown this once. Null for a source that does not call."
    )
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class StreamSourceRotateSecretPayload:
    """What came of `streamSourceRotateSecret`."""

    source: StreamSource | None = strawberry.field(description="The source. Null if it was refused.")
    secret: str | None = strawberry.field(
        description="What calls are to be signed with from now on. Shown this once. Null if it was refused."
    )
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type
class StreamSourceMutations:
    """How the sources of streams can be changed."""

    @strawberry.mutation(
        description="Add a source of news to a stream. It is listened to at once.",
        extensions=[RefusalsAsData(), Demand(Role.OPERATOR)],
    )
    async def stream_source_create(
        self,
        info: Asked,
        stream_id: Annotated[strawberry.ID, strawberry.argument(description="The stream.")],
        kind: Annotated[StreamSourceKind, strawberry.argument(description="What it is, for good.")],
        input: Annotated[StreamSourceInput, strawberry.argument(description="The source.")],
    ) -> StreamSourceCreatePayload:
        """Add a source."""
        context = info.context
        id = decode_id(stream_id, kind="stream", field="stream_id")
        async with context.db.transaction() as tx:
            made = await source_operations.create_source(
                tx, id, kind=kind, changes=given(input), viewer=context.viewer, now=context.now()
            )
        secret = None if made.secret is None else shown_secret(made.secret)
        return StreamSourceCreatePayload(source=made.source, secret=secret, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @change(
        StreamSource,
        "source",
        "Change a source's name or address, which is then listened to instead.",
        result="The source after the change.",
        demand=Role.OPERATOR,
    )
    async def stream_source_update(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The source.")],
        input: Annotated[StreamSourceInput, strawberry.argument(description="What to change.")],
    ) -> Any:
        """Change a source."""
        async with info.context.db.transaction() as tx:
            return await source_operations.update_source(
                tx, decode_id(id, kind="streamsource"), given(input), viewer=info.context.viewer
            )

    @change(StreamSource, "source", "Switch a source on.", result="The source after the change.", demand=Role.OPERATOR)
    async def stream_source_enable(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The source.")]
    ) -> Any:
        """Switch a source on."""
        async with info.context.db.transaction() as tx:
            return await source_operations.enable_source(
                tx, decode_id(id, kind="streamsource"), is_enabled=True, viewer=info.context.viewer
            )

    @change(
        StreamSource,
        "source",
        "Switch a source off. What it says is not heard until it is on again.",
        result="The source after the change.",
        demand=Role.OPERATOR,
    )
    async def stream_source_disable(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The source.")]
    ) -> Any:
        """Switch a source off."""
        async with info.context.db.transaction() as tx:
            return await source_operations.enable_source(
                tx, decode_id(id, kind="streamsource"), is_enabled=False, viewer=info.context.viewer
            )

    @change(
        StreamSource,
        "source",
        "Remove a source. What it brought stays counted.",
        result="The source as it was.",
        demand=Role.OPERATOR,
    )
    async def stream_source_delete(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The source.")]
    ) -> Any:
        """Remove a source."""
        async with info.context.db.transaction() as tx:
            return await source_operations.delete_source(
                tx, decode_id(id, kind="streamsource"), viewer=info.context.viewer
            )

    @strawberry.mutation(
        description="Give a source that calls another secret. The one before stops working at once.",
        extensions=[RefusalsAsData(), Demand(Role.OPERATOR)],
    )
    async def stream_source_rotate_secret(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The source.")]
    ) -> StreamSourceRotateSecretPayload:
        """Give a source another secret."""
        async with info.context.db.transaction() as tx:
            made = await source_operations.rotate_secret(
                tx, decode_id(id, kind="streamsource"), viewer=info.context.viewer
            )
        secret = None if made.secret is None else shown_secret(made.secret)
        return StreamSourceRotateSecretPayload(source=made.source, secret=secret, errors=[])  # type: ignore[arg-type]  # a row stands for its type
