"""The words of recordings as the graph shows them: each enum and each of its values described."""

from db.recordings.vocabulary import (
    ChapterKind,
    OBSCommandKind,
    OBSCommandState,
    OBSMachineState,
    RecordingKind,
    RecordingNewsKind,
    RecordingState,
)
from schema.fields import enum

__all__ = [
    "ChapterKind",
    "OBSCommandKind",
    "OBSCommandState",
    "OBSMachineState",
    "RecordingKind",
    "RecordingNewsKind",
    "RecordingState",
]

enum(
    RecordingKind,
    "What sort of recording it is.",
    RECORDING="A file that is written while it is recorded.",
    REPLAY="The replay buffer as it was saved: the last while before that, about as long as was set and never exactly.",
    STREAM="What went out on a stream.",
)
enum(
    RecordingState,
    "How far a recording has come.",
    RECORDING="It is under way.",
    FINISHED="It has ended, and its times are known as far as anybody can.",
    LOST="It was under way, and nobody knows what became of it. It may be found: finish it.",
)
enum(
    RecordingNewsKind,
    "What just happened.",
    STARTED="A recording began.",
    SAVED="A recording was finished, or a replay saved.",
    FAILED="A recording was lost, or an OBS did not do what it was told.",
    CORRECTED="What is known of a recording was corrected, or it was paused or went on.",
    DELETED="A recording was taken off the list.",
)
enum(
    OBSMachineState,
    "How an OBS machine is doing.",
    DISCONNECTED="It is switched off.",
    CONNECTING="It is called, or will be in a moment.",
    CONNECTED="It answers.",
    ERROR="It could not be reached, or does not let us in: see `message`. It is called again.",
)
enum(
    OBSCommandKind,
    "What an OBS is told to do.",
    START_RECORDING="Start to record.",
    STOP_RECORDING="Stop to record.",
    SAVE_REPLAY="Save the replay buffer.",
)
enum(
    OBSCommandState,
    "How far a command has come.",
    QUEUED="It waits until it is due, or until OBS is there.",
    SENT="OBS was told, and has not said that it is done.",
    DONE="It was carried out.",
    FAILED="It came to nothing: see `message`.",
)
enum(
    ChapterKind,
    "What begins at a place of a recording.",
    MATCH="A fight: its clock is started for the first time.",
    ROUND="A round of it.",
    WINNER="The moment at which its winner was announced.",
)
