"""Where in a recording a moment is found: pure, for any clock, delay and gaps."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import Invalid
from db.matches.vocabulary import Outcome
from db.recordings.chapters import label_of, timecode_of
from db.recordings.covering import STEP_OF_MATCH, STEP_OF_WINNER
from db.recordings.timing import (
    LONGEST,
    MILLISECOND,
    Gap,
    Segment,
    checked_gaps,
    gaps_from_json,
    gaps_to_json,
    offset_ms,
    segments_of,
)

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def gap(since: float, until: float | None) -> Gap:
    return Gap(since=at(since), until=None if until is None else at(until))


def find(moment: datetime, segments: list[Segment]) -> int | None:
    found = [one for one in segments if one.shows_from <= moment < one.shows_until]
    assert len(found) <= 1
    return offset_ms(moment, found[0].shows_from, found[0].begins_ms) if found else None


# How long parts last, in milliseconds: written, not written, written, and so on.
parts = st.lists(st.integers(1, 50), min_size=1, max_size=9)


@given(parts, st.integers(-100, 100))
def test_each_millisecond_that_was_written_is_found_at_its_place(lengths: list[int], shift_ms: int) -> None:
    shift = shift_ms * MILLISECOND
    gaps: list[Gap] = []
    written: list[int] = []
    elapsed = 0
    for number, length in enumerate(lengths):
        begins, elapsed = elapsed, elapsed + length
        if number % 2:
            gaps.append(Gap(since=START + begins * MILLISECOND, until=START + elapsed * MILLISECOND))
        else:
            written += range(begins, elapsed)

    segments = segments_of(START, START + elapsed * MILLISECOND, gaps, shift=shift)

    places = {number: find(START + number * MILLISECOND - shift, segments) for number in range(-1, elapsed + 1)}
    assert places == {number: written.index(number) if number in written else None for number in range(-1, elapsed + 1)}


def test_a_clock_that_is_ahead_and_a_late_picture_are_both_taken_into_account() -> None:
    # The machine's clock is 2 s ahead, and its picture 3 s late: what happens at 0 s is seen at its 5 s.
    segments = segments_of(at(0), at(60), [], shift=timedelta(seconds=2 + 3))

    assert segments == [Segment(shows_from=at(-5), shows_until=at(55), begins_ms=0)]
    assert find(at(10), segments) == 15_000


def test_what_is_under_way_shows_all_that_comes_and_what_is_paused_nothing() -> None:
    running = segments_of(at(0), None, [gap(10, 20)], shift=timedelta(0))
    paused = segments_of(at(0), None, [gap(10, None)], shift=timedelta(0))

    assert [find(at(3600), one) for one in (running, paused)] == [3_590_000, None]
    assert running[-1].shows_until == at(0) + LONGEST
    assert paused == [Segment(shows_from=at(0), shows_until=at(10), begins_ms=0)]


def test_what_began_nobody_knows_when_shows_nothing() -> None:
    assert segments_of(None, at(60), [], shift=timedelta(0)) == []


@pytest.mark.parametrize(
    ("gaps", "ended_at", "message"),
    [
        ([gap(20, 10)], 60, "end after they begin"),
        ([gap(10, 10)], 60, "end after they begin"),
        ([gap(10, 30), gap(20, 40)], 60, "do not overlap"),
        ([gap(-1, 30)], 60, "begin after the recording"),
        ([gap(10, 61)], 60, "before the recording does"),
        ([gap(10, None)], 60, "may have no end"),
        ([gap(10, None), gap(20, 30)], None, "may have no end"),
        ([gap(number, number + 0.5) for number in range(1001)], None, "1000 gaps at most"),
    ],
)
def test_gaps_that_cannot_be_are_refused(gaps: list[Gap], ended_at: float | None, message: str) -> None:
    with pytest.raises(Invalid, match=message) as refusal:
        checked_gaps(gaps, at(0), None if ended_at is None else at(ended_at))

    assert refusal.value.field == "gaps"


def test_gaps_of_what_began_nobody_knows_when_are_refused() -> None:
    with pytest.raises(Invalid, match="once the start"):
        checked_gaps([gap(1, 2)], None, at(60))


def test_gaps_are_put_in_order_and_stored_as_they_are() -> None:
    gaps = checked_gaps([gap(30, None), gap(10, 20)], at(0), None)

    assert gaps == [gap(10, 20), gap(30, None)]
    assert gaps_from_json(gaps_to_json(gaps)) == gaps


FIGHT = {
    "number": "101",
    "phase": "Final",
    "weight": "M -68kg",
    "blue": "Ann",
    "red": "Bob",
    "winner_name": "",
    "round_score": "2-1",
}
UNTOLD = {"number": "", "phase": "", "weight": "", "blue": "", "red": "", "winner_name": "", "round_score": ""}


@pytest.mark.parametrize(
    ("step", "outcome", "fight", "label"),
    [
        (STEP_OF_MATCH, None, FIGHT, "101 Final M -68kg: Ann – Bob"),  # noqa: RUF001 -- a dash
        (STEP_OF_MATCH, None, UNTOLD, "A fight: blue – red"),  # noqa: RUF001 -- as above
        (2, None, FIGHT, "Round 2"),
        (STEP_OF_WINNER, Outcome.RED, FIGHT, "Winner: Bob 2-1"),
        (STEP_OF_WINNER, Outcome.RED, {**FIGHT, "winner_name": "Robert"}, "Winner: Robert 2-1"),
        (STEP_OF_WINNER, Outcome.BLUE, UNTOLD, "Winner: blue"),
        (STEP_OF_WINNER, Outcome.TIE, FIGHT, "No winner"),
    ],
)
def test_a_chapter_says_what_begins(step: int, outcome: Outcome | None, fight: dict[str, str], label: str) -> None:
    assert label_of(step, outcome=outcome, **fight) == label


@pytest.mark.parametrize(("milliseconds", "text"), [(0, "0:00:00"), (59_999, "0:00:59"), (3_723_000, "1:02:03")])
def test_a_place_is_written_as_players_do(milliseconds: int, text: str) -> None:
    assert timecode_of(milliseconds) == text
