"""Large answers, more of them than may be untaken at a time, reach a caller who takes them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .wires import Wire


@pytest.mark.slow
def test_a_caller_who_reads_gets_any_number_of_large_answers(wire: Wire, name: Callable[[str], str]) -> None:
    """64 MiB of answers may be untaken (limits.unread_bytes_per_caller); these are 90 MB."""
    content = json.dumps({"title": "x" * 900_000}).encode()
    registered = wire.call(
        "RegisterSchema",
        pb.RegisterSchemaRequest(
            subject=name("large"), schema_content=content, schema_type=pb.SCHEMA_TYPE_JSON
        ),
    )

    for _ in range(100):
        answer = wire.call("GetSchema", pb.GetSchemaRequest(schema_id=registered.schema_id))
        assert len(answer.schema.schema_content) == len(content)
