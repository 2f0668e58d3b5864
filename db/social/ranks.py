"""What an entry's marks are worth in time: how trending entries are ordered.

An entry is as hot as an unmarked one that was written so much later. The first marks are worth most: each sum of ten
times as many is worth about half a day more. The number hangs on no clock, so an order by it is stable, and it is made
of whole numbers, so that both databases come to the same.
"""

from datetime import datetime

HALF_DAY_MS = 43_200_000
# Half of a step's worth is reached at its number of marks.
STEPS = (3, 30, 300, 3_000, 30_000, 300_000)


def worth(score: int) -> int:
    """Return by how many milliseconds an entry of a score seems younger."""
    return sum(HALF_DAY_MS * score // (score + step) for step in STEPS)


def heat(created_at: datetime, score: int) -> int:
    """Return how hot an entry is: the higher comes first."""
    return int(created_at.timestamp() * 1000) + worth(score)
