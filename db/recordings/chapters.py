"""What a list of chapters says of each place in a recording. Pure."""

from db.matches.vocabulary import Outcome
from db.recordings.covering import STEP_OF_MATCH, STEP_OF_WINNER
from db.recordings.vocabulary import ChapterKind


def kind_of(step: int) -> ChapterKind:
    """Say what begins at a step among those of a fight."""
    if step == STEP_OF_MATCH:
        return ChapterKind.MATCH
    return ChapterKind.WINNER if step == STEP_OF_WINNER else ChapterKind.ROUND


def round_of(step: int) -> int | None:
    """Return the number of the round that begins, `None` where none does."""
    return step if kind_of(step) is ChapterKind.ROUND else None


def label_of(
    step: int,
    *,
    number: str,
    phase: str,
    weight: str,
    blue: str,
    red: str,
    outcome: Outcome | None,
    winner_name: str,
    round_score: str,
) -> str:
    """Return what a viewer reads: which fight begins, which round, or who has won."""
    kind = kind_of(step)
    if kind is ChapterKind.ROUND:
        return f"Round {step}"
    if kind is ChapterKind.MATCH:
        fight = " ".join(filter(None, (number, phase, weight))) or "A fight"
        return f"{fight}: {blue or 'blue'} – {red or 'red'}"  # noqa: RUF001 -- a dash, as between names
    if outcome is Outcome.TIE:
        return "No winner"
    named = winner_name or {Outcome.BLUE: blue or "blue", Outcome.RED: red or "red"}.get(outcome or Outcome.TIE, "")
    return f"Winner: {named}" + (f" {round_score}" if round_score else "")


def timecode_of(milliseconds: int) -> str:
    """Write a place in a recording as players do: `1:02:03`, rounded down."""
    seconds = milliseconds // 1000
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
