"""Binary and JSON payloads: what is valid, what is not, and where the fault is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_schema_engines.formats.engine import DataValidator
from llm_schema_engines.formats.protobuf import ProtobufEngine, ProtobufLimits
from llm_schema_engines.formats.protobuf.decoded import missing_required
from llm_schema_engines.formats.protobuf.pools import CompiledSchema
from llm_schema_engines.model.validation import DataReport, Encoding
from llm_schema_engines.protoc.in_process import InProcessProtoc
from llm_schema_registry_server.errors import InvalidRequest
from tests.formats.protobuf.kit import ENGINE, parse, source
from tests.formats.protobuf.test_oracle import fill

ORDER = """
syntax = "proto3";
package shop;
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
message Order {
  string id = 1;
  repeated Line lines = 2;
  map<string, Line> by_name = 3;
  map<int32, bool> flags = 4;
  Status status = 5;
  oneof pay { string card = 6; int64 cash_cents = 7; }
  google.protobuf.Timestamp at = 8;
  google.protobuf.Duration took = 9;
  google.protobuf.FieldMask mask = 10;
  google.protobuf.Struct extra = 11;
  google.protobuf.Value any_value = 12;
  google.protobuf.Int32Value wrapped = 13;
  google.protobuf.Any any = 14;
  bytes raw = 15;
  float ratio = 16;
  double big = 17;
  uint64 count = 18;
  bool done = 19;
  Order inner = 20;
  google.protobuf.NullValue nothing = 21;
  repeated google.protobuf.Value many = 22;
}
message Line { int32 quantity = 1; optional string note = 2; }
enum Status { UNKNOWN = 0; OPEN = 1; CLOSED = 2; }
"""
STRICT2 = """
syntax = "proto2";
message P { required int32 a = 1; optional P p = 2; repeated P ps = 3; optional E e = 4; map<string, P> by = 5; extensions 100; }
enum E { ONE = 1; }
extend P { optional string x = 100; }
"""


def validator(text: str) -> DataValidator:
    return ENGINE.compile_validator(source(text))


def check(payload: Any, text: str = ORDER, **options: Any) -> DataReport:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return validator(text).validate(data, **options)


VALID = [
    {},
    {"id": "a", "lines": [{"quantity": 1, "note": ""}], "by_name": {"x": {}}},
    {"cashCents": "12"},
    {"cash_cents": 12},
    {"flags": {"-1": True, "0": False}},
    {"status": "OPEN"},
    {"status": 2},
    {"status": 2.0},
    {"status": 77},
    {"at": "2024-02-29T23:59:59.123456789+05:30"},
    {"took": "-1.5s"},
    {"mask": "a.bC,d"},
    {"mask": ""},
    {"extra": {"a": [1, None, {"b": "c"}]}},
    {"anyValue": None},
    {"many": [None, 1]},
    {"wrapped": "5"},
    {"wrapped": None},
    {"any": {"@type": "x/shop.Line", "quantity": 3}},
    {"any": {"@type": "x/google.protobuf.Duration", "value": "1s"}},
    {"any": {}},
    {"raw": "_-8"},
    {"raw": "/+8="},
    {"ratio": "NaN"},
    {"ratio": 3.4028235e38},
    {"big": "1e308"},
    {"count": "18446744073709551615"},
    {"count": 1e3},
    {"id": None, "lines": None, "byName": None},
    {"card": None, "cashCents": 1},
    {"nothing": None},
    {"nothing": "NULL_VALUE"},
]


@pytest.mark.parametrize("document", VALID, ids=str)
def test_json_that_the_specification_allows_is_valid(document: Any) -> None:
    assert check(document, strict=True) == DataReport(True)


INVALID = [
    ([], "", "value"),
    (5, "", "value"),
    ({"id": 5}, "/id", "value"),
    ({"id": "a", "x": 1}, "/x", "unknown_field"),
    ({"lines": {}}, "/lines", "value"),
    ({"lines": [{}, None]}, "/lines/1", "value"),
    ({"lines": [{"quantity": 2**31}]}, "/lines/0/quantity", "value"),
    ({"lines": [{"quantity": "1_0"}]}, "/lines/0/quantity", "value"),
    ({"lines": [{"quantity": True}]}, "/lines/0/quantity", "value"),
    ({"byName": {"a/b": {"quantity": 0.5}}}, "/byName/a~1b/quantity", "value"),
    ({"byName": {"a": None}}, "/byName/a", "value"),
    ({"flags": {"01": True}}, "/flags/01", "map_key"),
    ({"status": "NOPE"}, "/status", "enum"),
    ({"status": 1.5}, "/status", "value"),
    ({"card": "a", "cashCents": 1}, "/cashCents", "oneof"),
    ({"cashCents": 1, "cash_cents": 1}, "/cash_cents", "duplicate_key"),
    ({"at": "2023-02-29T00:00:00Z"}, "/at", "value"),
    ({"at": "2023-02-28 00:00:00Z"}, "/at", "value"),
    ({"took": "315576000000.1s"}, "/took", "value"),
    ({"mask": "a_b"}, "/mask", "value"),
    ({"extra": []}, "/extra", "value"),
    ({"wrapped": {}}, "/wrapped", "value"),
    ({"any": {"quantity": 1}}, "/any/@type", "value"),
    ({"any": {"@type": "x/none.Such"}}, "/any/@type", "any_type"),
    ({"any": {"@type": "x/shop.Line", "quantity": "x"}}, "/any/quantity", "value"),
    ({"raw": "a"}, "/raw", "value"),
    ({"raw": "+_8="}, "/raw", "value"),
    ({"ratio": 1e39}, "/ratio", "value"),
    ({"count": -1}, "/count", "value"),
    ({"done": "true"}, "/done", "value"),
    ({"inner": {"inner": {"id": 1}}}, "/inner/inner/id", "value"),
    (b'{"id": "a", "id": "b"}', "", "duplicate_key"),
    (b'{"big": NaN}', "", "json_syntax"),
    (b'{"big": 1e999}', "/big", "value"),
    (b'{"id": "\\ud800"}', "/id", "value"),
    (b'{"id": ', "", "json_syntax"),
    (b'{"id": "\xff"}', "", "json_syntax"),
    (b'{"big": ' + b"9" * 5000 + b"}", "", "value"),
    (b'{"anyValue": ' + b"[" * 500 + b"]" * 500 + b"}", "", "payload_too_deep"),
]


@pytest.mark.parametrize(("document", "path", "kind"), INVALID, ids=lambda value: str(value)[:40])
def test_bad_json_is_refused_where_it_is_bad(document: Any, path: str, kind: str) -> None:
    report = check(document, strict=True, encoding=Encoding.JSON)

    assert [(e.path, e.error_type) for e in report.errors] == [(path, kind)]


def test_all_faults_are_listed_up_to_the_limit() -> None:
    report = check({"lines": [{"quantity": "x"}] * 5}, max_errors=3)

    assert len(report.errors) == 3
    assert report.truncated


def test_unknown_keys_are_for_strict_validation_to_refuse() -> None:
    assert check({"x": 1}).valid
    assert not check({"x": 1}, strict=True).valid


def test_required_fields_are_required_in_both_forms() -> None:
    assert [e.path for e in check({"a": 1, "ps": [{"a": 1}, {}]}, STRICT2).errors] == ["/ps/1"]
    assert [e.path for e in check(b"\x08\x01\x12\x00", STRICT2).errors] == ["/p/a"]
    assert check({"a": None}, STRICT2).errors[0].error_type == "required"


def test_extensions_are_fields() -> None:
    assert check({"a": 1, "[x]": "v"}, STRICT2, strict=True).valid
    assert check(b"\x08\x01\xa2\x06\x01v", STRICT2, strict=True).valid


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        (b"\x08\x01\x30\x01", ""),
        (b"\x08\x01\x12\x04\x08\x01\x30\x01", "/p"),
        (b"\x08\x01\x1a\x02\x08\x01\x1a\x04\x08\x01\x30\x01", "/ps/1"),
        (b"\x08\x01\x20\x07", ""),  # 7 is no value of the closed enum E
        (b"\x08\x01\x2a\x09\x0a\x01k\x12\x04\x08\x01\x30\x01", "/by/k"),
    ],
)
def test_strict_validation_finds_undeclared_data(payload: bytes, path: str) -> None:
    assert check(payload, STRICT2).valid
    report = check(payload, STRICT2, strict=True)

    assert [(e.path, e.error_type) for e in report.errors] == [(path, "unknown_field")]


@pytest.mark.parametrize(
    "payload",
    [b"\x08", b"\x0a\x05a", b"\xff" * 20, b"\x12\x01\x08", b"\x0b", b"\x0a\x01\xff", b"\xa2\x01\x04" * 200],
)
def test_bytes_that_are_no_message_are_refused(payload: bytes) -> None:
    assert check(payload).errors[0].error_type == "decode"


def test_nesting_beyond_the_limit_is_refused() -> None:
    payload = b""
    for _ in range(150):
        size = len(payload)
        length = bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7])
        payload = b"\xa2\x01" + length + payload

    assert not check(payload).valid


@pytest.mark.parametrize(
    ("payload", "valid"),
    [
        (b"", True),
        (b"\n{" + b"a" * 123, True),  # field 1 of 123 bytes, though it begins like JSON
        (b'"\x00', True),  # field 4, empty
        (b'{"id": "a"}', True),
        (b' \n{"id": "a"}\n', True),
        (b'{"id": 1}', False),
        (b"80", True),  # field 7, which is also a JSON number, but no message is a number
    ],
)
def test_the_encoding_is_recognised(payload: bytes, valid: bool) -> None:
    assert check(payload).valid is valid


def test_a_message_is_chosen_by_full_name() -> None:
    assert check({"quantity": 1}, message_name="shop.Line", strict=True).valid
    assert check(b'"2020-01-01T00:00:00Z"', message_name="google.protobuf.Timestamp").valid
    with pytest.raises(InvalidRequest, match="declares"):
        check({}, message_name="Line")
    with pytest.raises(InvalidRequest, match="no message"):
        check({}, 'syntax = "proto3"; enum E { Z = 0; }')
    with pytest.raises(InvalidRequest, match="AVRO_JSON"):
        check({}, encoding=Encoding.AVRO_JSON)


def test_a_payload_beyond_the_limit_is_refused() -> None:
    engine = ProtobufEngine(InProcessProtoc(), ProtobufLimits(payload=10))

    report = engine.compile_validator(source(ORDER)).validate(b"\x0a\x20" + b"a" * 32)

    assert report.errors[0].error_type == "payload_too_large"


COMPILED = CompiledSchema(parse(ORDER).artifact)


@settings(max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_the_runtime_writes_is_valid(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([WITHOUT_KNOWN_TYPES, STRICT2]))
    compiled = CompiledSchema(parse(text).artifact)
    kind = compiled.message(compiled.first)
    assert kind is not None
    message = kind()
    data.draw(st.composite(lambda draw: fill(draw, message))())

    if not missing_required(message):
        document = json_format.MessageToJson(message, descriptor_pool=compiled.pool)
        assert check(document.encode(), text, strict=False, encoding=Encoding.JSON).errors == ()
        assert check(message.SerializeToString(), text, encoding=Encoding.BINARY).valid


WITHOUT_KNOWN_TYPES = "\n".join(line for line in ORDER.splitlines() if "google" not in line)

PIECES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        ["", "a", "1", "-1", "1.5s", "OPEN", "NaN", "YQ==", "2020-01-01T00:00:00Z", "a.b", "true", "1e2"]
    ),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["quantity", "note", "id", "0", "x", "true"]), inner, max_size=2)
    ),
    max_leaves=4,
)
KEYS = sorted({f.json_name for f in COMPILED.schema.messages["shop.Order"].fields.values()})


@settings(max_examples=400, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(document=st.dictionaries(st.sampled_from(KEYS), PIECES, min_size=1, max_size=3))
def test_what_is_valid_is_what_the_runtime_reads(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    kind = COMPILED.message("shop.Order")
    assert kind is not None

    if check(text.encode(), strict=True, encoding=Encoding.JSON).valid:
        json_format.Parse(text, kind(), descriptor_pool=COMPILED.pool)


@settings(max_examples=300, deadline=None, database=None)
@given(payload=st.binary(max_size=200))
def test_no_bytes_crash_the_validator(payload: bytes) -> None:
    for encoding in (Encoding.AUTO, Encoding.BINARY, Encoding.JSON):
        check(payload, encoding=encoding, strict=True)
        check(payload, STRICT2, encoding=encoding, strict=True)
