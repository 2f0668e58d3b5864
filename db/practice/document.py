"""The ancestor's file of goals, `goals_db.json`: read and printed. Pure.

It is a list of trees. A session stands in it under each goal that it is for, with all that is under it: read, it is
one session again. What stands in `attributes` may stand beside them, as it did in older files.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from db.practice.vocabulary import GoalLevel

MOST_NODES = 20_000
_TYPES = {
    "UltimateGoal": GoalLevel.ULTIMATE,
    "LongTermGoal": GoalLevel.LONG_TERM,
    "MidTermGoal": GoalLevel.MID_TERM,
    "ShortTermGoal": GoalLevel.SHORT_TERM,
    "ImmediateGoal": GoalLevel.IMMEDIATE,
    "MicroGoal": GoalLevel.MICRO,
    "NanoGoal": GoalLevel.NANO,
}
_TYPE_OF_LEVEL = {level: name for name, level in _TYPES.items()}
_SESSION = "PracticeSession"
_LONGEST_SHOWN = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """A node that cannot be taken: where it stands, as `2.1` for the first under the second, and why not."""

    place: str
    node_id: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GoalNode:
    """A goal of a file. `created_at` is by the clocks of whoever wrote it."""

    id: UUID
    place: str
    level: GoalLevel
    name: str
    description: str
    deadline: date | None
    is_completed: bool
    created_at: datetime | None
    parent_id: UUID | None
    session_id: UUID | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionNode:
    """A session of a file, with all goals it is for: those it stands under, then those it names beside."""

    id: UUID
    place: str
    name: str
    description: str
    is_completed: bool
    created_at: datetime | None
    parent_ids: tuple[UUID, ...]


@dataclass(kw_only=True)
class Document:
    """What stands in a file: goals before those under them, sessions once each, and what cannot be taken."""

    goals: dict[UUID, GoalNode] = field(default_factory=dict)
    sessions: dict[UUID, SessionNode] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Found:
    """A node as it stands in the file, and what it stands under: a goal, a session or nothing."""

    raw: Any
    place: str
    parent_id: UUID | None = None
    session_id: UUID | None = None


class _Wrong(Exception):
    """What a node says cannot be."""


def read_document(text: str | bytes) -> Document:
    """Read a file. What is wrong with it stands in `refused`, all of it."""
    document = Document()
    try:
        trees = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        document.refused.append(Refused(place="", node_id="", reason=f"This is no JSON: {error}."))
        return document
    if not isinstance(trees, list):
        document.refused.append(Refused(place="", node_id="", reason="The file holds a list of goals."))
        return document
    # The next one is at the end, so that nodes are met as they stand in the file, however deep they are.
    ahead = [_Found(raw, str(number)) for number, raw in enumerate(trees, start=1)][::-1]
    met = 0
    while ahead:
        met += 1
        if met > MOST_NODES:
            reason = f"The file holds more than {MOST_NODES:,} nodes."
            document.refused.append(Refused(place="", node_id="", reason=reason))
            return document
        found = ahead.pop()
        try:
            ahead.extend(_take(document, found))
        except _Wrong as wrong:
            refused = Refused(place=found.place, node_id=_id_shown(found.raw), reason=str(wrong))
            document.refused.append(refused)
    return document


def print_document(
    goals: Sequence[Any], sessions: Sequence[Any], parents: Mapping[UUID, Sequence[UUID]], local: Any
) -> bytes:
    """Print rows as a file; `parents` are the goals of each session, `local` gives an instant by its owner's clocks.

    `goals` come in the order of their paths. A session without goals stands at the top.
    """
    children: dict[UUID | None, list[Any]] = {}
    for goal in goals:
        children.setdefault(goal.parent_id or goal.session_id, []).append(goal)
    tried: dict[UUID | None, list[Any]] = {}
    for session in sessions:
        for goal_id in parents.get(session.id) or (None,):
            tried.setdefault(goal_id, []).append(session)

    def node(row: Any) -> dict[str, Any]:
        attributes = {"id": str(row.id), "type": _SESSION, "description": row.description, "deadline": None}
        if hasattr(row, "level"):
            deadline = None if row.deadline is None else row.deadline.isoformat()
            attributes |= {"type": _TYPE_OF_LEVEL[row.level], "deadline": deadline}
            attributes["completed"] = row.completed_at is not None
        else:
            attributes["completed"] = row.state == "FINISHED"
            attributes["parent_ids"] = [str(one) for one in parents.get(row.id, ())]
        attributes["created_at"] = local(row.created_at).isoformat(timespec="microseconds")
        # Levels bound how deep this goes.
        under = [node(one) for one in (*children.get(row.id, ()), *tried.get(row.id, ()))]
        return {"name": row.name, "id": str(row.id), "attributes": attributes, "children": under}

    tops = [*children.get(None, ()), *tried.get(None, ())]
    return orjson.dumps([node(one) for one in tops], option=orjson.OPT_INDENT_2)


def _take(document: Document, found: _Found) -> Iterator[_Found]:
    """Take one node and return those under it, the last first. Raises `_Wrong`."""
    if not isinstance(found.raw, dict):
        raise _Wrong("A node is an object.")
    said = _said(found.raw)
    node_id = _id(said)
    kind = said.get("type")
    if kind != _SESSION and kind not in _TYPES:
        raise _Wrong(f"There is no type {_shown(kind)}.")
    if kind == _SESSION:
        _take_session(document, found, said, node_id)
        under = {"session_id": node_id}
    else:
        _take_goal(document, found, said, node_id, _TYPES[kind])
        under = {"parent_id": node_id}
    children = _list(found.raw, "children")
    for number in range(len(children), 0, -1):
        yield _Found(children[number - 1], f"{found.place}.{number}", **under)


def _take_goal(document: Document, found: _Found, said: Mapping[str, Any], node_id: UUID, level: GoalLevel) -> None:
    goal = GoalNode(
        id=node_id,
        place=found.place,
        level=level,
        name=_text(said, "name"),
        description=_text(said, "description"),
        deadline=_deadline(said),
        is_completed=_flag(said, "completed"),
        created_at=_created_at(said),
        parent_id=found.parent_id,
        session_id=found.session_id,
    )
    known = document.goals.setdefault(node_id, goal)
    if node_id in document.sessions:
        raise _Wrong("A session of the file has this id.")
    if known is not goal and _but_place(known) != _but_place(goal):
        raise _Wrong("The file says something else of a goal of this id before.")


def _take_session(document: Document, found: _Found, said: Mapping[str, Any], node_id: UUID) -> None:
    if found.session_id is not None:
        raise _Wrong("A session does not stand under a session.")
    if node_id in document.goals:
        raise _Wrong("A goal of the file has this id.")
    beside = _list(said, "parent_ids")
    session = SessionNode(
        id=node_id,
        place=found.place,
        name=_text(said, "name"),
        description=_text(said, "description"),
        is_completed=_flag(said, "completed"),
        created_at=_created_at(said),
        parent_ids=tuple(filter(None, [found.parent_id, *map(_uuid, beside)])),
    )
    known = document.sessions.get(node_id, session)
    of_copy = {"name", "description", "is_completed", "created_at"}
    if any(getattr(known, name) != getattr(session, name) for name in of_copy):
        raise _Wrong("The file says something else of a session of this id before.")
    every = tuple(dict.fromkeys((*known.parent_ids, *session.parent_ids)))
    document.sessions[node_id] = SessionNode(
        **{name: getattr(known, name) for name in of_copy}, id=node_id, place=known.place, parent_ids=every
    )


def _said(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a node says, wherever it says it."""
    attributes = raw.get("attributes")
    if attributes is None:
        return dict(raw)
    if not isinstance(attributes, dict):
        raise _Wrong("`attributes` is an object.")
    return {**raw, **attributes}


