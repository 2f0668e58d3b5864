"""Paths: where a goal stands in its tree, as one text that sorts as the tree is read. Pure.

A path is a label for each goal from the top down to the goal itself: its place among its siblings, then its id. All
goals under one are then a range of paths, whatever their depth, and in the order in which a tree is drawn. Levels bound
how long it gets: a child's is always lower, and there are seven.
"""

from uuid import UUID

_PLACE_DIGITS = 12
_ID_DIGITS = 32
LABEL = _PLACE_DIGITS + _ID_DIGITS
LARGEST_POSITION = (1 << 48) - 1
# How far apart siblings are put: two dozen goals can be put between two before places have to be given out anew.
STEP = 1 << 24
# Sorts behind every label, so that `path <= x < path + END` is a goal with all that is under it.
END = "g"


def label(position: int, goal_id: UUID) -> str:
    """Return what a goal adds to the path of what it stands under."""
    return f"{position:0{_PLACE_DIGITS}x}{goal_id.hex}"


def ids_of(path: str) -> list[UUID]:
    """Return the ids along a path, from the top."""
    return [UUID(hex=path[start + _PLACE_DIGITS : start + LABEL]) for start in range(0, len(path), LABEL)]


def depth_of(path: str) -> int:
    """Return how many goals stand above the one a path leads to."""
    return len(path) // LABEL - 1


def is_within(path: str, top: str) -> bool:
    """Say whether a path leads to a goal or to something under it."""
    return path.startswith(top)


def between(before: int | None, after: int | None) -> int | None:
    """Return a position between two siblings, either of which may be missing; `None` where there is no room."""
    if before is None and after is None:
        return STEP
    if after is None:
        found = (before or 0) + STEP
        return found if found <= LARGEST_POSITION else None
    low = 0 if before is None else before
    found = (low + after) // 2
    return found if low < found < after else None
