"""Text from outside: what may be stored, on either database alike."""

import re

from db.errors import Invalid

# PostgreSQL has no NUL in a text, and neither database can encode half of a surrogate pair, as JSON may bring.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def checked(text: str, what: str, *, field: str, longest: int, shortest: int = 1) -> str:
    """Return a text without the space around it. Raises `Invalid`, naming `what` it is, for one that cannot be."""
    text = text.strip()
    if not shortest <= len(text) <= longest:
        raise Invalid(f"{what} has {shortest} to {longest} characters.", field=field)
    if _UNSTORABLE.search(text):
        raise Invalid(f"{what} holds a character that cannot be stored.", field=field)
    return text
