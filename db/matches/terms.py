"""What may be said of tournaments, their days and planned fights: checked, as columns."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from db.errors import Invalid
from db.matches.vocabulary import TournamentState
from db.texts import checked

LONGEST_NAME = 200
LONGEST_COUNTRY = 8
LONGEST_NUMBER = 32
MOST_DAYS = 100

NEW_TOURNAMENT: dict[str, Any] = {
    "city": "",
    "country_code": "",
    "starts_on": None,
    "ends_on": None,
    "state": TournamentState.PENDING,
    "revision": 0,
    "logo_checksum": None,
}
# The texts of a planned fight, as they are called where they are refused, and how long they may be.
_TEXTS_OF_FIGHT = {
    "phase": ("A phase", LONGEST_NAME),
    "weight": ("A weight class", LONGEST_NAME),
    "division": ("A division", LONGEST_NAME),
}


def tournament_columns(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what changes of a tournament come to. Null brings the default back. Raises `Invalid`."""
    columns = {name: changes[name] for name in ("starts_on", "ends_on") if name in changes}
    if "name" in changes:
        columns["name"] = checked(changes["name"] or "", "A name", field="name", longest=LONGEST_NAME)
    if "city" in changes:
        columns["city"] = checked(changes["city"] or "", "A city", field="city", shortest=0, longest=LONGEST_NAME)
    if "country_code" in changes:
        columns["country_code"] = country_code(changes["country_code"] or "")
    check_days(columns.get("starts_on"), columns.get("ends_on"))
    return columns


def country_code(code: str, *, field: str = "country_code") -> str:
    """Return a country's code in capitals; any may be, since the wire says some that nobody knows. Raises `Invalid`."""
    return checked(code, "A country code", field=field, shortest=0, longest=LONGEST_COUNTRY).upper()


def check_days(first: date | None, last: date | None) -> None:
    """Raise `Invalid` for a tournament that ends before it starts."""
    if first is not None and last is not None and last < first:
        raise Invalid("A tournament ends on the day it starts or later.", field="ends_on")


def planned_columns(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what changes of a planned fight come to, its athletes and its day apart. Raises `Invalid`."""
    columns: dict[str, Any] = {}
    if "number" in changes:
        columns["number"] = checked(changes["number"] or "", "A number", field="number", longest=LONGEST_NUMBER)
    for name, (what, longest) in _TEXTS_OF_FIGHT.items():
        if name in changes:
            columns[name] = checked(changes[name] or "", what, field=name, shortest=0, longest=longest)
    return columns
