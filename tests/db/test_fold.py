"""The fold: what the captured fights come to, and what each message does and leaves alone."""

from itertools import accumulate, pairwise
from pathlib import Path

import pytest

from api.capture import read_capture
from api.workers.pss_protocol import parse
from db.matches.board import board
from db.matches.clocks import Clock
from db.matches.fold import Entry, apply, begin, begins_match, superseded
from db.matches.messages import (
    ClockMessage,
    RoundStatistics,
)
from db.matches.state import CurrentChallenge, FightState, RoundSide, to_json
from db.matches.vocabulary import (
    ChallengeState,
    ClockState,
    MatchState,
    Outcome,
    Side,
)
from tests.db.folding import LOADED, START, after, at, entry, fold, folded

ROOT = Path(__file__).parents[2]


FINAL = ROOT / "api/demo/captures/fight_1945_final.tsv"


WITHDRAWAL = ROOT / "tests/data/pss/fight_5555_challenge_wdr.tsv"


def entries_of(path: Path, closing: str = "") -> list[Entry]:
    return [
        Entry(seq=seq, received_at=START + captured.offset, message=parse((captured.wire + closing).encode()))
        for seq, captured in enumerate(read_capture(path), start=1)
    ]


def state_at(path: Path, milliseconds: int) -> FightState:
    return fold([said for said in entries_of(path) if said.received_at <= at(milliseconds)])


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
