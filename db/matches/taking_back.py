"""How an operator takes back what was said of a fight: by an entry, after which the fight is folded again without it.

An undoing takes back the operator's own last correction, and the next one the correction before it. A redoing takes
back his own last undoing, as long as he has not corrected anything after it. What was named and taken back is a
correction like any other, and can be undone.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select

from db.batches import table_of
from db.errors import Conflict, NotFound
from db.matches.corrections import UNDOABLE, EntryVoided, Redone, Undone, Voiding
from db.matches.facts import Facts
from db.matches.fold import Entry
from db.matches.held import By, HeldMatch, hold_match
from db.matches.history import retell, voided_by
from db.matches.keeping import facts_steps, forget_facts
from db.matches.past import LONGEST_FIGHT, entry_of, left_at, read_log
from db.matches.state import FightState
from db.matches.tables import Match, MatchEvent
from db.matches.vocabulary import MatchEventKind
from db.parameters import any_of
from db.session import Transaction


async def void_event(tx: Transaction, match_id: UUID, event_id: UUID, *, by: By, most: int = LONGEST_FIGHT) -> Match:
    """Take back an entry of a match, whoever said it. At most so many entries are folded again.

    Raises `NotFound`, and `Conflict` for what began the match, what was taken back before, and a log that is too long.
    """
    held = await hold_match(tx, match_id, by)
    of_match = col(MatchEvent.match_id) == match_id
    entry = await tx.row(select(MatchEvent).where(col(MatchEvent.id) == event_id, of_match))
    if entry is None:
        raise NotFound("There is no such entry of this match.", field="event_id")
    if entry.seq == held.fight.begun_seq:
        raise Conflict("This entry began the match: it cannot be taken back.", field="event_id")
    if entry.voided_by_id is not None:
        raise Conflict("This entry was taken back before.", field="event_id")
    return await _take_back(held, entry, EntryVoided(target=entry.seq), most)


async def undo(tx: Transaction, match_id: UUID, *, by: By, most: int = LONGEST_FIGHT) -> Match:
    """Take back the operator's own last correction of a match that is in force. Raises `NotFound` and `Conflict`."""
    held = await hold_match(tx, match_id, by)
    entry = await _last_of_his(held, UNDOABLE, is_in_force=True)
    if entry is None:
        raise Conflict("You have corrected nothing of this match that is in force.", field="id")
    return await _take_back(held, entry, Undone(target=entry.seq), most)


async def redo(tx: Transaction, match_id: UUID, *, by: By, most: int = LONGEST_FIGHT) -> Match:
    """Take back the operator's own last undoing, so that what it undid counts again. Raises `NotFound`, `Conflict`."""
    held = await hold_match(tx, match_id, by)
    entry = await _last_of_his(held, {Undone.kind}, is_in_force=True)
    corrected = await _last_of_his(held, UNDOABLE)
    if entry is None or (corrected is not None and corrected.seq > entry.seq):
        raise Conflict("You have undone nothing of this match since your last correction.", field="id")
    return await _take_back(held, entry, Redone(target=entry.seq), most)


async def _last_of_his(
    held: HeldMatch, kinds: Collection[MatchEventKind], *, is_in_force: bool = False
) -> MatchEvent | None:
    own = select(MatchEvent).where(
        col(MatchEvent.match_id) == held.fight.match_id,
        col(MatchEvent.made_by_id) == held.by.viewer.user_id,
        any_of(col(MatchEvent.kind), kinds),
    )
    if is_in_force:
        own = own.where(col(MatchEvent.voided_by_id).is_(None))
    return await held.tx.row(own.order_by(col(MatchEvent.seq).desc()).limit(1))


async def _take_back(held: HeldMatch, entry: MatchEvent, message: Voiding, most: int) -> Match:
    match_id = held.fight.match_id
    rows = await read_log(held.tx, [match_id], most=most + 1)
    if len(rows) > most:
        raise Conflict(
            f"The log of this match has more than {most} entries, too many to be folded again. "
            "Correct what it came to instead.",
            field="id",
        )
    last = Entry(seq=held.progress.seq + 1, received_at=held.by.now, message=message)
    left = (await left_at(held.tx, [match_id])).get(match_id)
    state, facts, voided = await fold_again(rows, last, left=None if left is None else left[0])
    match = await held.say(message, state=state, voids_id=entry.id)
    await forget_facts(held.tx, match_id)
    await held.tx.execute_all(facts_steps({match_id: facts}, {row.seq: row.id for row in rows}))
    await mark_voided(held.tx, match_id, rows, voided)
    return match


async def mark_voided(tx: Transaction, match_id: UUID, rows: Sequence[Any], voided: Mapping[int, int]) -> None:
    """Write down at each entry of a fight which one in force takes it back, where another stands there."""
    by_hand = select(col(MatchEvent.seq), col(MatchEvent.id)).where(
        col(MatchEvent.match_id) == match_id, col(MatchEvent.made_by_id).is_not(None)
    )
    ids = dict(map(tuple, await tx.tuples(by_hand)))
    table = table_of(MatchEvent)
    for row in rows:
        voided_by_id = ids[voided[row.seq]] if row.seq in voided else None
        if row.voided_by_id != voided_by_id:
            await tx.execute(update(table).where(table.c.id == row.id).values(voided_by_id=voided_by_id))


async def fold_again(
    rows: Sequence[Any], *further: Entry, left: int | None
) -> tuple[FightState, Facts, dict[int, int]]:
    """Return what the log of a fight comes to, what it tells, and what of it is taken back by which entries."""
    # A long fight takes a while, and everything else goes on.
    return await asyncio.to_thread(_folded, rows, further, left)


def _folded(
    rows: Sequence[Any], further: Sequence[Entry], left: int | None
) -> tuple[FightState, Facts, dict[int, int]]:
    entries = [*map(entry_of, rows), *further]
    return *retell(entries, left_at=left), voided_by(entries)
