"""How recordings may change: they begin, end, are corrected, get lost and are forgotten."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import delete, insert, update
from sqlmodel import col, select

from db.access.viewer import Viewer
from db.errors import Conflict, Invalid, NotFound
from db.ids import new_id
from db.matches.tables import Mat, Match
from db.parameters import any_of
from db.recordings.events import RecordingChanged
from db.recordings.tables import OBSMachine, Recording, RecordingSegment
from db.recordings.timing import (
    LONGEST,
    MILLISECOND,
    Gap,
    checked_gaps,
    gaps_from_json,
    gaps_to_json,
    segments_of,
)
from db.recordings.vocabulary import RecordingKind, RecordingNewsKind, RecordingState
from db.session import Session, Transaction
from db.texts import checked

LONGEST_NAME = 200
LONGEST_PATH = 2000
LONGEST_CHECKSUM = 200
LONGEST_OFFSET_MS = 86_400_000
LONGEST_DELAY_MS = 3_600_000
LARGEST_FILE = 1 << 50
_LONGEST_MS = LONGEST // MILLISECOND
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
# Another machine's clock may be ahead of ours by so much.
_AHEAD = timedelta(days=1)
# A recording as it is where nothing else is said.
NEW_RECORDING: dict[str, Any] = {
    "name": "",
    "path": "",
    "started_at": None,
    "ended_at": None,
    "duration_ms": None,
    "size_bytes": None,
    "checksum": "",
    "gaps": (),
    "clock_offset_ms": None,
    "delay_ms": None,
}


async def create_recording(
    tx: Transaction,
    mat_id: UUID,
    *,
    kind: RecordingKind,
    changes: Mapping[str, Any],
    machine_id: UUID | None = None,
    match_id: UUID | None = None,
    viewer: Viewer | None,
    now: datetime,
) -> Recording:
    """Note a recording of a mat: under way unless `changes` say when it ended.

    Of one that ended and whose length was measured, the start is worked out. Raises `Invalid` and `NotFound`.
    """
    columns = _columns({**NEW_RECORDING, **changes}, now)
    await _check_mat(tx, mat_id, match_id)
    machine = None if machine_id is None else await _hold_machine(tx, machine_id, mat_id)
    is_over = columns["ended_at"] is not None
    values = {
        "id": new_id(),
        "mat_id": mat_id,
        "machine_id": machine_id,
        "match_id": match_id,
        "kind": kind,
        "state": RecordingState.FINISHED if is_over else RecordingState.RECORDING,
        **_timed(columns),
        "seen_at": None if is_over else now,
        "message": "",
        "made_by_id": None if viewer is None else viewer.user_id,
        "revision": 0,
        "created_at": now,
        "changed_at": now,
    }
    made = cast("Recording", await tx.row(insert(Recording).values(**values).returning(Recording)))
    await _cut(tx, [made], {} if machine is None else {machine.id: machine})
    _tell(tx, made, RecordingNewsKind.SAVED if is_over else RecordingNewsKind.STARTED)
    return made


async def update_recording(
    tx: Transaction, recording_id: UUID, changes: Mapping[str, Any], *, now: datetime
) -> Recording:
    """Correct what is known of a recording; what is not named stays. Raises `Invalid` and `NotFound`."""
    columns = _columns(changes, now)
    before = await _held(tx, recording_id)
    if "ended_at" in columns and (columns["ended_at"] is None) != (before.state is RecordingState.RECORDING):
        raise Conflict("A recording that is over has an end, and one that is under way is finished.", field="ended_at")
    return await _change(tx, before, columns, RecordingNewsKind.CORRECTED, now)


async def finish_recording(
    tx: Transaction,
    recording_id: UUID,
    *,
    ended_at: datetime | None = None,
    changes: Mapping[str, Any] | None = None,
    now: datetime,
) -> Recording:
    """End a recording, now unless it is said when; one that was lost was found. Raises `Conflict` and the others."""
    columns = _columns({**(changes or {}), "ended_at": ended_at or now}, now)
    before = await _held(tx, recording_id)
    if before.state is RecordingState.FINISHED:
        raise Conflict("This recording is finished: correct it.", field="id")
    finished = {**columns, "state": RecordingState.FINISHED, "message": ""}
    return await _change(tx, before, finished, RecordingNewsKind.SAVED, now)


async def lose_recording(tx: Transaction, recording_id: UUID, *, message: str = "", now: datetime) -> Recording:
    """Give a recording up that is under way: it shows what happened up to when it was last known to be.

    Raises `NotFound`, and `Conflict` for one that is not under way.
    """
    before = await _held(tx, recording_id)
    if before.state is not RecordingState.RECORDING:
        raise Conflict("This recording is not under way.", field="id")
    known = [at for gap in gaps_from_json(before.gaps) for at in (gap.since, gap.until)]
    ended_at = max(filter(None, (before.seen_at, before.started_at, *known)), default=now)
    lost = {"state": RecordingState.LOST, "ended_at": ended_at, "message": message[:LONGEST_NAME]}
    return await _change(tx, before, lost, RecordingNewsKind.FAILED, now)


async def pause_recording(tx: Transaction, recording_id: UUID, *, is_paused: bool, now: datetime) -> Recording:
    """Begin a gap in a recording that is under way, or end it; twice is as good as once. Raises `NotFound`."""
    before = await _held(tx, recording_id)
    gaps = gaps_from_json(before.gaps)
    is_open = bool(gaps) and gaps[-1].until is None
    if before.state is not RecordingState.RECORDING or is_open == is_paused or before.started_at is None:
        return before
    # Should our clock have been set back, gaps still do not overlap.
    earliest = max(before.started_at, (gaps[-1].until if gaps else None) or before.started_at)
    since = gaps.pop().since if is_open else max(now, earliest)
    if not is_open or since < now:
        gaps.append(Gap(since=since, until=now if is_open else None))
    return await _change(tx, before, {"gaps": gaps}, RecordingNewsKind.CORRECTED, now)


async def see_recording(tx: Transaction, recording_id: UUID, *, size_bytes: int | None, now: datetime) -> None:
    """Note that a recording is under way still. Nobody is told."""
    seen = {"seen_at": now, **({} if size_bytes is None else {"size_bytes": size_bytes})}
    is_on = col(Recording.id) == recording_id, col(Recording.state) == RecordingState.RECORDING
    await tx.execute(update(Recording).where(*is_on).values(**seen))


async def delete_recording(
    tx: Transaction,
    recording_id: UUID,
) -> Recording:
    """Forget a recording; the file is not touched. Returns it as it was. Raises `NotFound`."""
    before = await _held(tx, recording_id)
    await tx.execute(delete(Recording).where(col(Recording.id) == recording_id))
    _tell(tx, before, RecordingNewsKind.DELETED)
    return before


async def recordings_under_way(session: Session, machine_id: UUID) -> list[Recording]:
    """Return what a machine was last known to be recording, the oldest first."""
    is_on = col(Recording.machine_id) == machine_id, col(Recording.state) == RecordingState.RECORDING
    return await session.rows(select(Recording).where(*is_on).order_by(col(Recording.dated_at), col(Recording.id)))


async def recut_recordings(tx: Transaction, machine: OBSMachine) -> None:
    """Work out anew what the recordings of a machine show, after its clock or its delay was corrected."""
    of_machine = select(Recording).where(col(Recording.machine_id) == machine.id)
    await _cut(tx, await tx.rows(of_machine), {machine.id: machine})


async def keep_shifts(tx: Transaction, machine: OBSMachine) -> None:
    """Write down with its recordings how a machine's clock and stream stand to ours, before it is forgotten."""
    of_machine = col(Recording.machine_id) == machine.id
    for condition, values in (
        (col(Recording.clock_offset_ms).is_(None), {"clock_offset_ms": machine.clock_offset_ms}),
        (
            (col(Recording.delay_ms).is_(None)) & (col(Recording.kind) == RecordingKind.STREAM),
            {"delay_ms": machine.stream_delay_ms},
        ),
    ):
        await tx.execute(update(Recording).where(of_machine, condition).values(**values))


