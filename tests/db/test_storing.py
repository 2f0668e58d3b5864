"""Batches: however much they hold, each table is written once."""

from datetime import timedelta

from db.database import Database
from tests.db.logs import cut, log, received
from tests.db.stored import NOW, lay_mat, statements_of
from tests.support.competition import begun_fight

# What happens in a fight: points, penalties given and taken back, a challenge, and messages of which nobody knows.
_FOUGHT = [
    "sc1;3;sc2;0",
    "pt1;3",
    "wg1;0;wg2;2",
    "wg1;0;wg2;1",
    "ch1",
    "ch1;1",
    "xyz;1",
    "pt1;x",
    "clk;01:59",
]
_ONCE_EACH = [
    "UPDATE mats",
    "INSERT INTO matches",
    "INSERT INTO athletes",
    "SELECT athletes",
    "INSERT INTO match_sides",
    "INSERT INTO rounds",
    "INSERT INTO round_sides",
    "INSERT INTO scoreboards",
    "INSERT INTO match_events",
    "INSERT INTO points",
    "UPDATE penalties",
    "INSERT INTO penalties",
    "INSERT INTO challenges",
    "INSERT INTO event_types",
    "INSERT INTO unknown_messages",
]


async def test_a_batch_is_written_with_one_statement_a_table_however_many_fights_it_holds(db: Database) -> None:
    fights = [wire for number in range(5) for wire in (*begun_fight(str(number)), *_FOUGHT)]
    mat = await lay_mat(db)
    progress = await log(db, mat.id, received(*begun_fight("before"), *_FOUGHT))

    with statements_of(db) as heard:
        await log(db, mat.id, received(*fights, at=NOW + timedelta(minutes=1)), progress)

    assert [_said(sql) for sql in heard] == ["UPDATE mats", "INSERT INTO matches", "UPDATE matches", *_ONCE_EACH[2:]]


async def test_a_point_asks_for_nobody_whose_name_was_not_said(db: Database) -> None:
    mat = await lay_mat(db)
    progress = await log(db, mat.id, received(*begun_fight("1")))

    with statements_of(db) as heard:
        await log(db, mat.id, received("sc1;5;sc2;0", "s11;5;s21;0", "pt1;2", at=NOW + timedelta(minutes=1)), progress)

    assert [_said(sql) for sql in heard] == [
        "UPDATE mats",
        "UPDATE match_sides",
        "INSERT INTO rounds",
        "INSERT INTO round_sides",
        "INSERT INTO scoreboards",
        "INSERT INTO match_events",
        "INSERT INTO points",
        "INSERT INTO event_types",
    ]


async def test_a_batch_of_ticks_is_four_statements_however_long_it_is(db: Database) -> None:
    mat = await lay_mat(db)
    progress = await log(db, mat.id, received(*begun_fight("1")))
    ticks = received(*(f"clk;{second // 60:02}:{second % 60:02}" for second in range(119, 0, -1)))
    seconds = [
        type(one)(received_at=NOW + timedelta(seconds=number + 1), sender=one.sender, raw=one.raw, message=one.message)
        for number, one in enumerate(ticks)
    ]

    counts = []
    for batch in cut(seconds, 40):
        with statements_of(db) as heard:
            progress = await log(db, mat.id, batch, progress)
        counts.append([_said(sql) for sql in heard])

    assert (
        counts
        == [["UPDATE mats", "INSERT INTO scoreboards", "INSERT INTO match_events", "INSERT INTO event_types"]] * 3
    )


def _said(sql: str) -> str:
    """What a statement does, and to which table."""
    verb, *words = sql.replace(".", " ").split()
    length = {"INSERT": 3, "UPDATE": 2, "SELECT": 2}[verb]
    return " ".join([verb, *words][:length])
