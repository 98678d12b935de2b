"""Micro-benchmarks of what turns bytes and texts into values and back: messages, JSON, tokens, names, versions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from . import inputs
from .benchmark import Benchmark, Operation
from .of_engines import JSON, parse


def stored() -> Any:
    """A version as it is read."""
    from entries import entry, schema

    from llm_schema_registry_server.model.subject import Subject

    return entry(Subject.parse("bench.orders"), 1, schema(1), "0" * 64)


def found() -> Any:
    from llm_schema_registry_server.registry.reading import FoundSchema

    made = stored()
    return FoundSchema(made.version, made.content.content)


def converter() -> Any:
    from llm_schema_registry_server.rpc.convert import MessageConverter

    return MessageConverter("0123abcd")


def answer() -> Any:
    from llm_schema_registry.v1 import schema_registry_pb2 as pb

    return pb.GetSchemaResponse(schema=converter().schema(found()))


def to_message() -> Operation:
    return partial(converter().schema, found())


def write_message() -> Operation:
    made: Callable[[], object] = answer().SerializeToString
    return made


def read_message() -> Operation:
    made = answer()
    return partial(type(made).FromString, made.SerializeToString())


def read_registration() -> Operation:
    from llm_schema_registry.v1 import schema_registry_pb2 as pb

    request = pb.RegisterSchemaRequest(
        subject="bench.orders", schema_content=inputs.text(inputs.record(10)), schema_type=pb.SCHEMA_TYPE_JSON
    )
    return partial(pb.RegisterSchemaRequest.FromString, request.SerializeToString())


def change_message() -> Operation:
    return partial(converter().change, stored().change, None)


def render() -> Operation:
    from llm_schema_registry_server.transports.http.json_out import render as rendered

    return partial(rendered, answer())


def read_body(size: int) -> Operation:
    from llm_schema_registry_server.transports.http.json_text import decode

    body = json.dumps({"subject": "bench.orders", "schema": inputs.record(size), "schema_type": "JSON"})
    return partial(decode, body.encode())


def body_to_message() -> Operation:
    from llm_schema_registry.v1 import schema_registry_pb2 as pb
    from llm_schema_registry_server.transports.http.json_in import expand, to_message

    tree = {"subject": "bench.orders", "schema": json.dumps(inputs.record(10)), "schema_type": "JSON"}
    kind = pb.RegisterSchemaRequest
    return lambda: to_message(expand(dict(tree), kind.DESCRIPTOR, 10_000), kind)


def worker_dump() -> Operation:
    from llm_schema_registry_server.workers.codec import dump

    return partial(dump, parse(JSON, inputs.text(inputs.record(10)))())


def worker_load() -> Operation:
    from llm_schema_engines.formats.engine import ParsedSchema
    from llm_schema_registry_server.workers.codec import dump, load

    return partial(load, ParsedSchema, dump(parse(JSON, inputs.text(inputs.record(10)))()))


def page_token() -> Operation:
    from llm_schema_registry_server.registry.paging import page, token

    return lambda: page(50, None, token(("bench.orders", 7)), most=1000)


def subject() -> Operation:
    from llm_schema_registry_server.model.subject import Subject

    return partial(Subject.parse, "team-a.orders.created")


def selector(text: str) -> Operation:
    from llm_schema_registry_server.model.selector import parse_selector

    return partial(parse_selector, text)


def compared_versions() -> Operation:
    from llm_schema_engines.model.version import SemanticVersion

    return lambda: SemanticVersion.parse("1.4.0-rc.1") < SemanticVersion.parse("1.4.0")


def revision() -> Operation:
    from llm_schema_registry_server.model.change import format_revision, parse_revision

    return lambda: parse_revision("0123abcd", format_revision("0123abcd", 123456))


def benchmarks() -> Iterator[Benchmark]:
    made: dict[str, Callable[[], Operation]] = {
        "a version to a message": to_message,
        "an answer, written": write_message,
        "an answer, read": read_message,
        "a registration, read": read_registration,
        "a change to a message": change_message,
        "an answer as JSON": render,
        "a body of 10 fields, read": partial(read_body, 10),
        "a body of 1,000 fields, read": partial(read_body, 1000),
        "a body to a message": body_to_message,
        "a parsed schema for a worker's pipe, written": worker_dump,
        "a parsed schema from a worker's pipe, read": worker_load,
        "a page token, written and read": page_token,
        "a subject's name, read": subject,
        "a selector, latest": partial(selector, "latest"),
        "a selector, a range": partial(selector, "^1.2"),
        "two versions, read and compared": compared_versions,
        "a revision, written and read": revision,
    }
    for name, make in made.items():
        yield Benchmark("codec", name, make)