async def _held(tx: Transaction, recording_id: UUID) -> Recording:
    """Return a recording, held until the commit. Raises `NotFound`."""
    held = update(Recording).where(col(Recording.id) == recording_id).values(revision=col(Recording.revision) + 1)
    found = await tx.row(held.returning(Recording))
    if found is None:
        raise NotFound("There is no such recording.", field="id")
    return found


async def _hold_machine(tx: Transaction, machine_id: UUID, mat_id: UUID) -> OBSMachine:
    """Return a machine whose clock nobody corrects until the commit. Raises `NotFound` and `Invalid`."""
    held = update(OBSMachine).where(col(OBSMachine.id) == machine_id)
    found = await tx.row(held.values(clock_offset_ms=col(OBSMachine.clock_offset_ms)).returning(OBSMachine))
    if found is None:
        raise NotFound("There is no such OBS machine.", field="machine_id")
    if found.mat_id != mat_id:
        raise Invalid("This OBS films another mat.", field="machine_id")
    return found


async def _check_mat(tx: Transaction, mat_id: UUID, match_id: UUID | None) -> None:
    if await tx.row(select(Mat).where(col(Mat.id) == mat_id)) is None:
        raise NotFound("There is no such mat.", field="mat_id")
    if match_id is None:
        return
    match = await tx.row(select(Match).where(col(Match.id) == match_id))
    if match is None or match.mat_id != mat_id:
        raise NotFound("There is no such match on this mat.", field="match_id")


