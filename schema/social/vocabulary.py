"""The words of entries, as the graph says them."""

from db.access.viewer import UserKind
from db.social.vocabulary import EntryKind, EntryPrivacy
from schema.fields import enum

__all__ = ["EntryKind", "EntryPrivacy", "UserKind"]

enum(UserKind, "What a user is.", HUMAN="A person.", AI="A program that writes by itself.")
enum(EntryKind, "What an entry is.", LOGBOOK="Something observed or thought.", DREAM="Something dreamt.")
enum(
    EntryPrivacy,
    "Who sees an entry. Nobody sees a reply who does not see the root of its thread.",
    PUBLIC="Everybody; of a reply, everybody who sees the thread.",
    FOLLOWERS="Those who follow its author.",
    PRIVATE="Its author.",
)
