"""How mats, fights and their logs are read."""

from typing import Any

from sqlalchemy import Boolean, Integer, String, bindparam
from sqlmodel import col

from db.batches import Order, Pages, ToMany, ToOne, table_of
from db.derived import DerivedMany, DerivedOne, DerivedPages
from db.matches import medals, statistics
from db.matches.medals import Medal
from db.matches.statistics import AthleteRecord, SideTally, TournamentAthlete
from db.matches.tables import (
    Athlete,
    Challenge,
    EventType,
    Mat,
    Match,
    MatchEvent,
    MatchSide,
    Penalty,
    PlannedMatch,
    Point,
    Round,
    RoundSide,
    Scoreboard,
    Tournament,
    TournamentDay,
    UnknownMessage,
)
from db.matches.visibility import (
    of_bound_mat,
    visible_athletes,
    visible_events,
    visible_matches,
    visible_mats,
    visible_planned,
    visible_tournaments,
    visible_waiting,
    within_match,
    within_tournament,
)
from db.parameters import any_of

_BY_NAME = {"NAME": Order(columns=("name", "id"))}
_MATCH_ORDERS = {
    "NEWEST": Order(columns=("loaded_at", "id"), is_descending=True),
    "OLDEST": Order(columns=("loaded_at", "id")),
}
_MATCH_FILTERS = {
    "states": any_of(col(Match.state), "filter_states"),
    "number": col(Match.number) == bindparam("filter_number", type_=String()),
}
_LOG_ORDERS = {"OLDEST": Order(columns=("seq",)), "NEWEST": Order(columns=("seq",), is_descending=True)}
_TOLD_ORDERS = {"OLDEST": Order(columns=("seq", "id")), "NEWEST": Order(columns=("seq", "id"), is_descending=True)}
_INSTANT = table_of(MatchEvent).c.received_at.type


def _told_filters(model: Any) -> dict[str, Any]:
    """Return the filters of what is told of a side in a round."""
    return {"sides": any_of(col(model.side), "filter_sides"), "rounds": any_of(col(model.round), "filter_rounds")}


_EVENT_FILTERS = {
    "kinds": any_of(col(MatchEvent.kind), "filter_kinds"),
    **_told_filters(MatchEvent),
    "clock_from_ms": col(MatchEvent.clock_ms) >= bindparam("filter_clock_from_ms", type_=Integer()),
    "clock_to_ms": col(MatchEvent.clock_ms) <= bindparam("filter_clock_to_ms", type_=Integer()),
    "received_from": col(MatchEvent.received_at) >= bindparam("filter_received_from", type_=_INSTANT),
    "received_before": col(MatchEvent.received_at) < bindparam("filter_received_before", type_=_INSTANT),
    "is_valid": col(MatchEvent.is_valid) == bindparam("filter_is_valid", type_=Boolean()),
    "reasons": any_of(col(MatchEvent.reason), "filter_reasons"),
    "bursts": any_of(col(MatchEvent.burst_seq), "filter_bursts"),
}

tournament_by_id = ToOne(model=Tournament, visible=visible_tournaments)
tournaments = Pages(model=Tournament, orders=_BY_NAME, visible=visible_tournaments)
day_by_id = ToOne(model=TournamentDay, visible=within_tournament(TournamentDay.tournament_id))
days_by_tournament = ToMany(
    model=TournamentDay,
    by="tournament_id",
    order=Order(columns=("number",)),
    visible=within_tournament(TournamentDay.tournament_id),
)
athletes_by_tournament = DerivedPages(
    model=TournamentAthlete,
    by="tournament_id",
    orders={
        "NAME": Order(columns=("name", "athlete_id")),
        "POINTS": Order(columns=("points", "athlete_id"), is_descending=True),
        "WINS": Order(columns=("wins", "points", "athlete_id"), is_descending=True),
    },
    source=statistics.athletes_of_tournaments,
)

_BY_CATEGORY = Order(columns=("division", "weight", "place", "athlete_id"))
medals_by_tournament = DerivedMany(
    model=Medal, by="tournament_id", order=_BY_CATEGORY, source=medals.medals_of_tournaments
)
medals_by_match = DerivedMany(model=Medal, by="of_match_id", order=_BY_CATEGORY, source=medals.medals_of_matches)

mat_by_id = ToOne(model=Mat, visible=visible_mats)
mats = Pages(model=Mat, orders=_BY_NAME, visible=visible_mats)
mats_by_tournament = Pages(model=Mat, by="tournament_id", orders=_BY_NAME, visible=visible_mats)

