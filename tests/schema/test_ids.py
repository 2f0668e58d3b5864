"""Opaque ids: one spelling each, and nothing else is one."""

from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from db.errors import Invalid
from schema.fields import node_kinds
from schema.ids import decode_id, encode_id, kind_of

_ID = UUID("0192f3a4-0000-7000-8000-00000000abcd")
_KINDS = st.sampled_from(sorted(node_kinds))


def test_an_id_says_its_kind_and_its_row() -> None:
    assert encode_id("match", _ID) == "match_0192f3a400007000800000000000abcd"


@given(_KINDS, st.uuids())
def test_an_id_comes_back(kind: str, row_id: UUID) -> None:
    text = encode_id(kind, row_id)

    assert (kind_of(text), decode_id(text), decode_id(text, kind=kind)) == (kind, row_id, row_id)


@given(st.text())
@example("mat_0x92f3a400007000800000000000abcd")
@example("mat_ 192f3a400007000800000000000abc ")
@example("mat_" + "\N{ARABIC-INDIC DIGIT ONE}" * 32)
@example("mat_0192F3A400007000800000000000ABCD")
@example("mat_0192f3a4-0000-7000-8000-00000000abcd")
@example("mat_{192f3a400007000800000000000abc}")
@example("mat_0192f3a400007000800000000000abcd\n")
@example("_0192f3a400007000800000000000abcd")
@example("MAT_0192f3a400007000800000000000abcd")
@example("a_b_0192f3a400007000800000000000abcd")
@example("\x00")
@example("\ud800")
def test_whatever_is_read_is_written_the_same(text: str) -> None:
    written = None
    with suppress(Invalid):
        written = encode_id(kind_of(text), decode_id(text))

    assert written in {None, text}


def test_an_id_of_another_kind_is_refused() -> None:
    with pytest.raises(Invalid, match="not an id of a match: 'mat_0192f3a400007000800000000000") as refused:
        decode_id(encode_id("mat", _ID), kind="match", field="match_id")

    assert refused.value.field == "match_id"


def test_a_refusal_quotes_no_more_than_a_line() -> None:
    with pytest.raises(Invalid) as refused:
        decode_id("x" * 100_000)

    assert len(refused.value.message) < 150
