"""The fold: what the captured fights come to, and what each message does and leaves alone."""

from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import accumulate, pairwise
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.capture import read_capture
from api.workers.pss_protocol import parse
from db.matches.board import board
from db.matches.clocks import Clock
from db.matches.fold import Entry, apply, begin, begins_match, superseded
from db.matches.messages import (
    Athletes,
    ClockMessage,
    FightLoading,
    GamJeoms,
    Link,
    MatchSettings,
    Message,
    Point,
    RoundBegan,
    RoundStatistics,
    Unknown,
    Unreadable,
)
from db.matches.state import CurrentChallenge, FightState, RoundSide, from_json, to_json
from db.matches.vocabulary import (
    BurstKind,
    ChallengeState,
    ClockState,
    MatchState,
    Outcome,
    RejectionReason,
    Side,
)
from tests.db.match_strategies import MESSAGES, logs

ROOT = Path(__file__).parents[2]
FINAL = ROOT / "api/demo/captures/fight_1945_final.tsv"
WITHDRAWAL = ROOT / "tests/data/pss/fight_5555_challenge_wdr.tsv"
START = datetime(2025, 8, 15, 9, 30, tzinfo=UTC)


def at(milliseconds: int) -> datetime:
    return START + timedelta(milliseconds=milliseconds)


def entry(milliseconds: int, wire: str, seq: int = 1) -> Entry:
    return Entry(seq=seq, received_at=at(milliseconds), message=parse(wire.encode()))


def entries_of(path: Path, closing: str = "") -> list[Entry]:
    return [
        Entry(seq=seq, received_at=START + captured.offset, message=parse((captured.wire + closing).encode()))
        for seq, captured in enumerate(read_capture(path), start=1)
    ]


def fold(entries: list[Entry]) -> FightState:
    return reduce(apply, entries[1:], begin(entries[0]))


def folded(*wires: tuple[int, str]) -> FightState:
    return fold([entry(milliseconds, wire, seq) for seq, (milliseconds, wire) in enumerate(wires, start=1)])


def state_at(path: Path, milliseconds: int) -> FightState:
    return fold([said for said in entries_of(path) if said.received_at <= at(milliseconds)])


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


# The captured fights.


@pytest.mark.parametrize("closing", ["", ";"])
def test_the_final_comes_to_what_was_seen(closing: str) -> None:
    state = fold(entries_of(FINAL, closing))

    seen = {
        "match": (state.state, state.number, state.phase, state.weight, state.division),
        "rounds": (state.round, state.round_count, state.round_seconds),
        "blue": (state.blue.long_name, state.blue.country_code, state.blue.background, state.blue.rounds_won),
        "red": (state.red.long_name, state.red.country_code, state.red.background, state.red.rounds_won),
        "result": (state.outcome, state.winner_name, state.round_score, state.result_code),
        "has_result_conflict": state.has_result_conflict,
        "round_scores": [(each.number, each.blue.score, each.red.score, each.winner) for each in state.rounds],
        "times": (state.started_at, state.ended_at, state.seq, state.is_burst_open),
    }
    assert seen == {
        "match": (MatchState.ENDED, "1945", "Final", "M -87kg", "Under 21"),
        "rounds": (3, 3, 120),
        "blue": ("Luka Šarić", "RUS", "#0000ff", 2),
        "red": ("Jonas Keller", "GER", "#ff0000", 1),
        "result": (Outcome.BLUE, "Luka Šarić", "2-1", "PTF"),
        "has_result_conflict": False,
        "round_scores": [(1, 4, 5, Side.RED), (2, 19, 12, Side.BLUE), (3, 12, 0, Side.BLUE)],
        "times": (at(41_381), at(239_781), 308, False),
    }


