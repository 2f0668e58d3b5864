"""The data set, as statements that make it inside a database: the same rows in both.

Chance is a hash of a number, so that each making gives the same. Everything is first put together in tables that end
with the connection, `making_…`; what is stored is then written once, with its counts, in the order of its keys.
"""

# ruff: noqa: S608 -- the statements are put together here, of our own words alone

from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt, sqrt
from uuid import UUID

from benchmarks.social.spelling import Spelling
from db.social.ranks import HALF_DAY_MS, STEPS

# 2026-06-01. A thread begins each minute.
_BEGIN_MS = 1_780_272_000_000
_MINUTE_MS = 60_000
_DAY_MS = 86_400_000
# Of the entries, so many in a hundred have resonances. The first has as many as one further down who had no such luck.
_RESONATED_PERCENT = 40
_HEAD_START = 3
# Who resonates also amplifies, each so maniest.
_AMPLIFIED = 20
_STRIDE = 7_919
_TAGS = 200
_TEXTS = 2_000
# With a number behind it, a word of one text in so many. The other one is in a good part of them.
RARE_WORD, COMMON_WORD = "rare", "thunder"
# The root of the first thread, which has the longest of the shapes.
LONGEST_THREAD = UUID(f"{_BEGIN_MS + _MINUTE_MS:012x}70008{1:015x}")

