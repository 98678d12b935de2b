"""What validating data against a JSON Schema takes at most (formats.validation_cost). Pure.

The figures are what jsonschema-rs takes for each keyword, rounded up. What no figure can bound makes a schema unbounded:
references that are resolved while data is validated, and the format `regex`, which compiles what the data says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from ..engine import SchemaSource
from ..validation_cost import (
    HOPELESS,
    MAX_RULES,
    DepthRates,
    PayloadCounts,
    Rates,
    Rule,
    count,
    growth,
)
from .compiled import OpenedSchema
from .complexity import applied_in_place
from .dialects import IN_PLACE, Dialect, subschemas
from .error_texts import ErrorTexts, longest_name
from .limits import JsonSchemaLimits
from .patterns import active_states, weight
from .reading import exact_nesting
from .resources import DocumentIndex, Place, Unresolvable

Key = tuple[int, str]

_BASE, _APPLY = 60, 25
"""Nanoseconds for any subschema, and for each that it applies to the same value."""
_READ_VALUE, _READ_BYTE = 2_500, 20
"""The exact reader, which reads what the fast one refuses or rounds, and strict data."""
_ASSERT_CONTENT = (Dialect.DRAFT_06, Dialect.DRAFT_07)
_STRICT = 2_000
"""Strict validation: for each subschema that may apply to a value."""
_ERROR, _ERROR_COPY, _ERROR_CHARACTER, _REPORT = 16_000, 200, 8, 15_000
"""An error of the library; its copy of each value inside; each character of its texts; an issue in a report."""
_REPORTED = 101
_COMPILE_STATE = 1_500
"""Compiling one state of a regular expression."""
_LONG_NUMBER = 60
"""Comparing two items that are numbers of 16 digits or more, for each byte: they all look alike to the library's hash."""
_LONGEST_CHAIN = 128
_MEASURED_BYTES = 64 * 1024
"""Payloads up to this size have their nesting measured when their brackets alone do not prove them cheap."""

_FORMAT = Rates(value=2_500, byte=30)
_FORMATS = {"idn-hostname": Rates(value=2_500, byte=250), "regex": Rates(value=math.inf)}
_NUMERIC = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_OF_STRINGS = frozenset(
    {"minLength", "maxLength", "pattern", "format", "contentEncoding", "contentMediaType"}
)
_OF_ARRAYS = frozenset(
    {"minItems", "maxItems", "uniqueItems", "contains", "minContains", "maxContains"}
    | {"items", "additionalItems", "unevaluatedItems"}
)
_OF_OBJECTS = frozenset(
    {"minProperties", "maxProperties", "additionalProperties", "unevaluatedProperties", "propertyNames"}
)
_OF_ANY = frozenset({"enum", "const", "not", "anyOf", "oneOf"})
_UNEVALUATED = frozenset({"unevaluatedProperties", "unevaluatedItems"})
_DYNAMIC = frozenset({"$dynamicRef", "$recursiveRef"})
_MEMBER_ONE = frozenset({"properties", "additionalProperties"})
_MEMBER_ALL = frozenset({"patternProperties", "unevaluatedProperties", "propertyNames"})
_ITEM_ONE = frozenset({"items", "prefixItems", "additionalItems"})
_ITEM_ALL = frozenset({"contains", "unevaluatedItems"})


