"""Full text: entries by the words in their titles and contents, with each database's own index of them.

PostgreSQL keeps words of an expression; SQLite in a table of its own, `entry_texts`, which triggers fill.
"""

import re
from typing import Any

from sqlalchemy import Boolean, String, TypeDecorator, bindparam
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import col

from db.social.tables import Entry

_WORD = re.compile(r"\w+")
_MOST_WORDS = 20


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


class has_words(FunctionElement[bool]):  # noqa: N801 -- it reads as a function in a statement, as SQLAlchemy's own do
    """An entry has all words of a parameter of the statement."""

    inherit_cache = True
    type = Boolean()

    def __init__(self, parameter: str) -> None:
        super().__init__(
            col(Entry.id), col(Entry.title), col(Entry.content), bindparam(parameter, type_=SearchedWords())
        )

    def self_group(self, against: Any = None) -> Any:  # noqa: ARG002 -- SQLAlchemy's signature
        """Stand as it is. SQLAlchemy would write `… = 1` behind it on SQLite."""
        return self


@compiles(has_words, "sqlite")
def _has_words_on_sqlite(element: has_words, compiler: SQLCompiler, **options: Any) -> str:
    id_, _, _, words = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{id_} IN (SELECT entry_id FROM entry_texts WHERE entry_texts MATCH {words})"  # noqa: S608 -- the compiler rendered both


@compiles(has_words, "postgresql")
def _has_words_on_postgresql(element: has_words, compiler: SQLCompiler, **options: Any) -> str:
    _, title, content, words = (compiler.process(clause, **options) for clause in element.clauses)
    return f"to_tsvector('simple', {title} || ' ' || {content}) @@ plainto_tsquery('simple', {words})"
