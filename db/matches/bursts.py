"""When one happening has been told whole, so that a scoreboard changes once for it and not six times.

One point is told in 3 to 6 messages, in no order to rely on. A burst is open from the first of them to the one that
closes it:

    LOAD            pre                to rdy
    ACTION          hl, sup, sc, s..   to pt or wg
    ROUND_RESULTS   wrd, rst           to rsr; an s.. on the way belongs to it

All other messages leave a burst as it is, and never open one. A load is closed by nothing but `rdy`, because it holds
one of everything. Any other burst gives way to the next that opens.

Whoever shows scoreboards does so when no burst is open, and otherwise after 100 ms of silence: not every burst is
closed by a message (`sup` at a round's start), and the closing one may be lost. Here the same rule holds: a burst
whose last message is older than that is over when the next message comes, so nothing new waits for something old.
"""

from datetime import datetime, timedelta

from db.matches import messages
from db.matches.state import Burst
from db.matches.vocabulary import BurstKind

BURST_SILENCE = timedelta(milliseconds=100)

_OPENS: dict[type[messages.Message], BurstKind] = {
    messages.FightLoading: BurstKind.LOAD,
    messages.HitLevel: BurstKind.ACTION,
    messages.Superiority: BurstKind.ACTION,
    messages.Score: BurstKind.ACTION,
    messages.RoundScores: BurstKind.ACTION,
    messages.RoundWinners: BurstKind.ROUND_RESULTS,
    messages.RoundStatistics: BurstKind.ROUND_RESULTS,
}
_CLOSES: dict[type[messages.Message], BurstKind] = {
    messages.FightReady: BurstKind.LOAD,
    messages.Point: BurstKind.ACTION,
    messages.GamJeoms: BurstKind.ACTION,
    messages.RoundResultsSent: BurstKind.ROUND_RESULTS,
}


def burst_after(burst: Burst | None, message: messages.Message, at: datetime, *, seq: int) -> Burst | None:
    """Say which burst is open once this message is folded; `seq` is its number."""
    if burst is not None and at - burst.as_of > BURST_SILENCE:
        burst = None
    opened = _OPENS.get(type(message))
    if burst is None:
        return None if opened is None else Burst(kind=opened, as_of=at, seq=seq)
    if _CLOSES.get(type(message)) is burst.kind:
        return None
    if burst.kind is BurstKind.LOAD or _belongs(message, burst.kind) or opened is burst.kind:
        return Burst(kind=burst.kind, as_of=at, seq=burst.seq)
    return burst if opened is None else Burst(kind=opened, as_of=at, seq=seq)


def burst_of(before: Burst | None, after: Burst | None, message: messages.Message, at: datetime) -> int | None:
    """Say by its number to which burst a message belongs: the one it opens, goes on with or closes, None for none."""
    if after is before:
        return None
    if after is not None:
        return after.seq
    is_closed = before is not None and _CLOSES.get(type(message)) is before.kind and at - before.as_of <= BURST_SILENCE
    return before.seq if before is not None and is_closed else None


def _belongs(message: messages.Message, kind: BurstKind) -> bool:
    return kind is BurstKind.ROUND_RESULTS and isinstance(message, messages.RoundScores)
