"""The bound of what a validation costs: never below what rules really are applied, and dear for what is made to be dear."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_schema_engines.formats.avro.engine import AvroEngine
from llm_schema_engines.formats.engine import UNBOUNDED, BoundedValidator, FormatEngine, SchemaSource
from llm_schema_engines.formats.json_schema.engine import JsonSchemaEngine
from llm_schema_engines.formats.json_schema.patterns import active_states, weight
from llm_schema_engines.formats.protobuf.engine import ProtobufEngine
from llm_schema_engines.formats.validation_cost import MAX_RULES, Rates, Rule, count, growth
from llm_schema_engines.model.validation import DataReport, Encoding
from llm_schema_engines.protoc.in_process import InProcessProtoc
from tests.growth.measure import LIMIT, time_growth

SECONDS = 0.01
JSON, AVRO, PROTOBUF = JsonSchemaEngine(), AvroEngine(), ProtobufEngine(InProcessProtoc())


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def bounded(engine: FormatEngine, schema: Any) -> BoundedValidator:
    content = schema.encode() if isinstance(schema, str) else compact(schema)
    artifact = engine.parse(SchemaSource(content)).artifact
    return engine.compile_bounded(SchemaSource(content, artifact=artifact), SECONDS)


def within(
    validator: BoundedValidator, payload: bytes, encoding: Encoding = Encoding.AUTO, *, strict: bool = False
) -> DataReport | None:
    return validator.validate_within(
        SECONDS, payload, encoding=encoding, strict=strict, max_errors=20, message_name=""
    )


# -- the model: rules that are applied, one by one, never cost more than `growth` says


@st.composite
def graphs(draw: st.DrawFn) -> list[Rule]:
    """Rules of which those with a greater number may apply to the same value, and any to its parts."""
    size = draw(st.integers(1, 4))
    some = st.lists(st.integers(0, size - 1), max_size=2)
    rules = []
    for i in range(size):
        later = st.lists(st.integers(i + 1, size - 1), max_size=2) if i + 1 < size else st.just([])
        numbers = st.integers(0, 9)
        rules.append(
            Rule(
                Rates(draw(numbers), draw(numbers), draw(numbers), draw(numbers)),
                draw(st.integers(0, 2)),
                False,
                draw(later),
                draw(some),
                draw(some),
                draw(some),
                draw(some),
            )
        )
    return rules


DOCUMENTS = st.recursive(
    st.sampled_from([None, True, 7, "text"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=4,
)


def spent(rules: list[Rule], number: int, value: Any) -> tuple[float, float]:
    """What a rule really costs on a value, with the dearest choice wherever there is one; and the errors."""
    rule = rules[number]
    parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    own_bytes = len(compact(value)) - sum(len(compact(part)) for part in parts)
    cost = rule.own.value + rule.own.byte * own_bytes + rule.deep * count(compact(value)).values
    cost += rule.own.object if isinstance(value, dict) else 0
    errors = rule.own.errors
    applied = [(child, value) for child in rule.in_place]
    one, every = (
        (rule.member_one, rule.member_all) if isinstance(value, dict) else (rule.item_one, rule.item_all)
    )
    for part in parts:
        applied += [(child, part) for child in every]
        if one:
            applied.append((max(one, key=lambda child: spent(rules, child, part)[0]), part))
    for child, part in applied:
        more = spent(rules, child, part)
        cost, errors = cost + more[0], errors + more[1]
    return cost, errors


def depth(value: Any) -> int:
    parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if parts is None else 1 + max(map(depth, parts), default=0)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graphs(), DOCUMENTS)
def test_no_document_costs_more_than_the_rates_of_its_depth(rules: list[Rule], document: Any) -> None:
    table = growth(rules, 0, 128)
    assert table is not None
    rates = table[min(depth(document), len(table) - 1)].rates
    counts = count(compact(document))
    cost, errors = spent(rules, 0, document)

    assert cost <= rates.value * counts.values + rates.object * counts.objects + rates.byte * counts.bytes
    assert errors <= rates.errors * counts.values


def test_rules_that_apply_themselves_to_the_same_value_have_no_bound() -> None:
    assert growth([Rule(in_place=[1]), Rule(in_place=[0])], 0, 128) is None


def test_repeats_are_counted_one_inside_the_other() -> None:
    inner = Rule(repeats=True)
    outer = Rule(repeats=True, member_one=[1], member_all=[2])

    assert [d.repeats for d in growth([outer, inner, Rule()], 0, 9) or []] == [1, 2]


# -- what is usual is validated at once

ORDER = {
    "type": "object",
    "required": ["id", "items"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z0-9-]{1,64}$"},
        "note": {"type": "string", "maxLength": 1000, "description": "what the customer said"},
        "kind": {"enum": ["new", "old"]},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["sku"],
                "additionalProperties": False,
                "properties": {
                    "sku": {"type": "string"},
                    "price": {"anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}]},
                    "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
                },
            },
        },
    },
}
AVRO_ORDER = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "items", "type": {"type": "array", "items": {"type": "record", "name": "Item", "fields": [
            {"name": "sku", "type": "string"}, {"name": "price", "type": ["null", "double"]}]}}},
    ],
}  # fmt: skip
PROTO_ORDER = """syntax = "proto3";
message Item { string sku = 1; double price = 2; }
message Order { string id = 1; repeated Item items = 2; }"""


@pytest.mark.parametrize(("engine", "schema"), [(JSON, ORDER), (AVRO, AVRO_ORDER), (PROTOBUF, PROTO_ORDER)])
def test_usual_data_is_validated_at_once(engine: FormatEngine, schema: Any) -> None:
    items = [{"sku": f"article {i}", "price": i / 2} for i in range(60)]
    report = within(bounded(engine, schema), compact({"id": "order-1", "items": items}))

    assert report is not None
    assert report.valid


def test_usual_data_that_is_strict_and_usual_errors_are_handled_at_once() -> None:
    validator = bounded(JSON, ORDER)
    good = {"id": "order-1", "items": [{"sku": "a", "price": 1, "tags": ["x"]}] * 10}

    report = within(validator, compact(good), strict=True)
    wrong = within(validator, compact({"id": "?", "items": [{"sku": 1}]}))
    assert report is not None
    assert report.valid
    assert wrong is not None
    assert {issue.path for issue in wrong.errors} == {"/id", "/items/0/sku"}


# -- what is made to be dear is not

ONES = b"[" + b",".join([b"1"] * 3_000) + b"]"
LONG = b"[" + b",".join(b"%d" % (2**200 + i) for i in range(100)) + b"]"
TREE: Any = {"anyOf": [{"properties": {"a": {"$ref": "#/$defs/e"}}, "required": [k]} for k in "xy"]}

DEAR: dict[str, tuple[Any, bytes]] = {
    "many branches": ({"items": {"anyOf": [{"minimum": i + 5} for i in range(900)]}}, ONES),
    "more rules than are looked at": ({"allOf": [{"minimum": -i} for i in range(MAX_RULES)]}, b"1"),
    "const": ({"items": {"anyOf": [{"const": i + 5} for i in range(200)]}}, ONES),
    "enum of objects": ({"items": {"enum": [{"a": i} for i in range(300)]}}, ONES),
    "contains": ({"items": {"contains": {"enum": [{"a": i} for i in range(300)]}}}, b"[%b]" % ONES),
    "$ref fan-out": (
        {"$defs": {**{f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(12)}, "d12": {}},
         "items": {"$ref": "#/$defs/d0"}}, ONES),
    "recursive alternatives": (
        {"$defs": {"e": TREE}, "$ref": "#/$defs/e"}, b'{"a":' * 20 + b"1" + b"}" * 20),
    "dependentSchemas": (
        {"items": {"dependentSchemas": {f"k{i}": {"minProperties": 1} for i in range(300)}}},
        b"[" + b",".join([b"{}"] * 2_000) + b"]"),
    "properties of empty objects": (
        {"items": {"properties": {f"p{i}": {} for i in range(500)}}}, b"[" + b",".join([b"{}"] * 2_000) + b"]"),
    "patternProperties": (
        {"patternProperties": {f"^k{i}.*x$": {} for i in range(90)}},
        b"{" + b",".join(b'"key%d":1' % i for i in range(900)) + b"}"),
    "a regular expression with many states": (
        {"pattern": "[ab]*a[ab]{900}[^ab]"}, b'"' + b"ab" * 4_000 + b'"'),
    "uniqueItems of long numbers": ({"uniqueItems": True}, LONG),
    "unevaluatedProperties": (
        {"anyOf": [{"properties": {f"p{i}": True}} for i in range(50)], "unevaluatedProperties": False},
        compact({f"p{i}": 1 for i in range(300)})),
    "a dynamic reference": ({"$dynamicAnchor": "n", "items": {"$dynamicRef": "#n"}}, b"[]"),
    "the format regex": (
        {"$schema": "http://json-schema.org/draft-07/schema#", "format": "regex"}, b'"(a{1,99}){1,99}"'),
    "errors of everything": ({"items": {"required": [f"p{i}" for i in range(300)]}}, b"[{},{},{},{},{}]"),
    "a large payload": ({}, b"[" + b",".join([b"1"] * 50_000) + b"]"),
}  # fmt: skip


@pytest.mark.parametrize("name", DEAR)
def test_dear_json_data_is_not_validated_at_once(name: str) -> None:
    schema, payload = DEAR[name]

    assert within(bounded(JSON, schema), payload) is None


def test_strict_validation_counts_what_it_looks_through() -> None:
    validator = bounded(JSON, {"items": {"enum": [f"value {i}" for i in range(400)]}})
    payload = b"[" + b",".join([b'"value 7"'] * 300) + b"]"

    assert within(validator, payload) is not None
    assert within(validator, payload, strict=True) is None


def test_nesting_is_measured_where_brackets_alone_do_not_tell() -> None:
    validator = bounded(JSON, {"$defs": {"e": TREE}, "$ref": "#/$defs/e"})
    flat = b'{"x":1,"a":{"x":1,"b":[%b]}}' % b",".join([b"{}"] * 40)

    assert within(validator, flat) is not None
    assert within(validator, b'{"x":1,"a":' * 20 + b"1" + b"}" * 20) is None


def test_a_schema_that_takes_long_to_compile_is_not_compiled() -> None:
    wide = {"properties": {f"p{i}": {"type": "string", "minLength": i} for i in range(5_000)}}
    patterns = {"anyOf": [{"pattern": rf"^\w{{1,200}}{i}$"} for i in range(60)]}

    for schema in (wide, patterns):
        assert JSON.compile_bounded(SchemaSource(compact(schema)), SECONDS) is UNBOUNDED


def test_dear_avro_data_is_not_validated_at_once() -> None:
    def record(name: str, count: int, **more: Any) -> dict[str, Any]:
        fields = [{"name": f"{name}{i}", "type": "int", **more} for i in range(count)]
        return {"type": "record", "name": name, "fields": fields}

    union = bounded(AVRO, {"type": "array", "items": [record(f"R{i}", 1) for i in range(300)]})
    defaults = bounded(AVRO, {"type": "array", "items": record("R", 900, default=0)})
    chain: Any = "int"
    for i in range(60):
        chain = {"type": "record", "name": f"C{i}", "fields": [{"name": "a", "type": chain}]}
    nested = bounded(AVRO, {"type": "array", "items": chain})

    assert within(union, b"[" + b",".join([b'{"R2990":1}'] * 300) + b"]") is None
    assert within(defaults, b"[" + b",".join([b"{}"] * 1_000) + b"]") is None
    assert within(nested, b"\xd0\x0f" + b"\x02" * 1_000 + b"\x00", Encoding.BINARY) is None
    assert within(nested, b"\x04\x02\x02\x00", Encoding.BINARY) is not None


def test_dear_protobuf_data_is_not_validated_at_once() -> None:
    values = " ".join(f"A{i} = {i * 1000};" for i in range(600))
    closed = bounded(
        PROTOBUF,
        f'syntax = "proto2"; enum E {{ {values} }} message M {{ repeated E e = 1 [packed = true]; }}',
    )
    fields = " ".join(f"optional int32 f{i} = {i + 2};" for i in range(400))
    wide = bounded(PROTOBUF, f'syntax = "proto2"; message M {{ repeated M m = 1; {fields} }}')
    payload = b"\x0a\x80\x7d" + b"\xff\x7f" * 8_000

    assert within(closed, payload, Encoding.BINARY) is None
    assert within(closed, b"\x0a\x01\x00", Encoding.BINARY) is not None
    assert within(wide, b"\x0a\x00" * 8_000, Encoding.BINARY) is None


@pytest.mark.parametrize(
    ("pattern", "states"),
    [
        ("^[a-z]{1,255}$", 12),
        (r"^\d{4}-\d{2}-\d{2}$", 18),
        ("^[a-z]+[a-z]{60}$", 75),
        ("^(?:a|b){200}$", weight("^(?:a|b){200}$")),
        ("[a-z]{200}", weight("[a-z]{200}")),
    ],
)
def test_active_states_of_a_pattern(pattern: str, states: int) -> None:
    assert active_states(pattern) <= states
    assert active_states(pattern) >= min(states, 2)


def test_names_of_an_enum_are_looked_up_and_not_searched() -> None:
    def work(size: int) -> Callable[[], object]:
        values = " ".join(f"A{i} = {i};" for i in range(size))
        text = f'syntax = "proto3"; enum E {{ {values} }} message M {{ repeated E e = 1; }}'.encode()
        source = SchemaSource(text, artifact=PROTOBUF.parse(SchemaSource(text)).artifact)
        validator = PROTOBUF.compile_validator(source)
        payload = compact({"e": [f"A{size - 1}"] * size})
        return lambda: validator.validate(payload)

    assert time_growth(work, lambda run: run(), 500, 8_000) <= LIMIT


def test_required_fields_are_found_once_for_a_message_and_not_for_each_of_its_values() -> None:
    def work(size: int) -> Callable[[], object]:
        fields = " ".join(f"optional int32 f{i} = {i + 3};" for i in range(size))
        text = (
            'syntax = "proto2"; message R { required int32 x = 1; } message N { ' + fields + " } "
            "message M { optional R r = 1; repeated N n = 2; }"
        ).encode()
        source = SchemaSource(text, artifact=PROTOBUF.parse(SchemaSource(text)).artifact)
        validator = PROTOBUF.compile_validator(source)
        payload = b"\x12\x00" * size + b"\x0a\x00"
        return lambda: validator.validate(payload, encoding=Encoding.BINARY)

    assert time_growth(work, lambda run: run(), 250, 4_000) <= LIMIT
