"""How a goal looks on an overlay: typed, and checked before it is stored."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any

from db.errors import Invalid
from db.streams.vocabulary import GoalAnimation, GoalCelebration, GoalLook, NumberFormat
from db.texts import checked

PLACEHOLDERS = ("name", "current", "target", "percent", "remaining", "unit")
LONGEST_TEMPLATE = 200
LONGEST_MILLISECONDS = 20_000
LONGEST_SHOWING_SECONDS = 3600
_COLOUR = re.compile(r"#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{8})", re.ASCII)
_BRACES = re.compile(r"\{([^{}]*)\}|[{}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a goal is drawn. `shown_seconds`: after a change it shows for so long and then goes; 0: it stays."""

    look: GoalLook = GoalLook.BAR
    template: str = "{name}: {current} / {target}"
    fill_color: str = "#ff2d55"
    fill_end_color: str = "#ff9f0a"
    track_color: str = "#10131acc"
    text_color: str = "#ffffff"
    animation: GoalAnimation = GoalAnimation.SMOOTH
    animation_ms: int = 600
    celebration: GoalCelebration = GoalCelebration.CONFETTI
    celebration_ms: int = 4000
    number_format: NumberFormat = NumberFormat.GROUPED
    shown_seconds: int = 0


DEFAULT_STYLE = Style()


def styled(style: Style, changes: Mapping[str, Any]) -> Style:
    """Return a style with some of it changed; `None` brings a default back. Raises `Invalid`, naming what is wrong."""
    given = {name: getattr(DEFAULT_STYLE, name) if value is None else value for name, value in changes.items()}
    changed = replace(style, **given)
    for name in given:
        _check(changed, name)
    return replace(
        changed, template=checked(changed.template, "A template", field="template", longest=LONGEST_TEMPLATE)
    )


def style_to_json(style: Style) -> dict[str, Any]:
    """Write a style in values every JSON printer knows."""
    return {name: str(value) if isinstance(value, StrEnum) else value for name, value in asdict(style).items()}


def style_from_json(record: Mapping[str, Any]) -> Style:
    """Read back what `style_to_json` wrote; what an older version did not write is as by default."""
    known = {field.name: record[field.name] for field in fields(Style) if field.name in record}
    values: dict[str, Any] = {name: _ENUMS[name](value) if name in _ENUMS else value for name, value in known.items()}
    return Style(**values)


def _check(style: Style, name: str) -> None:
    value = getattr(style, name)
    if name.endswith("_color") and not _COLOUR.fullmatch(value):
        raise Invalid(f"A colour is written #rrggbb or #rrggbbaa; {value[:40]!r} is not.", field=name)
    if name.endswith("_ms") and not 0 <= value <= LONGEST_MILLISECONDS:
        raise Invalid(f"A time is between 0 and {LONGEST_MILLISECONDS:,} milliseconds.", field=name)
    if name == "shown_seconds" and not 0 <= value <= LONGEST_SHOWING_SECONDS:
        raise Invalid(f"A goal shows for 0 to {LONGEST_SHOWING_SECONDS:,} seconds; 0 is for ever.", field=name)
    if name == "template":
        _check_template(value)


def _check_template(template: str) -> None:
    for found in _BRACES.finditer(template):
        if found[1] not in PLACEHOLDERS:
            known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise Invalid(f"A template knows {known}; {found[0][:40]!r} is none of them.", field="template")


_ENUMS: dict[str, type[StrEnum]] = {
    "look": GoalLook,
    "animation": GoalAnimation,
    "celebration": GoalCelebration,
    "number_format": NumberFormat,
}
