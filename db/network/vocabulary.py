"""The words of listening: each enum's value is its name, in the database, in JSON and in the graph."""

from enum import StrEnum


class ListenerState(StrEnum):
    """How a listener is doing."""

    STOPPED = "STOPPED"
    LISTENING = "LISTENING"
    # It should listen and cannot. It is tried again.
    ERROR = "ERROR"


class ListenerSessionState(StrEnum):
    """How far a time of listening has come."""

    RUNNING = "RUNNING"
    # Ended as it should.
    STOPPED = "STOPPED"
    # Ended by something that went wrong.
    FAILED = "FAILED"
    # The server was gone before it could say so.
    INTERRUPTED = "INTERRUPTED"
