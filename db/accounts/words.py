"""The words of providers for how an execution stands, and what they report of one."""

from dataclasses import dataclass
from decimal import Decimal

from db.accounts.vocabulary import ExecutionState

_STATES = {
    "pending": ExecutionState.SUBMITTED,
    "queued": ExecutionState.SUBMITTED,
    "accepted": ExecutionState.SUBMITTED,
    "submitted": ExecutionState.SUBMITTED,
    "in progress": ExecutionState.IN_PROGRESS,
    "processing": ExecutionState.IN_PROGRESS,
    "running": ExecutionState.IN_PROGRESS,
    "completed": ExecutionState.COMPLETED,
    "complete": ExecutionState.COMPLETED,
    "done": ExecutionState.COMPLETED,
    "delivered": ExecutionState.COMPLETED,
    "partial": ExecutionState.PARTIAL,
    "canceled": ExecutionState.CANCELED,
    "cancelled": ExecutionState.CANCELED,
    "refunded": ExecutionState.CANCELED,
    "failed": ExecutionState.FAILED,
    "fail": ExecutionState.FAILED,
    "error": ExecutionState.FAILED,
}
LONGEST_ANSWER = 4000
LONGEST_WORD = 100


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a provider says of an execution. `answer` is all it said, as text; `None` is what it did not say."""

    word: str
    reference: str | None = None
    charge: Decimal | None = None
    currency: str | None = None
    start_count: int | None = None
    remaining: int | None = None
    error: str = ""
    answer: str = ""

    @property
    def state(self) -> ExecutionState:
        """The state that the word means: UNKNOWN where nobody knows it."""
        return state_of(self.word)


def state_of(word: str) -> ExecutionState:
    """Return what a provider's word means; UNKNOWN for one that we never heard."""
    return _STATES.get(" ".join(word.replace("_", " ").replace("-", " ").lower().split()), ExecutionState.UNKNOWN)
