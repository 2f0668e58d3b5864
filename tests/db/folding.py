"""Messages folded in tests, and the captured fights that they are of."""

from datetime import UTC, datetime, timedelta
from functools import reduce

from api.workers.pss_protocol import parse
from db.matches.fold import Entry, apply, begin
from db.matches.state import FightState

START = datetime(2025, 8, 15, 9, 30, tzinfo=UTC)


def at(milliseconds: int) -> datetime:
    return START + timedelta(milliseconds=milliseconds)


def entry(milliseconds: int, wire: str, seq: int = 1) -> Entry:
    return Entry(seq=seq, received_at=at(milliseconds), message=parse(wire.encode()))


def fold(entries: list[Entry]) -> FightState:
    return reduce(apply, entries[1:], begin(entries[0]))


def folded(*wires: tuple[int, str]) -> FightState:
    return fold([entry(milliseconds, wire, seq) for seq, (milliseconds, wire) in enumerate(wires, start=1)])


LOADED = folded(
    (0, "pre;FightLoaded"),
    (13, "at1;A. ONE;Ana One;SUI;at2;B. TWO;Bo Two;GER"),
    (26, "mch;101;Final;W -57kg;0;#0000ff;#FFFFFF;#ff0000;#FFFFFF;null;Seniors;3;120;cntDown;18;5;"),
    (39, "clk;02:00"),
    (52, "rnd;1"),
    (65, "rdy;FightReady"),
)


def after(*wires: tuple[int, str], state: FightState = LOADED) -> FightState:
    """Fold onto a loaded fight; times are counted from one minute after the load."""
    entries = [entry(60_000 + milliseconds, wire, seq) for seq, (milliseconds, wire) in enumerate(wires, start=7)]
    return reduce(apply, entries, state)