async def _change(
    tx: Transaction, before: Recording, columns: Mapping[str, Any], kind: RecordingNewsKind, now: datetime
) -> Recording:
    """Set columns of a recording that is held, cut it anew, and tell of it."""
    known = {name: getattr(before, name) for name in ("started_at", "ended_at", "duration_ms")}
    values = _timed({**known, "gaps": gaps_from_json(before.gaps), **columns})
    changed = update(Recording).where(col(Recording.id) == before.id).values(**values, changed_at=now)
    after = cast("Recording", await tx.row(changed.returning(Recording)))
    machines = {}
    if after.machine_id is not None:
        machines = {after.machine_id: await _hold_machine(tx, after.machine_id, after.mat_id)}
    await _cut(tx, [after], machines)
    _tell(tx, after, kind)
    return after


async def _cut(tx: Transaction, recordings: Sequence[Recording], machines: Mapping[UUID, OBSMachine]) -> None:
    """Write down which stretches of time recordings show."""
    gone = any_of(col(RecordingSegment.recording_id), [one.id for one in recordings])
    await tx.execute(delete(RecordingSegment).where(gone))
    rows = [
        {
            "recording_id": one.id,
            "number": number,
            "mat_id": one.mat_id,
            "shows_from": segment.shows_from,
            "shows_until": segment.shows_until,
            "begins_ms": segment.begins_ms,
        }
        for one in recordings
        for number, segment in enumerate(
            segments_of(one.started_at, one.ended_at, gaps_from_json(one.gaps), shift=_shift(one, machines))
        )
    ]
    await tx.execute_many(insert(RecordingSegment), rows)


def _shift(recording: Recording, machines: Mapping[UUID, OBSMachine]) -> timedelta:
    machine = None if recording.machine_id is None else machines.get(recording.machine_id)
    offset, delay = recording.clock_offset_ms, recording.delay_ms
    if offset is None:
        offset = 0 if machine is None else machine.clock_offset_ms
    if delay is None:
        delay = machine.stream_delay_ms if machine is not None and recording.kind is RecordingKind.STREAM else 0
    return (offset + delay) * MILLISECOND


def _tell(tx: Transaction, recording: Recording, kind: RecordingNewsKind) -> None:
    tx.record(RecordingChanged(recording=recording, kind=kind))


def _timed(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Check times against each other, and work out those that follow. Raises `Invalid`."""
    started_at, ended_at, duration_ms = (columns[name] for name in ("started_at", "ended_at", "duration_ms"))
    if started_at is None and ended_at is None:
        raise Invalid("Say when it started or, if nobody knows that, when it ended.", field="started_at")
    if started_at is None and duration_ms is not None:
        started_at = ended_at - duration_ms * MILLISECOND
    if started_at is not None and ended_at is not None and not started_at <= ended_at <= started_at + LONGEST:
        raise Invalid(f"A recording ends after it starts, and within {LONGEST.days} days.", field="ended_at")
    gaps = list(columns["gaps"])
    if ended_at is not None and gaps and gaps[-1].until is None:
        gaps[-1] = Gap(since=gaps[-1].since, until=ended_at)
    # One that ended while it was paused ends with its last picture.
    gaps = [gap for gap in gaps if gap.until is None or gap.since < gap.until]
    return {
        **columns,
        "started_at": started_at,
        "dated_at": started_at or ended_at,
        "gaps": gaps_to_json(checked_gaps(gaps, started_at, ended_at)),
    }


def _columns(changes: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return what is said of a recording, checked on its own. Raises `Invalid`."""
    columns: dict[str, Any] = {}
    for field, what, longest in (
        ("name", "A name", LONGEST_NAME),
        ("path", "A path", LONGEST_PATH),
        ("checksum", "A checksum", LONGEST_CHECKSUM),
    ):
        if field in changes:
            columns[field] = checked(changes[field] or "", what, field=field, shortest=0, longest=longest)
    for field in ("started_at", "ended_at"):
        if field in changes:
            columns[field] = _instant(changes[field], field, now)
    for field, least, most in (
        ("duration_ms", 0, _LONGEST_MS),
        ("size_bytes", 0, LARGEST_FILE),
        ("clock_offset_ms", -LONGEST_OFFSET_MS, LONGEST_OFFSET_MS),
        ("delay_ms", 0, LONGEST_DELAY_MS),
    ):
        if field in changes:
            columns[field] = bounded(changes[field], field, least, most)
    if "gaps" in changes:
        columns["gaps"] = list(changes["gaps"] or ())
        for gap in columns["gaps"]:
            _instant(gap.since, "gaps", now)
            _instant(gap.until, "gaps", now)
    return columns


def _instant(at: datetime | None, field: str, now: datetime) -> datetime | None:
    if at is not None and not _EARLIEST <= at <= now + _AHEAD:
        raise Invalid(f"A recording is of this century, and not from after tomorrow: {at.isoformat()}.", field=field)
    return at


def bounded(value: int | None, field: str, least: int, most: int) -> int | None:
    """Return a number that may be left out. Raises `Invalid` if it is out of bounds."""
    if value is not None and not least <= value <= most:
        raise Invalid(f"It is {least} to {most}, or nothing; {value} was given.", field=field)
    return value
