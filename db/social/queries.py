"""How entries, their marks and follows are read."""

from sqlalchemy import String, bindparam, select
from sqlmodel import col

from db.access.tables import User
from db.access.visibility import visible_users
from db.batches import Gathered, Order, Pages, Searched, ToOne
from db.parameters import any_of
from db.social.searching import newest_with_words
from db.social.tables import Amplification, Entry, EntryTag, Follow, Resonance
from db.social.visibility import (
    DEEPEST,
    ROOTS,
    answerable_entries,
    deletable_entries,
    editable_entries,
    feed_entries,
    followed_by_viewer,
    follows_of_viewer,
    mutual_follows,
    root_entries,
    shown_entries,
    viewers_amplifications,
    viewers_follows,
    viewers_resonances,
    visible_entries,
    visible_follows,
    within_shown_entry,
)
from db.walks import Bound, Walk

_BY_TIME = {
    "NEWEST": Order(columns=("created_at", "id"), is_descending=True),
    "OLDEST": Order(columns=("created_at", "id")),
}
ENTRY_ORDERS = {
    **_BY_TIME,
    "POPULAR": Order(columns=("score", "created_at", "id"), is_descending=True),
    "TRENDING": Order(columns=("heat", "id"), is_descending=True),
}
ENTRY_FILTERS = {
    "kinds": any_of(col(Entry.kind), "filter_kinds"),
    "tag": col(Entry.id).in_(
        select(col(EntryTag.entry_id)).where(col(EntryTag.tag) == bindparam("filter_tag", type_=String()))
    ),
}
_COMMITTED = {"COMMITTED": Order(columns=("seq",))}
_REPLY_ORDERS = {
    "BRANCH": Order(columns=("branch_order", "id")),
    "NEWEST": Order(columns=("branch_order", "id"), is_descending=True),
    "POPULAR": Order(columns=("score", "created_at", "id"), is_descending=True),
}

entry_by_id = ToOne(model=Entry, visible=visible_entries)
replies_by_entry = Pages(model=Entry, by="parent_id", orders=_REPLY_ORDERS, visible=visible_entries)
# Above an entry the root comes first, below it the replies as they are shown, each before those to it.
ancestors = Walk(
    model=Entry,
    parent="parent_id",
    order="depth",
    child_order="branch_order",
    is_upward=True,
    bounds={"most": Bound(usual=20, most=DEEPEST)},
    visible=visible_entries,
)
thread = Walk(
    model=Entry,
    parent="parent_id",
    order="path",
    child_order="branch_order",
    bounds={
        "most": Bound(usual=200, most=2_000),
        "depth": Bound(usual=10, most=DEEPEST),
        "branching": Bound(usual=20, most=1_000),
    },
    visible=visible_entries,
)
entries_by_author = Pages(
    model=Entry, by="author_id", orders=ENTRY_ORDERS, filters=ENTRY_FILTERS, visible=shown_entries
)
# The feeds: of everybody, of those whom the viewer follows, and all that was ever written, in the order of commits.
public_feed = Pages(model=Entry, orders=ENTRY_ORDERS, filters=ENTRY_FILTERS, visible=feed_entries)
trending = Pages(
    model=Entry, orders={"TRENDING": ENTRY_ORDERS["TRENDING"]}, filters=ENTRY_FILTERS, visible=feed_entries
)
home_feed = Pages(
    model=Entry,
    gathered=Gathered(by="author_id", keys=followed_by_viewer, among=ROOTS),
    orders=_BY_TIME,
    filters=ENTRY_FILTERS,
    visible=root_entries,
)
entries_as_committed = Pages(model=Entry, orders=_COMMITTED, filters=ENTRY_FILTERS, visible=shown_entries)
found_entries = Pages(
    model=Entry,
    orders=ENTRY_ORDERS,
    filters=ENTRY_FILTERS,
    searched=Searched(filter="text", by="seq", numbers=newest_with_words),
    visible=shown_entries,
)
# The newest number of all, whoever asks: a feed begins behind it.
entry_numbers = Pages(model=Entry, orders=_COMMITTED, visible=lambda _: None)
entries_by_subject = Pages(model=Entry, by="subject_id", orders=_BY_TIME, filters=ENTRY_FILTERS, visible=shown_entries)
user_by_username = ToOne(model=User, by="username_key", visible=visible_users)

# The links between users and entries. What is true of a link stands on the edge of its connection.
_ENTRY_LINKS = {
    "NEWEST": Order(columns=("created_at", "entry_id"), is_descending=True),
    "OLDEST": Order(columns=("created_at", "entry_id")),
}
_USER_LINKS = {
    "NEWEST": Order(columns=("created_at", "user_id"), is_descending=True),
    "OLDEST": Order(columns=("created_at", "user_id")),
}
_FOLLOWERS = {
    "NEWEST": Order(columns=("created_at", "follower_id"), is_descending=True),
    "OLDEST": Order(columns=("created_at", "follower_id")),
}
_FOLLOWED = {
    "NEWEST": Order(columns=("created_at", "followed_id"), is_descending=True),
    "OLDEST": Order(columns=("created_at", "followed_id")),
}
resonances_by_user = Pages(
    model=Resonance, by="user_id", orders=_ENTRY_LINKS, visible=within_shown_entry(col(Resonance.entry_id))
)
resonances_by_entry = Pages(
    model=Resonance, by="entry_id", orders=_USER_LINKS, visible=within_shown_entry(col(Resonance.entry_id))
)
amplifications_by_user = Pages(
    model=Amplification, by="user_id", orders=_ENTRY_LINKS, visible=within_shown_entry(col(Amplification.entry_id))
)
amplifications_by_entry = Pages(
    model=Amplification, by="entry_id", orders=_USER_LINKS, visible=within_shown_entry(col(Amplification.entry_id))
)
followers_by_user = Pages(model=Follow, by="followed_id", orders=_FOLLOWERS, visible=visible_follows)
following_by_user = Pages(model=Follow, by="follower_id", orders=_FOLLOWED, visible=visible_follows)
mutual_by_user = Pages(model=Follow, by="follower_id", orders=_FOLLOWED, visible=mutual_follows)

# What is true of a row for the viewer: there is such a row or there is none.
viewers_resonance = ToOne(model=Resonance, by="entry_id", visible=viewers_resonances)
viewers_amplification = ToOne(model=Amplification, by="entry_id", visible=viewers_amplifications)
editable = ToOne(model=Entry, visible=editable_entries)
deletable = ToOne(model=Entry, visible=deletable_entries)
answerable = ToOne(model=Entry, visible=answerable_entries)
viewers_follow = ToOne(model=Follow, by="followed_id", visible=viewers_follows)
follow_of_viewer = ToOne(model=Follow, by="follower_id", visible=follows_of_viewer)
