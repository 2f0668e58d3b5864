"""Buckets: so many of something for each who comes, refilled all the time."""

from collections.abc import Hashable


class Buckets:
    """A bucket for each key. It holds `most`, and is refilled by so many each second."""

    def __init__(self, *, most: float, per_second: float) -> None:
        self._most = most
        self._per_second = per_second
        # By key, how much there was, and when that was counted. Who is not here has a full one.
        self._counted: dict[Hashable, tuple[float, float]] = {}

    def __len__(self) -> int:
        """How many are not full, or were not when that was last looked at."""
        return len(self._counted)

    def left(self, key: Hashable, now: float) -> float:
        """Return how much there is."""
        left, counted_at = self._counted.get(key, (self._most, now))
        if now < counted_at:
            # The clock was set back: nobody waits until it is as late again.
            self._counted[key] = left, now
        return min(self._most, left + max(0.0, now - counted_at) * self._per_second)

    def take(self, key: Hashable, now: float) -> bool:
        """Take one out, if there is one."""
        left = self.left(key, now)
        if left < 1:
            return False
        self._counted[key] = left - 1, now
        return True

    def forget(self, now: float) -> None:
        """Forget those that are full again."""
        self._counted = {key: one for key, one in self._counted.items() if self.left(key, now) < self._most}
