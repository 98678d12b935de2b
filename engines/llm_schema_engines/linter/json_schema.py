"""The lint rules of JSON Schema: each looks at one subschema. Pure."""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, TypeGuard

from ..formats.json_schema.dialects import Dialect
from ..formats.json_schema.prover.formats import is_known
from ..model.compatibility import Severity
from ..model.schema import SchemaType
from .keywords import (
    CONSTRAINING,
    EVERY,
    FORMATS,
    FORMER,
    HARMLESS_ELSEWHERE,
    KNOWN,
    OF_OTHERS,
    OPENAPI,
    TYPE_OF,
)
from .rule import Fault, LintRule
from .subschema import Subschema

CLOSE = 0.84
"""How alike a word and a keyword are that mean the same (difflib's ratio)."""
LONGEST = 30
"""Characters of a word that may be a misspelled keyword."""
LONGEST_FORMAT = 100
"""Characters of the name of a format that are looked at."""
_RANGES = (
    ("minLength", "maxLength", "string"),
    ("minItems", "maxItems", "array"),
    ("minContains", "maxContains", "array"),
    ("minProperties", "maxProperties", "object"),
)
"""Keywords that bound a count from below and above, and the type of value that they look at."""
_LOW, _HIGH = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")
IN_RANGES = frozenset(
    {*_LOW, *_HIGH, *(word for low, high, _ in _RANGES for word in (low, high)), "required"}
)
"""Keywords of which two may leave nothing between them."""
_TEXT = frozenset([str])
_ELSEWHERE = frozenset(
    {"$ref", "$dynamicRef", "$recursiveRef", "allOf", "anyOf", "oneOf", "if", "dependentSchemas"}
)
"""Keywords by which an object is described in other places too."""


def misspelled_keyword(at: Subschema) -> Iterator[Fault]:
    for word in at.schema:
        if word in EVERY or word in OF_OTHERS or word.startswith("x-") or not 4 <= len(word) <= LONGEST:
            continue
        if not at.may_compare_words():
            return
        meant = _closest(word, at.dialect)
        if meant and meant not in at.schema:
            yield Fault(
                at.pointer_to(word), f"the keyword {word!r} is unknown and ignored; {meant!r} is meant?"
            )


@functools.lru_cache(maxsize=4096)
def _closest(word: str, dialect: Dialect) -> str:
    """The keyword that is most like a word; "" when none is like it."""
    # Two texts whose lengths differ by more are less alike than CLOSE.
    near = [known for known in KNOWN[dialect] if CLOSE * len(known) <= (2 - CLOSE) * len(word)]
    near = [known for known in near if CLOSE * len(word) <= (2 - CLOSE) * len(known)]
    return next(iter(difflib.get_close_matches(word, sorted(near), 1, CLOSE)), "")


def word_of_openapi(at: Subschema) -> Iterator[Fault]:
    for word, meant in OPENAPI.items():
        if word in at.schema and word not in KNOWN[at.dialect]:
            yield Fault(at.pointer_to(word), f"{word!r} is a word of OpenAPI and ignored here; {meant}")


def unknown_format(at: Subschema) -> Iterator[Fault]:
    name = at.schema.get("format")
    if isinstance(name, str) and not at.ignored and not is_known(name[:LONGEST_FORMAT], at.dialect):
        close = (
            difflib.get_close_matches(name[:LONGEST_FORMAT], FORMATS, 1, 0.8)
            if at.may_compare_words()
            else []
        )
        known = [f for f in close if f != name]
        tip = f"; {known[0]!r} is meant?" if known else ""
        yield Fault(
            at.pointer_to("format"),
            f"the format {name[:LONGEST_FORMAT]!r} is unknown and checks nothing{tip}",
        )


def accepts_everything(at: Subschema) -> Iterator[Fault]:
    if at.is_root and at.definitions and not any(word in at.schema for word in CONSTRAINING):
        yield Fault(at.pointer, "the schema accepts every value: it only holds definitions")


def unreachable_definition(at: Subschema) -> Iterator[Fault]:
    if at.is_root and any(word in at.schema for word in CONSTRAINING):
        for keyword, name in at.unreachable_definitions():
            yield Fault(
                at.pointer_to(keyword, name), f"nothing in this schema refers to the definition {name!r}"
            )


def keyword_of_other_dialect(at: Subschema) -> Iterator[Fault]:
    for word in at.schema:
        if word in EVERY and word not in KNOWN[at.dialect] and word not in HARMLESS_ELSEWHERE:
            yield Fault(at.pointer_to(word), f"{word!r} is ignored: it is no keyword of {at.dialect.uri}")
        elif word in FORMER:
            yield Fault(
                at.pointer_to(word), f"{word!r} is ignored: it is a keyword of draft 3; write {FORMER[word]}"
            )


def ref_siblings(at: Subschema) -> Iterator[Fault]:
    if at.dialect.isolates_references and "$ref" in at.schema:
        ignored = [
            k
            for k in at.schema
            if k in TYPE_OF or k in ("type", "enum", "const", "allOf", "anyOf", "oneOf", "not")
        ]
        for word in ignored:
            yield Fault(at.pointer_to(word), f"draft 7 and older ones ignore {word!r} beside $ref")


