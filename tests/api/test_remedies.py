"""A refusal tells the way out, and the way out works."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from llm_schema_registry.v1 import config_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .helpers import JSON, PROTOBUF, refused, register
from .wires import Wire

Name = Callable[[str], str]


def schema(properties: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"type": "object", "properties": properties, "required": ["name"], **more}).encode()


STRING, NULLABLE = {"type": "string"}, {"anyOf": [{"type": "string"}, {"type": "null"}]}
OPEN = schema({"name": STRING})
WITH_NOTE = schema({"name": STRING, "note": NULLABLE})
CLOSED = schema({"name": STRING}, additionalProperties=False)
CLOSED_WITH_NOTE = schema({"name": STRING, "note": NULLABLE}, additionalProperties=False)


def check(wire: Wire, subject: str, content: bytes, **fields: Any) -> pb.CompatibilityReport:
    report: pb.CompatibilityReport = wire.call(
        "CheckCompatibility", pb.CompatibilityCheckRequest(subject=subject, new_schema=content, **fields)
    )
    return report


def configure(wire: Wire, subject: str, settings: dict[str, str]) -> None:
    config = config_pb2.Config()
    if "writer_model" in settings:
        config.writer_model = config_pb2.WriterModel.Value(f"WRITER_MODEL_{settings['writer_model']}")
    if "strictness" in settings:
        config.strictness = config_pb2.Strictness.Value(f"STRICTNESS_{settings['strictness']}")
    if "apply_defaults" in settings:
        config.apply_defaults = settings["apply_defaults"] == "true"
    if "level" in settings:
        config.compatibility_level = pb.CompatibilityLevel.Value(f"COMPATIBILITY_LEVEL_{settings['level']}")
    wire.call("SetConfig", config_pb2.SetConfigRequest(subject=subject, config=config))


def test_a_new_optional_property_in_an_open_object_is_refused_with_ways_out_that_work(
    wire: Wire, name: Name
) -> None:
    register(wire, name("s"), OPEN, JSON)
    report = check(wire, name("s"), WITH_NOTE)
    assert not report.compatible
    assert [r.kind for r in report.remedies] == ["WRITER_MODEL", "CLOSE_OBJECTS", "LEVEL"]
    assert "DECLARED_KEYS" in report.message
    for remedy in report.remedies:
        if remedy.settings:
            configure(wire, name("s"), dict(remedy.settings))
            assert check(wire, name("s"), WITH_NOTE).compatible, remedy
            wire.call("DeleteConfig", config_pb2.DeleteConfigRequest(subject=name("s")))

    register(wire, name("closed"), CLOSED, JSON)
    assert check(wire, name("closed"), CLOSED_WITH_NOTE).compatible


def test_a_refused_registration_carries_the_ways_out_in_its_details(wire: Wire, name: Name) -> None:
    register(wire, name("s"), OPEN, JSON)
    request = pb.RegisterSchemaRequest(subject=name("s"), schema_content=WITH_NOTE, schema_type=JSON)
    failure = refused(wire, "RegisterSchema", request, "FAILED_PRECONDITION", "INCOMPATIBLE_SCHEMA")
    assert failure.detail(pb.CompatibilityReport).remedies[0].settings == {"writer_model": "DECLARED_KEYS"}
    assert "DECLARED_KEYS" in failure.message


def test_a_change_that_no_setting_saves_is_offered_none(wire: Wire, name: Name) -> None:
    register(wire, name("s"), CLOSED, JSON)
    report = check(wire, name("s"), schema({"name": {"type": "number"}}, additionalProperties=False))
    assert not report.compatible
    assert list(report.remedies) == []
    assert "Way out" not in report.message


def test_a_required_property_with_a_default_is_saved_by_apply_defaults(wire: Wire, name: Name) -> None:
    register(wire, name("s"), CLOSED, JSON)
    wanted = {"type": "object", "properties": {"name": STRING, "n": {"type": "integer", "default": 1}},
              "required": ["name", "n"], "additionalProperties": False}  # fmt: skip
    report = check(wire, name("s"), json.dumps(wanted).encode())
    assert [dict(r.settings) for r in report.remedies] == [{"apply_defaults": "true"}]


def test_what_fails_in_one_direction_is_offered_the_level_of_the_other(wire: Wire, name: Name) -> None:
    subject = name("s")
    register(wire, subject, CLOSED, JSON)
    configure(wire, subject, {"level": "FULL"})
    report = check(wire, subject, CLOSED_WITH_NOTE)
    assert [dict(r.settings) for r in report.remedies] == [{"level": "BACKWARD"}]
    configure(wire, subject, dict(report.remedies[0].settings))
    assert check(wire, subject, CLOSED_WITH_NOTE).compatible


def test_a_protobuf_change_that_only_generated_code_notices_is_offered_a_weaker_strictness(
    wire: Wire, name: Name
) -> None:
    subject = name("s")
    old = b'syntax = "proto3"; message M { string a = 1; }'
    new = b'syntax = "proto3"; message M { string renamed = 1; }'
    register(wire, subject, old, PROTOBUF)
    configure(wire, subject, {"strictness": "SOURCE"})
    report = check(wire, subject, new)
    assert not report.compatible
    assert dict(report.remedies[0].settings) == {"strictness": "WIRE"}
    configure(wire, subject, dict(report.remedies[0].settings))
    assert check(wire, subject, new).compatible


def test_a_protobuf_change_that_nothing_saves_comes_with_advice_by_its_rule(wire: Wire, name: Name) -> None:
    register(wire, name("s"), b'syntax = "proto3"; message M { string a = 1; }', PROTOBUF)
    report = check(wire, name("s"), b'syntax = "proto3"; message M { int32 a = 1; }')

    assert not report.compatible
    assert [remedy.kind for remedy in report.remedies] == ["EDIT", "EDIT"]
    assert "a number that was never used" in report.remedies[0].message
    assert "Way out: leave the field as it was" in report.message
