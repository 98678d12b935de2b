"""The library answers what the server answers: the same cases through a real server and through llm_schema_engines."""

from __future__ import annotations

import enum
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

import llm_schema_engines as engines
from llm_schema_engines import CompatibilityLevel, InvalidSchema
from llm_schema_registry import ConversionRefused, SchemaOperand, SchemaReference, SchemaRegistry
from tests.api.server import ROOT, ServerProcess

EXAMPLES = ROOT / "examples"
SUFFIX = {"JSON": "json", "AVRO": "avsc", "PROTOBUF": "proto"}


@dataclass(frozen=True)
class Case:
    """Versions of one subject, the last of which is the candidate; `references`: name -> subject and content."""

    schema_type: str
    versions: tuple[bytes, ...]
    references: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)
    data: tuple[bytes, ...] = ()

    @property
    def schemas(self) -> dict[str, bytes]:
        return {name: content for name, (_, content) in self.references.items()}

    @property
    def registered(self) -> list[SchemaReference]:
        return [SchemaReference(name, subject, "1") for name, (subject, _) in self.references.items()]


def _examples() -> Iterator[tuple[str, Case]]:
    for entry in tomllib.loads((EXAMPLES / "catalogue.toml").read_text())["example"]:
        folder, suffix = EXAMPLES / entry["folder"], SUFFIX[entry["type"]]
        versions = tuple((folder / f"v{n}.{suffix}").read_bytes() for n in (1, 2))
        cited = (EXAMPLES / "citation" / "v1.json").read_bytes()
        references = {r["name"]: (r["subject"], cited) for r in entry.get("references", ())}
        data = tuple(p.read_bytes() for p in sorted(folder.glob("*valid-*.json")))
        yield entry["folder"], Case(entry["type"], versions, references, data)


def _texts(*texts: str) -> tuple[bytes, ...]:
    return tuple(text.encode() for text in texts)


def _record(*fields: str) -> str:
    return '{"type": "record", "name": "a.R", "fields": [' + ", ".join(fields) + "]}"


ID, NOTE = '{"name": "id", "type": "long"}', '{"name": "note", "type": ["null", "string"], "default": null}'
CASES = dict(_examples()) | {
    "three revisions": Case(
        "JSON",
        _texts(
            '{"type": "object", "properties": {"a": {"type": "number"}}}',
            '{"type": "object", "properties": {"a": {"type": "integer"}}}',
            '{"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}, "b": {"type": "string"}}}',
        ),
        data=_texts('{"a": 1}', '{"a": 0.5}', '{"a": 0, "b": 7}', "{", "[]"),
    ),
    "undecided": Case("JSON", _texts('{"type": "string", "pattern": "^(\\\\bx\\\\b)+$"}', '{"enum": ["x"]}')),
    "only order": Case("JSON", _texts('{"type": "object", "title": "T"}', '{"title": "T", "type": "object"}')),
    "only white space": Case("JSON", _texts('{"type": "object"}', '{ "type":  "object" }')),
    "draft 7": Case(
        "JSON",
        _texts(
            '{"$schema": "http://json-schema.org/draft-07/schema#", "format": "email", "type": "string"}',
            '{"$schema": "http://json-schema.org/draft-07/schema#", "type": "string"}',
        ),
        data=_texts('"x"', '"x@y.example"'),
    ),
    "Avro in three revisions": Case(
        "AVRO",
        _texts(_record(ID), _record(ID, NOTE), _record(ID.replace("long", "int"), NOTE)),
        data=_texts('{"id": 1, "note": "n"}', '{"id": 1, "note": {"string": "n"}}', '{"id": "1"}', '{"id": 1}'),
    ),
    "Protobuf with imports": Case(
        "PROTOBUF",
        _texts(
            'syntax = "proto3"; package t.v1; import "common.proto"; message M { Common c = 1; int32 n = 2; }',
            'syntax = "proto3"; package t.v1; import "common.proto"; message M { Common c = 1; string n = 2; }',
        ),
        {"common.proto": ("common", b'syntax = "proto3"; package t.v1; message Common { int64 x = 1; }')},
        data=_texts('{"c": {"x": "5"}, "n": "word"}', '{"n": 1}', "\x12\x02ab"),
    ),
}  # fmt: skip
BROKEN = {
    "JSON syntax": ("JSON", '{"type": }'),
    "JSON form": ("JSON", '{"type": "strin", "minimum": "1", "properties": {"a": 7}}'),
    "JSON reference": ("JSON", '{"$ref": "#/$defs/missing"}'),
    "JSON pattern": ("JSON", '{"pattern": "(((("}'),
    "Avro": ("AVRO", '{"type": "record", "name": "1bad", "fields": [{"name": "a", "type": "strin"}]}'),
    "Protobuf syntax": ("PROTOBUF", 'syntax = "proto3"; message M { int32 a = ; }'),
    "Protobuf types": ("PROTOBUF", 'syntax = "proto3";\nmessage M { Foo a = 1; Bar b = 1; }'),
    "Protobuf import": ("PROTOBUF", 'syntax = "proto3"; import "missing.proto"; message M {}'),
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SchemaRegistry]:
    server = ServerProcess(tmp_path_factory.mktemp("server"))
    try:
        with SchemaRegistry(server.grpc) as client:
            for subject, content in {
                s: c for case in CASES.values() for s, c in case.references.values()
            }.items():
                kind = "PROTOBUF" if b"proto3" in content else "JSON"
                client.register_schema(subject, content, kind)
            yield client
    finally:
        server.stop()


