"""The garbage collector, kept from looking again and again at what stays.

Each socket of a crowd is made of some eighty objects that stay for as long as it does. The collector looks through what
is new each time there is enough of it, and stops everything meanwhile: with five thousand sockets for a second. What
has stayed for a while is therefore put out of its sight. It is still freed at once when nobody holds it any more, and
sockets are made so that nothing holds itself; what does all the same is found when as many have come and gone that
looking at everything is worth it.
"""

import gc

_OBJECTS_BETWEEN_COLLECTIONS = 50_000
# Those who have come since are put out of sight together: some ten thousand objects, which takes milliseconds.
_ARRIVALS = 200
# So many times those who are there have come and gone before everything is looked at.
_TURNOVERS = 4


def spare_the_collector() -> None:
    """Take what is loaded by now out of the garbage collector's rounds: it stays, and was a third of all work.

    What comes later is looked through less often than by default: an answer of a thousand dicts is no garbage.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, 10, 10)


def resume_collecting() -> None:
    """Let the collector work again, if it was told to rest while everything was loaded: that stays, as above."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


class Collector:
    """Python's own collector, told who has come to stay. There is one of it in a process, so it has to be begun."""

    def __init__(self) -> None:
        self._is_begun = False
        self._arrived = 0

    def begin(self) -> None:
        """Take it in hand, when all that stays is loaded."""
        spare_the_collector()
        self._is_begun = True

    def note_arrival(self, present: int) -> None:
        """Note that somebody has come to stay, one of so many who are there."""
        self._arrived += 1
        if not self._is_begun or self._arrived % _ARRIVALS:
            return
        if self._arrived >= _TURNOVERS * max(present, _ARRIVALS):
            self._arrived = 0
            gc.unfreeze()
            gc.collect()
        else:
            # What is garbage by now must not be kept.
            gc.collect(1)
        gc.freeze()
