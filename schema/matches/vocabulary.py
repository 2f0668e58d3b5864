"""The words of a fight as the graph shows them: each enum and each of its values described."""

from db.matches.vocabulary import (
    ChallengeState,
    ClockState,
    MatchEventKind,
    MatchState,
    MedalKind,
    Outcome,
    PointKind,
    RejectionReason,
    RoundWinReason,
    SenderState,
    Side,
    TournamentState,
)
from schema.fields import enum

__all__ = [
    "ChallengeState",
    "ClockState",
    "MatchEventKind",
    "MatchState",
    "MedalKind",
    "Outcome",
    "PointKind",
    "RejectionReason",
    "RoundWinReason",
    "SenderState",
    "Side",
    "TournamentState",
]

enum(Side, "A side of the mat.", BLUE="Chong, 1 on the wire.", RED="Hong, 2 on the wire.")
enum(
    Outcome,
    "Who was announced as the winner.",
    BLUE="Blue won.",
    RED="Red won.",
    TIE="Nobody was named, as after a withdrawal.",
)
enum(
    MedalKind,
    "What is won in a category: a weight class of an age group.",
    GOLD="By the winner of the final.",
    SILVER="By who lost the final.",
    BRONZE="By the winners of bronze medal contests; where there are none, by both who lost a semifinal.",
)
enum(
    MatchState,
    "Where a fight stands.",
    LOADED="On the mat, its clock never started.",
    LIVE="Its clock was started and no winner announced.",
    ENDED="A winner was announced.",
    NOT_FOUGHT="Replaced by another load before its clock ever started.",
    ABANDONED="Started, then replaced by another load before a winner was announced.",
)
enum(
    TournamentState,
    "Where a tournament, or a day of one, stands.",
    PENDING="It has not begun.",
    ACTIVE="It is on.",
    ENDED="It is over.",
)
enum(
    SenderState,
    "What is known of the scoring program that speaks for a mat.",
    UNHEARD="It never said anything.",
    ALIVE="It speaks, or is silent with its clock at rest, as it may be for hours.",
    SILENT="Its clock runs, and nothing has come for a while: it, or the network, is in trouble.",
    OFF="It said that its output was switched off, and nothing since.",
)
enum(
    PointKind,
    "How a point was made.",
    PUNCH="A punch: 1.",
    BODY="A kick to the body: 2.",
    HEAD="A kick to the head: 3.",
    TURNING_BODY="A turning kick to the body: 4.",
    TURNING_HEAD="A turning kick to the head: 5.",
)
enum(
    RoundWinReason,
    "What a round was won by, as far as the log tells.",
    SCORE="By the higher score.",
    SUPERIORITY="By the criteria, at an equal score.",
)
enum(ClockState, "Whether a clock counts down.", STOPPED="It stands.", RUNNING="It counts down.")
enum(
    ChallengeState,
    "How far a video challenge has come.",
    ASKED="A side, or the referee, asked for the video.",
    ACCEPTED="The video is looked at.",
    REFUSED="It was not granted.",
    CANCELLED="It was taken back.",
    WON="The call was changed.",
    LOST="The call stands.",
)
enum(
    MatchEventKind,
    "What an entry of a mat's log is about.",
    FIGHT_LOADING="A fight is being put on the mat.",
    FIGHT_READY="The load is complete.",
    OFFICIALS="Who judges.",
    ATHLETES="Who fights.",
    MATCH_SETTINGS="Number, class, colours, rounds.",
    VIDEO_TIME="The athletes' video time.",
    CLOCK="The fight clock: a start, a stop or a tick.",
    ROUND_BEGAN="A round is next.",
    POINT="A point was given.",
    HIT_LEVEL="How hard a hit was.",
    SCORE="The score of the current round.",
    ROUND_SCORES="The scores of all rounds.",
    GAM_JEOMS="The penalties of the current round.",
    SUPERIORITY="Who is ahead on the criteria.",
    INJURY="The injury clock.",
    CHALLENGE="A video challenge.",
    BREAK="The rest between rounds.",
    ROUND_WINNERS="Who won which round.",
    ROUND_STATISTICS="The scoring program's own counts of a round.",
    ROUND_RESULTS_SENT="The results of a round are complete.",
    WINNER="The winner was announced.",
    RESULT="The winner's name and how he won.",
    LINK="The scoring program's output was switched on or off.",
    UNKNOWN="Well formed, with a code nobody knows. Kept, counted, without effect.",
    UNREADABLE="Could not be read: see `reason`. Kept, without effect.",
    LOADED_BY_HAND="An operator put a fight on the mat.",
    POINTS_AWARDED="An operator gave points. They stay on top of what the scoring program says later.",
    POINTS_TAKEN_BACK="An operator took points. They stay taken from what the scoring program says later.",
    GAM_JEOM_GIVEN="An operator gave a penalty, and the other side its point.",
    GAM_JEOM_TAKEN_BACK="An operator took a penalty back, and the other side's point.",
    SCORE_SET="An operator set the score of a round.",
    ROUND_SET="An operator set the current round.",
    ROUND_DECIDED="An operator said who won a round.",
    CLOCK_SET="An operator set the clock.",
    CLOCK_STARTED="An operator started the clock.",
    CLOCK_STOPPED="An operator stopped the clock.",
    CHALLENGE_DECIDED="An operator said how far a video challenge has come.",
    WINNER_DECLARED="An operator declared the winner.",
    ENTRY_VOIDED="An operator took an entry back: see `voids`.",
    UNDONE="An operator took his own last correction back: see `voids`.",
    REDONE="An operator took his own last undoing back: see `voids`.",
)
enum(
    RejectionReason,
    "What is wrong with an entry.",
    EMPTY="There was nothing in it.",
    TOO_LONG="It is longer than any message.",
    BAD_UTF8="It is not UTF-8.",
    UNKNOWN_CODE="It begins with nothing that could be a code.",
    MISSING_PARTS="It ends too early.",
    EXTRA_PARTS="It says more than the protocol knows of. The rest counts.",
    BAD_NUMBER="A number is none.",
    OUT_OF_RANGE="A number is impossible.",
    BAD_TIME="A time is none.",
    BAD_VALUE="A word is none of those that may stand there.",
)