def facts(value: Any, *names: str) -> list[Any]:
    """Those attributes, with enumerations by their names."""
    return [v.name if isinstance(v := getattr(value, name), enum.Enum) else v for name in names]


def report_facts(report: Any) -> Any:
    whole = facts(
        report,
        "compatible",
        "verdict",
        "level",
        "compared_versions",
        "message",
        "change_class",
        "suggested_version",
    )
    violations = [
        [
            *facts(v, "rule", "path", "message", "severity", "old_value", "new_value", "undecided", "compared_version"),
            v.direction.value if isinstance(v.direction, enum.Enum) else v.direction,
            v.witness if isinstance(v.witness, bytes) else v.witness.data if v.witness else b"",
        ]
        for v in report.violations
    ]  # fmt: skip
    return whole, violations, [(r.message, dict(r.settings)) for r in report.remedies]


@pytest.mark.parametrize("name", CASES)
def test_levels_have_the_same_reports(registry: SchemaRegistry, name: str) -> None:
    case = CASES[name]
    subject = "check." + name.replace(" ", "-")
    *old, new = case.versions
    numbers = [
        registry.register_schema(
            subject, content, case.schema_type, references=case.registered, compatibility_level="NONE"
        ).version
        for content in old
    ]

    for level in CompatibilityLevel:
        theirs = registry.check_compatibility(
            subject, new, level=level.name, references=case.registered, schema_type=case.schema_type
        )
        ours = engines.check(
            new,
            dict(zip(numbers, old, strict=True)),
            level,
            schema_type=case.schema_type,
            references=case.schemas,
        )
        assert report_facts(ours) == report_facts(theirs), level.name


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case.data])
def test_data_has_the_same_reports(registry: SchemaRegistry, name: str) -> None:
    case = CASES[name]
    subject = "data." + name.replace(" ", "-")
    content = case.versions[-1]
    schema_id = registry.register_schema(
        subject, content, case.schema_type, references=case.registered
    ).schema_id
    schema = engines.parse(content, case.schema_type, references=case.schemas)

    for payload in case.data:
        for strict in (False, True):
            theirs = registry.validate_data(schema_id, payload, strict=strict)
            ours = engines.validate(schema, payload, strict=strict)
            named = ("path", "message", "error_type", "expected", "got")
            assert facts(ours, "valid", "truncated") == facts(theirs, "valid", "truncated")
            assert [facts(e, *named) for e in ours.errors] == [facts(e, *named) for e in theirs.errors]
            assert engines.reask_text(ours) == theirs.text


@pytest.mark.parametrize("name", CASES)
def test_schemas_have_the_same_fingerprints(registry: SchemaRegistry, name: str) -> None:
    case = CASES[name]

    for content in case.versions:
        theirs = registry.validate_schema(content, case.schema_type, references=case.registered)
        ours = engines.parse(content, case.schema_type, references=case.schemas)
        named = ("content", "generation", "validation")
        assert facts(ours.fingerprints, *named) == facts(theirs.fingerprints, *named)
        # The server looks for more than the parser does: it lints.
        assert [f"{w} ({w.rule})" for w in ours.warnings if f"{w} ({w.rule})" not in theirs.warnings] == []


@pytest.mark.parametrize("name", BROKEN)
def test_broken_schemas_have_the_same_issues(registry: SchemaRegistry, name: str) -> None:
    kind, text = BROKEN[name]

    theirs = registry.validate_schema(text, kind)
    with pytest.raises(InvalidSchema) as caught:
        engines.parse(text, kind)

    named = ("rule", "message", "pointer", "line", "column")
    assert not theirs.valid
    assert [facts(i, *named) for i in caught.value.issues] == [facts(i, *named) for i in theirs.issues]


@pytest.mark.parametrize("name", CASES)
def test_differences_and_conversions_are_the_same(registry: SchemaRegistry, name: str) -> None:
    case = CASES[name]
    old, new = case.versions[-2:]
    operands = [
        SchemaOperand(content=c, schema_type=case.schema_type, references=tuple(case.registered))
        for c in (old, new)
    ]

    theirs = registry.diff_schemas(*operands)
    ours = engines.diff(old, new, schema_type=case.schema_type, references=case.schemas)
    named = ("kind", "path", "old_value", "new_value", "message")
    assert [facts(d, *named) for d in ours.items] == [facts(d, *named) for d in theirs.differences]
    assert ours.truncated == theirs.truncated
    for target in ("JSON", "AVRO", "PROTOBUF"):
        assert _converted_here(case, target) == _converted_there(registry, operands[1], target)


def _converted_here(case: Case, target: str) -> Any:
    try:
        done = engines.convert(
            case.versions[-1], target, schema_type=case.schema_type, references=case.schemas
        )
    except engines.ConversionRefused as refused:
        return refused.message
    return done.content, [(loss.kind.name, loss.pointer, loss.message) for loss in done.losses]


def _converted_there(registry: SchemaRegistry, source: SchemaOperand, target: str) -> Any:
    try:
        done = registry.convert_schema(source, target)
    except ConversionRefused as refused:
        return str(refused)
    return done.content, [(loss.kind.name, loss.path, loss.message) for loss in done.losses]
