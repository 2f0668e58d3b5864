"""How the queues of mats may change by hand: fights planned, changed, moved and taken away.

A queue has one order. Each change is relative to what stands there when it is made, and no two are made at once: so
two operators who move fights at the same moment both have their way, and neither overwrites the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import bindparam, delete, func, insert, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.batches import table_of
from db.errors import Conflict, Invalid, NotFound
from db.ids import new_id
from db.matches.queueing import touch_queue
from db.matches.tables import Athlete, Mat, PlannedMatch, TournamentDay
from db.matches.terms import LONGEST_NAME, country_code, planned_columns
from db.session import Session, Transaction
from db.statements import fixed
from db.texts import checked

MOST_WAITING = 500
NEW_PLAN: dict[str, Any] = {"number": "", "phase": "", "weight": "", "division": ""}
_STEP = 1 << 20
_SIDES = ("blue", "red")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a planned fight goes: before or behind another, on whichever mat that is; else last in its queue."""

    before_id: UUID | None = None
    after_id: UUID | None = None

    @property
    def beside_id(self) -> UUID | None:
        """The fight it goes beside. Raises `Invalid` if there are two."""
        if self.before_id is not None and self.after_id is not None:
            raise Invalid("Name one place: before a fight, or after one.", field="after_id")
        return self.before_id or self.after_id

    @property
    def field(self) -> str:
        """The argument at fault where it cannot go there."""
        return "after_id" if self.before_id is None else "before_id"


async def plan_match(
    tx: Transaction, mat_id: UUID, changes: Mapping[str, Any], place: Place, *, now: datetime
) -> PlannedMatch:
    """Put a fight into the queue of a mat. `changes` say what differs from `NEW_PLAN`, its athletes and its day.

    Raises `Invalid`, `NotFound`, and `Conflict` for a queue that is full.
    """
    columns = planned_columns({**NEW_PLAN, **changes})
    mat = await _held_queue(tx, mat_id)
    await _check_room(tx, mat_id)
    columns |= await _related(tx, mat, changes)
    values = {
        "id": new_id(),
        "mat_id": mat_id,
        "position": await _position(tx, mat_id, place),
        "revision": 0,
        "created_at": now,
        **columns,
    }
    return cast("PlannedMatch", await tx.row(insert(PlannedMatch).values(**values).returning(PlannedMatch)))


async def update_planned(
    tx: Transaction, planned_id: UUID, changes: Mapping[str, Any], *, revision: int
) -> PlannedMatch:
    """Change some of a fight that waits; what is not named stays.

    Raises `Invalid`, `NotFound`, and `Conflict` if it does not wait, or if `revision` is not its present one.
    """
    columns = planned_columns(changes)
    planned, mat = await _held_waiting(tx, planned_id)
    if planned.revision != revision:
        raise Conflict(
            f"The planned fight was changed meanwhile, it is at revision {planned.revision} now: read it again.",
            field="revision",
        )
    columns |= await _related(tx, mat, changes, planned)
    return await _change(tx, planned_id, columns)


async def move_planned(tx: Transaction, planned_id: UUID, *, mat_id: UUID | None = None, place: Place) -> PlannedMatch:
    """Move a fight that waits: beside another, or last in the queue of a mat, its own if none is named.

    Raises `Invalid`, `NotFound`, and `Conflict` if it does not wait, or for a queue that is full.
    """
    if mat_id is not None and place.beside_id is not None:
        raise Invalid("Name one place: a mat, before a fight, or after one.", field="mat_id")
    planned = await _found(tx, planned_id, field="id")
    if place.beside_id == planned_id:
        raise Invalid("A fight cannot stand beside itself.", field=place.field)
    beside = None if place.beside_id is None else await _found(tx, place.beside_id, field=place.field)
    goal = mat_id or (planned.mat_id if beside is None else beside.mat_id)
    # One after the other and always in one order: two who move between the same mats would else wait for each other.
    mats = [await _held_queue(tx, touched) for touched in sorted({planned.mat_id, goal})]
    await _check_waiting(tx, planned)
    if len({mat.tournament_id for mat in mats}) > 1:
        raise Conflict("That mat is of another tournament.", field="mat_id")
    if goal != planned.mat_id:
        await _check_room(tx, goal)
    position = await _position(tx, goal, place)
    return await _change(tx, planned_id, {"mat_id": goal, "position": position})


async def remove_planned(tx: Transaction, planned_id: UUID) -> PlannedMatch:
    """Take a fight that waits out of its queue, and return it as it was. Raises `NotFound` and `Conflict`."""
    planned, _ = await _held_waiting(tx, planned_id)
    await tx.execute(delete(PlannedMatch).where(col(PlannedMatch.id) == planned_id))
    return planned


async def _held_queue(tx: Transaction, mat_id: UUID, *, field: str = "mat_id") -> Mat:
    """Be alone with a queue until the commit, and tell of it then. Raises `NotFound`."""
    mat = await touch_queue(tx, mat_id)
    if mat is None:
        raise NotFound("There is no such mat.", field=field)
    return mat


async def _held_waiting(tx: Transaction, planned_id: UUID) -> tuple[PlannedMatch, Mat]:
    planned = await _found(tx, planned_id, field="id")
    mat = await _held_queue(tx, planned.mat_id)
    return await _check_waiting(tx, planned), mat


async def _found(session: Session, planned_id: UUID, *, field: str) -> PlannedMatch:
    planned = await session.row(select(PlannedMatch).where(col(PlannedMatch.id) == planned_id))
    if planned is None:
        raise NotFound("There is no such planned fight.", field=field)
    return planned