@pytest.mark.parametrize("closing", ["", ";"])
def test_a_withdrawal_ends_in_a_tie_without_a_name(closing: str) -> None:
    state = fold(entries_of(WITHDRAWAL, closing))

    seen = (state.state, state.outcome, state.winner_name, state.round_score, state.result_code, state.challenge)
    assert seen == (
        MatchState.ENDED,
        Outcome.TIE,
        "",
        "0-0",
        "WDR",
        CurrentChallenge(side=Side.BLUE, state=ChallengeState.CANCELLED),
    )
    # Blue had been given the round, and nobody was announced.
    assert (state.blue.rounds_won, state.red.rounds_won, state.has_result_conflict) == (1, 0, True)


def test_the_final_counts_its_points_and_gam_jeoms_round_by_round() -> None:
    state = fold(entries_of(FINAL))

    assert [(each.blue, each.red) for each in state.rounds] == [
        (
            RoundSide(score=4, gam_jeoms=1, point_counts=(0, 0, 1, 0, 0), reported=(0, 1, 0, 0, 0, 1)),
            RoundSide(score=5, gam_jeoms=1, point_counts=(0, 2, 0, 0, 0), reported=(2, 0, 0, 0, 0, 1)),
        ),
        (
            RoundSide(score=19, gam_jeoms=0, point_counts=(0, 0, 6, 0, 0), reported=(0, 6, 0, 0, 0, 0)),
            RoundSide(score=12, gam_jeoms=1, point_counts=(0, 3, 2, 0, 0), reported=(3, 2, 0, 0, 0, 1)),
        ),
        (
            RoundSide(score=12, gam_jeoms=0, point_counts=(0, 0, 4, 0, 0), reported=(0, 4, 0, 0, 0, 0)),
            RoundSide(score=0, gam_jeoms=0, point_counts=(0, 0, 0, 0, 0), reported=(0, 0, 0, 0, 0, 0)),
        ),
    ]


@pytest.mark.parametrize("path", [FINAL, WITHDRAWAL], ids=lambda path: path.stem)
def test_a_score_is_the_points_and_the_other_sides_gam_jeoms_at_every_round_end(path: Path) -> None:
    state = begin(entries_of(path)[0])
    for said in entries_of(path)[1:]:
        state = apply(state, said)
        if not isinstance(said.message, RoundStatistics):
            continue
        ended = state.round_of(said.message.round)
        assert not ended.has_count_difference
        assert (state.blue.score, state.red.score) == (ended.blue.score, ended.red.score)
        assert ended.blue.score == ended.blue.point_total + ended.red.gam_jeoms
        assert ended.red.score == ended.red.point_total + ended.blue.gam_jeoms


def test_three_equal_points_in_half_a_second_are_all_counted() -> None:
    before, afterwards = state_at(FINAL, 184_849), state_at(FINAL, 185_270)

    head_kicks = [state.round_of(2).blue.point_counts[2] for state in (before, afterwards)]
    assert head_kicks == [3, 6]


def test_rounds_keep_when_they_began_and_ended() -> None:
    state = fold(entries_of(FINAL))

    assert [(each.started_at, each.ended_at) for each in state.rounds] == [
        (at(41_381), at(90_138)),
        (at(112_611), at(203_576)),
        (at(226_942), at(233_836)),
    ]


@pytest.mark.parametrize(
    ("milliseconds", "clock"),
    [
        (151, Clock(state=ClockState.STOPPED, remaining_ms=120_000, as_of=at(108), bare_at=at(108))),
        (41_381, Clock(state=ClockState.RUNNING, remaining_ms=120_000, as_of=at(41_381))),
        # No tick has moved it since.
        (68_826, Clock(state=ClockState.RUNNING, remaining_ms=120_000, as_of=at(41_381))),
        # 27.472 s later it is stopped in its 92nd second, and goes on from there.
        (68_853, Clock(state=ClockState.STOPPED, remaining_ms=92_528, as_of=at(68_853))),
        (85_022, Clock(state=ClockState.RUNNING, remaining_ms=92_528, as_of=at(85_022))),
        (90_138, Clock(state=ClockState.STOPPED, remaining_ms=0, as_of=at(90_138))),
        (112_611, Clock(state=ClockState.RUNNING, remaining_ms=120_000, as_of=at(112_611))),
    ],
)
def test_the_clock_of_the_final(milliseconds: int, clock: Clock) -> None:
    assert state_at(FINAL, milliseconds).clock == clock


