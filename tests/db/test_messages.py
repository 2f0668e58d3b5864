"""Messages: what each says of itself, and its way through the log."""

import orjson
import pytest
from hypothesis import given

from db.matches import messages
from db.matches.messages import MatchSettings, Message, from_record, points_of, side_of, to_record
from db.matches.vocabulary import ChallengeState, MatchEventKind, RejectionReason, Side
from tests.db.match_strategies import CORRECTIONS, LOADS, MESSAGES, VOIDINGS

FINAL_WIRE = "1945;Final;M -87kg;0;#0000ff;#FFFFFF;#ff0000;#FFFFFF;null;Under 21;3;120;cntDown;22;5"
FINAL = MatchSettings(values=tuple(FINAL_WIRE.split(";")))


@given(MESSAGES)
def test_a_message_comes_back_from_its_record(message: Message) -> None:
    assert from_record(message.kind, to_record(message)) == message


@given(MESSAGES | CORRECTIONS | LOADS | VOIDINGS)
def test_a_message_comes_back_from_its_record_as_json(message: Message) -> None:
    record = orjson.loads(orjson.dumps(to_record(message)))

    assert from_record(message.kind, record) == message


def test_every_kind_has_one_class() -> None:
    assert {messages._CLASSES[kind].kind for kind in MatchEventKind} == set(MatchEventKind)


@pytest.mark.parametrize(
    ("message", "record"),
    [
        (messages.FightReady(), {}),
        (messages.ClockMessage(seconds=119), {"seconds": 119, "action": ""}),
        (messages.Point(side=Side.RED, value=3), {"side": "RED", "value": 3}),
        (
            messages.RoundScores(scores=((Side.BLUE, 2, 5),)),
            {"scores": [["BLUE", 2, 5]]},
        ),
        (
            messages.Result(winner_name="Ana\ufffd", flags=(RejectionReason.BAD_UTF8,)),
            {"winner_name": "Ana\ufffd", "round_score": "", "code": "", "flags": ["BAD_UTF8"]},
        ),
    ],
)
def test_a_record_holds_what_was_said_and_no_more(message: Message, record: dict[str, object]) -> None:
    assert orjson.loads(orjson.dumps(to_record(message))) == record


@pytest.mark.parametrize(
    ("message", "side", "points"),
    [
        (messages.Point(side=Side.RED, value=3), Side.RED, 3),
        (messages.HitLevel(side=Side.BLUE, level=99), Side.BLUE, None),
        (messages.Superiority(side=None), None, None),
        (messages.Injury(side=Side.RED, seconds=60, action="show"), Side.RED, None),
        (messages.Challenge(side=Side.BLUE, state=ChallengeState.ASKED), Side.BLUE, None),
        (messages.Score(blue=1, red=2), None, None),
        (messages.ClockMessage(seconds=1), None, None),
    ],
)
def test_a_message_says_its_side_and_its_points(message: Message, side: Side | None, points: int | None) -> None:
    assert (side_of(message), points_of(message)) == (side, points)


def test_settings_name_what_is_known_of_the_fifteen_values() -> None:
    named = {
        "number": FINAL.number,
        "phase": FINAL.phase,
        "weight": FINAL.weight,
        "colours": [FINAL.blue_background, FINAL.blue_foreground, FINAL.red_background, FINAL.red_foreground],
        "match_id": FINAL.match_id,
        "division": FINAL.division,
        "rounds": (FINAL.round_count, FINAL.round_seconds),
        "count_direction": FINAL.count_direction,
        "doubtful": (FINAL.position_14, FINAL.position_15),
    }

    assert named == {
        "number": "1945",
        "phase": "Final",
        "weight": "M -87kg",
        "colours": ["#0000ff", "#FFFFFF", "#ff0000", "#FFFFFF"],
        "match_id": None,
        "division": "Under 21",
        "rounds": (3, 120),
        "count_direction": "cntDown",
        "doubtful": (22, 5),
    }


@pytest.mark.parametrize("text", ["", "red", "#fff", "#0000ff; background: url(x)", "#0000ff\n"])
def test_a_colour_that_is_none_is_not_shown(text: str) -> None:
    settings = MatchSettings(values=(*FINAL.values[:4], text, *FINAL.values[5:]))

    assert settings.blue_background is None
