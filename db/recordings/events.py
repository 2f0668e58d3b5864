"""What happened to recordings, bookmarks and OBS machines."""

from dataclasses import dataclass
from uuid import UUID

from db.bus import Event
from db.recordings.tables import OBSCommand, OBSMachine, Recording
from db.recordings.vocabulary import RecordingNewsKind

# Whoever keeps all OBS machines watches this.
ALL_MACHINES = UUID(int=0x4F42_535F)


@dataclass(frozen=True, kw_only=True)
class RecordingEvent(Event):
    """Something that whoever watches the recordings of a mat wants to know."""


@dataclass(frozen=True, kw_only=True)
class RecordingChanged(RecordingEvent):
    """Something happened to a recording, which is as it was left; of a deleted one, as it was."""

    recording: Recording
    kind: RecordingNewsKind

    @property
    def topics(self) -> tuple[UUID, ...]:
        """The recording and its mat."""
        return (self.recording.id, self.recording.mat_id)


@dataclass(frozen=True, kw_only=True)
class OBSCommandQueued(Event):
    """There is something for an OBS to do."""

    command: OBSCommand

    @property
    def topics(self) -> tuple[UUID, ...]:
        """The machine."""
        return (self.command.machine_id,)


@dataclass(frozen=True, kw_only=True)
class OBSCommandFailed(RecordingEvent):
    """An OBS did not do what it was told, or could not be told."""

    command: OBSCommand
    mat_id: UUID

    @property
    def topics(self) -> tuple[UUID, ...]:
        """The mat that it films."""
        return (self.mat_id,)


@dataclass(frozen=True, kw_only=True)
class OBSMachineConfigured(Event):
    """What a machine should do was changed, or there is another one, or one less."""

    machine_id: UUID

    @property
    def topics(self) -> tuple[UUID, ...]:
        """All machines."""
        return (ALL_MACHINES,)


@dataclass(frozen=True, kw_only=True)
class OBSMachineChanged(Event):
    """How a machine is doing changed."""

    machine: OBSMachine

    @property
    def topics(self) -> tuple[UUID, ...]:
        """The machine and the mat that it films."""
        return (self.machine.id, self.machine.mat_id)