@pytest.mark.parametrize(
    ("milliseconds", "remaining"),
    [(68_826, 60_000), (75_000, 53_826), (84_488, 44_338), (84_489, None), (192_341, 57_010), (195_537, None)],
)
def test_the_injury_clock_of_the_final(milliseconds: int, remaining: int | None) -> None:
    injury = state_at(FINAL, milliseconds).injury

    assert (injury.clock.remaining_at(at(milliseconds)) if injury else None) == remaining


@pytest.mark.parametrize(
    ("milliseconds", "remaining"), [(96_740, None), (96_753, 59_999), (108_000, 48_752), (109_511, None)]
)
def test_the_break_of_the_final(milliseconds: int, remaining: int | None) -> None:
    break_clock = state_at(FINAL, milliseconds).break_clock

    assert (break_clock.remaining_at(at(milliseconds)) if break_clock else None) == remaining


@pytest.mark.parametrize("path", [FINAL, WITHDRAWAL], ids=lambda path: path.stem)
def test_a_tick_of_a_running_clock_changes_no_scoreboard(path: Path) -> None:
    entries = entries_of(path)
    states = list(accumulate(entries[1:], apply, initial=begin(entries[0])))

    changed = [
        said
        for (before, now), said in zip(pairwise(states), entries[1:], strict=True)
        if isinstance(said.message, ClockMessage) and not said.message.action
        if before.clock.state is ClockState.RUNNING and board(before) != board(now)
    ]
    assert changed == []


def test_a_second_of_the_final_passes_without_a_change_but_the_number() -> None:
    running = state_at(FINAL, 43_418)

    ticked = apply(running, entry(44_424, "clk;01:56", seq=99))

    assert to_json(ticked) == to_json(running) | {"seq": 99}
    assert board(ticked) == board(running)


def test_one_happening_of_the_final_shows_one_scoreboard() -> None:
    entries = entries_of(FINAL)
    shown = []
    state = begin(entries[0])
    for said in entries[1:]:
        state = apply(state, said)
        if not state.is_burst_open and at(137_100) < said.received_at < at(138_100):
            shown.append((said.received_at, state.blue.score, state.red.score, state.superiority))

    assert shown == [
        (at(137_252), 1, 3, Side.RED),
        (at(137_610), 1, 3, Side.RED),
        (at(138_003), 1, 6, Side.RED),
    ]


# Where a fight begins.


@pytest.mark.parametrize(
    ("wire", "begins"),
    [
        ("pre;FightLoaded", (True, True, True)),
        ("clk;01:53", (True, False, False)),
        ("pt1;3", (True, False, False)),
        ("at1;A;A;SUI;at2;B;B;GER", (True, False, True)),
        ("mch;9;;;;;;;;;;;;;;", (True, False, True)),
        ("wmh;Ana;2-1 PTF", (True, False, False)),
        ("Udp Port 8888 connected", (False, False, False)),
        ("xyz;1", (False, False, False)),
        ("pt1;9", (False, False, False)),
    ],
)
def test_a_fight_begins_with_a_load_or_with_whatever_of_it_comes_first(
    wire: str, begins: tuple[bool, bool, bool]
) -> None:
    message = parse(wire.encode())
    ended = after((0, "win;BLUE"))

    assert (begins_match(None, message), begins_match(LOADED, message), begins_match(ended, message)) == begins


@pytest.mark.parametrize("wire", ["pre;FightLoaded", "pre;FightLoaded;again"])
def test_a_load_forgets_the_fight_before_it(wire: str) -> None:
    ended = fold(entries_of(FINAL))

    assert apply(ended, entry(300_000, wire)) == begin(entry(300_000, wire))


