"""The words of a taekwondo fight: each enum's value is its name, in the database, in JSON and in the graph."""

from enum import StrEnum


class Side(StrEnum):
    """A side of the mat; the wire says 1 for blue (Chong) and 2 for red (Hong)."""

    BLUE = "BLUE"
    RED = "RED"


class Outcome(StrEnum):
    """Who was announced as the winner of a fight."""

    BLUE = "BLUE"
    RED = "RED"
    # Also what a withdrawal with no winner is announced as.
    TIE = "TIE"


class MedalKind(StrEnum):
    """What is won in a category of a tournament."""

    GOLD = "GOLD"
    SILVER = "SILVER"
    BRONZE = "BRONZE"


class MatchState(StrEnum):
    """Where a fight stands."""

    # On the mat, its clock never started.
    LOADED = "LOADED"
    # Its clock was started.
    LIVE = "LIVE"
    # A winner was announced.
    ENDED = "ENDED"
    # Replaced by another load before its clock ever started.
    NOT_FOUGHT = "NOT_FOUGHT"
    # Started, then replaced before a winner was announced.
    ABANDONED = "ABANDONED"


class TournamentState(StrEnum):
    """Where a competition, or a day of one, stands."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    ENDED = "ENDED"


class SenderState(StrEnum):
    """What is known of the scoring program that speaks for a mat."""

    # It never said anything.
    UNHEARD = "UNHEARD"
    ALIVE = "ALIVE"
    # Its clock runs, and nothing comes.
    SILENT = "SILENT"
    # It said that its output was switched off.
    OFF = "OFF"


class PointKind(StrEnum):
    """How a point was made. The wire numbers them from 1 in this order, and a number is also what it is worth."""

    PUNCH = "PUNCH"
    BODY = "BODY"
    HEAD = "HEAD"
    TURNING_BODY = "TURNING_BODY"
    TURNING_HEAD = "TURNING_HEAD"

    @property
    def points(self) -> int:
        """What it is worth."""
        return list(PointKind).index(self) + 1


class RoundWinReason(StrEnum):
    """What a round was won by, as far as the log tells."""

    SCORE = "SCORE"
    SUPERIORITY = "SUPERIORITY"


class ClockState(StrEnum):
    """Whether a clock counts down."""

    STOPPED = "STOPPED"
    RUNNING = "RUNNING"


class ChallengeState(StrEnum):
    """How far a video challenge has come."""

    ASKED = "ASKED"
    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
    CANCELLED = "CANCELLED"
    WON = "WON"
    LOST = "LOST"


class BurstKind(StrEnum):
    """What a run of messages that belong together tells of."""

    # A fight is being put on the mat: `pre` to `rdy`.
    LOAD = "LOAD"
    # A point or a gam-jeom, with the totals it leads to.
    ACTION = "ACTION"
    # A round was decided: `wrd` to `rsr`.
    ROUND_RESULTS = "ROUND_RESULTS"


class MatchEventKind(StrEnum):
    """What an entry of the log is about: one for each class of `db.matches.messages` and `db.matches.corrections`."""

    FIGHT_LOADING = "FIGHT_LOADING"
    FIGHT_READY = "FIGHT_READY"
    OFFICIALS = "OFFICIALS"
    ATHLETES = "ATHLETES"
    MATCH_SETTINGS = "MATCH_SETTINGS"
    VIDEO_TIME = "VIDEO_TIME"
    CLOCK = "CLOCK"
    ROUND_BEGAN = "ROUND_BEGAN"
    POINT = "POINT"
    HIT_LEVEL = "HIT_LEVEL"
    SCORE = "SCORE"
    ROUND_SCORES = "ROUND_SCORES"
    GAM_JEOMS = "GAM_JEOMS"
    SUPERIORITY = "SUPERIORITY"
    INJURY = "INJURY"
    CHALLENGE = "CHALLENGE"
    BREAK = "BREAK"
    ROUND_WINNERS = "ROUND_WINNERS"
    ROUND_STATISTICS = "ROUND_STATISTICS"
    ROUND_RESULTS_SENT = "ROUND_RESULTS_SENT"
    WINNER = "WINNER"
    RESULT = "RESULT"
    LINK = "LINK"
    # Well formed, but nobody told us what the code means.
    UNKNOWN = "UNKNOWN"
    # Refused, with a reason.
    UNREADABLE = "UNREADABLE"
    # From here on: what an operator says by hand.
    LOADED_BY_HAND = "LOADED_BY_HAND"
    POINTS_AWARDED = "POINTS_AWARDED"
    POINTS_TAKEN_BACK = "POINTS_TAKEN_BACK"
    GAM_JEOM_GIVEN = "GAM_JEOM_GIVEN"
    GAM_JEOM_TAKEN_BACK = "GAM_JEOM_TAKEN_BACK"
    SCORE_SET = "SCORE_SET"
    ROUND_SET = "ROUND_SET"
    ROUND_DECIDED = "ROUND_DECIDED"
    CLOCK_SET = "CLOCK_SET"
    CLOCK_STARTED = "CLOCK_STARTED"
    CLOCK_STOPPED = "CLOCK_STOPPED"
    CHALLENGE_DECIDED = "CHALLENGE_DECIDED"
    WINNER_DECLARED = "WINNER_DECLARED"
    # An entry was taken back: named, as the last one's own, or the taking back itself.
    ENTRY_VOIDED = "ENTRY_VOIDED"
    UNDONE = "UNDONE"
    REDONE = "REDONE"


class RejectionReason(StrEnum):
    """Why a message was refused or, on a message that still counts, what is odd about it."""

    EMPTY = "EMPTY"
    TOO_LONG = "TOO_LONG"
    BAD_UTF8 = "BAD_UTF8"
    # It starts with nothing that could be a code.
    UNKNOWN_CODE = "UNKNOWN_CODE"
    MISSING_PARTS = "MISSING_PARTS"
    # Only ever a flag: more was said than the protocol knows of.
    EXTRA_PARTS = "EXTRA_PARTS"
    BAD_NUMBER = "BAD_NUMBER"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    BAD_TIME = "BAD_TIME"
    # A word that is none of those which may stand there.
    BAD_VALUE = "BAD_VALUE"
