"""Captures: read whole, or refused with the line at fault."""

from datetime import timedelta
from pathlib import Path

import pytest

from api.capture import CapturedMessage, CaptureError, read_capture

ROOT = Path(__file__).parents[2]
HEADER = "offset_ms\twire\ttext_is\n"


def test_a_capture_is_read_message_by_message() -> None:
    captured = read_capture(ROOT / "tests/data/pss/fight_5555_challenge_wdr.tsv")

    assert [captured[0], captured[2], captured[-1], len(captured)] == [
        CapturedMessage(offset=timedelta(0), wire="pre;FightLoaded", text_is="rebuilt"),
        CapturedMessage(
            offset=timedelta(milliseconds=25),
            wire="at1;Anjali Rao;Anjali Rao;IND;at2;Lucía Peña;Lucía Peña;CHI",
            text_is="rebuilt",
        ),
        CapturedMessage(offset=timedelta(seconds=535, milliseconds=882), wire="wmh;;0-0 WDR", text_is="rebuilt"),
        39,
    ]


def test_line_ends_of_windows_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "fight.tsv"
    path.write_bytes(b"offset_ms\twire\ttext_is\r\n5\trsr;\tverbatim\r\n")

    captured = read_capture(path)

    assert captured == [CapturedMessage(offset=timedelta(milliseconds=5), wire="rsr;", text_is="verbatim")]


def test_a_capture_may_hold_no_message(tmp_path: Path) -> None:
    path = tmp_path / "fight.tsv"
    path.write_text(HEADER)

    assert read_capture(path) == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "fight.tsv, line 1: a capture begins with the columns offset_ms, wire, text_is."),
        ("0\trsr;\texact\n", "fight.tsv, line 1: a capture begins with the columns offset_ms, wire, text_is."),
        (HEADER + "0\trsr;\texact\n7\trsr;\n", "fight.tsv, line 3: there are 2 columns, not 3."),
        (HEADER + "\n", "fight.tsv, line 2: there are 1 columns, not 3."),
        (HEADER + "-1\trsr;\texact\n", 'fight.tsv, line 2: the offset is "-1", not a whole number of milliseconds.'),
        (HEADER + "½\trsr;\texact\n", 'fight.tsv, line 2: the offset is "½", not a whole number of milliseconds.'),
        (
            HEADER + "9\trsr;\texact\n8\trsr;\texact\n",
            "fight.tsv, line 3: the offset is smaller than the one before it.",
        ),
    ],
)
def test_a_malformed_capture_is_refused_by_line(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "fight.tsv"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(CaptureError) as refusal:
        read_capture(path)

    assert str(refusal.value) == sentence


def test_a_capture_that_is_not_text_is_refused_by_line(tmp_path: Path) -> None:
    path = tmp_path / "fight.tsv"
    path.write_bytes(HEADER.encode() + b"0\t\xff\texact\n")

    with pytest.raises(CaptureError) as refusal:
        read_capture(path)

    assert str(refusal.value) == "fight.tsv, line 2: the text is not UTF-8."
