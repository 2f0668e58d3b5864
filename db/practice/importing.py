"""Taking in a file of goals: merged by id with what is there, all of it or nothing; and giving it out again.

The whole of what somebody practises is laid out in memory, the file over it, and checked there by the same guard that
every other change passes. Only then it is stored: what is new and what changed, and nothing else.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.access.viewer import Role, Viewer, ViewerKind
from db.batches import table_of
from db.errors import Forbidden, Refusal
from db.parameters import any_of
from db.practice.document import Document, GoalNode, Refused, SessionNode, print_document, read_document
from db.practice.events import PracticeSessionChanged
from db.practice.lines import goals_of, links_of
from db.practice.operations import NEW_GOAL, goal_columns
from db.practice.paths import STEP, depth_of, label
from db.practice.placing import Candidate, Place, check_place
from db.practice.sessions import MOST_GOALS_OF_SESSION, NEW_SESSION, session_columns
from db.practice.tables import Goal, PracticeSession, PracticeSessionGoal
from db.practice.visibility import visible_goals, visible_sessions
from db.practice.vocabulary import GoalCompletionCause, GoalLevel, PracticeSessionState
from db.practice.writing import hold_practice, may_change, settle, touch
from db.session import Session, Transaction
from db.zones import time_zone

# The house itself sees everything.
_HOUSE = ViewerKind(Role.ADMIN, is_overlay=False)
_AT_ONCE = 500
_MOST_REFUSED = 1000
_GOAL_COLUMNS = tuple(table_of(Goal).c.keys())
_SESSION_COLUMNS = tuple(table_of(PracticeSession).c.keys())

Row = dict[str, Any]
T = TypeVar("T")
Progress = Callable[[int, int], None]
Note = Callable[[int], None]


def _uncounted(_: int) -> None:
    """Count no rows."""


@dataclass(kw_only=True)
class Report:
    """What became of a file: how many rows were made, merged with others, and left as they were.

    With anything `refused` nothing was stored. `dangling` names parents that are nowhere: the session stands without
    them.
    """

    made: int = 0
    merged: int = 0
    unchanged: int = 0
    linked: int = 0
    refused: list[Refused] = field(default_factory=list)
    dangling: list[Refused] = field(default_factory=list)


@dataclass(kw_only=True)
class _Layout:
    """What is practised, as it would be: rows by id, and which session is for which goals."""

    owner_id: UUID
    goals: dict[UUID, Row]
    sessions: dict[UUID, Row]
    links: dict[UUID, list[UUID]]
    changed: dict[UUID, bool] = field(default_factory=dict)
    new_links: list[Row] = field(default_factory=list)


async def import_goals(
    tx: Transaction,
    text: str | bytes,
    *,
    owner_id: UUID,
    is_dry_run: bool = False,
    progress: Progress | None = None,
    viewer: Viewer | None,
    now: datetime,
) -> Report:
    """Take in a file, and say what became of it. The same file again changes nothing. Raises `Forbidden`."""
    if not may_change(viewer, owner_id):
        raise Forbidden("These goals belong to somebody else.")
    document = read_document(text)
    report = Report(refused=document.refused)
    if document.refused:
        return _cut(report)
    practice = await hold_practice(tx, owner_id)
    layout = await _laid_out(tx, owner_id)
    report.refused += await _taken_ids(tx, document, layout)
    by = None if viewer is None else viewer.user_id
    _lay_over(document, layout, report, _Writer(now=now, zone=time_zone(practice.time_zone), by=by))
    if not report.refused:
        report.refused += [*_misplaced(document, layout), *_converted(document, layout)]
    report.linked = len(layout.new_links)
    for is_new in layout.changed.values():
        report.made += is_new
        report.merged += not is_new
    report.unchanged = len(document.goals) + len(document.sessions) - report.made - report.merged
    if report.refused:
        return _cut(replace(report, made=0, merged=0, unchanged=0, linked=0))
    if not is_dry_run:
        await _store(tx, layout, progress or _silently, now)
    return report


async def export_goals(
    session: Session, *, owner_id: UUID, zone: ZoneInfo, viewer: Viewer | None, note: Note = _uncounted
) -> bytes:
    """Print what somebody practises as a file, times by the clocks of a zone. What was deleted is left out.

    Each time rows were read, `note` is told how many.
    """
    kind = _HOUSE if viewer is None else viewer.kind
    parameters = {} if viewer is None else viewer.parameters
    live = goals_of(owner_id).where(visible_goals(kind))
    goals = await session.rows(live.order_by(col(Goal.path)), **parameters)
    note(len(goals))
    own = col(PracticeSession.owner_id) == owner_id, visible_sessions(kind)
    newest_last = col(PracticeSession.created_at), col(PracticeSession.id)
    sessions = await session.rows(select(PracticeSession).where(*own).order_by(*newest_last), **parameters)
    note(len(sessions))
    known = {goal.id for goal in goals}
    order = {goal.id: number for number, goal in enumerate(goals)}
    parents: dict[UUID, list[UUID]] = {}
    links = await session.rows(links_of(owner_id))
    note(len(links))
    for link in links:
        if link.goal_id in known:
            parents.setdefault(link.session_id, []).append(link.goal_id)
    for named in parents.values():
        named.sort(key=order.__getitem__)
    return print_document(goals, sessions, parents, lambda at: at.astimezone(zone).replace(tzinfo=None))


@dataclass(frozen=True, kw_only=True)
class _Writer:
    """Who takes a file in, when, and by which clocks it was written."""

    now: datetime
    zone: ZoneInfo
    by: UUID | None

    def created_at(self, written: datetime | None) -> datetime:
        if written is None:
            return self.now
        return (written if written.tzinfo else written.replace(tzinfo=self.zone)).astimezone(UTC)


async def _laid_out(tx: Transaction, owner_id: UUID) -> _Layout:
    goals = await tx.tuples(goals_of(owner_id))
    sessions = await tx.tuples(select(PracticeSession).where(col(PracticeSession.owner_id) == owner_id))
    links: dict[UUID, list[UUID]] = {}
    for link in await tx.rows(links_of(owner_id)):
        links.setdefault(link.session_id, []).append(link.goal_id)
    return _Layout(
        owner_id=owner_id,
        goals={row["id"]: row for row in (dict(zip(_GOAL_COLUMNS, one, strict=True)) for one in goals)},
        sessions={row["id"]: row for row in (dict(zip(_SESSION_COLUMNS, one, strict=True)) for one in sessions)},
        links=links,
    )


async def _taken_ids(tx: Transaction, document: Document, layout: _Layout) -> list[Refused]:
    """Refuse nodes whose ids are those of somebody else's rows."""
    taken: list[Refused] = []
    groups: list[tuple[Any, Mapping[UUID, GoalNode | SessionNode], Mapping[UUID, Row]]] = [
        (Goal, document.goals, layout.goals),
        (PracticeSession, document.sessions, layout.sessions),
    ]
    for model, nodes, own in groups:
        for others in _in_parts([node_id for node_id in nodes if node_id not in own]):
            found = await tx.tuples(select(col(model.id)).where(any_of(col(model.id), others)))
            taken += [_refused(nodes[node_id], "Somebody else has something of this id.") for (node_id,) in found]
    return taken


