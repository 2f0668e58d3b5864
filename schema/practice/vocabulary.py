"""The words of practice as the graph shows them: each enum and each of its values described."""

from db.practice.vocabulary import GoalCompletionCause, GoalLevel, PracticeSessionState, Weekday
from schema.fields import enum

__all__ = ["GoalCompletionCause", "GoalLevel", "PracticeSessionState", "Weekday"]

enum(
    GoalLevel,
    "How far away a goal is. What stands under a goal is nearer than it; levels may be left out.",
    ULTIMATE="What it is all for.",
    LONG_TERM="Years.",
    MID_TERM="Months.",
    SHORT_TERM="Weeks: what sessions are for. The nearest level that may stand at the top of a tree.",
    IMMEDIATE="One session: the farthest level that may stand under a session.",
    MICRO="Minutes.",
    NANO="The smallest step.",
)
enum(
    GoalCompletionCause,
    "How a goal came to be complete.",
    MANUAL="Somebody said so.",
    CHILDREN="All goals under it were, and it completes with them.",
)
enum(
    PracticeSessionState,
    "Where a session stands.",
    PLANNED="It has not started.",
    RUNNING="Its clock runs. One session of an owner may.",
    PAUSED="Its clock stands, and may go on.",
    FINISHED="It is done.",
)
enum(
    Weekday,
    "A day of the week.",
    MONDAY="Monday.",
    TUESDAY="Tuesday.",
    WEDNESDAY="Wednesday.",
    THURSDAY="Thursday.",
    FRIDAY="Friday.",
    SATURDAY="Saturday.",
    SUNDAY="Sunday.",
)
