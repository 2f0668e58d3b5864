"""What a client says of entries and of himself. What is absent stays; null brings the default back."""

from typing import Any

import strawberry
from strawberry import Maybe

from schema.ids import decode_id
from schema.inputs import given
from schema.social.subjects import kind_of_subject
from schema.social.vocabulary import EntryKind, EntryPrivacy, UserKind


@strawberry.input(description="What is measured of an entry, each from 0 to 1.")
class EntryMetricsInput:
    """What is measured of an entry."""

    clarity: float | None = strawberry.field(default=None, description="How clear it is. Default: 0.5.")
    resonance: float | None = strawberry.field(default=None, description="How much it resonates. Default: 0.5.")
    coherence: float | None = strawberry.field(default=None, description="How well it hangs together. Default: 0.5.")


@strawberry.input(description="An entry to be written or changed. What is absent stays; null brings the default back.")
class EntryInput:
    """An entry to be written or changed."""

    kind: Maybe[EntryKind | None] = strawberry.field(default=None, description="What it is. Default: LOGBOOK.")
    label: Maybe[str | None] = strawberry.field(
        default=None, description="What sort of it: at most 60 characters. Default: nothing."
    )
    title: Maybe[str | None] = strawberry.field(
        default=None, description="Its title: at most 200 characters. Default: none."
    )
    content: Maybe[str | None] = strawberry.field(
        default=None, description="What it says: 1 to 2,000 characters, unless the server says otherwise."
    )
    tags: Maybe[list[str] | None] = strawberry.field(
        default=None, description="At most 10 of at most 50 characters; `#` and case make no difference. Default: none."
    )
    agent: Maybe[str | None] = strawberry.field(
        default=None, description="Who or what wrote it: at most 60 characters. Default: nothing."
    )
    metrics: Maybe[EntryMetricsInput | None] = strawberry.field(default=None, description="What is measured of it.")
    privacy: Maybe[EntryPrivacy | None] = strawberry.field(
        default=None, description="Who sees it, of those who see the root of its thread. Default: PUBLIC."
    )
    subject_id: Maybe[strawberry.ID | None] = strawberry.field(
        default=None, description="The node that it is about: see `Entry.subject`. Default: nothing."
    )


@strawberry.input(description="Your profile. What is absent stays; null empties it.")
class ProfileInput:
    """Your profile."""

    username: Maybe[str | None] = strawberry.field(
        default=None,
        description="By which you are found: 1 to 40 letters from a to z, digits, `_`, `.` and `-`. Never empty.",
    )
    name: Maybe[str | None] = strawberry.field(
        default=None, description="What you are called: 1 to 200 characters. Never empty."
    )
    kind: Maybe[UserKind | None] = strawberry.field(
        default=None, description="Whether you are a person. Null: you are."
    )
    bio: Maybe[str | None] = strawberry.field(
        default=None, description="What you say of yourself: at most 500 characters."
    )
    location: Maybe[str | None] = strawberry.field(default=None, description="Where you are: at most 500 characters.")
    avatar_url: Maybe[str | None] = strawberry.field(
        default=None, description="The address of a picture: `https://…`, at most 500 characters."
    )


def entry_changes(input: EntryInput) -> dict[str, Any]:
    """Return what an input says of an entry, in the words of `db`. Raises `Invalid`."""
    changes = given(input)
    if changes.get("metrics") is not None:
        changes["metrics"] = vars(changes["metrics"])
    if "subject_id" in changes:
        id = changes["subject_id"]
        changes["subject_kind"] = None if id is None else kind_of_subject(id)
        changes["subject_id"] = None if id is None else decode_id(id, field="subject_id")
    return changes
