"""People and what they wrote, as it is stored."""

from sqlmodel import col, select

from db.access.tables import User
from db.access.viewer import Viewer
from db.database import Database
from db.social.recount import Drift, find_drift
from db.social.tables import Entry


async def entry_of(db: Database, entry: Entry) -> Entry:
    async with db.read() as session:
        (found,) = await session.rows(select(Entry).where(col(Entry.id) == entry.id))
        return found


async def user_of(db: Database, viewer: Viewer) -> User:
    async with db.read() as session:
        (found,) = await session.rows(select(User).where(col(User.id) == viewer.user_id))
        return found


async def drift(db: Database) -> list[Drift]:
    async with db.read() as session:
        return await find_drift(session)


async def counts(db: Database, entry: Entry) -> tuple[int, int, int, int, int]:
    """Resonances, amplifications, branches, shares and the score."""
    row = await entry_of(db, entry)
    return row.resonance_count, row.amplification_count, row.branch_count, row.share_count, row.score


async def counts_of(db: Database, viewer: Viewer) -> tuple[int, int, int, int]:
    """Followers, following, entries and dreams."""
    row = await user_of(db, viewer)
    return row.follower_count, row.following_count, row.entry_count, row.dream_count
