"""What the tables of a mat should hold, from its log alone: folded entry by entry, operators' included."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from db.database import Database
from db.matches.corrections import Correction, LoadedByHand, Voiding
from db.matches.fold import Entry
from db.matches.history import refold, retell, voided_by
from db.matches.log import Advance, Fight, Logged, MatProgress, Received, advance, correct
from db.matches.messages import from_record
from db.matches.rows import match_row, round_rows, round_side_rows, side_rows
from db.matches.state import to_json
from db.matches.tables import Match, MatchEvent
from db.matches.tallies import count_entries
from tests.db.logs import on_mat, rows_of, without_names


@dataclass
class Told:
    """What a log has told so far: each fight by the number of the entry that began it, and what was said of it."""

    progress: MatProgress
    fights: dict[int, Fight] = field(default_factory=dict)
    logs: dict[int | None, list[Entry]] = field(default_factory=dict)
    logged: list[Logged] = field(default_factory=list)

    def take(self, row: Any, began: int | None) -> None:
        """Take the next entry; `began` is the fight that it is stored with."""
        message = from_record(row.kind, row.record)
        said = Received(received_at=row.received_at, sender=row.sender, raw=row.raw, message=message)
        entry = Entry(seq=row.seq, received_at=row.received_at, message=message)
        if isinstance(message, Correction) and not isinstance(message, LoadedByHand):
            assert began is not None
            self.logs[began].append(entry)
            steps = self._corrected(said, began)
        else:
            steps = advance(self.progress, [said])
            self.logs.setdefault(_began(steps), []).append(entry)
        self.logged += steps.logged
        self.fights.update({fight.begun_seq: fight for fight in steps.fights})
        self.progress = steps.progress

    def left_at(self, began: int) -> int | None:
        """The entry with which another fight took the mat."""
        return min((other for other in self.fights if other > began), default=None)

    def _corrected(self, said: Received, began: int) -> Advance:
        again = isinstance(said.message, Voiding)
        state = refold(self.logs[began], left_at=self.left_at(began)) if again else None
        return correct(self.progress, self.fights[began], said, state)


def _began(steps: Advance) -> int | None:
    fight = steps.logged[0].fight
    return None if fight is None else fight.begun_seq


async def assert_equal_to_a_fresh_fold(db: Database, mat_id: UUID) -> None:
    """Compare all that is stored of a mat with a fold of its log, and each fight with a fold of its own entries."""
    rows = sorted(await rows_of(db, MatchEvent, mat_id), key=lambda row: row.seq)
    began = {row.id: row.begun_seq for row in await rows_of(db, Match, mat_id)}
    told = Told(MatProgress(mat_id=mat_id, seq=0, fight=None))
    for row in rows:
        told.take(row, began.get(row.match_id))
    stored = await on_mat(db, mat_id)
    events = stored.pop("events")

    assert [row["seq"] for row in events] == list(range(1, len(rows) + 1))
    assert [row["match_id"] for row in events] == [
        None if one.fight is None else one.fight.begun_seq for one in told.logged
    ]
    assert stored == _expected(told, {row.seq: row.received_at for row in rows})
    for number, fight in told.fights.items():
        assert refold(told.logs[number], left_at=told.left_at(number)) == fight.state
    assert _voided(rows) == {
        seq: by for number, log in told.logs.items() if number is not None for seq, by in voided_by(log).items()
    }


def _voided(rows: list[Any]) -> dict[int, int]:
    seqs = {row.id: row.seq for row in rows}
    return {row.seq: seqs[row.voided_by_id] for row in rows if row.voided_by_id is not None}


def _facts(told: Told) -> dict[str, list[dict[str, Any]]]:
    """What each fight tells when it is told from the start, and what the whole log holds."""
    facts = [(number, retell(told.logs[number], left_at=told.left_at(number))[1]) for number in sorted(told.fights)]
    tally = count_entries(told.logged)
    return {
        "points": [{"match_id": number, **row} for number, one in facts for row in one.points],
        "penalties": sorted(
            ({"match_id": number, **row} for number, one in facts for row in one.penalties),
            key=lambda row: [row[name] for name in ("match_id", "seq", "side", "number")],
        ),
        "challenges": [
            {"match_id": number, **one.challenges[seq]} for number, one in facts for seq in sorted(one.challenges)
        ],
        "types": sorted(tally.types, key=lambda row: (row["kind"], row["code"])),
        "unknown": sorted(tally.unknown, key=lambda row: row["pattern"]),
    }


def _expected(told: Told, received_at: dict[int, Any]) -> dict[str, Any]:
    fights = sorted(told.fights.items())
    return {
        "mat": (told.progress.seq, told.progress.fight and told.progress.fight.begun_seq),
        "matches": [
            {"begun_seq": number, "loaded_at": received_at[number], **match_row(fight.state)}
            for number, fight in fights
        ],
        "sides": [
            {"match_id": number, **without_names(row)} for number, fight in fights for row in side_rows(fight.state)
        ],
        "rounds": [{"match_id": number, **row} for number, fight in fights for row in round_rows(fight.state)],
        "round sides": [
            {"match_id": number, **row} for number, fight in fights for row in round_side_rows(fight.state)
        ],
        **_facts(told),
        "scoreboards": [
            {
                "match_id": number,
                "seq": fight.state.seq,
                "fold": orjson.loads(orjson.dumps(to_json(fight.state))),
                "board": orjson.loads(orjson.dumps(fight.shown)),
                "changed_at": fight.changed_at,
            }
            for number, fight in fights
        ],
    }
