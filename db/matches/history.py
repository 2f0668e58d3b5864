"""A fight's log as it counts: without what was taken back."""

from collections.abc import Iterable, Sequence

from db.matches import fold
from db.matches.corrections import Voiding
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
    voided = voided_by(entries)
    first, *others = (entry for entry in entries if entry.seq not in voided)
    state, is_left = fold.begin(first), False
    for entry in others:
        if left_at is not None and entry.seq > left_at and not is_left:
            state, is_left = fold.superseded(state), True
        state = fold.apply(state, entry)
    if left_at is not None and not is_left:
        state = fold.superseded(state)
    # Whether or not it counts, the last entry is as far as the fold has come.
    return replace(state, seq=entries[-1].seq)
