"""A fight's log as it counts: without what was taken back."""

from collections.abc import Iterable, Iterator, Sequence

from db.matches import fold
from db.matches.corrections import Voiding
from db.matches.facts import Facts
from db.matches.fold import Entry
from db.matches.replacing import replace
from db.matches.state import FightState


def voided_by(entries: Iterable[Entry]) -> dict[int, int]:
    """Return the numbers of the entries that are taken back, each with that of the last entry in force that does so.

    An entry takes back one before it. What takes back may be taken back itself: then what it took counts again.
    """
    voided: dict[int, int] = {}
    voidings = [(entry.seq, entry.message.target) for entry in entries if isinstance(entry.message, Voiding)]
    for seq, target in sorted(voidings, reverse=True):
        if seq not in voided:
            voided.setdefault(target, seq)
    return voided


def refold(entries: Sequence[Entry], *, left_at: int | None = None) -> FightState:
    """Fold all that was said of a fight, in its order, without what was taken back by the last of it.

    The first began the fight, and is never taken back. With `left_at`, another fight took the mat with that number.
    """
    *_, (_, _, state) = _steps(entries, left_at)
    return _as_far_as(entries, state)


def retell(entries: Sequence[Entry], *, left_at: int | None = None) -> tuple[FightState, Facts]:
    """Fold as `refold` does, and take down what is told of the fight on the way."""
    facts, state = Facts(), None
    for before, entry, state in _steps(entries, left_at):
        if entry is not None:
            facts.note(before, entry, state)
    if state is None:
        raise ValueError("A fight begins with an entry.")
    return _as_far_as(entries, state), facts


def _steps(
    entries: Sequence[Entry], left_at: int | None
) -> Iterator[tuple[FightState | None, Entry | None, FightState]]:
    """Give each entry that counts, with the states before and after it; no entry where the fight left its mat."""
    voided = voided_by(entries)
    first, *others = (entry for entry in entries if entry.seq not in voided)
    state, is_left = fold.begin(first), False
    yield None, first, state
    for entry in others:
        if left_at is not None and entry.seq > left_at and not is_left:
            state, is_left = fold.superseded(state), True
        before, state = state, fold.apply(state, entry)
        yield before, entry, state
    if left_at is not None and not is_left:
        yield state, None, fold.superseded(state)


def _as_far_as(entries: Sequence[Entry], state: FightState) -> FightState:
    # Whether or not it counts, the last entry is as far as the fold has come.
    return replace(state, seq=entries[-1].seq)
