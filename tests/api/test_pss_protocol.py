"""The UDP protocol: real packets, broken ones, and anything else that a socket could hand us."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.capture import read_capture
from api.workers.pss_protocol import MAX_MESSAGE_BYTES, parse, split
from db.matches.messages import (
    Athletes,
    Break,
    Challenge,
    ClockMessage,
    FightLoading,
    FightReady,
    GamJeoms,
    HitLevel,
    Injury,
    Link,
    MatchSettings,
    Message,
    Officials,
    Point,
    Result,
    RoundBegan,
    RoundResultsSent,
    RoundScores,
    RoundStatistics,
    RoundWinners,
    Score,
    Superiority,
    Unknown,
    Unreadable,
    VideoTime,
    Winner,
)
from db.matches.vocabulary import ChallengeState, MatchEventKind, Outcome, RejectionReason, Side

ROOT = Path(__file__).parents[2]
CAPTURES = [
    ROOT / "api/demo/captures/fight_1945_final.tsv",
    ROOT / "tests/data/pss/fight_5555_challenge_wdr.tsv",
]
NOBODY = ("", "")
SETTINGS_WIRE = "1945;Final;M -87kg;0;#0000ff;#FFFFFF;#ff0000;#FFFFFF;null;Under 21;3;120;cntDown;22;5"
SETTINGS = tuple(SETTINGS_WIRE.split(";"))

REAL: list[tuple[str, Message]] = [
    ("pre;FightLoaded", FightLoading()),
    ("rdy;FightReady", FightReady()),
    (
        "ref;;;ju1;;;ju2;;;ta;;",
        Officials(referee=NOBODY, first_judge=NOBODY, second_judge=NOBODY, technical_assistant=NOBODY),
    ),
    (
        "at1;N. DESMOND;Nicolas DESMOND;MRN;at2;M. THIBAULT;Marcel THIBAULT;SUI",
        Athletes(
            blue_short_name="N. DESMOND",
            blue_long_name="Nicolas DESMOND",
            blue_country_code="MRN",
            red_short_name="M. THIBAULT",
            red_long_name="Marcel THIBAULT",
            red_country_code="SUI",
        ),
    ),
    (
        "at1;Luka Šarić;Luka Šarić;;at2;J;J;",
        Athletes(
            blue_short_name="Luka Šarić",
            blue_long_name="Luka Šarić",
            blue_country_code="",
            red_short_name="J",
            red_long_name="J",
            red_country_code="",
        ),
    ),
    # Countries come as somebody typed them.
    (
        "at1;A;A; sui ;at2;B;B;Kor",
        Athletes(
            blue_short_name="A",
            blue_long_name="A",
            blue_country_code="SUI",
            red_short_name="B",
            red_long_name="B",
            red_country_code="KOR",
        ),
    ),
    (f"mch;{SETTINGS_WIRE}", MatchSettings(values=SETTINGS)),
    # As the protocol's text has it: another number, other blanks, an id, a clock that counts up.
    (
        "mch;T001;Round of 128;M- 80 kg;3;#0000ff;#FFFFFF;#ff0000;#FFFFFF;a14ddd5c;Seniors;3;120;cntUp;0;0",
        MatchSettings(
            values=(
                *("T001", "Round of 128", "M- 80 kg", "3", "#0000ff", "#FFFFFF", "#ff0000", "#FFFFFF"),
                *("a14ddd5c", "Seniors", "3", "120", "cntUp", "0", "0"),
            )
        ),
    ),
    (f"mch;245.A;;{';'.join(SETTINGS[2:])}", MatchSettings(values=("245.A", "", *SETTINGS[2:]))),
    ("avt;0", VideoTime(seconds=0)),
    ("clk;02:00;start", ClockMessage(seconds=120, action="start")),
    ("clk;01:59", ClockMessage(seconds=119)),
    ("clk;0:00;stopEnd", ClockMessage(seconds=0, action="stopEnd")),
    ("clk;1:05;corr", ClockMessage(seconds=65, action="corr")),
    ("clk;58", ClockMessage(seconds=58)),
    ("rnd;2", RoundBegan(number=2)),
    ("rnd;4", RoundBegan(number=4)),
    ("clk;01:50;stop", ClockMessage(seconds=110, action="stop")),
    ("pt1;1", Point(side=Side.BLUE, value=1)),
    ("pt2;5", Point(side=Side.RED, value=5)),
    ("hl1;1", HitLevel(side=Side.BLUE, level=1)),
    ("hl2;99", HitLevel(side=Side.RED, level=99)),
    ("sc1;10;sc2;8", Score(blue=10, red=8)),
    ("sc1;5", Score(blue=5, red=None)),
    ("sc2;51", Score(blue=None, red=51)),
    (
        "s11;4;s21;5;s12;19;s22;12;s13;0;s23;0",
        RoundScores(
            scores=(
                (Side.BLUE, 1, 4),
                (Side.RED, 1, 5),
                (Side.BLUE, 2, 19),
                (Side.RED, 2, 12),
                (Side.BLUE, 3, 0),
                (Side.RED, 3, 0),
            )
        ),
    ),
    ("s14;1;s24;0", RoundScores(scores=((Side.BLUE, 4, 1), (Side.RED, 4, 0)))),
    ("s12;5", RoundScores(scores=((Side.BLUE, 2, 5),))),
    ("wg1;1;wg2;0", GamJeoms(blue=1, red=0)),
    ("wg2;1", GamJeoms(blue=None, red=1)),
    ("sup;1", Superiority(side=Side.BLUE)),
    ("wg1;11;wg2;0", GamJeoms(blue=11, red=0)),
    ("sup;0", Superiority(side=None)),
    ("sup;2", Superiority(side=Side.RED)),
    ("ij0;01:00;show", Injury(side=None, seconds=60, action="show")),
    ("ij1;00:59", Injury(side=Side.BLUE, seconds=59)),
    ("ij2;0:00;hide", Injury(side=Side.RED, seconds=0, action="hide")),
    ("ch0", Challenge(side=None, state=ChallengeState.ASKED)),
    ("ch1", Challenge(side=Side.BLUE, state=ChallengeState.ASKED)),
    ("ch1;1", Challenge(side=Side.BLUE, state=ChallengeState.ACCEPTED)),
    ("ch2;0", Challenge(side=Side.RED, state=ChallengeState.REFUSED)),
    ("ch1;-1", Challenge(side=Side.BLUE, state=ChallengeState.CANCELLED)),
    ("ch1;1;1", Challenge(side=Side.BLUE, state=ChallengeState.WON)),
    ("ch1;1;0", Challenge(side=Side.BLUE, state=ChallengeState.LOST)),
    ("brk;00:59", Break(seconds=59)),
    ("brk;58", Break(seconds=58)),
    ("brk;00:12;stop", Break(seconds=12, action="stop")),
    ("brk;0:00;stopEnd", Break(seconds=0, action="stopEnd")),
    ("wrd;rd1;2;rd2;1;rd3;0", RoundWinners(winners=(Side.RED, Side.BLUE, None))),
    ("wrd;rd1;1;rd2;2;rd3;0;rd4;1", RoundWinners(winners=(Side.BLUE, Side.RED, None, Side.BLUE))),
    (
        "rst;1;st1;0;1;0;0;0;1;st2;2;0;0;0;0;1",
        RoundStatistics(round=1, blue_counts=(0, 1, 0, 0, 0, 1), red_counts=(2, 0, 0, 0, 0, 1)),
    ),
    ("rsr", RoundResultsSent()),
    ("win;BLUE", Winner(outcome=Outcome.BLUE)),
    ("win;TIE", Winner(outcome=Outcome.TIE)),
    ("wmh;Perica;2-1 PTF", Result(winner_name="Perica", round_score="2-1", code="PTF")),
    ("wmh;;0-0 WDR", Result(winner_name="", round_score="0-0", code="WDR")),
    ("wmh;Perica;", Result(winner_name="Perica")),
    ("wmh;Perica;by decision", Result(winner_name="Perica", code="by decision")),
    ("Udp Port 8888 connected", Link(port=8888, is_connected=True)),
    ("Udp Port 8888 disconnected", Link(port=8888, is_connected=False)),
    ("xyz;1;;2", Unknown(code="xyz", parts=("1", "", "2"))),
    ("xyz", Unknown(code="xyz")),
]

BROKEN: list[tuple[bytes, RejectionReason, str]] = [
    (b"", RejectionReason.EMPTY, "The message is empty."),
    (b" \t", RejectionReason.EMPTY, "The message is empty."),
    (b";;;", RejectionReason.EMPTY, "The message is empty."),
    (b"pre", RejectionReason.MISSING_PARTS, 'pre ends before its "FightLoaded".'),
    (b"pre;Fight", RejectionReason.BAD_VALUE, 'pre says "Fight", where "FightLoaded" belongs.'),
    (b"ref;;;ju1", RejectionReason.MISSING_PARTS, 'ref ends before its "ju2".'),
    (b"at1;A;A;SUI", RejectionReason.MISSING_PARTS, 'at1 ends before its "at2".'),
    (b"at1;A;A;SUI;at2;B;B", RejectionReason.MISSING_PARTS, "at1 has 6 parts after its code, and needs 7."),
    (b"at1;A;A;at2;B;B;GER", RejectionReason.BAD_VALUE, 'at1 says "B", where "at2" belongs.'),
    (b"mch;1945;Final", RejectionReason.MISSING_PARTS, "mch has 2 parts after its code, and needs 15."),
    (b"clk", RejectionReason.MISSING_PARTS, "clk leaves out a number it should give."),
    (b"clk;;start", RejectionReason.MISSING_PARTS, "clk leaves out a number it should give."),
    (b"clk;1:60", RejectionReason.BAD_TIME, 'clk says "1:60", which is not a time like 1:59.'),
    (b"clk;1:5", RejectionReason.BAD_TIME, 'clk says "1:5", which is not a time like 1:59.'),
    (b"clk;:30", RejectionReason.BAD_TIME, 'clk says ":30", which is not a time like 1:59.'),
    (b"clk;soon", RejectionReason.BAD_TIME, 'clk says "soon", which is not a time like 1:59.'),
    (
        b"clk;-5",
        RejectionReason.OUT_OF_RANGE,
        'clk says "-5"; a number is not negative and has at most 6 digits.',
    ),
    (b"rnd;0", RejectionReason.OUT_OF_RANGE, "rnd says 0, where a number from 1 to 99 belongs."),
    (b"rnd;two", RejectionReason.BAD_NUMBER, 'rnd says "two", which is not a number.'),
    ("rnd;٢".encode(), RejectionReason.BAD_NUMBER, 'rnd says "٢", which is not a number.'),
    (b"pt1", RejectionReason.MISSING_PARTS, "pt1 leaves out a number it should give."),
    (b"pt1;6", RejectionReason.OUT_OF_RANGE, "pt1 says 6, where a number from 1 to 5 belongs."),
    (b"pt1;0", RejectionReason.OUT_OF_RANGE, "pt1 says 0, where a number from 1 to 5 belongs."),
    (b"hl1;0", RejectionReason.OUT_OF_RANGE, "hl1 says 0, where a number from 1 to 100 belongs."),
    (b"hl1;101", RejectionReason.OUT_OF_RANGE, "hl1 says 101, where a number from 1 to 100 belongs."),
    (b"sc1;5;sc2", RejectionReason.MISSING_PARTS, "sc1 leaves out a number it should give."),
    (b"sc1;5;red;2", RejectionReason.BAD_VALUE, 'sc1 says "red", where one of sc1, sc2 belongs.'),
    (
        b"sc1;1234567",
        RejectionReason.OUT_OF_RANGE,
        'sc1 says "1234567"; a number is not negative and has at most 6 digits.',
    ),
    (
        b"wg1;-1",
        RejectionReason.OUT_OF_RANGE,
        'wg1 says "-1"; a number is not negative and has at most 6 digits.',
    ),
    (b"s11;4;s21", RejectionReason.MISSING_PARTS, "s11 leaves out a number it should give."),
    (b"sup;3", RejectionReason.OUT_OF_RANGE, "sup says 3, where a number from 0 to 2 belongs."),
    (b"ch1;2", RejectionReason.BAD_VALUE, 'ch1 says "2;", where nothing, 1, 0, -1, 1;1 or 1;0 belongs.'),
    (b"wrd", RejectionReason.MISSING_PARTS, "wrd names no round."),
    (b"wrd;rd1;3", RejectionReason.OUT_OF_RANGE, "wrd says 3, where a number from 0 to 2 belongs."),
    (b"wrd;rd2;1", RejectionReason.BAD_VALUE, "wrd leaves out a round before one that it names."),
    (b"rst;1", RejectionReason.MISSING_PARTS, 'rst ends before its "st1".'),
    (b"rst;1;st1;0;1;0;0;0;1;st2;2;0", RejectionReason.MISSING_PARTS, "rst leaves out a number it should give."),
    (b"win", RejectionReason.MISSING_PARTS, "win ends after its code."),
    (b"win;GREEN", RejectionReason.BAD_VALUE, 'win says "GREEN", where one of BLUE, RED, TIE belongs.'),
    (b"wmh", RejectionReason.MISSING_PARTS, "wmh gives neither a winner nor a result."),
    (
        b"Udp Port 8888 lost",
        RejectionReason.BAD_VALUE,
        'The message says "Udp Port 8888 lost", where "Udp Port" and its number, connected or not, belong.',
    ),
    (
        b"Udp Port 70000 connected",
        RejectionReason.OUT_OF_RANGE,
        "Udp Port says 70000, where a number from 0 to 65535 belongs.",
    ),
    (b";1;2", RejectionReason.UNKNOWN_CODE, 'The message begins with "", which cannot be a code.'),
    (
        b"x" * 41,
        RejectionReason.UNKNOWN_CODE,
        f'The message begins with "{"x" * 40}…", which cannot be a code.',
    ),
]


@pytest.mark.parametrize(("wire", "message"), REAL)
@pytest.mark.parametrize("closing", ["", ";", ";;"])
def test_a_message_is_read_with_and_without_its_closing_mark(wire: str, message: Message, closing: str) -> None:
    assert parse((wire + closing).encode()) == message


@pytest.mark.parametrize(("line", "reason", "detail"), BROKEN)
def test_a_broken_message_is_refused_with_a_reason(line: bytes, reason: RejectionReason, detail: str) -> None:
    assert parse(line) == Unreadable(reason=reason, detail=detail)


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_every_captured_message_is_known(path: Path) -> None:
    read = {captured.wire: parse(captured.wire.encode()) for captured in read_capture(path)}

    odd = {wire for wire, message in read.items() if message.flags or isinstance(message, Unknown | Unreadable)}
    assert odd == set()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"wmh;Ana\xff;2-1 PTF", Result(winner_name="Ana\ufffd", round_score="2-1", code="PTF")),
        (b"wmh;Ana\0;2-1 PTF", Result(winner_name="Ana\ufffd", round_score="2-1", code="PTF")),
    ],
)
def test_bytes_that_are_no_text_are_replaced_and_flagged(line: bytes, message: Result) -> None:
    expected = Result(
        winner_name=message.winner_name,
        round_score=message.round_score,
        code=message.code,
        flags=(RejectionReason.BAD_UTF8,),
    )

    assert parse(line) == expected


def test_a_datagram_that_is_no_text_at_all_is_refused() -> None:
    refused = parse(b"\x80\x81")

    assert refused == Unreadable(
        reason=RejectionReason.BAD_UTF8,
        detail='The message begins with "\ufffd\ufffd", which cannot be a code.',
        flags=(RejectionReason.BAD_UTF8,),
    )


def test_a_long_name_is_kept_and_flagged() -> None:
    # 51 letters, 102 bytes.
    name = "ć" * 51

    assert parse(f"wmh;{name}".encode()) == Result(winner_name=name, flags=(RejectionReason.TOO_LONG,))


def test_parts_nobody_knows_are_flagged() -> None:
    assert parse(b"rnd;2;3") == RoundBegan(number=2, flags=(RejectionReason.EXTRA_PARTS,))


def test_settings_count_without_the_values_that_make_no_sense() -> None:
    wire = "101;Final;M -87kg;0;blue;#FFFFFF;#ff0000;;null;Under 21;-3;120;cntDown;;5"

    message = parse(f"mch;{wire}".encode())

    assert message == MatchSettings(
        values=tuple(wire.split(";")), flags=(RejectionReason.BAD_NUMBER, RejectionReason.BAD_VALUE)
    )


@pytest.mark.parametrize(
    ("datagram", "lines"),
    [
        (b"rnd;2", [b"rnd;2"]),
        (b"sup;0\r\nrnd;2\nclk;01:59\rpt1;3\n", [b"sup;0", b"rnd;2", b"clk;01:59", b"pt1;3"]),
        (b"\n\nsup;0\n \n", [b"sup;0"]),
        ("wmh;A\u2028B\x0b\x1c;".encode(), ["wmh;A\u2028B\x0b\x1c;".encode()]),
        (b"", [b""]),
        (b"\r\n \n", [b"\r\n \n"]),
    ],
)
def test_a_datagram_is_split_on_line_ends_alone(datagram: bytes, lines: list[bytes]) -> None:
    assert split(datagram) == lines


def test_a_datagram_over_the_limit_stays_whole_and_is_refused() -> None:
    datagram = b"sup;0\n" * 20

    lines = split(datagram, 100)

    assert lines == [datagram]
    assert parse(lines[0], 100) == Unreadable(
        reason=RejectionReason.TOO_LONG, detail="The message has 120 bytes; at most 100 are read."
    )


@given(st.binary(max_size=200))
def test_parsing_never_raises(line: bytes) -> None:
    assert isinstance(parse(line), Message)


def test_a_message_may_be_as_long_as_the_limit() -> None:
    name = "x" * (MAX_MESSAGE_BYTES - len("wmh;"))

    assert parse(f"wmh;{name}".encode()) == Result(winner_name=name, flags=(RejectionReason.TOO_LONG,))
    assert parse(f"wmh;{name}x".encode()).kind is MatchEventKind.UNREADABLE


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw a real message with a few bytes cut, put in or exchanged."""
    line = draw(st.sampled_from([wire for wire, _ in REAL])).encode()
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(line)))
        end = draw(st.integers(start, min(len(line), start + 3)))
        piece = draw(st.binary(max_size=3) | st.sampled_from([b";", b";;", b"-", b"9999999", b":", b" ", b"\xff"]))
        line = line[:start] + piece + line[end:]
    return line


@given(mutated())
def test_parsing_never_raises_on_almost_real_messages(line: bytes) -> None:
    assert isinstance(parse(line), Message)


@given(mutated() | st.binary(max_size=60))
def test_a_closing_mark_never_changes_what_can_be_read(line: bytes) -> None:
    message = parse(line)

    assert isinstance(message, Unreadable) or parse(line + b";") == message


@given(st.binary(max_size=120), st.integers(1, 120))
def test_splitting_loses_no_message(datagram: bytes, max_bytes: int) -> None:
    lines = split(datagram, max_bytes)

    assert lines
    assert b"".join(b"".join(lines).split()) == b"".join(datagram.split())
