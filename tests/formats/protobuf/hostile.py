"""Sources that harm protoc when they reach it, and descriptors that harm a runtime. Run them in a process of their own."""

from __future__ import annotations

OPTION = (
    'import "google/protobuf/descriptor.proto"; message O { optional O a = 1; optional int32 i = 2; }'
    " extend google.protobuf.FileOptions { optional O o = 50001; } "
)

HOSTILE: dict[str, str] = {
    "option nested 100 deep": 'import "google/protobuf/descriptor.proto"; message O { optional O a = 1; }'
    " extend google.protobuf.FileOptions { optional O o = 50001; } option (o) = "
    + "{a " * 100
    + "{}"
    + "}" * 100
    + ";",
    "option nested 6000 deep": 'import "google/protobuf/descriptor.proto"; message O { optional O a = 1; }'
    " extend google.protobuf.FileOptions { optional O o = 50001; } option (o) = "
    + "{a " * 6000
    + "{}"
    + "}" * 6000
    + ";",
    "option nested just within the limit": 'import "google/protobuf/descriptor.proto"; message O { optional O a = 1; }'
    " extend google.protobuf.FileOptions { optional O o = 50001; } option (o) = "
    + "{a " * 63
    + "{}"
    + "}" * 63
    + ";",
    "option path of 100 parts": OPTION + "option (o)" + ".a" * 100 + ".i = 1;",
    "option path with spaces": OPTION + "option (o)" + " /**/ . a" * 150 + " . i = 1;",
    "option path before brackets": OPTION
    + "option (o)"
    + ".a" * 60
    + " = {"
    + "a {" * 60
    + "i: 1"
    + "}" * 61
    + ";",
    "option path in a field": OPTION.replace("FileOptions", "FieldOptions")
    + "message M { optional int32 f = 1 [(o)"
    + ".a" * 100
    + ".i = 1]; }",
    "option with a map whose keys are messages": OPTION.replace(
        "optional int32 i", "map</**/O /**/, int32> m = 3; optional int32 i"
    )
    + 'message M { optional int32 f = 1; } option (o) = { m { key: "k" value: 1 } };',
    "option lists nested deep": "option (o) = { a: " + "[" * 6000 + "]" * 6000 + " };",
    "option in angle brackets": "option (o) = { a " + "<a " * 6000 + ">" * 6000 + " };",
    "long names nested": "".join(f"message {'n' * 20_000}{i} {{" for i in range(10)) + "}" * 10,
    "one long name": f"message {'n' * 60_000} {{" + "message A {}" * 1000 + "}",
    "groups nested 1000 deep": "message M {"
    + "".join(f"optional group G{i} = 1 {{" for i in range(1000))
    + "}" * 1001,
    "10000 equal numbers": "message M {" + "".join(f"optional int32 f{i} = 1;" for i in range(10_000)) + "}",
    "40000 reserved": "message M { reserved " + ",".join(str(2 * i + 1) for i in range(40_000)) + "; }",
    "messages nested 200 deep": "message M {" * 200 + "}" * 200,
    "unclosed comments": "/* " * 50_000,
    "unclosed strings": '"a\n' * 50_000,
    "many quotes": "'" * 100_000,
    "NUL bytes": "message M {\0\0}",
    "import of itself": 'import "schema.proto"; message M {}',
    "huge number": "message M { optional int32 a = " + "9" * 10_000 + "; }",
    "huge float": "message M { optional float a = 1 [default = " + "9" * 10_000 + "e99999]; }",
    "many imports": "".join(f'import "f{i}.proto";' for i in range(5000)),
    "string escapes": 'option java_package = "' + "\\377" * 50_000 + '";',
    "surrogate escapes": 'option java_package = "\\ud800\\udfff";',
    "enum with many aliases": "enum E { option allow_alias = true; "
    + "".join(f"A{i} = 0;" for i in range(15_000))
    + "}",
    "map bomb": "message M {" + "".join(f"map<int32, M> m{i} = {i + 1};" for i in range(5000)) + "}",
    "names that meet in JSON": "message M {"
    + "".join(f"optional int32 {'a_' * i}b = {i + 1};" for i in range(60))
    + "}",
    "deep type name": "message M { optional " + "a." * 10_000 + "b c = 1; }",
    "statement soup": ";" * 20_000,
    "comment flood": "// x\n" * 40_000 + "message M {}",
}
