"""What a client says of recordings, bookmarks and OBS machines. What is absent stays."""

from datetime import datetime
from typing import Any

import strawberry
from strawberry import Maybe

from db.errors import Invalid
from db.recordings.timing import Gap
from schema.inputs import given


@strawberry.input(description="A time in which nothing was written to a recording.")
class RecordingGapInput:
    """A time in which nothing was written to a recording."""

    began_at: datetime = strawberry.field(description="From when.")
    ended_at: datetime | None = strawberry.field(default=None, description="Until when. Null: it lasts.")


@strawberry.input(
    description="A recording to be noted or corrected. What is absent stays; null says that it is unknown."
)
class RecordingInput:
    """A recording to be noted or corrected."""

    name: Maybe[str | None] = strawberry.field(
        default=None, description="The camera or the OBS it is from: at most 200 characters."
    )
    path: Maybe[str | None] = strawberry.field(
        default=None, description="Where the file or the stream is: at most 2,000 characters."
    )
    started_at: Maybe[datetime | None] = strawberry.field(
        default=None,
        description=(
            "When its first picture was taken. Left out, it is worked out from the end and the length, if those are "
            "given."
        ),
    )
    ended_at: Maybe[datetime | None] = strawberry.field(
        default=None, description="When its last picture was taken. Null: it is under way."
    )
    duration_ms: Maybe[int | None] = strawberry.field(
        default=None, description="How long the file is, measured: 0 to 604,800,000 milliseconds."
    )
    size_bytes: Maybe[float | None] = strawberry.field(
        default=None, description="How large the file is: a whole number of bytes."
    )
    checksum: Maybe[str | None] = strawberry.field(
        default=None, description="What the file can be known by, such as `sha256:…`: at most 200 characters."
    )
    gaps: Maybe[list[RecordingGapInput] | None] = strawberry.field(
        default=None, description="When it was paused or broken off: at most 1,000, which do not overlap."
    )
    clock_offset_ms: Maybe[int | None] = strawberry.field(
        default=None,
        description=(
            "How far the clock behind its times is ahead of the server's: -86,400,000 to 86,400,000. Null: as far as "
            "that of its OBS."
        ),
    )
    delay_ms: Maybe[int | None] = strawberry.field(
        default=None,
        description="How much later it shows what happens: 0 to 3,600,000. Null: of a stream, as its OBS says.",
    )


@strawberry.input(description="A bookmark to be made or changed. What is absent stays; null brings the default back.")
class BookmarkInput:
    """A bookmark to be made or changed."""

    label: Maybe[str | None] = strawberry.field(
        default=None, description="What is said of it: at most 200 characters. Default: nothing."
    )
    lead_in_ms: Maybe[int | None] = strawberry.field(
        default=None, description="How much before it is played: 0 to 600,000 milliseconds. Default: 5,000."
    )
    lead_out_ms: Maybe[int | None] = strawberry.field(
        default=None, description="How much after it is played: 0 to 600,000 milliseconds. Default: 5,000."
    )


@strawberry.input(description="A machine to be set up or changed. What is absent stays; null brings the default back.")
class OBSMachineInput:
    """A machine to be set up or changed."""

    name: Maybe[str | None] = strawberry.field(
        default=None, description="What it is called: 1 to 200 characters, no two alike. A new one needs it."
    )
    host: Maybe[str | None] = strawberry.field(
        default=None, description="The machine it runs on, by name or address. Default: the server's own, `127.0.0.1`."
    )
    port: Maybe[int | None] = strawberry.field(
        default=None, description="The port it listens on: 1 to 65,535. Default: 4455."
    )
    password: Maybe[str | None] = strawberry.field(
        default=None, description="The password of its WebSocket server: at most 200 characters. Default: none."
    )
    records_matches: Maybe[bool | None] = strawberry.field(
        default=None,
        description="Whether it records fights, each until some time after its winner. Default: true.",
    )
    stop_delay_ms: Maybe[int | None] = strawberry.field(
        default=None,
        description="How long after the winner it stops to record: 0 to 600,000 milliseconds. Default: 30,000.",
    )
    saves_challenges: Maybe[bool | None] = strawberry.field(
        default=None, description="Whether it saves the replay buffer at each challenge. Default: true."
    )
    clock_offset_ms: Maybe[int | None] = strawberry.field(
        default=None,
        description="How far its clock is ahead of the server's: -86,400,000 to 86,400,000 milliseconds. Default: 0.",
    )
    stream_delay_ms: Maybe[int | None] = strawberry.field(
        default=None, description="How much later its stream shows what happens: 0 to 3,600,000 ms. Default: 0."
    )


def recording_changes(input: RecordingInput) -> dict[str, Any]:
    """Return what an input says of a recording, in the words of `db`. Raises `Invalid`."""
    changes = given(input)
    if changes.get("gaps") is not None:
        changes["gaps"] = [Gap(since=one.began_at, until=one.ended_at) for one in changes["gaps"]]
    size = changes.get("size_bytes")
    if size is not None:
        # Also what is no number at all.
        if size != size // 1:
            raise Invalid("A file has a whole number of bytes.", field="size_bytes")
        changes["size_bytes"] = int(size)
    return changes
