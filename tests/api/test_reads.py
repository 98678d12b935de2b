"""GetSchema, GetSchemaByVersion, GetLatestVersion: the bytes as sent, by every kind of name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .helpers import V1, V1_DESCRIBED, V2_COMPATIBLE, closed, get, refused, register
from .wires import Wire

Name = Callable[[str], str]
UNKNOWN_ID = "5f0c3c7e-9b1d-4c57-8a53-2f6f1c7f9a10"
V3 = closed(a={"type": "string"}, b={"type": "integer"}, c={})


@pytest.fixture
def subject(wire: Wire, name: Name) -> str:
    """1.0.0, 1.0.1, 1.1.0, 1.2.0."""
    for content in (V1, V1_DESCRIBED, V2_COMPATIBLE, V3):
        register(wire, name("s"), content)
    return name("s")


def by_version(subject: str, version: str) -> pb.GetSchemaByVersionRequest:
    return pb.GetSchemaByVersionRequest(subject=subject, version=version)


def test_bytes_come_back_as_they_were_sent(wire: Wire, name: Name) -> None:
    content = '\n { "type" :\t"string",\r\n "description": "åßç 😀 \\u0041" }  '.encode()

    assert get(wire, register(wire, name("s"), content).schema_id).schema_content == content


@pytest.mark.parametrize(
    ("selector", "version"),
    [
        ("latest", "1.2.0"),
        ("1", "1.0.0"),
        ("3", "1.1.0"),
        ("1.0.1", "1.0.1"),
        ("^1.0", "1.2.0"),
        ("^1.0.0", "1.2.0"),
        ("~1.0", "1.0.1"),
        ("~1.0.0", "1.0.1"),
        ("1.x", "1.2.0"),
        ("1.1.x", "1.1.0"),
    ],
)
def test_a_selector_chooses_the_newest_version_that_fits(
    wire: Wire, subject: str, selector: str, version: str
) -> None:
    assert wire.call("GetSchemaByVersion", by_version(subject, selector)).schema.version == version


@pytest.mark.parametrize("selector", ["9", "2.0.0", "^2", "~1.7", "3.x"])
def test_a_version_that_is_not_there_is_said_so(wire: Wire, subject: str, selector: str) -> None:
    error = refused(
        wire, "GetSchemaByVersion", by_version(subject, selector), "NOT_FOUND", "VERSION_NOT_FOUND"
    )

    assert (error.metadata["subject"], error.metadata["version"]) == (subject, selector)


@pytest.mark.parametrize(
    "selector", ["newest", "0", "-2", "1.2.3.4", "^", ">=1", "1..2", "99999999999999999999"]
)
def test_what_is_no_selector_is_said_so(wire: Wire, subject: str, selector: str) -> None:
    request = by_version(subject, selector)

    refused(wire, "GetSchemaByVersion", request, "INVALID_ARGUMENT", "INVALID_VERSION", "version")


def test_an_unknown_subject_is_said_so(wire: Wire, name: Name) -> None:
    for rpc, request in (
        ("GetSchemaByVersion", by_version(name("s"), "latest")),
        ("GetLatestVersion", pb.GetLatestVersionRequest(subject=name("s"))),
    ):
        error = refused(wire, rpc, request, "NOT_FOUND", "SUBJECT_NOT_FOUND")
        assert error.metadata["subject"] == name("s")


@pytest.mark.parametrize("schema_id", [UNKNOWN_ID, "no-such-id", "ünïcode", "x" * 500])
def test_an_unknown_schema_id_is_said_so(wire: Wire, schema_id: str) -> None:
    refused(wire, "GetSchema", pb.GetSchemaRequest(schema_id=schema_id), "NOT_FOUND", "SCHEMA_NOT_FOUND")


def test_reads_see_a_write_at_once(wire: Wire, name: Name) -> None:
    for n, content in enumerate((V1, V1_DESCRIBED, V2_COMPATIBLE, V3), 1):
        register(wire, name("s"), content)
        latest = wire.call("GetLatestVersion", pb.GetLatestVersionRequest(subject=name("s"))).schema
        assert (latest.ordinal, latest.schema_content) == (n, content)
