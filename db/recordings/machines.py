"""How OBS machines may change: they are set up, switched, corrected, and say how they are doing."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.errors import Conflict, Invalid, NotFound
from db.ids import new_id
from db.matches.tables import Mat
from db.recordings.events import OBSMachineChanged, OBSMachineConfigured
from db.recordings.operations import (
    LONGEST_DELAY_MS,
    LONGEST_NAME,
    LONGEST_OFFSET_MS,
    bounded,
    keep_shifts,
    recut_recordings,
)
from db.recordings.tables import OBSMachine
from db.recordings.vocabulary import OBSMachineState
from db.session import Session, Transaction
from db.texts import checked

# What such secrets are sealed for.
PURPOSE = "obs_machines.password"
MOST_MACHINES = 100
LONGEST_HOST = 253
LONGEST_PASSWORD = 200
LONGEST_STOP_DELAY_MS = 600_000
LONGEST_MESSAGE = 200
# A machine as it is where nothing else is said. OBS listens on this port unless it is told otherwise.
NEW_MACHINE: dict[str, Any] = {
    "name": "",
    "host": "127.0.0.1",
    "port": 4455,
    "password": None,
    "records_matches": True,
    "stop_delay_ms": 30_000,
    "saves_challenges": True,
    "clock_offset_ms": 0,
    "stream_delay_ms": 0,
}
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*", re.ASCII)
_SHIFTS = {"clock_offset_ms", "stream_delay_ms"}


async def create_machine(
    tx: Transaction,
    mat_id: UUID,
    *,
    changes: Mapping[str, Any],
    now: datetime,
) -> OBSMachine:
    """Set up an OBS that films a mat. Raises `Invalid`, `NotFound`, and `Conflict` for a taken name."""
    values = {
        "id": new_id(),
        "mat_id": mat_id,
        **_sealed(tx, _columns({**NEW_MACHINE, **changes})),
        "is_enabled": True,
        "state": OBSMachineState.CONNECTING,
        "message": "",
        "connection_count": 0,
        "state_changed_at": now,
        "revision": 0,
        "created_at": now,
    }
    if await tx.row(select(Mat).where(col(Mat.id) == mat_id)) is None:
        raise NotFound("There is no such mat.", field="mat_id")
    if await tx.scalar(select(func.count()).select_from(OBSMachine)) >= MOST_MACHINES:
        raise Conflict(f"There are at most {MOST_MACHINES} machines.", field="mat_id")
    made = await tx.row(upsert(OBSMachine).values(**values).on_conflict_do_nothing().returning(OBSMachine))
    if made is None:
        raise Conflict("There is a machine of this name.", field="name")
    tx.record(OBSMachineConfigured(machine_id=made.id))
    return made


async def update_machine(
    tx: Transaction,
    machine_id: UUID,
    changes: Mapping[str, Any],
) -> OBSMachine:
    """Change a machine; what is not named stays. Raises `Invalid`, `NotFound` and `Conflict`.

    With the machine's clock, what its recordings show is corrected, those of before included.
    """
    columns = _sealed(tx, _columns(changes))
    before = await _configure(tx, machine_id, {})
    if "name" in columns:
        taken = col(OBSMachine.name) == columns["name"], col(OBSMachine.id) != machine_id
        if await tx.row(select(OBSMachine).where(*taken)) is not None:
            raise Conflict("There is a machine of this name.", field="name")
    after = await _configure(tx, machine_id, columns)
    if any(getattr(before, name) != getattr(after, name) for name in _SHIFTS):
        await recut_recordings(tx, after)
    tx.record(OBSMachineChanged(machine=after))
    return after


async def enable_machine(
    tx: Transaction,
    machine_id: UUID,
    *,
    is_enabled: bool,
    now: datetime,
) -> OBSMachine:
    """Switch a machine on or off; twice is as good as once. Raises `NotFound`."""
    state = OBSMachineState.CONNECTING if is_enabled else OBSMachineState.DISCONNECTED
    columns = {"is_enabled": is_enabled, "state": state, "message": "", "state_changed_at": now}
    changed = await _configure(tx, machine_id, columns)
    tx.record(OBSMachineChanged(machine=changed))
    return changed


async def delete_machine(
    tx: Transaction,
    machine_id: UUID,
) -> OBSMachine:
    """Remove a machine; what it recorded stays, and is where it was. Returns it as it was. Raises `NotFound`."""
    before = await _configure(tx, machine_id, {})
    await keep_shifts(tx, before)
    await tx.execute(delete(OBSMachine).where(col(OBSMachine.id) == machine_id))
    return before


async def note_state(
    tx: Transaction, machine_id: UUID, state: OBSMachineState, *, message: str = "", now: datetime
) -> OBSMachine | None:
    """Note how a machine is doing, unless it was switched off meanwhile. `None` if it was, or is gone."""
    values: dict[str, Any] = {"state": state, "message": message[:LONGEST_MESSAGE], "state_changed_at": now}
    if state is OBSMachineState.CONNECTED:
        values["connection_count"] = col(OBSMachine.connection_count) + 1
    is_on = col(OBSMachine.id) == machine_id, col(OBSMachine.is_enabled).is_(True)
    changed = await tx.row(update(OBSMachine).where(*is_on).values(**values).returning(OBSMachine))
    if changed is not None:
        tx.record(OBSMachineChanged(machine=changed))
    return changed


async def list_machines(session: Session) -> list[OBSMachine]:
    """Return all machines, for who keeps them."""
    return await session.rows(select(OBSMachine).order_by(col(OBSMachine.id)))


async def find_machine(session: Session, machine_id: UUID) -> OBSMachine | None:
    """Return a machine, for who keeps it."""
    return await session.row(select(OBSMachine).where(col(OBSMachine.id) == machine_id))


async def _configure(tx: Transaction, machine_id: UUID, columns: dict[str, Any]) -> OBSMachine:
    """Change what a machine should do, held until the commit. Raises `NotFound`."""
    columns["revision"] = col(OBSMachine.revision) + 1
    changed = update(OBSMachine).where(col(OBSMachine.id) == machine_id).values(**columns)
    machine = await tx.row(changed.returning(OBSMachine))
    if machine is None:
        raise NotFound("There is no such OBS machine.", field="id")
    tx.record(OBSMachineConfigured(machine_id=machine_id))
    return machine


def _columns(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of a machine; null brings the default back. Raises `Invalid`."""
    said = {name: NEW_MACHINE[name] if value is None else value for name, value in changes.items()}
    columns: dict[str, Any] = {}
    if "name" in said:
        columns["name"] = checked(said["name"], "A name", field="name", longest=LONGEST_NAME)
    if "host" in said:
        columns["host"] = _host(said["host"])
    if "password" in said:
        columns["password"] = _password(said["password"])
    for field, least, most in (
        ("port", 1, 65_535),
        ("stop_delay_ms", 0, LONGEST_STOP_DELAY_MS),
        ("clock_offset_ms", -LONGEST_OFFSET_MS, LONGEST_OFFSET_MS),
        ("stream_delay_ms", 0, LONGEST_DELAY_MS),
    ):
        if field in said:
            columns[field] = bounded(said[field], field, least, most)
    return columns | {name: said[name] for name in ("records_matches", "saves_challenges") if name in said}


def _sealed(tx: Transaction, columns: dict[str, Any]) -> dict[str, Any]:
    password: bytes | None = columns.get("password")
    return columns if password is None else {**columns, "password": tx.sealer.seal_bytes(password, purpose=PURPOSE)}


def _host(text: str) -> str:
    host = text.strip().removeprefix("[").removesuffix("]")
    if len(host) > LONGEST_HOST or not _HOST.fullmatch(host):
        raise Invalid("A host is a name or an address, such as 192.168.1.20; this is neither.", field="host")
    return host


def _password(text: str | None) -> bytes | None:
    if not text:
        return None
    if len(text) > LONGEST_PASSWORD or any("\ud800" <= character <= "\udfff" for character in text):
        raise Invalid(f"A password has {LONGEST_PASSWORD} characters at most.", field="password")
    return text.encode()
