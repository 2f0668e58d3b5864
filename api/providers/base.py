"""What a provider is to us: somebody who takes an execution, says how it goes, and may be asked to stop it.

Whoever sends must know which of three things happened when no answer came. `NotSent`: it certainly was not taken.
`Refused`: it was heard, and refused. `AnswerLost`: nobody knows, so it must not be sent again.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from db.accounts.tables import Execution
from db.accounts.words import Report


class NotSent(Exception):
    """It was not taken. `retry_after` is how many seconds the provider asked to be left alone."""

    def __init__(self, error: str, *, retry_after: int | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.retry_after = retry_after


class Refused(Exception):
    """It was refused. `answer` is all that was said."""

    def __init__(self, error: str, *, answer: str = "") -> None:
        super().__init__(error)
        self.error = error
        self.answer = answer


class AnswerLost(Exception):
    """It was sent, and what became of it is not known."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class Carrier(Protocol):
    """Carries executions out, known by their keys: told twice with one key, it does once what it is told."""

    async def submit(self, execution: Execution) -> Report:
        """Send an execution. Raises `NotSent`, `Refused` and `AnswerLost`."""

    async def report(self, executions: Sequence[Execution]) -> Mapping[UUID, Report | None]:
        """Say how executions go, by their keys: `None` for one never heard of, absent where there is no answer.

        Raises `NotSent` if nothing could be asked.
        """

    async def cancel(self, execution: Execution) -> None:
        """Ask for an execution to be stopped: what comes of it, reports say. Raises `NotSent` and `Refused`."""
