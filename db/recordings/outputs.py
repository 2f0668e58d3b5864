"""What an OBS machine says of its outputs, taken into recordings. Each of it may be told twice, and counts once.

A machine is asked how it stands whenever it is reached. What was under way when it was last heard of, and is not any
more, is lost: its file may be whole, but nobody saw it end. What runs since before it was last seen is the same one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from db.recordings.operations import (
    create_recording,
    finish_recording,
    lose_recording,
    pause_recording,
    recordings_under_way,
    see_recording,
)
from db.recordings.tables import OBSCommand, OBSMachine, Recording
from db.recordings.timing import LONGEST, MILLISECOND, gaps_from_json
from db.recordings.vocabulary import OBSCommandKind, RecordingKind, RecordingState
from db.session import Session, Transaction

# How far what a machine says of its outputs' lengths may be from the truth.
_TOLERANCE = timedelta(seconds=2)
# Within which a recording has begun that a machine was told to begin.
_PROMPT = timedelta(seconds=10)


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """How an output of a machine stands: whether it runs, since how long without its pauses, and how large it is."""

    kind: RecordingKind
    is_active: bool
    is_paused: bool = False
    duration: timedelta = timedelta(0)
    size_bytes: int | None = None


async def output_started(
    tx: Transaction, machine: OBSMachine, kind: RecordingKind, *, path: str = "", match_id: UUID | None, now: datetime
) -> Recording:
    """Note that an output began now. Returns the recording, which may be known."""
    running = await _running(tx, machine.id, kind)
    if running:
        return running[-1]
    return await _create(tx, machine, kind, {"started_at": now, "path": path}, match_id, now)


async def output_stopped(
    tx: Transaction, machine: OBSMachine, kind: RecordingKind, *, path: str, ended_at: datetime, now: datetime
) -> Recording:
    """Note that an output ended, with its file. One that was lost is found by it. Returns the recording."""
    last = await _last(tx, machine.id, kind)
    known = await _with_path(tx, machine.id, path) or last
    if (
        known is not None
        and known.state is RecordingState.FINISHED
        and (known.path, known.ended_at) == (path, ended_at)
    ):
        return known
    running = await _running(tx, machine.id, kind)
    # Nobody saw it end, but here is its file.
    is_lost = last is not None and last.state is RecordingState.LOST and not last.path
    which = running[-1] if running else (last if is_lost else None)
    if which is None:
        return await _create(tx, machine, kind, {"ended_at": ended_at, "path": path}, None, now)
    return await finish_recording(
        tx, which.id, ended_at=_possible_end(which, ended_at), changes={"path": path}, now=now
    )


async def output_paused(
    tx: Transaction, machine: OBSMachine, kind: RecordingKind, *, is_paused: bool, now: datetime
) -> None:
    """Note that an output was paused now, or goes on."""
    for one in await _running(tx, machine.id, kind):
        await pause_recording(tx, one.id, is_paused=is_paused, now=now)


async def replay_saved(
    tx: Transaction, machine: OBSMachine, *, path: str, ended_at: datetime, match_id: UUID | None, now: datetime
) -> Recording:
    """Note a replay that was saved. When it begins nobody knows until its length is measured."""
    known = await _with_path(tx, machine.id, path)
    if known is not None:
        return known
    return await _create(tx, machine, RecordingKind.REPLAY, {"ended_at": ended_at, "path": path}, match_id, now)


async def take_stock(
    tx: Transaction, machine: OBSMachine, outputs: Iterable[Output], *, now: datetime
) -> dict[RecordingKind, Recording]:
    """Compare what a machine does with what was known of it, and return what is under way."""
    under_way: dict[RecordingKind, Recording] = {}
    for output in outputs:
        begun_at = now - output.duration
        same = None
        for one in await _running(tx, machine.id, output.kind):
            if output.is_active and same is None and begun_at <= (one.seen_at or one.dated_at) + _TOLERANCE:
                same = one
                continue
            await lose_recording(tx, one.id, message="It had ended when OBS was reached again.", now=now)
        if output.is_active:
            under_way[output.kind] = same or await _found_running(tx, machine, output, now)
            await see_recording(tx, under_way[output.kind].id, size_bytes=output.size_bytes, now=now)
            await pause_recording(tx, under_way[output.kind].id, is_paused=output.is_paused, now=now)
    return under_way


def _possible_end(recording: Recording, ended_at: datetime) -> datetime:
    """Return an end that a recording can have, should our clock have been set meanwhile."""
    known = [at for gap in gaps_from_json(recording.gaps) for at in (gap.since, gap.until) if at is not None]
    started_at = recording.started_at or ended_at
    return min(max(ended_at, started_at, *known), started_at + LONGEST)


async def _found_running(tx: Transaction, machine: OBSMachine, output: Output, now: datetime) -> Recording:
    """Note an output that began while nobody was there: at the machine's word, since so long ago."""
    started_at = now - min(output.duration, LONGEST - MILLISECOND)
    told = (
        select(OBSCommand)
        .where(
            col(OBSCommand.machine_id) == machine.id,
            col(OBSCommand.kind) == OBSCommandKind.START_RECORDING,
            col(OBSCommand.sent_at) >= started_at - _PROMPT,
            col(OBSCommand.sent_at) <= started_at + _PROMPT,
        )
        .order_by(col(OBSCommand.sent_at).desc())
        .limit(1)
    )
    command = await tx.row(told) if output.kind is RecordingKind.RECORDING else None
    match_id = None if command is None else command.match_id
    return await _create(tx, machine, output.kind, {"started_at": started_at}, match_id, now)


async def _create(
    tx: Transaction,
    machine: OBSMachine,
    kind: RecordingKind,
    changes: dict[str, Any],
    match_id: UUID | None,
    now: datetime,
) -> Recording:
    # Its times are told by our clock, whatever that of the machine says.
    given = {"name": machine.name, "clock_offset_ms": 0, **changes}
    return await create_recording(
        tx, machine.mat_id, kind=kind, changes=given, machine_id=machine.id, match_id=match_id, viewer=None, now=now
    )


async def _running(session: Session, machine_id: UUID, kind: RecordingKind) -> list[Recording]:
    return [one for one in await recordings_under_way(session, machine_id) if one.kind is kind]


async def _with_path(session: Session, machine_id: UUID, path: str) -> Recording | None:
    if not path:
        return None
    with_path = col(Recording.machine_id) == machine_id, col(Recording.path) == path
    return await session.row(select(Recording).where(*with_path).order_by(col(Recording.dated_at).desc()).limit(1))


async def _last(session: Session, machine_id: UUID, kind: RecordingKind) -> Recording | None:
    of_kind = col(Recording.machine_id) == machine_id, col(Recording.kind) == kind
    return await session.row(select(Recording).where(*of_kind).order_by(col(Recording.dated_at).desc()).limit(1))
