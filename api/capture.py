"""Reads and writes a capture: a fight as it came over the wire, one message a line, with when it came.

`text_is` says how the line has it: BASE64 where the bytes cannot stand in a line of text, else as they are.
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

_HEADER = ["offset_ms", "wire", "text_is"]
BASE64 = "base64"
VERBATIM = "verbatim"


class CaptureError(Exception):
    """A file is not a capture; the message is a sentence with the file and the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedMessage:
    """One message: when it came, counted from the first, and whether its text is as it was received or rebuilt."""

    offset: timedelta
    wire: str
    text_is: str

    @property
    def raw(self) -> bytes:
        """The bytes that were on the wire."""
        return base64.b64decode(self.wire) if self.text_is == BASE64 else self.wire.encode()

    @classmethod
    def of(cls, offset: timedelta, raw: bytes) -> "CapturedMessage":
        """Return a message as it was received."""
        if _fits_a_line(raw):
            return cls(offset=offset, wire=raw.decode(), text_is=VERBATIM)
        return cls(offset=offset, wire=base64.b64encode(raw).decode(), text_is=BASE64)


def read_capture(path: Path) -> list[CapturedMessage]:
    """Read the messages of a capture in order."""
    lines = _text_of(path).removesuffix("\n").split("\n")
    if lines[0].removesuffix("\r").split("\t") != _HEADER:
        raise _error(path, 1, f"a capture begins with the columns {', '.join(_HEADER)}")
    captured: list[CapturedMessage] = []
    for number, line in enumerate(lines[1:], start=2):
        message = _message_of(path, number, line.removesuffix("\r"))
        if captured and message.offset < captured[-1].offset:
            raise _error(path, number, "the offset is smaller than the one before it")
        captured.append(message)
    return captured


def print_capture(messages: Iterable[CapturedMessage]) -> bytes:
    """Write messages as `read_capture` reads them. Offsets are told in whole milliseconds."""
    lines = ["\t".join(_HEADER)]
    lines += [f"{one.offset // timedelta(milliseconds=1)}\t{one.wire}\t{one.text_is}" for one in messages]
    return ("\n".join(lines) + "\n").encode()


def _fits_a_line(raw: bytes) -> bool:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return False
    return not any(character in text for character in "\t\n\r")


def _text_of(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _error(path, data.count(b"\n", 0, error.start) + 1, "the text is not UTF-8") from error


def _message_of(path: Path, number: int, line: str) -> CapturedMessage:
    columns = line.split("\t")
    if len(columns) != len(_HEADER):
        raise _error(path, number, f"there are {len(columns)} columns, not {len(_HEADER)}")
    offset, wire, text_is = columns
    # More digits than these are no time that a fight can take, and could not be held.
    if not (offset.isascii() and offset.isdigit() and len(offset) <= 12):  # noqa: PLR2004
        raise _error(path, number, f'the offset is "{offset}", not a whole number of milliseconds')
    if text_is == BASE64 and not _is_base64(wire):
        raise _error(path, number, "the text is not base64, and is said to be")
    return CapturedMessage(offset=timedelta(milliseconds=int(offset)), wire=wire, text_is=text_is)


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return True


def _error(path: Path, number: int, fault: str) -> CaptureError:
    return CaptureError(f"{path.name}, line {number}: {fault}.")
