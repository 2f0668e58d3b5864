"""The log of a mat: how entries are numbered, which fight each belongs to, and what each fight becomes. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from db.ids import new_id
from db.matches import fold
from db.matches.board import board
from db.matches.facts import Facts
from db.matches.fold import Entry
from db.matches.messages import Message
from db.matches.replacing import replace
from db.matches.state import FightState


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One message as it came in: `raw` is its own part of the datagram, `received_at` was taken at the socket.

    What an operator says comes in the same way, with who said it, why, and the entry that it takes back, if any.
    """

    received_at: datetime
    sender: str
    raw: bytes
    message: Message
    made_by_id: UUID | None = None
    why: str = ""
    voids_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class Fight:
    """A fight as the log has told it so far, and what is shown of it: `shown` lags while a burst is incomplete."""

    match_id: UUID
    begun_seq: int
    state: FightState
    shown: dict[str, Any]
    revision: int
    changed_at: datetime


@dataclass(frozen=True, kw_only=True)
class MatProgress:
    """How far a mat's log has come: the last number given out, and the fight on the mat, if any."""

    mat_id: UUID
    seq: int
    fight: Fight | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One numbered entry, and the fight it belongs to as it stood afterwards. No fight: nothing was on the mat."""

    entry: Entry
    received: Received
    fight: Fight | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """What a run of messages leads to. `fights` are those touched, each in its last state, in order of their loads.

    `facts` are what was told of each of them, by its id.
    """

    progress: MatProgress
    logged: list[Logged]
    fights: list[Fight]
    facts: dict[UUID, Facts]


def advance(progress: MatProgress, received: Iterable[Received]) -> Advance:
    """Number messages and fold them, in the order they came."""
    seq, fight = progress.seq, progress.fight
    logged: list[Logged] = []
    touched: dict[UUID, Fight] = {}
    facts: dict[UUID, Facts] = {}
    for one in received:
        seq += 1
        entry = Entry(seq=seq, received_at=one.received_at, message=one.message)
        if fight is not None and fold.begins_match(fight.state, one.message):
            left = _settled(replace(fight, state=fold.superseded(fight.state)), one.received_at)
            touched[left.match_id] = left
            fight = None
        before = None if fight is None else fight.state
        fight = _folded(fight, entry)
        if fight is not None:
            touched[fight.match_id] = fight
            told = facts.get(fight.match_id)
            if told is None:
                told = facts[fight.match_id] = Facts()
            told.note(before, entry, fight.state)
        logged.append(Logged(entry=entry, received=one, fight=fight))
    fights = [_numbered(last, progress.fight) for last in touched.values()]
    current = next((last for last in fights if fight is not None and last.match_id == fight.match_id), fight)
    return Advance(
        progress=MatProgress(mat_id=progress.mat_id, seq=seq, fight=current), logged=logged, fights=fights, facts=facts
    )


def correct(progress: MatProgress, fight: Fight, said: Received, state: FightState | None = None) -> Advance:
    """Number what an operator says of a fight, on the mat or off it, and fold it.

    It is shown at once, even inside a burst, and always raises the revision: whoever has not seen it is then refused.
    With a `state`, that is what the fight comes to, and its facts are to be told again.
    """
    entry = Entry(seq=progress.seq + 1, received_at=said.received_at, message=said.message)
    facts = Facts()
    if state is None:
        state = fold.apply(fight.state, entry)
        facts.note(fight.state, entry, state)
    after = replace(fight, state=state)
    corrected = replace(_settled(after, said.received_at), revision=fight.revision + 1)
    is_current = progress.fight is not None and progress.fight.match_id == fight.match_id
    return Advance(
        progress=MatProgress(mat_id=progress.mat_id, seq=entry.seq, fight=corrected if is_current else progress.fight),
        logged=[Logged(entry=entry, received=said, fight=corrected)],
        fights=[corrected],
        facts={fight.match_id: facts},
    )


def settle(progress: MatProgress, now: datetime) -> MatProgress:
    """Show the fight as it stands, because no more of its open burst has come for a while."""
    if progress.fight is None:
        return progress
    return replace(progress, fight=_numbered(_settled(progress.fight, now), progress.fight, is_settling=True))


def _folded(fight: Fight | None, entry: Entry) -> Fight | None:
    if fight is None:
        if not fold.begins_match(None, entry.message):
            return None
        state = fold.begin(entry)
        return Fight(
            match_id=new_id(),
            begun_seq=entry.seq,
            state=state,
            shown=board(state),
            revision=0,
            changed_at=entry.received_at,
        )
    state = fold.apply(fight.state, entry)
    after = replace(fight, state=state)
    return after if state.is_burst_open or _is_tick(fight.state, state) else _settled(after, entry.received_at)


def _is_tick(before: FightState, after: FightState) -> bool:
    """Say whether nothing but the number moved: then what is shown need not be made again."""
    return before.clock is after.clock and _ALL_BUT_SEQ(before) == _ALL_BUT_SEQ(after)


def _settled(fight: Fight, at: datetime) -> Fight:
    shown = board(fight.state)
    return fight if shown == fight.shown else replace(fight, shown=shown, changed_at=at)


def _numbered(fight: Fight, before: Fight | None, *, is_settling: bool = False) -> Fight:
    """Raise the revision by one if what is shown is not what was. It is 0 until a fight's load is complete."""
    if before is None or before.match_id != fight.match_id or before.revision == 0:
        return replace(fight, revision=int(is_settling or not fight.state.is_burst_open))
    return replace(fight, revision=before.revision + (fight.shown != before.shown))


# Compared field by field, where what is the same object is not looked into.
_ALL_BUT_SEQ = attrgetter(*(field.name for field in fields(FightState) if field.name != "seq"))
