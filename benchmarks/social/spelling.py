"""How the databases spell the few things that they spell differently."""

# ruff: noqa: S608 -- what is put together here are our own words

from abc import ABC, abstractmethod


class Spelling(ABC):
    """Spells what a data set is made of."""

    @abstractmethod
    def series(self, count: int) -> str:
        """Say a table of the numbers `n` from 1 to `count`."""

    @abstractmethod
    def id(self, ms: str, number: str) -> str:
        """Say a UUID of version 7, of a time in milliseconds and a number that is not used again."""

    @abstractmethod
    def instant(self, ms: str) -> str:
        """Say a time in milliseconds as it is stored."""

    def json(self, text: str) -> str:
        """Say a text that is JSON."""
        return text


class PostgreSQL(Spelling):
    """As PostgreSQL has it."""

    def series(self, count: int) -> str:
        """See `Spelling`."""
        return f"generate_series(CAST(1 AS BIGINT), {count}) AS series (n)"

    def id(self, ms: str, number: str) -> str:
        """See `Spelling`."""
        parts = f"lpad(to_hex({ms}), 12, '0') || '70008' || lpad(to_hex({number}), 15, '0')"
        return f"CAST({parts} AS uuid)"

    def instant(self, ms: str) -> str:
        """See `Spelling`."""
        return f"TIMESTAMPTZ 'epoch' + ({ms}) * INTERVAL '1 millisecond'"

    def json(self, text: str) -> str:
        """See `Spelling`."""
        return f"CAST({text} AS json)"


class SQLite(Spelling):
    """As SQLite has it, and as SQLAlchemy stores what SQLite has no type for."""

    def series(self, count: int) -> str:
        """See `Spelling`."""
        numbers = f"numbers (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})"
        return f"(WITH RECURSIVE {numbers} SELECT n FROM numbers) AS series"

    def id(self, ms: str, number: str) -> str:
        """See `Spelling`."""
        return f"printf('%012x70008%015x', {ms}, {number})"

    def instant(self, ms: str) -> str:
        """See `Spelling`."""
        return f"strftime('%Y-%m-%d %H:%M:%S', ({ms}) / 1000, 'unixepoch') || printf('.%03d000', ({ms}) % 1000)"
