"""What parse takes, what it refuses and where it says the fault is."""

from __future__ import annotations

import base64

import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet

from llm_schema_engines.formats.engine import ReferencedSchema, SchemaSource
from llm_schema_engines.formats.protobuf import ProtobufEngine, ProtobufLimits
from llm_schema_engines.protoc.in_process import InProcessProtoc
from llm_schema_registry_server.errors import InvalidSchema, SchemaIssue
from tests.formats.protobuf.kit import ENGINE, parse, reference

HEAD = 'syntax = "proto3"; '


def issues(content: str | bytes, *references: ReferencedSchema) -> list[SchemaIssue]:
    data = content.encode() if isinstance(content, str) else content
    with pytest.raises(InvalidSchema) as caught:
        ENGINE.parse(SchemaSource(data, references))
    return list(caught.value.issues)


def rules(content: str | bytes, *references: ReferencedSchema) -> set[str]:
    return {issue.rule for issue in issues(content, *references)}


def test_all_faults_of_a_file_are_reported_with_line_and_column() -> None:
    found = issues('syntax = "proto3";\nmessage A {\n  Foo x = 1;\n  int32 y = 1;\n}\n')

    assert [(i.rule, i.line, i.column) for i in found] == [
        ("TYPE_UNDEFINED", 3, 3),
        ("NUMBER_DUPLICATE", 4, 13),
    ]


def test_no_message_shows_a_path_of_the_compiler() -> None:
    for issue in issues('import "missing.proto"; message A { required Foo x = 1; B b = 0; }'):
        assert "/proc" not in issue.message


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("", "SOURCE_EMPTY"),
        (" \n\t ", "SOURCE_EMPTY"),
        (b"message A { // \xff\n }", "NOT_UTF8"),
        ("message A {\0}", "SYNTAX"),
        ("message A { /* never closed", "SYNTAX"),
        ('option java_package = "never closed\n;', "SYNTAX"),
        ("message A {", "SYNTAX"),
        ("}" * 100, "SYNTAX"),
        ('import "nowhere.proto"; message A {}', "IMPORT_NOT_FOUND"),
        ('import "../../etc/passwd"; message A {}', "IMPORT_NOT_FOUND"),
        ('import "/etc/passwd"; message A {}', "IMPORT_NOT_FOUND"),
        ('import "schema.proto"; message A {}', "IMPORT_CYCLE"),
        ("message A {} message A {}", "NAME_DUPLICATE"),
        ("package google.protobuf; message Timestamp {}", "PACKAGE_RESERVED"),
        ("package google.protobuf.x; message T {}", "PACKAGE_RESERVED"),
        ('message A { optional string s = 1 [default = "\\377"]; }', "NOT_UTF8"),
        ('message A { optional string s = 1 [json_name = "\\xff"]; }', "NOT_UTF8"),
        ('option java_package = "\\377"; message A {}', "NOT_UTF8"),
        ("message A { optional int32 a_b = 1; optional int32 aB = 2; }", "RULE_BROKEN"),
        ("x" * 300 + " y;", "IDENTIFIER_TOO_LONG"),
        ("message A " + "{" * 65, "NESTING_TOO_DEEP"),
        ("option (a) = " + "{a:" * 100, "NESTING_TOO_DEEP"),
        ("message A { reserved " + ",".join(map(str, range(1, 20_010))) + "; }", "TOO_MANY_STATEMENTS"),
        (" " * 1_100_000, "SOURCE_TOO_LARGE"),
        ('edition = "2026"; message A {}', "RULE_BROKEN"),
    ],
)
def test_a_bad_schema_is_refused_by_name(content: str | bytes, rule: str) -> None:
    assert rule in rules(content)


def test_names_that_grow_with_nesting_are_bounded() -> None:
    opened = "".join(f"message {'n' * 240}{i} {{" for i in range(30))
    fields = "".join(f"optional int32 f{i} = {i + 1};" for i in range(3000))

    assert rules(opened + fields + "}" * 30) == {"NAMES_TOO_LONG"}


def test_brackets_in_strings_and_comments_do_not_nest() -> None:
    assert parse(
        HEAD + "/* " + "{" * 500 + ' */ option java_package = "' + "[" * 200 + '"; message A {}'
    ).names == ("A",)


def test_a_byte_order_mark_is_no_fault() -> None:
    assert ENGINE.parse(SchemaSource(b"\xef\xbb\xbf" + HEAD.encode() + b"message A {}")).names == ("A",)


