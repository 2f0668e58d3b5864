"""How mats, fights and their logs are read."""

from sqlmodel import col

from db.batches import Order, Pages, ToMany, ToOne
from db.matches.tables import Athlete, Mat, Match, MatchEvent, MatchSide, Round, Scoreboard, Tournament
from db.matches.visibility import (
    visible_athletes,
    visible_matches,
    visible_mats,
    visible_tournaments,
    within_match,
)
from db.statements import any_of

_BY_NAME = {"NAME": Order(columns=("name", "id"))}
_MATCH_ORDERS = {
    "NEWEST": Order(columns=("loaded_at", "id"), is_descending=True),
    "OLDEST": Order(columns=("loaded_at", "id")),
}
_MATCH_FILTERS = {"states": any_of(col(Match.state), "filter_states")}

tournament_by_id = ToOne(model=Tournament, visible=visible_tournaments)
tournaments = Pages(model=Tournament, orders=_BY_NAME, visible=visible_tournaments)

mat_by_id = ToOne(model=Mat, visible=visible_mats)
mats = Pages(model=Mat, orders=_BY_NAME, visible=visible_mats)
mats_by_tournament = Pages(model=Mat, by="tournament_id", orders=_BY_NAME, visible=visible_mats)

match_by_id = ToOne(model=Match, visible=visible_matches)
matches = Pages(model=Match, orders=_MATCH_ORDERS, filters=_MATCH_FILTERS, visible=visible_matches)
matches_by_mat = Pages(model=Match, by="mat_id", orders=_MATCH_ORDERS, filters=_MATCH_FILTERS, visible=visible_matches)

athlete_by_id = ToOne(model=Athlete, visible=visible_athletes)
sides_by_athlete = Pages(
    model=MatchSide,
    by="athlete_id",
    orders={"NEWEST": Order(columns=("id",), is_descending=True)},
    visible=within_match(MatchSide.match_id),
)
sides_by_match = ToMany(
    model=MatchSide, by="match_id", order=Order(columns=("side",)), visible=within_match(MatchSide.match_id)
)
rounds_by_match = ToMany(
    model=Round, by="match_id", order=Order(columns=("number",)), visible=within_match(Round.match_id)
)
side_by_id = ToOne(model=MatchSide, visible=within_match(MatchSide.match_id))
round_by_id = ToOne(model=Round, visible=within_match(Round.match_id))
event_by_id = ToOne(model=MatchEvent, visible=within_match(MatchEvent.match_id))
scoreboard_by_match = ToOne(model=Scoreboard, by="match_id", visible=within_match(Scoreboard.match_id))
events_by_match = Pages(
    model=MatchEvent,
    by="match_id",
    orders={"OLDEST": Order(columns=("seq",)), "NEWEST": Order(columns=("seq",), is_descending=True)},
    filters={"kinds": any_of(col(MatchEvent.kind), "filter_kinds")},
    visible=within_match(MatchEvent.match_id),
)
