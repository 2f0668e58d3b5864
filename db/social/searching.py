"""Full text: entries by the words in their titles and contents, with each database's own index of them.

Both keep the words in a table of their own, `entry_texts`, that triggers fill, under the entry's number. Marks, which
move the counts of an entry, do not touch it.
"""

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Integer,
    String,
    TypeDecorator,
    bindparam,
    column,
    func,
    literal_column,
    select,
    table,
    true,
)
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.util import ClauseAdapter

from db.batches import Chosen, table_of
from db.social.tables import Entry

_WORD = re.compile(r"\w+")
_MOST_WORDS = 20
# So many entries are found, the newest of all that have the words and are seen.
MOST_FOUND = 1_000
# Words that stand in so many of so many newest entries are common on PostgreSQL, and looked for from the newest on.
_COMMON, _OF_NEWEST, _LOOKED_AT = 20, 1_000, 50_000


class SearchedWords(TypeDecorator[str]):
    """What somebody types, as words that must all be there. Nothing in it is an operator."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str:
        """Write the words as the database takes them."""
        words = _WORD.findall(value or "")[:_MOST_WORDS]
        if dialect.name != "sqlite":
            return " ".join(words)
        quoted = " ".join(f'"{word}"' for word in words) or '""'
        return f"{{title content}} : ({quoted})"


def newest_with_words(dialect: str, conditions: Sequence[ColumnElement[bool]]) -> Chosen:
    """Select the numbers of the newest entries that fit and have all words of the parameter `filter_text`.

    SQLite reads its index from the newest on. PostgreSQL's gives all matches or none: of words that are common, entries
    are looked at one by one instead, which soon are enough.
    """
    entries = table_of(Entry).alias("candidate")
    fit = [ClauseAdapter(entries).traverse(condition) for condition in conditions]
    if dialect == "sqlite":
        number = literal_column("entry_texts.rowid", BigInteger())
        texts = table("entry_texts", column("title"))
        found = select(entries.c.seq).select_from(texts).where(_has_words(texts.c.title), entries.c.seq == number, *fit)
        return found.order_by(number.desc()).limit(_number(MOST_FOUND))
    texts = table("entry_texts", column("seq", BigInteger()), column("words"))
    are_common = _are_common(texts)
    newest = select(texts).order_by(texts.c.seq.desc()).limit(_number(_LOOKED_AT)).subquery("newest")
    # As a value, and not as a condition that is joined, so that the order stays and nothing is read beyond the last.
    fits = select(true()).where(entries.c.seq == newest.c.seq, *fit).scalar_subquery()
    looked_at = select(newest.c.seq).where(are_common, _has_words(newest.c.words), fits).order_by(newest.c.seq.desc())
    found = select(entries.c.seq).join(texts, texts.c.seq == entries.c.seq)
    found = found.where(~are_common, _has_words(texts.c.words), *fit).order_by(entries.c.seq.desc())
    limited = [one.limit(_number(MOST_FOUND)).subquery() for one in (looked_at, found)]
    return select(select(limited[0]).union_all(select(limited[1])).subquery("found"))


def _are_common(texts: Any) -> ColumnElement[bool]:
    newest = select(texts.c.words).order_by(texts.c.seq.desc()).limit(_number(_OF_NEWEST)).subquery("some")
    having = (
        select(func.count().label("number")).select_from(newest).where(_has_words(newest.c.words)).cte("having_words")
    )
    return select(having.c.number >= _number(_COMMON)).scalar_subquery()


def _number(value: int) -> ColumnElement[int]:
    return literal_column(str(value), Integer())


class _has_words(FunctionElement[bool]):  # noqa: N801 -- it reads as a function in a statement, as SQLAlchemy's own do
    """A text has all words of the parameter `filter_text`. SQLite asks it of a whole row of `entry_texts`."""

    inherit_cache = True
    type = Boolean()

    def __init__(self, words: ColumnElement[Any]) -> None:
        super().__init__(words, bindparam("filter_text", type_=SearchedWords()))

    def self_group(self, against: Any = None) -> Any:  # noqa: ARG002 -- SQLAlchemy's signature
        """Stand as it is. SQLAlchemy would write `… = 1` behind it on SQLite."""
        return self


@compiles(_has_words, "sqlite")
def _has_words_on_sqlite(element: _has_words, compiler: SQLCompiler, **options: Any) -> str:
    _, words = (compiler.process(clause, **options) for clause in element.clauses)
    return f"entry_texts MATCH {words}"


@compiles(_has_words, "postgresql")
def _has_words_on_postgresql(element: _has_words, compiler: SQLCompiler, **options: Any) -> str:
    kept, words = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{kept} @@ plainto_tsquery('simple', {words})"
