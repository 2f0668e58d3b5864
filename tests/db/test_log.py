from datetime import timedelta

from api.capture import read_capture
from api.workers.pss_protocol import parse
from db.ids import new_id
from db.matches.log import MatProgress, Received, advance, settle
from tests.conftest import ManualClock
from tests.support.captures import FINAL

LOAD_LENGTH = 12


def _received(clock: ManualClock) -> list[Received]:
    return [
        Received(
            received_at=clock.now() + one.offset,
            sender="127.0.0.1:5000",
            raw=one.wire.encode(),
            message=parse(one.wire.encode()),
        )
        for one in read_capture(FINAL)[:LOAD_LENGTH]
    ]


def _after_each(clock: ManualClock) -> list[MatProgress]:
    progress = MatProgress(mat_id=new_id(), seq=0, fight=None)
    after = []
    for one in _received(clock):
        progress = advance(progress, [one]).progress
        after.append(progress)
    return after


def test_a_fight_is_shown_once_its_load_is_complete(clock: ManualClock) -> None:
    revisions = [progress.fight.revision for progress in _after_each(clock) if progress.fight is not None]

    assert revisions == [0] * (LOAD_LENGTH - 1) + [1]


def test_a_load_that_breaks_off_is_shown_after_a_silence(clock: ManualClock) -> None:
    *_, broken_off, _ = _after_each(clock)

    settled = settle(broken_off, clock.now() + timedelta(seconds=1))

    assert settled.fight is not None
    assert (settled.fight.revision, settled.fight.shown["number"]) == (1, "1945")
    assert settle(settled, clock.now() + timedelta(seconds=2)) == settled


def test_what_tells_of_one_happening_names_the_entry_it_began_with(clock: ManualClock) -> None:
    wires = [
        *("pre;FightLoaded", "mch;1", "wg1;0;wg2;0", "clk;02:00", "rdy;FightReady"),
        *("clk;02:00;start", "clk;01:59"),
        *("hl1;99", "sc1;2;sc2;0", "clk;01:58", "s11;2;s21;0;s12;0;s22;0;s13;0;s23;0", "pt1;2"),
        *("pt2;1", "sc1;2;sc2;1", "wg1;1;wg2;0"),
        *(
            "wrd;rd1;1;rd2;0;rd3;0",
            "s11;2;s21;1;s12;0;s22;0;s13;0;s23;0",
            "rst;1;st1;2;0;0;0;0;0;st2;0;0;1;0;0;1",
            "rsr;",
        ),
    ]

    assert _bursts(clock, wires) == [
        *(1, 1, 1, 1, 1),
        *(None, None),
        *(8, 8, None, 8, 8),
        *(None, 14, 14),
        *(16, 16, 16, 16),
    ]


def test_a_burst_that_was_never_closed_is_over_after_a_silence(clock: ManualClock) -> None:
    load, silence = ["pre;FightLoaded", "rdy;FightReady"], timedelta(milliseconds=500)

    assert _bursts(clock, [*load, "sup;1", "sc1;2;sc2;0", "pt1;2"], between=silence) == [1, None, 3, 4, None]


def test_bursts_are_the_same_however_the_log_is_cut(clock: ManualClock) -> None:
    received = [
        Received(clock.now() + one.offset, "127.0.0.1:5000", one.wire.encode(), parse(one.wire.encode()))
        for one in read_capture(FINAL)
    ]
    progress = MatProgress(mat_id=new_id(), seq=0, fight=None)
    one_by_one = []
    for one in received:
        steps = advance(progress, [one])
        progress = steps.progress
        one_by_one += [logged.burst_seq for logged in steps.logged]

    at_once = advance(MatProgress(mat_id=new_id(), seq=0, fight=None), received).logged

    assert one_by_one == [logged.burst_seq for logged in at_once]
    points = [logged for logged in at_once if logged.received.raw.startswith(b"pt")]
    assert all(logged.burst_seq is not None and logged.burst_seq < logged.entry.seq for logged in points)


def _bursts(
    clock: ManualClock, wires: list[str], *, between: timedelta = timedelta(milliseconds=1)
) -> list[int | None]:
    received = [
        Received(clock.now() + number * between, "127.0.0.1:5000", wire.encode(), parse(wire.encode()))
        for number, wire in enumerate(wires)
    ]
    return [one.burst_seq for one in advance(MatProgress(mat_id=new_id(), seq=0, fight=None), received).logged]
