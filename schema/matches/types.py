"""The types of a competition: tournaments, mats, fights, their logs and scoreboards."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, cast

import strawberry

from db.access.queries import user_by_id
from db.flags import queries as flags
from db.matches import queries
from db.matches.past import LogPoint, scoreboards_at
from db.network import queries as network
from db.recordings import queries as recorded
from db.social import queries as social
from schema.access.types import LazyEntry, LazyFlag, LazyFlagMapping, LazyUDPListener, User
from schema.connections import Connection, write_cursor
from schema.context import Asked
from schema.fields import LinkNode, Node, column, computed, connection, node, to_many, to_one, value
from schema.ids import encode_id
from schema.matches.arguments import (
    ChallengeFilter,
    EventTypeFilter,
    EventTypeOrder,
    MatchEventFilter,
    MatchEventOrder,
    MatchFilter,
    MatchOrder,
    NameOrder,
    NewestOrder,
    PenaltyFilter,
    PointFilter,
    QueueOrder,
    TournamentAthleteOrder,
    UnknownMessageOrder,
)
from schema.matches.board_types import (
    Clock,
    InjuryClock,
    ScoreboardChallenge,
    ScoreboardRound,
    ScoreboardSide,
    challenge_of,
    clock_of,
    injury_of,
    optional_side,
    present_clock,
    rounds_of,
    side_of,
)
from schema.matches.planned_types import Medal, PlannedMatch, TournamentAthlete, TournamentDay
from schema.matches.told_types import (
    STATUS,
    AthleteRecord,
    Challenge,
    EventType,
    MatchStatistics,
    MatStatus,
    Penalty,
    Point,
    RoundStatistics,
    UnknownMessage,
    read_status,
)
from schema.matches.vocabulary import (
    MatchEventKind,
    MatchState,
    Outcome,
    RejectionReason,
    RoundWinReason,
    Side,
    TournamentState,
)
from schema.recordings.arguments import BookmarkFilter, BookmarkOrder, RecordingFilter, RecordingOrder
from schema.social.arguments import EntryFilter, TimeOrder

if TYPE_CHECKING:
    from schema.recordings.types import Bookmark, EventVideo, OBSMachine, Recording

# What is shown of recordings, which show fights themselves: named here and found later.
LazyBookmark = Annotated["Bookmark", strawberry.lazy("schema.recordings.types")]
LazyEventVideo = Annotated["EventVideo", strawberry.lazy("schema.recordings.types")]
LazyOBSMachine = Annotated["OBSMachine", strawberry.lazy("schema.recordings.types")]
LazyRecording = Annotated["Recording", strawberry.lazy("schema.recordings.types")]


@node("tournament", queries.tournament_by_id)
class Tournament(Node):
    """A competition."""

    name: str = column("What it is called.")
    city: str = column("Where it is. Empty if that was not said.")
    country_code: str = column("The country it is in, by its code. Empty if that was not said.")
    starts_on: date | None = column("Its first day, as announced. Null if that was not said.")
    ends_on: date | None = column("Its last day, as announced. Null if that was not said.")
    state: TournamentState = column("Where it stands.")
    revision: int = column("Raised by one at every change of it: give back the one you saw when you change it.")
    created_at: datetime = column("When it was set up here.")
    logo_url: str | None = computed(
        "Where the server shows its logo, to everybody; another address whenever the logo is another. Null if it has "
        "none.",
        ("id", "logo_checksum"),
        lambda id, checksum: None if checksum is None else f"/logos/{encode_id('tournament', id)}?v={checksum[:12]}",
    )
    days: list[TournamentDay] = to_many("Its days, in order, at most 100.", queries.days_by_tournament)
    medals: list[Medal] = to_many(
        "The medals that were won in it, category by category, gold first. Empty until a final, a semifinal or a "
        "bronze medal contest is over.",
        queries.medals_by_tournament,
    )
    matches: Connection[Match] = connection(
        "The fights that were loaded on its mats.",
        queries.matches_by_tournament,
        order=MatchOrder,
        filter=MatchFilter,
    )
    athletes: Connection[TournamentAthlete] = connection(
        "Those who fight in it, with what they did.", queries.athletes_by_tournament, order=TournamentAthleteOrder
    )
    mats: Connection[Mat] = connection("Its mats.", queries.mats_by_tournament, order=NameOrder)
    entries: Connection[LazyEntry] = connection(
        "What was written about it, as far as it is for you.",
        social.entries_by_subject,
        order=TimeOrder,
        filter=EntryFilter,
    )


@node("mat", queries.mat_by_id)
class Mat(Node):
    """A court. One scoring program speaks for it."""

    name: str = column("What it is called. No two mats of a tournament share a name.")
    created_at: datetime = column("When it was laid.")
    last_seq: int = column("The number of the newest entry in its log; 0 before the first.")
    queue_revision: int = column("Raised by one at every change of its queue: the higher is the newer.")
    status: MatStatus = computed("How it is with its scoring program.", STATUS, read_status)
    tournament: Tournament | None = to_one(
        "The tournament it belongs to. Null if it belongs to none.", queries.tournament_by_id, key="tournament_id"
    )
    queue: Connection[PlannedMatch] = connection(
        "The fights that wait for it, in the order in which they are to come.",
        queries.waiting_by_mat,
        order=QueueOrder,
    )
    current_match: Match | None = to_one(
        "The fight on it. Null until one was loaded.", queries.match_by_id, key="current_match_id"
    )
    matches: Connection[Match] = connection(
        "Every fight that was loaded on it.", queries.matches_by_mat, order=MatchOrder, filter=MatchFilter
    )
    recordings: Connection[LazyRecording] = connection(
        "What was recorded of it, and is.",
        recorded.recordings_by_mat,
        order=RecordingOrder,
        filter=RecordingFilter,
    )
    bookmarks: Connection[LazyBookmark] = connection(
        "Moments on it that were marked.", recorded.bookmarks_by_mat, order=BookmarkOrder, filter=BookmarkFilter
    )
    obs_machines: list[LazyOBSMachine] = to_many(
        "The OBS machines that film it, by name. Empty for who does not run the event.", recorded.machines_by_mat
    )
    events: Connection[MatchEvent] = connection(
        "Its log: what the scoring program said, fight or no fight, in the order it was received.",
        queries.events_by_mat,
        order=MatchEventOrder,
        filter=MatchEventFilter,
    )
    listeners: list[LazyUDPListener] = to_many(
        "Where its scoring program is heard. Empty unless you run the event.", network.listeners_by_mat
    )
    event_types: Connection[EventType] = connection(
        "What its log holds, counted by kind and code.",
        queries.event_types_by_mat,
        order=EventTypeOrder,
        filter=EventTypeFilter,
    )
    unknown_messages: Connection[UnknownMessage] = connection(
        "The messages without effect that came, those alike together.",
        queries.unknown_messages_by_mat,
        order=UnknownMessageOrder,
    )


_TO_MATCH = LinkNode(queries.match_by_id, "match_id")


@node("athlete", queries.athlete_by_id)
class Athlete(Node):
    """A person who fights, known by name and country."""

    name: str = column("The full name.")
    short_name: str = column("The name as it was last shown on a scoreboard.")
    country_code: str = column("The country, by the code the scoring program used. Empty if none was said.")
    flag: LazyFlag | None = to_one(
        "The flag that is shown for the country. Null if there is none.", flags.flag_of_code, key="country_code"
    )
    country: LazyFlagMapping | None = to_one(
        "What is known of the country's code. Null if nothing is.", flags.mapping_by_code, key="country_code"
    )
    sides: Connection[MatchSide] = connection(
        "The sides he or she fought on, newest first.", queries.sides_by_athlete, order=NewestOrder
    )
    matches: Connection[Match] = connection(
        "The fights he or she was loaded for, newest first.",
        queries.sides_by_athlete,
        link=_TO_MATCH,
        order=NewestOrder,
    )
    record: AthleteRecord | None = to_one(
        "How the fights ended that are over. Null if the athlete is gone.", queries.record_by_athlete, key="id"
    )


@node("match", queries.match_by_id)
class Match(Node):
    """A fight: one for each time one was loaded on a mat. A number may be loaded again and is then another match."""

    number: str = column("The number on the wire, such as `245.A`. Empty until said.")
    phase: str = column("Such as `Final` or `Round of 16`. Empty until said.")
    weight: str = column("The weight class, such as `M -68kg`. Empty until said.")
    division: str = column("The age group, such as `Seniors`. Empty until said.")
    state: MatchState = column("Where it stands.")
    round_count: int | None = column("How many rounds it may have. Null until said.")
    round_seconds: int | None = column("How long a round is, in seconds. Null until said.")
    outcome: Outcome | None = column("Who was announced as the winner. Null until then.")
    winner_name: str = column("The winner's name as announced. Empty if none was named.")
    round_score: str = column("The rounds won, blue's first, as announced: `2-1`. Empty until then.")
    result_code: str = column(
        "How it was won, in the scoring program's own letters: PTF, RSC, SUP, WDR. Empty until then."
    )
    has_result_conflict: bool = column("Whether somebody else was announced than the side that won more rounds.")
    loaded_at: datetime = column("When it was put on the mat.")
    started_at: datetime | None = column("When its clock was first started. Null until then.")
    ended_at: datetime | None = column("When a winner was announced. Null until then.")
    mat: Mat = to_one("The mat it is fought on.", queries.mat_by_id, key="mat_id")
    tournament: Tournament | None = to_one(
        "The tournament its mat belonged to when it was loaded. Null if to none.",
        queries.tournament_by_id,
        key="tournament_id",
    )
    day: TournamentDay | None = to_one(
        "The day that was on when it was loaded. Null if none was.", queries.day_by_id, key="tournament_day_id"
    )
    planned: PlannedMatch | None = to_one(
        "What was planned of it. Null if nothing was.", queries.planned_by_match, key="id"
    )
    sides: list[MatchSide] = to_many("Blue, then red. Empty until the athletes were named.", queries.sides_by_match)
    rounds: list[Round] = to_many("The rounds so far, in order.", queries.rounds_by_match)
    statistics: list[MatchStatistics] = to_many(
        "What each side did, blue's first. Empty until a round was told of.", queries.tallies_by_match
    )
    points: Connection[Point] = connection(
        "The points given in it.", queries.points_by_match, order=MatchEventOrder, filter=PointFilter
    )
    penalties: Connection[Penalty] = connection(
        "The penalties given in it, those that were taken back too.",
        queries.penalties_by_match,
        order=MatchEventOrder,
        filter=PenaltyFilter,
    )
    challenges: Connection[Challenge] = connection(
        "The video challenges in it.", queries.challenges_by_match, order=MatchEventOrder, filter=ChallengeFilter
    )
    medals: list[Medal] = to_many(
        "The medals that were won in its category, a weight class and age group of its tournament, gold first. Empty "
        "until then, and for a fight of no tournament.",
        queries.medals_by_match,
    )
    scoreboard: Scoreboard = to_one("What an overlay shows.", queries.scoreboard_by_match, key="id")

    @strawberry.field(
        description="The scoreboard as it was behind an entry or at a moment, worked out from the log as far as that. "
        "What was taken back later still counted then. Null if the match had not begun."
    )
    async def scoreboard_at(
        self,
        info: Asked,
        seq: Annotated[
            int | None,
            strawberry.argument(
                description="Behind the entry of this number in the mat's log. Null if `time` is given."
            ),
        ] = None,
        time: Annotated[
            datetime | None, strawberry.argument(description="At this moment. Null if `seq` is given.")
        ] = None,
    ) -> Scoreboard | None:
        """Fold the log as far as that; those of a list together."""
        point, rows = LogPoint(seq=seq, time=time), info.context.rows
        read = partial(scoreboards_at, point=point, most=rows.most, note=rows.note)
        return cast("Scoreboard | None", await info.context.loaders.found(("scoreboard_at", point), self.id, read))

    events: Connection[MatchEvent] = connection(
        "What the scoring program and operators said, in the order it was received.",
        queries.events_by_match,
        order=MatchEventOrder,
        filter=MatchEventFilter,
    )
    entries: Connection[LazyEntry] = connection(
        "What was written about it, as far as it is for you.",
        social.entries_by_subject,
        order=TimeOrder,
        filter=EntryFilter,
    )
    recordings: Connection[LazyRecording] = connection(
        "What was recorded for it. What shows it by chance, its entries know: `events { nodes { videos } }`.",
        recorded.recordings_by_match,
        order=RecordingOrder,
        filter=RecordingFilter,
    )
    bookmarks: Connection[LazyBookmark] = connection(
        "Moments of it that were marked.", recorded.bookmarks_by_match, order=BookmarkOrder, filter=BookmarkFilter
    )
    highlights: Connection[MatchEvent] = connection(
        "Entries worth seeing again: three points and more, gam-jeoms, and the end of each round.",
        recorded.highlights_of_match,
        order=MatchEventOrder,
    )


@node("side", queries.side_by_id)
class MatchSide(Node):
    """One of the two sides of a fight."""

    side: Side = column("Which.")
    background: str = column("Its colour as `#rrggbb`. Empty if none was said.")
    foreground: str = column("The colour of text on it as `#rrggbb`. Empty if none was said.")
    score: int = column("The score in the current round.")
    gam_jeom_count: int = column("The penalties in the current round.")
    rounds_won: int = column("How many rounds it has won.")
    athlete: Athlete | None = to_one("Who fights on it. Null until named.", queries.athlete_by_id, key="athlete_id")
    match: Match = to_one("The fight.", queries.match_by_id, key="match_id")


def _win_reason(winner: Side | None, blue: int, red: int, superiority: Side | None) -> RoundWinReason | None:
    if winner is None:
        return None
    if blue == red:
        return RoundWinReason.SUPERIORITY if superiority is winner else None
    ahead = Side.BLUE if blue > red else Side.RED
    return RoundWinReason.SCORE if ahead is winner else None


@node("round", queries.round_by_id)
class Round(Node):
    """One round of a fight."""

    number: int = column("1 for the first.")
    blue_score: int = column("Blue's score.")
    red_score: int = column("Red's score.")
    blue_gam_jeom_count: int = column("Blue's penalties.")
    red_gam_jeom_count: int = column("Red's penalties.")
    winner: Side | None = column("Who won it. Null until that was decided.")
    win_reason: RoundWinReason | None = computed(
        "What it was won by. Null until it was decided, and where the log does not tell: as after a decision for the "
        "side that was behind.",
        ("winner", "blue_score", "red_score", "superiority"),
        _win_reason,
    )
    statistics: list[RoundStatistics] = to_many("What each side did, blue's first.", queries.sides_by_round)
    has_statistics_conflict: bool = column("Whether the scoring program's own counts at its end differ from ours.")
    started_at: datetime | None = column("When its clock was first started. Null until then.")
    ended_at: datetime | None = column("When it ended. Null until then.")
    match: Match = to_one("The fight.", queries.match_by_id, key="match_id")


@node("event", queries.event_by_id)
class MatchEvent(Node):
    """An entry of a mat's log: a message of the scoring program, or what an operator said. None is ever removed."""

    seq: int = column("Its number in the mat's log, from 1, without gaps.")
    received_at: datetime = column("When its datagram arrived, or the operator asked for it.")
    received_monotonic_ms: float | None = computed(
        "When its datagram arrived, in milliseconds on a clock of that machine that nobody sets: what lies between two "
        "entries is right even where `receivedAt` jumped, until the machine is started anew. Null for what an operator "
        "said, and for what is older than this field.",
        ("received_monotonic_ns",),
        lambda ns: None if ns is None else ns / 1_000_000,
    )
    burst_seq: int | None = column(
        "The number of the entry that began the burst it is of: the three to six that tell of one point have the same, "
        "and so have those of a load. Null if it stands alone, as a tick of the clock does."
    )
    kind: MatchEventKind = column("What it is about.")
    side: Side | None = column("The side it names. Null if it names none, or the referee.")
    points: int | None = column("The points it gives, below zero if it takes them. Null for everything but points.")
    round: int | None = column("The round the fight was in. Null if there was no fight.")
    clock_ms: int | None = column("What remained on the fight clock, in milliseconds. Null if there was no fight.")
    is_valid: bool = column("Whether it could be read.")
    reason: RejectionReason | None = column("What is wrong with it. Null if nothing is.")
    sender: str = column("The address it came from, as `host:port`; of an operator, his `@username`.")
    raw: str = computed(
        "The message as received; bytes that are no UTF-8 are shown as `\\ufffd`. Of an operator, it is JSON.",
        ("raw",),
        lambda raw: raw.decode("utf-8", "replace"),
    )
    cursor: str = computed(
        "Its place in the feed: give it to `matchEvents(after:)` to go on from here.",
        ("seq",),
        lambda seq: write_cursor((seq,)),
    )
    why: str = column("Why, in the operator's words. Empty if nothing was said, as for the scoring program.")
    made_by: User | None = to_one(
        "The operator who said it. Null for what the scoring program said, and for overlays, which see no users.",
        user_by_id,
        key="made_by_id",
    )
    voids: MatchEvent | None = to_one(
        "The entry that it takes back. Null if it is about something else.", queries.event_by_id, key="voids_id"
    )
    voided_by: MatchEvent | None = to_one(
        "The entry that took it back. Null while it is in force.", queries.event_by_id, key="voided_by_id"
    )
    match: Match | None = to_one(
        "The fight it belongs to. Null if none was on the mat.", queries.match_by_id, key="match_id"
    )
    videos: list[LazyEventVideo] = to_many(
        "The recordings that show it, and where: the first 50 that began. Also of one that was noted later.",
        recorded.videos_of_event,
    )
    bookmarks: Connection[LazyBookmark] = connection(
        "Bookmarks that were made at it.", recorded.bookmarks_by_event, order=BookmarkOrder
    )
    point: Point | None = to_one("The point it gives. Null if it gives none.", queries.point_by_event, key="id")
    penalties: list[Penalty] = to_many("The penalties it counts first.", queries.penalties_by_event)
    challenge: Challenge | None = to_one(
        "The challenge that begins with it. Null if none does.", queries.challenge_by_event, key="id"
    )