def _list(said: Mapping[str, Any], name: str) -> list[Any]:
    value = said.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _Wrong(f"`{name}` is a list.")
    return value


def _id(said: Mapping[str, Any]) -> UUID:
    if said.get("id") is None:
        raise _Wrong("A node has an `id`.")
    return _uuid(said["id"])


def _uuid(value: Any) -> UUID:
    try:
        return UUID(value)
    except (ValueError, TypeError, AttributeError) as error:
        raise _Wrong(f"This is no UUID: {_shown(value)}.") from error


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    if value is not None and not isinstance(value, str):
        raise _Wrong(f"`{name}` is a text.")
    return value or ""


def _flag(said: Mapping[str, Any], name: str) -> bool:
    value = said.get(name)
    if value is not None and not isinstance(value, bool):
        raise _Wrong(f"`{name}` is true or false.")
    return bool(value)


def _deadline(said: Mapping[str, Any]) -> date | None:
    value = said.get("deadline")
    if value is None:
        return None
    try:
        return datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007 -- a day has no zone
    except (ValueError, TypeError) as error:
        raise _Wrong(f"A deadline is a day as 2026-12-31, this is none: {_shown(value)}.") from error


def _created_at(said: Mapping[str, Any]) -> datetime | None:
    value = said.get("created_at")
    if value is None:
        return None
    try:
        return datetime.fromisoformat(value)
    except (ValueError, TypeError) as error:
        raise _Wrong(f"`created_at` is a time as 2025-12-21T22:52:28, this is none: {_shown(value)}.") from error


def _but_place(goal: GoalNode) -> tuple[Any, ...]:
    return tuple(getattr(goal, name) for name in GoalNode.__slots__ if name != "place")


def _id_shown(raw: Any) -> str:
    if not isinstance(raw, dict):
        return ""
    attributes = raw.get("attributes")
    found = raw.get("id") or (attributes.get("id") if isinstance(attributes, dict) else None)
    return found[:_LONGEST_SHOWN] if isinstance(found, str) else ""


def _shown(value: Any) -> str:
    return repr(value)[:_LONGEST_SHOWN]
