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