def _lay_over(document: Document, layout: _Layout, report: Report, writer: _Writer) -> None:
    for session in document.sessions.values():
        _try(report, session, partial(_lay_session, layout, session, writer))
        _link(document, layout, session, report)
    last = _last_positions(layout.goals.values())
    for goal in document.goals.values():
        _try(report, goal, partial(_lay_goal, layout, goal, last, writer))


def _try(report: Report, node: GoalNode | SessionNode, lay: Callable[[], None]) -> None:
    try:
        lay()
    except Refusal as refusal:
        report.refused.append(_refused(node, refusal.message))


def _lay_goal(layout: _Layout, node: GoalNode, last: dict[Any, int], writer: _Writer) -> None:
    said = {"name": node.name, "description": node.description, "deadline": node.deadline}
    columns = {**goal_columns(said), "level": node.level, "parent_id": node.parent_id, "session_id": node.session_id}
    row = layout.goals.get(node.id)
    if row is None:
        row = {**dict.fromkeys(_GOAL_COLUMNS), **NEW_GOAL, "id": node.id, "revision": 0}
        row |= {"owner_id": layout.owner_id, "tree_revision": 0, "created_at": writer.created_at(node.created_at)}
        row["changed_at"] = writer.now
        layout.goals[node.id] = row
        layout.changed[node.id] = True
    if row["position"] is None or (row["parent_id"], row["session_id"]) != (node.parent_id, node.session_id):
        place = node.parent_id or node.session_id
        last[place] = last.get(place, 0) + STEP
        columns["position"] = last[place]
    if node.is_completed != (row["completed_at"] is not None):
        done = (writer.now, GoalCompletionCause.MANUAL, writer.by) if node.is_completed else (None, None, None)
        columns |= dict(zip(("completed_at", "completion_cause", "completed_by_id"), done, strict=True))
    columns |= {"deleted_at": None, "deletion_id": None}
    _set(layout, row, columns, writer)