async def _check_waiting(tx: Transaction, seen: PlannedMatch) -> PlannedMatch:
    """Return a planned fight as it is now that its queue is held. Raises `Conflict` if it waits there no more."""
    planned = await _found(tx, seen.id, field="id")
    if planned.match_id is not None:
        raise Conflict("This fight is on its mat or was fought, and waits no more.", field="id")
    if planned.mat_id != seen.mat_id:
        raise Conflict("Somebody else moved it to another mat meanwhile: look again.", field="id")
    return planned


async def _check_room(tx: Transaction, mat_id: UUID) -> None:
    waiting = col(PlannedMatch.mat_id) == mat_id, col(PlannedMatch.match_id).is_(None)
    if await tx.scalar(select(func.count()).select_from(PlannedMatch).where(*waiting)) >= MOST_WAITING:
        raise Conflict(f"{MOST_WAITING} fights wait on this mat, which is as many as may.", field="mat_id")


async def _change(tx: Transaction, planned_id: UUID, columns: Mapping[str, Any]) -> PlannedMatch:
    values = {**columns, "revision": col(PlannedMatch.revision) + 1}
    changed = update(PlannedMatch).where(col(PlannedMatch.id) == planned_id).values(**values)
    return cast("PlannedMatch", await tx.row(changed.returning(PlannedMatch)))


async def _related(
    tx: Transaction, mat: Mat, changes: Mapping[str, Any], planned: PlannedMatch | None = None
) -> dict[str, Any]:
    """Return the athletes and the day that changes name. Raises `NotFound`, and `Invalid` for one athlete twice."""
    columns: dict[str, Any] = {}
    named = {side: _athlete(side, changes[side]) for side in _SIDES if changes.get(side) is not None}
    # In one order for everybody, as where a scoring program names them.
    for side in sorted(named, key=lambda one: (named[one]["name"], named[one]["country_code"])):
        columns[f"{side}_athlete_id"] = await _find_athlete(tx, named[side])
    columns |= {f"{side}_athlete_id": None for side in _SIDES if side in changes and changes[side] is None}
    sides = [columns.get(f"{side}_athlete_id", getattr(planned, f"{side}_athlete_id", None)) for side in _SIDES]
    if sides[0] is not None and sides[0] == sides[1]:
        raise Invalid("Nobody fights against himself.", field="red")
    if "tournament_day_id" in changes:
        columns["tournament_day_id"] = changes["tournament_day_id"]
        await _check_day(tx, mat, changes["tournament_day_id"])
    return columns


async def _check_day(tx: Transaction, mat: Mat, day_id: UUID | None) -> None:
    if day_id is None:
        return
    day = await tx.row(select(TournamentDay).where(col(TournamentDay.id) == day_id))
    if day is None or day.tournament_id != mat.tournament_id:
        raise NotFound("The tournament of this mat has no such day.", field="day_id")


def _athlete(side: str, said: Mapping[str, Any]) -> dict[str, str]:
    name = checked(said.get("name") or "", "A name", field=side, longest=LONGEST_NAME)
    short_name = checked(said.get("short_name") or "", "A name", field=side, shortest=0, longest=LONGEST_NAME)
    return {
        "name": name,
        "short_name": short_name,
        "country_code": country_code(said.get("country_code") or "", field=side),
    }


async def _find_athlete(tx: Transaction, said: Mapping[str, str]) -> UUID:
    """Return the athlete of a name and a country, made if new. A short name that was not said stays as it is."""
    values = {**said, "id": new_id(), "short_name": said["short_name"] or said["name"]}
    statement = upsert(Athlete).values(**values)
    kept = "short_name" if said["short_name"] else "name"
    known = statement.on_conflict_do_update(
        index_elements=["name", "country_code"], set_={kept: statement.excluded[kept]}
    )
    return cast("Athlete", await tx.row(known.returning(Athlete))).id


async def _position(tx: Transaction, mat_id: UUID, place: Place) -> int:
    """Return a position in a queue that is held. Raises `NotFound` for a fight beside which there is none."""
    for _ in range(2):
        position = await _free_position(tx, mat_id, place)
        if position is not None:
            return position
        await _spread(tx, mat_id)
    raise Conflict("There are too many fights at this place.", field=place.field)


async def _free_position(tx: Transaction, mat_id: UUID, place: Place) -> int | None:
    position, of_mat = col(PlannedMatch.position), col(PlannedMatch.mat_id) == mat_id
    if place.beside_id is None:
        return int(await tx.scalar(select(func.max(position)).where(of_mat)) or 0) + _STEP
    beside = await _found(tx, place.beside_id, field=place.field)
    if beside.mat_id != mat_id:
        raise NotFound("There is no such planned fight in this queue.", field=place.field)
    if place.before_id is not None:
        low = await tx.scalar(select(func.max(position)).where(of_mat, position < beside.position))
        return _between(beside.position - 2 * _STEP if low is None else low, beside.position)
    high = await tx.scalar(select(func.min(position)).where(of_mat, position > beside.position))
    return _between(beside.position, beside.position + 2 * _STEP if high is None else high)


def _between(low: int, high: int) -> int | None:
    return (low + high) // 2 if high - low > 1 else None


async def _spread(tx: Transaction, mat_id: UUID) -> None:
    """Give the fights of a queue positions far apart, in the order that they have."""
    ordered = select(PlannedMatch).where(col(PlannedMatch.mat_id) == mat_id)
    rows = await tx.rows(ordered.order_by(col(PlannedMatch.position), col(PlannedMatch.id)))
    await tx.execute_many(_PUT, [{"of_id": row.id, "to": number * _STEP} for number, row in enumerate(rows, start=1)])


_PUT = fixed(
    update(PlannedMatch)
    .where(col(PlannedMatch.id) == bindparam("of_id", type_=table_of(PlannedMatch).c.id.type))
    .values(position=bindparam("to", type_=table_of(PlannedMatch).c.position.type))
)