class JsonSchemaCost:
    """The bound of one schema; `compile_seconds`: processor time that compiling it takes at most, in one piece."""

    def __init__(self, source: SchemaSource, opened: OpenedSchema, limits: JsonSchemaLimits) -> None:
        self._depth = limits.data_depth
        documents = [d.content for d in opened.document_index.documents if not d.builtin]
        self._texts = ErrorTexts(documents)
        self._patterns = sum(map(weight, _patterns(documents)))
        """States of all patterns: strict validation compiles them once more, one by one."""
        self.compile_seconds = (text_cost(source) + self._patterns * _COMPILE_STATE) / 1e9
        self._unique = any(b"uniqueItems" in text or b"\\u" in text for text in source.texts())
        rules = _rules(opened)
        self._chain = 0 if rules is None else max(1, _longest_chain(rules))
        self._table: list[DepthRates] = (rules and growth(rules, 0, limits.data_depth)) or []

    @property
    def known(self) -> bool:
        """Whether the schema has a bound at all."""
        return bool(self._table)

    def verdict_within(self, nanoseconds: float, payload: bytes, *, strict: bool) -> bool:
        """Whether reading `payload` and deciding about it surely takes at most so long."""
        counts = count(payload)
        spent = float(counts.values * _READ_VALUE + counts.bytes * _READ_BYTE)
        if strict:
            spent += self._patterns * _COMPILE_STATE
        if spent > nanoseconds:
            return False
        if self._unique and has_long_number(payload):
            spent += _LONG_NUMBER * float(counts.bytes) * counts.values * self._chain
        left = nanoseconds - spent
        # Most payloads are seen to be cheap by this alone; the rest of the call costs as much again.
        if self._verdict(counts, min(counts.brackets, self._depth), strict=strict) <= left:
            return True
        return self._at_some_depth(
            payload, counts, lambda depth: self._verdict(counts, depth, strict=strict) <= left
        )

    def listing_within(self, nanoseconds: float, payload: bytes) -> bool:
        """Whether listing all errors of `payload` surely takes at most so long."""
        counts, names = count(payload), longest_name(payload)
        return self._at_some_depth(
            payload, counts, lambda depth: self._listing(counts, depth, names) <= nanoseconds
        )

    def _at_some_depth(self, payload: bytes, counts: PayloadCounts, enough: Callable[[int], bool]) -> bool:
        """Whether `enough` holds: for as much nesting as the brackets allow, or else for the nesting that is measured."""
        depth = min(counts.brackets, self._depth)
        if enough(depth):
            return True
        if counts.bytes > _MEASURED_BYTES:
            return False
        measured = min(exact_nesting(payload, self._depth), self._depth)
        return measured < depth and enough(measured)

    def _verdict(self, counts: PayloadCounts, depth: int, *, strict: bool) -> float:
        rates, repeats = self._table[min(depth, len(self._table) - 1)]
        if rates.value >= HOPELESS:
            return math.inf
        total = rates.value * counts.values + rates.object * counts.objects + rates.byte * counts.bytes
        if repeats:
            total *= float(1 + counts.values) ** repeats
        return total + (rates.strict * counts.values if strict else 0)

    def _listing(self, counts: PayloadCounts, depth: int, names: int) -> float:
        """The library makes every error, with a copy of its value and its texts, and decides once more at each level of alternatives."""
        rates = self._table[min(depth, len(self._table) - 1)].rates
        errors = rates.errors * counts.values + rates.object_errors * counts.objects
        again = self._verdict(counts, depth, strict=False) * (depth + 1) * self._chain
        each = _ERROR + _ERROR_COPY * (depth + 1) + _ERROR_CHARACTER * self._texts.of_error(depth, names)
        return again + errors * each + min(errors, _REPORTED) * _REPORT


def text_cost(source: SchemaSource) -> float:
    """Nanoseconds that compiling the schema takes at most, without its regular expressions."""
    return sum(
        3_000 * text.count(b"{")
        + 3_500 * text.count(b":")
        + 1_500 * text.count(b",")
        + 500 * text.count(b"[")
        for text in source.texts()
    )


def has_long_number(payload: bytes) -> bool:
    """Whether the payload may hold a number that neither 53 bits nor a double hold exactly."""
    digits = payload.translate(_DIGITS)
    return b"0" * 16 in digits


_DIGITS = bytes.maketrans(b"123456789.", b"0" * 10)


def _patterns(documents: list[Any]) -> Iterable[str]:
    """Everything in the documents that may be a regular expression."""
    stack = documents
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if isinstance(item.get("pattern"), str):
                yield item["pattern"]
            if isinstance(item.get("patternProperties"), dict):
                yield from item["patternProperties"]
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _rules(opened: OpenedSchema) -> list[Rule] | None:
    """The subschemas that can apply to data, the root first. None: too many, or their references are not known before."""
    index, asserts_format = opened.document_index, opened.options.asserts_format
    rules: list[Rule] = [Rule()]
    numbers: dict[Key, int] = {opened.root.key: 0}
    todo = [opened.root]

    def number(place: Place) -> int:
        known = numbers.get(place.key)
        if known is None:
            known = numbers[place.key] = len(rules)
            rules.append(Rule())
            todo.append(place)
        return known

    while todo:
        place = todo.pop()
        schema = place.schema
        if len(rules) > MAX_RULES:
            return None
        rule = rules[numbers[place.key]]
        if not isinstance(schema, dict):
            rule.own = Rates(value=_BASE, errors=1, strict=_STRICT)
            continue
        if not _DYNAMIC.isdisjoint(schema):
            return None
        try:
            rule.in_place = [number(child) for child in applied_in_place(index, place)]
        except Unresolvable:
            return None
        for keyword, child in _children(index, place):
            there = number(child)
            if keyword in _MEMBER_ONE:
                rule.member_one.append(there)
            elif keyword in _MEMBER_ALL:
                rule.member_all.append(there)
                if keyword == "propertyNames":  # its values are keys: bytes of the object, not of the member
                    rule.in_place.append(there)
            elif keyword in _ITEM_ONE:
                rule.item_one.append(there)
            else:
                rule.item_all.append(there)
        rule.own = _own(schema, place.dialect, asserts_format, len(rule.in_place))
        rule.deep = 2_500 if schema.get("uniqueItems") else 0
        rule.repeats = not _UNEVALUATED.isdisjoint(schema)
    return rules


