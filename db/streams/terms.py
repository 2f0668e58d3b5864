"""The terms of a goal: all that its maker may say and change, checked as a whole before any of it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from db.errors import Invalid
from db.streams.rules import LARGEST_COUNT, LARGEST_TARGET, Milestone
from db.streams.style import DEFAULT_STYLE, Style, style_from_json, style_to_json, styled
from db.streams.tables import StreamGoal
from db.streams.vocabulary import StreamGoalKind, StreamGoalMode, StreamGoalPeriod
from db.texts import checked

LONGEST_NAME = 60
LONGEST_UNIT = 20
LONGEST_LABEL = 100
MOST_MILESTONES = 50
LARGEST_WEIGHT = 1_000_000_000
LARGEST_POSITION = 1_000_000
_WEIGHED = (
    StreamGoalKind.COINS,
    StreamGoalKind.LIKES,
    StreamGoalKind.FOLLOWERS,
    StreamGoalKind.SHARES,
    StreamGoalKind.SUBSCRIBERS,
    StreamGoalKind.CUSTOM,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a goal is to be. `weights` are in thousandths of a point; without a `step`, one is the way to the target."""

    kind: StreamGoalKind
    name: str = ""
    unit: str = ""
    start: int = 0
    target: int = 0
    mode: StreamGoalMode = StreamGoalMode.FIXED
    step: int | None = None
    weights: Mapping[StreamGoalKind, int] | None = None
    milestones: tuple[Milestone, ...] = ()
    style: Style = DEFAULT_STYLE
    period: StreamGoalPeriod = StreamGoalPeriod.NONE
    ends_at: datetime | None = None
    position: int | None = None


_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Terms) if field.name != "kind"}


def changed_terms(terms: Terms, changes: Mapping[str, Any], now: datetime) -> Terms:
    """Return terms with some of them changed; `None` brings a default back. Raises `Invalid`, naming the field.

    A style may be given as a whole, or as a mapping of what is to change of it.
    """
    given = {name: _DEFAULTS[name] if value is None else value for name, value in changes.items()}
    if isinstance(given.get("style"), Mapping):
        given["style"] = styled(terms.style, given["style"])
    changed = replace(terms, **given)
    if "ends_at" in given and changed.ends_at is not None and changed.ends_at <= now:
        raise Invalid("An end date lies ahead.", field="ends_at")
    return _checked(changed)


def terms_of(goal: StreamGoal) -> Terms:
    """Return the terms of a stored goal."""
    return Terms(
        kind=goal.kind,
        name=goal.name,
        unit=goal.unit,
        start=goal.start,
        target=goal.target,
        mode=goal.mode,
        step=goal.step,
        weights=weights_of(goal),
        milestones=milestones_of(goal),
        style=style_from_json(goal.style),
        period=goal.period,
        ends_at=goal.ends_at,
        position=goal.position,
    )


def columns_of(terms: Terms) -> dict[str, Any]:
    """Return the columns that terms are stored in, but for the place among others."""
    return {
        "kind": terms.kind,
        "name": terms.name,
        "unit": terms.unit,
        "start": terms.start,
        "target": terms.target,
        "mode": terms.mode,
        "step": terms.target - terms.start if terms.step is None else terms.step,
        "weights": {str(kind): weight for kind, weight in (terms.weights or {}).items()},
        "milestones": [{"at": one.at, "label": one.label} for one in terms.milestones],
        "style": style_to_json(terms.style),
        "period": terms.period,
        "ends_at": terms.ends_at,
    }


def weights_of(goal: StreamGoal) -> dict[StreamGoalKind, int]:
    """Return what news of each kind is worth to a goal, in thousandths."""
    if goal.kind is not StreamGoalKind.POINTS:
        return {goal.kind: 1000}
    return {StreamGoalKind(kind): weight for kind, weight in goal.weights.items()}


def milestones_of(goal: StreamGoal) -> tuple[Milestone, ...]:
    """Return a goal's milestones, the lowest first."""
    return tuple(Milestone(one["at"], one["label"]) for one in goal.milestones)


def _checked(terms: Terms) -> Terms:
    _check_numbers(terms)
    weights = _checked_weights(terms)
    return replace(
        terms,
        name=checked(terms.name, "A name", field="name", longest=LONGEST_NAME),
        unit=checked(terms.unit, "A unit", field="unit", shortest=0, longest=LONGEST_UNIT),
        weights=weights,
        milestones=_checked_milestones(terms),
    )


def _check_numbers(terms: Terms) -> None:
    if not 0 <= terms.start < LARGEST_COUNT:
        raise Invalid(f"A goal starts between 0 and {LARGEST_COUNT - 1:,}.", field="start")
    if not 1 <= terms.target <= LARGEST_TARGET:
        raise Invalid(f"A target is between 1 and {LARGEST_TARGET:,}.", field="target")
    if terms.target <= terms.start:
        raise Invalid("A target is above the start.", field="target")
    if terms.step is not None and not 0 <= terms.step <= LARGEST_COUNT:
        raise Invalid(f"A step is between 0 and {LARGEST_COUNT:,}.", field="step")
    if terms.mode is StreamGoalMode.ADD and terms.step == 0:
        raise Invalid("A goal that adds to its target adds 1 at least.", field="step")
    if terms.position is not None and not 0 <= terms.position <= LARGEST_POSITION:
        raise Invalid(f"A position is between 0 and {LARGEST_POSITION:,}.", field="position")


def _checked_weights(terms: Terms) -> dict[StreamGoalKind, int]:
    weights = dict(terms.weights or {})
    if terms.kind is not StreamGoalKind.POINTS:
        if weights not in ({}, {terms.kind: 1000}):
            raise Invalid("Only a goal of points weighs what it counts.", field="weights")
        return {}
    if not weights:
        raise Invalid("A goal of points says what each kind is worth.", field="weights")
    for kind, weight in weights.items():
        if kind not in _WEIGHED:
            raise Invalid(f"{kind} cannot be turned into points.", field="weights")
        if not 1 <= weight <= LARGEST_WEIGHT:
            raise Invalid("A kind is worth 0.001 to 1,000,000 points.", field="weights")
    return weights


def _checked_milestones(terms: Terms) -> tuple[Milestone, ...]:
    milestones = sorted(terms.milestones, key=lambda one: one.at)
    if len(milestones) > MOST_MILESTONES:
        raise Invalid(f"A goal has at most {MOST_MILESTONES} milestones.", field="milestones")
    if len({one.at for one in milestones}) != len(milestones):
        raise Invalid("No two milestones stand at one count.", field="milestones")
    if any(not terms.start < one.at <= LARGEST_COUNT for one in milestones):
        raise Invalid(f"A milestone is above the start, and at most {LARGEST_COUNT:,}.", field="milestones")
    return tuple(
        Milestone(one.at, checked(one.label, "A label", field="milestones", shortest=0, longest=LONGEST_LABEL))
        for one in milestones
    )
