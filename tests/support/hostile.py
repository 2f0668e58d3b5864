"""What is sent to do harm: documents that hold too much, and requests that were the end of other servers."""

import json
from collections.abc import Iterator
from typing import Any


def many(number: int, what: str = "a{0}: __typename") -> str:
    return " ".join(what.format(index) for index in range(number))


def doubling(times: int, spread: str = "...F{0}") -> str:
    """Fragments that each spread the next one twice: what they hold doubles with each."""
    chain = [
        f"fragment F{one} on Query {{ {spread.format(one + 1)} {spread.format(one + 1)} }}" for one in range(times)
    ]
    return " ".join(["{ ...F0 }", *chain, f"fragment F{times} on Query {{ __typename }}"])


# Documents that hold too much: what is said of each, how much it holds, and how much it may.
TOO_MUCH: list[tuple[str, str, str, int, int]] = [
    ("20,000 tokens", "{ " + "a " * 20_000 + "}", "tokens", 1001, 1000),
    ("1 MB of names", "{" + " a" * 500_000 + "}", "characters", 1_000_002, 65_536),
    ("1,000 aliases", "{ " + many(300) + " }", "fields", 300, 200),
    ("aliases", "{ mats { nodes { " + many(31) + " } } }", "aliases", 31, 30),
    ("aliases in a fragment", "{ mats { ...F ...F } } fragment F on Query { " + many(16) + " }", "aliases", 32, 30),
    ("depth 200", "{ a" * 200 + " }" * 200, "depth", 64, 15),
    ("depth 16", "{ a" * 16 + " }" * 16, "depth", 16, 15),
    ("depth in fragments", "{ ...A } fragment A on Q { " + "a { " * 16 + "b" + " }" * 17, "depth", 17, 15),
    ("fragments doubling 20 times", doubling(20), "fields", 2**20, 200),
    ("inline fragments doubling 20 times", doubling(20, "... {{ ...F{0} }}"), "fields", 2**20, 200),
    ("directives", "{ a " + "@skip(if: true) " * 21 + "}", "directives", 21, 20),
    ("root fields", "{ " + "a " * 21 + "}", "root_fields", 21, 20),
    ("the same fields", "{ mats { nodes { " + "id " * 150 + "} } }", "comparisons", 11_175, 5000),
    ("comments", "#\n" * 300 + "{ a }", "comments", 201, 200),
    ("many operations", " ".join(f"query Q{one} {{ ...F }}" for one in range(50)) + " fragment F on Query { "
     + "mats { nodes { id name } } " * 9 + "}", "fields", 828, 800),
]  # fmt: skip


def requests() -> Iterator[tuple[str, bytes]]:
    """Yield bodies that have cost servers seconds, hundreds of megabytes, or a traceback."""
    documents = {
        "fragments doubling": doubling(20),
        "fragments doubling as often as there is room": doubling(70),
        "20,000 tokens": "{" + " a" * 20_000 + "}",
        "1,000 aliases": "{ " + " ".join(f"a{one}: __typename" for one in range(1000)) + " }",
        "the same field 166 times": "{ " + "mats { nodes { id } } " * 166 + "}",
        "depth 200": "{ a" * 200 + " }" * 200,
        "depth 5,000": "{ a" * 5000 + " }" * 5000,
        "a list in a list": "{ a(b: " + "[" * 20_000,
        "a string": '{ a(b: "' + "x" * 60_000 + '") }',
        "a block string": '{ a(b: """' + '\\"""' * 10_000 + '""") }',
        "comments": "#\n" * 30_000,
        "quotes": '"' * 60_000,
        "variables": "query(" + "$v: Int " * 7000 + ") { a }",
        "pages in pages": "{ mats(first: 10000) { nodes { matches(first: 10000) { nodes { id } } } } }",
        "unknown fields": "{ " + " ".join(f"matz{one}" for one in range(480)) + " }",
        "the schema in the schema": "{ __schema { types " + "{ fields { type " * 20 + "{ name }" + " } }" * 20 + " } }",
    }
    for name, text in documents.items():
        yield name, json.dumps({"query": text}).encode()
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    nodes = "query ($x: [ID!]!) { nodes(ids: $x) { id } }"
    yield "deep variables", json.dumps({"query": nodes, "variables": {"x": deep}}).encode()
    yield "many ids", json.dumps({"query": nodes, "variables": {"x": ["x"] * 12_000}}).encode()
    yield "a scalar", b"7"
    yield "brackets", b"[" * 65_000
    yield "digits", b'{"query": "{ a }", "variables": {"x": ' + b"9" * 5000 + b"}}"
    yield "not a number", b'{"query": NaN}'
    yield "a batch", json.dumps([{"query": "{ viewer { role } }"}] * 1000).encode()
    yield "a megabyte", b" " * 1_000_000
    yield "no JSON", b"\xff\xfe" * 1000
