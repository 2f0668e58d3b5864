"""What a log tells, kept in tables of its own beside the state: points, penalties, challenges, and what was counted."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import bindparam, delete, func, select, update
from sqlmodel import col

from db.batches import table_of
from db.matches.facts import Facts, PointTaken
from db.matches.log import Logged
from db.matches.tables import Challenge, EventType, Penalty, Point, UnknownMessage
from db.matches.tallies import count_entries
from db.session import Step, Transaction
from db.statements import fixed, insert_many


def facts_steps(told: Mapping[UUID, Facts], event_ids: Mapping[int, UUID]) -> list[Step]:
    """Say how what was told of fights is stored, by their ids. `event_ids` are those of the entries that told it.

    What is taken of points and penalties was there before: what is new is as it is already.
    """

    def rows(fight_id: UUID, facts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [{"match_id": fight_id, **_identity(event_ids[row["seq"]], row), **row} for row in facts]

    steps: dict[Any, list[dict[str, Any]]] = {statement: [] for statement in _OF_FACTS}
    for id_, facts in told.items():
        begun = {seq: row for seq, row in facts.challenges.items() if seq in event_ids}
        steps[_TAKE_POINT] += [_point_taken(id_, these) for these in facts.points_taken]
        steps[_INSERT_POINT] += rows(id_, facts.points)
        steps[_TAKE_BACK] += [_taken_back(id_, these) for these in facts.taken_back]
        steps[_INSERT_PENALTY] += rows(id_, facts.penalties)
        steps[_INSERT_CHALLENGE] += rows(id_, begun.values())
        steps[_CHANGE_CHALLENGE] += [
            {"of_match": id_, **row} for seq, row in facts.challenges.items() if seq not in begun
        ]
    return list(steps.items())


async def forget_facts(tx: Transaction, match_id: UUID) -> None:
    """Take away what was told of a fight, to tell it again."""
    for model in (Point, Penalty, Challenge):
        await tx.execute(delete(table_of(model)).where(table_of(model).c.match_id == match_id))


def counts_steps(mat_id: UUID, logged: Sequence[Logged]) -> list[Step]:
    """Say how entries that were logged are counted."""
    tally = count_entries(logged)
    return [
        (_COUNT_TYPE, [_of_mat(mat_id, "kind", "code", row=row) for row in tally.types]),
        (_COUNT_UNKNOWN, [_of_mat(mat_id, "pattern", row=row) for row in tally.unknown]),
    ]


async def forget_counts(tx: Transaction, mat_id: UUID) -> None:
    """Take away what was counted of a mat's log, to count it again."""
    for model in (EventType, UnknownMessage):
        await tx.execute(delete(table_of(model)).where(table_of(model).c.mat_id == mat_id))


def _identity(event_id: UUID, row: Mapping[str, Any]) -> dict[str, UUID]:
    """Give what an entry told an id that follows from the entry's: told again, it is the same."""
    return {"id": uuid5(event_id, f"{row['side']} {row.get('number', '')}"), "event_id": event_id}


def _of_mat(mat_id: UUID, *by: str, row: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": uuid5(mat_id, " ".join(str(row[name]) for name in by)), "mat_id": mat_id, **row}


def _taken_back(match_id: UUID, these: Any) -> dict[str, Any]:
    return {
        "of_match": match_id,
        "of_side": these.side,
        "of_round": these.round,
        "above": these.above,
        "seq": these.seq,
        "at": these.at,
    }


def _point_taken(match_id: UUID, these: PointTaken) -> dict[str, Any]:
    return {"of_match": match_id, "of_side": these.side, "of_round": these.round, "of_kind": these.kind}


def _counted(model: Any, by: Sequence[str], *latest: str) -> Any:
    """Insert counts, or add to those of the same keys."""
    table = table_of(model)

    def add(statement: Any) -> Any:
        added = {"count": table.c["count"] + statement.excluded["count"]}
        newer = {name: statement.excluded[name] for name in ("last_seen_at", *latest)}
        return statement.on_conflict_do_update(index_elements=list(by), set_={**added, **newer})

    return insert_many(table, add)


def _change_challenge() -> Any:
    table = table_of(Challenge)
    changing = ("state", "answered_at", "decided_at", "blue_score_after", "red_score_after")
    of_it = table.c.match_id == bindparam("of_match", type_=table.c.match_id.type), table.c.seq == bindparam("seq")
    return update(table).where(*of_it).values({name: bindparam(name, type_=table.c[name].type) for name in changing})


def _take_point() -> Any:
    """Delete the last point of a kind that a side was given in a round."""
    table = table_of(Point)
    given = table.alias("given")
    of_match = bindparam("of_match", type_=table.c.match_id.type)
    last = select(func.max(given.c.seq)).where(
        given.c.match_id == of_match,
        given.c.side == bindparam("of_side", type_=table.c.side.type),
        given.c.round == bindparam("of_round"),
        given.c.kind == bindparam("of_kind", type_=table.c.kind.type),
    )
    # An entry gives one point at most.
    return delete(table).where(table.c.match_id == of_match, table.c.seq == last.scalar_subquery())


def _take_back() -> Any:
    table = table_of(Penalty)
    of_side = (
        table.c.match_id == bindparam("of_match", type_=table.c.match_id.type),
        table.c.side == bindparam("of_side", type_=table.c.side.type),
        table.c.round == bindparam("of_round"),
        table.c.number > bindparam("above"),
        col(Penalty.taken_back_seq).is_(None),
    )
    at = bindparam("at", type_=table.c.taken_back_at.type)
    return update(table).where(*of_side).values(taken_back_seq=bindparam("seq"), taken_back_at=at)


_INSERT_POINT = insert_many(table_of(Point))
_INSERT_PENALTY = insert_many(table_of(Penalty))
_INSERT_CHALLENGE = insert_many(table_of(Challenge))
_CHANGE_CHALLENGE = fixed(_change_challenge())
_TAKE_BACK = fixed(_take_back())
_TAKE_POINT = fixed(_take_point())
# In the order in which they are run.
_OF_FACTS = (_TAKE_POINT, _INSERT_POINT, _TAKE_BACK, _INSERT_PENALTY, _INSERT_CHALLENGE, _CHANGE_CHALLENGE)
_COUNT_TYPE = _counted(EventType, ["mat_id", "kind", "code"])
_COUNT_UNKNOWN = _counted(UnknownMessage, ["mat_id", "pattern"], "reason")
