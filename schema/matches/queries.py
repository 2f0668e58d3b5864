"""What can be asked about a competition."""

from typing import Annotated, cast

import strawberry

from db.errors import Invalid
from db.matches import queries
from schema.connections import Connection
from schema.context import Asked
from schema.fields import Demand, connection, lookup
from schema.ids import decode_id
from schema.matches.arguments import MatchFilter, MatchOrder, NameOrder
from schema.matches.types import Athlete, Mat, Match, Scoreboard, Tournament


@strawberry.type
class MatchQueries:
    """What can be asked about a competition."""

    tournaments: Connection[Tournament] = connection(
        "All tournaments.", queries.tournaments, key=None, order=NameOrder, demand=Demand(None)
    )
    tournament: Tournament | None = lookup(
        "One tournament. Null if there is none.", "tournament", queries.tournament_by_id, demand=Demand(None)
    )
    athletes: Connection[Athlete] = connection(
        "All who ever fought, or are to.", queries.athletes, key=None, order=NameOrder, demand=Demand(None)
    )
    athlete: Athlete | None = lookup(
        "One athlete. Null if there is none.", "athlete", queries.athlete_by_id, demand=Demand(None)
    )
    mats: Connection[Mat] = connection("All mats.", queries.mats, key=None, order=NameOrder, demand=Demand(None))
    mat: Mat | None = lookup("One mat. Null if there is none.", "mat", queries.mat_by_id, demand=Demand(None))
    matches: Connection[Match] = connection(
        "All fights, on all mats.",
        queries.matches,
        key=None,
        order=MatchOrder,
        filter=MatchFilter,
        demand=Demand(None),
    )
    match: Match | None = lookup("One fight. Null if there is none.", "match", queries.match_by_id, demand=Demand(None))

    @strawberry.field(
        description="What an overlay shows of a fight, or of the fight on a mat. Null if there is none.",
        extensions=[Demand(None)],
    )
    async def scoreboard(
        self,
        info: Asked,
        match_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The fight. Null if `matId` is given.")
        ] = None,
        mat_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="The mat whose present fight it is. Null if `matchId` is given."),
        ] = None,
    ) -> Scoreboard | None:
        """Find it by the one id that is given."""
        loaders = info.context.loaders
        if (match_id is None) == (mat_id is None):
            raise Invalid("Give either `matchId` or `matId`.", field="match_id")
        if match_id is not None:
            id = decode_id(match_id, kind="match", field="match_id")
            return cast("Scoreboard | None", await loaders.one(queries.scoreboard_by_match, id))
        mat = await loaders.one(queries.mat_by_id, decode_id(str(mat_id), kind="mat", field="mat_id"))
        if mat is None or mat.current_match_id is None:
            return None
        return cast("Scoreboard | None", await loaders.one(queries.scoreboard_by_match, mat.current_match_id))