def _lay_session(layout: _Layout, node: SessionNode, writer: _Writer) -> None:
    columns = session_columns({"name": node.name, "description": node.description})
    row = layout.sessions.get(node.id)
    if row is None:
        row = {**dict.fromkeys(_SESSION_COLUMNS), **NEW_SESSION, "id": node.id, "owner_id": layout.owner_id}
        row |= {"practised_ms": 0, "interruption_count": 0, "revision": 0, "state": PracticeSessionState.PLANNED}
        row |= {"created_at": writer.created_at(node.created_at), "changed_at": writer.now}
        layout.sessions[node.id] = row
        layout.changed[node.id] = True
    if node.is_completed and row["state"] is PracticeSessionState.PLANNED:
        columns["state"] = PracticeSessionState.FINISHED
    columns |= {"deleted_at": None, "deletion_id": None}
    _set(layout, row, columns, writer)


def _set(layout: _Layout, row: Row, columns: Row, writer: _Writer) -> None:
    """Set columns of a row, and remember it if that changes any."""
    is_new = layout.changed.get(row["id"], False)
    if any(row[name] != value for name, value in columns.items()):
        row.update(columns)
        layout.changed[row["id"]] = is_new
        if not is_new:
            row |= {"revision": row["revision"] + 1, "changed_at": writer.now}


def _link(document: Document, layout: _Layout, node: SessionNode, report: Report) -> None:
    """Let a session be for the goals it names; those that are nowhere are told."""
    known = layout.links.setdefault(node.id, [])
    for goal_id in node.parent_ids:
        stored = layout.goals.get(goal_id)
        level = document.goals[goal_id].level if goal_id in document.goals else stored and stored["level"]
        if level is None:
            report.dangling.append(_refused(node, f"The goal {goal_id} it is for is nowhere."))
        elif level is not GoalLevel.SHORT_TERM:
            report.refused.append(_refused(node, f"A session is for goals of level SHORT_TERM, not {level}."))
        elif goal_id not in known:
            known.append(goal_id)
            layout.new_links.append({"session_id": node.id, "goal_id": goal_id})
    if len(known) > MOST_GOALS_OF_SESSION:
        report.refused.append(_refused(node, f"A session is for {MOST_GOALS_OF_SESSION} goals at most."))


def _misplaced(document: Document, layout: _Layout) -> Iterator[Refused]:
    """Work out where every goal stands, from the top down, and refuse what may not stand there."""
    children: dict[Any, list[Row]] = {}
    for row in layout.goals.values():
        if row["position"] is not None:
            children.setdefault(row["parent_id"] or row["session_id"], []).append(row)
    tops = [(Place(owner_id=layout.owner_id), row) for row in children.get(None, ())]
    for session_id in layout.sessions:
        place = Place(owner_id=layout.owner_id, session_id=session_id, within_session_id=session_id)
        tops += [(place, row) for row in children.get(session_id, ())]
    reached: set[UUID] = set()
    ahead: list[tuple[Place, Row]] = tops
    while ahead:
        place, row = ahead.pop()
        reached.add(row["id"])
        refused = _placed(document, layout, row, place)
        if refused is not None:
            yield refused
        below = _place_under(row, place)
        ahead += [(below, child) for child in children.get(row["id"], ())]
    for node in document.goals.values():
        if node.id in layout.goals and node.id not in reached:
            yield _refused(node, "It would stand under itself, by way of goals that are there already.")


def _converted(document: Document, layout: _Layout) -> Iterator[Refused]:
    """Refuse levels that sessions stand in the way of."""
    practised = {goal_id for goal_ids in layout.links.values() for goal_id in goal_ids}
    for node in document.goals.values():
        if node.id in practised and node.level is not GoalLevel.SHORT_TERM:
            yield _refused(node, "Sessions are for it, and sessions are for short-term goals.")


