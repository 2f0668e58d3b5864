"""The rules of a goal: a jump lands where many steps would, and all that was passed is told in order."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.streams import rules
from db.streams.rules import LARGEST_COUNT, LARGEST_TARGET, Happening, Milestone, Standing, edited, moved, restarted
from db.streams.vocabulary import StreamGoalChangeKind as Kind
from db.streams.vocabulary import StreamGoalMode as Mode
from db.streams.vocabulary import StreamGoalState as State


def standing(mode: Mode = Mode.FIXED, **given_: object) -> Standing:
    whole = {
        "mode": mode,
        "start": 0,
        "current": 0,
        "fraction": 0,
        "target": 100,
        "step": 100,
        "told": 0,
        "times_reached": 0,
        "state": State.ACTIVE,
        "milestones": (),
    }
    return Standing(**{**whole, **given_})  # type: ignore[arg-type]  # named as the fields are


@st.composite
def standings(draw: st.DrawFn) -> Standing:
    start = draw(st.integers(0, 50))
    target = start + draw(st.integers(1, 60))
    places = draw(st.sets(st.integers(start + 1, start + 400), max_size=6))
    return standing(
        draw(st.sampled_from(Mode)),
        start=start,
        current=start,
        told=start,
        target=target,
        step=draw(st.integers(1, 30)),
        milestones=tuple(Milestone(at, f"M{at}") for at in sorted(places)),
    )


def one_by_one(before: Standing, delta: int) -> tuple[Standing, list[tuple[Kind, int]]]:
    """What a patient person would do: count up by one, and look each time. Milestones of later rounds once each."""
    now, told = before, []
    for _ in range(delta):
        current = now.current + 1
        now = replace(now, current=current)
        for milestone in now.milestones:
            if milestone.at == current > now.told and (Kind.MILESTONE, milestone.at) not in told:
                told.append((Kind.MILESTONE, milestone.at))
        now = replace(now, told=max(now.told, current))
        if current != now.target:
            continue
        if now.mode is not Mode.RESET or (Kind.REACHED, now.target) not in told:
            told.append((Kind.REACHED, now.target))
        now = replace(now, times_reached=now.times_reached + 1)
        if now.mode is Mode.ADD:
            now = replace(now, target=now.target + now.step)
        elif now.mode is Mode.DOUBLE:
            now = replace(now, target=now.target * 2)
        elif now.mode is Mode.HIDE:
            now = replace(now, state=State.HIDDEN)
        elif now.mode is Mode.RESET:
            now = replace(now, current=now.start, told=now.start)
    return now, told


@given(standings(), st.integers(0, 700))
def test_a_jump_over_many_targets_lands_where_many_steps_would(before: Standing, delta: int) -> None:
    after, happenings = moved(before, delta)
    patient, told = one_by_one(before, delta)

    # What was told already is only looked at where something lies ahead.
    assert replace(after, told=0) == replace(patient, told=0)
    passed = [(one.kind, one.threshold) for one in happenings if one.threshold is not None]
    if before.mode in {Mode.ADD, Mode.DOUBLE}:
        # One entry tells of all targets that were passed: the first by name, how many by `times_reached`.
        first = next((one for one in told if one[0] is Kind.REACHED), None)
        told = [one for one in told if one[0] is not Kind.REACHED or one == first]
    assert passed == told


@given(standings(), st.lists(st.integers(0, 200), max_size=8))
def test_how_a_count_is_cut_into_pieces_does_not_matter(before: Standing, deltas: list[int]) -> None:
    by_parts = before
    for delta in deltas:
        by_parts, _ = moved(by_parts, delta)
    at_once, _ = moved(before, sum(deltas))

    assert replace(by_parts, told=0) == replace(at_once, told=0)


@given(standings(), st.lists(st.integers(-300, 300), max_size=8))
def test_entries_join_end_to_end(before: Standing, deltas: list[int]) -> None:
    now = before
    for delta in deltas:
        after, happenings = moved(now, delta)
        steps = [one for one in happenings if one.kind in {Kind.PROGRESS, Kind.RESET}]
        assert [one.old for one in steps] == [now.current, *(one.new for one in steps[:-1])]
        assert steps[-1].new == after.current
        assert steps[0].delta == steps[0].new - steps[0].old
        now = after


@given(st.integers(0, 1000), st.integers(0, LARGEST_COUNT), st.integers(1, LARGEST_TARGET - 1000))
def test_percent_is_never_100_before_it_is_done(start: int, current: int, span: int) -> None:
    target = start + span

    assert (rules.percent(start, current, target) >= 100) == rules.is_reached(current, target)
    assert (rules.progress(start, current, target) >= 1) == rules.is_reached(current, target)
    assert (rules.remaining(current, target) == 0) == rules.is_reached(current, target)


def test_progress_is_counted_from_the_start() -> None:
    assert (rules.progress(400, 500, 1000), rules.percent(400, 500, 1000)) == (1 / 6, 16)
    assert (rules.percent(0, 996, 1000), rules.percent(0, 999, 1000), rules.percent(0, 1000, 1000)) == (99, 99, 100)
    assert rules.progress(400, 100, 1000) == 0


@pytest.mark.parametrize(
    ("mode", "step", "current", "target", "times"),
    [
        (Mode.ADD, 1000, 2500, 3000, 2),
        (Mode.ADD, 1000, 10_002, 11_000, 10),
        (Mode.ADD, 1000, 5000, 6000, 5),
        (Mode.ADD, 1, 50_000, 50_001, 49_001),
        (Mode.DOUBLE, 0, 5000, 8000, 3),
        (Mode.DOUBLE, 0, 1000, 2000, 1),
        (Mode.DOUBLE, 0, 999, 1000, 0),
        (Mode.ADD, 1, LARGEST_COUNT, LARGEST_COUNT + 1, LARGEST_COUNT - 999),
        (Mode.DOUBLE, 0, LARGEST_COUNT, 1000 << 21, 21),
    ],
)
def test_the_next_target_lies_above_the_count(mode: Mode, step: int, current: int, target: int, times: int) -> None:
    after, _ = moved(standing(mode, target=1000, step=step), current)

    assert (after.current, after.target, after.times_reached) == (current, target, times)


def test_a_target_is_never_more_than_clients_can_hold() -> None:
    for mode in (Mode.ADD, Mode.DOUBLE):
        after, _ = moved(standing(mode, target=1_900_000_000, step=LARGEST_COUNT), LARGEST_COUNT)
        assert LARGEST_COUNT < after.target <= LARGEST_TARGET


def test_a_count_stays_within_its_bounds_and_tells_what_it_moved_by() -> None:
    fallen, (entry,) = moved(standing(current=20), -50)
    assert (fallen.current, entry) == (0, Happening(kind=Kind.PROGRESS, old=20, new=0, delta=-20))

    risen, (entry, *_) = moved(standing(current=LARGEST_COUNT - 5), 50)
    assert (risen.current, entry.delta) == (LARGEST_COUNT, 5)


def test_parts_of_a_point_add_up_and_none_is_lost() -> None:
    now = standing()
    for _ in range(1001):
        now, _ = moved(now, *divmod(999, 1000))

    assert (now.current, now.fraction) == divmod(999 * 1001, 1000)


def test_a_goal_that_was_told_is_not_told_again_when_the_count_comes_back() -> None:
    now, first = moved(standing(milestones=(Milestone(50, "Half"),)), 120)
    now, _ = moved(now, -100)
    now, again = moved(now, 100)

    assert [one.kind for one in first] == [Kind.PROGRESS, Kind.MILESTONE, Kind.REACHED]
    assert [one.kind for one in again] == [Kind.PROGRESS]
    assert now.times_reached == 1


def test_a_reset_arms_everything_again_shows_the_goal_and_brings_its_first_target_back() -> None:
    hidden, _ = moved(standing(Mode.HIDE, start=10, current=10, told=10, milestones=(Milestone(50, ""),)), 200)
    anew, happenings = restarted(replace(hidden, target=300), 100)

    assert (hidden.state, anew.state) == (State.HIDDEN, State.ACTIVE)
    assert (anew.current, anew.target, anew.told) == (10, 100, 10)
    assert [(one.kind, one.old, one.new) for one in happenings] == [(Kind.RESET, 210, 10), (Kind.TARGET, 300, 100)]
    assert [one.kind for one in moved(anew, 90)[1]] == [Kind.PROGRESS, Kind.MILESTONE, Kind.REACHED]


def test_an_edit_never_freezes_a_goal_that_moves_on() -> None:
    reached, _ = moved(standing(Mode.FIXED), 250)
    after, happenings = edited(reached, replace(reached, mode=Mode.ADD))

    assert (after.current, after.target) == (250, 300)
    assert [one.kind for one in happenings] == [Kind.REACHED, Kind.TARGET]
    assert moved(after, 50)[0].target == 400


def test_a_target_that_is_lowered_below_the_count_is_reached_by_that_once() -> None:
    half, _ = moved(standing(), 60)
    lowered, happenings = edited(half, replace(half, target=50))
    again, none = edited(lowered, replace(lowered, target=40))

    assert [(one.kind, one.threshold) for one in happenings] == [(Kind.TARGET, None), (Kind.REACHED, 50)]
    assert (lowered.times_reached, again.times_reached) == (1, 1)
    assert [one.kind for one in none] == [Kind.TARGET]


def test_a_milestone_that_is_set_behind_the_count_is_no_news() -> None:
    half, _ = moved(standing(), 60)
    after, happenings = edited(half, replace(half, milestones=(Milestone(30, "a"), Milestone(70, "b"))))

    assert happenings == []
    assert [one.threshold for one in moved(after, 20)[1]] == [None, 70]
