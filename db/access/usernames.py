"""Usernames: by which a user is mentioned and found, and which no two users share, whatever their case."""

import re
from uuid import UUID

from db.errors import Conflict, Invalid

LONGEST_USERNAME = 40
_FORM = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{LONGEST_USERNAME - 1}}}", re.ASCII)


def checked_username(text: str) -> str:
    """Return a username without the space around it. Raises `Invalid` for one that cannot be."""
    text = text.strip()
    if _FORM.fullmatch(text) is None:
        raise Invalid(
            f"A username has 1 to {LONGEST_USERNAME} letters from a to z, digits, and after the first of them also "
            "`_`, `.` and `-`.",
            field="username",
        )
    return text


def username_of(name: str, id: UUID) -> str:  # noqa: A002 -- an id is called id
    """Make a username of a name; of the id where the name has nothing that may stand in one."""
    kept = "".join(character if character.isascii() and character.isalnum() else "_" for character in name.lower())
    made = "_".join(part for part in kept.split("_") if part)[:LONGEST_USERNAME].rstrip("_")
    return made or f"user_{id.hex[-12:]}"


def taken_username() -> Conflict:
    """Return how a username is refused that somebody has."""
    return Conflict("There is a user of this username.", field="username")
