"""The types of recordings: files and streams, bookmarks, chapters, and the OBS machines that record."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from db.access.queries import user_by_id
from db.matches.queries import event_by_id, mat_by_id, match_by_id
from db.recordings import chapters, queries
from db.recordings.timing import gaps_from_json, offset_ms
from schema.access.types import User
from schema.connections import Connection, Edge
from schema.fields import LinkNode, Node, column, computed, connection, node, to_many, to_one, value
from schema.matches.arguments import NewestOrder
from schema.matches.types import Mat, Match, MatchEvent
from schema.recordings.arguments import OBSCommandFilter, PlaceOrder
from schema.recordings.vocabulary import (
    ChapterKind,
    OBSCommandKind,
    OBSCommandState,
    OBSMachineState,
    RecordingKind,
    RecordingState,
)

TO_BOOKMARK = LinkNode(queries.bookmark_by_id, "bookmark_id")
_PLACE = ("happened_at", "shows_from", "begins_ms")
_LABEL = ("step", "number", "phase", "weight", "blue", "red", "outcome", "winner_name", "round_score")


@value
class RecordingGap:
    """A time in which nothing was written to a recording, by the clock of the machine that made it."""

    began_at: datetime = strawberry.field(description="From when.")
    ended_at: datetime | None = strawberry.field(description="Until when. Null while it lasts.")


def _gaps(stored: list[dict[str, Any]]) -> list[RecordingGap]:
    return [RecordingGap(began_at=one.since, ended_at=one.until) for one in gaps_from_json(stored)]


def _start_ms(happened_at: datetime, shows_from: datetime, begins_ms: int, lead_in_ms: int) -> int:
    return max(0, offset_ms(happened_at, shows_from, begins_ms) - lead_in_ms)


def _end_ms(happened_at: datetime, shows_from: datetime, begins_ms: int, lead_out_ms: int) -> int:
    return offset_ms(happened_at, shows_from, begins_ms) + lead_out_ms


def _timecode(happened_at: datetime, shows_from: datetime, begins_ms: int) -> str:
    return chapters.timecode_of(offset_ms(happened_at, shows_from, begins_ms))


def _label(step: int, *of_fight: Any) -> str:
    return chapters.label_of(step, **dict(zip(_LABEL[1:], of_fight, strict=True)))


@node("recording", queries.recording_by_id)
class Recording(Node):
    """A file, or what went out on a stream, that shows a mat for some time.

    Its times are by the clock of the machine that made it, as far as that differs from ours.
    """

    kind: RecordingKind = column("What sort it is.")
    state: RecordingState = column("How far it has come.")
    name: str = column("The camera or the OBS it is from. Empty if that was not said.")
    path: str = column(
        "Where the file is, on the machine that made it, or where the stream is seen. Empty until known."
    )
    started_at: datetime | None = column(
        "When its first picture was taken. Null where nobody knows: a replay buffer is about as long as was set, and "
        "never exactly, so it is not guessed. It then shows nothing until its start or its length is told."
    )
    ended_at: datetime | None = column(
        "When its last picture was taken; of a lost one, when it was last known to be under way. Null while it is."
    )
    duration_ms: int | None = column("How long the file is, in milliseconds, as it was measured. Null until it was.")
    size_bytes: float | None = computed(
        "How large the file is, in bytes: a whole number. Null until known.",
        ("size_bytes",),
        lambda size_bytes: None if size_bytes is None else float(size_bytes),
    )
    checksum: str = column("What the file can be known by, such as `sha256:…`. Empty until that was said.")
    gaps: list[RecordingGap] = computed("When it was paused or broken off, in order.", ("gaps",), _gaps)
    clock_offset_ms: int | None = column(
        "How far the clock behind its times is ahead of ours. Null: as far as that of its OBS."
    )
    delay_ms: int | None = column(
        "How much later it shows what happens. Null: of a stream, as much as its OBS says; of others, 0."
    )
    seen_at: datetime | None = column("When it was last known to be under way. Null if it never was.")
    message: str = column("Why it was lost. Empty if it was not.")
    revision: int = column("Raised at every change: the higher is the newer.")
    created_at: datetime = column("When it was noted here.")
    changed_at: datetime = column("When that was last changed.")
    mat: Mat = to_one("The mat it shows.", mat_by_id, key="mat_id")
    match: Match | None = to_one(
        "The fight it was made for. Null if it was made for none.", match_by_id, key="match_id"
    )
    obs_machine: OBSMachine | None = to_one(
        "The OBS that makes it. Null if it was noted by hand, that is gone, or it is not for you.",
        queries.machine_by_id,
        key="machine_id",
    )
    made_by: User | None = to_one(
        "Who noted it. Null if nobody did by hand, or he is gone or not for you.", user_by_id, key="made_by_id"
    )
    matches: Connection[Match] = connection(
        "The fights that it shows some of, as far as their clocks were started.",
        queries.matches_of_recording,
        order=PlaceOrder,
    )
    bookmarks: RecordingBookmarkConnection = connection(
        "The bookmarks of moments that it shows, each with its place in it.",
        queries.bookmarks_of_recording,
        link=TO_BOOKMARK,
        order=PlaceOrder,
    )
    chapters: Connection[Chapter] = connection(
        "What begins while it runs: fights, rounds, winners. Of a stream, the list of chapters of its day.",
        queries.chapters_of_recording,
        order=PlaceOrder,
    )


@value
class Chapter:
    """A place in a recording at which something begins."""

    kind: ChapterKind = computed("What begins.", ("step",), chapters.kind_of)
    round: int | None = computed("The number of the round. Null if none begins.", ("step",), chapters.round_of)
    label: str = computed("What a viewer reads.", _LABEL, _label)
    offset_ms: int = computed("The place, in milliseconds from the beginning of the recording.", _PLACE, offset_ms)
    timecode: str = computed("The place as players write it: `1:02:03`.", _PLACE, _timecode)
    happened_at: datetime = column("When it was, by the server's clock.")
    match: Match = to_one("The fight.", match_by_id, key="match_id")


@node("bookmark", queries.bookmark_by_id)
class Bookmark(Node):
    """A moment on a mat that somebody wants to find again.

    Where it is in a recording is worked out when it is asked for, so a recording that is noted later shows it, too.
    """

    happened_at: datetime = column("The moment, by the server's clock.")
    label: str = column("What is said of it. Empty if nothing is.")
    lead_in_ms: int = column("How much before it is played, in milliseconds.")
    lead_out_ms: int = column("How much after it is played, in milliseconds.")
    revision: int = column("Raised at every change: the higher is the newer.")
    created_at: datetime = column("When it was made.")
    changed_at: datetime = column("When it was last changed.")
    mat: Mat = to_one("The mat.", mat_by_id, key="mat_id")
    match: Match | None = to_one("The fight that was on the mat. Null if none was.", match_by_id, key="match_id")
    event: MatchEvent | None = to_one(
        "The entry of the log that it was made at. Null if it was made by hand.", event_by_id, key="event_id"
    )
    made_by: User | None = to_one(
        "Who made it. Null if it was the server, or he is gone or not for you.", user_by_id, key="made_by_id"
    )
    offsets: list[BookmarkOffset] = to_many(
        "Where it is found, in each recording that shows it: the first 50 that began.", queries.offsets_of_bookmark
    )


@value
class BookmarkOffset:
    """Where a bookmark is found in a recording. Gaps, clocks and delays are taken into account."""

    offset_ms: int = computed("The moment, in milliseconds from the beginning.", _PLACE, offset_ms)
    start_ms: int = computed("Where to begin to play: the lead-in before it.", (*_PLACE, "lead_in_ms"), _start_ms)
    end_ms: int = computed(
        "Where to stop: the lead-out after it, which may lie behind the end.", (*_PLACE, "lead_out_ms"), _end_ms
    )
    recording: Recording | None = to_one(
        "The recording. Null if it was deleted while this was answered.", queries.recording_by_id, key="recording_id"
    )


@value
class EventVideo:
    """A recording that shows an entry of a log, and where. Gaps, clocks and delays are taken into account."""

    offset_ms: int = computed("The moment, in milliseconds from the beginning.", _PLACE, offset_ms)
    recording: Recording | None = to_one(
        "The recording. Null if it was deleted while this was answered.", queries.recording_by_id, key="recording_id"
    )


@strawberry.type(description="A bookmark that a recording shows, and its place in it.")
class RecordingBookmarkEdge(Edge[Bookmark]):
    """A bookmark that a recording shows."""

    offset_ms: int = computed("The moment, in milliseconds from the beginning.", _PLACE, offset_ms)
    start_ms: int = computed("Where to begin to play: the lead-in before it.", (*_PLACE, "lead_in_ms"), _start_ms)
    end_ms: int = computed(
        "Where to stop: the lead-out after it, which may lie behind the end.", (*_PLACE, "lead_out_ms"), _end_ms
    )


@strawberry.type(description="A page of the bookmarks that a recording shows.")
class RecordingBookmarkConnection(Connection[Bookmark]):
    """A page of the bookmarks that a recording shows."""

    edges: list[RecordingBookmarkEdge] = strawberry.field(  # type: ignore[assignment]  # a narrower edge
        description="They, with their cursors."
    )


@node("obsmachine", queries.machine_by_id)
class OBSMachine(Node):
    """An OBS that films a mat, and what it does by itself. It is reached by obs-websocket, version 5."""

    name: str = column("What it is called. No two share a name.")
    host: str = column("The machine it runs on, by name or address.")
    port: int = column("The port it listens on.")
    is_password_set: bool = computed(
        "Whether it has a password, which is never shown.", ("password",), lambda password: password is not None
    )
    is_enabled: bool = column("Whether it is switched on.")
    is_recording_matches: bool = column(
        "Whether it records each fight: from when it is ready until some time after its winner.", "records_matches"
    )
    stop_delay_ms: int = column("How long after the announcement of a winner it stops to record, in milliseconds.")
    is_saving_challenges: bool = column("Whether it saves the replay buffer at each challenge.", "saves_challenges")
    clock_offset_ms: int = column("How far its machine's clock is ahead of ours, in milliseconds.")
    stream_delay_ms: int = column("How much later its stream shows what happens, in milliseconds.")
    state: OBSMachineState = column("How it is doing.")
    message: str = column("What went wrong last. Empty once it answers.")
    connection_count: int = column("How often it was reached.")
    state_changed_at: datetime = column("When its state was last noted.")
    created_at: datetime = column("When it was set up.")
    mat: Mat = to_one("The mat it films.", mat_by_id, key="mat_id")
    commands: Connection[OBSCommand] = connection(
        "What it was told to do.", queries.commands_by_machine, order=NewestOrder, filter=OBSCommandFilter
    )


@node("obscommand", queries.command_by_id)
class OBSCommand(Node):
    """Something that an OBS is told to do, once for each cause. It is noted first, and then sent."""

    kind: OBSCommandKind = column("What.")
    state: OBSCommandState = column("How far it has come.")
    due_at: datetime = column("When it is to be done.")
    sent_at: datetime | None = column("When OBS was told. Null until then.")
    finished_at: datetime | None = column("When it was done, or had failed. Null until then.")
    message: str = column("Why it failed. Empty if it did not.")
    created_at: datetime = column("When it was noted.")
    obs_machine: OBSMachine = to_one("The OBS.", queries.machine_by_id, key="machine_id")
    match: Match | None = to_one("The fight it is about. Null if it is about none.", match_by_id, key="match_id")
    recording: Recording | None = to_one(
        "What was recorded by it. Null until it is done, and of a stop where nothing ran.",
        queries.recording_by_id,
        key="recording_id",
    )
    asked_by: User | None = to_one(
        "Who asked for it. Null if it was the fight, or he is gone.", user_by_id, key="asked_by_id"
    )