def _children(index: DocumentIndex, place: Place) -> Iterable[tuple[str, Place]]:
    """The subschemas for members and items, each with its keyword."""
    for keyword, name, _ in subschemas(place.schema, place.dialect):
        if keyword in IN_PLACE or keyword not in _MEMBER_ONE | _MEMBER_ALL | _ITEM_ONE | _ITEM_ALL:
            continue
        yield keyword, index.child(place, keyword, name)


def _own(schema: dict[str, Any], dialect: Dialect, asserts_format: bool, in_place: int) -> Rates:
    """What the keywords of one subschema cost, without those of the subschemas that it applies."""
    value, objects, byte = _BASE + 15.0 * len(schema) + _APPLY * in_place, 0.0, 5.0
    strict = float(_STRICT)
    if "const" in schema:
        value += _compared(schema["const"])
    listed = schema.get("enum")
    if isinstance(listed, list):
        alike = all(isinstance(v, str) for v in listed) or all(type(v) is int for v in listed)
        value += 100 if alike else sum(map(_compared, listed))
        strict += 300 * len(listed)
    if isinstance(schema.get("properties"), dict):
        value, objects = value + 100, objects + 40 * len(schema["properties"])
    if isinstance(schema.get("required"), list):
        objects += 70 * len(schema["required"])
        strict += 50 * len(schema["required"])
    for keyword in ("dependentRequired", "dependencies", "dependentSchemas"):
        held = schema.get(keyword)
        if isinstance(held, dict):
            objects += sum(60 + 70 * (len(v) if isinstance(v, list) else 1) for v in held.values())
    for pattern in schema.get("patternProperties") or () if _is(schema, "patternProperties", dict) else ():
        value, byte = value + 120, byte + 2 * _matched(pattern)  # additionalProperties match them once more
        strict += 2_000
    if _is(schema, "pattern", str):
        value, byte = value + 200, byte + _matched(schema["pattern"])
    if not _NUMERIC.isdisjoint(schema):
        value, byte = value + 200 * len(_NUMERIC.intersection(schema)), byte + 40 * len(_NUMERIC)
        value += 3_000 if "multipleOf" in schema else 0
    if asserts_format and _is(schema, "format", str):
        rates = _FORMATS.get(schema["format"], _FORMAT)
        value, byte = value + rates.value, byte + rates.byte
    if dialect in _ASSERT_CONTENT and ("contentMediaType" in schema or "contentEncoding" in schema):
        value, byte = value + 500, byte + 200
    return Rates(value, objects, byte, *_errors(schema), strict)


def _errors(schema: dict[str, Any]) -> tuple[float, float]:
    """The most errors that a value, and an object besides, can have of the keywords of one subschema."""
    of_kind = max(len(kind.intersection(schema)) for kind in (_OF_STRINGS, _NUMERIC, _OF_ARRAYS))
    of_any = len(_OF_ANY.intersection(schema))
    of_objects = len(_OF_OBJECTS.intersection(schema))
    if _is(schema, "required", list):
        of_objects += len(schema["required"])
    for keyword in ("dependentRequired", "dependencies"):
        if _is(schema, keyword, dict):
            of_objects += sum(len(v) for v in schema[keyword].values() if isinstance(v, list))
    # What has the wrong type fails no keyword of that type.
    return of_any + max(of_kind, 1 if "type" in schema else 0), of_objects


def _is(schema: dict[str, Any], keyword: str, kind: type) -> bool:
    return isinstance(schema.get(keyword), kind)


def _matched(pattern: str) -> float:
    """Nanoseconds of a regular expression for each byte."""
    return 5 + 15 * active_states(pattern)


def _compared(value: Any) -> float:
    """What comparing any value with this one costs."""
    if isinstance(value, str):
        return 100
    values, stack = 0, [value]
    while stack:
        item = stack.pop()
        values += 1
        if isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return 700 + 100 * values


def _longest_chain(rules: list[Rule]) -> int:
    """The most rules that apply one another to the same value; schemas with more than _LONGEST_CHAIN are not accepted."""
    chain = [1] * len(rules)
    for _ in range(_LONGEST_CHAIN):
        longer = [1 + max((chain[c] for c in rule.in_place), default=0) for rule in rules]
        if longer == chain:
            break
        chain = longer
    return max(chain)
