"""What of the social graph a viewer may see: one predicate of entries, that every way to them asks.

An entry is seen by its author, by everybody if it is public, and by its author's followers if it is for them; and
nobody sees a reply who does not see the root of its thread. Overlays see no people, and nothing that people wrote.
"""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    Uuid,
    and_,
    bindparam,
    exists,
    false,
    literal_column,
    or_,
    select,
)
from sqlmodel import col

from db.access.viewer import Role, ViewerKind
from db.batches import Visible, table_of
from db.social.tables import Amplification, Entry, Follow, Resonance
from db.social.vocabulary import EntryPrivacy

DEEPEST = 100
_VIEWER = bindparam("viewer_id", type_=Uuid())
_ENTRIES = table_of(Entry)
# What begins a thread and was not deleted: of these there are indexes.
ROOTS = (_ENTRIES.c.depth == literal_column("0", Integer()), _ENTRIES.c.deleted_at.is_(None))


def visible_entries(viewer: ViewerKind) -> ColumnElement[bool]:
    """Say which entries are seen, those that were deleted and left their place in a thread included."""
    return _seen(viewer, _ENTRIES)


def shown_entries(viewer: ViewerKind) -> ColumnElement[bool]:
    """Say which entries are listed: those that are seen and were not deleted."""
    return and_(col(Entry.deleted_at).is_(None), visible_entries(viewer))


def entries_shown_to(user_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Say of an entry and a user, who is a row beside it and no overlay, whether it is listed for him."""
    return and_(col(Entry.deleted_at).is_(None), _admitting(_ENTRIES, user_id))


def editable_entries(viewer: ViewerKind) -> ColumnElement[bool]:
    """Say which entries the viewer may change: his own."""
    if not viewer.has_role(Role.MEMBER):
        return false()
    return and_(col(Entry.author_id) == _VIEWER, shown_entries(viewer))


def deletable_entries(viewer: ViewerKind) -> ColumnElement[bool]:
    """Say which entries the viewer may delete: his own, and what an admin sees."""
    return shown_entries(viewer) if viewer.has_role(Role.ADMIN) else editable_entries(viewer)


def answerable_entries(viewer: ViewerKind) -> ColumnElement[bool]:
    """Say which entries the viewer may reply to."""
    if not viewer.has_role(Role.MEMBER):
        return false()
    return and_(col(Entry.depth) < DEEPEST, shown_entries(viewer))


def root_entries(viewer: ViewerKind) -> ColumnElement[bool]:
    """Say which entries are listed that begin a thread. What such a one lets in, its thread does."""
    if viewer.is_overlay:
        return false()
    return and_(*ROOTS, _admitted(_ENTRIES.c.privacy, _ENTRIES.c.author_id, _VIEWER))


def feed_entries(viewer: ViewerKind) -> ColumnElement[bool]:
    """Say which entries are in the feeds of everybody: public roots. Overlays see none of them, either."""
    return and_(col(Entry.privacy) == _constant(EntryPrivacy.PUBLIC), root_entries(viewer))


def visible_follows(viewer: ViewerKind) -> ColumnElement[bool] | None:
    """Users see who follows whom."""
    return false() if viewer.is_overlay else None


def mutual_follows(viewer: ViewerKind) -> ColumnElement[bool]:
    """Say which follows are returned."""
    if viewer.is_overlay:
        return false()
    back = table_of(Follow).alias("back")
    return exists(
        select(1).where(back.c.follower_id == col(Follow.followed_id), back.c.followed_id == col(Follow.follower_id))
    )


def viewers_resonances(viewer: ViewerKind) -> ColumnElement[bool]:
    """Say which resonances are the viewer's own."""
    return false() if viewer.is_overlay else col(Resonance.user_id) == _VIEWER


def viewers_amplifications(viewer: ViewerKind) -> ColumnElement[bool]:
    """Say which amplifications are the viewer's own."""
    return false() if viewer.is_overlay else col(Amplification.user_id) == _VIEWER


def viewers_follows(viewer: ViewerKind) -> ColumnElement[bool]:
    """Say which follows are the viewer's own."""
    return false() if viewer.is_overlay else col(Follow.follower_id) == _VIEWER


def follows_of_viewer(viewer: ViewerKind) -> ColumnElement[bool]:
    """Say who follows the viewer."""
    return false() if viewer.is_overlay else col(Follow.followed_id) == _VIEWER


def followed_by_viewer() -> Select[Any]:
    """Select the ids of those whom the viewer follows."""
    return select(col(Follow.followed_id).label("key")).where(col(Follow.follower_id) == _VIEWER)


def within_shown_entry(entry_id: Any) -> Visible:
    """Say of a table that its rows are seen with the entry they belong to, while that is listed."""
    entry = _ENTRIES.alias("entry")

    def visible(viewer: ViewerKind) -> ColumnElement[bool]:
        return exists(select(1).where(entry.c.id == entry_id, entry.c.deleted_at.is_(None), _seen(viewer, entry)))

    return visible


def _seen(viewer: ViewerKind, entries: Any) -> ColumnElement[bool]:
    return false() if viewer.is_overlay else _admitting(entries, _VIEWER)


def _admitting(entries: Any, user_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Say of an entry and the root of its thread whether they let a user in."""
    return and_(
        _admitted(entries.c.privacy, entries.c.author_id, user_id),
        _admitted(entries.c.root_privacy, entries.c.root_author_id, user_id),
    )


def _admitted(privacy: Any, author_id: Any, user_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Say of an author's privacy whether it lets a user in."""
    mine = table_of(Follow).alias("mine")
    follows = exists(select(1).where(mine.c.follower_id == user_id, mine.c.followed_id == author_id))
    return or_(
        privacy == _constant(EntryPrivacy.PUBLIC),
        author_id == user_id,
        and_(privacy == _constant(EntryPrivacy.FOLLOWERS), follows),
    )


def _constant(privacy: EntryPrivacy) -> ColumnElement[str]:
    """Write a privacy into the statement itself: a parameter would keep the databases from indexes of a condition."""
    return literal_column(f"'{privacy.value}'", String())
