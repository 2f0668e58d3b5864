"""Comparing the counters with what they count, and mending them. Nothing should ever differ; somebody may have."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Table, func, or_, select, update

from db.access.tables import User
from db.batches import table_of
from db.parameters import any_of
from db.session import Session, Transaction
from db.social.events import EntryChanged, UserCountsChanged
from db.social.ranks import worth
from db.social.tables import Amplification, Entry, Follow, Resonance, Share
from db.social.vocabulary import EntryKind, EntryPrivacy

_AT_A_TIME = 500


@dataclass(frozen=True, kw_only=True)
class Drift:
    """A counter that does not say what there is."""

    table: str
    id: UUID
    counter: str
    counted: int
    actual: int


async def find_drift(session: Session) -> list[Drift]:
    """Compare every counter with what it counts."""
    return [drift for table, counters in _counters() for drift in await _differences(session, table, counters)]


async def repair(tx: Transaction, found: Sequence[Drift]) -> None:
    """Count anew what was found to differ, in one order and under locks, so that what happens meanwhile counts too."""
    for table, counters in _counters():
        ids = sorted({one.id for one in found if one.table == table.name})
        for start in range(0, len(ids), _AT_A_TIME):
            await _repair(tx, table, counters, ids[start : start + _AT_A_TIME])


async def _differences(session: Session, table: Table, counters: dict[str, Any]) -> list[Drift]:
    names = list(counters)
    actual = [counters[name].label(f"actual_{name}") for name in names]
    counted = select(table.c.id, *(table.c[name] for name in names), *actual).subquery("counted")
    differs = or_(*(counted.c[name] != counted.c[f"actual_{name}"] for name in names))
    rows = await session.tuples(select(*counted.c).where(differs).order_by(counted.c.id))
    return [
        Drift(table=table.name, id=row[0], counter=name, counted=row[1 + place], actual=row[1 + len(names) + place])
        for row in rows
        for place, name in enumerate(names)
        if row[1 + place] != row[1 + len(names) + place]
    ]


async def _repair(tx: Transaction, table: Table, counters: dict[str, Any], ids: Sequence[UUID]) -> None:
    # Whoever is counting just now has either committed, and is seen below, or waits, and adds to what is written here.
    await tx.tuples(select(table.c.id).where(any_of(table.c.id, ids)).order_by(table.c.id).with_for_update())
    values = {**counters, "revision": table.c.revision + 1}
    rows = await tx.rows(update(table).where(any_of(table.c.id, ids)).values(**values).returning(table))
    for row in rows:
        if table.name == "users":
            tx.record(UserCountsChanged(user=row))
            continue
        score = row.resonance_count + row.amplification_count
        ranks = {"score": score, "heat": row.heat - worth(row.score) + worth(score)}
        mended = await tx.row(update(table).where(table.c.id == row.id).values(**ranks).returning(table))
        tx.record(EntryChanged(entry=cast("Entry", mended)))


def _counters() -> list[tuple[Table, dict[str, Any]]]:
    """Return what each counter counts, by its table and name."""
    entries, users, replies = table_of(Entry), table_of(User), table_of(Entry).alias("reply")
    is_open = replies.c.deleted_at.is_(None), replies.c.privacy == EntryPrivacy.PUBLIC
    own = replies.c.author_id == users.c.id, replies.c.root_privacy == EntryPrivacy.PUBLIC, *is_open
    return [
        (
            entries,
            {
                "resonance_count": _count(Resonance, "entry_id", entries),
                "amplification_count": _count(Amplification, "entry_id", entries),
                "share_count": _count(Share, "entry_id", entries),
                "branch_count": _number(replies, replies.c.parent_id == entries.c.id, *is_open),
            },
        ),
        (
            users,
            {
                "follower_count": _count(Follow, "followed_id", users),
                "following_count": _count(Follow, "follower_id", users),
                "entry_count": _number(replies, *own, replies.c.kind == EntryKind.LOGBOOK),
                "dream_count": _number(replies, *own, replies.c.kind == EntryKind.DREAM),
            },
        ),
    ]


def _count(model: Any, key: str, of: Table) -> Any:
    facts = table_of(model)
    return _number(facts, facts.c[key] == of.c.id)


def _number(of: Any, *conditions: ColumnElement[bool]) -> Any:
    return select(func.count()).select_from(of).where(*conditions).scalar_subquery()
