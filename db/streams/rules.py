"""The rules of a goal, in one place: what it shows, and what becomes of it when its count moves. Pure.

However far a count jumps, the next target is found in one step, and all that was passed on the way is told in order.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from db.streams.vocabulary import StreamGoalChangeKind, StreamGoalMode, StreamGoalState

# Clients hold 32 bits. A target may lie above every count, so that a goal that counts on has always one ahead.
LARGEST_COUNT = 2_000_000_000
LARGEST_TARGET = 2_147_483_647
THOUSAND = 1000


class Milestone(NamedTuple):
    """A count on the way that is worth telling of."""

    at: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All of a goal that its rules look at.

    `fraction` is the thousandths beside `current`. What lies at or below `told` was told already, or was never ahead.
    """

    mode: StreamGoalMode
    start: int
    current: int
    fraction: int
    target: int
    step: int
    told: int
    times_reached: int
    state: StreamGoalState
    milestones: tuple[Milestone, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing that happened to a goal: an entry of its history, without who and when.

    `threshold` is the target or milestone that was passed.
    """

    kind: StreamGoalChangeKind
    old: int
    new: int
    delta: int = 0
    threshold: int | None = None
    label: str = ""


def progress(start: int, current: int, target: int) -> float:
    """Say how far a goal has come from its start, from 0; 1 is reached."""
    return max(0.0, (current - start) / (target - start))


def percent(start: int, current: int, target: int) -> int:
    """Say it in whole percent, rounded down: never 100 before it is done."""
    return min(max(0, (current - start) * 100 // (target - start)), LARGEST_TARGET)


def remaining(current: int, target: int) -> int:
    """Say how much is missing."""
    return max(0, target - current)


def is_reached(current: int, target: int) -> bool:
    """Say whether nothing is missing."""
    return current >= target


def moved(standing: Standing, delta: int, thousandths: int = 0) -> tuple[Standing, list[Happening]]:
    """Move a count by `delta` and so many thousandths. It stays between nothing and the largest there is."""
    carried, fraction = divmod(standing.fraction + thousandths, THOUSAND)
    return _at(replace(standing, fraction=fraction), standing.current + delta + carried)


def levelled(standing: Standing, level: int) -> tuple[Standing, list[Happening]]:
    """Set a count that is a level, as the number of viewers is."""
    return _at(standing, level)


def restarted(standing: Standing, target: int) -> tuple[Standing, list[Happening]]:
    """Begin anew: at the start, towards the first target, shown, with everything ahead again."""
    happenings = [Happening(kind=StreamGoalChangeKind.RESET, old=standing.current, new=standing.start)]
    happenings += _retargeted(standing.target, target)
    anew = replace(
        standing,
        current=standing.start,
        fraction=0,
        target=target,
        told=standing.start,
        state=StreamGoalState.ACTIVE if standing.state is StreamGoalState.HIDDEN else standing.state,
    )
    return anew, happenings


def edited(before: Standing, after: Standing) -> tuple[Standing, list[Happening]]:
    """Change a goal's terms. Milestones that the count has passed by then are no news; a target it now reaches is."""
    moves_on = after.mode not in {StreamGoalMode.FIXED, StreamGoalMode.HIDE}
    is_news = is_reached(after.current, after.target) and (moves_on or not is_reached(before.current, before.target))
    told = after.target - 1 if is_news else after.current
    settled, happenings = _settled(replace(after, told=told, milestones=()), after.current)
    return replace(settled, milestones=after.milestones), [*_retargeted(before.target, after.target), *happenings]


def _at(standing: Standing, wanted: int) -> tuple[Standing, list[Happening]]:
    current = min(max(wanted, 0), LARGEST_COUNT)
    old = standing.current
    progressed = Happening(kind=StreamGoalChangeKind.PROGRESS, old=old, new=current, delta=current - old)
    settled, happenings = _settled(replace(standing, current=current), old)
    return settled, [progressed, *happenings]


def _settled(standing: Standing, old: int) -> tuple[Standing, list[Happening]]:
    """Tell what was passed, and do what the mode asks for."""
    if standing.mode is StreamGoalMode.RESET:
        return _begun_again(standing, old)
    happenings = _passed(standing, old, upto=standing.current)
    if not happenings:
        return standing, []
    told = replace(standing, told=standing.current)
    if not any(one.kind is StreamGoalChangeKind.REACHED for one in happenings):
        return told, happenings
    target, times = next_target(told)
    state = StreamGoalState.HIDDEN if told.mode is StreamGoalMode.HIDE and _is_shown(told) else told.state
    happenings += _retargeted(told.target, target)
    return replace(told, target=target, times_reached=told.times_reached + times, state=state), happenings


def next_target(standing: Standing) -> tuple[int, int]:
    """Return the first target ahead of a count that has reached its own, and how many it has reached."""
    current, target = standing.current, standing.target
    if standing.mode is StreamGoalMode.ADD:
        times = (current - target) // standing.step + 1
        return min(target + times * standing.step, LARGEST_TARGET), times
    if standing.mode is StreamGoalMode.DOUBLE:
        # The smallest power of two that is more than how many times the target fits.
        times = (current // target).bit_length()
        return min(target << times, LARGEST_TARGET), times
    return target, 1


def _begun_again(standing: Standing, old: int) -> tuple[Standing, list[Happening]]:
    """Go back to the start as often as the target was reached; what was too much counts on."""
    span = standing.target - standing.start
    current = standing.current
    rounds = max(0, current - standing.start) // span
    happenings = _passed(standing, old, upto=min(current, standing.target))
    if not rounds:
        return replace(standing, told=current if happenings else standing.told), happenings
    after = current - rounds * span
    happenings.append(Happening(kind=StreamGoalChangeKind.RESET, old=current, new=after))
    told = {one.threshold for one in happenings}
    # Of further rounds, what was not told yet: each once, however many rounds there were.
    upto = standing.target if rounds > 1 else after
    for milestone in standing.milestones:
        if standing.start < milestone.at <= upto and milestone.at not in told:
            happenings.append(_milestone(milestone, old, after))
    return (
        replace(standing, current=after, told=after, times_reached=standing.times_reached + rounds),
        happenings,
    )


def _passed(standing: Standing, old: int, *, upto: int) -> list[Happening]:
    """Name the milestones and the target that are above `told` and not above `upto`, from the lowest."""
    found = [
        (one.at, 0, _milestone(one, old, standing.current))
        for one in standing.milestones
        if standing.told < one.at <= upto
    ]
    if standing.told < standing.target <= upto:
        kind = StreamGoalChangeKind.REACHED
        reached = Happening(kind=kind, old=old, new=standing.current, threshold=standing.target)
        found.append((standing.target, 1, reached))
    return [happening for _, _, happening in sorted(found, key=lambda one: one[:2])]


def _milestone(milestone: Milestone, old: int, new: int) -> Happening:
    kind = StreamGoalChangeKind.MILESTONE
    return Happening(kind=kind, old=old, new=new, threshold=milestone.at, label=milestone.label)


def _retargeted(old: int, new: int) -> Iterable[Happening]:
    if new != old:
        yield Happening(kind=StreamGoalChangeKind.TARGET, old=old, new=new, delta=new - old)


def _is_shown(standing: Standing) -> bool:
    return standing.state is StreamGoalState.ACTIVE