@pytest.mark.parametrize(
    "path",
    [
        "google/protobuf/timestamp.proto",
        "google/protobuf/descriptor.proto",
        "google/protobuf/cpp_features.proto",
        "google/type/money.proto",
        "google/api/annotations.proto",
        "google/rpc/status.proto",
        "confluent/meta.proto",
        "confluent/type/decimal.proto",
    ],
)
def test_common_types_need_no_reference(path: str) -> None:
    assert parse(HEAD + f'import "{path}"; message A {{}}').dependencies == ()


def test_a_reference_is_imported_under_its_name() -> None:
    money = reference("shop/money.proto", HEAD + "package shop; message Money { int64 units = 1; }")

    parsed = ENGINE.parse(
        SchemaSource(
            (HEAD + 'package shop; import "shop/money.proto"; message Order { Money total = 1; }').encode(),
            (money,),
        )
    )

    assert parsed.dependencies == ("shop/money.proto",)
    files = FileDescriptorSet.FromString(parsed.artifact).file
    assert [f.name for f in files] == ["shop/money.proto", "schema.proto"]


def test_a_reference_without_artifact_is_compiled() -> None:
    text = (HEAD + "message Money {}").encode()

    parsed = ENGINE.parse(
        SchemaSource(
            (HEAD + 'import "money.proto"; message Order { Money total = 1; }').encode(),
            (ReferencedSchema("money.proto", "id", text),),
        )
    )

    assert parsed.dependencies == ("money.proto",)


def test_a_file_imported_for_its_options_is_a_dependency() -> None:
    options = reference(
        "o.proto",
        'syntax = "proto2"; import "google/protobuf/descriptor.proto";'
        " extend google.protobuf.FieldOptions { optional string tag = 50001; }",
    )
    text = b'edition = "2024"; package p; import option "o.proto"; message M { int32 a = 1 [(tag) = "x"]; }'

    parsed = ENGINE.parse(SchemaSource(text, (options,)))

    assert parsed.dependencies == ("o.proto",)
    assert ENGINE.parse(SchemaSource(parsed.canonical, (options,))).canonical == parsed.canonical


def test_only_imported_references_are_dependencies() -> None:
    unused = reference("unused.proto", HEAD + "message U {}")

    assert ENGINE.parse(SchemaSource((HEAD + "message A {}").encode(), (unused,))).dependencies == ()


def test_an_unused_import_is_a_warning() -> None:
    unused = reference("unused.proto", HEAD + "message U {}")

    parsed = ENGINE.parse(SchemaSource((HEAD + 'import "unused.proto"; message A {}').encode(), (unused,)))

    assert [w.rule for w in parsed.warnings] == ["IMPORT_UNUSED"]


def test_one_path_for_two_schemas_is_refused() -> None:
    first = reference("m.proto", HEAD + "message M { int32 a = 1; }")
    second = reference("m.proto", HEAD + "message M { int64 a = 1; }")
    user = reference("u.proto", HEAD + 'import "m.proto"; message U { M m = 1; }', first)

    assert rules(HEAD + 'import "u.proto"; import "m.proto"; message A {}', user, second) == {
        "IMPORT_CONFLICT"
    }


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        ("message M {}", "message M {}", "M"),
        ("message M { int32 a = 1; }", "message M { int64 a = 1; }", "M"),
        ("enum E { ZERO = 0; }", "enum F { ZERO = 0; }", "ZERO"),
        ("enum E { M = 0; }", "message M {}", "M"),
        ("message A {} service M { rpc R(A) returns (A); }", "message M {}", "M"),
    ],
)
def test_two_references_that_define_one_name_are_named(one: str, other: str, name: str) -> None:
    references = reference("one.proto", HEAD + one), reference("other.proto", HEAD + other)

    first, *_ = issues('syntax = "proto3"; import "one.proto"; import "other.proto";', *references)

    assert first.rule == "NAME_DUPLICATE"
    assert {"'one.proto'", "'other.proto'"} <= set(first.message.split())
    assert f"'{name}'" in first.message


@pytest.mark.parametrize(
    "name",
    [
        "google/protobuf/timestamp.proto",
        "../up.proto",
        "a//b.proto",
        "@file.proto",
        "-I.proto",
        "a=b.proto",
        "a:b.proto",
        "x.txt",
        "",
        "a\nb.proto",
        "é.proto",
    ],
)
def test_a_reference_name_that_is_no_import_path_is_refused(name: str) -> None:
    assert rules(HEAD + "message A {}", ReferencedSchema(name, "i", b"message B {}")) == {"REFERENCE_NAME"}


