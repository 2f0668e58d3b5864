"""The rules of reading feeds: what is new, when something is due again, and what money comes to. All of it pure."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.accounts.entries import Entry, Known, choose_new, keys_of
from db.accounts.money import MOST, amount, checked_amount, cost_of, rounded, summed, units
from db.accounts.schedule import PollRules, back_off, next_interval, next_time, read_cron, spread
from db.errors import Invalid

RULES = PollRules()
BERLIN = ZoneInfo("Europe/Berlin")
AMOUNTS = st.decimals(0, MOST, places=8)


class Memory:
    """What was seen of a feed, as the database keeps it."""

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}

    def read(self, *entries: Entry) -> list[Entry]:
        """Read a document; return what was new in it."""
        asked = set(keys_of(entries))
        new = choose_new(entries, {key: one for key, one in self.known.items() if key in asked})
        assert {one.key for one in new} <= asked
        for one in new:
            assert one.key not in self.known
            self.known[one.key] = Known(one.entry.url, one.entry.title)
        return [one.entry for one in new]


def post(guid: str = "", url: str = "", title: str = "", digest: str = "") -> Entry:
    return Entry(guid=guid, url=url, title=title, digest=digest)


# What is new


def test_an_entry_is_new_once_and_an_edited_one_is_not_new_again() -> None:
    memory = Memory()

    assert memory.read(post("1", "u", "First")) == [post("1", "u", "First")]
    assert memory.read(post("1", "elsewhere", "Corrected"), post("2", "u2")) == [post("2", "u2")]
    assert memory.read(post("1", "u", "First"), post("2", "u2")) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (post(url="a", title="One"), post(url="b", title="One")),
        (post(title="One", digest="x"), post(title="One", digest="y")),
        (post(title="One"), post(title="Two")),
    ],
    ids=["by its address", "by its text", "by its title"],
)
def test_without_ids_entries_are_told_apart(first: Entry, second: Entry) -> None:
    memory = Memory()

    assert memory.read(first) == [first]
    assert memory.read(second, first) == [second]
    assert memory.read(second, first) == []


def test_an_id_that_several_share_tells_nothing_apart_and_the_first_of_them_stays_known() -> None:
    memory = Memory()
    first, second, third = (post("same", f"u{number}") for number in range(3))

    assert memory.read(first) == [first]
    assert memory.read(second, first) == [second]
    assert memory.read(third, second, first) == [third]
    # Whoever is alone again was seen, in whatever company.
    assert [memory.read(one) for one in (first, second, third)] == [[], [], []]


def test_one_address_for_all_leaves_the_titles() -> None:
    memory = Memory()
    first, second = post(url="https://example.org/", title="Up"), post(url="https://example.org/", title="Down")

    assert memory.read(first) == [first]
    assert memory.read(second, first) == [second]
    assert memory.read(second, first) == []


def test_an_entry_that_is_written_twice_is_one() -> None:
    assert Memory().read(post("1", "u", "x"), post("1", "u", "x")) == [post("1", "u", "x")]


_ENTRIES = st.builds(
    post,
    guid=st.sampled_from(["", "a", "b", "same"]),
    url=st.sampled_from(["", "u", "v", "w"]),
    title=st.sampled_from(["", "One", "Two"]),
    digest=st.sampled_from(["", "x"]),
)


@given(st.lists(st.lists(_ENTRIES, max_size=6), max_size=6))
def test_whatever_comes_in_whatever_company_nothing_is_new_twice(documents: list[list[Entry]]) -> None:
    memory = Memory()
    # What was taken for a correction was not new. Beside what it corrected it is an entry of its own, once.
    found: list[Entry] = []

    for document in documents:
        found += memory.read(*document)
        assert memory.read(*document) == []

    assert len(found) == len(set(found))


@given(st.lists(st.integers(0, 50), unique=True), st.integers(0, 10))
def test_with_ids_of_their_own_exactly_what_was_not_there_is_new(numbers: list[int], at_once: int) -> None:
    memory = Memory()
    entries = [post(str(number), "u", "t") for number in numbers]
    found: list[Entry] = []

    for end in range(len(entries) + 1):
        found += memory.read(*reversed(entries[max(0, end - at_once - 1) : end]))

    assert found == entries


# When something is due


@given(st.integers(1, 10**6), st.booleans(), st.none() | st.integers(0, 10**9))
def test_an_interval_stays_within_its_bounds_and_heeds_the_server(
    interval: int,
    has_news: bool,  # noqa: FBT001 -- hypothesis calls it
    hint: int | None,
) -> None:
    found = next_interval(interval, has_news=has_news, hint=hint, rules=RULES)

    assert RULES.least_interval <= found <= RULES.most_interval
    assert found >= min(hint or 0, RULES.most_interval)


def test_a_feed_with_news_is_read_more_often_and_a_quiet_one_less() -> None:
    assert next_interval(900, has_news=True, hint=None, rules=RULES) == 450
    assert next_interval(900, has_news=False, hint=None, rules=RULES) == 1125
    assert next_interval(900, has_news=False, hint=3600, rules=RULES) == 3600


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True), st.none() | st.integers(0, 10**9))
def test_backing_off_grows_never_past_the_longest_and_never_below_what_was_asked(
    failures: int, chance: float, asked: int | None
) -> None:
    waits = [
        back_off(number, first=300, longest=86_400, asked=asked, chance=chance) for number in (failures, failures + 1)
    ]

    assert waits[0] <= waits[1] <= 86_400
    assert waits[0] >= min(asked or 0, 86_400)
    assert waits[0] >= min(300 * 2 ** min(failures - 1, 10), 86_400)


@given(st.floats(1, 10**6), st.floats(0, 1, exclude_max=True))
def test_times_are_moved_by_a_tenth_at_most(seconds: float, chance: float) -> None:
    assert 0.89 * seconds <= spread(seconds, chance) <= 1.11 * seconds


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("line", "after", "due"),
    [
        ("* * * * *", "2026-11-21T09:00:30+00:00", "2026-11-21T09:01:00+00:00"),
        ("30 18 * * 1-5", "2026-11-20T18:30:00+01:00", "2026-11-23T18:30:00+01:00"),
        ("*/15 8-9 * * *", "2026-11-21T09:50:00+01:00", "2026-11-22T08:00:00+01:00"),
        ("0 0 29 2 *", "2026-03-01T00:00:00+01:00", "2028-02-29T00:00:00+01:00"),
        ("0 12 1 * 7", "2026-11-21T13:00:00+01:00", "2026-11-22T12:00:00+01:00"),
        # The clocks skip from two to three, and repeat the hour after two.
        ("30 2 * * *", "2026-03-28T12:00:00+01:00", "2026-03-29T03:30:00+02:00"),
        ("30 2 * * *", "2026-10-24T12:00:00+02:00", "2026-10-25T02:30:00+02:00"),
        ("30 2 25 10 *", "2026-10-25T02:30:00+02:00", "2027-10-25T02:30:00+02:00"),
    ],
)
def test_a_schedule_falls_due_by_the_clocks_of_its_zone(line: str, after: str, due: str) -> None:
    assert next_time(read_cron(line), at(after), BERLIN) == at(due)


def test_a_schedule_may_fall_on_no_day() -> None:
    assert next_time(read_cron("0 0 31 2 *"), at("2026-01-01T00:00:00+00:00"), BERLIN) is None


_NUMBERS = st.integers(0, 59).map(str)
_PARTS = st.one_of(st.just("*"), _NUMBERS, st.builds("{}-{}".format, _NUMBERS, _NUMBERS), st.just("*/7"))


@given(st.lists(_PARTS, min_size=5, max_size=5).map(" ".join), st.integers(0, 3 * 10**9))
def test_a_schedule_is_refused_or_lies_ahead_on_a_minute_of_its_own(line: str, after: int) -> None:
    now = datetime.fromtimestamp(after, UTC)
    try:
        cron = read_cron(line)
    except Invalid:
        return

    due = next_time(cron, now, BERLIN)

    assert due is None or (due > now and due.second == 0 and due - now < timedelta(days=1500))


@pytest.mark.parametrize("line", ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "5-2 * * * *", "*/0 * * * *",
                                  "a * * * *", "٣ * * * *", "* * * * * *", "1,,2 * * * *"])  # fmt: skip
def test_what_is_no_schedule_is_refused(line: str) -> None:
    with pytest.raises(Invalid):
        read_cron(line)


# Money


@given(AMOUNTS)
def test_money_is_kept_to_the_last_digit(value: Decimal) -> None:
    assert amount(units(value)) == value
    assert "E" not in format(amount(units(value)), "f")


@given(st.lists(AMOUNTS, max_size=50))
def test_sums_are_exact(values: list[Decimal]) -> None:
    wholes = [units(value) for value in values]

    assert summed(sum(one // 10**8 for one in wholes), sum(one % 10**8 for one in wholes)) == sum(values, Decimal(0))


@given(st.decimals(0, MOST, places=5), st.integers(1, 1000))
def test_what_so_many_cost_is_exact(price: Decimal, quantity: int) -> None:
    assert cost_of(price, quantity) * 1000 == price * quantity


def test_money_of_others_is_rounded_to_what_is_kept() -> None:
    assert rounded(Decimal("0.123456785")) == Decimal("0.12345679")


@pytest.mark.parametrize("text", ["-1", "NaN", "Infinity", "1000000.01", "0.000000001", "x", ""])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="An amount is 0 to 1,000,000 with 8 decimals at most"):
        checked_amount(text, field="daily_spend_limit")
