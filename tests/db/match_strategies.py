"""Every message a parser could hand on, and logs of them, for hypothesis."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from db.matches import corrections, messages
from db.matches.corrections import Correction
from db.matches.fold import Entry
from db.matches.messages import Message
from db.matches.vocabulary import ChallengeState, Outcome, RejectionReason, Side

START = datetime(2025, 8, 15, 9, 30, tzinfo=UTC)

# A parser replaces zero bytes, which no database takes for text.
_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
_NUMBERS = st.integers(0, 999_999)
_SECONDS = st.integers(0, 130) | _NUMBERS
_ROUNDS = st.integers(1, 4) | st.integers(1, 99)
_SIDES = st.sampled_from(Side)
_SIDES_OR_NONE = st.none() | _SIDES
_PAIRS = st.tuples(_TEXTS, _TEXTS)
_LEVELS = st.none() | _NUMBERS
_ACTIONS = st.sampled_from(["", "", "start", "stop", "stopEnd", "show", "hide", "reset", "corr"]) | _TEXTS
_SIX = st.tuples(*[_NUMBERS] * 6)
_COLOURS = st.sampled_from(["#0000ff", "#FFFFFF", "", "red"])
_SETTINGS = st.tuples(*[_TEXTS] * 4, *[_COLOURS] * 4, *[_TEXTS | st.sampled_from(["3", "120", "null"])] * 7)
_FLAGS = st.lists(st.sampled_from(RejectionReason), max_size=2).map(tuple)

MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(messages.FightLoading, flags=_FLAGS),
    st.builds(messages.FightReady, flags=_FLAGS),
    st.builds(
        messages.Officials,
        referee=_PAIRS,
        first_judge=_PAIRS,
        second_judge=_PAIRS,
        technical_assistant=_PAIRS,
        flags=_FLAGS,
    ),
    st.builds(
        messages.Athletes,
        blue_short_name=_TEXTS,
        blue_long_name=_TEXTS,
        blue_country_code=_TEXTS,
        red_short_name=_TEXTS,
        red_long_name=_TEXTS,
        red_country_code=_TEXTS,
        flags=_FLAGS,
    ),
    st.builds(messages.MatchSettings, values=_SETTINGS, flags=_FLAGS),
    st.builds(messages.VideoTime, seconds=_SECONDS, flags=_FLAGS),
    st.builds(messages.ClockMessage, seconds=_SECONDS, action=_ACTIONS, flags=_FLAGS),
    st.builds(messages.RoundBegan, number=_ROUNDS, flags=_FLAGS),
    st.builds(messages.Point, side=_SIDES, value=st.integers(1, 5), flags=_FLAGS),
    st.builds(messages.HitLevel, side=_SIDES, level=st.integers(1, 100), flags=_FLAGS),
    st.builds(messages.Score, blue=_LEVELS, red=_LEVELS, flags=_FLAGS),
    st.builds(
        messages.RoundScores,
        scores=st.lists(st.tuples(_SIDES, _ROUNDS, _NUMBERS), max_size=6).map(tuple),
        flags=_FLAGS,
    ),
    st.builds(messages.GamJeoms, blue=_LEVELS, red=_LEVELS, flags=_FLAGS),
    st.builds(messages.Superiority, side=_SIDES_OR_NONE, flags=_FLAGS),
    st.builds(messages.Injury, side=_SIDES_OR_NONE, seconds=_SECONDS, action=_ACTIONS, flags=_FLAGS),
    st.builds(messages.Challenge, side=_SIDES_OR_NONE, state=st.sampled_from(ChallengeState), flags=_FLAGS),
    st.builds(messages.Break, seconds=_SECONDS, action=_ACTIONS, flags=_FLAGS),
    st.builds(messages.RoundWinners, winners=st.lists(_SIDES_OR_NONE, max_size=4).map(tuple), flags=_FLAGS),
    st.builds(messages.RoundStatistics, round=_ROUNDS, blue_counts=_SIX, red_counts=_SIX, flags=_FLAGS),
    st.builds(messages.RoundResultsSent, flags=_FLAGS),
    st.builds(messages.Winner, outcome=st.sampled_from(Outcome), flags=_FLAGS),
    st.builds(messages.Result, winner_name=_TEXTS, round_score=_TEXTS, code=_TEXTS, flags=_FLAGS),
    st.builds(messages.Link, port=st.integers(0, 65_535), is_connected=st.booleans(), flags=_FLAGS),
    st.builds(messages.Unknown, code=_TEXTS, parts=st.lists(_TEXTS, max_size=3).map(tuple), flags=_FLAGS),
    st.builds(messages.Unreadable, reason=st.sampled_from(RejectionReason), detail=_TEXTS, flags=_FLAGS),
)

_NAMES = {f"{side}_{name}": _TEXTS for side in ("blue", "red") for name in ("short_name", "long_name", "country_code")}
_COLOURS_OR_NONE = st.none() | st.just("#0000ff")
_BACKS = {f"{side}_{name}": _COLOURS_OR_NONE for side in ("blue", "red") for name in ("background", "foreground")}
_SCORES = st.none() | st.integers(0, 999)
_REMAINING = st.none() | st.integers(0, 130_000)
_FEW_ROUNDS = st.integers(1, 4)
_POINTS = {"side": _SIDES, "value": st.integers(1, 5), "round": _FEW_ROUNDS}

# What an operator says of a fight that is on, and takes nothing back with.
CORRECTIONS: st.SearchStrategy[Correction] = st.one_of(
    st.builds(corrections.PointsAwarded, **_POINTS),
    st.builds(corrections.PointsTakenBack, **_POINTS),
    st.builds(corrections.GamJeomGiven, side=_SIDES, round=_FEW_ROUNDS),
    st.builds(corrections.GamJeomTakenBack, side=_SIDES, round=_FEW_ROUNDS),
    st.builds(corrections.ScoreSet, round=_FEW_ROUNDS, blue=_SCORES, red=_SCORES),
    st.builds(corrections.RoundSet, number=_FEW_ROUNDS),
    st.builds(corrections.RoundDecided, round=_FEW_ROUNDS, winner=_SIDES_OR_NONE),
    st.builds(corrections.ClockSet, remaining_ms=st.integers(0, 130_000)),
    st.builds(corrections.ClockStarted, remaining_ms=_REMAINING),
    st.builds(corrections.ClockStopped, remaining_ms=_REMAINING),
    st.builds(corrections.ChallengeDecided, side=_SIDES_OR_NONE, state=st.sampled_from(ChallengeState)),
    st.builds(
        corrections.WinnerDeclared,
        outcome=st.sampled_from(Outcome),
        winner_name=_TEXTS,
        round_score=_TEXTS,
        code=_TEXTS,
    ),
)
LOADS: st.SearchStrategy[Correction] = st.builds(
    corrections.LoadedByHand,
    number=_TEXTS,
    phase=_TEXTS,
    weight=_TEXTS,
    division=_TEXTS,
    round_count=st.integers(1, 99),
    round_seconds=st.integers(1, 3_600),
    **_NAMES,
    **_BACKS,
)
VOIDINGS: st.SearchStrategy[Correction] = st.one_of(
    *[st.builds(one, target=_NUMBERS) for one in (corrections.EntryVoided, corrections.Undone, corrections.Redone)]
)


@st.composite
def logs(draw: st.DrawFn) -> list[Entry]:
    """Draw a log of one to thirty messages, some in bursts and some far apart."""
    gaps = st.sampled_from([0, 13, 100, 101, 999, 1_500, 60_000]) | st.integers(-1_000, 3_600_000)
    received_at, entries = START, []
    for seq, message in enumerate(draw(st.lists(MESSAGES, min_size=1, max_size=30)), start=1):
        received_at += timedelta(milliseconds=draw(gaps))
        entries.append(Entry(seq=seq, received_at=received_at, message=message))
    return entries