def test_a_server_that_starts_in_a_fight_is_right_again_with_the_messages_that_come() -> None:
    state = folded(
        (0, "clk;01:13"),
        (1_000, "clk;01:12"),
        (1_200, "sc1;7;sc2;6"),
        (1_214, "s11;4;s21;5;s12;7;s22;6;s13;0;s23;0"),
        (1_228, "pt1;3"),
    )

    seen = (state.state, state.started_at, state.clock, state.blue.score, state.red.score)
    assert seen == (
        MatchState.LIVE,
        at(1_000),
        Clock(state=ClockState.RUNNING, remaining_ms=72_999, as_of=at(1_000)),
        7,
        6,
    )


def test_a_fight_that_gives_way_was_not_fought_abandoned_or_over() -> None:
    started, ended = after((0, "clk;02:00;start")), after((0, "win;RED"))

    states = [superseded(state).state for state in (LOADED, started, ended)]
    assert states == [MatchState.NOT_FOUGHT, MatchState.ABANDONED, MatchState.ENDED]


def test_what_is_loaded_again_replaces_what_was_loaded() -> None:
    state = after((0, "at1;C;Cleo;;at2;D;Dan;FRA"), (13, "mch;102;;;;red;;;;;;;;;;"))

    blue = (state.blue.short_name, state.blue.long_name, state.blue.country_code, state.blue.background)
    assert blue == ("C", "Cleo", "", None)
    assert (state.number, state.phase, state.round_count, state.settings[4]) == ("102", "", None, "red")


# Rounds.


def test_a_new_round_begins_at_zero_without_being_told() -> None:
    state = after(
        (0, "sc1;4;sc2;5"), (13, "wg1;1;wg2;2"), (26, "sup;2"), (39, "brk;00:59"), (52, "rnd;2"), (65, "rnd;2")
    )

    current = [(side.score, side.gam_jeoms) for side in (state.blue, state.red)]
    assert (state.round, current, state.superiority, state.break_clock) == (2, [(0, 0), (0, 0)], None, None)


def test_the_same_round_again_changes_nothing() -> None:
    state = after((0, "sc1;4;sc2;5"), (13, "sup;2"))

    again = after((26, "rnd;1"), state=state)

    assert board(again) == board(state)


def test_a_round_that_goes_back_shows_its_own_score_again() -> None:
    state = after((0, "sc1;4;sc2;5"), (13, "wg1;1;wg2;0"), (500, "rnd;2"), (600, "sc1;7;sc2;0"), (1_000, "rnd;1"))

    assert [(side.score, side.gam_jeoms) for side in (state.blue, state.red)] == [(4, 1), (5, 0)]
    assert [(each.number, each.blue.score) for each in state.rounds] == [(1, 4), (2, 7)]


def test_there_may_be_more_than_three_rounds() -> None:
    state = after((0, "rnd;4"), (13, "sc1;1;sc2;0"))

    assert [(each.number, each.blue.score) for each in state.rounds] == [(1, 0), (4, 1)]


def test_a_side_alone_may_be_told_of() -> None:
    state = after((0, "sc1;4;sc2;5"), (13, "sc1;6"), (26, "wg2;11"), (39, "s12;51"))

    assert [(side.score, side.gam_jeoms) for side in (state.blue, state.red)] == [(6, 0), (5, 11)]
    assert [(each.number, each.blue.score, each.red.score) for each in state.rounds] == [(1, 6, 5), (2, 51, 0)]


@given(st.permutations(["hl2;99", "sup;2", "sc1;0;sc2;2", "s11;0;s21;2;s12;0;s22;0;s13;0;s23;0", "pt2;2"]))
def test_the_order_inside_a_burst_does_not_matter(wires: list[str]) -> None:
    in_order = after((0, "hl2;99"), (1, "sup;2"), (2, "sc1;0;sc2;2"), (3, "s11;0;s21;2"), (4, "pt2;2"))

    shuffled = after(*enumerate(wires))

    assert board(shuffled) == board(in_order)