def keyword_never_applies(at: Subschema) -> Iterator[Fault]:
    types = at.types
    if types and not at.ignored:
        for word in at.schema:
            kind = TYPE_OF.get(word)
            if kind and kind not in types and not (kind == "number" and "integer" in types):
                shown = " or ".join(sorted(types))
                yield Fault(
                    at.pointer_to(word), f"{word!r} only looks at {kind} values, and the type is {shown}"
                )


def required_undeclared(at: Subschema) -> Iterator[Fault]:
    if at.applied_in_place or at.closed or not _ELSEWHERE.isdisjoint(at.schema) or not at.properties:
        return
    for place, name in _undeclared(at):
        yield Fault(place, f"{name!r} is required and not among the properties")


def required_forbidden(at: Subschema) -> Iterator[Fault]:
    if at.closed and not at.ignored and at.may_be("object"):
        for place, name in _undeclared(at):
            yield Fault(
                place, f"{name!r} is required, and additionalProperties forbids it: no object is valid"
            )


def _undeclared(at: Subschema) -> Iterator[tuple[str, str]]:
    if at.schema.get("patternProperties"):
        return  # a pattern may declare it
    for number, name in enumerate(at.schema.get("required", ())):
        if name not in at.properties:
            yield at.pointer_to("required", number), name


def empty_range(at: Subschema) -> Iterator[Fault]:
    schema = at.schema
    if at.ignored:
        return
    for low, high, kind in _RANGES:
        least, most = schema.get(low), schema.get(high)
        if (
            _number(least)
            and _number(most)
            and least > most
            and at.may_be(kind)
            and (low != "minContains" or "contains" in schema)
        ):
            yield Fault(at.pointer_to(low), f"{low} {least} is above {high} {most}: no {kind} is valid")
    if at.may_be("number"):
        yield from _empty_interval(at)
    most = schema.get("maxProperties")
    if _number(most) and len(set(schema.get("required", ()))) > most and at.may_be("object"):
        yield Fault(
            at.pointer_to("maxProperties"), f"more properties are required than maxProperties {most} allows"
        )


def _empty_interval(at: Subschema) -> Iterator[Fault]:
    """Bounds of numbers that leave none between them."""
    lows = [bound for word in _LOW if (bound := _bound(at, word, "minimum"))]
    highs = [bound for word in _HIGH if (bound := _bound(at, word, "maximum"))]
    if not lows or not highs:
        return
    least, above, low = max(lows, key=lambda bound: bound[:2])
    most, below, high = min(highs, key=lambda bound: (bound[0], not bound[1]))
    if at.types and "number" not in at.types:
        if not _holds_integer(least, most, above=above, below=below):
            yield Fault(
                at.pointer_to(low), f"no integer lies between {low} {least} and {high} {most}: none is valid"
            )
    elif least > most:
        yield Fault(at.pointer_to(low), f"{low} {least} is above {high} {most}: no number is valid")
    elif least == most and (above or below):
        yield Fault(
            at.pointer_to(low),
            f"{low} {least} and {high} {most} leave nothing between them: no number is valid",
        )


def _holds_integer(least: int | Decimal, most: int | Decimal, *, above: bool, below: bool) -> bool:
    lowest, highest = math.ceil(least), math.floor(most)
    return lowest + (above and lowest == least) <= highest - (below and highest == most)


def _bound(at: Subschema, word: str, inclusive: str) -> tuple[int | Decimal, bool, str] | None:
    """The bound that a keyword sets, whether the number itself is excluded, and the keyword. In draft 4 `exclusiveMinimum` and
    `exclusiveMaximum` are true beside the bound that they sharpen."""
    value = at.schema.get(word)
    if not _number(value):
        return None
    sharp = word != inclusive or at.schema.get(f"exclusive{inclusive.capitalize()}") is True
    return value, sharp, word


def value_of_other_type(at: Subschema) -> Iterator[Fault]:
    if not at.types or at.ignored:
        return
    values: list[tuple[tuple[str | int, ...], Any]]
    values = [(("enum", n), v) for n, v in enumerate(at.schema.get("enum", ()))]
    if "const" in at.schema:
        values.append((("const",), at.schema["const"]))
    for path, value in values:
        if at.types.isdisjoint(_types_of(value)):
            shown = " or ".join(sorted(at.types))
            yield Fault(at.pointer_to(*path), f"this value is never valid: the type is {shown}")


def duplicate_enum(at: Subschema) -> Iterator[Fault]:
    values = at.schema.get("enum", ())
    if set(map(type, values)) <= _TEXT and len(set(values)) == len(values):
        return  # most are of this kind
    seen: set[Any] = set()
    for number, value in enumerate(values):
        key = _key(value)
        if key in seen:
            yield Fault(at.pointer_to("enum", number), "this value stands in the enum before")
        seen.add(key)