def test_the_number_and_size_of_references_are_bounded() -> None:
    engine = ProtobufEngine(InProcessProtoc(), ProtobufLimits(references=2, total=200))
    few = tuple(ReferencedSchema(f"r{i}.proto", str(i), b"message A {}") for i in range(3))
    big = (ReferencedSchema("r.proto", "r", b" " * 200),)

    for references, rule in ((few, "TOO_MANY_REFERENCES"), (big, "TOTAL_TOO_LARGE")):
        with pytest.raises(InvalidSchema) as caught:
            engine.parse(SchemaSource(b"message B {}", references))
        assert caught.value.issues[0].rule == rule


def descriptor(**fields: object) -> FileDescriptorProto:
    file = FileDescriptorProto(name="x.proto", package="p", syntax="proto3")
    message = file.message_type.add(name="M")
    message.field.add(
        **{"name": "a", "number": 1, "type": FieldDescriptorProto.TYPE_INT32, "label": 1, **fields}  # type: ignore[arg-type]
    )
    return file


def encoded(file: FileDescriptorProto) -> bytes:
    return base64.encodebytes(file.SerializeToString())


def test_a_descriptor_in_base64_means_the_same_as_its_text() -> None:
    parsed = ENGINE.parse(SchemaSource(encoded(descriptor())))
    text = parse(HEAD + "package p; message M { int32 a = 1; }")

    assert parsed.canonical == text.canonical
    assert parsed.fingerprints.validation == text.fingerprints.validation


@pytest.mark.parametrize(
    "file",
    [
        descriptor(number=19_500),
        descriptor(number=0),
        descriptor(name="a b"),
        descriptor(name="a = 1; } message N {"),
        descriptor(name=""),
        descriptor(type=FieldDescriptorProto.TYPE_GROUP, type_name=".p.M"),
        descriptor(type=FieldDescriptorProto.TYPE_MESSAGE, type_name=".p.Absent"),
        descriptor(label=FieldDescriptorProto.LABEL_REQUIRED),
        FileDescriptorProto(package="p; message X {}"),
        FileDescriptorProto(package="google.protobuf"),
    ],
    ids=lambda file: "",
)
def test_a_descriptor_that_no_text_could_make_is_refused(file: FileDescriptorProto) -> None:
    assert issues(encoded(file))


def nested(depth: int) -> FileDescriptorProto:
    file = FileDescriptorProto(name="x.proto", syntax="proto3")
    message = file.message_type.add(name="M")
    for _ in range(depth):
        message = message.nested_type.add(name="M")
    return file


def test_a_descriptor_nests_no_deeper_than_text_can() -> None:
    assert ENGINE.parse(SchemaSource(encoded(nested(30)))).canonical.count(b"message M") == 31
    assert rules(encoded(nested(40))) == {"NESTING_TOO_DEEP"}


def test_options_of_a_descriptor_that_cannot_be_read_never_reach_the_compiler() -> None:
    text = (
        HEAD
        + 'import "google/protobuf/descriptor.proto"; import "confluent/meta.proto"; message O { string s = 1; }'
        " extend google.protobuf.FieldOptions { O o = 50001; }"
        ' message M { int32 a = 1 [(o) = { s: "x" }, (confluent.field_meta).doc = "d"]; }'
    )
    file = FileDescriptorSet.FromString(parse(text).artifact).file[-1]
    assert ENGINE.parse(SchemaSource(encoded(file))).canonical == parse(text).canonical
    options = file.message_type[1].field[0].options
    options.MergeFromString(b"\x8a\xb5\x18\x03\x0a\xff\x01")  # the inner string claims 255 bytes and has none

    assert rules(encoded(file)) == {"OPTION_INVALID"}


def test_a_descriptor_that_text_cannot_express_is_refused() -> None:
    stray = descriptor()
    stray.message_type[0].field[0].options.MergeFromString(
        b"\x8a\xb5\x18\x01x"
    )  # option 50001, which nobody declares
    alias = descriptor()
    alias.enum_type.add(name="E").value.add(name="Z", number=0)
    alias.enum_type[0].options.allow_alias = True

    assert rules(encoded(stray)) == {"DESCRIPTOR_INEXACT"}
    assert [(i.rule, i.line) for i in issues(encoded(alias))] == [("OPTION_INVALID", 0)]


def test_a_descriptor_without_a_field_type_is_refused() -> None:
    file = descriptor()
    file.message_type[0].field[0].ClearField("type")

    assert rules(encoded(file)) == {"TYPE_UNDEFINED"}


def test_names_serve_search() -> None:
    parsed = parse(
        HEAD + "package p; message A { int32 a = 1; map<string, B> bs = 2; message B {} enum E { Z = 0; } }"
        "enum F { Y = 0; } service S { rpc R(A) returns (A); }"
    )

    assert parsed.names == ("p.A", "a", "bs", "B", "E", "p.F", "p.S", "R")
