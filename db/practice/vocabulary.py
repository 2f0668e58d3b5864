"""The words of practice: each enum's value is its name, in the database, in JSON and in the graph."""

from enum import StrEnum


class GoalLevel(StrEnum):
    """How far away a goal is, from the farthest to the nearest."""

    ULTIMATE = "ULTIMATE"
    LONG_TERM = "LONG_TERM"
    MID_TERM = "MID_TERM"
    SHORT_TERM = "SHORT_TERM"
    # From here on a goal may stand under a session as well.
    IMMEDIATE = "IMMEDIATE"
    MICRO = "MICRO"
    NANO = "NANO"


class GoalCompletionCause(StrEnum):
    """How a goal came to be complete."""

    MANUAL = "MANUAL"
    # All goals under it were.
    CHILDREN = "CHILDREN"


class PracticeSessionState(StrEnum):
    """Where a session stands."""

    PLANNED = "PLANNED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    FINISHED = "FINISHED"


class Weekday(StrEnum):
    """A day of the week, in the order of Python's own numbers."""

    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


RANKS = {level: rank for rank, level in enumerate(GoalLevel)}
