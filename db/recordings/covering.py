"""Which recordings show what, as statements: each finds the stretches of time that hold the moments of all its keys.

Nothing of it is stored with a bookmark or an event, so a recording that is added later shows what was marked before.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, and_, func, literal, or_, select, union_all
from sqlalchemy.orm import aliased
from sqlmodel import Field, col

from db.access.viewer import ViewerKind
from db.base import datetime, enum_type
from db.batches import Chosen
from db.derived import Derived, of_keys
from db.matches.tables import Athlete, Match, MatchEvent, MatchSide, Round
from db.matches.vocabulary import MatchEventKind, MatchState, Outcome, Side
from db.recordings.tables import Bookmark, Recording, RecordingSegment
from db.recordings.visibility import visible_bookmarks, visible_recordings

# How many recordings are named that show one moment: the first that began.
MOST_VIDEOS = 50
# Points from so many on are worth seeing again.
HIGHLIGHT_POINTS = 3
_POINTS = (MatchEventKind.POINT, MatchEventKind.POINTS_AWARDED)
_MAY_BE_HIGHLIGHTS = (*_POINTS, MatchEventKind.GAM_JEOMS, MatchEventKind.GAM_JEOM_GIVEN, MatchEventKind.CLOCK)
STEP_OF_MATCH = 0
STEP_OF_WINNER = 1_000_000


class EventVideo(Derived, table=True):
    """An entry of a log, and a stretch of a recording that shows it."""

    __tablename__ = "event_videos"

    event_id: UUID = Field(primary_key=True)
    recording_id: UUID = Field(primary_key=True)
    happened_at: datetime
    shows_from: datetime
    begins_ms: int = Field(sa_type=BigInteger)


class BookmarkOffset(Derived, table=True):
    """A bookmark, and a stretch of a recording that shows it."""

    __tablename__ = "bookmark_offsets"

    bookmark_id: UUID = Field(primary_key=True)
    recording_id: UUID = Field(primary_key=True)
    happened_at: datetime
    lead_in_ms: int
    lead_out_ms: int
    shows_from: datetime
    begins_ms: int = Field(sa_type=BigInteger)


class Chapter(Derived, table=True):
    """Something that begins while a recording runs, and the stretch that shows it."""

    __tablename__ = "chapters"

    recording_id: UUID = Field(primary_key=True)
    match_id: UUID = Field(primary_key=True)
    # The number of a round, 0 of the match, and behind all of them its winner.
    step: int = Field(primary_key=True)
    happened_at: datetime
    shows_from: datetime
    begins_ms: int = Field(sa_type=BigInteger)
    number: str
    phase: str
    weight: str
    blue: str
    red: str
    outcome: Outcome | None = Field(default=None, sa_type=enum_type(Outcome))
    winner_name: str
    round_score: str


def videos_of_events(kind: ViewerKind) -> Chosen:
    """Select what shows each entry of `keys`, as that of `event_id`."""
    found = select(
        col(MatchEvent.id).label("event_id"),
        col(RecordingSegment.recording_id),
        col(MatchEvent.received_at).label("happened_at"),
        col(RecordingSegment.shows_from),
        col(RecordingSegment.begins_ms),
        _place(MatchEvent.id).label("place"),
    ).join_from(MatchEvent, RecordingSegment, _shows(MatchEvent.mat_id, MatchEvent.received_at))
    return _first(_seen(found.where(of_keys(col(MatchEvent.id))), kind))


def offsets_of_bookmarks(kind: ViewerKind) -> Chosen:
    """Select where each bookmark of `keys` is found, as that of `bookmark_id`."""
    found = select(*_offset(), _place(Bookmark.id).label("place"))
    shown = found.join_from(Bookmark, RecordingSegment, _shows(Bookmark.mat_id, Bookmark.happened_at))
    return _first(_seen(shown.where(of_keys(col(Bookmark.id))), kind))


def bookmarks_of_recordings(kind: ViewerKind) -> Chosen:
    """Select the bookmarks that each recording of `keys` shows, as those of `recording_id`."""
    shown = select(*_offset()).join_from(RecordingSegment, Bookmark, _shows(Bookmark.mat_id, Bookmark.happened_at))
    found = _seen(shown.where(of_keys(col(RecordingSegment.recording_id))), kind)
    seen = visible_bookmarks(kind)
    return found if seen is None else found.where(seen)


def matches_of_recordings(kind: ViewerKind) -> Chosen:
    """Select the fights that each recording of `keys` shows some of, as those of `of_recording_id`."""
    runs = and_(
        col(RecordingSegment.mat_id) == col(Match.mat_id),
        col(Match.started_at) < col(RecordingSegment.shows_until),
        or_(
            col(Match.started_at) >= col(RecordingSegment.shows_from),
            col(Match.ended_at) > col(RecordingSegment.shows_from),
        ),
    )
    shown: Chosen = select(col(RecordingSegment.recording_id), col(Match.id).label("match_id")).distinct()
    found = _seen(
        shown.join_from(RecordingSegment, Match, runs).where(of_keys(col(RecordingSegment.recording_id))), kind
    )
    links = found.subquery("links")
    return select(Match, links.c.recording_id.label("of_recording_id")).join(links, links.c.match_id == col(Match.id))


def highlights_of_matches(_: ViewerKind) -> Chosen:
    """Select the entries of each match of `keys` that are worth seeing again, as those of `of_match_id`."""
    events = _marked(of_keys(col(MatchEvent.match_id)))
    return select(MatchEvent, col(MatchEvent.match_id).label("of_match_id")).where(
        col(MatchEvent.id).in_(select(events.c.id).where(_is_highlight(events)))
    )


def chapters_of_recordings(kind: ViewerKind) -> Chosen:
    """Select what begins while each recording of `keys` runs, as that of `recording_id`."""
    begun = union_all(
        _begun(literal(STEP_OF_MATCH), Match.started_at),
        _begun(col(Round.number), Round.started_at).join(Round, col(Round.match_id) == col(Match.id)),
        _begun(literal(STEP_OF_WINNER), Match.ended_at).where(col(Match.state) == MatchState.ENDED),
    ).subquery("begun")
    blue, red = _name_of(Side.BLUE, begun.c.match_id), _name_of(Side.RED, begun.c.match_id)
    shown = select(
        col(RecordingSegment.recording_id),
        begun.c.match_id,
        begun.c.step,
        begun.c.happened_at,
        col(RecordingSegment.shows_from),
        col(RecordingSegment.begins_ms),
        col(Match.number),
        col(Match.phase),
        col(Match.weight),
        blue.label("blue"),
        red.label("red"),
        col(Match.outcome),
        col(Match.winner_name),
        col(Match.round_score),
    )
    found = shown.join_from(RecordingSegment, begun, _shows(begun.c.mat_id, begun.c.happened_at)).join(
        Match, col(Match.id) == begun.c.match_id
    )
    return _seen(found.where(of_keys(col(RecordingSegment.recording_id))), kind)


def _shows(mat_id: Any, happened_at: Any) -> Any:
    """Say of a stretch that it shows a moment on a mat."""
    return and_(
        col(RecordingSegment.mat_id) == mat_id,
        col(RecordingSegment.shows_from) <= happened_at,
        col(RecordingSegment.shows_until) > happened_at,
    )


def _seen(found: Chosen, kind: ViewerKind) -> Chosen:
    """Keep what is of recordings that are seen."""
    seen = visible_recordings(kind)
    if seen is None:
        return found
    return found.where(col(RecordingSegment.recording_id).in_(select(col(Recording.id)).where(seen)))


def _offset() -> list[Any]:
    return [
        col(Bookmark.id).label("bookmark_id"),
        col(RecordingSegment.recording_id),
        col(Bookmark.happened_at),
        col(Bookmark.lead_in_ms),
        col(Bookmark.lead_out_ms),
        col(RecordingSegment.shows_from),
        col(RecordingSegment.begins_ms),
    ]


def _place(key: Any) -> Any:
    order = (col(RecordingSegment.shows_from), col(RecordingSegment.recording_id))
    return func.row_number().over(partition_by=key, order_by=order)


def _first(found: Chosen) -> Chosen:
    """Keep as many of each key as are named."""
    placed = found.subquery("placed")
    return select(*(one for one in placed.c if one.key != "place")).where(placed.c.place <= MOST_VIDEOS)


def _marked(condition: Any) -> Any:
    """Select entries that may be highlights, beside how many gam-jeoms had been said of each side before."""
    fight = (col(MatchEvent.match_id), col(MatchEvent.round))
    columns: list[Any] = [col(MatchEvent.id), col(MatchEvent.kind), col(MatchEvent.points)]
    for side in ("blue", "red"):
        said = MatchEvent.record[side].as_integer()
        before = func.lag(said).over(partition_by=(*fight, col(MatchEvent.kind)), order_by=col(MatchEvent.seq))
        columns += [said.label(side), before.label(f"{side}_before")]
    columns.append(MatchEvent.record["action"].as_string().label("action"))
    is_one = or_(*(col(MatchEvent.kind) == one for one in _MAY_BE_HIGHLIGHTS))
    counts = col(MatchEvent.is_valid), col(MatchEvent.voided_by_id).is_(None)
    return select(*columns).where(condition, is_one, *counts).subquery("marked")


def _is_highlight(events: Any) -> Any:
    """Say that points were many, that a gam-jeom was given, or that a round came to its end."""
    given = [events.c[side] > func.coalesce(events.c[f"{side}_before"], 0) for side in ("blue", "red")]
    return or_(
        and_(or_(*(events.c.kind == one for one in _POINTS)), events.c.points >= HIGHLIGHT_POINTS),
        events.c.kind == MatchEventKind.GAM_JEOM_GIVEN,
        and_(events.c.kind == MatchEventKind.GAM_JEOMS, or_(*given)),
        and_(events.c.kind == MatchEventKind.CLOCK, events.c.action == "stopEnd"),
    )


def _begun(step: Any, happened_at: Any) -> Any:
    return select(
        col(Match.id).label("match_id"),
        col(Match.mat_id),
        step.label("step"),
        col(happened_at).label("happened_at"),
    ).where(col(happened_at).is_not(None))


def _name_of(side: Side, match_id: Any) -> Any:
    of_side: Any = aliased(MatchSide)
    athlete: Any = aliased(Athlete)
    named = select(athlete.name).join_from(of_side, athlete, athlete.id == of_side.athlete_id)
    found = named.where(of_side.match_id == match_id, of_side.side == side).limit(1).scalar_subquery()
    return func.coalesce(found, "")