def _of_board(description: str, name: str, read: Any = lambda shown: shown) -> Any:
    """Declare a field that is read out of the stored board."""
    return computed(description, ("board",), lambda board: read(board[name]))


@value
class Scoreboard:
    """Everything an overlay shows of a fight, in one consistent piece."""

    revision: int = column(
        "Raised by one at every change, and whenever an operator says anything: of a match the higher is the newer. "
        "0 during its load, and of a scoreboard of the past."
    )
    changed_at: datetime = column("When it last changed.")
    state: MatchState = _of_board("Where the fight stands.", "state", MatchState)
    number: str = _of_board("The match number. Empty until said.", "number")
    phase: str = _of_board("Such as `Final`. Empty until said.", "phase")
    weight: str = _of_board("The weight class. Empty until said.", "weight")
    division: str = _of_board("The age group. Empty until said.", "division")
    round: int = _of_board("The current round.", "round")
    round_count: int | None = _of_board("How many rounds there may be. Null until said.", "roundCount")
    rounds: list[ScoreboardRound] = _of_board("The rounds so far, in order.", "rounds", rounds_of)
    blue: ScoreboardSide = computed("Blue.", ("board",), lambda board: side_of(board, "blue"))
    red: ScoreboardSide = computed("Red.", ("board",), lambda board: side_of(board, "red"))
    superiority: Side | None = _of_board(
        "Who is ahead on the criteria. Null if nobody is.", "superiority", optional_side
    )
    clock: Clock = _of_board("The fight clock.", "clock", present_clock)
    break_clock: Clock | None = _of_board("The rest between rounds. Null while there is none.", "breakClock", clock_of)
    injury: InjuryClock | None = _of_board("The injury clock. Null while it is not shown.", "injury", injury_of)
    challenge: ScoreboardChallenge | None = _of_board(
        "The latest video challenge. Null before the first.", "challenge", challenge_of
    )
    outcome: Outcome | None = _of_board(
        "Who was announced as the winner. Null until then.",
        "outcome",
        lambda name: None if name is None else Outcome(name),
    )
    winner_name: str = _of_board("The winner's name as announced. Empty until then.", "winnerName")
    round_score: str = _of_board("The rounds won as announced: `2-1`. Empty until then.", "roundScore")
    result_code: str = _of_board("How it was won, in letters. Empty until then.", "resultCode")
    has_result_conflict: bool = _of_board(
        "Whether somebody else was announced than the side ahead in rounds.", "hasResultConflict"
    )
    match: Match = to_one("The fight.", queries.match_by_id, key="match_id")
