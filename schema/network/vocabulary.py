"""The words of listening as the graph shows them: each enum and each of its values described."""

from db.network.vocabulary import ListenerSessionState, ListenerState
from schema.fields import enum

__all__ = ["ListenerSessionState", "ListenerState"]

enum(
    ListenerState,
    "How a listener is doing.",
    STOPPED="Its port is closed.",
    LISTENING="Its port is open.",
    ERROR="It should listen and cannot: see `lastError`. It is tried again, and nothing else is stopped by it.",
)
enum(
    ListenerSessionState,
    "How far a time of listening has come.",
    RUNNING="The port is open.",
    STOPPED="It ended as it should.",
    FAILED="It was ended by something that went wrong: see `error`.",
    INTERRUPTED="The server was gone before it could say how it ended. Counts are those that were last written down.",
)
