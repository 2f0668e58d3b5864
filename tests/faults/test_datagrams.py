"""U1-U3: datagrams that come faster than they can be written, that are none, and that a network loses and mixes."""

import random
import socket
from functools import reduce
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.capture import read_capture
from api.replay import Network, over
from api.workers.pss import DatagramQueue
from api.workers.pss_protocol import parse, split
from db.matches import fold
from db.matches.fold import Entry
from db.matches.state import FightState
from db.matches.vocabulary import MatchState, Outcome
from tests.conftest import ManualClock
from tests.db.stored import NOW
from tests.faults.conftest import Figure, Size
from tests.support.captures import FINAL
from tests.support.competition import begun_fight
from tests.support.house import eventually, running_house
from tests.support.lives import Say, begin

FIGHT = read_capture(FINAL)


# A flood


def flooding(port: int, datagrams: int) -> None:
    """Send as fast as one process can, from another one; return when all are sent."""

    async def work(say: Say) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect(("127.0.0.1", port))
            tick = b"clk;01:%02d;" + b"x" * 190
            for number in range(datagrams):
                sender.send(tick % (number % 60))
        say(datagrams)

    heard, ended = begin(work).ended()
    assert (heard, ended) == ([datagrams], 0)


def dropped_by_the_kernel(port: int) -> int:
    """What the system had no room for at a port of this machine."""
    lines = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return next(int(line[-1]) for line in lines if line[1].endswith(f":{port:04X}"))


async def test_what_floods_in_is_written_or_counted_as_lost_and_the_server_answers_on(
    database_url: str, size: Size, figure: Figure
) -> None:
    sent = size(10_000, 1_000_000)
    async with running_house(database_url, queued_datagrams=2000) as house:
        assert house.listener is not None
        port, counters = await house.listener.wait_until_bound(), house.listener.queue.counters
        await house.send("\n".join(begun_fight("1")))
        await house.logged(len(begun_fight("1")))
        before = (counters.datagrams, counters.messages)
        # In the same breath: nothing is taken while all of it comes.
        flooding(port, sent)
        lost = dropped_by_the_kernel(port)

        async def is_through() -> bool:
            return counters.datagrams - before[0] + lost == sent and house.listener.facts()["waiting"] == 0  # type: ignore[union-attr]  # there is one

        await eventually(is_through, "the end of the flood")
        shed, written = counters.dropped, counters.messages - before[1]
        await house.logged(len(begun_fight("1")) + written)

    assert written + shed + lost == sent
    told = f"{written} written, {shed} dropped by the queue, {lost} by the kernel"
    figure("U1", f"{sent} datagrams at once: {told}, and no other")


def test_a_queue_without_a_bound_holds_whatever_comes(clock: ManualClock, figure: Figure) -> None:
    held = {}
    for capacity in (2000, 1 << 40):
        queue = DatagramQueue(clock, capacity=capacity)
        for _ in range(10_000):
            queue.datagram_received(b"clk;01:00", ("127.0.0.1", 5000))
        held[capacity] = (len(queue), queue.counters.dropped)

    assert held == {2000: (2000, 8000), 1 << 40: (10_000, 0)}
    figure("U1", "control: a queue without a bound holds all 10,000")


# What is no message


def naive(line: bytes) -> object:
    """Read a clock as who trusts what is sent."""
    word, minutes = line.decode().split(";")[:2]
    return word, int(minutes.split(":")[0])


def test_no_datagram_raises_and_nothing_of_it_is_lost(size: Size, figure: Figure) -> None:
    examples = size(300, 100_000)
    cut = st.builds(
        lambda wire, at, put: wire[:at] + put + wire[at:],
        st.sampled_from([one.raw for one in FIGHT]),
        st.integers(0, 200),
        st.binary(max_size=6),
    )

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck), database=None, deadline=None)
    @given(datagram=st.one_of(st.binary(max_size=300), cut))
    def check(datagram: bytes) -> None:
        for line in split(datagram, max_bytes=2048):
            parse(line)

    check()
    figure("U2", f"{examples} invented and spoiled datagrams: none raised")


def test_a_parser_that_trusts_what_is_sent_raises(figure: Figure) -> None:
    spoiled = [one.raw[:at] for one in FIGHT[:20] for at in range(len(one.raw))]
    raised = 0
    for line in spoiled:
        try:
            naive(line)
        except (ValueError, UnicodeError):
            raised += 1

    assert raised
    figure("U2", f"control: a parser that trusts what is sent raised at {raised} of {len(spoiled)}")


# A network


def told_over(seed: int) -> FightState:
    """The captured final as it arrives over a network that loses, doubles and mixes, folded."""
    chance = random.Random(seed)  # noqa: S311 -- a play, not a secret
    arrived = [
        one
        for message in over(FIGHT, Network(loss=0.01, reorder=0.01), seed)
        for one in [message] * (2 if chance.random() < 0.01 else 1)
    ]
    said = [
        Entry(seq=seq, received_at=NOW + one.offset, message=parse(one.raw)) for seq, one in enumerate(arrived, start=1)
    ]
    return reduce(fold.apply, said[1:], fold.begin(said[0]))


def test_a_fight_over_a_bad_network_ends_as_announced_or_is_flagged(size: Size, figure: Figure) -> None:
    fights, right, flagged, unheard = size(30, 5000), 0, 0, 0
    whole = {1: (4, 5), 2: (19, 12), 3: (12, 0)}
    for seed in range(fights):
        state = told_over(seed)
        scores = {each.number: (each.blue.score, each.red.score) for each in state.rounds}
        if state.state is not MatchState.ENDED:
            unheard += 1
        elif state.outcome is Outcome.BLUE and scores == whole:
            right += 1
        else:
            assert state.has_result_conflict or any(_is_flagged(each) for each in state.rounds), (seed, scores)
            flagged += 1

    assert right > fights / 2
    told = f"{right} as announced, {flagged} flagged, {unheard} whose end was lost"
    figure("U3", f"{fights} fights with 1 % lost, doubled and overtaken: {told}, none wrong in silence")


def _is_flagged(each: object) -> bool:
    return bool(getattr(each, "has_statistics_conflict", False))


def test_points_that_are_added_up_are_wrong_in_silence(size: Size, figure: Figure) -> None:
    wrong = 0
    for seed in range(size(30, 5000)):
        chance = random.Random(seed)  # noqa: S311 -- as above
        arrived = [one.wire for one in over(FIGHT, Network(loss=0.01), seed)]
        arrived += [wire for wire in arrived if chance.random() < 0.01]
        added = sum(int(wire.split(";")[1]) for wire in arrived if wire.startswith("pt1;"))
        exact = sum(int(one.wire.split(";")[1]) for one in FIGHT if one.wire.startswith("pt1;"))
        wrong += added != exact

    assert wrong
    figure("U3", f"control: points added up instead of totals taken, {wrong} of {size(30, 5000)} fights wrong")
