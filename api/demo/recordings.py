"""What the demonstration records: a camera and a stream that run, and moments of the last minutes that were marked."""

from datetime import datetime, timedelta
from uuid import UUID

from db.recordings.bookmarks import mark_moment
from db.recordings.operations import create_recording
from db.recordings.timing import Gap
from db.recordings.vocabulary import RecordingKind
from db.session import Transaction

_BEGUN = timedelta(minutes=20)
_PAUSED = timedelta(minutes=15), timedelta(minutes=13)
_STREAM_DELAY_MS = 4000
# How many minutes ago it was.
_MOMENTS = ((11, "The referee explains"), (6, "A kick that nobody expected"), (2, "Bows"))


async def set_up_recordings(tx: Transaction, mat_id: UUID, now: datetime) -> None:
    """Note what runs, and mark some moments. There are no files: paths are as if there were."""
    begun, since, until = now - _BEGUN, *(now - ago for ago in _PAUSED)
    camera = {
        "name": "Camera 1",
        "path": "/videos/mat-1.mkv",
        "started_at": begun,
        "gaps": [Gap(since=since, until=until)],
    }
    stream = {"name": "Stream", "path": "https://live.example/mat-1", "started_at": begun, "delay_ms": _STREAM_DELAY_MS}
    for kind, changes in ((RecordingKind.RECORDING, camera), (RecordingKind.STREAM, stream)):
        await create_recording(tx, mat_id, kind=kind, changes=changes, viewer=None, now=now)
    for minutes, label in _MOMENTS:
        at = now - timedelta(minutes=minutes)
        await mark_moment(tx, mat_id, happened_at=at, changes={"label": label}, viewer=None, now=now)