def test_a_point_without_its_total_leaves_the_score() -> None:
    state = after((0, "pt1;3"))

    assert (state.blue.score, state.round_of(1).blue) == (0, RoundSide(point_counts=(0, 0, 1, 0, 0)))


def test_a_flagged_point_counts() -> None:
    flagged = Entry(
        seq=9, received_at=at(0), message=Point(side=Side.RED, value=2, flags=(RejectionReason.EXTRA_PARTS,))
    )

    assert apply(LOADED, flagged).round_of(1).red.point_counts == (0, 1, 0, 0, 0)


def test_a_winner_of_a_round_can_be_corrected() -> None:
    first = after((0, "wrd;rd1;2;rd2;1;rd3;0"))
    corrected = after((500, "wrd;rd1;1;rd2;0;rd3;0"), state=first)

    assert [(state.blue.rounds_won, state.red.rounds_won) for state in (first, corrected)] == [(1, 1), (1, 0)]


def test_counts_that_differ_from_the_senders_are_seen() -> None:
    right = after((0, "pt1;3"), (100, "pt1;1"), (200, "wg2;1"), (300, "rst;1;st1;0;1;1;9;9;0;st2;0;0;0;0;0;1"))
    wrong = after((400, "rst;1;st1;0;2;1;0;0;0;st2;0;0;0;0;0;1"), state=right)

    assert [state.round_of(1).has_count_difference for state in (LOADED, right, wrong)] == [False, False, True]


# The clock.


def test_the_first_start_makes_a_fight_live() -> None:
    state = after((0, "clk;02:00;start"), (5_000, "clk;01:55;stop"), (9_000, "clk;01:55;start"))

    assert (state.state, state.started_at, state.round_of(1).started_at) == (MatchState.LIVE, at(60_000), at(60_000))


@pytest.mark.parametrize(
    ("wires", "clock"),
    [
        # 1:58 is expected 1.001 to 2 s after a start at 2:00, and believed a quarter of a second to each side.
        ([(751, "clk;01:58")], (ClockState.RUNNING, 120_000, 0)),
        ([(750, "clk;01:58")], (ClockState.RUNNING, 118_999, 750)),
        ([(2_250, "clk;01:58")], (ClockState.RUNNING, 120_000, 0)),
        ([(2_251, "clk;01:58")], (ClockState.RUNNING, 118_999, 2_251)),
        # Somebody set the clock while it ran.
        ([(3_000, "clk;01:30")], (ClockState.RUNNING, 90_999, 3_000)),
        ([(3_000, "clk;01:30;corr")], (ClockState.RUNNING, 90_999, 3_000)),
        # We had it at 1:57.0; the sender stopped it in another second.
        ([(3_000, "clk;01:57;stop")], (ClockState.STOPPED, 117_000, 3_000)),
        ([(3_000, "clk;01:56;stop")], (ClockState.STOPPED, 116_999, 3_000)),
        ([(3_000, "clk;01:58;stop")], (ClockState.STOPPED, 118_000, 3_000)),
        # The part of a second is kept through a pause, unless another second was set meanwhile.
        ([(2_600, "clk;01:57;stop"), (9_000, "clk;01:57;start")], (ClockState.RUNNING, 117_400, 9_000)),
        ([(2_600, "clk;01:57;stop"), (9_000, "clk;01:40;start")], (ClockState.RUNNING, 100_000, 9_000)),
        ([(2_600, "clk;01:57;stop"), (9_000, "clk;01:57")], (ClockState.STOPPED, 117_400, 2_600)),
        ([(2_600, "clk;01:57;stop"), (9_000, "clk;01:40;corr")], (ClockState.STOPPED, 100_000, 9_000)),
        ([(2_600, "clk;01:57;stop"), (9_000, "clk;01:56")], (ClockState.STOPPED, 116_000, 9_000)),
        # A lost start shows in the second tick.
        (
            [(2_600, "clk;01:57;stop"), (9_000, "clk;01:56"), (10_010, "clk;01:55")],
            (ClockState.RUNNING, 115_999, 10_010),
        ),
        (
            [(2_600, "clk;01:57;stop"), (9_000, "clk;01:56"), (10_501, "clk;01:55")],
            (ClockState.STOPPED, 115_000, 10_501),
        ),
        (
            [(2_600, "clk;01:57;stop"), (9_000, "clk;01:56"), (10_000, "clk;01:54")],
            (ClockState.STOPPED, 114_000, 10_000),
        ),
        ([(2_600, "clk;01:57;stop"), (2_601, "clk;0:00;stopEnd")], (ClockState.STOPPED, 0, 2_601)),
        ([(2_600, "clk;0:00;stopEnd"), (2_700, "clk;00:00;stop")], (ClockState.STOPPED, 0, 2_600)),
    ],
)
def test_a_clock_started_at_two_minutes(wires: list[tuple[int, str]], clock: tuple[ClockState, int, int]) -> None:
    heard = after((0, "clk;02:00;start"), *wires).clock

    assert (heard.state, heard.remaining_ms, heard.as_of) == (clock[0], clock[1], at(60_000 + clock[2]))


