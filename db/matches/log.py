"""The log of a mat: how entries are numbered, which fight each belongs to, and what each fight becomes. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from db.ids import new_id
from db.matches import fold
from db.matches.board import board
from db.matches.bursts import burst_of
from db.matches.facts import Facts
from db.matches.fold import Entry
from db.matches.messages import Message
from db.matches.replacing import replace
from db.matches.state import FightState


class Received(NamedTuple):
    """One message as it came in: `raw` is its own part of the datagram, its times were taken at the socket.

    `received_at` is what the machine's clock said, which may be set meanwhile; `monotonic_ns` is of one that never is.
    What an operator says comes in the same way, with who said it, why, and the entry that it takes back, if any.
    """

    received_at: datetime
    sender: str
    raw: bytes
    message: Message
    made_by_id: UUID | None = None
    why: str = ""
    voids_id: UUID | None = None
    monotonic_ns: int | None = None


@dataclass(frozen=True, kw_only=True)
class Fight:
    """A fight as the log has told it so far, and what is shown of it: `shown` lags while a burst is incomplete."""

    match_id: UUID
    begun_seq: int
    state: FightState
    shown: dict[str, Any]
    revision: int
    changed_at: datetime
    # The state that `shown` was made of, while that is known: what has not changed since need not be made again.
    shown_of: FightState | None = None


@dataclass(frozen=True, kw_only=True)
class MatProgress:
    """How far a mat's log has come: the last number given out, and the fight on the mat, if any."""

    mat_id: UUID
    seq: int
    fight: Fight | None


class Logged(NamedTuple):
    """One numbered entry, and the fight it belongs to as it stood afterwards. No fight: nothing was on the mat.

    `burst_seq` is the number of the entry that began the burst it is of, None if it is of none.
    """

    entry: Entry
    received: Received
    fight: Fight | None
    burst_seq: int | None = None


# A state, and when it was come to.
_Stand = tuple[FightState, datetime]


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
    # Of the fight that is on the mat; none until something is said of it.
    told: Facts | None = None
    # And how it stood whenever what was told of it was complete.
    stood: list[_Stand] = []
    for one in received:
        seq += 1
        entry = Entry(seq, one.received_at, one.message)
        if fight is not None and fold.begins_match(fight.state, one.message):
            fight = _as_far_as(fight, seq - 1) if told is not None else fight
            left = replace(fight, state=fold.superseded(fight.state))
            touched[left.match_id] = _shown(left, [*stood, (left.state, one.received_at)])
            fight, told, stood = None, None, []
        before = None if fight is None else fight.state
        fight = _folded(fight, entry)
        if fight is not None:
            if fight.state is not before and not fight.state.is_burst_open:
                stood.append((fight.state, one.received_at))
            if told is None:
                told = facts[fight.match_id] = Facts()
            told.note(before, entry, fight.state)
        # What changes nothing, as most ticks do, opens and closes nothing.
        if fight is None or fight.state is before:
            logged.append(Logged(entry, one, fight))
        else:
            logged.append(Logged(entry, one, fight, _burst_of(before, entry, fight.state)))
    if fight is not None and told is not None:
        fight = touched[fight.match_id] = _as_far_as(_shown(fight, stood), seq)
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
    corrected = replace(_shown(after, [(state, said.received_at)]), revision=fight.revision + 1)
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
    settled = _shown(progress.fight, [(progress.fight.state, now)])
    return replace(progress, fight=_numbered(settled, progress.fight, is_settling=True))


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
            shown_of=state,
        )
    changed = fold.told(fight.state, entry)
    if changed is None:
        # The number is put right when the run is over.
        return fight
    return replace(fight, state=changed)


def _burst_of(before: FightState | None, entry: Entry, after: FightState) -> int | None:
    return burst_of(None if before is None else before.burst, after.burst, entry.message, entry.received_at)


def _as_far_as(fight: Fight, seq: int) -> Fight:
    return fight if fight.state.seq == seq else replace(fight, state=replace(fight.state, seq=seq))


def _shown(fight: Fight, stood: Sequence[_Stand]) -> Fight:
    """Show a fight as it stood last, since when it looks so: whatever it looked like in between was shown to nobody."""
    if not stood:
        return fight
    known = None if fight.shown_of is None else (fight.shown_of, fight.shown)
    state, changed_at = stood[-1]
    shown = board(state, known)
    for earlier, at in reversed(stood[:-1]):
        if board(earlier, known) != shown:
            break
        changed_at = at
    else:
        if shown == fight.shown:
            return fight
    return replace(fight, shown=shown, shown_of=state, changed_at=changed_at)


def _numbered(fight: Fight, before: Fight | None, *, is_settling: bool = False) -> Fight:
    """Raise the revision by one if what is shown is not what was. It is 0 until a fight's load is complete."""
    if before is None or before.match_id != fight.match_id or before.revision == 0:
        return replace(fight, revision=int(is_settling or not fight.state.is_burst_open))
    return replace(fight, revision=before.revision + (fight.shown != before.shown))
