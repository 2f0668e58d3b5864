"""How recordings, bookmarks and OBS machines are read."""

from sqlalchemy import DateTime, bindparam
from sqlmodel import col

from db.batches import Order, Pages, ToMany, ToOne
from db.derived import DerivedMany, DerivedPages
from db.matches.tables import Match, MatchEvent
from db.parameters import any_of
from db.recordings import covering
from db.recordings.covering import BookmarkOffset, Chapter, EventVideo
from db.recordings.tables import Bookmark, OBSCommand, OBSMachine, Recording
from db.recordings.visibility import visible_bookmarks, visible_machines, visible_recordings

_INSTANT = DateTime(timezone=True)
_BY_TIME = {
    "OLDEST": Order(columns=("happened_at", "id")),
    "NEWEST": Order(columns=("happened_at", "id"), is_descending=True),
}
_RECORDING_ORDERS = {
    "NEWEST": Order(columns=("dated_at", "id"), is_descending=True),
    "OLDEST": Order(columns=("dated_at", "id")),
}
_RECORDING_FILTERS = {
    "kinds": any_of(col(Recording.kind), "filter_kinds"),
    "states": any_of(col(Recording.state), "filter_states"),
    "from_at": col(Recording.dated_at) >= bindparam("filter_from_at", type_=_INSTANT),
    "until_at": col(Recording.dated_at) < bindparam("filter_until_at", type_=_INSTANT),
}
_BOOKMARK_FILTERS = {
    "from_at": col(Bookmark.happened_at) >= bindparam("filter_from_at", type_=_INSTANT),
    "until_at": col(Bookmark.happened_at) < bindparam("filter_until_at", type_=_INSTANT),
}

recording_by_id = ToOne(model=Recording, visible=visible_recordings)
recordings_by_mat = Pages(
    model=Recording, by="mat_id", orders=_RECORDING_ORDERS, filters=_RECORDING_FILTERS, visible=visible_recordings
)
recordings_by_match = Pages(
    model=Recording, by="match_id", orders=_RECORDING_ORDERS, filters=_RECORDING_FILTERS, visible=visible_recordings
)
matches_of_recording = DerivedPages(
    model=Match,
    by="of_recording_id",
    orders={"OLDEST": Order(columns=("loaded_at", "id"))},
    source=covering.matches_of_recordings,
)

bookmark_by_id = ToOne(model=Bookmark, visible=visible_bookmarks)
bookmarks_by_mat = Pages(
    model=Bookmark, by="mat_id", orders=_BY_TIME, filters=_BOOKMARK_FILTERS, visible=visible_bookmarks
)
bookmarks_by_match = Pages(
    model=Bookmark, by="match_id", orders=_BY_TIME, filters=_BOOKMARK_FILTERS, visible=visible_bookmarks
)
bookmarks_by_event = Pages(model=Bookmark, by="event_id", orders=_BY_TIME, visible=visible_bookmarks)
bookmarks_of_recording = DerivedPages(
    model=BookmarkOffset,
    by="recording_id",
    orders={"OLDEST": Order(columns=("happened_at", "bookmark_id"))},
    source=covering.bookmarks_of_recordings,
)
_BY_START = Order(columns=("shows_from", "recording_id"))
offsets_of_bookmark = DerivedMany(
    model=BookmarkOffset, by="bookmark_id", order=_BY_START, source=covering.offsets_of_bookmarks
)
videos_of_event = DerivedMany(model=EventVideo, by="event_id", order=_BY_START, source=covering.videos_of_events)
highlights_of_match = DerivedPages(
    model=MatchEvent,
    by="of_match_id",
    orders={"OLDEST": Order(columns=("seq",)), "NEWEST": Order(columns=("seq",), is_descending=True)},
    source=covering.highlights_of_matches,
)
chapters_of_recording = DerivedPages(
    model=Chapter,
    by="recording_id",
    orders={"OLDEST": Order(columns=("happened_at", "match_id", "step"))},
    source=covering.chapters_of_recordings,
)

machine_by_id = ToOne(model=OBSMachine, visible=visible_machines)
machines = Pages(model=OBSMachine, orders={"NAME": Order(columns=("name", "id"))}, visible=visible_machines)
machines_by_mat = ToMany(model=OBSMachine, by="mat_id", order=Order(columns=("name", "id")), visible=visible_machines)
command_by_id = ToOne(model=OBSCommand, visible=visible_machines)
commands_by_machine = Pages(
    model=OBSCommand,
    by="machine_id",
    orders={"NEWEST": Order(columns=("created_at", "id"), is_descending=True)},
    filters={"states": any_of(col(OBSCommand.state), "filter_states")},
    visible=visible_machines,
)
