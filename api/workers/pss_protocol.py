"""The UDP protocol of the scoring program, v2.3 and as real traffic has it: bytes in, messages out, nothing raised.

A message is `code;part;part;…`. Empty parts have a meaning and everything is read by position. The closing `;` is
optional, so empty parts at the end are as good as none.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from typing import NoReturn, TypeVar

from db.matches import messages
from db.matches.messages import MatchSettings, Message
from db.matches.vocabulary import ChallengeState, Outcome, RejectionReason, Side

# The sender's own messages were 3 to 106 bytes; this is the receive buffer of the program it was made for.
MAX_MESSAGE_BYTES = 8_192
# A longer name is kept, and flagged.
_LONG_PART = 100
_LONGEST_CODE = 32
# Lines up to this length are remembered. Names are longer, and are said once.
_SHORT = 64
_MOST_DIGITS = 6
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_LARGEST = 10**_MOST_DIGITS - 1
_LAST_ROUND = 99
_LAST_PORT = 65_535
_MOST_MINUTE_DIGITS = 4
_QUOTED = 40
_STATISTICS = 6
_SECONDS = {f"{second:02}": second for second in range(60)}
_LINK = re.compile(r"Udp Port (\S*) (connected|disconnected)")
_ROUND_SCORE = re.compile(r"[0-9]+-[0-9]+")
_Key = TypeVar("_Key")

# 0 is the referee, nobody, or not said.
_SIDES = (None, Side.BLUE, Side.RED)
_CHALLENGES = {
    ("", ""): ChallengeState.ASKED,
    ("1", ""): ChallengeState.ACCEPTED,
    ("0", ""): ChallengeState.REFUSED,
    ("-1", ""): ChallengeState.CANCELLED,
    ("1", "1"): ChallengeState.WON,
    ("1", "0"): ChallengeState.LOST,
}
_SCORE_KEYS = {f"sc{digit}": side for digit, side in enumerate(_SIDES) if side}
_GAM_JEOM_KEYS = {f"wg{digit}": side for digit, side in enumerate(_SIDES) if side}
# The text knows three rounds. More cost nothing, should a golden round ever come as one.
_ROUND_SCORE_KEYS = {
    f"s{digit}{number}": (side, number) for digit, side in enumerate(_SIDES) if side for number in range(1, 10)
}
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}
_ROUND_KEYS = {f"rd{number}": number for number in range(1, 10)}


class _RefusedError(Exception):
    """A message cannot be read; it never leaves this module."""

    def __init__(self, reason: RejectionReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def split(datagram: bytes, max_bytes: int = MAX_MESSAGE_BYTES) -> list[bytes]:
    """Split on line ends, without blank lines. There is always one line at least, so that nothing received is lost.

    A datagram over `max_bytes` comes back whole, for `parse` with the same limit to refuse.
    """
    if len(datagram) > max_bytes:
        return [datagram]
    return [line for line in datagram.splitlines() if line.strip()] or [datagram]


def parse(line: bytes, max_bytes: int = MAX_MESSAGE_BYTES) -> Message:
    """Read one line of `split`. Whatever the bytes, it answers: with `Unreadable` if they say nothing."""
    if len(line) <= _SHORT and len(line) <= max_bytes:
        return _parse_again(line)
    return _parse(line, max_bytes)


def _parse(line: bytes, max_bytes: int) -> Message:
    if len(line) > max_bytes:
        detail = f"The message has {len(line)} bytes; at most {max_bytes} are read."
        return messages.Unreadable(reason=RejectionReason.TOO_LONG, detail=detail)
    text, flags = _decoded(line)
    message = _read(text)
    if len(line) > _LONG_PART and any(len(part.strip().encode()) > _LONG_PART for part in text.split(";")):
        flags = (*flags, RejectionReason.TOO_LONG)
    return replace(message, flags=(*message.flags, *flags)) if flags else message


@lru_cache(maxsize=4096)
def _parse_again(line: bytes) -> Message:
    """Read a short line, or remember how it was read: in a hundred fights, 19 lines of 20 were said before."""
    return _parse(line, MAX_MESSAGE_BYTES)


def _decoded(line: bytes) -> tuple[str, tuple[RejectionReason, ...]]:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        text = line.decode(errors="replace")
    else:
        # Zero bytes are UTF-8 by the letter, but no database takes them for text.
        if "\0" not in text:
            return text, ()
    return text.replace("\0", _REPLACEMENT), (RejectionReason.BAD_UTF8,)


def _read(text: str) -> Message:
    parts = [part.strip() for part in text.split(";")]
    read = _READERS.get(parts[0], _other)
    try:
        return read(parts)
    except _RefusedError as refusal:
        return messages.Unreadable(reason=refusal.reason, detail=refusal.detail)


def _flags(parts: list[str], known: int) -> tuple[RejectionReason, ...]:
    """Flag what is said beyond the known parts; a closing `;` says nothing."""
    if len(parts) > known and any(parts[known:]):
        return (RejectionReason.EXTRA_PARTS,)
    return ()


# The parts of a message. Each of these refuses what it cannot read.


def _text(parts: list[str], index: int) -> str:
    return parts[index] if index < len(parts) else ""


def _number(parts: list[str], index: int, lowest: int = 0, highest: int = _LARGEST) -> int:
    text = _text(parts, index)
    if not _is_number(text):
        _refuse_number(parts, text)
    number = int(text)
    if lowest <= number <= highest:
        return number
    detail = f"{parts[0]} says {number}, where a number from {lowest} to {highest} belongs."
    raise _RefusedError(RejectionReason.OUT_OF_RANGE, detail)


def _is_number(text: str) -> bool:
    # isdigit alone takes the digits of every script.
    return text.isdigit() and text.isascii() and len(text) <= _MOST_DIGITS


def _refuse_number(parts: list[str], text: str) -> NoReturn:
    if not text:
        raise _RefusedError(RejectionReason.MISSING_PARTS, f"{parts[0]} leaves out a number it should give.")
    digits = text.removeprefix("-")
    if digits.isdigit() and digits.isascii():
        detail = f"{parts[0]} says {_quoted(text)}; a number is not negative and has at most {_MOST_DIGITS} digits."
        raise _RefusedError(RejectionReason.OUT_OF_RANGE, detail)
    raise _RefusedError(RejectionReason.BAD_NUMBER, f"{parts[0]} says {_quoted(text)}, which is not a number.")


def _seconds(parts: list[str]) -> int:
    """Read the time after the code: `m:ss`, `mm:ss` or bare seconds."""
    text = _text(parts, 1)
    if _is_number(text):
        return int(text)
    minutes, _, seconds = text.partition(":")
    if _is_number(minutes) and seconds in _SECONDS and len(minutes) <= _MOST_MINUTE_DIGITS:
        return int(minutes) * 60 + _SECONDS[seconds]
    if not text or text.removeprefix("-").isdigit():
        _refuse_number(parts, text)
    detail = f"{parts[0]} says {_quoted(text)}, which is not a time like 1:59."
    raise _RefusedError(RejectionReason.BAD_TIME, detail)


def _require(parts: list[str], index: int, word: str) -> None:
    text = _text(parts, index)
    if text == word:
        return
    if not any(parts[index:]):
        raise _RefusedError(RejectionReason.MISSING_PARTS, f'{parts[0]} ends before its "{word}".')
    raise _RefusedError(RejectionReason.BAD_VALUE, f'{parts[0]} says {_quoted(text)}, where "{word}" belongs.')


def _require_length(parts: list[str], length: int) -> None:
    """Count parts: one is there if the `;` before it is, even if nothing is in it."""
    if len(parts) < length:
        detail = f"{parts[0]} has {len(parts) - 1} parts after its code, and needs {length - 1}."
        raise _RefusedError(RejectionReason.MISSING_PARTS, detail)


def _pairs(parts: list[str], keys: Mapping[str, _Key], start: int = 0, highest: int = _LARGEST) -> dict[_Key, int]:
    """Read `key;number;key;number…`, as few or many as there are."""
    found = {}
    for index in range(start, len(parts), 2):
        key = keys.get(parts[index])
        if key is not None:
            found[key] = _number(parts, index + 1, 0, highest)
        elif any(parts[index:]):
            detail = f"{parts[0]} says {_quoted(parts[index])}, where one of {', '.join(keys)} belongs."
            raise _RefusedError(RejectionReason.BAD_VALUE, detail)
    return found


def _word(parts: list[str], words: Mapping[str, _Key]) -> _Key:
    text = _text(parts, 1)
    if text in words:
        return words[text]
    if not text:
        raise _RefusedError(RejectionReason.MISSING_PARTS, f"{parts[0]} ends after its code.")
    detail = f"{parts[0]} says {_quoted(text)}, where one of {', '.join(words)} belongs."
    raise _RefusedError(RejectionReason.BAD_VALUE, detail)


def _quoted(text: str) -> str:
    return f'"{text}"' if len(text) <= _QUOTED else f'"{text[:_QUOTED]}…"'


# The messages, in the order in which a fight has them.


def _fight_loading(parts: list[str]) -> Message:
    _require(parts, 1, "FightLoaded")
    return messages.FightLoading(flags=_flags(parts, 2))


def _fight_ready(parts: list[str]) -> Message:
    _require(parts, 1, "FightReady")
    return messages.FightReady(flags=_flags(parts, 2))


def _officials(parts: list[str]) -> Message:
    for index, word in ((3, "ju1"), (6, "ju2"), (9, "ta")):
        _require(parts, index, word)
    return messages.Officials(
        referee=(parts[1], parts[2]),
        first_judge=(parts[4], parts[5]),
        second_judge=(parts[7], parts[8]),
        technical_assistant=(_text(parts, 10), _text(parts, 11)),
        flags=_flags(parts, 12),
    )


def _athletes(parts: list[str]) -> Message:
    _require(parts, 4, "at2")
    _require_length(parts, 8)
    return messages.Athletes(
        blue_short_name=parts[1],
        blue_long_name=parts[2],
        blue_country_code=parts[3].upper(),
        red_short_name=parts[5],
        red_long_name=parts[6],
        red_country_code=parts[7].upper(),
        flags=_flags(parts, 8),
    )


def _match_settings(parts: list[str]) -> Message:
    _require_length(parts, MatchSettings.LENGTH + 1)
    settings = MatchSettings(values=tuple(parts[1 : MatchSettings.LENGTH + 1]))
    return replace(settings, flags=(*_flags(parts, MatchSettings.LENGTH + 1), *_settings_flags(settings)))


def _settings_flags(settings: MatchSettings) -> list[RejectionReason]:
    """Flag values that are not what stands there: the settings count without them, better than not at all."""
    texts = settings.values
    numbers = (settings.round_count, settings.round_seconds, settings.position_14, settings.position_15)
    colours = (settings.blue_background, settings.blue_foreground, settings.red_background, settings.red_foreground)
    flags = []
    if _is_any_lost((texts[10], texts[11], texts[13], texts[14]), numbers):
        flags.append(RejectionReason.BAD_NUMBER)
    if _is_any_lost(texts[4:8], colours):
        flags.append(RejectionReason.BAD_VALUE)
    return flags


def _is_any_lost(texts: Iterable[str], values: Iterable[object]) -> bool:
    return any(text and value is None for text, value in zip(texts, values, strict=True))


def _video_time(parts: list[str]) -> Message:
    return messages.VideoTime(seconds=_number(parts, 1), flags=_flags(parts, 2))


def _clock(parts: list[str]) -> Message:
    return messages.ClockMessage(seconds=_seconds(parts), action=_text(parts, 2), flags=_flags(parts, 3))


def _round_began(parts: list[str]) -> Message:
    return messages.RoundBegan(number=_number(parts, 1, 1, _LAST_ROUND), flags=_flags(parts, 2))


def _point(side: Side, parts: list[str]) -> Message:
    return messages.Point(side=side, value=_number(parts, 1, 1, 5), flags=_flags(parts, 2))


def _hit_level(side: Side, parts: list[str]) -> Message:
    return messages.HitLevel(side=side, level=_number(parts, 1, 1, 100), flags=_flags(parts, 2))


def _score(parts: list[str]) -> Message:
    scores = _pairs(parts, _SCORE_KEYS)
    return messages.Score(blue=scores.get(Side.BLUE), red=scores.get(Side.RED))


def _gam_jeoms(parts: list[str]) -> Message:
    gam_jeoms = _pairs(parts, _GAM_JEOM_KEYS)
    return messages.GamJeoms(blue=gam_jeoms.get(Side.BLUE), red=gam_jeoms.get(Side.RED))


def _round_scores(parts: list[str]) -> Message:
    scores = _pairs(parts, _ROUND_SCORE_KEYS)
    return messages.RoundScores(scores=tuple((side, number, score) for (side, number), score in scores.items()))


def _superiority(parts: list[str]) -> Message:
    return messages.Superiority(side=_SIDES[_number(parts, 1, 0, 2)], flags=_flags(parts, 2))


def _injury(side: Side | None, parts: list[str]) -> Message:
    return messages.Injury(side=side, seconds=_seconds(parts), action=_text(parts, 2), flags=_flags(parts, 3))


def _challenge(side: Side | None, parts: list[str]) -> Message:
    said = _text(parts, 1), _text(parts, 2)
    if said in _CHALLENGES:
        return messages.Challenge(side=side, state=_CHALLENGES[said], flags=_flags(parts, 3))
    detail = f"{parts[0]} says {_quoted(';'.join(said))}, where nothing, 1, 0, -1, 1;1 or 1;0 belongs."
    raise _RefusedError(RejectionReason.BAD_VALUE, detail)


def _break(parts: list[str]) -> Message:
    return messages.Break(seconds=_seconds(parts), action=_text(parts, 2), flags=_flags(parts, 3))


def _round_winners(parts: list[str]) -> Message:
    winners = _pairs(parts, _ROUND_KEYS, start=1, highest=2)
    if not winners:
        raise _RefusedError(RejectionReason.MISSING_PARTS, "wrd names no round.")
    if sorted(winners) != list(range(1, len(winners) + 1)):
        raise _RefusedError(RejectionReason.BAD_VALUE, "wrd leaves out a round before one that it names.")
    return messages.RoundWinners(winners=tuple(_SIDES[winners[number]] for number in sorted(winners)))


def _round_statistics(parts: list[str]) -> Message:
    _require(parts, 2, "st1")
    _require(parts, 9, "st2")
    return messages.RoundStatistics(
        round=_number(parts, 1, 1, _LAST_ROUND),
        blue_counts=tuple(_number(parts, index) for index in range(3, 3 + _STATISTICS)),
        red_counts=tuple(_number(parts, index) for index in range(10, 10 + _STATISTICS)),
        flags=_flags(parts, 16),
    )


def _round_results_sent(parts: list[str]) -> Message:
    return messages.RoundResultsSent(flags=_flags(parts, 1))


def _winner(parts: list[str]) -> Message:
    return messages.Winner(outcome=_word(parts, _OUTCOMES), flags=_flags(parts, 2))


def _result(parts: list[str]) -> Message:
    if not any(parts[1:3]):
        raise _RefusedError(RejectionReason.MISSING_PARTS, "wmh gives neither a winner nor a result.")
    round_score, _, code = _text(parts, 2).partition(" ")
    if not _ROUND_SCORE.fullmatch(round_score):
        round_score, code = "", _text(parts, 2)
    return messages.Result(
        winner_name=_text(parts, 1), round_score=round_score, code=code.strip(), flags=_flags(parts, 3)
    )


def _other(parts: list[str]) -> Message:
    code = parts[0]
    if not any(parts):
        raise _RefusedError(RejectionReason.EMPTY, "The message is empty.")
    if code.startswith("Udp Port"):
        return _link(parts)
    if not code or not code.isascii() or not code.isprintable() or len(code) > _LONGEST_CODE:
        reason = RejectionReason.BAD_UTF8 if _REPLACEMENT in code else RejectionReason.UNKNOWN_CODE
        raise _RefusedError(reason, f"The message begins with {_quoted(code)}, which cannot be a code.")
    last = max(index for index, part in enumerate(parts) if part)
    return messages.Unknown(code=code, parts=tuple(parts[1 : last + 1]))


def _link(parts: list[str]) -> Message:
    found = _LINK.fullmatch(parts[0])
    if found is None:
        detail = f'The message says {_quoted(parts[0])}, where "Udp Port" and its number, connected or not, belong.'
        raise _RefusedError(RejectionReason.BAD_VALUE, detail)
    port = _number(["Udp Port", found[1]], 1, 0, _LAST_PORT)
    return messages.Link(port=port, is_connected=found[2] == "connected", flags=_flags(parts, 1))


_READERS: dict[str, Callable[[list[str]], Message]] = {
    "pre": _fight_loading,
    "rdy": _fight_ready,
    "ref": _officials,
    "at1": _athletes,
    "mch": _match_settings,
    "avt": _video_time,
    "clk": _clock,
    "rnd": _round_began,
    "sup": _superiority,
    "brk": _break,
    "wrd": _round_winners,
    "rst": _round_statistics,
    "rsr": _round_results_sent,
    "win": _winner,
    "wmh": _result,
    **dict.fromkeys(_SCORE_KEYS, _score),
    **dict.fromkeys(_GAM_JEOM_KEYS, _gam_jeoms),
    **dict.fromkeys(_ROUND_SCORE_KEYS, _round_scores),
    **{f"ij{digit}": partial(_injury, side) for digit, side in enumerate(_SIDES)},
    **{f"ch{digit}": partial(_challenge, side) for digit, side in enumerate(_SIDES)},
    **{f"pt{digit}": partial(_point, side) for digit, side in enumerate(_SIDES) if side},
    **{f"hl{digit}": partial(_hit_level, side) for digit, side in enumerate(_SIDES) if side},
}
