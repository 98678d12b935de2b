"""How much a context may hold: over every wire, with the errors that say what is full."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from llm_schema_registry.v1 import config_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .helpers import INTEGER, STRING, closed, register
from .wires import CallFailed, Wire

Name = Callable[[str], str]


def context(name: Name) -> str:
    return "." + name("ctx").replace(".", "-")


def limit(wire: Wire, scope: str, **limits: int) -> config_pb2.SetConfigResponse:
    answer: config_pb2.SetConfigResponse = wire.call(
        "SetConfig", config_pb2.SetConfigRequest(context=scope, config=config_pb2.Config(**limits))
    )
    return answer


def full(wire: Wire, subject: str, content: bytes) -> str:
    """What of the context is full, that a registration is refused."""
    with pytest.raises(CallFailed) as refused:
        register(wire, subject, content)
    assert refused.value.reason == "QUOTA_EXCEEDED"
    assert refused.value.http in (0, 403)
    return refused.value.metadata["what"]


V1, V2, V3 = closed(a=STRING), closed(a=STRING, b=STRING), closed(a=STRING, b=STRING, c=INTEGER)


def test_a_context_takes_no_more_subjects_than_it_may(wire: Wire, name: Name) -> None:
    scope = context(name)
    limit(wire, scope, max_subjects=1)
    register(wire, f":{scope}:one", V1)
    register(wire, f":{scope}:one", V2)

    assert full(wire, f":{scope}:two", V1) == "subjects"
    register(wire, name("elsewhere"), V1)


def test_a_context_takes_no_more_versions_and_a_deleted_one_makes_room_when_it_is_gone(
    wire: Wire, name: Name
) -> None:
    scope = context(name)
    subject = f":{scope}:one"
    register(wire, subject, V1)
    limit(wire, scope, max_versions=2)
    second = register(wire, subject, V2)
    assert full(wire, subject, V3) == "versions"
    assert register(wire, subject, V2).schema_id == second.schema_id, "what is there is answered"

    wire.call("DeleteSchema", pb.DeleteSchemaRequest(schema_id=second.schema_id))
    assert full(wire, subject, V3) == "versions"
    wire.call("DeleteSchema", pb.DeleteSchemaRequest(schema_id=second.schema_id, permanent=True))
    register(wire, subject, V3)


def test_a_context_takes_no_more_bytes(wire: Wire, name: Name) -> None:
    scope = context(name)
    limit(wire, scope, max_bytes=len(V1) + len(V2))
    register(wire, f":{scope}:one", V1)
    assert full(wire, f":{scope}:one", V3) == "bytes"
    register(wire, f":{scope}:one", V2)


def test_a_limit_that_is_lifted_or_raised_counts_no_more(wire: Wire, name: Name) -> None:
    scope = context(name)
    limit(wire, scope, max_versions=1)
    register(wire, f":{scope}:one", V1)
    assert full(wire, f":{scope}:one", V2) == "versions"
    answer = limit(wire, scope, max_versions=0)
    assert answer.effective.max_versions == 0
    register(wire, f":{scope}:one", V2)
    limit(wire, scope, max_versions=2)
    assert full(wire, f":{scope}:one", V3) == "versions"
    wire.call("DeleteConfig", config_pb2.DeleteConfigRequest(context=scope))
    register(wire, f":{scope}:one", V3)


@pytest.mark.parametrize("field", ["max_subjects", "max_versions", "max_bytes"])
def test_a_subject_has_no_quota_and_a_limit_is_not_negative(wire: Wire, name: Name, field: str) -> None:
    for request in (
        config_pb2.SetConfigRequest(subject=name("s"), config=config_pb2.Config(**{field: 1})),
        config_pb2.SetConfigRequest(context=context(name), config=config_pb2.Config(**{field: -1})),
    ):
        with pytest.raises(CallFailed) as refused:
            wire.call("SetConfig", request)
        assert refused.value.fields == (f"config.{field}",)