Statement = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How many there are of what. Of users there are a few more: a prime number of them."""

    entries: int
    resonances: int
    follows: int
    users: int

    @property
    def prime(self) -> int:
        """How many users there are. Steps of any length go round a prime number without meeting themselves."""
        number = self.users | 1
        while any(number % divisor == 0 for divisor in range(3, isqrt(number) + 1, 2)):
            number += 2
        return number


def statements(spelling: Spelling, sizes: Sizes) -> Iterator[Statement]:
    """Return what is to be run, in order, each with what it makes; `making_nodes` and `making_texts` are there."""
    yield from _people(spelling, sizes)
    yield from _threads(spelling, sizes)
    yield from _marks(spelling, sizes)
    yield from _entries(spelling)
    yield from _users(spelling)


def texts() -> Iterator[tuple[int, str]]:
    """Return what entries say, by number: common words, and one that is nowhere else."""
    for number in range(_TEXTS):
        words = [_WORDS[_mixed(number * 97 + place) % len(_WORDS)] for place in range(6 + _mixed(number) % 60)]
        yield number, f"{' '.join(words).capitalize()} {RARE_WORD}{number}."


def _people(spelling: Spelling, sizes: Sizes) -> Iterator[Statement]:
    joined = f"{_BEGIN_MS} - {_MINUTE_MS} * ({sizes.prime} - n)"
    yield (
        "users",
        (
            f"CREATE TEMP TABLE making_users AS SELECT n - 1 AS number, {joined} AS ms, "
            f"{spelling.id(joined, 'n')} AS id FROM {spelling.series(sizes.prime)}"
        ),
    )
    yield "users", "CREATE UNIQUE INDEX making_users_number ON making_users (number)"
    # The first numbers are followed most, and others follow most.
    follower = f"({_few('n', 1, sizes.prime)} * {_STRIDE} + 13) % {sizes.prime}"
    followed = _few("n", 2, sizes.prime)
    pairs = f"SELECT n, {follower} AS follower, {followed} AS followed FROM {spelling.series(sizes.follows * 3 // 2)}"
    yield (
        "follows",
        (
            f"CREATE TEMP TABLE making_follows AS SELECT follower, followed, min(n) AS n FROM ({pairs}) AS pairs "
            f"WHERE follower <> followed GROUP BY follower, followed ORDER BY 3 LIMIT {sizes.follows}"
        ),
    )
    at = f"{_BEGIN_MS} + making_follows.n * 1000 % {90 * _DAY_MS}"
    yield (
        "follows",
        (
            "INSERT INTO follows (follower_id, followed_id, created_at) "
            f"SELECT follower.id, followed.id, {spelling.instant(at)} FROM making_follows "
            "JOIN making_users AS follower ON follower.number = making_follows.follower "
            "JOIN making_users AS followed ON followed.number = making_follows.followed ORDER BY 1, 2"
        ),
    )


def _threads(spelling: Spelling, sizes: Sizes) -> Iterator[Statement]:
    """Make threads: most of them alone or short, one in some hundreds a whole shape, the first seven among them."""
    luck = _mixed_sql("n", 3, 1000)
    wanted = (
        f"CASE WHEN n <= 7 OR {luck} >= 997 THEN 5000 WHEN {luck} < 600 THEN 1 "
        f"WHEN {luck} < 850 THEN 2 + {_mixed_sql('n', 4, 7)} WHEN {luck} < 970 THEN 10 + {_mixed_sql('n', 4, 40)} "
        f"ELSE 60 + {_mixed_sql('n', 4, 140)} END"
    )
    shape = f"CASE WHEN n <= 7 THEN n - 1 ELSE {_mixed_sql('n', 5, 7)} END"
    privacy = (
        f"CASE WHEN n <= 7 OR {_mixed_sql('n', 6, 100)} < 80 THEN 'PUBLIC' "
        f"WHEN {_mixed_sql('n', 6, 100)} < 92 THEN 'FOLLOWERS' ELSE 'PRIVATE' END"
    )
    smallest = "CASE WHEN wanted < size THEN wanted ELSE size END"
    planned = (
        f"SELECT n, {shape} AS shape, {wanted} AS wanted, {privacy} AS privacy, "
        f"{_few('n * 3', 7, sizes.prime)} AS author, {_BEGIN_MS} + n * {_MINUTE_MS} AS ms "
        f"FROM {spelling.series(sizes.entries)}"
    )
    sized = (
        f"SELECT planned.*, {smallest} AS length FROM ({planned}) AS planned JOIN "
        "(SELECT shape AS sized, count(*) AS size FROM making_nodes GROUP BY shape) AS shapes ON sized = shape"
    )
    counted = f"SELECT sized.*, sum(length) OVER (ORDER BY n) - length AS before FROM ({sized}) AS sized"
    yield (
        "threads",
        (
            "CREATE TEMP TABLE making_threads AS SELECT n, shape, privacy, author, ms, CAST(before AS BIGINT) "
            f"AS before, CASE WHEN before + length > {sizes.entries} THEN {sizes.entries} - before ELSE length END "
            f"AS length FROM ({counted}) AS counted WHERE before < {sizes.entries}"
        ),
    )
    number = "before + node + 1"
    at = "ms + seconds * 1000 + node"
    author = f"CASE WHEN node = 0 THEN author ELSE {_few(number, 8, sizes.prime)} END"
    placed = (
        f"SELECT {number} AS number, before + 1 AS root, before + parent + 1 AS parent, node, path, branch_order, "
        f"depth, is_deleted, privacy, {at} AS ms, {author} AS author, author AS root_author FROM making_threads "
        "JOIN making_nodes ON making_nodes.shape = making_threads.shape AND node < length"
    )
    rank = f"(privacy = 'PUBLIC') DESC, (node = 0) DESC, {_mixed_sql('number', 9, 2_147_483_647)}, number"
    yield (
        "threads",
        (
            f"CREATE TEMP TABLE making_entries AS SELECT placed.*, {spelling.id('ms', 'number')} AS id, "
            "row_number() OVER (ORDER BY ms, number) AS seq, "
            f"row_number() OVER (ORDER BY {rank}) AS rank FROM ({placed}) AS placed"
        ),
    )
    for column in ("number", "rank"):
        yield "threads", f"CREATE UNIQUE INDEX making_entries_{column} ON making_entries ({column})"
    yield (
        "threads",
        (
            "CREATE TEMP TABLE making_branches AS SELECT parent, count(*) AS branches, "
            "sum(CASE WHEN is_deleted = 0 AND privacy = 'PUBLIC' THEN 1 ELSE 0 END) AS open "
            "FROM making_entries WHERE parent IS NOT NULL GROUP BY parent"
        ),
    )
    yield "threads", "CREATE UNIQUE INDEX making_branches_parent ON making_branches (parent)"


def _marks(spelling: Spelling, sizes: Sizes) -> Iterator[Statement]:
    """Make marks: public roots have most of them, the first of them some thousands."""
    for table, each in (("resonances", 1), ("amplifications", _AMPLIFIED)):
        yield from _mark(spelling, sizes, table, each)


def _mark(spelling: Spelling, sizes: Sizes, table: str, each: int) -> Iterator[Statement]:
    marked = sizes.entries * _RESONATED_PERCENT // 100 + _HEAD_START
    whole = int(sizes.resonances / (1 - sqrt(_HEAD_START / marked)))
    place = f"(n * {each} + {whole - sizes.resonances})"
    below = f"{place} * {place} / {whole} * {marked} / {whole} - {_HEAD_START} + 1"
    rank = f"CASE WHEN {below} < 1 THEN 1 ELSE {below} END"
    ranked = f"SELECT n * {each} AS n, {rank} AS rank FROM {spelling.series(sizes.resonances // each)}"
    user = f"({_mixed_sql('making.rank', 10, sizes.prime)} + making.n * {_STRIDE}) % {sizes.prime}"
    at = f"entry.ms + {_mixed_sql('making.n', 11, 2 * _DAY_MS)}"
    yield (
        table,
        (
            f"INSERT INTO {table} (user_id, entry_id, created_at) SELECT marker.id, entry.id, {spelling.instant(at)} "
            f"FROM ({ranked}) AS making JOIN making_entries AS entry ON entry.rank = making.rank "
            f"JOIN making_users AS marker ON marker.number = {user} ORDER BY 1, 2"
        ),
    )
    yield (
        table,
        f"CREATE TEMP TABLE making_{table} AS SELECT rank, count(*) AS number FROM ({ranked}) AS making GROUP BY rank",
    )
    yield table, f"CREATE UNIQUE INDEX making_{table}_rank ON making_{table} (rank)"


def _entries(spelling: Spelling) -> Iterator[Statement]:
    score = "COALESCE(resonated.number, 0) + COALESCE(amplified.number, 0)"
    worth = " + ".join(f"{HALF_DAY_MS} * CAST({score} AS BIGINT) / ({score} + {step})" for step in STEPS)
    at, number = spelling.instant("entry.ms"), "entry.number"
    shown = "entry.is_deleted = 0"
    tag = f"'topic_' || {_few(number, 12, _TAGS)}"
    is_tagged = f"{shown} AND entry.depth = 0 AND {number} % 2 = 1"
    columns = {
        "id": "entry.id",
        "author_id": "author.id",
        "parent_id": "parent.id",
        "root_id": "root.id",
        "path": "entry.path",
        "depth": "entry.depth",
        "branch_order": "entry.branch_order",
        "last_branch": "COALESCE(branches, 0)",
        "kind": f"CASE WHEN {_mixed_sql(number, 13, 10)} < 7 THEN 'LOGBOOK' ELSE 'DREAM' END",
        "label": "''",
        "title": f"CASE WHEN {shown} AND entry.depth = 0 THEN 'Entry ' || {number} ELSE '' END",
        "content": f"CASE WHEN {shown} THEN text.content ELSE '' END",
        "tags": spelling.json(f"CASE WHEN {is_tagged} THEN '[\"' || {tag} || '\"]' ELSE '[]' END"),
        "agent": "''",
        "metrics": spelling.json("'{}'"),
        "privacy": "entry.privacy",
        "root_author_id": "root_author.id",
        "root_privacy": "entry.privacy",
        "resonance_count": "COALESCE(resonated.number, 0)",
        "amplification_count": "COALESCE(amplified.number, 0)",
        "branch_count": "COALESCE(open, 0)",
        "share_count": "0",
        "score": score,
        "heat": f"entry.ms + {worth}",
        "revision": "0",
        "seq": "entry.seq",
        "created_at": at,
        "changed_at": at,
        "deleted_at": f"CASE WHEN {shown} THEN NULL ELSE {at} END",
    }
    yield (
        "entries",
        (
            f"INSERT INTO entries ({', '.join(columns)}) SELECT {', '.join(columns.values())} "
            "FROM making_entries AS entry JOIN making_users AS author ON author.number = entry.author "
            "JOIN making_entries AS root ON root.number = entry.root "
            "JOIN making_users AS root_author ON root_author.number = entry.root_author "
            f"JOIN making_texts AS text ON text.number = {_mixed_sql(number, 14, _TEXTS)} "
            "LEFT JOIN making_entries AS parent ON parent.number = entry.parent "
            "LEFT JOIN making_branches AS branch ON branch.parent = entry.number "
            "LEFT JOIN making_resonances AS resonated ON resonated.rank = entry.rank "
            "LEFT JOIN making_amplifications AS amplified ON amplified.rank = entry.rank ORDER BY entry.seq"
        ),
    )
    yield (
        "tags",
        (
            f"INSERT INTO entry_tags (tag, entry_id) SELECT {tag}, id FROM making_entries AS entry "
            f"WHERE {is_tagged} ORDER BY 1, 2"
        ),
    )
    yield "entries", "INSERT INTO numberings (name, last) SELECT 'entries', max(seq) FROM making_entries"


def _users(spelling: Spelling) -> Iterator[Statement]:
    is_open = "deleted_at IS NULL AND privacy = 'PUBLIC' AND root_privacy = 'PUBLIC'"
    written = (
        "SELECT author_id AS id, sum(CASE WHEN kind = 'LOGBOOK' THEN 1 ELSE 0 END) AS entries, "
        f"sum(CASE WHEN kind = 'DREAM' THEN 1 ELSE 0 END) AS dreams FROM entries WHERE {is_open} GROUP BY author_id"
    )
    columns = {
        "id": "making_users.id",
        "name": "'User ' || making_users.number",
        "role": "'MEMBER'",
        "created_at": spelling.instant("ms"),
        "username": "'user_' || making_users.number",
        "username_key": "'user_' || making_users.number",
        "bio": "'Writes.'",
        "avatar_url": "'https://pictures.example/' || making_users.number",
        "follower_count": "COALESCE(followers.number, 0)",
        "following_count": "COALESCE(following.number, 0)",
        "entry_count": "COALESCE(written.entries, 0)",
        "dream_count": "COALESCE(written.dreams, 0)",
    }
    joins = "".join(
        f"LEFT JOIN (SELECT {key} AS id, count(*) AS number FROM follows GROUP BY {key}) AS {name} "
        f"ON {name}.id = making_users.id "
        for name, key in (("followers", "followed_id"), ("following", "follower_id"))
    )
    yield (
        "users",
        (
            f"INSERT INTO users ({', '.join(columns)}) SELECT {', '.join(columns.values())} FROM making_users {joins}"
            f"LEFT JOIN ({written}) AS written ON written.id = making_users.id ORDER BY making_users.id"
        ),
    )


def _mixed(number: int) -> int:
    """Return a number that seems to have nothing to do with it."""
    spread = (number + 1_000_003) * 2_654_435_761 % 4_294_967_291 % 2_147_483_647
    return spread * spread % 2_147_483_629


def _mixed_sql(number: str, salt: int, below: int) -> str:
    """Say the same in SQL, of a number and a salt, as a number from 0. By the square: salts are then strangers."""
    spread = f"((({number}) + {salt * 1_000_003}) * 2654435761 % 4294967291 % 2147483647)"
    return f"({spread} * {spread} % 2147483629 % {below})"


def _few(number: str, salt: int, below: int) -> str:
    """Say a number from 0, in which the small ones are far more often than the great."""
    luck = _mixed_sql(number, salt, 1_000_003)
    return f"({luck} * {luck} / 1000003 * {below} / 1000003)"


_WORDS = (  # noqa: SIM905 -- easier to read so
    "anchor autumn barley beacon candle canyon cinder clover copper crystal dawn delta dream drift dune echo ember "
    "evening falcon field fjord flame forest garnet glacier harbor hazel horizon indigo island juniper kernel lantern "
    "light lilac marble meadow memory mirror morning mountain nectar night north oasis ocean opal orchard pattern "
    "pebble prairie quarry quiet rain ripple river saffron shadow signal silence slate song spark spiral stone storm "
    "summer thicket thread thunder tide timber valley velvet violet voice wander water willow window winter wonder"
).split()