def invalid_default(at: Subschema) -> Iterator[Fault]:
    if "default" in at.schema and (why := at.refusal(at.schema["default"])):
        yield Fault(at.pointer_to("default"), f"the default is not valid here: {why}")


def invalid_example(at: Subschema) -> Iterator[Fault]:
    examples = at.schema.get("examples")
    for number, value in enumerate(examples if isinstance(examples, list) else ()):
        if why := at.refusal(value):
            yield Fault(at.pointer_to("examples", number), f"the example is not valid here: {why}")


def unsatisfiable(at: Subschema) -> Iterator[Fault]:
    if at.is_root and at.accepts_nothing():
        yield Fault(at.pointer, "no value at all is valid: the keywords contradict each other")


def missing_dialect(at: Subschema) -> Iterator[Fault]:
    if at.is_root and "$schema" not in at.schema:
        yield Fault(at.pointer, f"the dialect is not stated; {at.dialect.uri} is assumed")


def open_object(at: Subschema) -> Iterator[Fault]:
    says = ("additionalProperties", "unevaluatedProperties", "patternProperties", "propertyNames")
    if at.properties and not at.applied_in_place and not any(keyword in at.schema for keyword in says):
        yield Fault(at.pointer, "the object is open: properties with any other name and any value are valid")


def missing_description(at: Subschema) -> Iterator[Fault]:
    for name, schema in at.properties.items():
        if isinstance(schema, dict) and "description" not in schema and "$ref" not in schema:
            yield Fault(at.pointer_to("properties", name), f"the property {name!r} has no description")


def _number(value: Any) -> TypeGuard[int | Decimal]:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _types_of(value: Any) -> frozenset[str]:
    match value:
        case bool():
            return frozenset({"boolean"})
        case None:
            return frozenset({"null"})
        case str():
            return frozenset({"string"})
        case list():
            return frozenset({"array"})
        case dict():
            return frozenset({"object"})
    return frozenset({"number", "integer"} if value == int(value) else {"number"})


def _key(value: Any) -> Any:
    """Equal for values that JSON Schema takes for equal (1 and 1.0, not 1 and true)."""
    if isinstance(value, list):
        return ("array", tuple(map(_key, value)))
    if isinstance(value, dict):
        return ("object", frozenset((name, _key(item)) for name, item in value.items()))
    return (sorted(_types_of(value))[-1], value)


def _rule(
    severity: Severity,
    sentence: str,
    hint: str,
    check: Any,
    *,
    by_default: bool = True,
    costly: bool = False,
) -> LintRule[Subschema]:
    name = "json/" + check.__name__.replace("_", "-")
    return LintRule(name, SchemaType.JSON, severity, sentence, hint, check, by_default, costly)


ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
RULES = (
    _rule(ERROR, "Some value is valid.", "Take out one of the keywords that contradict each other.", unsatisfiable, costly=True),
    _rule(ERROR, "What is required is allowed.", "Declare the property, or do not require it.", required_forbidden),
    _rule(ERROR, "A lower bound is not above its upper bound.", "Swap or correct the bounds.", empty_range),
    _rule(WARNING, "Every word that looks like a keyword is one.", "Correct the spelling; name annotations of your own with x-.", misspelled_keyword),
    _rule(WARNING, "Words of OpenAPI are not taken for keywords.", "Write what it means in JSON Schema.", word_of_openapi),
    _rule(WARNING, "A format is one that is checked.", "Correct the name, or write a pattern.", unknown_format),
    _rule(WARNING, "The root constrains the data.", "Add \"$ref\" to the definition that is meant.", accepts_everything),
    _rule(INFO, "A definition is used.", "Take it out, or refer to it; other schemas may refer to it too.", unreachable_definition),
    _rule(WARNING, "Keywords are those of the dialect.", "Write the keyword of this dialect, or state the dialect that has it in $schema.", keyword_of_other_dialect),
    _rule(WARNING, "Nothing stands beside $ref in draft 7 or older that is meant to count.", "Move it into allOf beside the reference, or use a later dialect.", ref_siblings),
    _rule(WARNING, "A keyword looks at values of the type.", "Take it out, or correct the type.", keyword_never_applies),
    _rule(WARNING, "What is required is declared.", "Correct the name, or declare the property.", required_undeclared),
    _rule(WARNING, "The values of enum and const are of the type.", "Correct the value or the type.", value_of_other_type),
    _rule(WARNING, "An enum has each value once.", "Take out the second one.", duplicate_enum),
    _rule(WARNING, "A default is valid where it stands.", "Correct the default or the schema.", invalid_default),
    _rule(WARNING, "An example is valid where it stands.", "Correct the example or the schema.", invalid_example),
    _rule(INFO, "A schema states its dialect.", 'Add "$schema", such as "https://json-schema.org/draft/2020-12/schema".', missing_dialect),
    _rule(INFO, "An object says whether it is closed.", 'Add "additionalProperties": false, or true when others are welcome.', open_object, by_default=False),
    _rule(INFO, "A property has a description.", "Say what it is for; a model that fills it in reads this.", missing_description, by_default=False),
)  # fmt: skip
