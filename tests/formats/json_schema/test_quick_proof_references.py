"""The quick proof inlines definitions of the same document, as long as that ends and stays short."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_schema_engines.formats.json_schema.dialects import Dialect
from llm_schema_engines.formats.json_schema.quick_proof.inlining import NotInlined, inlined

from .test_quick_proof import TEXT, YES, A, ask, nested


@pytest.mark.parametrize("more", [{"maxLength": 3}, {"allOf": [{"maxLength": 3}]}], ids=json.dumps)
def test_what_stands_beside_a_reference_counts_but_in_draft_7(more: dict[str, Any]) -> None:
    definitions = {"definitions": {"a": {"minLength": 1}}}
    plain, beside = ({"items": {"$ref": A, **own}, **definitions} for own in ({}, more))

    assert ask(plain, beside, dialect="draft-07") == ask(beside, plain, dialect="draft-07") == YES
    for dialect in ("2019-09", "2020-12"):
        assert ask(plain, beside, dialect=dialect) is None
        assert ask(beside, plain, dialect=dialect) == YES


def test_definitions_that_the_metaschema_has_not_seen_are_not_used() -> None:
    using = {"items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"maxLength": "3"}}}

    assert ask({"items": {"maxLength": 2}}, using, dialect="draft-07") is None


def test_definitions_that_multiply_have_no_answer() -> None:
    def doubling(n: int, last: Any) -> Any:
        twice = {
            f"d{i}": {"properties": {name: {"$ref": f"#/definitions/d{i + 1}"} for name in "ab"}}
            for i in range(n)
        }
        return {"$ref": "#/definitions/d0", "definitions": {**twice, f"d{n}": last}}

    assert ask(doubling(3, {"maxLength": 1}), doubling(3, {"maxLength": 2})) == YES
    assert ask(doubling(20, {"maxLength": 1}), doubling(20, {"maxLength": 2})) is None
    with pytest.raises(NotInlined):
        inlined(doubling(20, TEXT), Dialect.DRAFT_2020_12)


def test_definitions_that_nest_deep_are_not_written_out() -> None:
    """Each is within bounds by itself, and the one before it is known already when it is read."""
    chain = {
        f"d{i}": nested("items", 25, {"$ref": f"#/definitions/d{i - 1}"} if i else TEXT) for i in range(3)
    }
    two, three = ({"allOf": [{"$ref": f"#/definitions/d{i}"} for i in range(n)], "definitions": chain} for n in (2, 3))  # fmt: skip

    assert inlined(two, Dialect.DRAFT_2020_12)["allOf"][1] == nested("items", 50, TEXT)
    with pytest.raises(NotInlined):
        inlined(three, Dialect.DRAFT_2020_12)
