"""The words of recordings: each enum's value is its name, in the database, in JSON and in the graph."""

from enum import StrEnum


class RecordingKind(StrEnum):
    """What sort of file or output a recording is."""

    RECORDING = "RECORDING"
    # The replay buffer as it was saved: the last while before that.
    REPLAY = "REPLAY"
    STREAM = "STREAM"


class RecordingState(StrEnum):
    """How far a recording has come."""

    RECORDING = "RECORDING"
    FINISHED = "FINISHED"
    # It was under way, and nobody knows what became of it.
    LOST = "LOST"


class RecordingNewsKind(StrEnum):
    """What just happened to a recording."""

    STARTED = "STARTED"
    SAVED = "SAVED"
    FAILED = "FAILED"
    CORRECTED = "CORRECTED"
    DELETED = "DELETED"


class OBSMachineState(StrEnum):
    """How an OBS machine is doing."""

    DISCONNECTED = "DISCONNECTED"
    CONNECTING = "CONNECTING"
    CONNECTED = "CONNECTED"
    ERROR = "ERROR"


class OBSCommandKind(StrEnum):
    """What an OBS is told to do."""

    START_RECORDING = "START_RECORDING"
    STOP_RECORDING = "STOP_RECORDING"
    SAVE_REPLAY = "SAVE_REPLAY"


class OBSCommandState(StrEnum):
    """How far a command has come."""

    QUEUED = "QUEUED"
    # OBS was told, and has not done it yet.
    SENT = "SENT"
    DONE = "DONE"
    FAILED = "FAILED"


class ChapterKind(StrEnum):
    """What begins at a place of a recording."""

    MATCH = "MATCH"
    ROUND = "ROUND"
    WINNER = "WINNER"
