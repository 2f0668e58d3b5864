"""What an author says of an entry, checked: the columns that come of it."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from db.errors import Invalid
from db.social.vocabulary import EntryKind, EntryPrivacy
from db.texts import checked

LONGEST_CONTENT = 2_000
LONGEST_TITLE = 200
LONGEST_LABEL = 60
LONGEST_TAG = 50
LONGEST_KEY = 100
MOST_TAGS = 10
# What is measured of an entry, each from 0 to 1, and where it stands if nothing is said.
METRICS = {"clarity": 0.5, "resonance": 0.5, "coherence": 0.5}

# An entry as it is where nothing else is said. A content it must have.
NEW_ENTRY: dict[str, Any] = {
    "kind": EntryKind.LOGBOOK,
    "label": "",
    "title": "",
    "content": "",
    "tags": (),
    "agent": "",
    "metrics": {},
    "privacy": EntryPrivacy.PUBLIC,
    "subject_kind": None,
    "subject_id": None,
}
_TEXTS = (
    ("label", "A label", LONGEST_LABEL),
    ("title", "A title", LONGEST_TITLE),
    ("agent", "An agent", LONGEST_LABEL),
)


def entry_columns(changes: Mapping[str, Any], *, longest: int = LONGEST_CONTENT) -> dict[str, Any]:
    """Return the columns of what is said; `None` brings the default back. Raises `Invalid`, naming the field."""
    said = {name: NEW_ENTRY[name] if value is None else value for name, value in changes.items()}
    columns: dict[str, Any] = {
        name: said[name] for name in ("kind", "privacy", "subject_kind", "subject_id") if name in said
    }
    if "content" in said:
        columns["content"] = checked(said["content"], "An entry", field="content", longest=longest)
    for name, what, most in _TEXTS:
        if name in said:
            columns[name] = checked(said[name], what, field=name, shortest=0, longest=most)
    if "tags" in said:
        columns["tags"] = _tags(said["tags"])
    if "metrics" in said:
        columns["metrics"] = _metrics(said["metrics"])
    return columns


def tag_key(tag: str) -> str:
    """Return a tag as it is kept and found: without `#`, without regard to case."""
    return checked(tag.strip().removeprefix("#"), "A tag", field="tags", longest=LONGEST_TAG).lower()


def checked_key(key: str | None) -> str | None:
    """Return what a program calls its request, checked."""
    if key is None:
        return None
    return checked(key, "An idempotency key", field="idempotency_key", longest=LONGEST_KEY)


def _tags(tags: list[str]) -> list[str]:
    keys = list(dict.fromkeys(map(tag_key, tags)))
    if len(keys) > MOST_TAGS:
        raise Invalid(f"An entry has at most {MOST_TAGS} tags.", field="tags")
    return keys


def _metrics(metrics: Mapping[str, float | None]) -> dict[str, float]:
    measured = {**METRICS, **{name: value for name, value in metrics.items() if value is not None}}
    if not all(isfinite(value) and 0 <= value <= 1 for value in measured.values()):
        raise Invalid("What is measured of an entry is between 0 and 1.", field="metrics")
    return {name: float(value) for name, value in measured.items()}
