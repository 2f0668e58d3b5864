"""Recordings, bookmarks and OBS machines to ask about, and a mat with a fight that they show."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from db.access.viewer import Viewer
from db.database import Database
from db.matches.tables import Mat, MatchEvent
from db.recordings import bookmarks, commands, machines, operations
from db.recordings.tables import Bookmark, OBSCommand, OBSMachine, Recording
from db.recordings.timing import Gap
from db.recordings.vocabulary import OBSCommandKind, RecordingKind
from schema.ids import encode_id
from tests.support.graph import Graph


async def make_recording(
    db: Database,
    mat_id: UUID,
    now: datetime,
    *,
    kind: RecordingKind = RecordingKind.RECORDING,
    machine_id: UUID | None = None,
    match_id: UUID | None = None,
    viewer: Viewer | None = None,
    **changes: Any,
) -> Recording:
    """A recording that is under way since `now`, unless it is said otherwise."""
    given = {"name": "Camera 1", "started_at": now, **changes}
    async with db.transaction() as tx:
        return await operations.create_recording(
            tx,
            mat_id,
            kind=kind,
            changes=given,
            machine_id=machine_id,
            match_id=match_id,
            viewer=viewer,
            now=now,
        )


async def make_bookmark(db: Database, mat_id: UUID, now: datetime, at: datetime | None = None, **said: Any) -> Bookmark:
    async with db.transaction() as tx:
        return await bookmarks.mark_moment(tx, mat_id, happened_at=at, changes=said, viewer=None, now=now)


async def make_machine(db: Database, mat_id: UUID, now: datetime, **changes: Any) -> OBSMachine:
    given = {"name": "OBS", "password": "opensesame", **changes}
    async with db.transaction() as tx:
        return await machines.create_machine(tx, mat_id, changes=given, now=now)


async def queue(
    db: Database, machine_id: UUID, kind: OBSCommandKind, now: datetime, *, cause: str
) -> OBSCommand | None:
    async with db.transaction() as tx:
        return await commands.queue_command(tx, machine_id, kind, cause=cause, now=now)


async def point_of(db: Database, mat_id: UUID) -> MatchEvent:
    """The first point that was given on a mat."""
    async with db.read() as session:
        on_mat = select(MatchEvent).where(col(MatchEvent.mat_id) == mat_id, col(MatchEvent.kind) == "POINT")
        point = await session.row(on_mat.order_by(col(MatchEvent.seq)).limit(1))
    assert point is not None
    return point


async def film(db: Database, mat: Mat, viewer: Viewer | None, now: datetime, name: str = "OBS") -> None:
    """Fill a mat that something was said of: all sorts of recordings, bookmarks, and an OBS with commands."""
    obs = await make_machine(db, mat.id, now, name=f"{name} {mat.name}", clock_offset_ms=1500, stream_delay_ms=4000)
    point = await point_of(db, mat.id)
    begun = point.received_at - timedelta(seconds=90)
    gap = Gap(since=begun + timedelta(seconds=30), until=begun + timedelta(seconds=40))
    made: dict[str, Any] = {"match_id": point.match_id, "viewer": viewer}
    await make_recording(db, mat.id, begun, gaps=[gap], path="/videos/서울 1.mkv", **made)
    await make_recording(db, mat.id, begun, kind=RecordingKind.STREAM, machine_id=obs.id, size_bytes=5_000_000_000)
    ended_at = point.received_at + timedelta(seconds=5)
    await make_recording(
        db, mat.id, ended_at, kind=RecordingKind.REPLAY, started_at=None, ended_at=ended_at, duration_ms=20_000, **made
    )
    await make_recording(db, mat.id, ended_at, kind=RecordingKind.REPLAY, started_at=None, ended_at=ended_at)
    lost = await make_recording(db, mat.id, begun, machine_id=obs.id)
    async with db.transaction() as tx:
        await operations.see_recording(tx, lost.id, size_bytes=1, now=ended_at)
        await operations.lose_recording(tx, lost.id, message="OBS was gone.", now=ended_at)
        marked = await bookmarks.mark_event(tx, point.id, changes={"label": "Kick"}, viewer=viewer, now=ended_at)
        await bookmarks.mark_event(tx, point.id, changes={"lead_in_ms": 600_000}, viewer=None, now=ended_at)
    for number in range(3):
        at = marked.happened_at + timedelta(seconds=number // 2)
        await make_bookmark(db, mat.id, ended_at, at, label=f"Moment {number}")
    for number, kind in enumerate(OBSCommandKind):
        await queue(db, obs.id, kind, now, cause=f"{kind} {number}")
    async with db.transaction() as tx:
        await commands.claim_command(tx, obs.id, now=now)
        claimed = await commands.claim_command(tx, obs.id, now=now)
        assert claimed is not None
        await commands.finish_command(tx, claimed.id, recording_id=lost.id, now=now)


async def recording_variables(graph: Graph, mat_id: UUID) -> dict[str, dict[str, Any]]:
    """What the examples of recordings are asked with: each thing that is ended or removed is one of its own."""
    db, now = graph.db, graph.clock.now()
    point = await point_of(db, mat_id)
    running, ended, lost, gone = [encode_id("recording", (await make_recording(db, mat_id, now)).id) for _ in range(4)]
    mark, unwanted = [encode_id("bookmark", (await make_bookmark(db, mat_id, now)).id) for _ in range(2)]
    obs, retired = [
        encode_id("obsmachine", (await make_machine(db, mat_id, now, name=name)).id) for name in ("OBS 1", "OBS 2")
    ]
    of_mat, of_match = {"matId": encode_id("mat", mat_id)}, {"matchId": encode_id("match", point.match_id)}  # type: ignore[arg-type]  # it is of a fight
    given: dict[str, dict[str, Any]] = {
        "NoteRecording": {**of_mat, "input": {"path": "/videos/1.mp4", "endedAt": now.isoformat(), "durationMs": 1000}},
        "CorrectRecording": {"id": running, "clockOffsetMs": 1500},
        "FinishRecording": {"id": ended, "durationMs": 0},
        "LoseRecording": {"id": lost, "message": "The camera fell."},
        "ForgetRecording": {"id": gone},
        "RecordingInFull": {"id": running},
        "BookmarksAround": {**of_mat, "at": now.isoformat()},
        "MarkPoint": {"eventId": encode_id("event", point.id)},
        "ChangeBookmark": {"id": mark, "label": "A kick"},
        "DeleteBookmark": {"id": unwanted},
        "SetUpOBS": {**of_mat, "name": "OBS 3", "host": "192.168.1.20", "password": "secret"},
        "ChangeOBS": {"id": obs, "host": "obs.local"},
        "DeleteOBS": {"id": retired},
        "SaveReplay": {"obsMachineId": obs},
    }
    given |= dict.fromkeys(("VideosOfPoints", "Highlights"), of_match)
    given |= dict.fromkeys(("ChaptersOfStream", "MarkMoment", "WatchRecordings"), of_mat)
    of_mark, of_obs = {"id": mark}, {"id": obs}
    given |= dict.fromkeys(("BookmarkInFull", "MoveBookmark"), of_mark)
    return given | dict.fromkeys(("OBSMachineInFull", "SwitchOBSOff", "SwitchOBSOn"), of_obs)
