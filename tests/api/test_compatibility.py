"""CheckCompatibility and its batch: levels, directions, witnesses; nothing is stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from llm_schema_registry.v1 import config_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .helpers import (
    AVRO,
    FIRST,
    JSON,
    PROTOBUF,
    SECOND,
    V1,
    V2_BREAKING,
    V2_COMPATIBLE,
    closed,
    refused,
    register,
    versions,
)
from .wires import Wire

Name = Callable[[str], str]
L = pb.CompatibilityLevel
LEVELS = [number for number in L.values() if number]


def question(subject: str, content: bytes, **fields: Any) -> pb.CompatibilityCheckRequest:
    return pb.CompatibilityCheckRequest(subject=subject, new_schema=content, **fields)


@pytest.mark.parametrize("schema_type", [JSON, AVRO, PROTOBUF])
def test_a_compatible_schema_is_told_so_and_not_stored(wire: Wire, name: Name, schema_type: Any) -> None:
    register(wire, name("s"), FIRST[schema_type], schema_type)
    report = wire.call("CheckCompatibility", question(name("s"), SECOND[schema_type]))

    assert (report.compatible, report.verdict) == (True, pb.VERDICT_YES)
    assert report.level == L.COMPATIBILITY_LEVEL_BACKWARD
    assert list(report.compared_versions) == ["1.0.0"]
    assert report.suggested_version == "1.1.0"
    assert versions(wire, name("s")) == ["1.0.0"]


WIDER, NARROWER = closed(a={"type": ["string", "null"]}), closed(a={"type": "string", "maxLength": 3})


@pytest.mark.parametrize(
    ("level", "wider", "narrower"),
    [
        (L.COMPATIBILITY_LEVEL_BACKWARD, True, False),
        (L.COMPATIBILITY_LEVEL_FORWARD, False, True),
        (L.COMPATIBILITY_LEVEL_FULL, False, False),
        (L.COMPATIBILITY_LEVEL_BACKWARD_TRANSITIVE, True, False),
        (L.COMPATIBILITY_LEVEL_FORWARD_TRANSITIVE, False, True),
        (L.COMPATIBILITY_LEVEL_FULL_TRANSITIVE, False, False),
        (L.COMPATIBILITY_LEVEL_NONE, True, True),
    ],
)
def test_each_level_asks_in_its_directions(
    wire: Wire, name: Name, level: Any, wider: bool, narrower: bool
) -> None:
    register(wire, name("s"))
    answers = [
        wire.call("CheckCompatibility", question(name("s"), content, level=level)).compatible
        for content in (WIDER, NARROWER)
    ]

    assert answers == [wider, narrower]


def test_transitive_levels_ask_about_every_live_version(wire: Wire, name: Name) -> None:
    register(wire, name("s"), WIDER, compatibility_level=L.COMPATIBILITY_LEVEL_NONE)
    register(wire, name("s"), V1)
    plain = wire.call(
        "CheckCompatibility", question(name("s"), V2_COMPATIBLE, level=L.COMPATIBILITY_LEVEL_BACKWARD)
    )
    transitive = wire.call(
        "CheckCompatibility",
        question(name("s"), V2_COMPATIBLE, level=L.COMPATIBILITY_LEVEL_BACKWARD_TRANSITIVE),
    )

    assert (plain.compatible, transitive.compatible) == (True, False)
    assert len(transitive.compared_versions) == 2


def test_a_violation_has_rule_place_direction_and_a_witness_that_holds(wire: Wire, name: Name) -> None:
    register(wire, name("s"))
    report = wire.call("CheckCompatibility", question(name("s"), V2_BREAKING))
    (violation,) = (v for v in report.violations if v.witness)
    witness = json.loads(violation.witness)

    assert (report.compatible, report.verdict) == (False, pb.VERDICT_NO)
    assert violation.rule
    assert violation.direction == "backward"
    assert violation.compared_version == "1.0.0"
    assert violation.severity == pb.SEVERITY_ERROR
    assert report.message
    jsonschema.validate(witness, json.loads(V1))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(witness, json.loads(V2_BREAKING))


def test_one_version_can_be_compared_with(wire: Wire, name: Name) -> None:
    register(wire, name("s"), V1, compatibility_level=L.COMPATIBILITY_LEVEL_NONE)
    register(wire, name("s"), V2_BREAKING)
    request = question(name("s"), V1, compare_version="1.0.0", level=L.COMPATIBILITY_LEVEL_FULL)
    report = wire.call("CheckCompatibility", request)

    assert (report.compatible, list(report.compared_versions)) == (True, ["1.0.0"])


@pytest.mark.parametrize("selector", ["7", "9.9.9"])
def test_a_version_to_compare_with_must_exist(wire: Wire, name: Name, selector: str) -> None:
    register(wire, name("s"))
    request = question(name("s"), V1, compare_version=selector)

    refused(wire, "CheckCompatibility", request, "NOT_FOUND", "VERSION_NOT_FOUND")


def test_an_invalid_schema_is_refused_with_its_field(wire: Wire, name: Name) -> None:
    register(wire, name("s"))
    request = question(name("s"), b'{"type": 1}')

    refused(wire, "CheckCompatibility", request, "INVALID_ARGUMENT", "INVALID_SCHEMA", "new_schema")


@pytest.mark.parametrize("level", [8, -1, 100])
def test_a_level_that_does_not_exist_is_refused(wire: Wire, name: Name, level: int) -> None:
    register(wire, name("s"))
    request = question(name("s"), V1, level=level)

    refused(wire, "CheckCompatibility", request, "INVALID_ARGUMENT", "INVALID_REQUEST", "level")


def test_a_batch_answers_in_order_and_survives_bad_items(wire: Wire, name: Name) -> None:
    register(wire, name("s"))
    requests = [
        question(name("s"), V2_COMPATIBLE),
        question(name("s"), b"junk"),
        question(name("s"), V2_BREAKING),
        question(name("s"), V1, level=55),
        question(name("s"), V1),
    ]
    reports = list(wire.batch("BatchCheckCompatibility", requests))

    assert [r.compatible for r in reports] == [True, False, False, False, True]
    assert [r.index for r in reports] == [0, 1, 2, 3, 4]
    assert [bool(r.error.code) for r in reports] == [False, True, False, True, False]


def test_a_verdict_says_what_it_assumes(wire: Wire, name: Name) -> None:
    register(wire, name("s"))
    config = config_pb2.Config(writer_model=config_pb2.WRITER_MODEL_DECLARED_KEYS)
    wire.call("SetConfig", config_pb2.SetConfigRequest(subject=name("s"), config=config))

    report = wire.call(
        "CheckCompatibility", pb.CompatibilityCheckRequest(subject=name("s"), new_schema=V2_COMPATIBLE)
    )

    assert report.assumptions == {
        "writer_model": "DECLARED_KEYS",
        "apply_defaults": "false",
        "strictness": "WIRE",
    }