def test_a_lost_start_makes_a_fight_live_all_the_same() -> None:
    state = after((0, "clk;01:59"), (1_000, "clk;01:58"))

    assert (state.state, state.started_at, state.round_of(1).started_at) == (MatchState.LIVE, at(61_000), at(61_000))


def test_a_round_that_goes_on_has_not_ended() -> None:
    ended = after((0, "clk;02:00;start"), (5_000, "clk;0:00;stopEnd"), (6_000, "clk;0:00;stopEnd"))
    going = after((9_000, "clk;01:55;start"), state=ended)

    assert [state.round_of(1).ended_at for state in (ended, going)] == [at(65_000), None]


def test_a_start_ends_the_break_and_leaves_the_injury() -> None:
    state = after((0, "brk;00:59"), (100, "ij0;01:00;show"), (200, "clk;02:00;start"))

    assert (state.break_clock, state.injury is None) == (None, False)


@pytest.mark.parametrize("wire", ["brk;0:00;stop", "brk;0:00;stopEnd", "rnd;2"])
def test_a_break_ends(wire: str) -> None:
    assert after((0, "brk;00:59"), (1_000, wire)).break_clock is None


def test_an_injury_clock_can_be_reset_and_hidden() -> None:
    reset = after((0, "ij1;01:00;show"), (1_000, "ij1;00:59"), (2_000, "ij1;01:00;reset"))
    hidden = after((3_000, "ij1;01:00;hide"), state=reset)

    assert to_json(reset)["injury"] == {
        "side": "BLUE",
        "clock": {"state": "STOPPED", "remaining_ms": 60_000, "as_of": at(62_000).isoformat(), "bare_at": None},
    }
    assert hidden.injury is None


# Results.


def test_the_announced_winner_may_contradict_the_rounds() -> None:
    state = after((0, "wrd;rd1;1;rd2;2;rd3;1"), (500, "win;RED"), (513, "wmh;Bo Two;1-2 PTF"))

    assert (state.outcome, state.round_score, state.has_result_conflict) == (Outcome.RED, "1-2", True)


def test_a_result_before_its_winner_names_him_and_ends_nothing() -> None:
    state = after((0, "wmh;Ana One;2-0 PTF"))

    assert (state.state, state.winner_name, state.outcome) == (MatchState.LOADED, "Ana One", None)


def test_a_winner_can_be_corrected_and_the_end_stays() -> None:
    state = after((0, "win;RED"), (5_000, "win;BLUE"), (5_013, "wmh;Ana One;2-1 PTF"), (9_000, "wmh;Ana One;2-1 SUP"))

    assert (state.outcome, state.ended_at, state.result_code) == (Outcome.BLUE, at(60_000), "SUP")