def _placed(document: Document, layout: _Layout, row: Row, place: Place) -> Refused | None:
    """Put a row at a place. What was there and stays under the same goal was checked when it was put there."""
    position = {
        "path": place.path + label(row["position"], row["id"]),
        "root_id": place.root_id or row["id"],
        "within_session_id": place.within_session_id,
    }
    if any(row[name] != value for name, value in position.items()):
        row.update(position)
        layout.changed.setdefault(row["id"], False)
    node = document.goals.get(row["id"])
    is_touched = node is not None or place.parent_id in document.goals
    if row["deleted_at"] is not None or not is_touched:
        return None
    try:
        candidate = Candidate(owner_id=row["owner_id"], level=row["level"], latest_deadline=row["deadline"])
        check_place(candidate, place, field="document")
    except Refusal as refusal:
        where = node or document.goals.get(place.parent_id or row["id"])
        return _refused(where, refusal.message)
    return None


def _place_under(row: Row, place: Place) -> Place:
    deadlines: list[date] = [one for one in (place.deadline, row["deadline"]) if one is not None]
    return Place(
        owner_id=row["owner_id"],
        parent_id=row["id"],
        level=row["level"],
        deadline=min(deadlines, default=None),
        path=row["path"],
        root_id=row["root_id"],
        within_session_id=row["within_session_id"],
    )


async def _store(tx: Transaction, layout: _Layout, progress: Progress, now: datetime) -> None:
    """Store what is new and what changed, a goal before what stands under it."""
    sessions = [row for row in layout.sessions.values() if row["id"] in layout.changed]
    goals = sorted(
        (row for row in layout.goals.values() if row["id"] in layout.changed), key=lambda row: len(row["path"])
    )
    total, done = len(sessions) + len(goals), 0
    for statement, rows in ((_UPSERT_SESSION, sessions), (_UPSERT_GOAL, goals)):
        for part in _in_parts(rows):
            await tx.execute_many(statement, part)
            done += len(part)
            progress(done, total)
    await tx.execute_many(_INSERT_LINK, layout.new_links)
    await _settle_all(tx, layout, now)
    await _tell(tx, layout, {row["root_id"] for row in goals}, sessions)


async def _settle_all(tx: Transaction, layout: _Layout, now: datetime) -> None:
    """Settle the goals that complete with those under them, the lowest first."""
    led = [row for row in layout.goals.values() if row["is_completed_with_children"] and row["deleted_at"] is None]
    for row in sorted(led, key=lambda row: depth_of(row["path"]), reverse=True):
        await settle(tx, row["id"], now)


async def _tell(tx: Transaction, layout: _Layout, roots: set[UUID], sessions: Iterable[Row]) -> None:
    linked = {layout.goals[link["goal_id"]]["root_id"] for link in layout.new_links}
    await touch(tx, roots | linked)
    for part in _in_parts([row["id"] for row in sessions]):
        for session in await tx.rows(select(PracticeSession).where(any_of(col(PracticeSession.id), part))):
            tx.record(PracticeSessionChanged(session=session))


def _in_parts(values: list[T]) -> Iterator[list[T]]:
    """Cut a list into parts that a statement takes at once."""
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]


def _last_positions(rows: Iterable[Row]) -> dict[Any, int]:
    last: dict[Any, int] = {}
    for row in rows:
        place = row["parent_id"] or row["session_id"]
        last[place] = max(last.get(place, 0), row["position"])
    return last


def _refused(node: GoalNode | SessionNode | None, reason: str) -> Refused:
    if node is None:
        return Refused(place="", node_id="", reason=reason)
    return Refused(place=node.place, node_id=str(node.id), reason=reason)


def _cut(report: Report) -> Report:
    """Tell a thousand refusals at most."""
    return replace(report, refused=report.refused[:_MOST_REFUSED], dangling=report.dangling[:_MOST_REFUSED])


def _silently(_: int, __: int) -> None:
    """Tell nobody how far it is."""


def _upsert(model: Any, columns: Iterable[str]) -> Any:
    statement = upsert(model)
    kept = {name: statement.excluded[name] for name in columns if name not in {"id", "owner_id", "created_at"}}
    return statement.on_conflict_do_update(index_elements=["id"], set_=kept)


_UPSERT_GOAL = _upsert(Goal, _GOAL_COLUMNS)
_UPSERT_SESSION = _upsert(PracticeSession, _SESSION_COLUMNS)
_INSERT_LINK = upsert(PracticeSessionGoal).on_conflict_do_nothing()
