"""What of a competition a viewer may see: a user everything, an overlay what hangs on the nodes of its token.

A token bound to a match opens that match; one bound to a mat opens the mat and every match on it. From a match one
sees its mat, from a mat its tournament.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlmodel import col

from db.access.viewer import ViewerKind
from db.batches import Visible
from db.matches.tables import Athlete, Mat, Match, MatchEvent, MatchSide, PlannedMatch, Tournament
from db.parameters import any_of


def visible_matches(viewer: ViewerKind) -> ColumnElement[bool] | None:
    """A bound match, and the matches of a bound mat."""
    if not viewer.is_overlay:
        return None
    return or_(any_of(col(Match.id), "viewer_nodes"), any_of(col(Match.mat_id), "viewer_nodes"))


def visible_mats(viewer: ViewerKind) -> ColumnElement[bool] | None:
    """A bound mat, and the mat of a bound match."""
    if not viewer.is_overlay:
        return None
    of_bound_match = select(col(Match.mat_id)).where(any_of(col(Match.id), "viewer_nodes"))
    return or_(any_of(col(Mat.id), "viewer_nodes"), col(Mat.id).in_(of_bound_match))


def visible_tournaments(viewer: ViewerKind) -> ColumnElement[bool] | None:
    """The tournament of a mat that is seen."""
    if not viewer.is_overlay:
        return None
    return col(Tournament.id).in_(_of_mats(viewer, col(Mat.tournament_id)))


def visible_athletes(viewer: ViewerKind) -> ColumnElement[bool] | None:
    """Those who fight in a match that is seen, or are to fight in one that is planned and seen."""
    if not viewer.is_overlay:
        return None
    planned = visible_planned(viewer)
    return or_(
        col(Athlete.id).in_(select(col(MatchSide.athlete_id)).where(within_match(MatchSide.match_id)(viewer))),  # type: ignore[arg-type]  # an overlay always has a condition
        col(Athlete.id).in_(_select(PlannedMatch.blue_athlete_id, planned)),
        col(Athlete.id).in_(_select(PlannedMatch.red_athlete_id, planned)),
    )


def visible_planned(viewer: ViewerKind) -> ColumnElement[bool] | None:
    """The queue of a bound mat. Whoever is bound to one fight sees the plan of that, and not what comes next."""
    if not viewer.is_overlay:
        return None
    of_seen_match = col(PlannedMatch.match_id).in_(_select(Match.id, visible_matches(viewer)))
    return or_(any_of(col(PlannedMatch.mat_id), "viewer_nodes"), of_seen_match)


def visible_waiting(viewer: ViewerKind) -> ColumnElement[bool]:
    """The planned fights that are seen and wait."""
    waits = col(PlannedMatch.match_id).is_(None)
    seen = visible_planned(viewer)
    return waits if seen is None else and_(waits, seen)


def visible_events(viewer: ViewerKind) -> ColumnElement[bool] | None:
    """The whole log of a bound mat, and what belongs to a match that is seen."""
    if not viewer.is_overlay:
        return None
    of_seen_match = col(MatchEvent.match_id).in_(_select(Match.id, visible_matches(viewer)))
    return or_(any_of(col(MatchEvent.mat_id), "viewer_nodes"), of_seen_match)


def of_bound_mat(mat_id: Any) -> Visible:
    """Say of a table that its rows are seen by whoever is bound to their mat itself, and not to a fight on it."""

    def visible(viewer: ViewerKind) -> ColumnElement[bool] | None:
        return None if not viewer.is_overlay else any_of(col(mat_id), "viewer_nodes")

    return visible


def within_match(match_id: Any) -> Visible:
    """Say of a table that its rows are seen with the match they belong to."""
    return _within(match_id, lambda viewer: _select(Match.id, visible_matches(viewer)))


def within_tournament(tournament_id: Any) -> Visible:
    """Say of a table that its rows are seen with the tournament they belong to."""
    return _within(tournament_id, lambda viewer: _select(Tournament.id, visible_tournaments(viewer)))


def within_mat(mat_id: Any) -> Visible:
    """Say of a table that its rows are seen with the mat they belong to."""
    return _within(mat_id, lambda viewer: _select(Mat.id, visible_mats(viewer)))


def _within(column: Any, owners: Callable[[ViewerKind], Select[Any]]) -> Visible:
    def visible(viewer: ViewerKind) -> ColumnElement[bool] | None:
        return None if not viewer.is_overlay else col(column).in_(owners(viewer))

    return visible


def _of_mats(viewer: ViewerKind, column: Any) -> Select[Any]:
    return _select(column, visible_mats(viewer))


def _select(column: Any, condition: ColumnElement[bool] | None) -> Select[Any]:
    # On its own: its tables are not those of the statement it stands in.
    found = select(col(column)).correlate(None)
    return found if condition is None else found.where(condition)
