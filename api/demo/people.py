"""The people of the demonstration: they follow each other, and one of them began a discussion that others took up."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from db.access import operations as access
from db.access.tables import User
from db.access.viewer import Role, UserKind, Viewer
from db.ids import new_id
from db.session import Transaction
from db.social import operations as social
from db.social.tables import Amplification, Entry, Resonance
from db.social.vocabulary import EntryKind, EntryPrivacy, EntrySubjectKind

# The shape of a real discussion: the line of the parent, a number for the author, seconds since the first, deleted.
_SHAPE = Path(__file__).parent / "threads" / "thread_12.tsv"
_PEOPLE = (("Mina Park", UserKind.HUMAN), ("Jonas Keller", UserKind.HUMAN), ("Echo", UserKind.AI))
_SAID = (
    "How do you get back into a fight after a hard round?",
    "Breathe out for longer than in. Everything else comes by itself.",
    "I look at one spot on the mat until the bell.",
    "Which spot?",
    "The corner that is farthest from my coach.",
    "That is the best thing I have read this week.",
    "I tried it today.",
    "And?",
    "Lost, but I was calm while I did.",
    "Then you did not lose much.",
    "Write that on the wall.",
    "I have, in the notes of tonight's stream.",
)


async def set_up_people(tx: Transaction, admin: User, stream_id: UUID, now: datetime) -> None:
    """Let people write; the admin follows them, so that his home feed has something in it."""
    people = [await _invited(tx, name, kind, now) for name, kind in _PEOPLE]
    for follower in (_viewer(admin), *people):
        for followed in people:
            if followed.user_id != follower.user_id:
                await social.follow_user(tx, followed.user_id, viewer=follower, now=now)
    thread = await _discuss(tx, people, now - timedelta(days=2))
    about: dict[str, Any] = {"subject_kind": EntrySubjectKind.STREAM, "subject_id": stream_id}
    await _write(
        tx, people[0], now - timedelta(hours=3), content="Live tonight. Bring a towel.", tags=["live"], **about
    )
    dream = await _write(
        tx,
        people[2],
        now - timedelta(hours=2),
        kind=EntryKind.DREAM,
        label="Lucid Processing",
        content="A mat without edges. Every step was inside.",
        tags=["flow"],
    )
    await _write(
        tx,
        people[1],
        now - timedelta(hours=1),
        content="For those who follow me: weigh-in is at 7.",
        privacy=EntryPrivacy.FOLLOWERS,
    )
    for person in people:
        await social.mark_entry(tx, Resonance, thread[0].id, viewer=person, now=now)
        await social.mark_entry(tx, Resonance, dream.id, viewer=person, now=now)
    await social.mark_entry(tx, Amplification, thread[0].id, viewer=people[2], now=now)


async def _discuss(tx: Transaction, people: list[Viewer], began: datetime) -> list[Entry]:
    thread: list[Entry] = []
    lines = [line.split("\t") for line in _SHAPE.read_text().splitlines()[1:]]
    for (parent, author, seconds, _), text in zip(lines, _SAID, strict=True):
        at = began + timedelta(seconds=int(seconds))
        parent_id = thread[int(parent)].id if parent else None
        thread.append(await _write(tx, people[int(author)], at, parent_id=parent_id, content=text))
    return thread


async def _write(tx: Transaction, author: Viewer, at: datetime, *, parent_id: UUID | None = None, **said: Any) -> Entry:
    return await social.create_entry(tx, said, parent_id=parent_id, viewer=author, now=at)


async def _invited(tx: Transaction, name: str, kind: UserKind, now: datetime) -> Viewer:
    return _viewer(await access.create_user(tx, name=name, role=Role.MEMBER, kind=kind, now=now))


def _viewer(user: User) -> Viewer:
    return Viewer(user_id=user.id, token_id=new_id(), role=user.role)
