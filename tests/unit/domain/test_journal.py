"""The journal's format is fixed for ever: what writes it may be quick, never different."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fep.domain.journal import line

# Lone surrogates never get here: they are no UTF-8, and every door refuses them.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
WHOLE = st.integers(-(2**63), 2**63 - 1)
VALUES: Any = st.recursive(
    st.none() | st.booleans() | WHOLE | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=10,
)


@given(st.integers(1, 2**62), WHOLE, TEXT, TEXT, st.dictionaries(TEXT, VALUES))
def test_a_line_is_the_canonical_json_that_the_manual_describes(
    seq: int, at_ms: int, op: str, ref: str, body: dict[str, object]
):
    told = {"at": at_ms, "body": body, "op": op, "ref": ref, "seq": seq}
    plain = json.dumps(told, ensure_ascii=False, separators=(",", ":"), sort_keys=True)

    assert plain.encode() == line(seq, at_ms, op, ref, body)
