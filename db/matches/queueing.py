"""How the queue of a mat follows its log: a fight that is loaded takes the planned one of its number."""

from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, update
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from db.batches import table_of
from db.matches.events import MatQueueChanged
from db.matches.log import Fight
from db.matches.tables import Mat, PlannedMatch
from db.matches.vocabulary import MatchState
from db.session import Transaction
from db.statements import fixed

_GAVE_WAY = {MatchState.NOT_FOUGHT, MatchState.ABANDONED}


async def follow_loads(tx: Transaction, mat_id: UUID, fights: list[Fight], before: dict[UUID, Fight]) -> None:
    """Link planned fights to those that were loaded under their numbers, and free those whose fights gave way.

    A fight that gives way to another load before it is over leaves its planned one to the next load of that number,
    and in its place of the queue until then. One that was fought to the end keeps it.
    """
    changed = [await _follow(tx, mat_id, fight, before.get(fight.match_id)) for fight in fights]
    if any(changed):
        await touch_queue(tx, mat_id)


async def touch_queue(tx: Transaction, mat_id: UUID) -> Mat | None:
    """Raise the revision of a queue, and tell of it. Until the commit nobody else changes it. None if it is gone."""
    mat = await tx.row(_TOUCH, of_mat=mat_id)
    if mat is not None:
        tx.record(MatQueueChanged(mat=mat))
    return mat


async def _follow(tx: Transaction, mat_id: UUID, fight: Fight, was: Fight | None) -> bool:
    if fight.state.state in _GAVE_WAY:
        return await tx.row(_FREE, of_match=fight.match_id, of_number="") is not None
    number = fight.state.number
    if number == ("" if was is None else was.state.number):
        return False
    freed = await tx.row(_FREE, of_match=fight.match_id, of_number=number)
    taken = await tx.row(_TAKE, of_match=fight.match_id, of_mat=mat_id, of_number=number) if number else None
    return freed is not None or taken is not None


def _take() -> Any:
    """Give a match to the first planned fight of its number that waits, unless it has one."""
    other: Any = aliased(PlannedMatch)
    waiting = col(PlannedMatch.mat_id) == _OF_MAT, col(PlannedMatch.number) == _OF_NUMBER
    first = (
        select(col(PlannedMatch.id))
        .where(*waiting, col(PlannedMatch.match_id).is_(None))
        .order_by(col(PlannedMatch.position), col(PlannedMatch.id))
        .limit(1)
        .scalar_subquery()
    )
    has_none = ~select(other.id).where(other.match_id == _OF_MATCH).exists()
    values = {"match_id": _OF_MATCH, "revision": col(PlannedMatch.revision) + 1}
    return update(PlannedMatch).where(col(PlannedMatch.id) == first, has_none).values(**values).returning(PlannedMatch)


def _free() -> Any:
    """Let the planned fight of a match wait again, unless it is of this number."""
    of_another = col(PlannedMatch.match_id) == _OF_MATCH, col(PlannedMatch.number) != _OF_NUMBER
    values = {"match_id": None, "revision": col(PlannedMatch.revision) + 1}
    return update(PlannedMatch).where(*of_another).values(**values).returning(PlannedMatch)


_OF_MAT = bindparam("of_mat", type_=table_of(PlannedMatch).c.mat_id.type)
_OF_MATCH = bindparam("of_match", type_=table_of(PlannedMatch).c.match_id.type)
_OF_NUMBER = bindparam("of_number", type_=table_of(PlannedMatch).c.number.type)
_TOUCH = fixed(
    update(Mat).where(col(Mat.id) == _OF_MAT).values(queue_revision=col(Mat.queue_revision) + 1).returning(Mat)
)
_TAKE = fixed(_take())
_FREE = fixed(_free())