match_by_id = ToOne(model=Match, visible=visible_matches)
matches = Pages(model=Match, orders=_MATCH_ORDERS, filters=_MATCH_FILTERS, visible=visible_matches)
matches_by_mat = Pages(model=Match, by="mat_id", orders=_MATCH_ORDERS, filters=_MATCH_FILTERS, visible=visible_matches)
matches_by_tournament = Pages(
    model=Match, by="tournament_id", orders=_MATCH_ORDERS, filters=_MATCH_FILTERS, visible=visible_matches
)
matches_by_day = Pages(
    model=Match, by="tournament_day_id", orders=_MATCH_ORDERS, filters=_MATCH_FILTERS, visible=visible_matches
)

planned_by_id = ToOne(model=PlannedMatch, visible=visible_planned)
planned_by_match = ToOne(model=PlannedMatch, by="match_id", visible=visible_planned)
waiting_by_mat = Pages(
    model=PlannedMatch,
    by="mat_id",
    orders={"POSITION": Order(columns=("position", "id"))},
    visible=visible_waiting,
)

athletes = Pages(model=Athlete, orders=_BY_NAME, visible=visible_athletes)
athlete_by_id = ToOne(model=Athlete, visible=visible_athletes)
record_by_athlete = DerivedOne(model=AthleteRecord, source=statistics.records)
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
    orders=_LOG_ORDERS,
    filters=_EVENT_FILTERS,
    visible=within_match(MatchEvent.match_id),
)
events_by_mat = Pages(model=MatchEvent, by="mat_id", orders=_LOG_ORDERS, filters=_EVENT_FILTERS, visible=visible_events)

sides_by_round = DerivedMany(
    model=RoundSide, by="round_id", order=Order(columns=("side",)), source=statistics.sides_of_rounds
)
tallies_by_match = DerivedMany(
    model=SideTally, by="match_id", order=Order(columns=("side",)), source=statistics.sides_of_matches
)
point_by_id = ToOne(model=Point, visible=within_match(Point.match_id))
point_by_event = ToOne(model=Point, by="event_id", visible=within_match(Point.match_id))
points_by_match = Pages(
    model=Point,
    by="match_id",
    orders=_TOLD_ORDERS,
    filters={"kinds": any_of(col(Point.kind), "filter_kinds"), **_told_filters(Point)},
    visible=within_match(Point.match_id),
)
penalty_by_id = ToOne(model=Penalty, visible=within_match(Penalty.match_id))
penalties_by_event = ToMany(
    model=Penalty, by="event_id", order=Order(columns=("side", "number")), visible=within_match(Penalty.match_id)
)
penalties_by_match = Pages(
    model=Penalty,
    by="match_id",
    orders=_TOLD_ORDERS,
    filters={
        **_told_filters(Penalty),
        "is_taken_back": col(Penalty.taken_back_seq).is_not(None) == bindparam("filter_is_taken_back", type_=Boolean()),
    },
    visible=within_match(Penalty.match_id),
)
challenge_by_id = ToOne(model=Challenge, visible=within_match(Challenge.match_id))
challenge_by_event = ToOne(model=Challenge, by="event_id", visible=within_match(Challenge.match_id))
challenges_by_match = Pages(
    model=Challenge,
    by="match_id",
    orders=_TOLD_ORDERS,
    filters={"states": any_of(col(Challenge.state), "filter_states"), **_told_filters(Challenge)},
    visible=within_match(Challenge.match_id),
)

event_type_by_id = ToOne(model=EventType, visible=of_bound_mat(EventType.mat_id))
event_types_by_mat = Pages(
    model=EventType,
    by="mat_id",
    orders={
        "CODE": Order(columns=("code", "id")),
        "COUNT": Order(columns=("count", "id"), is_descending=True),
    },
    filters={"kinds": any_of(col(EventType.kind), "filter_kinds")},
    visible=of_bound_mat(EventType.mat_id),
)
unknown_message_by_id = ToOne(model=UnknownMessage, visible=of_bound_mat(UnknownMessage.mat_id))
unknown_messages_by_mat = Pages(
    model=UnknownMessage,
    by="mat_id",
    orders={
        "NEWEST": Order(columns=("last_seen_at", "id"), is_descending=True),
        "COUNT": Order(columns=("count", "id"), is_descending=True),
    },
    visible=of_bound_mat(UnknownMessage.mat_id),
)
