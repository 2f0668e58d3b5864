"""How tournaments and their days may change.

Whoever changes what somebody else may have changed as well says which revision he saw: a newer one refuses him.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import func, insert, update
from sqlmodel import col, select

from db.errors import Conflict, Invalid, NotFound
from db.ids import new_id
from db.matches.queueing import touch_queue
from db.matches.tables import Mat, PlannedMatch, Tournament, TournamentDay
from db.matches.terms import MOST_DAYS, check_days, tournament_columns
from db.matches.vocabulary import TournamentState
from db.session import Session, Transaction

_LARGEST_NUMBER = 999


async def update_tournament(
    tx: Transaction, tournament_id: UUID, changes: Mapping[str, Any], *, revision: int
) -> Tournament:
    """Change some of a tournament; what is not named stays. Raises `Invalid`, `NotFound` and `Conflict`."""
    columns = tournament_columns(changes)
    tournament = await hold_seen(tx, tournament_id, revision)
    merged = {**tournament._asdict(), **columns}  # type: ignore[attr-defined]  # rows are named tuples
    check_days(merged["starts_on"], merged["ends_on"])
    namesake = await tx.row(select(Tournament).where(col(Tournament.name) == merged["name"]))
    if namesake is not None and namesake.id != tournament_id:
        raise Conflict("There is a tournament of this name.", field="name")
    return await change_held(tx, tournament_id, columns)


async def hold_seen(tx: Transaction, tournament_id: UUID, revision: int) -> Tournament:
    """Return a tournament that nobody else changes before this ends. Raises `NotFound`, `Conflict` if it is newer."""
    tournament = await _held(tx, tournament_id)
    _check_revision(tournament.revision, revision, "tournament")
    return tournament


async def change_held(tx: Transaction, tournament_id: UUID, columns: Mapping[str, Any]) -> Tournament:
    """Change a tournament that is held, and raise its revision."""
    values = {**columns, "revision": col(Tournament.revision) + 1}
    changed = update(Tournament).where(col(Tournament.id) == tournament_id).values(**values).returning(Tournament)
    return cast("Tournament", await tx.row(changed))


async def start_tournament(tx: Transaction, tournament_id: UUID) -> Tournament:
    """Open a tournament, also one that was ended. Raises `NotFound`, and `Conflict` if it is open."""
    tournament = await _held(tx, tournament_id)
    if tournament.state is TournamentState.ACTIVE:
        raise Conflict("The tournament is on already.", field="id")
    return await change_held(tx, tournament_id, {"state": TournamentState.ACTIVE})


async def end_tournament(tx: Transaction, tournament_id: UUID) -> Tournament:
    """End a tournament, and with it the day that is on. Raises `NotFound`, and `Conflict` if it is not on."""
    tournament = await _held(tx, tournament_id)
    if tournament.state is not TournamentState.ACTIVE:
        raise Conflict("The tournament is not on.", field="id")
    on = col(TournamentDay.tournament_id) == tournament_id, col(TournamentDay.state) == TournamentState.ACTIVE
    values = {"state": TournamentState.ENDED, "revision": col(TournamentDay.revision) + 1}
    await tx.execute(update(TournamentDay).where(*on).values(**values))
    return await change_held(tx, tournament_id, {"state": TournamentState.ENDED})


async def assign_mat(tx: Transaction, mat_id: UUID, tournament_id: UUID | None) -> Mat:
    """Let a mat belong to a tournament from now on, or to none. Fights that were loaded before stay of theirs.

    What is planned on it is planned for no day any more. Raises `NotFound`, and `Conflict` for a taken name.
    """
    if tournament_id is not None:
        await _held(tx, tournament_id, field="tournament_id")
    mat = await touch_queue(tx, mat_id)
    if mat is None:
        raise NotFound("There is no such mat.", field="id")
    if mat.tournament_id == tournament_id:
        return mat
    same = col(Mat.name) == mat.name, col(Mat.tournament_id).is_not_distinct_from(tournament_id)
    if await tx.row(select(Mat).where(*same)) is not None:
        raise Conflict("There is a mat of this name in this tournament.", field="tournament_id")
    waiting = col(PlannedMatch.mat_id) == mat_id, col(PlannedMatch.match_id).is_(None)
    await tx.execute(update(PlannedMatch).where(*waiting).values(tournament_day_id=None))
    assigned = update(Mat).where(col(Mat.id) == mat_id).values(tournament_id=tournament_id).returning(Mat)
    return cast("Mat", await tx.row(assigned))


async def create_day(
    tx: Transaction, tournament_id: UUID, *, held_on: date | None, number: int | None = None, now: datetime
) -> TournamentDay:
    """Add a day to a tournament; without a number it is the one behind the last.

    Raises `NotFound`, `Invalid`, and `Conflict` for a date or a number that is taken.
    """
    if held_on is None:
        raise Invalid("A day has a date.", field="held_on")
    await _held(tx, tournament_id, field="tournament_id")
    of_it = col(TournamentDay.tournament_id) == tournament_id
    days, last = (await tx.tuples(select(func.count(), func.max(col(TournamentDay.number))).where(of_it)))[0]
    if days >= MOST_DAYS:
        raise Conflict(f"A tournament has {MOST_DAYS} days at most.", field="tournament_id")
    columns = {"held_on": held_on, "number": _number((last or 0) + 1 if number is None else number)}
    await _check_free(tx, tournament_id, columns)
    values = {"id": new_id(), "tournament_id": tournament_id, "state": TournamentState.PENDING, "revision": 0}
    made = insert(TournamentDay).values(**values, **columns, created_at=now).returning(TournamentDay)
    return cast("TournamentDay", await tx.row(made))


async def update_day(
    tx: Transaction, day_id: UUID, *, held_on: date | None = None, number: int | None = None, revision: int
) -> TournamentDay:
    """Give a day another date or number. Raises as `create_day`, and `Conflict` for a stale revision."""
    day = await _held_day(tx, day_id)
    _check_revision(day.revision, revision, "day")
    named = {"held_on": held_on, "number": None if number is None else _number(number)}
    columns = {name: value for name, value in named.items() if value is not None}
    await _check_free(tx, day.tournament_id, columns, but=day_id)
    return await _change_day(tx, day_id, columns)


async def start_day(tx: Transaction, day_id: UUID) -> TournamentDay:
    """Open a day: fights that are loaded from now on are of it. Raises `NotFound`, and `Conflict` if another is on."""
    day = await _held_day(tx, day_id)
    if day.state is TournamentState.ACTIVE:
        raise Conflict("The day is on already.", field="id")
    tournament = await _found(tx, day.tournament_id)
    if tournament is None or tournament.state is not TournamentState.ACTIVE:
        raise Conflict("The tournament is not on: start it first.", field="id")
    on = col(TournamentDay.tournament_id) == day.tournament_id, col(TournamentDay.state) == TournamentState.ACTIVE
    other = await tx.row(select(TournamentDay).where(*on))
    if other is not None:
        raise Conflict(f"Day {other.number} is on: end it first.", field="id")
    return await _change_day(tx, day_id, {"state": TournamentState.ACTIVE})


async def end_day(tx: Transaction, day_id: UUID) -> TournamentDay:
    """End a day. Raises `NotFound`, and `Conflict` if it is not on."""
    day = await _held_day(tx, day_id)
    if day.state is not TournamentState.ACTIVE:
        raise Conflict("The day is not on.", field="id")
    return await _change_day(tx, day_id, {"state": TournamentState.ENDED})


async def _held(tx: Transaction, tournament_id: UUID, *, field: str = "id") -> Tournament:
    """Return a tournament that nobody else changes until the commit, and neither its days. Raises `NotFound`."""
    held = update(Tournament).where(col(Tournament.id) == tournament_id).values(revision=col(Tournament.revision))
    tournament = await tx.row(held.returning(Tournament))
    if tournament is None:
        raise NotFound("There is no such tournament.", field=field)
    return tournament


async def _held_day(tx: Transaction, day_id: UUID) -> TournamentDay:
    """Return a day that nobody else changes until the commit. Raises `NotFound`."""
    of_day = select(TournamentDay).where(col(TournamentDay.id) == day_id)
    day = await tx.row(of_day)
    if day is None:
        raise NotFound("There is no such day.", field="id")
    await _held(tx, day.tournament_id)
    return cast("TournamentDay", await tx.row(of_day))


async def _found(session: Session, tournament_id: UUID) -> Tournament | None:
    return await session.row(select(Tournament).where(col(Tournament.id) == tournament_id))


async def _change_day(tx: Transaction, day_id: UUID, columns: Mapping[str, Any]) -> TournamentDay:
    values = {**columns, "revision": col(TournamentDay.revision) + 1}
    changed = update(TournamentDay).where(col(TournamentDay.id) == day_id).values(**values).returning(TournamentDay)
    return cast("TournamentDay", await tx.row(changed))


async def _check_free(
    tx: Transaction, tournament_id: UUID, columns: Mapping[str, Any], *, but: UUID | None = None
) -> None:
    for name, what in (("number", "number"), ("held_on", "date")):
        if name not in columns:
            continue
        same = col(TournamentDay.tournament_id) == tournament_id, col(getattr(TournamentDay, name)) == columns[name]
        other = await tx.row(select(TournamentDay).where(*same))
        if other is not None and other.id != but:
            raise Conflict(f"The tournament has a day of this {what}.", field=name)


def _number(number: int) -> int:
    if not 1 <= number <= _LARGEST_NUMBER:
        raise Invalid(f"A day's number is between 1 and {_LARGEST_NUMBER}.", field="number")
    return number


def _check_revision(present: int, seen: int, what: str) -> None:
    if present != seen:
        raise Conflict(
            f"The {what} was changed meanwhile, it is at revision {present} now: read it again.", field="revision"
        )