# Bursts.


@pytest.mark.parametrize(
    ("wires", "open_burst"),
    [
        ([(0, "pre;FightLoaded"), (13, "wg1;0;wg2;0"), (26, "sc1;0;sc2;0"), (39, "rsr")], BurstKind.LOAD),
        ([(0, "pre;FightLoaded"), (90, "sup;0"), (180, "rdy;FightReady")], None),
        ([(0, "hl1;99")], BurstKind.ACTION),
        ([(0, "sup;1"), (13, "sc1;1;sc2;0"), (26, "clk;01:59"), (39, "s11;1;s21;0")], BurstKind.ACTION),
        ([(0, "sc1;1;sc2;0"), (13, "wg1;0;wg2;1")], None),
        ([(0, "sc1;2;sc2;0"), (13, "pt1;2")], None),
        (
            [(0, "wrd;rd1;1"), (13, "s11;1;s21;0"), (26, "rst;1;st1;0;0;0;0;0;0;st2;0;0;0;0;0;0")],
            BurstKind.ROUND_RESULTS,
        ),
        ([(0, "wrd;rd1;1"), (13, "s11;1;s21;0"), (26, "rsr;")], None),
        ([(0, "wrd;rd1;1"), (13, "sc1;1;sc2;0")], BurstKind.ACTION),
        ([(0, "sc1;1;sc2;0"), (13, "wrd;rd1;1")], BurstKind.ROUND_RESULTS),
        ([(0, "clk;02:00;start"), (13, "rnd;2"), (26, "ch1"), (39, "win;BLUE"), (52, "wmh;A;")], None),
        # Nothing new waits for a burst whose end was lost.
        ([(0, "wrd;rd1;1"), (100, "brk;00:59")], BurstKind.ROUND_RESULTS),
        ([(0, "wrd;rd1;1"), (101, "brk;00:59")], None),
        ([(0, "sc1;1;sc2;0"), (101, "sup;1")], BurstKind.ACTION),
    ],
)
def test_a_burst_is_open_until_all_of_it_was_told(wires: list[tuple[int, str]], open_burst: BurstKind | None) -> None:
    state = after(*wires)

    assert (state.burst.kind if state.burst else None, state.is_burst_open) == (open_burst, open_burst is not None)


# Every state and every message.


@given(logs())
def test_any_log_folds(log: list[Entry]) -> None:
    state = fold(log)

    assert state.seq == len(log)
    assert [each.number for each in state.rounds] == sorted({each.number for each in state.rounds})
    assert state.round in {each.number for each in state.rounds}
    orjson.dumps(board(state))


@given(logs())
def test_a_state_comes_back_from_json(log: list[Entry]) -> None:
    state = fold(log)

    assert from_json(orjson.loads(orjson.dumps(to_json(state)))) == state


@given(logs(), logs())
def test_a_state_goes_on_after_json_as_if_it_had_never_left(log: list[Entry], rest: list[Entry]) -> None:
    state = fold(log)

    assert reduce(apply, rest, from_json(to_json(state))) == reduce(apply, rest, state)


@given(logs(), MESSAGES)
def test_what_says_nothing_of_the_fight_changes_no_scoreboard(log: list[Entry], message: Message) -> None:
    state = fold(log)

    after_it = apply(state, Entry(seq=99, received_at=log[-1].received_at, message=message))

    assert board(after_it) == board(state) or not isinstance(message, Link | Unknown | Unreadable)


@given(logs(), st.sampled_from([FightLoading, Athletes, MatchSettings, RoundBegan, GamJeoms]))
def test_a_message_folded_twice_changes_the_scoreboard_once(log: list[Entry], level: type[Message]) -> None:
    state = fold(log)
    for said in log:
        if isinstance(said.message, level):
            once = apply(state, said)
            assert board(apply(once, said)) == board(once)
