"""What a listener hears while it listens once: counted in memory, packet by packet, and reported now and then."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from db.network.addresses import Allowance
from db.network.operations import SenderReport

# Senders that are told apart: of those heard, and of those refused. Whoever comes later is counted in the sums alone.
MOST_SENDERS = 100
# A sender that was silent for longer is not active.
ACTIVE_FOR = timedelta(seconds=10)

Origin = tuple[str, int]


@dataclass(slots=True)
class SenderTraffic:
    """What one address has sent."""

    is_refused: bool
    first_seen_at: datetime
    last_seen_at: datetime
    packets: int = 0
    octets: int = 0

    def report(self, origin: Origin, *, now: datetime) -> SenderReport:
        """Return what is known of it."""
        return SenderReport(
            address=origin[0],
            port=origin[1],
            is_refused=self.is_refused,
            is_active=now - self.last_seen_at < ACTIVE_FOR,
            first_seen_at=self.first_seen_at,
            last_seen_at=self.last_seen_at,
            packet_count=self.packets,
            byte_count=self.octets,
        )


@dataclass(slots=True)
class Traffic:
    """What has come since a listener was bound. Refused packets are counted as `refused` and nowhere else."""

    packets: int = 0
    octets: int = 0
    messages: int = 0
    unreadable: int = 0
    oversize: int = 0
    dropped: int = 0
    refused: int = 0
    smallest: int | None = None
    largest: int | None = None
    last_received_at: datetime | None = None
    _senders: dict[Origin, SenderTraffic] = field(default_factory=dict)
    _kept: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})

    def admit(self, origin: Origin, size: int, now: datetime, allowance: Allowance) -> bool:
        """Count a packet of `size` bytes, and say whether its sender is heard."""
        sender = self._senders.get(origin)
        is_refused = not allowance.hears(origin[0]) if sender is None else sender.is_refused
        if sender is None:
            sender = self._meet(origin, now, is_refused=is_refused)
        if sender is not None:
            sender.packets += 1
            sender.octets += size
            sender.last_seen_at = now
        if is_refused:
            self.refused += 1
            return False
        self.packets += 1
        self.octets += size
        self.last_received_at = now
        self.smallest = size if self.smallest is None else min(self.smallest, size)
        self.largest = size if self.largest is None else max(self.largest, size)
        return True

    def judge_anew(self, allowance: Allowance) -> None:
        """Refuse or hear those who are known by another allowance."""
        for origin, sender in self._senders.items():
            sender.is_refused = not allowance.hears(origin[0])

    def senders(self, now: datetime) -> Iterator[SenderReport]:
        """Tell of everybody who is told apart."""
        return (sender.report(origin, now=now) for origin, sender in self._senders.items())

    def _meet(self, origin: Origin, now: datetime, *, is_refused: bool) -> SenderTraffic | None:
        if self._kept[is_refused] >= MOST_SENDERS:
            return None
        self._kept[is_refused] += 1
        sender = self._senders[origin] = SenderTraffic(is_refused=is_refused, first_seen_at=now, last_seen_at=now)
        return sender
